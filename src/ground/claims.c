/*-------------------------------------------------------------------------
 *
 * claims.c
 *	  registered claims of a token (RFC 7519, section 4.1)
 *
 * Numbers are read by PostgreSQL's numeric: no binary fraction rounds a time.
 * The JSON reader has bounded their digits and exponents.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/claims.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/claims.h"
#include "ground/verdict.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* 9999-12-31 23:59:59 UTC, in seconds since 1970 */
#define LAST_NUMERIC_DATE	INT64CONST(253402300799)

static const char *check_strings(const VidTokenJson *claims);
static bool is_audience(const VidTokenJson *claims, VidTokenJsonNode aud);
static const char *read_date(const VidTokenJson *claims, const char *name,
							 PGFunction rounding, TimestampTz *result);

/*
 * vidtoken_claims_check: are these claims, and from when until when are they
 * valid?
 *
 * Returns NULL, or a phrase saying what is wrong.  A claim that is missing is
 * not wrong.
 */
const char *
vidtoken_claims_check(const VidTokenJson *claims, VidTokenValidity *validity)
{
	TimestampTz issued_at;
	const char *reason;

	validity->not_before = DT_NOBEGIN;
	validity->expires_at = DT_NOEND;
	if (vidtoken_json_type(claims, VIDTOKEN_JSON_ROOT) != VIDTOKEN_JSON_OBJECT)
		return "it is not an object";
	if ((reason = check_strings(claims)) != NULL)
		return reason;
	if ((reason = read_date(claims, "exp", numeric_floor,
							&validity->expires_at)) != NULL)
		return reason;
	if ((reason = read_date(claims, "nbf", numeric_ceil,
							&validity->not_before)) != NULL)
		return reason;
	/* RFC 7519, section 4.1.6: it tells an age and forbids nothing. */
	return read_date(claims, "iat", numeric_floor, &issued_at);
}

/*
 * vidtoken_validity_judge: a verdict, by a clock that may be wrong by so many
 * microseconds
 */
const char *
vidtoken_validity_judge(const VidTokenValidity *validity, TimestampTz now,
						int64 leeway)
{
	if (!TIMESTAMP_IS_NOEND(validity->expires_at) &&
		now >= validity->expires_at + leeway)
		return VIDTOKEN_EXPIRED;
	if (!TIMESTAMP_IS_NOBEGIN(validity->not_before) &&
		now < validity->not_before - leeway)
		return VIDTOKEN_NOT_YET_VALID;
	return NULL;
}

static const char *
check_strings(const VidTokenJson *claims)
{
	static const char *const names[] = {"iss", "sub", "jti"};
	VidTokenJsonNode node;
	size_t		i;

	for (i = 0; i < lengthof(names); i++)
	{
		node = vidtoken_json_member(claims, VIDTOKEN_JSON_ROOT, names[i]);
		if (node != VIDTOKEN_JSON_NONE &&
			vidtoken_json_type(claims, node) != VIDTOKEN_JSON_STRING)
			return psprintf("%s is not a string", names[i]);
	}
	node = vidtoken_json_member(claims, VIDTOKEN_JSON_ROOT, "aud");
	if (node != VIDTOKEN_JSON_NONE && !is_audience(claims, node))
		return "aud is neither a string nor an array of strings";
	return NULL;
}

static bool
is_audience(const VidTokenJson *claims, VidTokenJsonNode aud)
{
	VidTokenJsonNode element;

	if (vidtoken_json_type(claims, aud) != VIDTOKEN_JSON_ARRAY)
		return vidtoken_json_type(claims, aud) == VIDTOKEN_JSON_STRING;
	for (element = vidtoken_json_first(claims, aud);
		 element != VIDTOKEN_JSON_NONE;
		 element = vidtoken_json_next(claims, element))
		if (vidtoken_json_type(claims, element) != VIDTOKEN_JSON_STRING)
			return false;
	return true;
}

/*
 * read_date: a NumericDate (RFC 7519, section 2), which may have a fraction;
 * the result stays as it is when there is none
 */
static const char *
read_date(const VidTokenJson *claims, const char *name, PGFunction rounding,
		  TimestampTz *result)
{
	VidTokenJsonNode node = vidtoken_json_member(claims, VIDTOKEN_JSON_ROOT,
												 name);
	Datum		zero = DirectFunctionCall1(int8_numeric, Int64GetDatum(0));
	Datum		last = DirectFunctionCall1(int8_numeric,
										   Int64GetDatum(LAST_NUMERIC_DATE));
	Datum		micro = DirectFunctionCall1(int8_numeric,
											Int64GetDatum(USECS_PER_SEC));
	Datum		seconds;
	Datum		whole;
	const char *digits;
	int			length;

	if (node == VIDTOKEN_JSON_NONE)
		return NULL;
	if (vidtoken_json_type(claims, node) != VIDTOKEN_JSON_NUMBER)
		return psprintf("%s is not a number", name);

	digits = vidtoken_json_raw(claims, node, &length);
	seconds = DirectFunctionCall3(numeric_in,
								  CStringGetDatum(pnstrdup(digits, length)),
								  ObjectIdGetDatum(InvalidOid),
								  Int32GetDatum(-1));
	if (DatumGetBool(DirectFunctionCall2(numeric_lt, seconds, zero)) ||
		DatumGetBool(DirectFunctionCall2(numeric_gt, seconds, last)))
		return psprintf("%s is not between 0 and " INT64_FORMAT,
						name, LAST_NUMERIC_DATE);

	whole = DirectFunctionCall1(rounding, DirectFunctionCall2(numeric_mul,
															  seconds, micro));
	*result = DatumGetInt64(DirectFunctionCall1(numeric_int8, whole)) +
		SetEpochTimestamp();
	return NULL;
}
