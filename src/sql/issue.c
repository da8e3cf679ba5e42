/*-------------------------------------------------------------------------
 *
 * issue.c
 *	  vidtoken_issue and vidtoken_refresh
 *
 * The way of every call: arguments, settings, source, policy, ledger, token.
 * Everything that can refuse comes before the signature.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/issue.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/jws.h"
#include "fmgr.h"
#include "ground/base64url.h"
#include "policy/keyring.h"
#include "policy/room_name.h"
#include "policy/settings.h"
#include "sql/argument.h"
#include "sql/grant.h"
#include "storage/ledger.h"
#include "storage/notice.h"
#include "storage/session.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(vidtoken_issue);
PG_FUNCTION_INFO_V1(vidtoken_refresh);

static Datum grant(FunctionCallInfo fcinfo, bool refresh);
static void begin_claims(const VidTokenProvider *provider,
						 VidTokenClaims *claims);
static void describe_room(const char *appointment_id,
						  const VidTokenProvider *provider,
						  const VidTokenSchedule *schedule,
						  VidTokenClaims *claims);
static void settle_session(VidTokenLedgerMode mode, TimestampTz now,
						   const VidTokenSessionEntry *entry,
						   VidTokenSession *session);
static void write_session(TimestampTz now, const VidTokenSessionEntry *entry,
						  VidTokenSession *session);
static void require_entering(const VidTokenSchedule *schedule,
							 TimestampTz now);
static bool names_are_outdated(const VidTokenAppointment *appointment,
							   const VidTokenSession *session);
static void tell_issued(const VidTokenSessionEntry *entry,
						const VidTokenSession *session);
static void make_names(const VidTokenAppointment *appointment, int generation,
					   VidTokenSession *session);
static char *make_jti(const VidTokenProvider *provider,
					  const VidTokenClaims *claims);
static char *sign(const VidTokenProvider *provider, VidTokenClaims *claims);
static int64 unix_seconds(TimestampTz time);

/*
 * vidtoken_issue(appointment_id [, user_id]): a token for a participant
 */
Datum
vidtoken_issue(PG_FUNCTION_ARGS)
{
	return grant(fcinfo, false);
}

/*
 * vidtoken_refresh(appointment_id [, user_id]): the next token of a session
 */
Datum
vidtoken_refresh(PG_FUNCTION_ARGS)
{
	return grant(fcinfo, true);
}

static Datum
grant(FunctionCallInfo fcinfo, bool refresh)
{
	char	   *appointment_id = vidtoken_appointment_argument(fcinfo);
	char	   *user_id = vidtoken_user_argument(fcinfo);
	TimestampTz now = vidtoken_now();
	VidTokenLedgerMode mode = vidtoken_ledger_mode();
	const VidTokenProvider *provider = vidtoken_provider_current();
	VidTokenAppointment appointment;
	VidTokenSchedule schedule;
	VidTokenReason reason;
	VidTokenLife life;
	VidTokenClaims claims = {0};
	VidTokenSessionEntry entry = {0};
	VidTokenSession session;

	vidtoken_settings_check();
	vidtoken_keyring_refresh();
	begin_claims(provider, &claims);

	/* From here on code of others may run, and replace keyring and settings. */
	vidtoken_appointment_read(appointment_id, user_id, &appointment);
	vidtoken_policy_schedule(appointment.starts_at, appointment.duration,
							 &schedule);
	reason = appointment.cancelled ? VIDTOKEN_CANCELLED :
		vidtoken_policy_judge(&schedule, false, now);
	if (reason != VIDTOKEN_OK)
		vidtoken_refuse_at(reason, &schedule, now);
	vidtoken_policy_life(&schedule, provider, now, &life);
	if (provider->carries_room)
		describe_room(appointment_id, provider, &schedule, &claims);

	claims.issued_at = unix_seconds(life.issued_at) - vidtoken_clock_skew;
	claims.jti = make_jti(provider, &claims);

	entry.appointment = &appointment;
	entry.schedule = &schedule;
	entry.life = &life;
	entry.provider = provider->name;
	entry.key_id = claims.key_id;
	entry.jti = claims.jti;
	entry.refresh = refresh;
	settle_session(mode, now, &entry, &session);
	if (!vidtoken_policy_long_enough(&life, provider, session.expires_at))
		vidtoken_refuse_at(VIDTOKEN_ENDED, &schedule, now);

	claims.identity = session.user_identity;
	claims.display_name = appointment.display_name;
	claims.role = appointment.role;
	claims.metadata = appointment.metadata;
	claims.room.name = session.room_name;
	claims.expires_at = unix_seconds(session.expires_at);
	tell_issued(&entry, &session);

	return vidtoken_grant_datum(fcinfo, sign(provider, &claims), provider,
								&appointment, &schedule, &life, &session);
}

