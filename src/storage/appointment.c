/*-------------------------------------------------------------------------
 *
 * appointment.c
 *	  what the source says of an appointment
 *
 * The source is read with the rights and the settings of the caller: its
 * privileges and row-level security decide what is there.  Nothing of this
 * file runs under another identity.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/appointment.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "ground/guarded.h"
#include "ground/json_escape.h"
#include "policy/policy.h"
#include "storage/appointment.h"
#include "storage/source_entry.h"
#include "storage/source_row.h"
#include "utils/builtins.h"

/* arguments of a step that may fail */
typedef struct OccasionStep
{
	const char *appointment_id;
	bool		read_only;
	VidTokenOccasion *occasion;
} OccasionStep;

static char *spell_id(const char *id, bool is_user);
static void read_occasion_step(void *arg);
static void read_participant(VidTokenSourceEntry *entry,
							 const char *appointment_id,
							 const char *user_id,
							 VidTokenAppointment *appointment);
static void read_row(VidTokenSourceEntry *entry,
					 VidTokenAppointment *appointment);
static char *read_key(HeapTuple row, int column, VidTokenKeyType *type);
pg_noreturn static void raise_disagreement(void);
pg_noreturn static void raise_empty(const char *column);
static void read_occasion(VidTokenSourceEntry *entry,
						  const OccasionStep *step);
static void add_row(VidTokenOccasion *occasion, HeapTuple row);
static void add_room_name(VidTokenOccasion *occasion, const char *room_name);

/*
 * vidtoken_appointment_read: the participant's row, copied to the current
 * context
 *
 * Raises PT404 when there is none, 21000 when there are two or when rows of
 * the appointment disagree on room_name, F0000 or 22023 for what the row says.
 */
void
vidtoken_appointment_read(const char *appointment_id, const char *user_id,
						  VidTokenAppointment *appointment)
{
	VidTokenSourceEntry *entry = vidtoken_source_entry_pin();

	PG_TRY();
	{
		read_participant(entry, appointment_id, user_id, appointment);
	}
	PG_FINALLY();
	{
		vidtoken_source_entry_unpin(entry);
	}
	PG_END_TRY();
}

/*
 * vidtoken_occasion_read: the appointment as a whole, visible or not
 *
 * "read_only" is for functions that are STABLE: they see what the query sees
 * that calls them, no more.  Raises PT404 when the id is malformed.
 */
void
vidtoken_occasion_read(const char *appointment_id, bool read_only,
					   VidTokenOccasion *occasion)
{
	OccasionStep step = {appointment_id, read_only, occasion};

	vidtoken_occasion_key(appointment_id, occasion);
	read_occasion_step(&step);
}

/*
 * vidtoken_occasion_glimpse: add what is seen of the appointment to its id, for
 * callers that need no more than that; false when the source gave an error
 * instead of an answer, and "occasion" is as it was
 *
 * Rights, a view's function, a bad row, a source that has gone since the id
 * was spelled: nothing of it may keep a bar from being set.
 */
bool
vidtoken_occasion_glimpse(const char *appointment_id,
						  VidTokenOccasion *occasion)
{
	VidTokenOccasion seen = *occasion;
	OccasionStep step = {appointment_id, false, &seen};
	ErrorData  *error = vidtoken_guarded(read_occasion_step, &step);

	if (error == NULL)
	{
		*occasion = seen;
		return true;
	}
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INTERNAL_ERROR:
			ReThrowError(error);
	}
	FreeErrorData(error);
	return false;
}

/*
 * vidtoken_occasion_key: the canonical id alone
 *
 * Raises PT404 when it is malformed.
 */
void
vidtoken_occasion_key(const char *appointment_id, VidTokenOccasion *occasion)
{
	memset(occasion, 0, sizeof(*occasion));
	occasion->appointment_id = spell_id(appointment_id, false);
}

/*
 * vidtoken_occasion_room_name: the name that the source gives the room, NULL
 * for none
 *
 * Raises 21000 when rows disagree, F0000 for an empty one.
 */
const char *
vidtoken_occasion_room_name(const VidTokenOccasion *occasion)
{
	if (occasion->rooms_disagree)
		raise_disagreement();
	if (occasion->room_name != NULL && occasion->room_name[0] == '\0')
		raise_empty("room_name");
	return occasion->room_name;
}

