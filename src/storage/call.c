/*-------------------------------------------------------------------------
 *
 * call.c
 *	  what webhooks reported of rooms and participants
 *
 * A room has one row for each of its runs, a participant one for each stay, by
 * the provider's own ids.  Every event sets what it alone knows, and what two
 * of them know is the earlier or the later of both: the state depends neither
 * on their order nor on how often they come.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/call.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ground/json_writer.h"
#include "storage/call.h"
#include "storage/ledger.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static VidTokenStatement remember = {
	.query = "INSERT INTO %1$s.vidtoken_event AS e"
	" (provider, event_id, received_at) VALUES ($1, $2, $3)"
	" ON CONFLICT (provider, event_id) DO NOTHING",
	.tables = VIDTOKEN_TABLE(VIDTOKEN_TABLE_EVENT),
	.nargs = 3,
	.types = {TEXTOID, TEXTOID, TIMESTAMPTZOID},
};

static VidTokenStatement look_up = {
	.query = "SELECT 1 FROM %1$s.vidtoken_event AS e"
	" WHERE e.provider OPERATOR(pg_catalog.=) $1"
	" AND e.event_id OPERATOR(pg_catalog.=) $2",
	.tables = VIDTOKEN_TABLE(VIDTOKEN_TABLE_EVENT),
	.read_only = true,
	.nargs = 2,
	.types = {TEXTOID, TEXTOID},
	.results = {INT4OID},
};

/* LEAST and GREATEST pass over NULLs. */
static VidTokenStatement record_room = {
	.query = "INSERT INTO %1$s.vidtoken_call AS c"
	" (provider, room_name, room_sid, started_at, ended_at, reported_at)"
	" VALUES ($1, $2, $3, $4, $5, $6)"
	" ON CONFLICT (provider, room_name, room_sid) DO UPDATE"
	" SET started_at = LEAST(c.started_at, EXCLUDED.started_at),"
	" ended_at = LEAST(c.ended_at, EXCLUDED.ended_at),"
	" reported_at = GREATEST(c.reported_at, EXCLUDED.reported_at)",
	.tables = VIDTOKEN_TABLE(VIDTOKEN_TABLE_CALL),
	.nargs = 6,
	.types = {TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	TIMESTAMPTZOID},
};

static VidTokenStatement record_participant = {
	.query = "INSERT INTO %1$s.vidtoken_participant AS p"
	" (provider, room_name, room_sid, room_started_at, left_at, reported_at,"
	" participant_sid, user_identity, joined_at)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
	" ON CONFLICT (provider, room_name, room_sid, participant_sid) DO UPDATE"
	" SET room_started_at ="
	" LEAST(p.room_started_at, EXCLUDED.room_started_at),"
	" joined_at = LEAST(p.joined_at, EXCLUDED.joined_at),"
	" left_at = LEAST(p.left_at, EXCLUDED.left_at),"
	" reported_at = GREATEST(p.reported_at, EXCLUDED.reported_at)",
	.tables = VIDTOKEN_TABLE(VIDTOKEN_TABLE_PARTICIPANT),
	.nargs = 9,
	.types = {TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	TIMESTAMPTZOID, TEXTOID, TEXTOID, TIMESTAMPTZOID},
};

static void record_state(const char *provider, const VidTokenEvent *event);
static Datum utf8_datum(const char *utf8);
static void set_time(Datum *value, char *null, TimestampTz time);

/*
 * vidtoken_call_record: take an event in; false when it is known already
 *
 * Two deliveries at once: one waits here for the other, and is a duplicate
 * when that has committed.
 */
bool
vidtoken_call_record(const char *provider, const VidTokenEvent *event,
					 TimestampTz received_at)
{
	Datum		values[3];
	bool		is_new;

	values[0] = CStringGetTextDatum(provider);
	values[1] = utf8_datum(event->id);
	values[2] = TimestampTzGetDatum(received_at);

	SPI_connect();
	is_new = vidtoken_ledger_execute(&remember, values, NULL) > 0;
	if (is_new)
		record_state(provider, event);
	else if (vidtoken_ledger_execute(&look_up, values, NULL) == 0)
		vidtoken_ledger_suppressed();
	SPI_finish();
	return is_new;
}

/*
 * record_state: the one row that the event is about
 */
static void
record_state(const char *provider, const VidTokenEvent *event)
{
	bool		of_participant = vidtoken_event_is_of_participant(event);
	bool		is_end = event->kind == VIDTOKEN_EVENT_ROOM_ENDED ||
	event->kind == VIDTOKEN_EVENT_LEFT;
	VidTokenStatement *statement = of_participant ?
	&record_participant : &record_room;
	Datum		values[9] = {0};
	char		nulls[9];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = CStringGetTextDatum(provider);
	values[1] = utf8_datum(event->room_name);
	values[2] = utf8_datum(event->room_sid);
	set_time(&values[3], &nulls[3], event->room_started_at);
	set_time(&values[4], &nulls[4],
			 is_end ? event->happened_at : DT_NOBEGIN);
	values[5] = TimestampTzGetDatum(event->happened_at);
	if (of_participant)
	{
		values[6] = utf8_datum(event->participant_sid);
		values[7] = utf8_datum(event->identity);
		set_time(&values[8], &nulls[8], event->joined_at);
	}
	if (vidtoken_ledger_execute(statement, values, nulls) == 0)
		vidtoken_ledger_suppressed();
}

static Datum
utf8_datum(const char *utf8)
{
	return CStringGetTextDatum(vidtoken_from_utf8(utf8, strlen(utf8)));
}

static void
set_time(Datum *value, char *null, TimestampTz time)
{
	*value = TimestampTzGetDatum(time);
	*null = TIMESTAMP_IS_NOBEGIN(time) ? 'n' : ' ';
}
