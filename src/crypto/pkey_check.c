/*-------------------------------------------------------------------------
 *
 * pkey_check.c
 *	  judges asymmetric keys
 *
 * A key is judged once, when it is loaded: sizes, curve, and whether its
 * halves belong together.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/pkey_check.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/pkey_handle.h"

#define MIN_RSA_BITS		2048	/* RFC 7518, section 3.3 */
#define MAX_EXPONENT_BITS	64

static const char *check_rsa(VidTokenPKey *key);
static bool rsa_numbers_match(BIGNUM *const *numbers);
static const char *check_p256(VidTokenPKey *key);
static const char *check_ed25519(VidTokenPKey *key);
static bool halves_match(VidTokenPKey *key);

/*
 * vidtoken_pkey_check: NULL, or why the key must not be used
 */
const char *
vidtoken_pkey_check(VidTokenPKey *key)
{
	const char *reason = NULL;

	if (key->pkey == NULL)
		return "its numbers make no key";
	key->context = EVP_MD_CTX_new();
	if (key->context == NULL)
		return "out of memory";

	switch (key->kind)
	{
		case VIDTOKEN_PKEY_RSA:
			reason = check_rsa(key);
			break;
		case VIDTOKEN_PKEY_P256:
			reason = check_p256(key);
			break;
		case VIDTOKEN_PKEY_ED25519:
			reason = check_ed25519(key);
			break;
	}
	if (reason == NULL && key->is_private && !halves_match(key))
		reason = VIDTOKEN_HALVES_DIFFER;
	return reason;
}

/*
 * check_rsa: OpenSSL signs with p, q, dp, dq and qi, and where they do not fit
 * it falls back to d without a word, so each of them is compared
 */
static const char *
check_rsa(VidTokenPKey *key)
{
	int			bits = EVP_PKEY_bits(key->pkey);
	int			count = key->is_private ? VIDTOKEN_MAX_NUMBERS : 2;
	BIGNUM	   *numbers[VIDTOKEN_MAX_NUMBERS] = {NULL};
	const char *reason = NULL;
	int			i;

	if (bits < MIN_RSA_BITS || bits > VIDTOKEN_MAX_RSA_BITS)
		return "RSA keys must have 2048 to 8192 bits";

	/* An exponent of 1 would make every signature its own message. */
	if (!vidtoken_openssl_numbers(key->pkey, numbers, count))
		reason = "its numbers make no key";
	else if (!BN_is_odd(numbers[0]))
		reason = "n must be odd";
	else if (!BN_is_odd(numbers[1]) || BN_is_one(numbers[1]) ||
			 BN_num_bits(numbers[1]) > MAX_EXPONENT_BITS)
		reason = "e must be odd, at least 3 and at most 64 bits long";
	else if (key->is_private && !rsa_numbers_match(numbers))
		reason = VIDTOKEN_HALVES_DIFFER;
	for (i = 0; i < count; i++)
		BN_clear_free(numbers[i]);
	key->signature_length = (bits + BITS_PER_BYTE - 1) / BITS_PER_BYTE;
	return reason;
}

/*
 * rsa_numbers_match: RFC 8017, section 3.2: n = p q, e d = 1 and e dp = 1
 * mod p - 1, the same for q, and q qi = 1 mod p
 *
 * Each is less than its modulus: a larger one would be equal to it, and keep
 * OpenSSL busy for as long as it is.
 */
static bool
rsa_numbers_match(BIGNUM *const *numbers)
{
	BIGNUM	   *const n = numbers[0];
	BIGNUM	   *const e = numbers[1];
	BIGNUM	   *const d = numbers[2];
	BIGNUM	   *const p = numbers[3];
	BIGNUM	   *const q = numbers[4];
	BN_CTX	   *context = BN_CTX_secure_new();
	BIGNUM	   *less = BN_secure_new();
	BIGNUM	   *product = BN_secure_new();
	bool		match;

	match = context != NULL && less != NULL && product != NULL &&
		BN_cmp(d, n) < 0 && BN_cmp(numbers[5], p) < 0 &&
		BN_cmp(numbers[6], q) < 0 && BN_cmp(numbers[7], p) < 0 &&
		BN_mul(product, p, q, context) && BN_cmp(product, n) == 0 &&
		BN_sub(less, p, BN_value_one()) &&
		BN_mod_mul(product, e, d, less, context) && BN_is_one(product) &&
		BN_mod_mul(product, e, numbers[5], less, context) &&
		BN_is_one(product) &&
		BN_sub(less, q, BN_value_one()) &&
		BN_mod_mul(product, e, d, less, context) && BN_is_one(product) &&
		BN_mod_mul(product, e, numbers[6], less, context) &&
		BN_is_one(product) &&
		BN_mod_mul(product, q, numbers[7], p, context) && BN_is_one(product);
	BN_clear_free(product);
	BN_clear_free(less);
	BN_CTX_free(context);
	return match;
}

/*
 * check_p256: the curve, and that the point is on it
 */
static const char *
check_p256(VidTokenPKey *key)
{
	if (!vidtoken_openssl_is_p256(key->pkey))
		return "the curve is not P-256";

	key->signature_length = 2 * P256_LENGTH;
	return vidtoken_openssl_point_is_valid(key->pkey) ? NULL :
		"its point is not on the curve";
}

/*
 * check_ed25519: a point of small order is a public key that takes one
 * signature for many messages (RFC 8032, section 5.1.7 does not refuse it)
 */
static const char *
check_ed25519(VidTokenPKey *key)
{
	/*
	 * The y coordinates of all points of order 1, 2, 4 and 8, little-endian,
	 * p = 2^255 - 19: 0, 1, two of order 8, p - 1, and p and p + 1, which
	 * some readers take for 0 and 1.
	 */
	static const uint8 small_orders[][ED25519_LENGTH] = {
		{0},
		{1},
		{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0,
			0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
			0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39,
		0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
		{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f,
			0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
			0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6,
		0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
		{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		{0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		{0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	};
	uint8		x[ED25519_LENGTH];
	size_t		length = sizeof(x);
	size_t		i;

	if (!EVP_PKEY_get_raw_public_key(key->pkey, x, &length))
		return "its public part cannot be read";
	x[ED25519_LENGTH - 1] &= 0x7f;	/* the sign of the other coordinate */
	for (i = 0; i < lengthof(small_orders); i++)
		if (memcmp(x, small_orders[i], sizeof(x)) == 0)
			return "its point has a small order";
	key->signature_length = 2 * ED25519_LENGTH;
	return NULL;
}

/*
 * halves_match: does the public half verify what the private one signs?
 */
static bool
halves_match(VidTokenPKey *key)
{
	uint8		signature[VIDTOKEN_MAX_SIGNATURE_LENGTH];

	return vidtoken_pkey_try_sign(key, "vidtoken", 8, signature) &&
		vidtoken_pkey_verify(key, "vidtoken", 8, signature,
							 key->signature_length);
}
