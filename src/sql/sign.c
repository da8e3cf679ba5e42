/*-------------------------------------------------------------------------
 *
 * sign.c
 *	  vidtoken_sign and vidtoken_jwks: tokens of a back end's own making
 *
 * The parsers of vidtoken_verify() judge the claims before they are signed.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/sign.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/jws.h"
#include "fmgr.h"
#include "ground/claims.h"
#include "ground/json_writer.h"
#include "policy/keyring.h"
#include "policy/settings.h"
#include "sql/argument.h"
#include "sql/result.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(vidtoken_sign);
PG_FUNCTION_INFO_V1(vidtoken_jwks);

static const char *check_claims(text * claims, int *length);
pg_noreturn static void refuse_claims(const char *reason);

/*
 * vidtoken_sign(claims, key_id): a token that says these claims, as they are
 * spelled
 */
Datum
vidtoken_sign(PG_FUNCTION_ARGS)
{
	const VidTokenKey *key;
	const char *claims;
	StringInfoData token;
	int			length;
	int			part;

	vidtoken_require_argument(fcinfo, 0, "claims");
	vidtoken_keyring_refresh();
	key = vidtoken_keyring_signing_key(NULL, PG_ARGISNULL(1) ? vidtoken_key_id :
									   text_to_cstring(PG_GETARG_TEXT_PP(1)));
	claims = check_claims(PG_GETARG_TEXT_PP(0), &length);

	initStringInfo(&token);
	vidtoken_jws_begin_header(&token, key->algorithm->name);
	vidtoken_json_add_string(&token, "kid", key->kid);
	vidtoken_json_end(&token);
	part = vidtoken_jws_end_part(&token, 0);
	appendBinaryStringInfo(&token, claims, length);
	vidtoken_jws_end_part(&token, part);
	vidtoken_jws_sign(&token, key);

	if (token.len > VIDTOKEN_MAX_TOKEN_LENGTH)
		refuse_claims("they make a token that is too long");
	PG_RETURN_TEXT_P(cstring_to_text_with_len(token.data, token.len));
}

/*
 * vidtoken_jwks(): a JWK Set (RFC 7517, section 5) of the public keys that
 * verify tokens
 */
Datum
vidtoken_jwks(PG_FUNCTION_ARGS)
{
	StringInfoData json;
	bool		is_first = true;
	int			i;

	(void) fcinfo;				/* it takes no argument */
	vidtoken_keyring_refresh();
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"keys\": [");
	for (i = 0; i < vidtoken_keyring_count(); i++)
	{
		const VidTokenKey *key = vidtoken_keyring_get(i);

		if (key->use != VIDTOKEN_USE_TOKEN || vidtoken_key_is_secret(key))
			continue;
		if (!is_first)
			appendStringInfoChar(&json, ',');
		is_first = false;
		vidtoken_jwk_write_public(&json, key);
	}
	appendStringInfoString(&json, "]}");
	return vidtoken_jsonb_result(&json);
}

/*
 * check_claims: their text in UTF-8
 *
 * Raises 22023 for what vidtoken_verify() would refuse, whatever the time.
 */
static const char *
check_claims(text * claims, int *length)
{
	VidTokenJson *json;
	VidTokenValidity validity;
	const char *utf8;
	const char *reason;

	/* Base64 makes it longer still. */
	if (VARSIZE_ANY_EXHDR(claims) > VIDTOKEN_MAX_TOKEN_LENGTH)
		refuse_claims("they make a token that is too long");

	utf8 = vidtoken_to_utf8(text_to_cstring(claims), length);
	json = vidtoken_json_parse(utf8, *length, &reason);
	if (json != NULL)
		reason = vidtoken_claims_check(json, &validity);
	if (reason != NULL)
		refuse_claims(reason);
	return utf8;
}

static void
refuse_claims(const char *reason)
{
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("claims cannot be signed"),
			errdetail("The JSON text is refused: %s.", reason),
			errhint("Claims are a JSON object without a member twice; exp, nbf and iat are numbers of seconds since 1970, and the token has at most %d bytes.",
					VIDTOKEN_MAX_TOKEN_LENGTH));
}
