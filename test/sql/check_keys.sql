\unset ECHO
\i test/setup.sql

-- test/sql/check_keys.sql: what vidtoken_check tells of keys
--
-- A keyring with a key of every kind that deserves a word, and beside each
-- word a key or a moment that does not deserve it.

SELECT current_setting('data_directory') || '/vidtoken_check_keys.json' AS ring \gset
CREATE FUNCTION pg_temp.jwk(kid text, secret text, more text DEFAULT '', alg text DEFAULT 'HS256') RETURNS text
LANGUAGE sql AS $$
    SELECT format('{"kty": "oct", "kid": %s, "alg": %s, "k": %s%s}', to_json(kid), to_json(alg),
                  to_json(translate(encode(secret::bytea, 'base64'), E'+/=\n', '-_')), more)
$$;
-- the public key of RFC 8037, appendix A.2
CREATE FUNCTION pg_temp.public_jwk(kid text) RETURNS text
LANGUAGE sql AS $$
    SELECT format('{"kty": "OKP", "crv": "Ed25519", "kid": %s, "alg": "EdDSA", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}', to_json(kid))
$$;
SELECT format('COPY (SELECT %L) TO PROGRAM %L',
              format('{"keys": [%s]}', concat_ws(',',
                  pg_temp.jwk('SKtest', 'the secret of the key that signs here'),
                  pg_temp.jwk('SKnext', 'the secret of the key that signs next'),
                  pg_temp.jwk('SKtwin', 'the secret of the key that signs here'),
                  pg_temp.jwk('SKweak', repeat('password', 4)),
                  pg_temp.jwk('SKhook', 'the secret of webhooks, for another use', ', "vidtoken_use": "webhook"'),
                  pg_temp.jwk('SKother', 'the secret of a key of another provider', ', "provider": "livekit"'),
                  pg_temp.jwk('SKlong', repeat('a secret of more bytes for HS512 ', 2), '', 'HS512'),
                  pg_temp.jwk('SKread', 'the secret of somebody who signs for us', ', "key_ops": ["verify"]'),
                  pg_temp.public_jwk('public'),
                  pg_temp.jwk('name-test', 'the secret of the key of room names', ', "vidtoken_use": "name"'))),
              format('umask 077; cat > %s', quote_literal(:'ring'))) AS write_keyring \gset
:write_keyring;
SET LOCAL vidtoken.keyring = :'ring';

CREATE TEMP VIEW told AS
SELECT status, message, hint FROM vidtoken.vidtoken_check() WHERE item = 'key';
-- messages about one key, in their order
CREATE FUNCTION pg_temp.told(kid text) RETURNS text[]
LANGUAGE sql AS $$
    SELECT array_agg(status || ' ' || substr(message, length(kid) + 3)) FROM told WHERE message LIKE kid || ': %'
$$;

SELECT plan(34);

SELECT is((SELECT message FROM vidtoken.vidtoken_check() WHERE item = 'keyring'), '10 keys in ' || :'ring', 'the keyring is read');
SELECT is(pg_temp.told('SKtest'), ARRAY['ok HS256, token'], 'the key that signs: nothing but what it is');
SELECT is(pg_temp.told('name-test'), ARRAY['ok HS256, name'], 'nor of the name key');
SELECT is(pg_temp.told('SKhook'), ARRAY['ok HS256, webhook'], 'nor of a webhook''s');

-- usable by the provider
SELECT is(pg_temp.told('SKother'), ARRAY['ok HS256, token for livekit, not for provider twilio'], 'a key of another provider');
SELECT is(pg_temp.told('SKlong'), ARRAY['ok HS512, token, not for provider twilio'], 'a key whose alg the provider does not take');
SELECT is(pg_temp.told('SKread'), ARRAY['ok HS256, token, verifies only'], 'a key whose key_ops does not hold sign');
SELECT is(pg_temp.told('public'), ARRAY['ok EdDSA, token, verifies only'], 'a public key');
SET LOCAL vidtoken.provider = 'livekit';
SELECT is(pg_temp.told('SKother'), ARRAY['ok HS256, token for livekit', 'warning it does not sign and no session was signed with it'], 'the provider that the key is for');
SELECT is(pg_temp.told('SKlong'), ARRAY['ok HS512, token, not for provider livekit'], 'livekit takes no HS512');
SET LOCAL vidtoken.provider = 'jwt';
SELECT is(pg_temp.told('SKlong'), ARRAY['ok HS512, token', 'warning it does not sign and no session was signed with it'], 'jwt does');
SET LOCAL vidtoken.provider = 'twilio';

-- weak
SELECT is(pg_temp.told('SKweak'), ARRAY['ok HS256, token', 'warning its secret repeats itself and may be guessed',
          'warning it does not sign and no session was signed with it'], 'a word written over and over is no secret');
SELECT is((SELECT count(*)::integer FROM told WHERE message ~ 'guessed'), 1, 'no other key is called weak');

-- duplicates
SELECT is(pg_temp.told('SKtwin'), ARRAY['ok HS256, token', 'warning it is the same key as SKtest',
          'warning it does not sign and no session was signed with it'], 'the same secret under another kid');
SELECT is((SELECT count(*)::integer FROM told WHERE message ~ 'same key'), 1, 'no other key is called a duplicate');

