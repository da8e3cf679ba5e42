\unset ECHO
\i test/setup.sql

-- test/sql/provider_livekit.sql: tokens of provider livekit
--
-- Promise: header and claims are LiveKit's, letter by letter; who speaks and
-- who governs the room follows from the role; every participant's token says
-- the same of the room; what LiveKit would refuse is refused here, counted in
-- bytes, and what just fits is not.
--
-- Copyright (c) 2026, the vidtoken authors

SET LOCAL vidtoken.provider = 'livekit';
SET LOCAL vidtoken.source = 'clinic.calls';
SET LOCAL vidtoken.account = '';
CREATE TABLE clinic.calls (
    appointment_id integer,
    user_id integer,
    starts_at timestamptz NOT NULL DEFAULT '2026-03-02 10:00+00',
    duration interval NOT NULL DEFAULT '60 minutes',
    identity text,
    display_name text,
    role text,
    room_name text DEFAULT 'ward 7',
    metadata jsonb,
    cancelled boolean,
    max_participants integer,
    PRIMARY KEY (appointment_id, user_id)
);
INSERT INTO clinic.calls (appointment_id, user_id, identity, role) VALUES
    (47, 2, '2-jane', NULL), (47, 3, '3-bob', 'guest'), (47, 9, '9-house', 'host'), (47, 5, '5-ann', 'observer');

-- a part of a token as it is spelled, but for what is random in it
CREATE FUNCTION pg_temp.part(token text, part integer) RETURNS text
LANGUAGE sql AS $$
    SELECT regexp_replace(pg_temp.token_part(token, part)::text, '"jti":"[A-Za-z0-9_-]{22}"', '"jti":"JTI"')
$$;
CREATE FUNCTION pg_temp.claims(appointment_id integer, user_id integer) RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.part(access_token, 2) FROM vidtoken.vidtoken_issue(appointment_id, user_id)
$$;
CREATE FUNCTION pg_temp.room_config(appointment_id integer, user_id integer) RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.token_part(access_token, 2) ->> 'roomConfig' FROM vidtoken.vidtoken_issue(appointment_id, user_id)
$$;

SELECT plan(122);

--
-- The token
--

SELECT matches(access_token, '^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$', 'three parts of base64url without padding, the last of 32 bytes'),
       is(pg_temp.part(access_token, 1), '{"alg":"HS256","typ":"JWT"}', 'the header'),
       is((SELECT v.key_id || ' ' || v.valid FROM vidtoken.vidtoken_verify(access_token) AS v), 'SKtest true', 'vidtoken_verify() knows its own'),
       is(concat_ws(' ', provider, user_identity, room_name, role, expires_in), 'livekit 2-jane ward 7 guest 5400', 'the grant')
  FROM vidtoken.vidtoken_issue(47, 2);
SELECT is(pg_temp.claims(47, user_id),
          '{"jti":"JTI","iss":"SKtest","sub":"' || identity || '","iat":1772445590,"nbf":1772445590,"exp":1772451000,'
          '"video":{"roomJoin":true,"room":"ward 7",' || grants || '},"roomConfig":{"emptyTimeout":5400,"departureTimeout":900}}',
          'the claims of ' || who)
  FROM (VALUES
    (2, '2-jane', 'a participant without a role', '"canPublish":true,"canSubscribe":true,"canPublishData":true'),
    (3, '3-bob', 'a guest', '"canPublish":true,"canSubscribe":true,"canPublishData":true'),
    (9, '9-house', 'a host', '"canPublish":true,"canSubscribe":true,"canPublishData":true,"roomAdmin":true'),
    (5, '5-ann', 'an observer', '"canPublish":false,"canSubscribe":true,"canPublishData":false')
  ) AS e (user_id, identity, who, grants);
