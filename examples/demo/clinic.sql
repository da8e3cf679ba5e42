-- examples/demo/clinic.sql: a clinic that knows nothing of video calls yet,
-- and the one view that tells vidtoken about its appointments
--
-- Copyright (c) 2026, the vidtoken authors

SET client_min_messages = warning;

CREATE ROLE clinic_backend LOGIN;
CREATE SCHEMA clinic;

CREATE TABLE clinic.users (
    id integer PRIMARY KEY,
    email text NOT NULL,
    name text NOT NULL
);

CREATE TABLE clinic.appointments (
    id integer PRIMARY KEY,
    doctor_id integer NOT NULL REFERENCES clinic.users,
    patient_id integer NOT NULL REFERENCES clinic.users,
    starts_at timestamptz NOT NULL,
    duration_minutes integer NOT NULL
);

INSERT INTO clinic.users VALUES
    (1, 'mary@example.com', 'Dr. Mary Major'),
    (2, 'jane@example.com', 'Jane Doe'),
    (3, 'john@example.com', 'John Doe');

INSERT INTO clinic.appointments VALUES
    (47, 1, 2, date_trunc('second', now()), 60),
    (48, 1, 3, date_trunc('hour', now()) + interval '1 day', 30);

-- One row per participant of an appointment.
CREATE VIEW clinic.video_source AS
SELECT a.id AS appointment_id,
       u.id AS user_id,
       a.starts_at,
       make_interval(mins => a.duration_minutes) AS duration,
       u.id::text || '-' || u.email AS identity,
       CASE WHEN u.id = a.doctor_id THEN 'host' ELSE 'guest' END AS role
  FROM clinic.appointments AS a
  JOIN clinic.users AS u ON u.id IN (a.doctor_id, a.patient_id);

CREATE EXTENSION vidtoken;

-- The back end may name any user of any appointment that it can see.
GRANT USAGE ON SCHEMA clinic TO clinic_backend;
GRANT SELECT ON clinic.video_source, vidtoken_sessions TO clinic_backend;
GRANT EXECUTE ON FUNCTION
    vidtoken_issue(vidtoken_id, vidtoken_id),
    vidtoken_refresh(vidtoken_id, vidtoken_id),
    vidtoken_webhook(text, bytea, jsonb, text),
    vidtoken_status(vidtoken_id)
TO clinic_backend;

-- What follows is the demo's own, for showing things.
CREATE SCHEMA demo;
GRANT USAGE ON SCHEMA demo TO clinic_backend;

-- One member a line, in the order in which they come.
CREATE FUNCTION demo.pretty(value json) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT E'  {\n'
           || string_agg(format('    %s: %s', to_json(key), value), E',\n')
           || E'\n  }'
      FROM json_each($1)
$$;

-- RFC 7515: the parts of a token are base64url, without padding.
CREATE FUNCTION demo.token_part(token text, part integer) RETURNS json
LANGUAGE sql IMMUTABLE AS $$
    SELECT convert_from(decode(rpad(b64, (length(b64) + 3) / 4 * 4, '='),
                               'base64'), 'UTF8')::json
      FROM translate(split_part($1, '.', $2), '-_', '+/') AS b64
$$;

-- What a client of the back end gets to see of a refused call.
CREATE FUNCTION demo.refusal(call text)
RETURNS TABLE (field text, value text)
LANGUAGE plpgsql AS $$
DECLARE
    v_state text;
    v_message text;
    v_detail text;
    v_hint text;
BEGIN
    EXECUTE call;
    RETURN QUERY VALUES ('no refusal', call);
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS
        v_state = RETURNED_SQLSTATE,
        v_message = MESSAGE_TEXT,
        v_detail = PG_EXCEPTION_DETAIL,
        v_hint = PG_EXCEPTION_HINT;
    RETURN QUERY VALUES ('SQLSTATE', v_state), ('MESSAGE', v_message),
                        ('DETAIL', v_detail), ('HINT', v_hint);
END
$$;

-- A token's life beside its appointment, to scale: "=" is the token's, a
-- letter is the event of that name in the line below.
CREATE FUNCTION demo.timeline(starts_at timestamptz, duration interval)
RETURNS SETOF text
LANGUAGE sql STABLE AS $$
    WITH policy AS (
        SELECT * FROM vidtoken_policy($1, $2, $1)
    ), event (letter, name, happens_at) AS (
        SELECT e.*
          FROM policy AS p
         CROSS JOIN LATERAL (VALUES
               ('O', 'Opens', p.opens_at),
               ('S', 'Start', $1),
               ('E', 'End', p.ends_at),
               ('W', 'Warn', p.warn_at),
               ('R', 'Refresh', p.refresh_at),
               ('X', 'eXpires', p.expires_at),
               ('H', 'Hard stop', p.hard_stop)) AS e
    ), mark AS (
        SELECT letter, name, happens_at,
               round(93 * extract(epoch FROM happens_at - min(happens_at) OVER w)
                        / extract(epoch FROM max(happens_at) OVER w
                                             - min(happens_at) OVER w)) AS col
          FROM event
         WHERE happens_at IS NOT NULL
        WINDOW w AS ()
    )
    SELECT string_agg(coalesce(
               (SELECT max(letter) FROM mark WHERE mark.col = line.col),
               CASE WHEN line.col > (SELECT col FROM mark WHERE letter = 'S')
                     AND line.col < (SELECT col FROM mark WHERE letter = 'X')
                    THEN '=' ELSE '-' END), '' ORDER BY line.col)
      FROM generate_series(0, 93) AS line (col)
    UNION ALL
    SELECT string_agg(name || to_char(happens_at, ' HH24:MI'), '  '
                      ORDER BY happens_at)
      FROM mark
$$;
