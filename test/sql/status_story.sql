\unset ECHO
\i test/setup.sql
\i test/webhooks.sql

-- Promise: what vidtoken_status tells of a call depends neither on the order
-- of its events nor on how often they come, and where one is lost it tells
-- what the others know.

SELECT plan(80);

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

-- What is told last is of the first run.
SELECT pg_temp.tell(p, 'two at once', :'room',
    'started R1 0 0', 'joined R1 0 1 S1 jane 1', 'started R2 12 12', 'left R1 0 13 S1 jane 1', 'ended R1 0 14')
  FROM unnest('{livekit,twilio}'::text[]) AS p;
-- Who came back leaves for good.
SELECT pg_temp.tell(p, 'two stays', :'room',
    'started R1 0 0', 'joined R1 0 1 S1 jane 1', 'left R1 0 10 S1 jane 1', 'joined R1 0 11 S2 jane 11', 'left R1 0 12 S2 jane 11')
  FROM unnest('{livekit,twilio}'::text[]) AS p;

CREATE FUNCTION pg_temp.state() RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT format('%s %s: %s to %s, heard %s, %s', s.room_status, s.participant_count,
                  to_char(s.started_at, 'HH24:MI'), to_char(s.ended_at, 'HH24:MI'), to_char(s.reported_at, 'HH24:MI'),
                  (SELECT string_agg(format('%s %s-%s', p ->> 'identity', substr(p ->> 'joined_at', 12, 5), substr(p ->> 'left_at', 12, 5)), ', '
                                     ORDER BY p ->> 'identity') FROM jsonb_array_elements(s.participants) AS p))
      FROM vidtoken.vidtoken_status(47) AS s);
END;
$$;

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
    state := pg_temp.state();
    RAISE EXCEPTION USING ERRCODE = 'V0001';
EXCEPTION WHEN SQLSTATE 'V0001' THEN
    RETURN state;
END;
$$;

-- Every order of the deliveries: after those already given comes each of the
-- others, which is undone before the next.  When all are there, each comes once
-- more; of seven, to save time, one, which is another one each time.  "answers"
-- are all that a first delivery got, "again" all that a second one got.
CREATE FUNCTION pg_temp.try_orders(deliveries pg_temp.delivery[], given integer[], INOUT orders integer,
                                   INOUT states text[], INOUT answers text[], INOUT again text[])
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    answer text;
BEGIN
    IF cardinality(given) = cardinality(deliveries) THEN
        orders := orders + 1;
        FOR i IN 1 .. cardinality(deliveries) LOOP
            CONTINUE WHEN cardinality(deliveries) > 6 AND i <> 1 + orders % cardinality(deliveries);
            answer := pg_temp.deliver(deliveries[i]);
            again := CASE WHEN answer = ANY (again) THEN again ELSE again || answer END;
        END LOOP;
        answer := pg_temp.state();
        states := CASE WHEN answer = ANY (states) THEN states ELSE states || answer END;
        RETURN;
    END IF;
    FOR i IN 1 .. cardinality(deliveries) LOOP
        CONTINUE WHEN i = ANY (given);
        BEGIN
            answer := pg_temp.deliver(deliveries[i]);
            answers := CASE WHEN answer = ANY (answers) THEN answers ELSE answers || answer END;
            SELECT t.orders, t.states, t.answers, t.again INTO orders, states, answers, again
              FROM pg_temp.try_orders(deliveries, given || i, orders, states, answers, again) AS t;
            RAISE EXCEPTION USING ERRCODE = 'V0001';
        EXCEPTION WHEN SQLSTATE 'V0001' THEN
            NULL;
        END;
        IF given = '{}' THEN
            -- what was undone is in the way of what comes
            TRUNCATE vidtoken.vidtoken_call, vidtoken.vidtoken_participant, vidtoken.vidtoken_event;
        END IF;
    END LOOP;
END;
$$;

CREATE TEMP TABLE results AS
SELECT s.provider, s.story, t.*
  FROM (SELECT provider, story, array_agg(delivery ORDER BY n) AS deliveries FROM stories GROUP BY provider, story) AS s,
       set_config('vidtoken.provider', s.provider, true),
       LATERAL pg_temp.try_orders(s.deliveries, '{}', 0, '{}', '{}', '{}') AS t;

