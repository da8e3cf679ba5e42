#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# Tokens as a verifier sees them that is not ours: PyJWT.
#
# It accepts what vidtoken_issue and vidtoken_refresh sign, and reads in it
# what the grant says, whatever characters an identity is made of and whatever
# the database's encoding is.  It refuses everything that was changed after.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/010_foreign_verifier.t

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

import jwt

need_server()
clinic = Clinic('verifier')
connection = clinic.connect()

ISSUE = 'SELECT * FROM vidtoken.vidtoken_issue(%s, %s)'
REFRESH = 'SELECT * FROM vidtoken.vidtoken_refresh(%s, %s)'


def verify(token, secret=SECRET, algorithms=('HS256',), **options):
    return jwt.decode(token, secret, algorithms=list(algorithms),
                      options=options)


def verdict(token, *arguments, **options):
    """The name of the verifier's refusal, or 'valid'."""
    try:
        verify(token, *arguments, **options)
    except jwt.PyJWTError as error:
        return type(error).__name__
    return 'valid'


def check_token(grant, what):
    """All that a token has to say about its grant."""
    token = grant['access_token']
    claims = verify(token, require=['exp', 'nbf', 'iat', 'iss', 'sub', 'jti'])
    expires_at = int(grant['expires_at'].timestamp())
    issued_at = int(grant['issued_at'].timestamp())

    like(token, r'\AeyJhbGciOiJIUzI1NiIs[A-Za-z0-9_-]*'
         r'\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}\Z',
         what + ': compact serialization, "alg" first in the header, no padding')
    equal(jwt.get_unverified_header(token),
          {'alg': 'HS256', 'typ': 'JWT', 'cty': 'twilio-fpa;v=1'},
          what + ': header')
    equal(claims['exp'], expires_at, what + ': exp is expires_at to the second')
    equal(claims['exp'], issued_at + grant['expires_in'],
          what + ': exp is issued_at + expires_in')
    equal((claims['iat'], claims['nbf']), (issued_at - 10, issued_at - 10),
          what + ': iat and nbf are issued_at less vidtoken.clock_skew')
    equal((claims['iss'], claims['sub']), ('SKtest', 'ACtest'),
          what + ': iss is the key, sub the account')
    equal(claims['grants'], {'identity': grant['user_identity'],
                             'video': {'room': grant['room_name']}},
          what + ': grants name identity and room of the answer')
    like(claims['jti'], r'\ASKtest-\d+-[A-Za-z0-9_-]{22}\Z', what + ': jti')
    return claims


def changed_part(token, part, change):
    parts = token.split('.')
    parts[part] = change(parts[part])
    return '.'.join(parts)


def other_claims(part):
    padded = part + '=' * (-len(part) % 4)
    claims = json.loads(base64.urlsafe_b64decode(padded))
    claims['grants']['identity'] = '9-house@example.com'
    return base64url(json.dumps(claims, separators=(',', ':')).encode())


def other_character(part, index):
    """The signature with one character of it changed; its last character
    holds 4 bits of the MAC, and the verifier may ignore the other two.
    """
    changed = 'A' if part[index] != 'A' else 'Q'
    return part[:index] + changed + part[index + 1:]


#
# What is signed, is accepted
#

issued = record(connection, ISSUE, (47, 2))
issued_claims = check_token(issued, 'issue')
equal(issued['expires_in'], 5400, 'issue: 60 minutes live for 90')
equal(issued['appointment_id'], 47, 'issue: the id is a JSON number')
refreshed = record(connection, REFRESH, (47, 2))
refreshed_claims = check_token(refreshed, 'refresh')
equal(refreshed_claims['grants'], issued_claims['grants'],
      'refresh: same room, same identity')
ok(refreshed_claims['jti'] != issued_claims['jti'], 'refresh: a jti of its own')
ok(refreshed_claims['exp'] >= issued_claims['exp'],
   'refresh: does not expire before the last token')

#
# What was changed, is refused
#

