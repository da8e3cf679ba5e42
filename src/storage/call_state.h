/*-------------------------------------------------------------------------
 *
 * call_state.h
 *	  the state of a call, from what was reported of it
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/call_state.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_CALL_STATE_H
#define VIDTOKEN_CALL_STATE_H

#include "datatype/timestamp.h"
#include "utils/jsonb.h"

/* which runs of a room are asked for */
typedef struct VidTokenCallQuery
{
	const char *provider;
	const char *room_name;
	TimestampTz from;			/* what was over before is not asked for */
	TimestampTz until;			/* nor what began later */
	TimestampTz silent_since;	/* is over when nothing is heard after it */
} VidTokenCallQuery;

/* of these the run that began last */
typedef struct VidTokenCallState
{
	bool		completed;
	TimestampTz started_at;		/* -infinity: not reported */
	TimestampTz ended_at;		/* likewise */
	TimestampTz reported_at;	/* time of the last event */
	int64		participant_count;
	int			quality;		/* the worst of those present; -1: unknown */
	Jsonb	   *participants;	/* an array */
} VidTokenCallState;

extern bool vidtoken_call_state_read(const VidTokenCallQuery *query,
									 TimestampTz now,
									 VidTokenCallState *state);

#endif							/* VIDTOKEN_CALL_STATE_H */
