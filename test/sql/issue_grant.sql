\unset ECHO
\i test/setup.sql

-- The grant: its members, its exact values for an hour's appointment, the
-- token inside, and what a second token of the same session keeps.

SELECT plan(109);

CREATE TEMP TABLE seen (tag text PRIMARY KEY, g vidtoken.vidtoken_grant);
CREATE FUNCTION pg_temp.claims(tag text) RETURNS json
LANGUAGE sql AS $$
    SELECT pg_temp.token_part((g).access_token, 2) FROM seen AS s WHERE s.tag = claims.tag;
$$;

-- shape
INSERT INTO seen SELECT 'jane', g FROM vidtoken.vidtoken_issue(47, 2) AS g;
SELECT is(ARRAY(SELECT json_object_keys(row_to_json(g))),
          '{access_token,room_name,user_identity,expires_in,expires_at,appointment_id,
            appointment_duration_minutes,token_valid_until,issued_at,refresh_at,warn_at,
            role,provider,server_url}',
          'the members come in the order of the contract')
  FROM seen WHERE tag = 'jane';
SELECT is(concat_ws(' ', pg_typeof((g).access_token), pg_typeof((g).room_name),
                    pg_typeof((g).user_identity), pg_typeof((g).expires_in)),
          'text text text integer', 'token, names and seconds have their types'),
       is(concat_ws(', ', pg_typeof((g).expires_at), pg_typeof((g).issued_at),
                    pg_typeof((g).refresh_at), pg_typeof((g).warn_at)),
          concat_ws(', ', 'timestamp with time zone', 'timestamp with time zone',
                    'timestamp with time zone', 'timestamp with time zone'),
          'times have their types'),
       is(concat_ws(' ', pg_typeof((g).appointment_id), pg_typeof((g).appointment_duration_minutes),
                    pg_typeof((g).token_valid_until), pg_typeof((g).role),
                    pg_typeof((g).provider), pg_typeof((g).server_url)),
          'jsonb integer text text text text', 'the rest has its types')
  FROM seen WHERE tag = 'jane';

-- an hour's appointment, issued at its start
SELECT is((g).expires_in, 5400, 'expires_in is 5400'),
       is((g).expires_at, '2026-03-02 11:30+00', 'expires_at is 11:30'),
       is((g).token_valid_until, '30 minutes after appointment end', 'token_valid_until says it in words'),
       matches((g).room_name, '^apt-47-[a-z2-7]{13}$', 'the room is apt-47 and a suffix'),
       is((g).user_identity, '2-jane@example.com', 'the identity is the source''s'),
       is((g).appointment_id, '47'::jsonb, 'appointment_id is a JSON number'),
       is(jsonb_typeof((g).appointment_id), 'number', 'not a string'),
       is((g).appointment_duration_minutes, 60, 'the duration is in minutes'),
       is((g).issued_at, '2026-03-02 10:00+00', 'issued_at is the clock'),
       is((g).refresh_at, '2026-03-02 11:25+00', 'refresh_at is five minutes before expiry'),
       is((g).warn_at, '2026-03-02 11:20+00', 'warn_at is ten minutes before expiry'),
       is((g).role, 'guest', 'no role means guest'),
       is((g).provider, 'twilio', 'the provider is named'),
       is((g).server_url, NULL, 'no server_url is NULL'),
       is(row_to_json(g) ->> 'expires_at', '2026-03-02T11:30:00+00:00', 'times are ISO 8601 in an API''s JSON')
  FROM seen WHERE tag = 'jane';

-- the token
SELECT alike((g).access_token, 'eyJhbGciOiJIUzI1NiIs%', 'the header begins with the algorithm'),
       matches((g).access_token, '^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$',
               'three parts of base64url without padding, the last of 32 bytes'),
       is(pg_temp.token_part((g).access_token, 1)::text,
          '{"alg":"HS256","typ":"JWT","cty":"twilio-fpa;v=1"}', 'the header is twilio''s')
  FROM seen WHERE tag = 'jane';
