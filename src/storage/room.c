/*-------------------------------------------------------------------------
 *
 * room.c
 *	  resets and bars of whole appointments, in the ledger
 *
 * A room has a row only when there is something to remember of it: issuing a
 * token never writes here, so participants of an appointment do not meet on
 * a lock.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/room.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "storage/ledger.h"
#include "storage/room.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Columns of vidtoken_room, as the SQL script has them */
#define ROOM_APPOINTMENT_ID 1
#define ROOM_GENERATION 2
#define ROOM_REVOKED_AT 4

static VidTokenStatement bar = {
	.query = "INSERT INTO %1$s.vidtoken_room AS r"
	" (appointment_id, hard_stop, revoked_at)"
	" VALUES ($1, " VIDTOKEN_HARD_STOP ", $2)"
	" ON CONFLICT (appointment_id) DO UPDATE"
	" SET revoked_at = EXCLUDED.revoked_at,"
	" hard_stop = COALESCE(EXCLUDED.hard_stop, r.hard_stop)"
	" WHERE r.revoked_at IS NULL",
	.nargs = 3,
	.types = {TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
};

static VidTokenStatement unbar = {
	.query = "UPDATE %1$s.vidtoken_room AS r SET revoked_at = NULL"
	" WHERE r.appointment_id OPERATOR(pg_catalog.=) $1"
	" AND r.revoked_at IS NOT NULL",
	.nargs = 1,
	.types = {TEXTOID},
};

static VidTokenStatement reset = {
	.query = "INSERT INTO %1$s.vidtoken_room AS r"
	" (appointment_id, hard_stop, generation)"
	" VALUES ($1, " VIDTOKEN_HARD_STOP ", 1)"
	" ON CONFLICT (appointment_id) DO UPDATE"
	" SET generation = r.generation OPERATOR(pg_catalog.+) 1,"
	" hard_stop = COALESCE(EXCLUDED.hard_stop, r.hard_stop)"
	" RETURNING r.generation",
	.nargs = 3,
	.types = {TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
};

/* Sessions that a bar of the whole appointment ends, or its lifting frees */
static VidTokenStatement count_sessions = {
	.query = "SELECT pg_catalog.count(*)::pg_catalog.int4"
	" FROM %1$s.vidtoken_session AS s"
	" WHERE s.appointment_id OPERATOR(pg_catalog.=) $1"
	" AND s.first_issued_at IS NOT NULL AND s.revoked_at IS NULL",
	.read_only = true,
	.nargs = 1,
	.types = {TEXTOID},
};

/* Appointments of which prune would forget more than plain sessions */
static VidTokenStatement held = {
	.query = "SELECT s.appointment_id FROM %1$s.vidtoken_session AS s"
	" WHERE s.revoked_at IS NOT NULL"
	" AND s.hard_stop OPERATOR(pg_catalog.<) $1"
	" UNION SELECT r.appointment_id FROM %1$s.vidtoken_room AS r"
	" WHERE r.hard_stop OPERATOR(pg_catalog.<) $1",
	.read_only = true,
	.scans = true,
	.nargs = 1,
	.types = {TIMESTAMPTZOID},
};

static VidTokenStatement forget_sessions = {
	.query = "DELETE FROM %1$s.vidtoken_session AS s"
	" WHERE s.appointment_id OPERATOR(pg_catalog.=) $1"
	" AND s.hard_stop OPERATOR(pg_catalog.<) $2",
	.nargs = 2,
	.types = {TEXTOID, TIMESTAMPTZOID},
};

static VidTokenStatement forget_room = {
	.query = "DELETE FROM %1$s.vidtoken_room AS r"
	" WHERE r.appointment_id OPERATOR(pg_catalog.=) $1"
	" AND r.hard_stop OPERATOR(pg_catalog.<) $2",
	.nargs = 2,
	.types = {TEXTOID, TIMESTAMPTZOID},
};

/* A row that holds nothing any more */
static VidTokenStatement prune = {
	.query = "DELETE FROM %1$s.vidtoken_room AS r"
	" WHERE r.revoked_at IS NULL AND r.generation OPERATOR(pg_catalog.=) 0",
	.scans = true,
};

static uint64 execute(VidTokenStatement *statement,
					  const VidTokenOccasion *occasion, TimestampTz now);
static int	counted_sessions(const VidTokenOccasion *occasion);

/*
 * vidtoken_room_bar: bar a whole appointment; returns the number of sessions
 * that this ended
 */
int
vidtoken_room_bar(const VidTokenOccasion *occasion, TimestampTz now)
{
	int			ended = 0;
	bool		barred;

	SPI_connect();
	if (execute(&bar, occasion, now) > 0)
		ended = counted_sessions(occasion);
	else
	{
		vidtoken_room_state(occasion->appointment_id, &barred);
		if (!barred)
			vidtoken_ledger_suppressed();
	}
	SPI_finish();
	return ended;
}

/*
 * vidtoken_room_unbar: lift the bar of a whole appointment; returns the number
 * of sessions that this freed
 */
int
vidtoken_room_unbar(const VidTokenOccasion *occasion)
{
	int			freed = 0;

	SPI_connect();
	if (execute(&unbar, occasion, 0) > 0)
		freed = counted_sessions(occasion);
	SPI_finish();
	return freed;
}

/*
 * vidtoken_room_reset: begin the room's next generation, and return it
 */
int
vidtoken_room_reset(const VidTokenOccasion *occasion)
{
	int			generation;
	bool		isnull;

	SPI_connect();
	if (execute(&reset, occasion, 0) == 0)
		vidtoken_ledger_suppressed();
	generation = DatumGetInt32(vidtoken_ledger_value(1, &isnull));
	SPI_finish();
	return generation;
}

/*
 * vidtoken_room_held: ids of appointments with a bar or a reset whose hard
 * stop, as the ledger knows it, is before "cutoff"
 */
List *
vidtoken_room_held(TimestampTz cutoff)
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
		ids = lappend(ids, vidtoken_ledger_text(i, 1));
	SPI_finish();
	return ids;
}

/*
 * vidtoken_room_forget: forget bars and reset of one appointment; returns the
 * number of rows
 */
uint64
vidtoken_room_forget(const char *appointment_id, TimestampTz cutoff)
{
	Datum		values[2];
	uint64		forgotten;

	values[0] = CStringGetTextDatum(appointment_id);
	values[1] = TimestampTzGetDatum(cutoff);

	SPI_connect();
	forgotten = vidtoken_ledger_execute(&forget_sessions, values, NULL);
	forgotten += vidtoken_ledger_execute(&forget_room, values, NULL);
	SPI_finish();
	return forgotten;
}

/*
 * vidtoken_room_prune: forget rooms of which there is nothing to remember
 */
uint64
vidtoken_room_prune(void)
{
	uint64		forgotten;

	SPI_connect();
	forgotten = vidtoken_ledger_execute(&prune, NULL, NULL);
	SPI_finish();
	return forgotten;
}

/*
 * vidtoken_room_state: the room's current generation, and whether the whole
 * appointment is barred
 *
 * Reads the latest committed state through the primary key, without a
 * statement of SQL: every token asks for it, and most rooms have no row.
 */
int
vidtoken_room_state(const char *appointment_id, bool *barred)
{
	Relation	room = table_open(vidtoken_ledger_room(), AccessShareLock);
	TupleDesc	descriptor = RelationGetDescr(room);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	int			generation = 0;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;

	*barred = false;
	ScanKeyEntryInitialize(&key, 0, ROOM_APPOINTMENT_ID, BTEqualStrategyNumber,
						   InvalidOid, C_COLLATION_OID, F_TEXTEQ,
						   CStringGetTextDatum(appointment_id));
	scan = systable_beginscan(room, VidTokenPrimaryKeyIndex(room), true,
							  snapshot, 1, &key);
	row = systable_getnext(scan);
	if (HeapTupleIsValid(row))
	{
		bool		isnull;

		generation = DatumGetInt32(heap_getattr(row, ROOM_GENERATION,
												descriptor, &isnull));
		(void) heap_getattr(row, ROOM_REVOKED_AT, descriptor, &isnull);
		*barred = !isnull;
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(room, AccessShareLock);
	return generation;
}

/*
 * execute: a statement whose arguments are id, now and hard stop, or the first
 * of them
 */
static uint64
execute(VidTokenStatement *statement, const VidTokenOccasion *occasion,
		TimestampTz now)
{
	Datum		values[3];
	char		nulls[3] = {' ', ' ', occasion->visible ? ' ' : 'n'};

	values[0] = CStringGetTextDatum(occasion->appointment_id);
	values[1] = TimestampTzGetDatum(now);
	values[2] = TimestampTzGetDatum(occasion->hard_stop);
	return vidtoken_ledger_execute(statement, values, nulls);
}

static int
counted_sessions(const VidTokenOccasion *occasion)
{
	bool		isnull;

	execute(&count_sessions, occasion, 0);
	return DatumGetInt32(vidtoken_ledger_value(1, &isnull));
}
