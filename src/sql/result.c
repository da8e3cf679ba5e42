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

#include "fmgr.h"
#include "ground/json_writer.h"
#include "sql/result.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

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
