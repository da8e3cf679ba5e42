"""The API of examples/postgrest: installed as its README says, and what it has
to answer, by whatever way it is asked.

Copyright (c) 2026, the vidtoken authors

test/t/lib/api.py
"""

import base64
import datetime
import hashlib
import hmac
import os
import time
import urllib.parse

import jwt

from postgrest import OCTETS
from tap import *

EXAMPLE = os.path.join(ROOT, 'examples', 'postgrest')
AUTH_TOKEN = b'token of the account, 32 bytes..'
LIVEKIT_SECRET = b'secret of livekit\'s webhooks, 1..'
CALLBACK = 'https://clinic.example/api/video-webhook/twilio/'
SHARED = {'api': 'api', 'clinic': 'practice'}
UUID = '00000000-0000-4000-8000-%012d'

# The members that front ends rely on, then those that came with them.
GRANT = {'access_token': str, 'room_name': str, 'user_identity': str,
         'expires_in': int, 'expires_at': str, 'appointment_id': None,
         'appointment_duration_minutes': int, 'token_valid_until': str}
ISO = r'\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00\Z'


class Practice:
    """A clinic's database with clinic.sql and api.sql run in it: doctor 1;
    patients 2 (46 was yesterday, 47 is now, 49 is tomorrow, 50 is cancelled)
    and 3 (48 is now).
    """

    def __init__(self, database, key='integer', keeper=None, **variables):
        self.database, self.key = database, key
        self.variables = dict(SHARED, **variables)
        for role in ('authenticator', 'web_anon', 'web_user',
                     'sessions_owner'):
            name = self.variables.setdefault(
                role, '%s_%s' % (database.name, role))
            database.roles.append(quote(name))
        self.admin = database.connect()
        if key == 'integer':
            self.psql('clinic.sql')
        else:
            self.make_tables(keeper)
        self.install()
        database.set('vidtoken.source', quote(self.variables['clinic'])
                   + '.video_source')
        database.set('vidtoken.public_url', CALLBACK)
        # the API's role has a zone of its own
        database.set('timezone', 'America/New_York')
        content = keyring()
        content['keys'] += [
            oct_key('twilio-account', AUTH_TOKEN, alg='HS1',
                    vidtoken_use='webhook', provider='twilio'),
            oct_key('livekit-hook', LIVEKIT_SECRET, vidtoken_use='webhook',
                    provider='livekit')]
        database.write_keyring(content)
        self.admin.close()
        self.admin = database.connect()

    def psql(self, name):
        variables = [word for key, text in self.variables.items()
                     for word in ('-v', '%s=%s' % (key, text))]
        run = program('psql', '-X', '-q', '-d', self.database.name, *variables,
                      '-f', os.path.join(EXAMPLE, name))
        if run.returncode != 0 or run.stderr:
            raise RuntimeError((run.stdout + run.stderr).decode())
        return run

    def install(self):
        return self.psql('api.sql')

    def make_tables(self, keeper):
        rows(self.admin, """
CREATE SCHEMA %(schema)s;
CREATE TABLE %(schema)s.appointments (
    id uuid PRIMARY KEY, doctor_id uuid NOT NULL, patient_id uuid NOT NULL,
    starts_at timestamptz NOT NULL, minutes integer NOT NULL,
    cancelled boolean);
ALTER TABLE %(schema)s.appointments OWNER TO %(keeper)s;
""" % {'schema': quote(self.variables['clinic']), 'keeper': keeper})
        for number, patient, days, cancelled in (
                (46, 2, -1, None), (47, 2, 0, None), (48, 3, 0, False),
                (49, 2, 1, None), (50, 2, 0, True)):
            rows(self.admin, 'INSERT INTO %s.appointments VALUES '
                 '(%%s, %%s, %%s, now() + %%s * interval \'1 day\', 60, %%s)'
                 % quote(self.variables['clinic']),
                 (UUID % number, UUID % 1, UUID % patient, days, cancelled))

    def id(self, number):
        """An id as a client of the API would write it in JSON."""
        return number if self.key == 'integer' else UUID % number

    def claims(self, user, **more):
        """Of a user's JWT; a sub is a string (RFC 7519, section 4.1.2)."""
        return dict({'role': self.variables['web_user'],
                     'sub': str(self.id(user))}, **more)

    def api_name(self):
        return quote(self.variables['api'])


