\unset ECHO
\i test/setup.sql
\i test/webhooks.sql

-- test/sql/webhook_signature.sql: who is believed to be the provider
--
-- Promise: vidtoken_webhook takes in what the provider has signed, byte by
-- byte, and refuses all else in one and the same words, before it has read
-- anything of it: nothing is written, and no word shows a signature, a token
-- or what the body said.
--
-- Every delivery here is taken back after it was judged, see
-- test/webhooks.sql, so that none is another one's duplicate.

SET LOCAL statement_timeout = '600s';
SELECT plan(324);

--
-- LiveKit
--

SELECT pg_temp.use_keys(pg_temp.jwk('hook', 'HS256', :'livekit_secret')) AS ignored \gset
SELECT convert_to('{"event":"room_started", "room":{"sid":"RM_1", "name":"room-1", "creationTime":"1772445600"}, "id":"EV_4", "createdAt":"1772445600"}', 'UTF8') AS body \gset
CREATE TEMP TABLE livekit (n integer GENERATED ALWAYS AS IDENTITY, name text, headers jsonb, expected text DEFAULT '42501', body bytea DEFAULT :'body');
-- the header with a token
CREATE FUNCTION pg_temp.with(token text) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('Authorization', token) $$;
-- a token with changed claims
CREATE FUNCTION pg_temp.claiming(changes jsonb) RETURNS jsonb
LANGUAGE sql AS $$
    SELECT pg_temp.with(pg_temp.token(pg_temp.claims(body, changes))) FROM (SELECT body FROM livekit WHERE n = 1) AS b
$$;
-- a token with another header
CREATE FUNCTION pg_temp.headed(header text, name text DEFAULT 'sha256') RETURNS jsonb
LANGUAGE sql AS $$
    SELECT pg_temp.with(pg_temp.token(pg_temp.claims(body), header, name)) FROM (SELECT body FROM livekit WHERE n = 1) AS b
$$;
INSERT INTO livekit (name, headers, expected) SELECT 'as it is sent', pg_temp.livekit_headers(:'body'), 'accepted';
SELECT headers ->> 'Authorization' AS token FROM livekit \gset
SELECT split_part(:'token', '.', 1) AS header, split_part(:'token', '.', 2) AS claims, split_part(:'token', '.', 3) AS signature \gset

INSERT INTO livekit (name, headers, expected)
SELECT format('the header''s name is %s', h), jsonb_build_object(h, :'token'), expected
  FROM (VALUES ('authorization', 'accepted'), ('AUTHORIZATION', 'accepted'), ('aUTHORIZATIOn', 'accepted'), ('Authorize', '42501'),
               ('X-Authorization', '42501'), ('Authorization ', '42501'), ('Authorization:', '42501'), ('', '42501')) AS v (h, expected);
INSERT INTO livekit (name, headers, expected)
SELECT 'among others', pg_temp.with(:'token') || '{"Host": "a", "X-List": ["b", {"authorization": 1}], "Content-Type": null}', 'accepted';
INSERT INTO livekit (name, headers)
SELECT format('the header''s value is %s', what), jsonb_build_object('Authorization', v)
  FROM (VALUES ('a list of it', jsonb_build_array(:'token')), ('an object', jsonb_build_object('value', :'token')), ('null', 'null'), ('a number', '1'),
               ('empty', '""'), ('true', 'true')) AS v (what, v);
INSERT INTO livekit (name, headers, expected) VALUES
('no headers', '{}', '42501'),
('the header twice', pg_temp.with(:'token') || jsonb_build_object('authorization', :'token'), '42501'),
('the header twice, once it is null', pg_temp.with(:'token') || '{"authorization": null}', '42501'),
('one level down', jsonb_build_object('headers', pg_temp.with(:'token')), '42501'),
('headers are a list', jsonb_build_array(pg_temp.with(:'token')), '22023'),
('headers are a list of pairs', jsonb_build_array(jsonb_build_array('Authorization', :'token')), '22023'),
('headers are an empty list', '[]', '22023'),
('headers are a string', to_jsonb(:'token'::text), '22023'),
('headers are a number', '1', '22023'),
('headers are the JSON null', 'null', '22023'),
('headers are NULL', NULL, '22004');
INSERT INTO livekit (name, headers)
SELECT what, pg_temp.with(v)
  FROM (VALUES ('"Bearer" before it', 'Bearer ' || :'token'), ('"bearer" before it', 'bearer ' || :'token'), ('a space before it', ' ' || :'token'),
               ('a space behind it', :'token' || ' '), ('the end of a line behind it', :'token' || E'\n'), ('in quotes', '"' || :'token' || '"'),
               ('a comma and the same again', :'token' || ',' || :'token'), ('padded', :'token' || '='),
               ('no signature', :'header' || '.' || :'claims' || '.'), ('no last dot', :'header' || '.' || :'claims'),
               ('dots alone', '..'), ('a dot more', :'token' || '.'), ('five parts', :'token' || '.' || :'header' || '.' || :'claims'),
               ('half of it', left(:'token', length(:'token') / 2)), ('very long', repeat('a', 100000)), ('no ASCII', 'é.ü.日'),
               ('the signature twice', :'token' || :'signature')) AS v (what, v);

