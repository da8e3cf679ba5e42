-- test/webhook_keys.sql: deliveries of webhooks, for scripts that have begun with
-- test/setup.sql
--
-- Keys and signatures are made in SQL: HMAC (RFC 2104) of PostgreSQL's own
-- SHA-256 and SHA-512, and of a SHA-1 that is here (RFC 3174), because the
-- server offers none.  The secrets are known to everyone.
--
-- Copyright (c) 2026, the vidtoken authors

CREATE FUNCTION pg_temp.base64(octets bytea) RETURNS text
LANGUAGE sql AS $$
    SELECT translate(encode(octets, 'base64'), E'\n', '')
$$;
CREATE FUNCTION pg_temp.base64url(octets bytea) RETURNS text
LANGUAGE sql AS $$
    SELECT translate(encode(octets, 'base64'), E'+/=\n', '-_')
$$;

CREATE FUNCTION pg_temp.sha1(message bytea) RETURNS bytea
LANGUAGE plpgsql AS $$
DECLARE
    full_word CONSTANT bigint := 4294967295;
    padded CONSTANT bytea := message || '\x80'::bytea || decode(repeat('00', (119 - length(message) % 64) % 64), 'hex')
                             || int8send(length(message)::bigint * 8);
    h bigint[] := '{1732584193,4023233417,2562383102,271733878,3285377520}';
    a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint;
    w bigint[];
BEGIN
    FOR block IN 0 .. length(padded) / 64 - 1 LOOP
        a := h[1]; b := h[2]; c := h[3]; d := h[4]; e := h[5];
        FOR t IN 0 .. 79 LOOP
            IF t < 16 THEN
                f := block * 64 + t * 4;
                w[t] := (get_byte(padded, f::integer)::bigint << 24) | (get_byte(padded, f::integer + 1) << 16)
                        | (get_byte(padded, f::integer + 2) << 8) | get_byte(padded, f::integer + 3);
            ELSE
                f := w[t - 3] # w[t - 8] # w[t - 14] # w[t - 16];
                w[t] := ((f << 1) | (f >> 31)) & full_word;
            END IF;
            IF t < 20 THEN
                f := (b & c) | ((b # full_word) & d); k := 1518500249;
            ELSIF t < 40 THEN
                f := b # c # d; k := 1859775393;
            ELSIF t < 60 THEN
                f := (b & c) | (b & d) | (c & d); k := 2400959708;
            ELSE
                f := b # c # d; k := 3395469782;
            END IF;
            f := ((((a << 5) | (a >> 27)) & full_word) + f + e + k + w[t]) & full_word;
            e := d; d := c; c := ((b << 30) | (b >> 2)) & full_word; b := a; a := f;
        END LOOP;
        h := ARRAY[(h[1] + a) & full_word, (h[2] + b) & full_word, (h[3] + c) & full_word, (h[4] + d) & full_word, (h[5] + e) & full_word];
    END LOOP;
    RETURN (SELECT decode(string_agg(lpad(to_hex(word), 8, '0'), '' ORDER BY i), 'hex') FROM unnest(h) WITH ORDINALITY AS u (word, i));
END;
$$;

CREATE FUNCTION pg_temp.digest(name text, message bytea) RETURNS bytea
LANGUAGE sql AS $$
    SELECT CASE name WHEN 'sha1' THEN pg_temp.sha1(message) WHEN 'sha256' THEN sha256(message) WHEN 'sha384' THEN sha384(message)
                     WHEN 'sha512' THEN sha512(message) END
$$;
-- for keys that are no longer than a block
CREATE FUNCTION pg_temp.hmac(name text, key bytea, message bytea) RETURNS bytea
LANGUAGE plpgsql AS $$
DECLARE
    size CONSTANT integer := CASE WHEN name IN ('sha384', 'sha512') THEN 128 ELSE 64 END;
    inner_pad bytea := decode(repeat('36', size), 'hex');
    outer_pad bytea := decode(repeat('5c', size), 'hex');
BEGIN
    FOR i IN 0 .. length(key) - 1 LOOP
        inner_pad := set_byte(inner_pad, i, 54 # get_byte(key, i));
        outer_pad := set_byte(outer_pad, i, 92 # get_byte(key, i));
    END LOOP;
    RETURN pg_temp.digest(name, outer_pad || pg_temp.digest(name, inner_pad || message));
END;
$$;

-- a keyring of the setup's keys and more, at a path of its own
CREATE SEQUENCE pg_temp.ring_number;
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
CREATE TEMP TABLE setup_keys AS SELECT :'keyring_json'::jsonb -> 'keys' AS keys;
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

-- What LiveKit puts into the header Authorization: a token whose claims go by
-- the body and the setup's clock, with changes; NULL takes a claim away.
\set livekit_secret 'canary secret of livekit webhooks, 1'
CREATE FUNCTION pg_temp.claims(body bytea, changes jsonb DEFAULT '{}') RETURNS text
LANGUAGE sql AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
               'iss', 'APItest', 'iat', t, 'nbf', t, 'exp', t + 300, 'sha256', pg_temp.base64(sha256(body))) || changes)::text
      FROM CAST(floor(extract(epoch FROM current_setting('vidtoken.test_clock')::timestamptz)) AS bigint) AS t
$$;
CREATE FUNCTION pg_temp.token(claims text, header text DEFAULT '{"alg":"HS256","typ":"JWT"}', name text DEFAULT 'sha256',
                              secret text DEFAULT 'canary secret of livekit webhooks, 1') RETURNS text
LANGUAGE sql AS $$
    SELECT input || '.' || pg_temp.base64url(pg_temp.hmac(name, secret::bytea, input::bytea))
      FROM concat(pg_temp.base64url(convert_to(header, 'UTF8')), '.', pg_temp.base64url(convert_to(claims, 'UTF8'))) AS input
$$;
CREATE FUNCTION pg_temp.livekit_headers(body bytea) RETURNS jsonb
LANGUAGE sql AS $$
    SELECT jsonb_build_object('Authorization', pg_temp.token(pg_temp.claims(body)))
$$;

-- What Twilio puts into the header X-Twilio-Signature: an HMAC of the address
-- and what it says of the form.
\set twilio_token 'canary0123456789abcdef0123456789'
CREATE FUNCTION pg_temp.twilio_headers(address text, said text DEFAULT '') RETURNS jsonb
LANGUAGE sql AS $$
    SELECT jsonb_build_object('X-Twilio-Signature', pg_temp.base64(pg_temp.hmac('sha1', 'canary0123456789abcdef0123456789',
                                                                               convert_to(address || said, 'UTF8'))))
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
