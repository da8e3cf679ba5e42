/*-------------------------------------------------------------------------
 *
 * crypto.h
 *	  the cryptography that vidtoken takes from OpenSSL
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/crypto.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_CRYPTO_H
#define VIDTOKEN_CRYPTO_H

#include "compat.h"

#define VIDTOKEN_MAX_MAC_LENGTH		64
#define VIDTOKEN_SHA256_LENGTH		32

/* an HMAC with its key loaded */
typedef struct VidTokenMac VidTokenMac;

extern VidTokenMac *vidtoken_mac_create(const char *digest,
										const uint8 *key, Size length);
extern int	vidtoken_mac_compute(VidTokenMac *mac, const void *data,
								 Size length, uint8 *result);

extern bool vidtoken_mac_verify(VidTokenMac *mac, const void *data,
								Size length, const uint8 *signature,
								int signature_length);

extern void vidtoken_sha256(const void *data, Size length, uint8 *result);
extern bool vidtoken_is_same_text(const char *a, const char *b);

extern void *vidtoken_secret_alloc(Size size);
extern const char *vidtoken_crypto_version(void);
pg_noreturn extern void vidtoken_raise_openssl_error(const char *message);

#endif							/* VIDTOKEN_CRYPTO_H */
