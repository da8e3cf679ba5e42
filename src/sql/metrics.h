/*-------------------------------------------------------------------------
 *
 * metrics.h
 *	  what a report of quality may say besides its number
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/metrics.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_METRICS_H
#define VIDTOKEN_METRICS_H

#include "utils/jsonb.h"

extern void vidtoken_metrics_check(Jsonb *metrics);

#endif							/* VIDTOKEN_METRICS_H */
