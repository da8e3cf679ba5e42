#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# What the nginx of examples/postgrest lets through.
#
# Behind it stands a server that is no PostgREST: it keeps each request as it
# arrived, and answers with headers as PostgREST sends them and with some that
# it had better not.  What PostgREST makes of such requests is the matter of
# 040 and 041.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/042_nginx.t

import http.client
import http.server
import os
import pwd
import signal
import socket
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

NGINX = shutil.which('nginx', path=os.environ.get('PATH', '')
                     + ':/usr/sbin:/usr/local/sbin')
if NGINX is None:
    print('1..0 # SKIP nginx is not to be had here')
    sys.exit()

for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda received, frame: sys.exit(128 + received))

EXAMPLE = os.path.join(ROOT, 'examples', 'postgrest', 'nginx')
UUID = '6F0c3c3e-2f0a-4a53-9a36-1c8f35d4f4a7'
TOKEN = 'Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln'
STATUS = {}     # what the upstream answers, by the path; 200 otherwise
CUT = 0         # no answer at all
requests = []   # what reached it


class Upstream(http.server.BaseHTTPRequestHandler):
    """Keeps the request, answers as if it should be kept for ever."""

    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def answer(self):
        length = int(self.headers.get('Content-Length') or 0)
        requests.append({
            'method': self.command, 'path': self.path,
            'version': self.request_version, 'port': self.client_address[1],
            'headers': {key.lower(): text
                        for key, text in self.headers.items()},
            'names': [key.lower() for key in self.headers.keys()],
            'body': self.rfile.read(length)})
        status = STATUS.get(self.path.split('?')[0], 200)
        if status == CUT:
            self.close_connection = True
            return
        body = b'' if status == 204 else b'{"answer":%d}' % len(requests)
        self.send_response(status)
        if body:
            self.send_header('Content-Length', len(body))
        for key, text in {
                'Content-Type': 'application/json',
                'Cache-Control': 'public, max-age=31536000',
                'Expires': 'Thu, 31 Dec 2037 23:55:55 GMT',
                'Pragma': 'cache', 'ETag': '"e"', 'Vary': 'Accept',
                'Last-Modified': 'Mon, 02 Mar 2026 10:00:00 GMT',
                'Content-Location': '/rpc/inner', 'Content-Range': '0-0/*',
                'Proxy-Status': 'PostgREST; error=X',
                'WWW-Authenticate': 'Bearer'}.items():
            self.send_header(key, text)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = answer
    do_OPTIONS = answer

    def version_string(self):
        return 'postgrest/14'

    def log_message(self, *arguments):
        pass


# the site may have files of such names
ON_DISK = ('/api/appointments/video-room/47', '/api/video-webhook/x.php',
           '/robots.txt')


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Nginx:
    """The example's files, unchanged but for the address and the rate, in a
    site that keeps and compresses whatever it may.  It never runs as root.
    """

    NOBODY = {}
    if os.geteuid() == 0:
        NOBODY = {'user': 'nobody', 'group': pwd.getpwnam('nobody').pw_gid,
                  'extra_groups': []}

    def __init__(self, rate, *upstreams):
        self.home = tempfile.mkdtemp(prefix='vidtoken.', dir='/tmp')
        atexit.register(self.end)
        self.process = None
        self.port = free_port()
        self.copy('vidtoken-http.conf', ('127.0.0.1:3000', '; server '.join(
            '127.0.0.1:%d max_fails=0' % one for one in upstreams)),
                  ('rate=5r/s', 'rate=' + rate))
        self.copy('vidtoken-proxy.conf')
        self.copy('vidtoken-server.conf')
        for name in ON_DISK:
            os.makedirs(os.path.dirname(self.home + '/www' + name),
                        exist_ok=True)
            self.write('www' + name, 'a file of the site')
        self.write('nginx.conf', """
daemon off;
worker_processes 1;
pid %(home)s/pid;
error_log %(home)s/error.log info;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path %(home)s/body;
    proxy_temp_path %(home)s/proxy;
    fastcgi_temp_path %(home)s/fastcgi;
    uwsgi_temp_path %(home)s/uwsgi;
    scgi_temp_path %(home)s/scgi;
    proxy_cache_path %(home)s/cache keys_zone=hostile:1m inactive=1h;
    proxy_cache hostile;
    proxy_cache_valid any 1h;
    proxy_cache_methods GET HEAD POST;
    proxy_ignore_headers Cache-Control Expires Vary;
    add_header Cache-Control "public" always;
    proxy_set_header X-Outer "1";
    gzip on;
    gzip_types *;
    gzip_min_length 1;
    expires 1h;
    client_max_body_size 4m;
    proxy_intercept_errors on;
    proxy_next_upstream error timeout http_500;
    error_page 400 401 403 404 405 409 410 413 425 429 500 502 503 /oops;
    include vidtoken-http.conf;
    server {
        listen 127.0.0.1:%(port)d;
        server_name clinic.example;
        root %(home)s/www;
        location = /oops { return 200 "oops"; }
        # a site has locations of its own, and theirs may come first
        location ~ /api/ { return 418; }
        include vidtoken-server.conf;
        location / { return 204; }
        location ~ txt$ { }
        location /cached/ { proxy_pass http://vidtoken_api; }
    }
}
""" % {'home': self.home, 'port': self.port})
        self.command = [NGINX, '-p', self.home, '-c',
                        os.path.join(self.home, 'nginx.conf')]
        if self.NOBODY:
            shutil.chown(self.home, 'nobody')

    def write(self, name, text):
        with open(os.path.join(self.home, name), 'w') as file:
            file.write(text)

    def copy(self, name, *changes):
        with open(os.path.join(EXAMPLE, name)) as file:
            text = file.read()
        for old, new in changes:
            if text.count(old) != 1:
                raise RuntimeError('%s: not once in %s' % (old, name))
            text = text.replace(old, new)
        self.write(name, text)

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            **self.NOBODY)
        return wait_until(lambda: self.listens())

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(('127.0.0.1', self.port)) == 0

    def log(self):
        with open(os.path.join(self.home, 'error.log'),
                  errors='replace') as file:
            return file.read()

    def end(self):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
            self.process = None
        shutil.rmtree(self.home, ignore_errors=True)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {}
        for key, text in headers:
            self.headers.setdefault(key.lower(), []).append(text)


