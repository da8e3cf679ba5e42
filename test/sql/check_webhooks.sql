\unset ECHO
\i test/setup.sql
\i test/webhooks.sql

-- Promise: vidtoken_check tells whether webhooks can be taken in, and which
-- keys of theirs are of no use.  To take none in is nothing wrong.

CREATE FUNCTION pg_temp.told() RETURNS SETOF text
LANGUAGE sql AS $$SELECT status || ' ' || message FROM vidtoken.vidtoken_check() WHERE item = 'webhooks'$$;

SELECT plan(7);

SELECT results_eq('SELECT pg_temp.told()',
    ARRAY['ok those of provider twilio are verified with hook-twilio', 'warning the address that provider twilio signs is not known'],
    'twilio: a key, and no public_url');
SET LOCAL vidtoken.public_url = 'https://clinic.example/hook';
SELECT results_eq('SELECT pg_temp.told()', ARRAY['ok those of provider twilio are verified with hook-twilio'], 'with it all is well');
SET LOCAL vidtoken.provider = 'livekit';
SELECT results_eq('SELECT pg_temp.told()', ARRAY['ok those of provider livekit are verified with hook-livekit'], 'livekit needs no address');
SET LOCAL vidtoken.provider = 'jwt';
SELECT results_eq('SELECT pg_temp.told()', ARRAY['ok none of provider jwt are taken in'], 'jwt has none');

SELECT format('COPY (SELECT %L) TO PROGRAM %L',
              regexp_replace(:'keyring_json', '\]\s*\}\s*$', ', {"kty": "oct", "kid": "wrong", "alg": "HS256", "vidtoken_use": "webhook", "provider": "twilio", "k": "dGVzdCBzZWNyZXQgb2YgdHdpbGlvLCAzMiBieXRlcy4"}, {"kty": "oct", "kid": "other", "alg": "HS256", "vidtoken_use": "webhook", "provider": "zoom", "k": "dGVzdCBzZWNyZXQgb2Ygem9vbSwgYWxzbyAzMiBieXRlcw"}]}'),
              format('umask 077; cat > %s', quote_literal(:'keyring' || '.wrong'))) AS write_keyring \gset
:write_keyring;
SELECT set_config('vidtoken.keyring', :'keyring' || '.wrong', true) AS ignored \gset
SET LOCAL vidtoken.provider = 'twilio';
SELECT results_eq('SELECT pg_temp.told()',
    ARRAY['ok none of provider twilio are taken in, the keyring has no key for them',
          'warning wrong: webhooks of provider twilio are signed with HS1, the key''s alg is HS256',
          'warning other: webhooks of provider zoom are not understood'],
    'keys that verify nothing');
SELECT is((pg_temp.refusal($$SELECT vidtoken.vidtoken_webhook('twilio', '', '{}')$$)).code, 'F0000', 'and without one a webhook is refused');
SELECT is((pg_temp.refusal($$SELECT vidtoken.vidtoken_webhook('zoom', '', '{}')$$)).code, '22023', 'as is one of another provider');

SELECT * FROM finish();
ROLLBACK;
