\unset ECHO
\i test/setup.sql

-- The table of lives: for each duration, anchor and moment, how long a token
-- lives and where that ends relative to the appointment's end, as
-- vidtoken_policy() foretells it and as vidtoken_issue() does it.  Then the
-- windows to the microsecond, and the times of refresh and warning.

SELECT plan(184);

-- minutes, minutes after the appointment's end, hs at the hard stop
CREATE TEMP TABLE cell (number serial, minutes integer, anchor text,
                        moment text, at numeric, expected text);
INSERT INTO cell (minutes, anchor, moment, at, expected)
SELECT minutes, anchor, moment, at, expected
  FROM (VALUES
    -- start-15      start        middle       end            end+15
    (30, 'issue',
     '60, +15',     '60, +30',   '60, +45',   '60, +60',      '60, +75'),
    (60, 'issue',
     '90, +15',     '90, +30',   '90, +60',   '90, +90',      '90, +105'),
    (120, 'issue',
     '150, +15',    '150, +30',  '150, +90',  '120, +120 hs', '105, +120 hs'),
    (300, 'issue',
     '240, -75',    '240, -60',  '240, +90',  '120, +120 hs', '105, +120 hs'),
    (30, 'appointment',
     '75, +30',     '60, +30',   '60, +45',   '60, +60',      '60, +75'),
    (60, 'appointment',
     '105, +30',    '90, +30',   '60, +30',   '60, +60',      '60, +75'),
    (120, 'appointment',
     '165, +30',    '150, +30',  '90, +30',   '60, +60',      '60, +75'),
    (300, 'appointment',
     '240, -75',    '240, -60',  '180, +30',  '60, +60',      '60, +75')
  ) AS line (minutes, anchor, c1, c2, c3, c4, c5)
 CROSS JOIN LATERAL (VALUES
    ('start-15', -15, c1), ('start', 0, c2), ('middle', minutes / 2, c3),
    ('end', minutes, c4), ('end+15', minutes + 15, c5)
  ) AS col (moment, at, expected);

CREATE FUNCTION pg_temp.in_table(minutes integer, expires_at timestamptz,
                                 refresh_at timestamptz) RETURNS text
LANGUAGE sql AS $$
    SELECT concat(
        extract(epoch FROM expires_at - vidtoken.vidtoken_clock())::integer / 60, ', ',
        to_char(extract(epoch FROM expires_at - timestamptz '2026-03-02 10:00+00')::integer
                / 60 - minutes, 'SGFM990'),
        CASE WHEN refresh_at IS NULL THEN ' hs' END);
$$;
CREATE FUNCTION pg_temp.set_scene(anchor text, minutes numeric) RETURNS void
LANGUAGE sql AS $$
    DELETE FROM vidtoken.vidtoken_session;
    SELECT set_config('vidtoken.expiry_anchor', anchor, true), pg_temp.clock(minutes);
    SELECT NULL::void;
$$;
CREATE FUNCTION pg_temp.by_policy(c cell) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.set_scene(c.anchor, c.at);
    RETURN (SELECT pg_temp.in_table(c.minutes, expires_at, refresh_at)
              FROM vidtoken.vidtoken_policy('2026-03-02 10:00+00',
                                            make_interval(mins => c.minutes)));
END;
$$;
CREATE FUNCTION pg_temp.by_issue(c cell) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.set_scene(c.anchor, c.at);
    RETURN (SELECT pg_temp.in_table(c.minutes, expires_at, refresh_at)
              FROM vidtoken.vidtoken_issue(c.minutes, 2));
END;
$$;

SELECT is(pg_temp.by_policy(c), expected,
          format('policy: %s minutes, %s, %s: %s', minutes, anchor, moment, expected))
  FROM cell AS c ORDER BY number;
SELECT is(pg_temp.by_issue(c), expected,
          format('issue: %s minutes, %s, %s: %s', minutes, anchor, moment, expected))
  FROM cell AS c ORDER BY number;
SET LOCAL vidtoken.expiry_anchor = 'issue';
SELECT pg_temp.clock(0) \gset

