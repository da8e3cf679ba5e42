\unset ECHO
\i test/setup.sql
\i test/webhooks.sql

-- Promise: vidtoken_status tells what was reported, of appointments that the
-- caller may see; what nobody reported is NULL.  A webhook writes two rows at
-- most, and neither it nor the status reads a table as a whole.

CREATE ROLE regress_vidtoken_viewer;
GRANT USAGE ON SCHEMA vidtoken, clinic TO regress_vidtoken_viewer;
GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_status(vidtoken.vidtoken_id) TO regress_vidtoken_viewer;

SELECT plan(89);

-- What the planner knows of the ledger is that it is empty.
ANALYZE vidtoken.vidtoken_session, vidtoken.vidtoken_room, vidtoken.vidtoken_call,
        vidtoken.vidtoken_participant, vidtoken.vidtoken_event, vidtoken.vidtoken_quality;

SELECT room_name AS room FROM vidtoken.vidtoken_issue(47, 2) \gset
SELECT room_name AS same FROM vidtoken.vidtoken_issue(47, 3) \gset

--
-- Nothing reported
--

SELECT results_eq(
    'SELECT appointment_id, room_name, room_status, participant_count, room_duration, room_duration_seconds, started_at,
            ended_at, connection_quality, participants, reported_at, schedule FROM vidtoken.vidtoken_status(47)',
    format($$VALUES ('47'::jsonb, %L::text, 'not_found'::text, NULL::integer, NULL::interval, NULL::bigint, NULL::timestamptz,
                     NULL::timestamptz, NULL::integer, NULL::jsonb, NULL::timestamptz, 'open'::text)$$, :'room'),
    'no webhook yet: not_found, and the rest is not known');

--
-- Stages of a call
--

SELECT is(pg_temp.deliver(pg_temp.event('twilio', 'started', :'room', 'R1', NULL, pg_temp.minute(0))), 'accepted', 'the room starts');
SELECT pg_temp.clock(4.5);
SELECT results_eq(
    'SELECT room_status, participant_count, room_duration, room_duration_seconds, started_at, ended_at, connection_quality,
            participants, reported_at FROM vidtoken.vidtoken_status(47)',
    $$VALUES ('active'::text, 0, '00:04:30'::interval, 270::bigint, pg_temp.minute(0), NULL::timestamptz, NULL::integer,
              '[]'::jsonb, pg_temp.minute(0))$$,
    'active also while nobody is in it');
SELECT is(pg_temp.deliver(pg_temp.event('twilio', 'joined', :'room', 'R1', NULL, pg_temp.minute(1), 'S1', '2-jane@example.com', pg_temp.minute(1))),
          'accepted', 'jane joins');
SELECT is(pg_temp.deliver(pg_temp.event('twilio', 'joined', :'room', 'R1', NULL, pg_temp.minute(1), 'S1', '2-jane@example.com', pg_temp.minute(1))),
          'duplicate', 'and once more is a duplicate');
SELECT is(pg_temp.deliver(pg_temp.event('twilio', 'joined', :'room', 'R1', NULL, pg_temp.minute(2), 'S2', '3-bob@example.com', pg_temp.minute(2))),
          'accepted', 'bob joins');
SELECT results_eq('SELECT room_status, participant_count, reported_at FROM vidtoken.vidtoken_status(47)',
    $$VALUES ('active'::text, 2, pg_temp.minute(2))$$, 'two participants');
SELECT is(pg_temp.deliver(pg_temp.event('twilio', 'left', :'room', 'R1', NULL, pg_temp.minute(3), 'S2', '3-bob@example.com')),
          'accepted', 'bob leaves');
SELECT results_eq('SELECT participant_count, participants FROM vidtoken.vidtoken_status(47)',
    $$VALUES (1, '[{"identity": "2-jane@example.com", "joined_at": "2026-03-02T10:01:00+00:00", "left_at": null, "quality": null, "metrics": null},
                   {"identity": "3-bob@example.com", "joined_at": "2026-03-02T10:02:00+00:00", "left_at": "2026-03-02T10:03:00+00:00", "quality": null, "metrics": null}]'::jsonb)$$,
    'one, and who was there');
