/*-------------------------------------------------------------------------
 *
 * call_state.c
 *	  the state of a call, from what was reported of it
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/call_state.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "policy/settings.h"
#include "storage/call_state.h"
#include "storage/ledger.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/*
 * $1 provider, $2 room name, $3 from when on silence means the end, $4 now,
 * $5 the oldest report of quality to be shown, $6 and $7 between which calls
 * and who comes to them are the appointment's
 */
#define OF_ROOM(alias) \
	" WHERE " alias ".provider OPERATOR(pg_catalog.=) $1" \
	" AND " alias ".room_name OPERATOR(pg_catalog.=) $2"

/*
 * The run that began last, as far as rooms and participants tell.  One of which
 * no time is known began when it was heard of.
 */
#define RUN \
	"SELECT h.room_sid, pg_catalog.min(h.started_at) AS started_at," \
	" pg_catalog.min(h.ended_at) AS ended_at," \
	" pg_catalog.max(h.reported_at) AS reported_at" \
	" FROM (SELECT c.room_sid, c.started_at, c.ended_at, c.reported_at," \
	" COALESCE(c.started_at, c.ended_at, c.reported_at) AS seen_at" \
	" FROM %1$s.vidtoken_call AS c" OF_ROOM("c") \
	" UNION ALL SELECT p.room_sid, p.room_started_at, NULL, p.reported_at," \
	" COALESCE(p.room_started_at, p.joined_at, p.left_at, p.reported_at)" \
	" FROM %1$s.vidtoken_participant AS p" OF_ROOM("p") ") AS h" \
	" GROUP BY h.room_sid" \
	" HAVING COALESCE(pg_catalog.min(h.ended_at) OPERATOR(pg_catalog.>=) $6," \
	" true) AND pg_catalog.min(h.seen_at) OPERATOR(pg_catalog.<=) $7" \
	" ORDER BY pg_catalog.min(h.seen_at) DESC," \
	" pg_catalog.min(h.ended_at) DESC NULLS FIRST, h.room_sid DESC LIMIT 1"

/*
 * Ended, or long over and nothing heard since; what is heard of a room that
 * others have as well is theirs by then
 */
#define STATE \
	"SELECT r.*, r.ended_at IS NOT NULL OR" \
	" ($4 OPERATOR(pg_catalog.>=) $3" \
	" AND (r.reported_at OPERATOR(pg_catalog.<) $3" \
	" OR pg_catalog.isfinite($7))) AS completed" \
	" FROM run AS r"

/*
 * One row a stay.  Who connects again replaces the stay before, whose end may
 * not have been reported: only the last one can be going on.
 */
#define STAY \
	"SELECT p.user_identity, p.joined_at, p.left_at," \
	" COALESCE(p.left_at, s.ended_at) AS went_at," \
	" NOT s.completed AND p.left_at IS NULL AS is_open," \
	" COALESCE(p.joined_at OPERATOR(pg_catalog.=)" \
	" pg_catalog.max(p.joined_at) OVER (PARTITION BY p.user_identity)," \
	" true) AS is_last" \
	" FROM state AS s JOIN %1$s.vidtoken_participant AS p" \
	" ON p.provider OPERATOR(pg_catalog.=) $1" \
	" AND p.room_name OPERATOR(pg_catalog.=) $2" \
	" AND p.room_sid OPERATOR(pg_catalog.=) s.room_sid"

/* Who was there while the call was the appointment's */
#define PERSON \
	"SELECT t.user_identity, pg_catalog.min(t.joined_at) FILTER (WHERE" \
	" COALESCE(t.left_at OPERATOR(pg_catalog.>=) $6, true)) AS joined_at," \
	" pg_catalog.bool_or(t.is_open AND t.is_last) AS present," \
	" pg_catalog.max(GREATEST(t.went_at, t.joined_at)) FILTER (WHERE" \
	" t.is_last AND t.went_at IS NOT NULL) AS left_at" \
	" FROM stay AS t GROUP BY t.user_identity"

