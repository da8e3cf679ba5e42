#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# Webhooks as the vendors' own SDKs see them: twilio, livekit-server-sdk.
#
# An SDK and vidtoken_webhook judge the same deliveries, some of which were
# changed on their way, and say the same of each.  Where they do not, the
# delivery is in a list here, with the reason, and what is in the list must
# still be so.  LiveKit's bodies are what its server sends, but for the names.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/023_webhook_sdks.t

import base64
import hashlib
import hmac
import json
import os
import random
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *
from judges import ask_judges

need_server()

AUTH_TOKEN = '0123456789abcdef0123456789abcdef'
OTHER_AUTH_TOKEN = 'f123456789abcdef0123456789abcdef'
LIVEKIT_SECRET = 'test secret of the webhooks of livekit'
OTHER_SECRET = 'test secret that is in no keyring at all'

clinic = Clinic('webhook_sdks')
ring = keyring()
ring['keys'] += [
    oct_key('AC1', AUTH_TOKEN.encode(), alg='HS1', vidtoken_use='webhook',
            provider='twilio'),
    oct_key('APItest', LIVEKIT_SECRET.encode(), vidtoken_use='webhook',
            provider='livekit')]
clinic.write_keyring(ring)
connection = clinic.connect()

# The same cases each time, so that one that fails can be looked at.
RANDOM = random.Random(5)
CASES = 300


def ours(provider, body, headers, url=None):
    """The result, or the SQLSTATE of a refusal."""
    try:
        return value(connection, 'SELECT result FROM '
                     'vidtoken.vidtoken_webhook(%s, %s, %s, %s)',
                     (provider, psycopg2.Binary(body), json.dumps(headers),
                      url))
    except psycopg2.Error as error:
        return error.pgcode


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def is_taken(result):
    return result in ('accepted', 'ignored', 'duplicate')


#
# Twilio
#

_rooms = 0


def twilio_fields(**more):
    """The fields of an event that was not there before."""
    global _rooms
    _rooms += 1
    return {'AccountSid': 'ACtest', 'RoomName': 'room-%d' % _rooms,
            'RoomSid': 'RM%d' % _rooms, 'RoomStatus': 'in-progress',
            'RoomType': 'group', 'SequenceNumber': '0',
            'StatusCallbackEvent': 'room-created',
            'Timestamp': time.strftime('%Y-%m-%dT%H:%M:%S.123Z',
                                       time.gmtime()), **more}


def twilio_ours(body, signature, url):
    return ours('twilio', body.encode(), {'X-Twilio-Signature': signature},
                url)


# Letters that are a form's own, and some that are not ASCII; those between
# U+E000 and U+FFFF are in the list of differences.
LETTERS = 'aAbBzZ019_-.~!*\'()"<>{}[]|\\^`;:@&=+$,/?#% \t\r\n\0é日ßñ😀𝄞'


def some_text(most=8):
    return ''.join(RANDOM.choice(LETTERS)
                   for _ in range(RANDOM.randint(0, most)))


def escape(text):
    """Not always what has to be, and in one of several ways."""
    escaped = ''
    for letter in text:
        if letter == ' ' and RANDOM.random() < 0.5:
            escaped += '+'
        elif (letter in '&=+%;#' or letter < ' ' or
              RANDOM.random() < 0.5):
            for octet in letter.encode():
                escaped += RANDOM.choice(('%%%02x', '%%%02X')) % octet
        else:
            escaped += letter
    return escaped


def some_form():
    pairs = list(twilio_fields(RoomName=some_text(30) or 'r').items())
    # U+0000 and a name that is empty are no names of rooms.
    pairs = [(name, text.replace('\0', '') or 'r') for name, text in pairs]
    for _ in range(RANDOM.randint(0, 6)):
        name = 'x' + some_text(4)
        for _ in range(RANDOM.choice((1, 1, 1, 2, 3))):
            pairs.append((name, some_text()))
            if RANDOM.random() < 0.2:
                pairs.append(pairs[-1])
    RANDOM.shuffle(pairs)
    return '&'.join(escape(name) + ('=' if text or RANDOM.random() < 0.5
                                    else '') + escape(text)
                    for name, text in pairs)


