/*-------------------------------------------------------------------------
 *
 * json_writer.c
 *	  writes JSON straight into a buffer
 *
 * Strings come in the server's encoding and leave as UTF-8 (RFC 8259,
 * section 8.1).  A member's name is one of ours and needs no escape.  The
 * comma before a member follows from the character before it, so there is no
 * state besides the buffer.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/json_writer.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ground/json_writer.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

static void begin_member(StringInfo json, const char *name);
static void append_string(StringInfo json, const char *value);
static void append_escape(StringInfo json, unsigned char c);

/*
 * vidtoken_json_begin: open an object, as a member unless "name" is NULL
 */
void
vidtoken_json_begin(StringInfo json, const char *name)
{
	if (name != NULL)
		begin_member(json, name);
	appendStringInfoCharMacro(json, '{');
}

/*
 * vidtoken_json_end: close the object opened last
 */
void
vidtoken_json_end(StringInfo json)
{
	appendStringInfoCharMacro(json, '}');
}

/*
 * vidtoken_json_add_string: add a member with a string
 *
 * Raises 22021 when the value has no form in UTF-8.
 */
void
vidtoken_json_add_string(StringInfo json, const char *name, const char *value)
{
	begin_member(json, name);
	append_string(json, value);
}

/*
 * vidtoken_json_add_integer: add a member with a number
 */
void
vidtoken_json_add_integer(StringInfo json, const char *name, int64 value)
{
	char		digits[32];

	begin_member(json, name);
	pg_lltoa(value, digits);
	appendStringInfoString(json, digits);
}

/*
 * vidtoken_json_add_boolean: add a member with true or false
 */
void
vidtoken_json_add_boolean(StringInfo json, const char *name, bool value)
{
	begin_member(json, name);
	appendStringInfoString(json, value ? "true" : "false");
}

/*
 * vidtoken_json_add_time: add a member with a time, ISO 8601 in UTC whatever
 * the session's settings
 */
void
vidtoken_json_add_time(StringInfo json, const char *name, TimestampTz value)
{
	char		buffer[MAXDATELEN + 1];
	int			utc = 0;

	JsonEncodeDateTime(buffer, TimestampTzGetDatum(value), TIMESTAMPTZOID,
					   &utc);
	vidtoken_json_add_string(json, name, buffer);
}

/*
 * vidtoken_to_utf8: the same characters in UTF-8; sets the length in bytes
 *
 * Returns the string itself when it is UTF-8 already.  Raises 22021 in a
 * database whose encoding is SQL_ASCII when the bytes are something else.
 */
const char *
vidtoken_to_utf8(const char *string, int *length)
{
	int			server_length = strlen(string);
	char	   *utf8;

	if (GetDatabaseEncoding() == PG_UTF8)
	{
		*length = server_length;
		return string;
	}
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
	{
		if (!pg_verify_mbstr(PG_UTF8, string, server_length, true))
			ereport(ERROR,
					errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
					errmsg("text for a token is not valid UTF-8"));
		*length = server_length;
		return string;
	}

	utf8 = pg_server_to_any(string, server_length, PG_UTF8);
	*length = (utf8 == string) ? server_length : (int) strlen(utf8);
	return utf8;
}

/*
 * vidtoken_from_utf8: the same characters in the server's encoding, a copy
 *
 * Raises 22P05 when the database's encoding lacks one of them.
 */
char *
vidtoken_from_utf8(const char *string, int length)
{
	char	   *copy = pnstrdup(string, length);

	return pg_any_to_server(copy, length, PG_UTF8);
}

/*
 * vidtoken_json_from_utf8: a checked JSON text in the server's encoding
 *
 * Never fails: where the encoding may lack a character, what is not ASCII is
 * escaped.  Outside strings there is no such character.
 */
char *
vidtoken_json_from_utf8(const char *json, int length)
{
	const unsigned char *p = (const unsigned char *) json;
	const unsigned char *end = p + length;
	StringInfoData escaped;

	if (GetDatabaseEncoding() == PG_UTF8 ||
		GetDatabaseEncoding() == PG_SQL_ASCII)
		return pnstrdup(json, length);

	initStringInfo(&escaped);
	while (p < end)
	{
		pg_wchar	code = utf8_to_unicode(p);

		if (code < 0x80)
			appendStringInfoChar(&escaped, (char) code);
		else if (code < 0x10000)
			appendStringInfo(&escaped, "\\u%04x", code);
		else
			appendStringInfo(&escaped, "\\u%04x\\u%04x",
							 0xD800 + ((code - 0x10000) >> 10),
							 0xDC00 + ((code - 0x10000) & 0x3FF));
		p += pg_utf_mblen(p);
	}
	return escaped.data;
}

/*
 * begin_member: write the comma, where one is due, and the name
 */
static void
begin_member(StringInfo json, const char *name)
{
	if (json->data[json->len - 1] != '{')
		appendStringInfoCharMacro(json, ',');
	appendStringInfoCharMacro(json, '"');
	appendStringInfoString(json, name);
	appendBinaryStringInfo(json, "\":", 2);
}

/*
 * append_string: write a quoted string, in runs between what needs an escape
 */
static void
append_string(StringInfo json, const char *value)
{
	int			length;
	const char *utf8 = vidtoken_to_utf8(value, &length);
	const char *end = utf8 + length;
	const char *run = utf8;
	const char *p;

	appendStringInfoCharMacro(json, '"');
	for (p = utf8; p < end; p++)
	{
		unsigned char c = *p;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		appendBinaryStringInfo(json, run, p - run);
		append_escape(json, c);
		run = p + 1;
	}
	appendBinaryStringInfo(json, run, end - run);
	appendStringInfoCharMacro(json, '"');
}

/*
 * append_escape: RFC 8259, section 7
 */
static void
append_escape(StringInfo json, unsigned char c)
{
	if (c == '"' || c == '\\')
	{
		appendStringInfoCharMacro(json, '\\');
		appendStringInfoCharMacro(json, c);
	}
	else
		appendStringInfo(json, "\\u%04x", c);
}
