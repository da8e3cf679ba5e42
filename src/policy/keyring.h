/*-------------------------------------------------------------------------
 *
 * keyring.h
 *	  the keys of the file that vidtoken.keyring names
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/keyring.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_KEYRING_H
#define VIDTOKEN_KEYRING_H

#include "crypto/jwk.h"
#include "provider/provider.h"

extern void vidtoken_keyring_refresh(void);
extern const VidTokenKey *vidtoken_keyring_name_key(void);
extern const VidTokenKey *vidtoken_keyring_signing_key(const VidTokenProvider *provider,
													   const char *key_id);
extern const char *vidtoken_keyring_problem(void);
extern int	vidtoken_keyring_count(void);
extern const VidTokenKey *vidtoken_keyring_get(int index);

#endif							/* VIDTOKEN_KEYRING_H */
