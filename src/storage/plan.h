/*-------------------------------------------------------------------------
 *
 * plan.h
 *	  statements that are planned once
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/plan.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_PLAN_H
#define VIDTOKEN_PLAN_H

#include "executor/spi.h"

/* a prepared statement; the struct of the caller's points to the current one */
typedef struct VidTokenKeptPlan VidTokenKeptPlan;

typedef struct VidTokenPlan
{
	VidTokenKeptPlan *kept;		/* NULL until prepared */
} VidTokenPlan;

extern void vidtoken_plan_lock(const VidTokenPlan *plan);
extern List *vidtoken_plan_relations(const VidTokenPlan *plan);
extern TupleDesc vidtoken_plan_result(const VidTokenPlan *plan);
extern bool vidtoken_plan_is_valid(const VidTokenPlan *plan);
extern void vidtoken_plan_prepare(VidTokenPlan *plan, const char *query,
								  int nargs, const Oid *types);
extern void vidtoken_plan_build(VidTokenPlan *plan);
extern void vidtoken_plan_execute(VidTokenPlan *plan, Datum *values,
								  const char *nulls, Snapshot snapshot,
								  bool read_only, long limit);
extern void vidtoken_plan_free(VidTokenPlan *plan);

#endif							/* VIDTOKEN_PLAN_H */
