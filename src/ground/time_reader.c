/*-------------------------------------------------------------------------
 *
 * time_reader.c
 *	  times in text, read without raising an error
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/time_reader.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "ground/time_reader.h"
#include "utils/datetime.h"

/*
 * vidtoken_time_read: what PostgreSQL takes for a timestamp with time zone,
 * decoded as check_recovery_target_time() does
 *
 * False for what is none, and for infinity.
 */
bool
vidtoken_time_read(const char *text, TimestampTz *time)
{
	char		work[MAXDATELEN + 1];
	char	   *field[MAXDATEFIELDS];
	int			ftype[MAXDATEFIELDS];
	int			nf;
	int			dtype;
	fsec_t		fsec;
	int			tz;
	struct pg_tm tm;
	DateTimeErrorExtra ignored;

	return ParseDateTime(text, work, sizeof(work), field, ftype,
						 MAXDATEFIELDS, &nf) == 0 &&
		VidTokenDecodeDateTime(field, ftype, nf, &dtype, &tm, &fsec, &tz,
							   &ignored) == 0 &&
		dtype == DTK_DATE &&
		tm2timestamp(&tm, fsec, &tz, time) == 0;
}
