/*-------------------------------------------------------------------------
 *
 * ledger_tables.h
 *	  where the ledger's tables are, and who owns them
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/ledger_tables.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_LEDGER_TABLES_H
#define VIDTOKEN_LEDGER_TABLES_H

#include "storage/ledger.h"

extern Oid	vidtoken_ledger_lock(const VidTokenStatement *statement);
extern char *vidtoken_ledger_schema(void);
extern bool vidtoken_ledger_is_shadowed(const VidTokenPlan *plan);
pg_noreturn extern void vidtoken_ledger_raise_shadowed(void);

#endif							/* VIDTOKEN_LEDGER_TABLES_H */
