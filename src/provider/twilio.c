/*-------------------------------------------------------------------------
 *
 * twilio.c
 *	  tokens of Twilio Video
 *
 * The secret is that of the API key, whose SID is the kid.  Twilio judges a
 * token at connect and reconnect; a longer life than 24 hours is refused
 * there (error 20104).
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/provider/twilio.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/jws.h"
#include "ground/json_writer.h"
#include "provider/provider.h"

static void write_header(StringInfo json, const VidTokenClaims *claims);
static void write_claims(StringInfo json, const VidTokenClaims *claims);
static char *make_jti(const VidTokenClaims *claims, const char *random);
static const char *check_credentials(const char *account, const char *key_id);

const VidTokenProvider vidtoken_provider_twilio = {
	.name = "twilio",
	.algorithm = "HS256",
	.needs_account = true,
	.max_lifetime = 24 * 60 * 60,
	.max_identity_length = 128,
	.max_room_name_length = 128,
	.write_header = write_header,
	.write_claims = write_claims,
	.make_jti = make_jti,
	.check_credentials = check_credentials,
};

static void
write_header(StringInfo json, const VidTokenClaims *claims)
{
	vidtoken_jws_begin_header(json, claims->algorithm);
	vidtoken_json_add_string(json, "cty", "twilio-fpa;v=1");
	vidtoken_json_end(json);
}

static void
write_claims(StringInfo json, const VidTokenClaims *claims)
{
	vidtoken_json_begin(json, NULL);
	vidtoken_json_add_string(json, "jti", claims->jti);
	vidtoken_json_add_string(json, "iss", claims->key_id);
	vidtoken_json_add_string(json, "sub", claims->account);
	vidtoken_provider_add_times(json, claims);
	vidtoken_json_begin(json, "grants");
	vidtoken_json_add_string(json, "identity", claims->identity);
	vidtoken_json_begin(json, "video");
	vidtoken_json_add_string(json, "room", claims->room_name);
	vidtoken_json_end(json);
	vidtoken_json_end(json);
	vidtoken_json_end(json);
}

/*
 * make_jti: Twilio's own is "<key SID>-<seconds>", the same for two tokens of
 * one second; the random part makes it unique
 */
static char *
make_jti(const VidTokenClaims *claims, const char *random)
{
	return psprintf("%s-" INT64_FORMAT "-%s",
					claims->key_id, claims->issued_at, random);
}

static const char *
check_credentials(const char *account, const char *key_id)
{
	if (strncmp(account, "AC", 2) != 0)
		return "The account of twilio is an account SID, which begins with AC.";
	if (strncmp(key_id, "SK", 2) != 0)
		return "The key id of twilio is an API key SID, which begins with SK.";
	return NULL;
}
