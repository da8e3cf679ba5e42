/*-------------------------------------------------------------------------
 *
 * time_reader.c
 *	  times in text
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

static bool decode(const char *text, TimestampTz *time);
static bool is_relative(char **field, const int *ftype, int nf);
static bool read_number(const char **text, int digits, char next,
						int min, int max, int *number);
static bool read_fraction(const char **text, int *microseconds);
static bool read_zone(const char **text, int *minutes);

/*
 * vidtoken_time_read: what PostgreSQL takes for a timestamp with time zone
 *
 * False for what is none, for infinity, and for what means another time when it
 * is read again.  Before 16 the core raises an error for a time zone that there
 * is not, which must not come out of the check hook of a setting: it may run in
 * the postmaster.  Nothing is held that an abort would have to release.
 */
bool
vidtoken_time_read(const char *text, TimestampTz *time)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile bool read = false;

	PG_TRY();
	{
		read = decode(text, time);
	}
	PG_CATCH();
	{
		int			category = ERRCODE_TO_CATEGORY(geterrcode());

		if (category != ERRCODE_DATA_EXCEPTION &&
			category != ERRCODE_CONFIG_FILE_ERROR)
			PG_RE_THROW();
		MemoryContextSwitchTo(caller);
		FlushErrorState();
	}
	PG_END_TRY();
	return read;
}

/*
 * decode: as check_recovery_target_time() does
 */
static bool
decode(const char *text, TimestampTz *time)
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
		!is_relative(field, ftype, nf) &&
		VidTokenDecodeDateTime(field, ftype, nf, &dtype, &tm, &fsec, &tz,
							   &ignored) == 0 &&
		dtype == DTK_DATE &&
		tm2timestamp(&tm, fsec, &tz, time) == 0;
}

/*
 * is_relative: now, today, tomorrow or yesterday?
 */
static bool
is_relative(char **field, const int *ftype, int nf)
{
	int			i;

	for (i = 0; i < nf; i++)
	{
		int			value;

		if (ftype[i] != DTK_STRING ||
			DecodeSpecial(i, field[i], &value) != RESERV)
			continue;
		if (value == DTK_NOW || value == DTK_TODAY ||
			value == DTK_TOMORROW || value == DTK_YESTERDAY)
			return true;
	}
	return false;
}

/*
 * vidtoken_time_read_internet: a date and time of RFC 3339, section 5.6
 *
 * False for anything else.  What is less than a microsecond is cut off.
 */
bool
vidtoken_time_read_internet(const char *text, TimestampTz *time)
{
	int			year;
	int			month;
	int			day;
	int			hour;
	int			minute;
	int			second;
	int			microseconds;
	int			zone;

	if (!read_number(&text, 4, '-', 1, 9999, &year) ||
		!read_number(&text, 2, '-', 1, 12, &month) ||
		!read_number(&text, 2, 'T', 1, day_tab[isleap(year)][month - 1], &day) ||
		!read_number(&text, 2, ':', 0, 23, &hour) ||
		!read_number(&text, 2, ':', 0, 59, &minute) ||
		!read_number(&text, 2, '\0', 0, 60, &second) ||
		!read_fraction(&text, &microseconds) ||
		!read_zone(&text, &zone) || *text != '\0')
		return false;
	*time = (date2j(year, month, day) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY +
		(hour * MINS_PER_HOUR + minute - zone) * USECS_PER_MINUTE +
		second * USECS_PER_SEC + microseconds;
	return true;
}

/*
 * read_number: so many digits and the character that follows, '\0' for none in
 * particular; moves the text behind them
 */
static bool
read_number(const char **text, int digits, char next, int min, int max,
			int *number)
{
	int			i;

	*number = 0;
	for (i = 0; i < digits; i++)
	{
		char		digit = *(*text)++;

		if (digit < '0' || digit > '9')
			return false;
		*number = *number * 10 + (digit - '0');
	}
	if (next != '\0' && *(*text)++ != next)
		return false;
	return *number >= min && *number <= max;
}

static bool
read_fraction(const char **text, int *microseconds)
{
	int			worth = 100000;

	*microseconds = 0;
	if (**text != '.')
		return true;
	if ((*text)[1] < '0' || (*text)[1] > '9')
		return false;
	while (*++*text >= '0' && **text <= '9')
	{
		*microseconds += (**text - '0') * worth;
		worth /= 10;
	}
	return true;
}

/*
 * read_zone: minutes to the east of UTC
 */
static bool
read_zone(const char **text, int *minutes)
{
	char		sign = *(*text)++;
	int			hour;

	*minutes = 0;
	if (sign == 'Z')
		return true;
	if ((sign != '+' && sign != '-') ||
		!read_number(text, 2, ':', 0, 23, &hour) ||
		!read_number(text, 2, '\0', 0, 59, minutes))
		return false;
	*minutes += hour * MINS_PER_HOUR;
	if (sign == '-')
		*minutes = -*minutes;
	return true;
}
