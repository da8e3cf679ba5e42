/*-------------------------------------------------------------------------
 *
 * headers.h
 *	  the headers of an HTTP request
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/headers.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_HEADERS_H
#define VIDTOKEN_HEADERS_H

#include "utils/jsonb.h"

extern char *vidtoken_header_value(Jsonb *headers, const char *name);

#endif							/* VIDTOKEN_HEADERS_H */
