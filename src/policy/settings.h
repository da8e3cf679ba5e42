/*-------------------------------------------------------------------------
 *
 * settings.h
 *	  the settings "vidtoken.*"
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/settings.h
 *-------------------------------------------------------------------------
 */
#ifndef VIDTOKEN_SETTINGS_H
#define VIDTOKEN_SETTINGS_H

#include "datatype/timestamp.h"

typedef enum VidTokenAnchor
{
	VIDTOKEN_ANCHOR_ISSUE,
	VIDTOKEN_ANCHOR_APPOINTMENT
} VidTokenAnchor;

typedef enum VidTokenRecord
{
	VIDTOKEN_RECORD_REQUIRED,
	VIDTOKEN_RECORD_PREFERRED,
	VIDTOKEN_RECORD_OFF
} VidTokenRecord;

/* Strings are never NULL; "" means not set. */
extern char *vidtoken_source;
extern char *vidtoken_provider;
extern char *vidtoken_account;
extern char *vidtoken_audience;
extern char *vidtoken_server_url;
extern char *vidtoken_public_url;
extern char *vidtoken_key_id;
extern char *vidtoken_keyring;
extern char *vidtoken_user_setting;
extern char *vidtoken_user_claim;
extern char *vidtoken_room_format;
extern char *vidtoken_notify_channel;

/* seconds */
extern int	vidtoken_buffer_before;
extern int	vidtoken_buffer_after;
extern int	vidtoken_min_ttl;
extern int	vidtoken_max_ttl;
extern int	vidtoken_max_overrun;
extern int	vidtoken_min_duration;
extern int	vidtoken_refresh_window;
extern int	vidtoken_warn_window;
extern int	vidtoken_empty_room_timeout;
extern int	vidtoken_unused_room_buffer;
extern int	vidtoken_quality_stale_after;
extern int	vidtoken_clock_skew;

extern int	vidtoken_expiry_anchor; /* VidTokenAnchor */
extern int	vidtoken_record_sessions;	/* VidTokenRecord */

extern void vidtoken_settings_init(void);
extern void vidtoken_settings_check(void);
extern TimestampTz vidtoken_now(void);
extern bool vidtoken_test_clock_is_set(void);

#endif							/* VIDTOKEN_SETTINGS_H */
