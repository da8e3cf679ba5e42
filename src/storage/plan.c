/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  statements that are planned once
 *
 * Plans are generic from the first call and kept for the session.  A function
 * or trigger inside a running statement may call us again and find the plan
 * outdated: then a new one takes its place, and the old one is freed when it
 * has come to its end.
 *
 * An outdated plan is not left to the core, which would analyze the same text
 * again: a name in it may mean another table by now.  For that the caller
 * locks the relations, and accepts invalidations, before it asks whether the
 * plan is valid; vidtoken_plan_lock() does so for those that the caller does
 * not know by name.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/plan.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "storage/plan.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/resowner.h"

struct VidTokenKeptPlan
{
	SPIPlanPtr	spi_plan;
	int			executions;		/* under way */
};

static CachedPlanSource *source_of(const VidTokenKeptPlan *kept);
static void end_execution(const VidTokenPlan *plan, VidTokenKeptPlan *kept);
static void release(VidTokenKeptPlan *kept);

/*
 * vidtoken_plan_lock: lock all that the plan reads, the tables below a view
 * too, and take in what other sessions did
 *
 * Only waiting for one of these locks could make a valid plan invalid before
 * it runs.  For a plan that is invalid already nothing is locked: what it read
 * need not be what its successor reads.
 */
void
vidtoken_plan_lock(const VidTokenPlan *plan)
{
	ListCell   *relation;

	if (!vidtoken_plan_is_valid(plan))
		return;
	foreach(relation, vidtoken_plan_relations(plan))
		LockRelationOid(lfirst_oid(relation), AccessShareLock);
	AcceptInvalidationMessages();
}

/*
 * vidtoken_plan_relations: OIDs of all that the plan reads or writes, owned by
 * the plan
 */
List *
vidtoken_plan_relations(const VidTokenPlan *plan)
{
	return source_of(plan->kept)->relationOids;
}

/*
 * vidtoken_plan_is_valid: may the plan be used as it is?
 */
bool
vidtoken_plan_is_valid(const VidTokenPlan *plan)
{
	return plan->kept != NULL && SPI_plan_is_valid(plan->kept->spi_plan);
}

/*
 * vidtoken_plan_result: columns of the rows that the plan returns, owned by the
 * plan; NULL for none
 */
TupleDesc
vidtoken_plan_result(const VidTokenPlan *plan)
{
	return source_of(plan->kept)->resultDesc;
}

/*
 * vidtoken_plan_prepare: analyze a statement, in place of what was there
 *
 * Callers read the rows as of the types that they found.  Where the core has to
 * analyze the text again after all, because something that ran since changed
 * what it reads, other types are an error (0A000).
 */
void
vidtoken_plan_prepare(VidTokenPlan *plan, const char *query,
					  int nargs, const Oid *types)
{
	VidTokenKeptPlan *kept;
	SPIPlanPtr	spi_plan;

	spi_plan = SPI_prepare_cursor(query, nargs, unconstify(Oid *, types),
								  CURSOR_OPT_GENERIC_PLAN);
	if (spi_plan == NULL)
		elog(ERROR, "could not prepare statement: %s",
			 SPI_result_code_string(SPI_result));
	kept = MemoryContextAllocZero(TopMemoryContext, sizeof(VidTokenKeptPlan));
	kept->spi_plan = spi_plan;
	SPI_keepplan(spi_plan);
	source_of(kept)->fixed_result = true;

	vidtoken_plan_free(plan);
	plan->kept = kept;
}

/*
 * vidtoken_plan_build: make the generic plan now, under the settings in force
 *
 * That is an execution as well: the planner evaluates what it takes for
 * constant, and a function in it may call us again.
 */
void
vidtoken_plan_build(VidTokenPlan *plan)
{
	VidTokenKeptPlan *kept = plan->kept;

	kept->executions++;
	PG_TRY();
	{
		CachedPlan *cached = SPI_plan_get_cached_plan(kept->spi_plan);

		if (cached != NULL)
			VidTokenReleasePlan(cached);
	}
	PG_CATCH();
	{
		end_execution(plan, kept);
		PG_RE_THROW();
	}
	PG_END_TRY();
	end_execution(plan, kept);
}

/*
 * vidtoken_plan_execute: run the statement inside an SPI connection
 *
 * The rows are in SPI_tuptable, at most "limit" when that is not 0.
 * InvalidSnapshot means the one that SPI chooses.
 */
void
vidtoken_plan_execute(VidTokenPlan *plan, Datum *values, const char *nulls,
					  Snapshot snapshot, bool read_only, long limit)
{
	VidTokenKeptPlan *kept = plan->kept;
	volatile int result = 0;

	kept->executions++;
	PG_TRY();
	{
		result = SPI_execute_snapshot(kept->spi_plan, values, nulls, snapshot,
									  InvalidSnapshot, read_only, true, limit);
	}
	PG_CATCH();
	{
		end_execution(plan, kept);
		PG_RE_THROW();
	}
	PG_END_TRY();
	end_execution(plan, kept);

	if (result < 0)
		elog(ERROR, "could not execute statement: %s",
			 SPI_result_code_string(result));
}

/*
 * vidtoken_plan_free: forget the plan
 */
void
vidtoken_plan_free(VidTokenPlan *plan)
{
	VidTokenKeptPlan *kept = plan->kept;

	plan->kept = NULL;
	if (kept != NULL)
		release(kept);
}

/*
 * source_of: the one statement of a plan
 */
static CachedPlanSource *
source_of(const VidTokenKeptPlan *kept)
{
	return linitial(SPI_plan_get_plan_sources(kept->spi_plan));
}

/*
 * end_execution: a plan that was replaced meanwhile has no other owner
 */
static void
end_execution(const VidTokenPlan *plan, VidTokenKeptPlan *kept)
{
	kept->executions--;
	if (kept != plan->kept)
		release(kept);
}

/*
 * release: free a plan that nothing points to, unless it still runs
 */
static void
release(VidTokenKeptPlan *kept)
{
	if (kept->executions > 0)
		return;
	SPI_freeplan(kept->spi_plan);
	pfree(kept);
}