def ask(method, path, body=None, headers=None, port=None):
    """One request; what reached the upstream of it is in the answer."""
    connection = http.client.HTTPConnection('127.0.0.1', port or nginx.port,
                                            timeout=30)
    before = len(requests)
    try:
        connection.request(method, path, body, headers or {})
        got = connection.getresponse()
        answer = Answer(got.status, got.getheaders(), got.read())
    finally:
        connection.close()
    answer.reached = requests[before:]
    return answer


def raw(text):
    """As above, for what a client library does not send."""
    before = len(requests)
    with socket.create_connection(('127.0.0.1', nginx.port), 30) as client:
        client.sendall(text)
        client.shutdown(socket.SHUT_WR)
        data = b''
        while True:
            part = client.recv(65536)
            if not part:
                break
            data += part
    head = data.split(b'\r\n\r\n')[0].decode('latin-1').split('\r\n')
    answer = Answer(int(head[0].split()[1]),
                    [line.split(': ', 1) for line in head[1:]], data)
    answer.reached = requests[before:]
    return answer


def closed(answer, status, name):
    """Refused by nginx itself, and nobody keeps the refusal."""
    equal((answer.status, len(answer.reached),
           answer.headers.get('cache-control')), (status, 0, ['no-store']),
          name)


def passed(answer, method, path, body, name):
    """Passed on once, in this form, and nobody keeps the answer."""
    got = answer.reached[0] if answer.reached else {}
    equal((answer.status, answer.headers.get('cache-control'),
           len(answer.reached), got.get('method'), got.get('path'),
           got.get('body')),
          (200, ['no-store'], 1, method, path, body), name)
    return got.get('headers', {})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass    # nginx drops a connection that it kept open


upstream = Server(('127.0.0.1', 0), Upstream)
threading.Thread(target=upstream.serve_forever, daemon=True).start()
nginx = Nginx('9999r/s', upstream.server_port)
check = program(*nginx.command, '-t', **nginx.NOBODY)
if not ok(check.returncode == 0, 'nginx takes the configuration'):
    diag(check.stderr.decode())
if not ok(nginx.start(), 'and starts'):
    diag(nginx.log())
diag(program(NGINX, '-v').stderr.decode())

#
# The table: method and path, and what PostgREST is asked
#

API = '/api/appointments/'
CALLS = {
    'video-token': (('GET', 'POST'), 'video_token'),
    'video-token-refresh': (('GET',), 'video_token_refresh'),
    'video-status': (('GET', 'HEAD'), 'video_status'),
}
METHODS = ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS')


