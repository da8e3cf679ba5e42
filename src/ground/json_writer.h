/*-------------------------------------------------------------------------
 *
 * json_writer.h
 *	  writes JSON straight into a buffer
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/json_writer.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_JSON_WRITER_H
#define VIDTOKEN_JSON_WRITER_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

extern void vidtoken_json_begin(StringInfo json, const char *name);
extern void vidtoken_json_end(StringInfo json);
extern void vidtoken_json_add_string(StringInfo json, const char *name,
									 const char *value);
extern void vidtoken_json_add_integer(StringInfo json, const char *name,
									  int64 value);
extern void vidtoken_json_add_boolean(StringInfo json, const char *name,
									  bool value);
extern void vidtoken_json_add_time(StringInfo json, const char *name,
								   TimestampTz value);

extern const char *vidtoken_to_utf8(const char *string, int *length);
extern char *vidtoken_from_utf8(const char *string, int length);
extern char *vidtoken_json_from_utf8(const char *json, int length);

#endif							/* VIDTOKEN_JSON_WRITER_H */
