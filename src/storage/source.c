/*-------------------------------------------------------------------------
 *
 * source.c
 *	  the relation that vidtoken.source names, and its columns
 *
 * The administrator's mistakes are found here, by name, before a query could
 * stumble over them: F0000, with a hint that spells the fix.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/source.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "nodes/makefuncs.h"
#include "policy/settings.h"
#include "storage/source.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

/* what a column's values are taken for */
typedef enum ColumnKind
{
	KIND_KEY,
	KIND_TIMESTAMPTZ,
	KIND_INTERVAL,
	KIND_TEXT,
	KIND_METADATA,
	KIND_BOOLEAN,
	KIND_INTEGER
} ColumnKind;

/* Indexed by VidTokenColumn. */
static const struct
{
	const char *name;
	ColumnKind	kind;
	bool		required;
}			columns[VIDTOKEN_COLUMNS] =

{
	{"appointment_id", KIND_KEY, true},
	{"user_id", KIND_KEY, true},
	{"starts_at", KIND_TIMESTAMPTZ, true},
	{"duration", KIND_INTERVAL, true},
	{"identity", KIND_TEXT, false},
	{"display_name", KIND_TEXT, false},
	{"role", KIND_TEXT, false},
	{"room_name", KIND_TEXT, false},
	{"metadata", KIND_METADATA, false},
	{"cancelled", KIND_BOOLEAN, false},
	{"max_participants", KIND_INTEGER, false},
};

static Oid	find_relation(char **name);
static void check_relation(Oid relation);
static Oid	column_type(VidTokenSource *source, VidTokenColumn column,
						int32 *typmod, Oid *collation);
static bool type_fits(ColumnKind kind, Oid type);
pg_noreturn static void raise_wrong_type(VidTokenColumn column, Oid type);

/*
 * vidtoken_source_resolve: look the relation and its columns up
 *
 * What outlives the call is allocated in "context".  The relation is locked
 * (AccessShareLock) until the transaction ends.
 */
void
vidtoken_source_resolve(VidTokenSource *source, MemoryContext context)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	VidTokenColumn column;

	source->relation = find_relation(&source->relation_name);
	check_relation(source->relation);

	for (column = 0; column < VIDTOKEN_COLUMNS; column++)
	{
		int32		typmod;
		Oid			collation;
		Oid			type = column_type(source, column, &typmod, &collation);

		source->has[column] = OidIsValid(type);
		if (!OidIsValid(type))
			continue;
		if (!type_fits(columns[column].kind, getBaseType(type)))
			raise_wrong_type(column, type);
		if (column == VIDTOKEN_COLUMN_APPOINTMENT_ID)
			vidtoken_key_type_init(&source->appointment_id, type, typmod,
								   collation);
		if (column == VIDTOKEN_COLUMN_METADATA)
			source->checks_metadata = getBaseType(type) != JSONBOID;
		if (column == VIDTOKEN_COLUMN_USER_ID)
			vidtoken_key_type_init(&source->user_id, type, typmod, collation);
	}
	MemoryContextSwitchTo(caller);
}

/*
 * vidtoken_source_column_name: for messages
 */
const char *
vidtoken_source_column_name(VidTokenColumn column)
{
	return columns[column].name;
}

/*
 * find_relation: by the qualified name in vidtoken.source, as the caller
 */
static Oid
find_relation(char **name)
{
	char	   *copy = pstrdup(vidtoken_source);
	List	   *names;
	Oid			relation;

	if (copy[0] == '\0')
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("setting \"vidtoken.source\" is not set"),
				errhint("Set \"vidtoken.source\" to the view with one row per participant of an appointment."));

	/* The check hook has seen to it that there are two names. */
	if (!SplitIdentifierString(copy, '.', &names) || list_length(names) != 2)
		elog(ERROR, "unexpected value of setting \"vidtoken.source\"");
	relation = RangeVarGetRelid(makeRangeVar(linitial(names), lsecond(names), -1),
								AccessShareLock, true);
	if (!OidIsValid(relation))
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("relation \"%s\" of setting \"vidtoken.source\" does not exist",
					   vidtoken_source),
				errhint("Create it, or change \"vidtoken.source\"."));

	*name = quote_qualified_identifier(linitial(names), lsecond(names));
	return relation;
}

