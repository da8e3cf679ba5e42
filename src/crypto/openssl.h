/*-------------------------------------------------------------------------
 *
 * openssl.h
 *	  OpenSSL's headers, and what differs between 1.1.1 and 3.x
 *
 * The one file that includes OpenSSL's headers and asks for its version.
 * crypto.c and pkey*.c call OpenSSL; nobody else does.
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

/*
 * Makes a key of the numbers in a builder, which it frees.  NULL when they
 * make none.
 */
static inline EVP_PKEY *
vidtoken_openssl_build(const char *type, OSSL_PARAM_BLD *builder, bool filled,
					   bool is_private)
{
	OSSL_PARAM *params = filled ? OSSL_PARAM_BLD_to_param(builder) : NULL;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY   *pkey = NULL;

	if (params != NULL && context != NULL &&
		EVP_PKEY_fromdata_init(context) > 0 &&
		EVP_PKEY_fromdata(context, &pkey,
						  is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
						  params) <= 0)
		pkey = NULL;
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	return pkey;
}

/* The order of JWK: n e d p q dp dq qi */
static const char *const vidtoken_openssl_rsa_names[] = {
	OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_D,
	OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
	OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
	OSSL_PKEY_PARAM_RSA_COEFFICIENT1
};

/* A public key has two of the numbers. */
static inline EVP_PKEY *
vidtoken_openssl_rsa(BIGNUM *const *numbers, int count)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	bool		filled = builder != NULL;
	int			i;

	for (i = 0; filled && i < count; i++)
		filled = OSSL_PARAM_BLD_push_BN(builder, vidtoken_openssl_rsa_names[i],
										numbers[i]);
	return vidtoken_openssl_build("RSA", builder, filled, count > 2);
}

/* "point" is the public key, uncompressed; d is NULL for a public key. */
static inline EVP_PKEY *
vidtoken_openssl_p256(const uint8 *point, Size length, const BIGNUM *d)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	bool		filled = builder != NULL &&
	OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME,
									SN_X9_62_prime256v1, 0) &&
	OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY,
									 point, length) &&
	(d == NULL ||
	 OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, d));

	return vidtoken_openssl_build("EC", builder, filled, d != NULL);
}

static inline bool
vidtoken_openssl_is_p256(const EVP_PKEY *pkey)
{
	char		name[64];

	return EVP_PKEY_get_group_name(pkey, name, sizeof(name), NULL) &&
		strcmp(name, SN_X9_62_prime256v1) == 0;
}

static inline bool
vidtoken_openssl_point_is_valid(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey, NULL);
	bool		valid = context != NULL && EVP_PKEY_public_check(context) > 0;

	EVP_PKEY_CTX_free(context);
	return valid;
}

/*
 * Copies of the first numbers, n e d p q dp dq qi or x y, which the caller
 * frees also on failure
 */
static inline bool
vidtoken_openssl_numbers(const EVP_PKEY *pkey, BIGNUM **numbers, int count)
{
	static const char *const point[] = {
		OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y
	};
	bool		is_rsa = EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA;
	int			i;

	for (i = 0; i < count; i++)
		if (!EVP_PKEY_get_bn_param(pkey, is_rsa ?
								   vidtoken_openssl_rsa_names[i] : point[i],
								   &numbers[i]))
			return false;
	return true;
}

