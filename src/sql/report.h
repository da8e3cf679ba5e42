/*-------------------------------------------------------------------------
 *
 * report.h
 *	  rows of vidtoken_check
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/report.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_REPORT_H
#define VIDTOKEN_REPORT_H

#include "fmgr.h"
#include "ground/guarded.h"
#include "utils/tuplestore.h"

/* the function's result */
typedef struct VidTokenReport
{
	Tuplestorestate *rows;
	TupleDesc	descriptor;
} VidTokenReport;

extern void vidtoken_report_begin(FunctionCallInfo fcinfo,
								  VidTokenReport *report);
extern void vidtoken_report_add(VidTokenReport *report, const char *item,
								const char *status, const char *message,
								const char *hint);
extern bool vidtoken_report_passes(VidTokenReport *report, const char *item,
								   VidTokenStep step, void *arg);

/* what check.c leaves to check_keys.c, and that to check_webhooks.c */
extern void vidtoken_check_keys(VidTokenReport *report);
extern void vidtoken_check_webhooks(VidTokenReport *report);

#endif							/* VIDTOKEN_REPORT_H */
