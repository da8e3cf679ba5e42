\unset ECHO
\i test/setup.sql

-- test/sql/room_settings.sql: vidtoken_room_settings, and the call that makes
-- a room at the provider
--
-- Promise: the room follows the appointment as a whole and has the name that
-- tokens say; create_request holds what the provider takes, letter by letter;
-- every number that the provider would not take is named in adjusted, and none
-- that it takes; a room that no token opens is refused, with the reason.
--
-- Copyright (c) 2026, the vidtoken authors

SET LOCAL vidtoken.source = 'clinic.calls';
CREATE TABLE clinic.calls (
    appointment_id integer,
    user_id integer,
    starts_at timestamptz NOT NULL DEFAULT '2026-03-02 10:00+00',
    duration interval NOT NULL DEFAULT '60 minutes',
    room_name text,
    cancelled boolean,
    max_participants integer,
    PRIMARY KEY (appointment_id, user_id)
);
INSERT INTO clinic.calls (appointment_id, user_id) VALUES (47, 2), (47, 3), (47, 9), (30, 2);

-- the settings of appointment 47 after a change, which is undone
CREATE FUNCTION pg_temp.settings(change text, provider text DEFAULT 'twilio', with_token boolean DEFAULT false,
                                 OUT name text, OUT empty interval, OUT unused interval, OUT places integer,
                                 OUT opens text, OUT closes text, OUT request jsonb, OUT adjusted text, OUT room_config text)
LANGUAGE plpgsql AS $$
DECLARE
    s record;
BEGIN
    PERFORM set_config('vidtoken.provider', provider, true);
    EXECUTE change;
    SELECT * INTO STRICT s FROM vidtoken.vidtoken_room_settings(47);
    name := s.room_name;
    empty := s.empty_room_timeout;
    unused := s.unused_room_timeout;
    places := s.max_participants;
    opens := to_char(s.opens_at, 'DD HH24:MI:SS');
    closes := to_char(s.closes_at, 'DD HH24:MI:SS');
    request := s.create_request;
    adjusted := array_to_string(s.adjusted, '; ');
    IF with_token THEN
        room_config := pg_temp.token_part((SELECT access_token FROM vidtoken.vidtoken_issue(47, 2)), 2)::jsonb -> 'roomConfig';
    END IF;
    RAISE 'undo';
EXCEPTION WHEN raise_exception THEN
    RETURN;
END;
$$;
-- "ok", or SQLSTATE and reason
CREATE FUNCTION pg_temp.outcome(statement text) RETURNS text
LANGUAGE sql AS $$
    SELECT concat_ws(' ', coalesce(code, 'ok'), reason) FROM pg_temp.refusal(statement)
$$;
CREATE FUNCTION pg_temp.after(change text, provider text DEFAULT 'twilio') RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.outcome(format('SELECT pg_temp.settings(%L, %L)', change, provider))
$$;

SELECT plan(169);

--
-- The row
--

SELECT is(name, g.room_name, 'the room is the one of the token'),
       matches(name, '^apt-47-[a-z2-7]{13}$', 'by its generated name'),
       is(empty, '15 minutes', 'it closes 15 minutes after the last one left'),
       is(unused, '90 minutes', 'and after 90 when nobody came'),
       is(places, NULL, 'no limit of participants'),
       is(opens, '02 09:45:00', 'opens_at is when the first may enter'),
       is(closes, '02 11:15:00', 'closes_at when the last may'),
       is(request, jsonb_build_object('UniqueName', g.room_name, 'Type', 'group', 'EmptyRoomTimeout', 15,
                                      'UnusedRoomTimeout', 60, 'MaxParticipantDuration', 11700), 'twilio''s call'),
       is(adjusted, 'unused_room_timeout: 5400 s becomes 3600 s, the provider''s maximum', 'one hour is twilio''s maximum')
  FROM pg_temp.settings('') AS s, vidtoken.vidtoken_issue(47, 2) AS g;
SELECT is(request, jsonb_build_object('name', g.room_name, 'emptyTimeout', 5400, 'departureTimeout', 900), 'livekit''s call'),
       is((request - 'name')::text, room_config, 'says what every token says of the room'),
       is(adjusted, '', 'and livekit takes all of it')
  FROM pg_temp.settings('', 'livekit', true) AS s, vidtoken.vidtoken_issue(47, 2) AS g;
