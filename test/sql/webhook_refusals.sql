\unset ECHO
\i test/setup.sql
\i test/webhooks.sql

-- Promise: what is not the provider's is refused in one way, what makes no
-- sense is refused as such, what is of no interest is ignored; none of it
-- leaves a row, and no message shows what came in.

-- a webhook of LiveKit whose header and claims are given as text
CREATE FUNCTION pg_temp.signed(body bytea, claims text, header text DEFAULT '{"alg": "HS256"}',
                               secret text DEFAULT 'test secret of livekit''s webhooks') RETURNS text
LANGUAGE sql AS $$
    SELECT input || '.' || translate(encode(crypto.hmac(convert_to(input, 'UTF8'), convert_to(secret, 'UTF8'), 'sha256'), 'base64'), E'+/=\n', '-_')
      FROM (SELECT string_agg(translate(encode(convert_to(part, 'UTF8'), 'base64'), E'+/=\n', '-_'), '.' ORDER BY n)
              FROM unnest(ARRAY[header, claims]) WITH ORDINALITY AS u(part, n)) AS s(input)
$$;
CREATE FUNCTION pg_temp.claims(body bytea, nbf integer DEFAULT -60, exp integer DEFAULT 240, sha256 text DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
    SELECT format('{"iss": "APItest", "nbf": %s, "exp": %s, "sha256": "%s"}', clock + nbf, clock + exp, coalesce(sha256, encode(pg_catalog.sha256(body), 'base64')))
      FROM (SELECT extract(epoch FROM current_setting('vidtoken.test_clock')::timestamptz)::bigint) AS c(clock)
$$;
-- the result of a delivery to livekit's endpoint, or SQLSTATE and message
CREATE FUNCTION pg_temp.livekit_says(body bytea, headers jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    told text;
    detail text;
    hint text;
BEGIN
    RETURN (SELECT result FROM vidtoken.vidtoken_webhook('livekit', body, headers));
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS told = PG_EXCEPTION_CONTEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    IF concat(SQLERRM, detail, hint, told) ~* 'canary' THEN
        RETURN 'it shows what came in';
    END IF;
    RETURN SQLSTATE || ' ' || SQLERRM;
END;
$$;
CREATE FUNCTION pg_temp.livekit_says(body text) RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.livekit_says(b, jsonb_build_object('authorization', pg_temp.signed(b, pg_temp.claims(b))))
      FROM convert_to(body, 'UTF8') AS c(b)
$$;
CREATE FUNCTION pg_temp.written() RETURNS bigint
LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM vidtoken.vidtoken_call) + (SELECT count(*) FROM vidtoken.vidtoken_participant)
         + (SELECT count(*) FROM vidtoken.vidtoken_event) + (SELECT count(*) FROM vidtoken.vidtoken_quality)
$$;

SELECT plan(121);

--
-- LiveKit: signatures
--

CREATE TEMP TABLE given AS
SELECT convert_to('{"event": "track_published", "id": "canary"}', 'UTF8') AS body;
CREATE TEMP VIEW good AS
SELECT body, pg_temp.signed(body, pg_temp.claims(body)) AS token FROM given;
SELECT is(pg_temp.livekit_says(g.body, headers), CASE WHEN n < 100 THEN 'ignored' ELSE '42501 webhook signature is missing or wrong' END, what)
  FROM good AS g, LATERAL (VALUES
    (1, 'as it came', jsonb_build_object('Authorization', token)),
    (2, 'names of headers have no case', jsonb_build_object('AUTHORIZATION', token)),
    (3, 'other headers beside it', jsonb_build_object('a', 1, 'authorization', token, 'x', 'canary')),
    (4, 'a minute late', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_temp.claims(g.body, -360, -59)))),
    (5, 'a minute early', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_temp.claims(g.body, 60, 360)))),
    (100, 'no header', '{}'::jsonb),
    (101, 'NULL in it', '{"authorization": null}'),
    (102, 'a list in it', jsonb_build_object('authorization', ARRAY[token])),
    (103, 'two of them', jsonb_build_object('authorization', token, 'Authorization', token)),
    (104, 'Bearer before it', jsonb_build_object('authorization', 'Bearer ' || token)),
    (105, 'a space after it', jsonb_build_object('authorization', token || ' ')),
    (106, 'empty', '{"authorization": ""}'),
    (107, 'canary', '{"authorization": "canary"}'),
    (108, 'cut short', jsonb_build_object('authorization', left(token, -1))),
    (109, 'without its signature', jsonb_build_object('authorization', regexp_replace(token, '[^.]*$', ''))),
    (110, 'another secret', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_temp.claims(g.body), secret => 'canary of an attacker, of 32 bytes'))),
    (111, 'the token key''s secret', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_temp.claims(g.body), secret => 'test secret of the signing key, 1'))),
    (112, 'twilio''s secret', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_temp.claims(g.body), secret => 'test secret of twilio, 32 bytes.'))),
    (113, 'alg none', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_temp.claims(g.body), '{"alg": "none"}'))),
    (114, 'alg HS512', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_temp.claims(g.body), '{"alg": "HS512"}'))),
    (115, 'crit', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_temp.claims(g.body), '{"alg": "HS256", "crit": ["exp"]}'))),
    (116, 'expired by more than a minute', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_temp.claims(g.body, -360, -60)))),
    (117, 'from the future', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_temp.claims(g.body, 61, 361)))),
    (118, 'without exp', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_catalog.replace(pg_temp.claims(g.body), '"exp"', '"exq"')))),
    (119, 'the digest of another body', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_temp.claims('canary')))),
    (120, 'the digest in hexadecimal', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_temp.claims(g.body, sha256 => encode(sha256(g.body), 'hex'))))),
    (121, 'the digest without padding', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_temp.claims(g.body, sha256 => rtrim(encode(sha256(g.body), 'base64'), '='))))),
    (122, 'no digest: a participant''s token', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_catalog.replace(pg_temp.claims(g.body), 'sha256', 'video')))),
    (123, 'a digest twice', jsonb_build_object('authorization', pg_temp.signed(g.body, pg_catalog.replace(pg_temp.claims(g.body), '}', ', "sha256": ""}'))))
  ) AS v(n, what, headers)
 ORDER BY n;
