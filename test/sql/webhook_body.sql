\unset ECHO
\i test/setup.sql
\i test/webhooks.sql

-- test/sql/webhook_body.sql: bodies behind a good signature
--
-- Promise: a provider's own key does not make sense of nonsense.  What is no
-- event is refused (22023), what is too large before it is looked at (PT413),
-- what tells nothing of a room's state is ignored; none of it writes, and none
-- of it is quoted.  Rooms that nobody knows are remembered by name.

SET LOCAL statement_timeout = '600s';
SELECT plan(361);

--
-- LiveKit
--

CREATE FUNCTION pg_temp.livekit(body bytea) RETURNS text
LANGUAGE sql AS $$ SELECT pg_temp.outcome('livekit', body, pg_temp.livekit_headers(body)) $$;
CREATE FUNCTION pg_temp.livekit(body text) RETURNS text
LANGUAGE sql AS $$ SELECT pg_temp.livekit(convert_to(body, 'UTF8')) $$;
-- an event of the setup's minute, and one of a participant; a member of
-- "changes" that is null is taken away
CREATE FUNCTION pg_temp.event(changes jsonb DEFAULT '{}', room jsonb DEFAULT '{}', participant jsonb DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
    SELECT jsonb_strip_nulls(
               jsonb_build_object('event', CASE WHEN participant IS NULL THEN 'room_started' ELSE 'participant_joined' END, 'id', 'EV_1',
                                  'createdAt', '1772445600',
                                  'room', '{"sid": "RM_1", "name": "room-1", "creationTime": "1772445600"}'::jsonb || room)
               || CASE WHEN participant IS NULL THEN '{}'
                       ELSE jsonb_build_object('participant', '{"sid": "PA_1", "identity": "2-jane", "joinedAt": "1772445600"}'::jsonb || participant) END
               || changes)::text
$$;
SELECT is(pg_temp.livekit(pg_temp.event()), 'accepted', 'livekit, an event of a room: accepted');
SELECT is(pg_temp.livekit(pg_temp.event(participant => '{}')), 'accepted', 'livekit, an event of a participant: accepted');

-- size
CREATE TEMP TABLE sized (n integer, stored text, body bytea);
ALTER TABLE sized ALTER body SET STORAGE EXTENDED;
INSERT INTO sized SELECT n, 'compressed', convert_to(e || repeat(' ', n - length(e)), 'UTF8') FROM pg_temp.event() AS e, unnest('{1048576,1048577,100000000}'::integer[]) AS n;
ALTER TABLE sized ALTER body SET STORAGE EXTERNAL;
INSERT INTO sized SELECT n, 'out of line', convert_to(e || repeat(' ', n - length(e)), 'UTF8') FROM pg_temp.event() AS e, unnest('{1048576,1048577}'::integer[]) AS n;
SELECT is(pg_column_size(body) < n / 10, stored = 'compressed', format('%s bytes are %s', n, stored)) FROM sized ORDER BY stored, n;
SELECT is(pg_temp.livekit(body), CASE WHEN n > 1048576 THEN 'PT413' ELSE 'accepted' END, format('livekit, %s bytes, %s', n, stored)) FROM sized ORDER BY stored, n;
SELECT is(pg_temp.livekit(convert_to(pg_temp.event() || repeat(' ', n - length(pg_temp.event())), 'UTF8')), expected, format('livekit, %s bytes, not stored: %s', n, expected))
  FROM (VALUES (1048575, 'accepted'), (1048576, 'accepted'), (1048577, 'PT413'), (50000000, 'PT413')) AS v (n, expected);
SELECT is(pg_temp.outcome(p, convert_to(repeat('x', n), 'UTF8'), '{}', 'https://clinic.example/'), expected, format('%s, %s bytes and no signature: %s', p, n, expected))
  FROM unnest('{livekit,twilio}'::text[]) AS p, (VALUES (1048576, '42501'), (1048577, 'PT413')) AS v (n, expected);
SELECT is(pg_temp.livekit(pg_temp.event(jsonb_build_object('more', repeat('x', 1000000)))), 'accepted', 'livekit, a long string that nobody asked for: accepted');
SELECT is(pg_temp.livekit(pg_temp.event(jsonb_build_object('more', (SELECT jsonb_agg(i) FROM generate_series(1, 100000) AS i)))), 'accepted', 'livekit, a long list: accepted');

-- UTF-8
SELECT is(pg_temp.livekit(body), expected, format('livekit, %s: %s', what, expected))
  FROM convert_to(pg_temp.event(room => '{"name": "@"}'), 'UTF8') AS e, position('@'::bytea IN e) AS at,
       LATERAL (VALUES
('a name of any letters', overlay(e PLACING convert_to('日本 é 😀', 'UTF8') FROM at FOR 1), 'accepted'),
('a byte that is no UTF-8', overlay(e PLACING '\xff'::bytea FROM at FOR 1), '22023'),
('a letter cut off', overlay(e PLACING '\xc3'::bytea FROM at FOR 1), '22023'),
('an overlong letter', overlay(e PLACING '\xc080'::bytea FROM at FOR 1), '22023'),
('half of a pair as UTF-8', overlay(e PLACING '\xeda080'::bytea FROM at FOR 1), '22023'),
('beyond the last letter', overlay(e PLACING '\xf4908080'::bytea FROM at FOR 1), '22023'),
('Latin 1', overlay(e PLACING '\xe9'::bytea FROM at FOR 1), '22023'),
('a NUL as it is', overlay(e PLACING '\x00'::bytea FROM at FOR 1), '22023'),
('a NUL behind the end', e || '\x00'::bytea, '22023'),
('a byte order mark', '\xefbbbf'::bytea || e, '22023'),
('UTF-16', (SELECT string_agg(set_byte('\x0000'::bytea, 1, get_byte(e, i)), '' ORDER BY i) FROM generate_series(0, length(e) - 1) AS i), '22023')) AS v (what, body, expected);
SELECT is(pg_temp.livekit(replace(pg_temp.event(room => '{"name": "@"}', changes => changes), '@', name)), expected, format('livekit, a name of %s: %s', name, expected))
  FROM (VALUES ('a\u00e9', 'accepted'), ('\ud83d\ude00', 'accepted'), ('\u0001\n', 'accepted'), ('a\u0000', '22023'), ('\ud83d', '22023'), ('\ude00\ud83d', '22023'),
               ('\x', '22023'), ('\u12', '22023')) AS v (name, expected), (VALUES ('{}'::jsonb)) AS c (changes);
SELECT is(pg_temp.livekit(replace(pg_temp.event('{"more": "@"}'), '@', more)), '22023', format('livekit, %s where nobody looks: 22023', to_json(more)))
  FROM unnest(ARRAY['\u0000', '\ud800', E'\t', E'\n', '"', '\']) AS more;

-- JSON
SELECT is(pg_temp.livekit(body), '22023', format('livekit, the body %s: 22023', body))
  FROM unnest(ARRAY['', ' ', '{', '{}', '[]', 'null', 'true', '1', '"room_started"', '[{"event": "room_started"}]', 'event=room_started', '<event/>',
                    '{"event": null}', '{"event": 1}', '{"event": ["room_started"]}', '{"event": {}}', '{"Event": "room_started"}',
                    '{"event": "x"', '{"event": "x"} {"event": "x"}', '{"event": "x"},', '{"event": "x",}', '{''event'': "x"}', '{event: "x"}',
                    '{"event": "x"} //', '{"event": "x", "n": NaN}', '{"event": "x", "n": 01}', '{"event": "x", "n": +1}', '{"event": "x", "n": .5}']) AS body;
SELECT is(pg_temp.livekit(replace(pg_temp.event('{"more": "@"}'), '"@"', more)), expected, format('livekit, with %s: %s', left(more, 20) || CASE WHEN length(more) > 20 THEN '... of ' || length(more) ELSE '' END, expected))
  FROM (VALUES (repeat('[', 63) || repeat(']', 63), 'accepted'), (repeat('[', 64) || repeat(']', 64), '22023'), (repeat('{"a":', 63) || '1' || repeat('}', 63), 'accepted'),
               (repeat('{"a":', 64) || '1' || repeat('}', 64), '22023'), (repeat('[', 500000) || repeat(']', 500000), '22023'), (repeat('[', 1000000), '22023'),
               ('1e308', 'accepted'), ('1e309', '22023'), ('1e131071', '22023'), ('-1e131071', '22023'), ('1e-131071', '22023'),
               ('[' || repeat('1e131071,', 100000) || '1]', '22023'), (repeat('1', 40), 'accepted'), (repeat('1', 41), '22023'),
               ('{"a": 1, "b": 2}', 'accepted'), ('{"a": 1, "a": 2}', '22023'), ('{"a": 1, "\u0061": 2}', '22023'), ('[{"a": {"b": 1, "b": 1}}]', '22023')) AS v (more, expected);
SELECT is(pg_temp.livekit(replace(pg_temp.event(participant => '{}'), member, member || value || member)), '22023', format('livekit, %s twice: 22023', member))
  FROM (VALUES ('"event": ', '"room_ended", '), ('"id": ', '"EV_1", '), ('"room": ', '{}, '), ('"name": ', '"room-1", '), ('"sid": ', '"RM_1", '),
               ('"createdAt": ', '"1772445600", '), ('"participant": ', 'null, '), ('"identity": ', '"3-bob", ')) AS v (member, value);

-- what is no event that counts
SELECT is(pg_temp.livekit(pg_temp.event(jsonb_build_object('event', event), participant => '{}')), 'ignored', format('livekit, event %s: ignored', quote_literal(event)))
  FROM unnest('{track_published,track_unpublished,participant_connection_aborted,egress_started,egress_updated,egress_ended,ingress_started,ingress_ended,
                agent_job_started,ROOM_STARTED,"room_started ",room_ended,participant-joined,"",x}'::text[]) AS event;
SELECT is(pg_temp.livekit('{"event": "x"}'), 'ignored', 'livekit, of such an event nothing else is asked: ignored');
SELECT is(pg_temp.livekit('{"event": "x", "room": 1, "participant": [], "id": {}, "createdAt": null}'), 'ignored', 'livekit, nor looked at: ignored');
SELECT is(pg_temp.livekit('{"event": "' || repeat('x', 100000) || '"}'), 'ignored', 'livekit, were it very long: ignored');
SELECT is(pg_temp.livekit(pg_temp.event(jsonb_build_object('event', event), participant => jsonb_build_object('kind', kind))), expected, format('livekit, %s of kind %s: %s', event, kind, expected))
  FROM unnest('{participant_joined,participant_left}'::text[]) AS event,
       (VALUES ('"STANDARD"'::jsonb, 'accepted'), ('"SIP"', 'accepted'), ('"INGRESS"', 'accepted'), ('"CONNECTOR"', 'accepted'), ('null', 'accepted'), ('"egress"', 'accepted'),
               ('2', 'accepted'), ('"EGRESS"', 'ignored'), ('"AGENT"', 'ignored')) AS v (kind, expected);
SELECT is(pg_temp.livekit(pg_temp.event('{"event": "room_started"}', participant => '{"kind": "EGRESS"}')), 'accepted', 'livekit, a room is one whoever is in it: accepted');

-- what an event has to have
SELECT is(pg_temp.livekit(pg_temp.event(changes, room, participant)), expected, format('livekit, %s: %s', concat_ws(', ', nullif(changes, '{}'), nullif(room, '{}'), participant), expected))
  FROM (VALUES ('{"event": "participant_left"}'::jsonb, '{}'::jsonb, '{}'::jsonb, 'accepted'), ('{"event": "room_finished"}', '{}', NULL, 'accepted'),
               ('{"id": null}', '{}', NULL, '22023'), ('{"id": ""}', '{}', NULL, '22023'), ('{"id": 1}', '{}', NULL, '22023'), ('{"id": ["EV_1"]}', '{}', NULL, '22023'),
               ('{"room": null}', '{}', NULL, '22023'), ('{"room": "room-1"}', '{}', NULL, '22023'), ('{"room": []}', '{}', NULL, '22023'), ('{"room": {}}', '{}', NULL, '22023'),
               ('{}', '{"sid": null}', NULL, '22023'), ('{}', '{"sid": ""}', NULL, '22023'), ('{}', '{"sid": 1}', NULL, '22023'),
               ('{}', '{"name": null}', NULL, '22023'), ('{}', '{"name": ""}', NULL, '22023'), ('{}', '{"name": {"a": 1}}', NULL, '22023'), ('{}', '{"name": " "}', NULL, 'accepted'),
               ('{}', '{"creationTime": null}', NULL, 'accepted'), ('{}', '{"numParticipants": 7, "metadata": "x"}', NULL, 'accepted'),
               ('{"event": "participant_joined"}', '{}', NULL, '22023'), ('{"event": "participant_left"}', '{}', NULL, '22023'),
               ('{"participant": "2-jane"}', '{}', '{}', '22023'), ('{"participant": []}', '{}', '{}', '22023'),
               ('{}', '{}', '{"sid": null}', '22023'), ('{}', '{}', '{"sid": ""}', '22023'), ('{}', '{}', '{"identity": null}', '22023'), ('{}', '{}', '{"identity": ""}', '22023'),
               ('{}', '{}', '{"identity": 2}', '22023'), ('{}', '{}', '{"joinedAt": null}', 'accepted'), ('{}', '{"name": null}', '{}', '22023'),
               ('{"participant": {}}', '{}', NULL, 'accepted')) AS v (changes, room, participant, expected);
SELECT is(pg_temp.livekit(pg_temp.event(CASE member WHEN 'id' THEN jsonb_build_object('id', name) ELSE '{}' END,
                                        CASE WHEN member LIKE 'room %' THEN jsonb_build_object(substr(member, 6), name) ELSE '{}' END,
                                        CASE WHEN member LIKE 'participant %' THEN jsonb_build_object(substr(member, 13), name) ELSE '{}' END)),
          expected, format('livekit, %s of %s characters, %s bytes: %s', member, length(name), octet_length(name), expected))
  FROM unnest('{id,room name,room sid,participant sid,participant identity}'::text[]) AS member,
       (VALUES (repeat('x', 512), 'accepted'), (repeat('x', 513), '22023'), (repeat('é', 256), 'accepted'), (repeat('é', 256) || 'x', '22023'), (repeat('x', 1000000), '22023')) AS v (name, expected);

-- times: it is 1772445600, and what is older than a day has been pruned
SELECT is(pg_temp.livekit(pg_temp.event(jsonb_build_object('createdAt', t))), expected, format('livekit, createdAt %s: %s', t, expected))
  FROM (VALUES ('"1772445600"'::jsonb, 'accepted'), ('"01772445600"', 'accepted'), ('"1772445601"', 'accepted'), ('"1772449200"', 'accepted'),
               ('"1772359200"', 'accepted'), ('"1772359199"', 'ignored'), ('"1"', 'ignored'), ('"0"', '22023'), ('"-1"', '22023'), ('"-1772445600"', '22023'),
               ('""', '22023'), ('" 1772445600"', '22023'), ('"1772445600 "', '22023'), ('"+1772445600"', '22023'), ('"1772445600.5"', '22023'), ('"1.7e9"', '22023'),
               ('"0x69A56060"', '22023'), ('"2026-03-02T10:00:00Z"', '22023'), ('"now"', '22023'), ('1772445600', '22023'), ('true', '22023'), ('["1772445600"]', '22023'),
               ('null', '22023'), ('"253402300799"', 'accepted'), ('"253402300800"', '22023'), ('"99999999999999"', '22023'), ('"999999999999999"', '22023'),
               ('"9223372036854775807"', '22023'), ('"9223372036854775808"', '22023'), ('"1000000000000000000000000000000"', '22023'), ('"17724456oo"', '22023'),
               ('"１７７２４４５６００"', '22023')) AS v (t, expected);
-- what becomes of them
CREATE FUNCTION pg_temp.deliver(body text) RETURNS text
LANGUAGE sql AS $$
    SELECT w.result FROM convert_to(body, 'UTF8') AS b, vidtoken.vidtoken_webhook('livekit', b, pg_temp.livekit_headers(b)) AS w
$$;
CREATE FUNCTION pg_temp.started(room jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    started text;
BEGIN
    IF pg_temp.deliver(pg_temp.event(room => room)) <> 'accepted' THEN
        RAISE EXCEPTION 'not accepted';
    END IF;
    SELECT coalesce(c.started_at::text, 'unknown') INTO STRICT started FROM vidtoken.vidtoken_call AS c;
    RAISE EXCEPTION SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    RETURN started;
END;
$$;
SELECT is(pg_temp.started(room), expected, format('livekit, a room with %s has begun at %s', room, expected))
  FROM (VALUES ('{"creationTime": "1772445599"}'::jsonb, '2026-03-02 09:59:59+00'), ('{"creationTimeMs": "1772445599123"}', '2026-03-02 09:59:59.123+00'),
               ('{"creationTime": "1772445599", "creationTimeMs": "0"}', '2026-03-02 09:59:59+00'), ('{"creationTime": "1772445599", "creationTimeMs": 1772445598123}', '2026-03-02 09:59:59+00'),
               ('{"creationTime": "253402300799"}', '9999-12-31 23:59:59+00'), ('{"creationTimeMs": "253402300799999"}', '9999-12-31 23:59:59.999+00'),
               ('{"creationTime": null}', 'unknown'), ('{"creationTime": "0"}', 'unknown'), ('{"creationTime": "-1"}', 'unknown'), ('{"creationTime": "x"}', 'unknown'),
               ('{"creationTime": 1772445599}', 'unknown'), ('{"creationTime": "253402300800"}', 'unknown'), ('{"creationTime": "99999999999999"}', 'unknown'),
               ('{"creationTimeMs": "999999999999999"}', 'unknown'), ('{"creationTime": "99999999999999999999"}', 'unknown')) AS v (room, expected);

-- rooms: one that nobody knows, and that of an appointment for which no token was issued yet
SELECT is(pg_temp.deliver(pg_temp.event(room => '{"name": "nobody knows"}')), 'accepted', 'livekit, a room that nobody knows: accepted');
SELECT is((SELECT string_agg(concat_ws(' | ', provider, room_name, room_sid, started_at), ', ') FROM vidtoken.vidtoken_call),
          'livekit | nobody knows | RM_1 | 2026-03-02 10:00:00+00', 'it is remembered by name');
SELECT is(pg_temp.deliver(pg_temp.event('{"id": "EV_2"}', '{"name": "nobody knows"}', '{"identity": "nobody"}')), 'accepted', 'and so is who is in it');
SET LOCAL vidtoken.provider = 'livekit';
SELECT room_name AS room FROM vidtoken.vidtoken_status(47) \gset
SELECT is(pg_temp.deliver(pg_temp.event('{"id": "EV_3"}', jsonb_build_object('name', :'room'))), 'accepted', 'livekit, a room before its first token: accepted');
SELECT is((SELECT room_status FROM vidtoken.vidtoken_status(47)), 'active', 'vidtoken_status finds it');
SELECT is(pg_temp.deliver(pg_temp.event(v.e, jsonb_build_object('name', :'room') || v.r, v.p)), 'accepted', format('livekit, at the end of time: event %s', v.e ->> 'id'))
  FROM (VALUES ('{"id": "EV_4", "createdAt": "253402300799"}'::jsonb, '{"creationTime": "253402300799"}'::jsonb, '{"joinedAtMs": "253402300799999"}'::jsonb),
               ('{"id": "EV_5", "createdAt": "253402300799", "event": "participant_left"}', '{}', '{"joinedAt": "1"}')) AS v (e, r, p);
SELECT is((SELECT count(*)::integer FROM vidtoken.vidtoken_status(47)), 1, 'vidtoken_status can show it');

--
-- Twilio
--

SET LOCAL vidtoken.public_url = 'https://clinic.example/hook';
-- an event of the setup's minute; a field of "changes" that is null is taken away
CREATE FUNCTION pg_temp.twilio(changes jsonb) RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.outcome('twilio', body, pg_temp.twilio_headers('https://clinic.example/hook', said))
      FROM pg_temp.twilio_form('{"RoomName": "room-1", "RoomSid": "RM1", "StatusCallbackEvent": "room-created", "Timestamp": "2026-03-02T10:00:00.000Z", "SequenceNumber": "0"}'
                               || changes)
$$;
CREATE FUNCTION pg_temp.twilio_json(body text) RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.outcome('twilio', b, pg_temp.twilio_headers('https://clinic.example/hook' || query), query)
      FROM convert_to(body, 'UTF8') AS b, concat('?bodySHA256=', encode(sha256(b), 'hex')) AS query
$$;
SELECT is(pg_temp.twilio(fields), expected, format('twilio, %s: %s', fields, expected))
  FROM (VALUES ('{}'::jsonb, 'accepted'), ('{"StatusCallbackEvent": "room-ended", "RoomDuration": "60"}', 'accepted'),
               ('{"StatusCallbackEvent": "participant-connected", "ParticipantSid": "PA1", "ParticipantIdentity": "2-jäne 😀"}', 'accepted'),
               ('{"StatusCallbackEvent": "participant-disconnected", "ParticipantSid": "PA1", "ParticipantIdentity": "2-jane", "ParticipantDuration": "5"}', 'accepted'),
               ('{"StatusCallbackEvent": "track-added"}', 'ignored'), ('{"StatusCallbackEvent": "track-disabled"}', 'ignored'), ('{"StatusCallbackEvent": "recording-started"}', 'ignored'),
               ('{"StatusCallbackEvent": "Room-Created"}', 'ignored'), ('{"StatusCallbackEvent": ""}', 'ignored'), ('{"StatusCallbackEvent": "room_started"}', 'ignored'),
               ('{"StatusCallbackEvent": "x", "RoomSid": null, "RoomName": null, "Timestamp": null}', 'ignored'),
               ('{"StatusCallbackEvent": null}', '22023'), ('{"RoomName": null}', '22023'), ('{"RoomName": ""}', '22023'), ('{"RoomSid": null}', '22023'), ('{"RoomSid": ""}', '22023'),
               ('{"Timestamp": null}', '22023'), ('{"StatusCallbackEvent": "participant-connected"}', '22023'),
               ('{"StatusCallbackEvent": "participant-connected", "ParticipantSid": "PA1"}', '22023'), ('{"StatusCallbackEvent": "participant-connected", "ParticipantIdentity": "a"}', '22023'),
               ('{"StatusCallbackEvent": "participant-disconnected", "ParticipantSid": "", "ParticipantIdentity": "a"}', '22023'),
               ('{"StatusCallbackEvent": ["room-created", "room-ended"]}', '22023'), ('{"RoomName": ["room-1", "room-2"]}', '22023'), ('{"Timestamp": ["2026-03-02T10:00:00Z", "2026-03-02T10:00:01Z"]}', '22023'),
               ('{"RoomName": ["room-1", "room-1"]}', 'accepted'), ('{"SequenceNumber": ["1", "2"]}', 'accepted'), ('{"SequenceNumber": null}', 'accepted'), ('{"SequenceNumber": "x"}', 'accepted'),
               ('{"roomname": "room-2"}', 'accepted')) AS v (fields, expected);
SELECT is(pg_temp.twilio(jsonb_build_object('Timestamp', t)), expected, format('twilio, Timestamp %s: %s', quote_literal(left(t, 42)), expected))
  FROM (VALUES ('2026-03-02T10:00:00Z', 'accepted'), ('2026-03-02T10:00:00.123456Z', 'accepted'), ('2026-03-02T10:00:00.1234567890123456789Z', 'accepted'),
               ('2026-03-02T11:00:00+01:00', 'accepted'), ('2026-03-02T00:00:00-10:00', 'accepted'), ('2026-03-01T10:00:00.000Z', 'accepted'),
               ('2026-03-01T09:59:59.999999Z', 'ignored'), ('2026-03-01T10:59:59.999+01:00', 'ignored'), ('2026-03-01T10:00:00+00:00', 'accepted'), ('2026-03-01T08:30:00-01:30', 'accepted'),
               ('2026-03-02T09:59:60Z', 'accepted'), ('2028-02-29T10:00:00Z', 'accepted'), ('0001-01-01T00:00:00Z', 'ignored'), ('9999-12-31T23:59:59.999Z', 'accepted'),
               ('9999-12-31T23:59:60.9-23:59', 'accepted'), ('0000-01-01T00:00:00Z', '22023'), ('10000-01-01T00:00:00Z', '22023'), ('2026-02-29T10:00:00Z', '22023'), ('2100-02-29T10:00:00Z', '22023'),
               ('2026-04-31T10:00:00Z', '22023'), ('2026-00-02T10:00:00Z', '22023'), ('2026-13-01T10:00:00Z', '22023'), ('2026-03-00T10:00:00Z', '22023'), ('2026-03-02T24:00:00Z', '22023'),
               ('2026-03-02T10:60:00Z', '22023'), ('2026-03-02T10:00:61Z', '22023'), ('2026-03-02T10:00:00+24:00', '22023'), ('2026-03-02T10:00:00+01:60', '22023'),
               ('2026-03-02T10:00:00', '22023'), ('2026-03-02T10:00:00.', '22023'), ('2026-03-02T10:00:00.Z', '22023'), ('2026-03-02T10:00:00,5Z', '22023'), ('2026-03-02T10:00Z', '22023'),
               ('2026-03-02 10:00:00Z', '22023'), ('2026-03-02t10:00:00z', '22023'), ('2026-03-02T10:00:00ZZ', '22023'), ('2026-03-02T10:00:00Z ', '22023'), (' 2026-03-02T10:00:00Z', '22023'),
               ('2026-3-2T10:00:00Z', '22023'), ('26-03-02T10:00:00Z', '22023'), ('-026-03-02T10:00:00Z', '22023'), ('+026-03-02T10:00:00Z', '22023'), ('2026-03-02T10:00:00+01', '22023'),
               ('2026-03-02T10:00:00+0100', '22023'), ('2026-03-02T10:00:00 Nowhere/Place', '22023'), ('2026-03-02T10:00:00 UTC', '22023'), ('02/03/2026 10:00:00', '22023'),
               ('2026-03-02', '22023'), ('2026-03-0', '22023'), ('2026', '22023'), ('infinity', '22023'), ('-infinity', '22023'), ('now', '22023'), ('epoch', '22023'), ('', '22023'), ('x', '22023'),
               ('1772445600', '22023'), ('Mon, 02 Mar 2026 10:00:00 +0000', '22023'), (repeat('2026-03-02 ', 1000), '22023'), (repeat('9', 100000), '22023')) AS v (t, expected);
SELECT is(pg_temp.twilio(jsonb_build_object('StatusCallbackEvent', 'participant-connected', 'ParticipantSid', 'PA1', 'ParticipantIdentity', 'a', field, name)), expected,
          format('twilio, %s of %s bytes: %s', field, octet_length(name), expected))
  FROM unnest('{RoomName,ParticipantIdentity}'::text[]) AS field,
       (VALUES (repeat('x', 512), 'accepted'), (repeat('x', 513), '22023'), (repeat('é', 256), 'accepted'), (repeat('é', 256) || 'x', '22023')) AS v (name, expected);
SELECT is(pg_temp.twilio(jsonb_build_object('RoomSid', repeat('x', n))), expected, format('twilio, RoomSid of %s bytes, which is part of an id: %s', n, expected))
  FROM (VALUES (400, 'accepted'), (512, '22023')) AS v (n, expected);
SELECT is(pg_temp.twilio_json(body), expected, format('twilio, JSON %s: %s', left(body, 60), expected))
  FROM (VALUES ('{"RoomName": "a", "RoomSid": "b", "StatusCallbackEvent": "room-created", "Timestamp": "2026-03-02T10:00:00Z"}', 'accepted'), ('{"StatusCallbackEvent": "track-added"}', 'ignored'),
               ('{"StatusCallbackEvent": "room-created"}', '22023'), ('{"StatusCallbackEvent": 1}', '22023'), ('{"StatusCallbackEvent": "room-created", "StatusCallbackEvent": "room-ended"}', '22023'),
               ('{"StatusCallbackEvent": "track-added", "n": 1e131071}', '22023'), ('{"StatusCallbackEvent": "track-added", "n": ' || repeat('[', 64) || repeat(']', 64) || '}', '22023'),
               ('{"StatusCallbackEvent": "track-added\u0000"}', '22023'), ('["StatusCallbackEvent"]', '22023'), ('', '22023'), ('null', '22023')) AS v (body, expected);

--
-- What is said of it
--

CREATE FUNCTION pg_temp.told() RETURNS SETOF text
LANGUAGE sql AS $$
    SELECT DISTINCT concat_ws(' | ', code, message, nullif(detail, ''), nullif(hint, '')) COLLATE "C" FROM said WHERE code <> '42501' ORDER BY 1
$$;
SELECT results_eq($$SELECT pg_temp.told()$$, $$VALUES
    ('22023 | webhook body is not an event of provider "livekit"'),
    ('22023 | webhook body is not an event of provider "twilio"'),
    ('PT413 | webhook body is too large | The limit is 1048576 bytes.')$$, 'nothing of a body is quoted');
SELECT is_empty($$SELECT DISTINCT context FROM said WHERE context ~ 'canary|room|jane|clinic\.example'$$, 'nor in the context');

SELECT * FROM finish();
SELECT pg_temp.forget_keys() AS ignored \gset
ROLLBACK;