SELECT is(request, NULL, 'provider jwt has no such call'),
       is(adjusted, '', 'and no limit'),
       is(unused, '90 minutes', 'but a room')
  FROM pg_temp.settings('', 'jwt');
SELECT is(request -> 'StatusCallback', expected, format('%s, told by %s: where webhooks go', p, url)),
       ok((request - 'StatusCallback') IS NOT DISTINCT FROM (pg_temp.settings('', p)).request, 'and nothing else')
  FROM (VALUES ('twilio', 'https://clinic.example/hook?a=1&b="é"', '"https://clinic.example/hook?a=1&b=\"é\""'::jsonb),
               ('livekit', 'https://clinic.example/hook', NULL), ('jwt', 'https://clinic.example/hook', NULL)) AS v (p, url, expected),
       pg_temp.settings(format('SET LOCAL vidtoken.public_url = %L', url), p);
SELECT is(p.empty_room_timeout, s.empty_room_timeout, 'vidtoken_policy() has the same empty_room_timeout'),
       is(p.unused_room_timeout, s.unused_room_timeout, 'and unused_room_timeout'),
       is(p.opens_at, s.opens_at, 'and opens_at'),
       is(p.closes_at, s.closes_at, 'and closes_at'),
       is(s.provider, 'twilio', 'the provider is the setting''s')
  FROM vidtoken.vidtoken_policy('2026-03-02 10:00+00', '60 minutes') AS p, vidtoken.vidtoken_room_settings(47) AS s;
SELECT is(pg_temp.after($$SET LOCAL vidtoken.account = ''$$), 'ok', 'no account is needed, it is in no part of the call');
SELECT is(string_agg(concat_ws(' ', c.appointment_id, substr(s.room_name, 1, 7)), ', ' ORDER BY c.appointment_id), '30 apt-30-, 47 apt-47-',
          'in a join, one row an appointment')
  FROM (SELECT DISTINCT appointment_id FROM clinic.calls) AS c, vidtoken.vidtoken_room_settings(c.appointment_id) AS s;

--
-- The room follows the appointment as a whole
--

SELECT is(concat_ws(' ', opens, closes, unused, places), '02 09:35:00 02 11:45:00 02:10:00 7', 'from the first start to the last end, with the most places'),
       is(request ->> 'MaxParticipantDuration', '14100', 'and a stay from the first moment to the hard stop')
  FROM pg_temp.settings($$UPDATE clinic.calls SET starts_at = starts_at + (user_id - 4) * interval '5 minutes',
                          duration = CASE user_id WHEN 9 THEN interval '65 minutes' ELSE '30 minutes' END, max_participants = nullif(user_id - 2, 0)$$);
SELECT is(concat_ws(' ', unused, request ->> 'MaxParticipantDuration'), expected, 'starts ' || seconds || ' s apart: ' || expected)
  FROM (VALUES (0.0, '01:30:00 11700'), (0.25, '01:30:01 11700'), (1, '01:30:01 11701'), (-0.25, '01:30:01 11701')) AS e (seconds, expected),
       pg_temp.settings(format($$UPDATE clinic.calls SET starts_at = starts_at + %s * interval '1 s' WHERE user_id = 3$$, seconds));

-- what a caller does not see does not count
CREATE ROLE vidtoken_test_ann;
GRANT USAGE ON SCHEMA vidtoken, clinic TO vidtoken_test_ann;
GRANT SELECT ON clinic.calls TO vidtoken_test_ann;
SET LOCAL ROLE vidtoken_test_ann;
SELECT is(pg_temp.outcome('SELECT vidtoken.vidtoken_room_settings(47)'), '42501', 'nobody may call it without a grant');
RESET ROLE;
GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_room_settings(vidtoken.vidtoken_id) TO vidtoken_test_ann;
SET LOCAL ROLE vidtoken_test_ann;
SELECT is(pg_temp.outcome('SELECT vidtoken.vidtoken_room_settings(47)'), 'ok', 'with one, no right on the ledger is needed');
RESET ROLE;
UPDATE clinic.calls SET max_participants = 10 * user_id, duration = user_id * interval '30 minutes';
ALTER TABLE clinic.calls ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON clinic.calls TO vidtoken_test_ann USING (appointment_id = 47 AND user_id IN (2, 3));
SET LOCAL ROLE vidtoken_test_ann;
SELECT is(concat_ws(' ', unused_room_timeout, max_participants), '02:00:00 30', 'rows that the caller does not see do not count')
  FROM vidtoken.vidtoken_room_settings(47);
