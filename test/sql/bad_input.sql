\unset ECHO
\i test/setup.sql

-- Promise: whatever is wrong with a call, a row, a setting or the keyring has
-- one SQLSTATE, the reason in DETAIL where it is a refusal, and a hint that
-- names the way out.  What is allowed stands beside what is refused.

-- a keyring of its own for each mistake, so that every path is looked at; the
-- name of the file is unique to this session
CREATE SEQUENCE pg_temp.keyring_number;
CREATE FUNCTION pg_temp.keyring_path() RETURNS text
LANGUAGE sql AS $$
    SELECT format('%s/vidtoken_test_bad_%s_%s', current_setting('data_directory'),
                  pg_backend_pid(), nextval('pg_temp.keyring_number'))
$$;
CREATE FUNCTION pg_temp.server_command(input text, command text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT %L) TO PROGRAM %L',
                   translate(encode(convert_to(input, 'UTF8'), 'base64'), E'\n', ''),
                   command);
END;
$$;
-- %s in "command" stands for the path of the new keyring
CREATE FUNCTION pg_temp.keyring(content text, command text DEFAULT 'umask 077; base64 -d > %s')
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    path text := pg_temp.keyring_path();
BEGIN
    PERFORM pg_temp.server_command(content, format(command, quote_literal(path)));
    RETURN set_config('vidtoken.keyring', path, true);
END;
$$;
-- a JWK; "k" is the word canary four times and a half, 27 bytes, unless told
CREATE FUNCTION pg_temp.jwk(kid text, octets text DEFAULT repeat('canary', 6),
                            more text DEFAULT '', alg text DEFAULT 'HS256',
                            kty text DEFAULT 'oct')
RETURNS text
LANGUAGE sql AS $$
    SELECT format('{"kty":"%s","kid":"%s","alg":"%s","k":"%s"%s}', kty, kid, alg,
                  translate(encode(octets::bytea, 'base64'), E'+/=\n', '-_'), more)
$$;
CREATE FUNCTION pg_temp.jwks(VARIADIC keys text[]) RETURNS text
LANGUAGE sql AS $$
    SELECT format('{"keys":[%s]}', array_to_string(keys, ','))
$$;
CREATE FUNCTION pg_temp.name_key(kid text DEFAULT 'name') RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.jwk(kid, repeat('canary', 6), ',"vidtoken_use":"name"')
$$;

-- a source with one row for appointment 47 and user 2
CREATE FUNCTION pg_temp.source(starts_at text DEFAULT $$timestamptz '2026-03-02 10:00+00'$$,
                               duration text DEFAULT $$interval '60 minutes'$$,
                               more text DEFAULT '',
                               appointment_id text DEFAULT '47',
                               user_id text DEFAULT '2')
RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE VIEW clinic.bad AS SELECT %s AS appointment_id,'
                   ' %s AS user_id, %s AS starts_at, %s AS duration %s',
                   appointment_id, user_id, starts_at, duration, more);
    RETURN set_config('vidtoken.source', 'clinic.bad', true);
END;
$$;
CREATE FUNCTION pg_temp.claims(claims text) RETURNS text
LANGUAGE sql AS $$
    SELECT set_config('request.jwt.claims', claims, true)
$$;

-- kept over the whole script, with keys that are altered between calls
CREATE TABLE clinic.changing (
    appointment_id integer,
    user_id integer,
    starts_at timestamptz,
    duration interval
);
INSERT INTO clinic.changing VALUES (47, 2, '2026-03-02 10:00+00', '60 minutes');
CREATE SEQUENCE clinic.a_sequence;
CREATE INDEX an_index ON clinic.appointments (starts_at);
CREATE DOMAIN clinic.short_id AS text CHECK (length(VALUE) < 5);
CREATE TYPE clinic.color AS ENUM ('red');

-- code NULL: the call is allowed
CREATE TEMP TABLE cases (
    n integer GENERATED ALWAYS AS IDENTITY,
    name text,
    setup text,
    call text,
    code text,
    reason text,
    hint text
);
CREATE TEMP TABLE raised (
    n integer,
    code text,
    reason text,
    message text,
    detail text,
    hint text,
    context text
);

-- Runs a case, rolls back what it did, and tells what came of it.  An error
-- in the set-up is no refusal and passes.
CREATE FUNCTION pg_temp.answer(c cases) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    r raised;
BEGIN
    r.n := c.n;
    BEGIN
        IF c.setup IS NOT NULL THEN
            EXECUTE c.setup;
        END IF;
        BEGIN
            EXECUTE c.call;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS r.code = RETURNED_SQLSTATE,
                r.message = MESSAGE_TEXT, r.detail = PG_EXCEPTION_DETAIL,
                r.hint = PG_EXCEPTION_HINT, r.context = PG_EXCEPTION_CONTEXT;
        END;
        RAISE EXCEPTION USING ERRCODE = 'XX999';
    EXCEPTION WHEN SQLSTATE 'XX999' THEN
    END;
    IF r.code IS NULL THEN
        RETURN 'allowed';
    END IF;
    IF r.detail LIKE '{"reason":%' THEN
        r.reason := r.detail::json ->> 'reason';
    END IF;
    INSERT INTO raised SELECT r.*;
    RETURN concat_ws(', ', r.code, r.reason,
                     CASE WHEN r.hint ~ c.hint THEN 'as hinted'
                          ELSE nullif(format('hint: %s', nullif(r.hint, '')), 'hint: ')
                     END);
END;
$$;