def some_url():
    """An address in the parts that a change is made of."""
    return [RANDOM.choice(('https://', 'http://')),
            RANDOM.choice(('', '', '', 'jane:word@', 'jane@')),
            RANDOM.choice(('clinic.example', 'Clinic.Example', '10.0.0.1',
                           '[2001:db8::1]')),
            RANDOM.choice(('', '', '', ':443', ':80', ':8443')),
            RANDOM.choice(('/', '/hook', '/a%20b/c', '/:80/@x', '/hook/')),
            RANDOM.choice(('', '', '?a=1', '?a=1&a=2&b=%2F+x', '?x=\'é\'',
                           '?', '?q=http://y:443/'))]


def changed_url(parts):
    """What Twilio may have signed instead."""
    which = RANDOM.choice(('nothing', 'nothing', 'no port', 'a port', 'scheme',
                           'host', 'path', 'query', 'user'))
    parts = list(parts)
    if which == 'no port':
        parts[3] = ''
    elif which == 'a port':
        parts[3] = RANDOM.choice((':443', ':80', ':8443'))
    elif which == 'scheme':
        parts[0] = RANDOM.choice(('https://', 'http://'))
    elif which == 'host':
        parts[2] = 'evil.example'
    elif which == 'path':
        parts[4] += 'x'
    elif which == 'query':
        parts[5] += '&b=2' if parts[5] else '?b=2'
    elif which == 'user':
        parts[1] = ''
    return ''.join(parts)


def changed_text(text, letters):
    # Not every bit of base64url's last letter counts to every reader.
    where = RANDOM.randrange(len(text) - 1)
    return (text[:where] + RANDOM.choice(letters.replace(text[where], '')) +
            text[where + 1:])


BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'


def twilio_random_tests(judges, name, deliveries):
    """Both judge each (body, signature, url, what was done to it)."""
    disagreements, counts = [], {}
    for body, signature, url, change in deliveries:
        result = twilio_ours(body, signature, url)
        theirs = judges.verdict('twilio judge a delivery', token=AUTH_TOKEN, url=url,
                                body=body, signature=signature)
        if is_taken(result) != (theirs == 'accepted'):
            disagreements.append((result, theirs, change, url, body))
        counts.setdefault(is_taken(result), []).append(change)
    equal(disagreements[:3], [], 'twilio: %s, %d deliveries: validateRequest '
          'says the same of each' % (name, sum(map(len, counts.values()))))
    taken, refused_ones = (counts.get(key, []) for key in (True, False))
    ok(len(taken) >= CASES // 6 and len(refused_ones) >= CASES // 6,
       'twilio: %s: %d were taken and %d refused'
       % (name, len(taken), len(refused_ones)))
    ok('nothing' not in refused_ones and 'nothing' in taken,
       'twilio: %s: what nothing was done to is always taken' % name)


def twilio_form_deliveries(judges):
    for _ in range(CASES):
        parts, body = some_url(), some_form()
        url = ''.join(parts)
        signed = changed_url(parts)
        change = 'nothing' if signed == url else 'address'
        token = AUTH_TOKEN
        if RANDOM.random() < 0.1:
            token, change = OTHER_AUTH_TOKEN, 'secret'
        signature = judges.answer('twilio sign a delivery', token=token,
                                  url=signed, body=body)
        if RANDOM.random() < 0.15:
            signature, change = changed_text(signature, BASE64), 'signature'
        if RANDOM.random() < 0.15:
            body, change = body + '&y=' + escape(some_text()), 'field'
        yield body, signature, url, change


def twilio_json_deliveries(judges):
    for _ in range(CASES):
        body = json.dumps(twilio_fields(more=some_text().replace('\0', '')),
                          ensure_ascii=RANDOM.random() < 0.5)
        digest = judges.answer('twilio digest a body', body=encoded(body))
        change = RANDOM.choice(('nothing', 'nothing', 'nothing', 'digest',
                                'capitals', 'body', 'signature', 'no digest',
                                'address'))
        if change == 'digest':
            digest = changed_text(digest, '0123456789abcdef')
        elif change == 'capitals':
            digest = digest.upper()
        parts = some_url()
        parts[5] = RANDOM.choice(('?', '?a=1&', '?é=%20&')) + (
            '' if change == 'no digest' else 'bodySHA256=' + digest)
        url = ''.join(parts)
        signature = judges.answer('twilio sign a delivery', token=AUTH_TOKEN,
                                  url=url, body='')
        if change == 'body':
            body += ' '
        elif change == 'signature':
            signature = changed_text(signature, BASE64)
        elif change == 'address':
            url = url.replace('?', '?b=2&')
        if change == 'capitals' and digest == digest.lower():
            change = 'nothing'
        yield body, signature, url, change