#define RATED \
	"SELECT x.user_identity, x.joined_at, x.present," \
	" CASE WHEN NOT x.present THEN x.left_at END AS left_at," \
	" q.quality, q.metrics FROM person AS x" \
	" LEFT JOIN %1$s.vidtoken_quality AS q ON x.present" \
	" AND q.provider OPERATOR(pg_catalog.=) $1" \
	" AND q.room_name OPERATOR(pg_catalog.=) $2" \
	" AND q.user_identity OPERATOR(pg_catalog.=) x.user_identity" \
	" AND q.reported_at OPERATOR(pg_catalog.>=) $5" \
	" WHERE COALESCE(x.left_at OPERATOR(pg_catalog.>=) $6, true)" \
	" AND COALESCE(x.joined_at OPERATOR(pg_catalog.<=) $7, true)"

#define PARTICIPANTS \
	"SELECT pg_catalog.count(*) FILTER (WHERE y.present) AS present," \
	" pg_catalog.min(y.quality) AS quality," \
	" COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(" \
	"'identity', y.user_identity, 'joined_at', y.joined_at," \
	" 'left_at', y.left_at, 'quality', y.quality, 'metrics', y.metrics)" \
	" ORDER BY y.joined_at, y.user_identity), '[]'::pg_catalog.jsonb) AS list" \
	" FROM rated AS y"

static VidTokenStatement read_state = {
	.query = "WITH run AS (" RUN "), state AS (" STATE "), stay AS (" STAY "),"
	" person AS (" PERSON "), rated AS (" RATED ")"
	" SELECT s.completed, s.started_at, s.ended_at, s.reported_at,"
	" l.present, l.quality, l.list"
	" FROM state AS s CROSS JOIN (" PARTICIPANTS ") AS l",
	.tables = VIDTOKEN_TABLE(VIDTOKEN_TABLE_CALL) |
	VIDTOKEN_TABLE(VIDTOKEN_TABLE_PARTICIPANT) |
	VIDTOKEN_TABLE(VIDTOKEN_TABLE_QUALITY),
	.read_only = true,
	.nargs = 7,
	.types = {TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
	.results = {BOOLOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID,
	INT2OID, JSONBOID},
};

static TimestampTz fetch_time(int column);

/*
 * vidtoken_call_state_read: false when no webhook spoke of such a call
 */
bool
vidtoken_call_state_read(const VidTokenCallQuery *query, TimestampTz now,
						 VidTokenCallState *state)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		values[7];
	Datum		value;
	bool		isnull;
	bool		found;

	values[0] = CStringGetTextDatum(query->provider);
	values[1] = CStringGetTextDatum(query->room_name);
	values[2] = TimestampTzGetDatum(query->silent_since);
	values[3] = TimestampTzGetDatum(now);
	values[4] = TimestampTzGetDatum(now - (int64) vidtoken_quality_stale_after *
									USECS_PER_SEC);
	values[5] = TimestampTzGetDatum(query->from);
	values[6] = TimestampTzGetDatum(query->until);

	SPI_connect();
	found = vidtoken_ledger_execute(&read_state, values, NULL) > 0;
	MemoryContextSwitchTo(caller);
	if (found)
	{
		state->completed = DatumGetBool(vidtoken_ledger_value(1, &isnull));
		state->started_at = fetch_time(2);
		state->ended_at = fetch_time(3);
		/* LiveKit tells of the end in whole seconds. */
		if (!TIMESTAMP_IS_NOBEGIN(state->ended_at))
			state->ended_at = Max(state->ended_at, state->started_at);
		state->reported_at = fetch_time(4);
		state->participant_count =
			DatumGetInt64(vidtoken_ledger_value(5, &isnull));
		value = vidtoken_ledger_value(6, &isnull);
		state->quality = isnull ? -1 : DatumGetInt16(value);
		state->participants =
			DatumGetJsonbPCopy(vidtoken_ledger_value(7, &isnull));
	}
	SPI_finish();
	return found;
}

static TimestampTz
fetch_time(int column)
{
	bool		isnull;
	Datum		value = vidtoken_ledger_value(column, &isnull);

	return isnull ? DT_NOBEGIN : DatumGetTimestampTz(value);
}
