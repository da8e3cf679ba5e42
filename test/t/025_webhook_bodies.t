#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# A session that is sent nonsense as webhooks keeps its size, and its server.
#
# A thousand bodies of 1 MB are refused by one session: some for their
# signature, some because they are no event, some for their size.  What the
# backend has for itself grows by less than one of them, and at no time is it
# much more.  A database that is not UTF-8 takes in the names that it can hold,
# and refuses others (22P05).
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/025_webhook_bodies.t

import base64
import hashlib
import hmac
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

need_server(own=True)

AUTH_TOKEN = b'0123456789abcdef0123456789abcdef'
LIVEKIT_SECRET = b'test secret of the webhooks of livekit'
LIMIT = 1024                            # kB
MOST = 64 * 1024                        # kB, for one body of 1 MB
REFUSALS = 1000
MAX_BODY = 1024 * 1024


def hook_clinic(name, **options):
    clinic = Clinic(name, **options)
    ring = keyring()
    ring['keys'] += [
        oct_key('AC1', AUTH_TOKEN, alg='HS1', vidtoken_use='webhook'),
        oct_key('APItest', LIVEKIT_SECRET, vidtoken_use='webhook')]
    clinic.write_keyring(ring)
    clinic.set('vidtoken.provider', 'livekit')
    clinic.set('vidtoken.public_url', 'https://clinic.example/hook')
    return clinic


def livekit_headers(body, secret=LIVEKIT_SECRET):
    now = int(time.time())
    text = '.'.join(base64url(json.dumps(part).encode()) for part in (
        {'alg': 'HS256'},
        {'iss': 'APItest', 'nbf': now, 'exp': now + 3600, 'sha256':
         base64.b64encode(hashlib.sha256(body).digest()).decode()}))
    mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return {'Authorization': text + '.' + base64url(mac)}


def twilio_headers(signed):
    mac = hmac.new(AUTH_TOKEN, b'https://clinic.example/hook' + signed,
                   hashlib.sha1).digest()
    return {'X-Twilio-Signature': base64.b64encode(mac).decode()}


def event(**changes):
    now = str(int(time.time()))
    return json.dumps({
        'event': 'participant_joined', 'id': 'EV_1', 'createdAt': now,
        'room': {'sid': 'RM_1', 'name': 'room-1'},
        'participant': {'sid': 'PA_1', 'identity': '2-jane',
                        'joinedAt': now}, **changes},
        ensure_ascii=False).encode()


#
# Memory
#

