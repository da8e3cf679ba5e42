/*-------------------------------------------------------------------------
 *
 * base64url.h
 *	  base64url without padding (RFC 7515, section 2)
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/base64url.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_BASE64URL_H
#define VIDTOKEN_BASE64URL_H

extern Size vidtoken_base64url_encoded_length(Size length);
extern void vidtoken_base64url_encode(const uint8 *source, Size length,
									  char *target);
extern int	vidtoken_base64url_decode(const char *source, int length,
									  uint8 *target);

#endif							/* VIDTOKEN_BASE64URL_H */
