/*-------------------------------------------------------------------------
 *
 * ledger.c
 *	  statements on the ledger's tables
 *
 * The ledger is read and written as the owner of its tables, whoever calls.
 * Whatever runs under that identity must not be the caller's to choose:
 *
 * - search_path is pinned, for preparing and for executing, and every
 *   relation, operator, function and cast in a statement is qualified; one
 *   operator without its schema would hand the owner's rights to the caller;
 * - only finished C values cross the line: every input, output and equality
 *   function has run before, as the caller;
 * - NOFORCE_RLS is on when a plan is made and when it runs, so that row-level
 *   security on the ledger does not shut its owner out.  RESTRICTED_OPERATION
 *   is not: it would turn a deferred trigger of the administrator's into an
 *   error, and would not stop an operator.
 *
 * An error leaves the identity and the settings to the abort of the
 * (sub)transaction, which restores both.
 *
 * Statements see the latest committed state, also in a REPEATABLE READ
 * transaction: a bar holds from its commit on, whatever the caller's snapshot.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/ledger.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "compat.h"
#include "miscadmin.h"
#include "policy/settings.h"
#include "storage/ledger.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/*
 * The tables, once found.  Kept by OID alone: a schema can be renamed, and its
 * old name taken by someone else.
 */
static Oid	ledger_session = InvalidOid;
static Oid	ledger_room = InvalidOid;

static Oid	lock_ledger(bool read_only);
static Oid	owner_of(Oid relation);
static void find_ledger(void);
static bool is_member(Oid relation, Oid extension);
static Oid	extension_schema(Oid *extension);
static void prepare(VidTokenStatement *statement);
static void set_local(const char *name, const char *value);

/*
 * vidtoken_ledger_mode: what vidtoken.record_sessions and the server's state
 * allow a call that issues
 *
 * Raises 25006 when a row is needed and none can be written.  A read-only
 * transaction on a primary is no way around the ledger; one that a standby
 * began stays what it was when the standby is promoted.
 */
VidTokenLedgerMode
vidtoken_ledger_mode(void)
{
	if (vidtoken_record_sessions == VIDTOKEN_RECORD_OFF)
		return VIDTOKEN_LEDGER_NONE;
	if (!XactReadOnly)
		return VIDTOKEN_LEDGER_WRITE;
	if (vidtoken_record_sessions == VIDTOKEN_RECORD_PREFERRED &&
		TransactionStartedDuringRecovery())
		return VIDTOKEN_LEDGER_READ;
	ereport(ERROR,
			errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
			errmsg("cannot record the session in a read-only transaction"),
			errhint("Call in a read-write transaction. On a hot standby, \"vidtoken.record_sessions\" must be preferred."));
}

/*
 * vidtoken_ledger_require: for calls that make no sense without a ledger
 *
 * Raises F0000 when it is off, 25006 when it cannot be written.
 */
void
vidtoken_ledger_require(void)
{
	if (vidtoken_record_sessions == VIDTOKEN_RECORD_OFF)
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("there is no ledger to write to"),
				errdetail("Setting \"vidtoken.record_sessions\" is off."),
				errhint("Set \"vidtoken.record_sessions\" to required or preferred."));
	if (XactReadOnly)
		ereport(ERROR,
				errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				errmsg("cannot write to the ledger in a read-only transaction"),
				errhint("Call in a read-write transaction on the primary."));
}

/*
 * vidtoken_ledger_execute: run a statement as the ledger's owner, inside an
 * SPI connection; returns the number of rows
 */
