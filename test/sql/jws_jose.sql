\unset ECHO
\i test/setup.sql

-- Promise: what jose (the JavaScript library) has signed is valid here, for
-- every algorithm of the keyring, and where an algorithm gives one signature
-- for a text vidtoken_sign() makes jose's token, byte for byte.  The vectors
-- are in test/vectors/jose.json, beside the program that made them.

\set vectors `cat test/vectors/jose.json`
CREATE TEMP TABLE vectors AS
SELECT n, v #>> '{header,alg}' AS alg, v -> 'jwk' ->> 'kid' AS kid, v -> 'jwk' AS jwk,
       v -> 'header' AS header, v -> 'claims' AS claims, v ->> 'token' AS token,
       string_to_array(v ->> 'token', '.') AS parts
  FROM json_array_elements(:'vectors'::json -> 'vectors') WITH ORDINALITY AS a (v, n);

SELECT format('%s/vidtoken_test_jose_%s.json', current_setting('data_directory'), pg_backend_pid()) AS ring \gset
SELECT format('COPY (SELECT %L) TO PROGRAM %L',
              json_build_object('keys', (SELECT json_agg(jwk ORDER BY n) FROM vectors)::jsonb
                                        || (:'keyring_json'::jsonb #> '{keys,2}')),
              format('umask 077; cat > %s', quote_literal(:'ring'))) AS write_ring \gset
:write_ring;
SET LOCAL vidtoken.keyring = :'ring';

CREATE FUNCTION pg_temp.base64url(octets bytea) RETURNS text
LANGUAGE sql AS $$
    SELECT translate(encode(octets, 'base64'), E'+/=\n', '-_')
$$;
-- another character in the middle, so that every bit of it counts
CREATE FUNCTION pg_temp.changed(part text) RETURNS text
LANGUAGE sql AS $$
    SELECT overlay(part PLACING CASE substr(part, m, 1) WHEN 'A' THEN 'Q' ELSE 'A' END FROM m FOR 1)
      FROM (SELECT length(part) / 2) AS middle (m)
$$;
-- 'valid', or the reason why not
CREATE FUNCTION pg_temp.verdict(VARIADIC parts text[]) RETURNS text
LANGUAGE sql AS $$
    SELECT CASE WHEN valid THEN 'valid' ELSE reason END
      FROM vidtoken.vidtoken_verify(array_to_string(parts, '.'))
$$;

SELECT plan(81);

SELECT is(array_agg(alg ORDER BY n), '{HS256,HS384,HS512,RS256,ES256,EdDSA}', 'a vector for every algorithm')
  FROM vectors;

-- what jose says is what is read
SELECT is(ROW(r.valid, r.reason, r.header::text, r.claims::text, r.key_id, r.expires_at)::text,
          ROW(true, NULL::text, v.header::text, v.claims::text, v.kid, timestamptz '2026-03-02 11:30:00+00')::text,
          alg || ': a token of jose is valid, and header and claims are those that it signed')
  FROM vectors AS v, vidtoken.vidtoken_verify(token) AS r
 ORDER BY n;

-- one change, and it is not
SELECT is(pg_temp.verdict(parts[1], pg_temp.base64url(convert_to(replace(claims::text, '"host":false', '"host":true'), 'UTF8')), parts[3]),
          'bad_signature', alg || ': another claim is refused'),
       is(pg_temp.verdict(parts[1], parts[2], pg_temp.changed(parts[3])),
          'bad_signature', alg || ': another signature is refused'),
       is(pg_temp.verdict(parts[1], parts[2], right(parts[3], -4)),
          'bad_signature', alg || ': three bytes less of the signature are refused'),
       is(pg_temp.verdict(parts[1], parts[2], ''), 'bad_signature', alg || ': no signature is refused'),
       is(pg_temp.verdict(pg_temp.base64url(convert_to(json_build_object('alg', alg, 'typ', 'JWT')::text, 'UTF8')), parts[2], parts[3]),
          'bad_signature', alg || ': the signature is of the header too')
  FROM vectors;

-- a key is for its own algorithm alone: the same header with the next key's kid
SELECT is(pg_temp.verdict(pg_temp.base64url(convert_to(replace(v.header::text, v.kid, w.kid), 'UTF8')), v.parts[2], v.parts[3]),
          'wrong_algorithm', format('%s under the kid of a key for %s is refused', v.alg, w.alg))
  FROM vectors AS v JOIN vectors AS w ON w.n = v.n % 6 + 1
 ORDER BY v.n;
SELECT is(pg_temp.verdict(pg_temp.base64url(convert_to(replace(header::text, kid, 'jose-' || lower(alg)), 'UTF8')), parts[2], parts[3]),
          'unknown_key', alg || ': a kid is compared as it is')
  FROM vectors;

-- the times of the claims, by the clock
SET LOCAL vidtoken.test_clock = '2026-03-02 11:29:59+00';
SELECT is(pg_temp.verdict(token), 'valid', alg || ': valid in the last second') FROM vectors;
SET LOCAL vidtoken.test_clock = '2026-03-02 11:30:00+00';
SELECT is(pg_temp.verdict(token), 'expired', alg || ': expired at exp') FROM vectors;
SET LOCAL vidtoken.test_clock = '2026-03-02 09:59:59+00';
SELECT is(pg_temp.verdict(token), 'not_yet_valid', alg || ': not valid before nbf') FROM vectors;
SET LOCAL vidtoken.test_clock = '2026-03-02 10:00:00+00';

-- one signature for a text: the same token
SELECT is(vidtoken.vidtoken_sign(claims, kid), token, alg || ': vidtoken_sign makes the token of jose')
  FROM vectors WHERE alg <> 'ES256';
-- a change of spelling is another text
SELECT isnt(vidtoken.vidtoken_sign((claims::text || ' ')::json, kid), token, alg || ': a blank more makes another token')
  FROM vectors WHERE alg <> 'ES256';

-- ES256 takes a random number: the same text, another signature
CREATE TEMP TABLE signed AS
SELECT string_to_array(vidtoken.vidtoken_sign(claims, kid), '.') AS mine, v.parts
  FROM vectors AS v, generate_series(1, 2) WHERE alg = 'ES256';
SELECT is(mine[1:2], parts[1:2], 'ES256: vidtoken_sign signs the text that jose signs')
  FROM signed LIMIT 1;
SELECT is(count(DISTINCT mine[3]), 2::bigint, 'ES256: and signs it anew each time') FROM signed;
SELECT is(array_agg(pg_temp.verdict(VARIADIC mine)), '{valid,valid}', 'ES256: both are valid') FROM signed;

-- the public half of a key, and of no secret
SELECT is(vidtoken.vidtoken_jwks(),
          jsonb_build_object('keys', jsonb_agg((jwk::jsonb - '{d,p,q,dp,dq,qi}'::text[]) || '{"use": "sig"}' ORDER BY n)),
          'vidtoken_jwks() has the numbers that jose makes public')
  FROM vectors WHERE jwk ->> 'kty' <> 'oct';

SELECT * FROM finish();
SELECT format('COPY (SELECT 1) TO PROGRAM %L',
              format('cat > /dev/null; rm -f %s', quote_literal(:'ring'))) AS remove_ring \gset
:remove_ring;
ROLLBACK;
