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

static VidTokenStatement usage_of_key = {
	.query = "SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>) 0,"
	" pg_catalog.count(*) FILTER (WHERE s.expires_at OPERATOR(pg_catalog.>) $2),"
	" pg_catalog.max(s.expires_at)"
	" FROM %1$s.vidtoken_session AS s WHERE s.key_id OPERATOR(pg_catalog.=) $1",
	.read_only = true,
	.scans = true,
	.nargs = 2,
	.types = {TEXTOID, TIMESTAMPTZOID},
};

/*
 * vidtoken_key_usage_read: tokens that this key has signed
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
	usage->live_tokens = DatumGetInt64(vidtoken_ledger_value(2, &isnull));
	usage->last_expires_at =
		DatumGetTimestampTz(vidtoken_ledger_value(3, &isnull));
	SPI_finish();
}
