/*-------------------------------------------------------------------------
 *
 * guarded.c
 *	  runs a step and hands back its error
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/guarded.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "ground/guarded.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/*
 * vidtoken_guarded: run a step in a subtransaction
 *
 * Returns NULL, or the error that the step raised, in the caller's context.
 * The caller judges it and raises what it does not expect again, with
 * ReThrowError().  What the step allocates in the current context stays.
 */
ErrorData *
vidtoken_guarded(VidTokenStep step, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);

	PG_TRY();
	{
		step(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();

	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}
