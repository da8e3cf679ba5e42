/*-------------------------------------------------------------------------
 *
 * argument.c
 *	  arguments that the SQL functions share
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/argument.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "policy/request_user.h"
#include "sql/argument.h"
#include "utils/builtins.h"

static char *id_argument(FunctionCallInfo fcinfo, int number,
						 const char *name);

/*
 * vidtoken_appointment_argument: the first argument, raises 22004 for NULL
 */
char *
vidtoken_appointment_argument(FunctionCallInfo fcinfo)
{
	return id_argument(fcinfo, 0, "appointment_id");
}

/*
 * vidtoken_user_argument: the second argument, or the request's user for the
 * forms without one
 */
char *
vidtoken_user_argument(FunctionCallInfo fcinfo)
{
	if (PG_NARGS() == 1)
		return vidtoken_request_user();
	return id_argument(fcinfo, 1, "user_id");
}

/*
 * vidtoken_require_argument: raise 22004 when it is NULL
 */
void
vidtoken_require_argument(FunctionCallInfo fcinfo, int number,
						  const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("%s must not be NULL", name));
}

static char *
id_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	vidtoken_require_argument(fcinfo, number, name);
	return text_to_cstring(PG_GETARG_TEXT_PP(number));
}