-- the digest of the body
INSERT INTO livekit (name, headers)
SELECT 'sha256: ' || what, pg_temp.claiming(jsonb_build_object('sha256', v))
  FROM sha256(:'body'::bytea) AS digest,
       (VALUES ('of another body', to_jsonb(pg_temp.base64(sha256('another')))), ('of no body', to_jsonb(pg_temp.base64(sha256('')))), ('missing', 'null'),
               ('empty', '""'), ('a number', '0'), ('true', 'true'), ('in hexadecimal digits', to_jsonb(encode(sha256(:'body'::bytea), 'hex'))),
               ('base64url without padding', to_jsonb(pg_temp.base64url(sha256(:'body'::bytea)))),
               ('base64url', to_jsonb(pg_temp.base64url(sha256(:'body'::bytea)) || '=')),
               ('without padding', to_jsonb(rtrim(pg_temp.base64(sha256(:'body'::bytea)), '='))),
               ('more padding', to_jsonb(pg_temp.base64(sha256(:'body'::bytea)) || '=')),
               ('cut off', to_jsonb(left(pg_temp.base64(sha256(:'body'::bytea)), 40))),
               ('in small letters', to_jsonb(lower(pg_temp.base64(sha256(:'body'::bytea))))),
               ('a space behind it', to_jsonb(pg_temp.base64(sha256(:'body'::bytea)) || ' ')),
               ('a list of it', jsonb_build_array(pg_temp.base64(sha256(:'body'::bytea)))),
               ('SHA-512', to_jsonb(pg_temp.base64(sha512(:'body'::bytea))))) AS v (what, v);
INSERT INTO livekit (name, headers, body)
SELECT 'the body has ' || what, pg_temp.with(:'token'), v
  FROM (VALUES ('a space more, at its end', :'body'::bytea || ' '), ('a space more, before it', ' ' || :'body'::bytea),
               ('a space less', convert_to(replace(convert_from(:'body', 'UTF8'), ', "room"', ',"room"'), 'UTF8')),
               ('a byte less', substring(:'body'::bytea FROM 2)), ('a NUL more', :'body'::bytea || '\x00'), ('nothing', ''),
               ('a bit changed', set_bit(:'body'::bytea, 400, 1 - get_bit(:'body'::bytea, 400)))) AS v (what, v);

-- the algorithm
INSERT INTO livekit (name, headers, expected)
SELECT format('header %s%s', header, ', signed with ' || nullif(digest, 'sha256')), pg_temp.headed(header, digest), expected
  FROM (VALUES ('{"alg":"HS256"}', 'sha256', 'accepted'), ('{"alg":"HS256","typ":"JWT","kid":"APItest"}', 'sha256', 'accepted'),
               ('{"alg":"HS256","jku":"https://example.org/"}', 'sha256', 'accepted'),
               ('{"alg":"none"}', 'sha256', '42501'), ('{"alg":"HS384"}', 'sha384', '42501'), ('{"alg":"HS512"}', 'sha512', '42501'),
               ('{"alg":"HS512"}', 'sha256', '42501'), ('{"alg":"HS256"}', 'sha512', '42501'), ('{"alg":"HS1"}', 'sha1', '42501'),
               ('{"alg":"RS256"}', 'sha256', '42501'), ('{"alg":"ES256"}', 'sha256', '42501'), ('{"alg":"hs256"}', 'sha256', '42501'),
               ('{"alg":"HS256","crit":["exp"]}', 'sha256', '42501'), ('{"alg":"HS256","b64":false}', 'sha256', '42501'),
               ('{"alg":"HS256","alg":"HS256"}', 'sha256', '42501'), ('{"alg":["HS256"]}', 'sha256', '42501'), ('{"typ":"JWT"}', 'sha256', '42501'),
               ('[]', 'sha256', '42501'), ('', 'sha256', '42501')) AS v (header, digest, expected);
INSERT INTO livekit (name, headers)
SELECT 'alg none and no signature', pg_temp.with(concat(pg_temp.base64url('{"alg":"none"}'), '.', :'claims', '.'));
INSERT INTO livekit (name, headers) VALUES
('another secret', pg_temp.with(pg_temp.token(pg_temp.claims(:'body'), secret => 'canary secret of livekit webhooks, 2'))),
('an empty secret', pg_temp.with(pg_temp.token(pg_temp.claims(:'body'), secret => '')));

-- its time: 10:00 is 1772445600, clocks may differ by a minute
INSERT INTO livekit (name, headers, expected)
SELECT 'claims with ' || changes::text, pg_temp.claiming(changes), expected
  FROM (VALUES ('{"exp": 1772445541}'::jsonb, 'accepted'), ('{"exp": 1772445540}', '42501'), ('{"exp": 1772445539}', '42501'), ('{"exp": 1772442000}', '42501'),
               ('{"exp": 0}', '42501'), ('{"exp": -1}', '42501'), ('{"exp": null}', '42501'), ('{"exp": "1772445900"}', '42501'), ('{"exp": true}', '42501'),
               ('{"exp": 1772445541.5}', 'accepted'), ('{"exp": 253402300799}', 'accepted'), ('{"exp": 253402300800}', '42501'),
               ('{"nbf": 1772445660}', 'accepted'), ('{"nbf": 1772445661}', '42501'), ('{"nbf": 1772449200}', '42501'), ('{"nbf": "1772445600"}', '42501'),
               ('{"nbf": null}', 'accepted'), ('{"iat": null}', 'accepted'), ('{"iss": "another"}', 'accepted'),
               ('{"video": {"roomJoin": true, "room": "room-1"}}', 'accepted')) AS v (changes, expected);
