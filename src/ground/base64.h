/*-------------------------------------------------------------------------
 *
 * base64.h
 *	  base64 as most protocols have it (RFC 4648, section 4)
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/base64.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_BASE64_H
#define VIDTOKEN_BASE64_H

extern char *vidtoken_base64(const uint8 *data, int length);

#endif							/* VIDTOKEN_BASE64_H */
