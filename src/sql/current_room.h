/*-------------------------------------------------------------------------
 *
 * current_room.h
 *	  the room that an appointment has now
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/current_room.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_CURRENT_ROOM_H
#define VIDTOKEN_CURRENT_ROOM_H

#include "storage/appointment.h"

extern const char *vidtoken_current_room(const VidTokenOccasion *occasion,
										 bool *barred);

#endif							/* VIDTOKEN_CURRENT_ROOM_H */