def expected(call, method, given):
    """What has to reach PostgREST."""
    function = '/rpc/' + CALLS[call][1]
    if call == 'video-status':
        return method, '%s?appointment_id=%s' % (function, given), b''
    return 'POST', function, b'{"appointment_id":"%s"}' % given.encode()


for call, (allowed, function) in CALLS.items():
    for given in ('47', '0', '007', '9' * 19, UUID, UUID.lower()):
        for slash in ('/', ''):
            path = API + call + '/' + given + slash
            passed(ask(allowed[0], path), *expected(call, allowed[0], given),
                   '%s %s' % (allowed[0], path))
    for method in METHODS:
        answer = ask(method, API + call + '/47/')
        if method in allowed:
            passed(answer, *expected(call, method, '47'),
                   '%s: %s is passed on' % (call, method))
        else:
            closed(answer, 405, '%s: %s is not' % (call, method))
            equal(answer.headers.get('allow'), [', '.join(allowed)],
                  '%s: %s is told what is' % (call, method))
    for given in ('', '/', '-1/', '+47/', '4.7/', 'abc/', '47x/', '9' * 20,
                  '47%20/', '47%0a', '47/%0a', '47%00', '%22/', '47%22/',
                  '47%0d%0aX:1/', '47%3f/', '47%26x=1/', '47/48/', '%D9%A4/',
                  UUID[:-1], UUID + '0', UUID.replace('-', ''),
                  '{%s}' % UUID, UUID.replace('6F', '6G')):
        answer = ask(allowed[0], API + call + '/' + given)
        # a NUL is no request at all
        if given == '47%00':
            equal((answer.status, answer.reached), (400, []),
                  '%s: a NUL is refused' % call)
        else:
            closed(answer, 404, '%s: %s is no id' % (call, ascii(given)))
    for given in ('%34%37/', './47/', 'x/../47/', '/47/', '47/?', '47/#x'):
        passed(ask(allowed[0], API + call + '/' + given),
               *expected(call, allowed[0], '47'),
               '%s: %s is 47, written otherwise' % (call, given))
    for query in ('?appointment_id=48', '?select=access_token',
                  '?columns=x&limit=0&offset=1', '?', '?%0d%0aX-Y:1',
                  '?appointment_id=eq.47&or=(a.eq.1)', '?user_id=9'):
        passed(ask(allowed[0], API + call + '/47/' + query),
               *expected(call, allowed[0], '47'),
               '%s: the query %s is dropped' % (call, query))
    for body in (b'{"appointment_id":48}', b'x', b'{"user_id":1}' * 20):
        for method in set(allowed) - {'HEAD'}:
            passed(ask(method, API + call + '/47/', body,
                       {'Content-Type': 'text/csv'}),
                   *expected(call, method, '47'),
                   '%s: %s, a body is dropped: %s' % (call, method, body[:9]))
    closed(ask(allowed[0], API + call + '/47/', b'x' * 1025), 413,
           call + ': a long one is refused')

for method in METHODS:
    answer = ask(method, API + 'video-sessions/?select=room_name')
    if method in ('GET', 'HEAD'):
        passed(answer, method, '/video_sessions', b'',
               'video-sessions: %s is passed on' % method)
    else:
        closed(answer, 405, 'video-sessions: %s is not' % method)
        equal(answer.headers.get('allow'), ['GET, HEAD'],
              'video-sessions: %s is told what is' % method)
passed(ask('GET', API + 'video-sessions/', b'{"x":1}'), 'GET',
       '/video_sessions', b'', 'video-sessions: a body is dropped')
REPORT = b'{"quality": 4, "metrics": {"rtt": 20}}'
for given in ('47', UUID):
    passed(ask('POST', API + 'video-quality/%s/?columns=x' % given, REPORT,
               {'Content-Type': 'text/csv'}), 'POST', '/rpc/video_quality',
           b'{"appointment_id":"%s","report":%s}' % (given.encode(), REPORT),
           'video-quality: the report is put beside the id %s' % given)
long = b'{"quality": 4, "metrics": "%s"}' % (b'x' * 16000)
passed(ask('POST', API + 'video-quality/47/', long), 'POST',
       '/rpc/video_quality', b'{"appointment_id":"47","report":%s}' % long,
       'video-quality: also a long one')
passed(ask('POST', API + 'video-quality/47/',
           iter([REPORT[:9], REPORT[9:]])),
       'POST', '/rpc/video_quality',
       b'{"appointment_id":"47","report":%s}' % REPORT,
       'video-quality: and one that comes in pieces')
