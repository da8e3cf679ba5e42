/*-------------------------------------------------------------------------
 *
 * policy.h
 *	  when a token may be issued, and how long it lives
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/policy.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_POLICY_H
#define VIDTOKEN_POLICY_H

#include "datatype/timestamp.h"
#include "policy/refusal.h"
#include "provider/provider.h"

/* A token with less left than this is of no use to anyone; seconds. */
#define VIDTOKEN_MIN_LIFETIME	60

/* the times of one appointment under the settings in force */
typedef struct VidTokenSchedule
{
	TimestampTz starts_at;
	TimestampTz ends_at;
	TimestampTz opens_at;		/* entering and staying begin */
	TimestampTz closes_at;		/* entering ends */
	TimestampTz hard_stop;		/* staying ends, whole second */
	int64		duration;		/* seconds, rounded up */
} VidTokenSchedule;

/* the bounds of one token, before the session's live token is known */
typedef struct VidTokenLife
{
	TimestampTz issued_at;		/* clock cut to the second */
	TimestampTz wanted;			/* expiry by vidtoken.expiry_anchor */
	TimestampTz limit;			/* no token of this call expires later */
} VidTokenLife;

extern int64 vidtoken_policy_duration(const Interval *duration);
extern int64 vidtoken_policy_ttl(int64 duration);
extern void vidtoken_policy_schedule(TimestampTz starts_at, int64 duration,
									 VidTokenSchedule *schedule);
extern void vidtoken_policy_span(TimestampTz starts_at, TimestampTz ends_at,
								 VidTokenSchedule *schedule);
extern void vidtoken_policy_room(const VidTokenSchedule *schedule,
								 VidTokenRoom *room);
extern VidTokenReason vidtoken_policy_judge(const VidTokenSchedule *schedule,
											bool entering, TimestampTz now);
extern void vidtoken_policy_life(const VidTokenSchedule *schedule,
								 const VidTokenProvider *provider,
								 TimestampTz now, VidTokenLife *life);
extern TimestampTz vidtoken_policy_expiry(const VidTokenLife *life,
										  TimestampTz live_expires_at);
extern int64 vidtoken_policy_unused_room_timeout(int64 duration);
extern bool vidtoken_policy_long_enough(const VidTokenLife *life,
										const VidTokenProvider *provider,
										TimestampTz expires_at);
extern bool vidtoken_policy_refresh_at(const VidTokenSchedule *schedule,
									   TimestampTz issued_at,
									   TimestampTz expires_at,
									   TimestampTz *refresh_at);
extern TimestampTz vidtoken_policy_warn_at(TimestampTz issued_at,
										   TimestampTz expires_at);

#endif							/* VIDTOKEN_POLICY_H */
