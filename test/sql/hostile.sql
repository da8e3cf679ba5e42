\unset ECHO
\i test/setup.sql
\i test/webhooks.sql

-- Promise: nothing that a caller can create, and nothing that an administrator
-- attaches to the ledger, changes what is issued or gains the rights of the
-- ledger's owner: at a session's first call, later, and when plans are made
-- anew.

CREATE ROLE regress_vidtoken_mallory;
CREATE ROLE regress_vidtoken_ledger NOLOGIN;

-- The owner is no superuser, so that row-level security concerns it.
GRANT USAGE ON SCHEMA vidtoken TO regress_vidtoken_ledger;
CREATE FUNCTION pg_temp.for_each_table(command text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY '{vidtoken_session,vidtoken_room,vidtoken_call,vidtoken_participant,vidtoken_event,vidtoken_quality}'::text[] LOOP
        EXECUTE replace(command, 'TABLE_NAME', name);
    END LOOP;
END;
$$;
SELECT pg_temp.for_each_table('ALTER TABLE vidtoken.TABLE_NAME OWNER TO regress_vidtoken_ledger') AS ignored \gset

CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA vidtoken, clinic, evil TO regress_vidtoken_mallory;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA vidtoken TO regress_vidtoken_mallory;
GRANT SELECT ON clinic.video_source, vidtoken.vidtoken_sessions TO regress_vidtoken_mallory;
GRANT USAGE ON SCHEMA evil TO regress_vidtoken_ledger;

--
-- The traps
--

CREATE TABLE evil.caught (what text, as_role name);
GRANT INSERT ON evil.caught TO PUBLIC;
-- counts also what is rolled back
CREATE SEQUENCE evil.steps;
GRANT ALL ON SEQUENCE evil.steps TO PUBLIC;

-- an operator of the same name for every one that PostgreSQL has between the
-- types of the ledger and of the source; each works as the real one and tells
DO $do$
DECLARE
    op record;
    n integer := 0;
BEGIN
    FOR op IN
        SELECT oprname, format_type(oprleft, NULL) AS l, format_type(oprright, NULL) AS r,
               format_type(oprresult, NULL) AS result
          FROM pg_operator
         WHERE oprnamespace = 'pg_catalog'::regnamespace
           AND ARRAY[oprleft, oprright] <@
               '{text,name,"char",int2,int4,int8,numeric,float8,bool,uuid,oid,timestamptz,timestamp,interval}'::regtype[]::oid[]
    LOOP
        n := n + 1;
        EXECUTE format($q$CREATE FUNCTION evil.operator_%s(a %s, b %s) RETURNS %s LANGUAGE plpgsql AS
            $f$BEGIN PERFORM pg_catalog.nextval('evil.steps'); INSERT INTO evil.caught VALUES (%L, current_user); RETURN a OPERATOR(pg_catalog.%s) b; END$f$ $q$,
            n, op.l, op.r, op.result, format('%s %s %s', op.l, op.oprname, op.r), op.oprname);
        EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.operator_%s)',
                       op.oprname, op.l, op.r, n);
    END LOOP;
END;
$do$;

-- a function of the same name and arguments for everything that the ledger's
-- statements, the view or the casts in them could call
DO $do$
DECLARE
    f record;
    n integer := 0;
BEGIN
    FOR f IN
        SELECT p.oid, p.proname, pg_get_function_identity_arguments(p.oid) AS arguments,
               format_type(p.prorettype, NULL) AS result
          FROM pg_proc AS p
         WHERE p.pronamespace = 'pg_catalog'::regnamespace
           AND p.prokind = 'f' AND NOT p.proretset AND p.provariadic = 0
           AND p.prorettype <> 'internal'::regtype
           AND 'internal'::regtype <> ALL (p.proargtypes)
           AND p.proname = ANY ('{now,clock_timestamp,date_trunc,date_part,make_interval,floor,text,int4,int8,
                                  float8,timestamptz,"interval",bool,name,varchar,nullif,coalesce,greatest,least,
                                  texteq,textcat,int4pl,int4eq,format_type,pg_get_userbyid,
                                  has_function_privilege,pg_options_to_table,quote_ident,
                                  timestamptz_smaller,timestamptz_larger,timestamptz_cmp,bttextcmp,to_jsonb}')
    LOOP
        EXECUTE format($q$CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS
            $f$BEGIN PERFORM pg_catalog.nextval('evil.steps'); INSERT INTO evil.caught VALUES (%L, current_user); RETURN NULL; END$f$ $q$,
            f.proname, f.arguments, f.result, f.proname);
    END LOOP;