SELECT is(ARRAY(SELECT json_object_keys(c)), '{jti,iss,sub,iat,nbf,exp,grants}', 'the claims are twilio''s'),
       is(c ->> 'iss', 'SKtest', 'iss is the key''s id'),
       is(c ->> 'sub', 'ACtest', 'sub is the account'),
       is((c ->> 'exp')::bigint, extract(epoch FROM timestamptz '2026-03-02 11:30+00')::bigint, 'exp is expires_at'),
       is((c ->> 'iat')::bigint, extract(epoch FROM timestamptz '2026-03-02 09:59:50+00')::bigint, 'iat is issued_at - clock_skew'),
       is(c ->> 'nbf', c ->> 'iat', 'nbf is iat'),
       alike(c ->> 'jti', 'SKtest-' || (c ->> 'iat') || '-%', 'jti begins as twilio''s own'),
       is((c -> 'grants')::jsonb,
          jsonb_build_object('identity', '2-jane@example.com',
                             'video', jsonb_build_object('room', (g).room_name)),
          'the grants are the identity and one room')
  FROM seen, pg_temp.claims('jane') AS c WHERE tag = 'jane';

-- the same session again
INSERT INTO seen SELECT 'again', g FROM vidtoken.vidtoken_issue(47, 2) AS g;
INSERT INTO seen SELECT 'refreshed', g FROM vidtoken.vidtoken_refresh(47, 2) AS g;
INSERT INTO seen SELECT 'house', g FROM vidtoken.vidtoken_issue(47, 9) AS g;
INSERT INTO seen SELECT 'other', g FROM vidtoken.vidtoken_issue(60, 2) AS g;
SELECT isnt(pg_temp.claims('again') ->> 'jti', pg_temp.claims('jane') ->> 'jti', 'two tokens of one second differ in jti');
SELECT isnt(pg_temp.claims('refreshed') ->> 'jti', pg_temp.claims('again') ->> 'jti', 'so does a refreshed one');
SELECT is((to_jsonb(b.g) - 'access_token'), (to_jsonb(a.g) - 'access_token'), b.tag || ': everything but the token is the same')
  FROM seen AS a, seen AS b WHERE a.tag = 'jane' AND b.tag IN ('again', 'refreshed') ORDER BY b.tag;
SELECT is((b.g).room_name, (a.g).room_name, 'the participants of an appointment share a room'),
       isnt((b.g).user_identity, (a.g).user_identity, 'but no identity'),
       is((b.g).role, 'host', 'the host is one')
  FROM seen AS a, seen AS b WHERE a.tag = 'jane' AND b.tag = 'house';
SELECT isnt(right((b.g).room_name, 13), right((a.g).room_name, 13), 'another appointment has another suffix')
  FROM seen AS a, seen AS b WHERE a.tag = 'jane' AND b.tag = 'other';
SELECT is(row(issue_count, refresh_count)::text, expected, format('user %s in %s: issues and refreshes are counted', user_id, appointment_id))
  FROM (VALUES ('47', '2', '(2,1)'), ('47', '9', '(1,0)'), ('60', '2', '(1,0)')) AS e (appointment_id, user_id, expected)
  JOIN vidtoken.vidtoken_sessions USING (appointment_id, user_id) ORDER BY appointment_id, user_id;

-- refresh never makes a session
SELECT is(code || ' ' || reason, 'PT409 no_session', 'refresh without a session is refused'),
       is(message, 'no session of this participant', 'the message is a constant')
  FROM pg_temp.refusal('SELECT vidtoken.vidtoken_refresh(47, 3)');
SELECT is(count(*)::integer, 0, 'and leaves none behind')
  FROM vidtoken.vidtoken_session WHERE user_id = '3';
SELECT is(code || ' ' || reason, 'PT410 cancelled', call || ' of a cancelled appointment is refused')
  FROM (VALUES ('issue'), ('refresh')) AS c (call)
 CROSS JOIN LATERAL pg_temp.refusal('SELECT vidtoken.vidtoken_' || call || '(99, 2)');
