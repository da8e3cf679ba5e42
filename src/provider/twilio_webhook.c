/*-------------------------------------------------------------------------
 *
 * twilio_webhook.c
 *	  webhooks of Twilio Video (status callbacks)
 *
 * The signature is an HMAC with SHA-1, by the account's AuthToken, over the
 * address as Twilio knows it and the form's fields in order.  Nothing in it tells
 * when it was made: an event that comes again is known by its id.
 *
 * SequenceNumber is documented as not being the order of events; Timestamp is.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/provider/twilio_webhook.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ground/base64.h"
#include "ground/form_reader.h"
#include "ground/json_reader.h"
#include "ground/time_reader.h"
#include "lib/stringinfo.h"
#include "provider/webhook.h"
#include "utils/timestamp.h"

static bool verify(const VidTokenDelivery *delivery, const VidTokenKey *key);
static bool append_fields(const VidTokenOctets *body, StringInfo signed_text);
static bool verify_with_url(const VidTokenDelivery *delivery,
							const VidTokenKey *key, const char *url,
							const StringInfo rest);
static char *other_port(const char *url);
static char *body_digest(const VidTokenDelivery *delivery);
static char *hex_sha256(const VidTokenOctets *body);
static bool read_event(const VidTokenDelivery *delivery, VidTokenEvent *event);
static const char *get_value(const VidTokenForm *form,
							 const VidTokenJson *json, const char *name);
static const char *synthetic_id(const char *event_name,
								const char *timestamp,
								const VidTokenEvent *event);

static const VidTokenEventName events[] = {
	{"room-created", VIDTOKEN_EVENT_ROOM_STARTED},
	{"room-ended", VIDTOKEN_EVENT_ROOM_ENDED},
	{"participant-connected", VIDTOKEN_EVENT_JOINED},
	{"participant-disconnected", VIDTOKEN_EVENT_LEFT},
	{NULL, VIDTOKEN_EVENT_OTHER}
};

const VidTokenWebhook vidtoken_webhook_twilio = {
	.algorithm = "HS1",
	.signature_header = "x-twilio-signature",
	.signs_url = true,
	.events = events,
	.verify = verify,
	.read_event = read_event,
};

static bool
verify(const VidTokenDelivery *delivery, const VidTokenKey *key)
{
	const char *digest = body_digest(delivery);
	StringInfoData rest;
	char	   *other;

	initStringInfo(&rest);
	if (digest != NULL ?
		!vidtoken_is_same_text(digest, hex_sha256(&delivery->body)) :
		!append_fields(&delivery->body, &rest))
		return false;
	if (verify_with_url(delivery, key, delivery->url, &rest))
		return true;
	other = other_port(delivery->url);
	return other != NULL && verify_with_url(delivery, key, other, &rest);
}

/*
 * append_fields: names and values of a form, sorted; a value that is there
 * twice counts once
 */
static bool
append_fields(const VidTokenOctets *body, StringInfo signed_text)
{
	VidTokenForm *form = vidtoken_form_parse((const char *) body->data,
											 body->length);
	int			i;

	for (i = 0; form != NULL && i < form->count; i++)
	{
		const VidTokenFormField *field = &form->fields[i];

		appendBinaryStringInfo(signed_text, (const char *) field->name.data,
							   field->name.length);
		appendBinaryStringInfo(signed_text, (const char *) field->value.data,
							   field->value.length);
	}
	return form != NULL;
}

static bool
verify_with_url(const VidTokenDelivery *delivery, const VidTokenKey *key,
				const char *url, const StringInfo rest)
{
	uint8		mac[VIDTOKEN_MAX_MAC_LENGTH];
	StringInfoData data;
	int			length;

	initStringInfo(&data);
	appendStringInfoString(&data, url);
	appendBinaryStringInfo(&data, rest->data, rest->len);
	length = vidtoken_mac_compute(key->mac, data.data, data.len, mac);
	return vidtoken_is_same_text(delivery->signature,
								 vidtoken_base64(mac, length));
}

/*
 * other_port: the same address without its port or, where it has none, with
 * the scheme's; Twilio may have signed either, and its own libraries take both
 *
 * NULL for what is no address.
 */
