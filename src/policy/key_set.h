/*-------------------------------------------------------------------------
 *
 * key_set.h
 *	  the keys of one state of a keyring's file
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/key_set.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_KEY_SET_H
#define VIDTOKEN_KEY_SET_H

#include "crypto/jwk.h"
#include "nodes/pg_list.h"

/*
 * All of it lives in its own context, together with the keys' handles.  A set
 * that could not be loaded has a reason and no keys.
 */
typedef struct VidTokenKeySet
{
	MemoryContext context;
	char	   *path;
	List	   *files;			/* what it was read from, as it was then */
	List	   *keys;			/* of VidTokenKey */
	const char *reason;			/* why it cannot be used, or NULL */
} VidTokenKeySet;

extern VidTokenKeySet *vidtoken_key_set_load(const char *path);
extern bool vidtoken_key_set_is_current(const VidTokenKeySet *set);

#endif							/* VIDTOKEN_KEY_SET_H */
