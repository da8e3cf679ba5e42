/*-------------------------------------------------------------------------
 *
 * vidtoken.h
 *	  version of the library
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/vidtoken.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_H
#define VIDTOKEN_H

/* That of the SQL script it belongs to. */
#define VIDTOKEN_VERSION "1.0"

#endif							/* VIDTOKEN_H */
