/*-------------------------------------------------------------------------
 *
 * pkey_handle.h
 *	  what the files about asymmetric keys share
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/pkey_handle.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_PKEY_HANDLE_H
#define VIDTOKEN_PKEY_HANDLE_H

#include "crypto/openssl.h"
#include "crypto/pkey.h"

#define P256_LENGTH			32	/* bytes of a coordinate, of R and of S */
#define ED25519_LENGTH		32	/* bytes of a key; a signature has two */
#define VIDTOKEN_MAX_RSA_BITS	8192

#define VIDTOKEN_HALVES_DIFFER \
	"its public and private parts do not belong together"

struct VidTokenPKey
{
	MemoryContextCallback callback;
	VidTokenPKeyKind kind;
	EVP_PKEY   *pkey;
	EVP_MD_CTX *context;		/* started anew by each use */
	bool		is_private;
	int			signature_length;
};

extern const char *vidtoken_pkey_check(VidTokenPKey *key);
extern bool vidtoken_pkey_try_sign(VidTokenPKey *key, const void *data,
								   Size length, uint8 *signature);

#endif							/* VIDTOKEN_PKEY_HANDLE_H */
