/*-------------------------------------------------------------------------
 *
 * keyring.c
 *	  the keys of the file that vidtoken.keyring names
 *
 * The file is looked at once a second at most.  When it has changed it is
 * parsed aside and swapped when whole: a broken new file leaves the keys in
 * force and is reported in the log once.
 *
 * A key is looked up again whenever it is needed and never held across a
 * statement: a trigger on the ledger may call us, and that call may replace
 * the keyring.
 *
 * Errors name the setting.  Path and reason are for the administrator: they
 * go to the server's log, and vidtoken_check() shows them.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/keyring.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "policy/key_set.h"
#include "policy/keyring.h"
#include "policy/settings.h"
#include "utils/memutils.h"

static VidTokenKeySet *keyring = NULL;	/* the keys in force */
static VidTokenKeySet *latest = NULL;	/* the last look, maybe a failure */
static int64 looked_at;			/* seconds of the monotonic clock */

static const VidTokenKey *find_token_key(const char *key_id);
static List *current_keys(void);
static bool looked_lately(void);
static bool is_latest_path(void);
static void look(void);

/*
 * vidtoken_keyring_refresh: see to it that the keys are those of the file
 *
 * To be called once at the start of a SQL function.  Raises F0000 when there
 * is no usable keyring.
 */
void
vidtoken_keyring_refresh(void)
{
	if (vidtoken_keyring[0] == '\0')
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("setting \"vidtoken.keyring\" is not set"),
				errhint("Make a keyring with the command vidtoken-keyring and set \"vidtoken.keyring\" to its path."));

	if (!looked_lately())
		look();
	(void) current_keys();
}

/*
 * vidtoken_keyring_name_key: the key of room names and default identities
 */
const VidTokenKey *
vidtoken_keyring_name_key(void)
{
	ListCell   *cell;

	foreach(cell, current_keys())
	{
		const VidTokenKey *key = lfirst(cell);

		if (key->use == VIDTOKEN_USE_NAME)
			return key;
	}
	elog(ERROR, "keyring has no name key");
}

/*
 * find_token_key: the token key with this kid, or NULL
 */
static const VidTokenKey *
find_token_key(const char *key_id)
{
	ListCell   *cell;

	foreach(cell, current_keys())
	{
		const VidTokenKey *key = lfirst(cell);

		if (key->use == VIDTOKEN_USE_TOKEN && strcmp(key->kid, key_id) == 0)
			return key;
	}
	return NULL;
}

/*
 * vidtoken_keyring_signing_key: the key that signs for this provider; NULL
 * stands for tokens that go to none
 *
 * Raises F0000 when there is none with this kid, or it cannot sign, or the
 * provider would not take what it signs.
 */
const VidTokenKey *
vidtoken_keyring_signing_key(const VidTokenProvider *provider,
							 const char *key_id)
{
	const VidTokenKey *key;

	if (key_id[0] == '\0')
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("setting \"vidtoken.key_id\" is not set"),
				errhint("Set \"vidtoken.key_id\" to the kid of the key that signs."));

	key = find_token_key(key_id);
	if (key == NULL ||
		(provider != NULL && key->provider != NULL &&
		 strcmp(key->provider, provider->name) != 0))
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("key \"%s\" is not in the keyring", key_id),
				provider == NULL ?
				errdetail("It must be there as a token key.") :
				errdetail("It must be there as a token key for provider \"%s\".",
						  provider->name),
				errhint("Add the key with vidtoken-keyring, or change \"vidtoken.key_id\" and reconnect."));
	if (!key->may_sign)
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("key \"%s\" cannot sign", key_id),
				errdetail("The keyring has its public part alone, or its key_ops does not hold \"sign\"."),
				errhint("Add the private key with vidtoken-keyring, or change \"vidtoken.key_id\" and reconnect."));
	if (provider != NULL && provider->algorithm != NULL &&
		strcmp(provider->algorithm, key->algorithm->name) != 0)
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("provider \"%s\" does not take tokens signed with key \"%s\"",
					   provider->name, key_id),
				errdetail("It takes %s, the key's alg is %s.",
						  provider->algorithm, key->algorithm->name),
				errhint("Add a key of that alg with vidtoken-keyring, and change \"vidtoken.key_id\"."));
	return key;
}

/*
 * vidtoken_keyring_count, vidtoken_keyring_get: for vidtoken_check()
 */
int
vidtoken_keyring_count(void)
{
	return list_length(current_keys());
}

const VidTokenKey *
vidtoken_keyring_get(int index)
{
	return list_nth(current_keys(), index);
}

/*
 * vidtoken_keyring_problem: why a new session could not use the file, or NULL
 *
 * Reads the file aside: this session may have keys of an earlier one.
 */
const char *
vidtoken_keyring_problem(void)
{
	VidTokenKeySet *set = vidtoken_key_set_load(vidtoken_keyring);
	const char *reason = set->reason ? pstrdup(set->reason) : NULL;

	MemoryContextDelete(set->context);
	return reason;
}

/*
 * current_keys: asked for each time, because a call from inside a statement
 * of ours may have left us without, or with those of a path of its own
 */
static List *
current_keys(void)
{
	if (!is_latest_path())
		look();
	if (keyring == NULL)
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("could not use the keyring of setting \"vidtoken.keyring\""),
				errdetail_log("File \"%s\": %s.", vidtoken_keyring,
							  latest && latest->reason ? latest->reason :
							  "it was not read"),
				errhint("SELECT * FROM vidtoken_check() tells the reason."));
	return keyring->keys;
}

/*
 * looked_lately: has this path been looked at within the last second?
 */
static bool
looked_lately(void)
{
	struct timespec clock;

	clock_gettime(CLOCK_MONOTONIC, &clock);
	if (is_latest_path() && clock.tv_sec == looked_at)
		return true;
	looked_at = clock.tv_sec;
	return false;
}

static bool
is_latest_path(void)
{
	return latest != NULL && strcmp(latest->path, vidtoken_keyring) == 0;
}

/*
 * look: load the file unless it is the one that was seen last
 */
static void
look(void)
{
	bool		same_path = is_latest_path();
	VidTokenKeySet *outdated = latest;
	VidTokenKeySet *set;
	bool		known;

	if (same_path && vidtoken_key_set_is_current(latest))
		return;

	set = vidtoken_key_set_load(vidtoken_keyring);
	MemoryContextSetParent(set->context, TopMemoryContext);
	latest = set;
	known = same_path && set->reason != NULL && outdated->reason != NULL &&
		strcmp(set->reason, outdated->reason) == 0;
	if (outdated != NULL && outdated != keyring)
		MemoryContextDelete(outdated->context);

	if (set->reason != NULL && same_path && keyring != NULL)
	{
		/* Not again and again; and the statement may hold a token. */
		if (!known)
			ereport(LOG_SERVER_ONLY,
					errhidestmt(true),
					errmsg("could not use the new keyring of setting \"vidtoken.keyring\", the keys in force stay"),
					errdetail("File \"%s\": %s.", vidtoken_keyring, set->reason));
		return;
	}
	if (keyring != NULL)
		MemoryContextDelete(keyring->context);
	keyring = set->reason == NULL ? set : NULL;
}
