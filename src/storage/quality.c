/*-------------------------------------------------------------------------
 *
 * quality.c
 *	  what clients report of their connections
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/quality.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "storage/ledger.h"
#include "storage/quality.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static VidTokenStatement record = {
	.query = "INSERT INTO %1$s.vidtoken_quality AS q"
	" (provider, room_name, user_identity, quality, metrics, reported_at)"
	" VALUES ($1, $2, $3, $4, $5, $6)"
	" ON CONFLICT (provider, room_name, user_identity) DO UPDATE"
	" SET quality = EXCLUDED.quality, metrics = EXCLUDED.metrics,"
	" reported_at = EXCLUDED.reported_at",
	.tables = VIDTOKEN_TABLE(VIDTOKEN_TABLE_QUALITY),
	.nargs = 6,
	.types = {TEXTOID, TEXTOID, TEXTOID, INT2OID, JSONBOID, TIMESTAMPTZOID},
};

/*
 * vidtoken_quality_record: the latest report takes the place of the one before
 *
 * "metrics" may be NULL.
 */
void
vidtoken_quality_record(const char *provider, const char *room_name,
						const char *user_identity, int quality,
						Jsonb *metrics, TimestampTz now)
{
	Datum		values[6];
	char		nulls[6] = {' ', ' ', ' ', ' ', metrics ? ' ' : 'n', ' '};

	values[0] = CStringGetTextDatum(provider);
	values[1] = CStringGetTextDatum(room_name);
	values[2] = CStringGetTextDatum(user_identity);
	values[3] = Int16GetDatum((int16) quality);
	values[4] = JsonbPGetDatum(metrics);
	values[5] = TimestampTzGetDatum(now);

	SPI_connect();
	if (vidtoken_ledger_execute(&record, values, nulls) == 0)
		vidtoken_ledger_suppressed();
	SPI_finish();
}
