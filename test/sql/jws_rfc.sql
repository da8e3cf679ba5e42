\unset ECHO
\i test/setup.sql

-- Promise: the examples of the standards are judged as the standards say, and
-- signed as they say where that has one result: RFC 7515, appendix A; RFC
-- 7797, section 4; RFC 8037, appendix A.

-- The keys of RFC 7515, appendices A.1 to A.3, and of RFC 8037, appendix A.1;
-- the examples name no key, so the kid is where it comes from.
\set key_a1 '{"kty":"oct","kid":"rfc7515-A.1","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}'
\set n_a2 'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ'
\set d_a2 'Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ'
\set key_a2 '{"kty":"RSA","kid":"rfc7515-A.2","alg":"RS256","e":"AQAB","n":"' :n_a2 '","d":"' :d_a2 '","p":"4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc","q":"uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc","dp":"BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0","dq":"h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU","qi":"IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U"}'
\set key_a3 '{"kty":"EC","kid":"rfc7515-A.3","alg":"ES256","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}'
\set key_ed '{"kty":"OKP","kid":"rfc8037-A.1","alg":"EdDSA","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}'
\set key_name '{"kty":"oct","kid":"name","alg":"HS256","vidtoken_use":"name","k":"dGVzdCBzZWNyZXQgb2YgdGhlIG5hbWUga2V5LCBvbmx5"}'
\set ring '{"keys":[' :key_a1 ',' :key_a2 ',' :key_a3 ',' :key_ed ',' :key_name ']}'
SELECT format('%s/vidtoken_test_rfc_%s', current_setting('data_directory'), pg_backend_pid()) AS path \gset
SELECT format('COPY (SELECT %L) TO PROGRAM %L', :'ring',
              format('umask 077; cat > %s', quote_literal(:'path'))) AS write_ring \gset
:write_ring;
SET LOCAL vidtoken.keyring = :'path';

CREATE FUNCTION pg_temp.verify_bytes(token text) RETURNS text
LANGUAGE C AS '$libdir/vidtoken', 'vidtoken_verify_bytes';
CREATE FUNCTION pg_temp.base64url(octets bytea) RETURNS text
LANGUAGE sql AS $$
    SELECT translate(encode(octets, 'base64'), E'+/=\n', '-_')
$$;
-- how many tokens that differ in one character are accepted
CREATE FUNCTION pg_temp.accepted_changes(token text) RETURNS bigint
LANGUAGE sql AS $$
    SELECT count(*)
      FROM generate_series(1, length(token)) AS i,
           CAST('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_' AS text) AS letters,
           substr(letters, (strpos(letters, substr(token, i, 1)) + 7) % 64 + 1, 1) AS other
     WHERE pg_temp.verify_bytes(overlay(token PLACING other FROM i FOR 1)) IS NULL
$$;

\set claims 'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ'
\set sig_a1 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
\set sig_a2 'cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw'
\set sig_a3 'DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q'
CREATE TEMP TABLE examples (n integer GENERATED ALWAYS AS IDENTITY, name text, key_id text, token text);
INSERT INTO examples (name, key_id, token) VALUES
('RFC 7515, A.1 (HS256)', 'rfc7515-A.1', 'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.' || :'claims' || '.' || :'sig_a1'),
('RFC 7515, A.2 (RS256)', 'rfc7515-A.2', 'eyJhbGciOiJSUzI1NiJ9.' || :'claims' || '.' || :'sig_a2'),
('RFC 7515, A.3 (ES256)', 'rfc7515-A.3', 'eyJhbGciOiJFUzI1NiJ9.' || :'claims' || '.' || :'sig_a3'),
('RFC 8037, A.4 (EdDSA)', 'rfc8037-A.1', 'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg');

-- what the standards show and vidtoken does not support
CREATE TEMP TABLE refused (n integer GENERATED ALWAYS AS IDENTITY, name text, token text, verdict text);
INSERT INTO refused (name, token, verdict) VALUES
('RFC 7515, A.4: ES512',
 'eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn',
 'wrong_algorithm'),
('RFC 7515, A.5: alg none, no signature', 'eyJhbGciOiJub25lIn0.' || :'claims' || '.', 'wrong_algorithm'),
('RFC 7515, A.6: JSON serialization of A.2 and A.3',
 '{"payload":"' || :'claims' || '","signatures":[{"protected":"eyJhbGciOiJSUzI1NiJ9","header":{"kid":"2010-12-29"},"signature":"' || :'sig_a2'
 || '"},{"protected":"eyJhbGciOiJFUzI1NiJ9","header":{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"},"signature":"' || :'sig_a3' || '"}]}',
 'malformed'),
('RFC 7515, A.7: flattened JSON serialization of A.3',
 '{"payload":"' || :'claims' || '","protected":"eyJhbGciOiJFUzI1NiJ9","header":{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"},"signature":"' || :'sig_a3' || '"}',
 'malformed'),
('RFC 7515, E: a crit that nobody understands',
 'eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA.',
 'unsupported'),
('RFC 7797, 4.2: payload not encoded, left out', 'eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY',
 'unsupported'),
('RFC 7797, 4.2: the same with its payload', 'eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19.$.02.A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY',
 'malformed');

SELECT plan(56);

--
-- The signatures
--

SELECT is(pg_temp.verify_bytes(token), NULL, name || ': the signature is good')
  FROM examples ORDER BY n;
SELECT is(pg_temp.accepted_changes(token), 0::bigint, name || ': with another character, whichever, it is not')
  FROM examples ORDER BY n;
SELECT is(pg_temp.verify_bytes(split_part(a.token, '.', 1) || '.' || split_part(a.token, '.', 2) || '.' || split_part(b.token, '.', 3)),
          'bad_signature', format('%s with the signature of %s', a.name, b.name))
  FROM examples AS a, examples AS b
 WHERE a.n <> b.n ORDER BY a.n, b.n;

