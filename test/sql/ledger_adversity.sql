\unset ECHO
\i test/setup.sql
-- What others do to the ledger, the keyring and the source, by mistake or by
-- intent: no call crashes, nobody gains a right, and a bar holds.
SELECT plan(80);

-- settings that a function or trigger of the script may change
CREATE FUNCTION clinic.swap_keyring(path text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('vidtoken.keyring', path, true);
    PERFORM vidtoken.vidtoken_issue(30, 2);
    RETURN true;
EXCEPTION WHEN OTHERS THEN
    RETURN true;
END;
$$;

-- rows that a DBA's hand has touched
SELECT ok(vidtoken.vidtoken_revoke(47, 2), 'a bar without a session');
UPDATE vidtoken.vidtoken_session SET revoked_at = NULL;
SELECT is((pg_temp.refusal('SELECT vidtoken.vidtoken_refresh(47, 2)')).code, 'PT409',
          'lifted by hand, it is no session to refresh');
SELECT is(user_identity, '2-jane@example.com', 'and the first issue makes it one')
  FROM vidtoken.vidtoken_issue(47, 2);
SELECT is(count(*), 1::bigint, 'in the same row, with the time of the first issue')
  FROM vidtoken.vidtoken_session WHERE first_issued_at = '2026-03-02 10:00+00';
UPDATE vidtoken.vidtoken_session SET user_identity = NULL, room_name = NULL;
SELECT is((pg_temp.refusal('SELECT vidtoken.vidtoken_report_quality(47, 2, 3)')).code, 'PT409',
          'names that were taken out: there is nobody in a room to report of');
SELECT alike(room_name, 'apt-47-%', 'they are made again'),
       is(user_identity, '2-jane@example.com', 'the identity too')
  FROM vidtoken.vidtoken_refresh(47, 2);
SELECT lives_ok('SELECT vidtoken.vidtoken_report_quality(47, 2, 3)', 'and of him a report is taken');
DELETE FROM vidtoken.vidtoken_session;
DELETE FROM vidtoken.vidtoken_quality;

-- whichever value is taken out: what is missing is made again, or refused
CREATE FUNCTION clinic.fill_ledger() RETURNS void LANGUAGE sql AS $$
    SELECT vidtoken.vidtoken_reset_room(47);
    SELECT vidtoken.vidtoken_issue(47, 2);
    SELECT vidtoken.vidtoken_revoke(47, 3);
    SELECT vidtoken.vidtoken_report_quality(47, 2, 3, '{"loss": 1}');
    INSERT INTO vidtoken.vidtoken_call
    SELECT provider, room_name, 'RM1', issued_at, NULL, issued_at
      FROM vidtoken.vidtoken_session WHERE user_id = '2';
    INSERT INTO vidtoken.vidtoken_participant
    SELECT provider, room_name, 'RM1', 'PA1', user_identity, issued_at, issued_at, NULL, issued_at
      FROM vidtoken.vidtoken_session WHERE user_id = '2';
$$;
CREATE FUNCTION pg_temp.refused_without(call text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(format('%s %s; ', name, code), '' ORDER BY relname, name), '')
      FROM (SELECT c.relname, a.attname AS name,
                   (pg_temp.refusal(format(
                       'SELECT clinic.fill_ledger(); UPDATE vidtoken.%I SET %I = NULL; SELECT %s; '
                       'DO $do$BEGIN RAISE SQLSTATE ''ZZ999''; END$do$', c.relname, a.attname, call))).code
              FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
             WHERE c.relnamespace = 'vidtoken'::regnamespace AND c.relkind = 'r' AND NOT a.attnotnull) AS places
     WHERE code <> 'ZZ999'
$$;
SELECT is(pg_temp.refused_without(call), refused, call || ', whichever value is taken out')
  FROM (VALUES (1, 'vidtoken.vidtoken_issue(47, 2)', ''),
               (2, 'vidtoken.vidtoken_refresh(47, 2)', 'first_issued_at PT409; '),
               (3, 'vidtoken.vidtoken_revoke(47, 2)', ''),
               (4, 'vidtoken.vidtoken_revoke_all(47)', ''),
               (5, 'vidtoken.vidtoken_reinstate(47, 3)', ''),
               (6, 'vidtoken.vidtoken_reset_room(47)', ''),
               (7, 'vidtoken.vidtoken_report_quality(47, 2, 1)',
                'expires_at 55000; first_issued_at PT409; room_name PT409; user_identity PT409; '),
               (8, 'vidtoken.vidtoken_status(47)', ''),
               (9, 'vidtoken.vidtoken_room_settings(47)', ''),
               (10, 'vidtoken.vidtoken_prune()', ''),
               (11, 's::text FROM vidtoken.vidtoken_sessions AS s', '')) AS t(i, call, refused)
 ORDER BY i;

-- a keyring that goes away while a call runs, or is that of a call within it
CREATE VIEW clinic.swapping AS
SELECT * FROM clinic.video_source
 WHERE clinic.swap_keyring(current_setting('vidtoken.keyring') || '.none');
CREATE VIEW clinic.taking AS
SELECT * FROM clinic.video_source
 WHERE set_config('vidtoken.keyring', current_setting('vidtoken.keyring') || '.none', true) <> '';
SET LOCAL vidtoken.source = 'clinic.taking';
SELECT is((pg_temp.refusal('SELECT vidtoken.vidtoken_issue(47, 2)')).code, 'F0000',
          'a view''s function takes the keyring away: refused');
SET LOCAL vidtoken.source = 'clinic.swapping';
SELECT is(expires_in, 5400, 'it asks for another one, fails and gives ours back') FROM vidtoken.vidtoken_issue(47, 2);
SET LOCAL vidtoken.source = 'clinic.video_source';
CREATE FUNCTION clinic.swap_in_trigger() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF TG_ARGV[0] = 'take' THEN
        PERFORM set_config('vidtoken.keyring', current_setting('vidtoken.keyring') || '.none', true);
    ELSE
        PERFORM clinic.swap_keyring(current_setting('vidtoken.keyring') || '.none');
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER swap BEFORE UPDATE ON vidtoken.vidtoken_session
    FOR EACH ROW EXECUTE FUNCTION clinic.swap_in_trigger('take');
SELECT is((pg_temp.refusal('SELECT vidtoken.vidtoken_refresh(47, 2)')).code, 'F0000',
          'a trigger on the ledger takes it away: refused');
DROP TRIGGER swap ON vidtoken.vidtoken_session;
CREATE TRIGGER swap BEFORE UPDATE ON vidtoken.vidtoken_session
    FOR EACH ROW EXECUTE FUNCTION clinic.swap_in_trigger('ask');
SELECT is(expires_in, 5400, 'it asks for another one, fails and gives ours back') FROM vidtoken.vidtoken_refresh(47, 2);
DROP TRIGGER swap ON vidtoken.vidtoken_session;

-- a row that does not get in
CREATE FUNCTION clinic.suppress() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER suppress BEFORE INSERT OR UPDATE ON vidtoken.vidtoken_session
    FOR EACH ROW EXECUTE FUNCTION clinic.suppress();
CREATE TRIGGER suppress BEFORE INSERT OR UPDATE ON vidtoken.vidtoken_room
    FOR EACH ROW EXECUTE FUNCTION clinic.suppress();
SELECT is((pg_temp.refusal(s)).code, '55000', s || ' tells that nothing was recorded')
  FROM unnest(ARRAY['SELECT vidtoken.vidtoken_revoke(47, 2)',
                    'SELECT vidtoken.vidtoken_revoke_all(47)',
                    'SELECT vidtoken.vidtoken_reset_room(47)',
                    'SELECT vidtoken.vidtoken_issue(47, 3)']) AS s;
DROP TRIGGER suppress ON vidtoken.vidtoken_session;
DROP TRIGGER suppress ON vidtoken.vidtoken_room;
SELECT ok(vidtoken.vidtoken_revoke(47, 2), 'without the trigger the bar is set');
SELECT ok(NOT vidtoken.vidtoken_revoke(47, 2), 'and set only once');

-- one that does not change
CREATE TRIGGER suppress BEFORE UPDATE ON vidtoken.vidtoken_session
    FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL) EXECUTE FUNCTION clinic.suppress();
