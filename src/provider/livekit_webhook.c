/*-------------------------------------------------------------------------
 *
 * livekit_webhook.c
 *	  webhooks of LiveKit
 *
 * The header Authorization holds a JWT, without "Bearer".  Its claim sha256 is
 * the digest of the raw body in standard base64: the body is hashed before
 * anything of it is read.
 *
 * Events come in the order of the room but may be lost, and createdAt has whole
 * seconds.  numParticipants lags and is not looked at.  An aborted connection was
 * never reported as joined, so it leaves nothing to undo.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/provider/livekit_webhook.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/jws.h"
#include "ground/base64.h"
#include "ground/claims.h"
#include "provider/webhook.h"
#include "utils/timestamp.h"

/* LiveKit's own for tokens, seconds: clocks differ */
#define LEEWAY 60

/* The end of the year 9999; what is later is no time of a call. */
#define MAX_MILLISECONDS INT64CONST(253402300799999)

static bool verify(const VidTokenDelivery *delivery, const VidTokenKey *key);
static bool is_digest_of(const VidTokenJson *claims,
						 const VidTokenOctets *body);
static bool read_event(const VidTokenDelivery *delivery, VidTokenEvent *event);
static bool is_machine(const VidTokenJson *json, VidTokenJsonNode participant);
static TimestampTz get_time(const VidTokenJson *json, VidTokenJsonNode object,
							const char *seconds, const char *milliseconds);
static int64 get_integer(const VidTokenJson *json, VidTokenJsonNode object,
						 const char *name);

static const VidTokenEventName events[] = {
	{"room_started", VIDTOKEN_EVENT_ROOM_STARTED},
	{"room_finished", VIDTOKEN_EVENT_ROOM_ENDED},
	{"participant_joined", VIDTOKEN_EVENT_JOINED},
	{"participant_left", VIDTOKEN_EVENT_LEFT},
	{NULL, VIDTOKEN_EVENT_OTHER}
};

const VidTokenWebhook vidtoken_webhook_livekit = {
	.algorithm = "HS256",
	.signature_header = "authorization",
	.events = events,
	.verify = verify,
	.read_event = read_event,
};

/*
 * verify: a token of a few minutes whose claim sha256 is the body's digest
 *
 * A participant's token has no such claim.  Any webhook key may be the one:
 * LiveKit puts no kid into the header, and the signature tells.
 */
static bool
verify(const VidTokenDelivery *delivery, const VidTokenKey *key)
{
	VidTokenJws jws;
	VidTokenJson *claims;
	VidTokenValidity validity;
	const char *unused;

	if (vidtoken_jws_parse(delivery->signature, strlen(delivery->signature),
						   &jws) != NULL ||
		!vidtoken_jws_verify(&jws, key))
		return false;
	claims = vidtoken_json_parse((const char *) jws.payload.data,
								 jws.payload.length, &unused);
	return claims != NULL &&
		vidtoken_claims_check(claims, &validity) == NULL &&
		!TIMESTAMP_IS_NOEND(validity.expires_at) &&
		vidtoken_validity_judge(&validity, delivery->now,
								LEEWAY * USECS_PER_SEC) == NULL &&
		is_digest_of(claims, &delivery->body);
}

static bool
is_digest_of(const VidTokenJson *claims, const VidTokenOctets *body)
{
	uint8		digest[VIDTOKEN_SHA256_LENGTH];
	const char *claim = vidtoken_json_member_string(claims, VIDTOKEN_JSON_ROOT, "sha256");

	if (claim == NULL)
		return false;
	vidtoken_sha256(body->data, body->length, digest);
	return vidtoken_is_same_text(claim,
								 vidtoken_base64(digest, sizeof(digest)));
}

/*
 * read_event: a livekit.WebhookEvent as JSON, in which numbers of 64 bits are
 * strings and what is zero is left out
 */
static bool
read_event(const VidTokenDelivery *delivery, VidTokenEvent *event)
{
	const char *unused;
	VidTokenJson *json = vidtoken_json_parse((const char *) delivery->body.data,
											 delivery->body.length, &unused);
	VidTokenJsonNode room;
	VidTokenJsonNode participant;
	const char *name;

	if (json == NULL)
		return false;
	name = vidtoken_json_member_string(json, VIDTOKEN_JSON_ROOT, "event");
	if (name == NULL)
		return false;
	room = vidtoken_json_member(json, VIDTOKEN_JSON_ROOT, "room");
	participant = vidtoken_json_member(json, VIDTOKEN_JSON_ROOT,
									   "participant");

	event->kind = vidtoken_webhook_event_kind(&vidtoken_webhook_livekit, name);
	if (event->kind == VIDTOKEN_EVENT_OTHER)
		return true;
	event->id = vidtoken_json_member_string(json, VIDTOKEN_JSON_ROOT, "id");
	event->room_name = vidtoken_json_member_string(json, room, "name");
	event->room_sid = vidtoken_json_member_string(json, room, "sid");
	event->happened_at = get_time(json, VIDTOKEN_JSON_ROOT, "createdAt", NULL);
	event->room_started_at = get_time(json, room,
									  "creationTime", "creationTimeMs");
	if (TIMESTAMP_IS_NOBEGIN(event->happened_at))
		return false;
	if (!vidtoken_event_is_of_participant(event))
		return true;

	event->participant_sid = vidtoken_json_member_string(json, participant, "sid");
	event->identity = vidtoken_json_member_string(json, participant, "identity");
	event->joined_at = get_time(json, participant, "joinedAt", "joinedAtMs");
	if (is_machine(json, participant))
		event->kind = VIDTOKEN_EVENT_OTHER;
	return true;
}

/*
 * is_machine: a recorder or an agent, which nobody would count as a person; a
 * telephone (SIP) or a stream that is fed in (INGRESS) is somebody
 */
static bool
is_machine(const VidTokenJson *json, VidTokenJsonNode participant)
{
	const char *kind = vidtoken_json_member_string(json, participant, "kind");

	return kind != NULL &&
		(strcmp(kind, "EGRESS") == 0 || strcmp(kind, "AGENT") == 0);
}

/*
 * get_time: from the member in milliseconds, where there is one, else from
 * that in seconds; -infinity without either, or beyond all calls
 */
static TimestampTz
get_time(const VidTokenJson *json, VidTokenJsonNode object,
		 const char *seconds, const char *milliseconds)
{
	int64		value = milliseconds ?
	get_integer(json, object, milliseconds) : 0;

	if (value <= 0)
		value = get_integer(json, object, seconds) * 1000;
	if (value <= 0 || value > MAX_MILLISECONDS)
		return DT_NOBEGIN;
	return (value - (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) *
			SECS_PER_DAY * 1000) * 1000;
}

/*
 * get_integer: a string of at most 15 digits, which in milliseconds reach
 * beyond the year 9999, or 0
 */
static int64
get_integer(const VidTokenJson *json, VidTokenJsonNode object,
			const char *name)
{
	const char *digits = vidtoken_json_member_string(json, object, name);

	if (digits == NULL || digits[0] == '\0' || strlen(digits) > 15 ||
		digits[strspn(digits, "0123456789")] != '\0')
		return 0;
	return strtoll(digits, NULL, 10);
}
