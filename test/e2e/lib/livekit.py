"""A livekit-server, and people who call each other through it.

Invariants a maintainer must keep:
- Everything listens on and talks to 127.0.0.1 alone; the clients' STUN
  server is named, because livekit-server would tell them a public one.
- What is started here is ended by its own process id when the script ends.

Copyright (c) 2026, the vidtoken authors

test/e2e/lib/livekit.py
"""

import atexit
import contextlib
import http.server
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timezone

from tap import ROOT, program, rows, wait_until

LIB = os.path.dirname(os.path.abspath(__file__))

# What want_go, want_chromium and want_node_packages of test/lib.sh provide.
SERVER = os.environ.get('VIDTOKEN_LIVEKIT_SERVER', '')
CHROMIUM = os.environ.get('VIDTOKEN_CHROMIUM', '')


def resolve(package):
    """Where node finds the main file of a package; '' when it does not."""
    try:
        return subprocess.run(
            ['node', '-p', 'require.resolve(process.argv[1])', package],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, timeout=60).stdout.strip()
    except OSError:
        return ''


def need_programs():
    """Ends the script with a SKIP that names what is missing."""
    missing = [name for name, path in (
        ('livekit-server (go)', SERVER),
        ('chromium', CHROMIUM),
        ('playwright-core (node)', resolve('playwright-core')),
        ('livekit-client (node)', resolve('livekit-client')),
        ('pg (node)', resolve('pg')))
        if not os.path.exists(path)]
    if missing:
        print('1..0 # SKIP %s' % ', '.join(missing), flush=True)
        sys.exit(0)


_ports = random.sample(range(20000, 32000), 100)


def free_port(kind=socket.SOCK_STREAM):
    """Not one of those that the system gives away: it is free still when who
    asked for it gets at it.
    """
    while True:
        port = _ports.pop()
        with socket.socket(socket.AF_INET, kind) as probe, \
                contextlib.suppress(OSError):
            probe.bind(('127.0.0.1', port))
            return port


