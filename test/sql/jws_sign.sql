\unset ECHO
\i test/setup.sql

-- Promise: vidtoken_sign signs what vidtoken_verify accepts, as it is spelled,
-- and refuses the rest without showing it; only a token key signs.
-- vidtoken_jwks publishes the public halves of such keys and nothing else.

-- The keys are known to everyone, see test/keyring_algorithms.json: nothing
-- but tests may use them.
\set ring `tr -d '\n' < test/keyring_algorithms.json`
\set name_key '{"kty":"oct","kid":"name","alg":"HS256","vidtoken_use":"name","k":"dGVzdCBzZWNyZXQgb2YgdGhlIG5hbWUga2V5LCBvbmx5"}'
CREATE FUNCTION pg_temp.write(content text, name text DEFAULT '') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT %L) TO PROGRAM %L',
                   translate(encode(convert_to(content, 'UTF8'), 'base64'), E'\n', ''),
                   format('umask 077; base64 -d > %s/vidtoken_test_sign_%s%s', quote_literal(current_setting('data_directory')), pg_backend_pid(), name));
END;
$$;
-- another path counts at once
CREATE FUNCTION pg_temp.use(name text DEFAULT '') RETURNS text
LANGUAGE sql AS $$
    SELECT set_config('vidtoken.keyring', format('%s/vidtoken_test_sign_%s%s', current_setting('data_directory'), pg_backend_pid(), name), true)
$$;
SELECT pg_temp.write(:'ring'), pg_temp.use() \gset ignored_
SET LOCAL vidtoken.key_id = 'hs256';
CREATE TEMP TABLE jwks AS
SELECT n, jwk ->> 'kid' AS kid, jwk ->> 'alg' AS alg, jwk ->> 'kty' AS kty, COALESCE(jwk ->> 'vidtoken_use', 'token') AS use, jwk
  FROM jsonb_array_elements(:'ring'::jsonb -> 'keys') WITH ORDINALITY AS j(jwk, n);
CREATE FUNCTION pg_temp.verify_bytes(token text) RETURNS text
LANGUAGE C AS '$libdir/vidtoken', 'vidtoken_verify_bytes';

SELECT plan(123);

--
-- What is signed comes back
--

CREATE TEMP TABLE signers AS
SELECT n, kid, alg FROM jwks WHERE use = 'token' AND kid NOT IN ('es256-public', 'hs256-verify');
SELECT is(pg_temp.token_part(token, 1)::text, format('{"alg":"%s","typ":"JWT","kid":"%s"}', alg, kid), 'header of a token signed with ' || kid)
  FROM signers, vidtoken.vidtoken_sign('{}', kid) AS token ORDER BY n;
SELECT is(pg_temp.token_part(vidtoken.vidtoken_sign('{}'), 1) ->> 'kid', 'hs256', 'without a key id: the key of vidtoken.key_id');
SELECT is(pg_temp.token_part(vidtoken.vidtoken_sign('{}', NULL), 1) ->> 'kid', 'hs256', 'so it is with NULL');

CREATE TEMP TABLE texts (n integer GENERATED ALWAYS AS IDENTITY, name text, claims json);
INSERT INTO texts (name, claims) VALUES
('no claim', '{}'),
('every registered claim', '{"iss":"a","sub":"b","aud":["c","d"],"exp":1772445601,"nbf":1772445600,"iat":1772445600.5,"jti":"e"}'),
('a grant', '{"grants":{"identity":"2-jane@example.com","video":{"room":"apt-47"}}}'),
('white space', E' \r\n{ "b" :\t1 ,\n"a":[ ] } \n'), ('an order of its own', '{"z":1,"a":{"y":1,"b":2},"m":1}'),
('letters of many kinds', '{"x":"é ñ ß שלום 日本 😀 𝒥","é😀":1}'), ('the same as escapes', '{"x":"\u00e9\ud83d\ude00\u65e5","\u00e9":1}'), ('letters that look alike', E'{"x":"e\\u0301 é \ufeff\u200b\u2028"}'),
('quotes and backslashes', '{"a\"b":"c\\d\"e\/f''g$$h%s"}'), ('control characters', '{"x":"\u0001\u001f\b\f\n\r\t"}'), ('U+007F', E'{"x":"\x7f"}'), ('text that looks like markup', '{"x":"</script><!-- ]]> &amp;"}'),
('big numbers', '{"a":9007199254740993,"b":18446744073709551617,"c":1e308,"d":-1E-308,"e":9999999999999999999999999999999999999999}'), ('numbers that others would write otherwise', '{"a":1.50,"b":-0,"c":1e2,"d":0.0e+0}'),
('true, false and null', '{"a":true,"b":false,"c":null,"d":[],"e":{}}'), ('nesting of 64', ('{"x":' || repeat('[', 63) || repeat(']', 63) || '}')::json), ('40,000 letters', json_build_object('x', repeat('é', 20000))),
('what PostgreSQL makes of a row', (SELECT row_to_json(r) FROM (SELECT 47 AS appointment_id, 'jane' AS sub, now() AS at, 1.5::numeric AS n, NULL AS nothing) AS r)), ('what PostgreSQL makes of jsonb', '{"b":1,"aa":[1.0,"\u00e9"]}'::jsonb::json);
SELECT is(count(*) FILTER (WHERE v.valid AND v.reason IS NULL AND v.claims::text = t.claims::text AND v.key_id = s.kid AND pg_temp.verify_bytes(token) IS NULL
                                 AND v.header::text = pg_temp.token_part(token, 1)::text AND pg_temp.token_part(token, 2)::text = t.claims::text
                                 AND token ~ '^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$'),
          count(*), format('signed with each of %s keys, and read again as it was: %s', count(*), name))
  FROM texts AS t, signers AS s, vidtoken.vidtoken_sign(t.claims, s.kid) AS token, vidtoken.vidtoken_verify(token) AS v
 WHERE s.kid <> 'hs256-sign' GROUP BY t.n, name ORDER BY t.n;
