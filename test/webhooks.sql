-- test/webhooks.sql: deliveries of webhooks, for scripts that have begun with
-- test/setup.sql
--
-- Keys of both providers, which the keyring then has beside the setup's, and
-- functions that sign as these providers do.  HMAC is that of pgcrypto, because
-- PostgreSQL itself has no SHA-1.  The secrets are known to everyone.
--
-- Copyright (c) 2026, the vidtoken authors

CREATE SCHEMA crypto;
CREATE EXTENSION pgcrypto SCHEMA crypto;

CREATE FUNCTION pg_temp.base64(octets bytea) RETURNS text
LANGUAGE sql AS $$
    SELECT translate(encode(octets, 'base64'), E'\n', '')
$$;
CREATE FUNCTION pg_temp.base64url(octets bytea) RETURNS text
LANGUAGE sql AS $$
    SELECT translate(encode(octets, 'base64'), E'+/=\n', '-_')
$$;

--
-- Keys
--

\set livekit_secret 'canary secret of livekit webhooks, 1'
\set twilio_token 'canary0123456789abcdef0123456789'

-- a keyring of the setup's keys and more, at a path of its own
CREATE SEQUENCE pg_temp.ring_number;
CREATE TEMP TABLE setup_keys AS SELECT :'keyring_json'::jsonb -> 'keys' AS keys;
CREATE FUNCTION pg_temp.use_keys(VARIADIC jwks jsonb[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    path CONSTANT text := format('%s/vidtoken_webhook_keys_%s_%s.json', current_setting('data_directory'), pg_backend_pid(),
                                 nextval('pg_temp.ring_number'));
BEGIN
    EXECUTE format('COPY (SELECT %L) TO PROGRAM %L',
                   jsonb_build_object('keys', (SELECT jsonb_agg(k) FROM setup_keys AS s, jsonb_array_elements(s.keys || to_jsonb(jwks)) AS k)),
                   format('umask 077; rm -f %s; cat > %s',
                          quote_literal(regexp_replace(path, '_\d+\.json$', '')) || '_*.json', quote_literal(path)));
    PERFORM set_config('vidtoken.keyring', path, true);
END;
$$;
-- at the end of the script
CREATE FUNCTION pg_temp.forget_keys() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT 1) TO PROGRAM %L',
                   format('cat > /dev/null; rm -f %s_*.json', quote_literal(format('%s/vidtoken_webhook_keys_%s',
                          current_setting('data_directory'), pg_backend_pid()))));
END;
$$;
CREATE FUNCTION pg_temp.jwk(kid text, alg text, secret text, more jsonb DEFAULT '{"vidtoken_use": "webhook"}') RETURNS jsonb
LANGUAGE sql AS $$
    SELECT jsonb_build_object('kty', 'oct', 'kid', kid, 'alg', alg, 'k', pg_temp.base64url(secret::bytea)) || more
$$;

SELECT pg_temp.use_keys(pg_temp.jwk('hook', 'HS256', :'livekit_secret'), pg_temp.jwk('AC1', 'HS1', :'twilio_token')) AS ignored \gset

--
-- Signatures
--

-- What LiveKit puts into the header Authorization: a token whose claims go by
-- the body and the setup's clock, with changes; NULL takes a claim away.
CREATE FUNCTION pg_temp.claims(body bytea, changes jsonb DEFAULT '{}') RETURNS text
LANGUAGE sql AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
               'iss', 'APItest', 'iat', t, 'nbf', t, 'exp', t + 300, 'sha256', pg_temp.base64(sha256(body))) || changes)::text
      FROM CAST(floor(extract(epoch FROM current_setting('vidtoken.test_clock')::timestamptz)) AS bigint) AS t
$$;
CREATE FUNCTION pg_temp.token(claims text, header text DEFAULT '{"alg":"HS256","typ":"JWT"}', name text DEFAULT 'sha256',
                              secret text DEFAULT 'canary secret of livekit webhooks, 1') RETURNS text
LANGUAGE sql AS $$
    SELECT input || '.' || pg_temp.base64url(crypto.hmac(input::bytea, secret::bytea, name))
      FROM concat(pg_temp.base64url(convert_to(header, 'UTF8')), '.', pg_temp.base64url(convert_to(claims, 'UTF8'))) AS input
$$;
CREATE FUNCTION pg_temp.livekit_headers(body bytea, changes jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS $$
    SELECT jsonb_build_object('Authorization', pg_temp.token(pg_temp.claims(body, changes)))
$$;

-- What Twilio puts into the header X-Twilio-Signature: an HMAC of the address
-- and what it says of the form.
CREATE FUNCTION pg_temp.twilio_headers(address text, said text DEFAULT '') RETURNS jsonb
LANGUAGE sql AS $$
    SELECT jsonb_build_object('X-Twilio-Signature', pg_temp.base64(crypto.hmac(convert_to(address || said, 'UTF8'),
                                                                              'canary0123456789abcdef0123456789', 'sha1')))
$$;

-- A form of these fields, each byte escaped, and what Twilio says of it; a value
-- that is a list is one field for each element.
CREATE FUNCTION pg_temp.twilio_form(fields jsonb, OUT body bytea, OUT said text)
LANGUAGE sql AS $$
    WITH pairs AS (
        SELECT f.key, v.value
          FROM jsonb_each(jsonb_strip_nulls(fields)) AS f,
               jsonb_array_elements_text(CASE jsonb_typeof(f.value) WHEN 'array' THEN f.value ELSE jsonb_build_array(f.value) END) AS v (value)
    )
    SELECT convert_to(string_agg(key || '=' || regexp_replace(encode(convert_to(value, 'UTF8'), 'hex'), '..', '%\&', 'g'), '&'), 'UTF8'),
           (SELECT string_agg(key || value, '' ORDER BY key COLLATE "C", value COLLATE "C") FROM (SELECT DISTINCT * FROM pairs) AS p)
      FROM pairs
$$;

--
-- Deliveries
--

CREATE TYPE pg_temp.delivery AS (provider text, body bytea, headers jsonb, url text);
CREATE FUNCTION pg_temp.deliver(d pg_temp.delivery) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT result FROM vidtoken.vidtoken_webhook(d.provider, d.body, d.headers, d.url));
END;
$$;

