-- examples/postgrest/api.sql: video tokens over PostgREST
--
--   psql -X -d DATABASE [-v NAME=VALUE]... -f api.sql
--
-- Run it as a superuser, in the database where vidtoken is installed. It may
-- be run again, after a change here or an update of vidtoken. Variables:
--
--   api             schema that PostgREST exposes (api)
--   clinic          schema of the table appointments (clinic)
--   authenticator   role that PostgREST connects as (authenticator)
--   web_anon        role of requests without a JWT: webhooks (web_anon)
--   web_user        role of users (web_user)
--   sessions_owner  role that reads the sessions (vidtoken_api_sessions)
--   webhooks        providers that report, separated by commas
--                   (twilio,livekit)
--   rls             whether views can pass row-level security on: 15 and
--                   later
--
-- A user's JWT names the role web_user, and in "sub" the user's id, spelled as
-- PostgreSQL prints it.
--
-- Invariants a maintainer must keep:
-- - No function here is SECURITY DEFINER: what a user may see of the
--   appointments decides about the token.
-- - Every name in a function is qualified: at a request's time the search_path
--   is the API's.
-- - Nothing is granted that a request does not need.
--
-- Copyright (c) 2026, the vidtoken authors

\set ON_ERROR_STOP on
\if :{?api}
\else
    \set api api
\endif
\if :{?clinic}
\else
    \set clinic clinic
\endif
\if :{?authenticator}
\else
    \set authenticator authenticator
\endif
\if :{?web_anon}
\else
    \set web_anon web_anon
\endif
\if :{?web_user}
\else
    \set web_user web_user
\endif
\if :{?sessions_owner}
\else
    \set sessions_owner vidtoken_api_sessions
\endif
\if :{?webhooks}
\else
    \set webhooks twilio,livekit
\endif
\if :{?rls}
\else
    SELECT current_setting('server_version_num')::integer >= 150000 AS rls \gset
\endif

BEGIN;
SET LOCAL client_min_messages = warning;

SELECT n.nspname AS vidtoken
  FROM pg_extension AS e
  JOIN pg_namespace AS n ON n.oid = e.extnamespace
 WHERE e.extname = 'vidtoken' \gset

-- A user's id has the type of the column that it is compared with.
SELECT format_type(a.atttypid, NULL) AS user_id,
       c.relowner::regrole AS appointments_owner
  FROM pg_attribute AS a
  JOIN pg_class AS c ON c.oid = a.attrelid
 WHERE a.attrelid = format('%I.appointments', :'clinic')::regclass
   AND a.attname = 'patient_id' \gset