UPDATE clinic.calls SET role = CASE user_id WHEN 2 THEN 'host' ELSE 'observer' END;
SELECT is((pg_temp.claims(47, 2)::jsonb #>> '{video,roomAdmin}')::boolean, true, 'who becomes host governs the room'),
       is(pg_temp.claims(47, 9)::jsonb -> 'video', '{"roomJoin": true, "room": "ward 7", "canPublish": false, "canSubscribe": true, "canPublishData": false}',
          'who was host does not any more');
UPDATE clinic.calls SET role = CASE user_id WHEN 9 THEN 'host' END;

-- a refresh
SELECT is(pg_temp.part(r.access_token, 2), pg_temp.part(i.access_token, 2), 'a refreshed token says the same'),
       isnt(pg_temp.token_part(r.access_token, 2) ->> 'jti', pg_temp.token_part(i.access_token, 2) ->> 'jti', 'but has a jti of its own'),
       isnt(pg_temp.token_part(a.access_token, 2) ->> 'jti', pg_temp.token_part(i.access_token, 2) ->> 'jti', 'as has one issued again')
  FROM vidtoken.vidtoken_issue(47, 2) AS i, vidtoken.vidtoken_refresh(47, 2) AS r, vidtoken.vidtoken_issue(47, 2) AS a;
SELECT pg_temp.clock(30) AS ignored \gset
SELECT is(pg_temp.part(access_token, 2)::jsonb - 'video' - 'roomConfig',
          '{"jti": "JTI", "iss": "SKtest", "sub": "2-jane", "iat": 1772447390, "nbf": 1772447390, "exp": 1772452800}',
          'half an hour later it begins and ends half an hour later')
  FROM vidtoken.vidtoken_refresh(47, 2);
SELECT pg_temp.clock(0) AS ignored \gset

-- times
CREATE FUNCTION pg_temp.times(skew integer) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('vidtoken.clock_skew', skew || 's', true);
    RETURN (SELECT concat_ws(' ', (c ->> 'iat')::bigint - extract(epoch FROM issued_at)::bigint, (c ->> 'nbf')::bigint - extract(epoch FROM issued_at)::bigint,
                             (c ->> 'exp')::bigint - extract(epoch FROM expires_at)::bigint, expires_in)
              FROM vidtoken.vidtoken_issue(47, 3), pg_temp.token_part(access_token, 2) AS c);
END;
$$;
SELECT is(pg_temp.times(skew), format('%s %s 0 5400', -skew, -skew), format('clock_skew %s s: iat and nbf lie so much before issued_at, exp is expires_at', skew))
  FROM unnest(ARRAY[0, 1, 10, 300]) AS skew;
RESET vidtoken.clock_skew;
SELECT pg_temp.clock(1.0 / 120) AS ignored \gset
SELECT is(pg_temp.claims(47, 3)::jsonb ->> 'iat', '1772445590', 'half a second is cut off');
SELECT pg_temp.clock(0) AS ignored \gset
DELETE FROM vidtoken.vidtoken_session;

--
-- What the source says of a participant
--

UPDATE clinic.calls SET display_name = 'Jane Doe' WHERE user_id = 2;
SELECT is(pg_temp.claims(47, 2),
          '{"jti":"JTI","iss":"SKtest","sub":"2-jane","iat":1772445590,"nbf":1772445590,"exp":1772451000,"name":"Jane Doe",'
          '"video":{"roomJoin":true,"room":"ward 7","canPublish":true,"canSubscribe":true,"canPublishData":true},'
          '"roomConfig":{"emptyTimeout":5400,"departureTimeout":900}}', 'a display name is the claim name'),
       unalike(pg_temp.claims(47, 3), '%Jane%', 'of its own participant alone');
UPDATE clinic.calls SET metadata = '{"ward": 7, "notes": ["a", null]}' WHERE user_id = 2;
SELECT is(pg_temp.claims(47, 2),
          '{"jti":"JTI","iss":"SKtest","sub":"2-jane","iat":1772445590,"nbf":1772445590,"exp":1772451000,"name":"Jane Doe",'
          '"metadata":"{\"ward\": 7, \"notes\": [\"a\", null]}",'
          '"video":{"roomJoin":true,"room":"ward 7","canPublish":true,"canSubscribe":true,"canPublishData":true},'
          '"roomConfig":{"emptyTimeout":5400,"departureTimeout":900}}', 'metadata is a text for LiveKit'),
       unalike(pg_temp.claims(47, 3), '%notes%', 'of its own participant alone');

-- the same row under other types of metadata
CREATE FUNCTION pg_temp.metadata(expression text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    DROP VIEW IF EXISTS clinic.with_metadata;
    EXECUTE format('CREATE VIEW clinic.with_metadata AS SELECT appointment_id, user_id, starts_at, duration, %s AS metadata FROM clinic.calls', expression);
    PERFORM set_config('vidtoken.source', 'clinic.with_metadata', true);
    RETURN (SELECT pg_temp.token_part(access_token, 2) ->> 'metadata' FROM vidtoken.vidtoken_issue(47, 2));
END;
$$;
SELECT is(pg_temp.metadata(expression), expected, 'metadata: ' || name)
  FROM (VALUES
    ('jsonb is spelled in its own way', $$'{"b":1,"a":[true]}'::jsonb$$, '{"a": [true], "b": 1}'),
    ('json as it was written', $$'{"b":1,"a" : [true]}'::json$$, '{"b":1,"a" : [true]}'),
    ('text as it is', $$'room for notes'::text$$, 'room for notes'),
    ('varchar as it is', $$'room for notes'::varchar(20)$$, 'room for notes'),
    ('a number of jsonb', $$'7'::jsonb$$, '7'),
    ('a string of jsonb', $$'"seven"'::jsonb$$, '"seven"'),
    ('a null of jsonb is a text', $$'null'::jsonb$$, 'null'),
    ('none', $$NULL::jsonb$$, NULL),
    ('no text', $$NULL::text$$, NULL),
    ('quotes, backslashes, lines', $$E'"a" \\ b\n\tc\u0001'::text$$, E'"a" \\ b\n\tc\u0001'),
    ('letters of the world', $$'Zoë 診察 😀'::text$$, 'Zoë 診察 😀')
  ) AS m (name, expression, expected);
SELECT is(pg_temp.claims(47, 2)::jsonb ? 'metadata', true, 'metadata is there');
UPDATE clinic.calls SET metadata = NULL;
SELECT is(pg_temp.metadata('metadata'), NULL, 'metadata that is taken away is gone');
SELECT is(pg_temp.claims(47, 2)::jsonb ?| '{metadata,name}', false, 'nothing is written where there is nothing');
DROP VIEW clinic.with_metadata;
SET LOCAL vidtoken.source = 'clinic.calls';

DELETE FROM vidtoken.vidtoken_session;
UPDATE clinic.calls SET identity = E'2 "jane" \\ 😀', display_name = E'Zoë "Z" \\ </script>\n診察\u007f', room_name = E'ward "7" \\ é'
 WHERE user_id = 2;
UPDATE clinic.calls SET room_name = E'ward "7" \\ é';
SELECT is(c ->> 'sub', E'2 "jane" \\ 😀', 'an identity of any letters'),
       is(c ->> 'name', E'Zoë "Z" \\ </script>\n診察\u007f', 'a display name of any letters'),
       is(c #>> '{video,room}', E'ward "7" \\ é', 'a room of any letters'),
       is(g.user_identity || g.room_name, (c ->> 'sub') || (c #>> '{video,room}'), 'the grant says the same'),
       is((SELECT v.valid AND v.claims::text = c::text FROM vidtoken.vidtoken_verify(g.access_token) AS v), true, 'vidtoken_verify() reads the same')
  FROM vidtoken.vidtoken_issue(47, 2) AS g, pg_temp.token_part(g.access_token, 2) AS c;
DELETE FROM vidtoken.vidtoken_session;
UPDATE clinic.calls SET identity = user_id || '-x', display_name = NULL, room_name = NULL;
SELECT is(c #>> '{video,room}', g.room_name, 'a generated room is in the token'),
       matches(g.room_name, '^apt-47-[a-z2-7]{13}$', 'by its generated name')
  FROM vidtoken.vidtoken_issue(47, 2) AS g, pg_temp.token_part(g.access_token, 2) AS c;

-- no column but those that must be
CREATE VIEW clinic.four AS SELECT appointment_id, user_id, starts_at, duration FROM clinic.calls;
SET LOCAL vidtoken.source = 'clinic.four';
DELETE FROM vidtoken.vidtoken_session;
SELECT is(replace(replace(pg_temp.part(g.access_token, 2), g.user_identity, 'IDENTITY'), g.room_name, 'ROOM'),
          '{"jti":"JTI","iss":"SKtest","sub":"IDENTITY","iat":1772445590,"nbf":1772445590,"exp":1772451000,'
          '"video":{"roomJoin":true,"room":"ROOM","canPublish":true,"canSubscribe":true,"canPublishData":true},'
          '"roomConfig":{"emptyTimeout":5400,"departureTimeout":900}}', 'a source without the optional columns: a guest in a generated room'),
       matches(g.user_identity || ' ' || g.room_name, '^user-[a-z2-7]{13} apt-47-[a-z2-7]{13}$', 'under made names')
  FROM vidtoken.vidtoken_issue(47, 9) AS g;
SET LOCAL vidtoken.source = 'clinic.calls';
DELETE FROM vidtoken.vidtoken_session;
UPDATE clinic.calls SET room_name = 'ward 7';

--
-- roomConfig: the room follows the appointment, not the participant
--

SELECT is(pg_temp.room_config(47, 2), '{"emptyTimeout":5400,"departureTimeout":900}', 'an hour: 90 minutes while nobody came, 15 after the last one left');
UPDATE clinic.calls SET (starts_at, duration) = (e.starts_at, e.duration)
  FROM (VALUES (2, timestamptz '2026-03-02 10:00+00', interval '60 minutes'), (3, '2026-03-02 09:50+00', '30 minutes'),
               (9, '2026-03-02 10:10+00', '80 minutes'), (5, '2026-03-02 10:05+00', '10 minutes')) AS e (user_id, starts_at, duration)
 WHERE calls.user_id = e.user_id;
SELECT is(pg_temp.room_config(47, user_id), '{"emptyTimeout":7800,"departureTimeout":900}',
          format('rows that differ in time, user %s: from the first start to the last end', user_id))
  FROM unnest(ARRAY[2, 3, 5, 9]) AS user_id;
SELECT is(array_agg(DISTINCT (pg_temp.claims(47, user_id)::json ->> 'exp')::bigint ORDER BY (pg_temp.claims(47, user_id)::json ->> 'exp')::bigint),
          ARRAY[1772449200, 1772451000, 1772452200]::bigint[], 'while each token follows its own row')
  FROM unnest(ARRAY[2, 3, 5, 9]) AS user_id;

-- what a caller does not see does not count
CREATE ROLE vidtoken_test_ann;
GRANT USAGE ON SCHEMA vidtoken, clinic TO vidtoken_test_ann;
GRANT SELECT ON clinic.calls TO vidtoken_test_ann;
GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_issue(vidtoken.vidtoken_id, vidtoken.vidtoken_id) TO vidtoken_test_ann;
ALTER TABLE clinic.calls ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON clinic.calls TO vidtoken_test_ann USING (user_id IN (2, 5));
SET LOCAL ROLE vidtoken_test_ann;
SELECT is(pg_temp.token_part(access_token, 2) ->> 'roomConfig', '{"emptyTimeout":5400,"departureTimeout":900}', 'rows that the caller does not see do not count')
  FROM vidtoken.vidtoken_issue(47, 5);
RESET ROLE;
ALTER TABLE clinic.calls DISABLE ROW LEVEL SECURITY;

UPDATE clinic.calls SET starts_at = DEFAULT, duration = DEFAULT;
UPDATE clinic.calls SET duration = '60 minutes 0.000001 seconds' WHERE user_id = 3;
SELECT is(pg_temp.room_config(47, 2), '{"emptyTimeout":5401,"departureTimeout":900}', 'a part of a second is a second');
UPDATE clinic.calls SET duration = DEFAULT, starts_at = CASE user_id WHEN 3 THEN '2026-03-02 10:00:00.25+00'::timestamptz ELSE starts_at END;
SELECT is(pg_temp.room_config(47, 2), '{"emptyTimeout":5401,"departureTimeout":900}', 'also one between two rows');
UPDATE clinic.calls SET starts_at = DEFAULT;

SET LOCAL vidtoken.unused_room_buffer = '1h';
SET LOCAL vidtoken.empty_room_timeout = '5min';
SELECT is(pg_temp.room_config(47, 2), '{"emptyTimeout":7200,"departureTimeout":300}', 'the settings are in it');
SET LOCAL vidtoken.unused_room_buffer = 0;
SET LOCAL vidtoken.empty_room_timeout = 0;
SELECT is(pg_temp.room_config(47, 2), '{"emptyTimeout":3600,"departureTimeout":1}', 'no timeout is one second: 0 would mean the server''s default');
SET LOCAL vidtoken.empty_room_timeout = '1d';
SELECT is(pg_temp.room_config(47, 2), '{"emptyTimeout":3600,"departureTimeout":86400}', 'a day is a day');
RESET vidtoken.unused_room_buffer;
RESET vidtoken.empty_room_timeout;

-- LiveKit's are unsigned numbers of 32 bits
CREATE FUNCTION pg_temp.empty_timeout(user_3_starts_at timestamptz, user_9_starts_at timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE clinic.calls SET starts_at = CASE user_id WHEN 3 THEN user_3_starts_at ELSE user_9_starts_at END WHERE user_id IN (3, 9);
    RETURN pg_temp.room_config(47, 2)::json ->> 'emptyTimeout';
END;
$$;
SELECT is(pg_temp.empty_timeout('2026-03-02 10:00+00', timestamptz '2026-03-02 10:00+00' + seconds * interval '1 second'), expected,
          format('%s seconds between the starts: %s', seconds, expected))
  FROM (VALUES (2147483647, 2147489047), (4294961894, 4294967294), (4294961895, 4294967295), (4294961896, 4294967295), (8589934592, 4294967295)) AS s (seconds, expected);
SELECT is(pg_temp.empty_timeout('4713-01-02 00:00+00 BC', '294276-12-01 00:00+00'), 4294967295, 'all of the calendar: 4294967295');
SELECT is(pg_temp.empty_timeout('2026-03-02 10:00+00', '2026-03-02 10:00+00'), 5400::bigint, 'and back');
UPDATE clinic.calls SET duration = '24000 days' WHERE user_id = 3;
SELECT is(pg_temp.room_config(47, 2), '{"emptyTimeout":2073601800,"departureTimeout":900}', 'a room of 65 years');
UPDATE clinic.calls SET duration = DEFAULT;

-- maxParticipants
CREATE FUNCTION pg_temp.limited_to(limits integer[]) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE clinic.calls SET max_participants = limits[array_position(ARRAY[2, 3, 5, 9], user_id)];
    RETURN (SELECT string_agg(DISTINCT pg_temp.room_config(47, user_id), ' and ') FROM unnest(ARRAY[2, 3, 5, 9]) AS user_id);
END;
$$;
SELECT is(pg_temp.limited_to(limits), '{"emptyTimeout":5400,"departureTimeout":900' || COALESCE(',"maxParticipants":' || expected, '') || '}',
          format('limits of the rows %s: %s, in everyone''s token', limits, COALESCE(expected, 'none')))
  FROM (VALUES
    (ARRAY[NULL, NULL, NULL, NULL]::integer[], NULL),
    (ARRAY[2, NULL, NULL, NULL], '2'),
    (ARRAY[NULL, 7, 5, 2], '7'),
    (ARRAY[3, 3, 3, 3], '3'),
    (ARRAY[0, 0, 0, 0], NULL),
    (ARRAY[0, 4, NULL, 1], '4'),
    (ARRAY[0, NULL, NULL, NULL], NULL),
    (ARRAY[2147483647, NULL, NULL, 1], '2147483647')
  ) AS m (limits, expected);
UPDATE clinic.calls SET max_participants = CASE user_id WHEN 3 THEN -1 ELSE 4 END;
SELECT is(code, 'F0000', 'a limit below zero is refused, in whosever row it is'), matches(hint, 'NULL or 0', 'the hint says what means no limit')
  FROM pg_temp.refusal('SELECT vidtoken.vidtoken_issue(47, 2)');
UPDATE clinic.calls SET max_participants = NULL;

--
-- Limits, in bytes
--

CREATE FUNCTION pg_temp.with_value(member text, text text, provider text DEFAULT 'livekit') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    PERFORM set_config('vidtoken.provider', provider, true), set_config('vidtoken.account', 'ACtest', true);
    DROP VIEW IF EXISTS clinic.with_value;
    EXECUTE format('CREATE VIEW clinic.with_value AS SELECT appointment_id, user_id, starts_at, duration, %L::text AS %I FROM clinic.calls', text, member);
    PERFORM set_config('vidtoken.source', 'clinic.with_value', true);
    DELETE FROM vidtoken.vidtoken_session;
    SELECT * INTO r FROM pg_temp.refusal('SELECT vidtoken.vidtoken_issue(47, 2)');
    PERFORM set_config('vidtoken.source', 'clinic.calls', true), set_config('vidtoken.provider', 'livekit', true);
    IF r.code IS NULL THEN
        RETURN 'fits';
    END IF;
    RETURN concat_ws(', ', r.code, r.message, r.detail, r.hint, (SELECT 'and a session' FROM vidtoken.vidtoken_session));
END;
$$;
SELECT is(pg_temp.with_value(member, repeat('x', most)), 'fits', format('%s of %s bytes', member, most)),
       is(pg_temp.with_value(member, repeat('x', most + 1)),
          format('22001, %s is too long for provider "livekit", It has %s bytes, the limit is %s bytes., Shorten it in the relation of setting "vidtoken.source".',
                 replace(member, '_', ' '), most + 1, most), format('%s of %s bytes is refused', member, most + 1)),
       is(pg_temp.with_value(member, repeat('é', most / 2)), 'fits', format('%s of %s bytes in %s characters', member, most, most / 2)),
       is(pg_temp.with_value(member, repeat('é', most / 2 - 1) || '診'),
          format('22001, %s is too long for provider "livekit", It has %s bytes, the limit is %s bytes., Shorten it in the relation of setting "vidtoken.source".',
                 replace(member, '_', ' '), most + 1, most), format('%s of %s bytes in as many characters is refused', member, most + 1))
  FROM (VALUES ('identity', 256), ('room_name', 256), ('display_name', 256), ('metadata', 512 * 1024)) AS l (member, most);
SELECT is(pg_temp.with_value('display_name', repeat('x', 10000), 'twilio'), 'fits', 'a display name means nothing to twilio'),
       matches(pg_temp.with_value('identity', repeat('x', 129), 'twilio'), '^22001, .* 129 bytes, the limit is 128 ', 'whose identities are shorter'),
       is(pg_temp.with_value('identity', repeat('x', 129)), 'fits', 'than LiveKit''s');

--
-- Settings
--

DELETE FROM vidtoken.vidtoken_session;
SET LOCAL vidtoken.account = '';
SELECT is(pg_temp.claims(47, 2)::jsonb ->> 'iss', 'SKtest', 'without an account: the issuer is the key');
SET LOCAL vidtoken.account = 'someone';
SET LOCAL vidtoken.audience = 'video.example.com';
SELECT unalike(pg_temp.claims(47, 2), '%someone%', 'account and audience'), unalike(pg_temp.claims(47, 2), '%example.com%', 'are not in the token');
SET LOCAL vidtoken.key_id = 'SKnext';
SELECT is(pg_temp.claims(47, 2)::jsonb ->> 'iss', 'SKnext', 'another key is another issuer');
SELECT is((SELECT key_id FROM vidtoken.vidtoken_sessions WHERE user_id = '2'), 'SKnext', 'in the ledger too');
SET LOCAL vidtoken.key_id = 'SKtest';
SELECT is(server_url, NULL, 'no server_url is NULL') FROM vidtoken.vidtoken_issue(47, 2);
SET LOCAL vidtoken.server_url = 'wss://video.example.com';
SELECT is(server_url, 'wss://video.example.com', 'the server_url is in the grant'),
       unalike(pg_temp.part(access_token, 2), '%wss%', 'and not in the token')
  FROM vidtoken.vidtoken_refresh(47, 2);
SELECT is(status || ': ' || message, 'ok: livekit', 'vidtoken_check() asks for no account') FROM vidtoken.vidtoken_check() WHERE item = 'provider';
SET LOCAL vidtoken.record_sessions = off;
SELECT is(pg_temp.claims(47, 3)::jsonb - 'video',
          '{"jti": "JTI", "iss": "SKtest", "sub": "3-x", "iat": 1772445590, "nbf": 1772445590, "exp": 1772451000, "roomConfig": {"emptyTimeout": 5400, "departureTimeout": 900}}',
          'without a ledger the token is the same');
RESET vidtoken.record_sessions;

--
-- The policy is everyone's
--

CREATE FUNCTION pg_temp.life(anchor text, minutes integer, at numeric) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM vidtoken.vidtoken_session;
    DELETE FROM clinic.calls WHERE appointment_id = 1;
    INSERT INTO clinic.calls (appointment_id, user_id, duration) VALUES (1, 2, make_interval(mins => minutes));
    PERFORM set_config('vidtoken.expiry_anchor', anchor, true), pg_temp.clock(at);
    RETURN (SELECT concat((expires_in / 60)::text, ', ', ((c ->> 'exp')::bigint - 1772445600) / 60 - minutes, CASE WHEN refresh_at IS NULL THEN ' hs' END)
              FROM vidtoken.vidtoken_issue(1, 2), pg_temp.token_part(access_token, 2) AS c);
END;
$$;
SELECT is(pg_temp.life(anchor, minutes, at), expected, format('%s minutes, %s, issued at minute %s: %s', minutes, anchor, at, expected))
  FROM (VALUES
    ('issue', 30, 0, '60, 30'), ('issue', 60, 0, '90, 30'), ('issue', 60, 75, '90, 105'), ('issue', 120, 120, '120, 120 hs'),
    ('issue', 300, -15, '240, -75'), ('appointment', 30, -15, '75, 30'), ('appointment', 60, 30, '60, 30'),
    ('appointment', 300, 150, '180, 30')
  ) AS t (anchor, minutes, at, expected);
SET LOCAL vidtoken.expiry_anchor = 'issue';
SELECT pg_temp.clock(-16) AS ignored \gset
SELECT is(code || ' ' || reason, 'PT425 too_early', 'too early') FROM pg_temp.refusal('SELECT vidtoken.vidtoken_issue(47, 2)');
SET LOCAL vidtoken.max_ttl = '30d';
SET LOCAL vidtoken.min_ttl = '30d';
SET LOCAL vidtoken.max_overrun = '30d';
SELECT pg_temp.clock(0) AS ignored \gset
SELECT is(expires_in, 30 * 24 * 60 * 60, 'LiveKit sets no maximum') FROM vidtoken.vidtoken_issue(47, 2);
RESET vidtoken.max_ttl;
RESET vidtoken.min_ttl;
RESET vidtoken.max_overrun;

--
-- Another provider in the middle of a session
--

DELETE FROM vidtoken.vidtoken_session;
UPDATE clinic.calls SET identity = NULL, room_name = NULL;
CREATE TEMP TABLE switched (n integer GENERATED ALWAYS AS IDENTITY, provider text, user_identity text, room_name text, access_token text);
SET LOCAL vidtoken.account = 'ACtest';
SET LOCAL vidtoken.provider = 'twilio';
INSERT INTO switched (provider, user_identity, room_name, access_token) SELECT provider, user_identity, room_name, access_token FROM vidtoken.vidtoken_issue(47, 2);
SET LOCAL vidtoken.provider = 'livekit';
INSERT INTO switched (provider, user_identity, room_name, access_token) SELECT provider, user_identity, room_name, access_token FROM vidtoken.vidtoken_refresh(47, 2);
SELECT is((SELECT s.provider FROM vidtoken.vidtoken_sessions AS s WHERE user_id = '2'), 'livekit', 'from twilio to livekit: the ledger knows');
SET LOCAL vidtoken.provider = 'jwt';
INSERT INTO switched (provider, user_identity, room_name, access_token) SELECT provider, user_identity, room_name, access_token FROM vidtoken.vidtoken_issue(47, 2);
SET LOCAL vidtoken.provider = 'twilio';
INSERT INTO switched (provider, user_identity, room_name, access_token) SELECT provider, user_identity, room_name, access_token FROM vidtoken.vidtoken_refresh(47, 2);
SELECT is(array_agg(provider ORDER BY n), '{twilio,livekit,jwt,twilio}', 'each grant names its provider'),
       is(count(DISTINCT user_identity || ' ' || room_name)::integer, 1, 'identity and room stay'),
       is(array_agg(CASE provider WHEN 'twilio' THEN c #>> '{grants,identity}' ELSE c ->> 'sub' END ORDER BY n),
          array_agg(user_identity ORDER BY n), 'in each provider''s own claim'),
       is(array_agg(CASE provider WHEN 'twilio' THEN c #>> '{grants,video,room}' WHEN 'livekit' THEN c #>> '{video,room}' ELSE c ->> 'room' END ORDER BY n),
          array_agg(room_name ORDER BY n), 'and so the room'),
       is(array_agg(n ORDER BY n) FILTER (WHERE c::text ~ 'roomConfig'), '{2}', 'roomConfig is LiveKit''s alone')
  FROM switched, pg_temp.token_part(access_token, 2) AS c;
SELECT is(row(issue_count, refresh_count)::text, '(2,2)', 'it is one session') FROM vidtoken.vidtoken_sessions;

SELECT * FROM finish();
ROLLBACK;
