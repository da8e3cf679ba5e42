/*-------------------------------------------------------------------------
 *
 * source_entry.c
 *	  the source's columns and plans, kept for the session
 *
 * Columns and plans are one cache entry.  When the relation changed, or
 * vidtoken.source did, both are made anew, so that a column whose type
 * changed cannot meet a plan that expects the old one.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/source_entry.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "policy/settings.h"
#include "provider/provider.h"
#include "storage/lmgr.h"
#include "storage/source_entry.h"
#include "utils/memutils.h"

static VidTokenSourceEntry *current_entry = NULL;

static bool wants_metadata(const VidTokenSource *source);
static bool is_valid(const VidTokenSourceEntry *entry);
static VidTokenSourceEntry *make_entry(void);
static void free_entry(VidTokenSourceEntry *entry);
static char *participant_query(const VidTokenSource *source);
static char *occasion_query(const VidTokenSource *source);
static char *text_column(const VidTokenSource *source, VidTokenColumn column);
static const char *cancelled_column(const VidTokenSource *source);

/*
 * vidtoken_source_entry_pin: the entry of vidtoken.source, made anew when it
 * is outdated
 *
 * A pinned entry is not freed: functions of the source's view and checks of
 * domains may call us again.
 */
VidTokenSourceEntry *
vidtoken_source_entry_pin(void)
{
	if (current_entry != NULL && !is_valid(current_entry))
	{
		VidTokenSourceEntry *outdated = current_entry;

		current_entry = NULL;
		if (outdated->pins == 0)
			free_entry(outdated);
	}
	if (current_entry == NULL)
		current_entry = make_entry();
	current_entry->pins++;
	return current_entry;
}

/*
 * vidtoken_source_entry_unpin: the end of a use, also after an error
 */
void
vidtoken_source_entry_unpin(VidTokenSourceEntry *entry)
{
	if (--entry->pins == 0 && entry != current_entry)
		free_entry(entry);
}

/*
 * vidtoken_source_shows_rows: does the caller see any appointment at all?
 */
bool
vidtoken_source_shows_rows(void)
{
	VidTokenSourceEntry *entry = vidtoken_source_entry_pin();
	char	   *query = psprintf("SELECT FROM %s LIMIT 1",
								 entry->source.relation_name);
	bool		shows;

	vidtoken_source_entry_unpin(entry);
	SPI_connect();
	if (SPI_execute(query, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the relation of setting \"vidtoken.source\"");
	shows = SPI_processed > 0;
	SPI_finish();
	return shows;
}

/*
 * wants_metadata: it may be long, and is not written out for providers that
 * do not carry it; text is judged all the same
 */
static bool
wants_metadata(const VidTokenSource *source)
{
	return source->checks_metadata ||
		vidtoken_provider_find(vidtoken_provider)->carries_metadata;
}

/*
 * is_valid: locking the relation and what it reads first takes in what other
 * sessions did to them
 */
static bool
is_valid(const VidTokenSourceEntry *entry)
{
	if (strcmp(entry->setting, vidtoken_source) != 0 ||
		entry->has_metadata != wants_metadata(&entry->source))
		return false;
	LockRelationOid(entry->source.relation, AccessShareLock);
	vidtoken_plan_lock(&entry->participant);
	return vidtoken_plan_is_valid(&entry->participant) &&
		vidtoken_plan_is_valid(&entry->occasion);
}

/*
 * make_entry: its context hangs on the caller's until it is whole
 */
static VidTokenSourceEntry *
make_entry(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "vidtoken source",
												  ALLOCSET_SMALL_SIZES);
	VidTokenSourceEntry *entry =
	MemoryContextAllocZero(context, sizeof(VidTokenSourceEntry));
	VidTokenSource *source = &entry->source;
	Oid			types[2];

	entry->context = context;
	entry->setting = MemoryContextStrdup(context, vidtoken_source);
	vidtoken_source_resolve(source, context);
	entry->has_metadata = wants_metadata(source);
	types[0] = source->appointment_id.base_type;
	types[1] = source->user_id.base_type;

	SPI_connect();
	PG_TRY();
	{
		vidtoken_plan_prepare(&entry->participant, participant_query(source),
							  2, types);
		vidtoken_plan_prepare(&entry->occasion, occasion_query(source),
							  1, types);
	}
	PG_CATCH();
	{
		vidtoken_plan_free(&entry->participant);
		PG_RE_THROW();
	}
	PG_END_TRY();
	SPI_finish();

	MemoryContextSetParent(context, TopMemoryContext);
	return entry;
}

static void
free_entry(VidTokenSourceEntry *entry)
{
	vidtoken_plan_free(&entry->participant);
	vidtoken_plan_free(&entry->occasion);
	MemoryContextDelete(entry->context);
}

/*
 * participant_query: names and operators are qualified, the caller's
 * search_path decides nothing; see VidTokenSourceResult
 */
static char *
participant_query(const VidTokenSource *source)
{
	const char *disagree = "false";

	if (source->has[VIDTOKEN_COLUMN_ROOM_NAME])
		disagree = psprintf("EXISTS (SELECT 1 FROM %s AS o"
							" WHERE o.appointment_id %s $1 AND"
							" ((o.room_name IS NULL) OPERATOR(pg_catalog.<>) (s.room_name IS NULL)"
							" OR o.room_name::pg_catalog.text OPERATOR(pg_catalog.<>)"
							" s.room_name::pg_catalog.text))",
							source->relation_name,
							source->appointment_id.equality);

	return psprintf("SELECT s.appointment_id, s.starts_at, s.duration, %s, %s,"
					" s.user_id, %s, %s, %s, %s, %s"
					" FROM %s AS s"
					" WHERE s.appointment_id %s $1 AND s.user_id %s $2",
					text_column(source, VIDTOKEN_COLUMN_ROOM_NAME),
					cancelled_column(source),
					text_column(source, VIDTOKEN_COLUMN_IDENTITY),
					text_column(source, VIDTOKEN_COLUMN_DISPLAY_NAME),
					text_column(source, VIDTOKEN_COLUMN_ROLE),
					wants_metadata(source) ?
					text_column(source, VIDTOKEN_COLUMN_METADATA) :
					"NULL::pg_catalog.text",
					disagree,
					source->relation_name,
					source->appointment_id.equality,
					source->user_id.equality);
}

static char *
occasion_query(const VidTokenSource *source)
{
	return psprintf("SELECT s.appointment_id, s.starts_at, s.duration, %s, %s, %s"
					" FROM %s AS s WHERE s.appointment_id %s $1",
					text_column(source, VIDTOKEN_COLUMN_ROOM_NAME),
					cancelled_column(source),
					source->has[VIDTOKEN_COLUMN_MAX_PARTICIPANTS] ?
					"s.max_participants::pg_catalog.int4" :
					"NULL::pg_catalog.int4",
					source->relation_name, source->appointment_id.equality);
}

static char *
text_column(const VidTokenSource *source, VidTokenColumn column)
{
	if (!source->has[column])
		return "NULL::pg_catalog.text";
	return psprintf("s.%s::pg_catalog.text",
					vidtoken_source_column_name(column));
}

static const char *
cancelled_column(const VidTokenSource *source)
{
	return source->has[VIDTOKEN_COLUMN_CANCELLED] ? "s.cancelled" : "false";
}
