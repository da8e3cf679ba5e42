/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  the settings "vidtoken.*"
 *
 * All are PGC_SUSET: each of them either weakens the policy or names
 * something that only an administrator may choose.  A value that makes no
 * sense alone is refused when it is set; values that contradict each other
 * are refused when they are used (vidtoken_settings_check), because they are
 * set one after the other.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * src/policy/settings.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "compat.h"
#include "ground/time_reader.h"
#include "mb/pg_wchar.h"
#include "policy/room_name.h"
#include "policy/settings.h"
#include "provider/provider.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

char	   *vidtoken_source;
char	   *vidtoken_provider;
char	   *vidtoken_account;
char	   *vidtoken_audience;
char	   *vidtoken_server_url;
char	   *vidtoken_public_url;
char	   *vidtoken_key_id;
char	   *vidtoken_keyring;
char	   *vidtoken_user_setting;
char	   *vidtoken_user_claim;
char	   *vidtoken_room_format;
char	   *vidtoken_notify_channel;
int			vidtoken_buffer_before;
int			vidtoken_buffer_after;
int			vidtoken_min_ttl;
int			vidtoken_max_ttl;
int			vidtoken_max_overrun;
int			vidtoken_min_duration;
int			vidtoken_refresh_window;
int			vidtoken_warn_window;
int			vidtoken_empty_room_timeout;
int			vidtoken_unused_room_buffer;
int			vidtoken_quality_stale_after;
int			vidtoken_clock_skew;
int			vidtoken_expiry_anchor;
int			vidtoken_record_sessions;

static char *test_clock_string;
static TimestampTz test_clock = DT_NOBEGIN; /* -infinity: the real clock */

static int	count_connection_options(void);
static bool check_source(char **newval, void **extra, GucSource source);
static bool check_provider(char **newval, void **extra, GucSource source);
static bool check_keyring(char **newval, void **extra, GucSource source);
static bool check_public_url(char **newval, void **extra, GucSource source);
static bool check_room_format(char **newval, void **extra, GucSource source);
static bool check_notify_channel(char **newval, void **extra,
								 GucSource source);
static bool check_test_clock(char **newval, void **extra, GucSource source);
static void assign_test_clock(const char *newval, void *extra);

typedef struct DurationSetting
{
	const char *name;
	int		   *variable;		/* seconds */
	int			default_value;
	int			min;
	int			max;
	const char *summary;
	const char *explanation;
} DurationSetting;

typedef struct StringSetting
{
	const char *name;
	char	  **variable;
	const char *default_value;
	GucStringCheckHook check;
	GucStringAssignHook assign;
	const char *summary;
	const char *explanation;
} StringSetting;

#define VALID_PROVIDERS "Valid values: twilio, livekit and jwt."

#define MINUTES(n) ((n) * 60)
#define HOURS(n) ((n) * 3600)
#define DAYS(n) ((n) * 86400)

