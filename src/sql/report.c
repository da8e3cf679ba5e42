/*-------------------------------------------------------------------------
 *
 * report.c
 *	  rows of vidtoken_check
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/report.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "sql/report.h"
#include "sql/result.h"
#include "utils/builtins.h"

/* item, status, message, hint */
#define REPORT_COLUMNS 4

/*
 * vidtoken_report_begin: prepare the result of a set-returning function
 */
void
vidtoken_report_begin(FunctionCallInfo fcinfo, VidTokenReport *report)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext caller;

	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		!(result->allowedModes & SFRM_Materialize))
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("set-valued function called in context that cannot accept a set"));
	caller = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	report->descriptor = vidtoken_result_descriptor(fcinfo, REPORT_COLUMNS);
	report->rows = tuplestore_begin_heap(true, false, work_mem);
	result->returnMode = SFRM_Materialize;
	result->setResult = report->rows;
	result->setDesc = report->descriptor;
	MemoryContextSwitchTo(caller);
}

/*
 * vidtoken_report_add: one row; hint may be NULL
 */
void
vidtoken_report_add(VidTokenReport *report, const char *item, const char *status,
					const char *message, const char *hint)
{
	Datum		values[REPORT_COLUMNS];
	bool		nulls[REPORT_COLUMNS] = {false, false, false, hint == NULL};

	values[0] = CStringGetTextDatum(item);
	values[1] = CStringGetTextDatum(status);
	values[2] = CStringGetTextDatum(message);
	values[3] = hint ? CStringGetTextDatum(hint) : (Datum) 0;
	tuplestore_putvalues(report->rows, report->descriptor, values, nulls);
}

/*
 * vidtoken_report_passes: run a step, and report its error if it raises one
 *
 * What has nothing to do with the configuration is raised again.
 */
bool
vidtoken_report_passes(VidTokenReport *report, const char *item,
					   VidTokenStep step, void *arg)
{
	ErrorData  *error = vidtoken_guarded(step, arg);
	const char *detail;

	if (error == NULL)
		return true;
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_INTERNAL_ERROR:
			ReThrowError(error);
	}
	detail = error->detail_log ? error->detail_log : error->detail;
	vidtoken_report_add(report, item, "error",
						detail ? psprintf("%s: %s", error->message, detail) : error->message,
						error->detail_log ?
						"The command vidtoken-keyring keeps what holds for the file; its list command shows the keys." :
						error->hint);
	return false;
}
