/*-------------------------------------------------------------------------
 *
 * refusal.c
 *	  the reasons for which a token is refused
 *
 * PostgREST turns SQLSTATE PTnnn into HTTP status nnn and puts the message
 * into the status line: messages here are constants, data goes to DETAIL.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/refusal.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/json_writer.h"
#include "policy/policy.h"
#include "policy/refusal.h"

/* the HTTP statuses of PostgREST */
#define ERRCODE_HTTP_NOT_FOUND	MAKE_SQLSTATE('P', 'T', '4', '0', '4')
#define ERRCODE_HTTP_CONFLICT	MAKE_SQLSTATE('P', 'T', '4', '0', '9')
#define ERRCODE_HTTP_GONE		MAKE_SQLSTATE('P', 'T', '4', '1', '0')
#define ERRCODE_HTTP_TOO_EARLY	MAKE_SQLSTATE('P', 'T', '4', '2', '5')

/* Indexed by VidTokenReason. */
static const struct
{
	const char *name;
	int			sqlstate;
	const char *message;
	const char *hint;
}			reasons[] =

{
	{NULL, 0, NULL, NULL},
	{"not_found", ERRCODE_HTTP_NOT_FOUND, "no such appointment",
	"The appointment does not exist, or this user takes no part in it, or the calling role may not see it."},
	{"no_session", ERRCODE_HTTP_CONFLICT, "no session of this participant",
	"Call vidtoken_issue() first."},
	{"too_early", ERRCODE_HTTP_TOO_EARLY, "too early for this appointment",
	"Try again at opens_at."},
	{"ended", ERRCODE_HTTP_GONE, "appointment has ended",
	"A running session can be refreshed until \"vidtoken.max_overrun\" after the end."},
	{"cancelled", ERRCODE_HTTP_GONE, "appointment is cancelled",
	"The source says so in its column cancelled."},
	{"revoked", ERRCODE_HTTP_GONE, "access to the appointment is revoked",
	"vidtoken_reinstate() or vidtoken_reinstate_all() lifts a bar."},
	{"no_user", ERRCODE_INSUFFICIENT_PRIVILEGE, "no user in the request",
	"The settings \"vidtoken.user_setting\" and \"vidtoken.user_claim\" name where the gateway puts the user."},
};

static char *detail(VidTokenReason reason, const VidTokenSchedule *schedule,
					TimestampTz now);

/*
 * vidtoken_reason_name: the reason's word, NULL for VIDTOKEN_OK
 */
const char *
vidtoken_reason_name(VidTokenReason reason)
{
	return reasons[reason].name;
}

/*
 * vidtoken_refuse: raise a refusal that tells no times, because the caller
 * may not know them
 */
void
vidtoken_refuse(VidTokenReason reason)
{
	vidtoken_refuse_at(reason, NULL, 0);
}

/*
 * vidtoken_refuse_at: raise a refusal with the appointment's times
 */
void
vidtoken_refuse_at(VidTokenReason reason, const VidTokenSchedule *schedule,
				   TimestampTz now)
{
	ereport(ERROR,
			errcode(reasons[reason].sqlstate),
			errmsg("%s", reasons[reason].message),
			errdetail_internal("%s", detail(reason, schedule, now)),
			errhint("%s", reasons[reason].hint));
}

static char *
detail(VidTokenReason reason, const VidTokenSchedule *schedule,
	   TimestampTz now)
{
	StringInfoData json;

	initStringInfo(&json);
	vidtoken_json_begin(&json, NULL);
	vidtoken_json_add_string(&json, "reason", reasons[reason].name);
	if (schedule != NULL)
	{
		vidtoken_json_add_time(&json, "opens_at", schedule->opens_at);
		vidtoken_json_add_time(&json, "closes_at", schedule->closes_at);
		vidtoken_json_add_time(&json, "now", now);
	}
	vidtoken_json_end(&json);
	return json.data;
}
