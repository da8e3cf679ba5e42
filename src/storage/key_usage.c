/*-------------------------------------------------------------------------
 *
 * key_usage.c
 *	  which keys the tokens of the ledger need
 *
 * For vidtoken_check(): it scans the sessions, because an index on their key
 * or expiry would cost every refresh.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/key_usage.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "storage/key_usage.h"
#include "storage/ledger.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* An empty earlier_key_id may be any key. */
static VidTokenStatement usage_of_key = {
	.query = "SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>) 0,"
	" pg_catalog.count(*) FILTER (WHERE u.needed_until OPERATOR(pg_catalog.>) $2),"
	" pg_catalog.max(u.needed_until)"
	" FROM (SELECT GREATEST("
	"CASE WHEN s.key_id OPERATOR(pg_catalog.=) $1 THEN s.expires_at END,"
	" CASE WHEN s.earlier_key_id OPERATOR(pg_catalog.=) ANY (ARRAY[$1, '']) THEN s.earlier_expires_at END)"
	" FROM %1$s.vidtoken_session AS s) AS u (needed_until)"
	" WHERE u.needed_until IS NOT NULL",
	.read_only = true,
	.scans = true,
	.nargs = 2,
	.types = {TEXTOID, TIMESTAMPTZOID},
	.results = {BOOLOID, INT8OID, TIMESTAMPTZOID},
};

/*
 * vidtoken_key_usage_read: sessions with a live token of this key
 */
void
vidtoken_key_usage_read(const char *key_id, TimestampTz now,
						VidTokenKeyUsage *usage)
{
	Datum		values[2];
	bool		isnull;

	values[0] = CStringGetTextDatum(key_id);
	values[1] = TimestampTzGetDatum(now);

	SPI_connect();
	vidtoken_ledger_execute(&usage_of_key, values, NULL);
	usage->was_used = DatumGetBool(vidtoken_ledger_value(1, &isnull));
	usage->sessions = DatumGetInt64(vidtoken_ledger_value(2, &isnull));
	usage->needed_until =
		DatumGetTimestampTz(vidtoken_ledger_value(3, &isnull));
	SPI_finish();
}