SELECT is(count(*)::integer, 0, 'and leaves no session')
  FROM vidtoken.vidtoken_session WHERE appointment_id = '99';
UPDATE clinic.appointments SET cancelled = true WHERE id = 60;
SELECT is(code || ' ' || reason, 'PT410 cancelled', call || ' of an appointment cancelled meanwhile is refused')
  FROM (VALUES ('issue'), ('refresh')) AS c (call)
 CROSS JOIN LATERAL pg_temp.refusal('SELECT vidtoken.vidtoken_' || call || '(60, 2)');
UPDATE clinic.appointments SET cancelled = false WHERE id = 60;

-- the caller's own forms
SET LOCAL request.jwt.claims = '{"sub": "9"}';
SELECT is(user_identity, '9-house@example.com', 'the claim sub names the user')
  FROM vidtoken.vidtoken_issue(47);
SET LOCAL request.jwt.claims = '{"sub": 2}';
SELECT is(user_identity, '2-jane@example.com', 'it may be a number')
  FROM vidtoken.vidtoken_refresh(47);
SET LOCAL request.jwt.claims = '{"role": "web"}';
SELECT is(code || ' ' || reason, '42501 no_user', call || ' without a user is refused')
  FROM (VALUES ('issue'), ('refresh')) AS c (call)
 CROSS JOIN LATERAL pg_temp.refusal('SELECT vidtoken.vidtoken_' || call || '(47)');

-- other settings in the grant and in the claims
SET LOCAL vidtoken.server_url = 'wss://video.example.com';
SET LOCAL vidtoken.clock_skew = 0;
SET LOCAL vidtoken.key_id = 'SKnext';
INSERT INTO seen SELECT 'next', g FROM vidtoken.vidtoken_issue(47, 2) AS g;
SELECT is((g).server_url, 'wss://video.example.com', 'server_url is the setting''s'),
       is(c ->> 'iss', 'SKnext', 'the key that key_id names signs'),
       is((c ->> 'iat')::bigint, extract(epoch FROM (g).issued_at)::bigint, 'without skew iat is issued_at')
  FROM seen, pg_temp.claims('next') AS c WHERE tag = 'next';
RESET vidtoken.server_url;
RESET vidtoken.clock_skew;
SET LOCAL vidtoken.key_id = 'SKtest';

