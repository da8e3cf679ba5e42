\unset ECHO
\i test/setup.sql

-- Promise: the keyring's file is looked at once a second and taken as a whole:
-- a good new file counts without a reload, a bad one changes nothing in a
-- session that has keys and is no use to one that has none; its reason is in
-- vidtoken_check() and nowhere else, and a key is in neither.

SELECT format('%s/vidtoken_test_ring_%s', current_setting('data_directory'), pg_backend_pid()) AS ring \gset
\set ring_open :ring _open
\set ring_other :ring _other

-- what the server's user does to a file of its own; "name" is a suffix
CREATE FUNCTION pg_temp.shell(command text, input text DEFAULT '') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT %L) TO PROGRAM %L',
                   translate(encode(convert_to(input, 'UTF8'), 'base64'), E'\n', ''),
                   'umask 077; ' || command);
END;
$$;
CREATE FUNCTION pg_temp.path(name text) RETURNS text
LANGUAGE sql AS $$
    SELECT format('%s/vidtoken_test_ring_%s%s', current_setting('data_directory'), pg_backend_pid(), name)
$$;
-- replaced as vidtoken-keyring does it: by a rename
CREATE FUNCTION pg_temp.write(content text, name text DEFAULT '') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.shell(format('base64 -d > %1$s.new && mv %1$s.new %1$s', quote_literal(pg_temp.path(name))), content);
END;
$$;
CREATE FUNCTION pg_temp.jwk(kid text, octets text, more text DEFAULT '') RETURNS text
LANGUAGE sql AS $$
    SELECT format('{"kty":"oct","kid":"%s","alg":"HS256","k":"%s"%s}', kid,
                  translate(encode(octets::bytea, 'base64'), E'+/=\n', '-_'), more)
$$;
CREATE FUNCTION pg_temp.ring(VARIADIC keys text[]) RETURNS text
LANGUAGE sql AS $$
    SELECT format('{"keys":[%s]}', array_to_string(keys, ','))
$$;
CREATE FUNCTION pg_temp.name_key(octets text DEFAULT repeat('canary', 6), kid text DEFAULT 'name') RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.jwk(kid, octets, ',"vidtoken_use":"name"')
$$;
-- iss of a new token, or the SQLSTATE of the refusal
CREATE FUNCTION pg_temp.issuer() RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT pg_temp.token_part(access_token, 2) ->> 'iss' FROM vidtoken.vidtoken_issue(47, 2));
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END;
$$;
-- which of the octets, if any, has signed a new token: HS256 as in RFC 7518,
-- section 3.2, made of PostgreSQL's own SHA-256 (RFC 2104)
CREATE FUNCTION pg_temp.hmac(octets bytea, data bytea) RETURNS bytea
LANGUAGE plpgsql AS $$
DECLARE
    ipad bytea := decode(repeat('36', 64), 'hex');
    opad bytea := decode(repeat('5c', 64), 'hex');
    i integer;
