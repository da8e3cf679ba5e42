#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# Tokens as the vendors' own SDKs see them: livekit-server-sdk, twilio, jose.
#
# An SDK accepts what vidtoken_issue signs, and refuses it when anything was
# changed.  What it makes itself of the same inputs says the same: every
# difference is in a list here, with its reason, and a difference that is not
# in the list fails.  The other way round, what jose signs with our keys is
# valid to vidtoken_verify.  The call that makes a room is the one that the SDK
# makes of the same settings.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/021_vendor_sdks.t

import hashlib
import hmac
import json
import os
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *
from judges import ask_judges

need_server()

VECTORS = os.path.join(ROOT, 'test', 'vectors')
with open(os.path.join(VECTORS, 'jose.json'), encoding='utf-8') as file:
    vectors = json.load(file)['vectors']
JWKS = {vector['jwk']['alg']: vector['jwk'] for vector in vectors}

LIVEKIT_SECRET = b'test secret of the livekit key, it has an API'
OTHER_SECRET = b'test secret of a key that is in no keyring'

clinic = Clinic('sdks')
ring = keyring()
ring['keys'] += [oct_key('APItest', LIVEKIT_SECRET), *JWKS.values()]
clinic.write_keyring(ring)
connection = clinic.connect()

rows(connection, """
CREATE TABLE clinic.calls (
    appointment_id integer PRIMARY KEY,
    user_id integer NOT NULL DEFAULT 2,
    starts_at timestamptz NOT NULL DEFAULT now(),
    duration interval NOT NULL DEFAULT '60 minutes',
    identity text,
    display_name text,
    role text,
    room_name text,
    metadata jsonb,
    note text,
    max_participants integer
);
CREATE VIEW clinic.calls_with_note AS
SELECT appointment_id, user_id, starts_at, duration, identity, display_name,
       role, room_name, note AS metadata, max_participants
  FROM clinic.calls;
""")


#
# Tokens
#

ISSUE = 'SELECT * FROM vidtoken.vidtoken_issue(%s, 2)'
CLOCK_SKEW = 10
_calls = 0


def add_call(**columns):
    """A new appointment of user 2; returns its id."""
    global _calls
    _calls += 1
    columns['appointment_id'] = _calls
    rows(connection, 'INSERT INTO clinic.calls (%s) VALUES (%s)'
         % (', '.join(columns), ', '.join(['%s'] * len(columns))),
         tuple(columns.values()))
    return _calls


def issue(**columns):
    return record(connection, ISSUE, (add_call(**columns),))


def issue_on(days):
    """A grant as it would have been, or will be, so many days from now."""
    rows(connection, "SELECT set_config('vidtoken.test_clock', "
         "(now() + make_interval(days => %s))::text, false)", (days,))
    now = value(connection, 'SELECT vidtoken.vidtoken_clock()')
    grant = issue(starts_at=now)
    rows(connection, "SET vidtoken.test_clock = ''")
    return grant


def settings(**texts):
    for name, text in texts.items():
        rows(connection, 'SELECT set_config(%s, %s, false)',
             ('vidtoken.' + name, text))


def seconds(timestamp):
    return int(timestamp.timestamp())