SELECT is(orders, want, format('%s, %s: all orders were tried', r.provider, r.story))
  FROM results AS r JOIN (VALUES ('whole call', 5040), ('second run', 5040), ('eviction', 120), ('late leaving', 720), ('two at once', 120), ('two stays', 120)) AS v(story, want) USING (story)
 ORDER BY r.story, r.provider;
SELECT is(answers || again, '{accepted,duplicate}', format('%s, %s: each event is taken in once', r.provider, r.story))
  FROM results AS r
 ORDER BY r.story, r.provider;
CREATE TEMP TABLE wanted (story text, state text);
INSERT INTO wanted VALUES
    ('whole call', 'completed 0: 10:00 to 10:40, heard 10:40, bob 10:02-10:30, jane 10:01-10:40'),
    ('second run', 'active 1: 10:12 to , heard 10:20, bob 10:13-10:20, jane 10:14-'),
    ('eviction', 'active 2: 10:00 to , heard 10:07, bob 10:07-, jane 10:01-'),
    ('late leaving', 'completed 0: 10:00 to 10:20, heard 10:22, bob 10:03-10:22, jane 10:01-10:21'),
    ('two at once', 'active 0: 10:12 to , heard 10:12, '),
    ('two stays', 'active 0: 10:00 to , heard 10:12, jane 10:01-10:12');
SELECT is(states, ARRAY[state], format('%s, %s: they end in one state', r.provider, r.story))
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
CREATE TEMP TABLE lost (story text, n integer, what text, state text, twilio text);
INSERT INTO lost VALUES
    ('whole call', 1, 'the start, which livekit''s other events tell', 'completed 0: 10:00 to 10:40, heard 10:40, bob 10:02-10:30, jane 10:01-10:40',
                                                                    'completed 0:  to 10:40, heard 10:40, bob 10:02-10:30, jane 10:01-10:40'),
    ('whole call', 2, 'jane''s coming, which livekit''s leaving tells', 'completed 0: 10:00 to 10:40, heard 10:40, bob 10:02-10:30, jane 10:01-10:40',
                                                                     'completed 0: 10:00 to 10:40, heard 10:40, bob 10:02-10:30, jane 10:11-10:40'),
    ('whole call', 3, 'bob''s coming', 'completed 0: 10:00 to 10:40, heard 10:40, bob 10:02-10:30, jane 10:01-10:40',
                                      'completed 0: 10:00 to 10:40, heard 10:40, bob -10:30, jane 10:01-10:40'),
    ('whole call', 4, 'jane''s leaving, who came back', 'completed 0: 10:00 to 10:40, heard 10:40, bob 10:02-10:30, jane 10:01-10:40', NULL),
    ('whole call', 5, 'jane''s coming back', 'completed 0: 10:00 to 10:40, heard 10:40, bob 10:02-10:30, jane 10:01-10:10', NULL),
    ('whole call', 6, 'bob''s leaving: the end is the latest it can have been', 'completed 0: 10:00 to 10:40, heard 10:40, bob 10:02-10:40, jane 10:01-10:40', NULL),
    ('whole call', 7, 'the end: the room is active', 'active 1: 10:00 to , heard 10:30, bob 10:02-10:30, jane 10:01-', NULL),
    ('second run', 1, 'the first start', 'active 1: 10:12 to , heard 10:20, bob 10:13-10:20, jane 10:14-', NULL),
    ('second run', 2, 'who was there before', 'active 1: 10:12 to , heard 10:20, bob 10:13-10:20, jane 10:14-', NULL),
    ('second run', 3, 'the first end', 'active 1: 10:12 to , heard 10:20, bob 10:13-10:20, jane 10:14-', NULL),
    ('second run', 4, 'the second start', 'active 1: 10:12 to , heard 10:20, bob 10:13-10:20, jane 10:14-', 'active 1:  to , heard 10:20, bob 10:13-10:20, jane 10:14-'),
    ('second run', 5, 'bob''s coming', 'active 1: 10:12 to , heard 10:20, bob 10:13-10:20, jane 10:14-', 'active 1: 10:12 to , heard 10:20, bob -10:20, jane 10:14-'),
    ('second run', 6, 'jane''s coming: nobody knows of her yet', 'active 0: 10:12 to , heard 10:20, bob 10:13-10:20', NULL),
    ('second run', 7, 'bob''s leaving: he is there until the end', 'active 2: 10:12 to , heard 10:14, bob 10:13-, jane 10:14-', NULL),
    ('eviction', 1, 'the start', 'active 2: 10:00 to , heard 10:07, bob 10:07-, jane 10:01-', 'active 2:  to , heard 10:07, bob 10:07-, jane 10:01-'),
    ('eviction', 2, 'the first coming', 'active 2: 10:00 to , heard 10:07, bob 10:07-, jane 10:01-', 'active 2: 10:00 to , heard 10:07, bob 10:07-, jane 10:05-'),
    ('eviction', 3, 'the coming of the second device', 'active 1: 10:00 to , heard 10:07, bob 10:07-, jane 10:01-10:06', NULL),
    ('eviction', 4, 'the leaving of the first: it leaves no second jane', 'active 2: 10:00 to , heard 10:07, bob 10:07-, jane 10:01-', NULL),
    ('eviction', 5, 'bob''s coming', 'active 1: 10:00 to , heard 10:06, jane 10:01-', NULL),
    ('late leaving', 1, 'the start', 'completed 0: 10:00 to 10:20, heard 10:22, bob 10:03-10:22, jane 10:01-10:21', 'completed 0:  to 10:20, heard 10:22, bob 10:03-10:22, jane 10:01-10:21'),
    ('late leaving', 2, 'jane''s coming', 'completed 0: 10:00 to 10:20, heard 10:22, bob 10:03-10:22, jane 10:01-10:21', 'completed 0: 10:00 to 10:20, heard 10:22, bob 10:03-10:22, jane -10:21'),
    ('late leaving', 3, 'bob''s coming', 'completed 0: 10:00 to 10:20, heard 10:22, bob 10:03-10:22, jane 10:01-10:21', 'completed 0: 10:00 to 10:20, heard 10:22, bob -10:22, jane 10:01-10:21'),
    ('late leaving', 4, 'the end: an empty room is active', 'active 0: 10:00 to , heard 10:22, bob 10:03-10:22, jane 10:01-10:21', NULL),
    ('late leaving', 5, 'jane''s leaving', 'completed 0: 10:00 to 10:20, heard 10:22, bob 10:03-10:22, jane 10:01-10:20', NULL),
    ('late leaving', 6, 'bob''s leaving', 'completed 0: 10:00 to 10:20, heard 10:21, bob 10:03-10:20, jane 10:01-10:21', NULL),
    ('two at once', 3, 'the second start: the room is as it was', 'completed 0: 10:00 to 10:14, heard 10:14, jane 10:01-10:13', NULL),
    ('two stays', 3, 'the first leaving: she is not there twice', 'active 0: 10:00 to , heard 10:12, jane 10:01-10:12', NULL),
    ('two stays', 4, 'the coming back', 'active 0: 10:00 to , heard 10:12, jane 10:01-10:12', NULL),
    ('two stays', 5, 'the second leaving: she may be there', 'active 1: 10:00 to , heard 10:11, jane 10:01-', NULL);