-- so many minutes after the start of the appointments, whatever the clock says
CREATE FUNCTION pg_temp.minute(minutes numeric) RETURNS timestamptz
LANGUAGE sql AS $$SELECT timestamptz '2026-03-02 10:00+00' + minutes * interval '1 minute'$$;

-- An event in the words of a provider: kind is started, ended, joined or left;
-- run is the room's id at the provider, stay the participant's.  LiveKit's token is
-- good for days of the stopped clock.
CREATE FUNCTION pg_temp.event(provider text, kind text, room text, run text, run_started timestamptz, at timestamptz,
                              stay text DEFAULT NULL, identity text DEFAULT NULL, joined timestamptz DEFAULT NULL)
RETURNS pg_temp.delivery LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    seconds CONSTANT text := extract(epoch FROM at)::bigint;
    body bytea;
    said text;
BEGIN
    IF provider = 'livekit' THEN
        body := convert_to(json_strip_nulls(json_build_object(
            'event', CASE kind WHEN 'started' THEN 'room_started' WHEN 'ended' THEN 'room_finished' ELSE 'participant_' || kind END,
            'room', json_build_object('sid', run, 'name', room, 'emptyTimeout', 5400, 'creationTime', extract(epoch FROM run_started)::bigint::text,
                                      'creationTimeMs', (extract(epoch FROM run_started) * 1000)::bigint::text, 'numParticipants', 7),
            'participant', CASE WHEN stay IS NOT NULL THEN json_build_object('sid', stay, 'identity', identity, 'state', 'ACTIVE',
                'joinedAt', extract(epoch FROM joined)::bigint::text, 'permission', json_build_object('canSubscribe', true)) END,
            'id', format('EV_%s_%s_%s_%s', run, kind, stay, seconds),
            'createdAt', seconds))::text, 'UTF8');
        RETURN (provider, body, pg_temp.livekit_headers(body, '{"nbf": null, "exp": 1772582400}'), NULL::text);
    END IF;
    SELECT f.* INTO body, said FROM pg_temp.twilio_form(jsonb_build_object(
        'StatusCallbackEvent', CASE kind WHEN 'started' THEN 'room-created' WHEN 'ended' THEN 'room-ended'
                                         WHEN 'joined' THEN 'participant-connected' ELSE 'participant-disconnected' END,
        'AccountSid', 'ACtest', 'RoomName', room, 'RoomSid', run, 'RoomStatus', CASE kind WHEN 'ended' THEN 'completed' ELSE 'in-progress' END,
        'Timestamp', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'SequenceNumber', 0,
        'ParticipantSid', stay, 'ParticipantIdentity', identity)) AS f;
    RETURN (provider, body, pg_temp.twilio_headers('https://clinic.example/hook', said), text 'https://clinic.example/hook');
END;
$$;

-- What becomes of a delivery, which is taken back: the result, or the SQLSTATE
-- of a refusal, whose words go to "said".  Only what is accepted may write.
CREATE TEMP TABLE said (code text, message text, detail text, hint text, context text);
CREATE FUNCTION pg_temp.ledger() RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    counts text;
    n bigint;
    t text;
BEGIN
    FOR t IN SELECT c.relname FROM pg_catalog.pg_class AS c
              WHERE c.relnamespace = 'vidtoken'::regnamespace AND c.relkind = 'r' ORDER BY c.relname COLLATE "C" LOOP
        EXECUTE format('SELECT count(*) FROM vidtoken.%I', t) INTO n;
        counts := concat_ws(' ', counts, t, n);
    END LOOP;
    RETURN counts;
END;
$$;
CREATE FUNCTION pg_temp.outcome(provider text, body bytea, headers jsonb, url text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    before CONSTANT text := pg_temp.ledger();
    after text;
    answer text;
    message text; detail text; hint text; context text;
BEGIN
    BEGIN
        SELECT w.result INTO STRICT answer FROM vidtoken.vidtoken_webhook(provider, body, headers, url) AS w;
        after := pg_temp.ledger();
        RAISE EXCEPTION SQLSTATE 'UNDO0';
    EXCEPTION
        WHEN SQLSTATE 'UNDO0' THEN
            IF (answer = 'accepted') = (before = after) THEN
                answer := format('%s, and the ledger has %s', answer, after);
            END IF;
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS answer = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
                hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
            INSERT INTO said VALUES (answer, message, detail, hint, context);
    END;
    RETURN answer;
END;
$$;
