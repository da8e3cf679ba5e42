#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# The API of examples/postgrest over HTTP, where there is a PostgREST.
#
# What 040 asks in SQL is asked of a PostgREST that runs with the example's own
# configuration, and what is PostgREST's alone besides: who a JWT may come
# from, and that it learns of the script.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/041_postgrest_http.t

import os
import signal
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

PROGRAM = shutil.which('postgrest')
if PROGRAM is None:
    print('1..0 # SKIP postgrest is not to be had here')
    sys.exit()

for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda received, frame: sys.exit(128 + received))

from api import *
from postgrest import Http

need_server()

JWT_SECRET = 'a secret of the API alone, of some length'


class PostgREST:
    """One with the example's configuration, but for what names this machine
    and this test.
    """

    def __init__(self, practice):
        self.home = tempfile.mkdtemp(prefix='vidtoken.', dir='/tmp')
        self.process = None
        atexit.register(self.end)
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self.port = probe.getsockname()[1]
        self.write('jwt-secret', JWT_SECRET + '\n')
        with open(os.path.join(EXAMPLE, 'postgrest.conf')) as file:
            text = file.read()
        for old, new in (
                ('postgres:///clinic?host=/run/postgresql&user=authenticator',
                 'postgres:///%s?host=%s&port=%s&user=%s' % (
                     practice.database.name, os.environ['PGHOST'],
                     os.environ['PGPORT'],
                     practice.variables['authenticator'])),
                ('"web_anon"', '"%s"' % practice.variables['web_anon']),
                ('/etc/postgrest/jwt-secret',
                 os.path.join(self.home, 'jwt-secret')),
                ('= 3000', '= %d' % self.port)):
            if text.count(old) != 1:
                raise RuntimeError('not once in postgrest.conf: ' + old)
            text = text.replace(old, new)
        self.write('postgrest.conf', text)

    def write(self, name, text):
        with open(os.path.join(self.home, name), 'w') as file:
            file.write(text)

    def start(self):
        with open(os.path.join(self.home, 'log'), 'w') as log:
            self.process = subprocess.Popen(
                [PROGRAM, os.path.join(self.home, 'postgrest.conf')],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return wait_until(self.answers, 60)

    def answers(self):
        try:
            return Http(self.port, JWT_SECRET).request(
                'GET', 'video_status').status not in (502, 503)
        except OSError:
            return False

    def log(self):
        with open(os.path.join(self.home, 'log'), errors='replace') as file:
            return file.read()

    def end(self):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        shutil.rmtree(self.home, ignore_errors=True)


practice = Practice(Clinic('rest_http'))
server = PostgREST(practice)
diag(program(PROGRAM, '--version').stdout.decode())
if not ok(server.start(),
          'PostgREST starts with the example\'s configuration'):
    diag(server.log())
suite = Suite('HTTP', practice, Http(server.port, JWT_SECRET, 'clinic-api'))
suite.run()

#
# Whose JWT
#

jane = practice.claims(2)
call = json.dumps({'appointment_id': 47})


def asked_with(token):
    return Http(server.port, JWT_SECRET).request(
        'POST', 'video_token', body=call,
        headers={'Authorization': 'Bearer ' + token}).status


def signed(claims, secret=JWT_SECRET, algorithm='HS256'):
    return jwt.encode(claims, secret, algorithm=algorithm)


own = dict(jane, aud='clinic-api')
now = int(time.time())
equal(asked_with(signed(own)), 200, 'a JWT of the API\'s own')
for what, token in (
        ('of another key', signed(own, 'another secret, of some length too')),
        ('of a key of the keyring', signed(own, SECRET)),
        ('for another service', signed(dict(jane, aud='shop'))),
        ('that has expired', signed(dict(own, exp=now - 3600))),
        ('that is not valid yet', signed(dict(own, nbf=now + 3600))),
        ('without a signature', signed(own, None, 'none')),
        ('that is a video token', suite.call('video_token', 2, 47)
         .body['access_token']),
        ('that is none', 'x')):
    equal(asked_with(token), 401, 'refused: a JWT ' + what)

#
# Nothing else is there
#

http = suite.transport
for name, path, status in (('vidtoken_issue', 'rpc', 404),
                           ('vidtoken_sessions', '', 404),
                           ('appointments', '', 404), ('', '', 404)):
    equal(http.request('GET', name, claims=jane, path=path).status, status,
          '%s is not exposed' % (name or 'a description of the API'))
equal(http.request('GET', 'video_source', claims=jane, path='',
                   headers={'Accept-Profile': 'practice'}).status, 406,
      'another schema cannot be chosen')

#
# The script tells PostgREST
#

EVENT = (b'{}', {'Content-Type': OCTETS})
suite.refuses(suite.deliver(EVENT, 'jwt'), 404, 'PGRST202', '',
              'no webhook function for jwt')
practice.variables['webhooks'] = 'twilio,livekit,jwt'
practice.install()
ok(wait_until(lambda: suite.deliver(EVENT, 'jwt').code != 'PGRST202'),
   'the script makes one, and PostgREST finds it')
suite.refuses(suite.deliver(EVENT, 'jwt'), 400, '22023', '',
              'which says that this provider sends none')
done_testing()