SELECT is(pg_temp.without(n, 'livekit', story) || '; ' || pg_temp.without(n, 'twilio', story), state || '; ' || coalesce(twilio, state),
          format('%s, lost: %s', story, what))
  FROM lost
 ORDER BY story, n;
-- until 2 hours and 15 minutes after the appointment's end
SELECT pg_temp.clock(194.99);
SELECT is(pg_temp.without(7, 'livekit', 'whole call'),
    'active 1: 10:00 to , heard 10:30, bob 10:02-10:30, jane 10:01-',
    'just before nobody can be there any more');
SELECT pg_temp.clock(195);
SELECT is(pg_temp.without(7, 'livekit', 'whole call'),
    'completed 0: 10:00 to , heard 10:30, bob 10:02-10:30, jane 10:01-',
    'and over from then on; when it ended is not known');

-- Who is heard of after that is there all the same.
SELECT is(pg_temp.outcome(array_agg(delivery ORDER BY n) || pg_temp.event('livekit', 'joined', :'room', 'R1', start, at, 'S9', 'bob', at)),
    'active 2: 10:00 to , heard 13:15, bob 10:02-, jane 10:01-',
    'what is heard of then says that the room is active')
  FROM stories, timestamptz(timestamptz '2026-03-02 10:00+00') AS start, timestamptz(start + interval '195 minutes') AS at
 WHERE provider = 'livekit' AND story = 'whole call' AND n < 7
 GROUP BY start, at;

SELECT * FROM finish();
SELECT pg_temp.forget_keys() AS ignored \gset
ROLLBACK;