SELECT is(pg_temp.livekit_says(body || '\x20'::bytea, jsonb_build_object('authorization', token)), '42501 webhook signature is missing or wrong', 'a space more in the body')
  FROM good;
SELECT is((SELECT count(*)::integer FROM good AS g, generate_series(1, length(token)) AS i
            WHERE pg_temp.livekit_says(g.body, jsonb_build_object('authorization', overlay(token PLACING CASE substr(token, i, 1) WHEN 'A' THEN 'B' ELSE 'A' END FROM i))) NOT LIKE '42501 webhook%'),
          0, 'any character changed');
SELECT is(pg_temp.livekit_says(g.body, headers), '22023 headers must be a JSON object', format('headers that are %s', headers))
  FROM given AS g, unnest(ARRAY['null', '[]', '"canary"', '1']::jsonb[]) AS headers;
SELECT is((pg_temp.refusal(format('SELECT * FROM vidtoken.vidtoken_webhook(%s)', arguments))).code, want, arguments)
  FROM (VALUES ('NULL, '''', ''{}''', '22004'), ('''livekit'', NULL, ''{}''', '22004'), ('''livekit'', '''', NULL', '22004'),
               ('''jwt'', '''', ''{}''', '22023'), ('''LiveKit'', '''', ''{}''', '22023')) AS v(arguments, want);

--
-- LiveKit: bodies, well signed
--

-- whole, but for what "changes" says otherwise
CREATE FUNCTION pg_temp.joined(changes text DEFAULT '{}', of_participant text DEFAULT '{}', of_room text DEFAULT '{}') RETURNS text
LANGUAGE sql AS $$
    SELECT jsonb_strip_nulls('{"event": "participant_joined", "id": "EV_1", "createdAt": "1772445600"}'::jsonb
        || jsonb_build_object('room', '{"sid": "RM_1", "name": "canary", "creationTime": "1772445600"}'::jsonb || of_room::jsonb,
                              'participant', '{"sid": "PA_1", "identity": "canary", "joinedAt": "1772445600"}'::jsonb || of_participant::jsonb)
        || changes::jsonb)::text