def padded(before, filling, after=b''):
    room = MAX_BODY - len(before) - len(after)
    return before + filling * (room // len(filling)) + after


strings = padded(b'{"event": "room_started", "x": [', b'"\\u00e9 abc", ',
                 b'1]}')
numbers = padded(b'{"event": "room_started", "x": [', b'1e131071,', b'1]}')
objects = padded(b'{"event": "room_started", "x": [', b'{"a":[]},', b'1]}')
deep = padded(b'', b'[')
no_json = padded(b'{"event": "', b'x')
no_utf8 = padded(b'{"event": "', b'\xc3\xa9', b'\xff"}')
one_field = padded(b'a=', b'%41')
fields = b'&'.join(b'x%d=' % number + b'y' * 1000 for number in range(1000))
many_fields = padded(b'', b'a&')
percents = padded(b'', b'%zz&')


def signed_form(body):
    pairs = sorted(part.partition(b'=')[::2] for part in body.split(b'&'))
    return b''.join(name + text.replace(b'%41', b'A')
                    for name, text in pairs)


DELIVERIES = [
    # body, provider, headers, SQLSTATE
    (strings, 'livekit', {}, '42501'),
    (strings, 'livekit', livekit_headers(strings, NEXT_SECRET), '42501'),
    (strings, 'livekit', livekit_headers(b''), '42501'),
    (strings, 'livekit', livekit_headers(strings), '22023'),
    (objects, 'livekit', livekit_headers(objects), '22023'),
    (numbers, 'livekit', livekit_headers(numbers), '22023'),
    (deep, 'livekit', livekit_headers(deep), '22023'),
    (no_json, 'livekit', livekit_headers(no_json), '22023'),
    (no_utf8, 'livekit', livekit_headers(no_utf8), '22023'),
    (strings + b' ' * MAX_BODY, 'livekit', {}, 'PT413'),
    (one_field, 'twilio', {}, '42501'),
    (one_field, 'twilio', twilio_headers(signed_form(one_field)), '22023'),
    (fields, 'twilio', twilio_headers(b''), '42501'),
    (fields, 'twilio', twilio_headers(signed_form(fields)), '22023'),
    (many_fields, 'twilio', twilio_headers(b''), '42501'),
    (percents, 'twilio', twilio_headers(percents), '42501'),
    (percents * 2, 'twilio', twilio_headers(percents * 2), 'PT413'),
]

clinic = hook_clinic('hook_memory')
session = clinic.connect()
watcher = clinic.connect()
started_at = value(watcher, 'SELECT pg_postmaster_start_time()')
rows(session, """
CREATE TABLE clinic.deliveries (
    n serial, body bytea, provider text, headers jsonb, expected text);
CREATE FUNCTION clinic.refused(rounds integer) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    d clinic.deliveries;
BEGIN
    FOR i IN 1 .. rounds LOOP
        FOR d IN SELECT * FROM clinic.deliveries ORDER BY n LOOP
            BEGIN
                PERFORM vidtoken.vidtoken_webhook(d.provider, d.body,
                                                  d.headers);
                RETURN NEXT d.n || ' was taken';
            EXCEPTION WHEN OTHERS THEN
                IF SQLSTATE <> d.expected THEN
                    RETURN NEXT format('%s is %s, %s', d.n, SQLSTATE,
                                       d.expected);
                END IF;
            END;
        END LOOP;
    END LOOP;
END;
$$;
""")
for body, provider, headers, expected in DELIVERIES:
    rows(session, 'INSERT INTO clinic.deliveries '
         '(body, provider, headers, expected) VALUES (%s, %s, %s, %s)',
         (psycopg2.Binary(body), provider, json.dumps(headers), expected))
session.close()
session = clinic.connect()

rounds = -(-REFUSALS // len(DELIVERIES))
rows(session, "SELECT result FROM vidtoken.vidtoken_webhook('livekit', %s, "
     "%s)", (psycopg2.Binary(b'{"event": "x"}'),
             json.dumps(livekit_headers(b'{"event": "x"}'))))
least = memory(session, ['VmPeak'])
surprises = rows(session, 'SELECT * FROM clinic.refused(3)')
before = memory(session)
for part in range(4):
    surprises += rows(session, 'SELECT * FROM clinic.refused(%s)',
                      (-(-rounds // 4),))
    diag('after %d refusals: %+d kB' % ((part + 1) * -(-rounds // 4)
                                        * len(DELIVERIES),
                                        memory(session) - before))
equal(surprises[:3], [], 'every one of %d bodies of 1 MB is refused as it '
      'should be' % (-(-rounds // 4) * 4 * len(DELIVERIES)))
ok(memory(session) - before < LIMIT, 'and the backend has not grown by 1 MB')
most = memory(session, ['VmPeak']) - least
diag('the most it ever had is %+d kB' % most)
ok(most < MOST, 'nor has it ever had 64 MB more')
equal(rows(watcher, 'SELECT (SELECT count(*) FROM vidtoken.vidtoken_event), '
           '(SELECT count(*) FROM vidtoken.vidtoken_call), '
           '(SELECT count(*) FROM vidtoken.vidtoken_participant)'),
      [(0, 0, 0)], 'nothing is written')
body = event()
DELIVER = ('SELECT result FROM vidtoken.vidtoken_webhook(%s, %s, %s)')
equal(value(session, DELIVER, ('livekit', psycopg2.Binary(body), json.dumps(
    livekit_headers(body)))), 'accepted', 'the session takes in what is good')
equal(value(watcher, 'SELECT pg_postmaster_start_time()'), started_at,
      'and the server is still the one that was started')


#
# A database that is not UTF-8
#

latin = hook_clinic('hook_latin1', encoding='LATIN1')
connection = latin.connect()
for number, (name, expected) in enumerate((
        ('jane', 'accepted'), ('zoë', 'accepted'), ('日本', '22P05'),
        ('😀', '22P05'), ('€', '22P05'))):
    for member, changes in (
            ('identity', {'participant': {
                'sid': 'PA_of_%d' % number, 'identity': name}}),
            ('room', {'room': {'sid': 'RM_1', 'name': name}}),
            ('id', {'id': name})):
        body = event(**{'id': '%s %d' % (member, number), **changes})
        try:
            result = value(connection, DELIVER, (
                'livekit', psycopg2.Binary(body),
                json.dumps(livekit_headers(body))))
        except psycopg2.Error as error:
            result = error.pgcode
        equal(result, expected, 'LATIN1: %s %r is %s'
              % (member, name, expected))
        body = event(id='x %s %d' % (member, number), event='track_published',
                     **{key: text for key, text in changes.items()
                        if key != 'id'})
        equal(value(connection, DELIVER, (
            'livekit', psycopg2.Binary(body),
            json.dumps(livekit_headers(body)))), 'ignored',
            'LATIN1: %s %r of an event that tells nothing is ignored'
            % (member, name))
equal(sorted(row[0] for row in rows(
    connection, 'SELECT DISTINCT user_identity FROM '
    'vidtoken.vidtoken_participant')), ['2-jane', 'jane', 'zoë'],
      'LATIN1: names are the same letters there')
form = 'x=%E6%97%A5&RoomName=zo%C3%AB&RoomSid=RM2' \
    '&StatusCallbackEvent=room-created&Timestamp=' + time.strftime(
        '%Y-%m-%dT%H%%3A%M%%3A%S.000Z', time.gmtime())
said = form.replace('%3A', ':').replace('%C3%AB', 'ë').replace(
    '%E6%97%A5', '日').split('&')
equal(value(connection, DELIVER, ('twilio', form.encode(), json.dumps(
    twilio_headers(''.join(sorted(said)).replace('=', '').encode())))),
      'accepted', 'LATIN1: a form is signed in UTF-8 all the same')
equal(value(connection, "SELECT room_name FROM vidtoken.vidtoken_call "
            "WHERE provider = 'twilio'"), 'zoë',
      'LATIN1: and its name is the same letters')
unlike(server_log().decode('utf-8', 'replace'),
       r'terminated by signal|PANIC:|TRAP:|invalid memory|leaked|leak:',
       'the server has nothing to report')
done_testing()