CREATE TRIGGER suppress BEFORE UPDATE ON vidtoken.vidtoken_room
    FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL) EXECUTE FUNCTION clinic.suppress();
SELECT FROM vidtoken.vidtoken_revoke_all(47);
SELECT is((pg_temp.refusal(s)).code, '55000', s || ' tells that the bar was not lifted')
  FROM unnest(ARRAY['SELECT vidtoken.vidtoken_reinstate(47, 2)', 'SELECT vidtoken.vidtoken_reinstate_all(47)']) AS s;
DROP TRIGGER suppress ON vidtoken.vidtoken_session;
DROP TRIGGER suppress ON vidtoken.vidtoken_room;
SELECT FROM vidtoken.vidtoken_reinstate_all(47);
SELECT ok(vidtoken.vidtoken_reinstate(47, 2), 'and lifted without the trigger');
SELECT FROM vidtoken.vidtoken_issue(120, 2);
SELECT FROM vidtoken.vidtoken_reset_room(120);
CREATE TRIGGER suppress BEFORE UPDATE ON vidtoken.vidtoken_session
    FOR EACH ROW WHEN (NEW.generation <> OLD.generation) EXECUTE FUNCTION clinic.suppress();
SELECT is((pg_temp.refusal('SELECT vidtoken.vidtoken_issue(120, 2)')).code, '55000', 'no token for a room that the session was not moved to');
DROP TRIGGER suppress ON vidtoken.vidtoken_session;
SELECT room_name AS room FROM vidtoken.vidtoken_issue(120, 2) \gset
SELECT is(room_name, :'room', 'and one for that which the ledger has') FROM vidtoken.vidtoken_session WHERE appointment_id = '120';
DELETE FROM vidtoken.vidtoken_session WHERE appointment_id = '120';
DELETE FROM vidtoken.vidtoken_room WHERE appointment_id = '120';

