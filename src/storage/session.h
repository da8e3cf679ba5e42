/*-------------------------------------------------------------------------
 *
 * session.h
 *	  one participant in one appointment, in the ledger
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/session.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_SESSION_H
#define VIDTOKEN_SESSION_H

#include "policy/policy.h"
#include "storage/appointment.h"

/* what a call is about to issue */
typedef struct VidTokenSessionEntry
{
	const VidTokenAppointment *appointment;
	const VidTokenSchedule *schedule;
	const VidTokenLife *life;
	const char *provider;
	const char *key_id;
	const char *jti;
	bool		refresh;		/* counted as refresh, or as issue */
} VidTokenSessionEntry;

/* a session as the ledger has it */
typedef struct VidTokenSession
{
	char	   *user_identity;
	char	   *room_name;
	int			generation;		/* of room_name; -1: not made by us */
	TimestampTz expires_at;		/* -infinity: no token yet */
	bool		revoked;		/* by name, or with the whole appointment */
	int			room_generation;	/* the room's current one */
} VidTokenSession;

extern bool vidtoken_session_renew(const VidTokenSessionEntry *entry,
								   VidTokenSession *session);
extern void vidtoken_session_create(const VidTokenSessionEntry *entry,
									const char *user_identity,
									const char *room_name,
									VidTokenSession *session);
extern void vidtoken_session_move(const VidTokenAppointment *appointment,
								  VidTokenSession *session);
extern bool vidtoken_session_read(const VidTokenAppointment *appointment,
								  VidTokenSession *session);

#endif							/* VIDTOKEN_SESSION_H */
