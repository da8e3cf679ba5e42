#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# Webhooks as the vendors' own SDKs see them: twilio, livekit-server-sdk.
#
# What twilio's SDK signs, vidtoken_webhook takes; whatever was changed, both
# refuse.  The judge of livekit is its receiver, which is asked about each
# delivery that vidtoken_webhook is given.  Where the two differ is written
# down, with the reason.
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
from judges import Judges

need_server()

AUTH_TOKEN = '0123456789abcdef0123456789abcdef'
LIVEKIT_SECRET = 'test secret of livekit for its webhooks'
clinic = Clinic('hooks')
ring = keyring()
ring['keys'] += [
    oct_key('twilio-hooks', AUTH_TOKEN.encode(), alg='HS1',
            vidtoken_use='webhook', provider='twilio'),
    oct_key('livekit-hooks', LIVEKIT_SECRET.encode(), vidtoken_use='webhook',
            provider='livekit')]
clinic.write_keyring(ring)
connection = clinic.connect()

# The same cases each time; another seed gives others.
SEED = int(os.environ.get('VIDTOKEN_SEED', '1'))
chance = random.Random(SEED)
diag('seed %d' % SEED)


def ours(provider, body, headers, url=None):
    """accepted, or the SQLSTATE of the refusal"""
    statement = ('SELECT result FROM vidtoken.vidtoken_webhook'
                 '(%s, %s, %s::jsonb, %s)')
    parameters = (provider, body, json.dumps(headers), url)
    return refusal(connection, statement, parameters).sqlstate or 'accepted'


def encoded(data):
    return base64.b64encode(data).decode()


#
# Twilio
#

URLS = ('https://clinic.example/hook', 'https://clinic.example/hook?a=1&b=%20',
        'https://clinic.example:443/hook', 'http://clinic.example:80/hook/',
        'https://clinic.example:8443/hook', 'http://clinic.example/hook')
ALPHABET = 'abcXYZ019-_.~ +&=%/?é日😀"\'\n'


def word(longest=12):
    return ''.join(chance.choice(ALPHABET)
                   for _ in range(chance.randint(0, longest)))


def random_fields():
    fields = {'StatusCallbackEvent': 'track-added'}
    for _ in range(chance.randint(0, 12)):
        name = word(6) or 'x'
        fields[name] = ([word() for _ in range(chance.randint(2, 4))]
                        if chance.random() < 0.2 else word())
    return fields


def form_of(fields):
    pairs = [(name, one) for name, some in fields.items()
             for one in (some if isinstance(some, list) else [some])]
    chance.shuffle(pairs)
    return urllib.parse.urlencode(pairs).encode()


def other_url(url):
    """an address that only the signature tells from the first"""
    return chance.choice((url + 'x', url.replace('clinic', 'klinik'),
                          url.replace('hook', 'Hook')))


def twilio_tests(judges):
    wrong = []
    refused_by_both = 0
    for _ in range(300):
        url, fields = chance.choice(URLS), random_fields()
        signature = judges.answer('twilio sign a form', secret=AUTH_TOKEN,
                                  url=url, fields=fields)
        headers = {'X-Twilio-Signature': signature}
        if ours('twilio', form_of(fields), headers, url) != 'accepted':
            wrong.append((url, fields))
        changed = {**fields, 'Changed': word()}
        theirs = judges.answer('twilio receive a form', secret=AUTH_TOKEN,
                               signature=signature, url=url, fields=changed)
        verdict = ours('twilio', form_of(changed), headers, url)
        if theirs or verdict != '42501':
            wrong.append((url, changed, theirs, verdict))
        received_at = other_url(url)
        theirs = judges.answer('twilio receive a form', secret=AUTH_TOKEN,
                               signature=signature, url=received_at,
                               fields=fields)
        verdict = ours('twilio', form_of(fields), headers, received_at)
        if theirs or verdict != '42501':
            wrong.append((url, received_at, theirs, verdict))
        refused_by_both += 2
    equal(wrong, [], 'twilio: 300 forms are taken, %d changes of them refused '
          'by both' % refused_by_both)

    wrong = []
    for _ in range(100):
        url, fields = chance.choice(URLS), random_fields()
        host = urllib.parse.urlsplit(url)
        ports = {None: ('', ':443' if host.scheme == 'https' else ':80')}
        for port in ports.get(host.port, ('',)):
            signed = host._replace(netloc='clinic.example' + port).geturl()
            signature = judges.answer('twilio sign a form', secret=AUTH_TOKEN,
                                      url=signed, fields=fields)
            theirs = judges.answer('twilio receive a form', url=url,
                                   secret=AUTH_TOKEN, signature=signature,
                                   fields=fields)
            verdict = ours('twilio', form_of(fields),
                           {'X-Twilio-Signature': signature}, url)
            if not theirs or verdict != 'accepted':
                wrong.append((signed, url, theirs, verdict))
    equal(wrong, [], 'twilio: with a port or without, both take it')

    wrong = []
    for _ in range(100):
        url = chance.choice(URLS)
        body = json.dumps({'StatusCallbackEvent': 'track-added',
                           word(): word()}).encode()
        url, signature = judges.answer('twilio sign a body', url=url,
                                       secret=AUTH_TOKEN, body=encoded(body))
        for sent, want in ((body, 'accepted'), (body + b' ', '42501')):
            theirs = judges.answer('twilio receive a body', url=url,
                                   secret=AUTH_TOKEN, signature=signature,
                                   body=encoded(sent))
            verdict = ours('twilio', sent, {'x-twilio-signature': signature},
                           url)
            if theirs != (want == 'accepted') or verdict != want:
                wrong.append((url, sent, theirs, verdict))
    equal(wrong, [], 'twilio: 100 JSON bodies by bodySHA256, and changed ones')


