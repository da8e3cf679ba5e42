-- test/setup.sql: what every script in test/sql begins with
--
-- Opens a transaction that the script rolls back, with the extensions, a
-- keyring on the server and a clinic in it.  It is 10:00 on 2 March 2026, the
-- minute at which appointment 47 of 60 minutes starts:
--
--   appointment   starts   minutes   participants
--   47            10:00    60        2 jane (guest), 3 bob (guest), 9 house (host)
--   30            10:00    30        2 jane
--   120           10:00    120       2 jane
--   300           10:00    300       2 jane
--   60            10:00    60        2 jane
--   99            10:00    60        2 jane, cancelled
--
-- The keyring's keys are known to everyone, see test/keyring.json: nothing
-- but tests may use them.

\set QUIET 1
\pset format unaligned
\pset tuples_only true
-- each of several assertions of one SELECT gets a line of its own
\pset fieldsep '\n'
\pset pager off
\set ON_ERROR_STOP true
\set VERBOSITY terse

BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'postgres';
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE SCHEMA vidtoken;
CREATE EXTENSION vidtoken SCHEMA vidtoken;
LOAD 'vidtoken';

-- The file is written by the server: it has to be the server user's own.
\set keyring_json `tr -d '\n' < test/keyring.json`
SELECT current_setting('data_directory') || '/vidtoken_test_keyring.json' AS keyring \gset
SELECT format('COPY (SELECT %L) TO PROGRAM %L', :'keyring_json',
              format('umask 077; cat > %s', quote_literal(:'keyring'))) AS write_keyring \gset
:write_keyring;

SET LOCAL vidtoken.keyring = :'keyring';
SET LOCAL vidtoken.key_id = 'SKtest';
SET LOCAL vidtoken.account = 'ACtest';
SET LOCAL vidtoken.source = 'clinic.video_source';
SET LOCAL vidtoken.test_clock = '2026-03-02 10:00:00+00';

CREATE SCHEMA clinic;
CREATE TABLE clinic.users (
    id integer PRIMARY KEY,
    email text NOT NULL
);
CREATE TABLE clinic.appointments (
    id integer PRIMARY KEY,
    starts_at timestamptz NOT NULL,
    minutes integer NOT NULL,
    cancelled boolean NOT NULL DEFAULT false
);
CREATE TABLE clinic.participants (
    appointment_id integer REFERENCES clinic.appointments,
    user_id integer REFERENCES clinic.users,
    role text,
    PRIMARY KEY (appointment_id, user_id)
);
INSERT INTO clinic.users VALUES
    (2, 'jane@example.com'), (3, 'bob@example.com'), (9, 'house@example.com');
INSERT INTO clinic.appointments VALUES
    (47, '2026-03-02 10:00+00', 60, false),
    (30, '2026-03-02 10:00+00', 30, false),
    (60, '2026-03-02 10:00+00', 60, false),
    (120, '2026-03-02 10:00+00', 120, false),
    (300, '2026-03-02 10:00+00', 300, false),
    (99, '2026-03-02 10:00+00', 60, true);
INSERT INTO clinic.participants VALUES
    (47, 2, NULL), (47, 3, 'guest'), (47, 9, 'host'),
    (30, 2, NULL), (60, 2, NULL), (120, 2, NULL), (300, 2, NULL), (99, 2, NULL);
CREATE VIEW clinic.video_source AS
SELECT p.appointment_id,
       p.user_id,
       a.starts_at,
       make_interval(mins => a.minutes) AS duration,
       p.user_id::text || '-' || u.email AS identity,
       p.role,
       a.cancelled
  FROM clinic.participants AS p
  JOIN clinic.appointments AS a ON a.id = p.appointment_id
  JOIN clinic.users AS u ON u.id = p.user_id;

-- moves the clock to so many minutes after the start of the appointments
CREATE FUNCTION pg_temp.clock(minutes numeric) RETURNS void
LANGUAGE sql AS $$
    SELECT set_config('vidtoken.test_clock',
                      (timestamptz '2026-03-02 10:00:00+00'
                       + minutes * interval '1 minute')::text, true);
$$;

-- JSON of one part of a token, read by PostgreSQL's own decoder
CREATE FUNCTION pg_temp.token_part(token text, part integer) RETURNS json
LANGUAGE sql AS $$
    SELECT convert_from(decode(rpad(s, ((length(s) + 3) / 4) * 4, '='), 'base64'),
                        'UTF8')::json
      FROM translate(split_part(token, '.', part), '-_', '+/') AS s;
$$;

-- SQLSTATE, reason and message of what a statement raises; NULLs when nothing
CREATE FUNCTION pg_temp.refusal(statement text, OUT code text, OUT reason text,
                                OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE,
        message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    IF detail LIKE '{"reason":%' THEN
        reason := detail::json ->> 'reason';
    END IF;
END;
$$;
