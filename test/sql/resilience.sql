\unset ECHO
\i test/setup.sql

-- Promise: errors cost nothing but themselves.  A session that has caught a
-- thousand of them issues as before, as the same role, with the same memory;
-- and the server is the one of the beginning.

SELECT pg_postmaster_start_time() AS server_started \gset
SELECT current_setting('server_version_num')::integer >= 140000 AS has_memory_contexts \gset

-- a keyring that cannot be used: each look at it opens the file, parses it
-- and loads its first key before the second is found wanting
SELECT format('%s/vidtoken_test_broken_%s', current_setting('data_directory'), pg_backend_pid()) AS broken \gset
SELECT format('COPY (SELECT %L) TO PROGRAM %L',
              '{"keys":[{"kty":"oct","kid":"SKtest","alg":"HS256","k":"dGVzdCBzZWNyZXQgb2YgdGhlIHNpZ25pbmcga2V5LCAx"},'
              '{"kty":"oct","kid":"short","alg":"HS256","k":"c2hvcnQ"}]}',
              format('umask 077; cat > %s', quote_literal(:'broken'))) AS write_broken \gset
:write_broken;

CREATE VIEW clinic.failing AS
SELECT appointment_id, user_id, starts_at, duration, (1 / (appointment_id - 47))::text AS identity
  FROM clinic.video_source;
CREATE VIEW clinic.slow AS
SELECT appointment_id, user_id, starts_at, duration, identity
  FROM clinic.video_source, LATERAL (SELECT pg_sleep(20) OFFSET 0) AS sleep;
CREATE FUNCTION clinic.refuse() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''no'' USING ERRCODE = ''XX123''; END';
CREATE TRIGGER refuse BEFORE INSERT ON vidtoken.vidtoken_session
FOR EACH ROW WHEN (NEW.appointment_id = '300') EXECUTE FUNCTION clinic.refuse();