closed(ask('POST', API + 'video-quality/47/', b'x' * (16 * 1024 + 1)), 413,
       'video-quality: too long a one is refused')
for method in METHODS:
    if method != 'POST':
        answer = ask(method, API + 'video-quality/47/')
        closed(answer, 405, 'video-quality: %s is refused' % method)
        equal(answer.headers.get('allow'), ['POST'],
              'video-quality: %s is told what is not' % method)

#
# Headers
#

STEERS = {
    'Prefer': 'tx=rollback, timezone=Asia/Tokyo, count=exact',
    'Accept': 'text/csv', 'Accept-Profile': 'vidtoken',
    'Content-Profile': 'vidtoken', 'Range': '0-0', 'Range-Unit': 'items',
    'Content-Type': 'text/csv', 'Cookie': 'role=web_admin',
    'X-HTTP-Method-Override': 'DELETE', 'X-Forwarded-For': '10.0.0.1',
    'X-Forwarded-Proto': 'gopher', 'Forwarded': 'for=10.0.0.1',
    'X-Original-URI': '/', 'X-Original-URL': '/rpc/x', 'X-Rewrite-URL': '/',
    'Accept-Encoding': 'gzip', 'Accept-Language': 'de', 'Expect': '',
    'Content-Encoding': 'gzip', 'Upgrade': 'websocket',
    'Connection': 'Upgrade, Authorization', 'TE': 'trailers',
    'X-Vidtoken-Authorization': 'forged', 'X-Vidtoken-Url': 'forged',
    'X-Vidtoken-Content-Type': 'forged', 'X-Twilio-Signature': 'forged',
    'Origin': 'https://elsewhere.example', 'X-Outer': '2',
}
SEEN = {'host', 'accept', 'user-agent', 'x-forwarded-for',
        'x-forwarded-proto', 'authorization', 'connection'}
for call, method, more in (
        ('video-token/47/', 'POST', {'content-type', 'content-length'}),
        ('video-token-refresh/47/', 'GET', {'content-type', 'content-length'}),
        ('video-status/47/', 'GET', set()), ('video-sessions/', 'GET', set()),
        ('video-quality/47/', 'POST', {'content-type', 'content-length'})):
    answer = ask(method, API + call, b'{}' if method == 'POST' else None,
                 dict(STEERS, Authorization=TOKEN,
                      **{'User-Agent': 'page', 'Host': 'clinic.example'}))
    headers = answer.reached[0]['headers']
    equal(set(answer.reached[0]['names']) - {'connection'},
          SEEN - {'connection'} | more,
          call + ': PostgREST sees these headers and no other')
    equal({key: headers.get(key) for key in (
        'authorization', 'accept', 'x-forwarded-for', 'x-forwarded-proto',
        'host', 'user-agent', 'content-type')},
        {'authorization': TOKEN, 'accept': 'application/json',
         'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http',
         'host': 'clinic.example', 'user-agent': 'page',
         'content-type': 'application/json' if more else None},
        call + ': Authorization as it came, the others as nginx says')
    equal((answer.reached[0]['version'], answer.headers.get(
        'x-content-type-options')), ('HTTP/1.1', ['nosniff']),
        call + ': in HTTP/1.1, and the answer is of the type that it says')
    equal('authorization' in ask(method, API + call, b'{}' if method == 'POST'
                                 else None).reached[0]['headers'], False,
          call + ': who brings none has none')
equal(len(raw(b'GET /api/appointments/video-status/47/ HTTP/1.1\r\nHost: a\r\n'
              b'Connection: close\r\nAuthorization: Bearer one\r\n'
              b'X: y\r\n\tfolded: z\r\n\r\n').reached), 0,
      'a folded header is no request')

equal(len({ask('GET', API + 'video-status/47/').reached[0]['port']
           for turn in range(5)}), 1,
      'requests come over a connection that is kept')

#
# Nobody keeps an answer
#

CONDITIONS = {'If-None-Match': '"e"', 'If-Match': '"f"', 'Range': 'bytes=0-1',
              'If-Modified-Since': 'Mon, 02 Mar 2026 10:00:00 GMT',
              'If-Unmodified-Since': 'Mon, 02 Mar 2020 10:00:00 GMT',
              'If-Range': '"e"', 'Accept-Encoding': 'gzip'}
HIDDEN = ('etag', 'expires', 'pragma', 'last-modified', 'vary',
          'content-location', 'content-range', 'proxy-status',
          'content-encoding')
