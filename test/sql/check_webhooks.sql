\unset ECHO
\i test/setup.sql
\i test/webhooks.sql

-- test/sql/check_webhooks.sql: what vidtoken_check tells of webhooks
--
-- Promise: who takes none in is not warned; a key that can verify nothing is
-- told, as is an address that Twilio signs and nobody has set.  A webhook key
-- does nothing but verify webhooks.

SELECT plan(27);

-- item webhooks, in its order
CREATE FUNCTION pg_temp.told() RETURNS text[]
LANGUAGE sql AS $$
    SELECT array_agg(status || ' ' || message) FROM vidtoken.vidtoken_check() WHERE item = 'webhooks'
$$;
CREATE FUNCTION pg_temp.hints() RETURNS text
LANGUAGE sql AS $$
    SELECT string_agg(hint, ' ') FROM vidtoken.vidtoken_check() WHERE item = 'webhooks'
$$;

SELECT pg_temp.use_keys(VARIADIC '{}') AS ignored \gset
SELECT is(pg_temp.told(), ARRAY['ok none of provider twilio are taken in, the keyring has no key for them'], 'no webhooks are no mistake');
SELECT matches(pg_temp.hints(), 'vidtoken-keyring add --use webhook, alg HS1', 'the hint says how to take them in');
SET LOCAL vidtoken.provider = 'livekit';
SELECT is(pg_temp.told(), ARRAY['ok none of provider livekit are taken in, the keyring has no key for them'], 'nor with livekit');
SELECT matches(pg_temp.hints(), 'alg HS256', 'which signs with another algorithm');
SET LOCAL vidtoken.provider = 'jwt';
SELECT is(pg_temp.told(), ARRAY['ok none of provider jwt are taken in'], 'provider jwt sends none');
SELECT is(pg_temp.hints(), NULL, 'whatever the keys');
SET LOCAL vidtoken.provider = 'twilio';

-- the address that Twilio signs
SELECT pg_temp.use_keys(pg_temp.jwk('AC1', 'HS1', :'twilio_token', '{"vidtoken_use": "webhook", "provider": "twilio"}')) AS ignored \gset
SELECT is(pg_temp.told(), ARRAY['ok those of provider twilio are verified with AC1', 'warning the address that provider twilio signs is not known'],
          'a key without the address');
SELECT matches(pg_temp.hints(), 'vidtoken\.public_url', 'the hint names the setting');
SET LOCAL vidtoken.public_url = 'https://clinic.example/hook';
SELECT is(pg_temp.told(), ARRAY['ok those of provider twilio are verified with AC1'], 'a key and the address');
SET LOCAL vidtoken.public_url = '';
SET LOCAL vidtoken.provider = 'livekit';
SELECT is(pg_temp.told(), ARRAY['ok none of provider livekit are taken in, the keyring has no key for them'], 'twilio''s key is not livekit''s, and no warning');
SELECT pg_temp.use_keys(pg_temp.jwk('hook', 'HS256', :'livekit_secret')) AS ignored \gset
SELECT is(pg_temp.told(), ARRAY['ok those of provider livekit are verified with hook'], 'livekit signs no address');

-- two keys, while a secret is rotated
SELECT pg_temp.use_keys(pg_temp.jwk('old', 'HS256', :'livekit_secret'), pg_temp.jwk('new', 'HS256', 'canary secret of livekit webhooks, 2')) AS ignored \gset
SELECT is(pg_temp.told(), ARRAY['ok those of provider livekit are verified with old, new'], 'every key that may be the one is named');

-- keys that verify nothing
SELECT pg_temp.use_keys(pg_temp.jwk('long', 'HS512', repeat('canary of 64 bytes ', 4))) AS ignored \gset
SELECT is(pg_temp.told(), ARRAY['ok none of provider livekit are taken in, the keyring has no key for them',
          'warning long: webhooks of provider livekit are signed with HS256, the key''s alg is HS512'], 'a key of another algorithm');
SELECT pg_temp.use_keys(pg_temp.jwk('AC1', 'HS256', :'livekit_secret', '{"vidtoken_use": "webhook", "provider": "twilio"}')) AS ignored \gset
SELECT is(pg_temp.told(), ARRAY['ok none of provider livekit are taken in, the keyring has no key for them',
          'warning AC1: webhooks of provider twilio are signed with HS1, the key''s alg is HS256'], 'judged by the provider that it names');