static const DurationSetting durations[] = {
	{"vidtoken.buffer_before", &vidtoken_buffer_before,
		MINUTES(15), 0, DAYS(1),
		"Sets how long before the start a participant may enter.",
	"It is also part of every token's life, which is duration + buffer_before + buffer_after."},
	{"vidtoken.buffer_after", &vidtoken_buffer_after,
		MINUTES(15), 0, DAYS(1),
		"Sets how long after the end a participant may still enter.",
	"It is also part of every token's life, which is duration + buffer_before + buffer_after."},
	{"vidtoken.min_ttl", &vidtoken_min_ttl,
		MINUTES(60), MINUTES(1), DAYS(30),
		"Sets the shortest life of a token.",
	"It must not exceed vidtoken.max_ttl. The hard stop (vidtoken.max_overrun) wins over it."},
	{"vidtoken.max_ttl", &vidtoken_max_ttl,
		HOURS(4), MINUTES(1), DAYS(30),
		"Sets the longest life of a token.",
	"It must not be below vidtoken.min_ttl. The provider's own maximum applies as well."},
	{"vidtoken.max_overrun", &vidtoken_max_overrun,
		HOURS(2), 0, DAYS(30),
		"Sets how long after the end no token is valid any more.",
	"The appointment's end plus this is the hard stop: no token outlives it, and refresh works until it."},
	{"vidtoken.min_duration", &vidtoken_min_duration,
		MINUTES(5), 1, DAYS(1),
		"Sets the shortest duration of an appointment that is believed.",
	"A bare 60 means 60 seconds to an interval; appointments shorter than this are refused as a mistake."},
	{"vidtoken.refresh_window", &vidtoken_refresh_window,
		MINUTES(5), 1, DAYS(1),
		"Sets how long before its expiry a token should be refreshed.",
	"At most half of the token's life is used. It decides refresh_at in grants and in vidtoken_sessions."},
	{"vidtoken.warn_window", &vidtoken_warn_window,
		MINUTES(10), 1, DAYS(1),
		"Sets how long before a token's expiry the user should be warned.",
	"At most half of the token's life is used. It decides warn_at in grants and the state \"expiring\" in vidtoken_sessions."},
	{"vidtoken.empty_room_timeout", &vidtoken_empty_room_timeout,
		MINUTES(15), 0, DAYS(1),
		"Sets how long a room stays open after the last participant left.",
	"Providers have their own names and limits for it."},
	{"vidtoken.unused_room_buffer", &vidtoken_unused_room_buffer,
		MINUTES(30), 0, DAYS(1),
		"Sets how long beyond the appointment's duration a room waits that nobody entered.",
	"The room's timeout is the duration plus this. Providers have their own names and limits for it."},
	{"vidtoken.quality_stale_after", &vidtoken_quality_stale_after,
		60, 1, DAYS(1),
		"Sets how long a report of a participant's quality is shown.",
	"Older ones are kept but not shown by vidtoken_status: nobody knows whether they still hold."},
	{"vidtoken.clock_skew", &vidtoken_clock_skew,
		10, 0, MINUTES(5),
		"Sets how far a token's iat and nbf lie before the time of issue.",
	"It keeps tokens valid at a provider whose clock is late."},
};

static const StringSetting strings[] = {
	{"vidtoken.source", &vidtoken_source, "", check_source, NULL,
		"Sets the view or table with one row per participant of an appointment.",
	"Must be qualified with its schema. Read with the rights of the calling role."},
	{"vidtoken.provider", &vidtoken_provider, "twilio", check_provider, NULL,
		"Sets the provider whose tokens are issued.",
	VALID_PROVIDERS},
	{"vidtoken.account", &vidtoken_account, "", NULL, NULL,
		"Sets the account at the provider.",
	"For twilio the account SID, AC..., which becomes the claim sub; for jwt the claim iss. No effect for livekit. Not a secret."},
	{"vidtoken.audience", &vidtoken_audience, "", NULL, NULL,
		"Sets who a token is for.",
	"For jwt the claim aud, which is left out when this is empty. No effect for twilio and livekit."},
	{"vidtoken.server_url", &vidtoken_server_url, "", NULL, NULL,
		"Sets the address that clients connect to.",
	"Returned in every grant as server_url. For livekit wss://... Not needed by twilio."},
	{"vidtoken.public_url", &vidtoken_public_url, "", check_public_url, NULL,
		"Sets the address at which the provider delivers webhooks.",
	"As the provider knows it, https://... For twilio, which signs it and is told of it when a room is made; wins over the argument url of vidtoken_webhook. No effect for livekit and jwt."},
	{"vidtoken.key_id", &vidtoken_key_id, "", NULL, NULL,
		"Sets the kid of the key that signs.",
	"For twilio the API key SID, SK..., for livekit the API key: both become the claim iss. For jwt the header's kid. The key is looked up in vidtoken.keyring."},
	{"vidtoken.keyring", &vidtoken_keyring, "", check_keyring, NULL,
		"Sets the path of the JWK Set file that holds the keys.",
	"An absolute path. The file belongs to the server's user without rights for others, or to root with at most 0640. The command vidtoken-keyring writes it."},
	{"vidtoken.user_setting", &vidtoken_user_setting, "request.jwt.claims", NULL, NULL,
		"Sets the setting that names the calling user.",
	"The name of a setting that a gateway sets per transaction, or session_user or current_user for roles that log in themselves."},
	{"vidtoken.user_claim", &vidtoken_user_claim, "sub", NULL, NULL,
		"Sets the member of vidtoken.user_setting's JSON that is the user's id.",
	"Empty: the setting's value is the id itself. No effect when user_setting is session_user or current_user."},
	{"vidtoken.room_format", &vidtoken_room_format, "apt-{appointment_id}-{suffix}",
		check_room_format, NULL,
		"Sets how room names are made.",
	"Must hold {suffix}, which makes the name impossible to guess, and may hold {appointment_id}. No effect where the source gives room_name."},
	{"vidtoken.notify_channel", &vidtoken_notify_channel, "", check_notify_channel, NULL,
		"Sets the channel on which LISTEN hears of tokens, bars and calls.",
	"Empty: nothing is sent. The payload is JSON with ids, names and times, never a token. Every role that may connect can LISTEN."},
	{"vidtoken.test_clock", &test_clock_string, "", check_test_clock, assign_test_clock,
		"Sets a fixed time for tests.",
	"A timestamp with time zone, from 1970 on. Empty: the real clock."},
};

