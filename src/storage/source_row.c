/*-------------------------------------------------------------------------
 *
 * source_row.c
 *	  columns of a row that the source's queries gave
 *
 * They are in SPI_tuptable, inside the connection of the query.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/source_row.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "policy/policy.h"
#include "storage/source_entry.h"
#include "storage/source_row.h"
#include "utils/builtins.h"

/*
 * vidtoken_row_datum: a column, see VidTokenSourceResult
 */
Datum
vidtoken_row_datum(HeapTuple row, int column, bool *isnull)
{
	return SPI_getbinval(row, SPI_tuptable->tupdesc, column, isnull);
}

/*
 * vidtoken_row_text: a copy in the current context, NULL for NULL
 */
char *
vidtoken_row_text(HeapTuple row, int column)
{
	bool		isnull;
	Datum		value = vidtoken_row_datum(row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/*
 * vidtoken_row_times: start, and duration in seconds
 *
 * Raises 22023 for NULL and for what is no duration.
 */
void
vidtoken_row_times(HeapTuple row, TimestampTz *starts_at, int64 *duration)
{
	bool		start_isnull;
	bool		duration_isnull;
	Datum		start = vidtoken_row_datum(row, VIDTOKEN_RESULT_STARTS_AT,
										   &start_isnull);
	Datum		length = vidtoken_row_datum(row, VIDTOKEN_RESULT_DURATION,
											&duration_isnull);

	if (start_isnull || duration_isnull)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("%s of the appointment is NULL",
					   start_isnull ? "starts_at" : "duration"),
				errhint("Leave appointments without a time out of the relation of setting \"vidtoken.source\"."));
	*starts_at = DatumGetTimestampTz(start);
	*duration = vidtoken_policy_duration(DatumGetIntervalP(length));
}

/*
 * vidtoken_row_role: host, guest or observer
 *
 * Raises F0000 for any other.
 */
const char *
vidtoken_row_role(HeapTuple row)
{
	static const char *const roles[] = {"host", "guest", "observer"};
	const char *role = vidtoken_row_text(row, VIDTOKEN_RESULT_ROLE);
	size_t		i;

	if (role == NULL)
		return "guest";
	for (i = 0; i < lengthof(roles); i++)
		if (strcmp(role, roles[i]) == 0)
			return roles[i];
	ereport(ERROR,
			errcode(ERRCODE_CONFIG_FILE_ERROR),
			errmsg("unknown role in the relation of setting \"vidtoken.source\""),
			errdetail_log("The role is \"%s\".", role),
			errhint("Roles are host, guest and observer; NULL means guest."));
}