/*
 * vidtoken_user_key: canonical text of a user's id
 *
 * Raises PT404 when it is malformed.
 */
char *
vidtoken_user_key(const char *user_id)
{
	return spell_id(user_id, true);
}

static char *
spell_id(const char *id, bool is_user)
{
	VidTokenSourceEntry *entry = vidtoken_source_entry_pin();
	char	   *volatile key = NULL;

	PG_TRY();
	{
		key = vidtoken_key_spell(is_user ? &entry->source.user_id :
								 &entry->source.appointment_id, id);
	}
	PG_FINALLY();
	{
		vidtoken_source_entry_unpin(entry);
	}
	PG_END_TRY();

	if (key == NULL)
		vidtoken_refuse(VIDTOKEN_NOT_FOUND);
	return key;
}

static void
read_occasion_step(void *arg)
{
	OccasionStep *step = arg;
	VidTokenSourceEntry *entry = vidtoken_source_entry_pin();

	PG_TRY();
	{
		read_occasion(entry, step);
	}
	PG_FINALLY();
	{
		vidtoken_source_entry_unpin(entry);
	}
	PG_END_TRY();
}

static void
read_participant(VidTokenSourceEntry *entry, const char *appointment_id,
				 const char *user_id, VidTokenAppointment *appointment)
{
	Datum		values[2];
	MemoryContext caller = CurrentMemoryContext;

	if (!vidtoken_key_read(&entry->source.appointment_id, appointment_id,
						   &values[0]) ||
		!vidtoken_key_read(&entry->source.user_id, user_id, &values[1]))
		vidtoken_refuse(VIDTOKEN_NOT_FOUND);

	SPI_connect();
	/* Not read-only: like any volatile function, we see what has happened. */
	vidtoken_plan_execute(&entry->participant, values, NULL,
						  InvalidSnapshot, false, 2);
	if (SPI_processed == 0)
		vidtoken_refuse(VIDTOKEN_NOT_FOUND);
	if (SPI_processed > 1)
		ereport(ERROR,
				errcode(ERRCODE_CARDINALITY_VIOLATION),
				errmsg("relation of setting \"vidtoken.source\" has more than one row for the appointment and user"),
				errhint("Make its rows unique by (appointment_id, user_id)."));

	/* Copies outlive the SPI connection. */
	MemoryContextSwitchTo(caller);
	read_row(entry, appointment);
	SPI_finish();
}

/*
 * read_row: check and copy the participant's row
 */
static void
read_row(VidTokenSourceEntry *entry, VidTokenAppointment *appointment)
{
	HeapTuple	row = SPI_tuptable->vals[0];
	bool		isnull;
	Datum		value;

	appointment->appointment_id = read_key(row, VIDTOKEN_RESULT_APPOINTMENT_ID,
										   &entry->source.appointment_id);
	appointment->id_is_number = entry->source.appointment_id.is_number;
	appointment->user_id = read_key(row, VIDTOKEN_RESULT_USER_ID,
									&entry->source.user_id);

	value = vidtoken_row_datum(row, VIDTOKEN_RESULT_ROOMS_DISAGREE, &isnull);
	if (DatumGetBool(value))
		raise_disagreement();
	value = vidtoken_row_datum(row, VIDTOKEN_RESULT_CANCELLED, &isnull);
	appointment->cancelled = !isnull && DatumGetBool(value);

	vidtoken_row_times(row, &appointment->starts_at, &appointment->duration);
	appointment->identity = vidtoken_row_text(row, VIDTOKEN_RESULT_IDENTITY);
	appointment->display_name = vidtoken_row_text(row, VIDTOKEN_RESULT_DISPLAY_NAME);
	appointment->room_name = vidtoken_row_text(row, VIDTOKEN_RESULT_ROOM_NAME);
	appointment->metadata = vidtoken_row_text(row, VIDTOKEN_RESULT_METADATA);
	appointment->role = vidtoken_row_role(row);

	if (appointment->identity && appointment->identity[0] == '\0')
		raise_empty("identity");
	if (appointment->room_name && appointment->room_name[0] == '\0')
		raise_empty("room_name");

	if (entry->source.checks_metadata && appointment->metadata != NULL &&
		vidtoken_json_has_unsafe_escape(appointment->metadata))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("metadata in the relation of setting \"vidtoken.source\" cannot be read by clients"),
				errdetail("It holds \\u0000 or half of a surrogate pair."),
				errhint("A column of type jsonb refuses such text when it is written."));
}

