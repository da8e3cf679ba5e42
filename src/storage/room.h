/*-------------------------------------------------------------------------
 *
 * room.h
 *	  resets and bars of whole appointments, in the ledger
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/room.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_ROOM_H
#define VIDTOKEN_ROOM_H

#include "storage/appointment.h"

extern int	vidtoken_room_bar(const VidTokenOccasion *occasion,
							  TimestampTz now);
extern int	vidtoken_room_unbar(const VidTokenOccasion *occasion);
extern int	vidtoken_room_reset(const VidTokenOccasion *occasion);
extern List *vidtoken_room_held(TimestampTz cutoff);
extern uint64 vidtoken_room_forget(const char *appointment_id,
								   TimestampTz cutoff);
extern uint64 vidtoken_room_prune(void);
extern int	vidtoken_room_state(const char *appointment_id, bool *barred);

#endif							/* VIDTOKEN_ROOM_H */
