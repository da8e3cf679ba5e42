/*-------------------------------------------------------------------------
 *
 * session.c
 *	  one participant in one appointment, in the ledger
 *
 * A re-issue is one UPDATE and a look at the room; only a first issue goes on
 * to an INSERT.  The token is signed from what comes back.  A participant
 * waits for no one but for itself in another transaction.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/session.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "policy/room_name.h"
#include "policy/settings.h"
#include "storage/ledger.h"
#include "storage/room.h"
#include "storage/session.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* Positions of the arguments that the statements share; $1 is the first. */
typedef enum SessionArgument
{
	ARG_APPOINTMENT_ID,			/* $1 */
	ARG_USER_ID,
	ARG_ISSUED_AT,
	ARG_WANTED,
	ARG_LIMIT,					/* $5 */
	ARG_STARTS_AT,
	ARG_ENDS_AT,
	ARG_HARD_STOP,
	ARG_ROLE,
	ARG_PROVIDER,				/* $10 */
	ARG_KEY_ID,
	ARG_JTI,
	ARG_REFRESH_WINDOW,
	ARG_WARN_WINDOW,
	ARG_ISSUES,					/* $15 */
	ARG_REFRESHES,
	ARG_ISSUED_BY,
	ARG_SOURCE_ROOM_NAME,
	ARG_USER_IDENTITY,			/* $19, for INSERT alone */
	ARG_ROOM_NAME
} SessionArgument;

#define RENEW_ARGS	(ARG_SOURCE_ROOM_NAME + 1)
#define CREATE_ARGS (ARG_ROOM_NAME + 1)

#define SHARED_TYPES \
	TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, \
	TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, \
	TEXTOID, TEXTOID, INT4OID, INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID

/*
 * Expiry: the new token does not undercut the live one, the upper bound wins;
 * the same as vidtoken_policy_expiry().  A name that the source gives is the
 * room's, whatever it was before; it belongs to no generation (-1), so that a
 * made one takes its place when the source gives none any more.
 *
 * The token of before may live on when its key signs no more, or when this one
 * is cut shorter.  Until when that key is needed is all that is kept of it; the
 * names of two such keys at a time, which takes two rotations within a token's
 * life, are lost ('').  What is kept of the key that signs now is dropped: the
 * row's own expiry says more.
 */
#define KEEPS_EARLIER \
	"s.key_id OPERATOR(pg_catalog.=) $11 AND" \
	" (s.expires_at OPERATOR(pg_catalog.<=) $5 OR" \
	" (s.earlier_expires_at OPERATOR(pg_catalog.>) $3 AND" \
	" s.earlier_key_id OPERATOR(pg_catalog.<>) $11))"

#define SET_EARLIER \
	" earlier_key_id = CASE WHEN " KEEPS_EARLIER " THEN s.earlier_key_id" \
	" WHEN s.earlier_expires_at OPERATOR(pg_catalog.>) $3" \
	" AND s.earlier_key_id OPERATOR(pg_catalog.<>) s.key_id" \
	" AND s.earlier_key_id OPERATOR(pg_catalog.<>) $11 THEN ''" \
	" ELSE s.key_id END," \
	" earlier_expires_at = CASE WHEN " KEEPS_EARLIER \
	" THEN s.earlier_expires_at" \
	" WHEN s.earlier_key_id OPERATOR(pg_catalog.=) $11" \
	" AND s.key_id OPERATOR(pg_catalog.<>) $11 THEN s.expires_at" \
	" ELSE GREATEST(s.earlier_expires_at, s.expires_at) END,"

#define SET_SESSION \
	" SET starts_at = $6, ends_at = $7, hard_stop = $8, role = $9," \
	SET_EARLIER \
	" provider = $10, key_id = $11, jti = $12," \
	" refresh_window = $13, warn_window = $14," \
	" issue_count = s.issue_count OPERATOR(pg_catalog.+) $15," \
	" refresh_count = s.refresh_count OPERATOR(pg_catalog.+) $16," \
	" issued_by = $17," \
	" room_name = COALESCE($18, s.room_name)," \
	" generation = CASE WHEN $18 IS NULL THEN s.generation ELSE -1 END," \
	" issued_at = $3," \
	" expires_at = LEAST(GREATEST($4," \
	" CASE WHEN s.expires_at OPERATOR(pg_catalog.>) $3 THEN s.expires_at END), $5)"

/* -1 for a room that is barred, else its generation */
#define ROOM_STATE \
	" COALESCE((SELECT CASE WHEN r.revoked_at IS NULL THEN r.generation ELSE -1 END" \
	" FROM %1$s.vidtoken_room AS r" \
	" WHERE r.appointment_id OPERATOR(pg_catalog.=) $1), 0)"

