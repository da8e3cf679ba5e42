/*-------------------------------------------------------------------------
 *
 * current_room.c
 *	  the room that an appointment has now
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/current_room.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "policy/keyring.h"
#include "policy/room_name.h"
#include "policy/settings.h"
#include "sql/current_room.h"
#include "storage/room.h"

/*
 * vidtoken_current_room: the name that tokens of now have in them, and whether
 * the whole appointment is barred
 *
 * The source's name, or that of the room's generation.  The ledger is read in
 * its latest committed state, as for a token; without a ledger no room was
 * ever reset.
 */
const char *
vidtoken_current_room(const VidTokenOccasion *occasion, bool *barred)
{
	const char *name;
	int			generation = 0;

	*barred = false;
	if (vidtoken_record_sessions != VIDTOKEN_RECORD_OFF)
		generation = vidtoken_room_read(occasion->appointment_id, barred);
	name = vidtoken_occasion_room_name(occasion);
	if (name != NULL)
		return name;
	vidtoken_keyring_refresh();
	return vidtoken_room_name(occasion->appointment_id, generation);
}