static char *
other_port(const char *url)
{
	const char *host = url + strcspn(url, ":/?#");
	const char *end;
	const char *port = NULL;
	const char *p;

	if (strncmp(host, "://", 3) != 0)
		return NULL;
	host += 3;
	end = host + strcspn(host, "/?#");

	/* What stands before them is a password, or in an IPv6 address. */
	for (p = host; p < end; p++)
	{
		if (*p == '@' || *p == ']')
			port = NULL;
		else if (*p == ':' && port == NULL)
			port = p;
	}
	if (port != NULL)
		return psprintf("%.*s%s", (int) (port - url), url, end);
	return psprintf("%.*s%s%s", (int) (end - url), url,
					pg_strncasecmp(url, "https:", 6) == 0 ? ":443" : ":80",
					end);
}

/*
 * body_digest: parameter bodySHA256 of the address, or NULL
 *
 * Twilio adds it when the body is no form: then it stands for the body, and
 * the signature is over the address alone.
 */
static char *
body_digest(const VidTokenDelivery *delivery)
{
	const char *query = strchr(delivery->url, '?');
	VidTokenForm *form;

	if (query == NULL)
		return NULL;
	form = vidtoken_form_parse(query + 1, strcspn(query + 1, "#"));
	return form ? vidtoken_form_get(form, "bodySHA256") : NULL;
}

static char *
hex_sha256(const VidTokenOctets *body)
{
	uint8		digest[VIDTOKEN_SHA256_LENGTH];
	StringInfoData hex;
	size_t		i;

	vidtoken_sha256(body->data, body->length, digest);
	initStringInfo(&hex);
	for (i = 0; i < sizeof(digest); i++)
		appendStringInfo(&hex, "%02x", digest[i]);
	return hex.data;
}

static bool
read_event(const VidTokenDelivery *delivery, VidTokenEvent *event)
{
	const char *body = (const char *) delivery->body.data;
	VidTokenForm *form = NULL;
	VidTokenJson *json = NULL;
	const char *unused;
	const char *name;
	const char *timestamp;

	if (body_digest(delivery) != NULL)
	{
		json = vidtoken_json_parse(body, delivery->body.length, &unused);
		if (json == NULL)
			return false;
	}
	else if ((form = vidtoken_form_parse(body, delivery->body.length)) == NULL)
		return false;

	name = get_value(form, json, "StatusCallbackEvent");
	if (name == NULL)
		return false;
	event->kind = vidtoken_webhook_event_kind(&vidtoken_webhook_twilio, name);
	if (event->kind == VIDTOKEN_EVENT_OTHER)
		return true;

	event->room_name = get_value(form, json, "RoomName");
	event->room_sid = get_value(form, json, "RoomSid");
	event->participant_sid = get_value(form, json, "ParticipantSid");
	event->identity = get_value(form, json, "ParticipantIdentity");
	timestamp = get_value(form, json, "Timestamp");
	if (event->room_sid == NULL || timestamp == NULL ||
		!vidtoken_time_read_internet(timestamp, &event->happened_at))
		return false;
	event->id = synthetic_id(name, timestamp, event);
	event->room_started_at = event->kind == VIDTOKEN_EVENT_ROOM_STARTED ?
		event->happened_at : DT_NOBEGIN;
	event->joined_at = event->kind == VIDTOKEN_EVENT_JOINED ?
		event->happened_at : DT_NOBEGIN;
	return true;
}

static const char *
get_value(const VidTokenForm *form, const VidTokenJson *json, const char *name)
{
	if (form != NULL)
		return vidtoken_form_get(form, name);
	return vidtoken_json_member_string(json, VIDTOKEN_JSON_ROOT, name);
}

/*
 * synthetic_id: Twilio gives its events none
 */
static const char *
synthetic_id(const char *event_name, const char *timestamp,
			 const VidTokenEvent *event)
{
	return psprintf("%s %s %s %s", event->room_sid, event_name,
					event->participant_sid ? event->participant_sid : "-",
					timestamp);
}