$$;
CREATE FUNCTION pg_temp.undone(body text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    rows bigint;
BEGIN
    answer := pg_temp.livekit_says(body);
    rows := pg_temp.written();
    RAISE EXCEPTION USING ERRCODE = 'V0001', MESSAGE = format('%s, %s rows', answer, rows);
EXCEPTION WHEN SQLSTATE 'V0001' THEN
    RETURN SQLERRM;
END;
$$;
SELECT is(pg_temp.undone(body),
          CASE WHEN n < 100 THEN 'accepted, 2 rows' WHEN n < 200 THEN 'ignored, 0 rows'
               ELSE '22023 webhook body is not an event of provider "livekit", 0 rows' END, what)
  FROM (VALUES
    (1, 'a room that no appointment has', pg_temp.joined()),
    (2, 'of a telephone', pg_temp.joined(of_participant => '{"kind": "SIP"}')),
    (3, 'a stream that is fed in', pg_temp.joined(of_participant => '{"kind": "INGRESS"}')),
    (4, 'names of 512 bytes', pg_temp.joined(of_participant => format('{"identity": "%s"}', repeat('é', 256)), of_room => format('{"name": "%s"}', repeat('x', 512)))),
    (5, 'without the time of joining', pg_temp.joined(of_participant => '{"joinedAt": null}')),
    (6, 'a number of ten thousand digits beside it', pg_temp.joined(format('{"note": "%s"}', repeat('1', 10000)))),
    (7, 'a day old', pg_temp.joined('{"createdAt": "1772359200"}')),
    (100, 'more than a day old', pg_temp.joined('{"createdAt": "1772359199"}')),
    (101, 'a recorder', pg_temp.joined(of_participant => '{"kind": "EGRESS"}')),
    (102, 'an agent', pg_temp.joined(of_participant => '{"kind": "AGENT"}')),
    (103, 'an event that nobody knows', pg_temp.joined('{"event": "canary"}')),
    (104, 'an aborted connection', pg_temp.joined('{"event": "participant_connection_aborted"}')),
    (105, 'an event and nothing else', '{"event": "room_metadata_changed"}'),
    (200, 'empty', ''), (201, 'no JSON', 'canary'), (202, 'not an object', '["participant_joined"]'), (203, 'a string', '"canary"'),
    (204, 'two values', pg_temp.joined() || pg_temp.joined()), (205, 'a byte order mark', U&'\FEFF' || pg_temp.joined()),
    (206, 'a member twice', regexp_replace(pg_temp.joined(), '}$', ', "id": "canary"}')),
    (207, 'a number that takes 131072 digits', regexp_replace(pg_temp.joined(), '}$', ', "n": 1e131071}')),
    (208, 'NaN', regexp_replace(pg_temp.joined(), '}$', ', "n": NaN}')),
    (209, 'U+0000', regexp_replace(pg_temp.joined(), 'canary', '\\u0000')),
    (210, 'half a surrogate', regexp_replace(pg_temp.joined(), 'canary', '\\ud800')),
    (211, '65 levels', regexp_replace(pg_temp.joined(), '}$', format(', "n": %s%s}', repeat('[', 64), repeat(']', 64)))),
    (212, 'a number as the event', pg_temp.joined('{"event": 1}')), (213, 'no id', pg_temp.joined('{"id": null}')),
    (214, 'an empty id', pg_temp.joined('{"id": ""}')), (215, 'no time', pg_temp.joined('{"createdAt": null}')),
    (216, 'time 0', pg_temp.joined('{"createdAt": "0"}')), (217, 'a negative time', pg_temp.joined('{"createdAt": "-1"}')),
    (218, 'a time beyond the year 9999', pg_temp.joined('{"createdAt": "253402300800"}')), (219, 'a time in words', pg_temp.joined('{"createdAt": "canary"}')),
    (220, 'no room', pg_temp.joined('{"room": null}')), (221, 'a room that is a string', pg_temp.joined('{"room": "canary"}')),
    (222, 'no sid of the room', pg_temp.joined(of_room => '{"sid": null}')), (223, 'no name of the room', pg_temp.joined(of_room => '{"name": null}')),
    (224, 'no participant', pg_temp.joined('{"participant": null}')), (225, 'no identity', pg_temp.joined(of_participant => '{"identity": null}')),
    (226, 'an identity of 513 bytes', pg_temp.joined(of_participant => format('{"identity": "%s"}', repeat('x', 513)))),
    (227, 'a room''s name of 513 bytes', pg_temp.joined(of_room => format('{"name": "%s"}', repeat('x', 513)))),
    (228, 'an id of 513 bytes', pg_temp.joined(format('{"id": "%s"}', repeat('x', 513))))
  ) AS v(n, what, body)
 ORDER BY n;
SELECT is((SELECT pg_temp.livekit_says(b, jsonb_build_object('authorization', pg_temp.signed(b, pg_temp.claims(b))))
             FROM (SELECT convert_to('{"event": "x', 'UTF8') || '\xff227d'::bytea) AS c(b)),
          '22023 webhook body is not an event of provider "livekit"', 'bytes that are not UTF-8');
SELECT is(pg_temp.livekit_says(rpad('{"event": "x", "pad": "', 1048574, 'x') || '"}'), 'ignored', '1 MB');
SELECT is(pg_temp.livekit_says(convert_to(repeat('x', 1048577), 'UTF8'), '{}'), 'PT413 webhook body is too large', 'a byte more, compressed');
SELECT is((pg_temp.refusal($$SELECT vidtoken.vidtoken_webhook('livekit', convert_to(repeat('x', 1048576), 'UTF8'), '{}')$$)).code, '42501', '1 MB is looked at');

--
-- Twilio
--

CREATE FUNCTION pg_temp.twilio_says(signed text, body text, url text DEFAULT 'https://clinic.example/hook') RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT result FROM vidtoken.vidtoken_webhook('twilio', convert_to(body, 'UTF8'), jsonb_build_object('X-Twilio-Signature',
                encode(crypto.hmac(convert_to(signed, 'UTF8'), 'test secret of twilio, 32 bytes.', 'sha1'), 'base64')), url));
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END;
$$;
SELECT is(pg_temp.twilio_says(signed, body, url), CASE WHEN n < 100 THEN 'ignored' WHEN n < 200 THEN '42501' ELSE '22023' END, what)
  FROM (VALUES
    (1, 'a form', 'https://clinic.example/hookA1StatusCallbackEventxb2', 'StatusCallbackEvent=x&b=2&A=1', 'https://clinic.example/hook'),
    (2, 'spaces, signs and letters', 'https://clinic.example/hookStatusCallbackEventxaé + &=%', 'StatusCallbackEvent=x&a=%C3%a9+%2B%20%26%3D%25', 'https://clinic.example/hook'),
    (3, 'a value twice counts once', 'https://clinic.example/hookStatusCallbackEventxa1a2', 'a=2&StatusCallbackEvent=x&a=1&a=2', 'https://clinic.example/hook'),
    (4, 'no value, and no name', 'https://clinic.example/hookStatusCallbackEventxa', '&a&StatusCallbackEvent=x&', 'https://clinic.example/hook'),
    (5, 'signed without the port', 'https://clinic.example/hookStatusCallbackEventx', 'StatusCallbackEvent=x', 'https://clinic.example:443/hook'),
    (6, 'signed with the port', 'https://clinic.example:443/hookStatusCallbackEventx', 'StatusCallbackEvent=x', 'https://clinic.example/hook'),
    (7, 'port 80', 'http://clinic.example:80/hookStatusCallbackEventx', 'StatusCallbackEvent=x', 'http://clinic.example/hook'),
    (8, 'an address of IPv6', 'https://[::1]:443/hookStatusCallbackEventx', 'StatusCallbackEvent=x', 'https://[::1]/hook'),
    (9, 'a query', 'https://clinic.example/hook?a=1&b=%20StatusCallbackEventx', 'StatusCallbackEvent=x', 'https://clinic.example/hook?a=1&b=%20'),
    (10, '1000 fields', 'https://clinic.example/hookStatusCallbackEventx' || (SELECT string_agg('f' || i, '' ORDER BY ('f' || i) COLLATE "C") FROM generate_series(1, 999) AS i),
         'StatusCallbackEvent=x' || (SELECT string_agg('&f' || i, '') FROM generate_series(1, 999) AS i), 'https://clinic.example/hook'),
    (11, 'JSON, by its digest', 'https://clinic.example/hook?bodySHA256=' || encode(sha256('{"StatusCallbackEvent": "x"}'), 'hex'), '{"StatusCallbackEvent": "x"}',
         'https://clinic.example/hook?bodySHA256=' || encode(sha256('{"StatusCallbackEvent": "x"}'), 'hex')),
    (100, 'another address', 'https://clinic.example/hookStatusCallbackEventx', 'StatusCallbackEvent=x', 'https://clinic.example/hooks'),
    (101, 'http for https', 'http://clinic.example/hookStatusCallbackEventx', 'StatusCallbackEvent=x', 'https://clinic.example/hook'),
    (102, 'another port', 'https://clinic.example:8443/hookStatusCallbackEventx', 'StatusCallbackEvent=x', 'https://clinic.example/hook'),
    (103, 'another value', 'https://clinic.example/hookStatusCallbackEventx', 'StatusCallbackEvent=y', 'https://clinic.example/hook'),
    (104, 'a field more', 'https://clinic.example/hookStatusCallbackEventx', 'StatusCallbackEvent=x&a=1', 'https://clinic.example/hook'),
    (105, 'fields out of order', 'https://clinic.example/hookb2StatusCallbackEventx', 'b=2&StatusCallbackEvent=x', 'https://clinic.example/hook'),
    (106, 'a percent sign alone', 'https://clinic.example/hookStatusCallbackEventx%', 'StatusCallbackEvent=x%', 'https://clinic.example/hook'),
    (107, 'one digit after it', 'https://clinic.example/hookStatusCallbackEventx%1', 'StatusCallbackEvent=x%1', 'https://clinic.example/hook'),
    (108, 'no digits after it', 'https://clinic.example/hookStatusCallbackEventx%zz', 'StatusCallbackEvent=x%zz', 'https://clinic.example/hook'),
    (109, '1001 fields', 'https://clinic.example/hookStatusCallbackEventx' || (SELECT string_agg('f' || i, '' ORDER BY ('f' || i) COLLATE "C") FROM generate_series(1, 1000) AS i),
         'StatusCallbackEvent=x' || (SELECT string_agg('&f' || i, '') FROM generate_series(1, 1000) AS i), 'https://clinic.example/hook'),
    (110, 'a digest of another body', 'https://clinic.example/hook?bodySHA256=' || encode(sha256('{}'), 'hex'), '{"StatusCallbackEvent": "x"}',
         'https://clinic.example/hook?bodySHA256=' || encode(sha256('{}'), 'hex')),
    (111, 'a digest in capitals', 'https://clinic.example/hook?bodySHA256=' || upper(encode(sha256('{"StatusCallbackEvent": "x"}'), 'hex')), '{"StatusCallbackEvent": "x"}',
         'https://clinic.example/hook?bodySHA256=' || upper(encode(sha256('{"StatusCallbackEvent": "x"}'), 'hex'))),
    (200, 'no event', 'https://clinic.example/hooka1', 'a=1', 'https://clinic.example/hook'),
    (201, 'two events', 'https://clinic.example/hookStatusCallbackEventxStatusCallbackEventy', 'StatusCallbackEvent=x&StatusCallbackEvent=y', 'https://clinic.example/hook'),
    (202, 'a form by its digest', 'https://clinic.example/hook?bodySHA256=' || encode(sha256('StatusCallbackEvent=x'), 'hex'), 'StatusCallbackEvent=x',
         'https://clinic.example/hook?bodySHA256=' || encode(sha256('StatusCallbackEvent=x'), 'hex')),
    (203, 'an event of no room', 'https://clinic.example/hookStatusCallbackEventroom-createdTimestamp2026-03-02T10:00:00Z', 'StatusCallbackEvent=room-created&Timestamp=2026-03-02T10:00:00Z', 'https://clinic.example/hook'),
    (204, 'a time that is none', 'https://clinic.example/hookRoomNamerRoomSidRStatusCallbackEventroom-createdTimestamplater', 'RoomName=r&RoomSid=R&StatusCallbackEvent=room-created&Timestamp=later', 'https://clinic.example/hook'),
    (205, 'a time of infinity', 'https://clinic.example/hookRoomNamerRoomSidRStatusCallbackEventroom-createdTimestampinfinity', 'RoomName=r&RoomSid=R&StatusCallbackEvent=room-created&Timestamp=infinity', 'https://clinic.example/hook')
  ) AS v(n, what, signed, body, url)
 ORDER BY n;
