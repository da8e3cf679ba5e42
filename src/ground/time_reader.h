/*-------------------------------------------------------------------------
 *
 * time_reader.h
 *	  times in text, read without raising an error
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/time_reader.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_TIME_READER_H
#define VIDTOKEN_TIME_READER_H

#include "datatype/timestamp.h"

extern bool vidtoken_time_read(const char *text, TimestampTz *time);
extern bool vidtoken_time_read_internet(const char *text, TimestampTz *time);

#endif							/* VIDTOKEN_TIME_READER_H */
