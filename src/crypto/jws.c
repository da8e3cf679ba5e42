/*-------------------------------------------------------------------------
 *
 * jws.c
 *	  compact serialization of a signed token (RFC 7515, section 7.1)
 *
 * A token is made in one buffer: header and claims are written as JSON where
 * they will stand and encoded in place, then the signature is appended.
 *
 * A token that comes in is refused for whatever two readers could understand
 * differently: padding, white space, bits that no byte holds, members twice.
 * Its header never chooses a key's type or algorithm, and what it brings along
 * (jwk, jku, x5u, x5c) is not looked at.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/jws.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/jws.h"
#include "ground/base64url.h"
#include "ground/json_writer.h"
#include "ground/verdict.h"

static bool decode_part(const char *start, const char *end,
						VidTokenOctets *part);
static const char *parse_header(VidTokenJws *jws);

/*
 * vidtoken_jws_begin_header: open the JOSE header and write what every token
 * has; the caller adds to it and closes it
 */
void
vidtoken_jws_begin_header(StringInfo token, const char *alg)
{
	vidtoken_json_begin(token, NULL);
	vidtoken_json_add_string(token, "alg", alg);
	vidtoken_json_add_string(token, "typ", "JWT");
}

/*
 * vidtoken_jws_end_part: encode what was written since "start", in place, and
 * write the dot that follows; returns where the next part starts
 */
int
vidtoken_jws_end_part(StringInfo token, int start)
{
	Size		length = token->len - start;
	Size		encoded = vidtoken_base64url_encoded_length(length);
	uint8	   *source;

	enlargeStringInfo(token, encoded - length + 1);

	/* Moved to the end of its room, the text is read before it is written. */
	source = (uint8 *) token->data + start + (encoded - length);
	memmove(source, token->data + start, length);
	vidtoken_base64url_encode(source, length, token->data + start);

	token->len = start + encoded;
	appendStringInfoCharMacro(token, '.');
	return token->len;
}

/*
 * vidtoken_jws_sign: append the signature of the signing input, which is the
 * whole buffer but for the last dot
 */
void
vidtoken_jws_sign(StringInfo token, const VidTokenKey *key)
{
	uint8		signature[VIDTOKEN_MAX_SIGNATURE_LENGTH];
	int			input = token->len - 1;
	int			length = vidtoken_key_is_secret(key) ?
	vidtoken_mac_compute(key->mac, token->data, input, signature) :
	vidtoken_pkey_sign(key->pkey, token->data, input, signature);
	Size		encoded;

	encoded = vidtoken_base64url_encoded_length(length);
	enlargeStringInfo(token, encoded);
	vidtoken_base64url_encode(signature, length, token->data + token->len);
	token->len += encoded;
	token->data[token->len] = '\0';
}

/*
 * vidtoken_jws_parse: take a token apart
 *
 * Returns NULL or a verdict.  The parts live in the current context.
 */
const char *
vidtoken_jws_parse(const char *token, int length, VidTokenJws *jws)
{
	const char *end = token + length;
	const char *first;
	const char *second;

	memset(jws, 0, sizeof(*jws));
	if (length > VIDTOKEN_MAX_TOKEN_LENGTH)
		return VIDTOKEN_TOO_LONG;

	/* A third dot is in the signature then, and no character of base64url. */
	first = memchr(token, '.', length);
	second = first ? memchr(first + 1, '.', end - first - 1) : NULL;
	if (second == NULL ||
		!decode_part(token, first, &jws->header_text) ||
		!decode_part(first + 1, second, &jws->payload) ||
		!decode_part(second + 1, end, &jws->signature))
		return VIDTOKEN_MALFORMED;

	jws->signing_input = token;
	jws->signing_input_length = second - token;
	return parse_header(jws);
}

/*
 * vidtoken_jws_names_key: is this the key that the header asks for?
 */
bool
vidtoken_jws_names_key(const VidTokenJws *jws, const VidTokenKey *key)
{
	int			length;

	return vidtoken_json_equals(jws->header, jws->kid,
								vidtoken_to_utf8(key->kid, &length));
}

/*
 * vidtoken_jws_has_algorithm: is the header's alg that of the key?
 */
bool
vidtoken_jws_has_algorithm(const VidTokenJws *jws, const VidTokenKey *key)
{
	return vidtoken_json_equals(jws->header, jws->alg, key->algorithm->name);
}

/*
 * vidtoken_jws_verify: did this key sign it?
 */
bool
vidtoken_jws_verify(const VidTokenJws *jws, const VidTokenKey *key)
{
	if (!vidtoken_jws_has_algorithm(jws, key))
		return false;
	if (vidtoken_key_is_secret(key))
		return vidtoken_mac_verify(key->mac, jws->signing_input,
								   jws->signing_input_length,
								   jws->signature.data,
								   jws->signature.length);
	return vidtoken_pkey_verify(key->pkey, jws->signing_input,
								jws->signing_input_length,
								jws->signature.data, jws->signature.length);
}

static bool
decode_part(const char *start, const char *end, VidTokenOctets *part)
{
	uint8	   *data = palloc(end - start + 1);

	part->data = data;
	part->length = vidtoken_base64url_decode(start, end - start, data);
	return part->length >= 0;
}

/*
 * parse_header: RFC 7515, section 4
 *
 * No extension is understood here, so that every crit must be refused
 * (section 4.1.11).  b64 would change what is signed (RFC 7797), and zip
 * belongs to encryption: without crit they should be ignored, but another
 * reader might not.
 */
static const char *
parse_header(VidTokenJws *jws)
{
	static const char *const extensions[] = {"crit", "b64", "zip"};
	const char *reason;
	VidTokenJsonNode typ;
	size_t		i;

	jws->header = vidtoken_json_parse((const char *) jws->header_text.data,
									  jws->header_text.length, &reason);
	if (jws->header == NULL ||
		vidtoken_json_type(jws->header,
						   VIDTOKEN_JSON_ROOT) != VIDTOKEN_JSON_OBJECT)
		return VIDTOKEN_MALFORMED;

	for (i = 0; i < lengthof(extensions); i++)
		if (vidtoken_json_member(jws->header, VIDTOKEN_JSON_ROOT,
								 extensions[i]) != VIDTOKEN_JSON_NONE)
			return VIDTOKEN_UNSUPPORTED;

	typ = vidtoken_json_member(jws->header, VIDTOKEN_JSON_ROOT, "typ");
	jws->alg = vidtoken_json_member(jws->header, VIDTOKEN_JSON_ROOT, "alg");
	jws->kid = vidtoken_json_member(jws->header, VIDTOKEN_JSON_ROOT, "kid");
	if (jws->alg == VIDTOKEN_JSON_NONE ||
		vidtoken_json_type(jws->header, jws->alg) != VIDTOKEN_JSON_STRING)
		return VIDTOKEN_WRONG_ALGORITHM;
	if ((jws->kid != VIDTOKEN_JSON_NONE &&
		 vidtoken_json_type(jws->header, jws->kid) != VIDTOKEN_JSON_STRING) ||
		(typ != VIDTOKEN_JSON_NONE &&
		 vidtoken_json_type(jws->header, typ) != VIDTOKEN_JSON_STRING))
		return VIDTOKEN_MALFORMED;
	return NULL;
}
