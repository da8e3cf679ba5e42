#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# What a session that LISTENs hears of tokens, bars and calls.
#
# One notification for each thing that was committed, none for what was
# refused, repeated or rolled back, and never a token in it.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/024_notify.t

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

need_server()

HOOK_SECRET = b'test secret of livekit for its webhooks'


def webhook(connection, event, room, identity=None, sid='PA_1', number=1):
    now = int(time.time())
    body = {'event': event, 'id': 'EV_%s_%d' % (event, number),
            'createdAt': str(now),
            'room': {'sid': 'RM_1', 'name': room, 'creationTime': str(now)}}
    if identity is not None:
        body['participant'] = {'sid': sid, 'identity': identity,
                               'joinedAt': str(now)}
    body = json.dumps(body).encode()
    claims = {'nbf': now, 'exp': now + 300, 'sha256': base64.b64encode(
        hashlib.sha256(body).digest()).decode()}
    signed = '.'.join(base64url(json.dumps(part).encode())
                      for part in ({'alg': 'HS256'}, claims))
    mac = hmac.new(HOOK_SECRET, signed.encode(), hashlib.sha256).digest()
    return value(connection, 'SELECT result FROM vidtoken.vidtoken_webhook('
                 "'livekit', %s, %s::jsonb)",
                 (body, json.dumps({'authorization':
                                    signed + '.' + base64url(mac)})))


class Listener:
    def __init__(self, clinic):
        self.connection = clinic.connect()
        rows(self.connection, 'LISTEN video')

    def hears(self):
        """All payloads since the last time."""
        rows(self.connection, 'SELECT')
        self.connection.poll()
        payloads = [notify.payload for notify in self.connection.notifies]
        self.connection.notifies.clear()
        return payloads


def told(payloads):
    """What the first of them says, but for the time."""
    said = json.loads(payloads[0]) if payloads else {}
    said.pop('at', None)
    return said


def events(payloads):
    return [json.loads(payload)['event'] for payload in payloads]


def tests(encoding):
    clinic = Clinic('notify_' + encoding.lower(), encoding)
    ring = keyring()
    ring['keys'].append(oct_key('hook', HOOK_SECRET, vidtoken_use='webhook'))
    clinic.write_keyring(ring)
    listener = Listener(clinic)
    connection = clinic.connect()
    asked = 'SELECT access_token FROM vidtoken.vidtoken_issue(47, 2)'

    rows(connection, asked)
    equal(listener.hears(), [], encoding + ': nothing without a channel')

    clinic.set('vidtoken.notify_channel', 'video')
    connection = clinic.connect()
    token = value(connection, asked)
    payloads = listener.hears()
    row = record(connection, """
        SELECT appointment_id, user_id, room_name, user_identity, provider,
               to_char(expires_at, 'YYYY-MM-DD"T"HH24:MI:SS+00:00')
                   AS expires_at
          FROM vidtoken.vidtoken_sessions""")
    equal(told(payloads), {'event': 'issue', **row},
          encoding + ': a token is told with what the ledger has')
    ok(all(part not in ''.join(payloads) for part in token.split('.')),
       encoding + ': and no part of it is')

    rows(connection, 'SELECT vidtoken.vidtoken_refresh(47, 2)')
    equal(events(listener.hears()), ['refresh'], encoding + ': a refresh')
    refused(connection, 'SELECT vidtoken.vidtoken_refresh(47, 3)', None,
            'PT409', 'no_session', encoding + ': a refusal ...')
    equal(listener.hears(), [], encoding + ': ... is not told')
    rows(connection, 'BEGIN')
    rows(connection, asked)
    rows(connection, 'ROLLBACK')
    equal(listener.hears(), [], encoding + ': nor what was rolled back')

    # Who is removed at the provider has to be found there.
    bar = {'event': 'revoke', **row}
    del bar['expires_at']
    rows(connection, 'SELECT vidtoken.vidtoken_revoke(47, 2)')
    equal(told(listener.hears()), bar,
          encoding + ': a bar, of whom, and where that one is')
    rows(connection, 'SELECT vidtoken.vidtoken_revoke(47, 2)')
    equal(listener.hears(), [], encoding + ': which is told once')
    rows(connection, 'SELECT vidtoken.vidtoken_revoke(48, 2)')
    equal(told(listener.hears()),
          {'event': 'revoke', 'appointment_id': '48', 'user_id': '2'},
          encoding + ': who had no session is nowhere')
    rows(connection, 'SELECT vidtoken.vidtoken_revoke_all(48)')
    equal(told(listener.hears()), {'event': 'revoke', 'appointment_id': '48'},
          encoding + ': a bar of everyone names nobody')
    rows(connection, 'SELECT vidtoken.vidtoken_revoke_all(48)')
    equal(listener.hears(), [], encoding + ': also once')
    visit = new_appointment(connection)
    rooms = {issue(connection, visit, user)[0] for user in (2, 3)}
    listener.hears()
    rows(connection, 'SELECT vidtoken.vidtoken_revoke_all(%s)', (visit,))
    equal(told(listener.hears()),
          {'event': 'revoke', 'appointment_id': str(visit),
           'provider': 'twilio', 'room_name': rooms.pop()},
          encoding + ': and the room that they are in')
    equal(rooms, set(), encoding + ': which is one')

    for event, word, identity in (
            ('room_started', 'room_started', None),
            ('participant_joined', 'participant_joined', 'jane'),
            ('participant_left', 'participant_left', 'jane'),
            ('room_finished', 'room_ended', None)):
        equal([webhook(connection, event, 'room', identity)
               for _ in range(2)], ['accepted', 'duplicate'],
              '%s: %s' % (encoding, event))
        payloads = [json.loads(one) for one in listener.hears()]
        equal([(one['event'], one['provider'], one['room_name'],
                one.get('user_identity')) for one in payloads],
              [(word, 'livekit', 'room', identity)],
              '%s: %s is told once' % (encoding, event))
    equal(webhook(connection, 'track_published', 'room'), 'ignored',
          encoding + ': an event of no interest')
    equal(listener.hears(), [], encoding + ': is not told')

    # Escapes make a name longer where the encoding is not UTF-8.
    name = 'é' * 250
    equal(webhook(connection, 'participant_joined', name, name, number=2),
          'accepted', encoding + ': the longest names')
    heard = listener.hears()
    equal([json.loads(one)['room_name'] == name for one in heard], [True],
          encoding + ': come through')
    # jwt has no limit of its own.
    rows(connection, 'UPDATE clinic.participants SET room_name = %s '
         'WHERE appointment_id = 48', ('é' * 3500,))
    rows(connection, 'SELECT vidtoken.vidtoken_reinstate_all(48)')
    rows(connection, "SET vidtoken.provider = 'jwt'")
    rows(connection, 'SELECT vidtoken.vidtoken_issue(48, 3)')
    equal(events(listener.hears()), ['issue'],
          encoding + ': whatever has to be left out, the event is told')
    connection.close()
    listener.connection.close()


for encoding in ('UTF8', 'LATIN1'):
    tests(encoding)
done_testing()
