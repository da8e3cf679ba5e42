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
#include "ground/base64url.h"
#include "ground/json_writer.h"

static const VidTokenAlgorithm algorithms[] = {
	{"HS256", "oct", "SHA256", 32},
};

/* Indexed by VidTokenKeyUse. */
static const char *const uses[] = {"token", "webhook", "turn", "name"};

static const char *parse_names(const VidTokenJson *json, VidTokenJsonNode node,
							   VidTokenKey *key);
static const char *parse_algorithm(const VidTokenJson *json,
								   VidTokenJsonNode node, VidTokenKey *key);
static const char *check_permission(const VidTokenJson *json,
									VidTokenJsonNode node);
static const char *load_octets(const VidTokenJson *json, VidTokenJsonNode node,
							   VidTokenKey *key);
static char *get_string(const VidTokenJson *json, VidTokenJsonNode node,
						const char *name);

/*
 * vidtoken_jwk_parse: make a key from one element of "keys"
 *
 * Returns NULL, with a reason that may name the kid and shows no byte of the
 * key, when it cannot be used.  The key lives in the current context.
 */
VidTokenKey *
vidtoken_jwk_parse(const VidTokenJson *json, VidTokenJsonNode node,
				   const char **reason)
{
	VidTokenKey *key = palloc0(sizeof(VidTokenKey));

	*reason = "an element of \"keys\" is not an object";
	if (vidtoken_json_type(json, node) != VIDTOKEN_JSON_OBJECT)
		return NULL;
	if ((*reason = parse_names(json, node, key)) != NULL)
		return NULL;
	if ((*reason = parse_algorithm(json, node, key)) != NULL ||
		(*reason = check_permission(json, node)) != NULL ||
		(*reason = load_octets(json, node, key)) != NULL)
	{
		*reason = psprintf("key \"%s\": %s", key->kid, *reason);
		return NULL;
	}
	return key;
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
		return psprintf("a key has no kid of 1 to %d bytes",
						VIDTOKEN_MAX_KID_LENGTH);

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

static const char *
parse_algorithm(const VidTokenJson *json, VidTokenJsonNode node,
				VidTokenKey *key)
{
	VidTokenJsonNode alg = vidtoken_json_member(json, node, "alg");
	VidTokenJsonNode kty = vidtoken_json_member(json, node, "kty");
	size_t		i;

	for (i = 0; alg != VIDTOKEN_JSON_NONE && i < lengthof(algorithms); i++)
		if (vidtoken_json_equals(json, alg, algorithms[i].name))
			key->algorithm = &algorithms[i];

	if (key->algorithm == NULL)
		return "alg is none of those supported: HS256";
	if (kty == VIDTOKEN_JSON_NONE ||
		!vidtoken_json_equals(json, kty, key->algorithm->kty))
		return psprintf("kty must be \"%s\" for alg %s",
						key->algorithm->kty, key->algorithm->name);
	return NULL;
}

/*
 * check_permission: members "use" and "key_ops" (RFC 7517, sections 4.2 and
 * 4.3) must not forbid what the key is there for
 */
static const char *
check_permission(const VidTokenJson *json, VidTokenJsonNode node)
{
	VidTokenJsonNode use = vidtoken_json_member(json, node, "use");
	VidTokenJsonNode ops = vidtoken_json_member(json, node, "key_ops");
	VidTokenJsonNode op;

	if (use != VIDTOKEN_JSON_NONE && !vidtoken_json_equals(json, use, "sig"))
		return "use is not \"sig\"";
	if (ops == VIDTOKEN_JSON_NONE)
		return NULL;
	if (vidtoken_json_type(json, ops) == VIDTOKEN_JSON_ARRAY)
		for (op = vidtoken_json_first(json, ops); op != VIDTOKEN_JSON_NONE;
			 op = vidtoken_json_next(json, op))
			if (vidtoken_json_equals(json, op, "sign"))
				return NULL;
	return "key_ops does not hold \"sign\"";
}

/*
 * load_octets: member "k" of a symmetric key (RFC 7518, section 6.4)
 */
static const char *
load_octets(const VidTokenJson *json, VidTokenJsonNode node, VidTokenKey *key)
{
	VidTokenJsonNode k = vidtoken_json_member(json, node, "k");
	const char *encoded = NULL;
	uint8	   *octets;
	int			length;

	if (k != VIDTOKEN_JSON_NONE &&
		vidtoken_json_type(json, k) == VIDTOKEN_JSON_STRING)
		encoded = vidtoken_json_raw(json, k, &length);
	if (encoded == NULL)
		return "k is not a plain string";

	octets = vidtoken_secret_alloc(length + 1);
	length = vidtoken_base64url_decode(encoded, length, octets);
	if (length < 0)
		return "k is not base64url without padding";
	if (length < key->algorithm->min_key_length)
		return psprintf("%s needs a secret of at least %d bytes (livekit-server --dev has one of 6: set your own)",
						key->algorithm->name, key->algorithm->min_key_length);
	key->mac = vidtoken_mac_create(key->algorithm->digest, octets, length);
	explicit_bzero(octets, length);
	return NULL;
}

/*
 * get_string: a string member in the server's encoding, or NULL
 */
static char *
get_string(const VidTokenJson *json, VidTokenJsonNode node, const char *name)
{
	VidTokenJsonNode member = vidtoken_json_member(json, node, name);
	char	   *utf8;

	if (member == VIDTOKEN_JSON_NONE ||
		vidtoken_json_type(json, member) != VIDTOKEN_JSON_STRING)
		return NULL;
	utf8 = vidtoken_json_string(json, member);
	return vidtoken_from_utf8(utf8, strlen(utf8));
}
