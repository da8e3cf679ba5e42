/*-------------------------------------------------------------------------
 *
 * room.h
 *	  rooms that were reset, and the state of a room
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/room.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_ROOM_H
#define VIDTOKEN_ROOM_H

#include "storage/appointment.h"

extern int	vidtoken_room_reset(const VidTokenOccasion *occasion);
extern int	vidtoken_room_read(const char *appointment_id, bool *barred);
extern int	vidtoken_room_state(const char *appointment_id, bool *barred);

#endif							/* VIDTOKEN_ROOM_H */
