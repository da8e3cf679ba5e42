/*-------------------------------------------------------------------------
 *
 * json_escape.h
 *	  escapes in JSON strings (RFC 8259, section 7)
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/json_escape.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_JSON_ESCAPE_H
#define VIDTOKEN_JSON_ESCAPE_H

extern int	vidtoken_json_escape_length(const char *escape, const char *end);
extern int	vidtoken_json_unescape(const char *source, int length,
								   char *target);
extern bool vidtoken_json_has_unsafe_escape(const char *text);

#endif							/* VIDTOKEN_JSON_ESCAPE_H */