END;
$do$;
CREATE FUNCTION evil.count_step(bigint) RETURNS bigint LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.nextval(''evil.steps''); INSERT INTO evil.caught VALUES (''count'', current_user); RETURN 99; END';
CREATE AGGREGATE evil.count(*) (SFUNC = evil.count_step, STYPE = bigint, INITCOND = '99');
CREATE FUNCTION evil.max_step(timestamptz, timestamptz) RETURNS timestamptz LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.nextval(''evil.steps''); INSERT INTO evil.caught VALUES (''max'', current_user); RETURN NULL; END';
CREATE AGGREGATE evil.max(timestamptz) (SFUNC = evil.max_step, STYPE = timestamptz);
CREATE AGGREGATE evil.min(timestamptz) (SFUNC = evil.max_step, STYPE = timestamptz);
CREATE FUNCTION evil.min_step(smallint, smallint) RETURNS smallint LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.nextval(''evil.steps''); INSERT INTO evil.caught VALUES (''min'', current_user); RETURN 99; END';
CREATE AGGREGATE evil.min(smallint) (SFUNC = evil.min_step, STYPE = smallint);
CREATE FUNCTION evil.or_step(boolean, boolean) RETURNS boolean LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.nextval(''evil.steps''); INSERT INTO evil.caught VALUES (''bool_or'', current_user); RETURN true; END';
CREATE AGGREGATE evil.bool_or(boolean) (SFUNC = evil.or_step, STYPE = boolean);
CREATE FUNCTION evil.agg_step(jsonb, jsonb) RETURNS jsonb LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.nextval(''evil.steps''); INSERT INTO evil.caught VALUES (''jsonb_agg'', current_user); RETURN NULL; END';
CREATE AGGREGATE evil.jsonb_agg(jsonb) (SFUNC = evil.agg_step, STYPE = jsonb);
CREATE FUNCTION evil.jsonb_build_object(text, text, text, timestamptz, text, timestamptz, text, smallint, text, jsonb) RETURNS jsonb LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.nextval(''evil.steps''); INSERT INTO evil.caught VALUES (''jsonb_build_object'', current_user); RETURN NULL; END';

