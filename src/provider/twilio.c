/*-------------------------------------------------------------------------
 *
 * twilio.c
 *	  tokens and rooms of Twilio Video
 *
 * The secret is that of the API key, whose SID is the kid.  Twilio judges a
 * token at connect and reconnect; a longer life than 24 hours is refused
 * there (error 20104).
 *
 * A room has timeouts only when a back end makes it, before the first one
 * connects.  Twilio's names for them are ours.  Without MaxParticipantDuration
 * everyone is cut off after 4 hours, however long the token lives.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/provider/twilio.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/jws.h"
#include "ground/json_writer.h"
#include "provider/provider.h"
#include "provider/webhook.h"

static void write_header(StringInfo json, const VidTokenClaims *claims);
static void write_claims(StringInfo json, const VidTokenClaims *claims);
static char *make_jti(const VidTokenClaims *claims, const char *random);
static const char *check_credentials(const char *account, const char *key_id);
static void write_room(StringInfo json, const VidTokenRoom *room);

/* 1 to 60, in minutes */
#define TIMEOUT {.min = 60, .max = 60 * 60, .whole_minutes = true}

const VidTokenProvider vidtoken_provider_twilio = {
	.name = "twilio",
	.algorithm = "HS256",
	.needs_account = true,
	.max_lifetime = 24 * 60 * 60,
	.max_identity_length = 128,
	.max_room_name_length = 128,
	.empty_timeout = TIMEOUT,
	.unused_timeout = TIMEOUT,
	.max_participants = {.min = 1,.max = 50},
	.max_stay = {.min = 10 * 60,.max = 24 * 60 * 60},
	.write_header = write_header,
	.write_claims = write_claims,
	.make_jti = make_jti,
	.check_credentials = check_credentials,
	.write_room = write_room,
	.webhook = &vidtoken_webhook_twilio,
};

static void
write_header(StringInfo json, const VidTokenClaims *claims)
{
	vidtoken_jws_begin_header(json, claims->algorithm);
	vidtoken_json_add_string(json, "cty", "twilio-fpa;v=1");
	vidtoken_json_end(json);
}

static void
write_claims(StringInfo json, const VidTokenClaims *claims)
{
	vidtoken_json_begin(json, NULL);
	vidtoken_json_add_string(json, "jti", claims->jti);
	vidtoken_json_add_string(json, "iss", claims->key_id);
	vidtoken_json_add_string(json, "sub", claims->account);
	vidtoken_provider_add_times(json, claims);
	vidtoken_json_begin(json, "grants");
	vidtoken_json_add_string(json, "identity", claims->identity);
	vidtoken_json_begin(json, "video");
	vidtoken_json_add_string(json, "room", claims->room.name);
	vidtoken_json_end(json);
	vidtoken_json_end(json);
	vidtoken_json_end(json);
}

/*
 * make_jti: Twilio's own is "<key SID>-<seconds>", the same for two tokens of
 * one second; the random part makes it unique
 */
static char *
make_jti(const VidTokenClaims *claims, const char *random)
{
	return psprintf("%s-" INT64_FORMAT "-%s",
					claims->key_id, claims->issued_at, random);
}

static const char *
check_credentials(const char *account, const char *key_id)
{
	if (strncmp(account, "AC", 2) != 0)
		return "The account of twilio is an account SID, which begins with AC.";
	if (strncmp(key_id, "SK", 2) != 0)
		return "The key id of twilio is an API key SID, which begins with SK.";
	return NULL;
}

/*
 * write_room: the form's parameters of POST /v1/Rooms
 */
static void
write_room(StringInfo json, const VidTokenRoom *room)
{
	vidtoken_json_begin(json, NULL);
	vidtoken_json_add_string(json, "UniqueName", room->name);
	vidtoken_json_add_string(json, "Type", "group");
	vidtoken_json_add_integer(json, "EmptyRoomTimeout", room->empty_timeout / 60);
	vidtoken_json_add_integer(json, "UnusedRoomTimeout", room->unused_timeout / 60);
	if (room->max_participants > 0)
		vidtoken_json_add_integer(json, "MaxParticipants",
								  room->max_participants);
	vidtoken_json_add_integer(json, "MaxParticipantDuration", room->max_stay);
	if (room->status_callback != NULL)
		vidtoken_json_add_string(json, "StatusCallback", room->status_callback);
	vidtoken_json_end(json);
}
