/*-------------------------------------------------------------------------
 *
 * openssl.h
 *	  OpenSSL's headers, and what differs between 1.1.1 and 3.x
 *
 * The one file that includes OpenSSL's headers and asks for its version.
 * crypto.c and pkey.c call OpenSSL; nobody else does.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/openssl.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_OPENSSL_H
#define VIDTOKEN_OPENSSL_H

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include <openssl/core_names.h>
#include <openssl/param_build.h>

/*
 * HMAC: the context keeps the key.
 */
typedef EVP_MAC_CTX VidTokenMacContext;

static inline VidTokenMacContext *
vidtoken_openssl_mac_new(const char *digest, const uint8 *key, Size length)
{
	EVP_MAC    *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	VidTokenMacContext *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
	OSSL_PARAM	params[] = {
		OSSL_PARAM_utf8_string("digest", unconstify(char *, digest), 0),
		OSSL_PARAM_END
	};

	/* The context keeps its own reference. */
	EVP_MAC_free(mac);
	if (context != NULL && !EVP_MAC_init(context, key, length, params))
	{
		EVP_MAC_CTX_free(context);
		return NULL;
	}
	return context;
}

static inline bool
vidtoken_openssl_mac_restart(VidTokenMacContext *context)
{
	return EVP_MAC_init(context, NULL, 0, NULL);
}

static inline VidTokenMacContext *
vidtoken_openssl_mac_copy(VidTokenMacContext *context)
{
	return EVP_MAC_CTX_dup(context);
}

static inline bool
vidtoken_openssl_mac_finish(VidTokenMacContext *context, const void *data,
							Size length, uint8 *result, size_t *result_length,
							Size result_size)
{
	return EVP_MAC_update(context, data, length) &&
		EVP_MAC_final(context, result, result_length, result_size);
}

static inline void
vidtoken_openssl_mac_free(VidTokenMacContext *context)
{
	EVP_MAC_CTX_free(context);
}

#else							/* OpenSSL 1.1.1 */

typedef HMAC_CTX VidTokenMacContext;

static inline VidTokenMacContext *
vidtoken_openssl_mac_new(const char *digest, const uint8 *key, Size length)
{
	VidTokenMacContext *context = HMAC_CTX_new();

	if (context != NULL &&
		!HMAC_Init_ex(context, key, length, EVP_get_digestbyname(digest), NULL))
	{
		HMAC_CTX_free(context);
		return NULL;
	}
	return context;
}

/* Without a key, HMAC_Init_ex() starts again with the one it has. */
static inline bool
vidtoken_openssl_mac_restart(VidTokenMacContext *context)
{
	return HMAC_Init_ex(context, NULL, 0, NULL, NULL);
}

static inline VidTokenMacContext *
vidtoken_openssl_mac_copy(VidTokenMacContext *context)
{
	VidTokenMacContext *copy = HMAC_CTX_new();

	if (copy != NULL && !HMAC_CTX_copy(copy, context))
	{
		HMAC_CTX_free(copy);
		return NULL;
	}
	return copy;
}

static inline bool
vidtoken_openssl_mac_finish(VidTokenMacContext *context, const void *data,
							Size length, uint8 *result, size_t *result_length,
							Size result_size)
{
	unsigned int written = 0;
	bool		done = HMAC_Size(context) <= result_size &&
	HMAC_Update(context, data, length) &&
	HMAC_Final(context, result, &written);

	*result_length = written;
	return done;
}

static inline void
vidtoken_openssl_mac_free(VidTokenMacContext *context)
{
	HMAC_CTX_free(context);
}

#endif

#endif							/* VIDTOKEN_OPENSSL_H */
