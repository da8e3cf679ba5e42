/*-------------------------------------------------------------------------
 *
 * guarded.h
 *	  runs a step and hands back its error
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/guarded.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_GUARDED_H
#define VIDTOKEN_GUARDED_H

typedef void (*VidTokenStep) (void *arg);

extern ErrorData *vidtoken_guarded(VidTokenStep step, void *arg);

#endif							/* VIDTOKEN_GUARDED_H */
