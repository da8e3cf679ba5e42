/*-------------------------------------------------------------------------
 *
 * argument.h
 *	  arguments that the SQL functions share
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/argument.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_ARGUMENT_H
#define VIDTOKEN_ARGUMENT_H

#include "fmgr.h"

extern char *vidtoken_appointment_argument(FunctionCallInfo fcinfo);
extern char *vidtoken_user_argument(FunctionCallInfo fcinfo);
extern void vidtoken_require_argument(FunctionCallInfo fcinfo, int number,
									  const char *name);

#endif							/* VIDTOKEN_ARGUMENT_H */