-- unused, needed, and needed by nobody
SELECT is(pg_temp.told('SKnext'), ARRAY['ok HS256, token', 'warning it does not sign and no session was signed with it'], 'a key that has signed nothing');
SELECT count(*) AS ignored FROM vidtoken.vidtoken_issue(47, 2) \gset
SELECT count(*) AS ignored FROM vidtoken.vidtoken_issue(30, 2) \gset
SELECT is(pg_temp.told('SKtest'), ARRAY['ok HS256, token'], 'tokens of the key that signs are its business');
SET LOCAL vidtoken.key_id = 'SKnext';
SELECT is(pg_temp.told('SKnext'), ARRAY['ok HS256, token'], 'a key that has begun to sign is not unused');
SELECT is(pg_temp.told('SKtest'), ARRAY['ok HS256, token', 'ok needed until 2026-03-02 11:30:00+00 (sessions: 2)'], 'the one before it is needed');
SELECT pg_temp.clock(60) AS ignored \gset
SELECT is(pg_temp.told('SKtest'), ARRAY['ok HS256, token', 'ok needed until 2026-03-02 11:30:00+00 (sessions: 1)'], 'for fewer and fewer');
SELECT count(*) AS ignored FROM vidtoken.vidtoken_refresh(47, 2) \gset
SELECT is(pg_temp.told('SKtest'), ARRAY['ok HS256, token', 'ok needed until 2026-03-02 11:30:00+00 (sessions: 1)'],
          'also when the session has a token of the next key: the one before lives on');
SELECT pg_temp.clock(89.9) AS ignored \gset
SELECT count(*) AS ignored FROM vidtoken.vidtoken_refresh(47, 2) \gset
SELECT is(pg_temp.told('SKtest'), ARRAY['ok HS256, token', 'ok needed until 2026-03-02 11:30:00+00 (sessions: 1)'], 'however many tokens follow');
SELECT pg_temp.clock(90) AS ignored \gset
SELECT is(pg_temp.told('SKtest'), ARRAY['ok HS256, token', 'warning its last token has expired, nobody needs it'], 'and then for nobody');
SELECT matches((SELECT hint FROM told WHERE message ~ 'nobody needs it'), 'Remove it with vidtoken-keyring', 'the hint says what to do');
SELECT is(pg_temp.told('SKnext'), ARRAY['ok HS256, token'], 'the key that signs is not judged by it');

-- two rotations within a token's life, and an appointment that was moved
SELECT pg_temp.clock(0) AS ignored \gset
SET LOCAL vidtoken.key_id = 'SKtest';
SELECT count(*) AS ignored FROM vidtoken.vidtoken_issue(120, 2) \gset
SET LOCAL vidtoken.key_id = 'SKnext';
SELECT pg_temp.clock(1) AS ignored \gset
SELECT count(*) AS ignored FROM vidtoken.vidtoken_issue(120, 2) \gset
SET LOCAL vidtoken.key_id = 'SKtwin';
SELECT pg_temp.clock(2) AS ignored \gset
SELECT count(*) AS ignored FROM vidtoken.vidtoken_issue(120, 2) \gset
SELECT is((pg_temp.told('SKtest'))[2], 'ok needed until 2026-03-02 12:31:00+00 (sessions: 3)', 'of two keys that went one after the other the first is needed');
SELECT is((pg_temp.told('SKnext'))[2], 'ok needed until 2026-03-02 12:59:54+00 (sessions: 2)', 'and so is the second, for two appointments');
SET LOCAL vidtoken.key_id = 'SKweak';
SELECT count(*) AS ignored FROM vidtoken.vidtoken_issue(300, 2) \gset
UPDATE clinic.appointments SET starts_at = starts_at - interval '4 hours' WHERE id = 300;
SELECT expires_at AS shorter FROM vidtoken.vidtoken_issue(300, 2) \gset
SELECT is(:'shorter'::timestamptz, '2026-03-02 13:00+00', 'a token of a moved appointment expires before the one that it follows');
SET LOCAL vidtoken.key_id = 'SKtest';
SELECT is((pg_temp.told('SKweak'))[3], 'ok needed until 2026-03-02 14:02:00+00 (sessions: 2)', 'and the key is needed for that one; for the other it is counted, because the names of two keys were lost');
SET LOCAL vidtoken.key_id = 'SKnext';
SELECT pg_temp.clock(300) AS ignored \gset

SET LOCAL vidtoken.record_sessions = off;
SELECT is(pg_temp.told('SKtest'), ARRAY['ok HS256, token'], 'without a ledger nothing is said of it');
SET LOCAL vidtoken.record_sessions = required;
CREATE ROLE vidtoken_test_dba;
GRANT USAGE ON SCHEMA vidtoken TO vidtoken_test_dba;
GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_check() TO vidtoken_test_dba;
GRANT SELECT ON told TO vidtoken_test_dba;
SET LOCAL ROLE vidtoken_test_dba;
SELECT is((SELECT count(*)::integer FROM vidtoken.vidtoken_check() WHERE message ~ '^SKtest: .*nobody needs it'), 1, 'it needs no right on the ledger');
RESET ROLE;

-- never a key
SELECT is_empty($$SELECT message FROM vidtoken.vidtoken_check() WHERE message ~ 'secret of|password|11qYAYKx' OR hint ~ 'secret of|password|11qYAYKx'$$, 'no row shows a key');
SELECT is_empty($$SELECT message FROM vidtoken.vidtoken_check() WHERE message ~ 'dGhlIHNlY3JldCBv|cGFzc3dvcmRw'$$, 'nor one in base64url');
SELECT is((SELECT count(*)::integer FROM told WHERE status = 'error'), 0, 'and none of it keeps tokens from being issued');

SELECT * FROM finish();
SELECT format('COPY (SELECT 1) TO PROGRAM %L', format('cat > /dev/null; rm -f %s', quote_literal(:'ring'))) AS remove \gset
:remove;
ROLLBACK;
