/*-------------------------------------------------------------------------
 *
 * revoke.c
 *	  bars, resets, and forgetting
 *
 * To bar someone takes no more than the id: an appointment that was deleted
 * or that the caller may not see can be barred as well.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/revoke.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "policy/keyring.h"
#include "policy/refusal.h"
#include "policy/room_name.h"
#include "policy/settings.h"
#include "sql/argument.h"
#include "storage/bar.h"
#include "storage/ledger.h"
#include "storage/notice.h"
#include "storage/prune.h"
#include "storage/room.h"
#include "storage/source_entry.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(vidtoken_revoke);
PG_FUNCTION_INFO_V1(vidtoken_revoke_all);
PG_FUNCTION_INFO_V1(vidtoken_reinstate);
PG_FUNCTION_INFO_V1(vidtoken_reinstate_all);
PG_FUNCTION_INFO_V1(vidtoken_reset_room);
PG_FUNCTION_INFO_V1(vidtoken_prune);

static void tell_revoked(const VidTokenOccasion *occasion,
						 const char *user_id, const VidTokenBarred *barred,
						 TimestampTz now);
static bool is_over(const char *appointment_id, TimestampTz cutoff,
					bool *seen);
static TimestampTz prune_cutoff(const Interval *older_than);

/*
 * vidtoken_revoke(appointment_id, user_id): bar a participant
 */
Datum
vidtoken_revoke(PG_FUNCTION_ARGS)
{
	char	   *appointment_id = vidtoken_appointment_argument(fcinfo);
	char	   *user_id = vidtoken_user_argument(fcinfo);
	TimestampTz now = vidtoken_now();
	VidTokenOccasion occasion;
	VidTokenBarred barred;
	char	   *key;

	vidtoken_ledger_require();
	vidtoken_occasion_key(appointment_id, &occasion);
	(void) vidtoken_occasion_glimpse(appointment_id, &occasion);
	key = vidtoken_user_key(user_id);
	if (!vidtoken_bar_participant(&occasion, key, now, &barred))
		PG_RETURN_BOOL(false);
	tell_revoked(&occasion, key, &barred, now);
	PG_RETURN_BOOL(true);
}

/*
 * vidtoken_revoke_all(appointment_id): bar everyone
 */
Datum
vidtoken_revoke_all(PG_FUNCTION_ARGS)
{
	char	   *appointment_id = vidtoken_appointment_argument(fcinfo);
	TimestampTz now = vidtoken_now();
	VidTokenOccasion occasion;
	VidTokenBarred barred;
	int			ended;

	vidtoken_ledger_require();
	vidtoken_occasion_key(appointment_id, &occasion);
	(void) vidtoken_occasion_glimpse(appointment_id, &occasion);
	ended = vidtoken_bar_appointment(&occasion, now, &barred);
	if (ended >= 0)
		tell_revoked(&occasion, NULL, &barred, now);
	PG_RETURN_INT32(Max(ended, 0));
}

/*
 * vidtoken_reinstate(appointment_id, user_id): lift a participant's bar
 */
Datum
vidtoken_reinstate(PG_FUNCTION_ARGS)
{
	char	   *appointment_id = vidtoken_appointment_argument(fcinfo);
	char	   *user_id = vidtoken_user_argument(fcinfo);
	VidTokenOccasion occasion;

	vidtoken_ledger_require();
	vidtoken_occasion_key(appointment_id, &occasion);
	PG_RETURN_BOOL(vidtoken_unbar_participant(occasion.appointment_id,
											  vidtoken_user_key(user_id)));
}

/*
 * vidtoken_reinstate_all(appointment_id): lift the bar of the appointment
 */
Datum
vidtoken_reinstate_all(PG_FUNCTION_ARGS)
{
	char	   *appointment_id = vidtoken_appointment_argument(fcinfo);
	VidTokenOccasion occasion;

	vidtoken_ledger_require();
	vidtoken_occasion_key(appointment_id, &occasion);
	PG_RETURN_INT32(vidtoken_unbar_appointment(occasion.appointment_id));
}