-- the schedule of an hour: 09:45 opens, 11:15 closes, 13:00 hard stop
SELECT is(opens_at, '2026-03-02 09:45+00', 'opens_at is start - buffer_before'),
       is(closes_at, '2026-03-02 11:15+00', 'closes_at is end + buffer_after'),
       is(ends_at, '2026-03-02 11:00+00', 'ends_at is start + duration'),
       is(hard_stop, '2026-03-02 13:00+00', 'hard_stop is end + max_overrun'),
       is(ttl, '90 minutes', 'ttl is the formula''s'),
       is(expires_at, '2026-03-02 11:30+00', 'expires_at is now + ttl'),
       is(refresh_at, '2026-03-02 11:25+00', 'refresh_at is refresh_window before expiry'),
       is(warn_at, '2026-03-02 11:20+00', 'warn_at is warn_window before expiry'),
       is(empty_room_timeout, '15 minutes', 'an empty room stays 15 minutes'),
       is(unused_room_timeout, '90 minutes', 'an unused room waits duration + 30 minutes'),
       ok(may_issue, 'a token may be issued now'),
       is(reason, NULL, 'there is no reason against it')
  FROM vidtoken.vidtoken_policy('2026-03-02 10:00+00', '60 minutes');
SELECT is(unused_room_timeout, '330 minutes', 'an unused room''s timeout is not cut')
  FROM vidtoken.vidtoken_policy('2026-03-02 10:00+00', '300 minutes');
SELECT is(closes_at, hard_stop, 'entering ends at the hard stop at the latest')
  FROM set_config('vidtoken.max_overrun', '10min', true),
       vidtoken.vidtoken_policy('2026-03-02 10:00+00', '60 minutes');
RESET vidtoken.max_overrun;

-- outcome of a call: "ok" or the SQLSTATE and the reason
CREATE FUNCTION pg_temp.outcome(call text) RETURNS text
LANGUAGE sql AS $$
    SELECT coalesce(code || ' ' || reason, 'ok')
      FROM pg_temp.refusal('SELECT * FROM vidtoken.' || call);
$$;
CREATE FUNCTION pg_temp.outcome_at(call text, at timestamptz) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('vidtoken.test_clock', at::text, true);
    RETURN pg_temp.outcome(call);
END;
$$;

-- entering: the windows to the microsecond, in both functions
CREATE FUNCTION pg_temp.entering(at timestamptz) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM vidtoken.vidtoken_session;
    RETURN pg_temp.outcome_at('vidtoken_issue(47, 2)', at);
END;
$$;
SELECT is(pg_temp.entering(at), outcome, 'entering ' || name || ': ' || outcome),
       is((SELECT coalesce('PT' || CASE reason WHEN 'too_early' THEN 425 ELSE 410 END
                           || ' ' || reason, 'ok')
             FROM vidtoken.vidtoken_policy('2026-03-02 10:00+00', '60 minutes', at)),
          outcome, 'the policy foretells entering ' || name),
       is((SELECT num_nonnulls(expires_at, refresh_at, warn_at)
             FROM vidtoken.vidtoken_policy('2026-03-02 10:00+00', '60 minutes', at)),
          CASE outcome WHEN 'ok' THEN 3 ELSE 0 END,
          'the policy gives times of a token only then')
  FROM (VALUES
    ('a day before', timestamptz '2026-03-01 10:00+00', 'PT425 too_early'),
    ('1 us before opens_at', '2026-03-02 09:44:59.999999+00', 'PT425 too_early'),
    ('at opens_at', '2026-03-02 09:45+00', 'ok'),
    ('1 us after opens_at', '2026-03-02 09:45:00.000001+00', 'ok'),
    ('1 us before closes_at', '2026-03-02 11:14:59.999999+00', 'ok'),
    ('at closes_at', '2026-03-02 11:15+00', 'ok'),
    ('1 us after closes_at', '2026-03-02 11:15:00.000001+00', 'PT410 ended'),
    ('a day after', '2026-03-03 10:00+00', 'PT410 ended')
  ) AS example (name, at, outcome);
SELECT is(reason, outcome, 'the policy at ' || at || ' is ' || outcome)
  FROM (VALUES (timestamptz '-infinity', 'too_early'), ('infinity', 'ended')) AS e (at, outcome)
 CROSS JOIN LATERAL vidtoken.vidtoken_policy('2026-03-02 10:00+00', '60 minutes', e.at);