SELECT is((SELECT reason FROM vidtoken.vidtoken_verify(vidtoken.vidtoken_sign('{}', 'hs256-sign'))), 'unknown_key', 'key_ops: a key that may sign alone verifies nothing');

SELECT is((length(token), (SELECT valid FROM vidtoken.vidtoken_verify(token))), (65536, true), 'a token of 65536 bytes, the longest, is signed and is valid')
  FROM vidtoken.vidtoken_sign(('{"x":"' || repeat('x', 49069) || '"}')::json, 'hs256') AS token;

--
-- What is refused
--

CREATE TEMP TABLE raised (n integer GENERATED ALWAYS AS IDENTITY, name text, code text, reason text, message text, detail text, hint text);
CREATE TEMP TABLE cases (n integer GENERATED ALWAYS AS IDENTITY, code text, name text, claims text, key_id text DEFAULT 'hs256');
INSERT INTO cases (code, name, claims) VALUES
('22004', 'NULL', NULL), ('22023', 'an array', '[{"canary":1}]'), ('22023', 'a string', '"canary"'), ('22023', 'a number', '1'), ('22023', 'null', 'null'), ('22023', 'true', 'true'),
('22P02', 'no JSON: the type refuses it', '{'), ('22P02', 'an empty text: the type refuses it', ''),
('22023', 'a claim twice', '{"sub":"canary","sub":"canary"}'), ('22023', 'a claim twice, spelled otherwise', '{"sub":"canary","s\u0075b":"canary"}'), ('22023', 'a claim twice, inside', '{"canary":[{"a":1,"a":2}]}'), ('22023', 'exp twice', '{"exp":1772445601,"exp":1}'),
('22023', 'U+0000', '{"canary":"\u0000"}'), ('22023', 'U+0000 in a name', '{"canary\u0000":1}'), ('22023', 'a number of 41 digits', '{"canary":' || repeat('9', 41) || '}'), ('22023', '1e309', '{"canary":1e309}'), ('22023', 'nesting of 65', '{"canary":' || repeat('[', 64) || repeat(']', 64) || '}'),
('22023', '513 claims', '{' || (SELECT string_agg(format('"canary%s":0', i), ',') FROM generate_series(1, 513) AS i) || '}'),
('22023', 'exp as a string', '{"exp":"1772445601"}'), ('22023', 'exp null', '{"exp":null}'), ('22023', 'exp negative', '{"exp":-1}'), ('22023', 'exp in milliseconds', '{"exp":1772445601000}'), ('22023', 'nbf as a string', '{"nbf":"canary"}'), ('22023', 'iat as a boolean', '{"iat":true}'),
('22023', 'iss as a number', '{"iss":1}'), ('22023', 'sub as a number', '{"sub":47}'), ('22023', 'jti null', '{"jti":null}'), ('22023', 'aud as a number', '{"aud":1}'), ('22023', 'aud with a number', '{"aud":["canary",1]}'),
('22023', 'claims of 65536 bytes', '{"x":"' || repeat('x', 65528) || '"}'), ('22023', 'claims of 10 MB', '{"x":"' || repeat('canary-canary-canary', 500000) || '"}');
INSERT INTO cases (code, name, claims, key_id) VALUES
(NULL, 'claims that make a token of 65535 bytes', '{"x":"' || repeat('x', 49063) || '"}', 'hs256-next'), ('22023', 'one letter more, which makes 65537', '{"x":"' || repeat('x', 49064) || '"}', 'hs256-next'),
('22004', 'NULL, and no such key', NULL, 'nobody'), ('F0000', 'no such key', '{}', 'nobody'), ('F0000', 'a key of which there is the public half alone', '{}', 'es256-public'), ('F0000', 'a key that may verify alone', '{}', 'hs256-verify'),
('F0000', 'the name key', '{}', 'name'), ('F0000', 'a webhook key', '{}', 'hook'), ('F0000', 'a webhook key, public', '{}', 'hook-es256'), ('F0000', 'a TURN key', '{}', 'turn'),
('F0000', 'a key in capitals', '{}', 'HS256'), ('F0000', 'a key and a blank', '{}', 'hs256 '), ('F0000', 'an empty key id', '{}', ''), ('F0000', 'a key id with SQL in it', '{}', ''' OR true --'), ('F0000', 'a path', '{}', '/dev/null'),
(NULL, 'an array in a claim', '{"x":[1]}', 'hs256'), (NULL, 'a time that has passed', '{"exp":1}', 'hs256'), (NULL, 'a key of any alg', '{}', 'eddsa');
INSERT INTO raised (name, code, reason, message, detail, hint)
SELECT name, r.* FROM (SELECT * FROM cases ORDER BY n) AS c, pg_temp.refusal(format('SELECT vidtoken.vidtoken_sign(%L::json, %L)', claims, key_id)) AS r;
SELECT is(r.code, c.code, format('%s: %s', COALESCE(c.code, 'allowed'), name))
  FROM raised AS r JOIN cases AS c USING (name) ORDER BY r.n;
SELECT results_eq($$SELECT DISTINCT message, hint ~ 'JSON object .* seconds since 1970, .* 65536 bytes' FROM raised WHERE code = '22023'$$,
                  $$VALUES ('claims cannot be signed', true)$$, '22023 says what claims are');
SELECT results_eq($$SELECT detail FROM raised WHERE code = '22023' AND name IN ('an array', 'a claim twice', 'exp as a string', 'exp in milliseconds', 'aud with a number', 'claims of 10 MB') ORDER BY n$$,
                  $$VALUES ('The JSON text is refused: it is not an object.'), ('The JSON text is refused: an object has a member twice.'), ('The JSON text is refused: exp is not a number.'),
                           ('The JSON text is refused: exp is not between 0 and 253402300799.'), ('The JSON text is refused: aud is neither a string nor an array of strings.'),
                           ('The JSON text is refused: they make a token that is too long.')$$, 'and what is wrong with these');
SELECT is_empty($$SELECT name FROM raised WHERE code LIKE '22%' AND code <> '22P02' AND concat(message, detail, hint) ~* 'canary|xxxx'$$, 'none of it shows a claim');
SELECT is_empty($$SELECT name FROM raised WHERE code = 'F0000' AND hint !~ 'vidtoken\.key_id'$$, 'F0000 names the setting');
SELECT is_empty($$SELECT name FROM raised, jwks WHERE concat(message, detail, hint) LIKE '%' || COALESCE(jwk ->> 'k', jwk ->> 'd') || '%'$$, 'nothing shows a key');

--
-- vidtoken_jwks
--

SELECT is(vidtoken.vidtoken_jwks(),
          (SELECT jsonb_build_object('keys', jsonb_agg(jwk - '{d,p,q,dp,dq,qi,k,key_ops}'::text[] || '{"use":"sig"}' ORDER BY n)) FROM jwks WHERE use = 'token' AND kty <> 'oct'),
          'vidtoken_jwks: kty, kid, alg, use and the public numbers of each asymmetric token key, in their order');
SELECT results_eq($$SELECT jwk ->> 'kid', array(SELECT m FROM jsonb_object_keys(jwk) AS m ORDER BY m COLLATE "C") FROM jsonb_array_elements(vidtoken.vidtoken_jwks() -> 'keys') AS jwk$$,
                  $$VALUES ('rs256', '{alg,e,kid,kty,n,use}'::text[]), ('rs256-next', '{alg,e,kid,kty,n,use}'), ('es256', '{alg,crv,kid,kty,use,x,y}'), ('es256-next', '{alg,crv,kid,kty,use,x,y}'),
                           ('es256-public', '{alg,crv,kid,kty,use,x,y}'), ('eddsa', '{alg,crv,kid,kty,use,x}'), ('eddsa-next', '{alg,crv,kid,kty,use,x}')$$, 'these keys and no others, these members and no others');
SELECT is_empty($$SELECT kid, member.key FROM jwks, jsonb_each_text(jwk) AS member
                   WHERE (member.key IN ('k', 'd', 'p', 'q', 'dp', 'dq', 'qi') OR use <> 'token' AND member.key IN ('x', 'y', 'n', 'kid'))
                     AND strpos(vidtoken.vidtoken_jwks()::text, member.value) > 0$$, 'no private number is in it, nor anything of a key for something else');
SELECT is((SELECT count(*) FROM jwks, jsonb_each_text(jwk) AS member WHERE member.key IN ('k', 'd', 'p', 'q', 'dp', 'dq', 'qi')), 25::bigint, 'the keyring has such numbers');

-- who has what is published verifies, and cannot sign
CREATE TEMP TABLE tokens AS SELECT kid, vidtoken.vidtoken_sign('{"sub":"jane"}', kid) AS token FROM signers WHERE kid ~ '^(rs|es|ed)';
SELECT pg_temp.write(jsonb_insert(vidtoken.vidtoken_jwks(), '{keys,0}', :'name_key')::text, '_public') \gset ignored_
SELECT vidtoken.vidtoken_jwks() AS published \gset
SELECT pg_temp.use('_public') \gset ignored_
SELECT is((key_id, claims::text), (kid, '{"sub":"jane"}'::text), 'what is published of ' || kid || ' verifies its tokens')
  FROM tokens, vidtoken.vidtoken_verify(token) ORDER BY kid;
SELECT is(code, 'F0000', 'and does not sign') FROM pg_temp.refusal($$SELECT vidtoken.vidtoken_sign('{}', 'rs256')$$);
SELECT is(vidtoken.vidtoken_jwks(), :'published', 'and is published as it was');

SELECT pg_temp.write(jsonb_build_object('keys', jsonb_build_array(:'name_key'::jsonb))::text, '_none'), pg_temp.use('_none') \gset ignored_
SELECT is(vidtoken.vidtoken_jwks(), '{"keys":[]}', 'vidtoken_jwks: no asymmetric key, no key');
SELECT is((SELECT reason FROM vidtoken.vidtoken_verify(token)), 'unknown_key', 'vidtoken_verify: a keyring without token keys') FROM tokens LIMIT 1;

SELECT is(code, 'F0000', format('F0000: %s with the keyring %L', call, path))
  FROM unnest(ARRAY[$$vidtoken_sign('{}')$$, $$vidtoken_verify('no token')$$, $$vidtoken_verify(NULL)$$, $$vidtoken_jwks()$$]) WITH ORDINALITY AS c(call, n),
       unnest(ARRAY['', '/nowhere/keyring.json']) AS path, pg_temp.refusal(format('SET LOCAL vidtoken.keyring = %L; SELECT * FROM vidtoken.%s', path, call))
 ORDER BY n, path;

--
-- Key ids of any kind
--

CREATE TEMP TABLE kids AS
SELECT n, kid FROM unnest(ARRAY['a"b', 'a\b\"c', 'é😀', E'a\nb\tc\x01', ' a ', '{"alg":"none"}', 'a.b', '%s', '''; --', '../a', repeat('é', 128)]) WITH ORDINALITY AS k(kid, n);
SELECT pg_temp.write((SELECT jsonb_build_object('keys', jsonb_agg(jwk || jsonb_build_object('kid', k.kid) ORDER BY k.n) || :'name_key'::jsonb) FROM jwks, kids AS k WHERE jwks.kid = 'eddsa')::text, '_kids'),
       pg_temp.use('_kids') \gset ignored_
SELECT is((pg_temp.token_part(token, 1) ->> 'kid', v.valid, v.key_id, v.header ->> 'kid', vidtoken.vidtoken_jwks() -> 'keys' -> (n - 1)::integer ->> 'kid'), (kid, true, kid, kid, kid),
          'a kid signs, verifies and is published as it is: ' || to_json(left(kid, 20)))
  FROM kids, vidtoken.vidtoken_sign('{}', kid) AS token, vidtoken.vidtoken_verify(token) AS v ORDER BY n;

SELECT is((SELECT count(*) FROM vidtoken.vidtoken_session), 0::bigint, 'nothing of it is in the ledger');
SET TRANSACTION READ ONLY;
SELECT is((SELECT valid FROM vidtoken.vidtoken_verify(vidtoken.vidtoken_sign('{}', 'a.b'))), true, 'a read-only transaction signs and verifies');

SELECT * FROM finish();
DO $$
BEGIN
    EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', format('cat > /dev/null; rm -f %s/vidtoken_test_sign_%s*', quote_literal(current_setting('data_directory')), pg_backend_pid()));
END;
$$;
ROLLBACK;