SELECT is(pg_temp.outcome('SELECT vidtoken.vidtoken_room_settings(30)'), 'PT404 not_found', 'an appointment that the caller does not see is not there');
RESET ROLE;
REVOKE SELECT ON clinic.calls FROM vidtoken_test_ann;
SET LOCAL ROLE vidtoken_test_ann;
SELECT is(pg_temp.outcome('SELECT vidtoken.vidtoken_room_settings(47)'), '42501', 'who may not read the source is refused');
RESET ROLE;
ALTER TABLE clinic.calls DISABLE ROW LEVEL SECURITY;
UPDATE clinic.calls SET max_participants = NULL, duration = DEFAULT;
SELECT is(pg_temp.outcome('SELECT vidtoken.vidtoken_room_settings(30)'), 'ok', 'others see it'),
       is(pg_temp.outcome('SELECT vidtoken.vidtoken_room_settings(4711)'), 'PT404 not_found', 'what does not exist nobody sees'),
       is(pg_temp.outcome('SELECT vidtoken.vidtoken_room_settings(''47a'')'), 'PT404 not_found', 'nor what is no id'),
       is(pg_temp.outcome('SELECT vidtoken.vidtoken_room_settings(NULL)'), '22004', 'NULL is no id');

-- STABLE
CREATE FUNCTION clinic.shorten() RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE clinic.calls SET duration = '30 minutes';
    RETURN 'shortened';
END;
$$;
SELECT is(concat_ws(' ', clinic.shorten(), unused_room_timeout), 'shortened 01:30:00', 'a query sees the source as it was when it began')
  FROM (SELECT 47 AS id OFFSET 0) AS one, LATERAL (SELECT (vidtoken.vidtoken_room_settings(id)).unused_room_timeout WHERE clinic.shorten() > '' OFFSET 0) AS s;
SELECT is(unused_room_timeout, '60 minutes', 'and the next one what it did') FROM vidtoken.vidtoken_room_settings(47);
UPDATE clinic.calls SET duration = DEFAULT;

--
-- Its name
--

SELECT is(name, expected, 'the source''s name, ' || letters),
       is(request ->> 'UniqueName', expected, 'is in the call')
  FROM (VALUES ('plain', 'ward 7'), ('of any letters', E'ward "7" \\ Zoë 診察\n\u0001')) AS e (letters, expected),
       pg_temp.settings(format('UPDATE clinic.calls SET room_name = %L', expected));
SELECT is(pg_temp.after('UPDATE clinic.calls SET room_name = ' || expression), expected, format('%s: %s', expression, expected))
  FROM (VALUES
    ($$'ward ' || user_id$$, '21000'),
    ($$CASE user_id WHEN 2 THEN 'ward 7' END$$, '21000'),
    ($$CASE user_id WHEN 9 THEN 'ward 7' END$$, '21000'),
    ($$'ward ' || appointment_id$$, 'ok'),
    ($$''$$, 'F0000')
  ) AS e (expression, expected);
SELECT is(r.message, i.message, 'rows that disagree are refused in the words that a token is refused with'), is(r.hint, i.hint, 'and with the same hint')
  FROM pg_temp.refusal($$UPDATE clinic.calls SET room_name = user_id; SELECT vidtoken.vidtoken_room_settings(47)$$) AS r,
       pg_temp.refusal($$UPDATE clinic.calls SET room_name = user_id; SELECT vidtoken.vidtoken_issue(47, 2)$$) AS i;
SELECT is(pg_temp.after(format('UPDATE clinic.calls SET room_name = repeat(%L, %s) || %L', 'é', length / 2, repeat('a', length % 2)), provider), expected,
          format('%s: a name of %s bytes: %s', provider, length, expected))
  FROM (VALUES ('twilio', 128, 'ok'), ('twilio', 129, '22001'), ('livekit', 256, 'ok'), ('livekit', 257, '22001'), ('jwt', 257, 'ok'))
    AS e (provider, length, expected);
