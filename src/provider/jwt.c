/*-------------------------------------------------------------------------
 *
 * jwt.c
 *	  a plain JSON Web Token (RFC 7519), for servers of one's own
 *
 * Any algorithm of the keyring will do.  The header says the kid, so that a
 * reader of vidtoken_jwks() finds the key.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/provider/jwt.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/jws.h"
#include "ground/json_writer.h"
#include "provider/provider.h"

static void write_header(StringInfo json, const VidTokenClaims *claims);
static void write_claims(StringInfo json, const VidTokenClaims *claims);

const VidTokenProvider vidtoken_provider_jwt = {
	.name = "jwt",
	.needs_account = true,
	.wants_audience = true,
	.write_header = write_header,
	.write_claims = write_claims,
};

static void
write_header(StringInfo json, const VidTokenClaims *claims)
{
	vidtoken_jws_begin_header(json, claims->algorithm);
	vidtoken_json_add_string(json, "kid", claims->key_id);
	vidtoken_json_end(json);
}

static void
write_claims(StringInfo json, const VidTokenClaims *claims)
{
	vidtoken_json_begin(json, NULL);
	vidtoken_json_add_string(json, "jti", claims->jti);
	vidtoken_json_add_string(json, "iss", claims->account);
	vidtoken_json_add_string(json, "sub", claims->identity);
	if (claims->audience[0] != '\0')
		vidtoken_json_add_string(json, "aud", claims->audience);
	vidtoken_provider_add_times(json, claims);
	vidtoken_json_add_string(json, "room", claims->room.name);
	vidtoken_json_add_string(json, "role", claims->role);
	vidtoken_json_end(json);
}
