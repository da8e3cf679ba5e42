/*-------------------------------------------------------------------------
 *
 * room_limits.c
 *	  a room's numbers, as a provider takes them
 *
 * What is changed is told in words that a program can read as well:
 *
 *	  NAME: NUMBER becomes NUMBER, REASON
 *
 * with " s" after numbers that are times.  All names and reasons are in this
 * file.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/provider/room_limits.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "provider/provider.h"

static const char too_small[] = "the provider's minimum";
static const char too_large[] = "the provider's maximum";
static const char not_whole[] = "rounded up to whole minutes";

static List *fit(List *changes, const char *name, const char *unit,
				 int64 *number, const VidTokenRange *range);

/*
 * vidtoken_provider_fit_room: change what the provider would refuse
 *
 * Returns a list of strings, one for each number that is not the one that was
 * asked for.
 */
List *
vidtoken_provider_fit_room(const VidTokenProvider *provider,
						   VidTokenRoom *room)
{
	List	   *changes = NIL;

	changes = fit(changes, "empty_room_timeout", " s",
				  &room->empty_timeout, &provider->empty_timeout);
	changes = fit(changes, "unused_room_timeout", " s",
				  &room->unused_timeout, &provider->unused_timeout);
	/* No limit is not a number that a limit could change. */
	if (room->max_participants > 0)
		changes = fit(changes, "max_participants", "",
					  &room->max_participants, &provider->max_participants);
	return fit(changes, "max_stay", " s",
			   &room->max_stay, &provider->max_stay);
}

static List *
fit(List *changes, const char *name, const char *unit, int64 *number,
	const VidTokenRange *range)
{
	int64		wanted = *number;
	const char *reason = NULL;

	/* Up: a room that closes too late costs less than one too early. */
	if (range->whole_minutes && wanted % 60 != 0)
	{
		*number += 60 - wanted % 60;
		reason = not_whole;
	}
	if (*number < range->min)
	{
		*number = range->min;
		reason = too_small;
	}
	if (range->max > 0 && *number > range->max)
	{
		*number = range->max;
		reason = too_large;
	}
	if (reason == NULL)
		return changes;
	return lappend(changes,
				   psprintf("%s: " INT64_FORMAT "%s becomes " INT64_FORMAT "%s, %s",
							name, wanted, unit, *number, unit, reason));
}