-- Who and what
INSERT INTO cases (name, setup, call, code, reason, hint) VALUES
('a participant', NULL,
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('no such appointment', NULL,
 'SELECT vidtoken.vidtoken_issue(4711, 2)', 'PT404', 'not_found', 'does not exist'),
('an appointment of others', NULL,
 'SELECT vidtoken.vidtoken_issue(30, 3)', 'PT404', 'not_found', 'no part in it'),
('refresh of an appointment of others', NULL,
 'SELECT vidtoken.vidtoken_refresh(30, 3)', 'PT404', 'not_found', 'no part in it'),
('no such user', NULL,
 'SELECT vidtoken.vidtoken_issue(47, 4711)', 'PT404', 'not_found', 'no part in it'),
('an id that is no number', NULL,
 $s$SELECT vidtoken.vidtoken_issue('abc', 2)$s$, 'PT404', 'not_found', 'does not exist'),
('an empty id', NULL,
 $s$SELECT vidtoken.vidtoken_issue('', 2)$s$, 'PT404', 'not_found', 'does not exist'),
('an id with SQL in it', NULL,
 $s$SELECT vidtoken.vidtoken_issue('47) OR (1=1', 2)$s$, 'PT404', 'not_found', 'does not exist'),
('a fraction is not rounded to another appointment', NULL,
 'SELECT vidtoken.vidtoken_issue(46.6, 2)', 'PT404', 'not_found', 'does not exist'),
('an id beyond the type', NULL,
 'SELECT vidtoken.vidtoken_issue(99999999999999999999, 2)', 'PT404', 'not_found', 'does not exist'),
('an id as text, with space as the type''s input takes it', NULL,
 $s$SELECT vidtoken.vidtoken_issue(' 47 ', '2')$s$, NULL, NULL, NULL),
('a user id that is no number', NULL,
 $s$SELECT vidtoken.vidtoken_issue(47, 'jane')$s$, 'PT404', 'not_found', 'no part in it'),
('a malformed uuid',
 $s$SELECT pg_temp.source(appointment_id => $q$uuid '00000000-0000-0000-0000-000000000047'$q$)$s$,
 $s$SELECT vidtoken.vidtoken_issue('00000000-0000-0000-0000-00000000004g', 2)$s$, 'PT404', 'not_found', 'does not exist'),
('a uuid in capitals and braces',
 $s$SELECT pg_temp.source(appointment_id => $q$uuid 'a0000000-0000-0000-0000-000000000047'$q$)$s$,
 $s$SELECT vidtoken.vidtoken_issue('{A0000000-0000-0000-0000-000000000047}', 2)$s$, NULL, NULL, NULL),
('a text that the domain''s check refuses',
 $s$SELECT pg_temp.source(appointment_id => $q$'ab47'::clinic.short_id$q$)$s$,
 $s$SELECT vidtoken.vidtoken_issue('much too long', 2)$s$, 'PT404', 'not_found', 'does not exist'),
('a text that the domain''s check passes',
 $s$SELECT pg_temp.source(appointment_id => $q$'ab47'::clinic.short_id$q$)$s$,
 $s$SELECT vidtoken.vidtoken_issue('ab47', 2)$s$, NULL, NULL, NULL),
('a label that the enum has not',
 $s$SELECT pg_temp.source(appointment_id => $q$'red'::clinic.color$q$)$s$,
 $s$SELECT vidtoken.vidtoken_issue('blue', 2)$s$, 'PT404', 'not_found', 'does not exist'),
('a name is not cut to one that exists',
 $s$SELECT pg_temp.source(appointment_id => $q$repeat('a', 63)::name$q$)$s$,
 $s$SELECT vidtoken.vidtoken_issue(repeat('a', 64), 2)$s$, 'PT404', 'not_found', 'does not exist'),
('revoke with a malformed id', NULL,
 $s$SELECT vidtoken.vidtoken_revoke('abc', 2)$s$, 'PT404', 'not_found', 'does not exist'),
('revoke with a malformed user id', NULL,
 $s$SELECT vidtoken.vidtoken_revoke(47, 'abc')$s$, 'PT404', 'not_found', 'does not exist'),
('revoke of what was deleted', NULL,
 'SELECT vidtoken.vidtoken_revoke(4711, 2)', NULL, NULL, NULL),
('revoke_all with a malformed id', NULL,
 $s$SELECT vidtoken.vidtoken_revoke_all('abc')$s$, 'PT404', 'not_found', 'does not exist'),
('reset_room with a malformed id', NULL,
 $s$SELECT vidtoken.vidtoken_reset_room('abc')$s$, 'PT404', 'not_found', 'does not exist'),
('room_settings with a malformed id', NULL,
 $s$SELECT vidtoken.vidtoken_room_settings('abc')$s$, 'PT404', 'not_found', 'does not exist'),
('room_settings of what was deleted', NULL,
 'SELECT vidtoken.vidtoken_room_settings(4711)', 'PT404', 'not_found', 'does not exist');

-- NULL, for every argument of every function that takes an id
INSERT INTO cases (name, call, code)
SELECT call, 'SELECT vidtoken.' || call, '22004'
  FROM unnest(ARRAY['vidtoken_issue(NULL, 2)', 'vidtoken_issue(47, NULL)',
                    'vidtoken_issue(NULL)',
                    'vidtoken_refresh(NULL, 2)', 'vidtoken_refresh(47, NULL)',
                    'vidtoken_refresh(NULL)',
                    'vidtoken_revoke(NULL, 2)', 'vidtoken_revoke(47, NULL)',
                    'vidtoken_revoke_all(NULL)',
                    'vidtoken_reinstate(NULL, 2)', 'vidtoken_reinstate(47, NULL)',
                    'vidtoken_reinstate_all(NULL)', 'vidtoken_reset_room(NULL)',
                    'vidtoken_room_settings(NULL)',
                    'vidtoken_prune(NULL)']) AS call;

-- Times, bars, sessions
INSERT INTO cases (name, setup, call, code, reason, hint) VALUES
('a second too early', 'SELECT pg_temp.clock(-15 - 1.0 / 60)',
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'PT425', 'too_early', 'opens_at'),
('early enough', 'SELECT pg_temp.clock(-15)',
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('a second too late to enter', 'SELECT pg_temp.clock(75 + 1.0 / 60)',
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'PT410', 'ended', 'max_overrun'),
('in time to enter', 'SELECT pg_temp.clock(75)',
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('who is in may stay longer',
 'SELECT vidtoken.vidtoken_issue(47, 2); SELECT pg_temp.clock(120)',
 'SELECT vidtoken.vidtoken_refresh(47, 2)', NULL, NULL, NULL),
('nobody stays beyond the hard stop',
 'SELECT vidtoken.vidtoken_issue(47, 2); SELECT pg_temp.clock(181)',
 'SELECT vidtoken.vidtoken_refresh(47, 2)', 'PT410', 'ended', 'max_overrun'),
('less than a minute left',
 'SELECT vidtoken.vidtoken_issue(47, 2); SELECT pg_temp.clock(179.5)',
 'SELECT vidtoken.vidtoken_refresh(47, 2)', 'PT410', 'ended', 'max_overrun'),
('a cancelled appointment', NULL,
 'SELECT vidtoken.vidtoken_issue(99, 2)', 'PT410', 'cancelled', 'column cancelled'),
('cancelled while the session runs',
 'SELECT vidtoken.vidtoken_issue(47, 2); UPDATE clinic.appointments SET cancelled = true WHERE id = 47',
 'SELECT vidtoken.vidtoken_refresh(47, 2)', 'PT410', 'cancelled', 'column cancelled'),
('a barred participant', 'SELECT vidtoken.vidtoken_revoke(47, 2)',
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'PT410', 'revoked', 'vidtoken_reinstate\(\)'),
('barred while the session runs',
 'SELECT vidtoken.vidtoken_issue(47, 2); SELECT vidtoken.vidtoken_revoke(47, 2)',
 'SELECT vidtoken.vidtoken_refresh(47, 2)', 'PT410', 'revoked', 'vidtoken_reinstate\(\)'),
('another participant is not barred', 'SELECT vidtoken.vidtoken_revoke(47, 2)',
 'SELECT vidtoken.vidtoken_issue(47, 3)', NULL, NULL, NULL),
('reinstated', 'SELECT vidtoken.vidtoken_revoke(47, 2); SELECT vidtoken.vidtoken_reinstate(47, 2)',
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('a barred appointment', 'SELECT vidtoken.vidtoken_revoke_all(47)',
 'SELECT vidtoken.vidtoken_issue(47, 3)', 'PT410', 'revoked', 'vidtoken_reinstate_all\(\)'),
('refresh in a barred appointment, without a session', 'SELECT vidtoken.vidtoken_revoke_all(47)',
 'SELECT vidtoken.vidtoken_refresh(47, 3)', 'PT410', 'revoked', 'vidtoken_reinstate_all\(\)'),
('reinstate does not lift the bar of the appointment',
 'SELECT vidtoken.vidtoken_revoke_all(47); SELECT vidtoken.vidtoken_reinstate(47, 2)',
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'PT410', 'revoked', 'vidtoken_reinstate_all\(\)'),
('all reinstated', 'SELECT vidtoken.vidtoken_revoke_all(47); SELECT vidtoken.vidtoken_reinstate_all(47)',
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('refresh without a session', NULL,
 'SELECT vidtoken.vidtoken_refresh(47, 2)', 'PT409', 'no_session', 'vidtoken_issue\(\)'),
('refresh with the session of another', 'SELECT vidtoken.vidtoken_issue(47, 3)',
 'SELECT vidtoken.vidtoken_refresh(47, 2)', 'PT409', 'no_session', 'vidtoken_issue\(\)'),
('refresh of a session', 'SELECT vidtoken.vidtoken_issue(47, 2)',
 'SELECT vidtoken.vidtoken_refresh(47, 2)', NULL, NULL, NULL);

-- The user of the request
INSERT INTO cases (name, setup, call, code, reason, hint)
SELECT 'no user: ' || name, setup, 'SELECT vidtoken.vidtoken_issue(47)', '42501', 'no_user', 'user_setting'
  FROM (VALUES
('the setting is unknown', $s$SET LOCAL vidtoken.user_setting = 'nobody.sets_this'$s$),
('the setting is empty', $s$SELECT pg_temp.claims('')$s$),
('no JSON', $s$SELECT pg_temp.claims('jane')$s$),
('JSON and more', $s$SELECT pg_temp.claims('{"sub": 2} 3')$s$),
('no object', $s$SELECT pg_temp.claims('[2]')$s$),
('no such claim', $s$SELECT pg_temp.claims('{"role": "guest"}')$s$),
('the claim is null', $s$SELECT pg_temp.claims('{"sub": null}')$s$),
('the claim is an object', $s$SELECT pg_temp.claims('{"sub": {"id": 2}}')$s$),
('the claim is a boolean', $s$SELECT pg_temp.claims('{"sub": true}')$s$),
('the claim is empty', $s$SELECT pg_temp.claims('{"sub": ""}')$s$),
('the claim is given twice', $s$SELECT pg_temp.claims('{"sub": 2, "sub": 3}')$s$),
('more than 1 MB', $s$SELECT pg_temp.claims(rpad('{"sub": 2}', 1048577))$s$),
('the whole setting is empty', $s$SET LOCAL vidtoken.user_claim = ''; SELECT pg_temp.claims('')$s$)
) AS v(name, setup);
INSERT INTO cases (name, setup, call, code, reason, hint) VALUES
('1 MB of claims', $s$SELECT pg_temp.claims(rpad('{"sub": 2}', 1048576))$s$,
 'SELECT vidtoken.vidtoken_issue(47)', NULL, NULL, NULL),
('refresh without a user', $s$SELECT pg_temp.claims('')$s$,
 'SELECT vidtoken.vidtoken_refresh(47)', '42501', 'no_user', 'user_claim'),
('a user who takes no part', $s$SELECT pg_temp.claims('{"sub": "4711"}')$s$,
 'SELECT vidtoken.vidtoken_issue(47)', 'PT404', 'not_found', 'no part in it'),
('a claim that is no id', $s$SELECT pg_temp.claims('{"sub": "2 OR true"}')$s$,
 'SELECT vidtoken.vidtoken_issue(47)', 'PT404', 'not_found', 'no part in it'),
('a claim with a string', $s$SELECT pg_temp.claims('{"sub": "2"}')$s$,
 'SELECT vidtoken.vidtoken_issue(47)', NULL, NULL, NULL),
('a claim with a number', $s$SELECT pg_temp.claims('{"role": "guest", "sub": 2}')$s$,
 'SELECT vidtoken.vidtoken_issue(47)', NULL, NULL, NULL);

-- Rows of the source
INSERT INTO cases (name, setup, call, code, reason, hint)
SELECT name, format('SELECT pg_temp.source(%s)', arguments), 'SELECT vidtoken.vidtoken_issue(47, 2)', code, NULL, hint
  FROM (VALUES
('a timestamp without time zone', $s$starts_at => $q$timestamp '2026-03-02 10:00'$q$$s$,
 'F0000', 'AT TIME ZONE'),
('the same with its time zone', $s$starts_at => $q$timestamp '2026-03-02 10:00' AT TIME ZONE 'UTC'$q$$s$,
 NULL, NULL),
('an infinite start', $s$starts_at => $q$timestamptz 'infinity'$q$$s$, '22023', NULL),
('a start beyond the calendar', $s$starts_at => $q$timestamptz '294276-12-31 23:59+00'$q$$s$, '22023', NULL),
('a start that is NULL', $s$starts_at => 'NULL::timestamptz'$s$, '22023', 'vidtoken\.source'),
('a duration in integers', $s$duration => '60'$s$, 'F0000', 'make_interval'),
('the same made an interval', $s$duration => 'make_interval(mins => 60)'$s$, NULL, NULL),
('a duration that is NULL', $s$duration => 'NULL::interval'$s$, '22023', 'vidtoken\.source'),
('a duration of a month', $s$duration => $q$interval '1 month'$q$$s$, '22023', '45 minutes'),
('a duration of minus a month and more days', $s$duration => $q$interval '-1 month 40 days'$q$$s$, '22023', '45 minutes'),
('a duration of a year', $s$duration => $q$interval '1 year'$q$$s$, '22023', '45 minutes'),
('a duration of a day', $s$duration => $q$interval '1 day'$q$$s$, NULL, NULL),
('a negative duration', $s$duration => $q$interval '-60 minutes'$q$$s$, '22023', '45 minutes'),
('a duration of nothing', $s$duration => $q$interval '0'$q$$s$, '22023', '45 minutes'),
('a bare 60', $s$duration => $q$interval '60'$q$$s$, '22023', '60 seconds'),
('a second below min_duration', $s$duration => $q$interval '299 seconds'$q$$s$, '22023', '60 minutes'),
('min_duration itself', $s$duration => $q$interval '5 minutes'$q$$s$, NULL, NULL),
-- intervals are infinite from PostgreSQL 17 on; before, the longest has to do
('an endless duration', $s$duration => CASE
     WHEN current_setting('server_version_num')::integer >= 170000
     THEN $q$interval 'infinity'$q$ ELSE $q$interval '2147483647 days'$q$ END$s$,
 '22023', '45 minutes'),
('an unknown role', $s$more => $q$, 'admin' AS role$q$$s$, 'F0000', 'host, guest and observer'),
('a role in capitals', $s$more => $q$, 'Host' AS role$q$$s$, 'F0000', 'host, guest and observer'),
('the third role', $s$more => $q$, 'observer' AS role$q$$s$, NULL, NULL),
('an empty identity', $s$more => $q$, '' AS identity$q$$s$, 'F0000', 'nullif'),
('no identity', $s$more => $q$, NULL::text AS identity$q$$s$, NULL, NULL),
('an empty room name', $s$more => $q$, '' AS room_name$q$$s$, 'F0000', 'nullif'),
('an identity of 130 bytes in 65 characters', $s$more => $q$, repeat('é', 65) AS identity$q$$s$, '22001', 'Shorten'),
('an identity of 128 bytes in 64 characters', $s$more => $q$, repeat('é', 64) AS identity$q$$s$, NULL, NULL),
('a room name of 129 bytes', $s$more => $q$, repeat('secretroom-', 11) || 'secretro' AS room_name$q$$s$, '22001', 'Shorten'),
('a room name of 128 bytes', $s$more => $q$, repeat('secretroom-', 11) || 'secretr' AS room_name$q$$s$, NULL, NULL),
('metadata with a NUL', $s$more => $q$, '{"a":"\u0000"}' AS metadata$q$$s$, '22023', 'jsonb'),
('metadata with half a surrogate pair', $s$more => $q$, '{"a":"\ud83d"}' AS metadata$q$$s$, '22023', 'jsonb'),
('metadata with the other half', $s$more => $q$, '{"a":"\uDE00 \ud83d"}' AS metadata$q$$s$, '22023', 'jsonb'),
('metadata with a whole pair', $s$more => $q$, '{"a":"\ud83d\ude00"}' AS metadata$q$$s$, NULL, NULL),
('metadata with an escaped backslash', $s$more => $q$, '{"a":"C:\\u0000"}' AS metadata$q$$s$, NULL, NULL),
('metadata that is any text with a backslash', $s$more => $q$, 'a\b \' AS metadata$q$$s$, NULL, NULL),
('two rows for one participant', $s$more => 'FROM generate_series(1, 2)'$s$, '21000', 'unique'),
('rows that disagree on the room', $s$user_id => 'n', more => $q$, 'room-' || n AS room_name FROM generate_series(2, 3) AS n$q$$s$,
 '21000', 'one room_name'),
('a room name against none', $s$user_id => 'n', more => $q$, CASE n WHEN 2 THEN 'room' END AS room_name FROM generate_series(2, 3) AS n$q$$s$,
 '21000', 'one room_name'),
('none against a room name', $s$user_id => 'n', more => $q$, CASE n WHEN 3 THEN 'room' END AS room_name FROM generate_series(2, 3) AS n$q$$s$,
 '21000', 'one room_name'),
('rows that agree on the room', $s$user_id => 'n', more => $q$, 'room' AS room_name FROM generate_series(2, 3) AS n$q$$s$,
 NULL, NULL),
('a key of a type without a canonical text', $s$appointment_id => $q$date '2026-03-02'$q$$s$, 'F0000', 'uuid'),
('a user of such a type', $s$user_id => 'true'$s$, 'F0000', 'uuid'),
('a room name that is no text', $s$more => ', 7 AS room_name'$s$, 'F0000', 'text'),
('a cancelled that is no boolean', $s$more => ', 0 AS cancelled'$s$, 'F0000', 'boolean'),
('a limit that is no integer', $s$more => $q$, '9' AS max_participants$q$$s$, 'F0000', 'integer'),
('an unknown column more', $s$more => ', 7 AS unknown'$s$, NULL, NULL)
) AS v(name, arguments, code, hint);

-- The setting vidtoken.source, and what becomes of the relation
INSERT INTO cases (name, setup, call, code, reason, hint) VALUES
('source unset', $s$SET LOCAL vidtoken.source = ''$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'vidtoken\.source'),
('source unset, and a bar', $s$SET LOCAL vidtoken.source = ''$s$,
 'SELECT vidtoken.vidtoken_revoke(47, 2)', 'F0000', NULL, 'vidtoken\.source'),
('source without a schema', NULL,
 $s$SET LOCAL vidtoken.source = 'video_source'$s$, 'F0000', NULL, 'clinic\.video_source'),
('source in three parts', NULL,
 $s$SET LOCAL vidtoken.source = 'a.b.c'$s$, 'F0000', NULL, 'clinic\.video_source'),
('source in a session''s own schema', NULL,
 $s$SET LOCAL vidtoken.source = 'pg_temp.video_source'$s$, 'F0000', NULL, 'clinic\.video_source'),
('source in the same by its number', NULL,
 $s$SET LOCAL vidtoken.source = 'pg_temp_3.video_source'$s$, 'F0000', NULL, 'clinic\.video_source'),
('source in quotes', $s$CREATE VIEW clinic."a "".b" AS TABLE clinic.video_source; SET LOCAL vidtoken.source = 'clinic."a "".b"'$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('source in a schema that is not there', $s$SET LOCAL vidtoken.source = 'nowhere.video_source'$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'vidtoken\.source'),
('source dropped', 'SELECT vidtoken.vidtoken_issue(47, 2); DROP VIEW clinic.video_source',
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'vidtoken\.source'),
('source made anew', 'SELECT vidtoken.vidtoken_issue(47, 2); ALTER VIEW clinic.video_source RENAME TO gone; CREATE VIEW clinic.video_source AS TABLE clinic.gone',
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('source renamed', 'SELECT vidtoken.vidtoken_issue(47, 2); ALTER VIEW clinic.video_source RENAME TO gone',
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'vidtoken\.source'),
('source moved to another schema', 'SELECT vidtoken.vidtoken_issue(47, 2); ALTER VIEW clinic.video_source SET SCHEMA public',
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'vidtoken\.source'),
('schema renamed', 'SELECT vidtoken.vidtoken_issue(47, 2); ALTER SCHEMA clinic RENAME TO hospital',
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'vidtoken\.source'),
('schema and setting renamed', $s$SELECT vidtoken.vidtoken_issue(47, 2); ALTER SCHEMA clinic RENAME TO hospital; SET LOCAL vidtoken.source = 'hospital.video_source'$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('source is a sequence', $s$SET LOCAL vidtoken.source = 'clinic.a_sequence'$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'table or view'),
('source is an index', $s$SET LOCAL vidtoken.source = 'clinic.an_index'$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'table or view'),
('source is a materialized view', $s$CREATE MATERIALIZED VIEW clinic.bad AS TABLE clinic.video_source; SET LOCAL vidtoken.source = 'clinic.bad'$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('source lacks a column', $s$CREATE VIEW clinic.bad AS SELECT appointment_id, user_id, starts_at FROM clinic.video_source; SET LOCAL vidtoken.source = 'clinic.bad'$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'duration'),
('source loses a column', $s$SET LOCAL vidtoken.source = 'clinic.changing'; SELECT vidtoken.vidtoken_issue(47, 2); ALTER TABLE clinic.changing DROP COLUMN user_id$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'user_id'),
('source''s key becomes text', $s$SET LOCAL vidtoken.source = 'clinic.changing'; SELECT vidtoken.vidtoken_issue(47, 2); ALTER TABLE clinic.changing ALTER appointment_id TYPE text$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('text and back', $s$SET LOCAL vidtoken.source = 'clinic.changing'; SELECT vidtoken.vidtoken_issue(47, 2); ALTER TABLE clinic.changing ALTER appointment_id TYPE text; SELECT vidtoken.vidtoken_issue(47, 2); ALTER TABLE clinic.changing ALTER appointment_id TYPE integer USING appointment_id::integer$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('text and back, with an id that only a text can be', $s$SET LOCAL vidtoken.source = 'clinic.changing'; SELECT vidtoken.vidtoken_issue(47, 2); ALTER TABLE clinic.changing ALTER appointment_id TYPE text; SELECT vidtoken.vidtoken_issue(47, 2); ALTER TABLE clinic.changing ALTER appointment_id TYPE integer USING appointment_id::integer$s$,
 $s$SELECT vidtoken.vidtoken_issue('47a', 2)$s$, 'PT404', 'not_found', 'does not exist'),
('source''s key becomes a type without a canonical text', $s$SET LOCAL vidtoken.source = 'clinic.changing'; SELECT vidtoken.vidtoken_issue(47, 2); ALTER TABLE clinic.changing ALTER user_id TYPE jsonb USING to_jsonb(user_id)$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'uuid'),
('source''s start loses its time zone', $s$SET LOCAL vidtoken.source = 'clinic.changing'; SELECT vidtoken.vidtoken_issue(47, 2); ALTER TABLE clinic.changing ALTER starts_at TYPE timestamp$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'AT TIME ZONE'),
('source gains a column', $s$SET LOCAL vidtoken.source = 'clinic.changing'; SELECT vidtoken.vidtoken_issue(47, 2); ALTER TABLE clinic.changing ADD role text DEFAULT 'admin'$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'host, guest and observer'),
('another source of other types', $s$SELECT vidtoken.vidtoken_issue(47, 2); SELECT pg_temp.source(appointment_id => $q$'47'::varchar$q$)$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL);

-- The keyring
INSERT INTO cases (name, setup, call, code, reason, hint)
SELECT 'keyring ' || name, setup || $s$; SET LOCAL vidtoken.key_id = 'SKbad'$s$,
       'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, hint
  FROM (VALUES
('unset', $s$SET LOCAL vidtoken.keyring = ''$s$, 'vidtoken\.keyring'),
('missing', $s$SET LOCAL vidtoken.keyring = '/nowhere/keyring.json'$s$, 'vidtoken_check'),
('without the server''s right to read', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad'), pg_temp.name_key()), 'umask 777; base64 -d > %s')$s$, 'vidtoken_check'),
('readable for everyone', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad'), pg_temp.name_key()), 'umask 073; base64 -d > %s')$s$, 'vidtoken_check'),
('readable for the group', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad'), pg_temp.name_key()), 'umask 037; base64 -d > %s')$s$, 'vidtoken_check'),
('that is a FIFO', $s$SELECT pg_temp.keyring('', 'cat > /dev/null; umask 077; mkfifo %s')$s$, 'vidtoken_check'),
('that is a directory', $s$SELECT pg_temp.keyring('', 'cat > /dev/null; umask 077; mkdir %s')$s$, 'vidtoken_check'),
('that is a device', $s$SET LOCAL vidtoken.keyring = '/dev/zero'$s$, 'vidtoken_check'),
('beyond a megabyte', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad'), pg_temp.name_key()) || repeat(' ', 1024 * 1024))$s$, 'vidtoken_check'),
('empty', $s$SELECT pg_temp.keyring('')$s$, 'vidtoken_check'),
('cut off', $s$SELECT pg_temp.keyring(left(pg_temp.jwks(pg_temp.jwk('SKbad'), pg_temp.name_key()), 80))$s$, 'vidtoken_check'),
('that is no JWK Set', $s$SELECT pg_temp.keyring('[' || pg_temp.jwk('SKbad') || ']')$s$, 'vidtoken_check'),
('with text behind it', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad'), pg_temp.name_key()) || 'x')$s$, 'vidtoken_check'),
('with a member given twice', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad', more => ',"kid":"SKbad"'), pg_temp.name_key()))$s$, 'vidtoken_check'),
('with a member given twice in other letters', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad', more => ',"ki\u0064":"SKbad"'), pg_temp.name_key()))$s$, 'vidtoken_check'),
('with two keys of one kid', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad'), pg_temp.jwk('SKbad'), pg_temp.name_key()))$s$, 'vidtoken_check'),
('without a name key', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad')))$s$, 'vidtoken_check'),
('with two name keys', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad'), pg_temp.name_key(), pg_temp.name_key('name2')))$s$, 'vidtoken_check'),
('with a key of 31 bytes', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad', repeat('c', 31)), pg_temp.name_key()))$s$, 'vidtoken_check'),
('with an empty key', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad', ''), pg_temp.name_key()))$s$, 'vidtoken_check'),
('with an unknown alg', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad', alg => 'HS257'), pg_temp.name_key()))$s$, 'vidtoken_check'),
('with alg none', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad', alg => 'none'), pg_temp.name_key()))$s$, 'vidtoken_check'),
('with a kty that is not the alg''s', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad', kty => 'RSA'), pg_temp.name_key()))$s$, 'vidtoken_check'),
('with padding in k', $s$SELECT pg_temp.keyring(replace(pg_temp.jwks(pg_temp.jwk('SKbad', repeat('c', 32)), pg_temp.name_key()), 'Y2M"', 'Y2M="'))$s$, 'vidtoken_check'),
('with a key for encryption', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad', more => ',"use":"enc"'), pg_temp.name_key()))$s$, 'vidtoken_check'),
('with a key that may not sign', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad', more => ',"key_ops":["verify"]'), pg_temp.name_key()))$s$, 'vidtoken.key_id'),
('with a key that may do nothing', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad', more => ',"key_ops":["encrypt"]'), pg_temp.name_key()))$s$, 'vidtoken_check'),
('with an unknown vidtoken_use', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad', more => ',"vidtoken_use":"tokens"'), pg_temp.name_key()))$s$, 'vidtoken_check'),
('without the key of key_id', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKother'), pg_temp.name_key()))$s$, 'vidtoken\.key_id'),
('where key_id is a name key', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.name_key('SKbad')))$s$, 'vidtoken\.key_id'),
('where key_id is a webhook key', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad', more => ',"vidtoken_use":"webhook"'), pg_temp.name_key()))$s$, 'vidtoken\.key_id'),
('where key_id is another provider''s', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad', more => ',"provider":"livekit"'), pg_temp.name_key()))$s$, 'vidtoken\.key_id')
) AS v(name, setup, hint);
INSERT INTO cases (name, setup, call, code, reason, hint) VALUES
('keyring as it should be', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad'), pg_temp.name_key())); SET LOCAL vidtoken.key_id = 'SKbad'$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('keyring with a key of 32 bytes', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad', repeat('c', 32)), pg_temp.name_key())); SET LOCAL vidtoken.key_id = 'SKbad'$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('keyring with unknown members, for this provider', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad', more => ',"provider":"twilio","use":"sig","key_ops":["sign","verify"],"x":{"y":[1]}'), pg_temp.name_key())); SET LOCAL vidtoken.key_id = 'SKbad'$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('keyring through a symbolic link', $s$SELECT pg_temp.keyring(pg_temp.jwks(pg_temp.jwk('SKbad'), pg_temp.name_key()), 'umask 077; p=%s; base64 -d > $p.target; ln -s $p.target $p'); SET LOCAL vidtoken.key_id = 'SKbad'$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('keyring broken, and a bar needs none', $s$SELECT pg_temp.keyring('')$s$,
 'SELECT vidtoken.vidtoken_revoke(47, 2)', NULL, NULL, NULL),
('keyring broken, and a room''s name needs it', $s$SELECT pg_temp.keyring('')$s$,
 'SELECT vidtoken.vidtoken_reset_room(47)', 'F0000', NULL, 'vidtoken_check'),
('keyring by a relative path', NULL,
 $s$SET LOCAL vidtoken.keyring = 'keyring.json'$s$, '22023', NULL, NULL),
('key_id unset', $s$SET LOCAL vidtoken.key_id = ''$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'vidtoken\.key_id'),
('key_id in other letters', $s$SET LOCAL vidtoken.key_id = 'sktest'$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'vidtoken\.key_id');

-- Settings, transactions, arguments
INSERT INTO cases (name, setup, call, code, reason, hint) VALUES
('account unset', $s$SET LOCAL vidtoken.account = ''$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'vidtoken\.account'),
('min_ttl above max_ttl', $s$SET LOCAL vidtoken.min_ttl = '5h'$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000', NULL, 'vidtoken\.min_ttl'),
('the same, asked for the formula', $s$SET LOCAL vidtoken.min_ttl = '5h'$s$,
 $s$SELECT vidtoken.vidtoken_ttl('60 minutes')$s$, 'F0000', NULL, 'vidtoken\.max_ttl'),
('the same, asked for the policy', $s$SET LOCAL vidtoken.min_ttl = '5h'$s$,
 $s$SELECT vidtoken.vidtoken_policy('2026-03-02 10:00+00', '60 minutes')$s$, 'F0000', NULL, 'vidtoken\.max_ttl'),
('min_ttl equal to max_ttl', $s$SET LOCAL vidtoken.min_ttl = '4h'$s$,
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('the formula for a month', NULL,
 $s$SELECT vidtoken.vidtoken_ttl('1 month')$s$, '22023', NULL, '45 minutes'),
('the policy for a bare 60', NULL,
 $s$SELECT vidtoken.vidtoken_policy('2026-03-02 10:00+00', '60')$s$, '22023', NULL, '60 seconds'),
('the policy for no start', NULL,
 $s$SELECT vidtoken.vidtoken_policy(NULL, '60 minutes')$s$, NULL, NULL, NULL),
('issue in a READ ONLY transaction', 'SET LOCAL transaction_read_only = on',
 'SELECT vidtoken.vidtoken_issue(47, 2)', '25006', NULL, 'read-write'),
('the same with record_sessions = preferred', 'SET LOCAL transaction_read_only = on; SET LOCAL vidtoken.record_sessions = preferred',
 'SELECT vidtoken.vidtoken_issue(47, 2)', '25006', NULL, 'read-write'),
('the same with record_sessions = off', 'SET LOCAL transaction_read_only = on; SET LOCAL vidtoken.record_sessions = off',
 'SELECT vidtoken.vidtoken_issue(47, 2)', NULL, NULL, NULL),
('refresh in a READ ONLY transaction', 'SELECT vidtoken.vidtoken_issue(47, 2); SET LOCAL transaction_read_only = on',
 'SELECT vidtoken.vidtoken_refresh(47, 2)', '25006', NULL, 'read-write'),
('revoke in a READ ONLY transaction', 'SET LOCAL transaction_read_only = on',
 'SELECT vidtoken.vidtoken_revoke(47, 2)', '25006', NULL, 'read-write'),
('prune in a READ ONLY transaction', 'SET LOCAL transaction_read_only = on',
 'SELECT vidtoken.vidtoken_prune()', '25006', NULL, 'read-write'),
('the formula in a READ ONLY transaction', 'SET LOCAL transaction_read_only = on',
 $s$SELECT vidtoken.vidtoken_ttl('60 minutes')$s$, NULL, NULL, NULL),
('revoke without a ledger', 'SET LOCAL vidtoken.record_sessions = off',
 'SELECT vidtoken.vidtoken_revoke(47, 2)', 'F0000', NULL, 'vidtoken\.record_sessions'),
('reset of a room that the source names', $s$SELECT pg_temp.source(more => $q$, 'room' AS room_name$q$)$s$,
 'SELECT vidtoken.vidtoken_reset_room(47)', 'F0000', NULL, 'room_name'),
('prune of an hour', NULL,
 $s$SELECT vidtoken.vidtoken_prune('1 hour')$s$, '22023', NULL, 'running appointments'),
('prune of a second less than a day', NULL,
 $s$SELECT vidtoken.vidtoken_prune('23:59:59')$s$, '22023', NULL, 'running appointments'),
('prune of the future', NULL,
 $s$SELECT vidtoken.vidtoken_prune('-30 days')$s$, '22023', NULL, 'running appointments'),
('prune of a day', NULL,
 $s$SELECT vidtoken.vidtoken_prune('1 day')$s$, NULL, NULL, NULL),
('provider: unknown', NULL, $s$SET LOCAL vidtoken.provider = 'acme'$s$, '22023', NULL, 'twilio'),
('provider: known', NULL, $s$SET LOCAL vidtoken.provider = 'twilio'$s$, NULL, NULL, NULL),
('room_format: to be guessed', NULL, $s$SET LOCAL vidtoken.room_format = 'apt-{appointment_id}'$s$, '22023', NULL, NULL),
('room_format: unknown placeholder', NULL, $s$SET LOCAL vidtoken.room_format = '{user}-{suffix}'$s$, '22023', NULL, NULL),
('room_format: control character', NULL, $s$SET LOCAL vidtoken.room_format = E'{suffix}\n'$s$, '22023', NULL, NULL),
('room_format: without the id', NULL, $s$SET LOCAL vidtoken.room_format = 'room-{suffix}'$s$, NULL, NULL, NULL),
('test_clock: no time zone', NULL, $s$SET LOCAL vidtoken.test_clock = '2026-01-01 00:00 Mars/Phobos'$s$, '22023', NULL, NULL),
('test_clock: another time each time', NULL, $s$SET LOCAL vidtoken.test_clock = 'today 10:00+00'$s$, '22023', NULL, NULL),
('test_clock: no time', NULL, $s$SET LOCAL vidtoken.test_clock = 'noon'$s$, '22023', NULL, NULL),
('test_clock: before 1970', NULL, $s$SET LOCAL vidtoken.test_clock = '1969-12-31 23:59:59+00'$s$, '22023', NULL, NULL),
('test_clock: infinity', NULL, $s$SET LOCAL vidtoken.test_clock = 'infinity'$s$, '22023', NULL, NULL),
('max_ttl: negative', NULL, $s$SET LOCAL vidtoken.max_ttl = '-1h'$s$, '22023', NULL, NULL),
('max_ttl: no duration', NULL, $s$SET LOCAL vidtoken.max_ttl = 'long'$s$, '22023', NULL, NULL),
('min_duration: nothing', NULL, $s$SET LOCAL vidtoken.min_duration = 0$s$, '22023', NULL, NULL),
('clock_skew: six minutes', NULL, $s$SET LOCAL vidtoken.clock_skew = '6min'$s$, '22023', NULL, NULL),
('expiry_anchor: unknown', NULL, $s$SET LOCAL vidtoken.expiry_anchor = 'start'$s$, '22023', NULL, 'issue, appointment'),
('record_sessions: unknown', NULL, $s$SET LOCAL vidtoken.record_sessions = 'maybe'$s$, '22023', NULL, 'required, preferred, off'),
('a setting of no meaning', NULL, $s$SET LOCAL vidtoken.max_tll = '1h'$s$,
 CASE WHEN current_setting('server_version_num')::integer >= 150000 THEN '42602' END, NULL, NULL);

SELECT pg_postmaster_start_time() AS server_started \gset
SELECT plan(count(*)::integer + 8) FROM cases;

SELECT is(pg_temp.answer(c),
          CASE WHEN code IS NULL THEN 'allowed'
               ELSE concat_ws(', ', code, reason,
                              CASE WHEN hint IS NOT NULL THEN 'as hinted' END)
          END,
          name)
  FROM cases AS c
 ORDER BY n;

-- PostgREST puts the message of PTnnn into the HTTP status line.
SELECT results_eq(
    'SELECT DISTINCT reason, message FROM raised WHERE reason IS NOT NULL ORDER BY 1',
    $$VALUES ('cancelled', 'appointment is cancelled'),
             ('ended', 'appointment has ended'),
             ('no_session', 'no session of this participant'),
             ('no_user', 'no user in the request'),
             ('not_found', 'no such appointment'),
             ('revoked', 'access to the appointment is revoked'),
             ('too_early', 'too early for this appointment')$$,
    'the message of a refusal is a constant');
SELECT is_empty($$SELECT n FROM raised WHERE code LIKE 'PT%' AND reason IS NULL$$,
    'every PTnnn tells its reason');
SELECT results_eq(
    $$SELECT DISTINCT detail FROM raised WHERE reason = 'too_early'$$,
    $$VALUES ('{"reason":"too_early","opens_at":"2026-03-02T09:45:00+00:00","closes_at":"2026-03-02T11:15:00+00:00","now":"2026-03-02T09:44:59+00:00"}')$$,
    'the times of a refusal are ISO 8601 in UTC');
SELECT is_empty($$SELECT detail FROM raised WHERE reason = 'not_found' AND detail <> '{"reason":"not_found"}'$$,
    'an appointment that is not found has no times');
SELECT results_eq(
    $$SELECT detail FROM raised WHERE code = '22001' ORDER BY n$$,
    $$VALUES ('It has 130 bytes, the limit is 128 bytes.'), ('It has 129 bytes, the limit is 128 bytes.')$$,
    'what is too long has its length and the limit in DETAIL');
SELECT is_empty(
    $$SELECT n, message, detail, hint, context FROM raised
       WHERE concat(message, detail, hint) ~ 'canary|Y2FuYXJ5|test secret|dGVzdCBz|example\.com|secretroom|éé'$$,
    'no message, detail or hint shows a key, a person or a room');
SELECT is_empty(
    $$SELECT n, context FROM raised WHERE context ~ 'Y2FuYXJ5|dGVzdCBz|@example\.com'$$,
    'no context shows a key or a person');
SELECT is(pg_postmaster_start_time(), :'server_started'::timestamptz,
    'the server is the one of the beginning');

SELECT * FROM finish();
DO $$
BEGIN
    PERFORM pg_temp.server_command('', format('cat > /dev/null; rm -rf %s/vidtoken_test_bad_%s_*',
                                              current_setting('data_directory'), pg_backend_pid()));
END;
$$;
ROLLBACK;
