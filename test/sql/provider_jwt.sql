\unset ECHO
\i test/setup.sql

-- test/sql/provider_jwt.sql: tokens of provider jwt, for servers of one's own
--
-- Promise: header and claims are those of RFC 7515 and RFC 7519 and no more,
-- letter by letter; the header names the key, the account is the issuer, the
-- audience is there when it is set.  Nothing personal beyond the identity is
-- in the token.
--
-- Copyright (c) 2026, the vidtoken authors

SET LOCAL vidtoken.provider = 'jwt';
SET LOCAL vidtoken.source = 'clinic.calls';
SET LOCAL vidtoken.account = 'https://clinic.example.com';
CREATE TABLE clinic.calls (
    appointment_id integer,
    user_id integer,
    starts_at timestamptz NOT NULL DEFAULT '2026-03-02 10:00+00',
    duration interval NOT NULL DEFAULT '60 minutes',
    identity text,
    display_name text DEFAULT 'Doe, Jane',
    role text,
    room_name text DEFAULT 'ward 7',
    metadata jsonb DEFAULT '{"notes": "confidential"}',
    cancelled boolean,
    max_participants integer DEFAULT 4,
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

SELECT plan(60);

--
-- The token
--

SELECT matches(access_token, '^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$', 'three parts of base64url without padding, the last of 32 bytes'),
       is(pg_temp.part(access_token, 1), '{"alg":"HS256","typ":"JWT","kid":"SKtest"}', 'the header'),
       is((SELECT v.key_id || ' ' || v.valid FROM vidtoken.vidtoken_verify(access_token) AS v), 'SKtest true', 'vidtoken_verify() knows its own'),
       is(concat_ws(' ', provider, user_identity, room_name, role, expires_in), 'jwt 2-jane ward 7 guest 5400', 'the grant')
  FROM vidtoken.vidtoken_issue(47, 2);
SELECT is(pg_temp.claims(47, user_id),
          '{"jti":"JTI","iss":"https://clinic.example.com","sub":"' || identity || '","iat":1772445590,"nbf":1772445590,"exp":1772451000,'
          '"room":"ward 7","role":"' || role || '"}', 'the claims of ' || who)
  FROM (VALUES (2, '2-jane', 'a participant without a role', 'guest'), (3, '3-bob', 'a guest', 'guest'),
               (9, '9-house', 'a host', 'host'), (5, '5-ann', 'an observer', 'observer')) AS e (user_id, identity, who, role);
UPDATE clinic.calls SET role = 'observer' WHERE user_id = 9;
SELECT is(pg_temp.claims(47, 9)::jsonb ->> 'role', 'observer', 'who was host is not any more');
UPDATE clinic.calls SET role = 'host' WHERE user_id = 9;

-- a refresh
SELECT is(pg_temp.part(r.access_token, 2), pg_temp.part(i.access_token, 2), 'a refreshed token says the same'),
       isnt(pg_temp.token_part(r.access_token, 2) ->> 'jti', pg_temp.token_part(i.access_token, 2) ->> 'jti', 'but has a jti of its own'),
       isnt(pg_temp.token_part(a.access_token, 2) ->> 'jti', pg_temp.token_part(i.access_token, 2) ->> 'jti', 'as has one issued again')
  FROM vidtoken.vidtoken_issue(47, 2) AS i, vidtoken.vidtoken_refresh(47, 2) AS r, vidtoken.vidtoken_issue(47, 2) AS a;
SELECT pg_temp.clock(30) AS ignored \gset
SELECT is(pg_temp.part(access_token, 2)::jsonb - '{jti,iss,sub,room,role}'::text[], '{"iat": 1772447390, "nbf": 1772447390, "exp": 1772452800}',
          'half an hour later it begins and ends half an hour later')
  FROM vidtoken.vidtoken_refresh(47, 2);
SELECT pg_temp.clock(0) AS ignored \gset
DELETE FROM vidtoken.vidtoken_session;
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

--
-- Settings
--

SET LOCAL vidtoken.audience = 'video.example.com';
SELECT is(pg_temp.claims(47, 2),
          '{"jti":"JTI","iss":"https://clinic.example.com","sub":"2-jane","aud":"video.example.com","iat":1772445590,"nbf":1772445590,"exp":1772451000,'
          '"room":"ward 7","role":"guest"}', 'the audience');
SET LOCAL vidtoken.audience = E'"video" \\ é\t';
SET LOCAL vidtoken.account = E'"clinic" \\ 診察';
SELECT is(c ->> 'aud', E'"video" \\ é\t', 'an audience of any letters'),
       is(c ->> 'iss', E'"clinic" \\ 診察', 'an account of any letters'),
       is((SELECT v.valid AND v.claims::text = c::text FROM vidtoken.vidtoken_verify(g.access_token) AS v), true, 'vidtoken_verify() reads the same')
  FROM vidtoken.vidtoken_issue(47, 2) AS g, pg_temp.token_part(g.access_token, 2) AS c;
SET LOCAL vidtoken.audience = '';
SET LOCAL vidtoken.account = '';
SELECT is(concat_ws(', ', code, message, detail, hint),
          'F0000, setting "vidtoken.account" is not set, Provider "jwt" needs it., Set "vidtoken.account" to the account''s id at the provider.', call || ' without an account')
  FROM unnest('{issue,refresh}'::text[]) AS call, pg_temp.refusal(format('SELECT vidtoken.vidtoken_%s(47, 2)', call));
SELECT matches(status || ': ' || message, '^error: setting "vidtoken.account" is not set', 'vidtoken_check() tells') FROM vidtoken.vidtoken_check() WHERE item = 'provider';
SET LOCAL vidtoken.account = 'clinic';
SELECT is(pg_temp.claims(47, 2)::jsonb ->> 'iss', 'clinic', 'and with one');
SELECT is(status || ': ' || message, 'ok: jwt, account clinic', 'vidtoken_check() is content') FROM vidtoken.vidtoken_check() WHERE item = 'provider' AND status = 'ok';
SET LOCAL vidtoken.key_id = 'SKnext';
SELECT is(pg_temp.part(access_token, 1), '{"alg":"HS256","typ":"JWT","kid":"SKnext"}', 'another key is in the header'),
       is(pg_temp.part(access_token, 2)::jsonb ->> 'iss', 'clinic', 'and not in the claims'),
       is((SELECT v.key_id FROM vidtoken.vidtoken_verify(access_token) AS v), 'SKnext', 'it is that key')
  FROM vidtoken.vidtoken_issue(47, 2);
SELECT is((SELECT key_id FROM vidtoken.vidtoken_sessions WHERE user_id = '2'), 'SKnext', 'which the ledger knows');
SET LOCAL vidtoken.key_id = 'SKtest';
SELECT is(server_url, NULL, 'no server_url is NULL') FROM vidtoken.vidtoken_issue(47, 2);
SET LOCAL vidtoken.server_url = 'https://video.example.com';
SELECT is(server_url, 'https://video.example.com', 'the server_url is in the grant'),
       unalike(pg_temp.part(access_token, 2), '%https%', 'and not in the token')
  FROM vidtoken.vidtoken_refresh(47, 2);
SET LOCAL vidtoken.record_sessions = off;
SELECT is(pg_temp.claims(47, 3), '{"jti":"JTI","iss":"clinic","sub":"3-bob","iat":1772445590,"nbf":1772445590,"exp":1772451000,"room":"ward 7","role":"guest"}',
          'without a ledger the token is the same');
RESET vidtoken.record_sessions;

-- a kid of any letters
SELECT format('%s/vidtoken_test_jwt_%s', current_setting('data_directory'), pg_backend_pid()) AS ring \gset
SELECT format('COPY (SELECT %L) TO PROGRAM %L',
              translate(encode(convert_to(jsonb_build_object('keys', jsonb_build_array(
                  jsonb_build_object('kty', 'oct', 'kid', E'"key" \\ é', 'alg', 'HS512', 'k', repeat('Y2FuYXJ5', 11)),
                  jsonb_build_object('kty', 'oct', 'kid', 'name', 'alg', 'HS256', 'k', repeat('bmFtZWtl', 6), 'vidtoken_use', 'name')))::text, 'UTF8'), 'base64'), E'\n', ''),
              format('umask 077; base64 -d > %s', quote_literal(:'ring'))) AS write \gset
:write;
SET LOCAL vidtoken.keyring = :'ring';
SET LOCAL vidtoken.key_id = E'"key" \\ é';
SELECT is(pg_temp.part(access_token, 1), E'{"alg":"HS512","typ":"JWT","kid":"\\"key\\" \\\\ é"}', 'a key id of any letters'),
       is((SELECT v.key_id FROM vidtoken.vidtoken_verify(access_token) AS v), E'"key" \\ é', 'by which the key is found')
  FROM vidtoken.vidtoken_issue(47, 2);
SET LOCAL vidtoken.keyring = :'keyring';
SET LOCAL vidtoken.key_id = 'SKtest';

--
-- What the source says of a participant
--

SELECT unalike(pg_temp.claims(47, 2), '%Doe%', 'the display name is not in the token'),
       unalike(pg_temp.claims(47, 2), '%confidential%', 'nor is metadata');
DELETE FROM vidtoken.vidtoken_session;
UPDATE clinic.calls SET identity = E'2 "jane" \\ 😀' || repeat('é', 1000) WHERE user_id = 2;
UPDATE clinic.calls SET room_name = E'ward "7" \\ é' || repeat('x', 1000);
SELECT is(c ->> 'sub', E'2 "jane" \\ 😀' || repeat('é', 1000), 'an identity of any letters and length'),
       is(c ->> 'room', E'ward "7" \\ é' || repeat('x', 1000), 'and a room'),
       is(g.user_identity || g.room_name, (c ->> 'sub') || (c ->> 'room'), 'the grant says the same'),
       is((SELECT v.valid AND v.claims::text = c::text FROM vidtoken.vidtoken_verify(g.access_token) AS v), true, 'so does vidtoken_verify()')
  FROM vidtoken.vidtoken_issue(47, 2) AS g, pg_temp.token_part(g.access_token, 2) AS c;
CREATE VIEW clinic.four AS SELECT appointment_id, user_id, starts_at, duration FROM clinic.calls;
SET LOCAL vidtoken.source = 'clinic.four';
DELETE FROM vidtoken.vidtoken_session;
SELECT is(replace(replace(pg_temp.part(g.access_token, 2), g.user_identity, 'IDENTITY'), g.room_name, 'ROOM'),
          '{"jti":"JTI","iss":"clinic","sub":"IDENTITY","iat":1772445590,"nbf":1772445590,"exp":1772451000,"room":"ROOM","role":"guest"}',
          'a source without the optional columns: a guest in a generated room'),
       matches(g.user_identity || ' ' || g.room_name, '^user-[a-z2-7]{13} apt-47-[a-z2-7]{13}$', 'under made names')
  FROM vidtoken.vidtoken_issue(47, 9) AS g;
SET LOCAL vidtoken.source = 'clinic.calls';

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
    ('issue', 30, 15, '60, 45'), ('issue', 60, 60, '90, 90'), ('issue', 120, 135, '105, 120 hs'), ('issue', 300, 0, '240, -60'),
    ('appointment', 30, 0, '60, 30'), ('appointment', 60, -15, '105, 30'), ('appointment', 120, 60, '90, 30'), ('appointment', 300, 300, '60, 60')
  ) AS t (anchor, minutes, at, expected);
