-- examples/demo/tour.sql: a token's life, as the clinic's back end sees it
--
-- Copyright (c) 2026, the vidtoken authors

\echo
\echo :heading'1. The clinic. One view tells who may join which appointment, and when (times are UTC)':plain
SELECT appointment_id, user_id,
       to_char(starts_at, 'YYYY-MM-DD HH24:MI') AS starts_at,
       duration, identity, role
  FROM clinic.video_source
 ORDER BY appointment_id, user_id;

\echo :heading'2. The settings. What is wrong with them is found before a patient finds it':plain
\echo '=> SELECT item, status, message FROM vidtoken_check();'
SELECT item, status, message FROM vidtoken_check();

\connect - clinic_backend
\pset tuples_only on
\pset format unaligned

\echo :heading'3. A token for Jane':plain
\echo '=> SELECT * FROM vidtoken_issue(47, 2);'
SELECT row_to_json(g) AS grant, access_token AS token, issued_at
  FROM vidtoken_issue(47, 2) AS g
\gset
SELECT demo.pretty(:'grant');

\echo
\echo :heading'4. What the token says':plain
\echo 'Header'
SELECT demo.pretty(demo.token_part(:'token', 1));
\echo 'Claims'
SELECT demo.pretty(demo.token_part(:'token', 2));
\echo 'Signed with HS256. To check it elsewhere, paste the token and this secret, made for this demo:'
\echo '   ' :secret

\echo
\echo :heading'5. A refusal: tomorrow is too early. Behind PostgREST this is HTTP status 425':plain
\echo '=> SELECT * FROM vidtoken_issue(48, 3);'
SELECT format('  %s %s', rpad(field, 8),
              regexp_replace(value, ', *"', E',\n            "', 'g'))
  FROM demo.refusal('SELECT * FROM vidtoken_issue(48, 3)')
 WHERE value <> '';

-- The doctor joins too, and then 85 minutes pass.
SELECT FROM vidtoken_issue(47, 1);
\connect - postgres
SELECT (:'issued_at'::timestamptz + interval '85 minutes')::text AS later,
       to_char(:'issued_at'::timestamptz + interval '85 minutes', 'HH24:MI')
           AS later_short
\gset
SET vidtoken.test_clock = :'later';
SET ROLE clinic_backend;

\echo
\echo :heading'6. A refresh: the call takes longer, it is' :later_short 'by vidtoken.test_clock':plain
\echo '=> SELECT * FROM vidtoken_refresh(47, 2);'
\pset tuples_only off
\pset format aligned
SELECT to_char((:'grant'::json ->> 'expires_at')::timestamptz, 'HH24:MI:SS')
           AS expires_before,
       to_char(g.expires_at, 'HH24:MI:SS') AS expires_after,
       g.expires_in,
       g.token_valid_until,
       g.room_name = :'grant'::json ->> 'room_name' AS same_room
  FROM vidtoken_refresh(47, 2) AS g;

\echo :heading'7. The ledger, at' :later_short:plain
\echo '=> SELECT * FROM vidtoken_sessions;'
SELECT appointment_id AS appt, user_id AS "user", user_identity, state,
       to_char(expires_at, 'HH24:MI:SS') AS expires_at, remaining,
       issue_count AS issued, refresh_count AS refreshed
  FROM vidtoken_sessions
 ORDER BY appointment_id, user_id;

\echo :heading'8. The call, as the provider reports it: signed webhooks come in, the status changes':plain
\echo '=> SELECT result FROM vidtoken_webhook(\'twilio\', body, headers);'
\echo '=> SELECT room_status, participant_count, room_duration FROM vidtoken_status(47);'
\pset tuples_only on
\pset format unaligned
\pset fieldsep ' | '
\echo ' webhook                  | result    | room_status | participants | room_duration'
\echo '--------------------------+-----------+-------------+--------------+--------------'
\set participant 2-jane@example.com
\set minute 1
\set event room-created
\ir event.sql
\set event participant-connected
\ir event.sql
\ir event.sql
\set minute 84
\set event participant-disconnected
\ir event.sql
\set event room-ended
\ir event.sql
\pset tuples_only off
\pset format aligned
\echo

RESET ROLE;
RESET vidtoken.test_clock;
SELECT current_setting('vidtoken.buffer_after') AS setting, p.ttl,
       to_char(p.closes_at, 'HH24:MI') AS closes_at,
       to_char(p.expires_at, 'HH24:MI') AS expires_at
  FROM clinic.video_source AS s
 CROSS JOIN LATERAL vidtoken_policy(s.starts_at, s.duration, s.starts_at) AS p
 WHERE s.appointment_id = 47 AND s.user_id = 2
\gset before_

\echo :heading'9. A setting, and what it does':plain
\echo '=> ALTER DATABASE clinic SET vidtoken.buffer_after = \'30min\';'
\echo '=> SELECT * FROM vidtoken_policy(starts_at, duration, starts_at);  -- before and after'
ALTER DATABASE clinic SET vidtoken.buffer_after = '30min';
\connect - clinic_backend
SELECT :'before_setting' AS buffer_after, :'before_ttl'::interval AS ttl,
       :'before_closes_at' AS entering_until,
       :'before_expires_at' AS token_expires_at
UNION ALL
SELECT current_setting('vidtoken.buffer_after'), p.ttl,
       to_char(p.closes_at, 'HH24:MI'), to_char(p.expires_at, 'HH24:MI')
  FROM clinic.video_source AS s
 CROSS JOIN LATERAL vidtoken_policy(s.starts_at, s.duration, s.starts_at) AS p
 WHERE s.appointment_id = 47 AND s.user_id = 2;

\connect - postgres
ALTER DATABASE clinic RESET vidtoken.buffer_after;
\connect - clinic_backend
\pset tuples_only on
\pset format unaligned
\echo :heading'10. The life of a token, issued at the start, with the default settings':plain
SELECT demo.timeline(starts_at, duration)
  FROM clinic.video_source
 WHERE appointment_id = 47 AND user_id = 2;
