\unset ECHO
\i test/setup.sql
\i test/webhooks.sql

-- Promise: whoever may call gets what the source shows to that role, and
-- nothing else: no right on the ledger is needed, none is lent.

CREATE ROLE regress_vidtoken_plain;
CREATE ROLE regress_vidtoken_alice;
CREATE ROLE regress_vidtoken_bob;
CREATE ROLE regress_vidtoken_service;
CREATE ROLE regress_vidtoken_ledger NOLOGIN;
CREATE ROLE regress_vidtoken_hook;
GRANT USAGE ON SCHEMA vidtoken, clinic TO
    regress_vidtoken_plain, regress_vidtoken_alice, regress_vidtoken_bob,
    regress_vidtoken_service;

-- alice and bob are end users, service is a trusted back end
GRANT EXECUTE ON FUNCTION
    vidtoken.vidtoken_issue(vidtoken.vidtoken_id),
    vidtoken.vidtoken_refresh(vidtoken.vidtoken_id)
TO regress_vidtoken_alice, regress_vidtoken_bob;
GRANT EXECUTE ON FUNCTION
    vidtoken.vidtoken_issue(vidtoken.vidtoken_id, vidtoken.vidtoken_id),
    vidtoken.vidtoken_refresh(vidtoken.vidtoken_id, vidtoken.vidtoken_id)
TO regress_vidtoken_service;
GRANT SELECT ON clinic.video_source TO
    regress_vidtoken_alice, regress_vidtoken_bob, regress_vidtoken_service;

