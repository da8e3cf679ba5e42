/*-------------------------------------------------------------------------
 *
 * source.h
 *	  the relation that vidtoken.source names, and its columns
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/source.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_SOURCE_H
#define VIDTOKEN_SOURCE_H

#include "storage/key.h"

typedef enum VidTokenColumn
{
	VIDTOKEN_COLUMN_APPOINTMENT_ID,
	VIDTOKEN_COLUMN_USER_ID,
	VIDTOKEN_COLUMN_STARTS_AT,
	VIDTOKEN_COLUMN_DURATION,
	VIDTOKEN_COLUMN_IDENTITY,
	VIDTOKEN_COLUMN_DISPLAY_NAME,
	VIDTOKEN_COLUMN_ROLE,
	VIDTOKEN_COLUMN_ROOM_NAME,
	VIDTOKEN_COLUMN_METADATA,
	VIDTOKEN_COLUMN_CANCELLED,
	VIDTOKEN_COLUMN_MAX_PARTICIPANTS
} VidTokenColumn;

#define VIDTOKEN_COLUMNS (VIDTOKEN_COLUMN_MAX_PARTICIPANTS + 1)

typedef struct VidTokenSource
{
	Oid			relation;
	char	   *relation_name;	/* quoted and qualified, ready for a query */
	bool		has[VIDTOKEN_COLUMNS];
	bool		checks_metadata;	/* jsonb needs no check */
	VidTokenKeyType appointment_id;
	VidTokenKeyType user_id;
} VidTokenSource;

extern void vidtoken_source_resolve(VidTokenSource *source,
									MemoryContext context);
extern const char *vidtoken_source_column_name(VidTokenColumn column);

#endif							/* VIDTOKEN_SOURCE_H */