static const struct config_enum_entry anchors[] = {
	{"issue", VIDTOKEN_ANCHOR_ISSUE, false},
	{"appointment", VIDTOKEN_ANCHOR_APPOINTMENT, false},
	{NULL, 0, false}
};

static const struct config_enum_entry record_modes[] = {
	{"required", VIDTOKEN_RECORD_REQUIRED, false},
	{"preferred", VIDTOKEN_RECORD_PREFERRED, false},
	{"off", VIDTOKEN_RECORD_OFF, false},
	{NULL, 0, false}
};

/*
 * vidtoken_settings_init: define all settings and reserve their prefix
 *
 * Options of the connection come before the stored values in a session's start,
 * and win over them.  Where the library is loaded later it shows only now that
 * the role may not set them, and the stored values are lost to the session: it
 * must not go on with the defaults in their place.
 */
void
vidtoken_settings_init(void)
{
	size_t		i;
	int			options = count_connection_options();

	for (i = 0; i < lengthof(durations); i++)
		DefineCustomIntVariable(durations[i].name, durations[i].summary,
								durations[i].explanation,
								durations[i].variable,
								durations[i].default_value,
								durations[i].min, durations[i].max,
								PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);

	for (i = 0; i < lengthof(strings); i++)
		DefineCustomStringVariable(strings[i].name, strings[i].summary,
								   strings[i].explanation,
								   strings[i].variable,
								   strings[i].default_value,
								   PGC_SUSET, 0, strings[i].check,
								   strings[i].assign, NULL);

	DefineCustomEnumVariable("vidtoken.expiry_anchor",
							 "Sets from where a token's life is counted.",
							 "Valid values: issue (from the call) and appointment (to buffer_before + buffer_after past the end, whenever the call comes).",
							 &vidtoken_expiry_anchor,
							 VIDTOKEN_ANCHOR_ISSUE, anchors,
							 PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomEnumVariable("vidtoken.record_sessions",
							 "Sets whether a token needs its row in the ledger.",
							 "Valid values: required (no row, no token), preferred (a hot standby signs without a row, and refresh does not insist on one) and off (no ledger at all, and nothing can be revoked).",
							 &vidtoken_record_sessions,
							 VIDTOKEN_RECORD_REQUIRED, record_modes,
							 PGC_SUSET, 0, NULL, NULL, NULL);

	if (count_connection_options() < options)
		ereport(FATAL,
				errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("a setting of extension \"vidtoken\" in the connection's options was refused"),
				errdetail("It has taken the place of the stored value."),
				errhint("Connect without it."));
	MarkGUCPrefixReserved("vidtoken");
}

/*
 * count_connection_options: settings of ours that the connection's options set
 */
static int
count_connection_options(void)
{
	int			count;
	struct config_generic **settings = VidTokenAllSettings(&count);
	int			found = 0;
	int			i;

	for (i = 0; i < count; i++)
		if (settings[i]->reset_source == PGC_S_CLIENT &&
			pg_strncasecmp(settings[i]->name, "vidtoken.", strlen("vidtoken.")) == 0)
			found++;
	return found;
}

/*
 * vidtoken_settings_check: raise F0000 when settings contradict each other, or
 * hold what no token may
 */
void
vidtoken_settings_check(void)
{
	size_t		i;

	if (vidtoken_min_ttl > vidtoken_max_ttl)
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("setting \"vidtoken.min_ttl\" exceeds \"vidtoken.max_ttl\""),
				errdetail("min_ttl is %d s, max_ttl is %d s.",
						  vidtoken_min_ttl, vidtoken_max_ttl),
				errhint("Lower \"vidtoken.min_ttl\" or raise \"vidtoken.max_ttl\"."));
	for (i = 0; i < lengthof(strings); i++)
		if (!pg_verifymbstr(*strings[i].variable, strlen(*strings[i].variable), true))
			ereport(ERROR,
					errcode(ERRCODE_CONFIG_FILE_ERROR),
					errmsg("setting \"%s\" is not valid in the encoding of the database",
						   strings[i].name),
					errhint("A configuration file is read as it is: write it in that encoding."));
}