BEGIN
    FOR i IN 0..length(octets) - 1 LOOP
        ipad := set_byte(ipad, i, get_byte(octets, i) # 54);
        opad := set_byte(opad, i, get_byte(octets, i) # 92);
    END LOOP;
    RETURN sha256(opad || sha256(ipad || data));
END;
$$;
CREATE FUNCTION pg_temp.signed_with(VARIADIC octets text[]) RETURNS text
LANGUAGE sql AS $$
    SELECT string_agg(o, ' and ')
      FROM (SELECT access_token AS t FROM vidtoken.vidtoken_issue(47, 2)) AS g, unnest(octets) AS o
     WHERE translate(encode(pg_temp.hmac(o::bytea,
                                         substring(t FROM '^(.*)\.')::bytea), 'base64'), '+/=', '-_')
           = split_part(t, '.', 3)
$$;

SELECT repeat('canary', 6) AS first, repeat('second', 6) AS second, repeat('third-', 6) AS third \gset

SELECT plan(71);

--
-- Replacement
--

SELECT pg_temp.write(pg_temp.ring(pg_temp.jwk('SKtest', :'first'), pg_temp.name_key())) AS ignored \gset
SET LOCAL vidtoken.keyring = :'ring';
SELECT is(pg_temp.signed_with(:'first', :'second'), :'first', 'the key of the file signs');
SELECT room_name AS room FROM vidtoken.vidtoken_issue(47, 2) \gset

SELECT pg_temp.write(pg_temp.ring(pg_temp.jwk('SKtest', :'second'), pg_temp.jwk('SKnext', :'third'), pg_temp.name_key())) AS ignored \gset
SELECT pg_sleep(1.1) AS ignored \gset
SELECT is(pg_temp.signed_with(:'first', :'second'), :'second', 'a second after the file was replaced the new key signs');
SELECT is((SELECT room_name FROM vidtoken.vidtoken_issue(47, 3)), :'room', 'a room keeps its name when signing keys change');

-- rotation: a new key joins the old one, then key_id names it
SELECT is(pg_temp.issuer(), 'SKtest', 'a key that has joined does not sign by itself');
SET LOCAL vidtoken.key_id = 'SKnext';
SELECT is(pg_temp.issuer(), 'SKnext', 'key_id decides which key signs');
SELECT is(pg_temp.signed_with(:'first', :'second', :'third'), :'third', 'and it is that key''s own secret');
SELECT is((SELECT key_id FROM vidtoken.vidtoken_session WHERE user_id = '2'), 'SKnext', 'the ledger knows the key');
SELECT is((SELECT room_name FROM vidtoken.vidtoken_issue(47, 9)), :'room', 'the room keeps its name');
SET LOCAL vidtoken.key_id = 'SKtest';
SELECT is(pg_temp.issuer(), 'SKtest', 'and back');

--
-- What a running session does with a file that it cannot use
--

SELECT pg_temp.write('{"keys":[{"kty":"oct","kid":"SKtest","k":"Y2FuYXJ5') AS ignored \gset
SELECT pg_sleep(1.1) AS ignored \gset
SELECT is(pg_temp.signed_with(:'second'), :'second', 'a broken file leaves the keys in force');
SELECT is((SELECT count(*)::integer FROM vidtoken.vidtoken_check()
            WHERE item = 'keyring' AND status <> 'ok' AND message LIKE '%' || :'ring' || '%'), 1,
          'vidtoken_check tells of it in the session that has them: new ones will have none');
SELECT pg_temp.shell(format('cat > /dev/null; rm %s', quote_literal(:'ring'))) AS ignored \gset
SELECT pg_sleep(1.1) AS ignored \gset
SELECT is(pg_temp.signed_with(:'second'), :'second', 'so does a file that is gone');
SELECT pg_temp.write(pg_temp.ring(pg_temp.jwk('SKtest', :'first'), pg_temp.name_key())) AS ignored \gset
SELECT pg_temp.shell(format('cat > /dev/null; chmod 0644 %s', quote_literal(:'ring'))) AS ignored \gset
SELECT pg_sleep(1.1) AS ignored \gset
SELECT is(pg_temp.signed_with(:'first', :'second'), :'second', 'so does a file that everyone can read');
SELECT pg_temp.shell(format('cat > /dev/null; cp -p %1$s %1$s_open', quote_literal(:'ring'))) AS ignored \gset
SET LOCAL vidtoken.keyring = :'ring_open';
SELECT is(pg_temp.issuer(), 'F0000', 'the same file at another path is refused: there are no keys for it');
SET LOCAL vidtoken.keyring = :'ring';
SELECT is(pg_temp.issuer(), 'F0000', 'nor are there any more for the first path');
SELECT pg_temp.shell(format('cat > /dev/null; chmod 0600 %s', quote_literal(:'ring'))) AS ignored \gset
SELECT pg_sleep(1.1) AS ignored \gset
SELECT is(pg_temp.signed_with(:'first', :'second'), :'first', 'a mode that was put right is found');

--
-- Another path, another name key
--

SELECT pg_temp.write(pg_temp.ring(pg_temp.jwk('SKtest', :'third'), pg_temp.name_key(:'third')), '_other') AS ignored \gset
SET LOCAL vidtoken.keyring = :'ring_other';
SELECT is(pg_temp.signed_with(:'first', :'third'), :'third', 'another path counts at once');
SELECT is((SELECT room_name FROM vidtoken.vidtoken_issue(47, 2)), :'room', 'who has a session keeps the room, whatever the name key');
SELECT room_name AS others_room FROM vidtoken.vidtoken_issue(60, 2) \gset
SELECT is(:'others_room' ~ '^apt-60-[a-z2-7]{13}$', true, 'a new room has a name');
DELETE FROM vidtoken.vidtoken_session WHERE appointment_id = '60';
SET LOCAL vidtoken.keyring = :'ring';
SELECT isnt((SELECT room_name FROM vidtoken.vidtoken_issue(60, 2)), :'others_room', 'which another name key would not give it');
DELETE FROM vidtoken.vidtoken_session WHERE appointment_id = '60';
SET LOCAL vidtoken.keyring = :'ring_other';
SELECT is((SELECT room_name FROM vidtoken.vidtoken_issue(60, 2)), :'others_room', 'and the same one does, again');

--
-- vidtoken_check: the reason for each broken file, and no key
--

CREATE TEMP TABLE broken (n integer GENERATED ALWAYS AS IDENTITY, name text, content text, reason text,
                          command text DEFAULT 'base64 -d > %s');
INSERT INTO broken (name, content, reason) VALUES
('cut off', left(pg_temp.ring(pg_temp.jwk('SKtest', :'first'), pg_temp.name_key()), 90), '.'),
('no JWK Set', '{"canary": "Y2FuYXJ5"}', 'it is not a JWK Set: it has no array "keys"'),
('a member twice', pg_temp.ring(pg_temp.jwk('SKtest', :'first', ',"k":"Y2FuYXJ5"'), pg_temp.name_key()), '.'),
('no kid', pg_temp.ring(replace(pg_temp.jwk('SKtest', :'first'), '"kid"', '"kit"')), 'a key has no kid of 1 to'),
('a key too short', pg_temp.ring(pg_temp.jwk('SKtest', 'canary'), pg_temp.name_key()),
 'key "SKtest": HS256 needs a secret of at least 32 bytes \(livekit-server --dev'),
('an unknown alg', pg_temp.ring(replace(pg_temp.jwk('SKtest', :'first'), 'HS256', 'HS2')),
 'key "SKtest": alg is none of those supported'),
('an alg of webhooks', pg_temp.ring(replace(pg_temp.jwk('SKtest', :'first'), 'HS256', 'HS1')),
 'key "SKtest": alg HS1 is for vidtoken_use "webhook" alone'),
('another kty', pg_temp.ring(replace(pg_temp.jwk('SKtest', :'first'), '"oct"', '"RSA"')), 'key "SKtest": kty must be "oct" for alg HS256'),
('padding in k', pg_temp.ring(replace(pg_temp.jwk('SKtest', :'first'), '"k":"', '"k":"=')), 'key "SKtest": k is not base64url'),
('a key for encryption', pg_temp.ring(pg_temp.jwk('SKtest', :'first', ',"use":"enc"')), 'key "SKtest": use is not "sig"'),
('a key that may neither sign nor verify', pg_temp.ring(pg_temp.jwk('SKtest', :'first', ',"key_ops":["encrypt"]')), 'key "SKtest": key_ops allows nothing that the key can do'),
('an unknown use', pg_temp.ring(pg_temp.jwk('SKtest', :'first', ',"vidtoken_use":"canary"')), 'key "SKtest": vidtoken_use is none of'),
('two keys of one kid', pg_temp.ring(pg_temp.jwk('SKtest', :'first'), pg_temp.jwk('SKtest', :'second'), pg_temp.name_key()),
 'two keys have the kid "SKtest"'),
('no name key', pg_temp.ring(pg_temp.jwk('SKtest', :'first')), 'no key with vidtoken_use "name" \(vidtoken-keyring add makes one\)'),
('two name keys', pg_temp.ring(pg_temp.jwk('SKtest', :'first'), pg_temp.name_key(), pg_temp.name_key(:'third', 'name2')),
 'more than one key with vidtoken_use "name"');
INSERT INTO broken (name, content, reason, command) VALUES
('readable for all', pg_temp.ring(pg_temp.jwk('SKtest', :'first'), pg_temp.name_key()),
 'its group or others have access: set mode 0600', 'p=%s; base64 -d > $p; chmod 0604 $p'),
('a FIFO', '', 'it is not a regular file', 'cat > /dev/null; mkfifo %s'),
('a directory', '', 'it is not a regular file', 'cat > /dev/null; mkdir %s'),
('beyond a megabyte', pg_temp.ring(pg_temp.jwk('SKtest', :'first'), pg_temp.name_key()) || repeat(' ', 1024 * 1024),
 'it is larger than 1 MB', 'base64 -d > %s'),
('not there', '', 'could not open file: No such file or directory', 'cat > /dev/null; : %s');

-- each under a path of its own
CREATE TEMP TABLE told (n integer, item text, status text, message text, hint text);
CREATE FUNCTION pg_temp.reason(b broken) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    path text := pg_temp.path('_' || b.n);
BEGIN
    PERFORM pg_temp.shell(format(b.command, quote_literal(path)), b.content);
    PERFORM set_config('vidtoken.keyring', path, true);
    INSERT INTO told SELECT b.n, c.* FROM vidtoken.vidtoken_check() AS c;
    RETURN (SELECT replace(message, path, 'PATH') FROM told WHERE n = b.n AND item = 'keyring' AND status = 'error');
END;
$$;
SELECT matches(pg_temp.reason(b), '^could not use the keyring of setting "vidtoken.keyring": File "PATH": .*' || reason,
               'vidtoken_check tells the reason: ' || name)
  FROM broken AS b
 ORDER BY n;
SELECT is_empty(
    $$SELECT * FROM told WHERE concat(item, status, message, hint) ~ 'canary|Y2FuYXJ5|second|c2Vjb25k|third-|dGhpcmQt'$$,
    'and no byte of a key');

--
-- vidtoken_check: the rest of the installation
--

SET LOCAL vidtoken.keyring = :'keyring';
CREATE TEMP TABLE installations (n integer GENERATED ALWAYS AS IDENTITY, setup text, item text, status text, message text, hint text);
INSERT INTO installations (setup, item, status, message, hint) VALUES
(NULL, 'library', 'ok', '^vidtoken 1\.0, OpenSSL ', NULL),
(NULL, 'settings', 'ok', 'no contradiction', NULL),
(NULL, 'provider', 'ok', '^twilio, account ACtest$', NULL),
(NULL, 'keyring', 'ok', '^3 keys in /', NULL),
(NULL, 'signing key', 'ok', '^SKtest$', NULL),
(NULL, 'key', 'ok', '^name-test: HS256, name$', NULL),
(NULL, 'source', 'ok', '^clinic\.video_source, keys integer and integer$', NULL),
(NULL, 'ledger', 'ok', 'one owner', NULL),
(NULL, 'rights', 'ok', 'nothing that signs or writes', NULL),
($$SET LOCAL session_preload_libraries = ''$$, 'library', 'warning', 'do not know the settings', 'session_preload_libraries'),
($$UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'vidtoken'$$, 'library', 'error', 'SQL objects are version 0\.9', 'ALTER EXTENSION'),
($$SET LOCAL vidtoken.min_ttl = '5h'$$, 'settings', 'error', 'exceeds', 'vidtoken\.min_ttl'),
($$SET LOCAL vidtoken.refresh_window = '10min'$$, 'settings', 'warning', 'before the user is warned', 'vidtoken\.refresh_window'),
($$SET LOCAL vidtoken.warn_window = '3h'$$, 'settings', 'warning', 'more than half', 'vidtoken\.warn_window'),
($$SET LOCAL vidtoken.max_overrun = '10min'$$, 'settings', 'warning', 'before buffer_after is over', 'vidtoken\.max_overrun'),
($$SET LOCAL vidtoken.record_sessions = off$$, 'settings', 'warning', 'nobody can be barred', 'vidtoken\.record_sessions'),
(NULL, 'settings', 'warning', 'the clock stands still', 'vidtoken\.test_clock'),
($$SET LOCAL vidtoken.account = ''$$, 'provider', 'error', 'is not set', 'vidtoken\.account'),
($$SET LOCAL vidtoken.account = 'SKtest'$$, 'provider', 'error', 'begins with AC', 'vidtoken\.account'),
($$SET LOCAL vidtoken.key_id = 'ACtest'$$, 'provider', 'error', 'begins with SK', 'vidtoken\.key_id'),
($$SET LOCAL vidtoken.key_id = 'SKnone'$$, 'signing key', 'error', 'not in the keyring', 'vidtoken\.key_id'),
($$SET LOCAL vidtoken.key_id = ''$$, 'signing key', 'error', 'is not set', 'vidtoken\.key_id'),
($$SET LOCAL vidtoken.keyring = ''$$, 'keyring', 'error', 'is not set', 'vidtoken\.keyring'),
($$SET LOCAL vidtoken.source = ''$$, 'source', 'error', 'is not set', 'vidtoken\.source'),
($$SET LOCAL vidtoken.source = 'clinic.nothing'$$, 'source', 'error', 'does not exist', 'vidtoken\.source'),
($$SET LOCAL vidtoken.source = 'clinic.appointments'$$, 'source', 'error', 'is missing', 'appointment_id, user_id'),
($$ALTER TABLE vidtoken.vidtoken_room OWNER TO pg_monitor$$, 'ledger', 'error', 'several owners', 'one role'),
($$GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_prune(interval) TO PUBLIC$$, 'rights', 'warning', 'everyone may call vidtoken_prune', 'REVOKE');
CREATE FUNCTION pg_temp.found(i installations) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    found boolean;
BEGIN
    IF i.setup IS NOT NULL THEN
        EXECUTE i.setup;
    END IF;
    SELECT count(*) = 1 INTO found FROM vidtoken.vidtoken_check() AS c
     WHERE c.item = i.item AND c.status = i.status AND c.message ~ i.message
       AND CASE WHEN i.hint IS NULL THEN c.hint IS NULL ELSE c.hint ~ i.hint END;
    RAISE EXCEPTION USING ERRCODE = 'XX999';
EXCEPTION WHEN SQLSTATE 'XX999' THEN
    RETURN found;
END;
$$;
SELECT ok(pg_temp.found(i), format('vidtoken_check, %s: %s %s', item, status, COALESCE(setup, 'as it is')))
  FROM installations AS i
 ORDER BY n;

SET LOCAL session_preload_libraries = 'vidtoken';
SELECT is_empty($$SELECT * FROM vidtoken.vidtoken_check() WHERE item = 'library' AND status <> 'ok'$$,
    'vidtoken_check has nothing to say about a library that is preloaded');

SELECT * FROM finish();
SELECT pg_temp.shell(format('cat > /dev/null; rm -rf %s*', quote_literal(:'ring'))) AS ignored \gset
ROLLBACK;
