/*-------------------------------------------------------------------------
 *
 * grant.c
 *	  the answer to issue and refresh
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/grant.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "funcapi.h"
#include "policy/settings.h"
#include "sql/grant.h"
#include "sql/result.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* Attributes of the type vidtoken_grant, in their order */
typedef enum GrantColumn
{
	GRANT_ACCESS_TOKEN,
	GRANT_ROOM_NAME,
	GRANT_USER_IDENTITY,
	GRANT_EXPIRES_IN,
	GRANT_EXPIRES_AT,
	GRANT_APPOINTMENT_ID,
	GRANT_APPOINTMENT_DURATION_MINUTES,
	GRANT_TOKEN_VALID_UNTIL,
	GRANT_ISSUED_AT,
	GRANT_REFRESH_AT,
	GRANT_WARN_AT,
	GRANT_ROLE,
	GRANT_PROVIDER,
	GRANT_SERVER_URL
} GrantColumn;

#define GRANT_COLUMNS (GRANT_SERVER_URL + 1)

static const Oid grant_types[GRANT_COLUMNS] = {
	TEXTOID, TEXTOID, TEXTOID, INT4OID, TIMESTAMPTZOID, JSONBOID, INT4OID,
	TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID,
	TEXTOID,
};

static TupleDesc result_descriptor(FunctionCallInfo fcinfo);
static bool is_grant(TupleDesc descriptor);
static char *in_words(TimestampTz expires_at, TimestampTz ends_at);

/*
 * vidtoken_grant_datum: a value of the function's result type vidtoken_grant
 */
Datum
vidtoken_grant_datum(FunctionCallInfo fcinfo, const char *token,
					 const VidTokenProvider *provider,
					 const VidTokenAppointment *appointment,
					 const VidTokenSchedule *schedule,
					 const VidTokenLife *life,
					 const VidTokenSession *session)
{
	TimestampTz expires_at = session->expires_at;
	TimestampTz issued_at = life->issued_at;
	TimestampTz refresh_at = 0;
	Datum		values[GRANT_COLUMNS];
	bool		nulls[GRANT_COLUMNS] = {false};
	TupleDesc	descriptor;
	HeapTuple	tuple;

	values[GRANT_ACCESS_TOKEN] = CStringGetTextDatum(token);
	values[GRANT_ROOM_NAME] = CStringGetTextDatum(session->room_name);
	values[GRANT_USER_IDENTITY] = CStringGetTextDatum(session->user_identity);
	values[GRANT_EXPIRES_IN] =
		Int32GetDatum((int32) ((expires_at - issued_at) / USECS_PER_SEC));
	values[GRANT_EXPIRES_AT] = TimestampTzGetDatum(expires_at);
	values[GRANT_APPOINTMENT_ID] = vidtoken_id_result(appointment->appointment_id,
													  appointment->id_is_number);
	values[GRANT_APPOINTMENT_DURATION_MINUTES] =
		Int32GetDatum((int32) ((schedule->duration + 30) / 60));
	values[GRANT_TOKEN_VALID_UNTIL] =
		CStringGetTextDatum(in_words(expires_at, schedule->ends_at));
	values[GRANT_ISSUED_AT] = TimestampTzGetDatum(issued_at);
	nulls[GRANT_REFRESH_AT] = !vidtoken_policy_refresh_at(schedule, issued_at,
														  expires_at,
														  &refresh_at);
	values[GRANT_REFRESH_AT] = TimestampTzGetDatum(refresh_at);
	values[GRANT_WARN_AT] =
		TimestampTzGetDatum(vidtoken_policy_warn_at(issued_at, expires_at));
	values[GRANT_ROLE] = CStringGetTextDatum(appointment->role);
	values[GRANT_PROVIDER] = CStringGetTextDatum(provider->name);
	nulls[GRANT_SERVER_URL] = vidtoken_server_url[0] == '\0';
	values[GRANT_SERVER_URL] = CStringGetTextDatum(vidtoken_server_url);

	descriptor = result_descriptor(fcinfo);
	tuple = heap_form_tuple(descriptor, values, nulls);
	ReleaseTupleDesc(descriptor);
	return HeapTupleGetDatum(tuple);
}

/*
 * result_descriptor: of vidtoken_grant, pinned
 *
 * The extension may be gone by the end of a call that waited, or go while this
 * waits for the type; neither function nor type is asked for what is not there
 * any more, that would be an internal error.
 */
static TupleDesc
result_descriptor(FunctionCallInfo fcinfo)
{
	Oid			type = get_fn_expr_rettype(fcinfo->flinfo);
	Oid			relation;
	TupleDesc	descriptor;

	if (!OidIsValid(type))
		type = get_func_rettype(fcinfo->flinfo->fn_oid);
	relation = get_typ_typrelid(type);
	if (OidIsValid(relation))
		LockRelationOid(relation, AccessShareLock);
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)))
		vidtoken_raise_dropped();

	descriptor = lookup_rowtype_tupdesc(type, -1);
	if (!is_grant(descriptor))
		ereport(ERROR,
				errcode(ERRCODE_DATATYPE_MISMATCH),
				errmsg("library and SQL objects of extension \"vidtoken\" differ in version"),
				errhint("ALTER EXTENSION vidtoken UPDATE, then reconnect."));
	return descriptor;
}

/*
 * is_grant: are the attributes, which their owner can alter, what is put into
 * them?
 */
static bool
is_grant(TupleDesc descriptor)
{
	int			i;

	if (descriptor->natts != GRANT_COLUMNS)
		return false;
	for (i = 0; i < GRANT_COLUMNS; i++)
		if (TupleDescAttr(descriptor, i)->atttypid != grant_types[i])
			return false;
	return true;
}

/*
 * in_words: an expiry relative to the appointment's end, to the nearest minute
 */
static char *
in_words(TimestampTz expires_at, TimestampTz ends_at)
{
	int64		usecs = expires_at - ends_at;
	int64		half = USECS_PER_MINUTE / 2;
	int64		minutes = (usecs >= 0 ? usecs + half : usecs - half) /
	USECS_PER_MINUTE;

	if (minutes == 0)
		return pstrdup("at appointment end");
	return psprintf(INT64_FORMAT " minute%s %s appointment end",
					minutes < 0 ? -minutes : minutes,
					minutes == 1 || minutes == -1 ? "" : "s",
					minutes > 0 ? "after" : "before");
}