static inline bool
vidtoken_openssl_same_key(const EVP_PKEY *a, const EVP_PKEY *b)
{
	return EVP_PKEY_eq(a, b) == 1;
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
	bool		done = HMAC_size(context) <= result_size &&
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

/* Numbers: n e d p q dp dq qi; a public key has two of them. */
static inline EVP_PKEY *
vidtoken_openssl_rsa(BIGNUM *const *numbers, int count)
{
	BIGNUM	   *copies[8] = {NULL};
	RSA		   *rsa = RSA_new();
	EVP_PKEY   *pkey = EVP_PKEY_new();
	bool		done = rsa != NULL && pkey != NULL;
	int			i;

	for (i = 0; done && i < count; i++)
		done = (copies[i] = BN_dup(numbers[i])) != NULL;

	/* What was taken over is no longer ours to free. */
	if (done && (done = RSA_set0_key(rsa, copies[0], copies[1], copies[2])))
		copies[0] = copies[1] = copies[2] = NULL;
	if (done && count > 2 && (done = RSA_set0_factors(rsa, copies[3], copies[4])))
		copies[3] = copies[4] = NULL;
	if (done && count > 2 &&
		(done = RSA_set0_crt_params(rsa, copies[5], copies[6], copies[7])))
		copies[5] = copies[6] = copies[7] = NULL;
	if (done && (done = EVP_PKEY_assign_RSA(pkey, rsa)))
		rsa = NULL;

	for (i = 0; i < count; i++)
		BN_clear_free(copies[i]);
	RSA_free(rsa);
	if (done)
		return pkey;
	EVP_PKEY_free(pkey);
	return NULL;
}

/* "point" is the public key, uncompressed; d is NULL for a public key. */
static inline EVP_PKEY *
vidtoken_openssl_p256(const uint8 *point, Size length, const BIGNUM *d)
{
	EC_KEY	   *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	EVP_PKEY   *pkey = EVP_PKEY_new();
	bool		done = key != NULL && pkey != NULL &&
	EC_KEY_oct2key(key, point, length, NULL) &&
	(d == NULL || EC_KEY_set_private_key(key, d));

	if (done && (done = EVP_PKEY_assign_EC_KEY(pkey, key)))
		key = NULL;
	EC_KEY_free(key);
	if (done)
		return pkey;
	EVP_PKEY_free(pkey);
	return NULL;
}

static inline bool
vidtoken_openssl_is_p256(EVP_PKEY *pkey)
{
	const EC_KEY *key = EVP_PKEY_get0_EC_KEY(pkey);

	return EC_GROUP_get_curve_name(EC_KEY_get0_group(key)) ==
		NID_X9_62_prime256v1;
}

/*
 * EVP_PKEY_public_check() would judge the private half too.  Every point of
 * P-256 but that at infinity has the order of the group.
 */
static inline bool
vidtoken_openssl_point_is_valid(EVP_PKEY *pkey)
{
	const EC_KEY *key = EVP_PKEY_get0_EC_KEY(pkey);
	const		EC_GROUP *group = EC_KEY_get0_group(key);
	const		EC_POINT *point = EC_KEY_get0_public_key(key);

	return point != NULL && !EC_POINT_is_at_infinity(group, point) &&
		EC_POINT_is_on_curve(group, point, NULL) == 1;
}

/*
 * Copies of the first numbers, n e d p q dp dq qi or x y, which the caller
 * frees also on failure
 */
static inline bool
vidtoken_openssl_numbers(EVP_PKEY *pkey, BIGNUM **numbers, int count)
{
	if (EVP_PKEY_base_id(pkey) == EVP_PKEY_RSA)
	{
		const RSA  *rsa = EVP_PKEY_get0_RSA(pkey);
		const BIGNUM *own[8];
		int			i;

		RSA_get0_key(rsa, &own[0], &own[1], &own[2]);
		RSA_get0_factors(rsa, &own[3], &own[4]);
		RSA_get0_crt_params(rsa, &own[5], &own[6], &own[7]);
		for (i = 0; i < count; i++)
			if (own[i] == NULL || (numbers[i] = BN_dup(own[i])) == NULL)
				return false;
		return true;
	}
	else
	{
		const EC_KEY *key = EVP_PKEY_get0_EC_KEY(pkey);

		return (numbers[0] = BN_new()) != NULL &&
			(numbers[1] = BN_new()) != NULL &&
			EC_POINT_get_affine_coordinates(EC_KEY_get0_group(key),
											EC_KEY_get0_public_key(key),
											numbers[0], numbers[1], NULL);
	}
}

static inline bool
vidtoken_openssl_same_key(const EVP_PKEY *a, const EVP_PKEY *b)
{
	return EVP_PKEY_cmp(a, b) == 1;
}

#endif

#endif							/* VIDTOKEN_OPENSSL_H */