SET LOCAL TimeZone = 'Asia/Kolkata';
SELECT is((SELECT participants -> 0 ->> 'joined_at' FROM vidtoken.vidtoken_status(47)), '2026-03-02T15:31:00+05:30',
          'times inside are in the session''s zone');
SET LOCAL TimeZone = 'UTC';

--
-- Quality
--

SELECT is((SELECT array_agg(connection_quality) FROM vidtoken.vidtoken_status(47)), ARRAY[NULL::integer], 'nobody reported a quality');
SELECT vidtoken.vidtoken_report_quality(47, 2, 4, '{"rtt": 35, "codec": "VP8", "relayed": false, "loss": null}');
SELECT vidtoken.vidtoken_report_quality(47, 3, 1);
SELECT results_eq('SELECT connection_quality, participants -> 0 -> ''quality'', participants -> 0 -> ''metrics'', participants -> 1 -> ''quality''
                     FROM vidtoken.vidtoken_status(47)',
    $$VALUES (4, '4'::jsonb, '{"rtt": 35, "codec": "VP8", "relayed": false, "loss": null}'::jsonb, 'null'::jsonb)$$,
    'the quality of those present; who left does not count');
SELECT is(pg_temp.deliver(pg_temp.event('twilio', 'joined', :'room', 'R1', NULL, pg_temp.minute(4), 'S3', '3-bob@example.com', pg_temp.minute(4))),
          'accepted', 'bob comes back');
SELECT is((SELECT connection_quality FROM vidtoken.vidtoken_status(47)), 1, 'the room has the worst of them');
SELECT pg_temp.clock(5.5);
SELECT is((SELECT connection_quality FROM vidtoken.vidtoken_status(47)), 1, 'for as long as quality_stale_after');
SELECT set_config('vidtoken.test_clock', '2026-03-02 10:05:30.000001+00', true) AS ignored \gset
SELECT is((SELECT connection_quality FROM vidtoken.vidtoken_status(47)), NULL, 'and no moment longer');
SELECT vidtoken.vidtoken_report_quality(47, 2, 5);
SELECT is((SELECT connection_quality FROM vidtoken.vidtoken_status(47)), 5, 'a new report takes the place of the one before');
SELECT is((SELECT count(*)::integer FROM vidtoken.vidtoken_quality), 2, 'there is one a participant');
SET LOCAL request.jwt.claims = '{"sub": 3}';
SELECT vidtoken.vidtoken_report_quality(47, 0);
SELECT is((SELECT connection_quality FROM vidtoken.vidtoken_status(47)), 0, 'the caller''s own, lost');
SELECT is((pg_temp.refusal(call)).code, want, format('quality: %s', what))
  FROM (VALUES
    (1, '$$vidtoken_report_quality(47, 2, 6)$$', '22023', 'above 5'), (2, '$$vidtoken_report_quality(47, 2, -1)$$', '22023', 'below 0'),
    (3, '$$vidtoken_report_quality(47, 2, NULL::integer)$$', '22004', 'NULL'), (4, '$$vidtoken_report_quality(NULL, 2, 3)$$', '22004', 'NULL appointment'),
    (5, '$$vidtoken_report_quality(47, 9, 3)$$', 'PT409', 'without a session'), (6, '$$vidtoken_report_quality(46, 2, 3)$$', 'PT404', 'no such appointment'),
    (7, '$$vidtoken_report_quality(47, 2, 3, ''[1]'')$$', '22023', 'metrics that are no object'),
    (8, '$$vidtoken_report_quality(47, 2, 3, ''{"a": {"b": 1}}'')$$', '22023', 'nested metrics'),
    (9, '$$vidtoken_report_quality(47, 2, 3, ''{"a": 1e131071}'')$$', '22023', 'a number that takes 131072 digits'),
    (10, '$$vidtoken_report_quality(47, 2, 3, ''{"a": 1e-300}'')$$', '22023', 'a number with 300 decimals'),
    (11, '$$vidtoken_report_quality(47, 2, 3, ''{"a": 999999999999999.5}'')$$', NULL, 'a long number'),
    (12, '$$vidtoken_report_quality(47, 2, 3, (SELECT jsonb_object_agg(i, i) FROM generate_series(1, 32) AS i))$$', NULL, '32 metrics'),
    (13, '$$vidtoken_report_quality(47, 2, 3, (SELECT jsonb_object_agg(i, i) FROM generate_series(1, 33) AS i))$$', '22023', '33 metrics'),
    (14, '$$vidtoken_report_quality(47, 2, 3, jsonb_build_object(repeat(''a'', 64), repeat(''b'', 64)))$$', NULL, 'names and words of 64 bytes'),
    (15, '$$vidtoken_report_quality(47, 2, 3, jsonb_build_object(''a'', repeat(''b'', 65)))$$', '22023', 'a word of 65 bytes'),
    (16, '$$vidtoken_report_quality(47, 2, 3, jsonb_build_object(repeat(''a'', 65), 1))$$', '22023', 'a name of 65 bytes')
  ) AS v(n, quoted, want, what), LATERAL (SELECT 'SELECT vidtoken.' || trim('$' FROM quoted) AS call) AS c
 ORDER BY n;
