/*-------------------------------------------------------------------------
 *
 * bar.h
 *	  who may not enter any more
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/bar.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_BAR_H
#define VIDTOKEN_BAR_H

#include "storage/appointment.h"

/* Where whoever was barred may still be; NULL members are not known. */
typedef struct VidTokenBarred
{
	char	   *provider;
	char	   *room_name;
	char	   *user_identity;
} VidTokenBarred;

extern bool vidtoken_bar_participant(const VidTokenOccasion *occasion,
									 const char *user_id, TimestampTz now,
									 VidTokenBarred *barred);
extern bool vidtoken_unbar_participant(const char *appointment_id,
									   const char *user_id);
extern int	vidtoken_bar_appointment(const VidTokenOccasion *occasion,
									 TimestampTz now, VidTokenBarred *barred);
extern int	vidtoken_unbar_appointment(const char *appointment_id);

#endif							/* VIDTOKEN_BAR_H */
