/*-------------------------------------------------------------------------
 *
 * crypto.c
 *	  the cryptography that vidtoken takes from OpenSSL
 *
 * A handle lives in a struct of ours that carries its own callback of the
 * memory context: it is registered before the handle exists, so that success,
 * error and a caught subtransaction release it alike.  Secrets are wiped the
 * same way.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/crypto.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "crypto/crypto.h"
#include "crypto/openssl.h"

struct VidTokenMac
{
	MemoryContextCallback callback;
	VidTokenMacContext *context;	/* has the key and no data */
	bool		starts_again;	/* see check_restart() */
};

typedef struct Secret
{
	MemoryContextCallback callback;
	Size		size;
	char		bytes[FLEXIBLE_ARRAY_MEMBER];
} Secret;

static void free_mac(void *arg);
static void wipe_secret(void *arg);
static void check_restart(VidTokenMac *mac);
static bool compute(VidTokenMac *mac, const void *data, Size length,
					uint8 *result, size_t *result_length);

/*
 * vidtoken_mac_create: load an HMAC key
 *
 * "digest" is OpenSSL's name, such as SHA256.  The result lives as long as the
 * current memory context.  The caller wipes its own copy of the key.
 */
VidTokenMac *
vidtoken_mac_create(const char *digest, const uint8 *key, Size length)
{
	VidTokenMac *mac = palloc0(sizeof(VidTokenMac));

	mac->callback.func = free_mac;
	mac->callback.arg = mac;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &mac->callback);

	ERR_clear_error();
	mac->context = vidtoken_openssl_mac_new(digest, key, length);
	if (mac->context == NULL)
		vidtoken_raise_openssl_error("could not load key");
	check_restart(mac);
	return mac;
}

/*
 * vidtoken_mac_compute: HMAC of the data, at most VIDTOKEN_MAX_MAC_LENGTH
 * bytes; returns their number
 */
int
vidtoken_mac_compute(VidTokenMac *mac, const void *data, Size length,
					 uint8 *result)
{
	size_t		result_length;

	ERR_clear_error();
	if (!compute(mac, data, length, result, &result_length))
		vidtoken_raise_openssl_error("could not compute HMAC");
	return (int) result_length;
}

/*
 * vidtoken_mac_verify: is this the HMAC of the data?
 *
 * The comparison takes as long for a nearly right one as for a wrong one.
 */
bool
vidtoken_mac_verify(VidTokenMac *mac, const void *data, Size length,
					const uint8 *signature, int signature_length)
{
	uint8		expected[VIDTOKEN_MAX_MAC_LENGTH];
	int			expected_length = vidtoken_mac_compute(mac, data, length,
													   expected);

	return signature_length == expected_length &&
		CRYPTO_memcmp(signature, expected, expected_length) == 0;
}

/*
 * vidtoken_sha256: digest of the data, VIDTOKEN_SHA256_LENGTH bytes
 */
void
vidtoken_sha256(const void *data, Size length, uint8 *result)
{
	ERR_clear_error();
	if (!EVP_Digest(data, length, result, NULL, EVP_sha256(), NULL))
		vidtoken_raise_openssl_error("could not compute SHA-256");
}

/*
 * vidtoken_is_same_text: the same, without telling by the time it takes how
 * much of it is
 */
bool
vidtoken_is_same_text(const char *a, const char *b)
{
	Size		length = strlen(a);

	return strlen(b) == length && CRYPTO_memcmp(a, b, length) == 0;
}

/*
 * vidtoken_secret_alloc: memory for a secret in the current context, wiped
 * when the context goes
 */
void *
vidtoken_secret_alloc(Size size)
{
	Secret	   *secret = palloc(offsetof(Secret, bytes) + size);

	secret->callback.func = wipe_secret;
	secret->callback.arg = secret;
	secret->size = size;
	MemoryContextRegisterResetCallback(CurrentMemoryContext,
									   &secret->callback);
	return secret->bytes;
}

/*
 * vidtoken_crypto_version: name and version of the library that is loaded
 */
const char *
vidtoken_crypto_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}

static void
wipe_secret(void *arg)
{
	Secret	   *secret = arg;

	explicit_bzero(secret->bytes, secret->size);
}

/*
 * vidtoken_raise_openssl_error: end with the first reason in OpenSSL's queue
 *
 * The queue is left empty: the server's own TLS code reads it too.
 */
void
vidtoken_raise_openssl_error(const char *message)
{
	const char *reason = ERR_reason_error_string(ERR_get_error());

	ERR_clear_error();
	ereport(ERROR,
			errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
			errmsg("%s: %s", message, reason ? reason : "unknown reason"));
}

/*
 * check_restart: does a context start again with the key that it has?
 *
 * Before 3.0.3 EVP_MAC_init() without a key did nothing and reported success,
 * so that every HMAC but the first was wrong.  The library in use need not be
 * the one that we were compiled with: it is asked, on a copy, by computing the
 * same twice.
 */
static void
check_restart(VidTokenMac *mac)
{
	VidTokenMac copy = {.context = vidtoken_openssl_mac_copy(mac->context),
	.starts_again = true};
	uint8		first[VIDTOKEN_MAX_MAC_LENGTH];
	uint8		second[VIDTOKEN_MAX_MAC_LENGTH];
	size_t		length = 0;

	mac->starts_again = copy.context != NULL &&
		compute(&copy, "vidtoken", 8, first, &length) &&
		compute(&copy, "vidtoken", 8, second, &length) &&
		memcmp(first, second, length) == 0;
	vidtoken_openssl_mac_free(copy.context);
	ERR_clear_error();
}

/*
 * compute: on the kept context, or on a copy where that cannot start again
 */
static bool
compute(VidTokenMac *mac, const void *data, Size length, uint8 *result,
		size_t *result_length)
{
	VidTokenMacContext *context = mac->context;
	bool		done;

	if (mac->starts_again)
		done = vidtoken_openssl_mac_restart(context);
	else
		done = (context = vidtoken_openssl_mac_copy(context)) != NULL;

	done = done && vidtoken_openssl_mac_finish(context, data, length, result,
											   result_length,
											   VIDTOKEN_MAX_MAC_LENGTH);
	if (!mac->starts_again)
		vidtoken_openssl_mac_free(context);
	return done;
}

static void
free_mac(void *arg)
{
	VidTokenMac *mac = arg;

	vidtoken_openssl_mac_free(mac->context);
	mac->context = NULL;
}
