/*-------------------------------------------------------------------------
 *
 * result.h
 *	  values that the SQL functions return
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/result.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_RESULT_H
#define VIDTOKEN_RESULT_H

#include "access/tupdesc.h"
#include "compat.h"
#include "fmgr.h"
#include "lib/stringinfo.h"

extern Datum vidtoken_row_result(FunctionCallInfo fcinfo, int count,
								 Datum *values, bool *nulls);
extern TupleDesc vidtoken_result_descriptor(FunctionCallInfo fcinfo, int count);
pg_noreturn extern void vidtoken_raise_dropped(void);
extern Datum vidtoken_interval_result(int64 seconds);
extern Datum vidtoken_jsonb_result(StringInfo json);
extern Datum vidtoken_id_result(char *id, bool is_number);

#endif							/* VIDTOKEN_RESULT_H */
