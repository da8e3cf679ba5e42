/*-------------------------------------------------------------------------
 *
 * jwk.c
 *	  keys of a JWK Set (RFC 7517)
 *
 * The algorithm is the key's property, here and for ever after: nothing that
 * a token says chooses it (RFC 8725, section 3.1).  Members that are not
 * known are ignored (RFC 7517, section 4).
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/jwk.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/jwk.h"
#include "crypto/jwk_load.h"
#include "ground/base64url.h"
#include "ground/json_writer.h"
#include "mb/pg_wchar.h"

static const VidTokenKeyForm form_oct = {
	.kty = "oct",
	.numbers = {"k"},
};
static const VidTokenKeyForm form_rsa = {
	.kty = "RSA",
	.kind = VIDTOKEN_PKEY_RSA,
	.public_count = 2,
	.numbers = {"n", "e", "d", "p", "q", "dp", "dq", "qi"},
};
static const VidTokenKeyForm form_p256 = {
	.kty = "EC",
	.crv = "P-256",
	.kind = VIDTOKEN_PKEY_P256,
	.public_count = 2,
	.numbers = {"x", "y", "d"},
};
static const VidTokenKeyForm form_ed25519 = {
	.kty = "OKP",
	.crv = "Ed25519",
	.kind = VIDTOKEN_PKEY_ED25519,
	.public_count = 1,
	.numbers = {"x", "d"},
};

/* HS1 is the Web Cryptography API's name for HMAC with SHA-1. */
static const VidTokenAlgorithm algorithms[] = {
	{"HS256", &form_oct, "SHA256", 32, false},
	{"HS384", &form_oct, "SHA384", 48, false},
	{"HS512", &form_oct, "SHA512", 64, false},
	{"HS1", &form_oct, "SHA1", 20, true},
	{"RS256", &form_rsa, NULL, 0, false},
	{"ES256", &form_p256, NULL, 0, false},
	{"EdDSA", &form_ed25519, NULL, 0, false},
};

/* Indexed by VidTokenKeyUse. */
static const char *const uses[] = {"token", "webhook", "turn", "name"};

static const char *parse_names(const VidTokenJson *json, VidTokenJsonNode node,
							   VidTokenKey *key);
static const char *parse_algorithm(const VidTokenJson *json,
								   VidTokenJsonNode node, bool has_pem,
								   VidTokenKey *key);
static const char *parse_permission(const VidTokenJson *json,
									VidTokenJsonNode node, VidTokenKey *key);
static bool is_ascii(const char *string);
static char *get_string(const VidTokenJson *json, VidTokenJsonNode node,
						const char *name);

/*
 * vidtoken_jwk_pem_file: path of the file that an entry has in place of its
 * numbers, as the bytes it has; NULL when it names none
 */
char *
vidtoken_jwk_pem_file(const VidTokenJson *json, VidTokenJsonNode node)
{
	VidTokenJsonNode member;

	if (vidtoken_json_type(json, node) != VIDTOKEN_JSON_OBJECT)
		return NULL;
	member = vidtoken_json_member(json, node, "pem_file");
	if (member == VIDTOKEN_JSON_NONE)
		return NULL;
	/* Nothing else makes a path: it is refused as one. */
	if (vidtoken_json_type(json, member) != VIDTOKEN_JSON_STRING)
		return pstrdup("");
	return vidtoken_json_string(json, member);
}

/*
 * vidtoken_jwk_parse: make a key from one element of "keys"
 *
 * "pem" is the content of its pem_file, or NULL when it has none.  Returns
 * NULL, with a reason that may name the kid and shows no byte of the key, when
 * it cannot be used.  The key lives in the current context.
 */
VidTokenKey *
vidtoken_jwk_parse(const VidTokenJson *json, VidTokenJsonNode node,
				   const char *pem, int pem_length, const char **reason)
{
	VidTokenKey *key = palloc0(sizeof(VidTokenKey));

	*reason = "an element of \"keys\" is not an object";
	if (vidtoken_json_type(json, node) != VIDTOKEN_JSON_OBJECT)
		return NULL;
	if ((*reason = parse_names(json, node, key)) != NULL)
		return NULL;
	if ((*reason = parse_algorithm(json, node, pem != NULL, key)) != NULL ||
		(*reason = vidtoken_jwk_load(json, node, pem, pem_length, key)) != NULL ||
		(*reason = parse_permission(json, node, key)) != NULL)
	{
		*reason = psprintf("key \"%s\": %s", key->kid, *reason);
		return NULL;
	}
	return key;
}

