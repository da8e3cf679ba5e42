/*-------------------------------------------------------------------------
 *
 * headers.c
 *	  the headers of an HTTP request
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/headers.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "sql/headers.h"

static bool is_name(const JsonbValue *key, const char *name);

/*
 * vidtoken_header_value: the value of a header, whose name is given in lower
 * case
 *
 * NULL when there is none, when it is not a string, or when it is there in two
 * spellings: nobody could say which of them counts.  Raises 22023 when the
 * headers are no object.
 */
char *
vidtoken_header_value(Jsonb *headers, const char *name)
{
	JsonbIterator *iterator = JsonbIteratorInit(&headers->root);
	JsonbIteratorToken token;
	JsonbValue	part;
	char	   *found = NULL;
	int			count = 0;

	if (JsonbIteratorNext(&iterator, &part, true) != WJB_BEGIN_OBJECT)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("headers must be a JSON object"));
	while ((token = JsonbIteratorNext(&iterator, &part, true)) == WJB_KEY)
	{
		bool		matches = is_name(&part, name);

		(void) JsonbIteratorNext(&iterator, &part, true);
		if (!matches)
			continue;
		count++;
		if (part.type == jbvString)
			found = pnstrdup(part.val.string.val, part.val.string.len);
	}
	return count == 1 ? found : NULL;
}

static bool
is_name(const JsonbValue *key, const char *name)
{
	return key->val.string.len == (int) strlen(name) &&
		pg_strncasecmp(key->val.string.val, name, key->val.string.len) == 0;
}
