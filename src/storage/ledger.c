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

#include "access/transam.h"
#include "access/xact.h"
#include "compat.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "policy/settings.h"
#include "storage/ledger.h"
#include "storage/ledger_tables.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

/*
 * Names in a text are looked up so often before somebody else's table is not
 * there by a schema's rename at just that moment, but to stay.
 */
#define MAX_SHADOWED 100

static void prepare(VidTokenStatement *statement);
static void require_results(VidTokenStatement *statement);
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
	Oid			owner;
	Oid			caller;
	int			security_context;
	int			nest_level;

	/* Not even the leader may take the latest snapshot in a parallel query. */
	PreventCommandIfParallelMode("a statement on the ledger");
	owner = vidtoken_ledger_lock(statement);
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
 * prepare: as the owner, with the path pinned
 *
 * Tables may be empty when the plan is made, and it is kept while they grow:
 * what is looked up by a key never reads the whole table.
 *
 * The schema can be renamed, and its old name be taken, until the names in the
 * text have been looked up.  What they stand for is judged before anything is
 * planned: planning evaluates expressions of a table's author.
 */
static void
prepare(VidTokenStatement *statement)
{
	int			nest_level = NewGUCNestLevel();
	int			shadowed = 0;

	if (!statement->scans)
		set_local("enable_seqscan", "off");
	do
	{
		const char *schema = quote_identifier(vidtoken_ledger_schema());

		CHECK_FOR_INTERRUPTS();
		vidtoken_plan_prepare(&statement->plan,
							  psprintf(statement->query, schema),
							  statement->nargs, statement->types);
		if (vidtoken_ledger_is_shadowed(&statement->plan))
		{
			vidtoken_plan_free(&statement->plan);
			if (++shadowed == MAX_SHADOWED)
				vidtoken_ledger_raise_shadowed();
		}
		else if (vidtoken_plan_is_valid(&statement->plan))
		{
			require_results(statement);
			vidtoken_plan_build(&statement->plan);
		}
	} while (!vidtoken_plan_is_valid(&statement->plan));
	AtEOXact_GUC(true, nest_level);
}

/*
 * require_results: the owner of a table can alter its columns
 *
 * varchar is as good as text.
 */
static void
require_results(VidTokenStatement *statement)
{
	TupleDesc	result = vidtoken_plan_result(&statement->plan);
	int			i;

	for (i = 0; result != NULL && i < result->natts; i++)
	{
		Oid			type = TupleDescAttr(result, i)->atttypid;

		if (IsBinaryCoercible(type, statement->results[i]))
			continue;
		vidtoken_plan_free(&statement->plan);
		ereport(ERROR,
				errcode(ERRCODE_DATATYPE_MISMATCH),
				errmsg("the ledger has type %s where extension \"vidtoken\" needs %s",
					   format_type_be(type),
					   format_type_be(statement->results[i])),
				errhint("Give the columns of its tables the types back that the extension made them with."));
	}
}

static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}
