/*-------------------------------------------------------------------------
 *
 * livekit.c
 *	  tokens and rooms of LiveKit
 *
 * The kid is LiveKit's API key, the secret its API secret.  The room's
 * timeouts travel in every participant's token, because LiveKit takes them
 * from the one who happens to come first, unless a back end has made the room
 * before.  Its emptyTimeout is the time while nobody came, its departureTimeout
 * the time after the last one left; there is no limit to a participant's stay.
 *
 * LiveKit judges a token at connect with a leeway of a minute, and goes by
 * nbf, not iat.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/provider/livekit.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/jws.h"
#include "ground/json_writer.h"
#include "provider/provider.h"
#include "provider/webhook.h"

static void write_header(StringInfo json, const VidTokenClaims *claims);
static void write_claims(StringInfo json, const VidTokenClaims *claims);
static void write_grants(StringInfo json, const VidTokenClaims *claims);
static void write_room(StringInfo json, const VidTokenRoom *room);
static void add_room_settings(StringInfo json, const VidTokenRoom *room);

/* a uint32 of seconds, in which 0 would mean LiveKit's own default */
#define TIMEOUT {.min = 1, .max = PG_UINT32_MAX}

const VidTokenProvider vidtoken_provider_livekit = {
	.name = "livekit",
	.algorithm = "HS256",
	.wants_server_url = true,
	.carries_room = true,
	.carries_metadata = true,
	.max_identity_length = 256,
	.max_room_name_length = 256,
	.max_display_name_length = 256,
	.max_metadata_length = 512 * 1024,
	.empty_timeout = TIMEOUT,
	.unused_timeout = TIMEOUT,
	.write_header = write_header,
	.write_claims = write_claims,
	.write_room = write_room,
	.webhook = &vidtoken_webhook_livekit,
};

static void
write_header(StringInfo json, const VidTokenClaims *claims)
{
	vidtoken_jws_begin_header(json, claims->algorithm);
	vidtoken_json_end(json);
}

static void
write_claims(StringInfo json, const VidTokenClaims *claims)
{
	vidtoken_json_begin(json, NULL);
	vidtoken_json_add_string(json, "jti", claims->jti);
	vidtoken_json_add_string(json, "iss", claims->key_id);
	vidtoken_json_add_string(json, "sub", claims->identity);
	vidtoken_provider_add_times(json, claims);
	if (claims->display_name != NULL)
		vidtoken_json_add_string(json, "name", claims->display_name);
	if (claims->metadata != NULL)
		vidtoken_json_add_string(json, "metadata", claims->metadata);
	write_grants(json, claims);
	vidtoken_json_begin(json, "roomConfig");
	add_room_settings(json, &claims->room);
	vidtoken_json_end(json);
	vidtoken_json_end(json);
}

/*
 * write_grants: a host may also mute and remove others (roomAdmin holds for
 * this room alone), an observer sees and hears and is seen in the list
 *
 * canPublish and its like are written even where they are true: a missing one
 * would mean the same today.
 */
static void
write_grants(StringInfo json, const VidTokenClaims *claims)
{
	bool		speaks = strcmp(claims->role, "observer") != 0;

	vidtoken_json_begin(json, "video");
	vidtoken_json_add_boolean(json, "roomJoin", true);
	vidtoken_json_add_string(json, "room", claims->room.name);
	vidtoken_json_add_boolean(json, "canPublish", speaks);
	vidtoken_json_add_boolean(json, "canSubscribe", true);
	vidtoken_json_add_boolean(json, "canPublishData", speaks);
	if (strcmp(claims->role, "host") == 0)
		vidtoken_json_add_boolean(json, "roomAdmin", true);
	vidtoken_json_end(json);
}

/*
 * write_room: livekit.CreateRoomRequest, for RoomService/CreateRoom
 */
static void
write_room(StringInfo json, const VidTokenRoom *room)
{
	vidtoken_json_begin(json, NULL);
	vidtoken_json_add_string(json, "name", room->name);
	add_room_settings(json, room);
	vidtoken_json_end(json);
}

/*
 * add_room_settings: members that livekit.RoomConfiguration, in a token, and
 * livekit.CreateRoomRequest have in common
 */
static void
add_room_settings(StringInfo json, const VidTokenRoom *room)
{
	vidtoken_json_add_integer(json, "emptyTimeout", room->unused_timeout);
	vidtoken_json_add_integer(json, "departureTimeout", room->empty_timeout);
	if (room->max_participants > 0)
		vidtoken_json_add_integer(json, "maxParticipants",
								  room->max_participants);
}
