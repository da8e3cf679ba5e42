/*-------------------------------------------------------------------------
 *
 * signing_floor.c
 *	  what a signature costs with OpenSSL alone
 *
 * For each key of the arguments, "ALG FILE": microseconds a signature takes,
 * over an input of as many bytes as a token's, with the key loaded once.  FILE
 * holds a PEM key, or the bytes of a secret.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * bench/signing_floor.c
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#define INPUT_LENGTH	380
#define SECONDS			1.0
#define ROUNDS			5

static double
now(void)
{
	struct timespec clock;

	clock_gettime(CLOCK_MONOTONIC, &clock);
	return clock.tv_sec + clock.tv_nsec / 1e9;
}

/* a key of either kind, loaded */
typedef struct Key
{
	HMAC_CTX   *mac;			/* of a secret, which it keeps */
	EVP_PKEY   *pkey;
	EVP_MD_CTX *context;
	const EVP_MD *digest;
} Key;

static void
load(const char *alg, const char *path, Key *key)
{
	FILE	   *file = fopen(path, "rb");
	unsigned char secret[256];

	if (file == NULL)
		exit(1);
	memset(key, 0, sizeof(*key));
	key->digest = strcmp(alg, "EdDSA") == 0 ? NULL :
		strstr(alg, "384") ? EVP_sha384() :
		strstr(alg, "512") ? EVP_sha512() : EVP_sha256();
	if (strncmp(alg, "HS", 2) == 0)
	{
		int			length = (int) fread(secret, 1, sizeof(secret), file);

		key->mac = HMAC_CTX_new();
		if (!HMAC_Init_ex(key->mac, secret, length, key->digest, NULL))
			exit(1);
	}
	else
	{
		key->context = EVP_MD_CTX_new();
		key->pkey = PEM_read_PrivateKey(file, NULL, NULL, NULL);
		if (key->pkey == NULL)
			exit(1);
	}
	fclose(file);
}

static void
sign(Key *key, const unsigned char *input)
{
	unsigned char signature[1024];
	unsigned int mac_length;
	size_t		length = sizeof(signature);

	if (key->mac != NULL)
	{
		if (!HMAC_Init_ex(key->mac, NULL, 0, NULL, NULL) ||
			!HMAC_Update(key->mac, input, INPUT_LENGTH) ||
			!HMAC_Final(key->mac, signature, &mac_length))
			exit(1);
		return;
	}
	EVP_MD_CTX_reset(key->context);
	if (EVP_DigestSignInit(key->context, NULL, key->digest, NULL,
						   key->pkey) <= 0 ||
		EVP_DigestSign(key->context, signature, &length, input,
					   INPUT_LENGTH) <= 0)
		exit(1);
}

int
main(int argc, char **argv)
{
	unsigned char input[INPUT_LENGTH] = {0};
	int			i;

	for (i = 1; i + 1 < argc; i += 2)
	{
		Key			key;
		double		best = 1e9;
		int			round;

		load(argv[i], argv[i + 1], &key);
		for (round = 0; round < ROUNDS; round++)
		{
			double		start = now();
			long		count = 0;

			do
			{
				int			n;

				for (n = 0; n < 10; n++)
					sign(&key, input);
				count += 10;
			} while (now() - start < SECONDS / ROUNDS);
			if ((now() - start) / count < best)
				best = (now() - start) / count;
		}
		printf("%s %.2f\n", argv[i], best * 1e6);
	}
	return 0;
}