INSERT INTO livekit (name, headers)
SELECT 'claims ' || what, pg_temp.with(pg_temp.token(v))
  FROM pg_temp.claims(:'body') AS c,
       LATERAL (VALUES ('with exp 1e131071', replace(c, '"exp": 1772445900', '"exp": 1e131071')), ('with exp twice', replace(c, '{', '{"exp": 1772445900, ')),
                       ('with sha256 twice', replace(c, '{', '{"sha256": "", ')), ('of a list', '[' || c || ']'), ('of a string', '"a"'), ('that are empty', ''),
                       ('with a comma too much', replace(c, '}', ',}'))) AS v (what, v);
SELECT is(pg_temp.outcome('livekit', body, headers), expected, format('livekit, %s: %s', name, expected)) FROM livekit ORDER BY n;

SELECT isnt(pg_temp.base64(sha256(:'body'::bytea)), pg_temp.base64url(sha256(:'body'::bytea)) || '=', 'the two alphabets of base64 differ in the digest of this body');
SELECT is((SELECT count(*) || ' ' || string_agg(DISTINCT pg_temp.outcome('livekit', :'body', pg_temp.with(overlay(:'token' PLACING
              CASE substr(:'token', i, 1) WHEN 'A' THEN 'B' ELSE 'A' END FROM i))), ' ')
             FROM generate_series(1, length(:'token')) AS i), length(:'token') || ' 42501', 'any other character anywhere is refused');
SELECT is((SELECT count(*) || ' ' || string_agg(DISTINCT pg_temp.outcome('livekit', :'body', pg_temp.with(left(:'token', i))), ' ')
             FROM generate_series(0, length(:'token') - 1) AS i), length(:'token') || ' 42501', 'and so is any part of it');
SELECT is((SELECT count(*) || ' ' || string_agg(DISTINCT pg_temp.outcome('livekit', set_bit(:'body'::bytea, i * 7, 1 - get_bit(:'body'::bytea, i * 7)), pg_temp.with(:'token')), ' ')
             FROM generate_series(0, length(:'body'::bytea) * 8 / 7 - 1) AS i), length(:'body'::bytea) * 8 / 7 || ' 42501', 'and another bit of the body');

-- A participant's token is no webhook's, whatever its key.
SELECT pg_temp.use_keys(pg_temp.jwk('hook', 'HS256', 'test secret of the signing key, 1')) AS ignored \gset
SET LOCAL vidtoken.provider = 'livekit';
SELECT access_token AS join_token FROM vidtoken.vidtoken_issue(47, 9) \gset
SELECT is((SELECT valid FROM vidtoken.vidtoken_verify(:'join_token')), true, 'a host''s token of a key that verifies webhooks too');
SELECT is(pg_temp.outcome('livekit', :'body', pg_temp.with(:'join_token')), '42501', 'is refused as a webhook''s');
SELECT is(pg_temp.outcome('livekit', '', pg_temp.with(:'join_token')), '42501', 'also with an empty body');
SELECT is(pg_temp.outcome('livekit', :'body', pg_temp.with(vidtoken.vidtoken_sign(pg_temp.claims(:'body')::json))), 'accepted',
          'while the same key may sign one: use a key of its own');

-- keys
CREATE FUNCTION pg_temp.with_keys(VARIADIC jwks jsonb[]) RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.use_keys(VARIADIC jwks);
    SELECT pg_temp.outcome('livekit', body, headers) FROM livekit WHERE n = 1;
$$;
SELECT is(pg_temp.with_keys(VARIADIC '{}'), 'F0000', 'livekit, no webhook key: F0000');
SELECT is(pg_temp.with_keys(pg_temp.jwk('K', 'HS256', :'livekit_secret', more)), expected, format('livekit, a key with %s: %s', more, expected))
  FROM (VALUES ('{"vidtoken_use": "webhook", "provider": "livekit"}'::jsonb, 'accepted'), ('{"vidtoken_use": "webhook", "provider": "twilio"}', 'F0000'),
               ('{"vidtoken_use": "webhook", "provider": "LiveKit"}', 'F0000'), ('{}', 'F0000'), ('{"vidtoken_use": "token"}', 'F0000'),
               ('{"vidtoken_use": "turn"}', 'F0000'), ('{"vidtoken_use": "webhook", "key_ops": ["sign"]}', 'F0000'),
               ('{"vidtoken_use": "webhook", "key_ops": ["verify"]}', 'accepted'), ('{"vidtoken_use": "webhook", "key_ops": ["sign", "verify"]}', 'accepted')) AS v (more, expected);
SELECT is(pg_temp.with_keys(pg_temp.jwk('K', 'HS1', :'livekit_secret')), 'F0000', 'livekit, a key for HS1: F0000');
SELECT is(pg_temp.with_keys(pg_temp.jwk('K', 'HS512', :'livekit_secret' || repeat('.', 40))), 'F0000', 'livekit, a key for HS512: F0000');
SELECT is(pg_temp.with_keys(pg_temp.jwk('K', 'HS256', 'canary secret of livekit webhooks, 2')), '42501', 'livekit, another key: 42501');
SELECT is(pg_temp.with_keys(pg_temp.jwk('K', 'HS256', 'canary secret of livekit webhooks, 2'), pg_temp.jwk('L', 'HS256', :'livekit_secret')), 'accepted',
          'livekit, another key and this one: accepted');
SELECT is(pg_temp.with_keys(pg_temp.jwk('K', 'HS256', :'livekit_secret'), pg_temp.jwk('L', 'HS256', 'canary secret of livekit webhooks, 2')), 'accepted',
          'livekit, this key and another one: accepted');