URL = 'https://clinic.example/hook'


def form(**more):
    return urllib.parse.urlencode(twilio_fields(**more))


# (what, address, body, address that is signed, theirs, ours): the SDK makes
# the signature of what it reads in the body.
def twilio_differences():
    digest = hashlib.sha256(b'{}').hexdigest()
    track = '{"StatusCallbackEvent": "track-added"}'
    track_digest = hashlib.sha256(track.encode()).hexdigest()
    return [
        # Twilio's forms are whole: the address standard for URLs keeps such
        # a percent sign, others refuse it.
        ('a percent sign alone', URL, form() + '&x=100%', URL, True, '42501'),
        ('no hexadecimal digits', URL, form() + '&x=%zz', URL, True, '42501'),
        # The SDK signs U+FFFD in its place, Twilio nothing of the kind.
        ('octets that are no UTF-8', URL, form() + '&x=%FF', URL, True,
         '42501'),
        # Both are in order, of UTF-16 units there, of code points here.  No
        # name of Twilio's has either.
        ('names beyond U+E000', URL, form() + '&%EF%BF%A5=1&%F0%9F%98%80=2',
         URL, True, '42501'),
        # More than anyone sends.
        ('1001 fields', URL, form() + ''.join(
            '&x%d=' % number for number in range(993)), URL, True, '42501'),
        # The SDK tries what its URL class makes of the address, too: here
        # the address is what the administrator has given to Twilio.
        ('a slash that was left out', 'https://clinic.example', form(),
         'https://clinic.example/', True, '42501'),
        ('a host in capitals', 'https://Clinic.example/hook', form(), URL,
         True, '42501'),
        ('a scheme in capitals', 'HTTPS://clinic.example/hook', form(), URL,
         True, '42501'),
        ('dots in the path', 'https://clinic.example/a/../hook', form(), URL,
         True, '42501'),
        ('a letter that is escaped', URL + '?x=é', form(), URL + '?x=%C3%A9',
         True, '42501'),
        ('a query that is written anew', URL + '?x=a%20b&y', form(),
         URL + '?x=a%20b&y=', True, '42501'),
        # A parameter's name alone says that the body is no form.
        ('bodySHA256 in the path', URL + '/bodySHA256', form(),
         URL + '/bodySHA256', False, 'accepted'),
        # The first one counts there.
        ('bodySHA256 twice', URL + '?bodySHA256=%s&bodySHA256=0'
         % track_digest, track, None, True, '42501'),
        # An empty body is a JSON object there.
        ('an empty body', URL + '?bodySHA256=' + digest, '', None, True,
         '42501'),
        # A good signature is not all that an event has to have.
        ('no event', URL, 'AccountSid=ACtest', URL, True, '22023'),
        ('a room without a name', URL, form(RoomName=''), URL, True,
         '22023'),
        # And where neither wants to differ:
        ('a slash that was left out and one that was not',
         'https://clinic.example', form(), 'https://clinic.example', True,
         'accepted'),
        ('1000 fields', URL, form() + ''.join(
            '&x%d=' % number for number in range(992)), URL, True,
         'accepted'),
        ('a plus sign that is escaped', URL, form() + '&x=%2B', URL, True,
         'accepted'),
    ]


def twilio_tests(judges):
    twilio_random_tests(judges, 'forms', twilio_form_deliveries(judges))
    twilio_random_tests(judges, 'JSON', twilio_json_deliveries(judges))
    for what, url, body, signed, theirs, result in twilio_differences():
        signature = judges.answer(
            'twilio sign a delivery', token=AUTH_TOKEN, url=signed or url,
            body=body if signed else '')
        equal((judges.verdict('twilio judge a delivery', token=AUTH_TOKEN, url=url,
                              body=body, signature=signature) == 'accepted',
               twilio_ours(body, signature, url)), (theirs, result),
              'twilio: %s: %s by its SDK, %s by us'
              % (what, 'taken' if theirs else 'refused', result))

    # Python's own HMAC, which is neither's.
    body = form(x='é +')
    signed = URL + ''.join(name + text for name, text in sorted(
        urllib.parse.parse_qsl(body)))
    signature = base64.b64encode(hmac.new(
        AUTH_TOKEN.encode(), signed.encode(), hashlib.sha1).digest()).decode()
    equal((judges.answer('twilio sign a delivery', token=AUTH_TOKEN, url=URL,
                         body=body), twilio_ours(body, signature, URL)),
          (signature, 'accepted'),
          'twilio: the signature is what its SDK makes, and is taken')
    equal(judges.verdict('twilio judge a delivery', token=AUTH_TOKEN, url=URL,
                         body=body, signature=''), 'not valid',
          'twilio: its SDK refuses an absent signature, as we do')
    equal(ours('twilio', body.encode(), {}, URL), '42501',
          'twilio: as we do')


