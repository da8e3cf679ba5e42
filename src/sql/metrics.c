/*-------------------------------------------------------------------------
 *
 * metrics.c
 *	  what a report of quality may say besides its number
 *
 * A number of a few bytes can take a hundred thousand characters to write
 * (1e131071), and whoever reads the status would have to pay for it.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/metrics.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "compat.h"
#include "sql/metrics.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#define MAX_METRICS 32
#define MAX_TEXT_LENGTH 64		/* bytes of a name or a string */
#define MAX_NUMBER 1e15
#define MAX_DECIMALS 15

pg_noreturn static void refuse(const char *detail);
static bool is_short(Numeric number);

/*
 * vidtoken_metrics_check: raise 22023 for what is more than a flat object of a
 * few numbers and words
 */
void
vidtoken_metrics_check(Jsonb *metrics)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	part;

	if (!JB_ROOT_IS_OBJECT(metrics))
		refuse("They must be a JSON object.");
	if (JB_ROOT_COUNT(metrics) > MAX_METRICS)
		refuse("They may have 32 members.");

	iterator = JsonbIteratorInit(&metrics->root);
	while ((token = JsonbIteratorNext(&iterator, &part, true)) != WJB_DONE)
	{
		if (token != WJB_KEY && token != WJB_VALUE)
			continue;
		if (part.type == jbvBinary)
			refuse("Their members must be numbers, strings, booleans or null.");
		if (part.type == jbvString && part.val.string.len > MAX_TEXT_LENGTH)
			refuse("A name or a string in them may have 64 bytes.");
		if (part.type == jbvNumeric && !is_short(part.val.numeric))
			refuse("A number in them may have 15 digits before and after the point.");
	}
}

static void
refuse(const char *detail)
{
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("metrics are not acceptable"),
			errdetail("%s", detail));
}

/*
 * is_short: judged without writing the number out
 */
static bool
is_short(Numeric number)
{
	Datum		value = NumericGetDatum(number);
	double		size = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
														  value));

	return fabs(size) < MAX_NUMBER &&
		DatumGetInt32(DirectFunctionCall1(numeric_scale, value)) <= MAX_DECIMALS;
}