SELECT is(pg_temp.twilio_says('https://public.example/?x=1StatusCallbackEventx', 'StatusCallbackEvent=x', NULL), 'F0000', 'an address has to be known');
SET LOCAL vidtoken.public_url = 'https://public.example/?x=1';
SELECT is(pg_temp.twilio_says('https://public.example/?x=1StatusCallbackEventx', 'StatusCallbackEvent=x', NULL), 'ignored', 'public_url is');
SELECT is(pg_temp.twilio_says('https://public.example/?x=1StatusCallbackEventx', 'StatusCallbackEvent=x', 'http://127.0.0.1/?y=2'), 'ignored', 'and wins over the request''s');
SELECT is(pg_temp.twilio_says('http://127.0.0.1/?y=2StatusCallbackEventx', 'StatusCallbackEvent=x', 'http://127.0.0.1/?y=2'), '42501', 'which then is nothing');
SET LOCAL vidtoken.public_url = 'https://public.example/hook';
SELECT is(pg_temp.twilio_says('https://public.example/hook?y=2StatusCallbackEventx', 'StatusCallbackEvent=x', 'http://127.0.0.1/?y=2'), 'ignored', 'but for its query');

SELECT is(pg_temp.written(), 0::bigint, 'nothing was written');

SELECT * FROM finish();
ROLLBACK;
