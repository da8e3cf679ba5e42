/*-------------------------------------------------------------------------
 *
 * check.c
 *	  vidtoken_check: everything that can be misconfigured
 *
 * Each step calls what a token would call and turns its error into a row, so
 * that there is one place that knows what is wrong and one text for it.  Rows
 * may show what errors keep for the server's log: the path of the keyring and
 * why it cannot be used, never a key.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/check.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "crypto/crypto.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/guarded.h"
#include "miscadmin.h"
#include "policy/keyring.h"
#include "policy/settings.h"
#include "provider/provider.h"
#include "storage/diagnosis.h"
#include "storage/source.h"
#include "utils/builtins.h"
#include "vidtoken.h"

PG_FUNCTION_INFO_V1(vidtoken_check);

/* the function's result */
typedef struct Report
{
	Tuplestorestate *rows;
	TupleDesc	descriptor;
	VidTokenSource source;
} Report;

static void begin_report(FunctionCallInfo fcinfo, Report *report);
static void check_library(Report *report);
static void check_settings(Report *report);
static void check_provider(Report *report);
static void check_keyring(Report *report);
static void check_source(Report *report);
static void check_ledger(Report *report);
static void check_rights(Report *report);
static bool passes(Report *report, const char *item, VidTokenStep step,
				   void *arg);
static void add(Report *report, const char *item, const char *status,
				const char *message, const char *hint);
static void settings_step(void *arg);
static void provider_step(void *arg);
static void keyring_step(void *arg);
static void signing_key_step(void *arg);
static void source_step(void *arg);

/*
 * vidtoken_check(): one row for each thing that was looked at
 */
Datum
vidtoken_check(PG_FUNCTION_ARGS)
{
	Report		report;

	begin_report(fcinfo, &report);
	check_library(&report);
	check_settings(&report);
	check_provider(&report);
	check_keyring(&report);
	check_source(&report);
	check_ledger(&report);
	check_rights(&report);
	return (Datum) 0;
}

static void
begin_report(FunctionCallInfo fcinfo, Report *report)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext caller;

	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		!(result->allowedModes & SFRM_Materialize))
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("set-valued function called in context that cannot accept a set"));
	caller = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL,
							 &report->descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "unexpected result type of vidtoken_check");
	report->rows = tuplestore_begin_heap(true, false, work_mem);
	result->returnMode = SFRM_Materialize;
	result->setResult = report->rows;
	result->setDesc = report->descriptor;
	MemoryContextSwitchTo(caller);
}

static void
check_library(Report *report)
{
	const char *version = vidtoken_diagnose_version();
	const char *preloaded = GetConfigOption("session_preload_libraries", true, false);
	const char *shared = GetConfigOption("shared_preload_libraries", true, false);

	if (version != NULL && strcmp(version, VIDTOKEN_VERSION) == 0)
		add(report, "library", "ok",
			psprintf("vidtoken %s, %s", VIDTOKEN_VERSION, vidtoken_crypto_version()),
			NULL);
	else
		add(report, "library", "error",
			psprintf("library is version %s, SQL objects are version %s",
					 VIDTOKEN_VERSION, version ? version : "unknown"),
			"ALTER EXTENSION vidtoken UPDATE, then reconnect.");

	if ((preloaded == NULL || strstr(preloaded, "vidtoken") == NULL) &&
		(shared == NULL || strstr(shared, "vidtoken") == NULL))
		add(report, "library", "warning",
			"sessions do not know the settings until they call a function",
			"ALTER DATABASE ... SET session_preload_libraries = 'vidtoken'.");
}

static void
check_settings(Report *report)
{
	bool		good = passes(report, "settings", settings_step, NULL);
	char	   *ignored;

	if (vidtoken_refresh_window >= vidtoken_warn_window)
		add(report, "settings", "warning",
			"tokens are due for refresh before the user is warned",
			"Set \"vidtoken.refresh_window\" below \"vidtoken.warn_window\".");
	if (vidtoken_warn_window * 2 > vidtoken_max_ttl)
		add(report, "settings", "warning",
			"users are warned for more than half of a token's life",
			"Lower \"vidtoken.warn_window\" or raise \"vidtoken.max_ttl\".");
	if (vidtoken_max_overrun < vidtoken_buffer_after)
		add(report, "settings", "warning",
			"entering ends at the hard stop, before buffer_after is over",
			"Raise \"vidtoken.max_overrun\" or lower \"vidtoken.buffer_after\".");
	if (vidtoken_record_sessions == VIDTOKEN_RECORD_OFF)
		add(report, "settings", "warning",
			"sessions are not recorded, nobody can be barred",
			"Set \"vidtoken.record_sessions\" to required or preferred.");
	if (vidtoken_test_clock_is_set())
		add(report, "settings", "warning",
			"the clock stands still",
			"Reset \"vidtoken.test_clock\": it is for tests.");
	ignored = vidtoken_diagnose_settings();
	if (ignored != NULL)
		add(report, "settings", "warning",
			psprintf("stored for the database or the role, but not in force: %s",
					 ignored),
			"Reconnect. A WARNING at connect tells of a name or value that is refused.");
	if (good)
		add(report, "settings", "ok", "no contradiction that prevents tokens", NULL);
}