SET LOCAL vidtoken.provider = 'jwt';
SELECT is(pg_temp.with_keys(pg_temp.jwk('K', 'HS256', :'livekit_secret')), 'accepted', 'livekit, whatever provider tokens are for: accepted');
SET LOCAL vidtoken.provider = 'twilio';
SELECT is(pg_temp.outcome(p, :'body', pg_temp.with(:'token')), expected, format('provider %s: %s', coalesce(quote_literal(p), 'NULL'), expected))
  FROM (VALUES ('jwt', '22023'), ('zoom', '22023'), ('', '22023'), ('LiveKit', '22023'), ('livekit ', '22023'), (NULL, '22004'), ('twilio', 'F0000')) AS v (p, expected);
SELECT is(pg_temp.outcome('livekit', NULL, pg_temp.with(:'token')), '22004', 'livekit, no body: 22004');
SELECT is(pg_temp.outcome('livekit', :'body', pg_temp.with(:'token'), 'https://elsewhere.example/'), 'accepted', 'livekit, whatever the address: accepted');
SET LOCAL vidtoken.record_sessions = off;
SELECT is(pg_temp.outcome('livekit', :'body', pg_temp.with(:'token')), 'F0000', 'livekit, without a ledger: F0000');
SET LOCAL vidtoken.record_sessions = required;
CREATE ROLE vidtoken_test_gateway;
GRANT USAGE ON SCHEMA vidtoken TO vidtoken_test_gateway;
SET LOCAL ROLE vidtoken_test_gateway;
SELECT is((pg_temp.refusal(format('SELECT vidtoken.vidtoken_webhook(%L, %L, %L)', 'livekit', :'body', pg_temp.with(:'token')))).code, '42501', 'nobody may call it unasked');
RESET ROLE;
GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_webhook(text, bytea, jsonb, text) TO vidtoken_test_gateway;
SET LOCAL ROLE vidtoken_test_gateway;
SELECT is((SELECT result FROM vidtoken.vidtoken_webhook('livekit', :'body', pg_temp.with(:'token'))), 'accepted', 'who may needs no right on the ledger');
SELECT is((SELECT result FROM vidtoken.vidtoken_webhook('livekit', :'body', pg_temp.with(:'token'))), 'duplicate', 'the same again is a duplicate');
SELECT is((SELECT count(*)::integer FROM vidtoken.vidtoken_webhook('livekit', :'body', pg_temp.with(:'token')) WHERE response IS NULL), 1, 'livekit expects no answer');
RESET ROLE;
DELETE FROM vidtoken.vidtoken_event;
DELETE FROM vidtoken.vidtoken_call;

--
-- Twilio
--

SELECT pg_temp.use_keys(pg_temp.jwk('AC1', 'HS1', :'twilio_token')) AS ignored \gset
\set url 'https://clinic.example/hook'
\set form 'RoomName=r+1&RoomSid=RM1&StatusCallbackEvent=room-created&Timestamp=2026-03-02T10%3A00%3A00.000Z'
\set said 'RoomNamer 1RoomSidRM1StatusCallbackEventroom-createdTimestamp2026-03-02T10:00:00.000Z'
-- "signed" is what the provider signed, fields of the form excepted
CREATE TEMP TABLE twilio (n integer GENERATED ALWAYS AS IDENTITY, name text, body bytea DEFAULT :'form', said bytea DEFAULT :'said',
                          url text DEFAULT :'url', signed text DEFAULT :'url', public_url text DEFAULT '', expected text DEFAULT 'accepted');
CREATE FUNCTION pg_temp.b(words text) RETURNS bytea LANGUAGE sql AS $$ SELECT convert_to(words, 'UTF8') $$;
CREATE FUNCTION pg_temp.outcome(t twilio) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('vidtoken.public_url', t.public_url, true);
    RETURN pg_temp.outcome('twilio', t.body, jsonb_build_object('X-Twilio-Signature', pg_temp.base64(
               crypto.hmac(convert_to(t.signed, 'UTF8') || t.said, 'canary0123456789abcdef0123456789', 'sha1'))), t.url);
END;
$$;
INSERT INTO twilio (name) VALUES ('as it is sent');
INSERT INTO twilio (name, body) VALUES
('fields in another order', 'Timestamp=2026-03-02T10%3A00%3A00.000Z&StatusCallbackEvent=room-created&RoomName=r+1&RoomSid=RM1'),
('other letters for hexadecimal digits', 'RoomName=r%201&RoomSid=%52%4d%31&StatusCallbackEvent=room-created&Timestamp=2026-03-02T10%3a00%3a00.000Z'),
('nothing escaped', 'RoomName=r 1&RoomSid=RM1&StatusCallbackEvent=room-created&Timestamp=2026-03-02T10:00:00.000Z'),
('an ampersand before, between and behind', pg_temp.b('&' || replace(:'form', '&', '&&') || '&')),
('a field twice', pg_temp.b(:'form' || '&RoomSid=RM1'));