token = issued['access_token']
equal(verdict(token), 'valid', 'the token is valid as it is')
equal(verdict(token, NEXT_SECRET), 'InvalidSignatureError',
      'another key of the keyring is no key to it')
equal(verdict(token, NAME_SECRET), 'InvalidSignatureError',
      'the name key is no key to it')
equal(verdict(token, SECRET[:-1]), 'InvalidSignatureError',
      'a part of the secret is no key to it')
equal(verdict(token, base64url(SECRET).encode()), 'InvalidSignatureError',
      'the key is the bytes of the secret, not their base64url text')
equal(verdict(changed_part(token, 1, other_claims)), 'InvalidSignatureError',
      'another identity in the claims is refused')
for index in (0, 21, 42):
    equal(verdict(changed_part(token, 2,
                               lambda part: other_character(part, index))),
          'InvalidSignatureError',
          'another character %d of the signature is refused' % index)
equal(verdict(token.rsplit('.', 1)[0] + '.'), 'InvalidSignatureError',
      'no signature is refused')

none_header = base64url(b'{"alg":"none","typ":"JWT"}')
unsigned = changed_part(token.rsplit('.', 1)[0] + '.', 0, lambda _: none_header)
equal(verdict(unsigned), 'InvalidAlgorithmError', 'alg none is refused')
equal(verdict(token, SECRET, ('HS512',)), 'InvalidAlgorithmError',
      'an algorithm that was not asked for is refused')

#
# The times, judged by the verifier's clock
#

for days, expected in ((-2, 'ExpiredSignatureError'),
                       (2, 'ImmatureSignatureError'), (0, 'valid')):
    rows(connection, 'UPDATE clinic.appointments '
         'SET starts_at = now() + make_interval(days => %s) WHERE id = 48',
         (days,))
    rows(connection, "SELECT set_config('vidtoken.test_clock', "
         "(now() + make_interval(days => %s))::text, false)", (days,))
    grant = record(connection, ISSUE, (48, 2))
    equal(verdict(grant['access_token']), expected,
          'a token of day %+d is %s today' % (days, expected))
rows(connection, "SET vidtoken.test_clock = ''")

#
# Rotation: the key that vidtoken.key_id names signs
#

rows(connection, "SET vidtoken.key_id = 'SKnext'")
grant = record(connection, REFRESH, (47, 2))
equal(verdict(grant['access_token'], NEXT_SECRET), 'valid',
      'the next key signs once it is named')
equal(verdict(grant['access_token'], SECRET), 'InvalidSignatureError',
      'and the last one does not')
equal(verify(grant['access_token'], NEXT_SECRET)['iss'], 'SKnext',
      'iss is the key that signed')
rows(connection, "RESET vidtoken.key_id")

#
# Characters
#

IDENTITIES = {
    'accented letters': '2-é-ñ-ß@example.com',
    'a letter and its combining accent': 'e\u0301',
    'letters beyond the basic plane': '2-😀-𝒥ane',
    'right to left': 'שלום-مرحبا',
    'quotes and backslashes': 'a"b\\c\'d\\"e/f\\u0041</script>',
    'control characters': 'a\tb\nc\rd\be\ff\x01g\x1fh\x7fi',
    'line separators': 'a\u2028b\u2029c\u0085d\ufeffe',
    'the longest that twilio takes': '😀' * 32,
    'blanks at both ends': '  a  ',
}
for number, (what, identity) in enumerate(IDENTITIES.items(), start=1000):
    rows(connection, 'INSERT INTO clinic.participants (appointment_id, '
         'user_id, identity, room_name) VALUES (47, %s, %s, %s)',
         (number, identity, None))
    rows(connection, 'INSERT INTO clinic.appointments VALUES (%s, now())',
         (number,))
    rows(connection, 'INSERT INTO clinic.participants (appointment_id, '
         'user_id, identity, room_name) VALUES (%s, 2, %s, %s)',
         (number, 'x', identity))
    grant = record(connection, ISSUE, (47, number))
    equal((verify(grant['access_token'])['grants']['identity'],
           grant['user_identity']), (identity, identity),
          'an identity arrives as it is: ' + what)
    grant = record(connection, ISSUE, (number, 2))
    equal((verify(grant['access_token'])['grants']['video']['room'],
           grant['room_name']), (identity, identity),
          'a room name arrives as it is: ' + what)
    grant = record(connection, REFRESH, (number, 2))
    equal(verify(grant['access_token'])['grants']['video']['room'], identity,
          'and comes back from the ledger as it is: ' + what)