-- Runs a query of one text as a role; the text, or SQLSTATE and message of
-- its error.  pgTAP itself keeps running as the script's role.
CREATE FUNCTION pg_temp.as_role(role text, query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    result text;
    code text;
    message text;
    mine text := current_user;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    BEGIN
        EXECUTE query INTO result;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
        result := code || ' ' || message;
    END;
    -- whatever happened, the identity is the role's own again
    IF current_user <> role OR current_setting('search_path') <> '"$user", public' THEN
        result := format('%s, left behind: %s, %s', result, current_user,
                         current_setting('search_path'));
    END IF;
    EXECUTE format('SET LOCAL ROLE %I', mine);
    RETURN result;
END;
$$;
SET LOCAL search_path = "$user", public;

-- the callers' two functions, as queries of one text
CREATE FUNCTION pg_temp.issue(arguments text) RETURNS text
LANGUAGE sql AS $$
    SELECT format('SELECT user_identity FROM vidtoken.vidtoken_issue(%s)', arguments)
$$;
CREATE FUNCTION pg_temp.refresh(arguments text) RETURNS text
LANGUAGE sql AS $$
    SELECT format('SELECT user_identity FROM vidtoken.vidtoken_refresh(%s)', arguments)
$$;

SELECT current_setting('server_version_num')::integer >= 150000 AS has_invoker \gset

SELECT plan(119);

--
-- Nothing for PUBLIC
--

CREATE TEMP TABLE functions AS
SELECT p.oid, p.oid::regprocedure::text AS signature,
       format('SELECT %s.%I(%s)', p.pronamespace::regnamespace, p.proname,
              (SELECT string_agg('NULL::' || t::regtype, ', ' ORDER BY n)
                 FROM unnest(p.proargtypes) WITH ORDINALITY AS a(t, n))) AS call
  FROM pg_proc AS p
  JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
   AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
  JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'vidtoken';

SELECT set_eq(
    $$SELECT signature FROM functions WHERE has_function_privilege('public', oid, 'EXECUTE')$$,
    $$VALUES ('vidtoken.vidtoken_id_in(cstring)'),
             ('vidtoken.vidtoken_id_out(vidtoken.vidtoken_id)'),
             ('vidtoken.vidtoken_id_recv(internal)'),
             ('vidtoken.vidtoken_id_send(vidtoken.vidtoken_id)'),
             ('vidtoken.vidtoken_id(character)'),
             ('vidtoken.vidtoken_clock()'),
             ('vidtoken.vidtoken_ttl(interval)'),
             ('vidtoken.vidtoken_policy(timestamp with time zone,interval,timestamp with time zone)')$$,
    'PUBLIC may call what neither signs nor writes, and nothing else');
SELECT is(pg_temp.as_role('regress_vidtoken_plain', call),
          format('42501 permission denied for function %s', substring(signature FROM '\.(\w+)\(')),
          format('anyone is refused %s', signature))
  FROM functions
 WHERE NOT has_function_privilege('public', oid, 'EXECUTE')
 ORDER BY signature COLLATE "C";
SELECT is(pg_temp.as_role('regress_vidtoken_plain', format('SELECT 1::text FROM vidtoken.%I', name)),
          format('42501 permission denied for %s %s', kind, name),
          format('anyone is refused %s', name))
  FROM (VALUES (1, 'table', 'vidtoken_session'), (2, 'table', 'vidtoken_room'),
               (3, 'view', 'vidtoken_sessions'), (4, 'table', 'vidtoken_call'),
               (5, 'table', 'vidtoken_participant'), (6, 'table', 'vidtoken_event'),
               (7, 'table', 'vidtoken_quality')) AS v(n, kind, name)
 ORDER BY n;
SELECT is(pg_temp.as_role('regress_vidtoken_plain', $$SELECT vidtoken.vidtoken_ttl('60 minutes')::text$$),
          '01:30:00', 'anyone may ask for the formula');
SELECT is(pg_temp.as_role('regress_vidtoken_plain',
              $$SELECT may_issue::text FROM vidtoken.vidtoken_policy('2026-03-02 10:00+00', '60 minutes')$$),
          'true', 'anyone may ask for the policy');
SELECT is_empty(
    $$SELECT name, answer
        FROM pg_settings,
             pg_temp.as_role('regress_vidtoken_plain', format('SELECT set_config(%L, %L, true)', name, setting)) AS answer
       WHERE name LIKE 'vidtoken.%' AND answer <> format('42501 permission denied to set parameter "%s"', name)$$,
    'anyone is refused every setting, also the value that it has');
SELECT is(pg_temp.as_role('regress_vidtoken_plain', $$SELECT set_config('vidtoken.made_up', '1', true)$$) ~ '^42',
          :'has_invoker', 'from 15 on nobody makes a setting up');

--
-- A caller without any right on the ledger
--

SELECT is(pg_temp.as_role('regress_vidtoken_service', pg_temp.issue('47, 2')),
          '2-jane@example.com', 'a back end issues for any participant');
SELECT is(pg_temp.as_role('regress_vidtoken_service', pg_temp.refresh('47, 2')),
          '2-jane@example.com', 'and refreshes');
SELECT results_eq(
    'SELECT issued_by, issue_count, refresh_count FROM vidtoken.vidtoken_session',
    $$VALUES ('regress_vidtoken_service', 1, 1)$$,
    'the ledger names the caller, not its own owner');
SELECT is(pg_temp.as_role('regress_vidtoken_service', format('%s vidtoken.%I', command, name)) ~ '^42501 permission denied for',
          true, format('it cannot %s %s', command, name))
  FROM (VALUES (1, 'SELECT 1::text FROM', 'vidtoken_session'), (2, 'SELECT 1::text FROM', 'vidtoken_room'),
               (3, 'SELECT 1::text FROM', 'vidtoken_sessions'), (4, 'DELETE FROM', 'vidtoken_session'),
               (5, 'DELETE FROM', 'vidtoken_room'), (6, 'TRUNCATE', 'vidtoken_session'),
               (7, 'SELECT 1::text FROM', 'vidtoken_call'), (8, 'SELECT 1::text FROM', 'vidtoken_participant'),
               (9, 'SELECT 1::text FROM', 'vidtoken_event'), (10, 'SELECT 1::text FROM', 'vidtoken_quality'),
               (11, 'DELETE FROM', 'vidtoken_call'), (12, 'DELETE FROM', 'vidtoken_participant'),
               (13, 'DELETE FROM', 'vidtoken_event'), (14, 'DELETE FROM', 'vidtoken_quality')) AS v(n, command, name)
 ORDER BY n;
GRANT SELECT ON vidtoken.vidtoken_sessions TO regress_vidtoken_service;
SELECT is(pg_temp.as_role('regress_vidtoken_service', 'SELECT state FROM vidtoken.vidtoken_sessions'),
          'active', 'the view can be granted alone');

--
-- Two forms, two grants
--

SET LOCAL request.jwt.claims = '{"sub": 2}';
SELECT is(pg_temp.as_role('regress_vidtoken_alice', pg_temp.issue('47')),
          '2-jane@example.com', 'an end user issues for itself');
SELECT is(pg_temp.as_role('regress_vidtoken_alice', pg_temp.refresh('47')),
          '2-jane@example.com', 'and refreshes');
SELECT is(pg_temp.as_role('regress_vidtoken_alice', pg_temp.issue('47, 9')),
          '42501 permission denied for function vidtoken_issue', 'an end user names no other, though it sees the row');
SELECT is(pg_temp.as_role('regress_vidtoken_alice', pg_temp.refresh('47, 9')),
          '42501 permission denied for function vidtoken_refresh', 'nor refreshes for another');
SELECT is(pg_temp.as_role('regress_vidtoken_service', pg_temp.issue('47')),
          '42501 permission denied for function vidtoken_issue', 'the right to name anyone is not the right to be oneself');
SELECT is(pg_temp.as_role('regress_vidtoken_service', pg_temp.refresh('47')),
          '42501 permission denied for function vidtoken_refresh', 'nor to refresh as oneself');

-- the same for what clients report
GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_report_quality(vidtoken.vidtoken_id, integer, jsonb),
    vidtoken.vidtoken_status(vidtoken.vidtoken_id) TO regress_vidtoken_alice;
GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_report_quality(vidtoken.vidtoken_id, vidtoken.vidtoken_id, integer, jsonb)
TO regress_vidtoken_service;
SELECT is(pg_temp.as_role('regress_vidtoken_alice', 'SELECT vidtoken.vidtoken_report_quality(47, 5)::text'), '',
          'an end user reports its own quality'),
       is(pg_temp.as_role('regress_vidtoken_alice', 'SELECT vidtoken.vidtoken_report_quality(47, 9, 0)::text'),
          '42501 permission denied for function vidtoken_report_quality', 'and no other''s'),
       is(pg_temp.as_role('regress_vidtoken_service', 'SELECT vidtoken.vidtoken_report_quality(47, 2, 4)::text'), '',
          'a back end any participant''s'),
       is(pg_temp.as_role('regress_vidtoken_service', 'SELECT vidtoken.vidtoken_report_quality(47, 4)::text'),
          '42501 permission denied for function vidtoken_report_quality', 'but not as the request''s user');

-- The endpoint of webhooks sees neither the clinic nor the ledger.
GRANT USAGE ON SCHEMA vidtoken TO regress_vidtoken_hook;
GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_webhook(text, bytea, jsonb, text) TO regress_vidtoken_hook;
SELECT room_name AS room FROM vidtoken.vidtoken_room_settings(47) \gset
SELECT is(pg_temp.as_role('regress_vidtoken_hook', format('SELECT result FROM vidtoken.vidtoken_webhook(%L, %L, %L, %L)',
              d.provider, d.body, d.headers, d.url)), 'accepted', 'a role that may do nothing else takes webhooks in'),
       is(pg_temp.as_role('regress_vidtoken_hook', 'SELECT room_status FROM vidtoken.vidtoken_status(47)'),
          '42501 permission denied for function vidtoken_status', 'and is told nothing'),
       is(pg_temp.as_role('regress_vidtoken_alice', 'SELECT concat_ws('' '', room_status, participant_count, connection_quality) FROM vidtoken.vidtoken_status(47)'),
          'active 1 4', 'who sees the appointment is')
  FROM timestamptz(timestamptz '2026-03-02 10:00+00') AS at,
       pg_temp.event('twilio', 'joined', :'room', 'RM1', at, at, 'PA1', '2-jane@example.com', at) AS d;
REVOKE SELECT ON clinic.video_source FROM regress_vidtoken_alice;
SELECT is(pg_temp.as_role('regress_vidtoken_alice', 'SELECT room_status FROM vidtoken.vidtoken_status(47)'),
          '42501 permission denied for view video_source', 'no right on the source, no status'),
       is(pg_temp.as_role('regress_vidtoken_alice', 'SELECT vidtoken.vidtoken_report_quality(47, 5)::text'),
          '42501 permission denied for view video_source', 'and no report');
GRANT SELECT ON clinic.video_source TO regress_vidtoken_alice;

--
-- Who is the caller?
--

SET LOCAL request.jwt.claims = '{"role": "guest", "sub": "3"}';
SELECT is(pg_temp.as_role('regress_vidtoken_alice', pg_temp.issue('47')),
          '3-bob@example.com', 'sub as a string');
SET LOCAL vidtoken.user_claim = 'user_id';
SET LOCAL request.jwt.claims = '{"sub": 2, "user_id": 3}';
SELECT is(pg_temp.as_role('regress_vidtoken_alice', pg_temp.issue('47')),
          '3-bob@example.com', 'another claim');
SET LOCAL vidtoken.user_claim = '';
SET LOCAL vidtoken.user_setting = 'app.user_id';
SET LOCAL app.user_id = '9';
SELECT is(pg_temp.as_role('regress_vidtoken_alice', pg_temp.issue('47')),
          '9-house@example.com', 'a setting that is the id itself');
CREATE TABLE clinic.by_role AS
SELECT 47 AS appointment_id, name AS user_id, starts_at, make_interval(mins => minutes) AS duration,
       'seen as ' || what AS identity
  FROM clinic.appointments,
       (VALUES (session_user, 'session_user'), ('regress_vidtoken_alice', 'alice'),
               ('regress_vidtoken_bob', 'bob')) AS u(name, what)
 WHERE id = 47;
GRANT SELECT ON clinic.by_role TO regress_vidtoken_alice, regress_vidtoken_bob;
SET LOCAL vidtoken.source = 'clinic.by_role';
SET LOCAL vidtoken.user_setting = 'current_user';
SET LOCAL request.jwt.claims = '{"sub": "regress_vidtoken_bob"}';
SELECT is(pg_temp.as_role('regress_vidtoken_alice', pg_temp.issue('47')), 'seen as alice',
          'current_user, whatever the claims say');
SELECT is(pg_temp.as_role('regress_vidtoken_bob', pg_temp.issue('47')), 'seen as bob',
          'current_user after another SET ROLE');
SET LOCAL vidtoken.user_setting = 'session_user';
SELECT is(pg_temp.as_role('regress_vidtoken_alice', pg_temp.issue('47')), 'seen as session_user',
          'session_user, whatever SET ROLE says');
SET LOCAL vidtoken.user_setting = 'request.jwt.claims';
SET LOCAL vidtoken.user_claim = 'sub';
SET LOCAL vidtoken.source = 'clinic.video_source';

--
-- The identity after errors: as_role() tells when another is left behind
--

CREATE FUNCTION clinic.refuse() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'no row for you' USING ERRCODE = 'XX123';
END;
$$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON vidtoken.vidtoken_session
FOR EACH ROW EXECUTE FUNCTION clinic.refuse();
SELECT is(pg_temp.as_role('regress_vidtoken_service', pg_temp.issue('47, 2')),
          'XX123 no row for you', 'an error raised as the ledger''s owner leaves the caller the caller');
SELECT is(pg_temp.as_role('regress_vidtoken_service', pg_temp.issue('60, 2')),
          'XX123 no row for you', 'also in a first issue');
DROP TRIGGER refuse ON vidtoken.vidtoken_session;
SELECT is(pg_temp.as_role('regress_vidtoken_service', pg_temp.issue('4711, 2')),
          'PT404 no such appointment', 'an error raised as the caller does');
SELECT is(pg_temp.as_role('regress_vidtoken_service', pg_temp.refresh('60, 2')),
          'PT409 no session of this participant', 'a refusal after the ledger was asked does');
SELECT is(pg_temp.as_role('regress_vidtoken_service', pg_temp.issue('47, 2')),
          '2-jane@example.com', 'and the next call works');
SELECT is(current_user, session_user, 'the script''s own identity is what it was');

--
-- The rights on the source are the caller's
--

GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA vidtoken TO regress_vidtoken_plain;
SELECT is(pg_temp.as_role('regress_vidtoken_plain', pg_temp.issue('47, 2')),
          '42501 permission denied for view video_source', 'no right on the source, no token');
SELECT is(pg_temp.as_role('regress_vidtoken_plain', $$SELECT vidtoken.vidtoken_revoke(47, 2)::text$$),
          'true', 'to bar takes no right on the source');
SELECT is(pg_temp.as_role('regress_vidtoken_plain', $$SELECT vidtoken.vidtoken_revoke_all(47)::text$$),
          '5', 'nor does it for the whole appointment, with the sessions of all others');
SELECT is(pg_temp.as_role('regress_vidtoken_plain', $$SELECT vidtoken.vidtoken_reinstate_all(47)::text$$),
          '5', 'nor to lift the bar');
SELECT is(pg_temp.as_role('regress_vidtoken_plain', $$SELECT vidtoken.vidtoken_reinstate(47, 2)::text$$),
          'true', 'nor to lift that of a participant');
REVOKE USAGE ON SCHEMA clinic FROM regress_vidtoken_plain;
SELECT is(pg_temp.as_role('regress_vidtoken_plain', pg_temp.issue('47, 2')),
          '42501 permission denied for schema clinic', 'no right on its schema, no token');
SELECT is(pg_temp.as_role('regress_vidtoken_plain', $$SELECT vidtoken.vidtoken_revoke(47, 2)::text$$),
          '42501 permission denied for schema clinic',
          'without a look at the key''s type nobody can be barred');
GRANT USAGE ON SCHEMA clinic TO regress_vidtoken_plain;
GRANT SELECT ON clinic.video_source TO regress_vidtoken_plain;
SELECT is(pg_temp.as_role('regress_vidtoken_plain', pg_temp.issue('47, 2')),
          '2-jane@example.com', 'a right that was granted counts at the next call');
REVOKE SELECT ON clinic.video_source FROM regress_vidtoken_plain;
SELECT is(pg_temp.as_role('regress_vidtoken_plain', pg_temp.issue('47, 2')),
          '42501 permission denied for view video_source', 'and so does one that was revoked');

-- a wrapper that is SECURITY DEFINER calls as its owner
CREATE FUNCTION clinic.wrapper(appointment_id integer, user_id integer) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT user_identity FROM vidtoken.vidtoken_issue(appointment_id, user_id)
$$;
ALTER FUNCTION clinic.wrapper(integer, integer) OWNER TO regress_vidtoken_service;
REVOKE SELECT ON clinic.video_source FROM regress_vidtoken_bob;
SELECT is(pg_temp.as_role('regress_vidtoken_bob', 'SELECT clinic.wrapper(47, 9)'),
          '9-house@example.com', 'a SECURITY DEFINER wrapper reads the source as its owner');
SELECT is((SELECT issued_by FROM vidtoken.vidtoken_session WHERE user_id = '9'),
          'regress_vidtoken_service', 'and issues as its owner');
REVOKE SELECT ON clinic.video_source FROM regress_vidtoken_service;
SELECT is(pg_temp.as_role('regress_vidtoken_bob', 'SELECT clinic.wrapper(47, 9)'),
          '42501 permission denied for view video_source', 'whose missing rights count too');

--
-- Row-level security, in one connection that alternates roles
--

CREATE TABLE clinic.private (
    appointment_id integer,
    user_id integer,
    starts_at timestamptz DEFAULT '2026-03-02 10:00+00',
    duration interval DEFAULT '60 minutes',
    identity text,
    seen_by name,
    PRIMARY KEY (appointment_id, user_id)
);
INSERT INTO clinic.private (appointment_id, user_id, identity, seen_by) VALUES
    (1, 2, 'of alice', 'regress_vidtoken_alice'),
    (2, 3, 'of bob', 'regress_vidtoken_bob');
ALTER TABLE clinic.private ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON clinic.private USING (seen_by = current_user);
GRANT SELECT ON clinic.private TO regress_vidtoken_alice, regress_vidtoken_bob;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA vidtoken TO regress_vidtoken_alice, regress_vidtoken_bob;

\if :has_invoker
CREATE VIEW clinic.private_source WITH (security_invoker = true) AS TABLE clinic.private;
GRANT SELECT ON clinic.private_source TO regress_vidtoken_alice, regress_vidtoken_bob;
SET LOCAL vidtoken.source = 'clinic.private_source';
\else
SET LOCAL vidtoken.source = 'clinic.private';
\endif

CREATE TEMP TABLE rounds AS
SELECT (round - 1) * 4 + n AS n, round, role, arguments, answer
  FROM generate_series(1, 3) AS round,
       (VALUES (1, 'alice', '1, 2', 'of alice'), (2, 'bob', '1, 2', 'PT404 no such appointment'),
               (3, 'bob', '2, 3', 'of bob'), (4, 'alice', '2, 3', 'PT404 no such appointment'))
       AS v(n, role, arguments, answer);
SELECT is(pg_temp.as_role('regress_vidtoken_' || role, pg_temp.issue(arguments)), answer,
          format('round %s: %s asks for (%s)', round, role, arguments))
  FROM rounds
 ORDER BY n;
SELECT is(pg_temp.as_role('regress_vidtoken_bob', pg_temp.refresh('1, 2')),
          'PT404 no such appointment', 'a session that exists is no way past a policy');
SELECT is_empty($$SELECT * FROM vidtoken.vidtoken_check() WHERE item = 'source' AND status <> 'ok'$$,
    'vidtoken_check has nothing to say about such a source');

-- the same where the policy asks for the request's user
DROP POLICY own ON clinic.private;
CREATE POLICY own ON clinic.private
    USING (user_id = (nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub')::integer);
CREATE TEMP TABLE requests AS
SELECT * FROM (VALUES (1, 2, '1', 'of alice'), (2, 3, '1', 'PT404 no such appointment'),
                      (3, 3, '2', 'of bob'), (4, 2, '2', 'PT404 no such appointment'),
                      (5, 2, '1', 'of alice')) AS v(n, sub, arguments, answer);
SELECT is(pg_temp.as_role('regress_vidtoken_alice',
              format('SELECT (%s) FROM set_config(''request.jwt.claims'', ''{"sub": %s}'', true)',
                     pg_temp.issue(arguments), sub)),
          answer, format('one role, the request of user %s, appointment %s', sub, arguments))
  FROM requests
 ORDER BY n;
SELECT is(pg_temp.as_role('regress_vidtoken_alice',
              'SELECT (' || pg_temp.issue('2, 3') || $$) FROM set_config('request.jwt.claims', '{"sub": 2}', true)$$),
          'PT404 no such appointment', 'whom the call names makes no difference to the policy');

SET LOCAL row_security = off;
SELECT is(pg_temp.as_role('regress_vidtoken_alice', pg_temp.issue('2, 3')),
          '42501 query would be affected by row-level security policy for table "private"',
          'row_security = off is an error, not a leak');
SET LOCAL row_security = on;

-- a plain view reads as its owner, past the policy: vidtoken_check says so
CREATE VIEW clinic.plain_source AS TABLE clinic.private;
GRANT SELECT ON clinic.plain_source TO regress_vidtoken_alice;
SET LOCAL vidtoken.source = 'clinic.plain_source';
SELECT results_eq(
    $$SELECT status, message FROM vidtoken.vidtoken_check() WHERE item = 'source' AND status <> 'ok'$$,
    $$VALUES ('warning', 'the view reads as its owner, past the row-level security of clinic.private')$$,
    'vidtoken_check warns of a plain view over a table with policies');
CREATE VIEW clinic.plainer_source AS TABLE clinic.plain_source;
SET LOCAL vidtoken.source = 'clinic.plainer_source';
SELECT is((SELECT count(*)::integer FROM vidtoken.vidtoken_check()
            WHERE item = 'source' AND status = 'warning' AND hint ~ 'security_invoker'),
          1, 'also through two views, and names the way out');
SET LOCAL vidtoken.source = 'clinic.video_source';
SELECT is_empty($$SELECT * FROM vidtoken.vidtoken_check() WHERE item = 'source' AND status <> 'ok'$$,
    'a plain view over tables without policies is fine');

--
-- The ledger in the hands of a role that cannot log in
--

GRANT SELECT ON clinic.video_source TO regress_vidtoken_service;
ALTER TABLE vidtoken.vidtoken_session OWNER TO regress_vidtoken_ledger;
SELECT is((SELECT status FROM vidtoken.vidtoken_check() WHERE item = 'ledger'), 'error',
          'vidtoken_check finds a ledger of two owners');
ALTER TABLE vidtoken.vidtoken_room OWNER TO regress_vidtoken_ledger;
ALTER TABLE vidtoken.vidtoken_call OWNER TO regress_vidtoken_ledger;
ALTER TABLE vidtoken.vidtoken_participant OWNER TO regress_vidtoken_ledger;
ALTER TABLE vidtoken.vidtoken_event OWNER TO regress_vidtoken_ledger;
SELECT is((SELECT status FROM vidtoken.vidtoken_check() WHERE item = 'ledger'), 'error',
          'also where it is the last table alone');
ALTER TABLE vidtoken.vidtoken_quality OWNER TO regress_vidtoken_ledger;
GRANT USAGE ON SCHEMA vidtoken TO regress_vidtoken_ledger;
SELECT is((SELECT status FROM vidtoken.vidtoken_check() WHERE item = 'ledger'), 'ok',
          'vidtoken_check is content with a ledger of another owner');
SELECT is(pg_temp.as_role('regress_vidtoken_service', pg_temp.issue('60, 2')),
          '2-jane@example.com', 'a first issue works, in plans made for the owner before');
SELECT is(pg_temp.as_role('regress_vidtoken_service', pg_temp.refresh('60, 2')),
          '2-jane@example.com', 'a refresh works');
SELECT is(pg_temp.as_role('regress_vidtoken_plain', $$SELECT vidtoken.vidtoken_revoke_all(60)::text$$),
          '1', 'a bar works');
SELECT is((SELECT issued_by FROM vidtoken.vidtoken_session WHERE appointment_id = '60'),
          'regress_vidtoken_service', 'the ledger still names the caller');

SELECT * FROM finish();
SELECT pg_temp.forget_keys() AS ignored \gset
ROLLBACK;