-- a field A more, which comes first, before or behind the others
INSERT INTO twilio (name, body, said, expected)
SELECT concat(field, ' signed as ', convert_from(said, 'UTF8')), convert_to(field, 'UTF8') || '&' || :'form'::bytea, said || :'said'::bytea, expected
  FROM (VALUES ('A=1', 'A1'::bytea, 'accepted'), ('A=1', 'A2', '42501'), ('A=1', '', '42501'), ('A=1', 'A=1', '42501'),
               ('A=', 'A', 'accepted'), ('A', 'A', 'accepted'), ('=1', '1', 'accepted'), ('=', '', 'accepted'), ('A==1', 'A=1', 'accepted'),
               ('A=2&A=1', 'A1A2', 'accepted'), ('A=2&A=1', 'A2A1', '42501'), ('A=2&A=1', 'A2', '42501'), ('A=2&A=1', 'A12', '42501'),
               ('A=1&A=1', 'A1', 'accepted'), ('A=1&A=1', 'A1A1', '42501'), ('A=1&A=%31&%41=1', 'A1', 'accepted'),
               ('AA=1&A=2', 'A2AA1', 'accepted'), ('AA=1&A=2', 'AA1A2', '42501'), ('A=1&A=', 'AA1', 'accepted'), ('A=10&A=9', 'A10A9', 'accepted'),
               ('A=b+c', 'Ab c', 'accepted'), ('A=b%20c', 'Ab c', 'accepted'), ('A=b%2Bc', 'Ab+c', 'accepted'), ('A=b+c', 'Ab+c', '42501'),
               ('A=b%2520c', 'Ab%20c', 'accepted'), ('A=b%2520c', 'Ab c', '42501'), ('A=1;B=2', 'A1;B=2', 'accepted'), ('A%3D=1', 'A=1', 'accepted'),
               ('A=%26', 'A&', 'accepted'), ('A+B=1', 'A B1', 'accepted'), ('A=%0D%0A', E'A\r\n', 'accepted'),
               ('A=%C3%A9', convert_to('Aé', 'UTF8'), 'accepted'), ('A=é', convert_to('Aé', 'UTF8'), 'accepted'),
               ('A=%F0%9F%98%80', convert_to('A😀', 'UTF8'), 'accepted'), ('A=e%CC%81', convert_to('Aé', 'UTF8'), '42501'),
               ('A=%', 'A%', '42501'), ('A=%z', 'A%z', '42501'), ('A=%zz', 'A%zz', '42501'), ('A=%0', 'A%0', '42501'), ('A=%0g', 'A%0g', '42501'),
               ('A=%g0', 'A%g0', '42501'), ('A=100%', 'A100%', '42501'), ('%=1', '%1', '42501'), ('%4=1', '%41', '42501'), ('A=%%41', 'A%A', '42501'),
               ('A=%u0041', 'A%u0041', '42501'), ('A=%+1', 'A%+1', '42501'), ('A=%-1', 'A%-1', '42501')) AS v (field, said, expected);
INSERT INTO twilio (name, body, said, expected) VALUES
('capital letters sort before small ones', pg_temp.b('a=2&B=1&' || :'form'), pg_temp.b('B1' || :'said' || 'a2'), 'accepted'),
('and not beside them', pg_temp.b('a=2&B=1&' || :'form'), pg_temp.b('a2B1' || :'said'), '42501'),
('an underscore between them', pg_temp.b('_=3&a=2&Z=1&' || :'form'), pg_temp.b(:'said' || 'Z1_3a2'), 'accepted'),
('letters beyond ASCII behind all', pg_temp.b('%C3%A4=1&z=2&' || :'form'), pg_temp.b(:'said' || 'z2ä1'), 'accepted'),
('signed in the order of the form', 'Timestamp=2026-03-02T10%3A00%3A00.000Z&RoomName=r+1&RoomSid=RM1&StatusCallbackEvent=room-created',
 'Timestamp2026-03-02T10:00:00.000ZRoomNamer 1RoomSidRM1StatusCallbackEventroom-created', '42501'),
('a NUL', pg_temp.b('A=%00&' || :'form'), 'A'::bytea || '\x00'::bytea || pg_temp.b(:'said'), 'accepted'),
('a NUL in the name of the room', pg_temp.b(replace(:'form', 'r+1', 'r%001')),
 pg_temp.b(split_part(:'said', ' ', 1)) || '\x00'::bytea || pg_temp.b(split_part(:'said', ' ', 2)), '22023'),
('a NUL as it is', 'A='::bytea || '\x00'::bytea || pg_temp.b('&' || :'form'), 'A'::bytea || '\x00'::bytea || pg_temp.b(:'said'), 'accepted'),
('what is no UTF-8', pg_temp.b('A=%FF&' || :'form'), 'A'::bytea || '\xff'::bytea || pg_temp.b(:'said'), 'accepted'),
('what is no UTF-8 in the name of the room', pg_temp.b(replace(:'form', 'r+1', '%FF')),
 'RoomName'::bytea || '\xff'::bytea || pg_temp.b(replace(:'said', 'RoomNamer 1', '')), '22023'),
('a field less', pg_temp.b(replace(:'form', 'RoomName=r+1&', '')), :'said', '42501'),
('nothing', '', '', '22023'),
('nothing, signed as the form', '', :'said', '42501');
INSERT INTO twilio (name, body, said, expected)
SELECT format('%s fields', fields), pg_temp.b(string_agg('A' || to_char(i, 'FM0000') || '=' || i, '&' ORDER BY i) || '&' || :'form'),
       pg_temp.b(string_agg('A' || to_char(i, 'FM0000') || i, '' ORDER BY i) || :'said'), expected
  FROM (VALUES (1000, 'accepted'), (1001, '42501')) AS v (fields, expected), generate_series(1, fields - 4) AS i GROUP BY fields, expected ORDER BY fields;

