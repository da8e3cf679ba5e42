\unset ECHO
\i test/setup.sql

-- vidtoken_ttl(): least(greatest(duration + both buffers, min_ttl), max_ttl),
-- read as the examples of 30, 60, 120 and 300 minutes fix it.

SELECT plan(75);

-- the formula, at its two bends too
SELECT is(vidtoken.vidtoken_ttl(duration), ttl, duration || ' gives ' || ttl)
  FROM (VALUES
    (interval '30 minutes', interval '60 minutes'),
    ('60 minutes', '90 minutes'),
    ('120 minutes', '150 minutes'),
    ('300 minutes', '240 minutes'),
    ('5 minutes', '60 minutes'),
    ('29 minutes 59 seconds', '60 minutes'),
    ('30 minutes 1 second', '60 minutes 1 second'),
    ('209 minutes 59 seconds', '239 minutes 59 seconds'),
    ('210 minutes', '240 minutes'),
    ('210 minutes 1 second', '240 minutes'),
    ('24855 days 3 hours 14 minutes 7 seconds', '240 minutes')
  ) AS example (duration, ttl);

SELECT is(vidtoken.vidtoken_ttl(NULL), NULL, 'no duration gives no life');

-- durations are rounded up to the second, so that no token ends early
SELECT is(vidtoken.vidtoken_ttl(duration), ttl, duration || ' is rounded up')
  FROM (VALUES
    (interval '60 minutes 0.000001 seconds', interval '90 minutes 1 second'),
    ('60 minutes 0.5 seconds', '90 minutes 1 second'),
    ('60 minutes 0.999999 seconds', '90 minutes 1 second'),
    ('60 minutes -0.5 seconds', '90 minutes'),
    ('1 day -23 hours -0.5 seconds', '90 minutes'),
    ('4 minutes 59.000001 seconds', '60 minutes')
  ) AS example (duration, ttl);

-- what is refused: SQLSTATE, and a detail that says why
SELECT is(r.code, '22023', name || ' is refused'),
       alike(r.detail, example.detail, name || ' is told why')
  FROM (VALUES
    ('a month', '1 month', '%no fixed length%'),
    ('a year', '1 year', '%no fixed length%'),
    ('a month less 29 days', '1 month -29 days', '%no fixed length%'),
    ('a negative month', '-1 month 60 days', '%no fixed length%'),
    ('zero', '0', '%positive%'),
    ('a year less twelve months', '1 year -12 months', '%positive%'),
    ('a day less 24 hours', '1 day -24 hours', '%positive%'),
    ('a negative duration', '-60 minutes', '%positive%'),
    ('a negative day', '-1 day 23 hours', '%positive%'),
    ('a bare 60', '60', '%60 s, below%min_duration%300 s%'),
    ('a second less than min_duration', '4 minutes 59 seconds', '%299 s, below%'),
    ('a part of a second', '0.000001 seconds', '%1 s, below%'),
    ('69 years of days', '25200 days', '%68 years%')
  ) AS example (name, duration, detail)
 CROSS JOIN LATERAL
       pg_temp.refusal(format('SELECT vidtoken.vidtoken_ttl(%L)', duration)) AS r;
SELECT alike(hint, '%bare 60 means 60 seconds%', 'a bare 60 is told what it means')
  FROM pg_temp.refusal($$SELECT vidtoken.vidtoken_ttl('60')$$);
-- before PostgreSQL 17 the type itself knows none
SELECT alike(code, '220__', 'an infinite duration is refused')
  FROM pg_temp.refusal($$SELECT vidtoken.vidtoken_ttl('infinity')$$);
SELECT is(code, '22023', 'vidtoken_policy() refuses what vidtoken_ttl() refuses')
  FROM pg_temp.refusal($$SELECT vidtoken.vidtoken_policy(now(), '60')$$);

