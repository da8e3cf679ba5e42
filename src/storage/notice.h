/*-------------------------------------------------------------------------
 *
 * notice.h
 *	  tells listeners what happened
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/notice.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_NOTICE_H
#define VIDTOKEN_NOTICE_H

#include "datatype/timestamp.h"

/* NULL members are left out; strings are in the server's encoding. */
typedef struct VidTokenNotice
{
	const char *event;
	const char *appointment_id;
	const char *user_id;
	const char *provider;
	const char *room_name;
	const char *user_identity;
	TimestampTz at;				/* when it happened */
	TimestampTz expires_at;		/* of a token; 0: there is none */
} VidTokenNotice;

extern void vidtoken_notice(const VidTokenNotice *notice);

#endif							/* VIDTOKEN_NOTICE_H */
