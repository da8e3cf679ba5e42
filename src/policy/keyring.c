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

#include "nodes/pg_list.h"
#include "policy/keyring.h"
#include "policy/keyring_file.h"
#include "policy/settings.h"
#include "utils/memutils.h"

/* All of it lives in its own context, together with the keys' handles. */
typedef struct Keyring
{
	MemoryContext context;
	List	   *keys;			/* of VidTokenKey */
} Keyring;

static Keyring *keyring = NULL;

/* the last look at the file, whether or not it made a keyring */
static char *looked_path = NULL;
static int64 looked_at;			/* seconds of the monotonic clock */
static VidTokenFileState looked_state;
static char *failure = NULL;	/* why the file of looked_path has no keyring */

static List *current_keys(void);
static bool looked_lately(void);
static void look(void);
static Keyring *load(const char *path, VidTokenFileState *state,
					 const char **reason);
static List *parse_keys(const VidTokenJson *json, const char **reason);
static const char *check_keys(const List *keys);
static void remember(char **variable, const char *value);

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
 * vidtoken_keyring_signing_key: the token key with this kid, which
 * vidtoken.key_id names
 *
 * Raises F0000 when there is none for this provider.
 */
const VidTokenKey *
vidtoken_keyring_signing_key(const char *provider, const char *key_id)
{
	ListCell   *cell;

	if (key_id[0] == '\0')
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("setting \"vidtoken.key_id\" is not set"),
				errhint("Set \"vidtoken.key_id\" to the kid of the key that signs."));

	foreach(cell, current_keys())
	{
		const VidTokenKey *key = lfirst(cell);

		if (key->use == VIDTOKEN_USE_TOKEN &&
			strcmp(key->kid, key_id) == 0 &&
			(key->provider == NULL || strcmp(key->provider, provider) == 0))
			return key;
	}
	ereport(ERROR,
			errcode(ERRCODE_CONFIG_FILE_ERROR),
			errmsg("key \"%s\" of setting \"vidtoken.key_id\" is not in the keyring",
				   key_id),
			errdetail("It must be there as a token key for provider \"%s\".",
					  provider),
			errhint("Add the key with vidtoken-keyring, or change \"vidtoken.key_id\" and reconnect."));
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
	VidTokenFileState state;
	const char *reason = NULL;
	Keyring    *loaded = load(vidtoken_keyring, &state, &reason);

	if (loaded != NULL)
		MemoryContextDelete(loaded->context);
	return reason;
}

/*
 * current_keys: asked for each time, because a call from inside a statement
 * of ours may have left us without
 */
static List *
current_keys(void)
{
	if (keyring == NULL)
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("could not use the keyring of setting \"vidtoken.keyring\""),
				errdetail_log("File \"%s\": %s.", vidtoken_keyring,
							  failure ? failure : "it was not read"),
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
	if (looked_path != NULL && strcmp(looked_path, vidtoken_keyring) == 0 &&
		clock.tv_sec == looked_at)
		return true;
	looked_at = clock.tv_sec;
	return false;
}

/*
 * look: load the file unless it is the one that was seen last
 */
static void
look(void)
{
	bool		same_path = looked_path != NULL &&
	strcmp(looked_path, vidtoken_keyring) == 0;
	VidTokenFileState state;
	Keyring    *loaded;
	const char *reason = NULL;

	if (same_path && vidtoken_keyring_file_state(vidtoken_keyring, &state) &&
		memcmp(&state, &looked_state, sizeof(state)) == 0)
		return;

	loaded = load(vidtoken_keyring, &state, &reason);

	if (loaded == NULL && same_path && keyring != NULL)
	{
		/* Once for each state of the file, not once a second. */
		if (memcmp(&state, &looked_state, sizeof(state)) != 0)
			ereport(LOG_SERVER_ONLY,
					errmsg("could not use the new keyring of setting \"vidtoken.keyring\", the keys in force stay"),
					errdetail("File \"%s\": %s.", vidtoken_keyring, reason));
		looked_state = state;
		return;
	}

	if (keyring != NULL)
		MemoryContextDelete(keyring->context);
	keyring = loaded;
	looked_state = state;
	remember(&looked_path, vidtoken_keyring);
	remember(&failure, reason);
}

/*
 * load: read and parse a file into a keyring of its own
 *
 * Scratch memory is wiped before this returns, or with the caller's context
 * when an error is raised.
 */
static Keyring *
load(const char *path, VidTokenFileState *state, const char **reason)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "vidtoken keyring",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext scratch = AllocSetContextCreate(context, "vidtoken keyring file",
												  ALLOCSET_DEFAULT_SIZES);
	Keyring    *result = MemoryContextAllocZero(context, sizeof(Keyring));
	List	   *keys = NIL;
	VidTokenJson *json;
	char	   *text;
	int			length;

	MemoryContextSwitchTo(scratch);
	text = vidtoken_keyring_file_read(path, &length, state, reason);
	json = text ? vidtoken_json_parse(text, length, reason) : NULL;
	MemoryContextSwitchTo(context);
	if (json != NULL)
	{
		keys = parse_keys(json, reason);
		if (*reason == NULL)
			*reason = check_keys(keys);
	}
	MemoryContextSwitchTo(caller);

	if (*reason != NULL)
	{
		*reason = pstrdup(*reason);
		MemoryContextDelete(context);
		return NULL;
	}
	result->context = context;
	result->keys = keys;
	MemoryContextDelete(scratch);
	MemoryContextSetParent(context, TopMemoryContext);
	return result;
}

/*
 * parse_keys: RFC 7517, section 5; one unusable key spoils the set, so that
 * a mistake is found when it is made and not when the key is needed
 */
static List *
parse_keys(const VidTokenJson *json, const char **reason)
{
	VidTokenJsonNode node;
	List	   *keys = NIL;

	node = vidtoken_json_member(json, VIDTOKEN_JSON_ROOT, "keys");
	if (node == VIDTOKEN_JSON_NONE ||
		vidtoken_json_type(json, node) != VIDTOKEN_JSON_ARRAY)
	{
		*reason = "it is not a JWK Set: it has no array \"keys\"";
		return NIL;
	}
	for (node = vidtoken_json_first(json, node); node != VIDTOKEN_JSON_NONE;
		 node = vidtoken_json_next(json, node))
	{
		VidTokenKey *key = vidtoken_jwk_parse(json, node, reason);

		if (key == NULL)
			return NIL;
		keys = lappend(keys, key);
	}
	return keys;
}

/*
 * check_keys: what must hold for the keys together
 */
static const char *
check_keys(const List *keys)
{
	int			name_keys = 0;
	ListCell   *a;
	ListCell   *b;

	foreach(a, keys)
	{
		const VidTokenKey *key = lfirst(a);

		if (key->use == VIDTOKEN_USE_NAME)
			name_keys++;
		foreach(b, keys)
		{
			const VidTokenKey *other = lfirst(b);

			if (other == key)
				break;
			if (strcmp(other->kid, key->kid) == 0)
				return psprintf("two keys have the kid \"%s\"", key->kid);
		}
	}
	if (name_keys == 0)
		return "it has no key with vidtoken_use \"name\" (vidtoken-keyring add makes one)";
	if (name_keys > 1)
		return "it has more than one key with vidtoken_use \"name\"";
	return NULL;
}

static void
remember(char **variable, const char *value)
{
	if (*variable != NULL)
		pfree(*variable);
	*variable = value ? MemoryContextStrdup(TopMemoryContext, value) : NULL;
}
