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
#include "miscadmin.h"
#include "policy/policy.h"
#include "policy/settings.h"
#include "provider/provider.h"
#include "sql/report.h"
#include "storage/diagnosis.h"
#include "storage/source.h"
#include "utils/builtins.h"
#include "vidtoken.h"

PG_FUNCTION_INFO_V1(vidtoken_check);

static void check_library(VidTokenReport *report);
static void check_settings(VidTokenReport *report);
static void check_provider(VidTokenReport *report);
static void check_rooms(VidTokenReport *report);
static void check_source(VidTokenReport *report);
static void check_ledger(VidTokenReport *report);
static void check_rights(VidTokenReport *report);
static void settings_step(void *arg);
static void provider_step(void *arg);
static void source_step(void *arg);

/*
 * vidtoken_check(): one row for each thing that was looked at
 */
Datum
vidtoken_check(PG_FUNCTION_ARGS)
{
	VidTokenReport report;

	vidtoken_report_begin(fcinfo, &report);
	check_library(&report);
	check_settings(&report);
	check_provider(&report);
	check_rooms(&report);
	vidtoken_check_keys(&report);
	check_source(&report);
	check_ledger(&report);
	check_rights(&report);
	return (Datum) 0;
}

static void
check_library(VidTokenReport *report)
{
	const char *version = vidtoken_diagnose_version();
	const char *preloaded = GetConfigOption("session_preload_libraries", true, false);
	const char *shared = GetConfigOption("shared_preload_libraries", true, false);

	if (version != NULL && strcmp(version, VIDTOKEN_VERSION) == 0)
		vidtoken_report_add(report, "library", "ok",
							psprintf("vidtoken %s, %s", VIDTOKEN_VERSION, vidtoken_crypto_version()),
							NULL);
	else
		vidtoken_report_add(report, "library", "error",
							psprintf("library is version %s, SQL objects are version %s",
									 VIDTOKEN_VERSION, version ? version : "unknown"),
							"ALTER EXTENSION vidtoken UPDATE, then reconnect.");

	if ((preloaded == NULL || strstr(preloaded, "vidtoken") == NULL) &&
		(shared == NULL || strstr(shared, "vidtoken") == NULL))
		vidtoken_report_add(report, "library", "warning",
							"sessions do not know the settings until they call a function",
							"ALTER DATABASE ... SET session_preload_libraries = 'vidtoken'.");
}

static void
check_settings(VidTokenReport *report)
{
	bool		good = vidtoken_report_passes(report, "settings", settings_step, NULL);
	char	   *ignored;

	if (vidtoken_refresh_window >= vidtoken_warn_window)
		vidtoken_report_add(report, "settings", "warning",
							"tokens are due for refresh before the user is warned",
							"Set \"vidtoken.refresh_window\" below \"vidtoken.warn_window\".");
	if (vidtoken_warn_window * 2 > vidtoken_max_ttl)
		vidtoken_report_add(report, "settings", "warning",
							"users are warned for more than half of a token's life",
							"Lower \"vidtoken.warn_window\" or raise \"vidtoken.max_ttl\".");
	if (vidtoken_max_overrun < vidtoken_buffer_after)
		vidtoken_report_add(report, "settings", "warning",
							"entering ends at the hard stop, before buffer_after is over",
							"Raise \"vidtoken.max_overrun\" or lower \"vidtoken.buffer_after\".");
	if (vidtoken_record_sessions == VIDTOKEN_RECORD_OFF)
		vidtoken_report_add(report, "settings", "warning",
							"sessions are not recorded, nobody can be barred",
							"Set \"vidtoken.record_sessions\" to required or preferred.");
	if (vidtoken_test_clock_is_set())
		vidtoken_report_add(report, "settings", "warning",
							"the clock stands still",
							"Reset \"vidtoken.test_clock\": it is for tests.");
	ignored = vidtoken_diagnose_settings();
	if (ignored != NULL)
		vidtoken_report_add(report, "settings", "warning",
							psprintf("stored for the database or the role, but not in force: %s",
									 ignored),
							"Reconnect. A WARNING at connect tells of a name or value that is refused.");
	if (good)
		vidtoken_report_add(report, "settings", "ok", "no contradiction that prevents tokens", NULL);
}