--
-- The claims: exp is 1300819380, 2011-03-22 18:43:00 UTC
--

SET LOCAL vidtoken.test_clock = '2011-03-22 18:42:59+00';
SELECT results_eq(format($$SELECT valid, reason, key_id, expires_at FROM vidtoken.vidtoken_verify(%L)$$, token),
                  format($$VALUES (true, NULL::text, %L, timestamptz '2011-03-22 18:43:00+00')$$, key_id),
                  name || ': valid one second before it expires')
  FROM examples WHERE n <= 3 ORDER BY n;
SELECT is(header::text || claims::text,
          E'{"typ":"JWT",\r\n "alg":"HS256"}{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}',
          'RFC 7515, A.1: header and claims are as they were spelled')
  FROM examples, vidtoken.vidtoken_verify(token) WHERE n = 1;
SELECT results_eq(format($$SELECT valid, reason, header::text, claims::text, key_id, expires_at FROM vidtoken.vidtoken_verify(%L)$$, token),
                  $$VALUES (false, 'bad_claims', NULL::text, NULL::text, NULL::text, NULL::timestamptz)$$,
                  'RFC 8037, A.4: a sentence is no claims, however well it is signed')
  FROM examples WHERE n = 4;

SET LOCAL vidtoken.test_clock = '2011-03-22 18:43:00+00';
SELECT results_eq(format($$SELECT valid, reason, header::text, claims::text, key_id, expires_at FROM vidtoken.vidtoken_verify(%L)$$, token),
                  $$VALUES (false, 'expired', NULL::text, NULL::text, NULL::text, NULL::timestamptz)$$,
                  name || ': expired at that second')
  FROM examples WHERE n <= 3 ORDER BY n;
SET LOCAL vidtoken.test_clock = '2011-03-22 18:43:01+00';
SELECT is(reason, 'expired', name || ': expired one second after')
  FROM examples, vidtoken.vidtoken_verify(token) WHERE n <= 3 ORDER BY n;
SELECT is(reason, NULL, name || ': valid then with a leeway of two seconds')
  FROM examples, vidtoken.vidtoken_verify(token, '2 seconds') WHERE n <= 3 ORDER BY n;

--
-- What is not supported
--

SET LOCAL vidtoken.test_clock = '2011-03-22 18:42:59+00';
SELECT is((reason, pg_temp.verify_bytes(token)), (verdict, verdict), name)
  FROM refused, vidtoken.vidtoken_verify(token) ORDER BY n;

--
-- Signing: HMAC, RSASSA-PKCS1-v1_5 and EdDSA have one signature for a text
--

CREATE TEMP TABLE signed AS
SELECT e.n, e.name, e.key_id, k.round, vidtoken.vidtoken_sign('{"iss":"joe"}', e.key_id) AS token
  FROM examples AS e, generate_series(1, 2) AS k(round);
SELECT is(split_part(token, '.', 1) || '.' || split_part(token, '.', 2),
          pg_temp.base64url(convert_to(format('{"alg":"%s","typ":"JWT","kid":"%s"}', substring(name FROM '\((.*)\)'), key_id), 'UTF8'))
          || '.' || pg_temp.base64url('{"iss":"joe"}'),
          name || ': what vidtoken_sign signs with this key')
  FROM signed WHERE round = 1 ORDER BY n;
SELECT is(split_part(token, '.', 3), signature, name || ': its signature is the one there is')
  FROM signed
  JOIN (VALUES
('rfc7515-A.1', 'Y2J8BF3Q4MFL1YxnyPDUcbsUV0GqD5Nh7pYwS9jKm0o'),
('rfc7515-A.2', 'ZCXcN_WWTHggzkMgPmkqhoybd82nIQ5bsK9V_FJ-JPO6cDYBikpG6rBcwblnhY7pJhMJXXv0C6BIMi3j0jQd6nPuo43eTgM0XENmpkYac1M7k9WKtLrHSDRkcx19JKnjeEQUVKaSPWGPeL2c49dTzRUf27yqNMYQDgoLVFuupeGSRwQ_K9lajOlrxx5NwOyn5Q8J_89Oczou3qH6zpU0bWVs_aCZsaAY3wDghjzOlHqXXFF4fpJe-NHE3UF6XU9IiBvJavQX9hmqF8cPaCYuKzUsWjpksHuhRqqZvhS_ixL8CBYExe07kHEYde7tIkLnH7LF0nSfDwU4l3cjuywLNQ'),
('rfc8037-A.1', 'kT3EijpL67tx-XJZyvr2AYcy_a4kuUk1JSQaySXd5JAFbxwX0MzzVJGwKWqksjx74W2w6A3Io8TD2HSoBql1Bw')
       ) AS v(key_id, signature) USING (key_id)
 WHERE round = 1 ORDER BY n;
SELECT is(count(DISTINCT token), CASE WHEN key_id = 'rfc7515-A.3' THEN 2 ELSE 1 END::bigint,
          name || CASE WHEN key_id = 'rfc7515-A.3' THEN ': signed twice, two tokens' ELSE ': signed twice, the same token' END)
  FROM signed GROUP BY n, name, key_id ORDER BY n;
SELECT is(array_agg(pg_temp.verify_bytes(token) ORDER BY round), ARRAY[NULL, NULL]::text[], name || ': both are good')
  FROM signed GROUP BY n, name ORDER BY n;

SELECT * FROM finish();
SELECT format('COPY (SELECT 1) TO PROGRAM %L', format('cat > /dev/null; rm -f %s', quote_literal(:'path'))) AS remove_ring \gset
:remove_ring;
ROLLBACK;