-- the address, and what its port may be
INSERT INTO twilio (name, url, signed, expected)
SELECT format('%s, signed %s', url, signed), url, signed, expected
  FROM (VALUES ('https://clinic.example:443/hook', 'https://clinic.example/hook', 'accepted'), ('https://clinic.example/hook', 'https://clinic.example:443/hook', 'accepted'),
               ('https://clinic.example:443/hook', 'https://clinic.example:443/hook', 'accepted'), ('http://clinic.example/hook', 'http://clinic.example:80/hook', 'accepted'),
               ('http://clinic.example:80/hook', 'http://clinic.example/hook', 'accepted'), ('https://clinic.example/hook', 'https://clinic.example:80/hook', '42501'),
               ('http://clinic.example/hook', 'http://clinic.example:443/hook', '42501'), ('https://clinic.example:8443/hook', 'https://clinic.example:8443/hook', 'accepted'),
               ('https://clinic.example:8443/hook', 'https://clinic.example/hook', 'accepted'), ('https://clinic.example/hook', 'https://clinic.example:8443/hook', '42501'),
               ('https://clinic.example:8443/hook', 'https://clinic.example:443/hook', '42501'), ('https://clinic.example:8443/hook', 'https://clinic.example:8444/hook', '42501'),
               ('https://clinic.example:/hook', 'https://clinic.example/hook', 'accepted'),
               ('https://jane:word@clinic.example/hook', 'https://jane:word@clinic.example:443/hook', 'accepted'),
               ('https://jane:word@clinic.example:443/hook', 'https://jane:word@clinic.example/hook', 'accepted'),
               ('https://jane:word@clinic.example/hook', 'https://jane@clinic.example/hook', '42501'),
               ('https://[2001:db8::1]/hook', 'https://[2001:db8::1]:443/hook', 'accepted'), ('https://[2001:db8::1]:443/hook', 'https://[2001:db8::1]/hook', 'accepted'),
               ('https://[2001:db8::1]/hook', 'https://[2001/hook', '42501'), ('HTTPS://clinic.example/hook', 'HTTPS://clinic.example:443/hook', 'accepted'),
               ('http://clinic.example/hook', 'https://clinic.example/hook', '42501'), ('https://clinic.example/hook', 'http://clinic.example/hook', '42501'),
               ('https://clinic.example/hook/', 'https://clinic.example/hook', '42501'), ('https://clinic.example/Hook', 'https://clinic.example/hook', '42501'),
               ('https://Clinic.example/hook', 'https://clinic.example/hook', '42501'), ('https://clinic.example', 'https://clinic.example:443', 'accepted'),
               ('https://clinic.example?a=1', 'https://clinic.example:443?a=1', 'accepted'), ('https://clinic.example/a:80/b', 'https://clinic.example:443/a:80/b', 'accepted'),
               ('https://clinic.example/hook?a=http://b:1', 'https://clinic.example:443/hook?a=http://b:1', 'accepted'),
               ('https://clinic.example/hook?a=1&b=%20', 'https://clinic.example/hook?a=1&b=%20', 'accepted'),
               ('https://clinic.example/hook?a=1&b=%20', 'https://clinic.example/hook?a=1&b=+', '42501'),
               ('https://clinic.example/hook?b=2&a=1', 'https://clinic.example/hook?a=1&b=2', '42501'),
               ('https://clinic.example/hook?a=1', 'https://clinic.example/hook', '42501'), ('https://clinic.example/hook', 'https://clinic.example/hook?a=1', '42501'),
               ('/hook', '/hook', 'accepted'), ('/hook', 'https://clinic.example/hook', '42501'), ('clinic.example:443', 'clinic.example', '42501'),
               ('https://clinic.example/hook', '', '42501')) AS v (url, signed, expected);

-- the setting and the argument
INSERT INTO twilio (name, public_url, url, signed, expected)
SELECT format('vidtoken.public_url %s, url %s, signed %s', quote_literal(public_url), coalesce(quote_literal(url), 'NULL'), signed), public_url, url, signed, expected
  FROM (VALUES ('https://clinic.example/hook', NULL, 'https://clinic.example/hook', 'accepted'),
               ('https://clinic.example/hook', 'http://10.0.0.1:3000/rpc/hook', 'https://clinic.example/hook', 'accepted'),
               ('https://clinic.example/hook', 'http://10.0.0.1:3000/rpc/hook', 'http://10.0.0.1:3000/rpc/hook', '42501'),
               ('https://clinic.example/hook', 'http://10.0.0.1:3000/rpc/hook?a=1', 'https://clinic.example/hook?a=1', 'accepted'),
               ('https://clinic.example/hook', 'http://10.0.0.1:3000/rpc/hook?a=1', 'https://clinic.example/hook', 'accepted'),
               ('https://clinic.example/hook', '/rpc/hook?a=1', 'https://clinic.example:443/hook?a=1', 'accepted'),
               ('https://clinic.example/hook?k=1', 'http://10.0.0.1:3000/rpc/hook', 'https://clinic.example/hook?k=1', 'accepted'),
               ('https://clinic.example/hook?k=1', 'http://10.0.0.1:3000/rpc/hook?a=1', 'https://clinic.example/hook?k=1', 'accepted'),
               ('https://clinic.example/hook?k=1', 'http://10.0.0.1:3000/rpc/hook?a=1', 'https://clinic.example/hook?a=1', '42501'),
               ('https://clinic.example/hook?k=1', 'http://10.0.0.1:3000/rpc/hook?k=1&a=1', 'https://clinic.example/hook?k=1&a=1', 'accepted'),
               ('https://clinic.example/hook?k=1', 'http://10.0.0.1:3000/rpc/hook?k=10', 'https://clinic.example/hook?k=10', '42501'),
               ('https://clinic.example/hook?k=1', 'http://10.0.0.1:3000/rpc/hook?a=1&k=1', 'https://clinic.example/hook?a=1&k=1', '42501'),
               ('https://clinic.example/hook', 'http://10.0.0.1:3000/rpc/hook?a=1', 'https://clinic.example/hook?a=2', '42501'),
               ('', NULL, 'https://clinic.example/hook', 'F0000')) AS v (public_url, url, signed, expected);