SELECT is(pg_temp.after($$SET LOCAL vidtoken.keyring = '/nowhere.json'; UPDATE clinic.calls SET room_name = 'ward 7'$$), 'ok', 'a name of the source needs no keyring');
SELECT is(pg_temp.after($$SET LOCAL vidtoken.keyring = '/nowhere.json'$$), 'F0000', 'a made one does');

-- generations
SELECT room_name AS first FROM vidtoken.vidtoken_room_settings(47) \gset
SELECT vidtoken.vidtoken_reset_room(47) AS second \gset
SELECT isnt(:'first'::text, :'second', 'the room is reset');
SELECT is(room_name, :'second', 'then it is the new one') FROM vidtoken.vidtoken_room_settings(47);
SELECT is(room_name, :'second', 'as in tokens') FROM vidtoken.vidtoken_issue(47, 2);
SELECT isnt(room_name, :'second', 'that of another appointment is its own') FROM vidtoken.vidtoken_room_settings(30);
SELECT is(name, vidtoken.vidtoken_reset_room(47), 'and it is reset again') FROM pg_temp.settings('SELECT vidtoken.vidtoken_reset_room(47)');
SELECT is(name, 'ward 7', 'a name that the source gives meanwhile wins') FROM pg_temp.settings($$UPDATE clinic.calls SET room_name = 'ward 7'$$);
SELECT is(name, :'first', 'without a ledger there is the first room alone') FROM pg_temp.settings('SET LOCAL vidtoken.record_sessions = off');
DELETE FROM vidtoken.vidtoken_room;
SELECT is(room_name, :'first', 'so it is when the ledger forgets') FROM vidtoken.vidtoken_room_settings(47);

-- nothing is written, and nothing has to be
SELECT is(pg_temp.after('DELETE FROM vidtoken.vidtoken_session; SET LOCAL transaction_read_only = on; SET LOCAL vidtoken.record_sessions = ' || mode), 'ok',
          mode || ': in a read-only transaction')
  FROM unnest(ARRAY['required', 'preferred', 'off']) AS mode;
DELETE FROM vidtoken.vidtoken_session;
SELECT is(pg_temp.after(''), 'ok', 'it answers');
SELECT is((SELECT count(*) FROM vidtoken.vidtoken_session) + (SELECT count(*) FROM vidtoken.vidtoken_room), 0::bigint, 'and leaves no row in the ledger');

--
-- A room that no token opens
--

SELECT is(pg_temp.after(format('SELECT pg_temp.clock(%s)', minutes)), expected, format('%s minutes after the start: %s', minutes, expected))
  FROM (VALUES (-15, 'ok'), (-16, 'ok'), (-60 * 24 * 30, 'ok'), (0, 'ok'), (75, 'ok'), (76, 'ok'), (180, 'ok'), (180.01, 'PT410 ended'), (60 * 24 * 30, 'PT410 ended'))
    AS e (minutes, expected);
SELECT is(pg_temp.after('UPDATE clinic.calls SET cancelled = ' || expression), expected, format('cancelled = %s: %s', expression, expected))
  FROM (VALUES ('true', 'PT410 cancelled'), ('false', 'ok'), ('NULL', 'ok'), ('user_id = 2', 'ok'), ('user_id <> 9', 'ok'),
               ('CASE user_id WHEN 3 THEN NULL ELSE true END', 'ok'), ('appointment_id = 47', 'PT410 cancelled'), ('appointment_id = 30', 'ok'))
    AS e (expression, expected);
SELECT is(pg_temp.after(statement), expected, format('%s: %s', statement, expected))
  FROM (VALUES
    ('SELECT vidtoken.vidtoken_revoke(47, 2)', 'ok'),
    ('SELECT vidtoken.vidtoken_revoke_all(30)', 'ok'),
    ('SELECT vidtoken.vidtoken_revoke_all(47)', 'PT410 revoked'),
    ('SELECT vidtoken.vidtoken_revoke_all(47), vidtoken.vidtoken_reinstate_all(47)', 'ok'),
    ('SELECT vidtoken.vidtoken_revoke_all(47); SET LOCAL transaction_read_only = on', 'PT410 revoked'),
    ('SELECT vidtoken.vidtoken_revoke_all(47); SET LOCAL vidtoken.record_sessions = off', 'ok'),
    ('SELECT vidtoken.vidtoken_revoke_all(47); UPDATE clinic.calls SET cancelled = true', 'PT410 cancelled'),
    ('SELECT vidtoken.vidtoken_revoke_all(47), pg_temp.clock(181)', 'PT410 ended')
  ) AS e (statement, expected);
