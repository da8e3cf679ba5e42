/*-------------------------------------------------------------------------
 *
 * webhook.c
 *	  what holds for the webhooks of all providers
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/provider/webhook.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "provider/provider.h"
#include "provider/webhook.h"

/*
 * vidtoken_webhook_event_kind: what the provider's word for an event means
 */
VidTokenEventKind
vidtoken_webhook_event_kind(const VidTokenWebhook *webhook, const char *name)
{
	const VidTokenEventName *event;

	for (event = webhook->events; event->name != NULL; event++)
		if (strcmp(event->name, name) == 0)
			return event->kind;
	return VIDTOKEN_EVENT_OTHER;
}

/*
 * vidtoken_event_is_of_participant: or of the room as a whole?
 */
bool
vidtoken_event_is_of_participant(const VidTokenEvent *event)
{
	return event->kind == VIDTOKEN_EVENT_JOINED ||
		event->kind == VIDTOKEN_EVENT_LEFT;
}

/*
 * vidtoken_webhook_takes_key: may the key verify webhooks of this provider?
 */
bool
vidtoken_webhook_takes_key(const VidTokenProvider *provider,
						   const VidTokenKey *key)
{
	return provider->webhook != NULL &&
		key->use == VIDTOKEN_USE_WEBHOOK && key->may_verify &&
		strcmp(key->algorithm->name, provider->webhook->algorithm) == 0 &&
		(key->provider == NULL || strcmp(key->provider, provider->name) == 0);
}
