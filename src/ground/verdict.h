/*-------------------------------------------------------------------------
 *
 * verdict.h
 *	  why a token is not valid
 *
 * One vocabulary for all that judges tokens; NULL stands for a valid one.
 * Whatever is wrong with a signature has one name, so that nothing can be
 * learnt from the difference.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/ground/verdict.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_VERDICT_H
#define VIDTOKEN_VERDICT_H

#define VIDTOKEN_TOO_LONG			"too_long"
#define VIDTOKEN_MALFORMED			"malformed"
#define VIDTOKEN_UNSUPPORTED		"unsupported"
#define VIDTOKEN_WRONG_ALGORITHM	"wrong_algorithm"
#define VIDTOKEN_UNKNOWN_KEY		"unknown_key"
#define VIDTOKEN_BAD_SIGNATURE		"bad_signature"
#define VIDTOKEN_BAD_CLAIMS			"bad_claims"
#define VIDTOKEN_EXPIRED			"expired"
#define VIDTOKEN_NOT_YET_VALID		"not_yet_valid"

#endif							/* VIDTOKEN_VERDICT_H */
