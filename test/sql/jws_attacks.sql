\unset ECHO
\i test/setup.sql
\i test/numbers.sql

-- Promise: a token that no token key of the keyring signed, with that key's
-- own algorithm, is not valid, by whatever name the attack goes; what differs
-- from it only in being allowed stands beside it, and is valid.  A token is
-- never an error: what follows runs in one transaction, without a subtransaction.

-- One or two keys of each algorithm, see test/keyring_algorithms.json.  They
-- are known to everyone: nothing but tests may use them.
\set ring `tr -d '\n' < test/keyring_algorithms.json`
SELECT format('%s/vidtoken_test_attacks_%s', current_setting('data_directory'), pg_backend_pid()) AS path \gset
SELECT format('COPY (SELECT %L) TO PROGRAM %L', :'ring',
              format('umask 077; cat > %s', quote_literal(:'path'))) AS write_ring \gset
:write_ring;
SET LOCAL vidtoken.keyring = :'path';
CREATE TEMP TABLE jwks AS
SELECT jwk ->> 'kid' COLLATE "C" AS kid, jwk ->> 'alg' COLLATE "C" AS alg, jwk FROM json_array_elements(:'ring'::json -> 'keys') AS jwk;

CREATE FUNCTION pg_temp.verify_bytes(token text) RETURNS text
LANGUAGE C AS '$libdir/vidtoken', 'vidtoken_verify_bytes';
-- 'valid' or the reason, if the answer is as promised: one of the verdicts, and
-- the claims level agrees with the bytes level; nothing is told of a bad token
CREATE FUNCTION pg_temp.verdict(token text, leeway interval DEFAULT '0') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v record;
    bytes text := pg_temp.verify_bytes(token);
BEGIN
    SELECT * INTO v FROM vidtoken.vidtoken_verify(token, leeway);
    IF v.valid AND v.reason IS NULL AND bytes IS NULL
       AND v.header IS NOT NULL AND v.claims IS NOT NULL AND v.key_id IS NOT NULL THEN
        RETURN 'valid';
    ELSIF NOT v.valid AND v.header IS NULL AND v.claims IS NULL AND v.key_id IS NULL AND v.expires_at IS NULL
          AND (v.reason = bytes AND bytes IN ('too_long', 'malformed', 'unsupported', 'wrong_algorithm', 'unknown_key', 'bad_signature')
               OR bytes IS NULL AND v.reason IN ('bad_claims', 'expired', 'not_yet_valid')) THEN
        RETURN v.reason;
    END IF;
    RETURN format('%s, which is not as promised; bytes: %s', v, bytes);
END;
$$;

-- a number of the keyring's key, and what JOSE makes of bytes
CREATE FUNCTION pg_temp.octets(base64url text) RETURNS bytea
LANGUAGE sql AS $$
    SELECT decode(rpad(s, (length(s) + 3) / 4 * 4, '='), 'base64') FROM translate(base64url, '-_', '+/') AS s
$$;
CREATE FUNCTION pg_temp.base64url(octets bytea) RETURNS text
LANGUAGE sql AS $$
    SELECT translate(encode(octets, 'base64'), E'+/=\n', '-_')
$$;
CREATE FUNCTION pg_temp.key(of_kid text, number text DEFAULT 'k') RETURNS bytea
LANGUAGE sql AS $$
    SELECT pg_temp.octets(jwk ->> number) FROM jwks WHERE kid = of_kid
$$;
-- HS256, HS384 and HS512 (RFC 7518, section 3.2), made of PostgreSQL's own hash functions (RFC 2104)
CREATE FUNCTION pg_temp.hash(alg text, data bytea) RETURNS bytea
LANGUAGE sql AS $$
    SELECT CASE alg WHEN 'HS256' THEN sha256(data) WHEN 'HS384' THEN sha384(data) WHEN 'HS512' THEN sha512(data) END
$$;
CREATE FUNCTION pg_temp.hmac(alg text, octets bytea, data bytea) RETURNS bytea
LANGUAGE plpgsql AS $$
DECLARE
    block integer := CASE alg WHEN 'HS256' THEN 64 ELSE 128 END;
    key bytea := CASE WHEN length(octets) > block THEN pg_temp.hash(alg, octets) ELSE octets END;
    ipad bytea := decode(repeat('36', block), 'hex');
    opad bytea := decode(repeat('5c', block), 'hex');