-- a body that is no form, for which the address has its digest
SELECT convert_to('{"RoomName": "r 1", "RoomSid": "RM1", "StatusCallbackEvent": "room-created", "Timestamp": "2026-03-02T10:00:00.000Z"}', 'UTF8') AS json_body \gset
INSERT INTO twilio (name, body, said, url, signed, expected)
SELECT 'bodySHA256: ' || what, body, said, address, address, expected
  FROM (VALUES
('right', :'json_body'::bytea, ''::bytea, :'url' || '?bodySHA256=' || encode(sha256(:'json_body'::bytea), 'hex'), 'accepted'),
('behind another parameter', :'json_body', '', :'url' || '?a=1&bodySHA256=' || encode(sha256(:'json_body'::bytea), 'hex'), 'accepted'),
('before another one', :'json_body', '', :'url' || '?bodySHA256=' || encode(sha256(:'json_body'::bytea), 'hex') || '&a=1', 'accepted'),
('before a fragment', :'json_body', '', :'url' || '?bodySHA256=' || encode(sha256(:'json_body'::bytea), 'hex') || '#a', 'accepted'),
('twice', :'json_body', '', :'url' || replace('?bodySHA256=&bodySHA256=', '=', '=' || encode(sha256(:'json_body'::bytea), 'hex')), 'accepted'),
('another one too', :'json_body', '', :'url' || '?bodySHA256=' || encode(sha256(:'json_body'::bytea), 'hex') || '&bodySHA256=0', '42501'),
('of another body', :'json_body', '', :'url' || '?bodySHA256=' || encode(sha256('another'), 'hex'), '42501'),
('in capital letters', :'json_body', '', :'url' || '?bodySHA256=' || upper(encode(sha256(:'json_body'::bytea), 'hex')), '42501'),
('in base64', :'json_body', '', :'url' || '?bodySHA256=' || replace(pg_temp.base64(sha256(:'json_body'::bytea)), '+', '%2B'), '42501'),
('cut off', :'json_body', '', :'url' || '?bodySHA256=' || left(encode(sha256(:'json_body'::bytea), 'hex'), 32), '42501'),
('empty', :'json_body', '', :'url' || '?bodySHA256=', '42501'),
('without a value', :'json_body', '', :'url' || '?bodySHA256', '42501'),
('with another name', :'json_body', '', :'url' || '?bodysha256=' || encode(sha256(:'json_body'::bytea), 'hex'), '42501'),
('in the path', :'json_body', '', :'url' || '/bodySHA256=' || encode(sha256(:'json_body'::bytea), 'hex'), '42501'),
('the body is signed too', :'json_body', :'json_body', :'url' || '?bodySHA256=' || encode(sha256(:'json_body'::bytea), 'hex'), '42501'),
('a space more in the body', :'json_body'::bytea || ' ', '', :'url' || '?bodySHA256=' || encode(sha256(:'json_body'::bytea), 'hex'), '42501'),
('a form where JSON belongs', :'form', '', :'url' || '?bodySHA256=' || encode(sha256(:'form'), 'hex'), '22023'),
('a form with its own signature', :'form', :'said', :'url' || '?bodySHA256=' || encode(sha256(:'form'), 'hex'), '42501'),
('a list', '[1]', '', :'url' || '?bodySHA256=' || encode(sha256('[1]'), 'hex'), '22023'),
('nothing', '', '', :'url' || '?bodySHA256=' || encode(sha256(''), 'hex'), '22023')) AS v (what, body, said, address, expected);
-- which then stands in what the request adds to the setting's address
INSERT INTO twilio (name, body, said, public_url, url, signed, expected)
SELECT format('bodySHA256 with vidtoken.public_url %s, url %s: %s', quote_literal(public_url), replace(request, d, '...'), what), body, said, public_url, request, signed, expected
  FROM (SELECT 'bodySHA256=' || encode(sha256(:'json_body'::bytea), 'hex')) AS u (d), LATERAL (VALUES
('JSON', :'json_body'::bytea, ''::bytea, :'url', '/rpc/hook?' || d, :'url' || '?' || d, 'accepted'),
('JSON', :'json_body', '', :'url' || '?k=1', '/rpc/hook?k=1&' || d, :'url' || '?k=1&' || d, 'accepted'),
('another body', :'form', '', :'url', '/rpc/hook?' || d, :'url' || '?' || d, '42501'),
('a form that is signed without it', :'form', :'said', :'url', '/rpc/hook?' || d, :'url', 'accepted'),
('JSON that is signed without it', :'json_body', '', :'url', '/rpc/hook?' || d, :'url', '42501')) AS v (what, body, said, public_url, request, signed, expected);
INSERT INTO twilio (name, body, said, expected) VALUES
('JSON without bodySHA256, not signed', :'json_body', '', '42501'),
('JSON without bodySHA256, signed as the form that it is not', :'json_body', :'json_body', '22023');
SELECT is(pg_temp.outcome(t), expected, format('twilio, %s: %s', replace(replace(name, E'\r', '<CR>'), E'\n', '<LF>'), expected)) FROM twilio AS t ORDER BY n;