-- a token's end in words, to the nearest minute
CREATE FUNCTION pg_temp.in_words(ttl text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM vidtoken.vidtoken_session;
    PERFORM set_config('vidtoken.min_ttl', ttl, true), set_config('vidtoken.max_ttl', ttl, true);
    RETURN (SELECT token_valid_until FROM vidtoken.vidtoken_issue(47, 2));
END;
$$;
SELECT is(pg_temp.in_words(ttl), words || ' appointment end', format('%s of life in words: %s', ttl, words))
  FROM (VALUES ('3600s', 'at'), ('3629s', 'at'), ('3571s', 'at'),
               ('3630s', '1 minute after'), ('3570s', '1 minute before'),
               ('3660s', '1 minute after'), ('3540s', '1 minute before'),
               ('3689s', '1 minute after'), ('3511s', '1 minute before'),
               ('3690s', '2 minutes after'), ('3510s', '2 minutes before'),
               ('2h', '60 minutes after'), ('1min', '59 minutes before')) AS e (ttl, words);
RESET vidtoken.min_ttl;
RESET vidtoken.max_ttl;
SELECT is(token_valid_until, '60 minutes before appointment end', 'a long appointment outlives its token')
  FROM vidtoken.vidtoken_issue(300, 2);

-- sources with other columns
DELETE FROM vidtoken.vidtoken_session;
CREATE TABLE clinic.plain (
    appointment_id integer, user_id text,
    starts_at timestamptz DEFAULT '2026-03-02 10:00+00',
    duration interval DEFAULT '60 minutes'
);
INSERT INTO clinic.plain VALUES (1, 'jane@example.com'), (2, 'jane@example.com'), (1, 'bob@example.com');
SET LOCAL vidtoken.source = 'clinic.plain';
CREATE TEMP TABLE identity AS
SELECT 1 AS call, * FROM vidtoken.vidtoken_issue(1, 'jane@example.com')
UNION ALL SELECT 2, * FROM vidtoken.vidtoken_issue(1, 'jane@example.com')
UNION ALL SELECT 3, * FROM vidtoken.vidtoken_issue(2, 'jane@example.com')
UNION ALL SELECT 4, * FROM vidtoken.vidtoken_issue(1, 'bob@example.com');
SELECT matches(user_identity, '^user-[a-z2-7]{13}$', 'without a column identity one is made') FROM identity WHERE call = 1;
SELECT unalike(user_identity, '%jane%', 'it tells nothing of the user') FROM identity WHERE call = 1;
SELECT is(count(DISTINCT user_identity)::integer, 1, 'it is the same at each call and for all appointments') FROM identity WHERE call <= 3;
SELECT is(count(DISTINCT user_identity)::integer, 2, 'but another user has another') FROM identity;
SELECT is(count(*)::integer, 4, 'the user''s id is nowhere in the token')
  FROM identity WHERE pg_temp.token_part(access_token, 2)::text NOT LIKE '%example.com%';
SELECT is(min(role), 'guest', 'without a column role everyone is a guest') FROM identity;

ALTER TABLE clinic.plain ADD identity text, ADD role text, ADD room_name text, ADD cancelled boolean, ADD note text;
SELECT is(g.user_identity, i.user_identity, 'a NULL identity means a made one'),
       is(g.role, 'guest', 'a NULL role means guest'),
       is(g.room_name, i.room_name, 'a NULL room_name means a made one')
  FROM vidtoken.vidtoken_issue(1, 'jane@example.com') AS g, identity AS i WHERE call = 1;
UPDATE clinic.plain SET role = 'observer', room_name = 'ward 7' WHERE appointment_id = 1;
SELECT is(role, 'observer', 'the role is the row''s, also in a session that had another'),
       is(room_name, 'ward 7', 'the room is the row''s, also in a session that had another'),
       is(pg_temp.token_part(access_token, 2) #>> '{grants,video,room}', 'ward 7', 'so it is in the token')
  FROM vidtoken.vidtoken_refresh(1, 'jane@example.com');
SELECT is(room_name, 'ward 7', 'a new session begins in it')
  FROM vidtoken.vidtoken_issue(1, 'bob@example.com');
UPDATE clinic.plain SET role = 'doctor' WHERE appointment_id = 1;
SELECT is(code, 'F0000', 'an unknown role is refused'), alike(hint, '%host, guest and observer%', 'the hint lists them')
  FROM pg_temp.refusal($$SELECT vidtoken.vidtoken_issue(1, 'jane@example.com')$$);
INSERT INTO clinic.plain (appointment_id, user_id, duration) VALUES
    (3, 'x', '44 minutes 29 seconds'), (4, 'x', '44 minutes 30 seconds'), (5, 'x', '2 hours');
SELECT is(appointment_duration_minutes, expected, format('%s are %s minutes', duration, expected))
  FROM (VALUES (3, 44), (4, 45), (5, 120)) AS e (id, expected)
  JOIN clinic.plain ON appointment_id = id
 CROSS JOIN LATERAL vidtoken.vidtoken_issue(id, 'x')
 ORDER BY id;
SET LOCAL vidtoken.source = 'clinic.video_source';

-- a session keeps its identity while the room's generation is current
DELETE FROM vidtoken.vidtoken_session;
SELECT lives_ok('SELECT vidtoken.vidtoken_issue(47, 2)', 'jane enters');
UPDATE clinic.users SET email = 'jane@example.org' WHERE id = 2;
SELECT is(user_identity, '2-jane@example.com', 'a changed identity waits') FROM vidtoken.vidtoken_refresh(47, 2);
SELECT is(user_identity, '2-jane@example.org', 'a new session has it') FROM vidtoken.vidtoken_issue(60, 2);

-- a new token never expires before the live one: over the whole stay, for
-- each anchor and duration
CREATE FUNCTION pg_temp.steps_back(anchor text, minutes integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    last timestamptz := '-infinity';
    next timestamptz;
    steps integer := 0;
BEGIN
    DELETE FROM vidtoken.vidtoken_session;
    PERFORM set_config('vidtoken.expiry_anchor', anchor, true);
    FOR at IN -15 .. minutes + 119 BY 7 LOOP
        PERFORM pg_temp.clock(at);
        SELECT expires_at INTO next
          FROM vidtoken.vidtoken_issue(minutes, 2);
        steps := steps + (next < last)::integer;
        last := next;
    END LOOP;
    RETURN steps;
END;
$$;
SELECT is(pg_temp.steps_back(anchor, minutes), 0, format('%s minutes, %s: no token ends before the last one', minutes, anchor))
  FROM unnest(ARRAY['issue', 'appointment']) AS anchor, unnest(ARRAY[30, 60, 120, 300]) AS minutes;

CREATE FUNCTION pg_temp.refreshed(settings text, at numeric DEFAULT 30, start text DEFAULT '10:00')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    setting text;
    answer text;
BEGIN
    UPDATE clinic.appointments SET starts_at = '2026-03-02 10:00+00' WHERE id = 47;
    RESET vidtoken.expiry_anchor;
    DELETE FROM vidtoken.vidtoken_session;
    PERFORM pg_temp.clock(30), vidtoken.vidtoken_issue(47, 2), pg_temp.clock(at);
    UPDATE clinic.appointments SET starts_at = ('2026-03-02 ' || start || '+00')::timestamptz WHERE id = 47;
    FOREACH setting IN ARRAY string_to_array(settings, ',') LOOP
        PERFORM set_config('vidtoken.' || split_part(setting, '=', 1), split_part(setting, '=', 2), true);
    END LOOP;
    SELECT code || ' ' || reason INTO answer
      FROM pg_temp.refusal('SELECT vidtoken.vidtoken_refresh(47, 2)');
    IF answer IS NULL THEN
        answer := (SELECT expires_at::time FROM vidtoken.vidtoken_session);
    END IF;
    FOREACH setting IN ARRAY string_to_array(settings, ',') LOOP
        EXECUTE 'RESET vidtoken.' || split_part(setting, '=', 1);
    END LOOP;
    RETURN answer;
END;
$$;
-- a token of 10:30 lives until 12:00; then something changes
SELECT is(pg_temp.refreshed(settings, at, start), expected, name || ': ' || expected)
  FROM (VALUES
    ('nothing changes', '', 30, '10:00', '12:00:00'),
    ('another anchor shortens nothing', 'expiry_anchor=appointment', 30, '10:00', '12:00:00'),
    ('smaller buffers shorten nothing', 'buffer_before=0,buffer_after=0', 30, '10:00', '12:00:00'),
    ('a lower ceiling counts from now', 'min_ttl=10min,max_ttl=10min', 30, '10:00', '10:40:00'),
    ('a lower overrun is a bound', 'max_overrun=10min', 30, '10:00', '11:10:00'),
    ('a lower overrun ends the session', 'max_overrun=0,buffer_after=0', 60, '10:00', 'PT410 ended'),
    ('the appointment moved to an earlier hour', '', 30, '08:30', '11:30:00'),
    ('the appointment moved to a later hour', 'expiry_anchor=appointment', 30, '10:40', '12:10:00'),
    ('the appointment moved out of its window', '', 30, '10:46', 'PT425 too_early'),
    ('the appointment moved into the past', '', 30, '07:30', 'PT410 ended')
  ) AS e (name, settings, at, start, expected);

SELECT * FROM finish();
ROLLBACK;
