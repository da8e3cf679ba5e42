-- test/webhooks.sql: what scripts on webhooks have after test/setup.sql
--
-- A keyring that also has the webhook keys of livekit and twilio, and
-- functions that sign as these providers do.  HMAC-SHA1, which the core of
-- PostgreSQL does not have, is pgcrypto's.

\set webhook_keys '{"kty": "oct", "kid": "hook-livekit", "alg": "HS256", "vidtoken_use": "webhook", "provider": "livekit", "k": "dGVzdCBzZWNyZXQgb2YgbGl2ZWtpdCdzIHdlYmhvb2tz"}, {"kty": "oct", "kid": "hook-twilio", "alg": "HS1", "vidtoken_use": "webhook", "provider": "twilio", "k": "dGVzdCBzZWNyZXQgb2YgdHdpbGlvLCAzMiBieXRlcy4"}'
SELECT format('COPY (SELECT %L) TO PROGRAM %L',
              regexp_replace(:'keyring_json', '\]\s*\}\s*$', ', ' || :'webhook_keys' || ']}'),
              format('umask 077; cat > %s', quote_literal(:'keyring' || '.webhooks'))) AS write_keyring \gset
:write_keyring;
SELECT :'keyring' || '.webhooks' AS keyring \gset
SET LOCAL vidtoken.keyring = :'keyring';
CREATE SCHEMA crypto;
CREATE EXTENSION pgcrypto SCHEMA crypto;

CREATE TYPE pg_temp.delivery AS (provider text, body bytea, headers jsonb, url text);

-- a webhook of LiveKit: the JWT is good for a day of the stopped clock
CREATE FUNCTION pg_temp.livekit(event text, secret text DEFAULT 'test secret of livekit''s webhooks')
RETURNS pg_temp.delivery LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    body bytea := convert_to(event, 'UTF8');
    part text;
    input text := '';
BEGIN
    FOREACH part IN ARRAY ARRAY['{"alg": "HS256"}',
        format('{"iss": "APItest", "nbf": %s, "exp": %s, "sha256": "%s"}',
               extract(epoch FROM timestamptz '2026-03-02 00:00+00')::bigint, extract(epoch FROM timestamptz '2026-03-04 00:00+00')::bigint,
               encode(sha256(body), 'base64'))]
    LOOP
        input := input || CASE input WHEN '' THEN '' ELSE '.' END
                 || translate(encode(convert_to(part, 'UTF8'), 'base64'), E'+/=\n', '-_');
    END LOOP;
    RETURN ('livekit'::text, body, jsonb_build_object('Authorization', input || '.' || translate(encode(
                crypto.hmac(convert_to(input, 'UTF8'), convert_to(secret, 'UTF8'), 'sha256'), 'base64'), E'+/=\n', '-_')), NULL::text);
END;
$$;

-- bytes as a form spells them
CREATE FUNCTION pg_temp.urlencoded(value text) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(string_agg(CASE WHEN c ~ '^[A-Za-z0-9.*_-]$' THEN c WHEN c = ' ' THEN '+'
                                    ELSE upper(regexp_replace(encode(convert_to(c, 'UTF8'), 'hex'), '(..)', '%\1', 'g')) END, '' ORDER BY n), '')
      FROM regexp_split_to_table(value, '') WITH ORDINALITY AS u(c, n) WHERE c <> ''
$$;

-- a webhook of Twilio: members of the object are the fields of the form
CREATE FUNCTION pg_temp.twilio(fields jsonb, secret text DEFAULT 'test secret of twilio, 32 bytes.')
RETURNS pg_temp.delivery LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT ('twilio',
            convert_to(string_agg(pg_temp.urlencoded(key) || '=' || pg_temp.urlencoded(value), '&'), 'UTF8'),
            json_build_object('X-Twilio-Signature', encode(crypto.hmac(
                convert_to('https://clinic.example/hook' || string_agg(key || value, '' ORDER BY key COLLATE "C"), 'UTF8'),
                convert_to(secret, 'UTF8'), 'sha1'), 'base64')),
            'https://clinic.example/hook')::pg_temp.delivery
      FROM jsonb_each_text(fields)
$$;

CREATE FUNCTION pg_temp.deliver(d pg_temp.delivery) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT result FROM vidtoken.vidtoken_webhook(d.provider, d.body, d.headers, d.url));
END;
$$;

-- An event in the words of a provider: kind is started, ended, joined or left;
-- run is the room's id at the provider, stay the participant's.
CREATE FUNCTION pg_temp.event(provider text, kind text, room text, run text, run_started timestamptz, at timestamptz,
                              stay text DEFAULT NULL, identity text DEFAULT NULL, joined timestamptz DEFAULT NULL)
RETURNS pg_temp.delivery LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    seconds CONSTANT text := extract(epoch FROM at)::bigint;
BEGIN
    IF provider = 'livekit' THEN
        RETURN pg_temp.livekit(json_strip_nulls(json_build_object(
            'event', CASE kind WHEN 'started' THEN 'room_started' WHEN 'ended' THEN 'room_finished' ELSE 'participant_' || kind END,
            'room', json_build_object('sid', run, 'name', room, 'emptyTimeout', 5400, 'creationTime', extract(epoch FROM run_started)::bigint::text,
                                      'numParticipants', 7),
            'participant', CASE WHEN stay IS NOT NULL THEN json_build_object('sid', stay, 'identity', identity, 'state', 'ACTIVE',
                'joinedAt', extract(epoch FROM joined)::bigint::text, 'permission', json_build_object('canSubscribe', true)) END,
            'id', format('EV_%s_%s_%s_%s', run, kind, stay, seconds),
            'createdAt', seconds))::text);
    END IF;
    RETURN pg_temp.twilio(jsonb_strip_nulls(jsonb_build_object(
        'StatusCallbackEvent', CASE kind WHEN 'started' THEN 'room-created' WHEN 'ended' THEN 'room-ended'
                                         WHEN 'joined' THEN 'participant-connected' ELSE 'participant-disconnected' END,
        'AccountSid', 'ACtest', 'RoomName', room, 'RoomSid', run, 'RoomStatus', CASE kind WHEN 'ended' THEN 'completed' ELSE 'in-progress' END,
        'Timestamp', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'SequenceNumber', 0,
        'ParticipantSid', stay, 'ParticipantIdentity', identity)));
END;
$$;