#
# LiveKit
#

# What the server sends in a call of two, one of whom comes back.
ROOM = ('"room":{"sid":"%(room)s", "name":"%(name)s", "emptyTimeout":5400, '
        '"departureTimeout":8, "creationTime":"%(begin)d", '
        '"creationTimeMs":"%(begin)d955", "turnPassword":"test", '
        '"enabledCodecs":[{"mime":"audio/PCMU"}, {"mime":"audio/opus"}, '
        '{"mime":"video/VP8"}]%(more)s}')
SHORT_ROOM = '"room":{"sid":"%(room)s", "name":"%(name)s"}'
PERSON = ('"participant":{"sid":"PA_%(stay)s", "identity":"%(identity)s", '
          '"state":"%(state)s", "joinedAt":"%(joined)d", '
          '"joinedAtMs":"%(joined)d989", "version":2, "permission":'
          '{"canSubscribe":true, "canPublish":true, "canPublishData":true}, '
          '%(reason)s"clientProtocol":2, '
          '"capabilities":["CAP_COMPRESSION_DEFLATE_RAW"]}')
TRACK = ('"participant":{"sid":"PA_%(stay)s", "identity":"%(identity)s"}, '
         '"track":{"sid":"TR_%(stay)s", "source":"MICROPHONE", '
         '"mimeType":"audio/red", "mid":"7", "codecs":[{"mimeType":'
         '"audio/red", "mid":"7", "cid":"test", "videoLayerMode":'
         '"ONE_SPATIAL_LAYER_PER_STREAM"}], "stream":"camera", "version":'
         '{"unixMicro":"%(joined)d422437"}, "audioFeatures":'
         '["TF_AUTO_GAIN_CONTROL"], "backupCodecPolicy":"SIMULCAST"}')
_events = 0


def livekit_body(event, at, subject='', room=ROOM, **values):
    global _events
    _events += 1
    parts = ['"event":"%s"' % event, room, subject,
             '"id":"EV_%d"' % _events, '"createdAt":"%d"' % at]
    values = {'room': 'RM_1', 'begin': at, 'more': '', 'joined': at,
              'reason': '', 'state': 'ACTIVE', **values}
    return ('{' + ', '.join(filter(None, parts)) + '}') % values


def livekit_story(name, begin):
    """(body, what we make of it)"""
    def person(event, after, identity, stay, joined, **values):
        return livekit_body(event, begin + after, PERSON, name=name,
                            identity=identity, stay=stay, begin=begin,
                            joined=begin + joined, **values), 'accepted'

    def track(event, after, identity, stay):
        return livekit_body(event, begin + after, TRACK, room=SHORT_ROOM,
                            name=name, identity=identity, stay=stay), 'ignored'

    def gone(reason, left=1):
        return {'state': 'DISCONNECTED',
                'reason': '"isPublisher":true, "disconnectReason":"%s", '
                % reason, 'more': ', "numParticipants":%d, "numPublishers":1'
                % left if left else ''}

    return [
        (livekit_body('room_started', begin, name=name), 'accepted'),
        person('participant_joined', 1, '2-jane', 'a', 0),
        track('track_published', 2, '2-jane', 'a'),
        person('participant_joined', 12, '3-bob', 'b', 11),
        track('track_unpublished', 17, '2-jane', 'a'),
        person('participant_left', 18, '2-jane', 'a', 0,
               **gone('DUPLICATE_IDENTITY')),
        person('participant_joined', 18, '2-jane', 'c', 18),
        person('participant_left', 30, '3-bob', 'b', 11,
               **gone('CLIENT_INITIATED')),
        person('participant_left', 32, '2-jane', 'c', 18,
               **gone('CLIENT_INITIATED', 0)),
        (livekit_body('room_finished', begin + 41, name=name, begin=begin),
         'accepted'),
    ]


