\unset ECHO
\i test/setup.sql

-- The ledger: what vidtoken_sessions shows of a session through its life, and
-- how bars, resets and pruning change it.

SELECT plan(280);

-- what a call comes to: "ok", or the SQLSTATE and the reason
CREATE FUNCTION pg_temp.outcome(call text) RETURNS text
LANGUAGE sql AS $$
    SELECT coalesce(nullif(concat_ws(' ', code, reason), ''), 'ok')
      FROM pg_temp.refusal('SELECT vidtoken.vidtoken_' || call);
$$;
-- begins with an empty ledger at a moment
CREATE FUNCTION pg_temp.scene(minutes numeric) RETURNS void
LANGUAGE sql AS $$
    DELETE FROM vidtoken.vidtoken_session;
    DELETE FROM vidtoken.vidtoken_room;
    SELECT pg_temp.clock(minutes);
$$;

-- a refresh is a HOT update: here first, while the page is empty
SELECT lives_ok('SELECT vidtoken.vidtoken_issue(47, 2)', 'jane enters');
SELECT lives_ok('SELECT vidtoken.vidtoken_refresh(47, 2)', 'refresh ' || n)
  FROM generate_series(1, 20) AS n;
SELECT is(pg_stat_get_xact_tuples_hot_updated(t), 20::bigint, 'twenty refreshes are twenty HOT updates'),
       is(pg_stat_get_xact_tuples_updated(t), 20::bigint, 'and no other update'),
       is(pg_stat_get_xact_tuples_inserted(t), 1::bigint, 'of one row')
  FROM CAST('vidtoken.vidtoken_session'::regclass AS oid) AS t;

-- the columns, in their order
SELECT is(ARRAY(SELECT attname || ' ' || format_type(atttypid, NULL)
                  FROM pg_attribute WHERE attrelid = 'vidtoken.vidtoken_sessions'::regclass
                   AND attnum > 0 ORDER BY attnum),
          ARRAY['appointment_id text', 'user_id text', 'user_identity text', 'room_name text',
                'role text', 'provider text', 'key_id text',
                'starts_at timestamp with time zone', 'ends_at timestamp with time zone',
                'first_issued_at timestamp with time zone', 'issued_at timestamp with time zone',
                'expires_at timestamp with time zone', 'remaining interval',
                'refresh_at timestamp with time zone', 'state text', 'issue_count integer',
                'refresh_count integer', 'revoked_at timestamp with time zone', 'issued_by text'],
          'the view has the contract''s columns');

-- one row a session, written in place
SELECT pg_temp.scene(0) AS scene \gset
CREATE TEMP TABLE seen AS SELECT * FROM vidtoken.vidtoken_issue(47, 2);
SELECT is(s.user_identity, g.user_identity, 'the view shows the grant''s identity'),
       is(s.room_name, g.room_name, 'its room'),
       is(s.role, g.role, 'its role'),
       is(s.provider, g.provider, 'its provider'),
       is(s.key_id, 'SKtest', 'the key that signed'),
       is(s.starts_at, '2026-03-02 10:00+00', 'the start'),
       is(s.ends_at, '2026-03-02 11:00+00', 'the end'),
       is(s.first_issued_at, g.issued_at, 'when it began'),
       is(s.issued_at, g.issued_at, 'when its token was issued'),
       is(s.expires_at, g.expires_at, 'when that expires'),
       is(s.remaining, '90 minutes', 'what remains of it'),
       is(s.refresh_at, g.refresh_at, 'when to refresh'),
       is(s.state, 'active', 'that it is active'),
       is(s.issue_count, 1, 'one issue'),
       is(s.refresh_count, 0, 'no refresh'),
       is(s.revoked_at, NULL, 'no bar'),
       is(s.issued_by, current_user::text, 'who called')
  FROM vidtoken.vidtoken_sessions AS s, seen AS g;
