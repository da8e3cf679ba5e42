/*-------------------------------------------------------------------------
 *
 * bar.c
 *	  who may not enter any more
 *
 * A bar of a participant is in the session's row, with or without a session; a
 * bar of a whole appointment is in the room's.  To set one takes no more than
 * the id.  The two kinds do not know of each other: lifting one leaves the
 * other.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/bar.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "storage/bar.h"
#include "storage/ledger.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static VidTokenStatement bar_participant = {
	.query = "INSERT INTO %1$s.vidtoken_session AS s"
	" (appointment_id, user_id, hard_stop, revoked_at)"
	" VALUES ($1, $2, " VIDTOKEN_HARD_STOP("$3") ", $4)"
	" ON CONFLICT (appointment_id, user_id) DO UPDATE"
	" SET revoked_at = EXCLUDED.revoked_at,"
	" hard_stop = COALESCE(EXCLUDED.hard_stop, s.hard_stop)"
	" WHERE s.revoked_at IS NULL"
	" RETURNING s.provider, s.room_name, s.user_identity",
	.nargs = 4,
	.types = {TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
	.results = {TEXTOID, TEXTOID, TEXTOID},
};

/* Locked, so that nobody sets or lifts the bar in between. */
static VidTokenStatement lock_participant = {
	.query = "SELECT FROM %1$s.vidtoken_session AS s" VIDTOKEN_WHERE_SESSION
	" AND s.revoked_at IS NOT NULL FOR UPDATE",
	.nargs = 2,
	.types = {TEXTOID, TEXTOID},
};

static VidTokenStatement unbar_participant = {
	.query = "UPDATE %1$s.vidtoken_session AS s SET revoked_at = NULL" VIDTOKEN_WHERE_SESSION
	" AND s.revoked_at IS NOT NULL AND s.first_issued_at IS NOT NULL",
	.nargs = 2,
	.types = {TEXTOID, TEXTOID},
};

/* A bar that came before any session leaves nothing behind. */
static VidTokenStatement forget_bar = {
	.query = "DELETE FROM %1$s.vidtoken_session AS s" VIDTOKEN_WHERE_SESSION
	" AND s.first_issued_at IS NULL",
	.nargs = 2,
	.types = {TEXTOID, TEXTOID},
};

static VidTokenStatement bar_appointment = {
	.query = "INSERT INTO %1$s.vidtoken_room AS r"
	" (appointment_id, hard_stop, revoked_at)"
	" VALUES ($1, " VIDTOKEN_HARD_STOP("$3") ", $2)"
	" ON CONFLICT (appointment_id) DO UPDATE"
	" SET revoked_at = EXCLUDED.revoked_at,"
	" hard_stop = COALESCE(EXCLUDED.hard_stop, r.hard_stop)"
	" WHERE r.revoked_at IS NULL",
	.nargs = 3,
	.types = {TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
};

static VidTokenStatement lock_appointment = {
	.query = "SELECT FROM %1$s.vidtoken_room AS r"
	" WHERE r.appointment_id OPERATOR(pg_catalog.=) $1"
	" AND r.revoked_at IS NOT NULL FOR UPDATE",
	.nargs = 1,
	.types = {TEXTOID},
};

static VidTokenStatement unbar_appointment = {
	.query = "UPDATE %1$s.vidtoken_room AS r SET revoked_at = NULL"
	" WHERE r.appointment_id OPERATOR(pg_catalog.=) $1"
	" AND r.revoked_at IS NOT NULL",
	.nargs = 1,
	.types = {TEXTOID},
};

/*
 * Sessions that a bar of the whole appointment ends, or its lifting frees, and
 * the room that they have in common
 */
#define IN_COMMON(column) \
	"CASE WHEN pg_catalog.min(s." column ") OPERATOR(pg_catalog.=)" \
	" pg_catalog.max(s." column ") THEN pg_catalog.min(s." column ") END"

static VidTokenStatement count_sessions = {
	.query = "SELECT pg_catalog.count(*)::pg_catalog.int4, "
	IN_COMMON("provider") ", " IN_COMMON("room_name")
	" FROM %1$s.vidtoken_session AS s"
	" WHERE s.appointment_id OPERATOR(pg_catalog.=) $1"
	" AND s.first_issued_at IS NOT NULL AND s.revoked_at IS NULL",
	.read_only = true,
	.nargs = 1,
	.types = {TEXTOID},
	.results = {INT4OID, TEXTOID, TEXTOID},
};

static int	counted_sessions(const char *appointment_id);

/*
 * vidtoken_bar_participant: revoke a participant, with or without a session;
 * false when that was done before, and "barred" is not set
 */
bool
vidtoken_bar_participant(const VidTokenOccasion *occasion, const char *user_id,
						 TimestampTz now, VidTokenBarred *barred)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		values[4];
	char		nulls[4] = {' ', ' ', occasion->visible ? ' ' : 'n', ' '};
	bool		changed;

	values[0] = CStringGetTextDatum(occasion->appointment_id);
	values[1] = CStringGetTextDatum(user_id);
	values[2] = TimestampTzGetDatum(occasion->hard_stop);
	values[3] = TimestampTzGetDatum(now);

	SPI_connect();
	changed = vidtoken_ledger_execute(&bar_participant, values, nulls) > 0;
	if (!changed &&
		vidtoken_ledger_execute_key(&lock_participant, occasion->appointment_id,
									user_id) == 0)
		vidtoken_ledger_suppressed();
	if (changed)
	{
		MemoryContextSwitchTo(caller);
		barred->provider = vidtoken_ledger_text(0, 1);
		barred->room_name = vidtoken_ledger_text(0, 2);
		barred->user_identity = vidtoken_ledger_text(0, 3);
	}
	SPI_finish();
	return changed;
}

