/*-------------------------------------------------------------------------
 *
 * policy.c
 *	  when a token may be issued, and how long it lives
 *
 * Pure arithmetic on the settings: no clock, no table, no key.  A call reads
 * the clock once and hands it down as "now".  Windows are judged by it as it
 * is; what goes into a token is whole seconds, cut down, so that no rounding
 * ever lengthens a life.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/policy.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"
#include "compat.h"
#include "policy/policy.h"
#include "policy/settings.h"

static TimestampTz add_seconds(TimestampTz time, int64 seconds);
static TimestampTz cut_to_second(TimestampTz time);
static int64 seconds_until(TimestampTz from, TimestampTz to);
static int64 clamp_ttl(int64 seconds);
static int64 half_at_most(int window, TimestampTz issued_at,
						  TimestampTz expires_at);
pg_noreturn static void raise_bad_duration(const char *why);

/*
 * vidtoken_policy_duration: an appointment's duration in seconds, rounded up
 *
 * A day is 24 hours.  Raises 22023 for what has no fixed length, is not
 * positive, not finite, or below vidtoken.min_duration.
 */
int64
vidtoken_policy_duration(const Interval *duration)
{
	int64		seconds;

	if (!VidTokenIntervalIsFinite(duration))
		raise_bad_duration("It is infinite.");
	if (duration->month != 0)
		raise_bad_duration("Months and years have no fixed length.");

	/* Neither product nor sum can overflow: 2^31 days are 2^48 seconds. */
	seconds = (int64) duration->day * SECS_PER_DAY +
		duration->time / USECS_PER_SEC +
		(duration->time % USECS_PER_SEC > 0 ? 1 : 0);

	if (seconds <= 0)
		raise_bad_duration("It must be positive.");
	if (seconds > PG_INT32_MAX)
		raise_bad_duration("It exceeds 68 years.");
	if (seconds < vidtoken_min_duration)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("duration of the appointment is too short"),
				errdetail("It is %d s, below setting \"vidtoken.min_duration\" of %d s.",
						  (int) seconds, vidtoken_min_duration),
				errhint("As an interval, a bare 60 means 60 seconds: write '60 minutes' or make_interval(mins => 60)."));
	return seconds;
}

/*
 * vidtoken_policy_ttl: life of a token in seconds, by the formula
 * least(greatest(duration + buffer_before + buffer_after, min_ttl), max_ttl)
 */
int64
vidtoken_policy_ttl(int64 duration)
{
	return clamp_ttl(duration + vidtoken_buffer_before + vidtoken_buffer_after);
}

/*
 * vidtoken_policy_unused_room_timeout: how long a room waits that nobody
 * entered, in seconds
 */
int64
vidtoken_policy_unused_room_timeout(int64 duration)
{
	/* Nor longer than an interval: two rows may be all of the calendar apart. */
	return Min(duration + vidtoken_unused_room_buffer,
			   PG_INT64_MAX / USECS_PER_SEC);
}

/*
 * vidtoken_policy_schedule: the times of an appointment
 *
 * Raises 22023 when they cannot be represented.
 */
void
vidtoken_policy_schedule(TimestampTz starts_at, int64 duration,
						 VidTokenSchedule *schedule)
{
	if (TIMESTAMP_NOT_FINITE(starts_at))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("start of the appointment must be finite"));

	vidtoken_policy_span(starts_at, add_seconds(starts_at, duration), schedule);
	schedule->duration = duration;
}

/*
 * vidtoken_policy_span: the times of what lasts from the first start to the
 * last end of several rows
 *
 * Raises 22023 when they cannot be represented.
 */
void
vidtoken_policy_span(TimestampTz starts_at, TimestampTz ends_at,
					 VidTokenSchedule *schedule)
{
	schedule->starts_at = starts_at;
	schedule->ends_at = ends_at;
	schedule->duration = seconds_until(starts_at, ends_at);
	schedule->opens_at = add_seconds(starts_at, -vidtoken_buffer_before);
	schedule->hard_stop = cut_to_second(add_seconds(schedule->ends_at,
													vidtoken_max_overrun));
	schedule->closes_at = Min(add_seconds(schedule->ends_at,
										  vidtoken_buffer_after),
							  schedule->hard_stop);
}

/*
 * vidtoken_policy_room: what the settings want of the room
 *
 * Who enters at the first moment may stay to the last without leaving once.
 */
void
vidtoken_policy_room(const VidTokenSchedule *schedule, VidTokenRoom *room)
{
	room->empty_timeout = vidtoken_empty_room_timeout;
	room->unused_timeout =
		vidtoken_policy_unused_room_timeout(schedule->duration);
	room->max_stay = seconds_until(schedule->opens_at, schedule->hard_stop);
}

/*
 * vidtoken_policy_judge: do the windows let this call pass?
 *
 * Entering is a session's first issue, staying everything after it.
 */