#define SESSION_COLUMNS \
	" s.user_identity, s.room_name, s.generation, s.expires_at," \
	" s.revoked_at IS NOT NULL, s.first_issued_at IS NOT NULL," \
	ROOM_STATE

#define SESSION_TYPES \
	TEXTOID, TEXTOID, INT4OID, TIMESTAMPTZOID, BOOLOID, BOOLOID, INT4OID

static VidTokenStatement renew = {
	.query = "UPDATE %1$s.vidtoken_session AS s" SET_SESSION VIDTOKEN_WHERE_SESSION
	" AND s.first_issued_at IS NOT NULL RETURNING" SESSION_COLUMNS,
	.nargs = RENEW_ARGS,
	.types = {SHARED_TYPES},
	.results = {SESSION_TYPES},
};

static VidTokenStatement create = {
	.query = "INSERT INTO %1$s.vidtoken_session AS s"
	" (appointment_id, user_id, issued_at, first_issued_at, expires_at,"
	" starts_at, ends_at, hard_stop, role, provider, key_id, jti,"
	" refresh_window, warn_window, issue_count, refresh_count, issued_by,"
	" user_identity, room_name, generation)"
	" VALUES ($1, $2, $3, $3, LEAST($4, $5), $6, $7, $8, $9, $10, $11, $12,"
	" $13, $14, $15, $16, $17, $19, COALESCE($18, $20),"
	" CASE WHEN $18 IS NULL THEN 0 ELSE -1 END)"
	" ON CONFLICT (appointment_id, user_id) DO UPDATE" SET_SESSION
	", first_issued_at = COALESCE(s.first_issued_at, $3)"
	" RETURNING" SESSION_COLUMNS,
	.nargs = CREATE_ARGS,
	.types = {SHARED_TYPES, TEXTOID, TEXTOID},
	.results = {SESSION_TYPES},
};

static VidTokenStatement move = {
	.query = "UPDATE %1$s.vidtoken_session AS s"
	" SET user_identity = $3, room_name = $4, generation = $5" VIDTOKEN_WHERE_SESSION,
	.nargs = 5,
	.types = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID},
};

static VidTokenStatement look_up = {
	.query = "SELECT" SESSION_COLUMNS
	" FROM (SELECT 1) AS one LEFT JOIN %1$s.vidtoken_session AS s"
	" ON s.appointment_id OPERATOR(pg_catalog.=) $1"
	" AND s.user_id OPERATOR(pg_catalog.=) $2",
	.read_only = true,
	.nargs = 2,
	.types = {TEXTOID, TEXTOID},
	.results = {SESSION_TYPES},
};

static void fill_arguments(const VidTokenSessionEntry *entry,
						   Datum *values, char *nulls);
static bool fetch_session(VidTokenSession *session,
						  const VidTokenAppointment *appointment);

/*
 * vidtoken_session_renew: write the next token's times into the session's row
 *
 * Returns false when there is no session.  The caller judges "revoked":
 * raising an error undoes the write.
 */
bool
vidtoken_session_renew(const VidTokenSessionEntry *entry,
					   VidTokenSession *session)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		values[RENEW_ARGS];
	char		nulls[RENEW_ARGS];
	bool		found;

	fill_arguments(entry, values, nulls);

	SPI_connect();
	found = vidtoken_ledger_execute(&renew, values, nulls) > 0;
	MemoryContextSwitchTo(caller);
	if (found)
		fetch_session(session, entry->appointment);
	SPI_finish();
	return found;
}

/*
 * vidtoken_session_create: make the row, or renew the one that another
 * transaction has made meanwhile
 *
 * "room_name" is that of generation 0.
 */
void
vidtoken_session_create(const VidTokenSessionEntry *entry,
						const char *user_identity, const char *room_name,
						VidTokenSession *session)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		values[CREATE_ARGS];
	char		nulls[CREATE_ARGS];

	fill_arguments(entry, values, nulls);
	values[ARG_USER_IDENTITY] = CStringGetTextDatum(user_identity);
	nulls[ARG_USER_IDENTITY] = ' ';
	values[ARG_ROOM_NAME] = CStringGetTextDatum(room_name);
	nulls[ARG_ROOM_NAME] = ' ';

	SPI_connect();
	if (vidtoken_ledger_execute(&create, values, nulls) == 0)
		vidtoken_ledger_suppressed();
	MemoryContextSwitchTo(caller);
	fetch_session(session, entry->appointment);
	SPI_finish();
}

/*
 * vidtoken_session_move: write names of the room's current generation, which
 * the caller has put into "session"
 */
