/*-------------------------------------------------------------------------
 *
 * claims.h
 *	  registered claims of a token (RFC 7519, section 4.1)
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/claims.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_CLAIMS_H
#define VIDTOKEN_CLAIMS_H

#include "datatype/timestamp.h"
#include "ground/json_reader.h"

/* Times without a claim are -infinity and infinity: they forbid nothing. */
typedef struct VidTokenValidity
{
	TimestampTz not_before;		/* nbf, rounded up to the microsecond */
	TimestampTz expires_at;		/* exp, cut to the microsecond */
} VidTokenValidity;

extern const char *vidtoken_claims_check(const VidTokenJson *claims,
										 VidTokenValidity *validity);
extern const char *vidtoken_validity_judge(const VidTokenValidity *validity,
										   TimestampTz now, int64 leeway);

#endif							/* VIDTOKEN_CLAIMS_H */