/*
 * vidtoken_reset_room(appointment_id): a new room, and its name
 *
 * What the source says of the name must be known, so here an error of the
 * source is raised; who does not see the appointment does not know.
 */
Datum
vidtoken_reset_room(PG_FUNCTION_ARGS)
{
	char	   *appointment_id = vidtoken_appointment_argument(fcinfo);
	VidTokenOccasion occasion;
	int			generation;

	vidtoken_ledger_require();
	vidtoken_keyring_refresh();
	vidtoken_occasion_read(appointment_id, false, &occasion);
	if (!occasion.visible && occasion.rooms_are_named)
		vidtoken_refuse(VIDTOKEN_NOT_FOUND);
	if (occasion.room_name != NULL)
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("cannot reset a room that the source names"),
				errdetail("The relation of setting \"vidtoken.source\" gives the appointment a room_name."),
				errhint("Change room_name there."));

	generation = vidtoken_room_reset(&occasion);
	PG_RETURN_TEXT_P(cstring_to_text(vidtoken_room_name(occasion.appointment_id,
														generation)));
}

/*
 * vidtoken_prune(older_than): forget what is long over
 */
Datum
vidtoken_prune(PG_FUNCTION_ARGS)
{
	TimestampTz cutoff;
	uint64		forgotten;
	ListCell   *cell;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("older_than must not be NULL"));
	cutoff = prune_cutoff(PG_GETARG_INTERVAL_P(0));
	vidtoken_ledger_require();

	forgotten = vidtoken_prune_sessions(cutoff);
	foreach(cell, vidtoken_prune_candidates(cutoff))
	{
		bool		seen;

		if (is_over(lfirst(cell), cutoff, &seen))
			forgotten += vidtoken_prune_appointment(lfirst(cell), cutoff, seen);
	}
	forgotten += vidtoken_prune_rooms();
	PG_RETURN_INT64(forgotten + vidtoken_prune_calls(cutoff));
}

/*
 * tell_revoked: a back end that listens may remove who is in the room; without
 * a user it is everyone
 */
static void
tell_revoked(const VidTokenOccasion *occasion, const char *user_id,
			 const VidTokenBarred *barred, TimestampTz now)
{
	VidTokenNotice notice = {.event = "revoke",.at = now};

	notice.appointment_id = occasion->appointment_id;
	notice.user_id = user_id;
	notice.provider = barred->provider;
	notice.room_name = barred->room_name;
	notice.user_identity = barred->user_identity;
	vidtoken_notice(&notice);
}

/*
 * is_over: may the bars of an appointment be forgotten?
 *
 * It may have been moved since the ledger last heard of it, so the source is
 * asked, as the caller.  Not visible means gone only to a role from which
 * nothing is hidden: not by row-level security, and not by a condition on the
 * request in the view, which hides everything.  An error is no answer.
 */
static bool
is_over(const char *appointment_id, TimestampTz cutoff, bool *seen)
{
	VidTokenOccasion occasion = {0};

	if (!vidtoken_occasion_glimpse(appointment_id, &occasion))
		return false;
	*seen = occasion.visible;
	if (occasion.visible)
		return occasion.hard_stop < cutoff;
	return has_bypassrls_privilege(GetUserId()) &&
		vidtoken_source_shows_rows();
}

/*
 * prune_cutoff: PostgreSQL's own date arithmetic, and never less than 24 hours
 *
 * A day has 23 of them when clocks go forward, and vidtoken_webhook takes in
 * what is 24 hours old: its event must not be forgotten before.
 */
static TimestampTz
prune_cutoff(const Interval *older_than)
{
	const Interval day = {.day = 1};
	TimestampTz now = vidtoken_now();
	TimestampTz cutoff;

	if (DatumGetBool(DirectFunctionCall2(interval_lt,
										 IntervalPGetDatum(older_than),
										 IntervalPGetDatum(&day))))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("older_than must be at least one day"),
				errhint("Sessions of running appointments must not be forgotten."));
	cutoff = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval,
													 TimestampTzGetDatum(now),
													 IntervalPGetDatum(older_than)));
	return Min(cutoff, now - USECS_PER_DAY);
}