SELECT is(detail::jsonb, '{"reason": "ended", "opens_at": "2026-03-02T09:45:00+00:00", "closes_at": "2026-03-02T11:15:00+00:00", "now": "2026-03-02T13:01:00+00:00"}',
          'the detail has the times of the room')
  FROM pg_temp.refusal($$SELECT pg_temp.settings('SELECT pg_temp.clock(181)')$$);

--
-- What the provider takes, and what becomes of the rest
--

CREATE FUNCTION pg_temp.number(provider text, member text, change text) RETURNS text
LANGUAGE sql AS $$
    SELECT concat_ws('; ', coalesce(request ->> member, 'none'), nullif(adjusted, ''))
      FROM pg_temp.settings('SET LOCAL vidtoken.unused_room_buffer = 0; ' || change, provider)
$$;
SELECT is(pg_temp.number('twilio', 'EmptyRoomTimeout', format('SET LOCAL vidtoken.empty_room_timeout = %s', seconds)), expected,
          format('twilio, empty_room_timeout of %s s: %s', seconds, expected))
  FROM (VALUES
    (0, '1; empty_room_timeout: 0 s becomes 60 s, the provider''s minimum'),
    (1, '1; empty_room_timeout: 1 s becomes 60 s, rounded up to whole minutes'),
    (59, '1; empty_room_timeout: 59 s becomes 60 s, rounded up to whole minutes'),
    (60, '1'),
    (61, '2; empty_room_timeout: 61 s becomes 120 s, rounded up to whole minutes'),
    (120, '2'),
    (3540, '59'),
    (3541, '60; empty_room_timeout: 3541 s becomes 3600 s, rounded up to whole minutes'),
    (3600, '60'),
    (3601, '60; empty_room_timeout: 3601 s becomes 3600 s, the provider''s maximum'),
    (3660, '60; empty_room_timeout: 3660 s becomes 3600 s, the provider''s maximum'),
    (86400, '60; empty_room_timeout: 86400 s becomes 3600 s, the provider''s maximum')
  ) AS e (seconds, expected);
SELECT is(pg_temp.number('twilio', 'UnusedRoomTimeout', format($$UPDATE clinic.calls SET duration = '%s s'$$, seconds)), expected,
          format('twilio, unused_room_timeout of %s s: %s', seconds, expected))
  FROM (VALUES
    (300, '5'),
    (300.5, '6; unused_room_timeout: 301 s becomes 360 s, rounded up to whole minutes'),
    (3600, '60'),
    (3601, '60; unused_room_timeout: 3601 s becomes 3600 s, the provider''s maximum')
  ) AS e (seconds, expected);
SELECT is(pg_temp.number('twilio', 'UnusedRoomTimeout', 'SET LOCAL vidtoken.min_duration = 1; UPDATE clinic.calls SET duration = ''1 s'''),
          '1; unused_room_timeout: 1 s becomes 60 s, rounded up to whole minutes', 'twilio, the shortest appointment');
SELECT is(pg_temp.number(provider, member, 'UPDATE clinic.calls SET max_participants = ' || places), expected,
          format('%s, max_participants = %s: %s', provider, places, expected))
  FROM (VALUES
    ('twilio', 'MaxParticipants', 'NULL', 'none'),
    ('twilio', 'MaxParticipants', '0', 'none'),
    ('twilio', 'MaxParticipants', '1', '1'),
    ('twilio', 'MaxParticipants', '50', '50'),
    ('twilio', 'MaxParticipants', '51', '50; max_participants: 51 becomes 50, the provider''s maximum'),
    ('twilio', 'MaxParticipants', '2147483647', '50; max_participants: 2147483647 becomes 50, the provider''s maximum'),
    ('livekit', 'maxParticipants', 'NULL', 'none'),
    ('livekit', 'maxParticipants', '0', 'none'),
    ('livekit', 'maxParticipants', '1', '1'),
    ('livekit', 'maxParticipants', '51', '51'),
    ('livekit', 'maxParticipants', '2147483647', '2147483647')
  ) AS e (provider, member, places, expected);
