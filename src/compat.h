/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  differences between PostgreSQL 13 and 18
 *
 * The one file that asks for PG_VERSION_NUM.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/compat.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_COMPAT_H
#define VIDTOKEN_COMPAT_H

#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/timestamp.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 18 put the word before the declaration. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* 18 asks whether a deferrable primary key will do. */
#if PG_VERSION_NUM >= 180000
#define VidTokenPrimaryKeyIndex(relation) \
	RelationGetPrimaryKeyIndex(relation, false)
#else
#define VidTokenPrimaryKeyIndex(relation) RelationGetPrimaryKeyIndex(relation)
#endif

/* 14 replaced a flag by the resource owner itself. */
#if PG_VERSION_NUM >= 140000
#define VidTokenReleasePlan(plan) ReleaseCachedPlan(plan, CurrentResourceOwner)
#else
#define VidTokenReleasePlan(plan) ReleaseCachedPlan(plan, true)
#endif

/* 15 made the reservation of a prefix of its own; before, it only warned. */
#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

/* 17 brought infinite intervals. */
#if PG_VERSION_NUM >= 170000
#define VidTokenIntervalIsFinite(interval) (!INTERVAL_NOT_FINITE(interval))
#else
#define VidTokenIntervalIsFinite(interval) (true)
#endif

/* 18 made bytes of what base64 encodes. */
#if PG_VERSION_NUM >= 180000
#define VidTokenBase64Source(data) (data)
#else
#define VidTokenBase64Source(data) ((const char *) (data))
#endif

/* 16 keeps settings in a hash table, and makes an array of them. */
#if PG_VERSION_NUM >= 160000
#define VidTokenAllSettings(count) get_guc_variables(count)
#else
static inline struct config_generic **
VidTokenAllSettings(int *count)
{
	*count = GetNumConfigOptions();
	return get_guc_variables();
}
#endif

/* 16 gave check hooks their own allocator. */
#if PG_VERSION_NUM < 160000
static inline void *
guc_malloc(int elevel, size_t size)
{
	void	   *data = malloc(size);

	if (data == NULL)
		ereport(elevel,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"));
	return data;
}
#endif

/* 16 gave DecodeDateTime an argument that explains errors. */
#if PG_VERSION_NUM >= 160000
#define VidTokenDecodeDateTime(field, ftype, nf, dtype, tm, fsec, tz, extra) \
	DecodeDateTime(field, ftype, nf, dtype, tm, fsec, tz, extra)
#else
typedef struct DateTimeErrorExtra
{
	int			unused;
} DateTimeErrorExtra;
#define VidTokenDecodeDateTime(field, ftype, nf, dtype, tm, fsec, tz, extra) \
	((void) (extra), DecodeDateTime(field, ftype, nf, dtype, tm, fsec, tz))
#endif

#endif							/* VIDTOKEN_COMPAT_H */
