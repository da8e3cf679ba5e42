\unset ECHO
\i test/setup.sql

-- Ids: every type that a key column may have, what a caller may write for
-- them, and that no spelling finds another appointment than the one meant.

SELECT plan(209);

-- where citext is not to be had, a domain of the same name stands in for it
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citext') THEN
        CREATE EXTENSION IF NOT EXISTS citext;
    ELSE
        CREATE COLLATION clinic.ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE DOMAIN public.citext AS text COLLATE clinic.ignore_case;
    END IF;
END;
$$;
CREATE TYPE clinic.colour AS ENUM ('red', 'green', 'O''Hara "x"');
CREATE DOMAIN clinic.positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN clinic.even AS clinic.positive CHECK (VALUE % 2 = 0);
CREATE DOMAIN clinic.code AS varchar(8) CHECK (VALUE ~ '^[A-Z]+$');
CREATE DOMAIN clinic.some AS text NOT NULL;
CREATE FUNCTION clinic.broken(text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF $1 = 'x' THEN RAISE 'broken' USING ERRCODE = 'XX001'; END IF;
    RETURN true;
END;
$$;
CREATE DOMAIN clinic.raising AS text CHECK (clinic.broken(VALUE));
SET LOCAL vidtoken.source = 'clinic.keyed';

-- makes the source anew, with one row whose ids have this type and value
CREATE FUNCTION pg_temp.make_source(type text, id text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM vidtoken.vidtoken_session;
    DROP TABLE IF EXISTS clinic.keyed;
    EXECUTE format('CREATE TABLE clinic.keyed (appointment_id %s, user_id %s, starts_at timestamptz, duration interval)', type, type);
    EXECUTE format('INSERT INTO clinic.keyed VALUES (%L, %L, %L, %L)', id, id, '2026-03-02 10:00+00', '60 minutes');
END;
$$;
-- what an id as appointment and as user is answered with: appointment_id as
-- JSON, or the SQLSTATE where both ways give the same
CREATE FUNCTION pg_temp.asked(type text, id text, argument text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    grants text;
    appointment text;
    participant text;
BEGIN
    PERFORM pg_temp.make_source(type, id);
    SELECT code INTO appointment FROM pg_temp.refusal(format('SELECT vidtoken.vidtoken_issue(%L, %L)', argument, id));
    DELETE FROM vidtoken.vidtoken_session;
    SELECT code INTO participant FROM pg_temp.refusal(format('SELECT vidtoken.vidtoken_issue(%L, %L)', id, argument));
    IF appointment IS DISTINCT FROM participant THEN
        RETURN format('%s as appointment, %s as user', coalesce(appointment, 'ok'), coalesce(participant, 'ok'));
    ELSIF appointment IS NOT NULL THEN
        RETURN appointment;
    END IF;
    RETURN (SELECT g.appointment_id FROM vidtoken.vidtoken_issue(argument, argument) AS g);
END;
$$;

SELECT is(pg_temp.asked(type, id, argument), answer,
          format('%s %s, asked for %s: %s', type, id, left(argument, 40), answer))
  FROM (VALUES
    ('int2', '47', '47', '47'),
    ('int2', '-47', '-47', '-47'),
    ('int2', '47', '047', '47'),
    ('int2', '32767', '32767', '32767'),
    ('int2', '32767', '32768', 'PT404'),
    ('int2', '47', '65583', 'PT404'),
    ('int2', '47', '48', 'PT404'),
    ('int2', '47', 'x', 'PT404'),
    ('int2', '47', '', 'PT404'),
    ('int4', '47', '47', '47'),
    ('int4', '47', ' 47 ', '47'),
    ('int4', '47', '47.0', 'PT404'),
    ('int4', '47', '4294967343', 'PT404'),
    ('int4', '2147483647', '2147483647', '2147483647'),
    ('int4', '2147483647', '2147483648', 'PT404'),
    ('int4', '47', '47; DROP TABLE clinic.keyed', 'PT404'),
    ('int4', '47', '47 OR true', 'PT404'),
    ('int8', '47', '47', '47'),
    ('int8', '9007199254740991', '9007199254740991', '9007199254740991'),
    ('int8', '9007199254740992', '9007199254740992', '9007199254740992'),
    ('int8', '9007199254740993', '9007199254740993', '"9007199254740993"'),
    ('int8', '-9007199254740992', '-9007199254740992', '-9007199254740992'),
    ('int8', '-9007199254740993', '-9007199254740993', '"-9007199254740993"'),
    ('int8', '9223372036854775807', '9223372036854775807', '"9223372036854775807"'),
    ('int8', '9223372036854775807', '9223372036854775808', 'PT404'),
    ('int8', '9007199254740993', '9007199254740992', 'PT404'),
    ('numeric', '47', '47', '47'),
    ('numeric', '47', '47.0', '47'),
    ('numeric', '47', '4.7e1', '47'),
    ('numeric', '47.6', '47.6', '47.6'),
    ('numeric', '47', '47.6', 'PT404'),
    ('numeric', '9007199254740992', '9007199254740992', '9007199254740992'),
    ('numeric', '9007199254740993', '9007199254740993', '"9007199254740993"'),
    ('numeric', '123456789012345678901234567890', '123456789012345678901234567890', '"123456789012345678901234567890"'),
    ('numeric', 'NaN', 'NaN', '"NaN"'),
    ('numeric', '47', 'x', 'PT404'),
    ('numeric(10,0)', '48', '48', '48'),
    ('numeric(10,0)', '48', '48.0', '48'),
    ('numeric(10,0)', '48', '47.6', 'PT404'),
    ('numeric(10,0)', '47', '99999999999', 'PT404'),
    ('numeric(10,2)', '47', '47', '47.00'),
    ('numeric(10,2)', '47.6', '47.600', '47.60'),
    ('numeric(10,2)', '47.61', '47.605', 'PT404'),
    ('uuid', '6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f47', '6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f47', '"6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f47"'),
    ('uuid', '6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f47', '6F1C8A52-0F4E-4C2B-9A54-0D6D4B0C1F47', '"6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f47"'),
    ('uuid', '6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f47', '{6f1c8a520f4e4c2b9a540d6d4b0c1f47}', '"6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f47"'),
    ('uuid', '6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f47', '6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f48', 'PT404'),
    ('uuid', '6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f47', '6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f4', 'PT404'),
    ('uuid', '6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f47', '6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1fg7', 'PT404'),
    ('text', '47', '47', '"47"'),
    ('text', '47', '047', 'PT404'),
    ('text', '47', '47 ', 'PT404'),
    ('text', 'Jane', 'jane', 'PT404'),
    ('text', E'O''Hara \\ "x"', E'O''Hara \\ "x"', E'"O''Hara \\\\ \\"x\\""'),
    ('text', '47', $$' OR true --$$, 'PT404'),
    ('varchar', 'jane', 'jane', '"jane"'),
    ('varchar(4)', 'jane', 'jane', '"jane"'),
    ('varchar(4)', 'jane', 'jane2', 'PT404'),
    ('varchar(4)', 'jane', 'jane ', 'PT404'),
    ('char(10)', 'jane', 'jane', '"jane      "'),
    ('char(10)', 'jane', 'jane  ', '"jane      "'),
    ('char(10)', 'jane', 'janet', 'PT404'),
    ('char(4)', 'jane', 'janet', 'PT404'),
    ('name', 'jane', 'jane', '"jane"'),
    ('name', repeat('a', 63), repeat('a', 63), '"' || repeat('a', 63) || '"'),
    ('name', repeat('a', 63), repeat('a', 64), 'PT404'),
    ('name', repeat('a', 63), repeat('a', 200), 'PT404'),
    ('citext', 'Jane', 'jANE', '"jane"'),
    ('citext', 'Jane', 'Janet', 'PT404'),
    ('clinic.colour', 'red', 'red', '"red"'),
    ('clinic.colour', $$O'Hara "x"$$, $$O'Hara "x"$$, $$"O'Hara \"x\""$$),
    ('clinic.colour', 'red', 'green', 'PT404'),
    ('clinic.colour', 'red', 'Red', 'PT404'),
    ('clinic.colour', 'red', 'blue', 'PT404'),
    ('clinic.positive', '47', '47', '47'),
    ('clinic.positive', '47', '-47', 'PT404'),
    ('clinic.positive', '47', 'x', 'PT404'),
    ('clinic.even', '48', '48', '48'),
    ('clinic.even', '48', '47', 'PT404'),
    ('clinic.even', '48', '-48', 'PT404'),
    ('clinic.code', 'ABC', 'ABC', '"ABC"'),
    ('clinic.code', 'ABC', 'abc', 'PT404'),
    ('clinic.code', 'ABCDEFGH', 'ABCDEFGHI', 'PT404'),
    ('clinic.some', 'jane', 'jane', '"jane"'),
    ('clinic.raising', 'jane', 'jane', '"jane"'),
    ('clinic.raising', 'jane', 'x', 'XX001')
  ) AS example (type, id, argument, answer);

-- PT404 says the same whether an id does not exist or cannot
SELECT pg_temp.make_source('integer', '47') AS source \gset
SELECT is(b.*::text, a.*::text, 'a malformed id is answered as one that does not exist')
  FROM pg_temp.refusal('SELECT vidtoken.vidtoken_issue(48, 47)') AS a,
       pg_temp.refusal($$SELECT vidtoken.vidtoken_issue('x', 47)$$) AS b;
SELECT is(b.*::text, a.*::text, 'a malformed user as one who takes no part')
  FROM pg_temp.refusal('SELECT vidtoken.vidtoken_issue(47, 48)') AS a,
       pg_temp.refusal($$SELECT vidtoken.vidtoken_issue(47, 'x')$$) AS b;

-- types that are no keys, on either side
CREATE FUNCTION pg_temp.refused_key(key text, type text, OUT code text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.make_source('integer', '47');
    EXECUTE format('ALTER TABLE clinic.keyed ALTER %I TYPE %s USING NULL', key, type);
    SELECT r.code, r.hint INTO code, hint
      FROM pg_temp.refusal('SELECT vidtoken.vidtoken_issue(47, 47)') AS r;
END;
$$;
SELECT is(code, 'F0000', format('%s is no type for %s', type, key)),
       alike(hint, '%smallint, integer, bigint, numeric, uuid, text, varchar, character, name, citext, an enum, or a domain%',
             'the hint lists what is')
  FROM unnest(ARRAY['timestamptz', 'bytea', 'float8', 'boolean', 'date', 'interval', 'jsonb',
                    'integer[]', 'oid', 'inet', 'vidtoken.vidtoken_id']) AS type,
       unnest(ARRAY['appointment_id', 'user_id']) AS key,
       pg_temp.refused_key(key, type);

-- what drivers send
SELECT pg_temp.make_source('integer', '47') AS source \gset
SELECT is((vidtoken.vidtoken_issue('47', '47')).appointment_id, '47', 'an untyped literal is an id');
SELECT is((vidtoken.vidtoken_issue(47, 47)).appointment_id, '47', 'an integer is an id');
SELECT is((vidtoken.vidtoken_issue(47::int2, 47::int2)).appointment_id, '47', 'a smallint is an id');
SELECT is((vidtoken.vidtoken_issue(47::int8, 47::int8)).appointment_id, '47', 'a bigint is an id');
SELECT is((vidtoken.vidtoken_issue(47::numeric, 47::numeric)).appointment_id, '47', 'a numeric is an id');
SELECT is((vidtoken.vidtoken_issue('47'::text, '47'::text)).appointment_id, '47', 'a text is an id');
SELECT is((vidtoken.vidtoken_issue('47'::varchar, '47'::varchar(9))).appointment_id, '47', 'a varchar is an id');
SELECT is((vidtoken.vidtoken_issue('47'::char(5), '47'::char(2))).appointment_id, '47', 'a padded character is an id');
SELECT is((vidtoken.vidtoken_issue(47::bigint, '47'::text)).appointment_id, '47', 'the two ids may differ in type');
SELECT is((vidtoken.vidtoken_issue(user_id => 47, appointment_id => '47')).appointment_id, '47', 'ids may be named');
PREPARE untyped AS SELECT appointment_id FROM vidtoken.vidtoken_issue($1, $2);
SELECT is(parameter_types::text, '{vidtoken.vidtoken_id,vidtoken.vidtoken_id}', 'an untyped parameter is a vidtoken_id')
  FROM pg_prepared_statements WHERE name = 'untyped';
SELECT results_eq($$EXECUTE untyped('47', '47')$$, $$VALUES ('47'::jsonb)$$, 'it takes a text');
SELECT results_eq('EXECUTE untyped(47, 47)', $$VALUES ('47'::jsonb)$$, 'and a number');
SELECT is(g.appointment_id, '47', 'a JSON body gives ids as a gateway reads it')
  FROM json_to_record('{"appointment_id": 47, "user_id": "47"}')
       AS body (appointment_id vidtoken.vidtoken_id, user_id vidtoken.vidtoken_id),
       vidtoken.vidtoken_issue(body.appointment_id, body.user_id) AS g;
SELECT is(code, '42883', 'a ' || type || ' is no id, it is cast to text first')
  FROM (VALUES ('float8', '47'), ('boolean', 'true'), ('date', '2026-03-02'), ('json', '47'),
               ('bytea', '47'), ('clinic.colour', 'red')) AS e (type, id)
 CROSS JOIN LATERAL pg_temp.refusal(format('SELECT vidtoken.vidtoken_issue(%L::%s, 47)', id, type));
SELECT pg_temp.make_source('uuid', '6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f47') AS source \gset
SELECT is((vidtoken.vidtoken_issue(id, id)).appointment_id, to_jsonb(id::text), 'a uuid is an id')
  FROM (SELECT uuid '6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f47') AS e (id);
SELECT is(code, 'PT404', 'an integer in place of a uuid is no such appointment')
  FROM pg_temp.refusal('SELECT vidtoken.vidtoken_issue(47, 47)');

-- vidtoken_id makes nothing legal that was not
SELECT is(code, '42883', statement || ' is an error still')
  FROM (VALUES ($$'47'::text = 47$$), ($$47 = '47'::text$$), ($$'47'::varchar = 47::bigint$$),
               ($$'47'::text = 47::numeric$$), ($$'47'::char(2) < 47$$),
               ($$'47'::vidtoken.vidtoken_id = '47'::vidtoken.vidtoken_id$$),
               ($$'47'::vidtoken.vidtoken_id = '47'::text$$),
               ($$'47'::vidtoken.vidtoken_id = 47$$),
               ($$length('47'::vidtoken.vidtoken_id)$$),
               ($$'47'::vidtoken.vidtoken_id IN ('47')$$)) AS e (statement)
 CROSS JOIN LATERAL pg_temp.refusal('SELECT ' || statement);
SELECT is(code, '42883', statement || ' is impossible')
  FROM (VALUES ('SELECT i FROM (SELECT 47::vidtoken.vidtoken_id) AS v (i) ORDER BY i'),
               ('SELECT DISTINCT i FROM (SELECT 47::vidtoken.vidtoken_id) AS v (i)'),
               ('SELECT i FROM (SELECT 47::vidtoken.vidtoken_id) AS v (i) GROUP BY i')) AS e (statement)
 CROSS JOIN LATERAL pg_temp.refusal(statement);
SELECT is(code, '42704', 'an index on it is impossible')
  FROM pg_temp.refusal('CREATE TABLE clinic.x (i vidtoken.vidtoken_id PRIMARY KEY)');
SELECT is('47'::vidtoken.vidtoken_id::text, '47', 'cast to text');
SELECT is('47'::vidtoken.vidtoken_id::int4, 47, 'cast to integer');
SELECT is('47'::vidtoken.vidtoken_id::int8, 47::int8, 'cast to bigint');
SELECT is('6F1C8A52-0F4E-4C2B-9A54-0D6D4B0C1F47'::vidtoken.vidtoken_id::uuid,
          '6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f47', 'cast to uuid');
SELECT is(code, '22P02', 'cast to ' || type || ' of what is none is refused')
  FROM unnest(ARRAY['int4', 'int8', 'uuid']) AS type,
       pg_temp.refusal(format('SELECT %L::vidtoken.vidtoken_id::%s', 'x', type));
SELECT is(code, '42804', 'no cast to ' || type || ' happens by itself')
  FROM (VALUES ('text'), ('int4'), ('int8'), ('uuid')) AS e (type)
 CROSS JOIN LATERAL pg_temp.refusal(format(
     'CREATE TEMP TABLE x (c %s); INSERT INTO x SELECT 47::vidtoken.vidtoken_id', type));

-- the ledger's key is the row's own spelling, and a bar set by any other
-- spelling of the same ids, before there is a session, bars just the same
CREATE FUNCTION pg_temp.barred(type text, id text, argument text, OUT key text, OUT barred text,
                               OUT freed text)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.make_source(type, id);
    PERFORM vidtoken.vidtoken_issue(argument, argument);
    SELECT concat(appointment_id, '|', user_id) INTO key FROM vidtoken.vidtoken_sessions;
    DELETE FROM vidtoken.vidtoken_session;
    PERFORM vidtoken.vidtoken_revoke(argument, argument);
    SELECT code || ' ' || reason INTO barred
      FROM pg_temp.refusal(format('SELECT vidtoken.vidtoken_issue(%L, %L)', id, id));
    PERFORM vidtoken.vidtoken_reinstate(argument, argument);
    SELECT coalesce(code || ' ' || reason, 'ok') INTO freed
      FROM pg_temp.refusal(format('SELECT vidtoken.vidtoken_issue(%L, %L)', id, id));
END;
$$;
SELECT is(key, spelling || '|' || spelling, format('%s: the ledger has %s for %s', type, spelling, argument)),
       is(barred, 'PT410 revoked', format('%s: revoking %s bars %s', type, argument, id)),
       is(freed, 'ok', format('%s: reinstating %s frees %s', type, argument, id))
  FROM (VALUES
    ('int4', '47', ' 047', '47'),
    ('numeric', '47', '47.0', '47'),
    ('numeric', '47.0', '47', '47'),
    ('numeric(10,2)', '47', '47', '47.00'),
    ('uuid', '6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f47', '6F1C8A520F4E4C2B9A540D6D4B0C1F47', '6f1c8a52-0f4e-4c2b-9a54-0d6d4b0c1f47'),
    ('text', 'Jane', 'Jane', 'Jane'),
    ('char(6)', 'Jane', 'Jane', 'Jane  '),
    ('citext', 'Jane', 'jANE', 'jane'),
    ('clinic.colour', 'red', 'red', 'red'),
    ('clinic.even', '48', '048', '48')
  ) AS e (type, id, argument, spelling)
 CROSS JOIN LATERAL pg_temp.barred(type, id, argument);

SELECT * FROM finish();
ROLLBACK;
