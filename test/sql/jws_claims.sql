\unset ECHO
\i test/setup.sql

-- Promise: a token with a good signature is valid when its payload is an
-- object that every JSON reader understands alike, when its claims have their
-- types, and while its times allow it; no other payload is an error.  The
-- header is read by the same rules.  What is allowed stands beside what is not.

CREATE FUNCTION pg_temp.verify_bytes(token text) RETURNS text
LANGUAGE C AS '$libdir/vidtoken', 'vidtoken_verify_bytes';
-- 'valid' or the reason, if the answer is as promised: one of the verdicts, and
-- the claims level agrees with the bytes level; nothing is told of a bad token,
-- and what is told of a good one is JSON to PostgreSQL's own parser as well
CREATE FUNCTION pg_temp.verdict(token text, leeway interval DEFAULT '0') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v record;
    bytes text := pg_temp.verify_bytes(token);
BEGIN
    SELECT * INTO v FROM vidtoken.vidtoken_verify(token, leeway);
    IF v.valid AND v.reason IS NULL AND bytes IS NULL AND v.key_id = 'SKtest'
       AND jsonb_typeof(v.header::jsonb) = 'object' AND jsonb_typeof(v.claims::jsonb) = 'object' THEN
        RETURN 'valid';
    ELSIF NOT v.valid AND v.header IS NULL AND v.claims IS NULL AND v.key_id IS NULL AND v.expires_at IS NULL
          AND (v.reason = bytes AND bytes IN ('too_long', 'malformed', 'unsupported', 'wrong_algorithm', 'unknown_key', 'bad_signature')
               OR bytes IS NULL AND v.reason IN ('bad_claims', 'expired', 'not_yet_valid')) THEN
        RETURN v.reason;
    END IF;
    RETURN format('%s, which is not as promised; bytes: %s', v, bytes);
END;
$$;
-- HS256 (RFC 7518, section 3.2) with the key SKtest, made of PostgreSQL's own
-- SHA-256 (RFC 2104); header and payload are any bytes
CREATE FUNCTION pg_temp.base64url(octets bytea) RETURNS text
LANGUAGE sql AS $$
    SELECT translate(encode(octets, 'base64'), E'+/=\n', '-_')
$$;
CREATE FUNCTION pg_temp.hs256(data bytea) RETURNS bytea
LANGUAGE plpgsql AS $$
DECLARE
    key bytea := 'test secret of the signing key, 1';
    ipad bytea := decode(repeat('36', 64), 'hex');
    opad bytea := decode(repeat('5c', 64), 'hex');
