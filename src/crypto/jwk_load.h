/*-------------------------------------------------------------------------
 *
 * jwk_load.h
 *	  loads the key that a JWK describes
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/crypto/jwk_load.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_JWK_LOAD_H
#define VIDTOKEN_JWK_LOAD_H

#include "crypto/jwk.h"

extern const char *vidtoken_jwk_load(const VidTokenJson *json,
									 VidTokenJsonNode node, const char *pem,
									 int pem_length, VidTokenKey *key);

#endif							/* VIDTOKEN_JWK_LOAD_H */