rows(connection, 'INSERT INTO clinic.participants (appointment_id, user_id, '
     'identity) VALUES (47, 2000, %s)', ('😀' * 32 + 'x',))
refused(connection, ISSUE, (47, 2000), '22001', '',
        'the limit is counted in bytes of UTF-8: 129 are refused')

#
# Other encodings
#

latin1 = Clinic('latin', 'LATIN1')
connection = latin1.connect(client_encoding='UTF8')
rows(connection, 'UPDATE clinic.participants SET identity = %s, room_name = %s',
     ('2-é-ÿ', 'Zimmer-ü'))
equal(value(connection, 'SELECT octet_length(identity) FROM '
            'clinic.participants WHERE user_id = 2 LIMIT 1'), 5,
      'LATIN1: the database keeps one byte a letter')
for statement in (ISSUE, REFRESH):
    grant = record(connection, statement, (47, 2))
    claims = verify(grant['access_token'])
    equal((claims['grants']['identity'], claims['grants']['video']['room']),
          ('2-é-ÿ', 'Zimmer-ü'), 'LATIN1: the token speaks UTF-8')
    equal((grant['user_identity'], grant['room_name']), ('2-é-ÿ', 'Zimmer-ü'),
          'LATIN1: the grant speaks the database\'s encoding')
rows(connection, 'UPDATE clinic.participants SET identity = %s '
     'WHERE user_id = 3', ('é' * 64,))
equal(verify(record(connection, ISSUE, (48, 3))['access_token'])
      ['grants']['identity'], 'é' * 64, 'LATIN1: 64 letters are 128 bytes')
rows(connection, 'UPDATE clinic.participants SET identity = %s '
     'WHERE user_id = 9', ('é' * 65,))
refused(connection, ISSUE, (48, 9), '22001', '',
        'LATIN1: 65 are 130 in the token, and are refused')
connection.close()

ascii_only = Clinic('ascii', 'SQL_ASCII')
connection = ascii_only.connect()
rows(connection, "UPDATE clinic.participants SET identity = "
     "E'2-\\xc3\\xa9' WHERE user_id = 2")
equal(verify(record(connection, 'SELECT access_token FROM '
             'vidtoken.vidtoken_issue(47, 2)')['access_token'])
      ['grants']['identity'], '2-é',
      'SQL_ASCII: bytes that are UTF-8 go through')
for what, text in (('a lone byte of LATIN1', r'\xe9'),
                   ('an overlong form', r'\xc0\xaf'),
                   ('a surrogate', r'\xed\xa0\x80'),
                   ('a cut sequence', r'\xf0\x9f\x98')):
    rows(connection, "UPDATE clinic.participants SET identity = E'3-%s' "
         "WHERE user_id = 3" % text)
    refused(connection, 'SELECT * FROM vidtoken.vidtoken_issue(47, 3)', None,
            '22021', '', 'SQL_ASCII: %s is refused' % what)
    equal(value(connection, "SELECT count(*) FROM vidtoken.vidtoken_session "
                "WHERE user_id = '3'"), 0, 'SQL_ASCII: and leaves no session')
rows(connection, "UPDATE clinic.participants SET identity = 'x', "
     "room_name = E'\\xe9' WHERE appointment_id = 48")
refused(connection, 'SELECT * FROM vidtoken.vidtoken_issue(48, 2)', None,
        '22021', '', 'SQL_ASCII: a room name as well')

done_testing()
