/*-------------------------------------------------------------------------
 *
 * provider.c
 *	  the table of providers, and what holds for all of them
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/provider/provider.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/json_writer.h"
#include "policy/settings.h"
#include "provider/provider.h"

static const VidTokenProvider *const providers[] = {
	&vidtoken_provider_twilio,
	&vidtoken_provider_livekit,
	&vidtoken_provider_jwt,
};

static void check_length(const VidTokenProvider *provider, const char *what,
						 const char *value, int limit);

/*
 * vidtoken_provider_init: every provider has what it must have
 */
void
vidtoken_provider_init(void)
{
	size_t		i;

	for (i = 0; i < lengthof(providers); i++)
		if (providers[i]->write_header == NULL ||
			providers[i]->write_claims == NULL)
			elog(ERROR, "provider \"%s\" lacks a callback",
				 providers[i]->name);
}

/*
 * vidtoken_provider_find: a provider by its name, or NULL
 */
const VidTokenProvider *
vidtoken_provider_find(const char *name)
{
	size_t		i;

	for (i = 0; i < lengthof(providers); i++)
		if (strcmp(providers[i]->name, name) == 0)
			return providers[i];
	return NULL;
}

/*
 * vidtoken_provider_current: the provider that vidtoken.provider names
 *
 * Raises F0000 when it needs an account and vidtoken.account is not set.
 */
const VidTokenProvider *
vidtoken_provider_current(void)
{
	const VidTokenProvider *provider = vidtoken_provider_find(vidtoken_provider);

	if (provider->needs_account && vidtoken_account[0] == '\0')
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("setting \"vidtoken.account\" is not set"),
				errdetail("Provider \"%s\" needs it.", provider->name),
				errhint("Set \"vidtoken.account\" to the account's id at the provider."));
	return provider;
}

/*
 * vidtoken_provider_add_times: iat, nbf and exp; nbf for those who do not look
 * at iat
 */
void
vidtoken_provider_add_times(StringInfo json, const VidTokenClaims *claims)
{
	vidtoken_json_add_integer(json, "iat", claims->issued_at);
	vidtoken_json_add_integer(json, "nbf", claims->issued_at);
	vidtoken_json_add_integer(json, "exp", claims->expires_at);
}

/*
 * vidtoken_provider_check_limits: raise 22001 for what the provider would
 * refuse
 */
void
vidtoken_provider_check_limits(const VidTokenProvider *provider,
							   const VidTokenClaims *claims)
{
	check_length(provider, "identity", claims->identity,
				 provider->max_identity_length);
	vidtoken_provider_check_room_name(provider, claims->room.name);
	check_length(provider, "display name", claims->display_name,
				 provider->max_display_name_length);
	check_length(provider, "metadata", claims->metadata,
				 provider->max_metadata_length);
}

/*
 * vidtoken_provider_check_room_name: raise 22001 when it is too long
 */
void
vidtoken_provider_check_room_name(const VidTokenProvider *provider,
								  const char *room_name)
{
	check_length(provider, "room name", room_name,
				 provider->max_room_name_length);
}

/* The value itself stays out of the message: it may be a person's name. */
static void
check_length(const VidTokenProvider *provider, const char *what,
			 const char *value, int limit)
{
	int			length;

	if (limit == 0 || value == NULL)
		return;
	vidtoken_to_utf8(value, &length);
	if (length > limit)
		ereport(ERROR,
				errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				errmsg("%s is too long for provider \"%s\"",
					   what, provider->name),
				errdetail("It has %d bytes, the limit is %d bytes.",
						  length, limit),
				errhint("Shorten it in the relation of setting \"vidtoken.source\"."));
}