static void
check_provider(Report *report)
{
	const VidTokenProvider *provider = vidtoken_provider_find(vidtoken_provider);
	const char *problem = NULL;

	if (!passes(report, "provider", provider_step, NULL))
		return;
	if (provider->check_credentials != NULL)
		problem = provider->check_credentials(vidtoken_account, vidtoken_key_id);
	if (problem != NULL)
		add(report, "provider", "error", problem,
			"Check \"vidtoken.account\" and \"vidtoken.key_id\".");
	else
		add(report, "provider", "ok",
			psprintf("%s, account %s", provider->name, vidtoken_account), NULL);
}

static void
check_keyring(Report *report)
{
	const char *problem;
	int			i;

	if (!passes(report, "keyring", keyring_step, NULL))
		return;
	problem = vidtoken_keyring_problem();
	if (problem != NULL)
		add(report, "keyring", "error",
			psprintf("new sessions cannot use file \"%s\": %s",
					 vidtoken_keyring, problem),
			"Running sessions go on with the keys they have. Mend the file.");
	else
		add(report, "keyring", "ok",
			psprintf("%d keys in %s", vidtoken_keyring_count(),
					 vidtoken_keyring),
			NULL);
	if (passes(report, "signing key", signing_key_step, NULL))
		add(report, "signing key", "ok", vidtoken_key_id, NULL);

	for (i = 0; i < vidtoken_keyring_count(); i++)
	{
		const VidTokenKey *key = vidtoken_keyring_get(i);

		add(report, "key", "ok",
			psprintf("%s: %s, %s%s%s", key->kid, key->algorithm->name,
					 vidtoken_key_use_name(key->use),
					 key->provider ? " for " : "",
					 key->provider ? key->provider : ""),
			NULL);
	}
}

static void
check_source(Report *report)
{
	char	   *tables;

	if (!passes(report, "source", source_step, &report->source))
		return;
	add(report, "source", "ok",
		psprintf("%s, keys %s and %s", vidtoken_source,
				 format_type_be(report->source.appointment_id.column_type),
				 format_type_be(report->source.user_id.column_type)),
		NULL);

	tables = vidtoken_diagnose_rls(report->source.relation);
	if (tables != NULL)
		add(report, "source", "warning",
			psprintf("the view reads as its owner, past the row-level security of %s",
					 tables),
			"Make the view WITH (security_invoker = true), or before PostgreSQL 15 use a table or a condition in the view.");
}

static void
check_ledger(Report *report)
{
	char	   *owner = vidtoken_diagnose_owner();
	char	   *grants = vidtoken_diagnose_grants();
	char	   *triggers = vidtoken_diagnose_triggers();

	if (owner != NULL)
		add(report, "ledger", "error", owner,
			"Give vidtoken_session and vidtoken_room to one role that may use their schema.");
	if (grants != NULL)
		add(report, "ledger", "error",
			psprintf("others than the owner have rights on the tables: %s", grants),
			"REVOKE them: who writes to the ledger can bar and unbar, and a trigger runs as its owner.");
	if (triggers != NULL)
		add(report, "ledger", "warning",
			psprintf("functions of triggers have no search_path of their own: %s", triggers),
			"ALTER FUNCTION ... SET search_path = pg_catalog, pg_temp: they run as the ledger's owner.");
	if (owner == NULL && grants == NULL)
		add(report, "ledger", "ok", "the tables have one owner, and nobody else may write", NULL);
}

static void
check_rights(Report *report)
{
	char	   *functions = vidtoken_diagnose_public();

	if (functions != NULL)
		add(report, "rights", "warning",
			psprintf("everyone may call %s", functions),
			"REVOKE EXECUTE ... FROM PUBLIC, and grant it role by role.");
	else
		add(report, "rights", "ok", "nothing that signs or writes is granted to PUBLIC", NULL);
}

static void
settings_step(void *arg)
{
	(void) arg;
	vidtoken_settings_check();
}

static void
provider_step(void *arg)
{
	(void) arg;
	vidtoken_provider_current();
}

static void
keyring_step(void *arg)
{
	(void) arg;
	vidtoken_keyring_refresh();
}

static void
signing_key_step(void *arg)
{
	(void) arg;
	vidtoken_keyring_signing_key(vidtoken_provider_find(vidtoken_provider),
								 vidtoken_key_id);
}

static void
source_step(void *arg)
{
	vidtoken_source_resolve(arg, CurrentMemoryContext);
}

/*
 * passes: run a step, and report its error if it raises one
 *
 * What has nothing to do with the configuration is raised again.
 */
static bool
passes(Report *report, const char *item, VidTokenStep step, void *arg)
{
	ErrorData  *error = vidtoken_guarded(step, arg);
	const char *detail;

	if (error == NULL)
		return true;
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_INTERNAL_ERROR:
			ReThrowError(error);
	}
	detail = error->detail_log ? error->detail_log : error->detail;
	add(report, item, "error",
		detail ? psprintf("%s: %s", error->message, detail) : error->message,
		error->detail_log ?
		"The command vidtoken-keyring keeps what holds for the file; its list command shows the keys." :
		error->hint);
	return false;
}

static void
add(Report *report, const char *item, const char *status,
	const char *message, const char *hint)
{
	Datum		values[4];
	bool		nulls[4] = {false, false, false, hint == NULL};

	values[0] = CStringGetTextDatum(item);
	values[1] = CStringGetTextDatum(status);
	values[2] = CStringGetTextDatum(message);
	values[3] = hint ? CStringGetTextDatum(hint) : (Datum) 0;
	tuplestore_putvalues(report->rows, report->descriptor, values, nulls);
}
