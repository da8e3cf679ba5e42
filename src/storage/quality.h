/*-------------------------------------------------------------------------
 *
 * quality.h
 *	  what clients report of their connections
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/quality.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_QUALITY_H
#define VIDTOKEN_QUALITY_H

#include "datatype/timestamp.h"
#include "utils/jsonb.h"

extern void vidtoken_quality_record(const char *provider,
									const char *room_name,
									const char *user_identity, int quality,
									Jsonb *metrics, TimestampTz now);

#endif							/* VIDTOKEN_QUALITY_H */