BEGIN
    FOR i IN 0..length(key) - 1 LOOP
        ipad := set_byte(ipad, i, get_byte(key, i) # 54);
        opad := set_byte(opad, i, get_byte(key, i) # 92);
    END LOOP;
    RETURN sha256(opad || sha256(ipad || data));
END;
$$;
CREATE FUNCTION pg_temp.token(payload bytea, header bytea DEFAULT '{"alg":"HS256","kid":"SKtest"}') RETURNS text
LANGUAGE sql AS $$
    SELECT input || '.' || pg_temp.base64url(pg_temp.hs256(input::bytea))
      FROM CAST(pg_temp.base64url(header) || '.' || pg_temp.base64url(payload) AS text) AS input
$$;
CREATE FUNCTION pg_temp.token(payload text) RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.token(convert_to(payload, 'UTF8'))
$$;

SELECT txid_current() AS transaction, pg_postmaster_start_time() AS server_started \gset
SELECT plan(332);

--
-- JSON: members of an object, in the claims and in the header
--

CREATE TEMP TABLE members (n integer GENERATED ALWAYS AS IDENTITY, allowed boolean, name text, octets bytea);
INSERT INTO members (allowed, name, octets)
SELECT allowed, name, convert_to(COALESCE(members, name), 'UTF8')
  FROM (VALUES
(true, 'nesting of 64, arrays', '"x":' || repeat('[', 63) || repeat(']', 63)), (false, 'nesting of 65, arrays', '"x":' || repeat('[', 64) || repeat(']', 64)),
(true, 'nesting of 64, objects', repeat('"x":{', 63) || repeat('}', 63)), (false, 'nesting of 65, objects', repeat('"x":{', 64) || repeat('}', 64)),
(false, 'nesting of 10,000', '"x":' || repeat('[', 10000) || repeat(']', 10000)), (false, 'nesting of 10,000, without its end', '"x":' || repeat('[', 10000)),
(true, '2,000 arrays in a row', '"x":[' || repeat('[],', 2000) || '[]]'),
(true, '"x":1e308', NULL), (false, '"x":1e309', NULL), (true, '"x":-1E+308', NULL), (false, '"x":-1E+309', NULL), (true, '"x":1e-308', NULL), (false, '"x":1e-309', NULL),
(true, '"x":1e0000000308', NULL), (false, '"x":1e0000000309', NULL), (false, '"x":1e131071', NULL), (false, '"x":1e4294967297', NULL), (false, '"x":1e-18446744073709551617', NULL),
(false, '5,000 times 1e131071', '"x":[' || repeat('1e131071,', 5000) || '0]'), (true, '5,000 times 1e308', '"x":[' || repeat('1e308,', 5000) || '0]'),
(true, 'a number of 40 digits', '"x":' || repeat('9', 40)), (false, 'a number of 41 digits', '"x":' || repeat('9', 41)),
(true, 'a number of 40 characters', '"x":-0.' || repeat('1', 32) || 'E-308'), (false, 'a number of 41 characters', '"x":-0.' || repeat('1', 33) || 'E-308'),
(true, '"x":-0', NULL), (true, '"x":0.0e-0', NULL), (false, '"x":01', NULL), (false, '"x":-01', NULL), (false, '"x":+1', NULL), (false, '"x":.5', NULL), (false, '"x":1.', NULL), (false, '"x":1.e1', NULL),
(false, '"x":1e', NULL), (false, '"x":1e+', NULL), (false, '"x":-', NULL), (false, '"x":0x10', NULL), (false, '"x":1_0', NULL), (false, '"x":1 0', NULL), (false, '"x":NaN', NULL), (false, '"x":Infinity', NULL), (false, '"x":-Infinity', NULL),
(false, 'a number in wide digits', '"x":１'),
(true, '"x":"a\"b\\c\/d\b\f\n\r\te"', NULL), (false, '"x":"\a"', NULL), (false, '"x":"\x41"', NULL), (false, '"x":"\''"', NULL), (false, '"x":"\"', NULL), (false, '"x":"a', NULL), (false, '"x":''a''', NULL),
(true, '"x":"\u00e9\u0001"', NULL), (false, '"x":"\u00e"', NULL), (false, '"x":"\u00g0"', NULL), (false, '"x":"\U00e9"', NULL), (false, '"x":"\u{e9}"', NULL),
(false, '"x":"\u0000"', NULL), (false, '"x":"a\u0000b"', NULL), (false, '"\u0000":1', NULL), (false, '"x":{"a\u0000":1}', NULL), (true, '"x":"\\u0000"', NULL),
(true, '"x":"\ud83d\ude00"', NULL), (false, '"x":"\ud83d"', NULL), (false, '"x":"\ude00"', NULL), (false, '"x":"\ude00\ud83d"', NULL), (false, '"x":"\ud83d\ud83d"', NULL), (false, '"x":"\ud83dx\ude00"', NULL),
(false, '"x":"\ud83d\u0041"', NULL), (false, '"\ud83d":1', NULL), (true, '"x":"\uffff\ufdd0"', NULL), (true, '"x":"\\ud83d"', NULL),
(true, 'characters beyond the basic plane', '"x":"é😀𝒥"'), (true, 'U+2028, U+FEFF and U+007F in a string', E'"x":"\u2028\ufeff\x7f"'), (false, 'a tab in a string', E'"x":"\t"'), (false, 'a line feed in a name', E'"\n":1'), (false, 'U+001F in a string', E'"x":"\x1f"'),
(false, '"x":1,"x":1', NULL), (false, '"x":1,"x":2', NULL), (false, '"x":1,"\u0078":1', NULL), (false, '"\u0078":1,"\u0078":1', NULL), (false, '"x":{"a":1,"a":1}', NULL), (false, '"x":[[{"a":{"b":1,"c":2,"b":3}}]]', NULL), (false, '"":1,"":1', NULL),
(false, '"a\/b":1,"a/b":1', NULL), (false, '"x":null,"x":null', NULL), (true, '"x":{"x":{"x":1}}', NULL), (true, '"x":[{"a":1},{"a":1}]', NULL), (true, '"x":1,"X":1', NULL), (true, '"x":1,"x ":1', NULL), (true, '"":1', NULL),
(true, '512 members', '"x":{' || (SELECT string_agg(format('"%s":0', i), ',') FROM generate_series(1, 512) AS i) || '}'),
(false, '513 members', '"x":{' || (SELECT string_agg(format('"%s":0', i), ',') FROM generate_series(1, 513) AS i) || '}'),
(true, '5,000 elements', '"x":[' || repeat('0,', 4999) || '0]'),
(false, '"x":1,', NULL), (false, ',"x":1', NULL), (false, '"x":1,,"y":1', NULL), (false, '"x":[1,]', NULL), (false, '"x":[,1]', NULL), (false, '"x":[1 2]', NULL), (false, '"x":[1', NULL), (false, '"x":1]', NULL), (false, '"x":{"y":1', NULL),
(false, '"x"', NULL), (false, '"x":', NULL), (false, '"x" 1', NULL), (false, '"x"::1', NULL), (false, 'x:1', NULL), (false, '1:1', NULL), (false, 'null:1', NULL), (false, '"x":a', NULL), (false, '"x":True', NULL), (false, '"x":nul', NULL), (false, '"x":nulll', NULL), (true, '"x":[true,false,null]', NULL),
(false, '"x":1/**/', NULL), (false, '"x":1//', NULL), (false, '"x":1#', NULL), (false, '"x":undefined', NULL), (false, '"x":1;', NULL), (true, 'white space', E' \t\r\n"x" : [ 1 , 2 ] '), (false, 'a form feed', E'\f"x":1'), (false, 'a vertical tab', E'"x":1\x0b'), (false, 'U+00A0', E'\u00a0"x":1'), (false, 'U+FEFF', E'\ufeff"x":1')
       ) AS v(allowed, name, members);
-- RFC 3629; "x" is the name of a member, then the value of one
INSERT INTO members (allowed, name, octets)
SELECT octets = '\xc3a9', format('bytes %s in a %s', encode(octets, 'hex'), place),
       CASE place WHEN 'name' THEN '"'::bytea || octets || '":1' ELSE '"x":"'::bytea || octets || '"' END
  FROM unnest('{\\xc3a9,\\x80,\\xff,\\xfe,\\xc3,\\xc3c3a9,\\xe9,\\xc080,\\xc0af,\\xc1bf,\\xe08080,\\xe0809f,\\xe282,\\xeda080,\\xedb080,\\xeda0bdedb880,\\xf0808080,\\xf08f8080,\\xf09f98,\\xf4908080,\\xf888808080,\\xfc8480808080,\\x00}'::bytea[])
       WITH ORDINALITY AS o(octets, n), unnest('{name,value}'::text[]) AS place
 ORDER BY place, n;
SELECT is(ARRAY[pg_temp.verdict(pg_temp.token('{'::bytea || octets || '}')), pg_temp.verdict(pg_temp.token('{}', '{"alg":"HS256","kid":"SKtest",'::bytea || octets || '}'))],
          CASE WHEN allowed THEN '{valid,valid}' ELSE '{bad_claims,malformed}' END::text[], format('%s: %s', CASE WHEN allowed THEN 'JSON' ELSE 'not allowed' END, name))
  FROM members ORDER BY n;

--
-- The payload as a whole
--

SELECT is(pg_temp.verdict(pg_temp.token(octets)), verdict, format('payload, %s: %s', verdict, name))
  FROM (VALUES
(1, '{}', '{}'::bytea, 'valid'), (2, 'an object with blanks around', ' {} ', 'valid'), (3, 'an object with a line feed after', '{}\012', 'valid'),
(4, 'nothing', '', 'bad_claims'), (5, 'a blank', ' ', 'bad_claims'), (6, 'a sentence', 'no claims', 'bad_claims'), (7, '[]', '[]', 'bad_claims'), (8, '[{}]', '[{}]', 'bad_claims'), (9, '"a"', '"a"', 'bad_claims'), (10, '""', '""', 'bad_claims'), (11, '1', '1', 'bad_claims'),
(12, 'null', 'null', 'bad_claims'), (13, 'true', 'true', 'bad_claims'), (14, '{', '{', 'bad_claims'), (15, '}', '}', 'bad_claims'), (16, '{}{}', '{}{}', 'bad_claims'), (17, '{}x', '{}x', 'bad_claims'), (18, '{},', '{},', 'bad_claims'), (19, '{}, in quotes', '"{}"', 'bad_claims'),
(20, 'an object after a byte order mark', '\xefbbbf7b7d', 'bad_claims'), (21, 'an object in UTF-16', '\x7b007d00', 'bad_claims'), (22, 'the same with a byte order mark', '\xfffe7b007d00', 'bad_claims'), (23, 'an object and a null byte', '\x7b7d00', 'bad_claims'),
(24, 'a null byte', '\x00', 'bad_claims'), (25, 'a token', pg_temp.token('{}'::text)::bytea, 'bad_claims'), (26, '40,000 opening brackets', repeat('[', 40000)::bytea, 'bad_claims'), (27, '40,000 opening braces', repeat('{"":', 10000)::bytea, 'bad_claims'),
(28, '40,000 random bytes', (SELECT string_agg(sha512(i::text::bytea), '') FROM generate_series(1, 625) AS i), 'bad_claims')) AS v(n, name, octets, verdict)
 ORDER BY n;

--
-- Types of claims
--

SELECT is(string_agg(DISTINCT pg_temp.verdict(pg_temp.token(format('{"%s":%s}', claim, value))), ', '), verdict, format('exp, nbf and iat, %s: %s', verdict, value))
  FROM unnest('{exp,nbf,iat}'::text[]) AS claim,
       (VALUES (1, '"1772445600"', 'bad_claims'), (2, '""', 'bad_claims'), (3, 'null', 'bad_claims'), (4, 'true', 'bad_claims'), (5, 'false', 'bad_claims'), (6, '[]', 'bad_claims'), (7, '[1772445600]', 'bad_claims'), (8, '{}', 'bad_claims'),
               (9, '"2026-03-02T10:00:00Z"', 'bad_claims'), (10, '-1', 'bad_claims'), (11, '-0.000001', 'bad_claims'), (12, '-1e-308', 'bad_claims'), (13, '-1772445600', 'bad_claims'), (14, '253402300800', 'bad_claims'), (15, '253402300799.000001', 'bad_claims'),
               (16, '1772445600000', 'bad_claims'), (17, '1e12', 'bad_claims'), (18, '1e308', 'bad_claims'), (19, '-1e308', 'bad_claims'), (20, '9223372036854775807', 'bad_claims'), (21, '9223372036854775808', 'bad_claims'), (22, '18446744073709551617', 'bad_claims'),
               (23, '18446745846155151617', 'bad_claims'), (24, repeat('9', 40), 'bad_claims'), (25, '1e400', 'bad_claims'), (26, 'NaN', 'bad_claims')) AS v(n, value, verdict)
 GROUP BY n, value, verdict ORDER BY n;
SELECT is(string_agg(DISTINCT pg_temp.verdict(pg_temp.token(format('{"%s":%s}', claim, value))), ', '), verdict, format('iss, sub and jti, %s: %s', verdict, value))
  FROM unnest('{iss,sub,jti}'::text[]) AS claim,
       (VALUES (1, '"jane"', 'valid'), (2, '""', 'valid'), (3, '1', 'bad_claims'), (4, 'null', 'bad_claims'), (5, 'true', 'bad_claims'), (6, '["jane"]', 'bad_claims'), (7, '{}', 'bad_claims')) AS v(n, value, verdict)
 GROUP BY n, value, verdict ORDER BY n;
SELECT is(pg_temp.verdict(pg_temp.token(format('{"aud":%s}', value))), verdict, format('aud, %s: %s', verdict, value))
  FROM (VALUES (1, '"vidtoken"', 'valid'), (2, '["a","b"]', 'valid'), (3, '["a"]', 'valid'), (4, '[]', 'valid'), (5, '1', 'bad_claims'), (6, 'null', 'bad_claims'), (7, 'false', 'bad_claims'), (8, '{}', 'bad_claims'), (9, '{"a":"a"}', 'bad_claims'),
               (10, '["a",1]', 'bad_claims'), (11, '[null]', 'bad_claims'), (12, '[["a"]]', 'bad_claims')) AS v(n, value, verdict)
 ORDER BY n;
SELECT is(pg_temp.verdict(pg_temp.token(claims)), 'valid', 'valid: a name that is no registered claim there: ' || claims)
  FROM unnest('{"{\"EXP\":\"never\",\"Sub\":1}","{\"x\":{\"exp\":0,\"iss\":1}}","{\"exp \":0,\"nonce\":null}"}'::text[]) AS claims;
SELECT is(pg_temp.verdict(pg_temp.token(E'{"e\\u0078p":1772445600}'::text)), 'expired', 'expired: exp is exp, however it is spelled');

--
-- Times: it is 1772445600
--

SELECT is(extract(epoch FROM current_setting('vidtoken.test_clock')::timestamptz)::bigint, 1772445600::bigint, 'the clock');
CREATE TEMP TABLE times (n integer GENERATED ALWAYS AS IDENTITY, claims text, leeway interval, verdict text);
INSERT INTO times (leeway, claims, verdict) VALUES
('0', '"exp":1772445599', 'expired'), ('0', '"exp":1772445600', 'expired'), ('0', '"exp":1772445601', 'valid'),
('1 second', '"exp":1772445598', 'expired'), ('1 second', '"exp":1772445599', 'expired'), ('1 second', '"exp":1772445600', 'valid'),
('5 minutes', '"exp":1772445299', 'expired'), ('5 minutes', '"exp":1772445300', 'expired'), ('5 minutes', '"exp":1772445301', 'valid'),
('1 microsecond', '"exp":1772445599.999999', 'expired'), ('1 microsecond', '"exp":1772445600', 'valid'),
('0', '"nbf":1772445599', 'valid'), ('0', '"nbf":1772445600', 'valid'), ('0', '"nbf":1772445601', 'not_yet_valid'),
('1 second', '"nbf":1772445600', 'valid'), ('1 second', '"nbf":1772445601', 'valid'), ('1 second', '"nbf":1772445602', 'not_yet_valid'),
('5 minutes', '"nbf":1772445899', 'valid'), ('5 minutes', '"nbf":1772445900', 'valid'), ('5 minutes', '"nbf":1772445901', 'not_yet_valid'),
('0', '"exp":1772445600.5', 'valid'), ('0', '"exp":1772445599.5', 'expired'), ('0', '"exp":1772445600.000001', 'valid'), ('0', '"exp":1772445600.0000009', 'expired'),
('0', '"nbf":1772445600.5', 'not_yet_valid'), ('0', '"nbf":1772445599.5', 'valid'), ('0', '"nbf":1772445600.000001', 'not_yet_valid'), ('0', '"nbf":1772445600.0000001', 'not_yet_valid'),
('0', '"exp":1.772445601e9', 'valid'), ('0', '"exp":1.7724456E9', 'expired'), ('0', '"exp":17724456010000e-4', 'valid'), ('0', '"exp":0.000001772445601e+15', 'valid'), ('0', '"exp":1.7e9', 'expired'), ('0', '"nbf":1.7e9', 'valid'),
('0', '"exp":0', 'expired'), ('0', '"exp":-0', 'expired'), ('0', '"exp":1e-308', 'expired'), ('5 minutes', '"exp":0', 'expired'), ('0', '"nbf":0', 'valid'), ('0', '"nbf":-0.0', 'valid'), ('5 minutes', '"nbf":0', 'valid'),
('0', '"exp":2147483648', 'valid'), ('0', '"exp":4294967296', 'valid'), ('0', '"exp":253402300799', 'valid'), ('0', '"exp":253402300799.000000', 'valid'), ('0', '"nbf":253402300799', 'not_yet_valid'), ('5 minutes', '"exp":253402300799', 'valid'), ('5 minutes', '"nbf":253402300799', 'not_yet_valid'),
('0', '"nbf":1772445600,"exp":1772445601', 'valid'), ('0', '"nbf":1772445601,"exp":1772445602', 'not_yet_valid'), ('0', '"nbf":1772445601,"exp":1772445600', 'expired'), ('0', '"nbf":1772445601,"exp":"soon"', 'bad_claims'), ('0', '"exp":1772445599,"nbf":"soon"', 'bad_claims'),
('0', '"iat":1772445600', 'valid'), ('0', '"iat":1772445599.5', 'valid'), ('0', '"iat":253402300799', 'valid'), ('0', '"iat":0', 'valid'), ('0', '"iat":1772445599,"exp":1772445600', 'expired');
SELECT is(pg_temp.verdict(pg_temp.token('{' || claims || '}'), leeway), verdict, format('%s: %s%s', verdict, claims, CASE WHEN leeway <> '0' THEN format(', leeway %s', leeway) END))
  FROM times ORDER BY n;
SET LOCAL vidtoken.test_clock = '2026-03-02 09:59:59.999999+00';
SELECT is(pg_temp.verdict(pg_temp.token(claims)), verdict, format('a microsecond before: %s: %s', verdict, claims))
  FROM (VALUES (1, '{"exp":1772445600}', 'valid'), (2, '{"exp":1772445599.999999}', 'expired'), (3, '{"nbf":1772445600}', 'not_yet_valid'), (4, '{"nbf":1772445599.999999}', 'valid')) AS v(n, claims, verdict)
 ORDER BY n;
SET LOCAL vidtoken.test_clock = '2026-03-02 10:00:00+00';

SELECT is((SELECT expires_at FROM vidtoken.vidtoken_verify(pg_temp.token(claims))), expected, 'expires_at of ' || claims)
  FROM (VALUES (1, '{}', NULL::timestamptz), (2, '{"nbf":0,"iat":0}', NULL), (3, '{"exp":1772445601}', '2026-03-02 10:00:01+00'), (4, '{"exp":1772445600.25}', '2026-03-02 10:00:00.25+00'), (5, '{"exp":1772445600.9999999}', '2026-03-02 10:00:00.999999+00'),
               (6, '{"exp":4294967296}', '2106-02-07 06:28:16+00'), (7, '{"exp":253402300799}', '9999-12-31 23:59:59+00')) AS v(n, claims, expected)
 ORDER BY n;

--
-- The leeway
--

SELECT is(ARRAY[code, hint], ARRAY[expected, CASE expected WHEN '22023' THEN 'It is there for clocks that differ, not to make tokens live longer.' ELSE '' END], format('leeway %s: %s', leeway, expected))
  FROM (VALUES (1, $$'-1 second'$$, '22023'), (2, $$'-1 microsecond'$$, '22023'), (3, $$'00:05:00.000001'$$, '22023'), (4, $$'6 minutes'$$, '22023'), (5, $$'1 day'$$, '22023'), (6, $$'-1 day'$$, '22023'), (7, $$'1 month'$$, '22023'),
               (8, $$'1 day -24 hours'$$, '22023'), (9, $$'100000000 years'$$, '22023'), (10, 'NULL', '22004')) AS v(n, leeway, expected),
       pg_temp.refusal(format('SELECT * FROM vidtoken.vidtoken_verify(%L, %s)', 'no token', leeway))
 ORDER BY n;
SELECT is((SELECT valid FROM vidtoken.vidtoken_verify(pg_temp.token('{}'::text), leeway)), true, format('leeway %s: allowed', leeway))
  FROM unnest('{0,00:00:00.000001,1 second,5 minutes}'::interval[]) AS leeway;

--
-- What is told of a valid token is what was signed
--

SELECT results_eq($$SELECT valid, reason, header::text, claims::text, key_id, expires_at
                      FROM vidtoken.vidtoken_verify(pg_temp.token(convert_to(' { "b" : 1.50, "a":"\u0041\/é", "exp":1772445601 } ', 'UTF8'), '{"kid":"SKtest" , "alg":"HS256","x":1e2}'))$$,
                  $$VALUES (true, NULL::text, '{"kid":"SKtest" , "alg":"HS256","x":1e2}', ' { "b" : 1.50, "a":"\u0041\/é", "exp":1772445601 } ', 'SKtest', timestamptz '2026-03-02 10:00:01+00')$$,
                  'header and claims are as they were spelled');

SELECT is(txid_current(), :transaction::bigint, 'it is still one transaction');
SELECT is(pg_postmaster_start_time(), :'server_started'::timestamptz, 'the server is the one of the beginning');

SELECT * FROM finish();
ROLLBACK;
