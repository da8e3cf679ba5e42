/*-------------------------------------------------------------------------
 *
 * key_usage.h
 *	  which keys the tokens of the ledger need
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/key_usage.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_KEY_USAGE_H
#define VIDTOKEN_KEY_USAGE_H

#include "datatype/timestamp.h"

typedef struct VidTokenKeyUsage
{
	bool		was_used;		/* the ledger knows a token signed with it */
	int64		sessions;		/* with a token of it that has not expired */
	TimestampTz needed_until;	/* when there are such sessions */
} VidTokenKeyUsage;

extern void vidtoken_key_usage_read(const char *key_id, TimestampTz now,
									VidTokenKeyUsage *usage);

#endif							/* VIDTOKEN_KEY_USAGE_H */
