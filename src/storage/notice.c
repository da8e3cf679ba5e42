/*-------------------------------------------------------------------------
 *
 * notice.c
 *	  tells listeners what happened
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/storage/notice.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "commands/async.h"
#include "ground/json_writer.h"
#include "mb/pg_wchar.h"
#include "policy/settings.h"
#include "storage/notice.h"

/*
 * NOTIFY takes less than 8000 bytes.  Where the encoding is not UTF-8, escapes
 * can make three bytes of one.
 */
#define MAX_PAYLOAD_LENGTH \
	(GetDatabaseEncoding() == PG_UTF8 ? 7900 : 7900 / 3)

static void add(StringInfo json, const char *name, const char *value);

/*
 * vidtoken_notice: NOTIFY on vidtoken.notify_channel, when there is one
 *
 * Delivered when the transaction commits, and not at all when it does not.  A
 * standby cannot send any.  What is too long for a payload is left out, and the
 * event told all the same: listeners look up what they need.
 */
void
vidtoken_notice(const VidTokenNotice *notice)
{
	StringInfoData json;

	if (vidtoken_notify_channel[0] == '\0' || RecoveryInProgress())
		return;

	initStringInfo(&json);
	vidtoken_json_begin(&json, NULL);
	add(&json, "event", notice->event);
	vidtoken_json_add_time(&json, "at", notice->at);
	if (notice->expires_at != 0)
		vidtoken_json_add_time(&json, "expires_at", notice->expires_at);
	add(&json, "provider", notice->provider);
	add(&json, "appointment_id", notice->appointment_id);
	add(&json, "user_id", notice->user_id);
	add(&json, "room_name", notice->room_name);
	add(&json, "user_identity", notice->user_identity);
	vidtoken_json_end(&json);
	Async_Notify(vidtoken_notify_channel,
				 vidtoken_json_from_utf8(json.data, json.len));
}

static void
add(StringInfo json, const char *name, const char *value)
{
	int			before = json->len;

	if (value == NULL)
		return;
	vidtoken_json_add_string(json, name, value);
	if (json->len <= MAX_PAYLOAD_LENGTH)
		return;
	json->len = before;
	json->data[before] = '\0';
}
