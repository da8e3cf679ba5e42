/*-------------------------------------------------------------------------
 *
 * source_entry.h
 *	  the source's columns and plans, kept for the session
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/source_entry.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_SOURCE_ENTRY_H
#define VIDTOKEN_SOURCE_ENTRY_H

#include "storage/plan.h"
#include "storage/source.h"

/* Positions in the rows of both queries; 1 is the first. */
typedef enum VidTokenSourceResult
{
	VIDTOKEN_RESULT_APPOINTMENT_ID = 1,
	VIDTOKEN_RESULT_STARTS_AT,
	VIDTOKEN_RESULT_DURATION,
	VIDTOKEN_RESULT_ROOM_NAME,
	VIDTOKEN_RESULT_CANCELLED,
	/* in the occasion's query alone */
	VIDTOKEN_RESULT_MAX_PARTICIPANTS,
	/* in the participant's query alone */
	VIDTOKEN_RESULT_USER_ID = VIDTOKEN_RESULT_MAX_PARTICIPANTS,
	VIDTOKEN_RESULT_IDENTITY,
	VIDTOKEN_RESULT_DISPLAY_NAME,
	VIDTOKEN_RESULT_ROLE,
	VIDTOKEN_RESULT_METADATA,
	VIDTOKEN_RESULT_ROOMS_DISAGREE
} VidTokenSourceResult;

typedef struct VidTokenSourceEntry
{
	MemoryContext context;
	char	   *setting;		/* vidtoken.source that it was made from */
	VidTokenSource source;
	bool		has_metadata;	/* does "participant" read it? */
	VidTokenPlan participant;	/* one row: appointment and user */
	VidTokenPlan occasion;		/* all rows of an appointment */
	int			pins;			/* uses under way */
} VidTokenSourceEntry;

extern VidTokenSourceEntry *vidtoken_source_entry_pin(void);
extern void vidtoken_source_entry_unpin(VidTokenSourceEntry *entry);
extern bool vidtoken_source_shows_rows(void);

#endif							/* VIDTOKEN_SOURCE_ENTRY_H */