/*
 * begin_claims: what follows from settings and key, which code that is called
 * later may replace
 */
static void
begin_claims(const VidTokenProvider *provider, VidTokenClaims *claims)
{
	const VidTokenKey *key = vidtoken_keyring_signing_key(provider,
														  vidtoken_key_id);

	claims->account = pstrdup(vidtoken_account);
	claims->audience = pstrdup(vidtoken_audience);
	claims->key_id = pstrdup(key->kid);
}

/*
 * describe_room: the token follows the participant's own row, the room the
 * appointment as a whole, as far as the caller sees it
 */
static void
describe_room(const char *appointment_id, const VidTokenProvider *provider,
			  const VidTokenSchedule *schedule, VidTokenClaims *claims)
{
	VidTokenOccasion occasion;
	VidTokenSchedule span = *schedule;

	vidtoken_occasion_read(appointment_id, false, &occasion);
	/* The row of a moment ago may be gone. */
	if (occasion.visible)
		vidtoken_policy_span(occasion.starts_at, occasion.ends_at, &span);
	vidtoken_policy_room(&span, &claims->room);
	claims->room.max_participants = occasion.max_participants;
	(void) vidtoken_provider_fit_room(provider, &claims->room);
}

/*
 * settle_session: names and expiry of the token, by the ledger where there is
 * one
 */
static void
settle_session(VidTokenLedgerMode mode, TimestampTz now,
			   const VidTokenSessionEntry *entry, VidTokenSession *session)
{
	const VidTokenAppointment *appointment = entry->appointment;
	TimestampTz live_expires_at = DT_NOBEGIN;
	bool		found = false;

	if (mode == VIDTOKEN_LEDGER_WRITE)
	{
		write_session(now, entry, session);
		/* A trigger on the ledger may shorten a token's life, not prolong it. */
		session->expires_at = Min(session->expires_at, entry->life->limit);
		return;
	}

	memset(session, 0, sizeof(*session));
	if (mode == VIDTOKEN_LEDGER_READ)
		found = vidtoken_session_read(appointment, session);
	if (session->revoked)
		vidtoken_refuse_at(VIDTOKEN_REVOKED, entry->schedule, now);
	if (!found)
		require_entering(entry->schedule, now);
	else if (session->expires_at > entry->life->issued_at)
		live_expires_at = session->expires_at;

	if (!found || names_are_outdated(appointment, session))
		make_names(appointment, session->room_generation, session);
	else if (appointment->room_name != NULL)
		session->room_name = appointment->room_name;
	session->expires_at = vidtoken_policy_expiry(entry->life, live_expires_at);
}

/*
 * write_session: a refusal raised after a write undoes it
 */
