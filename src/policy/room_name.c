/*-------------------------------------------------------------------------
 *
 * room_name.c
 *	  names that vidtoken makes for rooms and participants
 *
 * A name follows from the keyring's name key and the ids alone: nobody can
 * guess it, no row and no lock is needed to agree on it, and a standby gives
 * the same answer as the primary.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/room_name.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "ground/json_writer.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "policy/keyring.h"
#include "policy/room_name.h"
#include "policy/settings.h"
#include "utils/memutils.h"

/* 13 characters of 5 bits: 65 bits cannot be found by trying */
#define SUFFIX_LENGTH 13

#define APPOINTMENT_ID "{appointment_id}"
#define SUFFIX "{suffix}"

static void keyed_hash(const char *purpose, const char *id, int generation,
					   char *suffix);
static void add_field(StringInfo fields, const char *value);
static const char *current_database_name(void);

/*
 * vidtoken_room_name: name of an appointment's room, by vidtoken.room_format
 *
 * "generation" counts the resets of the room.  Raises F0000 when the keyring
 * has no name key.
 */
char *
vidtoken_room_name(const char *appointment_id, int generation)
{
	const char *p = vidtoken_room_format;
	char		suffix[SUFFIX_LENGTH + 1];
	StringInfoData name;

	keyed_hash("vidtoken room", appointment_id, generation, suffix);

	initStringInfo(&name);
	while (*p != '\0')
	{
		if (strncmp(p, APPOINTMENT_ID, strlen(APPOINTMENT_ID)) == 0)
		{
			appendStringInfoString(&name, appointment_id);
			p += strlen(APPOINTMENT_ID);
		}
		else if (strncmp(p, SUFFIX, strlen(SUFFIX)) == 0)
		{
			appendStringInfoString(&name, suffix);
			p += strlen(SUFFIX);
		}
		else
			appendStringInfoCharMacro(&name, *p++);
	}
	return name.data;
}

/*
 * vidtoken_default_identity: identity of a participant whose source gives
 * none; tells nothing about the user
 */
char *
vidtoken_default_identity(const char *user_id)
{
	char		suffix[SUFFIX_LENGTH + 1];

	keyed_hash("vidtoken identity", user_id, 0, suffix);
	return psprintf("user-%s", suffix);
}

/*
 * vidtoken_room_format_problem: what is wrong with a format, or NULL
 */
const char *
vidtoken_room_format_problem(const char *format)
{
	const char *p;

	if (strstr(format, SUFFIX) == NULL)
		return "The format must hold {suffix}, or the room's name could be guessed.";
	for (p = format; *p != '\0'; p++)
	{
		if ((unsigned char) *p < 0x20 || (unsigned char) *p > 0x7E)
			return "The format must be printable ASCII.";
		if (*p == '{' &&
			strncmp(p, APPOINTMENT_ID, strlen(APPOINTMENT_ID)) != 0 &&
			strncmp(p, SUFFIX, strlen(SUFFIX)) != 0)
			return "The placeholders are {appointment_id} and {suffix}.";
	}
	return NULL;
}

/*
 * keyed_hash: the first characters, in base32 of lower case (RFC 4648,
 * section 6), of an HMAC over purpose, database, id and generation
 */
static void
keyed_hash(const char *purpose, const char *id, int generation, char *suffix)
{
	static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8		hash[VIDTOKEN_MAX_MAC_LENGTH];
	StringInfoData fields;
	int			i;

	initStringInfo(&fields);
	add_field(&fields, purpose);
	add_field(&fields, current_database_name());
	add_field(&fields, id);
	appendStringInfo(&fields, "%d", generation);
	vidtoken_mac_compute(vidtoken_keyring_name_key()->mac,
						 fields.data, fields.len, hash);
	pfree(fields.data);

	for (i = 0; i < SUFFIX_LENGTH; i++)
	{
		int			bit = i * 5;
		int			pair = hash[bit / 8] << 8 | hash[bit / 8 + 1];

		suffix[i] = base32[(pair >> (11 - bit % 8)) & 0x1F];
	}
	suffix[SUFFIX_LENGTH] = '\0';
}

/*
 * add_field: a field and the NUL that no field can hold, so that no two lists
 * of fields have the same hash
 */
static void
add_field(StringInfo fields, const char *value)
{
	int			length;
	const char *utf8 = vidtoken_to_utf8(value, &length);

	appendBinaryStringInfo(fields, utf8, length);
	appendStringInfoCharMacro(fields, '\0');
}

/*
 * current_database_name: looked up once, a database with sessions keeps its
 * name
 */
static const char *
current_database_name(void)
{
	static char *name = NULL;

	if (name == NULL)
		name = MemoryContextStrdup(TopMemoryContext,
								   get_database_name(MyDatabaseId));
	return name;
}