for path, method in ((API + 'video-token/47/', 'GET'),
                     (API + 'video-token/47/', 'POST'),
                     (API + 'video-token-refresh/47/', 'GET'),
                     (API + 'video-status/47/', 'GET'),
                     (API + 'video-sessions/', 'GET'),
                     (API + 'video-quality/47/', 'POST'),
                     ('/api/video-webhook/twilio/', 'POST')):
    bodies = set()
    for turn in range(2):
        answer = ask(method, path, b'{}' if method == 'POST' else None,
                     CONDITIONS)
        bodies.add(answer.body)
        equal((answer.status, len(answer.reached),
               [name for name in HIDDEN if name in answer.headers]),
              (200, 1, []), '%s %s: answered anew, without a validator'
              % (method, path))
    equal(len(bodies), 2, '%s %s: a second answer of its own' % (method, path))
    unlike(' '.join(answer.headers['server']), 'postgrest',
           path + ': not who answered')
# else the above would not have tried anything
ask('GET', '/cached/x')
equal(ask('GET', '/cached/x').reached, [], 'the site keeps what it may')

inner = {API + 'video-token/47/': '/rpc/video_token',
         API + 'video-status/47/': '/rpc/video_status',
         '/api/video-webhook/livekit/': '/rpc/video_webhook_livekit'}
for status in (201, 204, 400, 401, 403, 404, 405, 409, 410, 413, 425, 500,
               503):
    for path, function in inner.items():
        STATUS[function] = status
        method = 'GET' if 'status' in path else 'POST'
        answer = ask(method, path, b'{}' if method == 'POST' else None)
        equal((answer.status, answer.headers.get('cache-control'),
               len(answer.reached), answer.headers.get('www-authenticate')),
              (status, ['no-store'], 1, ['Bearer']),
              '%s: %d is passed back' % (path, status))
STATUS.clear()

#
# Webhooks
#

HOOK = '/api/video-webhook/'
FORM = b'RoomName=apt-47&StatusCallbackEvent=room-created%0a\x00\xff'
headers = passed(
    ask('POST', HOOK + 'twilio/?bodySHA256=ab&x=%20y', FORM, dict(STEERS, **{
        'Content-Type': 'application/x-www-form-urlencoded; charset=UTF-8',
        'X-Twilio-Signature': 'c2lnbmF0dXJl', 'Authorization': TOKEN,
        'User-Agent': 'TwilioProxy/1.1', 'Host': 'clinic.example'})),
    'POST', '/rpc/video_webhook_twilio', FORM,
    'twilio: the bytes as they came')
equal({key: headers.get(key) for key in (
    'content-type', 'x-vidtoken-content-type', 'x-twilio-signature',
    'x-vidtoken-url', 'x-vidtoken-authorization', 'authorization')},
    {'content-type': 'application/octet-stream',
     'x-vidtoken-content-type':
         'application/x-www-form-urlencoded; charset=UTF-8',
     'x-twilio-signature': 'c2lnbmF0dXJl',
     'x-vidtoken-url': 'http://clinic.example' + HOOK
                       + 'twilio/?bodySHA256=ab&x=%20y',
     'x-vidtoken-authorization': TOKEN, 'authorization': None},
    'twilio: types, signature and address')
equal(set(headers) - {'connection'}, SEEN - {'authorization', 'connection'} | {
    'content-type', 'content-length', 'x-vidtoken-content-type',
    'x-twilio-signature', 'x-vidtoken-url', 'x-vidtoken-authorization'},
    'twilio: and no other header')
headers = passed(
    ask('POST', HOOK + 'livekit', b'{"event":"room_started"}', {
        'Content-Type': 'application/webhook+json',
        'Authorization': 'eyJ.e30.c2ln'}), 'POST',
    '/rpc/video_webhook_livekit', b'{"event":"room_started"}',
    'livekit: the bytes as they came')
equal((headers.get('x-vidtoken-authorization'),
       headers.get('x-vidtoken-content-type'),
       'authorization' in headers, 'x-twilio-signature' in headers),
      ('eyJ.e30.c2ln', 'application/webhook+json', False, False),
      'livekit: its token is no JWT of PostgREST\'s')
long = bytes(range(256)) * 4096
passed(ask('POST', HOOK + 'livekit/', long), 'POST',
       '/rpc/video_webhook_livekit', long, 'a megabyte is passed on')
closed(ask('POST', HOOK + 'livekit/', long + b'x'), 413, 'and not a byte more')
passed(ask('POST', HOOK + 'livekit/', iter([FORM, FORM])), 'POST',
       '/rpc/video_webhook_livekit', FORM * 2,
       'a body in pieces is put together')
