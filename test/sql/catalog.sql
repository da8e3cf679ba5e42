\unset ECHO
\i test/setup.sql

-- What CREATE EXTENSION leaves in the catalog: labels, rights, comments,
-- settings; and that it refuses to build on objects that were there before.

SELECT plan(104);

-- objects of the extension
-- without the types that come with a type or a relation: they have no comment,
-- and only newer servers make them members
CREATE TEMP VIEW member AS
SELECT classid, objid, pg_describe_object(classid, objid, 0) AS name
  FROM pg_depend AS d
 WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
   AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'vidtoken')
   AND NOT EXISTS (SELECT FROM pg_depend AS i
                    WHERE i.classid = d.classid AND i.objid = d.objid AND i.deptype = 'i'
                      AND d.classid = 'pg_type'::regclass);
CREATE TEMP VIEW function AS
SELECT p.*, p.oid::regprocedure::text AS signature
  FROM pg_proc AS p JOIN member ON classid = 'pg_proc'::regclass AND objid = p.oid;
CREATE TEMP VIEW relation AS
SELECT c.* FROM pg_class AS c JOIN member ON classid = 'pg_class'::regclass AND objid = c.oid;
SET LOCAL search_path = public, vidtoken;       -- short names below

-- labels: volatility, parallel safety, strictness
SELECT bag_eq(
    $$SELECT signature, provolatile::text || proparallel::text || CASE WHEN proisstrict THEN ' strict' ELSE '' END FROM function$$,
    $$VALUES
    ('vidtoken_id_in(cstring)', 'is strict'),
    ('vidtoken_id_out(vidtoken_id)', 'is strict'),
    ('vidtoken_id_recv(internal)', 'ss strict'),
    ('vidtoken_id_send(vidtoken_id)', 'ss strict'),
    ('vidtoken_id(character)', 'is strict'),
    ('vidtoken_clock()', 'ss strict'),
    ('vidtoken_ttl(interval)', 'ss strict'),
    ('vidtoken_policy(timestamp with time zone,interval,timestamp with time zone)', 'ss'),
    ('vidtoken_issue(vidtoken_id,vidtoken_id)', 'vu'),
    ('vidtoken_issue(vidtoken_id)', 'vu'),
    ('vidtoken_refresh(vidtoken_id,vidtoken_id)', 'vu'),
    ('vidtoken_refresh(vidtoken_id)', 'vu'),
    ('vidtoken_revoke(vidtoken_id,vidtoken_id)', 'vu'),
    ('vidtoken_revoke_all(vidtoken_id)', 'vu'),
    ('vidtoken_reinstate(vidtoken_id,vidtoken_id)', 'vu'),
    ('vidtoken_reinstate_all(vidtoken_id)', 'vu'),
    ('vidtoken_reset_room(vidtoken_id)', 'vu'),
    ('vidtoken_prune(interval)', 'vu'),
    ('vidtoken_room_settings(vidtoken_id)', 'su'),
    ('vidtoken_status(vidtoken_id)', 'su'),
    ('vidtoken_webhook(text,bytea,jsonb,text)', 'vu'),
    ('vidtoken_report_quality(vidtoken_id,integer,jsonb)', 'vu'),
    ('vidtoken_report_quality(vidtoken_id,vidtoken_id,integer,jsonb)', 'vu'),
    ('vidtoken_sign(json,text)', 'vr'),
    ('vidtoken_verify(text,interval)', 'ss'),
    ('vidtoken_jwks()', 'ss strict'),
    ('vidtoken_check()', 'vu strict')$$,
    'functions and their labels are the contract''s');