/*
 * vidtoken_unbar_participant: lift the bar of a participant; false when there
 * was none
 */
bool
vidtoken_unbar_participant(const char *appointment_id, const char *user_id)
{
	bool		barred;

	SPI_connect();
	barred = vidtoken_ledger_execute_key(&lock_participant, appointment_id,
										 user_id) > 0;
	if (barred &&
		vidtoken_ledger_execute_key(&unbar_participant, appointment_id,
									user_id) == 0 &&
		vidtoken_ledger_execute_key(&forget_bar, appointment_id, user_id) == 0)
		vidtoken_ledger_suppressed();
	SPI_finish();
	return barred;
}

/*
 * vidtoken_bar_appointment: bar everyone; returns the number of sessions that
 * this ended, -1 when it was barred before
 */
int
vidtoken_bar_appointment(const VidTokenOccasion *occasion, TimestampTz now,
						 VidTokenBarred *barred)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		values[3];
	char		nulls[3] = {' ', ' ', occasion->visible ? ' ' : 'n'};
	int			ended = -1;

	values[0] = CStringGetTextDatum(occasion->appointment_id);
	values[1] = TimestampTzGetDatum(now);
	values[2] = TimestampTzGetDatum(occasion->hard_stop);

	SPI_connect();
	if (vidtoken_ledger_execute(&bar_appointment, values, nulls) > 0)
	{
		ended = counted_sessions(occasion->appointment_id);
		MemoryContextSwitchTo(caller);
		barred->provider = vidtoken_ledger_text(0, 2);
		barred->room_name = vidtoken_ledger_text(0, 3);
		barred->user_identity = NULL;
	}
	else if (vidtoken_ledger_execute_key(&lock_appointment,
										 occasion->appointment_id, NULL) == 0)
		vidtoken_ledger_suppressed();
	SPI_finish();
	return ended;
}

/*
 * vidtoken_unbar_appointment: lift the bar of the whole appointment; returns
 * the number of sessions that this freed
 */
int
vidtoken_unbar_appointment(const char *appointment_id)
{
	int			freed = 0;

	SPI_connect();
	if (vidtoken_ledger_execute_key(&lock_appointment, appointment_id, NULL) > 0)
	{
		if (vidtoken_ledger_execute_key(&unbar_appointment, appointment_id,
										NULL) == 0)
			vidtoken_ledger_suppressed();
		freed = counted_sessions(appointment_id);
	}
	SPI_finish();
	return freed;
}

static int
counted_sessions(const char *appointment_id)
{
	bool		isnull;

	vidtoken_ledger_execute_key(&count_sessions, appointment_id, NULL);
	return DatumGetInt32(vidtoken_ledger_value(1, &isnull));
}