\set sub '(nullif(current_setting(''request.jwt.claims'', true), '''')::json ->> ''sub'')'
\set caller '(SELECT ' :sub '::' :user_id ')'

--
-- Roles
--
-- NOINHERIT: what PostgREST may do is decided by the role that it takes for
-- each request, and without one it may do nothing. The authenticator has no
-- password: README.md, "Install", says who is let in as it.
--

SELECT format('CREATE ROLE %I %s', r.name, r.attributes)
  FROM (VALUES (:'authenticator', 'LOGIN NOINHERIT'),
               (:'web_anon', 'NOLOGIN'),
               (:'web_user', 'NOLOGIN'),
               (:'sessions_owner', 'NOLOGIN')) AS r (name, attributes)
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r.name) \gexec

GRANT :"web_anon", :"web_user" TO :"authenticator";

-- The times of every answer are in the zone of the role that logs in.
SELECT format('ALTER ROLE %I IN DATABASE %I SET timezone = %L',
              :'authenticator', current_database(), 'UTC') \gexec

--
-- Appointments
--
-- A user sees the appointments that he or she takes part in, as doctor or as
-- patient, and with each of them both participants. Roles other than the
-- table's owner that read it until now see no row any more: give each of them
-- a policy too.
--

ALTER TABLE :"clinic".appointments ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS video_participant ON :"clinic".appointments;
CREATE POLICY video_participant ON :"clinic".appointments
    FOR SELECT TO :"web_user"
    USING (:caller IN (doctor_id, patient_id));

\if :rls
    -- The view reads with the user's rights, and the policy decides.
    CREATE OR REPLACE VIEW :"clinic".video_source
    WITH (security_invoker = true) AS
    SELECT a.id AS appointment_id, p.user_id, a.starts_at,
           make_interval(mins => a.minutes) AS duration, p.role, a.cancelled
      FROM :"clinic".appointments AS a
     CROSS JOIN LATERAL (VALUES (a.doctor_id, 'host'),
                                (a.patient_id, 'guest')) AS p (user_id, role);

    GRANT SELECT (id, doctor_id, patient_id, starts_at, minutes, cancelled)
       ON :"clinic".appointments TO :"web_user";
\else
    -- PostgreSQL 13 and 14: a view reads with its owner's rights, whom no
    -- policy holds. It has the condition itself, and the user no right on the
    -- table. security_barrier: nothing that a user brings is computed on rows
    -- that the condition hides.
    CREATE OR REPLACE VIEW :"clinic".video_source
    WITH (security_barrier = true) AS
    SELECT a.id AS appointment_id, p.user_id, a.starts_at,
           make_interval(mins => a.minutes) AS duration, p.role, a.cancelled
      FROM :"clinic".appointments AS a
     CROSS JOIN LATERAL (VALUES (a.doctor_id, 'host'),
                                (a.patient_id, 'guest')) AS p (user_id, role)
     WHERE :caller IN (a.doctor_id, a.patient_id);

    ALTER VIEW :"clinic".video_source OWNER TO :appointments_owner;
\endif

GRANT USAGE ON SCHEMA :"clinic" TO :"web_user";
GRANT SELECT ON :"clinic".video_source TO :"web_user";

--
-- Functions
--
-- PostgREST chooses a function by the names of its arguments alone: one
-- function of each name, no more. Each forbids that its answer is kept; the
-- answer to an error can be told that by the proxy alone.
--

CREATE SCHEMA IF NOT EXISTS :"api";

-- They write the ledger, and a GET is read-only: POST alone.
CREATE OR REPLACE FUNCTION :"api".video_token(
    appointment_id :"vidtoken".vidtoken_id)
RETURNS :"vidtoken".vidtoken_grant
LANGUAGE sql VOLATILE SET search_path = pg_catalog, :"vidtoken", pg_temp AS $$
    SELECT set_config('response.headers', '[{"Cache-Control": "no-store"}]',
                      true);
    SELECT * FROM vidtoken_issue(appointment_id);
$$;

CREATE OR REPLACE FUNCTION :"api".video_token_refresh(
    appointment_id :"vidtoken".vidtoken_id)
RETURNS :"vidtoken".vidtoken_grant
LANGUAGE sql VOLATILE SET search_path = pg_catalog, :"vidtoken", pg_temp AS $$
    SELECT set_config('response.headers', '[{"Cache-Control": "no-store"}]',
                      true);
    SELECT * FROM vidtoken_refresh(appointment_id);
$$;

-- The answer is the whole row as one object: it follows vidtoken_status when
-- that tells more.
CREATE OR REPLACE FUNCTION :"api".video_status(
    appointment_id :"vidtoken".vidtoken_id)
RETURNS json
LANGUAGE sql STABLE SET search_path = pg_catalog, :"vidtoken", pg_temp AS $$
    SELECT set_config('response.headers', '[{"Cache-Control": "no-store"}]',
                      true);
    SELECT row_to_json(s) FROM vidtoken_status(appointment_id) AS s;
$$;

-- The report is an object of its own, which a proxy can pass on beside the id.
CREATE OR REPLACE FUNCTION :"api".video_quality(
    appointment_id :"vidtoken".vidtoken_id,
    report jsonb)
RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, :"vidtoken", pg_temp AS $$
    SELECT set_config('response.headers', '[{"Cache-Control": "no-store"}]',
                      true);
    SELECT vidtoken_report_quality(appointment_id,
                                   (report ->> 'quality')::integer,
                                   nullif(report -> 'metrics', 'null'));
$$;

-- One a provider, with one argument without a name: PostgREST hands the raw
-- body of application/octet-stream over, and the signature is over its bytes.
-- The proxy moves Authorization, which PostgREST would take for one of its own
-- JWTs, to X-Vidtoken-Authorization.
SELECT format($f$
CREATE OR REPLACE FUNCTION %1$I.%2$I(bytea) RETURNS jsonb
LANGUAGE sql VOLATILE SET search_path = pg_catalog, %3$I, pg_temp AS $b$
    SELECT set_config('response.headers', '[{"Cache-Control": "no-store"}]',
                      true);
    SELECT coalesce(w.response, jsonb_build_object('result', w.result))
      FROM (SELECT nullif(current_setting('request.headers', true), '')::jsonb)
           AS r (headers)
     CROSS JOIN LATERAL vidtoken_webhook(
           %4$L, $1,
           r.headers || jsonb_strip_nulls(jsonb_build_object(
               'authorization', r.headers -> 'x-vidtoken-authorization')),
           r.headers ->> 'x-vidtoken-url') AS w;
$b$;
COMMENT ON FUNCTION %1$I.%2$I(bytea) IS 'Takes what %4$s reports of its rooms.';
REVOKE ALL ON FUNCTION %1$I.%2$I(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION %1$I.%2$I(bytea) TO %5$I;
$f$, :'api', 'video_webhook_' || provider, :'vidtoken', provider, :'web_anon')
  FROM regexp_split_to_table(:'webhooks', '\s*,\s*') AS provider
 WHERE provider <> '' \gexec

--
-- A user's own sessions
--
-- vidtoken_sessions tells about everybody, and is granted to no user. This
-- view reads it with the rights of its owner, a role that has this one right
-- and that nobody can become; security_barrier keeps what a request brings
-- (a filter, an order) from being computed on the sessions of others.
--

CREATE OR REPLACE VIEW :"api".video_sessions WITH (security_barrier = true) AS
SELECT s.appointment_id, s.room_name, s.user_identity, s.role, s.provider,
       s.starts_at, s.ends_at, s.first_issued_at, s.issued_at, s.expires_at,
       extract(epoch FROM s.remaining)::integer AS expires_in,
       s.refresh_at, s.state, s.revoked_at
  FROM :"vidtoken".vidtoken_sessions AS s
 WHERE s.user_id = (SELECT :sub);

ALTER VIEW :"api".video_sessions OWNER TO :"sessions_owner";
GRANT SELECT ON :"vidtoken".vidtoken_sessions TO :"sessions_owner";

--
-- What users may do, and what comes without a JWT
--
-- The functions run with the caller's rights, so that the caller needs those
-- below them too. Of vidtoken_issue and its like that is the form with the
-- appointment alone: its user is the one of the JWT.
--

REVOKE ALL ON FUNCTION
    :"api".video_token(:"vidtoken".vidtoken_id),
    :"api".video_token_refresh(:"vidtoken".vidtoken_id),
    :"api".video_status(:"vidtoken".vidtoken_id),
    :"api".video_quality(:"vidtoken".vidtoken_id, jsonb)
FROM PUBLIC;

GRANT USAGE ON SCHEMA :"api", :"vidtoken" TO :"web_user", :"web_anon";
GRANT EXECUTE ON FUNCTION
    :"api".video_token(:"vidtoken".vidtoken_id),
    :"api".video_token_refresh(:"vidtoken".vidtoken_id),
    :"api".video_status(:"vidtoken".vidtoken_id),
    :"api".video_quality(:"vidtoken".vidtoken_id, jsonb),
    :"vidtoken".vidtoken_issue(:"vidtoken".vidtoken_id),
    :"vidtoken".vidtoken_refresh(:"vidtoken".vidtoken_id),
    :"vidtoken".vidtoken_status(:"vidtoken".vidtoken_id),
    :"vidtoken".vidtoken_report_quality(:"vidtoken".vidtoken_id, integer, jsonb)
TO :"web_user";
GRANT SELECT ON :"api".video_sessions TO :"web_user";
GRANT EXECUTE ON FUNCTION
    :"vidtoken".vidtoken_webhook(text, bytea, jsonb, text)
TO :"web_anon";

--
-- What PostgREST's description of the API says: title, then the rest
--

COMMENT ON SCHEMA :"api" IS $$Video calls
Tokens for video calls, whose life follows from the appointment.$$;
COMMENT ON FUNCTION :"api".video_token(:"vidtoken".vidtoken_id) IS
$$Issues the caller's token for an appointment.
404: no such appointment; 425: too early; 410: over, cancelled or barred.$$;
COMMENT ON FUNCTION :"api".video_token_refresh(:"vidtoken".vidtoken_id) IS
$$Issues the next token of the caller's session.
409: no token has been issued before; otherwise as video_token.$$;
COMMENT ON FUNCTION :"api".video_status(:"vidtoken".vidtoken_id) IS
$$Tells what is known of an appointment's room.$$;
COMMENT ON FUNCTION :"api".video_quality(:"vidtoken".vidtoken_id, jsonb) IS
$$Reports how good the caller's connection is.
report: {"quality": 4, "metrics": {...}}; 5 is excellent, 3 and 4 are good,
1 and 2 poor, 0 is lost. The metrics may be left out.$$;
COMMENT ON VIEW :"api".video_sessions IS
$$The caller's own sessions, with the state of their tokens.$$;

-- PostgREST hears of no change by itself.
NOTIFY pgrst, 'reload schema';

COMMIT;