SELECT is(pg_temp.after('UPDATE clinic.calls SET max_participants = ' || places), expected, format('max_participants = %s: %s', places, expected))
  FROM (VALUES ('-1', 'F0000'), ('0', 'ok')) AS e (places, expected);
SELECT is(places, NULL, 'no places is no limit, as NULL is') FROM pg_temp.settings('UPDATE clinic.calls SET max_participants = 0');
SELECT is(places, 51, 'max_participants is what was asked for') FROM pg_temp.settings('UPDATE clinic.calls SET max_participants = 51');

-- a stay, with an appointment that leaves the other numbers alone
SELECT is(pg_temp.number('twilio', 'MaxParticipantDuration', format(
              $$SET LOCAL vidtoken.buffer_before = %L; SET LOCAL vidtoken.buffer_after = 0; SET LOCAL vidtoken.max_overrun = %L; UPDATE clinic.calls SET duration = '10 minutes'$$,
              before, overrun)), expected, format('twilio, 10 minutes, %s before, %s after: %s', before, overrun, expected))
  FROM (VALUES
    ('0', '0', '600'),
    ('1s', '0', '601'),
    ('15min', '2h', '8700'),
    ('23h', '50min', '86400'),
    ('23h', '3001s', '86400; max_stay: 86401 s becomes 86400 s, the provider''s maximum'),
    ('1d', '30d', '86400; max_stay: 2679000 s becomes 86400 s, the provider''s maximum')
  ) AS e (before, overrun, expected);
SELECT is(pg_temp.number('twilio', 'MaxParticipantDuration',
              $$SET LOCAL vidtoken.buffer_before = 0; SET LOCAL vidtoken.max_overrun = 0; UPDATE clinic.calls SET duration = '540 s'$$),
          '600; max_stay: 540 s becomes 600 s, the provider''s minimum', 'twilio, a stay below ten minutes');

-- unsigned numbers of 32 bits
SELECT is(pg_temp.number('livekit', 'departureTimeout', format('SET LOCAL vidtoken.empty_room_timeout = %s', seconds)), expected,
          format('livekit, empty_room_timeout of %s s: %s', seconds, expected))
  FROM (VALUES (0, '1; empty_room_timeout: 0 s becomes 1 s, the provider''s minimum'), (1, '1'), (61, '61'), (86400, '86400')) AS e (seconds, expected);
SELECT is(pg_temp.number('livekit', 'emptyTimeout', format($$UPDATE clinic.calls SET starts_at = starts_at + %s * interval '1 s' WHERE user_id = 9$$, seconds)), expected,
          format('livekit, unused_room_timeout of an hour and %s s: %s', seconds, expected))
  FROM (VALUES (4294963695, '4294967295'),
               (4294963696, '4294967295; unused_room_timeout: 4294967296 s becomes 4294967295 s, the provider''s maximum')) AS e (seconds, expected);
SELECT is(pg_temp.number('livekit', 'emptyTimeout', $$UPDATE clinic.calls SET starts_at = CASE user_id WHEN 9 THEN '294276-12-01 00:00+00'::timestamptz WHEN 3 THEN '4713-01-02 00:00+00 BC' ELSE starts_at END$$),
          '4294967295; unused_room_timeout: 9223372036854 s becomes 4294967295 s, the provider''s maximum', 'livekit, all of the calendar');
SELECT is((request - 'name')::text, room_config, 'a number that is adjusted is so in tokens too'),
       is(unused || ' ' || empty, '1193047:28:16 00:00:00', 'while the row says what was asked for'),
       is(adjusted, 'empty_room_timeout: 0 s becomes 1 s, the provider''s minimum; unused_room_timeout: 4294970896 s becomes 4294967295 s, the provider''s maximum', 'and adjusted names both')
  FROM pg_temp.settings($$SET LOCAL vidtoken.empty_room_timeout = 0; SET LOCAL vidtoken.unused_room_buffer = '1h'; SET LOCAL vidtoken.max_overrun = '30d';
                          UPDATE clinic.calls SET starts_at = starts_at + 4294963696 * interval '1 s' WHERE user_id = 9$$, 'livekit', true);