SET LOCAL vidtoken.expiry_anchor = 'issue';
SELECT pg_temp.clock(75.1) AS ignored \gset
SELECT is(code || ' ' || reason, 'PT410 ended', 'too late') FROM pg_temp.refusal('SELECT vidtoken.vidtoken_issue(47, 2)');
SELECT pg_temp.clock(0) AS ignored \gset
SET LOCAL vidtoken.max_ttl = '30d';
SET LOCAL vidtoken.min_ttl = '30d';
SET LOCAL vidtoken.max_overrun = '30d';
SELECT is(expires_in, 30 * 24 * 60 * 60, 'no maximum but the policy''s') FROM vidtoken.vidtoken_issue(47, 2);
RESET vidtoken.max_ttl;
RESET vidtoken.min_ttl;
RESET vidtoken.max_overrun;

--
-- Another provider in the middle of a session
--

DELETE FROM vidtoken.vidtoken_session;
UPDATE clinic.calls SET identity = NULL, room_name = NULL;
SET LOCAL vidtoken.account = 'ACtest';
CREATE TEMP TABLE switched AS SELECT 1 AS n, * FROM vidtoken.vidtoken_issue(47, 2);
SET LOCAL vidtoken.provider = 'livekit';
INSERT INTO switched SELECT 2, * FROM vidtoken.vidtoken_refresh(47, 2);
SET LOCAL vidtoken.provider = 'jwt';
INSERT INTO switched SELECT 3, * FROM vidtoken.vidtoken_refresh(47, 2);
SELECT is(array_agg(provider ORDER BY n), '{jwt,livekit,jwt}', 'each grant names its provider'),
       is(count(DISTINCT user_identity || ' ' || room_name)::integer, 1, 'identity and room stay'),
       is(array_agg(c ->> 'sub' ORDER BY n), array_agg(user_identity ORDER BY n), 'in each provider''s own claim'),
       is(array_agg(COALESCE(c ->> 'room', c #>> '{video,room}') ORDER BY n), array_agg(room_name ORDER BY n), 'and so the room'),
       is(array_agg(ARRAY(SELECT json_object_keys(c))::text ORDER BY n) FILTER (WHERE provider = 'jwt'),
          '{"{jti,iss,sub,iat,nbf,exp,room,role}", "{jti,iss,sub,iat,nbf,exp,room,role}"}', 'nothing of the other provider stays behind')
  FROM switched, pg_temp.token_part(access_token, 2) AS c;
SELECT is(row(provider, issue_count, refresh_count)::text, '(jwt,1,2)', 'it is one session') FROM vidtoken.vidtoken_sessions;

SELECT * FROM finish();
SELECT format('COPY (SELECT 1) TO PROGRAM %L', format('cat > /dev/null; rm -f %s', quote_literal(:'ring'))) AS remove \gset
:remove;
ROLLBACK;
