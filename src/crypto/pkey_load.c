/*-------------------------------------------------------------------------
 *
 * pkey_load.c
 *	  loads asymmetric keys
 *
 * Nothing is allocated by the server between an OpenSSL object's birth and its
 * place in a struct with a callback.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/pkey_load.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/pkey_handle.h"

static VidTokenPKey *make_handle(VidTokenPKeyKind kind);
static void free_pkey(void *arg);
static const char *check_numbers(VidTokenPKeyKind kind,
								 const VidTokenOctets *numbers, int count);
static EVP_PKEY *build(VidTokenPKeyKind kind, const VidTokenOctets *numbers,
					   int count);
static EVP_PKEY *build_rsa(const VidTokenOctets *numbers, int count);
static BIGNUM *read_number(const VidTokenOctets *octets);
static EVP_PKEY *build_p256(const VidTokenOctets *numbers, int count);
static int	refuse_passphrase(char *buffer, int size, int writing, void *arg);

/*
 * vidtoken_pkey_create: make a key of the first "count" numbers; a private
 * key has all of them, a public one those that are public
 *
 * Returns NULL, with a reason that shows no byte of the key, when they make
 * no key that may be used.  The key lives in the current context.  The caller
 * wipes the numbers.
 */
VidTokenPKey *
vidtoken_pkey_create(VidTokenPKeyKind kind, const VidTokenOctets *numbers,
					 int count, const char **reason)
{
	VidTokenPKey *key = make_handle(kind);

	if ((*reason = check_numbers(kind, numbers, count)) != NULL)
		return NULL;
	ERR_clear_error();
	key->pkey = build(kind, numbers, count);
	key->is_private = count > (kind == VIDTOKEN_PKEY_ED25519 ? 1 : 2);
	*reason = vidtoken_pkey_check(key);
	if (*reason == NULL && kind == VIDTOKEN_PKEY_ED25519 && key->is_private)
	{
		/* It was made of the private half alone. */
		uint8		x[ED25519_LENGTH];
		size_t		length = sizeof(x);

		if (!EVP_PKEY_get_raw_public_key(key->pkey, x, &length) ||
			memcmp(x, numbers[0].data, sizeof(x)) != 0)
			*reason = VIDTOKEN_HALVES_DIFFER;
	}
	ERR_clear_error();
	return *reason == NULL ? key : NULL;
}

/*
 * vidtoken_pkey_read_pem: the first private or else public key of a PEM text
 *
 * Results are those of vidtoken_pkey_create().
 */
VidTokenPKey *
vidtoken_pkey_read_pem(VidTokenPKeyKind kind, const char *pem, int length,
					   const char **reason)
{
	static const int types[] = {EVP_PKEY_RSA, EVP_PKEY_EC, EVP_PKEY_ED25519};
	VidTokenPKey *key = make_handle(kind);
	BIO		   *bio;

	ERR_clear_error();
	bio = BIO_new_mem_buf(pem, length);
	if (bio != NULL)
		key->pkey = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, NULL);
	key->is_private = key->pkey != NULL;
	BIO_free(bio);
	if (key->pkey == NULL && (bio = BIO_new_mem_buf(pem, length)) != NULL)
	{
		key->pkey = PEM_read_bio_PUBKEY(bio, NULL, refuse_passphrase, NULL);
		BIO_free(bio);
	}

	if (key->pkey == NULL)
		*reason = "pem_file holds no key, or one with a passphrase";
	else if (EVP_PKEY_base_id(key->pkey) != types[kind])
		*reason = "pem_file holds a key of another type than alg asks for";
	else
		*reason = vidtoken_pkey_check(key);
	ERR_clear_error();
	return *reason == NULL ? key : NULL;
}

/*
 * make_handle: the struct and what releases its content, before there is any
 */
static VidTokenPKey *
make_handle(VidTokenPKeyKind kind)
{
	VidTokenPKey *key = palloc0(sizeof(VidTokenPKey));

	key->kind = kind;
	key->callback.func = free_pkey;
	key->callback.arg = key;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &key->callback);
	return key;
}