SELECT vidtoken.vidtoken_revoke(47, 3) AS ignored \gset
SELECT is((pg_temp.refusal('SELECT vidtoken.vidtoken_report_quality(47, 4)')).code, 'PT410', 'quality: revoked');

--
-- The end
--

SELECT is(pg_temp.deliver(pg_temp.event('twilio', 'ended', :'room', 'R1', NULL, pg_temp.minute(50))), 'accepted', 'the room ends');
SELECT results_eq('SELECT room_status, participant_count, room_duration, room_duration_seconds, started_at, ended_at, connection_quality
                     FROM vidtoken.vidtoken_status(47)',
    $$VALUES ('completed'::text, 0, '00:50:00'::interval, 3000::bigint, pg_temp.minute(0), pg_temp.minute(50), NULL::integer)$$,
    'completed, and how long it was');

--
-- Times
--

-- LiveKit tells when the room began in milliseconds, and when it ended in seconds
SELECT pg_temp.clock(0);
SELECT room_name AS brief FROM vidtoken.vidtoken_issue(30, 2) \gset
SELECT pg_temp.clock(50);
SET LOCAL vidtoken.provider = 'livekit';
SELECT is(pg_temp.deliver(pg_temp.event('livekit', kind, :'brief', 'RB', pg_temp.minute(49) + interval '250 ms', pg_temp.minute(49))), 'accepted',
          'the room has ' || kind)
  FROM unnest(ARRAY['started', 'ended']) AS kind;
SELECT results_eq('SELECT room_status, started_at, ended_at, room_duration_seconds FROM vidtoken.vidtoken_status(30)',
    $$VALUES ('completed'::text, pg_temp.minute(49) + interval '250 ms', pg_temp.minute(49) + interval '250 ms', 0::bigint)$$,
    'a room does not end before it began');
SET LOCAL vidtoken.provider = 'twilio';

--
-- Who may ask, and when
--

CREATE FUNCTION pg_temp.schedule(at numeric, id integer) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.clock(at);
    RETURN (SELECT schedule FROM vidtoken.vidtoken_status(id));
END;
$$;
SELECT is(pg_temp.schedule(at, id), want, format('%s is %s', what, want))
  FROM (VALUES (1, -15.01, 30, 'just before it opens', 'upcoming'), (2, -15, 30, 'when it opens', 'open'), (3, 44.99, 30, 'just before it closes', 'open'),
               (4, 45, 30, 'when it closes', 'open'), (5, 45.01, 30, 'just after that', 'closed'), (6, 0, 99, 'a cancelled one', 'cancelled')) AS v(n, at, id, what, want)
 ORDER BY n;