def quote(name):
    return '"%s"' % name.replace('"', '""')


#
# Webhooks, as the providers send them
#

def twilio_event(event, room, account='ACtest', **more):
    now = datetime.datetime.utcnow()
    form = dict({'AccountSid': account, 'RoomName': room,
                 'RoomSid': 'RM' + room, 'RoomStatus': 'in-progress',
                 'StatusCallbackEvent': event,
                 'Timestamp': now.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}, **more)
    signed = CALLBACK + ''.join(key + form[key] for key in sorted(form))
    signature = base64.b64encode(hmac.new(
        AUTH_TOKEN, signed.encode(), hashlib.sha1).digest()).decode()
    return urllib.parse.urlencode(form).encode(), {
        'Content-Type': OCTETS,
        'X-Vidtoken-Content-Type': 'application/x-www-form-urlencoded',
        'X-Twilio-Signature': signature}


def livekit_event(event, room, secret=LIVEKIT_SECRET,
                  header='X-Vidtoken-Authorization'):
    now = int(time.time())
    body = json.dumps({
        'event': event, 'id': 'EV_%s_%s' % (event, room),
        'createdAt': str(now),
        'room': {'name': room, 'sid': 'RM_' + room, 'creationTime': str(now)},
    }).encode()
    token = jwt.encode({
        'iss': 'livekit-hook', 'nbf': now, 'exp': now + 300,
        'sha256': base64.b64encode(hashlib.sha256(body).digest()).decode()},
        secret, algorithm='HS256')
    return body, {'Content-Type': OCTETS,
                  'X-Vidtoken-Content-Type': 'application/webhook+json',
                  header: token}


#
# What the API has to answer
#

