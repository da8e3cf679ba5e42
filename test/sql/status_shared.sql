\unset ECHO
\i test/setup.sql
\i test/webhooks.sql

-- test/sql/status_shared.sql: the status of appointments in one room
--
-- Promise: where the source gives one room to several appointments, each is
-- told of the calls that went on, and the people who were there or came, while
-- it could be entered: none of a patient before or after.
--
-- Copyright (c) 2026, the vidtoken authors

SELECT plan(25);

INSERT INTO clinic.appointments VALUES (110, '2026-03-02 11:00+00', 60, false), (140, '2026-03-02 14:00+00', 60, false);
INSERT INTO clinic.participants VALUES (110, 3, NULL), (140, 3, NULL);
CREATE VIEW clinic.shared AS SELECT s.*, 'dr-house'::text AS room_name FROM clinic.video_source AS s;
SET LOCAL vidtoken.source = 'clinic.shared';

CREATE FUNCTION pg_temp.tell(kind text, run text, minutes numeric, stay text DEFAULT NULL, identity text DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
    SELECT pg_temp.deliver(pg_temp.event('twilio', kind, 'dr-house', run, NULL, pg_temp.minute(minutes), stay, identity))
$$;
-- what an appointment is told so many minutes after ten
CREATE FUNCTION pg_temp.told(id integer, minutes numeric) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.clock(minutes);
    RETURN (SELECT concat_ws(' ', schedule, room_status, participant_count,
                             (SELECT string_agg(p ->> 'identity' || CASE WHEN p ->> 'left_at' IS NULL THEN '' ELSE '-' END, ' ' ORDER BY n)
                                FROM jsonb_array_elements(participants) WITH ORDINALITY AS u(p, n)))
              FROM vidtoken.vidtoken_status(id));
END;
$$;

SELECT is(pg_temp.told(47, -10), 'open not_found', 'nothing was reported yet');

-- A call of the whole day: its host stays, guests come and go.
SELECT pg_temp.clock(115) AS ignored \gset
SELECT is(string_agg(pg_temp.tell(kind, 'R1', minutes, stay, identity), ' ' ORDER BY minutes), 'accepted accepted accepted accepted accepted accepted', 'a call that goes on from one appointment to the next')
  FROM (VALUES ('started', -30, NULL, NULL), ('joined', -29, 'S9', 'house'), ('joined', -1, 'S1', 'jane'), ('joined', 1, 'S2', 'eve'),
               ('left', 40, 'S2', 'eve'), ('left', 58, 'S1', 'jane')) AS v (kind, minutes, stay, identity);
SELECT is(pg_temp.told(47, 5), 'open active 1 house jane- eve-', 'the appointment of ten o''clock has all of them');
SELECT is(pg_temp.told(110, 5), 'upcoming not_found', 'that of eleven none, before it opens');
SELECT is(pg_temp.told(140, 5), 'upcoming not_found', 'nor that of two');
SELECT is((SELECT concat_ws(' ', started_at, participants, reported_at) FROM vidtoken.vidtoken_status(110)), '', 'and no times either');
SELECT is(pg_temp.told(110, 46), 'open active 1 house jane-', 'then who is still there, or was when it opened, not who had left');
SELECT is(pg_temp.told(140, 46), 'upcoming not_found', 'that of two is told nothing');
SELECT pg_temp.clock(115) AS ignored \gset
SELECT is(pg_temp.tell('joined', 'R1', 76, 'S3', 'bob'), 'accepted', 'bob comes for eleven o''clock');
SELECT is(pg_temp.told(47, 80), 'closed active 1 house jane- eve-', 'who came after the first one closed is not told to it'),
       is(pg_temp.told(110, 80), 'open active 2 house jane- bob', 'but to his own');

-- Who comes back had been there.
SELECT is(pg_temp.tell('joined', 'R1', 79, 'S4', 'jane'), 'accepted', 'jane comes back'),
       is(pg_temp.told(47, 80), 'closed active 2 house jane eve-', 'and is in her own appointment, after it closed');
SELECT is((SELECT string_agg(to_char((p ->> 'joined_at')::timestamptz, 'HH24:MI'), ' ' ORDER BY p ->> 'identity') FROM jsonb_array_elements(participants) AS p), '11:16 09:31 09:59',
          'with the time at which each of them came to it')
  FROM vidtoken.vidtoken_status(110);
SELECT is(pg_temp.tell('left', 'R1', 196, 'S4', 'jane'), 'accepted', 'jane leaves'),
       is(pg_temp.told(47, 200), 'closed completed 0 house jane- eve-', 'over when no token of it is good for the room, whatever is heard from there'),
       is(pg_temp.told(140, 226), 'open active 2 house bob', 'while the call goes on for those whose turn it is');

-- A call that ended, and one that began, outside of the window
SELECT is(pg_temp.tell('ended', 'R1', 220), 'accepted', 'the call ends'),
       is(pg_temp.told(140, 226), 'open not_found', 'a call that was over before is another one''s');
SELECT is(pg_temp.tell('started', 'R2', 227), 'accepted', 'the next one begins'),
       is(pg_temp.tell('joined', 'R2', 228, 'S5', 'bob'), 'accepted', 'with bob'),
       is(pg_temp.told(140, 230), 'open active 1 bob', 'and is that of two o''clock');
SELECT is(pg_temp.told(110, 230), 'closed completed 0 house- jane- bob-', 'not that of eleven'),
       is(pg_temp.told(47, 230), 'closed completed 0 house- jane- eve-', 'nor that of ten');

-- A name that vidtoken made is one appointment's own: all that was reported of it is.
SET LOCAL vidtoken.source = 'clinic.video_source';
SELECT room_name AS room FROM vidtoken.vidtoken_room_settings(110) \gset
SELECT pg_temp.deliver(pg_temp.event('twilio', 'started', :'room', 'R3', NULL, pg_temp.minute(-60))) AS ignored \gset
SELECT pg_temp.deliver(pg_temp.event('twilio', 'ended', :'room', 'R3', NULL, pg_temp.minute(-50))) AS ignored \gset
SELECT is(pg_temp.told(110, -45), 'upcoming completed 0', 'a made name: all that was reported of it counts');

SELECT * FROM finish();
SELECT pg_temp.forget_keys() AS ignored \gset
ROLLBACK;
