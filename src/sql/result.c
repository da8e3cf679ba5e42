/*-------------------------------------------------------------------------
 *
 * result.c
 *	  values that the SQL functions return
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/result.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ground/json_writer.h"
#include "sql/result.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* The largest integer up to which JavaScript tells all of them apart */
#define MAX_SAFE_INTEGER (INT64CONST(1) << 53)
#define MAX_SAFE_DIGITS 15

static bool is_safe_number(const char *id);

/*
 * vidtoken_row_result: a value of a function's output arguments, of which it
 * has so many
 */
Datum
vidtoken_row_result(FunctionCallInfo fcinfo, int count, Datum *values,
					bool *nulls)
{
	TupleDesc	descriptor = vidtoken_result_descriptor(fcinfo, count);

	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor),
											 values, nulls));
}

/*
 * vidtoken_result_descriptor: of a function's output arguments, of which it
 * has so many, in the current context
 *
 * Raises 42704 when the function is not there any more: the extension may be
 * gone by the end of a call that waited.
 */
TupleDesc
vidtoken_result_descriptor(FunctionCallInfo fcinfo, int count)
{
	Oid			function = fcinfo->flinfo->fn_oid;
	TupleDesc	descriptor;

	if (!SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(function)))
		vidtoken_raise_dropped();
	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE ||
		descriptor->natts != count)
		elog(ERROR, "unexpected result type of function %u", function);
	return descriptor;
}

/*
 * vidtoken_raise_dropped: 42704, the extension went while its function ran
 */
void
vidtoken_raise_dropped(void)
{
	ereport(ERROR,
			errcode(ERRCODE_UNDEFINED_OBJECT),
			errmsg("extension \"vidtoken\" was dropped during the call"),
			errhint("Call again when it is there."));
}

/*
 * vidtoken_interval_result: an interval of hours, minutes and seconds, since
 * a day need not have 24 hours to PostgreSQL
 */
Datum
vidtoken_interval_result(int64 seconds)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = seconds * USECS_PER_SEC;
	return IntervalPGetDatum(interval);
}

/*
 * vidtoken_jsonb_result: what json_writer.c wrote of texts of this database
 */
Datum
vidtoken_jsonb_result(StringInfo json)
{
	return DirectFunctionCall1(jsonb_in,
							   CStringGetDatum(vidtoken_from_utf8(json->data,
																  json->len)));
}

/*
 * vidtoken_id_result: an id as jsonb, a number for a numeric column as long as
 * a JavaScript reader gets it whole, else a string
 */
Datum
vidtoken_id_result(char *id, bool is_number)
{
	JsonbValue	value;

	if (is_number && is_safe_number(id))
	{
		value.type = jbvNumeric;
		value.val.numeric =
			DatumGetNumeric(DirectFunctionCall3(numeric_in,
												CStringGetDatum(id),
												ObjectIdGetDatum(InvalidOid),
												Int32GetDatum(-1)));
	}
	else
	{
		value.type = jbvString;
		value.val.string.val = id;
		value.val.string.len = strlen(id);
	}
	return JsonbPGetDatum(JsonbValueToJsonb(&value));
}

static bool
is_safe_number(const char *id)
{
	const char *p = id[0] == '-' ? id + 1 : id;
	int64		integer;

	/* NaN and Infinity are no JSON numbers. */
	if (p[strspn(p, "0123456789.")] != '\0')
		return false;
	if (strlen(p) <= MAX_SAFE_DIGITS)
		return true;
	if (strchr(p, '.') != NULL || strlen(p) > 18)
		return false;
	integer = strtoll(p, NULL, 10);
	return integer <= MAX_SAFE_INTEGER;
}
