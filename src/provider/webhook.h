/*-------------------------------------------------------------------------
 *
 * webhook.h
 *	  what a provider reports of its rooms
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/provider/webhook.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_WEBHOOK_H
#define VIDTOKEN_WEBHOOK_H

#include "crypto/jwk.h"
#include "datatype/timestamp.h"

struct VidTokenProvider;

/* what came in, of which nothing is believed before it is verified */
typedef struct VidTokenDelivery
{
	VidTokenOctets body;		/* raw */
	const char *signature;		/* value of the signature's header */
	const char *url;			/* as the provider signed it; NULL: not known */
	const char *longer_url;		/* or so; NULL: no */
	TimestampTz now;
} VidTokenDelivery;

typedef enum VidTokenEventKind
{
	VIDTOKEN_EVENT_OTHER,		/* tells nothing of the room's state */
	VIDTOKEN_EVENT_ROOM_STARTED,
	VIDTOKEN_EVENT_ROOM_ENDED,
	VIDTOKEN_EVENT_JOINED,
	VIDTOKEN_EVENT_LEFT
} VidTokenEventKind;

/*
 * An event, in UTF-8.  The provider gives each run of a room and each stay of
 * a participant an id of its own: who comes back has another one.
 */
typedef struct VidTokenEvent
{
	VidTokenEventKind kind;
	const char *id;				/* the same for each delivery of an event */
	const char *room_name;
	const char *room_sid;
	const char *participant_sid;	/* of JOINED and LEFT */
	const char *identity;		/* likewise */
	TimestampTz happened_at;	/* by the provider's clock */
	TimestampTz room_started_at;	/* -infinity: it does not say */
	TimestampTz joined_at;		/* likewise */
} VidTokenEvent;

/*
 * Is this the provider's signature over the delivery, by the key, and valid at
 * delivery->now?  Raises nothing for a wrong one.
 */
typedef bool (*VidTokenWebhookVerifier) (const VidTokenDelivery *delivery,
										 const VidTokenKey *key);

/*
 * Reads a verified delivery into an event that is all zeros; of an OTHER one
 * nothing else need be set.  False: it makes no sense.
 */
typedef bool (*VidTokenEventReader) (const VidTokenDelivery *delivery,
									 VidTokenEvent *event);

/* a provider's word for an event */
typedef struct VidTokenEventName
{
	const char *name;
	VidTokenEventKind kind;
} VidTokenEventName;

typedef struct VidTokenWebhook
{
	const char *algorithm;		/* alg of the keys that sign */
	const char *signature_header;	/* lower case */
	bool		signs_url;
	const VidTokenEventName *events;	/* that count; a NULL name ends them */
	VidTokenWebhookVerifier verify;
	VidTokenEventReader read_event;
} VidTokenWebhook;

extern const VidTokenWebhook vidtoken_webhook_livekit;
extern const VidTokenWebhook vidtoken_webhook_twilio;

extern VidTokenEventKind vidtoken_webhook_event_kind(const VidTokenWebhook *webhook,
													 const char *name);
extern bool vidtoken_event_is_of_participant(const VidTokenEvent *event);
extern bool vidtoken_webhook_takes_key(const struct VidTokenProvider *provider,
									   const VidTokenKey *key);

#endif							/* VIDTOKEN_WEBHOOK_H */
