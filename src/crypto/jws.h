/*-------------------------------------------------------------------------
 *
 * jws.h
 *	  compact serialization of a signed token (RFC 7515, section 7.1)
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/jws.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_JWS_H
#define VIDTOKEN_JWS_H

#include "crypto/jwk.h"
#include "lib/stringinfo.h"

extern int	vidtoken_jws_end_part(StringInfo token, int start);
extern void vidtoken_jws_sign(StringInfo token, const VidTokenKey *key);

#endif							/* VIDTOKEN_JWS_H */