SELECT pg_temp.clock(5);
SELECT is((pg_temp.refusal('SELECT vidtoken.vidtoken_status(46)')).code, 'PT404', 'no such appointment');
SELECT is((pg_temp.refusal('SELECT vidtoken.vidtoken_status(NULL)')).code, '22004', 'NULL');
GRANT SELECT ON clinic.participants TO regress_vidtoken_viewer;
CREATE TABLE clinic.shown AS SELECT * FROM clinic.video_source;
ALTER TABLE clinic.shown ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON clinic.shown USING (user_id = 2);
GRANT SELECT ON clinic.shown TO regress_vidtoken_viewer;
DELETE FROM clinic.shown WHERE appointment_id = 60;
INSERT INTO clinic.shown SELECT 60, 3, starts_at, duration, 'bob', NULL, false FROM clinic.shown WHERE appointment_id = 47 LIMIT 1;
SET LOCAL vidtoken.source = 'clinic.shown';
SET LOCAL ROLE regress_vidtoken_viewer;
SELECT is((SELECT room_status FROM vidtoken.vidtoken_status(47)), 'completed', 'who sees the appointment is told');
SELECT is((pg_temp.refusal('SELECT vidtoken.vidtoken_status(60)')).code, 'PT404', 'who does not is not');
RESET ROLE;
SET LOCAL vidtoken.source = 'clinic.video_source';
SAVEPOINT off;
SET LOCAL vidtoken.record_sessions = off;
SELECT is((SELECT array_agg(room_status) FROM vidtoken.vidtoken_status(47)), ARRAY[NULL::text], 'without a ledger nothing is known');
SELECT is((pg_temp.refusal($$SELECT vidtoken.vidtoken_webhook('twilio', '', '{}', '')$$)).code, 'F0000', 'and no webhook taken in');
ROLLBACK TO off;
SELECT isnt(vidtoken.vidtoken_reset_room(47), :'room', 'the room is reset');
SELECT is((SELECT room_status FROM vidtoken.vidtoken_status(47)), 'not_found', 'nothing is known of the new one');

--
-- Without the right to write
--

SAVEPOINT read_only;
SET LOCAL transaction_read_only = on;
SELECT is((SELECT room_status FROM vidtoken.vidtoken_status(30)), 'not_found', 'a read-only transaction may ask'),
       is((pg_temp.refusal('SELECT vidtoken.vidtoken_report_quality(47, 2, 5)')).code, '25006', 'but report no quality'),
       is((pg_temp.refusal('SELECT pg_temp.deliver(pg_temp.event(''twilio'', ''started'', ''r'', ''R'', now(), now()))')).code, '25006', 'nor take a webhook in');
ROLLBACK TO read_only;

--
-- Keys of other types, and a room that the source names
--

CREATE TABLE clinic.by_uuid AS
SELECT '0b9d5a3e-6f1c-4e53-9c1c-6f8b2f4b7a10'::uuid AS appointment_id, 'jane'::text AS user_id, 'jane'::text AS identity,
       timestamptz '2026-03-02 10:00+00' AS starts_at, interval '60 minutes' AS duration, 'ward "7" é'::text AS room_name;
CREATE VIEW clinic.by_text AS SELECT 'A-47'::text AS appointment_id, user_id, identity, starts_at, duration, room_name FROM clinic.by_uuid;
SELECT is(pg_temp.deliver(pg_temp.event('twilio', 'joined', 'ward "7" é', 'R7', NULL, pg_temp.minute(1), 'S7', 'jane', pg_temp.minute(1))), 'accepted',
          'an event of a room that the source names');
SET LOCAL vidtoken.source = 'clinic.by_uuid';
SELECT FROM vidtoken.vidtoken_issue('0b9d5a3e-6f1c-4e53-9c1c-6f8b2f4b7a10', 'jane');
SELECT vidtoken.vidtoken_report_quality('0b9d5a3e-6f1c-4e53-9c1c-6f8b2f4b7a10'::uuid, 'jane', 3);
SELECT results_eq('SELECT appointment_id, room_name, room_status, participant_count, started_at, connection_quality
                     FROM vidtoken.vidtoken_status(''0B9D5A3E-6f1c-4e53-9c1c-6f8b2f4b7a10'')',
    $$VALUES ('"0b9d5a3e-6f1c-4e53-9c1c-6f8b2f4b7a10"'::jsonb, 'ward "7" é'::text, 'active'::text, 1, NULL::timestamptz, 3)$$,
    'a uuid, spelled in any way');