/*
 * vidtoken_now: the clock that every judgement uses
 *
 * Read once a call and handed down.  Not the transaction's start: in a long
 * transaction that would issue tokens from the past.
 */
TimestampTz
vidtoken_now(void)
{
	return vidtoken_test_clock_is_set() ? test_clock : GetCurrentTimestamp();
}

/*
 * vidtoken_test_clock_is_set: does the clock stand still?
 */
bool
vidtoken_test_clock_is_set(void)
{
	return !TIMESTAMP_IS_NOBEGIN(test_clock);
}

/*
 * check_source: a name qualified with a schema that is not a session's own
 *
 * F0000, as when the relation turns out to be unusable at run time.
 */
static bool
check_source(char **newval, void **extra pg_attribute_unused(),
			 GucSource source pg_attribute_unused())
{
	char	   *copy = pstrdup(*newval);
	List	   *names;
	bool		qualified;
	bool		temporary;

	if (copy[0] == '\0')
		return true;

	qualified = SplitIdentifierString(copy, '.', &names) &&
		list_length(names) == 2;
	temporary = qualified && strncmp(linitial(names), "pg_temp", 7) == 0;
	if (qualified && !temporary)
		return true;

	GUC_check_errcode(ERRCODE_CONFIG_FILE_ERROR);
	if (temporary)
		GUC_check_errdetail("A temporary relation belongs to one session.");
	else
		GUC_check_errdetail("The name must be qualified with its schema, so that no other relation can take its place.");
	GUC_check_errhint("Set \"vidtoken.source\" to a name such as clinic.video_source.");
	return false;
}

static bool
check_provider(char **newval, void **extra pg_attribute_unused(),
			   GucSource source pg_attribute_unused())
{
	if (vidtoken_provider_find(*newval) != NULL)
		return true;
	GUC_check_errdetail("Provider \"%s\" does not exist.", *newval);
	GUC_check_errhint("%s", VALID_PROVIDERS);
	return false;
}

/*
 * check_keyring: an absolute path, because a relative one would follow the
 * server's working directory
 */
static bool
check_keyring(char **newval, void **extra pg_attribute_unused(),
			  GucSource source pg_attribute_unused())
{
	if ((*newval)[0] == '\0' || is_absolute_path(*newval))
		return true;
	GUC_check_errdetail("The path of the keyring must be absolute.");
	return false;
}

static bool
check_public_url(char **newval, void **extra pg_attribute_unused(),
				 GucSource source pg_attribute_unused())
{
	if ((*newval)[0] == '\0' || strncmp(*newval, "https://", 8) == 0 ||
		strncmp(*newval, "http://", 7) == 0)
		return true;
	GUC_check_errdetail("The address must begin with https:// or http://.");
	return false;
}

static bool
check_room_format(char **newval, void **extra pg_attribute_unused(),
				  GucSource source pg_attribute_unused())
{
	const char *reason = vidtoken_room_format_problem(*newval);

	if (reason == NULL)
		return true;
	GUC_check_errdetail("%s", reason);
	return false;
}

/*
 * check_notify_channel: what NOTIFY would refuse, or cut
 */
static bool
check_notify_channel(char **newval, void **extra pg_attribute_unused(),
					 GucSource source pg_attribute_unused())
{
	if (strlen(*newval) < NAMEDATALEN)
		return true;
	GUC_check_errdetail("The name of a channel has at most %d bytes.",
						NAMEDATALEN - 1);
	return false;
}

static bool
check_test_clock(char **newval, void **extra,
				 GucSource source pg_attribute_unused())
{
	TimestampTz clock = DT_NOBEGIN;

	if ((*newval)[0] != '\0' &&
		(!vidtoken_time_read(*newval, &clock) ||
		 clock < SetEpochTimestamp()))
	{
		GUC_check_errdetail("The value must be a timestamp with time zone from 1970 on.");
		return false;
	}

	*extra = guc_malloc(LOG, sizeof(TimestampTz));
	if (*extra == NULL)
		return false;
	*(TimestampTz *) *extra = clock;
	return true;
}

static void
assign_test_clock(const char *newval pg_attribute_unused(), void *extra)
{
	test_clock = *(TimestampTz *) extra;
}
