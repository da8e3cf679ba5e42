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

#include "fmgr.h"
#include "policy/settings.h"
#include "provider/provider.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	vidtoken_provider_init();
	vidtoken_settings_init();
}
