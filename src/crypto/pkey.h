/*-------------------------------------------------------------------------
 *
 * pkey.h
 *	  asymmetric keys: RSA, P-256 and Ed25519
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/pkey.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_PKEY_H
#define VIDTOKEN_PKEY_H

#include "ground/octets.h"

/* RSA of 8192 bits */
#define VIDTOKEN_MAX_SIGNATURE_LENGTH	1024

typedef enum VidTokenPKeyKind
{
	VIDTOKEN_PKEY_RSA,
	VIDTOKEN_PKEY_P256,
	VIDTOKEN_PKEY_ED25519
} VidTokenPKeyKind;

/*
 * The numbers of a key in the order of JWK (RFC 7518, section 6; RFC 8037,
 * section 2), the public ones first: n e d p q dp dq qi, x y d, x d.
 */
#define VIDTOKEN_MAX_NUMBERS			8
#define VIDTOKEN_MAX_PUBLIC_NUMBERS		2

/* a key that signs, or one that only verifies */
typedef struct VidTokenPKey VidTokenPKey;

extern VidTokenPKey *vidtoken_pkey_create(VidTokenPKeyKind kind,
										  const VidTokenOctets *numbers,
										  int count, const char **reason);
extern VidTokenPKey *vidtoken_pkey_read_pem(VidTokenPKeyKind kind,
											const char *pem, int length,
											const char **reason);
extern bool vidtoken_pkey_is_private(const VidTokenPKey *key);
extern bool vidtoken_pkey_is_equal(const VidTokenPKey *a,
								   const VidTokenPKey *b);
extern int	vidtoken_pkey_public_numbers(const VidTokenPKey *key,
										 VidTokenOctets *numbers);
extern int	vidtoken_pkey_sign(VidTokenPKey *key, const void *data,
							   Size length, uint8 *signature);
extern bool vidtoken_pkey_verify(VidTokenPKey *key, const void *data,
								 Size length, const uint8 *signature,
								 int signature_length);

#endif							/* VIDTOKEN_PKEY_H */
