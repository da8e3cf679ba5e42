/*-------------------------------------------------------------------------
 *
 * webhook.c
 *	  vidtoken_webhook: what a provider reports of its rooms
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/webhook.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "fmgr.h"
#include "ground/json_writer.h"
#include "policy/keyring.h"
#include "policy/settings.h"
#include "provider/webhook.h"
#include "sql/argument.h"
#include "sql/headers.h"
#include "sql/result.h"
#include "storage/call.h"
#include "storage/ledger.h"
#include "storage/notice.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(vidtoken_webhook);

#define ERRCODE_HTTP_CONTENT_TOO_LARGE MAKE_SQLSTATE('P', 'T', '4', '1', '3')

/* Bytes; a participant with 64 kB of metadata, a lot, stays far below. */
#define MAX_BODY_LENGTH (1024 * 1024)

/* Bytes of each name and id that is kept; they are keys of tables. */
#define MAX_NAME_LENGTH 512

/*
 * What is older is not taken in.  vidtoken_prune keeps ids of events for a day
 * at least, so that nothing can come twice.
 */
#define MAX_AGE USECS_PER_DAY

/* Indexed by VidTokenEventKind. */
static const char *const event_names[] = {
	NULL, "room_started", "room_ended", "participant_joined",
	"participant_left",
};

static const VidTokenProvider *provider_argument(FunctionCallInfo fcinfo);
static void read_arguments(FunctionCallInfo fcinfo,
						   const VidTokenWebhook *webhook,
						   VidTokenDelivery *delivery);
static const char *signed_url(const char *url);
static const char *longer_url(const char *url);
static void require_signature(const VidTokenProvider *provider,
							  VidTokenDelivery *delivery);
static bool is_signed(const VidTokenWebhook *webhook,
					  VidTokenDelivery *delivery, const VidTokenKey *key);
static const char *process(const VidTokenProvider *provider,
						   const VidTokenDelivery *delivery);
static bool is_complete(const VidTokenEvent *event);
static bool is_name(const char *name);
static void tell_reported(const VidTokenProvider *provider,
						  const VidTokenEvent *event);
static char *from_utf8(const char *utf8);

/*
 * vidtoken_webhook(provider, body, headers, url): take a delivery in
 *
 * Nothing is written before the signature is verified.  "response" is the body
 * that the provider expects, and none of those here expects one.
 */
Datum
vidtoken_webhook(PG_FUNCTION_ARGS)
{
	const VidTokenProvider *provider = provider_argument(fcinfo);
	Datum		values[2] = {0};
	bool		nulls[2] = {false, true};
	VidTokenDelivery delivery;

	vidtoken_ledger_require();
	vidtoken_keyring_refresh();
	read_arguments(fcinfo, provider->webhook, &delivery);
	require_signature(provider, &delivery);
	values[0] = CStringGetTextDatum(process(provider, &delivery));
	return vidtoken_row_result(fcinfo, lengthof(values), values, nulls);
}

static const VidTokenProvider *
provider_argument(FunctionCallInfo fcinfo)
{
	const VidTokenProvider *provider;
	char	   *name;

	vidtoken_require_argument(fcinfo, 0, "provider");
	vidtoken_require_argument(fcinfo, 1, "body");
	vidtoken_require_argument(fcinfo, 2, "headers");
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	provider = vidtoken_provider_find(name);
	if (provider == NULL || provider->webhook == NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("provider \"%s\" sends no webhooks", name),
				errhint("Those of twilio and livekit are understood."));
	return provider;
}

/*
 * read_arguments: the size is judged before anything is decompressed
 */
static void
read_arguments(FunctionCallInfo fcinfo, const VidTokenWebhook *webhook,
			   VidTokenDelivery *delivery)
{
	bytea	   *body;
	const char *url = NULL;

	if (toast_raw_datum_size(PG_GETARG_DATUM(1)) > MAX_BODY_LENGTH + VARHDRSZ)
		ereport(ERROR,
				errcode(ERRCODE_HTTP_CONTENT_TOO_LARGE),
				errmsg("webhook body is too large"),
				errdetail("The limit is %d bytes.", MAX_BODY_LENGTH));
	body = PG_GETARG_BYTEA_PP(1);
	delivery->body.data = (const uint8 *) VARDATA_ANY(body);
	delivery->body.length = VARSIZE_ANY_EXHDR(body);
	delivery->signature = vidtoken_header_value(PG_GETARG_JSONB_P(2),
												webhook->signature_header);
	if (!PG_ARGISNULL(3))
		url = text_to_cstring(PG_GETARG_TEXT_PP(3));
	delivery->url = webhook->signs_url ? signed_url(url) : NULL;
	delivery->longer_url = webhook->signs_url ? longer_url(url) : NULL;
	delivery->now = vidtoken_now();
}

