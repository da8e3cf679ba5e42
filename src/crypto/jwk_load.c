/*-------------------------------------------------------------------------
 *
 * jwk_load.c
 *	  loads the key that a JWK describes
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/jwk_load.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "crypto/jwk_load.h"
#include "ground/base64url.h"
#include "utils/memutils.h"

static bool has_numbers(const VidTokenOctets *numbers);
static const char *load_secret(const VidTokenOctets *secret,
							   VidTokenKey *key);
static const char *find_weakness(const VidTokenOctets *secret);
static const char *load_numbers(const VidTokenOctets *numbers,
								VidTokenKey *key);
static const char *read_numbers(const VidTokenJson *json,
								VidTokenJsonNode node,
								const VidTokenKeyForm *form,
								VidTokenOctets *numbers);

/*
 * vidtoken_jwk_load: set mac or pkey of a key whose algorithm is known, from
 * the JWK's numbers or from a PEM text
 *
 * Returns NULL, or what is wrong.  What is decoded here is wiped with its
 * context.
 */
const char *
vidtoken_jwk_load(const VidTokenJson *json, VidTokenJsonNode node,
				  const char *pem, int pem_length, VidTokenKey *key)
{
	const VidTokenKeyForm *form = key->algorithm->form;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(caller, "vidtoken key",
												  ALLOCSET_SMALL_SIZES);
	VidTokenOctets numbers[VIDTOKEN_MAX_NUMBERS] = {{NULL, 0}};
	const char *reason;

	MemoryContextSwitchTo(scratch);
	reason = read_numbers(json, node, form, numbers);
	MemoryContextSwitchTo(caller);

	if (reason != NULL)
		reason = pstrdup(reason);
	else if (pem == NULL)
		reason = form->public_count == 0 ? load_secret(&numbers[0], key) :
			load_numbers(numbers, key);
	else if (form->public_count == 0)
		reason = "pem_file is for asymmetric keys, a secret is given as k";
	else if (has_numbers(numbers))
		reason = "it has both pem_file and numbers of its own";
	else
		key->pkey = vidtoken_pkey_read_pem(form->kind, pem, pem_length,
										   &reason);
	MemoryContextDelete(scratch);
	return reason;
}

static bool
has_numbers(const VidTokenOctets *numbers)
{
	int			i;

	for (i = 0; i < VIDTOKEN_MAX_NUMBERS; i++)
		if (numbers[i].data != NULL)
			return true;
	return false;
}

static const char *
load_secret(const VidTokenOctets *secret, VidTokenKey *key)
{
	if (secret->data == NULL)
		return "it has no k";
	if (secret->length < key->algorithm->min_key_length)
		return psprintf("%s needs a secret of at least %d bytes%s",
						key->algorithm->name, key->algorithm->min_key_length,
						key->algorithm->webhooks_only ? "" :
						" (livekit-server --dev has one of 6: set your own)");
	key->mac = vidtoken_mac_create(key->algorithm->digest, secret->data,
								   secret->length);
	key->weakness = find_weakness(secret);
	return NULL;
}

/*
 * find_weakness: of 32 random hexadecimal digits fewer than 8 are different
 * less than once in ten million times; a short word written over and over
 * has no more
 */
static const char *
find_weakness(const VidTokenOctets *secret)
{
	bool		seen[256] = {false};
	int			different = 0;
	int			i;

	for (i = 0; i < secret->length; i++)
	{
		different += !seen[secret->data[i]];
		seen[secret->data[i]] = true;
	}
	explicit_bzero(seen, sizeof(seen));
	return different < 8 ? "its secret repeats itself and may be guessed" : NULL;
}

/*
 * load_numbers: all of them make a private key, the public ones a public key,
 * anything else is a mistake
 */
static const char *
load_numbers(const VidTokenOctets *numbers, VidTokenKey *key)
{
	const VidTokenKeyForm *form = key->algorithm->form;
	const char *reason;
	int			count = 0;
	int			i;

	for (i = 0; form->numbers[i] != NULL; i++)
	{
		if (numbers[i].data != NULL)
			count++;
		else if (i < form->public_count)
			return psprintf("it has no %s", form->numbers[i]);
	}
	if (count != i && count != form->public_count)
		return "it has some of the private numbers and lacks others";

	key->pkey = vidtoken_pkey_create(form->kind, numbers, count, &reason);
	return reason;
}

/*
 * read_numbers: decode the members that are there; NULL, or what is wrong
 */
static const char *
read_numbers(const VidTokenJson *json, VidTokenJsonNode node,
			 const VidTokenKeyForm *form, VidTokenOctets *numbers)
{
	int			i;

	for (i = 0; form->numbers[i] != NULL; i++)
	{
		VidTokenJsonNode member = vidtoken_json_member(json, node,
													   form->numbers[i]);
		const char *encoded = NULL;
		uint8	   *octets;
		int			length;

		if (member == VIDTOKEN_JSON_NONE)
			continue;
		if (vidtoken_json_type(json, member) == VIDTOKEN_JSON_STRING)
			encoded = vidtoken_json_raw(json, member, &length);
		if (encoded == NULL)
			return psprintf("%s is not a plain string", form->numbers[i]);

		octets = vidtoken_secret_alloc(length + 1);
		numbers[i].data = octets;
		numbers[i].length = vidtoken_base64url_decode(encoded, length, octets);
		if (numbers[i].length < 0)
			return psprintf("%s is not base64url without padding",
							form->numbers[i]);
	}
	if (form->kind == VIDTOKEN_PKEY_RSA && form->public_count > 0 &&
		vidtoken_json_member(json, node, "oth") != VIDTOKEN_JSON_NONE)
		return "RSA keys of more than two primes are not supported";
	return NULL;
}
