/*-------------------------------------------------------------------------
 *
 * check_keys.c
 *	  the part of vidtoken_check that is about keys
 *
 * Rows name a key by its kid and never show more of it.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/sql/check_keys.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "policy/keyring.h"
#include "policy/settings.h"
#include "sql/report.h"
#include "storage/key_usage.h"
#include "utils/timestamp.h"

/* argument of a step that may fail */
typedef struct UsageStep
{
	const char *key_id;
	VidTokenKeyUsage usage;
} UsageStep;

static void keyring_step(void *arg);
static void signing_key_step(void *arg);
static void usage_step(void *arg);
static void describe_key(VidTokenReport *report, const VidTokenKey *key);
static bool signs_for_provider(const VidTokenKey *key);
static void check_same(VidTokenReport *report, int index);
static void check_usage(VidTokenReport *report, const VidTokenKey *key);

/*
 * vidtoken_check_keys: the keyring, the key that signs, each key, and what they
 * are to webhooks
 */
void
vidtoken_check_keys(VidTokenReport *report)
{
	const char *problem;
	int			i;

	if (!vidtoken_report_passes(report, "keyring", keyring_step, NULL))
		return;
	problem = vidtoken_keyring_problem();
	if (problem != NULL)
		vidtoken_report_add(report, "keyring", "error",
							psprintf("new sessions cannot use file \"%s\": %s",
									 vidtoken_keyring, problem),
							"Running sessions go on with the keys they have. Mend the file.");
	else
		vidtoken_report_add(report, "keyring", "ok",
							psprintf("%d keys in %s", vidtoken_keyring_count(),
									 vidtoken_keyring),
							NULL);
	if (vidtoken_report_passes(report, "signing key", signing_key_step, NULL))
		vidtoken_report_add(report, "signing key", "ok", vidtoken_key_id, NULL);

	for (i = 0; i < vidtoken_keyring_count(); i++)
	{
		const VidTokenKey *key = vidtoken_keyring_get(i);

		describe_key(report, key);
		if (key->weakness != NULL)
			vidtoken_report_add(report, "key", "warning",
								psprintf("%s: %s", key->kid, key->weakness),
								"Replace it by a random one.");
		check_same(report, i);
		check_usage(report, key);
	}
	vidtoken_check_webhooks(report);
}

static void
keyring_step(void *arg)
{
	(void) arg;
	vidtoken_keyring_refresh();
}

static void
signing_key_step(void *arg)
{
	(void) arg;
	vidtoken_keyring_signing_key(vidtoken_provider_find(vidtoken_provider),
								 vidtoken_key_id);
}

static void
usage_step(void *arg)
{
	UsageStep  *step = arg;

	vidtoken_key_usage_read(step->key_id, vidtoken_now(), &step->usage);
}

/*
 * describe_key: what it is, and what it is not good for
 */
static void
describe_key(VidTokenReport *report, const VidTokenKey *key)
{
	const char *limits = "";

	if (!key->may_sign)
		limits = ", verifies only";
	else if (!key->may_verify)
		limits = ", signs only";
	else if (key->use == VIDTOKEN_USE_TOKEN && !signs_for_provider(key))
		limits = psprintf(", not for provider %s", vidtoken_provider);

	vidtoken_report_add(report, "key", "ok",
						psprintf("%s: %s, %s%s%s%s", key->kid,
								 key->algorithm->name,
								 vidtoken_key_use_name(key->use),
								 key->provider ? " for " : "",
								 key->provider ? key->provider : "", limits),
						NULL);
}

/*
 * signs_for_provider: would vidtoken.key_id be allowed to name it?
 */
static bool
signs_for_provider(const VidTokenKey *key)
{
	const VidTokenProvider *provider = vidtoken_provider_find(vidtoken_provider);

	return key->may_sign &&
		(key->provider == NULL || strcmp(key->provider, provider->name) == 0) &&
		(provider->algorithm == NULL ||
		 strcmp(provider->algorithm, key->algorithm->name) == 0);
}

/*
 * check_same: who finds out one of two equal keys has the other
 */
static void
check_same(VidTokenReport *report, int index)
{
	const VidTokenKey *key = vidtoken_keyring_get(index);
	int			i;

	for (i = 0; i < index; i++)
	{
		const VidTokenKey *other = vidtoken_keyring_get(i);

		if (vidtoken_key_is_same(key, other))
			vidtoken_report_add(report, "key", "warning",
								psprintf("%s: it is the same key as %s",
										 key->kid, other->kid),
								"Use each key for one purpose; a rotation needs a new one.");
	}
}

/*
 * check_usage: a key that no longer signs is needed until the last of its
 * tokens has expired
 */
static void
check_usage(VidTokenReport *report, const VidTokenKey *key)
{
	UsageStep	step = {.key_id = pstrdup(key->kid)};

	if (key->use != VIDTOKEN_USE_TOKEN || !signs_for_provider(key) ||
		strcmp(key->kid, vidtoken_key_id) == 0 ||
		vidtoken_record_sessions == VIDTOKEN_RECORD_OFF ||
		!vidtoken_report_passes(report, "key", usage_step, &step))
		return;

	if (step.usage.sessions > 0)
		vidtoken_report_add(report, "key", "ok",
							psprintf("%s: needed until %s (sessions: " INT64_FORMAT ")",
									 step.key_id,
									 timestamptz_to_str(step.usage.needed_until),
									 step.usage.sessions),
							NULL);
	else
		vidtoken_report_add(report, "key", "warning",
							psprintf(step.usage.was_used ?
									 "%s: its last token has expired, nobody needs it" :
									 "%s: it does not sign and no session was signed with it",
									 step.key_id),
							"Remove it with vidtoken-keyring, unless it is to sign next, or a standby, another database or vidtoken_sign() uses it.");
}
