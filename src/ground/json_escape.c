/*-------------------------------------------------------------------------
 *
 * json_escape.c
 *	  escapes in JSON strings (RFC 8259, section 7)
 *
 * U+0000 and lone surrogates are no characters: PostgreSQL's text cannot hold
 * the one, UTF-8 not the others.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/json_escape.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/json_escape.h"
#include "mb/pg_wchar.h"

static int	hex4(const char *p, const char *end);

/*
 * vidtoken_json_escape_length: characters of the escape that begins with this
 * backslash, both halves of a surrogate pair together; -1 when it is not
 * allowed
 */
int
vidtoken_json_escape_length(const char *escape, const char *end)
{
	int			code;

	if (end - escape < 2)
		return -1;
	if (escape[1] != 'u')
		return strchr("\"\\/bfnrt", escape[1]) != NULL ? 2 : -1;

	code = hex4(escape + 2, end);
	if (code <= 0 || (code >= 0xDC00 && code <= 0xDFFF))
		return -1;
	if (code < 0xD800 || code > 0xDBFF)
		return 6;

	escape += 6;
	if (end - escape < 6 || escape[0] != '\\' || escape[1] != 'u')
		return -1;
	code = hex4(escape + 2, end);
	return code >= 0xDC00 && code <= 0xDFFF ? 12 : -1;
}

/*
 * vidtoken_json_unescape: write the characters of a string whose escapes have
 * been checked; returns their bytes, which are never more than the source's
 */
int
vidtoken_json_unescape(const char *source, int length, char *target)
{
	const char *end = source + length;
	char	   *start = target;

	while (source < end)
	{
		const char *simple;
		pg_wchar	code;

		if (*source != '\\')
		{
			*target++ = *source++;
			continue;
		}
		if (source[1] != 'u')
		{
			simple = strchr("\"\"\\\\//b\bf\fn\nr\rt\t", source[1]);
			*target++ = simple[1];
			source += 2;
			continue;
		}
		code = hex4(source + 2, end);
		source += 6;
		if (code >= 0xD800 && code <= 0xDBFF)
		{
			code = 0x10000 + ((code - 0xD800) << 10) +
				(hex4(source + 2, end) - 0xDC00);
			source += 6;
		}
		unicode_to_utf8(code, (unsigned char *) target);
		target += pg_utf_mblen((unsigned char *) target);
	}
	return target - start;
}

/*
 * vidtoken_json_has_unsafe_escape: would a reader of this text, if it takes
 * it for JSON, meet U+0000 or a lone surrogate?
 */
bool
vidtoken_json_has_unsafe_escape(const char *text)
{
	const char *end = text + strlen(text);
	const char *p = text;

	while ((p = strchr(p, '\\')) != NULL && end - p >= 2)
	{
		if (p[1] != 'u' || hex4(p + 2, end) < 0)
			p += 2;
		else if (vidtoken_json_escape_length(p, end) < 0)
			return true;
		else
			p += vidtoken_json_escape_length(p, end);
	}
	return false;
}

/*
 * hex4: value of four hexadecimal digits, or -1
 */
static int
hex4(const char *p, const char *end)
{
	int			value = 0;
	int			i;

	if (end - p < 4)
		return -1;
	for (i = 0; i < 4; i++)
	{
		char		c = p[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value << 4 | (c - 'A' + 10);
		else
			return -1;
	}
	return value;
}