for method in METHODS:
    if method != 'POST':
        answer = ask(method, HOOK + 'twilio/')
        closed(answer, 405, 'a webhook is no %s' % method)
        equal(answer.headers.get('allow'), ['POST'], 'but a POST')
for given in ('', '/', 'x.php', 'Twilio/', 'tw_ilio/', 'twilio%22/',
              'twilio/x/', 'twilio%0a/', '%2e%2e%5c/', 'x' * 33, 'twilio.php'):
    closed(ask('POST', HOOK + given, b'x'), 404,
           '%s is no provider' % ascii(given))

#
# Whatever else PostgREST would answer
#

for path in ('/rpc/video_token', '/video_sessions', '/', '/rpc/',
             '/vidtoken_sessions'):
    answer = ask('POST', path, b'{}')
    equal((answer.status, answer.reached), (204, []),
          '%s is the site\'s own' % path)
for path in (API + 'video-', API + 'video-token', API + 'video-tokens/47/',
             API + 'video-room/47', API + 'video-token%2f47',
             API + 'video-sessions/47/', API + 'video-token/../video-x/47/'):
    answer = ask('GET', path)
    if path.endswith('%2f47'):
        passed(answer, 'POST', '/rpc/video_token', b'{"appointment_id":"47"}',
               path + ' is a token, written otherwise')
    else:
        closed(answer, 404, path + ' is nothing')
for path in (API + '47/', '/api/other', HOOK + '..%2fvideo_token/'):
    equal(ask('GET', path).status, 418, '%s is the site\'s own' % path)

equal(ask('GET', '/robots.txt').status, 200, 'a file of the site')
equal(ask('GET', '/nothing.txt').body, b'oops',
      'and its page for errors (the controls)')

#
# Too many, cut off, not there
#

slow = Nginx('1r/m', upstream.server_port)
ok(slow.start(), 'another with a low rate')
codes = [ask('POST', API + 'video-token/47/', port=slow.port)
         for turn in range(30)]
equal(({answer.status for answer in codes[:10]},
       {answer.status for answer in codes[25:]},
       {tuple(answer.headers['cache-control']) for answer in codes}),
      ({200}, {429}, {('no-store',)}),
      'a burst of tokens, then 429, and nobody keeps it')
for method, path in (('GET', 'video-token-refresh/47/'),
                     ('POST', 'video-quality/47/')):
    closed(ask(method, API + path, port=slow.port), 429,
           path + ': nor does another path help')
equal({ask(method, path, b'{}' if method == 'POST' else None,
           port=slow.port).status
       for method, path in (('POST', HOOK + 'twilio/'),
                            ('GET', API + 'video-status/47/'))
       for turn in range(30)}, {200},
      'webhooks and the status are not held back')
slow.end()
second = Server(('127.0.0.1', 0), Upstream)
threading.Thread(target=second.serve_forever, daemon=True).start()
two = Nginx('9999r/s', upstream.server_port, second.server_port)
ok(two.start(), 'one with two PostgRESTs')
STATUS.update({'/rpc/video_token': CUT, '/rpc/video_token_refresh': CUT,
               '/rpc/video_webhook_livekit': CUT})
for method, path in (('GET', API + 'video-token/47/'),
                     ('POST', API + 'video-token/47/'),
                     ('GET', API + 'video-token-refresh/47/'),
                     ('POST', HOOK + 'livekit/')):
    answer = ask(method, path, b'{}' if method == 'POST' else None,
                 port=two.port)
    equal((answer.status, len(answer.reached),
           answer.headers.get('cache-control')), (502, 1, ['no-store']),
          '%s %s: cut off, and not asked of the other' % (method, path))
STATUS.clear()
two.end()
gone = Nginx('9999r/s', free_port())
ok(gone.start(), 'one without a PostgREST')
for method, path in (('POST', API + 'video-token/47/'),
                     ('GET', API + 'video-status/47/'),
                     ('POST', HOOK + 'twilio/')):
    closed(ask(method, path, b'{}' if method == 'POST' else None,
               port=gone.port), 502, '%s: 502, and nobody keeps it' % path)
gone.end()

# bodies of webhooks that are long go through a file
unlike(re.sub(r'.*client request body is buffered.*', '', nginx.log()),
       r'.*\[(warn|emerg|alert|crit)\].*', 'nginx has nothing to complain of')
done_testing()
