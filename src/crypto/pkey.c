/*-------------------------------------------------------------------------
 *
 * pkey.c
 *	  signatures of asymmetric keys
 *
 * Keys were judged when they were loaded (pkey_load.c): here nothing is asked
 * for but the signature.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/pkey.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/crypto.h"
#include "crypto/pkey_handle.h"

#define MAX_DER_LENGTH		80	/* of an ECDSA signature: two numbers */

static bool begin(VidTokenPKey *key, bool signing);
static bool der_to_raw(const uint8 *der, Size length, uint8 *raw);
static int	raw_to_der(const uint8 *raw, uint8 *der);

/*
 * vidtoken_pkey_is_private: can it sign?
 */
bool
vidtoken_pkey_is_private(const VidTokenPKey *key)
{
	return key->is_private;
}

/*
 * vidtoken_pkey_is_equal: are the public halves the same?
 */
bool
vidtoken_pkey_is_equal(const VidTokenPKey *a, const VidTokenPKey *b)
{
	bool		equal = a->kind == b->kind &&
	vidtoken_openssl_same_key(a->pkey, b->pkey);

	ERR_clear_error();
	return equal;
}

/*
 * vidtoken_pkey_public_numbers: n and e, x and y, or x, in palloc'd memory;
 * returns how many
 */
int
vidtoken_pkey_public_numbers(const VidTokenPKey *key, VidTokenOctets *numbers)
{
	uint8	   *bytes = palloc(VIDTOKEN_MAX_PUBLIC_NUMBERS *
							   VIDTOKEN_MAX_SIGNATURE_LENGTH);
	size_t		length = ED25519_LENGTH;
	BIGNUM	   *own[VIDTOKEN_MAX_PUBLIC_NUMBERS] = {NULL};
	bool		done;

	ERR_clear_error();
	numbers[0].data = bytes;
	numbers[1].data = bytes + VIDTOKEN_MAX_SIGNATURE_LENGTH;
	if (key->kind == VIDTOKEN_PKEY_ED25519)
	{
		done = EVP_PKEY_get_raw_public_key(key->pkey, bytes, &length);
		numbers[0].length = (int) length;
	}
	else
	{
		/* Coordinates have the field's size, RSA's numbers their own. */
		bool		fixed = key->kind == VIDTOKEN_PKEY_P256;

		done = vidtoken_openssl_numbers(key->pkey, own, lengthof(own));
		if (done)
		{
			numbers[0].length = fixed ? P256_LENGTH : BN_num_bytes(own[0]);
			numbers[1].length = fixed ? P256_LENGTH : BN_num_bytes(own[1]);
			done = BN_bn2binpad(own[0], bytes, numbers[0].length) > 0 &&
				BN_bn2binpad(own[1], bytes + VIDTOKEN_MAX_SIGNATURE_LENGTH,
							 numbers[1].length) > 0;
		}
		BN_free(own[0]);
		BN_free(own[1]);
	}
	if (!done)
		vidtoken_raise_openssl_error("could not read public key");
	ERR_clear_error();
	return key->kind == VIDTOKEN_PKEY_ED25519 ? 1 : 2;
}

/*
 * vidtoken_pkey_sign: signature of the data as JWS has it, at most
 * VIDTOKEN_MAX_SIGNATURE_LENGTH bytes; returns their number
 */
int
vidtoken_pkey_sign(VidTokenPKey *key, const void *data, Size length,
				   uint8 *signature)
{
	ERR_clear_error();
	if (!vidtoken_pkey_try_sign(key, data, length, signature))
		vidtoken_raise_openssl_error("could not sign token");
	ERR_clear_error();
	return key->signature_length;
}

/*
 * vidtoken_pkey_try_sign: the same without an error; false when OpenSSL could
 * not sign, the reason is in its queue
 */
bool
vidtoken_pkey_try_sign(VidTokenPKey *key, const void *data, Size length,
					   uint8 *signature)
{
	uint8		der[MAX_DER_LENGTH];
	bool		is_ecdsa = key->kind == VIDTOKEN_PKEY_P256;
	size_t		written = is_ecdsa ? sizeof(der) :
	VIDTOKEN_MAX_SIGNATURE_LENGTH;

	if (!begin(key, true) ||
		EVP_DigestSign(key->context, is_ecdsa ? der : signature, &written,
					   data, length) <= 0)
		return false;
	if (is_ecdsa)
		return der_to_raw(der, written, signature);
	return (int) written == key->signature_length;
}

/*
 * vidtoken_pkey_verify: is this the signature of the data?
 *
 * Whatever OpenSSL says besides yes is no.
 */
bool
vidtoken_pkey_verify(VidTokenPKey *key, const void *data, Size length,
					 const uint8 *signature, int signature_length)
{
	uint8		der[MAX_DER_LENGTH];
	bool		valid = false;

	/* RFC 7518, section 3.4, and RFC 8017, section 8.2.2 */
	if (signature_length != key->signature_length)
		return false;

	ERR_clear_error();
	if (key->kind == VIDTOKEN_PKEY_P256)
	{
		signature_length = raw_to_der(signature, der);
		signature = der;
	}
	if (signature_length > 0 && begin(key, false))
		valid = EVP_DigestVerify(key->context, signature, signature_length,
								 data, length) == 1;
	ERR_clear_error();
	return valid;
}

/*
 * begin: ready the context; EdDSA hashes by itself
 */
static bool
begin(VidTokenPKey *key, bool signing)
{
	const EVP_MD *digest =
	key->kind == VIDTOKEN_PKEY_ED25519 ? NULL : EVP_sha256();

	EVP_MD_CTX_reset(key->context);
	return (signing ? EVP_DigestSignInit : EVP_DigestVerifyInit)
		(key->context, NULL, digest, NULL, key->pkey) > 0;
}

/*
 * der_to_raw: RFC 7518, section 3.4: R and S are padded to the curve's size
 */
static bool
der_to_raw(const uint8 *der, Size length, uint8 *raw)
{
	ECDSA_SIG  *signature = d2i_ECDSA_SIG(NULL, &der, length);
	bool		done = signature != NULL &&
	BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, P256_LENGTH) > 0 &&
	BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + P256_LENGTH,
				 P256_LENGTH) > 0;

	ECDSA_SIG_free(signature);
	return done;
}

/*
 * raw_to_der: the way back; returns the bytes written, 0 for a failure
 */
static int
raw_to_der(const uint8 *raw, uint8 *der)
{
	ECDSA_SIG  *signature = ECDSA_SIG_new();
	BIGNUM	   *r = BN_bin2bn(raw, P256_LENGTH, NULL);
	BIGNUM	   *s = BN_bin2bn(raw + P256_LENGTH, P256_LENGTH, NULL);
	int			length = 0;

	if (signature != NULL && r != NULL && s != NULL &&
		ECDSA_SIG_set0(signature, r, s))
	{
		r = s = NULL;			/* the signature's now */
		length = i2d_ECDSA_SIG(signature, &der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(signature);
	return length > 0 ? length : 0;
}
