/*-------------------------------------------------------------------------
 *
 * jwk.h
 *	  keys of a JWK Set (RFC 7517)
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/jwk.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_JWK_H
#define VIDTOKEN_JWK_H

#include "crypto/crypto.h"
#include "ground/json_reader.h"

#define VIDTOKEN_MAX_KID_LENGTH		256

/* a signature algorithm (RFC 7518, section 3) */
typedef struct VidTokenAlgorithm
{
	const char *name;			/* value of "alg" */
	const char *kty;			/* value of "kty" that it takes */
	const char *digest;			/* OpenSSL's name */
	int			min_key_length; /* bytes; RFC 7518, section 3.2 */
} VidTokenAlgorithm;

/* what a key may be used for (member "vidtoken_use") */
typedef enum VidTokenKeyUse
{
	VIDTOKEN_USE_TOKEN,
	VIDTOKEN_USE_WEBHOOK,
	VIDTOKEN_USE_TURN,
	VIDTOKEN_USE_NAME
} VidTokenKeyUse;

typedef struct VidTokenKey
{
	char	   *kid;			/* server's encoding */
	char	   *provider;		/* NULL: every provider */
	VidTokenKeyUse use;
	const VidTokenAlgorithm *algorithm;
	VidTokenMac *mac;
} VidTokenKey;

extern VidTokenKey *vidtoken_jwk_parse(const VidTokenJson *json,
									   VidTokenJsonNode node,
									   const char **reason);
extern const char *vidtoken_key_use_name(VidTokenKeyUse use);

#endif							/* VIDTOKEN_JWK_H */