-- relations of the same names, where a search path would find them first
SELECT pg_temp.for_each_table('CREATE TABLE evil.TABLE_NAME (LIKE vidtoken.TABLE_NAME INCLUDING ALL)') AS ignored \gset
GRANT ALL ON ALL TABLES IN SCHEMA evil TO PUBLIC;
SET LOCAL ROLE regress_vidtoken_mallory;
SELECT pg_temp.for_each_table('CREATE TEMP TABLE TABLE_NAME (LIKE evil.TABLE_NAME INCLUDING ALL); GRANT ALL ON pg_temp.TABLE_NAME TO PUBLIC') AS ignored \gset
CREATE TEMP TABLE video_source (appointment_id text);
CREATE TEMP TABLE pg_extension (oid oid, extname name, extnamespace oid, extversion text);
INSERT INTO pg_temp.pg_extension VALUES (1, 'vidtoken', 'evil'::regnamespace, '6.6');
GRANT ALL ON pg_temp.pg_extension TO PUBLIC;
RESET ROLE;
CREATE TEMP VIEW shadows AS SELECT NULL::text AS row WHERE false;
SELECT pg_temp.for_each_table('CREATE TEMP VIEW shadow_of_TABLE_NAME AS
    SELECT s::text FROM evil.TABLE_NAME AS s UNION ALL SELECT s::text FROM pg_temp.TABLE_NAME AS s') AS ignored \gset
CREATE OR REPLACE TEMP VIEW shadows AS
SELECT s AS row FROM shadow_of_vidtoken_session UNION ALL SELECT s FROM shadow_of_vidtoken_room
UNION ALL SELECT s FROM shadow_of_vidtoken_call UNION ALL SELECT s FROM shadow_of_vidtoken_participant
UNION ALL SELECT s FROM shadow_of_vidtoken_event UNION ALL SELECT s FROM shadow_of_vidtoken_quality;

-- No policy and FORCE: nobody may see or write a row, the owner neither.
SELECT pg_temp.for_each_table('ALTER TABLE vidtoken.TABLE_NAME ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY') AS ignored \gset

SELECT plan(76);

-- A trap that catches nothing proves nothing.
SET LOCAL ROLE regress_vidtoken_mallory;
SET LOCAL search_path = evil, pg_catalog;
SELECT 'a'::text = 'a'::text AS ignored, 1 + 1 AS sum, now() AS moment, count(*) \gset
SET LOCAL search_path = "$user", public;
RESET ROLE;
SELECT set_eq('SELECT what, as_role FROM evil.caught',
    $$VALUES ('text = text', 'regress_vidtoken_mallory'::name), ('integer + integer', 'regress_vidtoken_mallory'),
             ('now', 'regress_vidtoken_mallory'), ('count', 'regress_vidtoken_mallory')$$,
    'the traps catch whoever walks in');
DELETE FROM evil.caught;
SELECT setval('evil.steps', 1, false) AS ignored \gset

--
-- Every function under a hostile path, by a role without rights on the
-- ledger: at the session's first call, again, and with plans to be made anew.
-- The calls stand alone, because pgTAP's own operators would be caught.
--

SET LOCAL request.jwt.claims = '{"sub": 3}';
CREATE TEMP TABLE answers (round text, n integer, name text, have text, want text);
GRANT INSERT ON answers TO PUBLIC;

-- Webhooks of the room of appointment 60, which is never reset: in each round
-- the same room and the same stay, in events of the round's own.
SELECT room_name AS room FROM vidtoken.vidtoken_room_settings(60) \gset
CREATE FUNCTION pg_temp.webhook(d pg_temp.delivery) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('SELECT result FROM vidtoken.vidtoken_webhook(%L, pg_catalog.decode(%L, ''hex''), %L, %L)',
                  (d).provider, encode((d).body, 'hex'), (d).headers, (d).url)
$$;
CREATE TEMP TABLE webhooks AS
SELECT round, pg_temp.webhook(pg_temp.event('twilio', 'started', :'room', 'RM1', start, at)) AS room,
       pg_temp.webhook(pg_temp.event('twilio', 'joined', :'room', 'RM1', start, at, 'PA1', 'jane', at)) AS stay
  FROM unnest('{first,later,plans anew,custom plans,without row-level security,with it again,row_security = off,other settings,triggers}'::text[])
           WITH ORDINALITY AS u(round, n),
       timestamptz(timestamptz '2026-03-02 10:00+00') AS start, timestamptz(start + n * interval '1 second') AS at;
CREATE FUNCTION pg_temp.status(appointment_id text) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('SELECT pg_catalog.concat_ws('' '', room_status, participant_count, connection_quality) FROM vidtoken.vidtoken_status(%s)', appointment_id)
$$;

CREATE FUNCTION pg_temp.attack(round text) RETURNS void
LANGUAGE plpgsql SET search_path = evil, pg_catalog AS $$
#variable_conflict use_variable
DECLARE
    room CONSTANT text := (SELECT w.room FROM pg_temp.webhooks AS w WHERE w.round OPERATOR(pg_catalog.=) round);
    stay CONSTANT text := (SELECT w.stay FROM pg_temp.webhooks AS w WHERE w.round OPERATOR(pg_catalog.=) round);
    calls CONSTANT text[] := ARRAY[
        ['issue', 'SELECT user_identity FROM vidtoken.vidtoken_issue(47, 2)', '2-jane@example.com'],
        ['issue again', 'SELECT expires_in::text FROM vidtoken.vidtoken_issue(47, 2)', '5400'],
        ['issue as the request''s user', 'SELECT user_identity FROM vidtoken.vidtoken_issue(47)', '3-bob@example.com'],
        ['refresh', 'SELECT expires_in::text FROM vidtoken.vidtoken_refresh(47, 2)', '5400'],
        ['refresh as the request''s user', 'SELECT expires_in::text FROM vidtoken.vidtoken_refresh(47)', '5400'],
        ['revoke', 'SELECT vidtoken.vidtoken_revoke(47, 2)::text', 'true'],
        ['issue after revoke', 'SELECT expires_in::text FROM vidtoken.vidtoken_issue(47, 2)', 'PT410'],
        ['reinstate', 'SELECT vidtoken.vidtoken_reinstate(47, 2)::text', 'true'],
        ['revoke_all', 'SELECT vidtoken.vidtoken_revoke_all(47)::text', '2'],
        ['refresh after revoke_all', 'SELECT expires_in::text FROM vidtoken.vidtoken_refresh(47, 2)', 'PT410'],
        ['reinstate_all', 'SELECT vidtoken.vidtoken_reinstate_all(47)::text', '2'],
        ['reset_room', 'SELECT pg_catalog.substr(vidtoken.vidtoken_reset_room(47), 1, 7)', 'apt-47-'],
        ['room_settings', 'SELECT pg_catalog.substr(room_name, 1, 7) FROM vidtoken.vidtoken_room_settings(47)', 'apt-47-'],
        ['issue in the new room', 'SELECT expires_in::text FROM vidtoken.vidtoken_issue(47, 2)', '5400'],
        ['report_quality', 'SELECT vidtoken.vidtoken_report_quality(47, 2, 4, ''{"rtt": 20}'')::text', ''],
        ['report_quality as the request''s user', 'SELECT vidtoken.vidtoken_report_quality(47, 3)::text', ''],
        ['revoke of who never came', 'SELECT vidtoken.vidtoken_revoke(47, 9)::text', 'true'],
        ['reinstate of who never came', 'SELECT vidtoken.vidtoken_reinstate(47, 9)::text', 'true'],
        ['webhook of a room', room, 'accepted'],
        ['webhook of a participant', stay, 'accepted'],
        ['webhook again', stay, 'duplicate'],
        ['status', pg_temp.status('60'), 'active 1'],
        ['sessions', 'SELECT state FROM vidtoken.vidtoken_sessions', NULL],
        ['policy', 'SELECT may_issue::text FROM vidtoken.vidtoken_policy(''2026-03-02 10:00+00'', ''60 minutes'')', 'true'],
        ['check', 'SELECT status FROM vidtoken.vidtoken_check() OFFSET 3 LIMIT 1', NULL],
        ['prune', 'SELECT vidtoken.vidtoken_prune()::text', '0']];
    call text[];
    answer text;
    n integer := 0;
BEGIN
    SET LOCAL ROLE regress_vidtoken_mallory;
    FOREACH call SLICE 1 IN ARRAY calls LOOP
        n := n OPERATOR(pg_catalog.+) 1;
        BEGIN
            EXECUTE call[2] INTO answer;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS answer = RETURNED_SQLSTATE;
        END;
        INSERT INTO pg_temp.answers VALUES (round, n, call[1], answer, call[3]);
    END LOOP;
    RESET ROLE;
END;
$$;
SELECT pg_temp.attack('first') AS ignored \gset
SELECT is(have, want, format('first call of the session: %s', name))
  FROM answers
 WHERE round = 'first' AND want IS NOT NULL
 ORDER BY n;
SELECT is_empty('SELECT * FROM evil.caught', 'nothing of the caller''s ran');
SELECT is_empty('SELECT * FROM shadows', 'no table of the caller''s was written');
SELECT is((SELECT count(*)::integer FROM vidtoken.vidtoken_session), 2,
    'the ledger was, against row-level security without a policy');

SELECT pg_temp.attack('later') AS ignored \gset
SELECT is_empty(
    $$SELECT round, name, have, want FROM answers
       WHERE want IS NOT NULL AND have IS DISTINCT FROM want$$,
    'later calls answer the same');
SELECT is_empty('SELECT * FROM evil.caught', 'and run nothing of the caller''s');

-- Plans of both kinds have to be made again, now under the hostile path.
SELECT pg_temp.for_each_table('ALTER TABLE vidtoken.TABLE_NAME SET (fillfactor = 60)') AS ignored \gset
ALTER VIEW clinic.video_source SET (security_barrier = true);
SELECT pg_temp.attack('plans anew') AS ignored \gset
SET LOCAL plan_cache_mode = force_custom_plan;
SELECT pg_temp.attack('custom plans') AS ignored \gset
SET LOCAL plan_cache_mode = auto;
SELECT pg_temp.for_each_table('ALTER TABLE vidtoken.TABLE_NAME NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY') AS ignored \gset
SELECT pg_temp.attack('without row-level security') AS ignored \gset
SELECT pg_temp.for_each_table('ALTER TABLE vidtoken.TABLE_NAME ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY') AS ignored \gset
SELECT pg_temp.attack('with it again') AS ignored \gset
-- An error is what row_security = off asks for where a policy would hide rows:
-- on the source, not on the ledger.
SET LOCAL row_security = off;
SELECT pg_temp.attack('row_security = off') AS ignored \gset
SET LOCAL row_security = on;
-- what else a caller can set
SET LOCAL transform_null_equals = on;
SET LOCAL standard_conforming_strings = off;
SET LOCAL quote_all_identifiers = on;
SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL IntervalStyle = 'sql_standard';
SET LOCAL TimeZone = 'Pacific/Apia';
SET LOCAL enable_indexscan = off;
SET LOCAL enable_bitmapscan = off;
SELECT pg_temp.attack('other settings') AS ignored \gset
SET LOCAL transform_null_equals = off;
SET LOCAL standard_conforming_strings = on;
SET LOCAL quote_all_identifiers = off;
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL TimeZone = 'UTC';
SET LOCAL enable_indexscan = on;
SET LOCAL enable_bitmapscan = on;
SELECT is((SELECT count(*) FROM answers AS a
            WHERE a.round = r AND a.want IS NOT NULL AND a.have IS NOT DISTINCT FROM a.want), 24::bigint,
          format('every function answers the same: %s', r))
  FROM unnest('{plans anew,custom plans,without row-level security,with it again,row_security = off,other settings}'::text[])
       WITH ORDINALITY AS u(r, n)
 ORDER BY n;
SELECT is_empty('SELECT * FROM evil.caught', 'through all of that nothing of the caller''s ran');
SELECT is((SELECT is_called FROM evil.steps), false, 'also not in calls that were refused');
SELECT is_empty('SELECT * FROM shadows', 'and no table of the caller''s was written');

-- Casts that PostgreSQL has not, or has as assignment only.  They are left
-- again before pgTAP runs: its own concatenations would be caught.
SAVEPOINT casts;
CREATE FUNCTION evil.cast_text(timestamptz) RETURNS text LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.nextval(''evil.steps''); INSERT INTO evil.caught VALUES (''timestamptz to text'', current_user); RETURN ''evil''; END';
CREATE FUNCTION evil.cast_text(integer) RETURNS text LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.nextval(''evil.steps''); INSERT INTO evil.caught VALUES (''integer to text'', current_user); RETURN ''evil''; END';
CREATE FUNCTION evil.cast_time(text) RETURNS timestamptz LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.nextval(''evil.steps''); INSERT INTO evil.caught VALUES (''text to timestamptz'', current_user); RETURN NULL; END';
CREATE FUNCTION evil.cast_int(text) RETURNS integer LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.nextval(''evil.steps''); INSERT INTO evil.caught VALUES (''text to integer'', current_user); RETURN 666; END';
CREATE CAST (timestamptz AS text) WITH FUNCTION evil.cast_text(timestamptz) AS IMPLICIT;
CREATE CAST (integer AS text) WITH FUNCTION evil.cast_text(integer) AS IMPLICIT;
CREATE CAST (text AS timestamptz) WITH FUNCTION evil.cast_time(text) AS IMPLICIT;
CREATE CAST (text AS integer) WITH FUNCTION evil.cast_int(text) AS IMPLICIT;
SELECT pg_temp.for_each_table('ALTER TABLE vidtoken.TABLE_NAME SET (fillfactor = 50)') AS ignored \gset
SET LOCAL ROLE regress_vidtoken_mallory;
SET LOCAL search_path = evil, pg_catalog;
SELECT user_identity AS issued, expires_in FROM vidtoken.vidtoken_issue(47, 2) \gset
SELECT vidtoken.vidtoken_revoke(47, 2) AS revoked, vidtoken.vidtoken_reinstate(47, 2) AS reinstated,
       vidtoken.vidtoken_revoke_all(47) AS revoked_all, vidtoken.vidtoken_reinstate_all(47) AS reinstated_all,
       vidtoken.vidtoken_reset_room(47) AS room, vidtoken.vidtoken_prune() AS pruned \gset
SELECT expires_in AS refreshed_in FROM vidtoken.vidtoken_refresh(47, 2) \gset
RESET ROLE;
SET LOCAL search_path = "$user", public;
SELECT count(*) AS casts_caught FROM evil.caught \gset
ROLLBACK TO casts;
SELECT is(ARRAY[:'issued', :'expires_in', :'refreshed_in', :'revoked', :'reinstated', :'revoked_all', :'reinstated_all', :'pruned'],
    '{2-jane@example.com,5400,5400,t,t,2,2,0}', 'casts that somebody added change nothing');
SELECT is(:'casts_caught'::integer, 0, 'and are not used');

--
-- An administrator's triggers
--

CREATE TABLE clinic.seen (what text, as_role name, search_path text);
GRANT ALL ON clinic.seen TO regress_vidtoken_ledger, regress_vidtoken_mallory;
GRANT USAGE ON SCHEMA clinic TO regress_vidtoken_ledger;
CREATE FUNCTION clinic.see() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO clinic.seen
    VALUES (concat_ws(' ', TG_WHEN, TG_OP, TG_TABLE_NAME), current_user, current_setting('search_path'));
    RETURN COALESCE(NEW, OLD);
END;
$$;
SELECT pg_temp.for_each_table('CREATE TRIGGER see_before BEFORE INSERT OR UPDATE OR DELETE ON vidtoken.TABLE_NAME
                               FOR EACH ROW EXECUTE FUNCTION clinic.see()') AS ignored \gset
CREATE TRIGGER see_after AFTER INSERT OR UPDATE OR DELETE ON vidtoken.vidtoken_session
FOR EACH ROW EXECUTE FUNCTION clinic.see();
SELECT pg_temp.for_each_table('DELETE FROM vidtoken.TABLE_NAME') AS ignored \gset
DELETE FROM clinic.seen;
DELETE FROM answers;
SELECT pg_temp.attack('triggers') AS ignored \gset
SELECT is_empty(
    $$SELECT round, name, have, want FROM answers
       WHERE want IS NOT NULL AND have IS DISTINCT FROM want$$,
    'triggers on the ledger change no answer');
SELECT set_eq('SELECT DISTINCT what, as_role, search_path FROM clinic.seen',
    $$SELECT what, 'regress_vidtoken_ledger'::name, 'pg_catalog, pg_temp'
        FROM unnest('{BEFORE INSERT vidtoken_session,AFTER INSERT vidtoken_session,
                      BEFORE UPDATE vidtoken_session,AFTER UPDATE vidtoken_session,
                      BEFORE DELETE vidtoken_session,AFTER DELETE vidtoken_session,
                      BEFORE INSERT vidtoken_room,BEFORE UPDATE vidtoken_room,
                      BEFORE INSERT vidtoken_call,BEFORE INSERT vidtoken_participant,
                      BEFORE INSERT vidtoken_event,BEFORE INSERT vidtoken_quality}'::text[]) AS what$$,
    'they run as the ledger''s owner with a path of the system''s schemas');
SELECT is_empty('SELECT * FROM evil.caught', 'and meet nothing of the caller''s');
SELECT pg_temp.for_each_table('DROP TRIGGER see_before ON vidtoken.TABLE_NAME') AS ignored \gset
DROP TRIGGER see_after ON vidtoken.vidtoken_session;

-- deferred: run when the caller is itself again
CREATE CONSTRAINT TRIGGER see_at_last AFTER INSERT OR UPDATE ON vidtoken.vidtoken_session
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION clinic.see();
DELETE FROM clinic.seen;
SET LOCAL ROLE regress_vidtoken_mallory;
SELECT expires_in AS deferred_in FROM vidtoken.vidtoken_issue(47, 2) \gset
RESET ROLE;
SELECT is_empty('SELECT * FROM clinic.seen', 'a deferred trigger waits');
SET CONSTRAINTS ALL IMMEDIATE;
SELECT results_eq('SELECT what FROM clinic.seen', $$VALUES ('AFTER UPDATE vidtoken_session')$$,
    'and runs when the constraint is checked');
SELECT is(:'deferred_in'::integer, 5400, 'the token was issued all the same');
DROP TRIGGER see_at_last ON vidtoken.vidtoken_session;

-- A trigger that issues for another appointment: the same statements run
-- inside themselves.
CREATE FUNCTION clinic.issue_more() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.appointment_id <> '120' THEN
        PERFORM vidtoken.vidtoken_issue(CASE NEW.appointment_id WHEN '47' THEN 60 ELSE 120 END, 2);
    END IF;
    RETURN NEW;
END;
$$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA vidtoken TO regress_vidtoken_ledger;
GRANT SELECT ON clinic.video_source TO regress_vidtoken_ledger;
CREATE TRIGGER issue_more BEFORE INSERT OR UPDATE ON vidtoken.vidtoken_session
FOR EACH ROW EXECUTE FUNCTION clinic.issue_more();
DELETE FROM vidtoken.vidtoken_session;
DELETE FROM vidtoken.vidtoken_room;
CREATE FUNCTION pg_temp.as_mallory(query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    SET LOCAL ROLE regress_vidtoken_mallory;
    BEGIN
        EXECUTE query INTO answer;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS answer = RETURNED_SQLSTATE;
    END;
    IF current_user <> 'regress_vidtoken_mallory' OR current_setting('search_path') <> '"$user", public' THEN
        answer := format('%s, left behind: %s, %s', answer, current_user, current_setting('search_path'));
    END IF;
    RESET ROLE;
    RETURN answer;
END;
$$;
SELECT is(pg_temp.as_mallory($$SELECT format('%s %s', appointment_id, expires_in) FROM vidtoken.vidtoken_issue(47, 2)$$),
    '47 5400', 'a trigger that issues for two more: the answer is the caller''s own');
SELECT is(pg_temp.as_mallory($$SELECT format('%s %s', appointment_id, expires_in) FROM vidtoken.vidtoken_refresh(47, 2)$$),
    '47 5400', 'also in a refresh');
SELECT results_eq(
    'SELECT appointment_id, issued_by, issue_count, refresh_count FROM vidtoken.vidtoken_session ORDER BY length(appointment_id), 1',
    $$VALUES ('47' COLLATE "C", 'regress_vidtoken_mallory', 1, 1), ('60', 'regress_vidtoken_ledger', 2, 0),
             ('120', 'regress_vidtoken_ledger', 2, 0)$$,
    'each call is in the ledger under its own caller');
DROP TRIGGER issue_more ON vidtoken.vidtoken_session;

-- triggers that do not want the row
CREATE FUNCTION clinic.suppress() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER suppress BEFORE INSERT OR UPDATE ON vidtoken.vidtoken_session
FOR EACH ROW EXECUTE FUNCTION clinic.suppress();
CREATE TRIGGER suppress BEFORE INSERT OR UPDATE ON vidtoken.vidtoken_room
FOR EACH ROW EXECUTE FUNCTION clinic.suppress();
SELECT is(pg_temp.as_mallory('SELECT access_token FROM vidtoken.vidtoken_issue(30, 2)'), '55000',
    'no token without a row in the ledger');
SELECT is(pg_temp.as_mallory('SELECT access_token FROM vidtoken.vidtoken_issue(47, 2)'), '55000',
    'no token without the new times in the ledger');
-- to a refresh, a row that takes no new times is none: the issue that follows is told why
SELECT is(pg_temp.as_mallory('SELECT access_token FROM vidtoken.vidtoken_refresh(47, 2)'), 'PT409',
    'no token from a refresh either');
SELECT is(pg_temp.as_mallory('SELECT vidtoken.vidtoken_reset_room(47)'), '55000',
    'no new room that the ledger does not know');
SELECT is(pg_temp.as_mallory('SELECT vidtoken.vidtoken_revoke(47, 2)::text'), '55000',
    'no bar is claimed that the ledger does not know');
DROP TRIGGER suppress ON vidtoken.vidtoken_session;
DROP TRIGGER suppress ON vidtoken.vidtoken_room;
CREATE FUNCTION pg_temp.while_suppressed(name text, query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE format('CREATE TRIGGER suppress BEFORE INSERT OR UPDATE ON vidtoken.%I FOR EACH ROW EXECUTE FUNCTION clinic.suppress()', name);
    answer := pg_temp.as_mallory(query);
    EXECUTE format('DROP TRIGGER suppress ON vidtoken.%I', name);
    RETURN answer;
END;
$$;
DELETE FROM vidtoken.vidtoken_event;
SELECT is(pg_temp.while_suppressed('vidtoken_event', stay), '55000', 'no webhook is a duplicate of what the ledger does not know'),
       is(pg_temp.while_suppressed('vidtoken_participant', stay), '55000', 'nor accepted without a participant''s row'),
       is(pg_temp.while_suppressed('vidtoken_call', room), '55000', 'nor without a room''s'),
       is((SELECT count(*)::integer FROM vidtoken.vidtoken_event), 0, 'and is not remembered')
  FROM webhooks WHERE round = 'first';
SELECT is(pg_temp.while_suppressed('vidtoken_quality', 'SELECT vidtoken.vidtoken_report_quality(47, 2, 4)::text'), '55000',
    'no quality is taken that the ledger does not know');
CREATE FUNCTION clinic.refuse() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''no'' USING ERRCODE = ''XX123''; END';
CREATE TRIGGER refuse AFTER INSERT OR UPDATE ON vidtoken.vidtoken_session
FOR EACH ROW EXECUTE FUNCTION clinic.refuse();
SELECT is(pg_temp.as_mallory('SELECT access_token FROM vidtoken.vidtoken_issue(47, 2)'), 'XX123',
    'a trigger''s own error passes, and the caller is itself again');
DROP TRIGGER refuse ON vidtoken.vidtoken_session;

--
-- Calls inside the reading of the source
--

-- the appointment of the outer call issues the inner one, which is left alone
CREATE FUNCTION clinic.nest(appointment_id integer, source text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    outer_source text := current_setting('vidtoken.source');
    inner_identity text;
BEGIN
    IF appointment_id <> 47 THEN
        RETURN 'inner';
    END IF;
    PERFORM set_config('vidtoken.source', source, true);
    SELECT user_identity INTO inner_identity FROM vidtoken.vidtoken_issue(60, 2);
    PERFORM set_config('vidtoken.source', outer_source, true);
    RETURN 'outer of ' || inner_identity;
END;
$$;
CREATE VIEW clinic.nesting AS
SELECT appointment_id, user_id, starts_at, duration, clinic.nest(appointment_id, 'clinic.nesting') AS identity
  FROM clinic.video_source;
CREATE VIEW clinic.switching AS
SELECT appointment_id, user_id, starts_at, duration, clinic.nest(appointment_id, 'clinic.video_source') AS identity
  FROM clinic.video_source;
CREATE FUNCTION clinic.nested_check(value integer) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF value = 47 THEN
        PERFORM vidtoken.vidtoken_issue(60, 2);
    END IF;
    RETURN true;
END;
$$;
CREATE DOMAIN clinic.calling AS integer CHECK (clinic.nested_check(VALUE));
CREATE TABLE clinic.checking AS
SELECT appointment_id::clinic.calling AS appointment_id, user_id, starts_at, duration, 'checked'::text AS identity
  FROM clinic.video_source;
CREATE FUNCTION clinic.endless(id integer) RETURNS text LANGUAGE sql AS
    $$SELECT user_identity FROM vidtoken.vidtoken_issue(id, 2)$$;
CREATE VIEW clinic.recursive AS
SELECT appointment_id, user_id, starts_at, duration, clinic.endless(appointment_id) AS identity
  FROM clinic.video_source;

CREATE FUNCTION pg_temp.issue_from(source text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    DELETE FROM vidtoken.vidtoken_session;
    PERFORM set_config('vidtoken.source', source, true);
    SELECT format('%s %s', appointment_id, user_identity) INTO answer FROM vidtoken.vidtoken_issue(47, 2);
    PERFORM set_config('vidtoken.source', 'clinic.video_source', true);
    RETURN format('%s, %s sessions', answer, (SELECT count(*) FROM vidtoken.vidtoken_session));
END;
$$;
SELECT is(pg_temp.issue_from('clinic.nesting'), '47 outer of inner, 2 sessions',
    'a source whose function issues from the same source');
SELECT is(pg_temp.issue_from('clinic.switching'), '47 outer of 2-jane@example.com, 2 sessions',
    'a source whose function switches to another source');
SELECT is(pg_temp.issue_from('clinic.checking'), '47 checked, 2 sessions',
    'a key whose domain''s check issues');
SELECT throws_ok($$SELECT pg_temp.issue_from('clinic.recursive')$$, '54001', NULL,
    'a source without end ends in the server''s own limit');
SELECT is(pg_temp.issue_from('clinic.nesting'), '47 outer of inner, 2 sessions', 'after which calls work');

-- The id is spelled and read before the source is looked at, and the check of
-- its type may do what it wants.  A bar is set by the id as it was spelled,
-- whatever became of the source; nothing else is told of a source that is not
-- the one that was looked up.
CREATE FUNCTION clinic.check_once(value integer) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    CASE current_setting('test.then')
        WHEN 'gone' THEN
            PERFORM set_config('vidtoken.source', 'clinic.gone', true);
        WHEN 'refused' THEN
            RETURN false;
        WHEN 'refuse' THEN
            PERFORM set_config('test.then', 'refused', true);
        WHEN 'alter next' THEN
            PERFORM set_config('test.then', 'alter', true);
        WHEN 'alter' THEN
            PERFORM set_config('test.then', 'pass', true);
            ALTER TABLE clinic.vanishing ALTER duration TYPE integer USING 5;
        ELSE
            NULL;
    END CASE;
    RETURN true;
END;
$$;
CREATE DOMAIN clinic.once AS integer CHECK (clinic.check_once(VALUE));
SELECT set_config('test.then', 'pass', true) AS ignored \gset
CREATE TABLE clinic.vanishing AS
SELECT appointment_id::clinic.once AS appointment_id, user_id, starts_at, duration FROM clinic.video_source;
CREATE FUNCTION pg_temp.bar(call text, after text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    PERFORM set_config('vidtoken.source', 'clinic.vanishing', true);
    PERFORM set_config('test.then', after, true);
    EXECUTE 'SELECT vidtoken.vidtoken_' || call INTO answer;
    PERFORM set_config('vidtoken.source', 'clinic.video_source', true);
    RETURN answer;
END;
$$;
SELECT is(pg_temp.bar('revoke(3001, 2)', 'refuse'), 'true', 'an id that is refused when its rows are looked for');
SELECT is(pg_temp.bar('revoke_all(3002)', 'refuse'), '0', 'so for everyone');
SELECT is(pg_temp.bar('revoke_all(3003)', 'gone'), '0', 'a source that goes when the id has been spelled');
SELECT is((SELECT format('%s %s %s', appointment_id, user_id, coalesce(hard_stop::text, 'unknown'))
             FROM vidtoken.vidtoken_session WHERE revoked_at IS NOT NULL),
    '3001 2 unknown', 'the bar of a participant is there, until when is not known');
SELECT is((SELECT string_agg(format('%s %s', appointment_id, coalesce(hard_stop::text, 'unknown')), ', ' ORDER BY appointment_id)
             FROM vidtoken.vidtoken_room WHERE revoked_at IS NOT NULL),
    '3002 unknown, 3003 unknown', 'and so are those of appointments');
SELECT throws_ok($$SELECT pg_temp.bar('revoke(3001, 2)', 'refused')$$, 'PT404', NULL,
    'an id that is refused from the first is nobody''s');
SELECT throws_ok($$SELECT pg_temp.bar('issue(47, 2)', 'alter')$$, '0A000', NULL,
    'a source that is altered when the id has been read');
SELECT is(pg_temp.bar('revoke(47, 2)', 'alter next'), 'true', 'and a bar that is set all the same');
SELECT is((pg_temp.refusal($$SELECT pg_temp.bar('issue(47, 2)', 'pass')$$)).reason, 'revoked', 'it holds');

CREATE FUNCTION clinic.once_only(id integer) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF current_setting('test.then') = 'told' THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('test.then', 'told', true);
    RETURN id;
END;
$$;
CREATE VIEW clinic.once_only AS
SELECT clinic.once_only(appointment_id) AS appointment_id, user_id, starts_at, duration
  FROM clinic.video_source WHERE appointment_id = 60;
SET LOCAL vidtoken.source = 'clinic.once_only';
SELECT is((pg_temp.refusal('SELECT vidtoken.vidtoken_issue(60, 2)')).code, 'PT404',
    'an id that is NULL when it is told the second time');
SET LOCAL vidtoken.source = 'clinic.video_source';

SELECT * FROM finish();
SELECT pg_temp.forget_keys() AS ignored \gset
ROLLBACK;
