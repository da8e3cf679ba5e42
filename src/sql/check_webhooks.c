/*-------------------------------------------------------------------------
 *
 * check_webhooks.c
 *	  the part of vidtoken_check that is about webhooks
 *
 * Nobody has to take any in: without a key for them nothing is wrong.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/check_webhooks.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "policy/keyring.h"
#include "policy/settings.h"
#include "provider/webhook.h"
#include "sql/report.h"

static void check_key(VidTokenReport *report, const VidTokenKey *key);
static void check_own(VidTokenReport *report,
					  const VidTokenProvider *provider);

/*
 * vidtoken_check_webhooks: the keys of webhooks, and what those of the current
 * provider need besides; there is a usable keyring
 */
void
vidtoken_check_webhooks(VidTokenReport *report)
{
	const VidTokenProvider *provider = vidtoken_provider_find(vidtoken_provider);
	int			i;

	if (provider->webhook == NULL)
		vidtoken_report_add(report, "webhooks", "ok",
							psprintf("none of provider %s are taken in",
									 provider->name),
							NULL);
	else
		check_own(report, provider);

	for (i = 0; i < vidtoken_keyring_count(); i++)
		if (vidtoken_keyring_get(i)->use == VIDTOKEN_USE_WEBHOOK)
			check_key(report, vidtoken_keyring_get(i));
}

/*
 * check_own: webhooks of the current provider, which sends some
 */
static void
check_own(VidTokenReport *report, const VidTokenProvider *provider)
{
	StringInfoData kids;
	int			i;

	initStringInfo(&kids);
	for (i = 0; i < vidtoken_keyring_count(); i++)
	{
		const VidTokenKey *key = vidtoken_keyring_get(i);

		if (vidtoken_webhook_takes_key(provider, key))
			appendStringInfo(&kids, "%s%s", kids.len > 0 ? ", " : "", key->kid);
	}
	if (kids.len == 0)
	{
		vidtoken_report_add(report, "webhooks", "ok",
							psprintf("none of provider %s are taken in, the keyring has no key for them",
									 provider->name),
							psprintf("If vidtoken_status() is to know of rooms: vidtoken-keyring add --use webhook, alg %s.",
									 provider->webhook->algorithm));
		return;
	}
	vidtoken_report_add(report, "webhooks", "ok",
						psprintf("those of provider %s are verified with %s",
								 provider->name, kids.data),
						NULL);
	if (provider->webhook->signs_url && vidtoken_public_url[0] == '\0')
		vidtoken_report_add(report, "webhooks", "warning",
							psprintf("the address that provider %s signs is not known",
									 provider->name),
							"Set \"vidtoken.public_url\" to the address as the provider knows it, unless each call of vidtoken_webhook() gives it.");
}

/*
 * check_key: a key that verifies nothing is there for nothing
 *
 * One without a provider is for every provider, so for the current one.
 */
static void
check_key(VidTokenReport *report, const VidTokenKey *key)
{
	const char *name = key->provider ? key->provider : vidtoken_provider;
	const VidTokenProvider *provider = vidtoken_provider_find(name);

	if (provider == NULL || provider->webhook == NULL)
		vidtoken_report_add(report, "webhooks", "warning",
							psprintf("%s: webhooks of provider %s are not understood",
									 key->kid, name),
							"Remove the key with vidtoken-keyring, or correct its provider.");
	else if (!vidtoken_webhook_takes_key(provider, key))
		vidtoken_report_add(report, "webhooks", "warning",
							key->may_verify ?
							psprintf("%s: webhooks of provider %s are signed with %s, the key's alg is %s",
									 key->kid, name,
									 provider->webhook->algorithm,
									 key->algorithm->name) :
							psprintf("%s: its key_ops does not hold \"verify\"",
									 key->kid),
							"Add the key again with vidtoken-keyring add --use webhook --replace.");
}