-- a day is 24 hours, also where the clocks change
SET LOCAL vidtoken.max_ttl = '30d';
SELECT is(vidtoken.vidtoken_ttl('1 day'), '24 hours 30 minutes', 'a day is 24 hours');
SELECT is(vidtoken.vidtoken_ttl('1 day -23 hours'), '90 minutes',
          'days and negative hours are added up');
SELECT is(vidtoken.vidtoken_ttl('-1 day 25 hours'), '90 minutes',
          'negative days and hours are added up');
SELECT is(vidtoken.vidtoken_ttl('1 week'), '168 hours 30 minutes', 'a week is 7 days');
SET LOCAL vidtoken.max_ttl = '4h';
SET LOCAL TimeZone = 'Europe/Berlin';
SELECT is(extract(epoch FROM ends_at - timestamptz '2026-03-28 12:00+00')::integer,
          86400, 'a day is 24 hours across a change of the clocks')
  FROM vidtoken.vidtoken_policy('2026-03-28 12:00+00', '1 day', '2026-03-28 12:00+00');
SET LOCAL TimeZone = 'UTC';

-- each setting counts, at once
SET LOCAL vidtoken.buffer_before = '20min';
SELECT is(vidtoken.vidtoken_ttl('60 minutes'), '95 minutes', 'buffer_before is part of the life');
SET LOCAL vidtoken.buffer_after = 0;
SELECT is(vidtoken.vidtoken_ttl('60 minutes'), '80 minutes', 'buffer_after is part of the life');
SET LOCAL vidtoken.buffer_before = 0;
SELECT is(vidtoken.vidtoken_ttl('61 minutes'), '61 minutes', 'without buffers a token lives as long as the appointment');
SET LOCAL vidtoken.min_ttl = '10min';
SELECT is(vidtoken.vidtoken_ttl('5 minutes'), '10 minutes', 'min_ttl is the floor');
SELECT is(vidtoken.vidtoken_ttl('11 minutes'), '11 minutes', 'above the floor the formula counts');
SET LOCAL vidtoken.max_ttl = 1200;
SELECT is(vidtoken.vidtoken_ttl('60 minutes'), '20 minutes', 'max_ttl is the ceiling, a bare number is seconds');
SET LOCAL vidtoken.min_ttl = '20min';
SELECT is(vidtoken.vidtoken_ttl('5 minutes'), '20 minutes', 'floor and ceiling may be the same');
SET LOCAL vidtoken.min_duration = '1min';
SELECT is(vidtoken.vidtoken_ttl('60'), '20 minutes', 'min_duration decides what is too short');
SELECT is(code, '22023', 'a second less than the changed min_duration is refused')
  FROM pg_temp.refusal($$SELECT vidtoken.vidtoken_ttl('59')$$);

-- a contradiction is an error, never a clamp
SET LOCAL vidtoken.min_ttl = '21min';
SELECT is(code, 'F0000', call || ': min_ttl above max_ttl is refused'),
       alike(hint, '%vidtoken.min_ttl%vidtoken.max_ttl%', call || ': the hint names both settings')
  FROM (VALUES ($$vidtoken_ttl('60 minutes')$$),
               ($$vidtoken_policy('2026-03-02 10:00+00', '60 minutes')$$),
               ($$vidtoken_issue(47, 2)$$)) AS c (call)
 CROSS JOIN LATERAL pg_temp.refusal('SELECT vidtoken.' || call);
RESET vidtoken.min_ttl;
RESET vidtoken.max_ttl;

-- what makes no sense alone is refused when it is set
SELECT is(code, '22023', 'SET vidtoken.' || setting || ' is refused')
  FROM (VALUES ('buffer_before = -1'), ('buffer_before = ''25h'''),
               ('buffer_after = -1'), ('min_ttl = 59'), ('max_ttl = ''31d'''),
               ('max_overrun = -1'), ('min_duration = 0'),
               ('expiry_anchor = start')) AS s (setting)
 CROSS JOIN LATERAL pg_temp.refusal('SET LOCAL vidtoken.' || setting);

SELECT * FROM finish();
ROLLBACK;