void
vidtoken_session_move(const VidTokenAppointment *appointment,
					  VidTokenSession *session)
{
	Datum		values[5];

	session->generation = appointment->room_name ? -1 : session->room_generation;
	values[0] = CStringGetTextDatum(appointment->appointment_id);
	values[1] = CStringGetTextDatum(appointment->user_id);
	values[2] = CStringGetTextDatum(session->user_identity);
	values[3] = CStringGetTextDatum(session->room_name);
	values[4] = Int32GetDatum(session->generation);

	SPI_connect();
	if (vidtoken_ledger_execute(&move, values, NULL) == 0)
		vidtoken_ledger_suppressed();
	SPI_finish();
}

/*
 * vidtoken_session_read: look without writing; false when there is no session,
 * but "revoked" and "room_generation" are set all the same
 */
bool
vidtoken_session_read(const VidTokenAppointment *appointment,
					  VidTokenSession *session)
{
	MemoryContext caller = CurrentMemoryContext;
	bool		found;

	SPI_connect();
	vidtoken_ledger_execute_key(&look_up, appointment->appointment_id,
								appointment->user_id);
	MemoryContextSwitchTo(caller);
	found = fetch_session(session, appointment);
	SPI_finish();
	return found;
}

static void
fill_arguments(const VidTokenSessionEntry *entry, Datum *values, char *nulls)
{
	const VidTokenAppointment *appointment = entry->appointment;
	const VidTokenSchedule *schedule = entry->schedule;

	memset(nulls, ' ', RENEW_ARGS);
	values[ARG_APPOINTMENT_ID] = CStringGetTextDatum(appointment->appointment_id);
	values[ARG_USER_ID] = CStringGetTextDatum(appointment->user_id);
	values[ARG_ISSUED_AT] = TimestampTzGetDatum(entry->life->issued_at);
	values[ARG_WANTED] = TimestampTzGetDatum(entry->life->wanted);
	values[ARG_LIMIT] = TimestampTzGetDatum(entry->life->limit);
	values[ARG_STARTS_AT] = TimestampTzGetDatum(schedule->starts_at);
	values[ARG_ENDS_AT] = TimestampTzGetDatum(schedule->ends_at);
	values[ARG_HARD_STOP] = TimestampTzGetDatum(schedule->hard_stop);
	values[ARG_ROLE] = CStringGetTextDatum(appointment->role);
	values[ARG_PROVIDER] = CStringGetTextDatum(entry->provider);
	values[ARG_KEY_ID] = CStringGetTextDatum(entry->key_id);
	values[ARG_JTI] = CStringGetTextDatum(entry->jti);
	values[ARG_REFRESH_WINDOW] = Int32GetDatum(vidtoken_refresh_window);
	values[ARG_WARN_WINDOW] = Int32GetDatum(vidtoken_warn_window);
	values[ARG_ISSUES] = Int32GetDatum(entry->refresh ? 0 : 1);
	values[ARG_REFRESHES] = Int32GetDatum(entry->refresh ? 1 : 0);
	values[ARG_ISSUED_BY] =
		CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
	if (appointment->room_name != NULL)
		values[ARG_SOURCE_ROOM_NAME] = CStringGetTextDatum(appointment->room_name);
	else
		nulls[ARG_SOURCE_ROOM_NAME] = 'n';
}

/*
 * fetch_session: SESSION_COLUMNS of the first row; false when there is no
 * session, or only a bar that came before one
 */
static bool
fetch_session(VidTokenSession *session, const VidTokenAppointment *appointment)
{
	bool		isnull;
	Datum		value;
	bool		issued;
	bool		barred;
	int			state;
	int			generation;

	session->user_identity = vidtoken_ledger_text(0, 1);
	session->room_name = vidtoken_ledger_text(0, 2);
	value = vidtoken_ledger_value(3, &isnull);
	session->generation = isnull ? -1 : DatumGetInt32(value);
	session->revoked = DatumGetBool(vidtoken_ledger_value(5, &isnull));
	issued = DatumGetBool(vidtoken_ledger_value(6, &isnull));
	value = vidtoken_ledger_value(4, &isnull);
	if (isnull && issued)
		vidtoken_ledger_suppressed();
	session->expires_at = issued ? DatumGetTimestampTz(value) : DT_NOBEGIN;

	/*
	 * The statement saw the room as it was before it waited for the row.  A
	 * bar of the appointment or a reset may have committed meanwhile.
	 */
	state = DatumGetInt32(vidtoken_ledger_value(7, &isnull));
	generation = vidtoken_room_state(appointment->appointment_id, &barred);
	session->revoked |= barred || state < 0;
	session->room_generation = Max(generation, state);
	return issued;
}