-- a source that fails does not keep a bar from being set
CREATE FUNCTION clinic.fail() RETURNS boolean
LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no claims'; END $$;
CREATE VIEW clinic.failing AS SELECT * FROM clinic.video_source WHERE clinic.fail();
SET LOCAL vidtoken.source = 'clinic.failing';
SELECT is((pg_temp.refusal('SELECT vidtoken.vidtoken_issue(47, 2)')).code, 'P0001',
          'a failing source gives no token');
SELECT ok(vidtoken.vidtoken_revoke(47, 2), 'but a bar'),
       is(vidtoken.vidtoken_revoke_all(47), 0, 'and one of the whole appointment');
SET LOCAL vidtoken.source = 'clinic.video_source';
SELECT is((pg_temp.refusal('SELECT vidtoken.vidtoken_issue(47, 2)')).reason, 'revoked',
          'they hold when the source is back');
SELECT is(vidtoken.vidtoken_reinstate_all(47), 0, 'the one is lifted'),
       ok(vidtoken.vidtoken_reinstate(47, 2), 'and the other');

-- prune: a bar stays while its appointment may still come
SELECT is(vidtoken.vidtoken_prune(), 1::bigint, 'a room''s row that holds nothing any more is forgotten at once');
SELECT FROM vidtoken.vidtoken_issue(47, 2);
SELECT FROM vidtoken.vidtoken_revoke(47, 2);
SELECT FROM vidtoken.vidtoken_revoke_all(30);
UPDATE clinic.appointments SET starts_at = '2026-05-02 10:00+00' WHERE id IN (30, 47);
SELECT FROM pg_temp.clock(60 * 24 * 40);
CREATE ROLE regress_vidtoken_pruner;
GRANT USAGE ON SCHEMA clinic, vidtoken TO regress_vidtoken_pruner;
GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_prune(interval) TO regress_vidtoken_pruner;
CREATE TABLE clinic.hidden AS SELECT * FROM clinic.video_source;
ALTER TABLE clinic.hidden ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON clinic.hidden TO regress_vidtoken_pruner;
SET LOCAL vidtoken.source = 'clinic.hidden';
SET LOCAL ROLE regress_vidtoken_pruner;
SELECT is(vidtoken.vidtoken_prune(), 0::bigint, 'a role that cannot see the appointment forgets no bar');
RESET ROLE;
SET LOCAL vidtoken.source = 'clinic.video_source';
SELECT is(vidtoken.vidtoken_prune(), 0::bigint, 'a moved appointment keeps its bars');
UPDATE clinic.appointments SET minutes = 1 WHERE id = 47;
SELECT is(vidtoken.vidtoken_prune(), 0::bigint, 'a row that cannot be read is no answer, and no error');
UPDATE clinic.appointments SET starts_at = '2026-03-02 10:00+00', minutes = 60 WHERE id IN (30, 47);
SELECT is(vidtoken.vidtoken_prune(), 2::bigint, 'when they are over, they are forgotten');
SELECT FROM pg_temp.clock(0);

