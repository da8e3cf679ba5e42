/*-------------------------------------------------------------------------
 *
 * prune.c
 *	  forgets what is long over
 *
 * Plain sessions go by themselves.  Bars and resets outlive an appointment
 * that was moved, so whether they may go is the caller's to judge, one
 * appointment after the other.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/prune.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/pg_list.h"
#include "storage/ledger.h"
#include "storage/prune.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* Bars are not its to judge. */
static VidTokenStatement prune_sessions = {
	.query = "DELETE FROM %1$s.vidtoken_session AS s"
	" WHERE s.hard_stop OPERATOR(pg_catalog.<) $1 AND s.revoked_at IS NULL",
	.scans = true,
	.nargs = 1,
	.types = {TIMESTAMPTZOID},
};

/*
 * How long a row is kept at least.  Who set a bar need not have seen the
 * appointment, so that its hard stop is not known: then it is the source's to
 * tell, and where that does not know it either, the bar stays.
 */
#define KEPT_UNTIL(alias, is_seen) \
	"COALESCE(" alias ".hard_stop," \
	" CASE WHEN " is_seen " THEN " alias ".revoked_at END)"

/* Appointments of which prune would forget more than plain sessions */
static VidTokenStatement held = {
	.query = "SELECT s.appointment_id FROM %1$s.vidtoken_session AS s"
	" WHERE s.revoked_at IS NOT NULL"
	" AND " KEPT_UNTIL("s", "true") " OPERATOR(pg_catalog.<) $1"
	" UNION SELECT r.appointment_id FROM %1$s.vidtoken_room AS r"
	" WHERE " KEPT_UNTIL("r", "true") " OPERATOR(pg_catalog.<) $1",
	.read_only = true,
	.scans = true,
	.nargs = 1,
	.types = {TIMESTAMPTZOID},
	.results = {TEXTOID},
};

static VidTokenStatement forget_sessions = {
	.query = "DELETE FROM %1$s.vidtoken_session AS s"
	" WHERE s.appointment_id OPERATOR(pg_catalog.=) $1"
	" AND " KEPT_UNTIL("s", "$3") " OPERATOR(pg_catalog.<) $2",
	.nargs = 3,
	.types = {TEXTOID, TIMESTAMPTZOID, BOOLOID},
};

static VidTokenStatement forget_room = {
	.query = "DELETE FROM %1$s.vidtoken_room AS r"
	" WHERE r.appointment_id OPERATOR(pg_catalog.=) $1"
	" AND " KEPT_UNTIL("r", "$3") " OPERATOR(pg_catalog.<) $2",
	.nargs = 3,
	.types = {TEXTOID, TIMESTAMPTZOID, BOOLOID},
};

/* A row that holds nothing any more */
static VidTokenStatement prune_rooms = {
	.query = "DELETE FROM %1$s.vidtoken_room AS r"
	" WHERE r.revoked_at IS NULL AND r.generation OPERATOR(pg_catalog.=) 0",
	.scans = true,
};

/*
 * What was heard of calls binds nobody, and goes by itself: events by their
 * age, of which the rest is made, and that when no session is left of which the
 * call may still be going on.
 */
#define FORGET(text, table_set) \
	{ \
		.query = "DELETE FROM %1$s." text, \
		.tables = table_set, \
		.scans = true, \
		.nargs = 1, \
		.types = {TIMESTAMPTZOID}, \
	}

#define FORGET_HEARD(table, number) \
	FORGET(table " AS h WHERE h.reported_at OPERATOR(pg_catalog.<) $1" \
		   " AND NOT EXISTS (SELECT FROM %1$s.vidtoken_session AS s" \
		   " WHERE s.provider OPERATOR(pg_catalog.=) h.provider" \
		   " AND s.room_name OPERATOR(pg_catalog.=) h.room_name" \
		   " AND s.hard_stop OPERATOR(pg_catalog.>=) $1)", \
		   VIDTOKEN_TABLE(number) | VIDTOKEN_TABLE(VIDTOKEN_TABLE_SESSION))

static VidTokenStatement forget_heard[] = {
	FORGET("vidtoken_event AS h WHERE h.received_at OPERATOR(pg_catalog.<) $1",
		   VIDTOKEN_TABLE(VIDTOKEN_TABLE_EVENT)),
	FORGET_HEARD("vidtoken_call", VIDTOKEN_TABLE_CALL),
	FORGET_HEARD("vidtoken_participant", VIDTOKEN_TABLE_PARTICIPANT),
	FORGET_HEARD("vidtoken_quality", VIDTOKEN_TABLE_QUALITY),
};

/*
 * vidtoken_prune_sessions: forget sessions whose hard stop is before "cutoff"
 */
uint64
vidtoken_prune_sessions(TimestampTz cutoff)
{
	Datum		value = TimestampTzGetDatum(cutoff);
	uint64		forgotten;

	SPI_connect();
	forgotten = vidtoken_ledger_execute(&prune_sessions, &value, NULL);
	SPI_finish();
	return forgotten;
}

/*
 * vidtoken_prune_candidates: ids of appointments with a bar or a reset that the
 * ledger would keep no longer than until "cutoff"
 */
List *
vidtoken_prune_candidates(TimestampTz cutoff)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		value = TimestampTzGetDatum(cutoff);
	List	   *ids = NIL;
	uint64		count;
	uint64		i;

	SPI_connect();
	count = vidtoken_ledger_execute(&held, &value, NULL);
	MemoryContextSwitchTo(caller);
	for (i = 0; i < count; i++)
	{
		char	   *id = vidtoken_ledger_text(i, 1);

		/* Whoever gave the table another key may have let NULL in. */
		if (id != NULL)
			ids = lappend(ids, id);
	}
	SPI_finish();
	return ids;
}

/*
 * vidtoken_prune_appointment: forget bars and reset of one appointment that is
 * over, as the source says ("seen") or the ledger; returns the number of rows
 */
uint64
vidtoken_prune_appointment(const char *appointment_id, TimestampTz cutoff,
						   bool seen)
{
	Datum		values[3];
	uint64		forgotten;

	values[0] = CStringGetTextDatum(appointment_id);
	values[1] = TimestampTzGetDatum(cutoff);
	values[2] = BoolGetDatum(seen);

	SPI_connect();
	forgotten = vidtoken_ledger_execute(&forget_sessions, values, NULL);
	forgotten += vidtoken_ledger_execute(&forget_room, values, NULL);
	SPI_finish();
	return forgotten;
}

/*
 * vidtoken_prune_rooms: forget rooms of which there is nothing to remember
 */
uint64
vidtoken_prune_rooms(void)
{
	uint64		forgotten;

	SPI_connect();
	forgotten = vidtoken_ledger_execute(&prune_rooms, NULL, NULL);
	SPI_finish();
	return forgotten;
}

/*
 * vidtoken_prune_calls: forget what webhooks and clients reported before
 * "cutoff" of calls that are over
 */
uint64
vidtoken_prune_calls(TimestampTz cutoff)
{
	Datum		value = TimestampTzGetDatum(cutoff);
	uint64		forgotten = 0;
	size_t		i;

	SPI_connect();
	for (i = 0; i < lengthof(forget_heard); i++)
		forgotten += vidtoken_ledger_execute(&forget_heard[i], &value, NULL);
	SPI_finish();
	return forgotten;
}