static void
check_provider(VidTokenReport *report)
{
	const VidTokenProvider *provider = vidtoken_provider_find(vidtoken_provider);
	const char *problem = NULL;

	if (!vidtoken_report_passes(report, "provider", provider_step, NULL))
		return;
	if (provider->check_credentials != NULL)
		problem = provider->check_credentials(vidtoken_account, vidtoken_key_id);
	if (problem != NULL)
		vidtoken_report_add(report, "provider", "error", problem,
							"Check \"vidtoken.account\" and \"vidtoken.key_id\".");
	else
		vidtoken_report_add(report, "provider", "ok",
							provider->needs_account ?
							psprintf("%s, account %s", provider->name, vidtoken_account) :
							provider->name,
							NULL);
	if (provider->wants_server_url && vidtoken_server_url[0] == '\0')
		vidtoken_report_add(report, "provider", "warning",
							"grants do not tell clients where to connect",
							"Set \"vidtoken.server_url\".");
	if (provider->wants_audience && vidtoken_audience[0] == '\0')
		vidtoken_report_add(report, "provider", "warning",
							"tokens do not say who they are for",
							"Set \"vidtoken.audience\", and have it checked where tokens are accepted.");
}

/*
 * check_rooms: numbers that the provider changes for every appointment, the
 * shortest included
 *
 * Up to the provider's maximum, what depends on the duration may fit for other
 * appointments.
 */
static void
check_rooms(VidTokenReport *report)
{
	const VidTokenProvider *provider = vidtoken_provider_find(vidtoken_provider);
	VidTokenSchedule schedule;
	VidTokenRoom room = {0};
	ListCell   *cell;

	vidtoken_policy_span(0, vidtoken_min_duration * USECS_PER_SEC, &schedule);
	vidtoken_policy_room(&schedule, &room);
	room.unused_timeout = Max(room.unused_timeout, provider->unused_timeout.max);
	room.max_stay = Max(room.max_stay, provider->max_stay.max);

	foreach(cell, vidtoken_provider_fit_room(provider, &room))
		vidtoken_report_add(report, "provider", "warning",
							psprintf("the room of every appointment is adjusted: %s",
									 (char *) lfirst(cell)),
							"Set what it depends on to what the provider takes: \"vidtoken.empty_room_timeout\", \"vidtoken.unused_room_buffer\", or for max_stay \"vidtoken.max_overrun\".");
}

static void
check_source(VidTokenReport *report)
{
	VidTokenSource source;
	char	   *tables;

	if (!vidtoken_report_passes(report, "source", source_step, &source))
		return;
	vidtoken_report_add(report, "source", "ok",
						psprintf("%s, keys %s and %s", vidtoken_source,
								 format_type_be(source.appointment_id.column_type),
								 format_type_be(source.user_id.column_type)),
						NULL);

	tables = vidtoken_diagnose_rls(source.relation);
	if (tables != NULL)
		vidtoken_report_add(report, "source", "warning",
							psprintf("the view reads as its owner, past the row-level security of %s",
									 tables),
							"Make the view WITH (security_invoker = true), or before PostgreSQL 15 use a table or a condition in the view.");
}

static void
check_ledger(VidTokenReport *report)
{
	char	   *owner = vidtoken_diagnose_owner();
	char	   *grants = vidtoken_diagnose_grants();
	char	   *triggers = vidtoken_diagnose_triggers();

	if (owner != NULL)
		vidtoken_report_add(report, "ledger", "error", owner,
							"Give all of them, vidtoken_session to vidtoken_quality, to one role that may use their schema.");
	if (grants != NULL)
		vidtoken_report_add(report, "ledger", "error",
							psprintf("others than the owner have rights on the tables: %s", grants),
							"REVOKE them: who writes to the ledger can bar and unbar, and a trigger runs as its owner.");
	if (triggers != NULL)
		vidtoken_report_add(report, "ledger", "warning",
							psprintf("functions of triggers have no search_path of their own: %s", triggers),
							"ALTER FUNCTION ... SET search_path = pg_catalog, pg_temp: they run as the ledger's owner.");
	if (owner == NULL && grants == NULL)
		vidtoken_report_add(report, "ledger", "ok", "the tables have one owner, and nobody else may write", NULL);
}

static void
check_rights(VidTokenReport *report)
{
	char	   *functions = vidtoken_diagnose_public();

	if (functions != NULL)
		vidtoken_report_add(report, "rights", "warning",
							psprintf("everyone may call %s", functions),
							"REVOKE EXECUTE ... FROM PUBLIC, and grant it role by role.");
	else
		vidtoken_report_add(report, "rights", "ok", "nothing that signs or writes is granted to PUBLIC", NULL);
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
source_step(void *arg)
{
	vidtoken_source_resolve(arg, CurrentMemoryContext);
}