-- a view that hides rows by a condition of its own hides them from everyone
CREATE VIEW clinic.claimed AS
SELECT * FROM clinic.video_source
 WHERE user_id = (nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub')::integer;
SELECT FROM vidtoken.vidtoken_issue(47, 2);
SELECT FROM vidtoken.vidtoken_revoke(47, 2);
SELECT FROM pg_temp.clock(60 * 24 * 40);
SET LOCAL vidtoken.source = 'clinic.claimed';
SELECT is(vidtoken.vidtoken_prune(), 0::bigint, 'who sees no appointment at all forgets no bar');
SET LOCAL vidtoken.source = 'clinic.video_source';
-- nor does an id that the source's column could not hold
UPDATE vidtoken.vidtoken_session SET appointment_id = 'abc' WHERE user_id = '2';
SELECT is(vidtoken.vidtoken_prune(), 0::bigint, 'an id that means nothing any more is kept, and no error');
UPDATE vidtoken.vidtoken_session SET appointment_id = '77' WHERE appointment_id = 'abc';
SELECT is(vidtoken.vidtoken_prune(), 1::bigint, 'an appointment that is gone is forgotten');
SELECT FROM pg_temp.clock(0);
SELECT FROM vidtoken.vidtoken_issue(47, 2);
UPDATE clinic.appointments SET starts_at = starts_at + interval '40 days' WHERE id = 47;
SELECT FROM vidtoken.vidtoken_revoke(47, 2);
SELECT is(hard_stop, '2026-04-11 13:00+00', 'a bar knows when its appointment is over now')
  FROM vidtoken.vidtoken_session WHERE appointment_id = '47';
SELECT FROM vidtoken.vidtoken_reinstate(47, 2);
UPDATE clinic.appointments SET starts_at = starts_at - interval '40 days' WHERE id = 47;

-- a room name that the source takes back
ALTER TABLE clinic.participants ADD room_name text;
CREATE VIEW clinic.named AS
SELECT s.*, p.room_name FROM clinic.video_source AS s
  JOIN clinic.participants AS p USING (appointment_id, user_id);
SET LOCAL vidtoken.source = 'clinic.named';
UPDATE clinic.participants SET room_name = 'own' WHERE appointment_id = 47;
SELECT is(room_name, 'own', 'the source''s name') FROM vidtoken.vidtoken_issue(47, 2);
UPDATE clinic.participants SET room_name = 'other' WHERE appointment_id = 47;
SELECT is(room_name, 'other', 'the source''s new name') FROM vidtoken.vidtoken_refresh(47, 2);
UPDATE clinic.participants SET room_name = NULL WHERE appointment_id = 47;
SELECT alike(a.room_name, 'apt-47-%', 'without one, a made name'),
       is(a.room_name, b.room_name, 'the same for those who were there and who come')
  FROM vidtoken.vidtoken_refresh(47, 2) AS a, vidtoken.vidtoken_issue(47, 3) AS b;
SET LOCAL vidtoken.source = 'clinic.video_source';

-- preferred: a standby may have issued what the ledger does not know
SET LOCAL vidtoken.record_sessions = 'preferred';
SELECT is(expires_in, 5400, 'preferred: a refresh without a row is a first token')
  FROM vidtoken.vidtoken_refresh(60, 2);
SELECT is(refresh_count, 1, 'and recorded') FROM vidtoken.vidtoken_sessions WHERE appointment_id = '60';
SELECT FROM pg_temp.clock(76);
SELECT is((pg_temp.refusal('SELECT vidtoken.vidtoken_refresh(47, 9)')).reason, 'ended',
          'judged by the rule for entering');
SET LOCAL vidtoken.record_sessions = 'required';
SELECT is((pg_temp.refusal('SELECT vidtoken.vidtoken_refresh(47, 9)')).reason, 'no_session',
          'required: there is nothing to refresh');

-- what the owner of the tables may do to them: an answer, or a refusal
CREATE FUNCTION pg_temp.after(ddl text, call text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    BEGIN
        EXECUTE ddl;
        EXECUTE 'SELECT ' || call INTO answer;
        RAISE SQLSTATE 'ZZ999';
    EXCEPTION
        WHEN SQLSTATE 'ZZ999' THEN
            RETURN answer;
        WHEN OTHERS THEN
            RETURN SQLSTATE || ' ' || SQLERRM;
    END;
END;
$$;
SELECT FROM pg_temp.clock(0);
DELETE FROM vidtoken.vidtoken_session;
SELECT FROM vidtoken.vidtoken_issue(47, 2);
SELECT FROM vidtoken.vidtoken_issue(47, 3);
\set another_key 'ALTER TABLE vidtoken.vidtoken_room DROP CONSTRAINT vidtoken_room_pkey; CREATE UNIQUE INDEX ON vidtoken.vidtoken_room (appointment_id); ALTER TABLE vidtoken.vidtoken_room ALTER appointment_id DROP NOT NULL; ALTER TABLE vidtoken.vidtoken_room ADD COLUMN id serial PRIMARY KEY; '
SELECT is(pg_temp.after(:'another_key', 'user_identity FROM vidtoken.vidtoken_issue(47, 2)'),
          '2-jane@example.com', 'another primary key of the rooms');
SELECT is(pg_temp.after(:'another_key' || 'SELECT vidtoken.vidtoken_revoke_all(47)', 'expires_in FROM vidtoken.vidtoken_issue(47, 2)'),
          'PT410 access to the appointment is revoked', 'where a bar holds');
SELECT is(pg_temp.after(:'another_key' || $$INSERT INTO vidtoken.vidtoken_room VALUES (NULL, 1, '2020-01-01', '2020-01-01')$$,
                        'vidtoken.vidtoken_prune()'),
          '0', 'and NULL is no appointment that prune would ask for');
SELECT is(pg_temp.after('ALTER TYPE vidtoken.vidtoken_grant ALTER ATTRIBUTE expires_in TYPE text', 'expires_in FROM vidtoken.vidtoken_issue(47, 2)'),
          '42804 library and SQL objects of extension "vidtoken" differ in version', 'an altered result');
SELECT is(pg_temp.after('ALTER EXTENSION vidtoken DROP VIEW vidtoken.vidtoken_sessions; DROP VIEW vidtoken.vidtoken_sessions; '
                        'ALTER TABLE vidtoken.vidtoken_session ALTER user_identity TYPE integer USING 5', call),
          '42804 the ledger has type integer where extension "vidtoken" needs text', 'an altered column of sessions: ' || call)
  FROM unnest(ARRAY['expires_in FROM vidtoken.vidtoken_refresh(47, 2)', 'vidtoken.vidtoken_revoke(47, 2)']) AS call;
SELECT is(pg_temp.after('ALTER TABLE vidtoken.vidtoken_room ALTER generation DROP DEFAULT, ALTER generation TYPE numeric', call),
          '42804 the ledger has type numeric where extension "vidtoken" needs integer', 'an altered column of rooms: ' || call)
  FROM unnest(ARRAY['expires_in FROM vidtoken.vidtoken_refresh(47, 2)', 'vidtoken.vidtoken_reset_room(47)',
                    'vidtoken.vidtoken_room_settings(47)']) AS call;
SELECT is(pg_temp.after('ALTER TABLE vidtoken.vidtoken_quality ALTER quality TYPE numeric', 'vidtoken.vidtoken_status(47)'),
          '42804 the ledger has type numeric where extension "vidtoken" needs smallint', 'an altered column of quality');
SELECT is(pg_temp.after('CREATE TABLE clinic.vidtoken_session (LIKE vidtoken.vidtoken_session); '
                        'CREATE RULE keep AS ON DELETE TO vidtoken.vidtoken_session DO ALSO INSERT INTO clinic.vidtoken_session SELECT OLD.*',
                        'vidtoken.vidtoken_prune()'),
          '42P01 a statement on the ledger reaches a table that has the name of one of the ledger''s', 'a rule with a table of the same name');
SELECT is(pg_temp.after('SELECT FROM vidtoken.vidtoken_refresh(47, 2); '
                        'ALTER TABLE vidtoken.vidtoken_room SET SCHEMA clinic; '
                        'CREATE TABLE vidtoken.vidtoken_room (LIKE clinic.vidtoken_room INCLUDING ALL)',
                        'expires_in FROM vidtoken.vidtoken_refresh(47, 2)'),
          '42P01 a statement on the ledger reaches a table that has the name of one of the ledger''s', 'a table that took the place of another');
SELECT is(pg_temp.after('ALTER EXTENSION vidtoken DROP VIEW vidtoken.vidtoken_sessions; DROP VIEW vidtoken.vidtoken_sessions; '
                        'ALTER TABLE vidtoken.vidtoken_session ALTER room_name TYPE varchar(64)', 'expires_in FROM vidtoken.vidtoken_refresh(47, 2)'),
          '5400', 'varchar is as good as text');
CREATE FUNCTION clinic.set_life() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    NEW.expires_at := NEW.issued_at + TG_ARGV[0]::interval;
    RETURN NEW;
END;
$$;
SELECT is(pg_temp.after(format('CREATE TRIGGER life BEFORE INSERT OR UPDATE ON vidtoken.vidtoken_session FOR EACH ROW EXECUTE FUNCTION clinic.set_life(%L)', life),
                        'expires_in FROM vidtoken.vidtoken_refresh(47, 2)'), expires_in, 'a trigger that sets a life of ' || life)
  FROM (VALUES (1, '70 minutes', '4200'), (2, '10 years', '10800')) AS t(i, life, expires_in)
 ORDER BY i;

-- a function that runs while its statement is planned, and makes it again
CREATE FUNCTION clinic.alter_and_report() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM set_config('test.note', 'off', true);
    ALTER TABLE vidtoken.vidtoken_quality SET (fillfactor = 60);
    PERFORM vidtoken.vidtoken_report_quality(47, 3, 4);
END;
$$;
CREATE FUNCTION clinic.note() RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
BEGIN
    IF current_setting('test.note', true) = 'on' THEN
        PERFORM clinic.alter_and_report();
    END IF;
    RETURN 'x';
END;
$$;
SELECT is(pg_temp.after('ALTER TABLE vidtoken.vidtoken_quality ADD note text DEFAULT clinic.note(); '
                        'SET LOCAL test.note = on; SELECT vidtoken.vidtoken_report_quality(47, 2, 5)',
                        $$string_agg(quality || note, ' ' ORDER BY quality) FROM vidtoken.vidtoken_quality$$),
          '4x 5x', 'a report within the planning of another');

-- a function that says of itself that it may run in parallel
CREATE FUNCTION clinic.room_of(id integer) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT room_name FROM vidtoken.vidtoken_status(id)';
CREATE TABLE clinic.ids AS SELECT 47 AS id;
SELECT set_config(name, 'on', true) AS ignored FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \gset
SELECT is((pg_temp.refusal('SELECT clinic.room_of(id) FROM clinic.ids')).code, '25000', 'in a parallel query there is no ledger');
SELECT set_config(name, 'off', true) AS ignored FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \gset

-- what vidtoken_check() tells of all this
CREATE FUNCTION pg_temp.tells(word text) RETURNS boolean LANGUAGE sql AS $$
    SELECT count(*) > 0 FROM vidtoken.vidtoken_check()
     WHERE status <> 'ok' AND message LIKE '%' || word || '%';
$$;
CREATE ROLE regress_vidtoken_keeper;
SELECT ok(NOT pg_temp.tells('rights on the tables'), 'check: nobody else has rights on the ledger');
GRANT TRIGGER ON vidtoken.vidtoken_session TO regress_vidtoken_pruner;
SELECT ok(pg_temp.tells('regress_vidtoken_pruner (trigger)'), 'check: who may make triggers on the ledger');
CREATE FUNCTION clinic.loose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER loose BEFORE UPDATE ON vidtoken.vidtoken_session
    FOR EACH ROW EXECUTE FUNCTION clinic.loose();
SELECT ok(pg_temp.tells('search_path of their own: loose'), 'check: triggers without a search_path');
ALTER TABLE vidtoken.vidtoken_session OWNER TO regress_vidtoken_keeper;
SELECT ok(pg_temp.tells('several owners'), 'check: tables of two owners');
ALTER TABLE vidtoken.vidtoken_room OWNER TO regress_vidtoken_keeper;
ALTER TABLE vidtoken.vidtoken_call OWNER TO regress_vidtoken_keeper;
ALTER TABLE vidtoken.vidtoken_participant OWNER TO regress_vidtoken_keeper;
ALTER TABLE vidtoken.vidtoken_event OWNER TO regress_vidtoken_keeper;
ALTER TABLE vidtoken.vidtoken_quality OWNER TO regress_vidtoken_keeper;
SELECT ok(pg_temp.tells('lacks USAGE on the schema'), 'check: an owner that cannot reach its tables');
CREATE MATERIALIZED VIEW clinic.copied AS SELECT * FROM clinic.hidden;
SET LOCAL vidtoken.source = 'clinic.copied';
SELECT ok(pg_temp.tells('row-level security of clinic.hidden'), 'check: a materialized view reads past row-level security');

SELECT * FROM finish();
ROLLBACK;