/*
 * vidtoken_jwk_write_public: a JWK without the private numbers
 *
 * Not to be called for a secret, which has no public part.
 */
void
vidtoken_jwk_write_public(StringInfo json, const VidTokenKey *key)
{
	const VidTokenKeyForm *form = key->algorithm->form;
	VidTokenOctets numbers[VIDTOKEN_MAX_PUBLIC_NUMBERS];
	int			count = vidtoken_pkey_public_numbers(key->pkey, numbers);
	int			i;

	vidtoken_json_begin(json, NULL);
	vidtoken_json_add_string(json, "kty", form->kty);
	vidtoken_json_add_string(json, "kid", key->kid);
	vidtoken_json_add_string(json, "alg", key->algorithm->name);
	vidtoken_json_add_string(json, "use", "sig");
	if (form->crv != NULL)
		vidtoken_json_add_string(json, "crv", form->crv);
	for (i = 0; i < count; i++)
	{
		Size		length =
		vidtoken_base64url_encoded_length(numbers[i].length);
		char	   *encoded = palloc0(length + 1);

		vidtoken_base64url_encode(numbers[i].data, numbers[i].length, encoded);
		vidtoken_json_add_string(json, form->numbers[i], encoded);
	}
	vidtoken_json_end(json);
}

/*
 * vidtoken_key_is_secret: has the key no public part?
 */
bool
vidtoken_key_is_secret(const VidTokenKey *key)
{
	return key->mac != NULL;
}

/*
 * vidtoken_key_is_same: do two keys verify the same signatures?
 */
bool
vidtoken_key_is_same(const VidTokenKey *a, const VidTokenKey *b)
{
	uint8		probe[VIDTOKEN_MAX_MAC_LENGTH];
	int			length;

	if (a->algorithm != b->algorithm)
		return false;
	if (!vidtoken_key_is_secret(a))
		return vidtoken_pkey_is_equal(a->pkey, b->pkey);

	/* The secrets are not kept; equal ones make equal HMACs. */
	length = vidtoken_mac_compute(a->mac, "vidtoken", 8, probe);
	return vidtoken_mac_verify(b->mac, "vidtoken", 8, probe, length);
}

/*
 * vidtoken_key_use_name: value of "vidtoken_use"
 */
const char *
vidtoken_key_use_name(VidTokenKeyUse use)
{
	return uses[use];
}

/*
 * parse_names: kid, vidtoken_use and provider
 *
 * Each helper returns NULL, or what is wrong.
 */
static const char *
parse_names(const VidTokenJson *json, VidTokenJsonNode node, VidTokenKey *key)
{
	VidTokenJsonNode use = vidtoken_json_member(json, node, "vidtoken_use");
	size_t		i;

	key->kid = get_string(json, node, "kid");
	if (key->kid == NULL || key->kid[0] == '\0' ||
		strlen(key->kid) > VIDTOKEN_MAX_KID_LENGTH)
		return psprintf("a key has no kid of 1 to %d bytes%s",
						VIDTOKEN_MAX_KID_LENGTH,
						GetDatabaseEncoding() == PG_UTF8 ? "" : " of ASCII");

	if (vidtoken_json_member(json, node, "provider") != VIDTOKEN_JSON_NONE &&
		(key->provider = get_string(json, node, "provider")) == NULL)
		return psprintf("key \"%s\": provider is not a string", key->kid);

	if (use == VIDTOKEN_JSON_NONE)
		return NULL;
	for (i = 0; i < lengthof(uses); i++)
	{
		if (vidtoken_json_equals(json, use, uses[i]))
		{
			key->use = (VidTokenKeyUse) i;
			return NULL;
		}
	}
	return psprintf("key \"%s\": vidtoken_use is none of token, webhook, turn and name",
					key->kid);
}

/*
 * parse_algorithm: alg, and the kty and crv that it takes; beside a PEM file,
 * which says them too, they may be left out
 */
