/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  vidtoken_verify: is this token one of ours, and valid now?
 *
 * No token raises an error, whatever it is made of: our own parsers decide
 * before PostgreSQL's see anything.  No claim is believed before the signature
 * is.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/verify.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "crypto/jws.h"
#include "fmgr.h"
#include "ground/claims.h"
#include "ground/json_writer.h"
#include "ground/verdict.h"
#include "miscadmin.h"
#include "policy/keyring.h"
#include "policy/settings.h"
#include "sql/argument.h"
#include "sql/result.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(vidtoken_verify);
PG_FUNCTION_INFO_V1(vidtoken_verify_bytes);

/* Output arguments of vidtoken_verify, in their order */
typedef enum VerifyColumn
{
	VERIFY_VALID,
	VERIFY_REASON,
	VERIFY_HEADER,
	VERIFY_CLAIMS,
	VERIFY_KEY_ID,
	VERIFY_EXPIRES_AT
} VerifyColumn;

#define VERIFY_COLUMNS (VERIFY_EXPIRES_AT + 1)

/* The longest leeway; RFC 7519, section 4.1.4: "a few minutes" */
#define MAX_LEEWAY	(5 * USECS_PER_MINUTE)

static const char *check_signature(FunctionCallInfo fcinfo, VidTokenJws *jws,
								   const VidTokenKey **key);
static const char *find_key(const VidTokenJws *jws, const VidTokenKey **key);
static const char *find_named_key(const VidTokenJws *jws,
								  const VidTokenKey **key);
static int64 leeway_argument(FunctionCallInfo fcinfo);
static Datum json_datum(const VidTokenOctets *text);

/*
 * vidtoken_verify(token, leeway): one row; where the token is not valid, all
 * but the reason is NULL
 */
Datum
vidtoken_verify(PG_FUNCTION_ARGS)
{
	int64		leeway = leeway_argument(fcinfo);
	Datum		values[VERIFY_COLUMNS] = {0};
	bool		nulls[VERIFY_COLUMNS];
	const VidTokenKey *key;
	VidTokenJws jws;
	VidTokenJson *claims;
	VidTokenValidity validity;
	const char *unused;
	const char *verdict;

	verdict = check_signature(fcinfo, &jws, &key);
	if (verdict == NULL)
	{
		claims = vidtoken_json_parse((const char *) jws.payload.data,
									 jws.payload.length, &unused);
		if (claims == NULL || vidtoken_claims_check(claims, &validity) != NULL)
			verdict = VIDTOKEN_BAD_CLAIMS;
		else
			verdict = vidtoken_validity_judge(&validity, vidtoken_now(),
											  leeway);
	}

	memset(nulls, true, sizeof(nulls));
	nulls[VERIFY_VALID] = false;
	values[VERIFY_VALID] = BoolGetDatum(verdict == NULL);
	if (verdict != NULL)
	{
		nulls[VERIFY_REASON] = false;
		values[VERIFY_REASON] = CStringGetTextDatum(verdict);
		return vidtoken_row_result(fcinfo, VERIFY_COLUMNS, values, nulls);
	}
	nulls[VERIFY_HEADER] = nulls[VERIFY_CLAIMS] = nulls[VERIFY_KEY_ID] = false;
	values[VERIFY_HEADER] = json_datum(&jws.header_text);
	values[VERIFY_CLAIMS] = json_datum(&jws.payload);
	values[VERIFY_KEY_ID] = CStringGetTextDatum(key->kid);
	nulls[VERIFY_EXPIRES_AT] = TIMESTAMP_IS_NOEND(validity.expires_at);
	values[VERIFY_EXPIRES_AT] = TimestampTzGetDatum(validity.expires_at);
	return vidtoken_row_result(fcinfo, VERIFY_COLUMNS, values, nulls);
}

/*
 * vidtoken_verify_bytes(token): header and signature alone, over a payload of
 * any bytes; the verdict, or NULL for a good signature
 *
 * Not among the SQL objects of the extension: tests declare it, because
 * published vectors sign what is no claims.
 */
Datum
vidtoken_verify_bytes(PG_FUNCTION_ARGS)
{
	const VidTokenKey *key;
	VidTokenJws jws;
	const char *verdict = check_signature(fcinfo, &jws, &key);

	if (verdict == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(verdict));
}

/*
 * check_signature: NULL and the key that signed it, or a verdict
 *
 * The size is judged before anything of the token is decompressed.
 */
static const char *
check_signature(FunctionCallInfo fcinfo, VidTokenJws *jws,
				const VidTokenKey **key)
{
	text	   *token;
	const char *verdict;

	vidtoken_keyring_refresh();
	if (PG_ARGISNULL(0))
		return VIDTOKEN_MALFORMED;
	if (toast_raw_datum_size(PG_GETARG_DATUM(0)) >
		VIDTOKEN_MAX_TOKEN_LENGTH + VARHDRSZ)
		return VIDTOKEN_TOO_LONG;

	token = PG_GETARG_TEXT_PP(0);
	verdict = vidtoken_jws_parse(VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token),
								 jws);
	return verdict ? verdict : find_key(jws, key);
}

/*
 * find_key: a header with a kid stands or falls with that key; without one,
 * as several providers have it, every key of its algorithm is tried
 */
static const char *
find_key(const VidTokenJws *jws, const VidTokenKey **key)
{
	const char *verdict = VIDTOKEN_WRONG_ALGORITHM;
	int			i;

	if (jws->kid != VIDTOKEN_JSON_NONE)
		return find_named_key(jws, key);

	for (i = 0; i < vidtoken_keyring_count(); i++)
	{
		CHECK_FOR_INTERRUPTS();
		*key = vidtoken_keyring_get(i);
		if ((*key)->use != VIDTOKEN_USE_TOKEN || !(*key)->may_verify ||
			!vidtoken_jws_has_algorithm(jws, *key))
			continue;
		if (vidtoken_jws_verify(jws, *key))
			return NULL;
		verdict = VIDTOKEN_BAD_SIGNATURE;
	}
	return verdict;
}

static const char *
find_named_key(const VidTokenJws *jws, const VidTokenKey **key)
{
	int			i;

	for (i = 0; i < vidtoken_keyring_count(); i++)
	{
		*key = vidtoken_keyring_get(i);
		if ((*key)->use != VIDTOKEN_USE_TOKEN || !(*key)->may_verify ||
			!vidtoken_jws_names_key(jws, *key))
			continue;
		if (!vidtoken_jws_has_algorithm(jws, *key))
			return VIDTOKEN_WRONG_ALGORITHM;
		return vidtoken_jws_verify(jws, *key) ? NULL : VIDTOKEN_BAD_SIGNATURE;
	}
	return VIDTOKEN_UNKNOWN_KEY;
}

/*
 * leeway_argument: microseconds
 */
static int64
leeway_argument(FunctionCallInfo fcinfo)
{
	Interval   *leeway;

	vidtoken_require_argument(fcinfo, 1, "leeway");
	leeway = PG_GETARG_INTERVAL_P(1);
	if (leeway->month != 0 || leeway->day != 0 ||
		leeway->time < 0 || leeway->time > MAX_LEEWAY)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("leeway must be between 0 and 5 minutes"),
				errhint("It is there for clocks that differ, not to make tokens live longer."));
	return leeway->time;
}

static Datum
json_datum(const VidTokenOctets *text)
{
	return CStringGetTextDatum(vidtoken_json_from_utf8((const char *) text->data,
													   text->length));
}
