/*-------------------------------------------------------------------------
 *
 * provider.h
 *	  what makes one provider's tokens and rooms differ from another's
 *
 * A provider is one file with one "static const VidTokenProvider", and one
 * line in the table of provider.c.  It writes claims and room settings; keys,
 * tables and settings come to it as arguments.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/provider/provider.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_PROVIDER_H
#define VIDTOKEN_PROVIDER_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

/* A room; times in seconds. */
typedef struct VidTokenRoom
{
	const char *name;			/* in the server's encoding */
	int64		empty_timeout;	/* closes so long after the last one left */
	int64		unused_timeout; /* waits so long when nobody came */
	int64		max_participants;	/* 0: no limit */
	int64		max_stay;		/* of a participant, at one go */
	const char *status_callback;	/* where webhooks go, NULL: not said */
} VidTokenRoom;

/* What a provider takes for one number of a room. */
typedef struct VidTokenRange
{
	int64		min;
	int64		max;			/* 0: no maximum */
	bool		whole_minutes;	/* it counts in minutes */
} VidTokenRange;

/* What a token says; strings are in the server's encoding. */
typedef struct VidTokenClaims
{
	const char *account;		/* setting vidtoken.account */
	const char *audience;		/* setting vidtoken.audience, "" for none */
	const char *key_id;			/* kid of the signing key */
	const char *algorithm;		/* alg of the signing key */
	const char *jti;
	const char *identity;
	const char *display_name;	/* NULL: none */
	const char *role;			/* host, guest or observer */
	const char *metadata;		/* NULL: none */
	VidTokenRoom room;			/* beyond its name: if carries_room */
	int64		issued_at;		/* iat and nbf, seconds since 1970 */
	int64		expires_at;		/* exp, seconds since 1970 */
} VidTokenClaims;

/* Writes the JOSE header, a JSON object that begins with "alg". */
typedef void (*VidTokenHeaderWriter) (StringInfo json,
									  const VidTokenClaims *claims);

/* Writes the claims, a JSON object. */
typedef void (*VidTokenClaimsWriter) (StringInfo json,
									  const VidTokenClaims *claims);

/*
 * Makes the token's jti from 128 random bits in text form.  May be left out:
 * the random text is the jti then.
 */
typedef char *(*VidTokenJtiMaker) (const VidTokenClaims *claims,
								   const char *random);

/*
 * Says what is wrong with account or key id, a sentence, or NULL.  May be
 * left out.  For vidtoken_check(): tokens are issued all the same.
 */
typedef const char *(*VidTokenCredentialsCheck) (const char *account,
												 const char *key_id);

/*
 * Writes the body of the provider's call that makes a room, a JSON object, of
 * numbers that are within its ranges.  May be left out: there is no such call.
 */
typedef void (*VidTokenRoomWriter) (StringInfo json, const VidTokenRoom *room);

typedef struct VidTokenProvider
{
	const char *name;			/* value of vidtoken.provider */
	const char *algorithm;		/* alg of the keys it takes; NULL: any */
	bool		needs_account;
	bool		wants_server_url;	/* clients must be told where to connect */
	bool		wants_audience;
	bool		carries_room;	/* tokens say how long a room stays open */
	bool		carries_metadata;
	int			max_lifetime;	/* of exp - iat, seconds; 0: no maximum */
	int			min_lifetime;	/* of expires_in, seconds; 0: no minimum */
	/* bytes of UTF-8; 0: no limit, or not in the token */
	int			max_identity_length;
	int			max_room_name_length;
	int			max_display_name_length;
	int			max_metadata_length;
	/* numbers of a room; left out: whatever there is */
	VidTokenRange empty_timeout;
	VidTokenRange unused_timeout;
	VidTokenRange max_participants;
	VidTokenRange max_stay;
	VidTokenHeaderWriter write_header;
	VidTokenClaimsWriter write_claims;
	VidTokenJtiMaker make_jti;
	VidTokenCredentialsCheck check_credentials;
	VidTokenRoomWriter write_room;
	const struct VidTokenWebhook *webhook;	/* NULL: none is understood */
} VidTokenProvider;

extern const VidTokenProvider vidtoken_provider_jwt;
extern const VidTokenProvider vidtoken_provider_livekit;
extern const VidTokenProvider vidtoken_provider_twilio;

extern void vidtoken_provider_init(void);
extern const VidTokenProvider *vidtoken_provider_find(const char *name);
extern const VidTokenProvider *vidtoken_provider_current(void);
extern void vidtoken_provider_add_times(StringInfo json,
										const VidTokenClaims *claims);
extern void vidtoken_provider_check_limits(const VidTokenProvider *provider,
										   const VidTokenClaims *claims);
extern void vidtoken_provider_check_room_name(const VidTokenProvider *provider,
											  const char *room_name);
extern List *vidtoken_provider_fit_room(const VidTokenProvider *provider,
										VidTokenRoom *room);

#endif							/* VIDTOKEN_PROVIDER_H */