/*
 * signed_url: the address that the provider signed
 *
 * What a server sees behind a proxy is another one, so the setting wins.
 */
static const char *
signed_url(const char *url)
{
	if (vidtoken_public_url[0] == '\0')
	{
		if (url != NULL)
			return url;
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("setting \"vidtoken.public_url\" is not set"),
				errdetail("The provider signs the address at which it delivers webhooks."),
				errhint("Set \"vidtoken.public_url\" to the address as the provider knows it, or give the argument url."));
	}
	return pstrdup(vidtoken_public_url);
}

/*
 * longer_url: the setting's address with the query that the request had, NULL
 * where that is nothing else
 *
 * Twilio adds to the query, and signs that.  So may a proxy, which Twilio does
 * not know of: hence the address alone comes first.
 */
static const char *
longer_url(const char *url)
{
	const char *query = url ? strchr(url, '?') : NULL;
	size_t		length = strlen(vidtoken_public_url);
	size_t		path = strcspn(vidtoken_public_url, "?");
	char	   *longer;

	if (length == 0 || query == NULL)
		return NULL;
	longer = psprintf("%.*s%s", (int) path, vidtoken_public_url, query);
	if (strncmp(longer, vidtoken_public_url, length) != 0 ||
		(path < length && longer[length] != '&'))
		return NULL;
	return longer;
}

/*
 * require_signature: raise 42501, in the same words whatever is wrong
 *
 * Several keys may be the one, so that a secret can be rotated.
 */
static void
require_signature(const VidTokenProvider *provider,
				  VidTokenDelivery *delivery)
{
	const VidTokenWebhook *webhook = provider->webhook;
	bool		has_key = false;
	int			i;

	for (i = 0; i < vidtoken_keyring_count(); i++)
	{
		const VidTokenKey *key = vidtoken_keyring_get(i);

		if (!vidtoken_webhook_takes_key(provider, key))
			continue;
		has_key = true;
		if (delivery->signature != NULL && is_signed(webhook, delivery, key))
			return;
	}
	if (!has_key)
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("keyring has no key for webhooks of provider \"%s\"",
					   provider->name),
				errhint("Add the provider's webhook secret with vidtoken-keyring add --use webhook, alg %s.",
						webhook->algorithm));
	ereport(ERROR,
			errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("webhook signature is missing or wrong"),
			errhint("Check that the body reaches vidtoken_webhook as raw bytes, the header \"%s\" with it, and that \"vidtoken.public_url\" and the webhook key are the provider's.",
					webhook->signature_header));
}

/*
 * is_signed: afterwards "url" is the address that was signed
 */
static bool
is_signed(const VidTokenWebhook *webhook, VidTokenDelivery *delivery,
		  const VidTokenKey *key)
{
	VidTokenDelivery longer = *delivery;

	if (webhook->verify(delivery, key))
		return true;
	longer.url = delivery->longer_url;
	if (longer.url == NULL || !webhook->verify(&longer, key))
		return false;
	*delivery = longer;
	return true;
}

/*
 * process: accepted, duplicate or ignored
 */
static const char *
process(const VidTokenProvider *provider, const VidTokenDelivery *delivery)
{
	VidTokenEvent event = {0};

	if (!provider->webhook->read_event(delivery, &event) ||
		(event.kind != VIDTOKEN_EVENT_OTHER && !is_complete(&event)))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("webhook body is not an event of provider \"%s\"",
					   provider->name));
	if (event.kind == VIDTOKEN_EVENT_OTHER ||
		event.happened_at < delivery->now - MAX_AGE)
		return "ignored";
	if (!vidtoken_call_record(provider->name, &event, delivery->now))
		return "duplicate";
	tell_reported(provider, &event);
	return "accepted";
}

static bool
is_complete(const VidTokenEvent *event)
{
	return is_name(event->id) && is_name(event->room_name) &&
		is_name(event->room_sid) &&
		(!vidtoken_event_is_of_participant(event) || (is_name(event->participant_sid) &&
													  is_name(event->identity)));
}

static bool
is_name(const char *name)
{
	return name != NULL && name[0] != '\0' && strlen(name) <= MAX_NAME_LENGTH;
}

static void
tell_reported(const VidTokenProvider *provider, const VidTokenEvent *event)
{
	VidTokenNotice notice = {.event = event_names[event->kind]};

	notice.at = event->happened_at;
	notice.provider = provider->name;
	notice.room_name = from_utf8(event->room_name);
	if (vidtoken_event_is_of_participant(event))
		notice.user_identity = from_utf8(event->identity);
	vidtoken_notice(&notice);
}

static char *
from_utf8(const char *utf8)
{
	return vidtoken_from_utf8(utf8, strlen(utf8));
}
