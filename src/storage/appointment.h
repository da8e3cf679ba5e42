/*-------------------------------------------------------------------------
 *
 * appointment.h
 *	  what the source says of an appointment
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/appointment.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_APPOINTMENT_H
#define VIDTOKEN_APPOINTMENT_H

#include "datatype/timestamp.h"

/* one row of the source: one participant of an appointment */
typedef struct VidTokenAppointment
{
	char	   *appointment_id; /* canonical, as the ledger keeps it */
	char	   *user_id;
	bool		id_is_number;	/* is the column of a numeric type? */
	TimestampTz starts_at;
	int64		duration;		/* seconds */
	char	   *identity;		/* NULL: to be made */
	char	   *display_name;	/* NULL: none */
	const char *role;			/* host, guest or observer */
	char	   *room_name;		/* NULL: to be made */
	char	   *metadata;		/* NULL: none */
	bool		cancelled;
} VidTokenAppointment;

/* an appointment as a whole, as far as the caller sees it */
typedef struct VidTokenOccasion
{
	char	   *appointment_id; /* canonical, also when nothing is visible */
	bool		id_is_number;	/* is the column of a numeric type? */
	bool		rooms_are_named;	/* has the source a column room_name? */
	bool		visible;
	/* of its rows together, when visible */
	TimestampTz starts_at;		/* the earliest */
	TimestampTz ends_at;		/* the latest */
	TimestampTz hard_stop;		/* the latest */
	int			max_participants;	/* the largest; 0: none says */
	bool		cancelled;		/* all of them are */
	const char *room_name;		/* that a row gives; NULL: none does */
	bool		rooms_disagree; /* on room_name */
} VidTokenOccasion;

extern void vidtoken_appointment_read(const char *appointment_id,
									  const char *user_id,
									  VidTokenAppointment *appointment);
extern void vidtoken_occasion_read(const char *appointment_id, bool read_only,
								   VidTokenOccasion *occasion);
extern void vidtoken_occasion_key(const char *appointment_id,
								  VidTokenOccasion *occasion);
extern bool vidtoken_occasion_glimpse(const char *appointment_id,
									  VidTokenOccasion *occasion);
extern const char *vidtoken_occasion_room_name(const VidTokenOccasion *occasion);
extern char *vidtoken_user_key(const char *user_id);

#endif							/* VIDTOKEN_APPOINTMENT_H */
