/*-------------------------------------------------------------------------
 *
 * key.h
 *	  ids of appointments and users, in the types of the source's columns
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/key.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_KEY_H
#define VIDTOKEN_KEY_H

#include "fmgr.h"

/* how values of a key column are read, compared and written */
typedef struct VidTokenKeyType
{
	Oid			column_type;	/* a domain, or the base type */
	Oid			base_type;
	int32		typmod;			/* of the column */
	bool		is_number;		/* a JSON number in the grant */
	bool		is_citext;
	char	   *equality;		/* OPERATOR(schema.name), ready for a query */
	FmgrInfo	input;
	Oid			input_param;
	FmgrInfo	output;
} VidTokenKeyType;

extern bool vidtoken_key_type_is_supported(Oid base_type);
extern void vidtoken_key_type_init(VidTokenKeyType *type, Oid column_type,
								   int32 typmod, Oid collation);
extern bool vidtoken_key_read(VidTokenKeyType *type, const char *text,
							  Datum *value);
extern char *vidtoken_key_write(VidTokenKeyType *type, Datum value);
extern char *vidtoken_key_spell(VidTokenKeyType *type, const char *text);

#endif							/* VIDTOKEN_KEY_H */
