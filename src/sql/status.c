/*-------------------------------------------------------------------------
 *
 * status.c
 *	  vidtoken_status: what is going on in an appointment's room
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/status.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"
#include "fmgr.h"
#include "policy/policy.h"
#include "policy/settings.h"
#include "sql/argument.h"
#include "sql/current_room.h"
#include "sql/result.h"
#include "storage/appointment.h"
#include "storage/call_state.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(vidtoken_status);

/* Output arguments of vidtoken_status, in their order */
typedef enum StatusColumn
{
	STATUS_APPOINTMENT_ID,
	STATUS_ROOM_NAME,
	STATUS_ROOM_STATUS,
	STATUS_PARTICIPANT_COUNT,
	STATUS_ROOM_DURATION,
	STATUS_ROOM_DURATION_SECONDS,
	STATUS_STARTED_AT,
	STATUS_ENDED_AT,
	STATUS_CONNECTION_QUALITY,
	STATUS_PARTICIPANTS,
	STATUS_REPORTED_AT,
	STATUS_SCHEDULE
} StatusColumn;

#define STATUS_COLUMNS (STATUS_SCHEDULE + 1)

static const char *schedule_name(const VidTokenOccasion *occasion,
								 const VidTokenSchedule *schedule,
								 TimestampTz now);
static bool find_call(const VidTokenOccasion *occasion,
					  const VidTokenSchedule *schedule,
					  const char *room_name, TimestampTz now,
					  VidTokenCallState *state);
static TimestampTz silent_since(const VidTokenSchedule *schedule);
static void fill_state(const VidTokenCallState *state, TimestampTz now,
					   Datum *values, bool *nulls);
static void set_time(int column, TimestampTz time, Datum *values, bool *nulls);

/*
 * vidtoken_status(appointment_id): one row, in which what nobody reported is
 * NULL
 *
 * STABLE, and writes nothing: a plain GET and a standby will do.
 */
Datum
vidtoken_status(PG_FUNCTION_ARGS)
{
	char	   *appointment_id = vidtoken_appointment_argument(fcinfo);
	TimestampTz now = vidtoken_now();
	Datum		values[STATUS_COLUMNS] = {0};
	bool		nulls[STATUS_COLUMNS];
	VidTokenOccasion occasion;
	VidTokenSchedule schedule;
	VidTokenCallState state;
	const char *room_name;
	bool		barred;

	vidtoken_occasion_read(appointment_id, true, &occasion);
	if (!occasion.visible)
		vidtoken_refuse(VIDTOKEN_NOT_FOUND);
	vidtoken_policy_span(occasion.starts_at, occasion.ends_at, &schedule);
	room_name = vidtoken_current_room(&occasion, &barred);

	memset(nulls, true, sizeof(nulls));
	nulls[STATUS_APPOINTMENT_ID] = nulls[STATUS_ROOM_NAME] =
		nulls[STATUS_SCHEDULE] = false;
	values[STATUS_APPOINTMENT_ID] = vidtoken_id_result(occasion.appointment_id,
													   occasion.id_is_number);
	values[STATUS_ROOM_NAME] = CStringGetTextDatum(room_name);
	values[STATUS_SCHEDULE] =
		CStringGetTextDatum(schedule_name(&occasion, &schedule, now));

	/* Without a ledger nobody knows of the room. */
	if (vidtoken_record_sessions != VIDTOKEN_RECORD_OFF)
	{
		nulls[STATUS_ROOM_STATUS] = false;
		if (find_call(&occasion, &schedule, room_name, now, &state))
			fill_state(&state, now, values, nulls);
		else
			values[STATUS_ROOM_STATUS] = CStringGetTextDatum("not_found");
	}
	return vidtoken_row_result(fcinfo, STATUS_COLUMNS, values, nulls);
}

static const char *
schedule_name(const VidTokenOccasion *occasion,
			  const VidTokenSchedule *schedule, TimestampTz now)
{
	if (occasion->cancelled)
		return "cancelled";
	if (now < schedule->opens_at)
		return "upcoming";
	return now <= schedule->closes_at ? "open" : "closed";
}

/*
 * find_call: the appointment's call, false when nobody reported one
 *
 * A room whose name the source gives may be that of other appointments too,
 * whose people are none of this one's business: it has the calls and the people
 * that were there, or came, while it could be entered.
 */
static bool
find_call(const VidTokenOccasion *occasion, const VidTokenSchedule *schedule,
		  const char *room_name, TimestampTz now, VidTokenCallState *state)
{
	VidTokenCallQuery query = {
		.provider = vidtoken_provider,
		.room_name = room_name,
		.from = DT_NOBEGIN,
		.until = DT_NOEND,
		.silent_since = silent_since(schedule),
	};

	if (occasion->room_name != NULL)
	{
		query.from = schedule->opens_at;
		query.until = schedule->closes_at;
		if (now < query.from)
			return false;
	}
	return vidtoken_call_state_read(&query, now, state);
}

/*
 * silent_since: from when on a room of which nothing is heard is over
 *
 * Nobody enters it after the hard stop, and it does not stay open empty for
 * longer than the timeout.
 */
static TimestampTz
silent_since(const VidTokenSchedule *schedule)
{
	TimestampTz since;

	if (pg_add_s64_overflow(schedule->ends_at,
							((int64) vidtoken_max_overrun +
							 vidtoken_empty_room_timeout) * USECS_PER_SEC,
							&since))
		return DT_NOEND;
	return since;
}

static void
fill_state(const VidTokenCallState *state, TimestampTz now, Datum *values,
		   bool *nulls)
{
	TimestampTz until = state->completed ? state->ended_at : now;

	values[STATUS_ROOM_STATUS] =
		CStringGetTextDatum(state->completed ? "completed" : "active");
	values[STATUS_PARTICIPANT_COUNT] =
		Int32GetDatum((int32) state->participant_count);
	values[STATUS_PARTICIPANTS] = JsonbPGetDatum(state->participants);
	nulls[STATUS_PARTICIPANT_COUNT] = nulls[STATUS_PARTICIPANTS] = false;
	nulls[STATUS_CONNECTION_QUALITY] = state->quality < 0;
	values[STATUS_CONNECTION_QUALITY] = Int32GetDatum(state->quality);
	set_time(STATUS_STARTED_AT, state->started_at, values, nulls);
	set_time(STATUS_ENDED_AT, state->ended_at, values, nulls);
	set_time(STATUS_REPORTED_AT, state->reported_at, values, nulls);

	if (TIMESTAMP_IS_NOBEGIN(state->started_at) || TIMESTAMP_IS_NOBEGIN(until))
		return;
	/* The provider's clock may be ahead of ours. */
	until = Max(until, state->started_at);
	values[STATUS_ROOM_DURATION_SECONDS] =
		Int64GetDatum((until - state->started_at) / USECS_PER_SEC);
	values[STATUS_ROOM_DURATION] =
		vidtoken_interval_result((until - state->started_at) / USECS_PER_SEC);
	nulls[STATUS_ROOM_DURATION] = nulls[STATUS_ROOM_DURATION_SECONDS] = false;
}

static void
set_time(int column, TimestampTz time, Datum *values, bool *nulls)
{
	values[column] = TimestampTzGetDatum(time);
	nulls[column] = TIMESTAMP_IS_NOBEGIN(time);
}
