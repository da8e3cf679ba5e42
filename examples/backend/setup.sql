-- examples/backend/setup.sql: what the back end needs in the database
--
--   psql -d clinic -v role=clinic_backend -f setup.sql
--
-- Run it as a superuser, in a database where vidtoken is set up already.
-- Makes the role, unless it is there, and the table of logins. The role may do
-- no more than it is granted: here, and by you where the source is a view with
-- security_invoker. What it lacks to read the source is an error, and nothing
-- is made.
--
-- Copyright (c) 2026, the vidtoken authors

\set ON_ERROR_STOP on

BEGIN;

SELECT format('CREATE ROLE %I LOGIN', :'role')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role')
\gexec

-- Bearer tokens by their SHA-256. They have to be long and random: 32 bytes
-- of a generator, not a password.
CREATE SCHEMA backend;
CREATE TABLE backend.login (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id text NOT NULL,
    expires_at timestamptz NOT NULL
);
GRANT USAGE ON SCHEMA backend TO :"role";
GRANT SELECT ON backend.login TO :"role";

-- The relation with the appointments.
SELECT format('GRANT USAGE ON SCHEMA %s TO %I', c.relnamespace::regnamespace, :'role'),
       format('GRANT SELECT ON %s TO %I', c.oid::regclass, :'role')
  FROM pg_class AS c
 WHERE c.oid = current_setting('vidtoken.source')::regclass
\gexec

-- The functions, in the forms that name a user. Nothing else is in the path,
-- times are told in UTC, and no statement takes longer than clients wait. All
-- three are the role's: PgBouncer refuses a connection that asks for them.
SELECT format('GRANT USAGE ON SCHEMA %s TO %I', e.extnamespace::regnamespace, :'role'),
       format('ALTER ROLE %I IN DATABASE %I SET search_path = %s', :'role', current_database(),
              e.extnamespace::regnamespace),
       format('ALTER ROLE %I IN DATABASE %I SET timezone = ''UTC''', :'role', current_database()),
       format('ALTER ROLE %I IN DATABASE %I SET statement_timeout = ''5s''', :'role', current_database())
  FROM pg_extension AS e
 WHERE e.extname = 'vidtoken'
\gexec

SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, :'role')
  FROM pg_extension AS e
  JOIN pg_depend AS d
    ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
   AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
  JOIN pg_proc AS p ON p.oid = d.objid
 WHERE e.extname = 'vidtoken'
   AND (p.proname IN ('vidtoken_issue', 'vidtoken_refresh', 'vidtoken_report_quality')
        AND 'user_id' = ANY (p.proargnames)
        OR p.proname IN ('vidtoken_status', 'vidtoken_webhook'))
\gexec

-- The columns that are read, as the role reads them: a column, or a right on
-- what is below a view, may be missing.
SET LOCAL ROLE :"role";
SELECT format('SELECT appointment_id, user_id, starts_at, duration, identity, display_name, role FROM %s LIMIT 0',
              current_setting('vidtoken.source'))
\gexec
RESET ROLE;

COMMIT;