-- all at once, in words that a program can read
SELECT is(adjusted, 'empty_room_timeout: 61 s becomes 120 s, rounded up to whole minutes; unused_room_timeout: 88200 s becomes 3600 s, the provider''s maximum; '
                    'max_participants: 51 becomes 50, the provider''s maximum; max_stay: 94500 s becomes 86400 s, the provider''s maximum', 'four numbers, four lines'),
       is(request - 'UniqueName', '{"Type": "group", "EmptyRoomTimeout": 2, "UnusedRoomTimeout": 60, "MaxParticipants": 50, "MaxParticipantDuration": 86400}', 'and what twilio gets'),
       is(concat_ws(' ', empty, unused, places), '00:01:01 24:30:00 51', 'of what was asked for'),
       is((SELECT count(*)::integer FROM unnest(string_to_array(adjusted, '; ')) AS line
            WHERE line ~ $r$^[a-z_]+: \d+( s)? becomes \d+( s)?, (the provider's (minimum|maximum)|rounded up to whole minutes)$$r$), 4, 'one pattern fits them all')
  FROM pg_temp.settings($$SET LOCAL vidtoken.empty_room_timeout = 61; UPDATE clinic.calls SET duration = '1 day', max_participants = 51$$);

--
-- vidtoken_check() tells of what is adjusted whatever the appointment
--

CREATE FUNCTION pg_temp.warnings(provider text, settings text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    PERFORM set_config('vidtoken.provider', provider, true);
    EXECUTE settings;
    answer := (SELECT string_agg(concat_ws(' ', item, status, replace(message, 'the room of every appointment is adjusted: ', '')), '; ') FROM vidtoken.vidtoken_check() WHERE message LIKE 'the room of every appointment is adjusted: %');
    RAISE 'undo';
EXCEPTION WHEN raise_exception THEN
    RETURN answer;
END;
$$;
SELECT is(pg_temp.warnings(provider, settings), expected, format('%s: %s', provider, coalesce(nullif(settings, ''), 'the defaults')))
  FROM (VALUES
    ('twilio', '', NULL),
    ('twilio', 'SET LOCAL vidtoken.empty_room_timeout = 3600', NULL),
    ('twilio', 'SET LOCAL vidtoken.empty_room_timeout = 3660', 'provider warning empty_room_timeout: 3660 s becomes 3600 s, the provider''s maximum'),
    ('twilio', 'SET LOCAL vidtoken.empty_room_timeout = 90', 'provider warning empty_room_timeout: 90 s becomes 120 s, rounded up to whole minutes'),
    ('twilio', 'SET LOCAL vidtoken.empty_room_timeout = 0', 'provider warning empty_room_timeout: 0 s becomes 60 s, the provider''s minimum'),
    ('twilio', 'SET LOCAL vidtoken.unused_room_buffer = 90', NULL),
    ('twilio', 'SET LOCAL vidtoken.unused_room_buffer = 3300', NULL),
    ('twilio', 'SET LOCAL vidtoken.unused_room_buffer = 3301', 'provider warning unused_room_timeout: 3601 s becomes 3600 s, the provider''s maximum'),
    ('twilio', 'SET LOCAL vidtoken.max_overrun = 85200', NULL),
    ('twilio', 'SET LOCAL vidtoken.max_overrun = 85201', 'provider warning max_stay: 86401 s becomes 86400 s, the provider''s maximum'),
    ('twilio', 'SET LOCAL vidtoken.max_overrun = 0; SET LOCAL vidtoken.buffer_before = 0', NULL),
    ('livekit', 'SET LOCAL vidtoken.empty_room_timeout = 3601; SET LOCAL vidtoken.unused_room_buffer = 3301; SET LOCAL vidtoken.max_overrun = 85201', NULL),
    ('livekit', 'SET LOCAL vidtoken.empty_room_timeout = 0', 'provider warning empty_room_timeout: 0 s becomes 1 s, the provider''s minimum'),
    ('jwt', 'SET LOCAL vidtoken.empty_room_timeout = 0', NULL)
  ) AS e (provider, settings, expected);

SELECT * FROM finish();
ROLLBACK;