SELECT pg_temp.clock(10) \gset
SELECT lives_ok('SELECT vidtoken.vidtoken_refresh(47, 2)', 'ten minutes later it is refreshed');
SELECT pg_temp.clock(20) \gset
UPDATE clinic.appointments SET starts_at = '2026-03-02 10:05+00', minutes = 90 WHERE id = 47;
SET LOCAL vidtoken.key_id = 'SKnext';
SELECT lives_ok('SELECT vidtoken.vidtoken_issue(47, 2)', 'and issued again');
SELECT is(count(*)::integer, 1, 'that is one row') FROM vidtoken.vidtoken_session;
SELECT is(first_issued_at, '2026-03-02 10:00+00', 'first_issued_at stays'),
       is(issued_at, '2026-03-02 10:20+00', 'issued_at moves'),
       is(expires_at, '2026-03-02 12:20+00', 'expires_at moves'),
       is(starts_at, '2026-03-02 10:05+00', 'the start follows the source'),
       is(ends_at, '2026-03-02 11:35+00', 'so does the end'),
       is(key_id, 'SKnext', 'the key is the one that signed last'),
       is(issue_count, 2, 'issues are counted'),
       is(refresh_count, 1, 'refreshes are counted')
  FROM vidtoken.vidtoken_sessions;
UPDATE clinic.appointments SET starts_at = '2026-03-02 10:00+00', minutes = 60 WHERE id = 47;
SET LOCAL vidtoken.key_id = 'SKtest';

-- no token in the ledger, nor a part of one
SELECT is(count(*)::integer, 0, 'the ledger holds no part of a token')
  FROM vidtoken.vidtoken_session AS s, vidtoken.vidtoken_issue(47, 2) AS g,
       unnest(string_to_array(g.access_token, '.')) AS part
 WHERE position(part IN s::text) > 0;

