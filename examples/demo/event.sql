-- examples/demo/event.sql: one webhook comes in, and what the status is then
--
-- "event" is the provider's word for it, "minute" when it happened, counted
-- from the first token; "participant" who it is about, or nobody.
--
-- Copyright (c) 2026, the vidtoken authors

SELECT to_char((:'issued_at'::timestamptz + :minute * interval '1 minute')
               AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS happened_at,
       :'grant'::json ->> 'room_name' AS room
\gset
\setenv EVENT :event
\setenv PARTICIPANT :participant
\setenv HAPPENED_AT :happened_at
\setenv ROOM :room
\setenv CALLBACK :callback
\set sent `$CALLBACK StatusCallbackEvent=$EVENT RoomSid=RM1 RoomName=$ROOM Timestamp=$HAPPENED_AT ParticipantSid=PA-$PARTICIPANT ParticipantIdentity=$PARTICIPANT`
SELECT result
  FROM vidtoken_webhook('twilio',
           convert_to(split_part(:'sent', E'\n', 1), 'UTF8'),
           jsonb_build_object('X-Twilio-Signature', split_part(:'sent', E'\n', 2)))
\gset
SELECT ' ' || rpad(:'event', 24), rpad(:'result', 9), rpad(room_status, 11),
       lpad(participant_count::text, 12), room_duration
  FROM vidtoken_status(47);