static void
write_session(TimestampTz now, const VidTokenSessionEntry *entry,
			  VidTokenSession *session)
{
	const VidTokenAppointment *appointment = entry->appointment;

	if (!vidtoken_session_renew(entry, session))
	{
		/* Where a standby may have issued, a missing row proves nothing. */
		if (entry->refresh &&
			vidtoken_record_sessions == VIDTOKEN_RECORD_REQUIRED)
		{
			vidtoken_session_read(appointment, session);
			vidtoken_refuse_at(session->revoked ? VIDTOKEN_REVOKED :
							   VIDTOKEN_NO_SESSION, entry->schedule, now);
		}
		require_entering(entry->schedule, now);
		make_names(appointment, 0, session);
		vidtoken_session_create(entry, session->user_identity,
								session->room_name, session);
	}
	if (session->revoked)
		vidtoken_refuse_at(VIDTOKEN_REVOKED, entry->schedule, now);
	if (names_are_outdated(appointment, session))
	{
		make_names(appointment, session->room_generation, session);
		vidtoken_session_move(appointment, session);
	}
}

static void
require_entering(const VidTokenSchedule *schedule, TimestampTz now)
{
	VidTokenReason reason = vidtoken_policy_judge(schedule, true, now);

	if (reason != VIDTOKEN_OK)
		vidtoken_refuse_at(reason, schedule, now);
}

/*
 * names_are_outdated: was the room reset, or did it lose the source's name?
 */
static bool
names_are_outdated(const VidTokenAppointment *appointment,
				   const VidTokenSession *session)
{
	if (session->user_identity == NULL || session->room_name == NULL)
		return true;
	return appointment->room_name == NULL &&
		session->generation != session->room_generation;
}

static void
tell_issued(const VidTokenSessionEntry *entry, const VidTokenSession *session)
{
	VidTokenNotice notice = {.event = entry->refresh ? "refresh" : "issue"};

	notice.at = entry->life->issued_at;
	notice.expires_at = session->expires_at;
	notice.provider = entry->provider;
	notice.appointment_id = entry->appointment->appointment_id;
	notice.user_id = entry->appointment->user_id;
	notice.room_name = session->room_name;
	notice.user_identity = session->user_identity;
	vidtoken_notice(&notice);
}

/*
 * make_names: those of the source, or made ones
 */
static void
make_names(const VidTokenAppointment *appointment, int generation,
		   VidTokenSession *session)
{
	session->user_identity = appointment->identity ? appointment->identity :
		vidtoken_default_identity(appointment->user_id);
	session->room_name = appointment->room_name ? appointment->room_name :
		vidtoken_room_name(appointment->appointment_id, generation);
}

/*
 * make_jti: 128 random bits, in the provider's form
 */
static char *
make_jti(const VidTokenProvider *provider, const VidTokenClaims *claims)
{
	uint8		bits[16];
	Size		length = vidtoken_base64url_encoded_length(sizeof(bits));
	char	   *random = palloc0(length + 1);

	if (!pg_strong_random(bits, sizeof(bits)))
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not generate random values"));
	vidtoken_base64url_encode(bits, sizeof(bits), random);
	return provider->make_jti ? provider->make_jti(claims, random) : random;
}

/*
 * sign: the token, built in one buffer
 *
 * The key is looked up again: a view's function or a trigger on the ledger may
 * have called us, and that call may have replaced the keyring.
 */
static char *
sign(const VidTokenProvider *provider, VidTokenClaims *claims)
{
	const VidTokenKey *key = vidtoken_keyring_signing_key(provider,
														  claims->key_id);
	StringInfoData token;
	int			part;

	claims->algorithm = key->algorithm->name;
	vidtoken_provider_check_limits(provider, claims);
	initStringInfo(&token);
	provider->write_header(&token, claims);
	part = vidtoken_jws_end_part(&token, 0);
	provider->write_claims(&token, claims);
	vidtoken_jws_end_part(&token, part);
	vidtoken_jws_sign(&token, key);
	return token.data;
}

/*
 * unix_seconds: NumericDate (RFC 7519, section 2) of a whole second
 */
static int64
unix_seconds(TimestampTz time)
{
	return time / USECS_PER_SEC +
		(int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
}