BEGIN
    FOR i IN 0..length(key) - 1 LOOP
        ipad := set_byte(ipad, i, get_byte(key, i) # 54);
        opad := set_byte(opad, i, get_byte(key, i) # 92);
    END LOOP;
    RETURN pg_temp.hash(alg, opad || pg_temp.hash(alg, ipad || data));
END;
$$;
-- a text with its HMAC behind it, whatever the text is; and a token
CREATE FUNCTION pg_temp.seal(input text, octets bytea DEFAULT pg_temp.key('hs256'), alg text DEFAULT 'HS256') RETURNS text
LANGUAGE sql AS $$
    SELECT input || '.' || pg_temp.base64url(pg_temp.hmac(alg, octets, convert_to(input, 'UTF8')))
$$;
CREATE FUNCTION pg_temp.token(header text DEFAULT '{"alg":"HS256","kid":"hs256"}', payload text DEFAULT '{"sub":"jane"}',
                              octets bytea DEFAULT pg_temp.key('hs256'), alg text DEFAULT 'HS256') RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.seal(pg_temp.base64url(convert_to(header, 'UTF8')) || '.' || pg_temp.base64url(convert_to(payload, 'UTF8')), octets, alg)
$$;
CREATE FUNCTION pg_temp.with_signature(token text, signature bytea) RETURNS text
LANGUAGE sql AS $$
    SELECT split_part(token, '.', 1) || '.' || split_part(token, '.', 2) || '.' || pg_temp.base64url(signature)
$$;
CREATE FUNCTION pg_temp.reversed(octets bytea) RETURNS bytea
LANGUAGE sql AS $$
    SELECT string_agg(substring(octets FROM i FOR 1), ''::bytea ORDER BY i DESC) FROM generate_series(1, length(octets)) AS i
$$;

-- tokens with their verdicts, and the plain ones of vidtoken_sign
CREATE TEMP TABLE cases (n integer GENERATED ALWAYS AS IDENTITY, name text, token text, verdict text);
CREATE TEMP TABLE plain AS
SELECT kid, alg, token, pg_temp.octets(split_part(token, '.', 3)) AS signature
  FROM jwks, LATERAL (SELECT vidtoken.vidtoken_sign('{"sub":"jane"}', kid) WHERE kid IN ('hs256', 'hs384', 'hs512', 'rs256', 'es256', 'eddsa')) AS s(token);

SELECT txid_current() AS transaction, pg_postmaster_start_time() AS server_started \gset
SELECT plan(438);

SELECT is(pg_temp.verdict(token), 'valid', alg || ': the token as it is') FROM plain ORDER BY alg;

--
-- The algorithm is the key's
--

WITH casings AS (
    SELECT string_agg(CASE WHEN n >> i & 1 = 1 THEN upper(c) ELSE c END, '' ORDER BY i) AS alg
      FROM generate_series(0, 15) AS n, unnest('{n,o,n,e}'::text[]) WITH ORDINALITY AS l(c, i0), CAST(i0 - 1 AS integer) AS i
     GROUP BY n
)
SELECT is(array_agg(pg_temp.verdict(CASE WHEN signed THEN token ELSE pg_temp.with_signature(token, '') END)),
          array_fill('wrong_algorithm'::text, '{4}'), format('alg %s, with a kid and without, with an HMAC and without', alg))
  FROM casings, unnest('{"","\,\"kid\":\"hs256\""}'::text[]) AS kid, unnest('{true,false}'::boolean[]) AS signed,
       pg_temp.token(format('{"alg":"%s"%s}', alg, kid)) AS token
 GROUP BY alg ORDER BY alg COLLATE "C";

INSERT INTO cases (name, token, verdict)
SELECT format('alg: %s', alg), pg_temp.token(format('{"alg":%s,"kid":"hs256"}', alg)), verdict
  FROM (VALUES
('"HS256"', 'valid'), ('"H\u00532\u00356"', 'valid'), ('""', 'wrong_algorithm'), ('" HS256"', 'wrong_algorithm'), ('"HS256 "', 'wrong_algorithm'),
('"HS256\n"', 'wrong_algorithm'), ('"HS256\u0000"', 'malformed'), ('"hs256"', 'wrong_algorithm'), ('"Hs256"', 'wrong_algorithm'),
('"HS256,none"', 'wrong_algorithm'), ('"HS2567"', 'wrong_algorithm'), ('"HS25"', 'wrong_algorithm'), ('"HMAC-SHA256"', 'wrong_algorithm'),
('"dir"', 'wrong_algorithm'), ('"A128KW"', 'wrong_algorithm'), ('null', 'wrong_algorithm'), ('256', 'wrong_algorithm'),
('true', 'wrong_algorithm'), ('["HS256"]', 'wrong_algorithm'), ('{"HS256":"HS256"}', 'wrong_algorithm')
       ) AS v(alg, verdict);
INSERT INTO cases (name, token, verdict) VALUES
('alg: missing', pg_temp.token('{"kid":"hs256"}'), 'wrong_algorithm'),
('alg: missing, with nothing else', pg_temp.token('{}'), 'wrong_algorithm'),
('alg: under the name ALG', pg_temp.token('{"ALG":"HS256","kid":"hs256"}'), 'wrong_algorithm'),
('alg: inside of another member', pg_temp.token('{"x":{"alg":"HS256"},"kid":"hs256"}'), 'wrong_algorithm'),
('alg: in the claims', pg_temp.token('{"kid":"hs256"}', '{"alg":"HS256"}'), 'wrong_algorithm');

INSERT INTO cases (name, token, verdict)
SELECT format('the secret of %s, header %s, HMAC of %s', kid, said, made),
       pg_temp.token(format('{"alg":"%s","kid":"%s"}', said, kid), octets => pg_temp.key(kid), alg => made),
       CASE WHEN said <> alg THEN 'wrong_algorithm' WHEN made <> alg THEN 'bad_signature' ELSE 'valid' END
  FROM jwks, unnest('{HS256,HS384,HS512}'::text[]) AS said, unnest('{HS256,HS384,HS512}'::text[]) AS made
 WHERE kid IN ('hs256', 'hs384', 'hs512')
 ORDER BY kid, said, made;
INSERT INTO cases (name, token, verdict) VALUES
('the secret of hs256, header HS384, no kid', pg_temp.token('{"alg":"HS384"}', alg => 'HS384'), 'bad_signature'),
('the secret of hs384, header HS384, no kid', pg_temp.token('{"alg":"HS384"}', octets => pg_temp.key('hs384'), alg => 'HS384'), 'valid');

SELECT is(array_agg(DISTINCT pg_temp.verdict(pg_temp.base64url(convert_to(format('{"alg":"%s","typ":"JWT","kid":"%s"}', other.alg, p.kid), 'UTF8'))
                                             || substr(p.token, strpos(p.token, '.')))),
          '{wrong_algorithm}', format('a token of %s whose header names another alg, each of the five', p.kid))
  FROM plain AS p JOIN plain AS other ON other.alg <> p.alg
 GROUP BY p.kid ORDER BY p.kid;

-- an HMAC with what everyone may know of an asymmetric key; DER is RFC 5280,
-- section 4.1.2.7, and the PEM is the one that OpenSSL writes
CREATE TEMP TABLE known AS
SELECT kid, alg, form COLLATE "C" AS form, octets
  FROM (SELECT kid, alg, jwk, bytes,
               CASE alg WHEN 'RS256' THEN '\x30820122300d06092a864886f70d01010105000382010f003082010a0282010100'::bytea || bytes || '\x0203010001'
                        WHEN 'ES256' THEN '\x3059301306072a8648ce3d020106082a8648ce3d03010703420004'::bytea || bytes
                        ELSE '\x302a300506032b6570032100'::bytea || bytes END AS der
          FROM (SELECT kid, alg, jwk, CASE alg WHEN 'RS256' THEN pg_temp.octets(jwk ->> 'n')
                                           WHEN 'ES256' THEN pg_temp.octets(jwk ->> 'x') || pg_temp.octets(jwk ->> 'y')
                                           ELSE pg_temp.octets(jwk ->> 'x') END AS bytes
                  FROM jwks WHERE kid IN ('rs256', 'es256', 'eddsa')) AS k) AS d,
       CAST(E'-----BEGIN PUBLIC KEY-----\n' || regexp_replace(translate(encode(der, 'base64'), E'\n', ''), '(.{1,64})', E'\\1\n', 'g')
            || E'-----END PUBLIC KEY-----\n' AS text) AS pem,
       LATERAL (VALUES ('PEM', pem::bytea), ('PEM without its last line feed', rtrim(pem, E'\n')::bytea),
                       ('PEM with carriage returns', replace(pem, E'\n', E'\r\n')::bytea), ('DER', der), ('number', bytes), ('DER in base64', encode(der, 'base64')::bytea),
                       ('first number', pg_temp.octets(COALESCE(jwk ->> 'n', jwk ->> 'x'))),
                       ('first number, as JWK spells it', COALESCE(jwk ->> 'n', jwk ->> 'x')::bytea),
                       ('point with its prefix', '\x04' || bytes), ('kid', kid::bytea)) AS f(form, octets)
 WHERE alg = 'ES256' OR form NOT IN ('first number', 'point with its prefix');
SELECT is(encode(sha256(octets), 'hex'), hash, 'the PEM that is used against ' || kid || ' is its PEM')
  FROM known JOIN (VALUES ('rs256', '35867b348ffb9b5a09597e76783d96670e79d6b0f2c3ffa25c25c8f559110dde'),
                          ('es256', '10ccfd7d85327b9990ba3cb57d1f55b4e964edd1ea960d129f2bfb991c5385dd'),
                          ('eddsa', '9636480e686b02876d9e130d42526031a3eb0151ea7a1dcb043bf0af3786615d')) AS v(kid, hash) USING (kid)
 WHERE form = 'PEM' ORDER BY kid;
SELECT is(array_agg(DISTINCT pg_temp.verdict(pg_temp.token(format('{"alg":"%s","kid":"%s"}', made, kid), octets => octets, alg => made))), '{wrong_algorithm}',
          format('%s: HMAC keyed with its %s, under its kid', kid, form))
  FROM known, unnest('{HS256,HS384,HS512}'::text[]) AS made GROUP BY kid, form ORDER BY kid, form;
SELECT is(array_agg(DISTINCT pg_temp.verdict(pg_temp.token(format('{"alg":"%s"%s}', said, CASE WHEN said = alg THEN kid_member END), octets => octets, alg => made))), '{bad_signature}',
          format('%s: HMAC keyed with its %s, without a kid; and said to be %s, with a kid and without', kid, form, alg))
  FROM known, unnest('{HS256,HS384,HS512}'::text[]) AS made, unnest(ARRAY[made, alg]) AS said, unnest(ARRAY['', format(',"kid":"%s"', kid)]) AS kid_member
 GROUP BY kid, alg, form ORDER BY kid, form;

-- Signatures that are good ones, of keys and algorithms that are not ours:
-- made once with another library. The claims are {"sub":"jane"}.
CREATE TEMP TABLE signed (n integer GENERATED ALWAYS AS IDENTITY, name text, header text, signature text, verdict text);
INSERT INTO signed (name, header, signature, verdict) VALUES
('RS256, made elsewhere', '{"alg":"RS256","kid":"rs256"}',
 'LVsIgZb5jlO4Yu4TTW7sTwYOIWOSvEN2d-bXDJ9jU51DlIoDyz1YWKYzlDAgEgGi_4DtIJpG74SIOvICs7cspMQYg9AQtdvku99IhpW9t3jvuNygouhdoqwaoS2y4XZtO7DLFYbnto9CnHFjwJPj5rktjce8iIM4LwT9t_HSOk8LWe4Uyc-EzPqWGKeP7A_ULd-zkHyVCB1dJHeuoqYdiuwFpiDHwSGSGl6t37D0SOipLn0J9PHAvC0lGDIjEy2B2RLV6bSy6oMByio0gVKCn2qaczJLTb3v4Dq1R7TFJXn-XrAbSHTCbT1n35BruHPxvAoLo1xN3ywwUxxsuOaz1w', 'valid'),
('RS384 of the same key', '{"alg":"RS384","kid":"rs256"}',
 'UJG3Glh4wUDR3lPF-Km7vdodn12edmZNUO0rHKBRMY5WmmbyyH2rub1hQ_dN1r20okvzs9ngifYY76egn6pdTL07_ODgL1_WwmihQjLEeZ5e-TIW3_Dp386SxIg7UOEprfEDV7_gFtBcyarWYnipriikQt5OQ0IsMmrQH9pSFunCCdb7SqEzpn6bYh5HB_Dtqgxfyy5_3R92mae76hO8rjsTcI7DU1hQeOluM4VpHitJQHOFSu4bOhiAPxsYEWaUwsE8WYEJ6WFuay1l3j5hXwZCNmE4o0NUVzkjiSpy5ylwNBi2niGwP9ph1SLcLokaDb9oeUfDhwMjBpyFLVok5g', 'wrong_algorithm'),
('RS512 of the same key', '{"alg":"RS512","kid":"rs256"}',
 'Lu-yrYlYucvwBXqmNzm7MjobhTsnBasOOUXrk7O50na9vkhjQOL7vxRN0A1T1Mlv-fIOU0fO1BYlWLPoFEYe_9AJ5eD95qWoMFNUfPdkbzK9drdfyQOJWqUT1Kxl7ChJT5cqZsdogUDJw-nQrk0MxDRe1tRf5U7dgVcLGv7kl2W5M8KqkvGbaW_ST1E2ULI9QgKWAs4duTkVxH3HQogeoAZefklMPzeqdGlHFhN7gVKJeL6IMEk3wyl6U4UfUkfhWB_zE6jrKNvT9SxGOFaZJyT_Q4XJgpAjpJcR3U6SDS4eOo50E_KIc1e4iqbpIWt7ZRWmd50jGY7yHdeYZMLqXA', 'wrong_algorithm'),
('RS1 of the same key', '{"alg":"RS1","kid":"rs256"}',
 'IQ_QYZqj2dQtBpUDrJo1vUO6_xktX6-YRrfos0bc0HDXppixdcWbCE4QYQ7HLP8mt0amiclwfcsAsDAQ0bJN-YIHg-19Sahe2ya9Skq3_C5C_jme23BfD6zSicAf7qNKvKQ4uSd6Dbo25pTPRUmgtXhPGANL6a8IEfS4ijak-3OfjkaHl1ibYaPscMjDKJVun6UQziwquY9Jo24Q6fkCgFtBuBPMMpPZULzw3aczm-3NLpkwrAPnpLTd4XHD5jZMUDCXYQI0-ySoDVT5YDL8tU9kITsaWwLuwiA5S7ufBLYjhQpxOTpRgk2WehodBBMXnhgJG1lAw1ANdApLpxoekw', 'wrong_algorithm'),
('PS256 of the same key', '{"alg":"PS256","kid":"rs256"}',
 'AdkilAk9G9MgEoAycsPvoa0krRAgoTD2tGw_eQ4tiEGdLLNpwkXBbHGlb67ax5VbVHn1atSrKvLStahtuKF-Xmcnqtq1bEdWjdMqD_LAAEif8Jh901vsoirmvV33kOrEEUczXEdnvX7IywOm8n60V0ZZ928Z5dz3Ct6m5IiMXRLmlTnVezoI0ock9H7XGZa7wkcXBuc2n1-jEUoXcbkME-I9tKI7Ywr9nrVZbjxTglabvJLSfDbNoY76Dfj44Eu8a8mL0qc6tUX9Cibs3W00ejr-OJphd5yBoTkSQ0jk2g-K9UE3gaBpamn1Sp4CctyEFZZdYWMoFfHd1qGvQGFauA', 'wrong_algorithm'),
('a PSS signature of the same key under the name RS256', '{"alg":"RS256","kid":"rs256"}',
 'JCjOwH0AhgYqY8YBdw8YiAkjvaCH6JnkKNqrx8rTefCH9yOjGeztlA7b-dzF7BAoEyZzJI1qTakzjyIn8QGWeaR0Xu7ZlO2IZDunSsUahZKqGX8ihkeMamITGpswlRtZ8bT9evYay9ROhhyqzrA0pfFMK7E_GpkLEwK9J8Zuv5y95vOvzmjkDt5dqdZ09duvVo_O58gaSFpWyi95UERfjsn9NzJMDiIePIgsc2VKSrMer-uPU4YHk3cp_oJs84VsgZsP2P8ytjwfuQVkM06m-w3Xj9vKO_VdLnNPk1aSQyrtOfkGn9V9KaHg7EOnD01TepS8lB9690t4aNWSlGBS1A', 'bad_signature'),
('a signature over SHA-384 under the name RS256', '{"alg":"RS256","kid":"rs256"}',
 'hVhJHdqHYJKX5krI536VaqwZCGGoh9uCpyuqtdytvh4VG9ZQxF6a1cfn00APRbVGjsj6Pml1u4ToCWeSdLVJHWJ-jncLz-FlwsiFBMqBRktVcZ5vi1ESprhE3B-55EQeC-q_LbMlONdY5nSKtW_dtK3Ra-VJXfD3HzYuc8B7piYdSjNyZbYZtQTZisk2KQDRJXWfbgSKoRKfFRwHp31o-yTvN0YPmLf1uLBTyHDw85H2QDy5VwicJjyfM53HZVUk_b_YvfTeUiFv24Q2ewvjRY2mb30NH6jsNcsni5gb_EFQbZTQoArroDUxGeEU-5Tp7JAK_1-IRW8Q-V86KXUmRQ', 'bad_signature'),
('a signature over SHA-1 under the name RS256', '{"alg":"RS256","kid":"rs256"}',
 'BlnJt_Ihu3cR1Wd4jkPBn34uNlo7Fbbf--QPGrgWPeifYA8VzMw2iRKlA-nB-nHfd91-fp659BcePYSIO7Q-h-w65ZGzqB3XFgOigkeeseTwx5k7_CiXFQ19oB3SrHSrfoe1mPAgILV_WlZ0nnE3U_zr9Imnga5qtTYMtLqyXKWHpfR7PR0aRCySRLyO54nSDdB8r5bPy83E89vTGP4iVcETHlRkIqcmXg1HLTkC1zTM4NtOYS3-_x43Uu0d1tsX51GWNWJDV5TjnvjoYW9JupVggVhQyhjJq1RyjmAj18UNnM5SHy-YMx4db9bGeaWxgpZT-XUEsowSt6dPDDTTUQ', 'bad_signature'),
('ES256, made elsewhere', '{"alg":"ES256","kid":"es256"}',
 'bdpNiJ6WE5cYxkQv3A5ouGW1635lUmcoMWmKhVt4BozN1DgXeAjSDOaw_zy1Od6gkZ1a2hlU8u7-gmvesd-8lA', 'valid'),
('a signature over SHA-384 under the name ES256', '{"alg":"ES256","kid":"es256"}',
 '1xdkzs-y0CQ2Ryae0uNytPWeKvioGPAflf-e1BXC4u_75qKunYSvjDjutDWT7rmV2LsTuqQAsJMmJE4Of2yb0Q', 'bad_signature'),
('ES384, of a key on P-384', '{"alg":"ES384","kid":"es256"}',
 '7rFobjqChSP61WxPqJlRBkZEr-vwEJ3FKG6fSvvQePVO8ZzKfveX3N-dFFApMJBXM7cvqmxeOWBDReXZDYZIeWn8oiYcIXdL0QYMDJdEbgPzsQT2-eyJIZCstb_T-ZYG', 'wrong_algorithm'),
('ES512, of a key on P-521', '{"alg":"ES512","kid":"es256"}',
 'AaO1_OoazzAhFNu43e6_aNZQ0Of_xF6OXRlgTPKQf2B7_O0rqXc1ubGW1PR-qf95pVOQtcWEiAOqI_gvexKi6775AXDcWuETtJ1BGaLz7AHYDQ-B4ejlJmY2Dqqa9DpwAkY8ci4As5S6lbdUOMzjdDmXQzUMZbgi4-vRwh7QhuIKaF7B', 'wrong_algorithm'),
('ES256K, of a key on secp256k1', '{"alg":"ES256K","kid":"es256"}',
 'pm0oMA68T84CydmnQGcpIkq3hapafd0CIL5YsGy7vQmcII-B12NfbQjxDrnfHCX1TFAeMrcxEIK5kVHAPVuxqg', 'wrong_algorithm'),
('a signature on secp256k1 under the name ES256', '{"alg":"ES256","kid":"es256"}',
 'J5jU_fKtRRYagVJTBIEGkrgmeP7d9sDzwmr8-vxX0qTafp6caQgYaRS50vb_nsUZkSEEeCrbsLO3r0eOza2KIQ', 'bad_signature'),
('EdDSA, made elsewhere', '{"alg":"EdDSA","kid":"eddsa"}',
 '9t8gwVCHvoAq88EhscGy6C8ilu0NUabkx8hiN37yRYPxztcEsDbw5-YEJqmw4T7mk0UqTJmUcUFyrelpQqTODQ', 'valid'),
('the same under the newer name Ed25519', '{"alg":"Ed25519","kid":"eddsa"}',
 'cbMjbGtI3OhG9L3XAnnfkdSRCyk4_rRx-OS1rg4wJwUf5xnt8Rqp2PHJcqoH5B3C4cEogP8o4a_hWy1LxStOAw', 'wrong_algorithm'),
('a signature of a key on Ed448 under the name EdDSA', '{"alg":"EdDSA","kid":"eddsa"}',
 'pzsrAeP0nRZyimE288PjB54Usrlo3sg99RRhBmqn2jzRVADKPsPFLO7cqStNc2rjbJ9tbWcjpV-AEMIg0xSvhKbEWxAEaJHJ8zSj4gt_2S6X1gQotJHIqeNOihRP8EGgE1kr9koWTiDVkIsKIsdJpC0A', 'bad_signature'),
('HS1 of key hs256', '{"alg":"HS1","kid":"hs256"}',
 'ZE8mZz8o2ZWm3tCTtANWvBz3Whs', 'wrong_algorithm'),
('a key of which the keyring has the public half alone', '{"alg":"ES256","kid":"es256-public"}',
 '7XaFZVJDKvTAr2H_aCC7eKA1h4zA7ZngLjpQ51IDOsUNp0DtQAKvTEIwQ2cXUhBhg1Xfcn_KFUHJwYfAJIQOZQ', 'valid'),
('no kid, the second key of its alg: ES256', '{"alg":"ES256"}',
 'On8sgowyuXns0wnSHsSO0IhMKg_nXUt25UyvVplbX8tfCbO3Sf7dKs0ehusGOZC34CF-vIjkab_eJH5lRKdoXw', 'valid'),
('no kid, the second key of its alg: RS256', '{"alg":"RS256"}',
 'wi4diQQQPBZDReutTGVJXtVXf76Qnabce6Ab10zYgirhnDTlDgEIy6Q-13HiFAcvvxfqfMwaQN12C6aAu_Ww8MSShkAO3Bj3zAhYBjaH7zns4ywnCWsN74zHA-qOHyCFk2ljy0wt7LgJy9JA1P2CsGLhef0SYZzFGsaPUUwcO50hfSeiCDTNkVINjX1pf7nsh2rMHIlDv-9dxaaeQgL9a4WNFSQ7n_g_Ai5GeC0NYN-dh0vRNTLDSb2esLctTpanNCWADdL7KMh0B8yJ9QyP7I0D1tzFyqLgbK9pPSslKGR3L_dOowq-oEorDAqJgQ-44s6UTKKMQNS-UEIsEXoVog', 'valid'),
('no kid, the second key of its alg: EdDSA', '{"alg":"EdDSA"}',
 '-cS70R7ur0QTc4RT5fXOfq_AKc0zrkCGqmnfqyMxEnUiTxIVHQHmrDXBUIMueRrJkjL-rbbABHoUwm6luJOXBg', 'valid'),
('an ES256 key for webhooks, named', '{"alg":"ES256","kid":"hook-es256"}',
 '7o9ByVxyRCa1yrti0hxtBHzh73s-6chzl0w4ZC6lc99o9V4bgkxFyvjFrKvXwKgpdg5eG0_Mek88KRUGs6j74g', 'unknown_key'),
('an ES256 key for webhooks, not named', '{"alg":"ES256"}',
 'sJCy8kK7yMuJ7S0Bu1EH6Ouwy0uad7TUuN6Cft8QqjRlNMHIK6BPJPI-ttQ6X1IsE0AStFrUocPYBzeUCcCu8g', 'bad_signature'),
('its own ES256 key in jwk, under the kid of ours', '{"alg":"ES256","kid":"es256","jwk":{"kty":"EC","crv":"P-256","x":"Yu6YrVJxmSh1Ua-Y6OZfQRexpeT2ciwLJ09qlNrrnt0","y":"uiT3nXqKwE7KZlTvMS31XXXGFDdlXO8num8t20Op6n4"}}',
 'uKRUp0xQOmNvra1-ydRFq0rT-DFj4o4Q04lC6SRPnn6-4lK74_iPrOk84ZBhTHXTC8BHL_FciL1NzTQMJMLMfA', 'bad_signature'),
('its own ES256 key in jwk, without a kid', '{"alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"Yu6YrVJxmSh1Ua-Y6OZfQRexpeT2ciwLJ09qlNrrnt0","y":"uiT3nXqKwE7KZlTvMS31XXXGFDdlXO8num8t20Op6n4"}}',
 'EJge6BfXN7peLu02LeFHLxQh2qPD6G7P71jvCmkTfs4J71cRoTTYcAx6ju0pRLBemYXA0JNCo4CNxKGiAwMERw', 'bad_signature'),
('its own EdDSA key in jwk, under the kid of ours', '{"alg":"EdDSA","kid":"eddsa","jwk":{"kty":"OKP","crv":"Ed25519","x":"HYpMrcuiwAFTRjQ-sQkY-I4sSYmenjR8RwkK7xwQ5Rg"}}',
 '_1PKyzKLlGacqopDY9kaQuJdaaaMFyEYgnDUFgoh2zpLpjsiXQqOvPVtt3mfBEaUmv70IxYBcmyTILKOyqh9Ag', 'bad_signature'),
('its own key, and a file of the server in jku', '{"alg":"ES256","kid":"es256","jku":"file:///etc/passwd"}',
 't5ukgYyy7VZvMGHu-BXIUhsjr1obt2nlqisMLCybjOCewNU-osRcTkTQk4GMo_uM7n1rs0URN2ZBnv6HUM6lTw', 'bad_signature'),
('its own key, and an address in x5u', '{"alg":"ES256","kid":"es256","x5u":"http://127.0.0.1/cert.pem"}',
 'yg0rBTtboD-XDV1VjObrff8K1YXjhWQvDcxAteqtEYEKvlLrbfv8GPrNJbbrRip51auMtCsU0wmbgixYVTiAqg', 'bad_signature'),
('its own key, and its certificate in x5c', '{"alg":"ES256","kid":"es256","x5c":["MIIBCTCBsaADAgECAgEBMAoGCCqGSM49BAMCMA8xDTALBgNVBAMMBG1pbmUwHhcNMjYwMTAxMDAwMDAwWhcNMzYwMTAxMDAwMDAwWjAPMQ0wCwYDVQQDDARtaW5lMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYu6YrVJxmSh1Ua+Y6OZfQRexpeT2ciwLJ09qlNrrnt26JPedeorATspmVO8xLfVddcYUN2Vc7ye6by3bQ6nqfjAKBggqhkjOPQQDAgNHADBEAiAIEOnxVuI68sawl3yNznh/IUSJJg4Sxcnm4orkFWf7zwIgRbl3/9a2+xayx5cmgVPicE91oPj1DDmiXVZtp66d5Z8="]}',
 'MxRMVBbuunreTrPS0HxI1umyDv8-PRtwrzLGsMLxaLqVpXREm36hylh2_HQFPh5KUL2pS3Hy0HrkwdkPqOlexQ', 'bad_signature');
INSERT INTO cases (name, token, verdict)
SELECT name, pg_temp.base64url(convert_to(header, 'UTF8')) || '.' || pg_temp.base64url('{"sub":"jane"}') || '.' || signature, verdict
  FROM signed ORDER BY n;
INSERT INTO cases (name, token, verdict) VALUES
('its own HS256 key in jwk, without a kid', pg_temp.token('{"alg":"HS256","jwk":{"kty":"oct","k":"' || pg_temp.base64url(repeat('evil', 8)::bytea) || '"}}', octets => repeat('evil', 8)::bytea), 'bad_signature'),
('our key, and another in jwk that is not looked at', pg_temp.token('{"alg":"HS256","kid":"hs256","jwk":{"kty":"oct","k":"ZXZpbA"}}'), 'valid'),
('our key, and a jku that is not looked at', pg_temp.token('{"alg":"HS256","kid":"hs256","jku":"file:///etc/passwd"}'), 'valid'),
('our key, and x5u, x5c, x5t that are not looked at', pg_temp.token('{"alg":"HS256","kid":"hs256","x5u":1,"x5c":null,"x5t":[]}'), 'valid');

--
-- The key is the one that kid names, and kid is nothing but a name
--

INSERT INTO cases (name, token, verdict)
SELECT 'kid: ' || name, pg_temp.token(format('{"alg":"HS256"%s}', ',"kid":' || kid), octets => pg_temp.key(signer)), verdict
  FROM (VALUES
('the signer''s', 'hs256', '"hs256"', 'valid'), ('the signer''s, spelled otherwise', 'hs256', '"\u0068s\u003256"', 'valid'),
('another key''s', 'hs256', '"hs256-next"', 'bad_signature'), ('that key''s', 'hs256-next', '"hs256-next"', 'valid'),
('a key''s of another alg', 'hs256', '"rs256"', 'wrong_algorithm'), ('nobody''s', 'hs256', '"nobody"', 'unknown_key'),
('none, the first of several keys', 'hs256', NULL, 'valid'), ('none, the second of several keys', 'hs256-next', NULL, 'valid'),
('a webhook key''s', 'hook', '"hook"', 'unknown_key'), ('none, a webhook key', 'hook', NULL, 'bad_signature'),
('the name key''s', 'name', '"name"', 'unknown_key'), ('none, the name key', 'name', NULL, 'bad_signature'),
('a TURN key''s', 'turn', '"turn"', 'unknown_key'), ('none, a TURN key', 'turn', NULL, 'bad_signature'),
('of a key that may verify alone', 'hs256-verify', '"hs256-verify"', 'valid'), ('none, a key that may verify alone', 'hs256-verify', NULL, 'valid'),
('of a key that may sign alone', 'hs256-sign', '"hs256-sign"', 'unknown_key'), ('none, a key that may sign alone', 'hs256-sign', NULL, 'bad_signature'),
('empty', 'hs256', '""', 'unknown_key'), ('in capitals', 'hs256', '"HS256"', 'unknown_key'), ('cut', 'hs256', '"hs25"', 'unknown_key'),
('longer', 'hs256', '"hs256-"', 'unknown_key'), ('with a blank', 'hs256', '"hs256 "', 'unknown_key'), ('with a blank before', 'hs256', '" hs256"', 'unknown_key'),
('with U+0000', 'hs256', '"hs256\u0000"', 'malformed'), ('in wide letters', 'hs256', '"ｈｓ２５６"', 'unknown_key'),
('SQL', 'hs256', '"'' OR kid = ''hs256'' --"', 'unknown_key'), ('SQL that drops', 'hs256', '"''; DROP TABLE vidtoken.vidtoken_session; --"', 'unknown_key'),
('a pattern', 'hs256', '"%"', 'unknown_key'), ('a path', 'hs256', '"../../../../dev/null"', 'unknown_key'), ('a file', 'hs256', '"/etc/passwd"', 'unknown_key'),
('a command', 'hs256', '"|sleep 60"', 'unknown_key'), ('an address', 'hs256', '"http://127.0.0.1/"', 'unknown_key'), ('a format', 'hs256', '"%s%s%s%n"', 'unknown_key'),
('10,000 letters', 'hs256', '"' || repeat('k', 10000) || '"', 'unknown_key'),
('a number', 'hs256', '256', 'malformed'), ('an array', 'hs256', '["hs256"]', 'malformed'), ('an object', 'hs256', '{"kid":"hs256"}', 'malformed'),
('null', 'hs256', 'null', 'malformed'), ('true', 'hs256', 'true', 'malformed')
       ) AS v(name, signer, kid, verdict);
INSERT INTO cases (name, token, verdict) VALUES
('kid: empty, signed with nothing', pg_temp.token('{"alg":"HS256","kid":""}', octets => ''), 'unknown_key'),
('no kid, signed with nothing', pg_temp.token('{"alg":"HS256"}', octets => ''), 'bad_signature'),
('no kid, signed with null bytes', pg_temp.token('{"alg":"HS256"}', octets => decode(repeat('00', 64), 'hex')), 'bad_signature'),
('kid: /dev/null, signed with nothing', pg_temp.token('{"alg":"HS256","kid":"/dev/null"}', octets => ''), 'unknown_key'),
('kid in the claims', pg_temp.token('{"alg":"HS256"}', '{"kid":"rs256"}'), 'valid'),
('KID names nothing', pg_temp.token('{"alg":"HS256","KID":"nobody"}'), 'valid');

--
-- The header
--

INSERT INTO cases (name, token, verdict)
SELECT 'header: ' || COALESCE(name, more), pg_temp.token('{"alg":"HS256","kid":"hs256"' || more || '}'), verdict
  FROM (VALUES
(NULL, ',"typ":"JWT"', 'valid'), (NULL, ',"typ":"jwt","cty":"twilio-fpa;v=1"', 'valid'), (NULL, ',"typ":"at+jwt"', 'valid'),
(NULL, ',"typ":null', 'malformed'), (NULL, ',"typ":1', 'malformed'), (NULL, ',"typ":["JWT"]', 'malformed'),
('an unknown member', ',"urn:x":{"a":[1,{"b":null}]}', 'valid'),
(NULL, ',"crit":[]', 'unsupported'), (NULL, ',"crit":["alg"]', 'unsupported'), (NULL, ',"crit":["exp"],"exp":1', 'unsupported'), (NULL, ',"crit":["exp"]', 'unsupported'),
(NULL, ',"crit":["b64"],"b64":true', 'unsupported'), (NULL, ',"crit":["b64"],"b64":false', 'unsupported'), (NULL, ',"crit":"exp"', 'unsupported'),
(NULL, ',"crit":null', 'unsupported'), (NULL, ',"crit":{}', 'unsupported'), (NULL, ',"crit":[1]', 'unsupported'), (NULL, ',"crit":[null]', 'unsupported'),
(NULL, ',"crit":["x","x"],"x":1', 'unsupported'), (NULL, ',"cr\u0069t":["x"],"x":1', 'unsupported'), (NULL, ',"Crit":["x"]', 'valid'), (NULL, ',"x":{"crit":["x"]}', 'valid'),
(NULL, ',"b64":true', 'unsupported'), (NULL, ',"b64":false', 'unsupported'), (NULL, ',"b64":null', 'unsupported'), (NULL, ',"zip":"DEF"', 'unsupported'), (NULL, ',"zip":null', 'unsupported'),
(NULL, ',"enc":"A128GCM"', 'valid'),
('alg twice', ',"alg":"HS256"', 'malformed'), ('alg twice, once none', ',"alg":"none"', 'malformed'), ('alg twice, once spelled otherwise', ',"\u0061lg":"none"', 'malformed'),
('kid twice', ',"kid":"hs256"', 'malformed'), ('kid twice, once another', ',"kid":"hs256-next"', 'malformed'), ('typ twice', ',"typ":"JWT","typ":"JWT"', 'malformed'),
('an unknown member twice', ',"x":1,"x":1', 'malformed'), ('a name twice in an object inside', ',"x":{"a":1,"a":1}', 'malformed'),
('a name twice, spelled otherwise, in an array inside', ',"x":[[{"a":1,"\u0061":1}]]', 'malformed'), ('a name in an object and in one inside of it', ',"x":{"x":{"alg":1}}', 'valid'),
('a name twice, beyond the basic plane', ',"\ud83d\ude00":1,"😀":1', 'malformed'), ('two names that look the same', ',"é":1,"e\u0301":1', 'valid')
       ) AS v(name, more, verdict);
INSERT INTO cases (name, token, verdict)
SELECT 'header is ' || name, pg_temp.token(header), verdict
  FROM (VALUES
('nothing', '', 'malformed'), ('a string', '"alg"', 'malformed'), ('a number', '1', 'malformed'), ('null', 'null', 'malformed'), ('true', 'true', 'malformed'),
('an array', '[{"alg":"HS256","kid":"hs256"}]', 'malformed'), ('two objects', '{"alg":"HS256"}{"alg":"HS256"}', 'malformed'), ('an object with text behind', '{"alg":"HS256"}x', 'malformed'),
('an object with a comma too many', '{"alg":"HS256",}', 'malformed'), ('an object that does not end', '{"alg":"HS256"', 'malformed'), ('an object with names unquoted', '{alg:"HS256"}', 'malformed'),
('an object in single quotes', '{''alg'':''HS256''}', 'malformed'), ('an object with a comment', '{"alg":"HS256"/**/}', 'malformed'),
('an object with white space', E' {\t"alg" :\r\n"HS256" , "kid":"hs256" }\n', 'valid'), ('an object with U+00A0', E'{\u00a0"alg":"HS256"}', 'malformed')
       ) AS v(name, header, verdict);

--
-- One text for one token
--

-- the texts that decode to the same bytes in a reader that does not look at the bits which no byte holds
CREATE FUNCTION pg_temp.same_bytes(part text) RETURNS SETOF text
LANGUAGE sql AS $$
    SELECT left(part, -1) || substr(letters, strpos(letters, right(part, 1)) + i, 1)
      FROM CAST('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_' AS text) AS letters,
           generate_series(1, CASE length(part) % 4 WHEN 2 THEN 15 WHEN 3 THEN 3 ELSE 0 END) AS i
$$;
-- header and payload that leave 0, 2 and 4 bits unused
CREATE TEMP TABLE parts AS
SELECT pg_temp.base64url(convert_to('{"alg":"HS256","kid":"hs256"' || blanks || '}', 'UTF8')) AS header,
       pg_temp.base64url(convert_to('{"sub":"jane"' || blanks || '}', 'UTF8')) AS payload, unused
  FROM (VALUES (0, ' '), (2, ''), (4, '  ')) AS v(unused, blanks);
SELECT is(pg_temp.verdict(pg_temp.seal(header || '.' || payload)), 'valid', format('header and payload that leave %s bits unused', unused))
  FROM parts ORDER BY unused;
SELECT is(string_agg(pg_temp.verdict(pg_temp.seal(other || '.' || payload)), ' '), repeat('malformed ', (2 ^ unused)::integer - 2) || 'malformed',
          format('%s bits are unused in the header, and not zero; signed with it', unused))
  FROM parts, pg_temp.same_bytes(header) AS other GROUP BY unused ORDER BY unused;
SELECT is(string_agg(pg_temp.verdict(pg_temp.seal(header || '.' || other)), ' '), repeat('malformed ', (2 ^ unused)::integer - 2) || 'malformed',
          format('%s bits are unused in the payload, and not zero; signed with it', unused))
  FROM parts, pg_temp.same_bytes(payload) AS other GROUP BY unused ORDER BY unused;
SELECT is(string_agg(pg_temp.verdict(left(token, -length(s)) || other), ' '), repeat('malformed ', CASE alg WHEN 'HS256' THEN 2 ELSE 14 END) || 'malformed',
          format('%s: %s bits are unused in the signature, and not zero', alg, CASE alg WHEN 'HS256' THEN 2 ELSE 4 END))
  FROM plain, split_part(token, '.', 3) AS s, pg_temp.same_bytes(s) AS other GROUP BY alg ORDER BY alg;

INSERT INTO cases (name, token, verdict)
SELECT v.*, 'malformed'
  FROM parts, LATERAL (VALUES ('padding in the header, signed', pg_temp.seal(header || '=.' || payload)), ('padding in the payload, signed', pg_temp.seal(header || '.' || payload || '=')),
                              ('padding of the signature', pg_temp.seal(header || '.' || payload) || '='), ('padding of the signature, twice', pg_temp.seal(header || '.' || payload) || '=='),
                              ('padding of the signature, percent-encoded', pg_temp.seal(header || '.' || payload) || '%3D'),
                              ('a payload of one character, signed', pg_temp.seal(header || '.e')), ('a payload of five characters, signed', pg_temp.seal(header || '.eyJzd'))) AS v
 WHERE unused = 2;
INSERT INTO cases (name, token, verdict)
SELECT v.* FROM pg_temp.base64url('{"alg":"HS256","kid":"hs256"}') AS header, pg_temp.base64url('{"sub":"~~~???>>>"}') AS payload,
       LATERAL (VALUES ('a payload with both letters in which base64url differs', CASE WHEN payload ~ '-.*_|_.*-' THEN pg_temp.seal(header || '.' || payload) END, 'valid'),
                       ('the same in base64, signed', pg_temp.seal(header || '.' || translate(payload, '-_', '+/')), 'malformed'),
                       ('the same in the base64 of file names, signed', pg_temp.seal(header || '.' || translate(payload, '-_', '+-')), 'malformed')) AS v;

SELECT is(array_agg(DISTINCT pg_temp.verdict(token)), '{malformed}', format('%s before, inside of and after each part', name))
  FROM (VALUES (1, 'a blank', ' '), (2, 'a tab', E'\t'), (3, 'a line feed', E'\n'), (4, 'a carriage return', E'\r'), (5, 'a folded line', E'\r\n '), (6, 'U+00A0', E'\u00a0'), (7, 'U+200B', E'\u200b'),
               (8, 'U+FEFF', E'\ufeff'), (9, 'a quote', '"'), (10, 'a comma', ','), (11, 'a dot in wide letters', '．'), (12, 'a letter with an accent', 'é'), (13, 'U+0001', E'\x01'), (14, 'a colon', ':')) AS v(n, name, c),
       parts, pg_temp.seal(header || '.' || payload) AS sealed,
       LATERAL (VALUES (c || sealed), (sealed || c), (overlay(sealed PLACING c FROM strpos(sealed, '.') FOR 0)), (overlay(sealed PLACING c FROM length(header || payload) + 2 FOR 0)), (overlay(sealed PLACING c FROM length(sealed) - 9 FOR 0)),
                       (pg_temp.seal(c || header || '.' || payload)), (pg_temp.seal(overlay(header PLACING c FROM 9 FOR 0) || '.' || payload)), (pg_temp.seal(header || c || '.' || payload)),
                       (pg_temp.seal(header || '.' || c || payload)), (pg_temp.seal(header || '.' || overlay(payload PLACING c FROM 9 FOR 0))), (pg_temp.seal(header || '.' || payload || c))) AS t(token)
 WHERE unused = 2 GROUP BY n, name ORDER BY n;

INSERT INTO cases (name, token, verdict)
SELECT v.*, 'malformed'
  FROM plain, split_part(token, '.', 1) AS h, split_part(token, '.', 2) AS p, split_part(token, '.', 3) AS s, LATERAL (VALUES
('"Bearer" before it', 'Bearer ' || token), ('"bearer" before it', 'bearer ' || token), ('"JWT" before it', 'JWT ' || token), ('in quotes', '"' || token || '"'),
('two tokens', token || ',' || token), ('two tokens, and nothing between', token || token), ('a fourth part', token || '.e30'), ('a fourth part, empty', token || '.'),
('five parts', token || '.e30.e30'), ('an empty part before', '.' || token), ('no header', '.' || p || '.' || s), ('header and payload alone', h || '.' || p), ('the header alone', h), ('the header and a dot', h || '.'),
('the parts in reverse', s || '.' || p || '.' || h), ('a header that is not encoded', '{"alg":"HS256"}.' || p || '.' || s), ('in small letters', lower(token)),
('JSON serialization, flattened', format('{"protected":"%s","payload":"%s","signature":"%s"}', h, p, s)),
('JSON serialization, general', format('{"payload":"%s","signatures":[{"protected":"%s","signature":"%s"}]}', p, h, s)),
('nothing', ''), ('NULL', NULL), ('a dot', '.'), ('two dots', '..'), ('three dots', '...'), ('10,000 dots', repeat('.', 10000)), ('a sentence', 'This is no token.')) AS v
 WHERE kid = 'hs256';

--
-- Signatures of other lengths and other numbers
--

SELECT is(array_agg(pg_temp.verdict(pg_temp.with_signature(token, other)) ORDER BY alg), array_fill('bad_signature'::text, '{6}'), 'signature, of each algorithm: ' || name)
  FROM plain, LATERAL (VALUES (1, 'nothing', ''::bytea), (2, 'its first byte', substring(signature FOR 1)), (3, 'its first half', substring(signature FOR length(signature) / 2)),
                              (4, 'without its last byte', substring(signature FOR length(signature) - 1)), (5, 'without its first byte', substring(signature FROM 2)),
                              (6, 'a zero after it', signature || '\x00'), (7, 'a zero before it', '\x00' || signature), (8, 'twice', signature || signature),
                              (9, 'zeros', decode(repeat('00', length(signature)), 'hex')), (10, 'ones', decode(repeat('ff', length(signature)), 'hex')),
                              (11, 'in reverse', pg_temp.reversed(signature)), (12, 'in hexadecimal', encode(signature, 'hex')::bytea), (13, '40,000 bytes', decode(repeat('00', 40000), 'hex'))) AS v(n, name, other)
 GROUP BY n, name ORDER BY n;
SELECT is(array_agg(pg_temp.verdict(split_part(p.token, '.', 1) || '.' || other || '.' || split_part(p.token, '.', 3)) ORDER BY alg), array_fill('bad_signature'::text, '{6}'), 'payload, under the signature of another, with each algorithm: ' || name)
  FROM plain AS p, (VALUES (1, 'another', pg_temp.base64url('{"sub":"bob"}')), (2, 'nothing', ''), (3, 'the same with a blank', pg_temp.base64url('{"sub":"jane" }'))) AS v(n, name, other)
 GROUP BY n, name ORDER BY n;

-- FIPS 186-4, section 6.4, on P-256: 0 < r, s < n
CREATE FUNCTION pg_temp.der(number bytea) RETURNS bytea
LANGUAGE sql AS $$
    SELECT '\x02'::bytea || set_byte('\x00', 0, length(n)) || n
      FROM CAST(decode(regexp_replace(regexp_replace(encode(number, 'hex'), '^(00)+', ''), '^([89a-f])', '00\1'), 'hex') AS bytea) AS n
$$;
INSERT INTO cases (name, token, verdict)
SELECT 'ES256: ' || v.name, pg_temp.with_signature(token, v.other), v.verdict
  FROM plain, CAST(substring(signature FOR 32) AS bytea) AS r, CAST(substring(signature FROM 33) AS bytea) AS s, decode(repeat('00', 32), 'hex') AS zero,
       CAST(115792089210356248762697446949407573529996955224135760342422259061068512044369 AS numeric) AS n, LATERAL (VALUES
(1, 'the two numbers as they are', r || s, 'valid'), (2, 's is n - s: ECDSA has two signatures for one nonce, so no token is known by its text alone', r || pg_temp.octets(n - pg_temp.number(s), 32), 'valid'),
(3, 's and r', s || r, 'bad_signature'), (4, 'r is n - r', pg_temp.octets(n - pg_temp.number(r), 32) || s, 'bad_signature'), (5, 'r is 0', zero || s, 'bad_signature'), (6, 's is 0', r || zero, 'bad_signature'),
(7, 'r and s are 0', zero || zero, 'bad_signature'), (8, 'r is n', pg_temp.octets(n, 32) || s, 'bad_signature'), (9, 's is n', r || pg_temp.octets(n, 32), 'bad_signature'), (10, 'r and s are n', pg_temp.octets(n, 32) || pg_temp.octets(n, 32), 'bad_signature'),
(11, 's is s + 1', r || pg_temp.octets(pg_temp.number(s) + 1, 32), 'bad_signature'), (12, 'r and s are 1', pg_temp.octets(1, 32) || pg_temp.octets(1, 32), 'bad_signature'), (13, 'little-endian', pg_temp.reversed(r) || pg_temp.reversed(s), 'bad_signature'),
(14, 'DER', '\x30'::bytea || set_byte('\x00', 0, length(pg_temp.der(r) || pg_temp.der(s))) || pg_temp.der(r) || pg_temp.der(s), 'bad_signature'), (15, 'DER, each number in 33 bytes', '\x3046022100'::bytea || r || '\x022100' || s, 'bad_signature')) AS v(n, name, other, verdict)
 WHERE alg = 'ES256' ORDER BY v.n;
-- RFC 8032, section 5.1.7: S is below the order of the group
INSERT INTO cases (name, token, verdict)
SELECT 'EdDSA: ' || v.name, pg_temp.with_signature(token, v.other), v.verdict
  FROM plain, CAST(substring(signature FOR 32) AS bytea) AS r, pg_temp.number(pg_temp.reversed(substring(signature FROM 33))) AS s,
       CAST(7237005577332262213973186563042994240857116359379907606001950938285454250989 AS numeric) AS l,
       LATERAL (SELECT k, CASE k WHEN 0 THEN 'the two numbers as they are' ELSE format('S + %sL', k) END, r || pg_temp.reversed(pg_temp.octets(s + k * l, 32)), CASE k WHEN 0 THEN 'valid' ELSE 'bad_signature' END FROM generate_series(0, 7) AS k
                UNION ALL VALUES
(8, 'L - S', r || pg_temp.reversed(pg_temp.octets(l - s, 32)), 'bad_signature'), (9, 'S is 0', r || decode(repeat('00', 32), 'hex'), 'bad_signature'), (10, 'S is L', r || pg_temp.reversed(pg_temp.octets(l, 32)), 'bad_signature'),
(11, 'the sign of R changed', set_byte(r, 31, get_byte(r, 31) # 128) || pg_temp.reversed(pg_temp.octets(s, 32)), 'bad_signature'), (12, 'S and R', pg_temp.reversed(pg_temp.octets(s, 32)) || r, 'bad_signature'),
(13, 'R is the neutral element and S is 0', pg_temp.reversed(pg_temp.octets(1, 64)), 'bad_signature')) AS v(n, name, other, verdict)
 WHERE alg = 'EdDSA' ORDER BY v.n;
-- RFC 8017, section 8.2.2: s is below n
INSERT INTO cases (name, token, verdict)
SELECT 'RS256: ' || v.name, pg_temp.with_signature(token, pg_temp.octets(v.other, 256)), v.verdict
  FROM (SELECT token, s, n
          FROM generate_series(1, 100) AS i, vidtoken.vidtoken_sign(json_build_object('sub', i::text), 'rs256') AS token,
               pg_temp.number(pg_temp.octets(split_part(token, '.', 3))) AS s, pg_temp.number(pg_temp.key('rs256', 'n')) AS n
         WHERE s + n < 2 ^ CAST(2048 AS numeric) LIMIT 1) AS short,
       LATERAL (VALUES
(1, 'the number as it is', s, 'valid'), (2, 's + n, which has no more bytes', s + n, 'bad_signature'), (3, 'n - s', n - s, 'bad_signature'), (4, 's is 0', 0, 'bad_signature'), (5, 's is 1', 1, 'bad_signature'),
(6, 's is n', n, 'bad_signature'), (7, 's is n - 1', n - 1, 'bad_signature'), (8, 's is n + 1', n + 1, 'bad_signature')) AS v(n, name, other, verdict)
 ORDER BY v.n;

--
-- Size
--

INSERT INTO cases (name, token, verdict)
SELECT format('%s bytes, signed, %s', length(token), name), token, verdict
  FROM (VALUES ('most of them the header', pg_temp.token(rpad('{"alg":"HS256","kid":"hs256"', 49103) || '}'), 'valid'),
               ('most of them the payload', pg_temp.token(payload => rpad('{"sub":"jane"', 49088) || '}'), 'valid'),
               ('most of them the header', pg_temp.token(rpad('{"alg":"HS256","kid":"hs256"', 49103) || '}', '{"sub":"jane" }'), 'too_long'),
               ('most of them the payload', pg_temp.token('{"alg":"HS256","kid":"hs256" }', rpad('{"sub":"jane"', 49088) || '}'), 'too_long')) AS v(name, token, verdict);

SELECT is(pg_temp.verdict(token), verdict, format('%s: %s', verdict, name)) FROM cases ORDER BY n;

-- 100 MB, as they come and as a table keeps them
CREATE TEMP TABLE large AS SELECT repeat('eyJhbGciOiJIUzI1NiJ9.', 5000000) AS token;
SELECT clock_timestamp() AS began \gset
SELECT is(pg_temp.verdict(repeat('eyJhbGciOiJIUzI1NiJ9.', 5000000)), 'too_long', '100 MB');
SELECT is(pg_temp.verdict(token), 'too_long', '100 MB in a table') FROM large;
SELECT ok(clock_timestamp() - :'began'::timestamptz < interval '10 seconds', 'neither takes long');

--
-- Which key it was
--

SELECT is((SELECT key_id FROM vidtoken.vidtoken_verify(token)), kid, 'no kid, and of several keys of its alg it is known which signed it: ' || kid)
  FROM (SELECT kid, pg_temp.token('{"alg":"HS256"}', octets => pg_temp.key(kid)) FROM unnest('{hs256,hs256-next,hs256-verify}'::text[]) AS kid
        UNION ALL
        SELECT lower(substring(name FROM '[^ ]*$')) || '-next', token FROM cases WHERE name LIKE 'no kid, the second key of its alg: %') AS s(kid, token)
 ORDER BY kid COLLATE "C";

--
-- Every small change of a token
--

-- The eighth bit would make a byte that is no text: the character of that number stands for it.
CREATE FUNCTION pg_temp.changes(t text) RETURNS TABLE (n integer, change text, changed text)
LANGUAGE sql AS $$
    SELECT 1, 'one bit changed', overlay(t PLACING chr(ascii(substr(t, i, 1)) # (1 << bit)) FROM i FOR 1) FROM generate_series(1, length(t)) AS i, generate_series(0, 7) AS bit
    UNION ALL SELECT 2, 'cut short at its end', left(t, i) FROM generate_series(0, length(t) - 1) AS i
    UNION ALL SELECT 3, 'cut short at its beginning', right(t, i) FROM generate_series(0, length(t) - 1) AS i
    UNION ALL SELECT 4, 'one character left out', overlay(t PLACING '' FROM i FOR 1) FROM generate_series(1, length(t)) AS i
    UNION ALL SELECT 5, 'one character twice', overlay(t PLACING substr(t, i, 1) FROM i FOR 0) FROM generate_series(1, length(t)) AS i
    UNION ALL SELECT 6, 'one put in, a dot, "=", "A", blank or line feed', overlay(t PLACING c FROM i FOR 0)
                FROM generate_series(1, length(t) + 1) AS i, unnest(ARRAY['.', '=', 'A', ' ', E'\n']) AS c
$$;
SELECT is(count(*) FILTER (WHERE verdict IS NULL OR verdict NOT IN ('malformed', 'unsupported', 'wrong_algorithm', 'unknown_key', 'bad_signature')), 0::bigint,
          format('%s: %s, in all %s ways: not one is accepted', alg, change, count(*)))
  FROM plain, pg_temp.changes(token) AS c, pg_temp.verdict(changed) AS verdict
 GROUP BY alg, c.n, change ORDER BY alg, c.n;

SELECT is(txid_current(), :transaction::bigint, 'it is still one transaction');
SELECT is(pg_postmaster_start_time(), :'server_started'::timestamptz, 'the server is the one of the beginning');

SELECT * FROM finish();
SELECT format('COPY (SELECT 1) TO PROGRAM %L', format('cat > /dev/null; rm -f %s', quote_literal(:'path'))) AS remove_ring \gset
:remove_ring;
ROLLBACK;
