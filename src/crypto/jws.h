/*-------------------------------------------------------------------------
 *
 * jws.h
 *	  compact serialization of a signed token (RFC 7515, section 7.1)
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/jws.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_JWS_H
#define VIDTOKEN_JWS_H

#include "crypto/jwk.h"
#include "lib/stringinfo.h"

/* A longer token is not looked at; bytes. */
#define VIDTOKEN_MAX_TOKEN_LENGTH	65536

/* a token taken apart, of which nothing is believed yet */
typedef struct VidTokenJws
{
	const char *signing_input;
	int			signing_input_length;
	VidTokenOctets header_text; /* JSON */
	VidTokenOctets payload;		/* any bytes */
	VidTokenOctets signature;
	const VidTokenJson *header;
	VidTokenJsonNode alg;
	VidTokenJsonNode kid;		/* VIDTOKEN_JSON_NONE: it names no key */
} VidTokenJws;

extern void vidtoken_jws_begin_header(StringInfo token, const char *alg);
extern int	vidtoken_jws_end_part(StringInfo token, int start);
extern void vidtoken_jws_sign(StringInfo token, const VidTokenKey *key);

extern const char *vidtoken_jws_parse(const char *token, int length,
									  VidTokenJws *jws);
extern bool vidtoken_jws_names_key(const VidTokenJws *jws,
								   const VidTokenKey *key);
extern bool vidtoken_jws_has_algorithm(const VidTokenJws *jws,
									   const VidTokenKey *key);
extern bool vidtoken_jws_verify(const VidTokenJws *jws,
								const VidTokenKey *key);

#endif							/* VIDTOKEN_JWS_H */
