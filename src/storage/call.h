/*-------------------------------------------------------------------------
 *
 * call.h
 *	  what webhooks reported of rooms and participants
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/call.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_CALL_H
#define VIDTOKEN_CALL_H

#include "datatype/timestamp.h"
#include "provider/webhook.h"

extern bool vidtoken_call_record(const char *provider,
								 const VidTokenEvent *event,
								 TimestampTz received_at);

#endif							/* VIDTOKEN_CALL_H */