SET LOCAL vidtoken.source = 'clinic.by_text';
SELECT results_eq('SELECT appointment_id, room_name, room_status, participant_count FROM vidtoken.vidtoken_status(''A-47'')',
    $$VALUES ('"A-47"'::jsonb, 'ward "7" é'::text, 'active'::text, 1)$$, 'a text');
SELECT is((pg_temp.refusal('SELECT vidtoken.vidtoken_status(''a-47'')')).code, 'PT404', 'which is another one in small letters');
SET LOCAL vidtoken.source = 'clinic.video_source';

--
-- Runs of which little is known
--

SET LOCAL vidtoken.provider = 'livekit';
SELECT room_name AS long_room FROM vidtoken.vidtoken_room_settings(300) \gset
CREATE FUNCTION pg_temp.told_of_300() RETURNS text
LANGUAGE sql AS $$SELECT concat_ws(' ', room_status, participant_count, started_at) FROM vidtoken.vidtoken_status(300)$$;
SELECT is(pg_temp.deliver(pg_temp.event('livekit', 'joined', :'long_room', 'RM_z', NULL, pg_temp.minute(1), 'PA_1', 'jane')), 'accepted', 'a run of which no time is known'),
       is(pg_temp.told_of_300(), 'active 1', 'is one');
SELECT is(pg_temp.deliver(pg_temp.event('livekit', 'started', :'long_room', 'RM_y', pg_temp.minute(2), pg_temp.minute(2))), 'accepted', 'one that begins later'),
       is(pg_temp.told_of_300(), 'active 0 2026-03-02 10:02:00+00', 'is the latest');
SELECT is(pg_temp.deliver(pg_temp.event('livekit', 'ended', :'long_room', 'RM_y', pg_temp.minute(2), pg_temp.minute(2))), 'accepted', 'it ends'),
       is(pg_temp.deliver(pg_temp.event('livekit', 'started', :'long_room', 'RM_x', pg_temp.minute(2), pg_temp.minute(2))), 'accepted', 'and another one begins in the same second'),
       is(pg_temp.told_of_300(), 'active 0 2026-03-02 10:02:00+00', 'the one that has not ended is the latest');
SET LOCAL vidtoken.provider = 'twilio';

--
-- What it costs
--

-- one more run of the room, from an event that came alone
SELECT pg_temp.event('twilio', 'joined', :'room', 'R2', NULL, pg_temp.minute(4), 'S9', '2-jane@example.com', pg_temp.minute(4)) AS delivery \gset
CREATE TEMP TABLE before AS SELECT relname, n_tup_ins + n_tup_upd AS written, seq_scan FROM pg_stat_xact_user_tables WHERE schemaname = 'vidtoken';
SELECT is(pg_temp.deliver(:'delivery'), 'accepted', 'an event of another run');
SELECT is((SELECT room_status FROM vidtoken.vidtoken_status(47)), 'not_found', 'which is not the appointment''s room');
SELECT is((SELECT sum(s.n_tup_ins + s.n_tup_upd - b.written)::integer FROM pg_stat_xact_user_tables AS s JOIN before AS b USING (relname) WHERE s.schemaname = 'vidtoken'),
          2, 'a webhook writes two rows');
SELECT is((SELECT sum(s.seq_scan - b.seq_scan)::integer FROM pg_stat_xact_user_tables AS s JOIN before AS b USING (relname) WHERE s.schemaname = 'vidtoken'),
          0, 'neither it nor the status reads a table as a whole');

CREATE TEMP TABLE before_duplicate AS SELECT relname, n_tup_ins + n_tup_upd + n_tup_del AS written, seq_scan
  FROM pg_stat_xact_user_tables WHERE schemaname = 'vidtoken';
SELECT is(pg_temp.deliver(:'delivery'), 'duplicate', 'the same once more');
SELECT results_eq($$SELECT sum(s.n_tup_ins + s.n_tup_upd + s.n_tup_del - b.written)::integer, sum(s.seq_scan - b.seq_scan)::integer
                      FROM pg_stat_xact_user_tables AS s JOIN before_duplicate AS b USING (relname) WHERE s.schemaname = 'vidtoken'$$,
    'VALUES (0, 0)', 'writes none, and reads none as a whole');

