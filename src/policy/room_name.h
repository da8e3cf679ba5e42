/*-------------------------------------------------------------------------
 *
 * room_name.h
 *	  names that vidtoken makes for rooms and participants
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/room_name.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_ROOM_NAME_H
#define VIDTOKEN_ROOM_NAME_H

extern char *vidtoken_room_name(const char *appointment_id, int generation);
extern char *vidtoken_default_identity(const char *user_id);
extern const char *vidtoken_room_format_problem(const char *format);

#endif							/* VIDTOKEN_ROOM_NAME_H */