/*
 * read_key: an id as the row has it
 *
 * It was equal to the argument, but a function of the view that tells another
 * value each time may have made NULL of it since.
 */
static char *
read_key(HeapTuple row, int column, VidTokenKeyType *type)
{
	bool		isnull;
	Datum		value = vidtoken_row_datum(row, column, &isnull);

	if (isnull)
		vidtoken_refuse(VIDTOKEN_NOT_FOUND);
	return vidtoken_key_write(type, value);
}

static void
raise_disagreement(void)
{
	ereport(ERROR,
			errcode(ERRCODE_CARDINALITY_VIOLATION),
			errmsg("rows of the appointment disagree on room_name"),
			errhint("All participants of an appointment meet in one room: give them one room_name, or none."));
}

static void
raise_empty(const char *column)
{
	ereport(ERROR,
			errcode(ERRCODE_CONFIG_FILE_ERROR),
			errmsg("%s in the relation of setting \"vidtoken.source\" is an empty string",
				   column),
			errhint("NULL means that one is made: nullif(..., '')."));
}

static void
read_occasion(VidTokenSourceEntry *entry, const OccasionStep *step)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		value;
	uint64		i;

	if (!vidtoken_key_read(&entry->source.appointment_id,
						   step->appointment_id, &value))
		vidtoken_refuse(VIDTOKEN_NOT_FOUND);

	step->occasion->id_is_number = entry->source.appointment_id.is_number;
	step->occasion->rooms_are_named =
		entry->source.has[VIDTOKEN_COLUMN_ROOM_NAME];
	SPI_connect();
	vidtoken_plan_execute(&entry->occasion, &value, NULL,
						  InvalidSnapshot, step->read_only, 0);
	MemoryContextSwitchTo(caller);
	for (i = 0; i < SPI_processed; i++)
		add_row(step->occasion, SPI_tuptable->vals[i]);
	SPI_finish();
}

/*
 * add_row: the room is there from the first start to the last end
 */
static void
add_row(VidTokenOccasion *occasion, HeapTuple row)
{
	VidTokenSchedule schedule;
	TimestampTz starts_at;
	int64		duration;
	bool		isnull;
	Datum		cancelled;
	Datum		limit = vidtoken_row_datum(row, VIDTOKEN_RESULT_MAX_PARTICIPANTS,
										   &isnull);

	vidtoken_row_times(row, &starts_at, &duration);
	vidtoken_policy_schedule(starts_at, duration, &schedule);
	if (!occasion->visible || starts_at < occasion->starts_at)
		occasion->starts_at = starts_at;
	if (!occasion->visible || schedule.ends_at > occasion->ends_at)
		occasion->ends_at = schedule.ends_at;
	if (!occasion->visible || schedule.hard_stop > occasion->hard_stop)
		occasion->hard_stop = schedule.hard_stop;
	if (!isnull && DatumGetInt32(limit) < 0)
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("max_participants in the relation of setting \"vidtoken.source\" is negative"),
				errhint("NULL or 0 means that there is no limit."));
	if (!isnull && DatumGetInt32(limit) > occasion->max_participants)
		occasion->max_participants = DatumGetInt32(limit);
	add_room_name(occasion, vidtoken_row_text(row, VIDTOKEN_RESULT_ROOM_NAME));
	cancelled = vidtoken_row_datum(row, VIDTOKEN_RESULT_CANCELLED, &isnull);
	occasion->cancelled = !isnull && DatumGetBool(cancelled) &&
		(occasion->cancelled || !occasion->visible);
	occasion->visible = true;
}

static void
add_room_name(VidTokenOccasion *occasion, const char *room_name)
{
	const char *former = occasion->room_name;

	if (occasion->visible &&
		strcmp(former ? former : "", room_name ? room_name : "") != 0)
		occasion->rooms_disagree = true;
	if (former == NULL)
		occasion->room_name = room_name;
}
