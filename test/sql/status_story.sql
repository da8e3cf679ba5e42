\unset ECHO
\i test/setup.sql
\i test/webhooks.sql

-- Promise: what vidtoken_status tells of a call depends neither on the order
-- of its events nor on how often they come, and where one is lost it tells
-- what the others know.

SELECT plan(27);

SELECT room_name AS room FROM vidtoken.vidtoken_status(47) \gset
SELECT pg_temp.clock(45);

-- a story: events of the room of appointment 47, in the order they happened
CREATE TEMP TABLE stories (provider text, story text, n integer, delivery pg_temp.delivery);

-- "line" is: kind, run, minute of the run's start, minute, stay, identity,
-- minute of joining
CREATE FUNCTION pg_temp.tell(provider text, story text, room text, VARIADIC lines text[]) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO stories
    SELECT provider, story, n,
           pg_temp.event(provider, w[1], room, w[2], start + w[3]::integer * interval '1 minute',
                         start + w[4]::numeric * interval '1 minute', w[5], w[6], start + w[7]::numeric * interval '1 minute')
      FROM unnest(lines) WITH ORDINALITY AS l(line, n), string_to_array(line, ' ') AS w,
           (VALUES (timestamptz '2026-03-02 10:00+00')) AS s(start);
$$;

-- Both drop out of the call, one of them comes back; all leave, the room ends.
SELECT pg_temp.tell(p, 'whole call', :'room',
    'started R1 0 0', 'joined R1 0 1 S1 jane 1', 'joined R1 0 2 S2 bob 2', 'left R1 0 10 S1 jane 1',
    'joined R1 0 11 S3 jane 11', 'left R1 0 30 S2 bob 2', 'ended R1 0 40')
  FROM unnest('{livekit,twilio}'::text[]) AS p;
-- The room ends and begins again under its name; nobody told that jane left.
SELECT pg_temp.tell(p, 'second run', :'room',
    'started R1 0 0', 'joined R1 0 1 S1 jane 1', 'ended R1 0 9',
    'started R2 12 12', 'joined R2 12 13 S2 bob 13', 'joined R2 12 14 S3 jane 14', 'left R2 12 20 S2 bob 13')
  FROM unnest('{livekit,twilio}'::text[]) AS p;
-- A second connection of one identity evicts the first.
SELECT pg_temp.tell(p, 'eviction', :'room',
    'started R1 0 0', 'joined R1 0 1 S1 jane 1', 'joined R1 0 5 S2 jane 5', 'left R1 0 6 S1 jane 1', 'joined R1 0 7 S3 bob 7')
  FROM unnest('{livekit,twilio}'::text[]) AS p;
-- An event of a participant comes after the room's end by its own time too.
SELECT pg_temp.tell(p, 'late leaving', :'room',
    'started R1 0 0', 'joined R1 0 1 S1 jane 1', 'joined R1 0 3 S2 bob 3', 'ended R1 0 20', 'left R1 0 21 S1 jane 1', 'left R1 0 22 S2 bob 3')
  FROM unnest('{livekit,twilio}'::text[]) AS p;

-- What the status is after these deliveries, which leave nothing behind.
CREATE FUNCTION pg_temp.outcome(deliveries pg_temp.delivery[]) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    delivery pg_temp.delivery;
    state text;
BEGIN
    PERFORM set_config('vidtoken.provider', deliveries[1].provider, true);
    FOREACH delivery IN ARRAY deliveries LOOP
        PERFORM pg_temp.deliver(delivery);
    END LOOP;
    SELECT format('%s %s: %s to %s, heard %s, %s', s.room_status, s.participant_count,
                  to_char(s.started_at, 'HH24:MI'), to_char(s.ended_at, 'HH24:MI'), to_char(s.reported_at, 'HH24:MI'),
                  (SELECT string_agg(format('%s %s-%s', p ->> 'identity', substr(p ->> 'joined_at', 12, 5), substr(p ->> 'left_at', 12, 5)), ', '
                                     ORDER BY p ->> 'identity') FROM jsonb_array_elements(s.participants) AS p))
      INTO state FROM vidtoken.vidtoken_status(47) AS s;
    RAISE EXCEPTION USING ERRCODE = 'V0001', MESSAGE = state;
EXCEPTION WHEN SQLSTATE 'V0001' THEN
    RETURN SQLERRM;
END;
$$;

CREATE FUNCTION pg_temp.orders(n integer) RETURNS SETOF integer[]
LANGUAGE sql AS $$
    WITH RECURSIVE grown(numbers) AS (
        SELECT '{}'::integer[]
        UNION ALL
        SELECT numbers || i FROM grown, generate_series(1, n) AS i WHERE i <> ALL (numbers)
    )
    SELECT numbers FROM grown WHERE cardinality(numbers) = n;