def digest(body):
    return base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()


def livekit_token(body, secret=LIVEKIT_SECRET, header=None, **changes):
    """As the server makes it; a claim that is None is left out."""
    now = int(time.time())
    header = {'alg': 'HS256', 'typ': 'JWT', **(header or {})}
    claims = {'iss': 'APItest', 'exp': now + 300, 'nbf': now, 'iat': now,
              'sha256': digest(body), **changes}
    text = '.'.join(base64url(json.dumps(
        {name: value for name, value in part.items() if value is not None},
        separators=(',', ':')).encode()) for part in (header, claims))
    algorithm = {'HS256': hashlib.sha256, 'HS384': hashlib.sha384,
                 'HS512': hashlib.sha512}.get(header['alg'], hashlib.sha256)
    mac = hmac.new(secret.encode(), text.encode(), algorithm).digest()
    if header['alg'] == 'none':
        mac = b''
    return text + '.' + base64url(mac)


def livekit_verdicts(judges, body, header):
    """(taken by theirs, what we make of it)"""
    theirs = judges.verdict('livekit receive', key='APItest',
                            secret=LIVEKIT_SECRET, body=encoded(body),
                            authorization=header)
    return theirs == 'accepted', ours('livekit', body.encode(),
                                      {'Authorization': header})


def livekit_random_tests(judges):
    disagreements, counts = [], {True: 0, False: 0}
    for _ in range(CASES):
        now = int(time.time())
        event = RANDOM.choice(('room_started', 'participant_joined',
                               'participant_left', 'track_published'))
        body = livekit_body(
            event, now, PERSON, name=json.dumps('r' + some_text(20).replace(
                '\0', ''), ensure_ascii=RANDOM.random() < 0.5)[1:-1],
            identity='2-jane', stay='a')
        if RANDOM.random() < 0.5:
            body = RANDOM.choice((' ', '\n', '')) + body.replace(', ', ',') + (
                RANDOM.choice(('', '  ')))
        secret = LIVEKIT_SECRET if RANDOM.random() < 0.9 else OTHER_SECRET
        header = (livekit_token(body, secret) if RANDOM.random() < 0.5 else
                  judges.answer('livekit sign a digest', key='APItest',
                                secret=secret, digest=digest(body)))
        change = RANDOM.choice(('nothing', 'nothing', 'body', 'part',
                                'around'))
        if change == 'body':
            body = body.replace('"createdAt"', ' "createdAt"')
        elif change == 'part':
            parts = header.split('.')
            which = RANDOM.randrange(3)
            parts[which] = changed_text(parts[which], BASE64[:-2] + '-_')
            header = '.'.join(parts)
        elif change == 'around':
            header = RANDOM.choice(('Bearer ', '')) + RANDOM.choice(
                (header + '.', header[:-1], header + '.a', '', 'x'))
        theirs, result = livekit_verdicts(judges, body, header)
        counts[is_taken(result)] += 1
        if is_taken(result) != theirs:
            disagreements.append((theirs, result, change, header, body))
    equal(disagreements[:3], [], 'livekit: %d deliveries: WebhookReceiver '
          'says the same of each' % CASES)
    ok(min(counts.values()) >= CASES // 5,
       'livekit: %d were taken and %d refused'
       % (counts[True], counts[False]))


