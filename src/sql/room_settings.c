/*-------------------------------------------------------------------------
 *
 * room_settings.c
 *	  vidtoken_room_settings
 *
 * For a back end that makes rooms at the provider, at opens_at or when the
 * first participant asks for a token; providers count the timeouts from then
 * on.  It is told what the settings want of the room, and the call to make
 * with what the provider takes of that.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/room_settings.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "policy/policy.h"
#include "policy/settings.h"
#include "sql/argument.h"
#include "sql/current_room.h"
#include "sql/result.h"
#include "storage/appointment.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(vidtoken_room_settings);

/* Output arguments of vidtoken_room_settings, in their order */
typedef enum RoomColumn
{
	ROOM_ROOM_NAME,
	ROOM_EMPTY_ROOM_TIMEOUT,
	ROOM_UNUSED_ROOM_TIMEOUT,
	ROOM_MAX_PARTICIPANTS,
	ROOM_OPENS_AT,
	ROOM_CLOSES_AT,
	ROOM_PROVIDER,
	ROOM_CREATE_REQUEST,
	ROOM_ADJUSTED
} RoomColumn;

#define ROOM_COLUMNS (ROOM_ADJUSTED + 1)

static void require_room(const VidTokenOccasion *occasion,
						 const VidTokenSchedule *schedule, bool barred);
static void fill_request(const VidTokenProvider *provider, VidTokenRoom *room,
						 Datum *values, bool *nulls);
static Datum text_array(const List *strings);

/*
 * vidtoken_room_settings(appointment_id): one row, for the appointment as a
 * whole as far as the caller sees it
 *
 * STABLE: the source is read as the calling query sees it.  The ledger is
 * read in its latest committed state, as for a token, so that the room is the
 * one that tokens name.  Nothing is written, also on a standby.
 */
Datum
vidtoken_room_settings(PG_FUNCTION_ARGS)
{
	char	   *appointment_id = vidtoken_appointment_argument(fcinfo);
	const VidTokenProvider *provider = vidtoken_provider_find(vidtoken_provider);
	Datum		values[ROOM_COLUMNS];
	bool		nulls[ROOM_COLUMNS] = {false};
	VidTokenOccasion occasion;
	VidTokenSchedule schedule;
	VidTokenRoom room;
	bool		barred;

	vidtoken_occasion_read(appointment_id, true, &occasion);
	if (!occasion.visible)
		vidtoken_refuse(VIDTOKEN_NOT_FOUND);
	vidtoken_policy_span(occasion.starts_at, occasion.ends_at, &schedule);
	room.name = vidtoken_current_room(&occasion, &barred);
	require_room(&occasion, &schedule, barred);

	room.max_participants = occasion.max_participants;
	vidtoken_policy_room(&schedule, &room);
	room.status_callback =
		vidtoken_public_url[0] == '\0' ? NULL : vidtoken_public_url;
	vidtoken_provider_check_room_name(provider, room.name);

	values[ROOM_ROOM_NAME] = CStringGetTextDatum(room.name);
	values[ROOM_EMPTY_ROOM_TIMEOUT] =
		vidtoken_interval_result(room.empty_timeout);
	values[ROOM_UNUSED_ROOM_TIMEOUT] =
		vidtoken_interval_result(room.unused_timeout);
	values[ROOM_MAX_PARTICIPANTS] = Int32GetDatum(occasion.max_participants);
	nulls[ROOM_MAX_PARTICIPANTS] = occasion.max_participants == 0;
	values[ROOM_OPENS_AT] = TimestampTzGetDatum(schedule.opens_at);
	values[ROOM_CLOSES_AT] = TimestampTzGetDatum(schedule.closes_at);
	values[ROOM_PROVIDER] = CStringGetTextDatum(provider->name);
	fill_request(provider, &room, values, nulls);

	return vidtoken_row_result(fcinfo, ROOM_COLUMNS, values, nulls);
}

/*
 * require_room: raise PT410 for a room that no token opens any more
 *
 * A back end that asks is about to make it, and would leave an empty room that
 * nobody has use for.  "Too early" is no such reason: rooms are made ahead, or
 * their settings looked at.  "Ended" is one from the hard stop on, not from
 * closes_at on: as long as somebody may stay, a room that the provider closed
 * may have to be made again.
 */
static void
require_room(const VidTokenOccasion *occasion,
			 const VidTokenSchedule *schedule, bool barred)
{
	TimestampTz now = vidtoken_now();
	VidTokenReason reason = vidtoken_policy_judge(schedule, false, now);

	if (occasion->cancelled)
		reason = VIDTOKEN_CANCELLED;
	else if (reason == VIDTOKEN_TOO_EARLY)
		reason = VIDTOKEN_OK;
	if (reason == VIDTOKEN_OK && barred)
		reason = VIDTOKEN_REVOKED;
	if (reason != VIDTOKEN_OK)
		vidtoken_refuse_at(reason, schedule, now);
}

/*
 * fill_request: the provider's own call; changes "room" to what it takes
 */
static void
fill_request(const VidTokenProvider *provider, VidTokenRoom *room,
			 Datum *values, bool *nulls)
{
	StringInfoData json;

	values[ROOM_ADJUSTED] =
		text_array(vidtoken_provider_fit_room(provider, room));
	nulls[ROOM_CREATE_REQUEST] = provider->write_room == NULL;
	if (provider->write_room == NULL)
		return;
	initStringInfo(&json);
	provider->write_room(&json, room);
	values[ROOM_CREATE_REQUEST] = vidtoken_jsonb_result(&json);
}

static Datum
text_array(const List *strings)
{
	Datum	   *values = palloc(sizeof(Datum) * (list_length(strings) + 1));
	int			count = 0;
	ListCell   *cell;

	foreach(cell, strings)
		values[count++] = CStringGetTextDatum(lfirst(cell));
	return PointerGetDatum(construct_array(values, count, TEXTOID, -1, false,
										   TYPALIGN_INT));
}