$$;

-- Every order of a story; in each of them one event, another one each time,
-- comes once more at the end.
CREATE TEMP TABLE results (provider text, story text, orders bigint, answers text[]);
INSERT INTO results
SELECT provider, story, count(*), array_agg(DISTINCT pg_temp.outcome(
           array(SELECT s.deliveries[i] FROM unnest(numbers) WITH ORDINALITY AS u(i, place) ORDER BY place)
           || s.deliveries[1 + (o.n % cardinality(s.deliveries))::integer]))
  FROM (SELECT provider, story, array_agg(delivery ORDER BY n) AS deliveries FROM stories GROUP BY provider, story) AS s,
       LATERAL pg_temp.orders(cardinality(s.deliveries)) WITH ORDINALITY AS o(numbers, n)
 -- one of the two long stories for each provider
 WHERE (provider, story) NOT IN (('livekit', 'second run'), ('twilio', 'whole call'))
 GROUP BY provider, story;

SELECT is(orders::integer, want, format('%s, %s: all orders were tried', r.provider, r.story))
  FROM results AS r JOIN (VALUES ('whole call', 5040), ('second run', 5040), ('eviction', 120), ('late leaving', 720)) AS v(story, want) USING (story)
 ORDER BY r.story, r.provider;
CREATE TEMP TABLE wanted (story text, state text);
INSERT INTO wanted VALUES
    ('whole call', 'completed 0: 10:00 to 10:40, heard 10:40, bob 10:02-10:30, jane 10:01-10:40'),
    ('second run', 'active 1: 10:12 to , heard 10:20, bob 10:13-10:20, jane 10:14-'),
    ('eviction', 'active 2: 10:00 to , heard 10:07, bob 10:07-, jane 10:01-'),
    ('late leaving', 'completed 0: 10:00 to 10:20, heard 10:22, bob 10:03-10:22, jane 10:01-10:21');
SELECT is(answers, ARRAY[state], format('%s, %s: they end in one state', r.provider, r.story))
  FROM results AS r JOIN wanted USING (story)
 ORDER BY r.story, r.provider;
-- In the order they happened, each event doubled in turn, at once.
SELECT is((SELECT array_agg(DISTINCT pg_temp.outcome(deliveries[1 : i] || deliveries[i : cardinality(deliveries)]))
             FROM generate_series(1, cardinality(deliveries)) AS i),
          ARRAY[(SELECT state FROM wanted AS w WHERE w.story = s.story)],
          format('%s, %s: any event may come twice', provider, story))
  FROM (SELECT provider, story, array_agg(delivery ORDER BY n) AS deliveries FROM stories GROUP BY provider, story) AS s
 ORDER BY story, provider;

--
-- One event lost
--

CREATE FUNCTION pg_temp.without(lost integer, of_provider text, of_story text) RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.outcome(array_agg(delivery ORDER BY n))
      FROM stories WHERE provider = of_provider AND story = of_story AND n <> lost;
$$;
SELECT is(pg_temp.without(1, 'livekit', 'whole call'),
    'completed 0: 10:00 to 10:40, heard 10:40, bob 10:02-10:30, jane 10:01-10:40',
    'livekit: the start lost, every other event tells it');
SELECT is(pg_temp.without(1, 'twilio', 'whole call'),
    'completed 0:  to 10:40, heard 10:40, bob 10:02-10:30, jane 10:01-10:40',
    'twilio: the start lost, it is not known');
SELECT is(pg_temp.without(4, 'twilio', 'eviction'),
    'active 2: 10:00 to , heard 10:07, bob 10:07-, jane 10:01-',
    'a leaving lost leaves no second one of who came back');
SELECT is(pg_temp.without(6, 'twilio', 'late leaving'),
    'completed 0: 10:00 to 10:20, heard 10:21, bob 10:03-10:20, jane 10:01-10:21',
    'a leaving lost: the room''s end is the latest it can have been');
SELECT is(pg_temp.without(7, 'livekit', 'whole call'),
    'active 1: 10:00 to , heard 10:30, bob 10:02-10:30, jane 10:01-',
    'the end lost: the room is active');
-- until 2 hours and 15 minutes after the appointment's end
SELECT pg_temp.clock(194.99);
SELECT is(pg_temp.without(7, 'livekit', 'whole call'),
    'active 1: 10:00 to , heard 10:30, bob 10:02-10:30, jane 10:01-',
    'just before nobody can be there any more');
SELECT pg_temp.clock(195);
SELECT is(pg_temp.without(7, 'livekit', 'whole call'),
    'completed 0: 10:00 to , heard 10:30, bob 10:02-10:30, jane 10:01-',
    'and over from then on; when it ended is not known');

SELECT * FROM finish();
ROLLBACK;
