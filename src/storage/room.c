/*-------------------------------------------------------------------------
 *
 * room.c
 *	  rooms that were reset, and the state of a room
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
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_class.h"
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

static VidTokenStatement reset = {
	.query = "INSERT INTO %1$s.vidtoken_room AS r"
	" (appointment_id, hard_stop, generation)"
	" VALUES ($1, " VIDTOKEN_HARD_STOP("$2") ", 1)"
	" ON CONFLICT (appointment_id) DO UPDATE"
	" SET generation = r.generation OPERATOR(pg_catalog.+) 1,"
	" hard_stop = COALESCE(EXCLUDED.hard_stop, r.hard_stop)"
	" RETURNING r.generation",
	.nargs = 2,
	.types = {TEXTOID, TIMESTAMPTZOID},
	.results = {INT4OID},
};

static VidTokenStatement look_up = {
	.query = "SELECT r.generation, r.revoked_at IS NOT NULL"
	" FROM %1$s.vidtoken_room AS r"
	" WHERE r.appointment_id OPERATOR(pg_catalog.=) $1",
	.read_only = true,
	.nargs = 1,
	.types = {TEXTOID},
	.results = {INT4OID, BOOLOID},
};

static bool is_as_made(Relation room);
static bool is_primary_key(Relation relation, int column);

/*
 * vidtoken_room_reset: begin the room's next generation, and return it
 */
int
vidtoken_room_reset(const VidTokenOccasion *occasion)
{
	Datum		values[2];
	char		nulls[2] = {' ', occasion->visible ? ' ' : 'n'};
	int			generation;
	bool		isnull;

	values[0] = CStringGetTextDatum(occasion->appointment_id);
	values[1] = TimestampTzGetDatum(occasion->hard_stop);

	SPI_connect();
	if (vidtoken_ledger_execute(&reset, values, nulls) == 0)
		vidtoken_ledger_suppressed();
	generation = DatumGetInt32(vidtoken_ledger_value(1, &isnull));
	SPI_finish();
	return generation;
}

/*
 * vidtoken_room_read: the room's current generation, and whether the whole
 * appointment is barred, for calls that have no other statement to execute
 */
int
vidtoken_room_read(const char *appointment_id, bool *barred)
{
	int			generation = 0;
	bool		isnull;

	*barred = false;
	SPI_connect();
	if (vidtoken_ledger_execute_key(&look_up, appointment_id, NULL) > 0)
	{
		generation = DatumGetInt32(vidtoken_ledger_value(1, &isnull));
		*barred = DatumGetBool(vidtoken_ledger_value(2, &isnull));
	}
	SPI_finish();
	return generation;
}

/*
 * vidtoken_room_state: the room's current generation, and whether the whole
 * appointment is barred
 *
 * Reads the latest committed state through the primary key, without a
 * statement of SQL: every token asks for it, and most rooms have no row.  What
 * is not in the table itself, but in a partition or on another node, it does
 * not see, nor a table that somebody altered: the statements on sessions ask
 * for that too.
 */
int
vidtoken_room_state(const char *appointment_id, bool *barred)
{
	Relation	room = table_open(vidtoken_ledger_room(), AccessShareLock);
	TupleDesc	descriptor = RelationGetDescr(room);
	int			generation = 0;
	ScanKeyData key;
	Oid			index;
	Snapshot	snapshot;
	SysScanDesc scan;
	HeapTuple	row;

	*barred = false;
	if (!is_as_made(room))
	{
		table_close(room, AccessShareLock);
		return 0;
	}

	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyEntryInitialize(&key, 0, ROOM_APPOINTMENT_ID, BTEqualStrategyNumber,
						   InvalidOid, C_COLLATION_OID, F_TEXTEQ,
						   CStringGetTextDatum(appointment_id));
	index = VidTokenPrimaryKeyIndex(room);
	scan = systable_beginscan(room, index, OidIsValid(index) &&
							  is_primary_key(room, ROOM_APPOINTMENT_ID),
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
 * is_as_made: a plain table, whose columns are where and what the SQL script
 * made them?
 */
static bool
is_as_made(Relation room)
{
	TupleDesc	descriptor = RelationGetDescr(room);

	return room->rd_rel->relkind == RELKIND_RELATION &&
		TupleDescAttr(descriptor, ROOM_APPOINTMENT_ID - 1)->atttypid == TEXTOID &&
		TupleDescAttr(descriptor, ROOM_GENERATION - 1)->atttypid == INT4OID &&
		TupleDescAttr(descriptor, ROOM_REVOKED_AT - 1)->atttypid == TIMESTAMPTZOID;
}

/*
 * is_primary_key: is it this column alone?
 */
static bool
is_primary_key(Relation relation, int column)
{
	Bitmapset  *columns = RelationGetIndexAttrBitmap(relation,
													 INDEX_ATTR_BITMAP_PRIMARY_KEY);
	int			member;
	bool		result;

	result = bms_get_singleton_member(columns, &member) &&
		member == column - FirstLowInvalidHeapAttributeNumber;
	bms_free(columns);
	return result;
}