-- the header
SET LOCAL vidtoken.public_url = :'url';
SELECT pg_temp.twilio_headers(:'url', :'said') ->> 'X-Twilio-Signature' AS right_one \gset
SELECT is(pg_temp.outcome('twilio', :'form', headers), expected, format('twilio, %s: %s', what, expected))
  FROM (VALUES ('its header in small letters', jsonb_build_object('x-twilio-signature', :'right_one'), 'accepted'),
               ('its header in capitals', jsonb_build_object('X-TWILIO-SIGNATURE', :'right_one'), 'accepted'),
               ('no header', '{}', '42501'),
               ('its header twice', jsonb_build_object('X-Twilio-Signature', :'right_one', 'x-twilio-signature', :'right_one'), '42501'),
               ('another header', jsonb_build_object('Authorization', :'right_one'), '42501'),
               ('an empty signature', jsonb_build_object('X-Twilio-Signature', ''), '42501'),
               ('a space behind it', jsonb_build_object('X-Twilio-Signature', :'right_one' || ' '), '42501'),
               ('no padding', jsonb_build_object('X-Twilio-Signature', rtrim(:'right_one', '=')), '42501'),
               ('hexadecimal digits', jsonb_build_object('X-Twilio-Signature', encode(decode(:'right_one', 'base64'), 'hex')), '42501'),
               ('other capitals', jsonb_build_object('X-Twilio-Signature', lower(:'right_one')), '42501'),
               ('SHA-256', jsonb_build_object('X-Twilio-Signature', pg_temp.base64(crypto.hmac((:'url' || :'said')::bytea, :'twilio_token', 'sha256'))), '42501'),
               ('another AuthToken', jsonb_build_object('X-Twilio-Signature', pg_temp.base64(crypto.hmac((:'url' || :'said')::bytea, 'canary', 'sha1'))), '42501'),
               ('headers are a list', '[]', '22023')) AS v (what, headers, expected);
SELECT is((SELECT count(*) || ' ' || string_agg(DISTINCT pg_temp.outcome('twilio', :'form', jsonb_build_object('X-Twilio-Signature', overlay(:'right_one' PLACING
              CASE substr(:'right_one', i, 1) WHEN 'A' THEN 'B' ELSE 'A' END FROM i))), ' ')
             FROM generate_series(1, length(:'right_one')) AS i), '28 42501', 'any other character anywhere is refused');
SELECT pg_temp.use_keys(pg_temp.jwk('K', 'HS1', 'canary of another AuthToken'), pg_temp.jwk('L', 'HS1', :'twilio_token')) AS ignored \gset
SELECT is(pg_temp.outcome('twilio', :'form', jsonb_build_object('X-Twilio-Signature', :'right_one')), 'accepted', 'twilio, another key and this one: accepted');
SELECT pg_temp.use_keys(pg_temp.jwk('K', 'HS256', :'twilio_token')) AS ignored \gset
SELECT is(pg_temp.outcome('twilio', :'form', jsonb_build_object('X-Twilio-Signature', :'right_one')), 'F0000', 'twilio, a key for HS256: F0000');
SELECT is(pg_temp.outcome('twilio', :'form', jsonb_build_object('X-Twilio-Signature', pg_temp.base64(crypto.hmac((:'url' || :'said')::bytea, :'twilio_token', 'sha256')))),
          'F0000', 'twilio, also with a signature of its own: F0000');

--
-- What is said of it
--

CREATE FUNCTION pg_temp.told(wanted text) RETURNS SETOF text
LANGUAGE sql AS $$
    SELECT DISTINCT concat_ws(' | ', message, nullif(detail, ''), nullif(hint, '')) COLLATE "C" FROM said WHERE code = wanted ORDER BY 1
$$;
SELECT results_eq($$SELECT pg_temp.told('42501')$$, $$VALUES
    ('webhook signature is missing or wrong | Check that the body reaches vidtoken_webhook as raw bytes, the header "authorization" with it, and that "vidtoken.public_url" and the webhook key are the provider''s.'),
    ('webhook signature is missing or wrong | Check that the body reaches vidtoken_webhook as raw bytes, the header "x-twilio-signature" with it, and that "vidtoken.public_url" and the webhook key are the provider''s.')$$,
    'a wrong signature is refused in one and the same words, whatever is wrong');
SELECT results_eq($$SELECT pg_temp.told('22023')$$, $$VALUES
    ('headers must be a JSON object'),
    ('provider "" sends no webhooks | Those of twilio and livekit are understood.'),
    ('provider "LiveKit" sends no webhooks | Those of twilio and livekit are understood.'),
    ('provider "jwt" sends no webhooks | Those of twilio and livekit are understood.'),
    ('provider "livekit " sends no webhooks | Those of twilio and livekit are understood.'),
    ('provider "zoom" sends no webhooks | Those of twilio and livekit are understood.'),
    ('webhook body is not an event of provider "twilio"')$$, 'what cannot be read is not quoted');
SELECT is((SELECT count(*) > 900 FROM said), true, 'so much was refused');
SELECT is_empty($$SELECT * FROM said WHERE concat(message, detail, hint, context) ~ 'canary|eyJ|EV_4|RM_?1|room-1|room_started|r 1|1772445|clinic\.example|AC1'$$,
                'no word of it shows a secret, a signature, the body or the address');
SELECT is(pg_temp.ledger(), (SELECT string_agg(part, ' ') FROM (SELECT relname || CASE relname WHEN 'vidtoken_session' THEN ' 1' ELSE ' 0' END AS part
            FROM pg_class WHERE relnamespace = 'vidtoken'::regnamespace AND relkind = 'r' ORDER BY relname COLLATE "C") AS p),
          'after all of it the ledger has the session of the host''s token, and nothing else');

SELECT * FROM finish();
SELECT pg_temp.forget_keys() AS ignored \gset
ROLLBACK;