static const char *
parse_algorithm(const VidTokenJson *json, VidTokenJsonNode node, bool has_pem,
				VidTokenKey *key)
{
	VidTokenJsonNode alg = vidtoken_json_member(json, node, "alg");
	VidTokenJsonNode kty = vidtoken_json_member(json, node, "kty");
	VidTokenJsonNode crv = vidtoken_json_member(json, node, "crv");
	const VidTokenKeyForm *form;
	size_t		i;

	for (i = 0; alg != VIDTOKEN_JSON_NONE && i < lengthof(algorithms); i++)
		if (vidtoken_json_equals(json, alg, algorithms[i].name))
			key->algorithm = &algorithms[i];
	if (key->algorithm == NULL)
		return "alg is none of those supported: HS256, HS384, HS512, RS256, ES256, EdDSA";

	if (key->algorithm->webhooks_only && key->use != VIDTOKEN_USE_WEBHOOK)
		return psprintf("alg %s is for vidtoken_use \"webhook\" alone",
						key->algorithm->name);

	form = key->algorithm->form;
	if (kty == VIDTOKEN_JSON_NONE ? !has_pem :
		!vidtoken_json_equals(json, kty, form->kty))
		return psprintf("kty must be \"%s\" for alg %s",
						form->kty, key->algorithm->name);
	if (form->crv != NULL &&
		(crv == VIDTOKEN_JSON_NONE ? !has_pem :
		 !vidtoken_json_equals(json, crv, form->crv)))
		return psprintf("crv must be \"%s\" for alg %s",
						form->crv, key->algorithm->name);
	if (form->public_count > 0 &&
		(key->use == VIDTOKEN_USE_NAME || key->use == VIDTOKEN_USE_TURN))
		return psprintf("vidtoken_use \"%s\" needs a secret, kty \"oct\"",
						uses[key->use]);
	return NULL;
}

/*
 * parse_permission: members "use" and "key_ops" (RFC 7517, sections 4.2 and
 * 4.3) narrow down what the key could do
 */
static const char *
parse_permission(const VidTokenJson *json, VidTokenJsonNode node,
				 VidTokenKey *key)
{
	VidTokenJsonNode use = vidtoken_json_member(json, node, "use");
	VidTokenJsonNode ops = vidtoken_json_member(json, node, "key_ops");
	VidTokenJsonNode op;
	bool		sign = false;
	bool		verify = false;

	key->may_verify = true;
	key->may_sign = key->pkey == NULL || vidtoken_pkey_is_private(key->pkey);
	if (use != VIDTOKEN_JSON_NONE && !vidtoken_json_equals(json, use, "sig"))
		return "use is not \"sig\"";
	if (ops == VIDTOKEN_JSON_NONE)
		return NULL;

	if (vidtoken_json_type(json, ops) != VIDTOKEN_JSON_ARRAY)
		return "key_ops is not an array";
	for (op = vidtoken_json_first(json, ops); op != VIDTOKEN_JSON_NONE;
		 op = vidtoken_json_next(json, op))
	{
		sign = sign || vidtoken_json_equals(json, op, "sign");
		verify = verify || vidtoken_json_equals(json, op, "verify");
	}
	key->may_sign = key->may_sign && sign;
	key->may_verify = verify;
	if (!key->may_sign && !key->may_verify)
		return "key_ops allows nothing that the key can do";
	if (!key->may_sign && key->use == VIDTOKEN_USE_NAME)
		return "key_ops does not hold \"sign\"";
	return NULL;
}

static bool
is_ascii(const char *string)
{
	for (; *string != '\0'; string++)
		if (IS_HIGHBIT_SET(*string))
			return false;
	return true;
}

/*
 * get_string: a string member in the server's encoding, or NULL
 *
 * Where that is not UTF-8 it has to be ASCII: a conversion that fails would
 * raise an error, and the keys in force would be of no use.
 */
static char *
get_string(const VidTokenJson *json, VidTokenJsonNode node, const char *name)
{
	char	   *utf8 = vidtoken_json_member_string(json, node, name);

	if (utf8 != NULL && GetDatabaseEncoding() != PG_UTF8 && !is_ascii(utf8))
		return NULL;
	return utf8;
}
