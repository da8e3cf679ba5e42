/*-------------------------------------------------------------------------
 *
 * ledger_tables.c
 *	  where the ledger's tables are, and who owns them
 *
 * They are the extension's own, whatever else has their names.  All of them
 * have one owner.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/ledger_tables.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "compat.h"
#include "storage/ledger_tables.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Indexed by VidTokenLedgerTable. */
static const char *const table_names[] = {
	"vidtoken_session", "vidtoken_room", "vidtoken_call",
	"vidtoken_participant", "vidtoken_event", "vidtoken_quality",
};

/*
 * The tables, once found.  Kept by OID alone: a schema can be renamed, and its
 * old name taken by someone else.
 */
static Oid	tables[lengthof(table_names)];

static void lock_tables(uint32 needed, LOCKMODE mode);
static bool are_there(uint32 needed);
static Oid	owner_of(Oid relation);
static void find_ledger(void);
static bool is_member(Oid relation, Oid extension);
static Oid	extension_schema(Oid *extension);

/*
 * vidtoken_ledger_lock: the tables that a statement names, in the modes that it takes,
 * and take in what other sessions did; returns the owner, who has all of them
 *
 * Whoever waits for a lock may get it on a table that was dropped meanwhile,
 * or that has another owner: only then does it show, and a dropped ledger is
 * looked for again.
 *
 * Once a plan has been found valid nothing may make it invalid: the core would
 * analyze its text again as the owner, and a schema's name in it may belong to
 * somebody else by then.
 */
Oid
vidtoken_ledger_lock(const VidTokenStatement *statement)
{
	uint32		needed = statement->tables ? statement->tables :
	VIDTOKEN_TABLES_OF_SESSIONS;

	for (;;)
	{
		Oid			owner;

		if (!OidIsValid(tables[VIDTOKEN_TABLE_SESSION]))
			find_ledger();
		lock_tables(needed, AccessShareLock);
		if (!statement->read_only)
			lock_tables(needed, RowExclusiveLock);
		AcceptInvalidationMessages();

		owner = owner_of(tables[VIDTOKEN_TABLE_SESSION]);
		if (OidIsValid(owner) && are_there(needed))
			return owner;
		tables[VIDTOKEN_TABLE_SESSION] = InvalidOid;
	}
}

/*
 * vidtoken_ledger_schema: name of the tables' schema, after those have been
 * locked that a statement needs
 *
 * Raises 42P01 when the one of sessions, which it may not need, is gone.
 */
char *
vidtoken_ledger_schema(void)
{
	Oid			schema = get_rel_namespace(tables[VIDTOKEN_TABLE_SESSION]);
	char	   *name = get_namespace_name(schema);

	if (name == NULL)
	{
		tables[VIDTOKEN_TABLE_SESSION] = InvalidOid;
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("a table of extension \"vidtoken\" was dropped during the call"),
				errhint("Call again when it is there."));
	}
	return name;
}

/*
 * vidtoken_ledger_room: OID of the table vidtoken_room, after a statement has
 * been executed
 */
Oid
vidtoken_ledger_room(void)
{
	return tables[VIDTOKEN_TABLE_ROOM];
}

/*
 * vidtoken_ledger_is_shadowed: does the plan touch a table of the ledger's
 * name that is not the ledger's?
 */
bool
vidtoken_ledger_is_shadowed(const VidTokenPlan *plan)
{
	ListCell   *cell;
	size_t		i;

	foreach(cell, vidtoken_plan_relations(plan))
	{
		Oid			relation = lfirst_oid(cell);
		char	   *name = get_rel_name(relation);

		if (name == NULL)
			return true;
		for (i = 0; i < lengthof(tables); i++)
			if (relation != tables[i] && strcmp(name, table_names[i]) == 0)
				return true;
	}
	return false;
}

/*
 * vidtoken_ledger_raise_shadowed: 42P01, and look for the ledger again
 */
void
vidtoken_ledger_raise_shadowed(void)
{
	tables[VIDTOKEN_TABLE_SESSION] = InvalidOid;
	ereport(ERROR,
			errcode(ERRCODE_UNDEFINED_TABLE),
			errmsg("a statement on the ledger reaches a table that has the name of one of the ledger's"),
			errhint("Give that table another name, or take it out of the rule that brings it in. A table of the ledger that was moved belongs back into the extension's schema."));
}

static void
lock_tables(uint32 needed, LOCKMODE mode)
{
	size_t		i;

	for (i = 0; i < lengthof(tables); i++)
		if (needed & VIDTOKEN_TABLE(i))
			LockRelationOid(tables[i], mode);
}

static bool
are_there(uint32 needed)
{
	size_t		i;

	for (i = 0; i < lengthof(tables); i++)
		if ((needed & VIDTOKEN_TABLE(i)) && !OidIsValid(owner_of(tables[i])))
			return false;
	return true;
}

/*
 * owner_of: InvalidOid for a relation that is not there any more
 */
static Oid
owner_of(Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

/*
 * find_ledger: in the schema of the extension, which does not move
 */
static void
find_ledger(void)
{
	Oid			extension;
	Oid			schema = extension_schema(&extension);
	Oid			found[lengthof(tables)];
	size_t		i;

	for (i = 0; i < lengthof(tables); i++)
	{
		found[i] = get_relname_relid(table_names[i], schema);
		if (is_member(found[i], extension))
			continue;
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("a table of extension \"vidtoken\" is not in the extension's schema"),
				errhint("\"%s\" belongs there: move it back.", table_names[i]));
	}
	memcpy(tables, found, sizeof(tables));
}

/*
 * is_member: a table that somebody else put into the schema is none of ours
 */
static bool
is_member(Oid relation, Oid extension)
{
	return OidIsValid(relation) &&
		getExtensionOfObject(RelationRelationId, relation) == extension;
}

/*
 * extension_schema: read from the catalog as it is now, whatever snapshot the
 * transaction has
 */
static Oid
extension_schema(Oid *extension)
{
	Relation	catalog = table_open(ExtensionRelationId, AccessShareLock);
	Oid			schema = InvalidOid;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum("vidtoken"));
	scan = systable_beginscan(catalog, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		*extension = ((Form_pg_extension) GETSTRUCT(tuple))->oid;
		schema = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);

	if (!OidIsValid(schema))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("extension \"vidtoken\" is not installed in this database"),
				errhint("CREATE EXTENSION vidtoken."));
	return schema;
}
