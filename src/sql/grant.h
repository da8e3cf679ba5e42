/*-------------------------------------------------------------------------
 *
 * grant.h
 *	  the answer to issue and refresh
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/grant.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_GRANT_H
#define VIDTOKEN_GRANT_H

#include "fmgr.h"
#include "storage/session.h"

extern Datum vidtoken_grant_datum(FunctionCallInfo fcinfo, const char *token,
								  const VidTokenProvider *provider,
								  const VidTokenAppointment *appointment,
								  const VidTokenSchedule *schedule,
								  const VidTokenLife *life,
								  const VidTokenSession *session);

#endif							/* VIDTOKEN_GRANT_H */
