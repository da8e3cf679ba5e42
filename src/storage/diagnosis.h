/*-------------------------------------------------------------------------
 *
 * diagnosis.h
 *	  what the catalogs tell of an installation
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/diagnosis.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_DIAGNOSIS_H
#define VIDTOKEN_DIAGNOSIS_H

extern char *vidtoken_diagnose_version(void);
extern char *vidtoken_diagnose_settings(void);
extern char *vidtoken_diagnose_rls(Oid relation);
extern char *vidtoken_diagnose_owner(void);
extern char *vidtoken_diagnose_grants(void);
extern char *vidtoken_diagnose_triggers(void);
extern char *vidtoken_diagnose_public(void);

#endif							/* VIDTOKEN_DIAGNOSIS_H */