class Suite:
    """The promises, asked of one transport."""

    def __init__(self, what, practice, transport):
        self.what, self.practice, self.transport = what, practice, transport

    def post(self, name, claims, body, **more):
        return self.transport.request('POST', name, claims=claims,
                                      body=json.dumps(body), **more)

    def get(self, name, claims, **query):
        return self.transport.request('GET', name, claims=claims, query=query)

    def call(self, name, user, number, method='POST'):
        """One of the functions of an appointment, by a user or by nobody."""
        claims = None if user is None else self.practice.claims(user)
        given = {'appointment_id': self.practice.id(number)}
        if method == 'GET':
            return self.get(name, claims, **given)
        return self.post(name, claims, given)

    def sessions(self, claims):
        return self.transport.request('GET', 'video_sessions', claims=claims,
                                      path='')

    def refuses(self, answer, status, code, reason, name):
        equal((answer.status, answer.code, answer.reason),
              (status, code, reason), '%s: %s' % (self.what, name))

    def equal(self, got, expected, name):
        equal(got, expected, '%s: %s' % (self.what, name))

    def answers(self, answer, name, status=200):
        """A success, which nobody is to keep."""
        self.equal((answer.status, answer.headers.get('cache-control'),
                    answer.code, answer.message),
                   (status, 'no-store', '', ''), name)
        return answer.body if isinstance(answer.body, dict) else {}

    def run(self):
        for part in (self.first_tokens, self.tokens, self.refusals,
                     self.arguments, self.methods, self.refreshes,
                     self.who_asks, self.statuses, self.webhooks,
                     self.qualities, self.own_sessions):
            part()

    def first_tokens(self):
        """Before anybody has a session."""
        self.equal(self.sessions(self.practice.claims(2)).body, [],
                   'no session before the first token')
        self.refuses(self.call('video_token_refresh', 2, 47), 409, 'PT409',
                     'no_session', 'a refresh before the first token')

    def tokens(self):
        patient = self.answers(self.call('video_token', 2, 47),
                               'a patient\'s token')
        doctor = self.answers(self.call('video_token', 1, 47),
                              'the doctor\'s token')
        self.judge(patient)
        self.equal((patient.get('role'), doctor.get('role')),
                   ('guest', 'host'), 'each gets the own role')
        self.equal(patient.get('room_name') == doctor.get('room_name')
                   and patient.get('user_identity')
                   != doctor.get('user_identity'), True,
                   'one room, two identities')
        said = jwt.decode(patient.get('access_token', ''), SECRET,
                          algorithms=['HS256'])
        self.equal((said['grants']['identity'], said['grants']['video']),
                   (patient['user_identity'], {'room': patient['room_name']}),
                   'the token says what the answer says')
        self.room = patient['room_name']
        self.identity = patient['user_identity']

    def judge(self, grant):
        self.equal(list(grant)[:len(GRANT)], list(GRANT),
                   'the members that front ends rely on come first')
        self.equal({key: type(grant.get(key)) for key, kind in GRANT.items()
                    if kind}, {key: kind for key, kind in GRANT.items()
                               if kind}, 'their types')
        self.equal(grant.get('appointment_id'), self.practice.id(47),
                   'the id comes back as it is')
        self.equal(grant.get('appointment_duration_minutes'), 60,
                   'the duration is in minutes')
        for key in ('expires_at', 'issued_at', 'refresh_at', 'warn_at'):
            like(grant.get(key), ISO,
                 '%s: %s is ISO 8601 in UTC' % (self.what, key))
        life = datetime.datetime.fromisoformat(grant['expires_at']) \
            - datetime.datetime.fromisoformat(grant['issued_at'])
        self.equal(life.total_seconds(), grant.get('expires_in'),
                   'expires_in are the seconds between them')

    def refusals(self):
        for call in ('video_token', 'video_token_refresh', 'video_status'):
            for name, user, number in (
                    ('another patient\'s appointment', 3, 47),
                    ('an appointment that is not there', 2, 51),
                    ('a user who has none', 4, 47)):
                self.refuses(self.call(call, user, number), 404, 'PT404',
                             'not_found', '%s: %s' % (call, name))
            self.refuses(self.call(call, None, 47), 401, '42501', '',
                         call + ': nobody')
        for name, number, status, code, reason in (
                ('tomorrow\'s', 49, 425, 'PT425', 'too_early'),
                ('yesterday\'s', 46, 410, 'PT410', 'ended'),
                ('a cancelled one', 50, 410, 'PT410', 'cancelled')):
            self.refuses(self.call('video_token', 2, number), status, code,
                         reason, 'video_token: ' + name)
        rows(self.practice.admin, 'SELECT vidtoken.vidtoken_revoke(%s, %s)',
             (str(self.practice.id(48)), str(self.practice.id(3))))
        self.refuses(self.call('video_token', 3, 48), 410, 'PT410', 'revoked',
                     'video_token: who is barred')
        rows(self.practice.admin, 'SELECT vidtoken.vidtoken_reinstate(%s, %s)',
             (str(self.practice.id(48)), str(self.practice.id(3))))

    def arguments(self):
        jane = self.practice.claims(2)
        for call in ('video_token', 'video_token_refresh', 'video_status'):
            for name, body in (('a word', 'x'), ('no text', ''),
                               ('an object', {'id': 47}),
                               ('a quote', '47\''), ('true', True),
                               ('a number beyond int8', '9' * 19)):
                self.refuses(self.post(call, jane, {'appointment_id': body}),
                             404, 'PT404', 'not_found',
                             '%s: %s is no appointment' % (call, name))
            self.refuses(self.post(call, jane, {'appointment_id': None}), 400,
                         '22004', '', call + ': null')
            for name, body in (
                    ('no argument', {}),
                    ('another name', {'id': self.practice.id(47)}),
                    ('a user besides', {
                        'appointment_id': self.practice.id(47),
                        'user_id': self.practice.id(1)})):
                self.refuses(self.post(call, jane, body), 404, 'PGRST202', '',
                             '%s: %s finds no function' % (call, name))
        self.answers(self.post('video_token', jane, {
            'appointment_id': str(self.practice.id(47))}),
            'an id may be a string')

    def methods(self):
        for call in ('video_token', 'video_token_refresh'):
            self.refuses(self.call(call, 2, 47, 'GET'), 405, '25006', '',
                         call + ': a GET cannot write')
        self.answers(self.call('video_status', 2, 47, 'GET'),
                     'video_status: GET')
        self.answers(self.call('video_status', 2, 47, 'POST'),
                     'video_status: POST')
        self.refuses(self.transport.request(
            'POST', 'video_webhook_twilio', body='{}'), 404, 'PGRST202', '',
            'a webhook of another type finds no function')
        self.refuses(self.transport.request(
            'GET', 'video_webhook_twilio'), 404, 'PGRST202', '',
            'nor does a GET')

    def refreshes(self):
        grant = self.answers(self.call('video_token_refresh', 2, 47),
                             'a refresh')
        self.equal((grant.get('room_name'), grant.get('user_identity')),
                   (self.room, self.identity),
                   'it keeps the room and the identity')
        self.judge(grant)

    def who_asks(self):
        role, sub = (self.practice.claims(2)[key] for key in ('role', 'sub'))
        call = {'appointment_id': self.practice.id(47)}
        for name, claims, status, code, reason in (
                ('a JWT without sub', {'role': role}, 403, '42501',
                 'no_user'),
                ('with an empty one', {'role': role, 'sub': ''}, 403, '42501',
                 'no_user'),
                ('with somebody unheard of', {'role': role, 'sub': 'x'}, 404,
                 'PT404', 'not_found'),
                ('without a role', {'sub': sub}, 401, '42501', ''),
                ('with a role that is not the API\'s',
                 {'role': 'postgres', 'sub': sub}, 403, '42501', ''),
                ('with the role of the sessions',
                 {'role': self.practice.variables['sessions_owner'],
                  'sub': sub}, 403, '42501', '')):
            self.refuses(self.post('video_token', claims, call), status, code,
                         reason, 'video_token: ' + name)

    def statuses(self):
        status = self.answers(self.call('video_status', 2, 47, 'GET'),
                              'the status of a room')
        self.equal({key: status.get(key) for key in (
            'appointment_id', 'room_name', 'room_status', 'schedule')},
            {'appointment_id': self.practice.id(47), 'room_name': self.room,
             'room_status': 'not_found', 'schedule': 'open'},
            'nothing has been reported')

    def deliver(self, delivery, provider='twilio', claims=None):
        body, headers = delivery
        return self.transport.request('POST', 'video_webhook_' + provider,
                                      body=body, headers=headers,
                                      claims=claims)

    def webhooks(self):
        start = twilio_event('room-created', self.room)
        join = twilio_event('participant-connected', self.room,
                            ParticipantSid='PA1',
                            ParticipantIdentity=self.identity)
        for name, delivery, expected in (
                ('a room is created', start, 'accepted'),
                ('somebody comes', join, 'accepted'),
                ('the same again', join, 'duplicate')):
            self.equal(self.answers(self.deliver(delivery), 'twilio: ' + name),
                       {'result': expected}, 'twilio: %s: result' % name)
        status = self.answers(self.call('video_status', 2, 47, 'GET'),
                              'the status of a call')
        self.equal((status.get('room_status'),
                    status.get('participant_count')), ('active', 1),
                   'what was reported is told')
        self.equal(self.answers(self.deliver(livekit_event(
            'room_started', self.room), 'livekit'), 'livekit: a room starts'),
            {'result': 'accepted'}, 'livekit: result')

        forged = livekit_event('room_finished', self.room, b'x' * 32)
        self.refuses(self.deliver(forged, 'livekit'), 401, '42501', '',
                     'livekit: another key')
        body, headers = twilio_event('room-ended', self.room)
        self.refuses(self.deliver((body + b'&x=1', headers)), 401, '42501', '',
                     'twilio: another body')
        self.refuses(self.deliver((body, {'Content-Type': OCTETS})), 401,
                     '42501', '', 'twilio: no signature')
        self.refuses(self.deliver((body, headers), 'livekit'), 401, '42501',
                     '', 'another provider\'s signature')
        self.refuses(self.deliver((body, headers), 'zoom'), 404, 'PGRST202',
                     '', 'a provider that there is not')
        self.refuses(self.deliver((body, headers),
                                  claims=self.practice.claims(2)), 403,
                     '42501', '', 'a user is no provider')
        self.refuses(self.deliver((b'x' * (1024 * 1024 + 1), headers)), 413,
                     'PT413', '', 'a body beyond the bound')
        status = self.answers(self.call('video_status', 2, 47, 'GET'),
                              'the status after these')
        self.equal(status.get('room_status'), 'active',
                   'nothing that was refused has ended the room')

    def report(self, user, number, report):
        return self.post('video_quality', self.practice.claims(user)
                         if user else None,
                         {'appointment_id': self.practice.id(number),
                          'report': report})

    def qualities(self):
        self.answers(self.report(2, 47, {'quality': 4,
                                         'metrics': {'rtt': 20}}),
                     'a report of quality', 204)
        status = self.call('video_status', 2, 47, 'GET').body
        self.equal((status.get('connection_quality'),
                    status['participants'][0].get('metrics')),
                   (4, {'rtt': 20}), 'the status tells it')
        for name, more in (('without metrics', {}),
                           ('with null for them', {'metrics': None})):
            self.answers(self.report(2, 47, dict(more, quality=2)),
                         'a report ' + name, 204)
            status = self.call('video_status', 2, 47, 'GET').body
            self.equal(status['participants'][0].get('metrics'), None,
                       'none are told: a report ' + name)
        for name, user, number, report, status, code, reason in (
                ('6', 2, 47, {'quality': 6}, 400, '22023', ''),
                ('no number', 2, 47, {'quality': 'x'}, 400, '22P02', ''),
                ('none', 2, 47, {}, 400, '22004', ''),
                ('no object', 2, 47, [5], 400, '22004', ''),
                ('of another\'s appointment', 3, 47, {'quality': 5}, 404,
                 'PT404', 'not_found'),
                ('of nobody', None, 47, {'quality': 5}, 401, '42501', '')):
            self.refuses(self.report(user, number, report), status, code,
                         reason, 'a quality: ' + name)
        self.equal(self.call('video_status', 2, 47, 'GET').body
                   .get('connection_quality'), 2,
                   'and none of these has changed it')

    def own_sessions(self):
        self.answers(self.call('video_token', 3, 48), 'another\'s token')
        for user, expected in ((1, [47]), (2, [47]), (3, [48]), (4, [])):
            answer = self.sessions(self.practice.claims(user))
            self.equal((answer.status, [one['appointment_id']
                                        for one in answer.body]),
                       (200, [str(self.practice.id(number))
                              for number in expected]),
                       'user %d sees the own sessions' % user)
        one = self.sessions(self.practice.claims(2)).body[0]
        self.equal((one['state'], one['room_name'], type(one['expires_in'])),
                   ('active', self.room, int), 'and what they are')
        like(one['expires_at'], ISO, self.what + ': in UTC')
        for name, claims in (('without sub', {}), ('without a user',
                                                   {'sub': ''})):
            answer = self.sessions(dict(
                claims, role=self.practice.variables['web_user']))
            self.equal((answer.status, answer.body), (200, []),
                       'a JWT %s has no session' % name)
        self.refuses(self.sessions(None), 401, '42501', '',
                     'nobody sees any session')