static void
free_pkey(void *arg)
{
	VidTokenPKey *key = arg;

	EVP_MD_CTX_free(key->context);
	EVP_PKEY_free(key->pkey);
	key->context = NULL;
	key->pkey = NULL;
}

/*
 * check_numbers: the forms that JWK prescribes; NULL, or what is wrong
 */
static const char *
check_numbers(VidTokenPKeyKind kind, const VidTokenOctets *numbers, int count)
{
	int			i;

	for (i = 0; i < count; i++)
	{
		/* RFC 7518, section 2, Base64urlUInt; sections 6.2.1.2 and 6.2.2.1 */
		if (kind == VIDTOKEN_PKEY_RSA &&
			(numbers[i].length == 0 || numbers[i].data[0] == 0))
			return "a number is zero or has leading zeros";
		if (kind == VIDTOKEN_PKEY_RSA &&
			numbers[i].length > VIDTOKEN_MAX_RSA_BITS / BITS_PER_BYTE)
			return "RSA keys of more than 8192 bits are not supported";
		if (kind == VIDTOKEN_PKEY_P256 && numbers[i].length != P256_LENGTH)
			return "x, y and d of P-256 have 32 bytes each";
		if (kind == VIDTOKEN_PKEY_ED25519 &&
			numbers[i].length != ED25519_LENGTH)
			return "x and d of Ed25519 have 32 bytes each";
	}
	return NULL;
}

static EVP_PKEY *
build(VidTokenPKeyKind kind, const VidTokenOctets *numbers, int count)
{
	switch (kind)
	{
		case VIDTOKEN_PKEY_RSA:
			return build_rsa(numbers, count);
		case VIDTOKEN_PKEY_P256:
			return build_p256(numbers, count);
		case VIDTOKEN_PKEY_ED25519:
			if (count == 1)
				return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
												   numbers[0].data,
												   numbers[0].length);
			return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
												numbers[1].data,
												numbers[1].length);
	}
	return NULL;
}

static EVP_PKEY *
build_rsa(const VidTokenOctets *numbers, int count)
{
	BIGNUM	   *parsed[VIDTOKEN_MAX_NUMBERS] = {NULL};
	EVP_PKEY   *pkey = NULL;
	bool		done = true;
	int			i;

	for (i = 0; done && i < count; i++)
		done = (parsed[i] = read_number(&numbers[i])) != NULL;
	if (done)
		pkey = vidtoken_openssl_rsa(parsed, count);
	for (i = 0; i < count; i++)
		BN_clear_free(parsed[i]);
	return pkey;
}

/*
 * read_number: marked as secret, so that OpenSSL wipes its own copies
 */
static BIGNUM *
read_number(const VidTokenOctets *octets)
{
	BIGNUM	   *number = BN_secure_new();

	if (number != NULL && BN_bin2bn(octets->data, octets->length,
									number) == NULL)
	{
		BN_clear_free(number);
		return NULL;
	}
	return number;
}

static EVP_PKEY *
build_p256(const VidTokenOctets *numbers, int count)
{
	uint8		point[1 + 2 * P256_LENGTH];
	BIGNUM	   *d = NULL;
	EVP_PKEY   *pkey = NULL;

	/* SEC 1, section 2.3.3: an uncompressed point */
	point[0] = POINT_CONVERSION_UNCOMPRESSED;
	memcpy(point + 1, numbers[0].data, P256_LENGTH);
	memcpy(point + 1 + P256_LENGTH, numbers[1].data, P256_LENGTH);

	if (count == 2 || (d = read_number(&numbers[2])) != NULL)
		pkey = vidtoken_openssl_p256(point, sizeof(point), d);
	BN_clear_free(d);
	return pkey;
}

/*
 * refuse_passphrase: OpenSSL's own would ask on the server's terminal
 */
static int
refuse_passphrase(char *buffer pg_attribute_unused(),
				  int size pg_attribute_unused(),
				  int writing pg_attribute_unused(),
				  void *arg pg_attribute_unused())
{
	return -1;
}
