/*-------------------------------------------------------------------------
 *
 * vidtoken.c
 *	  what the library sets up when it is loaded
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/vidtoken.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "policy/settings.h"
#include "provider/provider.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

/*
 * Loading is all or nothing: a session in which half of the settings are
 * defined can load no more.
 */
void
_PG_init(void)
{
	/* Then no value that was stored or set before could be taken over. */
	if (IsInParallelMode() && !InitializingParallelWorker)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("cannot load library \"vidtoken\" during a parallel operation"),
				errhint("ALTER DATABASE ... SET session_preload_libraries = 'vidtoken'."));

	/* A WARNING of a value that is refused looks for interrupts. */
	HOLD_INTERRUPTS();
	vidtoken_provider_init();
	vidtoken_settings_init();
	RESUME_INTERRUPTS();
}
