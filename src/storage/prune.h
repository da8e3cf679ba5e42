/*-------------------------------------------------------------------------
 *
 * prune.h
 *	  forgets what is long over
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/prune.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_PRUNE_H
#define VIDTOKEN_PRUNE_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

extern uint64 vidtoken_prune_sessions(TimestampTz cutoff);
extern List *vidtoken_prune_candidates(TimestampTz cutoff);
extern uint64 vidtoken_prune_appointment(const char *appointment_id,
										 TimestampTz cutoff, bool seen);
extern uint64 vidtoken_prune_rooms(void);
extern uint64 vidtoken_prune_calls(TimestampTz cutoff);

#endif							/* VIDTOKEN_PRUNE_H */