SELECT bag_eq(
    $$SELECT signature, pg_get_function_result(oid) FROM function WHERE prolang = (SELECT oid FROM pg_language WHERE lanname = 'c')$$,
    $$VALUES
    ('vidtoken_clock()', 'timestamp with time zone'),
    ('vidtoken_ttl(interval)', 'interval'),
    ('vidtoken_policy(timestamp with time zone,interval,timestamp with time zone)', 'record'),
    ('vidtoken_issue(vidtoken_id,vidtoken_id)', 'vidtoken_grant'),
    ('vidtoken_issue(vidtoken_id)', 'vidtoken_grant'),
    ('vidtoken_refresh(vidtoken_id,vidtoken_id)', 'vidtoken_grant'),
    ('vidtoken_refresh(vidtoken_id)', 'vidtoken_grant'),
    ('vidtoken_revoke(vidtoken_id,vidtoken_id)', 'boolean'),
    ('vidtoken_revoke_all(vidtoken_id)', 'integer'),
    ('vidtoken_reinstate(vidtoken_id,vidtoken_id)', 'boolean'),
    ('vidtoken_reinstate_all(vidtoken_id)', 'integer'),
    ('vidtoken_reset_room(vidtoken_id)', 'text'),
    ('vidtoken_prune(interval)', 'bigint'),
    ('vidtoken_room_settings(vidtoken_id)', 'record'),
    ('vidtoken_status(vidtoken_id)', 'record'),
    ('vidtoken_webhook(text,bytea,jsonb,text)', 'record'),
    ('vidtoken_report_quality(vidtoken_id,integer,jsonb)', 'void'),
    ('vidtoken_report_quality(vidtoken_id,vidtoken_id,integer,jsonb)', 'void'),
    ('vidtoken_sign(json,text)', 'text'),
    ('vidtoken_verify(text,interval)', 'record'),
    ('vidtoken_jwks()', 'jsonb'),
    ('vidtoken_check()', 'SETOF record')$$,
    'functions return the contract''s types');
SELECT is(pg_get_function_arguments(oid), arguments, f || ' has the contract''s arguments')
  FROM (VALUES
    ('vidtoken_ttl', 'duration interval'),
    ('vidtoken_policy', 'starts_at timestamp with time zone, duration interval, at timestamp with time zone DEFAULT NULL::timestamp with time zone, '
     'OUT opens_at timestamp with time zone, OUT closes_at timestamp with time zone, OUT ends_at timestamp with time zone, OUT hard_stop timestamp with time zone, '
     'OUT ttl interval, OUT expires_at timestamp with time zone, OUT refresh_at timestamp with time zone, OUT warn_at timestamp with time zone, '
     'OUT empty_room_timeout interval, OUT unused_room_timeout interval, OUT may_issue boolean, OUT reason text'),
    ('vidtoken_revoke', 'appointment_id vidtoken_id, user_id vidtoken_id'),
    ('vidtoken_prune', 'older_than interval DEFAULT ''30 days''::interval'),
    ('vidtoken_room_settings', 'appointment_id vidtoken_id, OUT room_name text, OUT empty_room_timeout interval, OUT unused_room_timeout interval, '
     'OUT max_participants integer, OUT opens_at timestamp with time zone, OUT closes_at timestamp with time zone, '
     'OUT provider text, OUT create_request jsonb, OUT adjusted text[]'),
    ('vidtoken_status', 'appointment_id vidtoken_id, OUT appointment_id jsonb, OUT room_name text, OUT room_status text, '
     'OUT participant_count integer, OUT room_duration interval, OUT room_duration_seconds bigint, '
     'OUT started_at timestamp with time zone, OUT ended_at timestamp with time zone, OUT connection_quality integer, '
     'OUT participants jsonb, OUT reported_at timestamp with time zone, OUT schedule text'),
    ('vidtoken_webhook', 'provider text, body bytea, headers jsonb, url text DEFAULT NULL::text, OUT result text, OUT response jsonb'),
    ('vidtoken_sign', 'claims json, key_id text DEFAULT NULL::text'),
    ('vidtoken_verify', 'token text, leeway interval DEFAULT ''00:00:00''::interval, '
     'OUT valid boolean, OUT reason text, OUT header json, OUT claims json, OUT key_id text, OUT expires_at timestamp with time zone'),
    ('vidtoken_jwks', ''),
    ('vidtoken_check', 'OUT item text, OUT status text, OUT message text, OUT hint text')
  ) AS e (f, arguments) JOIN function ON proname = f ORDER BY f;
SELECT is(ARRAY(SELECT pg_get_function_arguments(oid) FROM function WHERE proname = f ORDER BY pronargs),
          ARRAY['appointment_id vidtoken_id', 'appointment_id vidtoken_id, user_id vidtoken_id'], f || ' has two forms')
  FROM unnest(ARRAY['vidtoken_issue', 'vidtoken_refresh']) AS f;
SELECT is(ARRAY(SELECT pg_get_function_arguments(oid) FROM function WHERE proname = 'vidtoken_report_quality' ORDER BY pronargs),
          ARRAY['appointment_id vidtoken_id, quality integer, metrics jsonb DEFAULT NULL::jsonb',
                'appointment_id vidtoken_id, user_id vidtoken_id, quality integer, metrics jsonb DEFAULT NULL::jsonb'],
          'vidtoken_report_quality has two forms');