VidTokenReason
vidtoken_policy_judge(const VidTokenSchedule *schedule, bool entering,
					  TimestampTz now)
{
	if (now < schedule->opens_at)
		return VIDTOKEN_TOO_EARLY;
	if (now > (entering ? schedule->closes_at : schedule->hard_stop))
		return VIDTOKEN_ENDED;
	return VIDTOKEN_OK;
}

/*
 * vidtoken_policy_life: what bounds a token issued now
 *
 * The provider's maximum bounds exp - iat, and iat lies clock_skew back.
 */
void
vidtoken_policy_life(const VidTokenSchedule *schedule,
					 const VidTokenProvider *provider,
					 TimestampTz now, VidTokenLife *life)
{
	int			buffers = vidtoken_buffer_before + vidtoken_buffer_after;
	int64		seconds;
	int64		longest = vidtoken_max_ttl;

	life->issued_at = cut_to_second(now);

	if (vidtoken_expiry_anchor == VIDTOKEN_ANCHOR_APPOINTMENT)
		seconds = seconds_until(life->issued_at, schedule->ends_at) + buffers;
	else
		seconds = Max(schedule->duration + buffers,
					  seconds_until(life->issued_at, schedule->ends_at) +
					  vidtoken_buffer_after);
	life->wanted = add_seconds(life->issued_at, clamp_ttl(seconds));

	if (provider->max_lifetime > 0)
		longest = Min(longest, provider->max_lifetime - vidtoken_clock_skew);
	life->limit = Min(add_seconds(life->issued_at, longest),
					  schedule->hard_stop);
}

/*
 * vidtoken_policy_expiry: when a token expires
 *
 * "live_expires_at" is the expiry of the session's last token, which the new
 * one does not undercut; -infinity when there is none.  The ledger's UPDATE
 * computes the same with LEAST and GREATEST.
 */
TimestampTz
vidtoken_policy_expiry(const VidTokenLife *life, TimestampTz live_expires_at)
{
	return Min(Max(life->wanted, live_expires_at), life->limit);
}

/*
 * vidtoken_policy_long_enough: is the token worth issuing?
 */
bool
vidtoken_policy_long_enough(const VidTokenLife *life,
							const VidTokenProvider *provider,
							TimestampTz expires_at)
{
	return seconds_until(life->issued_at, expires_at) >=
		Max(provider->min_lifetime, VIDTOKEN_MIN_LIFETIME);
}

/*
 * vidtoken_policy_refresh_at: when to refresh; false when a refresh could
 * bring no later expiry, which is so at the hard stop
 *
 * The view vidtoken_sessions computes the same.
 */
bool
vidtoken_policy_refresh_at(const VidTokenSchedule *schedule,
						   TimestampTz issued_at, TimestampTz expires_at,
						   TimestampTz *refresh_at)
{
	if (expires_at >= schedule->hard_stop)
		return false;
	*refresh_at = expires_at -
		half_at_most(vidtoken_refresh_window, issued_at, expires_at);
	return true;
}

/*
 * vidtoken_policy_warn_at: when to warn the user
 */
TimestampTz
vidtoken_policy_warn_at(TimestampTz issued_at, TimestampTz expires_at)
{
	return expires_at -
		half_at_most(vidtoken_warn_window, issued_at, expires_at);
}

/*
 * add_seconds: raises 22023 when the result cannot be represented
 */
static TimestampTz
add_seconds(TimestampTz time, int64 seconds)
{
	TimestampTz result;

	if (pg_add_s64_overflow(time, seconds * USECS_PER_SEC, &result) ||
		!IS_VALID_TIMESTAMP(result))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("time of the appointment is out of range"));
	return result;
}

/*
 * cut_to_second: down, also before 2000, where timestamps are negative
 */
static TimestampTz
cut_to_second(TimestampTz time)
{
	int64		part = time % USECS_PER_SEC;

	if (part < 0)
		part += USECS_PER_SEC;
	return time - part;
}

/*
 * seconds_until: rounded up, the most there can be for more than that
 */
static int64
seconds_until(TimestampTz from, TimestampTz to)
{
	int64		usecs;

	if (pg_sub_s64_overflow(to, from, &usecs))
		usecs = to > from ? PG_INT64_MAX : PG_INT64_MIN;
	return usecs / USECS_PER_SEC + (usecs % USECS_PER_SEC > 0 ? 1 : 0);
}

static int64
clamp_ttl(int64 seconds)
{
	return Min(Max(seconds, vidtoken_min_ttl), vidtoken_max_ttl);
}

/*
 * half_at_most: a window, at most half of the life, in microseconds
 */
static int64
half_at_most(int window, TimestampTz issued_at, TimestampTz expires_at)
{
	int64		half = (expires_at - issued_at) / USECS_PER_SEC / 2;

	return Min(window, half) * USECS_PER_SEC;
}

static void
raise_bad_duration(const char *why)
{
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("invalid duration of an appointment"),
			errdetail("%s", why),
			errhint("Give a duration of days, hours and minutes, such as '45 minutes'."));
}
