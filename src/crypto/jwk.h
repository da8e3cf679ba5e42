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
#include "crypto/pkey.h"
#include "ground/json_reader.h"
#include "lib/stringinfo.h"

#define VIDTOKEN_MAX_KID_LENGTH		256

/* how the keys of a "kty" are written (RFC 7518, section 6; RFC 8037) */
typedef struct VidTokenKeyForm
{
	const char *kty;
	const char *crv;			/* NULL: the type has no curve */
	VidTokenPKeyKind kind;		/* of asymmetric keys */
	int			public_count;	/* 0: a secret */
	const char *numbers[VIDTOKEN_MAX_NUMBERS + 1];	/* the public ones first */
} VidTokenKeyForm;

/* a signature algorithm (RFC 7518, section 3; RFC 8037, section 3) */
typedef struct VidTokenAlgorithm
{
	const char *name;			/* value of "alg" */
	const VidTokenKeyForm *form;
	const char *digest;			/* of an HMAC: OpenSSL's name */
	int			min_key_length; /* of a secret, bytes; RFC 7518, section 3.2 */
	bool		webhooks_only;	/* no algorithm of tokens */
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
	VidTokenMac *mac;			/* of a secret */
	VidTokenPKey *pkey;			/* of an asymmetric key */
	bool		may_sign;		/* private, and allowed by key_ops */
	bool		may_verify;
	const char *weakness;		/* a sentence for vidtoken_check(), or NULL */
} VidTokenKey;

extern char *vidtoken_jwk_pem_file(const VidTokenJson *json,
								   VidTokenJsonNode node);
extern VidTokenKey *vidtoken_jwk_parse(const VidTokenJson *json,
									   VidTokenJsonNode node,
									   const char *pem, int pem_length,
									   const char **reason);
extern void vidtoken_jwk_write_public(StringInfo json,
									  const VidTokenKey *key);
extern bool vidtoken_key_is_secret(const VidTokenKey *key);
extern bool vidtoken_key_is_same(const VidTokenKey *a, const VidTokenKey *b);
extern const char *vidtoken_key_use_name(VidTokenKeyUse use);

#endif							/* VIDTOKEN_JWK_H */
