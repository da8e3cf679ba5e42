/*-------------------------------------------------------------------------
 *
 * request_user.c
 *	  the user on whose behalf a gateway calls
 *
 * A gateway such as PostgREST sets the claims of its own, verified JWT in
 * each transaction.  Whoever can type SQL can set them too: for roles that
 * log in themselves there are session_user and current_user.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/request_user.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "ground/json_reader.h"
#include "ground/json_writer.h"
#include "miscadmin.h"
#include "policy/refusal.h"
#include "policy/request_user.h"
#include "policy/settings.h"

static char *claim_as_id(const char *claims);

/*
 * vidtoken_request_user: id of the calling user, by vidtoken.user_setting and
 * vidtoken.user_claim
 *
 * Raises 42501 with the reason no_user when the request names none.
 */
char *
vidtoken_request_user(void)
{
	const char *value;
	char	   *id;

	if (strcmp(vidtoken_user_setting, "session_user") == 0)
		return GetUserNameFromId(GetSessionUserId(), false);
	if (strcmp(vidtoken_user_setting, "current_user") == 0)
		return GetUserNameFromId(GetUserId(), false);

	/* On a pooled connection a setting of an earlier request is "". */
	value = GetConfigOption(vidtoken_user_setting, true, false);
	if (value == NULL || value[0] == '\0')
		vidtoken_refuse(VIDTOKEN_NO_USER);

	id = vidtoken_user_claim[0] == '\0' ? pstrdup(value) : claim_as_id(value);
	if (id == NULL || id[0] == '\0')
		vidtoken_refuse(VIDTOKEN_NO_USER);
	return id;
}

/*
 * claim_as_id: the claim, when it is a string or a number, else NULL
 */
static char *
claim_as_id(const char *claims)
{
	const char *reason;
	int			length;
	const char *utf8 = vidtoken_to_utf8(claims, &length);
	VidTokenJson *json = vidtoken_json_parse(utf8, length, &reason);
	VidTokenJsonNode node;
	char	   *string;

	if (json == NULL)
		return NULL;
	node = vidtoken_json_member(json, VIDTOKEN_JSON_ROOT, vidtoken_user_claim);
	if (node == VIDTOKEN_JSON_NONE)
		return NULL;

	switch (vidtoken_json_type(json, node))
	{
		case VIDTOKEN_JSON_STRING:
			string = vidtoken_json_string(json, node);
			return vidtoken_from_utf8(string, strlen(string));
		case VIDTOKEN_JSON_NUMBER:
			utf8 = vidtoken_json_raw(json, node, &length);
			return pnstrdup(utf8, length);
		default:
			return NULL;
	}
}