uint64
vidtoken_ledger_execute(VidTokenStatement *statement, Datum *values,
						const char *nulls)
{
	Oid			owner = lock_ledger(statement->read_only);
	Oid			caller;
	int			security_context;
	int			nest_level;

	GetUserIdAndSecContext(&caller, &security_context);
	SetUserIdAndSecContext(owner,
						   security_context |
						   SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
	nest_level = NewGUCNestLevel();
	set_local("search_path", "pg_catalog, pg_temp");

	if (!vidtoken_plan_is_valid(&statement->plan))
		prepare(statement);
	vidtoken_plan_execute(&statement->plan, values, nulls,
						  GetLatestSnapshot(), statement->read_only, 0);

	AtEOXact_GUC(true, nest_level);
	SetUserIdAndSecContext(caller, security_context);
	return SPI_processed;
}

/*
 * vidtoken_ledger_execute_key: the same for a statement whose arguments are
 * the ids of appointment and user, or of the appointment alone
 */
uint64
vidtoken_ledger_execute_key(VidTokenStatement *statement,
							const char *appointment_id, const char *user_id)
{
	Datum		values[2];

	values[0] = CStringGetTextDatum(appointment_id);
	if (user_id != NULL)
		values[1] = CStringGetTextDatum(user_id);
	return vidtoken_ledger_execute(statement, values, NULL);
}

/*
 * vidtoken_ledger_suppressed: raise 55000, a row that must be there is not
 */
void
vidtoken_ledger_suppressed(void)
{
	ereport(ERROR,
			errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			errmsg("the ledger did not take the row"),
			errhint("A trigger on the ledger suppressed it."));
}

/*
 * vidtoken_ledger_room: OID of the table vidtoken_room, after a statement has
 * been executed
 */
Oid
vidtoken_ledger_room(void)
{
	return ledger_room;
}

/*
 * vidtoken_ledger_value: column of the first row, 1 being the first
 */
Datum
vidtoken_ledger_value(int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
						 column, isnull);
}

/*
 * vidtoken_ledger_text: a text column as a copy in the current context, NULL
 * for NULL
 */
char *
vidtoken_ledger_text(int row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/*
 * lock_ledger: in the modes that the statements take, and take in what other
 * sessions did; returns the owner
 *
 * Whoever waits for a lock may get it on a table that was dropped meanwhile,
 * or that has another owner: only then does it show, and a dropped ledger is
 * looked for again.
 *
 * Once a plan has been found valid nothing may make it invalid: the core would
 * analyze its text again as the owner, and a schema's name in it may belong to
 * somebody else by then.
 */
static Oid
lock_ledger(bool read_only)
{
	for (;;)
	{
		Oid			owner;

		if (!OidIsValid(ledger_session))
			find_ledger();
		LockRelationOid(ledger_session, AccessShareLock);
		LockRelationOid(ledger_room, AccessShareLock);
		if (!read_only)
		{
			LockRelationOid(ledger_session, RowExclusiveLock);
			LockRelationOid(ledger_room, RowExclusiveLock);
		}
		AcceptInvalidationMessages();

		owner = owner_of(ledger_session);
		if (OidIsValid(owner) && OidIsValid(owner_of(ledger_room)))
			return owner;
		ledger_session = InvalidOid;
	}
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

	ledger_session = get_relname_relid("vidtoken_session", schema);
	ledger_room = get_relname_relid("vidtoken_room", schema);
	if (!is_member(ledger_session, extension) ||
		!is_member(ledger_room, extension))
	{
		ledger_session = InvalidOid;
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("a table of extension \"vidtoken\" is not in the extension's schema"),
				errhint("vidtoken_session and vidtoken_room belong there: move them back."));
	}
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

/*
 * prepare: as the owner, with the path pinned
 *
 * Tables may be empty when the plan is made, and it is kept while they grow:
 * what is looked up by a key never reads the whole table.
 */
static void
prepare(VidTokenStatement *statement)
{
	Oid			schema = get_rel_namespace(ledger_session);
	int			nest_level = NewGUCNestLevel();

	if (!statement->scans)
		set_local("enable_seqscan", "off");
	vidtoken_plan_prepare(&statement->plan,
						  psprintf(statement->query,
								   quote_identifier(get_namespace_name(schema))),
						  statement->nargs, statement->types);
	vidtoken_plan_build(&statement->plan);
	AtEOXact_GUC(true, nest_level);
}

static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}