-- Rows are updated in place: no index has to be.
CREATE FUNCTION pg_temp.updated(name text, OUT updated bigint, OUT hot bigint) LANGUAGE sql AS $$
    SELECT pg_stat_get_xact_tuples_updated(t), pg_stat_get_xact_tuples_hot_updated(t) FROM to_regclass('vidtoken.' || name) AS t
$$;
CREATE TEMP TABLE updates AS
SELECT name, u.* FROM unnest('{vidtoken_call,vidtoken_participant,vidtoken_quality}'::text[]) AS name, pg_temp.updated(name) AS u;
SELECT is(count(*), 60::bigint, 'sixty events of one run and one stay')
  FROM generate_series(1, 20) AS i, unnest('{started,joined,left}'::text[]) AS kind,
       pg_temp.event('twilio', kind, :'room', 'R4', NULL, pg_temp.minute(10 + i), 'S4', '2-jane@example.com', NULL) AS d
 WHERE pg_temp.deliver(d) = 'accepted';
SELECT count(vidtoken.vidtoken_report_quality(47, 2, i % 6, jsonb_build_object('rtt', i))) AS ignored FROM generate_series(1, 20) AS i \gset
SELECT is(now.hot - was.hot, now.updated - was.updated, format('%s: updates in place', name)),
       ok(now.updated - was.updated >= 19, format('%s: and there were some', name))
  FROM updates AS was, pg_temp.updated(was.name) AS now
 ORDER BY name;

--
-- Forgetting
--

-- A call of three days of which nothing is heard for more than one
UPDATE clinic.appointments SET minutes = 3 * 24 * 60 WHERE id = 60;
SELECT room_name AS long_room FROM vidtoken.vidtoken_issue(60, 2) \gset
SELECT string_agg(pg_temp.deliver(d), ' ') AS ignored
  FROM (VALUES ('started', NULL, NULL), ('joined', 'S61', 'jane'), ('joined', 'S62', 'bob')) AS v (kind, stay, identity),
       pg_temp.event('twilio', kind, :'long_room', 'R60', NULL, pg_temp.minute(40), stay, identity) AS d \gset
SELECT pg_temp.clock(40 + 28 * 60);
SELECT vidtoken.vidtoken_prune('1 day') > 0 AS ignored \gset
SELECT is((SELECT concat_ws(' ', room_status, participant_count) FROM vidtoken.vidtoken_status(60)), 'active 2', 'a call that may go on is not forgotten'),
       is((SELECT count(*)::integer FROM vidtoken.vidtoken_event), 0, 'its events are'),
       is((SELECT count(*)::integer FROM vidtoken.vidtoken_call), 1, 'and so is what is over');
-- in the spring a day may have 23 hours
SET LOCAL vidtoken.test_clock = '2026-03-28 11:30+00';
SELECT pg_temp.event('twilio', 'started', 'r', 'R7', NULL, '2026-03-28 11:30+00') AS delivery \gset
SELECT is(pg_temp.deliver(:'delivery'), 'accepted', 'an event on the day before clocks go forward');
SET LOCAL vidtoken.test_clock = '2026-03-29 11:00+00';
SET LOCAL TimeZone = 'Europe/Berlin';
SELECT vidtoken.vidtoken_prune('1 day') AS ignored \gset
SELECT is(pg_temp.deliver(:'delivery'), 'duplicate', 'is remembered for 24 hours');
SET LOCAL TimeZone = 'UTC';
SELECT pg_temp.clock(5 + 30 * 24 * 60);
SELECT is(vidtoken.vidtoken_prune('31 days'), 0::bigint, 'younger than older_than: all is kept');
SELECT vidtoken.vidtoken_prune('1 day') > 0 AS ignored \gset
SELECT is((SELECT count(*)::integer FROM vidtoken.vidtoken_call) + (SELECT count(*)::integer FROM vidtoken.vidtoken_participant)
          + (SELECT count(*)::integer FROM vidtoken.vidtoken_event) + (SELECT count(*)::integer FROM vidtoken.vidtoken_quality),
          0, 'older: runs, stays, events and qualities are forgotten');

SELECT * FROM finish();
SELECT pg_temp.forget_keys() AS ignored \gset
ROLLBACK;