def unique_members(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError('a member twice: %r' % pairs)
    return dict(pairs)


def decode(token):
    """Header and claims of a token, judged by nobody."""
    header, claims, _ = token.split('.')
    return {name: json.loads(base64.urlsafe_b64decode(part + '=='),
                             object_pairs_hook=unique_members)
            for name, part in (('header', header), ('claims', claims))}


def changed(token, part):
    """One character in the middle of a part is another one, of which every
    bit counts.
    """
    parts = token.split('.')
    text = parts[part]
    middle = len(text) // 2
    parts[part] = (text[:middle] + ('Q' if text[middle] == 'A' else 'A') +
                   text[middle + 1:])
    return '.'.join(parts)


def later(token):
    """With another exp, and JSON all the same: jsonwebtoken reads the claims
    before it looks at the signature.
    """
    parts = token.split('.')
    claims = decode(token)['claims']
    claims['exp'] += 1
    parts[1] = base64url(json.dumps(claims).encode())
    return '.'.join(parts)


def is_signed_with(token, secret):
    """HS256 (RFC 7518, section 3.2), by Python's own HMAC."""
    signing_input, signature = token.rsplit('.', 1)
    mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
    return base64url(mac) == signature


def our_verdict(token):
    valid, reason, key_id = rows(
        connection, 'SELECT valid, reason, key_id FROM '
        'vidtoken.vidtoken_verify(%s)', (token,))[0]
    return ('valid', key_id) if valid else (reason, None)


class Absent:
    def __repr__(self):
        return 'ABSENT'


ABSENT = Absent()


def differences(ours, theirs, path=''):
    """{path: (ours, theirs)} of whatever is not the same, its type included.
    The order of an object's members says nothing (RFC 8259, section 4).
    """
    found = {}
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in {**ours, **theirs}:
            found.update(differences(ours.get(name, ABSENT),
                                     theirs.get(name, ABSENT),
                                     (path + ' ' + name).strip()))
    elif (type(ours) is not type(theirs) or
          json.dumps(ours) != json.dumps(theirs)):
        found[path] = (ours, theirs)
    return found


def room_settings(**columns):
    return record(connection, 'SELECT * FROM '
                  'vidtoken.vidtoken_room_settings(%s)', (add_call(**columns),))


#
# The judges
#

BAD_SIGNATURE = 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED'
BAD_CLAIM = 'ERR_JWT_CLAIM_VALIDATION_FAILED'
EXPIRED = 'ERR_JWT_EXPIRED'
NO_KEY = 'ERR_JWKS_NO_MATCHING_KEY'


#
# LiveKit
#

JANE = 'Dr. Jane "J." O\'Neill \\ Zoë 😀'
JSON_TEXT = '{"b": 1.50,  "a": "\\u00e9", "a": [true, null]}'
DESCRIPTIONS = {
    'nothing but an identity': {},
    'a display name': {'display_name': JANE},
    'a name, jsonb, and places for 12': {
        'display_name': 'Jane', 'max_participants': 12,
        'metadata': '{"say": "\\"hi\\" \\\\ 日本語 😀", "n": 1.50, "no": null}'},
    'jsonb that is a string': {'metadata': '"in \\"quotes\\""'},
    'text that is no JSON': {'note': 'a "note",\n\\tab\t and ümläuts 😀',
                             'display_name': 'Jane'},
    'text that is JSON, and places for 2': {'note': JSON_TEXT,
                                            'max_participants': 2},
}

# What a role may do, as LiveKit names it.
VIDEO_GRANTS = {
    'host': {'canPublish': True, 'canSubscribe': True, 'canPublishData': True,
             'roomAdmin': True},
    'guest': {'canPublish': True, 'canSubscribe': True,
              'canPublishData': True},
    'observer': {'canPublish': False, 'canSubscribe': True,
                 'canPublishData': False},
}
# A part of a second more makes the room a whole one more.
DURATIONS = {'host': ('60 minutes', 3600), 'guest': ('30 minutes', 1800),
             'observer': ('75 minutes 0.5 seconds', 4501)}

# A message of livekit.RoomConfiguration with nothing in it: its SDK writes
# what is not set as well, to the server both are the same.
EMPTY_ROOM = {'name': '', 'emptyTimeout': 0, 'departureTimeout': 0,
              'maxParticipants': 0, 'minPlayoutDelay': 0,
              'maxPlayoutDelay': 0, 'syncStreams': False, 'agents': [],
              'metadata': '', 'tags': {}}


def livekit_differences(claims, issued_at, room):
    """All that may differ from a token of livekit-server-sdk."""
    allowed = {
        # RFC 7519, section 5.1: optional; LiveKit's Go SDK has it.
        'header typ': ('JWT', ABSENT),
        # The ledger knows a token by its jti.
        'claims jti': (claims['jti'], ABSENT),
        # LiveKit's Go SDK has it; LiveKit judges by nbf.
        'claims iat': (issued_at - CLOCK_SKEW, ABSENT),
        # vidtoken.clock_skew, for a server whose clock is behind
        'claims nbf': (issued_at - CLOCK_SKEW, issued_at),
    }
    # What is not set is not written, see EMPTY_ROOM.
    for name, default in EMPTY_ROOM.items():
        if name not in room:
            allowed['claims roomConfig ' + name] = (ABSENT, default)
    return allowed


def livekit_case(judges, role, what, columns):
    duration, duration_seconds = DURATIONS[role]
    name = 'livekit: %s, %s' % (role, what)
    identity = '2-jane-%d@example.com' % _calls
    # Without a role a participant is a guest.
    given_role = None if role == 'guest' and not columns else role
    settings(source='clinic.calls_with_note' if 'note' in columns else
             'clinic.calls')
    grant = issue(duration=duration, role=given_role, identity=identity,
                  **columns)
    token = grant['access_token']
    claims = decode(token)['claims']
    question = {'token': token, 'key': 'APItest',
                'secret': LIVEKIT_SECRET.decode()}

    equal(judges.answer('livekit verify', **question), claims,
          name + ': TokenVerifier accepts it and reads what it says')
    equal(judges.verdicts('livekit verify', question, {
        'as it is': {},
        'another secret': {'secret': OTHER_SECRET.decode()},
        'another API key': {'key': 'SKtest'},
        'another claim': {'token': changed(token, 1)},
        'another signature': {'token': changed(token, 2)},
    }), {'as it is': 'accepted', 'another secret': BAD_SIGNATURE,
         'another API key': BAD_CLAIM, 'another claim': BAD_SIGNATURE,
         'another signature': BAD_SIGNATURE},
          name + ': and refuses it with one thing changed')

    # What the SDK makes of the source's row, at the same second.
    metadata = value(connection, 'SELECT coalesce(note, metadata::text) '
                     'FROM clinic.calls WHERE appointment_id = %s', (_calls,))
    options = {'identity': identity, 'ttl': grant['expires_in'],
               'name': columns.get('display_name'), 'metadata': metadata}
    room = {'emptyTimeout': duration_seconds + 30 * 60,
            'departureTimeout': 15 * 60}
    if 'max_participants' in columns:
        room['maxParticipants'] = columns['max_participants']
    inputs = {
        'key': 'APItest', 'secret': LIVEKIT_SECRET.decode(), 'room': room,
        'now': seconds(grant['issued_at']), 'options': options,
        'grant': dict(VIDEO_GRANTS[role], roomJoin=True,
                      room=grant['room_name'])}
    allowed = livekit_differences(claims, seconds(grant['issued_at']), room)
    theirs = judges.answer('livekit sign', **inputs)
    equal(differences(decode(token), decode(theirs)), allowed,
          name + ': AccessToken says the same')
    equal(judges.answer('livekit room', room=claims['roomConfig']),
          {**EMPTY_ROOM, **room},
          name + ': RoomConfiguration reads duration + unused_room_buffer and '
          'empty_room_timeout')
    return token, inputs, allowed


# columns of the source, seconds of its duration, places
ROOMS = {
    'an hour': ({}, 3600, None),
    'half an hour, with places for 2': (
        {'duration': '30 minutes', 'max_participants': 2}, 1800, 2),
    'a name of any letters': ({'room_name': JANE}, 3600, None),
    'more than some take': (
        {'duration': '24 hours', 'max_participants': 51}, 86400, 51),
}


def livekit_room_case(judges, what, columns, duration, places):
    name = 'livekit: a room, ' + what
    room = room_settings(**columns)
    options = {'name': room['room_name'], 'emptyTimeout': duration + 30 * 60,
               'departureTimeout': 15 * 60}
    if places is not None:
        options['maxParticipants'] = places
    equal(judges.answer('livekit make a room', options=options),
          [['POST', 'https://livekit.example/twirp/livekit.RoomService/'
            'CreateRoom', room['create_request']]],
          name + ': RoomServiceClient makes the same call')
    read = judges.answer('livekit read a room', request=room['create_request'])
    equal({member: given for member, given in (read or {}).items()
           if given not in ('', 0, False, [], {})}, options,
          name + ': CreateRoomRequest reads the settings')
    equal(room['adjusted'], [], name + ': nothing is adjusted')
    return room['create_request']


def livekit_room_tests(judges):
    for what, (columns, duration, places) in ROOMS.items():
        request = livekit_room_case(judges, what, columns, duration, places)
    for what, members, reason in (
            ('nothing', {}, 'accepted'),
            ('the largest number', {'emptyTimeout': 4294967295}, 'accepted'),
            ('one more', {'emptyTimeout': 4294967296}, 'invalid uint 32'),
            ('a negative number', {'departureTimeout': -1}, 'invalid uint 32'),
            ('twilio\'s name', {'UnusedRoomTimeout': 60}, 'unknown')):
        like(judges.verdict('livekit read a room',
                            request=dict(request, **members)), reason,
             'livekit: CreateRoomRequest with another member: %s' % what)


def livekit_tests(judges):
    settings(provider='livekit', key_id='APItest',
             server_url='wss://livekit.example', source='clinic.calls')
    livekit_room_tests(judges)
    for role in VIDEO_GRANTS:
        for what, columns in DESCRIPTIONS.items():
            token, inputs, allowed = livekit_case(judges, role, what, columns)

    # The comparison has teeth: with one input changed, that is what differs.
    def more_than_allowed(**changes):
        theirs = judges.answer('livekit sign', **dict(inputs, **changes))
        return sorted({*differences(decode(token), decode(theirs))} -
                      {*allowed})

    options = inputs['options']
    for what, changes, expected in (
            ('nothing', {}, []),
            ('the identity', {'options': dict(options, identity='2')},
             ['claims sub']),
            ('the time to live', {'options': dict(
                options, ttl=options['ttl'] + 1)}, ['claims exp']),
            ('the metadata', {'options': dict(
                options, metadata=JSON_TEXT.replace(' ', ''))},
             ['claims metadata']),
            ('a name', {'options': dict(options, name='x')}, ['claims name']),
            ('the grant of another role', {'grant': dict(
                VIDEO_GRANTS['host'], roomJoin=True,
                room=inputs['grant']['room'])},
             ['claims video canPublish', 'claims video canPublishData',
              'claims video roomAdmin']),
            ('a string for a boolean', {'grant': dict(
                inputs['grant'], canSubscribe='true')},
             ['claims video canSubscribe']),
            ('the room', {'grant': dict(inputs['grant'], room='x')},
             ['claims video room']),
            ('a timeout', {'room': dict(inputs['room'], departureTimeout=901)},
             ['claims roomConfig departureTimeout']),
            ('the places', {'room': dict(inputs['room'], maxParticipants=3)},
             ['claims roomConfig maxParticipants']),
            ('the secret', {'secret': OTHER_SECRET.decode()}, [])):
        equal(more_than_allowed(**changes), expected,
              'livekit: AccessToken with another input: %s' % what)

    # The signature is no claim: it is judged by us, at the real time.
    del inputs['now']
    for secret, expected in ((LIVEKIT_SECRET, ('valid', 'APItest')),
                             (OTHER_SECRET, ('bad_signature', None))):
        theirs = judges.answer('livekit sign', **dict(
            inputs, secret=secret.decode()))
        equal(our_verdict(theirs), expected,
              'livekit: a token of AccessToken is %s to vidtoken_verify'
              % expected[0])

    # The room's settings, and what RoomConfiguration would not take.
    settings(source='clinic.calls', unused_room_buffer='7min',
             empty_room_timeout='90s')
    grant = issue(duration='45 minutes', max_participants=4)
    equal(judges.answer('livekit room', room=decode(
        grant['access_token'])['claims']['roomConfig']),
          {**EMPTY_ROOM, 'emptyTimeout': 52 * 60, 'departureTimeout': 90,
           'maxParticipants': 4},
          'livekit: the room follows unused_room_buffer and '
          'empty_room_timeout')
    settings(unused_room_buffer='30min', empty_room_timeout='15min')
    for what, room, reason in (
            ('an unknown member', {'unusedTimeout': 60},
             'key "unusedTimeout" is unknown'),
            ('a negative timeout', {'emptyTimeout': -1}, 'invalid uint 32'),
            ('a part of a second', {'emptyTimeout': 0.5}, 'invalid uint 32'),
            ('a word', {'departureTimeout': '15min'}, 'departure_timeout')):
        like(judges.verdict('livekit room', room=room), reason,
             'livekit: RoomConfiguration refuses %s' % what)

    for days, expected in ((-2, EXPIRED), (0, 'accepted'), (2, BAD_CLAIM)):
        grant = issue_on(days)
        equal(judges.verdict('livekit verify', key='APItest',
                             token=grant['access_token'],
                             secret=LIVEKIT_SECRET.decode()), expected,
              'livekit: a token of day %+d is %s' % (days, expected))


#
# Twilio
#

def twilio_differences(claims, issued_at):
    """All that may differ from a token of twilio."""
    return {
        # Twilio's is the same for two tokens of one second.
        'claims jti': (claims['jti'], 'SKtest-%d' % issued_at),
        # vidtoken.clock_skew, for a server whose clock is behind
        'claims iat': (issued_at - CLOCK_SKEW, issued_at),
    }


def twilio_room_case(judges, what, columns, duration, places, callback=None):
    name = 'twilio: a room, ' + what
    room = room_settings(**columns)
    unused = (duration + 30 * 60) // 60
    stay = 15 * 60 + duration + 2 * 3600
    options = {'uniqueName': room['room_name'], 'type': 'group',
               'emptyRoomTimeout': 15, 'unusedRoomTimeout': min(unused, 60),
               'maxParticipantDuration': min(stay, 86400)}
    if places is not None:
        options['maxParticipants'] = min(places, 50)
    if callback is not None:
        options['statusCallback'] = callback
    adjusted = [setting for setting, is_too_large in (
        ('unused_room_timeout', unused > 60),
        ('max_participants', places is not None and places > 50),
        ('max_stay', stay > 86400)) if is_too_large]
    equal([text.split(':')[0] for text in room['adjusted']], adjusted,
          name + ': what is too large is named')

    def form(body):
        return sorted(urllib.parse.parse_qsl(body, strict_parsing=True))

    calls = judges.answer('twilio make a room', options=options) or []
    equal([(method, url, form(body)) for method, url, body in calls],
          [('post', 'https://video.twilio.com/v1/Rooms',
            form(urllib.parse.urlencode(room['create_request'])))],
          name + ': rooms.create() posts the same form')


TWILIO_CALLS = {
    'a guest': {'identity': '2-jane@example.com'},
    'a host': {'identity': '9-house@example.com', 'role': 'host'},
    'an observer of 5 hours': {'identity': '3', 'role': 'observer',
                               'duration': '5 hours'},
    'names that are made': {},
    'names of the source': {'identity': JANE, 'room_name': 'Raum "é" \\ 日本'},
    'the longest names': {'identity': '😀' * 32, 'room_name': 'é' * 64},
    'what a token does not carry': {
        'identity': '2', 'display_name': JANE, 'metadata': '{}',
        'max_participants': 3},
}


def twilio_case(judges, what, columns):
    name = 'twilio: ' + what
    grant = issue(**columns)
    token = grant['access_token']
    claims = decode(token)['claims']
    issued_at = seconds(grant['issued_at'])
    question = {'token': token, 'secret': SECRET.decode(), 'options': {
        'algorithms': ['HS256'], 'issuer': 'SKtest', 'subject': 'ACtest'}}

    def options(**members):
        return {'options': dict(question['options'], **members)}

    equal(judges.answer('twilio verify', **question), claims,
          name + ': jsonwebtoken accepts it and reads what it says')
    equal(judges.verdicts('twilio verify', question, {
        'as it is': {},
        'another secret': {'secret': NEXT_SECRET.decode()},
        'another claim': {'token': later(token)},
        'another signature': {'token': changed(token, 2)},
        'another issuer': options(issuer='SKnext'),
        'another subject': options(subject='ACnext'),
        'another algorithm': options(algorithms=['HS512']),
    }), {'as it is': 'accepted', 'another secret': 'invalid signature',
         'another claim': 'invalid signature',
         'another signature': 'invalid signature',
         'another issuer': 'jwt issuer invalid. expected: SKnext',
         'another subject': 'jwt subject invalid. expected: ACnext',
         'another algorithm': 'invalid algorithm'},
          name + ': and refuses it with one thing changed')

    inputs = {
        'account': 'ACtest', 'key': 'SKtest', 'secret': SECRET.decode(),
        'now': issued_at, 'room': grant['room_name'],
        'options': {'identity': grant['user_identity'],
                    'ttl': grant['expires_in'],
                    'nbf': issued_at - CLOCK_SKEW}}
    theirs = judges.answer('twilio sign', **inputs)
    equal(differences(decode(token), decode(theirs)),
          twilio_differences(claims, issued_at),
          name + ': AccessToken says the same')
    equal([is_signed_with(text, secret) for text in (token, theirs)
           for secret in (SECRET, NEXT_SECRET)], [True, False, True, False],
          name + ': and one HMAC has signed both')
    return token, inputs, twilio_differences(claims, issued_at)


def twilio_tests(judges):
    settings(provider='twilio', key_id='SKtest', source='clinic.calls')
    for what, room in ROOMS.items():
        twilio_room_case(judges, what, *room)
    callback = 'https://clinic.example/hook?a=1&b=%20'
    settings(public_url=callback)
    twilio_room_case(judges, 'that reports', {}, 3600, None, callback)
    settings(public_url='')
    for what, columns in TWILIO_CALLS.items():
        token, inputs, allowed = twilio_case(judges, what, columns)
    like(decode(token)['claims']['jti'], r'\ASKtest-\d+-[A-Za-z0-9_-]{22}\Z',
         'twilio: our jti begins as that of AccessToken, and is unique')

    def more_than_allowed(**changes):
        theirs = judges.answer('twilio sign', **dict(inputs, **changes))
        return sorted({*differences(decode(token), decode(theirs))} -
                      {*allowed})

    options = inputs['options']
    for what, changes, expected in (
            ('nothing', {}, []),
            ('the account', {'account': 'AC1'}, ['claims sub']),
            ('the key', {'key': 'SK1'}, ['claims iss']),
            ('the identity', {'options': dict(options, identity='3')},
             ['claims grants identity']),
            # It makes a string of a number itself.
            ('a number for the identity',
             {'options': dict(options, identity=2)}, []),
            ('the time to live', {'options': dict(
                options, ttl=options['ttl'] + 1)}, ['claims exp']),
            ('no nbf, as it is by default', {'options': {
                name: options[name] for name in ('identity', 'ttl')}},
             ['claims nbf']),
            ('the region', {'options': dict(options, region='ie1')},
             ['header twr']),
            ('the room', {'room': 'x'}, ['claims grants video room']),
            ('no room', {'room': None}, ['claims grants video room'])):
        equal(more_than_allowed(**changes), expected,
              'twilio: AccessToken with another input: %s' % what)

    del inputs['now']
    for secret, expected in ((SECRET, ('valid', 'SKtest')),
                             (OTHER_SECRET, ('bad_signature', None))):
        theirs = judges.answer('twilio sign', **dict(
            inputs, secret=secret.decode()))
        equal(our_verdict(theirs), expected,
              'twilio: a token of AccessToken is %s to vidtoken_verify'
              % expected[0])

    for days, expected in ((-2, 'jwt expired'), (0, 'accepted'),
                           (2, 'jwt not active')):
        grant = issue_on(days)
        equal(judges.verdict('twilio verify', token=grant['access_token'],
                             secret=SECRET.decode(), options={}), expected,
              'twilio: a token of day %+d is %s' % (days, expected))


#
# Provider jwt, and jose
#

ISSUER = 'https://clinic.example'
AUDIENCE = 'meet.example'


def jwt_case(judges, algorithm, jwks):
    """A token of provider jwt before jose."""
    name = 'jwt: ' + algorithm
    jwk = JWKS[algorithm]
    kid = jwk['kid']
    settings(key_id=kid)
    grant = issue(identity=JANE, role='observer')
    token = grant['access_token']
    ours = decode(token)
    issued_at = seconds(grant['issued_at'])
    question = {'token': token, 'options': {
        'issuer': ISSUER, 'audience': AUDIENCE, 'typ': 'JWT',
        'algorithms': [algorithm]}}
    question.update({'jwk': jwk} if jwk['kty'] == 'oct' else {'jwks': jwks})

    def options(**members):
        return {'options': dict(question['options'], **members)}

    equal(ours, {'header': {'alg': algorithm, 'typ': 'JWT', 'kid': kid},
                 'claims': {
                     'jti': ours['claims']['jti'], 'iss': ISSUER, 'sub': JANE,
                     'aud': AUDIENCE, 'iat': issued_at - CLOCK_SKEW,
                     'nbf': issued_at - CLOCK_SKEW,
                     'exp': seconds(grant['expires_at']),
                     'room': grant['room_name'], 'role': 'observer'}},
          name + ': header and claims')
    equal(judges.answer('jose verify', **question),
          [ours['header'], ours['claims']],
          name + ': jwtVerify accepts it and reads what it says')

    changes = {
        'as it is': ({}, 'accepted'),
        'another audience': (options(audience='record.example'), BAD_CLAIM),
        'another issuer': (options(issuer=ISSUER + '/'), BAD_CLAIM),
        'another typ': (options(typ='at+jwt'), BAD_CLAIM),
        'other algorithms': (options(algorithms=['PS512', 'ES512']),
                             'ERR_JOSE_ALG_NOT_ALLOWED'),
        'another claim': ({'token': changed(token, 1)}, BAD_SIGNATURE),
        'another signature': ({'token': changed(token, 2)}, BAD_SIGNATURE),
    }
    if jwk['kty'] == 'oct':
        changes['another secret'] = (
            {'jwk': oct_key(kid, OTHER_SECRET * 2)}, BAD_SIGNATURE)
    else:
        others = [key for key in jwks['keys'] if key['kid'] != kid]
        another = judges.answer('jose make a key', algorithm=algorithm)
        changes['a JWK Set without the key'] = (
            {'jwks': {'keys': others}}, NO_KEY)
        changes['another key with its kid'] = (
            {'jwks': {'keys': [*others, {**another, 'kid': kid}]}},
            BAD_SIGNATURE)
        changes['the key with another kid'] = (
            {'jwks': {'keys': [{**jwk, 'kid': kid + 'x'}
                               for jwk in jwks['keys']]}}, NO_KEY)
    equal(judges.verdicts('jose verify', question,
                          {what: change for what, (change, _)
                           in changes.items()}),
          {what: expected for what, (_, expected) in changes.items()},
          name + ': and refuses it with one thing changed')

    theirs = judges.answer('jose sign', jwk=jwk, **ours)
    if algorithm == 'ES256':
        equal(our_verdict(theirs), ('valid', kid),
              name + ': signed by jose, the same claims are valid')
    else:
        equal(theirs, token,
              name + ': signed by jose, the same claims are the same token')


def jose_case(judges, algorithm):
    """Tokens of jose before vidtoken_verify."""
    name = 'jose: ' + algorithm
    jwk = JWKS[algorithm]
    kid = jwk['kid']
    now = int(time.time())
    claims = {'sub': JANE, 'nbf': now - 60, 'exp': now + 600,
              'deep': {'list': [1, 0.5, None, True, {}]}}

    for header in ({'alg': algorithm, 'kid': kid},
                   {'kid': kid, 'typ': 'at+jwt', 'alg': algorithm},
                   {'alg': algorithm}):
        token = judges.answer('jose sign', jwk=jwk, header=header,
                              claims=claims)
        equal(rows(connection, 'SELECT valid, reason, header, claims, key_id '
                   'FROM vidtoken.vidtoken_verify(%s)', (token,)),
              [(True, None, header, claims, kid)],
              '%s with header members %s is valid to vidtoken_verify'
              % (name, ', '.join(header)))
    equal((our_verdict(changed(token, 1))[0], our_verdict(changed(token, 2))),
          ('bad_signature', ('bad_signature', None)),
          name + ': with another claim or signature it is not')

    def verdict(header, key=jwk, **changes):
        token = judges.answer('jose sign', jwk=key, header=header,
                              claims=dict(claims, **changes))
        return our_verdict(token)[0]

    header = {'alg': algorithm, 'kid': kid}
    equal(verdict(header, exp=now - 1), 'expired', name + ': expired')
    equal(verdict(header, nbf=now + 600), 'not_yet_valid',
          name + ': not yet valid')
    equal(verdict(header, exp=str(now + 600)), 'bad_claims',
          name + ': a string for exp')
    equal(verdict({'alg': algorithm, 'kid': kid + 'x'}), 'unknown_key',
          name + ': an unknown kid')
    equal({other: verdict({'alg': algorithm, 'kid': JWKS[other]['kid']})
           for other in JWKS if other != algorithm},
          {other: 'wrong_algorithm' for other in JWKS if other != algorithm},
          name + ' under the kid of any other key')


def confusion_tests(judges):
    """jose signs whatever it is told to: keys used for what they are not."""
    claims = {'sub': '2', 'exp': int(time.time()) + 600}

    def verdict(jwk, **header):
        return our_verdict(judges.answer('jose sign', jwk=jwk, header=header,
                                         claims=claims))[0]

    secret, rsa = JWKS['HS256'], JWKS['RS256']
    # The HS256 key is long enough for both by jose's measure.
    for algorithm in ('HS384', 'HS512'):
        equal(verdict(secret, alg=algorithm, kid=secret['kid']),
              'wrong_algorithm',
              'jose: %s with the secret and the kid of an HS256 key'
              % algorithm)
        equal(verdict(secret, alg=algorithm), 'bad_signature',
              'jose: %s with that secret, and no kid' % algorithm)
    for algorithm in ('RS384', 'RS512', 'PS256'):
        equal(verdict(rsa, alg=algorithm, kid=rsa['kid']), 'wrong_algorithm',
              'jose: %s with the key and the kid of an RS256 key' % algorithm)
    equal(verdict({'kty': 'oct', 'k': rsa['n']}, alg='HS256', kid=rsa['kid']),
          'wrong_algorithm', 'jose: HS256 with what is public of an RSA key')
    equal(verdict(secret, alg='HS256', kid=secret['kid']), 'valid',
          'jose: HS256 with the secret and the kid of an HS256 key is valid')
    equal(our_verdict(judges.answer('jose leave unsigned', claims=claims))[0],
          'wrong_algorithm', 'jose: alg none')


def jose_tests(judges):
    settings(provider='jwt', account=ISSUER, audience=AUDIENCE,
             source='clinic.calls')
    jwks = value(connection, 'SELECT vidtoken.vidtoken_jwks()')
    equal(sorted(key['kid'] for key in jwks['keys']),
          ['jose-ES256', 'jose-EdDSA', 'jose-RS256'],
          'jwt: vidtoken_jwks() has the public keys alone')
    for algorithm in JWKS:
        jwt_case(judges, algorithm, jwks)
    for days, expected in ((-2, EXPIRED), (0, 'accepted'), (2, BAD_CLAIM)):
        grant = issue_on(days)
        equal(judges.verdict('jose verify', token=grant['access_token'],
                             jwks=jwks, options={}), expected,
              'jwt: a token of day %+d is %s' % (days, expected))
    for algorithm in JWKS:
        jose_case(judges, algorithm)
    confusion_tests(judges)

    # The vectors of test/sql/jws_jose.sql are what this jose makes, but for
    # the signature of ES256, which is another one each time.
    run = program('node', os.path.join(VECTORS, 'make_jose_vectors.mjs'))
    remade = json.loads(run.stdout.decode() or '{"vectors": []}')['vectors']
    for vector in (*vectors, *remade):
        if vector['header']['alg'] == 'ES256':
            vector['token'] = vector['token'].rsplit('.', 1)[0]
    equal(remade, vectors, 'jose: test/vectors/jose.json is what its program '
          'makes today')


ask_judges({'livekit-server-sdk': livekit_tests, 'twilio': twilio_tests,
            'jose': jose_tests})
done_testing()
