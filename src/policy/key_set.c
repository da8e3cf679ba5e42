/*-------------------------------------------------------------------------
 *
 * key_set.c
 *	  the keys of one state of a keyring's file
 *
 * One unusable key spoils the set, so that a mistake is found when it is made
 * and not when the key is needed.  Nothing of the file is left in memory but
 * the keys' handles.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/key_set.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "policy/key_set.h"
#include "policy/keyring_file.h"
#include "utils/memutils.h"

/* a file, as it was when it was read */
typedef struct WatchedFile
{
	char	   *path;
	VidTokenFileState state;
} WatchedFile;

static List *load_keys(VidTokenKeySet *set);
static char *read_file(VidTokenKeySet *set, const char *path, int *length);
static VidTokenKey *load_key(VidTokenKeySet *set, const VidTokenJson *json,
							 VidTokenJsonNode node, MemoryContext scratch);
static const char *check_keys(const List *keys);

/*
 * vidtoken_key_set_load: read and parse a file
 *
 * The result's context is a child of the current one; who keeps it moves it.
 */
VidTokenKeySet *
vidtoken_key_set_load(const char *path)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "vidtoken keyring",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext keys = AllocSetContextCreate(context, "vidtoken keys",
											   ALLOCSET_SMALL_SIZES);
	VidTokenKeySet *set = MemoryContextAllocZero(context,
												 sizeof(VidTokenKeySet));

	set->context = context;
	set->path = MemoryContextStrdup(context, path);

	MemoryContextSwitchTo(keys);
	set->keys = load_keys(set);
	if (set->reason == NULL)
		set->reason = check_keys(set->keys);
	if (set->reason != NULL)
	{
		set->reason = MemoryContextStrdup(context, set->reason);
		set->keys = NIL;
		MemoryContextDelete(keys);
	}
	MemoryContextSwitchTo(caller);
	return set;
}

/*
 * vidtoken_key_set_is_current: are the files still those that were read?
 */
bool
vidtoken_key_set_is_current(const VidTokenKeySet *set)
{
	ListCell   *cell;

	foreach(cell, set->files)
	{
		const WatchedFile *file = lfirst(cell);
		VidTokenFileState state;

		vidtoken_keyring_file_state(file->path, &state);
		if (memcmp(&state, &file->state, sizeof(state)) != 0)
			return false;
	}
	return true;
}

/*
 * load_keys: RFC 7517, section 5
 *
 * Scratch memory is wiped before this returns, or with the caller's context
 * when an error is raised.
 */
static List *
load_keys(VidTokenKeySet *set)
{
	MemoryContext keys_context = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(set->context,
												  "vidtoken keyring file",
												  ALLOCSET_DEFAULT_SIZES);
	List	   *keys = NIL;
	VidTokenJson *json = NULL;
	VidTokenJsonNode node = VIDTOKEN_JSON_NONE;
	char	   *text;
	int			length;

	MemoryContextSwitchTo(scratch);
	text = read_file(set, set->path, &length);
	if (text != NULL)
		json = vidtoken_json_parse(text, length, &set->reason);
	MemoryContextSwitchTo(keys_context);

	if (json != NULL)
	{
		node = vidtoken_json_member(json, VIDTOKEN_JSON_ROOT, "keys");
		if (node == VIDTOKEN_JSON_NONE ||
			vidtoken_json_type(json, node) != VIDTOKEN_JSON_ARRAY)
			set->reason = "it is not a JWK Set: it has no array \"keys\"";
		else
			node = vidtoken_json_first(json, node);
	}
	for (; set->reason == NULL && node != VIDTOKEN_JSON_NONE;
		 node = vidtoken_json_next(json, node))
	{
		CHECK_FOR_INTERRUPTS();
		keys = lappend(keys, load_key(set, json, node, scratch));
	}

	MemoryContextDelete(scratch);
	return keys;
}

/*
 * read_file: its text, in memory that is wiped with the current context;
 * remembers what was read also when it cannot be used
 */
static char *
read_file(VidTokenKeySet *set, const char *path, int *length)
{
	MemoryContext caller = MemoryContextSwitchTo(set->context);
	WatchedFile *file = palloc0(sizeof(WatchedFile));
	char	   *text;

	file->path = pstrdup(path);
	set->files = lappend(set->files, file);
	MemoryContextSwitchTo(caller);
	text = vidtoken_keyring_file_read(path, length, &file->state,
									  &set->reason);
	if (text == NULL)
		set->reason = MemoryContextStrdup(set->context, set->reason);
	return text;
}

/*
 * load_key: an element of "keys", and the file it may refer to; that one has
 * to be as safe as the keyring itself
 */
static VidTokenKey *
load_key(VidTokenKeySet *set, const VidTokenJson *json, VidTokenJsonNode node,
		 MemoryContext scratch)
{
	MemoryContext keys_context = MemoryContextSwitchTo(scratch);
	char	   *path = vidtoken_jwk_pem_file(json, node);
	char	   *pem = NULL;
	int			length = 0;

	if (path != NULL && !is_absolute_path(path))
		set->reason = "pem_file must be an absolute path";
	else if (path != NULL)
	{
		pem = read_file(set, path, &length);
		if (pem == NULL)
			set->reason = MemoryContextStrdup(set->context,
											  psprintf("pem_file \"%s\": %s",
													   pg_verifymbstr(path, strlen(path), true) ? path : "...",
													   set->reason));
	}
	MemoryContextSwitchTo(keys_context);

	return set->reason ? NULL :
		vidtoken_jwk_parse(json, node, pem, length, &set->reason);
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
