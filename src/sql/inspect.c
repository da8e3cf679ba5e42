/*-------------------------------------------------------------------------
 *
 * inspect.c
 *	  vidtoken_ttl, vidtoken_policy and vidtoken_clock
 *
 * What the settings mean, without an appointment, a key or a row.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/inspect.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "policy/policy.h"
#include "policy/settings.h"
#include "sql/result.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(vidtoken_ttl);
PG_FUNCTION_INFO_V1(vidtoken_policy_row);
PG_FUNCTION_INFO_V1(vidtoken_clock);

/* Output arguments of vidtoken_policy, in their order */
typedef enum PolicyColumn
{
	POLICY_OPENS_AT,
	POLICY_CLOSES_AT,
	POLICY_ENDS_AT,
	POLICY_HARD_STOP,
	POLICY_TTL,
	POLICY_EXPIRES_AT,
	POLICY_REFRESH_AT,
	POLICY_WARN_AT,
	POLICY_EMPTY_ROOM_TIMEOUT,
	POLICY_UNUSED_ROOM_TIMEOUT,
	POLICY_MAY_ISSUE,
	POLICY_REASON
} PolicyColumn;

#define POLICY_COLUMNS (POLICY_REASON + 1)

static void fill_token_times(const VidTokenSchedule *schedule,
							 TimestampTz now, Datum *values, bool *nulls);

/*
 * vidtoken_ttl(duration): life of a token, by the formula
 */
Datum
vidtoken_ttl(PG_FUNCTION_ARGS)
{
	int64		duration = vidtoken_policy_duration(PG_GETARG_INTERVAL_P(0));

	vidtoken_settings_check();
	return vidtoken_interval_result(vidtoken_policy_ttl(duration));
}

/*
 * vidtoken_clock(): the clock of every judgement
 */
Datum
vidtoken_clock(PG_FUNCTION_ARGS)
{
	(void) fcinfo;				/* it takes no argument */
	PG_RETURN_TIMESTAMPTZ(vidtoken_now());
}

/*
 * vidtoken_policy(starts_at, duration, at): one row; NULL for a NULL start or
 * duration
 */
Datum
vidtoken_policy_row(PG_FUNCTION_ARGS)
{
	Datum		values[POLICY_COLUMNS];
	bool		nulls[POLICY_COLUMNS] = {false};
	VidTokenSchedule schedule;
	int64		duration;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	vidtoken_settings_check();
	duration = vidtoken_policy_duration(PG_GETARG_INTERVAL_P(1));
	vidtoken_policy_schedule(PG_GETARG_TIMESTAMPTZ(0), duration, &schedule);

	values[POLICY_OPENS_AT] = TimestampTzGetDatum(schedule.opens_at);
	values[POLICY_CLOSES_AT] = TimestampTzGetDatum(schedule.closes_at);
	values[POLICY_ENDS_AT] = TimestampTzGetDatum(schedule.ends_at);
	values[POLICY_HARD_STOP] = TimestampTzGetDatum(schedule.hard_stop);
	values[POLICY_TTL] = vidtoken_interval_result(vidtoken_policy_ttl(duration));
	values[POLICY_EMPTY_ROOM_TIMEOUT] =
		vidtoken_interval_result(vidtoken_empty_room_timeout);
	values[POLICY_UNUSED_ROOM_TIMEOUT] =
		vidtoken_interval_result(vidtoken_policy_unused_room_timeout(duration));
	fill_token_times(&schedule,
					 PG_ARGISNULL(2) ? vidtoken_now() : PG_GETARG_TIMESTAMPTZ(2),
					 values, nulls);

	return vidtoken_row_result(fcinfo, POLICY_COLUMNS, values, nulls);
}

/*
 * fill_token_times: of a token first issued at "now", or why there is none
 */
static void
fill_token_times(const VidTokenSchedule *schedule, TimestampTz now,
				 Datum *values, bool *nulls)
{
	const VidTokenProvider *provider = vidtoken_provider_find(vidtoken_provider);
	VidTokenReason reason = vidtoken_policy_judge(schedule, true, now);
	VidTokenLife life;
	TimestampTz expires_at = 0;
	TimestampTz refresh_at = 0;

	if (reason == VIDTOKEN_OK)
	{
		vidtoken_policy_life(schedule, provider, now, &life);
		expires_at = vidtoken_policy_expiry(&life, DT_NOBEGIN);
		if (!vidtoken_policy_long_enough(&life, provider, expires_at))
			reason = VIDTOKEN_ENDED;
	}

	values[POLICY_MAY_ISSUE] = BoolGetDatum(reason == VIDTOKEN_OK);
	if (reason != VIDTOKEN_OK)
	{
		values[POLICY_REASON] = CStringGetTextDatum(vidtoken_reason_name(reason));
		nulls[POLICY_EXPIRES_AT] = true;
		nulls[POLICY_REFRESH_AT] = true;
		nulls[POLICY_WARN_AT] = true;
		return;
	}
	nulls[POLICY_REASON] = true;
	values[POLICY_EXPIRES_AT] = TimestampTzGetDatum(expires_at);
	nulls[POLICY_REFRESH_AT] = !vidtoken_policy_refresh_at(schedule,
														   life.issued_at,
														   expires_at,
														   &refresh_at);
	values[POLICY_REFRESH_AT] = TimestampTzGetDatum(refresh_at);
	values[POLICY_WARN_AT] =
		TimestampTzGetDatum(vidtoken_policy_warn_at(life.issued_at, expires_at));
}