#
# LiveKit
#

def token(body, secret=LIVEKIT_SECRET, header=None, digest=hashlib.sha256,
          **claims):
    now = int(time.time())
    claims = {'iss': 'APIhooks', 'nbf': now, 'exp': now + 300,
              'sha256': encoded(hashlib.sha256(body).digest()), **claims}
    claims = {name: one for name, one in claims.items() if one is not None}
    signed = '.'.join(base64url(json.dumps(part).encode())
                      for part in (header or {'alg': 'HS256'}, claims))
    mac = hmac.new(secret.encode(), signed.encode(), digest).digest()
    return signed + '.' + base64url(mac)


def livekit_tests(judges):
    now = int(time.time())
    body = json.dumps({'event': 'track_published', 'id': 'EV_1',
                       'createdAt': str(now),
                       'room': {'name': 'the room ü', 'sid': 'RM_1'},
                       }, ensure_ascii=False).encode()
    good = token(body)
    flipped = good[:-2] + ('A' if good[-2] != 'A' else 'B') + good[-1]
    digest = hashlib.sha256(body)
    cases = [
        ('as it came', body, good, 'accepted', 'accepted'),
        ('with a typ', body, token(body, header={'alg': 'HS256',
                                                 'typ': 'JWT'}),
         'accepted', 'accepted'),
        ('a space more', body + b' ', good, 'refused', '42501'),
        ('another secret', body, token(body, 'x' * 40), 'refused', '42501'),
        ('a signature changed', body, flipped, 'refused', '42501'),
        ('no signature', body, '.'.join(good.split('.')[:2]) + '.',
         'refused', '42501'),
        ('alg none', body, token(body, header={'alg': 'none'}),
         'refused', '42501'),
        ('half a minute late', body, token(body, exp=now - 30, nbf=now - 400),
         # The SDK of JavaScript has a leeway of 10 seconds, the server's own
         # verifier 60.
         'refused', 'accepted'),
        ('two minutes late', body, token(body, exp=now - 120, nbf=now - 400),
         'refused', '42501'),
        ('from the future', body, token(body, nbf=now + 120),
         'refused', '42501'),
        ('no exp', body, token(body, exp=None), 'refused', '42501'),
        ('no sha256: a participant\'s token', body,
         token(body, sha256=None, video={'roomJoin': True, 'room': 'r'}),
         'refused', '42501'),
        ('sha256 in hex', body, token(body, sha256=digest.hexdigest()),
         'refused', '42501'),
        ('sha256 in base64url', body,
         token(body, sha256=base64url(digest.digest())),
         'refused', '42501'),
        ('HS512', body, token(body, header={'alg': 'HS512'},
                              digest=hashlib.sha512),
         # The SDK takes any HMAC that the secret makes.
         'accepted', '42501'),
    ]
    for what, sent, authorization, theirs, want in cases:
        verdict = judges.verdict('livekit receive', body=encoded(sent),
                                 authorization=authorization, key='APIhooks',
                                 secret=LIVEKIT_SECRET)
        equal('accepted' if verdict == 'accepted' else 'refused', theirs,
              'livekit: %s: the SDK' % what)
        equal(ours('livekit', sent, {'Authorization': authorization}), want,
              'livekit: %s: vidtoken_webhook' % what)
    equal(ours('livekit', body, {'Authorization': 'Bearer ' + good}), '42501',
          'livekit: nothing is trimmed')
    equal(value(connection, 'SELECT count(*) FROM vidtoken.vidtoken_event'),
          0, 'events that tell nothing of a room leave no row')


def main():
    try:
        judges = Judges()
    except FileNotFoundError:
        judges = None
    missing = judges.answer('missing') if judges else {}
    for package, tests in (('twilio', twilio_tests),
                           ('livekit-server-sdk', livekit_tests)):
        if judges is None:
            skip(package, 'node is not here')
        elif package in missing:
            skip(package, missing[package])
        else:
            tests(judges)


main()
done_testing()