def livekit_cases():
    """(what, body, header, taken by theirs, what we make of it)"""
    now = int(time.time())

    def body(**changes):
        event = json.loads(livekit_body('room_started', now, name='room'))
        event.update(changes)
        return json.dumps({name: value for name, value in event.items()
                           if value is not None})

    def claims(what, theirs, result, header=None, **changes):
        text = body()
        return what, text, livekit_token(text, header=header,
                                         **changes), theirs, result

    def told(what, text, theirs, result):
        return what, text, livekit_token(text), theirs, result

    text = body()
    octets = hashlib.sha256(text.encode()).digest()
    room = json.loads(text)['room']
    return [
        claims('as it is', True, 'accepted'),
        claims('expired 5 s ago', True, 'accepted', exp=now - 5),
        claims('valid in 5 s', True, 'accepted', nbf=now + 5),
        claims('expired 2 minutes ago', False, '42501', exp=now - 120),
        claims('valid in 2 minutes', False, '42501', nbf=now + 120),
        claims('without exp', False, '42501', exp=None),
        claims('a string for exp', False, '42501', exp=str(now + 300)),
        claims('no sha256', False, '42501', sha256=None),
        ('sha256 in hexadecimal digits', text,
         livekit_token(text, sha256=octets.hex()), False, '42501'),
        ('sha256 without padding', text,
         livekit_token(text, sha256=digest(text).rstrip('=')), False,
         '42501'),
        ('sha256 in base64url', text,
         livekit_token(text, sha256=base64url(octets)), False, '42501'),
        ('no signature', text, livekit_token(text).rpartition('.')[0] + '.',
         False, '42501'),
        claims('alg none', False, '42501', header={'alg': 'none'}),
        claims('crit', False, '42501', header={'crit': ['x'], 'x': 1}),
        ('"Bearer" before it', text, 'Bearer ' + livekit_token(text), False,
         '42501'),
        ('no header', text, '', False, '42501'),
        told('another event', body(event='egress_started'), True, 'ignored'),
        told('no JSON', 'event=room_started', False, '22023'),
        told('a list', '[]', False, '22023'),
        told('a byte order mark', '\ufeff' + text, False, '22023'),

        # LiveKit's server takes clocks that differ by a minute, its SDK for
        # JavaScript by 10 s.
        claims('expired 40 s ago', False, 'accepted', exp=now - 40),
        claims('valid in 40 s', False, 'accepted', nbf=now + 40),
        # The SDK takes whatever its library for JWTs does with a secret;
        # LiveKit signs with HS256.
        claims('HS384', True, '42501', header={'alg': 'HS384'}),
        claims('HS512', True, '42501', header={'alg': 'HS512'}),
        # The key's id is the keyring's own; the secret tells who it is.
        claims('another iss', False, 'accepted', iss='another'),
        # The SDK reads what another reader might understand differently.
        told('a member twice', text.replace(
            '{', '{"event": "room_finished", ', 1), True, '22023'),
        told('1e131071', text.replace('{', '{"x": 1e131071, ', 1), True,
             '22023'),
        told('a depth of 65', text.replace(
            '{', '{"x": %s1%s, ' % ('[' * 64, ']' * 64), 1), True, '22023'),
        told('U+0000 in a name', body(room=dict(room, name='a\0')), True,
             '22023'),
        # LiveKit's server sends strings, and names in camelCase.
        told('a number for createdAt', body(createdAt=now), True, '22023'),
        told('created_at', body(createdAt=None, created_at=str(now)), True,
             '22023'),
        # To the SDK every member may be missing.
        told('an empty object', '{}', True, '22023'),
        told('no id', body(id=None), True, '22023'),
        told('no room', body(room=None), True, '22023'),
    ]


def livekit_tests(judges):
    rows(connection, "SET vidtoken.provider = 'livekit'")
    livekit_random_tests(judges)
    for what, body, header, theirs, result in livekit_cases():
        equal(livekit_verdicts(judges, body, header), (theirs, result),
              'livekit: %s: %s by its SDK, %s by us'
              % (what, 'taken' if theirs else 'refused', result))
    grant = record(connection, 'SELECT * FROM vidtoken.vidtoken_issue(47, 2)')
    equal(livekit_verdicts(judges, '{}', grant['access_token']),
          (False, '42501'), 'livekit: a token of a participant: refused by '
          'both')

    # A call, told by the server.
    room = grant['room_name']
    begin = int(time.time()) - 60
    for body, result in livekit_story(room, begin):
        event = json.loads(body)['event']
        header = judges.answer('livekit sign a digest', key='APItest',
                               secret=LIVEKIT_SECRET, digest=digest(body))
        equal((judges.answer('livekit receive', key='APItest',
                             secret=LIVEKIT_SECRET, body=encoded(body),
                             authorization=header),
               ours('livekit', body.encode(), {'Authorization': header})),
              (event, result), 'livekit: %s, signed by its SDK, is %s'
              % (event, result))
    status = record(connection, 'SELECT * FROM vidtoken.vidtoken_status(47)')
    equal((status['room_name'], status['room_status'],
           status['participant_count'], status['room_duration_seconds']),
          (room, 'completed', 0, 40),
          'livekit: vidtoken_status knows that the room has ended')
    equal([person['identity'] for person in status['participants']],
          ['2-jane', '3-bob'], 'livekit: and who was in it')


ask_judges({'twilio': twilio_tests, 'livekit-server-sdk': livekit_tests})
done_testing()