SELECT matches(pg_temp.hints(), 'add --use webhook --replace', 'the hint says how to mend it');
SELECT pg_temp.use_keys(pg_temp.jwk('hook', 'HS256', :'livekit_secret', '{"vidtoken_use": "webhook", "key_ops": ["sign"]}')) AS ignored \gset
SELECT is(pg_temp.told(), ARRAY['ok none of provider livekit are taken in, the keyring has no key for them',
          'warning hook: its key_ops does not hold "verify"'], 'a key that may not verify');
SELECT pg_temp.use_keys(pg_temp.jwk('hook', 'HS256', :'livekit_secret', '{"vidtoken_use": "webhook", "key_ops": ["verify"]}')) AS ignored \gset
SELECT is(pg_temp.told(), ARRAY['ok those of provider livekit are verified with hook'], 'and one that may do nothing else');
SELECT pg_temp.use_keys(pg_temp.jwk('hook', 'HS256', :'livekit_secret', '{"vidtoken_use": "webhook", "provider": "zoom"}')) AS ignored \gset
SELECT is((pg_temp.told())[2], 'warning hook: webhooks of provider zoom are not understood', 'a key of a provider that is not known');
SELECT pg_temp.use_keys(pg_temp.jwk('hook', 'HS256', :'livekit_secret', '{"vidtoken_use": "webhook", "provider": "jwt"}')) AS ignored \gset
SELECT is((pg_temp.told())[2], 'warning hook: webhooks of provider jwt are not understood', 'or sends none');

-- one secret for two purposes
SELECT pg_temp.use_keys(pg_temp.jwk('hook', 'HS256', 'test secret of the signing key, 1')) AS ignored \gset
SELECT is((SELECT count(*)::integer FROM vidtoken.vidtoken_check() WHERE item = 'key' AND message = 'hook: it is the same key as SKtest'), 1,
          'a webhook key that is the signing key too');

-- what a webhook key is not good for
SELECT pg_temp.use_keys(pg_temp.jwk('hook', 'HS256', :'livekit_secret'), pg_temp.jwk('AC1', 'HS1', :'twilio_token'),
                        '{"kty": "EC", "crv": "P-256", "kid": "EC", "alg": "ES256", "vidtoken_use": "webhook",
                          "x": "sHBeyUsN9DtKgeCo8QsLJVK8vHtWafBx8OEkZP6Kc34", "y": "lzpETS5qd7ljHQky5x1_DgMxLCtMWQ2qnpba7kyyb98"}') AS ignored \gset
SELECT is((pg_temp.refusal(format($$SELECT vidtoken.vidtoken_sign('{"exp": 1893456000}', %L)$$, kid))).message,
          format('key "%s" is not in the keyring', kid), format('vidtoken_sign with %s', kid)) FROM unnest('{hook,AC1}'::text[]) AS kid;
SET LOCAL vidtoken.key_id = 'hook';
SELECT is((pg_temp.refusal('SELECT * FROM vidtoken.vidtoken_issue(47, 2)')).code, 'F0000', 'vidtoken.key_id cannot name one');
SET LOCAL vidtoken.key_id = 'SKtest';
SELECT results_eq(format('SELECT valid, reason FROM unnest(ARRAY[%s]) AS t (token), vidtoken.vidtoken_verify(token)', string_agg(quote_literal(token), ', ')),
                  $$VALUES (false, 'bad_signature'), (false, 'unknown_key'), (false, 'wrong_algorithm'), (false, 'unknown_key')$$,
                  'vidtoken_verify takes no token that one has signed')
  FROM (VALUES (pg_temp.token('{"exp": 1893456000}', '{"alg": "HS256"}')), (pg_temp.token('{"exp": 1893456000}', '{"alg": "HS256", "kid": "hook"}')),
               (pg_temp.token('{"exp": 1893456000}', '{"alg": "HS1"}', 'sha1', :'twilio_token')),
               (pg_temp.token('{"exp": 1893456000}', '{"alg": "HS1", "kid": "AC1"}', 'sha1', :'twilio_token'))) AS t (token);
SELECT is((SELECT valid FROM vidtoken.vidtoken_verify(pg_temp.token('{"exp": 1893456000}', '{"alg": "HS256"}', secret => 'test secret of the signing key, 1'))),
          true, 'as it does of the signing key');
SELECT is(vidtoken.vidtoken_jwks(), '{"keys": []}', 'vidtoken_jwks shows none, were it public');

-- never a key
CREATE TEMP VIEW shown AS SELECT concat_ws(' ', message, hint) AS words FROM vidtoken.vidtoken_check();
SELECT is_empty($$SELECT words FROM shown WHERE words ~ 'canary|Y2FuYXJ5'$$, 'no row shows a secret');

SELECT * FROM finish();
SELECT pg_temp.forget_keys() AS ignored \gset
ROLLBACK;