-- staying: who has a session may come back until a minute before the hard stop
SELECT pg_temp.clock(0) \gset
SELECT lives_ok('SELECT vidtoken.vidtoken_issue(47, 2)', 'jane enters at the start');
SELECT is(pg_temp.outcome_at('vidtoken_refresh(47, 2)', at), outcome,
          'refresh ' || name || ': ' || outcome),
       is(pg_temp.outcome_at('vidtoken_issue(47, 2)', at), outcome,
          'issue again ' || name || ': ' || outcome)
  FROM (VALUES
    ('1 us before opens_at', timestamptz '2026-03-02 09:44:59.999999+00', 'PT425 too_early'),
    ('at opens_at', '2026-03-02 09:45+00', 'ok'),
    ('1 us after closes_at', '2026-03-02 11:15:00.000001+00', 'ok'),
    ('a minute before the hard stop', '2026-03-02 12:59+00', 'ok'),
    ('within the second of the last minute', '2026-03-02 12:59:00.999999+00', 'ok'),
    ('59 s before the hard stop', '2026-03-02 12:59:01+00', 'PT410 ended'),
    ('at the hard stop', '2026-03-02 13:00+00', 'PT410 ended'),
    ('1 us after the hard stop', '2026-03-02 13:00:00.000001+00', 'PT410 ended')
  ) AS example (name, at, outcome);
DELETE FROM vidtoken.vidtoken_session;
SELECT pg_temp.clock(0) \gset
SELECT lives_ok('SELECT vidtoken.vidtoken_issue(47, 2)', 'jane enters at the start again');
SELECT is(pg_temp.outcome_at('vidtoken_refresh(47, 2)', '2026-03-02 12:30+00'), 'ok',
          'an hour after the token expired its session is refreshed');
SELECT is(pg_temp.outcome('vidtoken_issue(47, 3)'), 'PT410 ended',
          'who has no session cannot enter then');
SELECT is(pg_temp.outcome('vidtoken_refresh(47, 3)'), 'PT409 no_session',
          'refresh is no way to enter');

-- less than a minute is of no use, for entering too
SET LOCAL vidtoken.max_overrun = 0;
SELECT is(pg_temp.entering('2026-03-02 10:59+00'), 'ok', 'entering with 60 s left: ok');
SELECT is(pg_temp.entering('2026-03-02 10:59:01+00'), 'PT410 ended', 'entering with 59 s left: ended');
SELECT is(reason, 'ended', 'the policy foretells it'),
       is(may_issue, false, 'it says that no token may be issued'),
       is(num_nonnulls(expires_at, refresh_at, warn_at), 0, 'and gives no times of a token')
  FROM vidtoken.vidtoken_policy('2026-03-02 10:00+00', '60 minutes', '2026-03-02 10:59:01+00');
SELECT is(expires_at, hard_stop, 'the last token ends at the hard stop'),
       is(refresh_at, NULL, 'at the hard stop there is nothing to refresh'),
       is(warn_at, hard_stop - interval '30 s', 'the warning comes at half of a minute''s life')
  FROM vidtoken.vidtoken_policy('2026-03-02 10:00+00', '60 minutes', '2026-03-02 10:59+00');
RESET vidtoken.max_overrun;

-- windows of refresh and warning: at most half of the life, whole seconds
CREATE FUNCTION pg_temp.windows(refresh text, warn text, OUT refresh_in integer,
                                OUT warn_in integer)
LANGUAGE sql AS $$
    SELECT set_config('vidtoken.refresh_window', refresh, true),
           set_config('vidtoken.warn_window', warn, true);
    SELECT extract(epoch FROM expires_at - refresh_at)::integer,
           extract(epoch FROM expires_at - warn_at)::integer
      FROM vidtoken.vidtoken_policy('2026-03-02 10:00+00', '60 minutes',
                                    '2026-03-02 10:00+00');
$$;
SELECT is(w::text, expected, format('windows of %s and %s: %s s', refresh, warn, expected))
  FROM (VALUES ('5min', '10min', '(300,600)'), ('1s', '1s', '(1,1)'),
               ('45min', '45min', '(2700,2700)'), ('2701s', '2699s', '(2700,2699)'),
               ('1d', '1d', '(2700,2700)')) AS e (refresh, warn, expected)
 CROSS JOIN LATERAL pg_temp.windows(refresh, warn) AS w;
SET LOCAL vidtoken.min_ttl = 61;
SET LOCAL vidtoken.max_ttl = 61;
SELECT is(pg_temp.windows('1d', '1d')::text, '(30,30)', 'half of an odd life is cut to the second');
RESET vidtoken.min_ttl;
RESET vidtoken.max_ttl;
RESET vidtoken.refresh_window;
RESET vidtoken.warn_window;

-- the clock has microseconds, tokens have not
DELETE FROM vidtoken.vidtoken_session;
UPDATE clinic.appointments SET starts_at = '2026-03-02 10:00:00.5+00' WHERE id = 60;
CREATE FUNCTION pg_temp.issued(anchor text, clock timestamptz)
RETURNS vidtoken.vidtoken_grant LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('vidtoken.expiry_anchor', anchor, true),
            set_config('vidtoken.test_clock', clock::text, true);
    RETURN vidtoken.vidtoken_issue(60, 2);