def request(url, body=None, headers=None):
    """The status and the body of what url answers, refusals included."""
    call = urllib.request.Request(url, body, headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(call, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def until(condition, seconds=60):
    """Whether the condition came true: as wait_until(), but it looks less
    often, because it looks through a browser or a server.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.3)
    return True


def without_tokens(text):
    return re.sub(r'eyJ[\w.-]+', '(token)', text)


def end(process):
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Server:
    """A livekit-server with these API keys, which reports to webhook_url."""

    def __init__(self, keys, webhook_key=None, webhook_url=None, room=None,
                 port=None):
        self.directory = tempfile.mkdtemp(prefix='vidtoken.', dir='/tmp')
        atexit.register(shutil.rmtree, self.directory, True)
        self.port = port or free_port()
        self.log_path = os.path.join(self.directory, 'log')
        settings = {
            'port': self.port,
            'bind_addresses': ['127.0.0.1'],
            'keys': keys,
            'rtc': {
                'udp_port': free_port(socket.SOCK_DGRAM),
                'tcp_port': free_port(),
                'use_external_ip': False,
                'node_ip': '127.0.0.1',
                'enable_loopback_candidate': True,
                'interfaces': {'includes': ['lo']},
                'stun_servers': ['127.0.0.1:9'],
            },
            'logging': {'json': True, 'level': 'info'},
            'room': room or {},
        }
        if webhook_url:
            settings['webhook'] = {'api_key': webhook_key,
                                   'urls': [webhook_url]}
        # JSON is YAML, and the file alone knows the secrets.
        path = os.path.join(self.directory, 'livekit.yaml')
        with open(path, 'w', encoding='utf-8') as file:
            os.chmod(path, 0o600)
            json.dump(settings, file)
        with open(self.log_path, 'wb') as log:
            self.process = subprocess.Popen(
                [SERVER, '--config', path], stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT)
        atexit.register(end, self.process)

    @property
    def url(self):
        return 'ws://127.0.0.1:%d' % self.port

    def is_up(self):
        try:
            return request('http://127.0.0.1:%d/' % self.port)[0] == 200
        except OSError:
            return False

    def wait(self):
        return wait_until(self.is_up)

    def judge(self, token):
        """Status and reason of what a client asks before it joins."""
        return request('http://127.0.0.1:%d/rtc/validate?%s' % (
            self.port, urllib.parse.urlencode({'access_token': token})))

    def ask(self, method, token, **parameters):
        """The answer of a call of RoomService."""
        status, body = request(
            'http://127.0.0.1:%d/twirp/livekit.RoomService/%s'
            % (self.port, method), json.dumps(parameters).encode(),
            {'Content-Type': 'application/json',
             'Authorization': 'Bearer ' + token})
        return status, json.loads(body)

    # What a reader wants to know of the log, which is JSON.
    MESSAGES = ('starting LiveKit server', 'starting RTC session',
                'participant active', 'participant closing', 'closing room',
                'closing idle room', 'room closed', 'sent webhook',
                'failed to send webhook', 'error handling request')
    MEMBERS = ('ts', 'msg', 'version', 'event', 'room',
               'participant', 'participantID', 'TokenExpiresAt', 'reason',
               'status', 'path', 'error')

    def entries(self):
        with open(self.log_path, encoding='utf-8') as file:
            for line in file:
                # The last one may be half written, a panic is not JSON.
                if line.startswith('{') and line.endswith('}\n'):
                    yield json.loads(line)

    def log(self):
        """The lines of its log that tell of calls. livekit-server logs the
        whole of a token that it refuses; here it is cut.
        """
        for entry in self.entries():
            entry.update(entry.get('participantInit') or {})
            if entry['msg'] in self.MESSAGES and \
                    not entry.get('event', '').startswith('track_'):
                entry['ts'] = datetime.fromtimestamp(
                    entry['ts'], timezone.utc).isoformat(' ', 'seconds')
                yield without_tokens(' '.join(
                    '%s=%s' % (name, entry[name])
                    for name in self.MEMBERS if name in entry))


class Site:
    """The callers' page, and the SDK."""

    def __init__(self, client):
        files = {'/': ('text/html', os.path.join(LIB, 'call.html')),
                 '/livekit-client.js': ('text/javascript', client)}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path not in files:
                    self.send_error(404)
                    return
                kind, path = files[self.path]
                with open(path, 'rb') as file:
                    body = file.read()
                self.send_response(200)
                self.send_header('Content-Type', kind)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0),
                                                      Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()
        self.url = 'http://127.0.0.1:%d' % self.server.server_port


def backend(clinic, settings, **environment):
    """The address of the examples' back end, set up for clinic as its README
    says, with settings for its role.
    """
    source = os.path.join(ROOT, 'examples', 'backend')
    role = clinic.name + '_backend'
    clinic.roles.append(role)
    done = program('psql', '-X', '-q', '-d', clinic.name, '-v', 'role=' + role,
                   '-f', os.path.join(source, 'setup.sql'))
    if done.returncode:
        raise Failed(done.stderr.decode())
    for setting, text in settings.items():
        rows(clinic.admin, 'ALTER ROLE %s SET %s = %%s' % (role, setting),
             (text,))
    directory = os.path.join(clinic.directory, 'backend')
    shutil.copytree(source, directory)
    modules = os.path.dirname(os.path.dirname(resolve('pg/package.json')))
    os.symlink(modules, os.path.join(directory, 'node_modules'))
    process = subprocess.Popen(
        ['node', 'server.mjs'], cwd=directory, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, text=True,
        env=dict(os.environ, PGDATABASE=clinic.name, PGUSER=role, PORT='0',
                 **environment))
    atexit.register(end, process)
    return process.stdout.readline().replace('listening on ', '').strip()


def page(clinic):
    """Where the page of the examples is, made to call over LiveKit as its
    README says.
    """
    directory = os.path.join(clinic.directory, 'web')
    shutil.copytree(os.path.join(ROOT, 'examples', 'web'), directory)
    shutil.copy(os.path.join(os.path.dirname(resolve('livekit-client')),
                             'livekit-client.esm.mjs'), directory)
    path = os.path.join(directory, 'page.js')
    with open(path, encoding='utf-8') as file:
        text = file.read()
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text.replace("'./echo.js'", "'./livekit.js'"))
    return directory


class Failed(Exception):
    pass


class Callers:
    """The people of callers.js."""

    def __init__(self, page):
        self.page = page
        self.process = subprocess.Popen(
            ['node', os.path.join(LIB, 'callers.js')],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self.close)

    def ask(self, do, who, **parameters):
        self.process.stdin.write(json.dumps(
            dict(parameters, do=do, who=who)) + '\n')
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if 'failed' in answer:
            raise Failed(answer['failed'])
        return answer['answer']

    def open(self, who):
        return self.ask('open', who, page=self.page)

    def close(self):
        """Closing its input makes it close the browsers."""
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            end(self.process)