-- states, to the microsecond: warned at 11:20, due at 11:25, expired at 11:30
SELECT pg_temp.scene(0) AS scene \gset
SELECT lives_ok('SELECT vidtoken.vidtoken_issue(47, 2)', 'jane enters anew');
CREATE FUNCTION pg_temp.shown(at text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('vidtoken.test_clock', '2026-03-02 ' || at || '+00', true);
    RETURN (SELECT state || ' ' || remaining FROM vidtoken.vidtoken_sessions);
END;
$$;
CREATE TEMP TABLE moment (at text, shown text);
INSERT INTO moment VALUES
    ('10:00', 'active 01:30:00'), ('11:19:59.999999', 'active 00:10:00.000001'),
    ('11:20', 'expiring 00:10:00'), ('11:24:59.999999', 'expiring 00:05:00.000001'),
    ('11:25', 'refresh_due 00:05:00'), ('11:29:59.999999', 'refresh_due 00:00:00.000001'),
    ('11:30', 'expired 00:00:00'), ('12:59', 'expired 00:00:00');
SELECT is(pg_temp.shown(at), shown, format('at %s: %s', at, shown)) FROM moment;
SELECT pg_temp.clock(0) \gset
SELECT is(vidtoken.vidtoken_revoke(47, 2), true, 'jane is barred');
SELECT alike(pg_temp.shown(at), 'revoked %', format('at %s revoked beats all', at)) FROM moment;
SELECT pg_temp.clock(0) \gset
SELECT is(vidtoken.vidtoken_reinstate(47, 2), true, 'jane is not barred any more');
SELECT is(vidtoken.vidtoken_revoke_all(47), 1, 'everyone is barred');
SELECT alike(pg_temp.shown(at), 'revoked %', format('at %s a bar of all beats all', at)) FROM moment;

-- the view says at any time what the grant said, whatever the settings are now
CREATE FUNCTION pg_temp.contradictions(minutes integer, issued integer, refresh text, warn text,
                                       OUT wrong integer, OUT states text)
LANGUAGE plpgsql AS $$
DECLARE
    g vidtoken.vidtoken_grant;
    s vidtoken.vidtoken_sessions;
    expected text;
    at timestamptz;
    seen text[] := '{}';
BEGIN
    PERFORM pg_temp.scene(0);
    PERFORM vidtoken.vidtoken_issue(minutes, 2);
    PERFORM set_config('vidtoken.refresh_window', refresh, true),
            set_config('vidtoken.warn_window', warn, true), pg_temp.clock(issued);
    g := vidtoken.vidtoken_refresh(minutes, 2);
    PERFORM set_config('vidtoken.refresh_window', '77s', true),
            set_config('vidtoken.warn_window', '99s', true);
    wrong := 0;
    FOR at IN SELECT generate_series(g.issued_at, g.expires_at + interval '5 minutes', '150 seconds') LOOP
        PERFORM set_config('vidtoken.test_clock', at::text, true);
        SELECT * INTO s FROM vidtoken.vidtoken_sessions;
        expected := CASE WHEN at >= g.expires_at THEN 'expired' WHEN at >= g.refresh_at THEN 'refresh_due'
                         WHEN at >= g.warn_at THEN 'expiring' ELSE 'active' END;
        wrong := wrong + (s.state <> expected OR s.refresh_at IS DISTINCT FROM g.refresh_at
                          OR s.expires_at <> g.expires_at
                          OR s.remaining <> greatest(g.expires_at - at, interval '0'))::integer;
        IF s.state <> ALL (seen) THEN
            seen := seen || s.state;
        END IF;
    END LOOP;
    states := array_to_string(seen, ' ');
END;
$$;
SELECT is(wrong, 0, format('%s minutes refreshed at %s, windows %s and %s: the view agrees with the grant', minutes, issued, refresh, warn)),
       is(c.states, e.states, 'it goes through ' || e.states)
  FROM (VALUES
    (60, 0, '5min', '10min', 'active expiring refresh_due expired'),
    (30, 15, '5min', '10min', 'active expiring refresh_due expired'),
    (120, 60, '10min', '20min', 'active expiring refresh_due expired'),
    (300, 0, '1d', '1d', 'active refresh_due expired'),
    (60, 30, '20min', '10min', 'active refresh_due expired'),
    (120, 180, '5min', '10min', 'active expiring expired'),
    (60, 170, '1d', '1d', 'active expiring expired')
  ) AS e (minutes, issued, refresh, warn, states)
 CROSS JOIN LATERAL pg_temp.contradictions(minutes, issued, refresh, warn) AS c;
RESET vidtoken.refresh_window;
RESET vidtoken.warn_window;

-- the bar of a participant
SELECT pg_temp.scene(0) AS scene \gset
SELECT is(vidtoken.vidtoken_revoke(47, 3), true, 'bob is barred before he has a session');
SELECT is(vidtoken.vidtoken_revoke(47, 3), false, 'to bar him again changes nothing');
SELECT is(pg_temp.outcome('issue(47, 3)'), 'PT410 revoked', 'bob cannot enter');
SELECT is(pg_temp.outcome('refresh(47, 3)'), 'PT410 revoked', 'nor refresh');
SELECT is(pg_temp.outcome('issue(47, 2)'), 'ok', 'jane can');
SELECT is(vidtoken.vidtoken_reinstate(47, 3), true, 'the bar is lifted');
SELECT is(vidtoken.vidtoken_reinstate(47, 3), false, 'there is none to lift any more');
SELECT is(pg_temp.outcome('refresh(47, 3)'), 'PT409 no_session', 'a lifted bar is no session');
SELECT is(pg_temp.outcome('issue(47, 3)'), 'ok', 'bob can enter');
SELECT is(row(issue_count, first_issued_at, revoked_at)::text, '(1,"2026-03-02 10:00:00+00",)', 'his session is a new one')
  FROM vidtoken.vidtoken_sessions WHERE user_id = '3';
SELECT pg_temp.clock(5) \gset
SELECT is(vidtoken.vidtoken_revoke(47, 3), true, 'bob is barred in his session');
SELECT is(state, 'revoked', 'the view says so'), is(revoked_at, '2026-03-02 10:05+00', 'and since when')
  FROM vidtoken.vidtoken_sessions WHERE user_id = '3';
SELECT pg_temp.clock(6) \gset
SELECT is(vidtoken.vidtoken_revoke(47, 3), false, 'a second bar changes nothing');
SELECT is(pg_temp.outcome(call || '(47, 3)'), 'PT410 revoked', 'a barred participant cannot ' || call)
  FROM unnest(ARRAY['issue', 'refresh']) AS call;
SELECT is(row(issued_at, revoked_at, issue_count, refresh_count)::text, '("2026-03-02 10:00:00+00","2026-03-02 10:05:00+00",1,0)', 'what was refused left no trace')
  FROM vidtoken.vidtoken_sessions WHERE user_id = '3';
SELECT is(vidtoken.vidtoken_reinstate(47, 3), true, 'bob is reinstated');
SELECT is(pg_temp.outcome('refresh(47, 3)'), 'ok', 'and goes on with his session');
SELECT is(vidtoken.vidtoken_reinstate(47, 9), false, 'who was never barred is not reinstated');

-- the bar of an appointment
SELECT pg_temp.scene(0) AS scene \gset
SELECT lives_ok(format('SELECT vidtoken.vidtoken_issue(47, %s)', u), format('user %s enters', u)) FROM unnest(ARRAY[2, 3]) AS u;
SELECT is(vidtoken.vidtoken_revoke(47, 3), true, 'bob is barred by name');
SELECT is(vidtoken.vidtoken_revoke_all(47), 1, 'a bar of all ends the one session that is left');
SELECT is(vidtoken.vidtoken_revoke_all(47), 0, 'a second one ends none');
SELECT is(pg_temp.outcome(call), 'PT410 revoked', call || ' is refused')
  FROM unnest(ARRAY['issue(47, 2)', 'refresh(47, 2)', 'issue(47, 9)', 'refresh(47, 9)']) AS call;
SELECT is(pg_temp.outcome('issue(60, 2)'), 'ok', 'another appointment is not barred');
SELECT is(vidtoken.vidtoken_reinstate(47, 2), false, 'jane is not barred by name');
SELECT is(pg_temp.outcome('refresh(47, 2)'), 'PT410 revoked', 'so that frees her not');
SELECT is(vidtoken.vidtoken_reinstate_all(47), 1, 'lifting the bar of all frees her session');
SELECT is(vidtoken.vidtoken_reinstate_all(47), 0, 'there is no bar to lift any more');
SELECT is(pg_temp.outcome(call), 'ok', call || ' passes again') FROM unnest(ARRAY['refresh(47, 2)', 'issue(47, 9)']) AS call;
SELECT is(pg_temp.outcome('refresh(47, 3)'), 'PT410 revoked', 'bob stays barred by name');
SELECT is(vidtoken.vidtoken_reinstate(47, 3), true, 'until that is lifted');
SELECT is(pg_temp.outcome('refresh(47, 3)'), 'ok', 'then he is back');
SELECT is(vidtoken.vidtoken_revoke_all(30), 0, 'an appointment without sessions is barred');
SELECT is(pg_temp.outcome('issue(30, 2)'), 'PT410 revoked', 'who comes later is refused');
SELECT is(vidtoken.vidtoken_reinstate_all(30), 0, 'lifting it frees no session');
SELECT is(pg_temp.outcome('issue(30, 2)'), 'ok', 'who comes later may enter');

-- a new room
SELECT pg_temp.scene(0) AS scene \gset
SELECT room_name AS old FROM vidtoken.vidtoken_issue(47, 2) \gset
SELECT lives_ok('SELECT vidtoken.vidtoken_issue(47, 3)', 'bob is in the room too');
SELECT is(vidtoken.vidtoken_revoke(47, 3), true, 'and barred');
SELECT vidtoken.vidtoken_reset_room(47) AS new \gset
SELECT matches(:'new'::text, '^apt-47-[a-z2-7]{13}$', 'a reset gives a name like others');
SELECT isnt(:'new'::text, :'old', 'another one');
SELECT is(room_name, :'old', 'a session keeps its room until its next token') FROM vidtoken.vidtoken_sessions WHERE user_id = '2';
UPDATE clinic.users SET email = 'jane@example.org' WHERE id = 2;
SELECT is(room_name, :'new', 'refresh moves it'), is(user_identity, '2-jane@example.org', 'and takes the identity anew')
  FROM vidtoken.vidtoken_refresh(47, 2);
SELECT is(room_name, :'new', 'the view shows it') FROM vidtoken.vidtoken_sessions WHERE user_id = '2';
SELECT is(room_name, :'new', 'it stays') FROM vidtoken.vidtoken_refresh(47, 2);
SELECT is(room_name, :'new', 'who comes later gets it') FROM vidtoken.vidtoken_issue(47, 9);
SELECT is(pg_temp.token_part(access_token, 2) #>> '{grants,video,room}', :'new', 'in the token too') FROM vidtoken.vidtoken_issue(47, 9);
SELECT is(pg_temp.outcome('refresh(47, 3)'), 'PT410 revoked', 'who is barred does not');
SELECT ok(vidtoken.vidtoken_reset_room(47) NOT IN (:'old', :'new'), 'each reset gives a name never used before');
SELECT unalike(room_name, :'new', 'issue moves a session as well') FROM vidtoken.vidtoken_issue(47, 2);
SELECT is(vidtoken.vidtoken_revoke_all(47), 2, 'an appointment with a new room is barred');
SELECT is(pg_temp.outcome('issue(47, 2)'), 'PT410 revoked', 'and refuses');
SELECT is(vidtoken.vidtoken_reinstate_all(47), 2, 'the bar is lifted');
SELECT unalike(room_name, :'old', 'the old room does not come back') FROM vidtoken.vidtoken_issue(47, 2);
CREATE VIEW clinic.named_rooms AS SELECT *, CASE appointment_id WHEN 47 THEN 'ward 7' END AS room_name FROM clinic.video_source;
SET LOCAL vidtoken.source = 'clinic.named_rooms';
SELECT is(code, 'F0000', 'a room that the source names cannot be reset')
  FROM pg_temp.refusal('SELECT vidtoken.vidtoken_reset_room(47)');
SELECT is(pg_temp.outcome('reset_room(60)'), 'ok', 'one that it leaves to us can');
SELECT is(pg_temp.outcome('reset_room(4711)'), 'PT404 not_found', 'nor one of which it is not known who names it');
SET LOCAL vidtoken.source = 'clinic.video_source';

-- deleted appointments
SELECT pg_temp.scene(0) AS scene \gset
SELECT lives_ok('SELECT vidtoken.vidtoken_issue(60, 2)', 'jane enters an appointment');
DELETE FROM clinic.participants WHERE appointment_id = 60;
DELETE FROM clinic.appointments WHERE id = 60;
SELECT is(pg_temp.outcome('refresh(60, 2)'), 'PT404 not_found', 'a deleted one is not there');
SELECT is(vidtoken.vidtoken_revoke(60, 2), true, 'it can be revoked all the same');
SELECT is(state, 'revoked', 'the view says so') FROM vidtoken.vidtoken_sessions;
SELECT is(vidtoken.vidtoken_reinstate(60, 2), true, 'and reinstated');
SELECT is(vidtoken.vidtoken_revoke_all(60), 1, 'barred as a whole');
SELECT is(vidtoken.vidtoken_reinstate_all(60), 1, 'and reinstated as a whole');
SELECT matches(vidtoken.vidtoken_reset_room(60), '^apt-60-', 'its room can be reset');

-- arguments
SELECT is(pg_temp.outcome(call), 'PT404 not_found', call || ': a malformed id')
  FROM unnest(ARRAY[$$revoke('x', 2)$$, $$revoke(47, 'x')$$, $$revoke_all('x')$$, $$reinstate('x', 2)$$,
                    $$reinstate(47, 'x')$$, $$reinstate_all('x')$$, $$reset_room('x')$$]) AS call;
SELECT is(pg_temp.outcome(call), '22004', call || ': no id')
  FROM unnest(ARRAY['issue(NULL, 2)', 'issue(47, NULL)', 'refresh(NULL, 2)', 'refresh(47, NULL)',
                    'revoke(NULL, 2)', 'revoke(47, NULL)', 'revoke_all(NULL)', 'reinstate(NULL, 2)',
                    'reinstate(47, NULL)', 'reinstate_all(NULL)', 'reset_room(NULL)', 'prune(NULL)']) AS call;

-- pruning: a day after the hard stop at the earliest; the hard stops are
-- 12:30 of 30, 13:00 of 47, 14:00 of 120, 17:00 of 300
SELECT is(pg_temp.outcome(format('prune(%L)', older_than)), outcome, format('prune %s: %s', older_than, outcome))
  FROM (VALUES ('1 day', 'ok'), ('24 hours', 'ok'), ('1 month', 'ok'), ('23:59:59.999999', '22023'),
               ('0', '22023'), ('-1 day', '22023'), ('1 month -31 days', '22023')) AS e (older_than, outcome);
SELECT is(pg_temp.outcome('prune()'), 'ok', 'prune without an argument takes 30 days');
SELECT pg_temp.scene(0) AS scene \gset
SELECT lives_ok(format('SELECT vidtoken.vidtoken_issue(%s, %s)', a, u), format('user %s enters %s', u, a))
  FROM (VALUES (47, 2), (47, 3), (120, 2), (300, 2)) AS e (a, u);
SELECT is(vidtoken.vidtoken_revoke(47, 3), true, 'a session is barred');
SELECT is(vidtoken.vidtoken_revoke(30, 2), true, 'a participant without one is barred');
SELECT is(vidtoken.vidtoken_revoke_all(120), 1, 'an appointment is barred');
SELECT isnt(vidtoken.vidtoken_reset_room(47), NULL, 'a room is reset');
SELECT is(vidtoken.vidtoken_revoke(4711, 2), true, 'an appointment nobody knows is barred');
CREATE FUNCTION pg_temp.pruned(at text, older_than interval) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    forgotten bigint;
BEGIN
    PERFORM set_config('vidtoken.test_clock', at || '+00', true);
    forgotten := vidtoken.vidtoken_prune(older_than);
    RETURN forgotten || ', left: ' ||
        (SELECT coalesce(string_agg(DISTINCT appointment_id, ' ' ORDER BY appointment_id), 'none')
           FROM (SELECT appointment_id FROM vidtoken.vidtoken_session
                 UNION SELECT appointment_id FROM vidtoken.vidtoken_room) AS l);
END;
$$;
SELECT is(pg_temp.pruned(at, older_than), expected, format('prune of %s at %s: %s', older_than, at, expected))
  FROM (VALUES
    ('2026-03-02 13:00', interval '1 day', '0, left: 120 30 300 47 4711'),
    ('2026-03-03 12:30', '1 day', '0, left: 120 30 300 47 4711'),
    ('2026-03-03 12:30:00.000001', '2 days', '0, left: 120 30 300 47 4711'),
    ('2026-03-03 12:30:00.000001', '1 day', '1, left: 120 300 47 4711'),
    ('2026-03-03 13:00', '1 day', '0, left: 120 300 47 4711'),
    ('2026-03-03 13:00:00.000001', '1 day', '3, left: 120 300 4711'),
    ('2026-03-03 14:00', '1 day', '0, left: 120 300 4711'),
    ('2026-03-03 14:00:01', '24 hours', '2, left: 300 4711'),
    ('2026-04-02 17:00', '1 month', '0, left: 300 4711'),
    ('2026-04-02 17:00:01', '1 month', '1, left: 4711'),
    ('2027-03-02 10:00', '1 month', '0, left: 4711')
  ) AS e (at, older_than, expected);

-- an appointment that was moved to next week keeps its bars and its room
SELECT pg_temp.scene(0) AS scene \gset
SELECT lives_ok(format('SELECT vidtoken.vidtoken_issue(%s, 2)', a), 'jane enters ' || a) FROM unnest(ARRAY[30, 47, 120, 300]) AS a;
SELECT is(vidtoken.vidtoken_revoke(30, 2), true, 'a session is barred');
SELECT is(vidtoken.vidtoken_revoke_all(120), 1, 'an appointment is barred');
SELECT is(vidtoken.vidtoken_revoke(47, 3), true, 'someone without a session is barred');
SELECT vidtoken.vidtoken_reset_room(300) AS new \gset
UPDATE clinic.appointments SET starts_at = '2026-03-09 10:00+00';
SELECT pg_temp.clock(5 * 1440) \gset
SELECT is(pg_temp.outcome('prune(''1 day'')'), 'ok', 'days later the ledger is pruned');
SELECT pg_temp.clock(7 * 1440) \gset
SELECT is(pg_temp.outcome(call), 'PT410 revoked', call || ' is still refused') FROM unnest(ARRAY['issue(30, 2)', 'issue(120, 2)', 'issue(47, 3)']) AS call;
SELECT is(pg_temp.outcome('issue(47, 2)'), 'ok', 'who is not barred enters');
SELECT is(room_name, :'new', 'the room is still the new one') FROM vidtoken.vidtoken_issue(300, 2);
UPDATE clinic.appointments SET starts_at = '2026-03-02 10:00+00';

-- bars of someone who did not see the appointment: until when they matter, the
-- source tells whoever prunes
SELECT pg_temp.scene(0) AS scene \gset
CREATE VIEW clinic.nothing_seen AS SELECT * FROM clinic.video_source WHERE false;
SET LOCAL vidtoken.source = 'clinic.nothing_seen';
SELECT is(vidtoken.vidtoken_revoke(47, 2), true, 'a bar of one who is not seen'), is(vidtoken.vidtoken_revoke_all(300), 0, 'and of all of them');
SET LOCAL vidtoken.source = 'clinic.video_source';
SELECT is(pg_temp.pruned(at, '1 day'), expected, format('at %s: %s', at, expected))
  FROM (VALUES
    ('2026-03-03 10:00', '0, left: 300 47'),
    ('2026-03-03 13:00', '0, left: 300 47'),
    ('2026-03-03 13:00:00.000001', '1, left: 300'),
    ('2026-04-03 13:00', '1, left: none')
  ) AS e (at, expected);

-- read-only transactions
CREATE FUNCTION pg_temp.read_only(call text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    outcome text;
BEGIN
    SET LOCAL transaction_read_only = on;
    outcome := pg_temp.outcome(call);
    RAISE 'undo';       -- the way back to read-write
EXCEPTION WHEN raise_exception THEN
    RETURN outcome;
END;
$$;
SELECT pg_temp.scene(0) AS scene \gset
SELECT lives_ok('SELECT vidtoken.vidtoken_issue(47, 2)', 'jane has a session');
SELECT is(pg_temp.read_only(call), '25006', format('%s: %s is refused in a read-only transaction', mode, call))
  FROM unnest(ARRAY['required', 'preferred']) AS mode,
       set_config('vidtoken.record_sessions', mode, true) AS set,
       unnest(ARRAY['issue(47, 2)', 'issue(47, 3)', 'refresh(47, 2)', 'revoke(47, 2)', 'revoke_all(47)',
                    'reinstate(47, 2)', 'reinstate_all(47)', 'reset_room(47)', 'prune()']) AS call;
RESET vidtoken.record_sessions;
SELECT is(pg_temp.read_only(call), 'ok', call || ' needs no write')
  FROM unnest(ARRAY['ttl(''60 minutes'')', 'policy(now(), ''60 minutes'')', 'check()', 'clock()']) AS call;
SELECT is(pg_temp.outcome('issue(47, 2)'), 'ok', 'a read-write transaction issues still');

-- no ledger
SELECT pg_temp.scene(0) AS scene \gset
SELECT is(vidtoken.vidtoken_revoke(47, 3), true, 'bob is barred');
SELECT room_name AS recorded FROM vidtoken.vidtoken_issue(47, 2) \gset
SET LOCAL vidtoken.record_sessions = 'off';
SELECT is(room_name, :'recorded', 'off: the room is the same') FROM vidtoken.vidtoken_issue(47, 9);
SELECT is(pg_temp.outcome('issue(47, 3)'), 'ok', 'off: bars are not read');
SELECT is(pg_temp.outcome('refresh(47, 2)'), 'ok', 'off: a refresh within the entering window');
SELECT is(pg_temp.read_only('issue(47, 2)'), 'ok', 'off: a read-only transaction issues');
SELECT is(string_agg(user_id || ':' || issue_count || ':' || refresh_count, ' ' ORDER BY user_id), '2:1:0 3:0:0', 'off: nothing is written')
  FROM vidtoken.vidtoken_session;
SELECT is(code, 'F0000', 'off: ' || call || ' is refused'), alike(hint, '%vidtoken.record_sessions%', 'off: the hint names the setting')
  FROM unnest(ARRAY['revoke(47, 2)', 'revoke_all(47)', 'reinstate(47, 3)', 'reinstate_all(47)', 'reset_room(47)', 'prune()']) AS call,
       pg_temp.refusal('SELECT vidtoken.vidtoken_' || call);
SELECT pg_temp.clock(75) \gset
SELECT is(pg_temp.outcome('refresh(47, 2)'), 'ok', 'off: a refresh at closes_at');
SELECT pg_temp.clock(75.1) \gset
SELECT is(pg_temp.outcome(call || '(47, 2)'), 'PT410 ended', 'off: no ' || call || ' after closes_at') FROM unnest(ARRAY['issue', 'refresh']) AS call;
SET LOCAL vidtoken.record_sessions = 'required';
SELECT is(pg_temp.outcome('refresh(47, 2)'), 'ok', 'with the ledger the session may stay');

SELECT * FROM finish();
ROLLBACK;