END;
$$;
SELECT is(issued_at, date_trunc('second', clock), name || ': issued_at is cut to the second'),
       is(expires_at, date_trunc('second', expires_at), name || ': expires_at is a whole second'),
       is((pg_temp.token_part(access_token, 2) ->> 'exp')::bigint,
          extract(epoch FROM expires_at)::bigint, name || ': it is the claim exp'),
       is(expires_in, extract(epoch FROM expires_at - issued_at)::integer,
          name || ': expires_in lies between the two'),
       is(expires_at, expected, name || ': a token expires at ' || expected::time)
  FROM (VALUES
    ('from the call', 'issue', timestamptz '2026-03-02 10:00:00.999999+00', timestamptz '2026-03-02 11:30:00+00'),
    ('from the end', 'appointment', '2026-03-02 10:00:00.75+00', '2026-03-02 11:30:01+00'),
    ('at the hard stop', 'issue', '2026-03-02 12:30:00.25+00', '2026-03-02 13:00:00+00')
  ) AS example (name, anchor, clock, expected)
 CROSS JOIN LATERAL pg_temp.issued(anchor, clock);
RESET vidtoken.expiry_anchor;

-- the provider's maximum bounds exp - iat, and iat lies clock_skew back
SET LOCAL vidtoken.min_ttl = '30d';
SET LOCAL vidtoken.max_ttl = '30d';
SET LOCAL vidtoken.max_overrun = '30d';
CREATE FUNCTION pg_temp.lives(skew text, OUT expires_in integer, OUT claimed bigint,
                              OUT policy integer)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('vidtoken.clock_skew', skew, true), pg_temp.set_scene('issue', 0);
    SELECT g.expires_in,
           (claims ->> 'exp')::bigint - (claims ->> 'iat')::bigint,
           extract(epoch FROM p.expires_at - g.issued_at)
      INTO expires_in, claimed, policy
      FROM vidtoken.vidtoken_issue(47, 2) AS g,
           pg_temp.token_part(g.access_token, 2) AS claims,
           vidtoken.vidtoken_policy('2026-03-02 10:00+00', '60 minutes') AS p;
END;
$$;
SELECT is(l::text, expected, 'twilio''s day counts from iat with a skew of ' || skew)
  FROM (VALUES ('0', '(86400,86400,86400)'), ('10s', '(86390,86400,86390)'),
               ('5min', '(86100,86400,86100)')) AS e (skew, expected)
 CROSS JOIN LATERAL pg_temp.lives(skew) AS l;
RESET vidtoken.min_ttl;
RESET vidtoken.max_ttl;
RESET vidtoken.max_overrun;
RESET vidtoken.clock_skew;

-- arguments
SELECT is(count(*)::integer, 1, name || ' gives a row'),
       is(sum(num_nonnulls(opens_at, closes_at, ends_at, hard_stop, ttl, expires_at,
                           refresh_at, warn_at, empty_room_timeout,
                           unused_room_timeout, may_issue, reason))::integer, 0,
          name || ' gives NULLs')
  FROM (VALUES (1, 'a NULL start', NULL::timestamptz, interval '60 minutes'),
               (2, 'a NULL duration', '2026-03-02 10:00+00', NULL),
               (3, 'a NULL start and duration', NULL, NULL)) AS e (number, name, starts_at, duration)
 CROSS JOIN LATERAL vidtoken.vidtoken_policy(e.starts_at, e.duration)
 GROUP BY number, name ORDER BY number;
SELECT is(p, q, 'a NULL "at" is now')
  FROM vidtoken.vidtoken_policy('2026-03-02 10:00+00', '60 minutes', NULL) AS p,
       vidtoken.vidtoken_policy('2026-03-02 10:00+00', '60 minutes', vidtoken.vidtoken_clock()) AS q;
SELECT is(code, '22023', 'a start of ' || starts_at || ' is refused')
  FROM (VALUES ('infinity'), ('-infinity'), ('294276-12-31 23:30+00'),
               ('4714-11-24 00:00:00+00 BC')) AS e (starts_at)
 CROSS JOIN LATERAL
       pg_temp.refusal(format('SELECT vidtoken.vidtoken_policy(%L, %L)', starts_at, '60 minutes'));

SELECT * FROM finish();
ROLLBACK;