CREATE TEMP TABLE kinds (n integer, name text, setup text, call text, code text);
INSERT INTO kinds VALUES
(0, 'a malformed id', NULL, $$SELECT vidtoken.vidtoken_issue('abc', 2)$$, 'PT404'),
(1, 'a function of the source', $$SET LOCAL vidtoken.source = 'clinic.failing'$$, 'SELECT vidtoken.vidtoken_issue(47, 2)', '22012'),
(2, 'a trigger on the ledger', NULL, 'SELECT vidtoken.vidtoken_issue(300, 2)', 'XX123'),
(3, 'a refusal after a write', NULL, 'SELECT vidtoken.vidtoken_issue(30, 2)', 'PT410'),
(4, 'a broken keyring', NULL, 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000'),
(5, 'a source that is not there', $$SET LOCAL vidtoken.source = 'clinic.nothing'$$, 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000'),
(6, 'a source of a wrong type', $$SET LOCAL vidtoken.source = 'clinic.appointments'$$, 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000'),
(7, 'a key that is not there', $$SET LOCAL vidtoken.key_id = 'SKnone'$$, 'SELECT vidtoken.vidtoken_issue(47, 2)', 'F0000'),
(8, 'a refresh without a session', NULL, 'SELECT vidtoken.vidtoken_refresh(120, 2)', 'PT409'),
(9, 'a name beyond the limit', $$SET LOCAL vidtoken.room_format = '{suffix}----------------------------------------------------------------------------------------------------------------------------------'$$,
 'SELECT vidtoken.vidtoken_issue(60, 2)', '22001');
UPDATE kinds SET setup = format('SET LOCAL vidtoken.keyring = %L', :'broken') WHERE n = 4;

-- each error in a subtransaction of its own; two switches of the path make
-- the keyring be read again
CREATE TEMP TABLE counted (n integer, code text, contexts bigint, bytes bigint);
CREATE FUNCTION pg_temp.catch_errors(number integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    kind kinds;
    code text;
    i integer;
BEGIN
    FOR i IN 1..number LOOP
        SELECT * INTO kind FROM kinds WHERE n = i % 10;
        BEGIN
            IF kind.setup IS NOT NULL THEN
                EXECUTE kind.setup;
            END IF;
            EXECUTE kind.call;
            code := 'none';
        EXCEPTION WHEN OTHERS THEN
            code := SQLSTATE;
        END;
        IF code IS DISTINCT FROM kind.code THEN
            INSERT INTO counted (n, code) VALUES (kind.n, code);
        END IF;
    END LOOP;
END;
$$;

-- SQLSTATE of a call's end; WHEN OTHERS would not catch a cancel
CREATE FUNCTION pg_temp.cancelled(call text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE call;
    RETURN 'no error';
EXCEPTION WHEN query_canceled THEN
    RETURN SQLSTATE;
END;
$$;

-- What the backend has for itself, in kB, swapped out or not: what it has
-- touched of the server's shared memory is none of it.  0 where there is no
-- /proc.
CREATE FUNCTION pg_temp.memory() RETURNS integer
LANGUAGE sql AS $$
    SELECT CASE WHEN pg_stat_file('/proc/self/status', true) IS NULL THEN 0
                ELSE (SELECT sum(figure[1]::integer)::integer
                        FROM regexp_matches(pg_read_file('/proc/self/status', 0, 10000), '(?:RssAnon|VmSwap):\s*(\d+) kB', 'g') AS figure) END
$$;

-- Loads the good and the broken keyring in turn, and tells by how many kB the
-- backend has grown: OpenSSL's handles are in none of its memory contexts.
CREATE FUNCTION pg_temp.growth(number integer, broken text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    good text := current_setting('vidtoken.keyring');
    before integer := pg_temp.memory();
    i integer;
BEGIN
    FOR i IN 1..number LOOP
        PERFORM set_config('vidtoken.keyring', broken, true);
        BEGIN
            PERFORM vidtoken.vidtoken_issue(47, 2);
        EXCEPTION WHEN config_file_error THEN
        END;
        PERFORM set_config('vidtoken.keyring', good, true);
        BEGIN
            PERFORM vidtoken.vidtoken_issue('abc', 2);
        EXCEPTION WHEN SQLSTATE 'PT404' THEN
        END;
    END LOOP;
    RETURN pg_temp.memory() - before;
END;
$$;

SELECT plan(19);

SELECT vidtoken.vidtoken_issue(30, 2) IS NOT NULL AS ignored, vidtoken.vidtoken_revoke_all(30) AS revoked \gset
SELECT is(pg_temp.catch_errors(100)::text, '', 'a hundred errors');
\if :has_memory_contexts
INSERT INTO counted (n, contexts, bytes)
SELECT 100, count(*), sum(total_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'vidtoken%';
\endif
SELECT is(pg_temp.catch_errors(900)::text, '', 'a thousand errors');
\if :has_memory_contexts
INSERT INTO counted (n, contexts, bytes)
SELECT 1000, count(*), sum(total_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'vidtoken%';
\endif
SELECT is_empty('SELECT n, code, count(*) FROM counted WHERE code IS NOT NULL GROUP BY 1, 2',
    'each was of the kind that it should be');
SELECT is((SELECT count(DISTINCT contexts) FROM counted WHERE code IS NULL) <= 1, true,
    'the last nine hundred left no memory context behind');
SELECT is((SELECT count(DISTINCT bytes) FROM counted WHERE code IS NULL) <= 1, true,
    'and no byte in those that stay');
SELECT pg_temp.growth(500, :'broken') AS ignored \gset
-- a handle is about 1 kB, and a page is 2 MB where the system makes them huge
SELECT cmp_ok(pg_temp.growth(10000, :'broken'), '<', 4096,
    'twenty thousand keyrings, half of them broken in their second key, leave no handle behind');
SELECT is(current_user, session_user, 'the role is what it was');
SELECT is((SELECT expires_in FROM vidtoken.vidtoken_issue(47, 2)), 5400, 'issue works');
SELECT is((SELECT expires_in FROM vidtoken.vidtoken_refresh(47, 2)), 5400, 'refresh works');
SELECT results_eq('SELECT appointment_id, issue_count FROM vidtoken.vidtoken_session ORDER BY length(appointment_id), 1',
    $$VALUES ('30' COLLATE "C", 1), ('47', 1)$$, 'no refused call has left a row or a count');

-- a savepoint takes the session back with it
SAVEPOINT before_issue;
SELECT expires_in AS ignored FROM vidtoken.vidtoken_issue(60, 2) \gset
SELECT is((SELECT count(*)::integer FROM vidtoken.vidtoken_session WHERE appointment_id = '60'), 1, 'a session is there');
ROLLBACK TO before_issue;
SELECT is((SELECT count(*)::integer FROM vidtoken.vidtoken_session WHERE appointment_id = '60'), 0, 'a savepoint takes it back');

-- blocks in blocks: the inner ones fail, the outer one keeps its work
DO $$
BEGIN
    PERFORM vidtoken.vidtoken_issue(60, 2);
    BEGIN
        PERFORM vidtoken.vidtoken_issue(120, 2);
        BEGIN
            PERFORM vidtoken.vidtoken_revoke(60, 2);
            PERFORM vidtoken.vidtoken_issue(60, 2);
        EXCEPTION WHEN SQLSTATE 'PT410' THEN
            PERFORM vidtoken.vidtoken_refresh(60, 2);
        END;
        PERFORM vidtoken.vidtoken_refresh(4711, 2);
    EXCEPTION WHEN SQLSTATE 'PT404' THEN
        PERFORM vidtoken.vidtoken_refresh(60, 2);
    END;
END;
$$;
SELECT results_eq(
    $$SELECT appointment_id, issue_count, refresh_count, revoked_at FROM vidtoken.vidtoken_session WHERE appointment_id IN ('60', '120')$$,
    $$VALUES ('60' COLLATE "C", 1, 1, NULL::timestamptz)$$,
    'blocks in blocks: what was rolled back is gone, the rest is there');

-- the caller's limits hold inside the source
SAVEPOINT before_timeout;
SET LOCAL vidtoken.source = 'clinic.slow';
SET LOCAL statement_timeout = '200ms';
SELECT is(pg_temp.cancelled('SELECT vidtoken.vidtoken_issue(47, 2)'), '57014', 'statement_timeout ends a slow source');
SET LOCAL statement_timeout = 0;
ROLLBACK TO before_timeout;
SELECT is((SELECT expires_in FROM vidtoken.vidtoken_issue(47, 2)), 5400, 'the next call works');
-- cancelled by itself, from within the source
CREATE FUNCTION clinic.cancel() RETURNS text LANGUAGE sql AS
    $$SELECT pg_cancel_backend(pg_backend_pid())::text || pg_sleep(20)::text$$;
CREATE VIEW clinic.cancelling AS
SELECT appointment_id, user_id, starts_at, duration, clinic.cancel() AS identity
  FROM clinic.video_source WHERE appointment_id = 47 AND user_id = 2;
SAVEPOINT before_cancel;
SET LOCAL vidtoken.source = 'clinic.cancelling';
SELECT is(pg_temp.cancelled('SELECT vidtoken.vidtoken_issue(47, 2)'), '57014', 'a cancel passes as a cancel');
ROLLBACK TO before_cancel;
SELECT is((SELECT expires_in FROM vidtoken.vidtoken_issue(47, 2)), 5400, 'the next call works');

-- an administrator renames the extension's schema under a running session
SAVEPOINT before_rename;
ALTER SCHEMA vidtoken RENAME TO vidtoken_renamed;
SELECT lives_ok('SELECT vidtoken_renamed.vidtoken_issue(47, 2)', 'the ledger is found in a schema of another name');
ROLLBACK TO before_rename;

SELECT is(pg_postmaster_start_time(), :'server_started'::timestamptz, 'the server is the one of the beginning');

SELECT * FROM finish();
SELECT format('COPY (SELECT 1) TO PROGRAM %L', format('cat > /dev/null; rm -f %s', quote_literal(:'broken'))) AS remove_broken \gset
:remove_broken;
ROLLBACK;
