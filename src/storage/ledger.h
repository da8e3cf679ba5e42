/*-------------------------------------------------------------------------
 *
 * ledger.h
 *	  statements on the ledger's tables
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/ledger.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_LEDGER_H
#define VIDTOKEN_LEDGER_H

#include "compat.h"
#include "storage/plan.h"

#define VIDTOKEN_MAX_STATEMENT_ARGS 20
#define VIDTOKEN_MAX_STATEMENT_RESULTS 7

/* The session of appointment $1 and user $2 */
#define VIDTOKEN_WHERE_SESSION \
	" WHERE s.appointment_id OPERATOR(pg_catalog.=) $1" \
	" AND s.user_id OPERATOR(pg_catalog.=) $2"

/*
 * When the ledger may forget a row of appointment $1: the given argument where
 * the appointment is visible, else what its sessions know
 */
#define VIDTOKEN_HARD_STOP(argument) \
	"COALESCE(" argument ", (SELECT pg_catalog.max(h.hard_stop)" \
	" FROM %1$s.vidtoken_session AS h" \
	" WHERE h.appointment_id OPERATOR(pg_catalog.=) $1))"

/* what a call may do with the ledger */
typedef enum VidTokenLedgerMode
{
	VIDTOKEN_LEDGER_WRITE,
	VIDTOKEN_LEDGER_READ,
	VIDTOKEN_LEDGER_NONE
} VidTokenLedgerMode;

typedef enum VidTokenLedgerTable
{
	VIDTOKEN_TABLE_SESSION,
	VIDTOKEN_TABLE_ROOM,
	VIDTOKEN_TABLE_CALL,
	VIDTOKEN_TABLE_PARTICIPANT,
	VIDTOKEN_TABLE_EVENT,
	VIDTOKEN_TABLE_QUALITY
} VidTokenLedgerTable;

#define VIDTOKEN_TABLE(table) ((uint32) 1 << (table))
#define VIDTOKEN_TABLES_OF_SESSIONS \
	(VIDTOKEN_TABLE(VIDTOKEN_TABLE_SESSION) | VIDTOKEN_TABLE(VIDTOKEN_TABLE_ROOM))

/* A statement and its kept plan; one static variable each. */
typedef struct VidTokenStatement
{
	const char *query;			/* %1$s stands for the ledger's schema */
	uint32		tables;			/* that it names; 0: those of sessions */
	bool		read_only;
	bool		scans;			/* may read the whole table */
	int			nargs;
	Oid			types[VIDTOKEN_MAX_STATEMENT_ARGS];
	Oid			results[VIDTOKEN_MAX_STATEMENT_RESULTS];	/* that it returns */
	VidTokenPlan plan;
} VidTokenStatement;

extern VidTokenLedgerMode vidtoken_ledger_mode(void);
extern void vidtoken_ledger_require(void);
extern uint64 vidtoken_ledger_execute(VidTokenStatement *statement,
									  Datum *values, const char *nulls);
extern uint64 vidtoken_ledger_execute_key(VidTokenStatement *statement,
										  const char *appointment_id,
										  const char *user_id);
extern Oid	vidtoken_ledger_room(void);
pg_noreturn extern void vidtoken_ledger_suppressed(void);
extern Datum vidtoken_ledger_value(int column, bool *isnull);
extern char *vidtoken_ledger_text(int row, int column);

#endif							/* VIDTOKEN_LEDGER_H */
