/*-------------------------------------------------------------------------
 *
 * jws.c
 *	  compact serialization of a signed token (RFC 7515, section 7.1)
 *
 * A token is made in one buffer: header and claims are written as JSON where
 * they will stand and encoded in place, then the signature is appended.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/jws.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/jws.h"
#include "ground/base64url.h"

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
	uint8		signature[VIDTOKEN_MAX_MAC_LENGTH];
	int			length;
	Size		encoded;

	length = vidtoken_mac_compute(key->mac, token->data, token->len - 1,
								  signature);
	encoded = vidtoken_base64url_encoded_length(length);
	enlargeStringInfo(token, encoded);
	vidtoken_base64url_encode(signature, length, token->data + token->len);
	token->len += encoded;
	token->data[token->len] = '\0';
}
