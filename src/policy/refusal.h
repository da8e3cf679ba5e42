/*-------------------------------------------------------------------------
 *
 * refusal.h
 *	  the reasons for which a token is refused
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/refusal.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_REFUSAL_H
#define VIDTOKEN_REFUSAL_H

#include "compat.h"
#include "datatype/timestamp.h"

typedef enum VidTokenReason
{
	VIDTOKEN_OK,
	VIDTOKEN_NOT_FOUND,
	VIDTOKEN_NO_SESSION,
	VIDTOKEN_TOO_EARLY,
	VIDTOKEN_ENDED,
	VIDTOKEN_CANCELLED,
	VIDTOKEN_REVOKED,
	VIDTOKEN_NO_USER
} VidTokenReason;

struct VidTokenSchedule;

extern const char *vidtoken_reason_name(VidTokenReason reason);
pg_noreturn extern void vidtoken_refuse(VidTokenReason reason);
pg_noreturn extern void vidtoken_refuse_at(VidTokenReason reason,
										   const struct VidTokenSchedule *schedule,
										   TimestampTz now);

#endif							/* VIDTOKEN_REFUSAL_H */