SELECT is_empty('SELECT signature FROM function WHERE prosecdef', 'no function is SECURITY DEFINER');
SELECT is_empty('SELECT signature FROM function WHERE proleakproof', 'no function is LEAKPROOF');
SELECT bag_eq($$SELECT signature FROM function WHERE provolatile = 'i'$$,
              ARRAY['vidtoken_id_in(cstring)', 'vidtoken_id_out(vidtoken_id)', 'vidtoken_id(character)'],
              'only I/O and casts are IMMUTABLE');

-- rights: first as created, then where the database's defaults say otherwise
CREATE TEMP VIEW public_right AS
SELECT a.privilege_type || ' on ' || m.name AS granted
  FROM member AS m
  JOIN pg_class AS c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
 CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a
 WHERE a.grantee = 0
UNION ALL
SELECT 'column right on ' || m.name
  FROM member AS m JOIN pg_attribute AS t ON m.classid = 'pg_class'::regclass AND t.attrelid = m.objid
 WHERE t.attacl IS NOT NULL;
CREATE FUNCTION pg_temp.rights_are_right(circumstance text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEXT bag_eq(
        'SELECT signature FROM function WHERE has_function_privilege(''public'', oid, ''EXECUTE'')',
        ARRAY['vidtoken_id_in(cstring)', 'vidtoken_id_out(vidtoken_id)', 'vidtoken_id_recv(internal)',
              'vidtoken_id_send(vidtoken_id)', 'vidtoken_id(character)', 'vidtoken_clock()',
              'vidtoken_ttl(interval)',
              'vidtoken_policy(timestamp with time zone,interval,timestamp with time zone)'],
        circumstance || ': PUBLIC may execute what the contract lists, and nothing else');
    RETURN NEXT is_empty('SELECT granted FROM public_right',
                         circumstance || ': PUBLIC has no right on a table, a view or a column');
END;
$$;
SELECT pg_temp.rights_are_right('as created');

-- comments
SELECT is_empty($$SELECT name FROM member WHERE coalesce(obj_description(objid, (SELECT relname FROM pg_class WHERE oid = classid)), '') = ''$$,
                'every object has a comment');
SELECT cmp_ok(count(*), '>=', 47::bigint, 'and they are all here') FROM member;
SELECT is_empty($$SELECT attname FROM pg_attribute WHERE attrelid = 'vidtoken_grant'::regclass
                  AND attnum > 0 AND coalesce(col_description(attrelid, attnum), '') = ''$$,
                'every member of the grant has one');

-- vidtoken_id
SELECT is_empty($$SELECT oprname FROM pg_operator WHERE 'vidtoken_id'::regtype IN (oprleft, oprright, oprresult)$$, 'vidtoken_id has no operator');
SELECT is_empty($$SELECT opcname FROM pg_opclass WHERE opcintype = 'vidtoken_id'::regtype$$, 'no operator class');
SELECT is_empty($$SELECT attname FROM pg_attribute AS a JOIN member ON classid = 'pg_class'::regclass AND objid = attrelid
                  WHERE atttypid = 'vidtoken_id'::regtype$$, 'it is no column of ours');
SELECT is_empty($$SELECT signature FROM function WHERE prolang = (SELECT oid FROM pg_language WHERE lanname = 'c')
                  AND 'vidtoken_id'::regtype = ANY (prorettype || coalesce(proallargtypes[pronargs + 1:], '{}'))$$, 'it is never returned');
SELECT is(concat_ws(' ', typinput, typoutput, typreceive, typsend, typlen, typstorage), 'vidtoken_id_in vidtoken_id_out vidtoken_id_recv vidtoken_id_send -1 x',
          'it is read and written as text, in binary too')
  FROM pg_type WHERE oid = 'vidtoken_id'::regtype;
SELECT bag_eq($$SELECT name, castcontext::text || castmethod::text FROM member JOIN pg_cast AS c ON classid = 'pg_cast'::regclass AND objid = c.oid$$,
    $$VALUES
    ('cast from smallint to vidtoken_id', 'ii'), ('cast from integer to vidtoken_id', 'ii'),
    ('cast from bigint to vidtoken_id', 'ii'), ('cast from numeric to vidtoken_id', 'ii'),
    ('cast from uuid to vidtoken_id', 'ii'), ('cast from text to vidtoken_id', 'ib'),
    ('cast from character varying to vidtoken_id', 'ib'), ('cast from character to vidtoken_id', 'if'),
    ('cast from vidtoken_id to text', 'eb'), ('cast from vidtoken_id to integer', 'ei'),
    ('cast from vidtoken_id to bigint', 'ei'), ('cast from vidtoken_id to uuid', 'ei')$$,
    'casts into it are implicit, casts out of it explicit');

-- tables, dump, schema
SELECT bag_eq($$SELECT relname || ' ' || relkind::text FROM relation$$,
              ARRAY['vidtoken_session r', 'vidtoken_room r', 'vidtoken_call r', 'vidtoken_participant r', 'vidtoken_event r',
                    'vidtoken_quality r', 'vidtoken_sessions v'], 'six tables and a view');
SELECT is(count(DISTINCT relowner)::integer, 1, 'they have one owner') FROM relation;
SELECT bag_eq($$SELECT t::regclass::text, condition FROM pg_extension, unnest(extconfig, extcondition) AS c (t, condition) WHERE extname = 'vidtoken'$$,
              $$VALUES ('vidtoken_session', ''), ('vidtoken_room', ''), ('vidtoken_call', ''), ('vidtoken_participant', ''),
                       ('vidtoken_event', ''), ('vidtoken_quality', '')$$, 'all tables are dumped, all rows of them');
SELECT is(extrelocatable, false, 'the extension is not relocatable') FROM pg_extension WHERE extname = 'vidtoken';
SELECT is(code, '0A000', 'so its schema cannot be changed') FROM pg_temp.refusal('ALTER EXTENSION vidtoken SET SCHEMA public');

-- settings: unit, default
SELECT bag_eq(
    $$SELECT name, concat_ws(' ', vartype, unit), boot_val FROM pg_settings WHERE name LIKE 'vidtoken.%'$$,
    $$VALUES
    ('vidtoken.account', 'string', ''),
    ('vidtoken.audience', 'string', ''),
    ('vidtoken.buffer_after', 'integer s', '900'),
    ('vidtoken.buffer_before', 'integer s', '900'),
    ('vidtoken.clock_skew', 'integer s', '10'),
    ('vidtoken.empty_room_timeout', 'integer s', '900'),
    ('vidtoken.expiry_anchor', 'enum', 'issue'),
    ('vidtoken.key_id', 'string', ''),
    ('vidtoken.keyring', 'string', ''),
    ('vidtoken.max_overrun', 'integer s', '7200'),
    ('vidtoken.max_ttl', 'integer s', '14400'),
    ('vidtoken.min_duration', 'integer s', '300'),
    ('vidtoken.min_ttl', 'integer s', '3600'),
    ('vidtoken.notify_channel', 'string', ''),
    ('vidtoken.provider', 'string', 'twilio'),
    ('vidtoken.public_url', 'string', ''),
    ('vidtoken.quality_stale_after', 'integer s', '60'),
    ('vidtoken.record_sessions', 'enum', 'required'),
    ('vidtoken.refresh_window', 'integer s', '300'),
    ('vidtoken.room_format', 'string', 'apt-{appointment_id}-{suffix}'),
    ('vidtoken.server_url', 'string', ''),
    ('vidtoken.source', 'string', ''),
    ('vidtoken.test_clock', 'string', ''),
    ('vidtoken.unused_room_buffer', 'integer s', '1800'),
    ('vidtoken.user_claim', 'string', 'sub'),
    ('vidtoken.user_setting', 'string', 'request.jwt.claims'),
    ('vidtoken.warn_window', 'integer s', '600')$$,
    'settings, their units and defaults are the contract''s');
SELECT is_empty($$SELECT name, context FROM pg_settings WHERE name LIKE 'vidtoken.%' AND context <> 'superuser'$$, 'every setting is a superuser''s');
SELECT is_empty($$SELECT name, short_desc FROM pg_settings WHERE name LIKE 'vidtoken.%' AND short_desc !~ '^Sets .*\.$'$$, 'every setting says in a sentence what it sets');
SELECT is_empty($$SELECT name, extra_desc FROM pg_settings WHERE name LIKE 'vidtoken.%' AND coalesce(extra_desc, '') !~ '\.$'$$, 'and more in a second one');
SELECT is(enumvals, values, name || ' has the contract''s values')
  FROM (VALUES ('vidtoken.expiry_anchor', '{issue,appointment}'::text[]), ('vidtoken.record_sessions', '{required,preferred,off}')) AS e (name, values)
  JOIN pg_settings USING (name) ORDER BY name;
CREATE ROLE vidtoken_test_nobody;
CREATE FUNCTION pg_temp.as_nobody(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    outcome text;
BEGIN
    SET LOCAL ROLE vidtoken_test_nobody;
    outcome := (SELECT coalesce(code, 'ok') FROM pg_temp.refusal(statement));
    RESET ROLE;
    RETURN outcome;
END;
$$;
SELECT bag_eq($$SELECT DISTINCT pg_temp.as_nobody(format('SET LOCAL %s = DEFAULT', name)) FROM pg_settings WHERE name LIKE 'vidtoken.%'$$,
              ARRAY['42501'], 'nobody else may set any of them');
SELECT is(pg_temp.as_nobody(statement), outcome, format('nobody in particular: %s: %s', statement, outcome))
  FROM (VALUES
    ('SELECT vidtoken.vidtoken_ttl(''1 hour'')', '42501'),
    ('SELECT * FROM vidtoken.vidtoken_sessions', '42501'),
    ('SELECT * FROM vidtoken.vidtoken_session', '42501')) AS e (statement, outcome);
GRANT USAGE ON SCHEMA vidtoken TO vidtoken_test_nobody;
SELECT is(pg_temp.as_nobody('SELECT ' || statement), outcome, format('with the schema: %s: %s', statement, outcome))
  FROM (VALUES
    ('vidtoken.vidtoken_ttl(''1 hour'')', 'ok'),
    ('vidtoken.vidtoken_policy(now(), ''1 hour'')', 'ok'),
    ('vidtoken.vidtoken_clock()', 'ok'),
    ('47::vidtoken.vidtoken_id::text', 'ok'),
    ('vidtoken.vidtoken_issue(47)', '42501'),
    ('vidtoken.vidtoken_issue(47, 2)', '42501'),
    ('vidtoken.vidtoken_refresh(47)', '42501'),
    ('vidtoken.vidtoken_refresh(47, 2)', '42501'),
    ('vidtoken.vidtoken_revoke(47, 2)', '42501'),
    ('vidtoken.vidtoken_revoke_all(47)', '42501'),
    ('vidtoken.vidtoken_reinstate(47, 2)', '42501'),
    ('vidtoken.vidtoken_reinstate_all(47)', '42501'),
    ('vidtoken.vidtoken_reset_room(47)', '42501'),
    ('vidtoken.vidtoken_prune()', '42501'),
    ('vidtoken.vidtoken_room_settings(47)', '42501'),
    ('vidtoken.vidtoken_status(47)', '42501'),
    ('vidtoken.vidtoken_webhook(''twilio'', '''', ''{}'')', '42501'),
    ('vidtoken.vidtoken_report_quality(47, 5)', '42501'),
    ('vidtoken.vidtoken_report_quality(47, 2, 5)', '42501'),
    ('vidtoken.vidtoken_sign(''{}'')', '42501'),
    ('vidtoken.vidtoken_verify('''')', '42501'),
    ('vidtoken.vidtoken_jwks()', '42501'),
    ('vidtoken.vidtoken_check()', '42501'),
    ('* FROM vidtoken.vidtoken_sessions', '42501'),
    ('* FROM vidtoken.vidtoken_session', '42501'),
    ('* FROM vidtoken.vidtoken_room', '42501'),
    ('* FROM vidtoken.vidtoken_call', '42501'),
    ('* FROM vidtoken.vidtoken_participant', '42501'),
    ('* FROM vidtoken.vidtoken_event', '42501'),
    ('* FROM vidtoken.vidtoken_quality', '42501')) AS e (statement, outcome);
GRANT SELECT ON vidtoken.vidtoken_sessions TO vidtoken_test_nobody;
SELECT is(pg_temp.as_nobody('SELECT * FROM vidtoken.vidtoken_sessions'), 'ok', 'a grant on the view alone lets it be read');

-- the extension made again in the same session
SELECT room_name AS room FROM vidtoken_issue(47, 2) \gset
DROP EXTENSION vidtoken;
CREATE EXTENSION vidtoken SCHEMA vidtoken;
SELECT is(room_name, :'room', 'dropped and created again, it issues in the same session') FROM vidtoken_issue(47, 2);

-- where the database's default privileges are the other way round
DROP EXTENSION vidtoken;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE EXTENSION vidtoken SCHEMA vidtoken;
SELECT pg_temp.rights_are_right('with other default privileges');
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC;

-- objects of the same names that were there before
DROP EXTENSION vidtoken;
SELECT is(code, expected, 'CREATE EXTENSION fails over an earlier ' || object)
  FROM (VALUES
    ('TYPE vidtoken.vidtoken_id', '', '42710'),
    ('TYPE vidtoken.vidtoken_id', ' AS (i integer)', '42710'),
    ('DOMAIN vidtoken.vidtoken_id', ' AS text', '42710'),
    ('TYPE vidtoken.vidtoken_grant', ' AS (i integer)', '42710'),
    ('TABLE vidtoken.vidtoken_session', '(i integer)', '42P07'),
    ('TABLE vidtoken.vidtoken_room', '(i integer)', '42P07'),
    ('VIEW vidtoken.vidtoken_room', ' AS SELECT 1', '42P07'),
    ('TABLE vidtoken.vidtoken_call', '(i integer)', '42P07'),
    ('TABLE vidtoken.vidtoken_participant', '(i integer)', '42P07'),
    ('TABLE vidtoken.vidtoken_event', '(i integer)', '42P07'),
    ('VIEW vidtoken.vidtoken_quality', ' AS SELECT 1', '42P07'),
    ('TABLE vidtoken.vidtoken_sessions', '(i integer)', '42P07'),
    ('VIEW vidtoken.vidtoken_sessions', ' AS SELECT 1', '42P07'),
    ('FUNCTION vidtoken.vidtoken_id_in(cstring)', ' RETURNS text LANGUAGE internal AS $$textin$$', '42723'),
    ('FUNCTION vidtoken.vidtoken_clock()', ' RETURNS timestamptz LANGUAGE sql AS $$SELECT now()$$', '42723'),
    ('FUNCTION vidtoken.vidtoken_ttl(interval)', ' RETURNS interval LANGUAGE sql AS $$SELECT $1$$', '42723'),
    ('FUNCTION vidtoken.vidtoken_prune(interval)', ' RETURNS bigint LANGUAGE sql AS $$SELECT 1::bigint$$', '42723'),
    ('FUNCTION vidtoken.vidtoken_sign(json, text)', ' RETURNS text LANGUAGE sql AS $$SELECT ''''::text$$', '42723'),
    ('FUNCTION vidtoken.vidtoken_verify(text, interval)', ' RETURNS boolean LANGUAGE sql AS $$SELECT true$$', '42723'),
    ('FUNCTION vidtoken.vidtoken_jwks()', ' RETURNS jsonb LANGUAGE sql AS $$SELECT NULL::jsonb$$', '42723'),
    ('FUNCTION vidtoken.vidtoken_check()', ' RETURNS integer LANGUAGE sql AS $$SELECT 1$$', '42723')
  ) AS e (object, definition, expected)
 CROSS JOIN LATERAL pg_temp.refusal(format('CREATE %s%s; CREATE EXTENSION vidtoken SCHEMA vidtoken', object, definition));
SELECT lives_ok('CREATE EXTENSION vidtoken SCHEMA vidtoken', 'without them it is created');

-- Default privileges give nobody a way in: with a trigger on the ledger its
-- owner's rights would be anybody's.
DROP EXTENSION vidtoken CASCADE;
CREATE ROLE regress_vidtoken_favourite;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO regress_vidtoken_favourite;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO regress_vidtoken_favourite;
CREATE EXTENSION vidtoken SCHEMA vidtoken;
SELECT is_empty($$
    SELECT c.relname FROM pg_class AS c, aclexplode(c.relacl) AS a
     WHERE c.relnamespace = 'vidtoken'::regnamespace
       AND a.grantee = 'regress_vidtoken_favourite'::regrole
    UNION ALL
    SELECT p.proname FROM pg_proc AS p, aclexplode(p.proacl) AS a
     WHERE p.pronamespace = 'vidtoken'::regnamespace
       AND a.grantee = 'regress_vidtoken_favourite'::regrole$$,
    'default privileges reach none of the extension''s objects');
CREATE TABLE clinic.later (id integer);
SELECT ok(has_table_privilege('regress_vidtoken_favourite', 'clinic.later', 'TRIGGER'),
          'but a table beside them');
SELECT ok(has_function_privilege('regress_vidtoken_favourite', 'vidtoken.vidtoken_ttl(interval)', 'EXECUTE'),
          'what is PUBLIC''s by contract stays so');

SELECT * FROM finish();
ROLLBACK;