static void
check_relation(Oid relation)
{
	switch (get_rel_relkind(relation))
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
		case RELKIND_FOREIGN_TABLE:
			break;
		default:
			ereport(ERROR,
					errcode(ERRCODE_CONFIG_FILE_ERROR),
					errmsg("relation \"%s\" of setting \"vidtoken.source\" is not a table or view",
						   vidtoken_source),
					errhint("Set \"vidtoken.source\" to a table or view."));
	}
	if (isAnyTempNamespace(get_rel_namespace(relation)))
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("relation \"%s\" of setting \"vidtoken.source\" is temporary",
					   vidtoken_source),
				errhint("Set \"vidtoken.source\" to a permanent table or view."));
}

/*
 * column_type: InvalidOid for an optional column that is not there
 */
static Oid
column_type(VidTokenSource *source, VidTokenColumn column, int32 *typmod,
			Oid *collation)
{
	const char *name = columns[column].name;
	AttrNumber	attnum = get_attnum(source->relation, name);
	Oid			type;

	if (attnum == InvalidAttrNumber)
	{
		if (columns[column].required)
			ereport(ERROR,
					errcode(ERRCODE_CONFIG_FILE_ERROR),
					errmsg("column \"%s\" is missing from the relation of setting \"vidtoken.source\"",
						   name),
					errhint("The relation needs the columns appointment_id, user_id, starts_at and duration."));
		return InvalidOid;
	}
	get_atttypetypmodcoll(source->relation, attnum, &type, typmod, collation);
	return type;
}

/*
 * type_fits: "type" is a base type
 */
static bool
type_fits(ColumnKind kind, Oid type)
{
	char		category;
	bool		preferred;

	get_type_category_preferred(type, &category, &preferred);
	switch (kind)
	{
		case KIND_KEY:
			return vidtoken_key_type_is_supported(type);
		case KIND_TIMESTAMPTZ:
			return type == TIMESTAMPTZOID;
		case KIND_INTERVAL:
			return type == INTERVALOID;
		case KIND_TEXT:
			return category == TYPCATEGORY_STRING ||
				category == TYPCATEGORY_ENUM;
		case KIND_METADATA:
			return type == JSONBOID || type == JSONOID ||
				category == TYPCATEGORY_STRING;
		case KIND_BOOLEAN:
			return type == BOOLOID;
		case KIND_INTEGER:
			return type == INT2OID || type == INT4OID;
	}
	return false;
}

static void
raise_wrong_type(VidTokenColumn column, Oid type)
{
	const char *hint = NULL;

	switch (columns[column].kind)
	{
		case KIND_KEY:
			hint = "Keys are smallint, integer, bigint, numeric, uuid, text, varchar, character, name, citext, an enum, or a domain over one of them.";
			break;
		case KIND_TIMESTAMPTZ:
			hint = "It must be timestamp with time zone: say which zone it is in with starts_at AT TIME ZONE '...' AS starts_at.";
			break;
		case KIND_INTERVAL:
			hint = "It must be interval: make_interval(mins => ...) AS duration makes one from minutes.";
			break;
		case KIND_TEXT:
			hint = "It must be text.";
			break;
		case KIND_METADATA:
			hint = "It must be jsonb or text.";
			break;
		case KIND_BOOLEAN:
			hint = "It must be boolean.";
			break;
		case KIND_INTEGER:
			hint = "It must be integer.";
			break;
	}
	ereport(ERROR,
			errcode(ERRCODE_CONFIG_FILE_ERROR),
			errmsg("column \"%s\" of the relation of setting \"vidtoken.source\" has type %s",
				   columns[column].name, format_type_be(type)),
			errhint("%s", hint));
}
