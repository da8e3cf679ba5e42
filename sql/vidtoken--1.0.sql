/* vidtoken--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION vidtoken" to load this file. \quit

-- types

CREATE TYPE @extschema@.vidtoken_id;

CREATE FUNCTION @extschema@.vidtoken_id_in(pg_catalog.cstring)
RETURNS @extschema@.vidtoken_id
AS 'textin' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.vidtoken_id_out(@extschema@.vidtoken_id)
RETURNS pg_catalog.cstring
AS 'textout' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.vidtoken_id_recv(pg_catalog.internal)
RETURNS @extschema@.vidtoken_id
AS 'textrecv' LANGUAGE internal STABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.vidtoken_id_send(@extschema@.vidtoken_id)
RETURNS pg_catalog.bytea
AS 'textsend' LANGUAGE internal STABLE STRICT PARALLEL SAFE;

-- No operator and no operator class, on purpose: with an "=" of its own,
-- comparing a text with an integer would become legal in the whole database.
CREATE TYPE @extschema@.vidtoken_id (
    INPUT = @extschema@.vidtoken_id_in,
    OUTPUT = @extschema@.vidtoken_id_out,
    RECEIVE = @extschema@.vidtoken_id_recv,
    SEND = @extschema@.vidtoken_id_send,
    LIKE = pg_catalog.text
);

-- The cast from bpchar drops the padding, as the cast from bpchar to text does.
CREATE FUNCTION @extschema@.vidtoken_id(pg_catalog.bpchar)
RETURNS @extschema@.vidtoken_id
AS 'rtrim1' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;

CREATE CAST (pg_catalog.int2 AS @extschema@.vidtoken_id) WITH INOUT AS IMPLICIT;
CREATE CAST (pg_catalog.int4 AS @extschema@.vidtoken_id) WITH INOUT AS IMPLICIT;
CREATE CAST (pg_catalog.int8 AS @extschema@.vidtoken_id) WITH INOUT AS IMPLICIT;
CREATE CAST (pg_catalog.numeric AS @extschema@.vidtoken_id) WITH INOUT AS IMPLICIT;
CREATE CAST (pg_catalog.uuid AS @extschema@.vidtoken_id) WITH INOUT AS IMPLICIT;
CREATE CAST (pg_catalog.text AS @extschema@.vidtoken_id) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (pg_catalog."varchar" AS @extschema@.vidtoken_id) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (pg_catalog.bpchar AS @extschema@.vidtoken_id)
    WITH FUNCTION @extschema@.vidtoken_id(pg_catalog.bpchar) AS IMPLICIT;
CREATE CAST (@extschema@.vidtoken_id AS pg_catalog.text) WITHOUT FUNCTION;
CREATE CAST (@extschema@.vidtoken_id AS pg_catalog.int4) WITH INOUT;
CREATE CAST (@extschema@.vidtoken_id AS pg_catalog.int8) WITH INOUT;
CREATE CAST (@extschema@.vidtoken_id AS pg_catalog.uuid) WITH INOUT;

CREATE TYPE @extschema@.vidtoken_grant AS (
    access_token pg_catalog.text,
    room_name pg_catalog.text,
    user_identity pg_catalog.text,
    expires_in pg_catalog.int4,
    expires_at pg_catalog.timestamptz,
    appointment_id pg_catalog.jsonb,
    appointment_duration_minutes pg_catalog.int4,
    token_valid_until pg_catalog.text,
    issued_at pg_catalog.timestamptz,
    refresh_at pg_catalog.timestamptz,
    warn_at pg_catalog.timestamptz,
    role pg_catalog.text,
    provider pg_catalog.text,
    server_url pg_catalog.text
);

-- tables

-- Rows are short and fixed, a third of each page stays free and no index
-- covers a column that changes: every refresh is a HOT update.  The token
-- itself is never stored.  A row without first_issued_at is a bar that came
-- before the participant.  "earlier" is a token that another key signed or
-- that outlives the row's own; an empty key id stands for several keys.
CREATE TABLE @extschema@.vidtoken_session (
    appointment_id pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    user_id pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    user_identity pg_catalog.text,
    room_name pg_catalog.text,
    generation pg_catalog.int4 NOT NULL DEFAULT 0,
    role pg_catalog.text,
    provider pg_catalog.text,
    key_id pg_catalog.text,
    jti pg_catalog.text,
    starts_at pg_catalog.timestamptz,
    ends_at pg_catalog.timestamptz,
    hard_stop pg_catalog.timestamptz,
    first_issued_at pg_catalog.timestamptz,
    issued_at pg_catalog.timestamptz,
    expires_at pg_catalog.timestamptz,
    earlier_key_id pg_catalog.text,
    earlier_expires_at pg_catalog.timestamptz,
    refresh_window pg_catalog.int4,
    warn_window pg_catalog.int4,
    issue_count pg_catalog.int4 NOT NULL DEFAULT 0,
    refresh_count pg_catalog.int4 NOT NULL DEFAULT 0,
    issued_by pg_catalog.text,
    revoked_at pg_catalog.timestamptz,
    PRIMARY KEY (appointment_id, user_id)
) WITH (fillfactor = 70);

-- Most appointments have no row here: one is made by a reset, or by a bar of
-- the whole appointment.
CREATE TABLE @extschema@.vidtoken_room (
    appointment_id pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    generation pg_catalog.int4 NOT NULL DEFAULT 0,
    hard_stop pg_catalog.timestamptz,
    revoked_at pg_catalog.timestamptz,
    PRIMARY KEY (appointment_id)
) WITH (fillfactor = 70);

-- What webhooks report, by the provider's own ids: a run of a room, a stay of
-- a participant, and each event's id, so that it counts once.  The key begins
-- with what vidtoken_status looks for; columns that change are not indexed.
CREATE TABLE @extschema@.vidtoken_call (
    provider pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    room_name pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    room_sid pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    started_at pg_catalog.timestamptz,
    ended_at pg_catalog.timestamptz,
    reported_at pg_catalog.timestamptz NOT NULL,
    PRIMARY KEY (provider, room_name, room_sid)
) WITH (fillfactor = 70);

CREATE TABLE @extschema@.vidtoken_participant (
    provider pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    room_name pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    room_sid pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    participant_sid pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    user_identity pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    room_started_at pg_catalog.timestamptz,
    joined_at pg_catalog.timestamptz,
    left_at pg_catalog.timestamptz,
    reported_at pg_catalog.timestamptz NOT NULL,
    PRIMARY KEY (provider, room_name, room_sid, participant_sid)
) WITH (fillfactor = 70);

CREATE TABLE @extschema@.vidtoken_event (
    provider pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    event_id pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    received_at pg_catalog.timestamptz NOT NULL,
    PRIMARY KEY (provider, event_id)
);

-- The latest report of each participant.
CREATE TABLE @extschema@.vidtoken_quality (
    provider pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    room_name pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    user_identity pg_catalog.text COLLATE pg_catalog."C" NOT NULL,
    quality pg_catalog.int2 NOT NULL,
    metrics pg_catalog.jsonb,
    reported_at pg_catalog.timestamptz NOT NULL,
    PRIMARY KEY (provider, room_name, user_identity)
) WITH (fillfactor = 70);

-- functions

CREATE FUNCTION @extschema@.vidtoken_clock()
RETURNS pg_catalog.timestamptz
AS 'MODULE_PATHNAME', 'vidtoken_clock'
LANGUAGE C STABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.vidtoken_ttl(duration pg_catalog."interval")
RETURNS pg_catalog."interval"
AS 'MODULE_PATHNAME', 'vidtoken_ttl'
LANGUAGE C STABLE STRICT PARALLEL SAFE;

-- Not strict: "at" may be NULL.  A NULL start or duration gives NULLs.
CREATE FUNCTION @extschema@.vidtoken_policy(
    starts_at pg_catalog.timestamptz,
    duration pg_catalog."interval",
    "at" pg_catalog.timestamptz DEFAULT NULL,
    OUT opens_at pg_catalog.timestamptz,
    OUT closes_at pg_catalog.timestamptz,
    OUT ends_at pg_catalog.timestamptz,
    OUT hard_stop pg_catalog.timestamptz,
    OUT ttl pg_catalog."interval",
    OUT expires_at pg_catalog.timestamptz,
    OUT refresh_at pg_catalog.timestamptz,
    OUT warn_at pg_catalog.timestamptz,
    OUT empty_room_timeout pg_catalog."interval",
    OUT unused_room_timeout pg_catalog."interval",
    OUT may_issue pg_catalog.bool,
    OUT reason pg_catalog.text)
RETURNS pg_catalog.record
AS 'MODULE_PATHNAME', 'vidtoken_policy_row'
LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL SAFE;

-- What follows is not strict either: a NULL id is an error, because an API
-- would show a NULL grant as an object of nulls.
CREATE FUNCTION @extschema@.vidtoken_issue(
    appointment_id @extschema@.vidtoken_id,
    user_id @extschema@.vidtoken_id)
RETURNS @extschema@.vidtoken_grant
AS 'MODULE_PATHNAME', 'vidtoken_issue'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;

CREATE FUNCTION @extschema@.vidtoken_issue(
    appointment_id @extschema@.vidtoken_id)
RETURNS @extschema@.vidtoken_grant
AS 'MODULE_PATHNAME', 'vidtoken_issue'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;

CREATE FUNCTION @extschema@.vidtoken_refresh(
    appointment_id @extschema@.vidtoken_id,
    user_id @extschema@.vidtoken_id)
RETURNS @extschema@.vidtoken_grant
AS 'MODULE_PATHNAME', 'vidtoken_refresh'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;

CREATE FUNCTION @extschema@.vidtoken_refresh(
    appointment_id @extschema@.vidtoken_id)
RETURNS @extschema@.vidtoken_grant
AS 'MODULE_PATHNAME', 'vidtoken_refresh'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;

CREATE FUNCTION @extschema@.vidtoken_revoke(
    appointment_id @extschema@.vidtoken_id,
    user_id @extschema@.vidtoken_id)
RETURNS pg_catalog.bool
AS 'MODULE_PATHNAME', 'vidtoken_revoke'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;

CREATE FUNCTION @extschema@.vidtoken_revoke_all(
    appointment_id @extschema@.vidtoken_id)
RETURNS pg_catalog.int4
AS 'MODULE_PATHNAME', 'vidtoken_revoke_all'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;

CREATE FUNCTION @extschema@.vidtoken_reinstate(
    appointment_id @extschema@.vidtoken_id,
    user_id @extschema@.vidtoken_id)
RETURNS pg_catalog.bool
AS 'MODULE_PATHNAME', 'vidtoken_reinstate'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;

CREATE FUNCTION @extschema@.vidtoken_reinstate_all(
    appointment_id @extschema@.vidtoken_id)
RETURNS pg_catalog.int4
AS 'MODULE_PATHNAME', 'vidtoken_reinstate_all'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;

CREATE FUNCTION @extschema@.vidtoken_reset_room(
    appointment_id @extschema@.vidtoken_id)
RETURNS pg_catalog.text
AS 'MODULE_PATHNAME', 'vidtoken_reset_room'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;

CREATE FUNCTION @extschema@.vidtoken_prune(
    older_than pg_catalog."interval" DEFAULT '30 days')
RETURNS pg_catalog.int8
AS 'MODULE_PATHNAME', 'vidtoken_prune'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;

-- What tells and does not write is STABLE, so that a plain GET works.  It is
-- not parallel safe: in a parallel query not even the leader may take the
-- latest snapshot, which the ledger is read with.
CREATE FUNCTION @extschema@.vidtoken_room_settings(
    appointment_id @extschema@.vidtoken_id,
    OUT room_name pg_catalog.text,
    OUT empty_room_timeout pg_catalog."interval",
    OUT unused_room_timeout pg_catalog."interval",
    OUT max_participants pg_catalog.int4,
    OUT opens_at pg_catalog.timestamptz,
    OUT closes_at pg_catalog.timestamptz,
    OUT provider pg_catalog.text,
    OUT create_request pg_catalog.jsonb,
    OUT adjusted pg_catalog.text[])
RETURNS pg_catalog.record
AS 'MODULE_PATHNAME', 'vidtoken_room_settings'
LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL UNSAFE;

CREATE FUNCTION @extschema@.vidtoken_status(
    appointment_id @extschema@.vidtoken_id,
    OUT appointment_id pg_catalog.jsonb,
    OUT room_name pg_catalog.text,
    OUT room_status pg_catalog.text,
    OUT participant_count pg_catalog.int4,
    OUT room_duration pg_catalog."interval",
    OUT room_duration_seconds pg_catalog.int8,
    OUT started_at pg_catalog.timestamptz,
    OUT ended_at pg_catalog.timestamptz,
    OUT connection_quality pg_catalog.int4,
    OUT participants pg_catalog.jsonb,
    OUT reported_at pg_catalog.timestamptz,
    OUT schedule pg_catalog.text)
RETURNS pg_catalog.record
AS 'MODULE_PATHNAME', 'vidtoken_status'
LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL UNSAFE;

CREATE FUNCTION @extschema@.vidtoken_webhook(
    provider pg_catalog.text,
    body pg_catalog.bytea,
    headers pg_catalog.jsonb,
    url pg_catalog.text DEFAULT NULL,
    OUT result pg_catalog.text,
    OUT response pg_catalog.jsonb)
RETURNS pg_catalog.record
AS 'MODULE_PATHNAME', 'vidtoken_webhook'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;

CREATE FUNCTION @extschema@.vidtoken_report_quality(
    appointment_id @extschema@.vidtoken_id,
    quality pg_catalog.int4,
    metrics pg_catalog.jsonb DEFAULT NULL)
RETURNS pg_catalog.void
AS 'MODULE_PATHNAME', 'vidtoken_report_quality'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;

CREATE FUNCTION @extschema@.vidtoken_report_quality(
    appointment_id @extschema@.vidtoken_id,
    user_id @extschema@.vidtoken_id,
    quality pg_catalog.int4,
    metrics pg_catalog.jsonb DEFAULT NULL)
RETURNS pg_catalog.void
AS 'MODULE_PATHNAME', 'vidtoken_report_quality_of'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;

-- Not parallel safe, and never folded into a constant: ES256 signs anew each
-- time.
CREATE FUNCTION @extschema@.vidtoken_sign(
    claims pg_catalog.json,
    key_id pg_catalog.text DEFAULT NULL)
RETURNS pg_catalog.text
AS 'MODULE_PATHNAME', 'vidtoken_sign'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL RESTRICTED;

CREATE FUNCTION @extschema@.vidtoken_verify(
    token pg_catalog.text,
    leeway pg_catalog."interval" DEFAULT '0',
    OUT valid pg_catalog.bool,
    OUT reason pg_catalog.text,
    OUT header pg_catalog.json,
    OUT claims pg_catalog.json,
    OUT key_id pg_catalog.text,
    OUT expires_at pg_catalog.timestamptz)
RETURNS pg_catalog.record
AS 'MODULE_PATHNAME', 'vidtoken_verify'
LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL SAFE;

CREATE FUNCTION @extschema@.vidtoken_jwks()
RETURNS pg_catalog.jsonb
AS 'MODULE_PATHNAME', 'vidtoken_jwks'
LANGUAGE C STABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.vidtoken_check(
    OUT item pg_catalog.text,
    OUT status pg_catalog.text,
    OUT message pg_catalog.text,
    OUT hint pg_catalog.text)
RETURNS SETOF pg_catalog.record
AS 'MODULE_PATHNAME', 'vidtoken_check'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 20;

-- views

-- The clock is read once a query.  refresh_at and warn_at are what the grant
-- said: make_interval() counts in seconds alone, so that no change of the
-- time zone's offset moves them.
CREATE VIEW @extschema@.vidtoken_sessions AS
SELECT t.appointment_id,
       t.user_id,
       t.user_identity,
       t.room_name,
       t.role,
       t.provider,
       t.key_id,
       t.starts_at,
       t.ends_at,
       t.first_issued_at,
       t.issued_at,
       t.expires_at,
       CASE WHEN t.expires_at OPERATOR(pg_catalog.>) t.now
            THEN t.expires_at OPERATOR(pg_catalog.-) t.now
            WHEN t.expires_at IS NOT NULL
            THEN '0'::pg_catalog."interval"
       END AS remaining,
       t.refresh_at,
       CASE WHEN t.barred_at IS NOT NULL THEN 'revoked'
            WHEN t.expires_at OPERATOR(pg_catalog.<=) t.now THEN 'expired'
            WHEN t.refresh_at OPERATOR(pg_catalog.<=) t.now THEN 'refresh_due'
            WHEN t.warn_at OPERATOR(pg_catalog.<=) t.now THEN 'expiring'
            ELSE 'active'
       END AS state,
       t.issue_count,
       t.refresh_count,
       t.barred_at AS revoked_at,
       t.issued_by
  FROM (SELECT s.*,
               c.now,
               LEAST(s.revoked_at, r.revoked_at) AS barred_at,
               CASE WHEN s.expires_at OPERATOR(pg_catalog.<)
                         pg_catalog.date_trunc('second', s.hard_stop)
                    THEN s.expires_at OPERATOR(pg_catalog.-)
                         pg_catalog.make_interval(secs => LEAST(
                             s.refresh_window::pg_catalog.float8, w.half))
               END AS refresh_at,
               s.expires_at OPERATOR(pg_catalog.-)
               pg_catalog.make_interval(secs => LEAST(
                   s.warn_window::pg_catalog.float8, w.half)) AS warn_at
          FROM (SELECT @extschema@.vidtoken_clock() AS now OFFSET 0) AS c
         CROSS JOIN @extschema@.vidtoken_session AS s
          LEFT JOIN @extschema@.vidtoken_room AS r
            ON r.appointment_id OPERATOR(pg_catalog.=) s.appointment_id
         CROSS JOIN LATERAL
               (SELECT pg_catalog.floor(
                           pg_catalog.date_part('epoch',
                               s.expires_at OPERATOR(pg_catalog.-) s.issued_at)
                           OPERATOR(pg_catalog./) 2::pg_catalog.float8)
                       AS half) AS w
       ) AS t;

-- privileges

-- What signs, writes or tells about people is granted by the DBA:
-- the two-argument forms of vidtoken_issue and vidtoken_refresh to trusted
-- back ends alone, the one-argument forms to the roles of end users,
-- the others to whoever runs the appointments.
--
-- Not only PUBLIC loses what it has: the default privileges of this database
-- may have given something to others, and a trigger on the ledger would run
-- as its owner.
DO $$
DECLARE
    command pg_catalog.text;
BEGIN
    FOR command IN
        SELECT pg_catalog.format('REVOKE ALL ON %s %s FROM %s', o.kind, o.name,
                   CASE WHEN a.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC'
                        ELSE a.grantee::pg_catalog.regrole::pg_catalog.text END)
          FROM pg_catalog.pg_extension AS e
          JOIN pg_catalog.pg_depend AS d
            ON d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
           AND d.refobjid OPERATOR(pg_catalog.=) e.oid
         CROSS JOIN LATERAL (
               SELECT 'TABLE', c.oid::pg_catalog.regclass::pg_catalog.text, c.relowner,
                      COALESCE(c.relacl, pg_catalog.acldefault('r', c.relowner))
                 FROM pg_catalog.pg_class AS c
                WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND c.oid OPERATOR(pg_catalog.=) d.objid
                  AND c.relkind IN ('r', 'v')
               UNION ALL
               SELECT 'FUNCTION', p.oid::pg_catalog.regprocedure::pg_catalog.text, p.proowner,
                      COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner))
                 FROM pg_catalog.pg_proc AS p
                WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                  AND p.oid OPERATOR(pg_catalog.=) d.objid
               ) AS o(kind, name, owner, acl)
         CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) AS a
         WHERE e.extname OPERATOR(pg_catalog.=) 'vidtoken'
           AND a.grantee OPERATOR(pg_catalog.<>) o.owner
    LOOP
        EXECUTE command;
    END LOOP;
END;
$$;

-- What the casts and the view call is checked against the caller, so PUBLIC
-- keeps it, whatever the default privileges of this database say.
GRANT EXECUTE ON FUNCTION
    @extschema@.vidtoken_id_in(pg_catalog.cstring),
    @extschema@.vidtoken_id_out(@extschema@.vidtoken_id),
    @extschema@.vidtoken_id_recv(pg_catalog.internal),
    @extschema@.vidtoken_id_send(@extschema@.vidtoken_id),
    @extschema@.vidtoken_id(pg_catalog.bpchar),
    @extschema@.vidtoken_clock(),
    @extschema@.vidtoken_ttl(pg_catalog."interval"),
    @extschema@.vidtoken_policy(pg_catalog.timestamptz, pg_catalog."interval", pg_catalog.timestamptz)
TO PUBLIC;

-- dump configuration

-- Unqualified: CREATE EXTENSION has put this extension's schema first, and a
-- schema's name never goes between quotes.
SELECT pg_catalog.pg_extension_config_dump('vidtoken_session', '');
SELECT pg_catalog.pg_extension_config_dump('vidtoken_room', '');
SELECT pg_catalog.pg_extension_config_dump('vidtoken_call', '');
SELECT pg_catalog.pg_extension_config_dump('vidtoken_participant', '');
SELECT pg_catalog.pg_extension_config_dump('vidtoken_event', '');
SELECT pg_catalog.pg_extension_config_dump('vidtoken_quality', '');

-- comments

COMMENT ON TYPE @extschema@.vidtoken_id IS
'id of an appointment or a user, as an argument: integers, numeric, uuid and text become one by themselves; other types are cast to text';
COMMENT ON FUNCTION @extschema@.vidtoken_id_in(pg_catalog.cstring) IS
'input function of vidtoken_id: any text';
COMMENT ON FUNCTION @extschema@.vidtoken_id_out(@extschema@.vidtoken_id) IS
'output function of vidtoken_id: the text as it was given';
COMMENT ON FUNCTION @extschema@.vidtoken_id_recv(pg_catalog.internal) IS
'binary input function of vidtoken_id: as that of text';
COMMENT ON FUNCTION @extschema@.vidtoken_id_send(@extschema@.vidtoken_id) IS
'binary output function of vidtoken_id: as that of text';
COMMENT ON FUNCTION @extschema@.vidtoken_id(pg_catalog.bpchar) IS
'cast from character(n), without the padding';
COMMENT ON CAST (pg_catalog.int2 AS @extschema@.vidtoken_id) IS 'lets a smallint be given as an id';
COMMENT ON CAST (pg_catalog.int4 AS @extschema@.vidtoken_id) IS 'lets an integer be given as an id';
COMMENT ON CAST (pg_catalog.int8 AS @extschema@.vidtoken_id) IS 'lets a bigint be given as an id';
COMMENT ON CAST (pg_catalog.numeric AS @extschema@.vidtoken_id) IS 'lets a numeric be given as an id';
COMMENT ON CAST (pg_catalog.uuid AS @extschema@.vidtoken_id) IS 'lets a uuid be given as an id';
COMMENT ON CAST (pg_catalog.text AS @extschema@.vidtoken_id) IS 'lets a text be given as an id';
COMMENT ON CAST (pg_catalog."varchar" AS @extschema@.vidtoken_id) IS 'lets a varchar be given as an id';
COMMENT ON CAST (pg_catalog.bpchar AS @extschema@.vidtoken_id) IS 'lets a character(n) be given as an id';
COMMENT ON CAST (@extschema@.vidtoken_id AS pg_catalog.text) IS 'explicit, for wrappers that look an id up';
COMMENT ON CAST (@extschema@.vidtoken_id AS pg_catalog.int4) IS 'explicit, for wrappers that look an id up; 22P02 when it is none';
COMMENT ON CAST (@extschema@.vidtoken_id AS pg_catalog.int8) IS 'explicit, for wrappers that look an id up; 22P02 when it is none';
COMMENT ON CAST (@extschema@.vidtoken_id AS pg_catalog.uuid) IS 'explicit, for wrappers that look an id up; 22P02 when it is none';

COMMENT ON TYPE @extschema@.vidtoken_grant IS
'answer of vidtoken_issue and vidtoken_refresh: the token and its times';
COMMENT ON COLUMN @extschema@.vidtoken_grant.access_token IS
'JWT (RFC 7519) in compact serialization, a credential: do not log it';
COMMENT ON COLUMN @extschema@.vidtoken_grant.room_name IS 'room at the provider';
COMMENT ON COLUMN @extschema@.vidtoken_grant.user_identity IS 'participant''s identity at the provider';
COMMENT ON COLUMN @extschema@.vidtoken_grant.expires_in IS 'seconds from issued_at to expires_at';
COMMENT ON COLUMN @extschema@.vidtoken_grant.expires_at IS 'the token''s exp, to the second';
COMMENT ON COLUMN @extschema@.vidtoken_grant.appointment_id IS
'the appointment''s id: a number when the source''s column is numeric and no larger than 2^53, else a string';
COMMENT ON COLUMN @extschema@.vidtoken_grant.appointment_duration_minutes IS 'duration, rounded to the minute';
COMMENT ON COLUMN @extschema@.vidtoken_grant.token_valid_until IS
'expires_at in words, relative to the appointment''s end, in English';
COMMENT ON COLUMN @extschema@.vidtoken_grant.issued_at IS 'clock at the call, cut to the second';
COMMENT ON COLUMN @extschema@.vidtoken_grant.refresh_at IS
'when to call vidtoken_refresh (vidtoken.refresh_window); NULL when that could bring no later expiry';
COMMENT ON COLUMN @extschema@.vidtoken_grant.warn_at IS 'when to warn the user (vidtoken.warn_window)';
COMMENT ON COLUMN @extschema@.vidtoken_grant.role IS 'host, guest or observer';
COMMENT ON COLUMN @extschema@.vidtoken_grant.provider IS 'dialect of the token (vidtoken.provider)';
COMMENT ON COLUMN @extschema@.vidtoken_grant.server_url IS 'where the client connects (vidtoken.server_url), or NULL';

COMMENT ON TABLE @extschema@.vidtoken_session IS
'ledger: one participant in one appointment, with the times of its current token; read vidtoken_sessions instead';
COMMENT ON TABLE @extschema@.vidtoken_room IS
'ledger: generations of rooms that were reset, and bars of whole appointments';

COMMENT ON TABLE @extschema@.vidtoken_call IS
'ledger: one run of a room, as the provider''s webhooks reported it; read vidtoken_status instead';
COMMENT ON TABLE @extschema@.vidtoken_participant IS
'ledger: one stay of a participant in a room, as the provider''s webhooks reported it; read vidtoken_status instead';
COMMENT ON TABLE @extschema@.vidtoken_event IS
'ledger: ids of the events that were taken in, so that each counts once';
COMMENT ON TABLE @extschema@.vidtoken_quality IS
'ledger: the latest quality that each participant reported; read vidtoken_status instead';

COMMENT ON FUNCTION @extschema@.vidtoken_clock() IS
'the clock that vidtoken judges by: the time of the call, or vidtoken.test_clock';
COMMENT ON FUNCTION @extschema@.vidtoken_ttl(pg_catalog."interval") IS
'life of a token for an appointment of this duration: duration + vidtoken.buffer_before + vidtoken.buffer_after, at least vidtoken.min_ttl, at most vidtoken.max_ttl

Raises 22023 for months, zero, negative or infinite durations and those below vidtoken.min_duration, F0000 when min_ttl exceeds max_ttl.';
COMMENT ON FUNCTION @extschema@.vidtoken_policy(pg_catalog.timestamptz, pg_catalog."interval", pg_catalog.timestamptz) IS
'what the settings mean for an appointment, and for a token first issued at "at" (now when NULL)

expires_at, refresh_at and warn_at are NULL when nothing would be issued; reason then says why (too_early, ended). Raises what vidtoken_ttl raises.';
COMMENT ON FUNCTION @extschema@.vidtoken_issue(@extschema@.vidtoken_id, @extschema@.vidtoken_id) IS
'issues a token for any participant: for trusted back ends

Raises PT404 (no such appointment for this user, or not visible), PT425 (too early), PT410 (ended, cancelled, revoked), 22004 (NULL id), 25006 (no write possible), F0000 (configuration). The reason is in DETAIL as JSON.';
COMMENT ON FUNCTION @extschema@.vidtoken_issue(@extschema@.vidtoken_id) IS
'issues a token for the caller, named by vidtoken.user_setting and vidtoken.user_claim

Raises what the form with user_id raises, and 42501 when the request names no user.';
COMMENT ON FUNCTION @extschema@.vidtoken_refresh(@extschema@.vidtoken_id, @extschema@.vidtoken_id) IS
'issues the next token of a session, until vidtoken.max_overrun after the appointment''s end: for trusted back ends

Raises what vidtoken_issue raises, and PT409 when there is no session.';
COMMENT ON FUNCTION @extschema@.vidtoken_refresh(@extschema@.vidtoken_id) IS
'issues the next token of the caller''s session, until vidtoken.max_overrun after the appointment''s end

Raises what vidtoken_issue raises, and PT409 when there is no session.';
COMMENT ON FUNCTION @extschema@.vidtoken_revoke(@extschema@.vidtoken_id, @extschema@.vidtoken_id) IS
'bars a participant from an appointment, whether or not a session exists; false when it was barred already

Tokens that are out there stay valid at the provider until they expire: see vidtoken_reset_room. Raises PT404 for a malformed id.';
COMMENT ON FUNCTION @extschema@.vidtoken_revoke_all(@extschema@.vidtoken_id) IS
'bars everyone from an appointment, also participants who come later; returns the number of sessions it ended

Raises PT404 for a malformed id.';
COMMENT ON FUNCTION @extschema@.vidtoken_reinstate(@extschema@.vidtoken_id, @extschema@.vidtoken_id) IS
'lifts the bar of a participant; false when there was none

A bar of the whole appointment stays: see vidtoken_reinstate_all. Raises PT404 for a malformed id.';
COMMENT ON FUNCTION @extschema@.vidtoken_reinstate_all(@extschema@.vidtoken_id) IS
'lifts the bar of a whole appointment; returns the number of sessions that are no longer barred

Participants who were barred by name stay so. Raises PT404 for a malformed id.';
COMMENT ON FUNCTION @extschema@.vidtoken_reset_room(@extschema@.vidtoken_id) IS
'moves an appointment to a new room, so that tokens already out there open nothing; returns the new room''s name

Who is not barred gets it at the next issue or refresh. Raises F0000 where the source gives the room_name, PT404 for a malformed id.';
COMMENT ON FUNCTION @extschema@.vidtoken_prune(pg_catalog."interval") IS
'forgets sessions and rooms whose appointment''s hard stop lies further back than older_than, and what was reported before that of calls that are over; returns the number of rows

Raises 22023 below one day.';
COMMENT ON FUNCTION @extschema@.vidtoken_room_settings(@extschema@.vidtoken_id) IS
'what the settings want of an appointment''s room, and create_request, the body of the provider''s call that makes it (NULL where there is none)

adjusted names every number that is another one in create_request because the provider would not take it. Raises PT404 (no such appointment, or not visible), PT410 (ended, cancelled, revoked), 21000 (rows that disagree on room_name), 22001 (a name too long for the provider), 22004 (NULL id), F0000 (configuration).';
COMMENT ON FUNCTION @extschema@.vidtoken_status(@extschema@.vidtoken_id) IS
'what the provider''s webhooks and the clients reported of an appointment''s room; what nobody reported is NULL

room_status is active, completed or not_found, schedule is upcoming, open, closed or cancelled; connection_quality is 0 (lost) to 5 (excellent), the worst of those present within vidtoken.quality_stale_after. Raises PT404 (no such appointment, or not visible), 21000 (rows that disagree on room_name), 22004 (NULL id), F0000 (configuration).';
COMMENT ON FUNCTION @extschema@.vidtoken_webhook(pg_catalog.text, pg_catalog.bytea, pg_catalog.jsonb, pg_catalog.text) IS
'takes in what twilio or livekit reports of a room: accepted, duplicate or ignored; for the endpoint that the provider calls

body is raw, headers is an object of strings, url is where the request came in. Raises 42501 (signature missing or wrong), 22023 (no such provider, or no event of it), PT413 (over 1 MB), 22004 (NULL), 25006 (no write possible), F0000 (no webhook key, configuration); nothing is written then.';
COMMENT ON FUNCTION @extschema@.vidtoken_report_quality(@extschema@.vidtoken_id, pg_catalog.int4, pg_catalog.jsonb) IS
'remembers the caller''s latest connection quality, 0 (lost) to 5 (excellent), and a flat object of metrics

Raises PT404 (no such appointment for this user, or not visible), PT409 (no session), PT410 (revoked), 42501 (no user), 22023 (quality or metrics out of bounds), 22004 (NULL), 25006 (no write possible).';
COMMENT ON FUNCTION @extschema@.vidtoken_report_quality(@extschema@.vidtoken_id, @extschema@.vidtoken_id, pg_catalog.int4, pg_catalog.jsonb) IS
'remembers any participant''s latest connection quality: for trusted back ends

Raises what the form without user_id raises, but for 42501.';
COMMENT ON FUNCTION @extschema@.vidtoken_sign(pg_catalog.json, pg_catalog.text) IS
'signs a JSON object of claims as it is spelled, with a token key of the keyring or with that of vidtoken.key_id: for trusted back ends (RFC 7519)

Times in claims are seconds since 1970. Raises 22023 for claims that vidtoken_verify would refuse, F0000 for a key that is not there or cannot sign, 22004 for NULL.';
COMMENT ON FUNCTION @extschema@.vidtoken_verify(pg_catalog.text, pg_catalog."interval") IS
'tells whether a token key of the keyring signed a token and whether it is valid now, and what it says

leeway is at most 5 minutes. A bad token is valid = false with a reason, never an error; a token without exp is valid and has no expires_at.';
COMMENT ON FUNCTION @extschema@.vidtoken_jwks() IS
'public keys that verify tokens, as a JWK Set (RFC 7517, section 5); never a secret

Raises F0000 when the keyring cannot be used.';
COMMENT ON FUNCTION @extschema@.vidtoken_check() IS
'tells everything that can be misconfigured: library, settings, keyring, provider, source, ledger

status is ok, warning or error.';
COMMENT ON VIEW @extschema@.vidtoken_sessions IS
'sessions with expires_at and their state: active, expiring (vidtoken.warn_window), refresh_due (vidtoken.refresh_window), expired, revoked';
