"""What the Python scripts in test/t share: TAP, a server, a clinic.

A script begins with

    #!/bin/sh
    ''':'
    exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
    '''

because prove leaves a *.t to perl, and perl to the program of its first line:
that is the shell, which finds the Python that has jwt and psycopg2.

Invariants a maintainer must keep:
- The plan is printed by done_testing() alone: a script that dies on its way
  has no plan, and has failed.
- Nothing but a Clinic's own database, roles and directory is touched on a
  server that others use; all of it is gone when the script ends.
- Keys reach the server in files that are written here, never in a statement,
  so that whatever the server logs of a key is the fault of the extension.

Copyright (c) 2026, the vidtoken authors

test/t/lib/tap.py
"""

import atexit
import base64
import contextlib
import ctypes
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
CLUSTER = os.path.join(ROOT, 'test', 'cluster')

#
# TAP
#

_count = 0


def ok(condition, name):
    """One line of TAP; returns whether the test passed."""
    global _count
    _count += 1
    name = ascii(name)[1:-1].replace('#', r'\#')
    print('%sok %d - %s' % ('' if condition else 'not ', _count, name),
          flush=True)
    if not condition:
        frame = sys._getframe(1)
        while frame.f_code.co_filename == __file__ and frame.f_back:
            frame = frame.f_back
        diag('failed at %s line %d'
             % (os.path.basename(frame.f_code.co_filename), frame.f_lineno))
    return bool(condition)


def equal(got, expected, name):
    if not ok(got == expected, name):
        diag('     got: %r' % (got,))
        diag('expected: %r' % (expected,))


def like(got, pattern, name):
    if not ok(got is not None and re.search(pattern, got), name):
        diag('     got: %r' % (got,))
        diag('no match: %s' % pattern)


def unlike(got, pattern, name):
    found = re.search(pattern, got)
    if not ok(not found, name):
        diag('   found: %r' % found.group(0))


def skip(name, reason):
    global _count
    _count += 1
    print('ok %d - %s # skip %s' % (_count, name, reason), flush=True)


def diag(text):
    for line in str(text).splitlines():
        print('# ' + ascii(line)[1:-1], flush=True)


def done_testing():
    print('1..%d' % _count, flush=True)


def died(*error):
    """What keeps a script from its plan is said beside its tests: what goes
    to standard error stands elsewhere in a report.
    """
    print('not ok %d - the script comes to its end' % (_count + 1), flush=True)
    diag(''.join(traceback.format_exception(*error)))
    if 'VIDTOKEN_TEST_SERVER' in os.environ:
        lines = server_log().decode('utf-8', 'replace').splitlines()
        diag('the server\'s log has:')
        for line in [line for line in lines[:-5] if re.search(
                'PANIC|terminated by signal|Failed process|No space|'
                'out of memory', line)
                ] + lines[-5:]:
            diag(line)


sys.excepthook = died


#
# A server
#

PR_SET_THP_DISABLE = 41                 # linux/prctl.h


def need_server(*settings, own=False):
    """Sees to it that there is a server: the environment's, or, where there
    is none or it has to be this script's own, a new one with these settings.
    Does not return before the script runs inside of it.
    """
    script = os.path.abspath(sys.argv[0])
    inside = os.environ.get('VIDTOKEN_TEST_SERVER') == script
    if inside or (not own and 'PGHOST' in os.environ):
        return
    os.environ['VIDTOKEN_TEST_SERVER'] = script
    # Where the system makes pages huge by itself, a heap may get 2 MB at once,
    # which would be taken for a leak; who is started from here has none.
    ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    os.execv(CLUSTER, [CLUSTER, 'run', *settings, sys.executable, '-B', script])


def server_log():
    """What the server of our own has logged until now, as bytes."""
    with open(os.environ['VIDTOKEN_LOG'], 'rb') as file:
        return file.read()


def postmaster():
    """The process number of the server of our own."""
    with open(os.path.join(os.environ['VIDTOKEN_PGDATA'],
                           'postmaster.pid')) as file:
        return int(file.readline())


def state(pid):
    """State and parent, from /proc; nothing of a process that is gone."""
    try:
        with open('/proc/%d/stat' % pid) as file:
            return file.read().rpartition(')')[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return None, None


def kill_server():
    """The postmaster is stopped first: it starts nobody while its children
    are looked for.  Returns who was killed.
    """
    parent = postmaster()
    os.kill(parent, signal.SIGSTOP)
    killed = [parent] + [int(name) for name in os.listdir('/proc')
                         if name.isdigit()
                         and state(int(name))[1] == str(parent)]
    # Children first: those of a postmaster that is gone end by themselves.  One
    # that was about to end when the postmaster was stopped may have done so.
    for pid in reversed(killed):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    # Where nobody waits for orphans, they stay in /proc, dead.
    if not wait_until(lambda: all(state(pid)[0] in (None, 'Z', 'X')
                                  for pid in killed)):
        raise RuntimeError('a process of the server survives SIGKILL')
    # The number in these files may be another process's by now.
    os.unlink(os.path.join(os.environ['VIDTOKEN_PGDATA'], 'postmaster.pid'))
    os.unlink(os.path.join(os.environ['PGHOST'], '.s.PGSQL.%s.lock'
                           % os.environ['PGPORT']))
    return killed


def memory(connection, names=('RssAnon', 'VmSwap')):
    """What a backend has for itself, in kB, OpenSSL's handles as well: pages
    that are no file's, and those of them that were swapped out.
    """
    with open('/proc/%d/status' % connection.get_backend_pid()) as file:
        figures = dict(line.split(':', 1) for line in file)
    return sum(int(figures[name].split()[0]) for name in names)


def connect(database, user=None, **options):
    connection = psycopg2.connect(dbname=database, connect_timeout=30,
                                  user=user or os.environ.get('PGUSER'),
                                  **options)
    connection.autocommit = True
    return connection


def rows(connection, statement, parameters=None):
    """The answer of a statement, [] when it has none."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def value(connection, statement, parameters=None):
    return rows(connection, statement, parameters)[0][0]


def record(connection, statement, parameters=None):
    """The first row as a dictionary."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return dict(zip([c.name for c in cursor.description],
                        cursor.fetchone()))


class Refusal:
    """What the server said when it refused; every part '' when it did not."""

    def __init__(self, error=None):
        diagnostics = error.diag if error else None
        for part in ('sqlstate', 'message_primary', 'message_detail',
                     'message_hint', 'context'):
            setattr(self, part, getattr(diagnostics, part, None) or '')
        if error is not None and not self.sqlstate:
            self.message_primary = str(error)
        self.reason = ''
        if self.message_detail.startswith('{"reason":'):
            self.reason = json.loads(self.message_detail)['reason']

    def __str__(self):
        return '\n'.join((self.sqlstate, self.message_primary,
                          self.message_detail, self.message_hint,
                          self.context))


def refusal(connection, statement, parameters=None):
    try:
        rows(connection, statement, parameters)
    except psycopg2.Error as error:
        return Refusal(error)
    return Refusal()


def refused(connection, statement, parameters, sqlstate, reason, name):
    got = refusal(connection, statement, parameters)
    equal((got.sqlstate, got.reason), (sqlstate, reason), name)
    return got


def wait_until(condition, seconds=30):
    """Whether the condition came true; a test waits for events, not times."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


#
# Keys
#

def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def oct_key(kid, secret, **members):
    return dict({'kty': 'oct', 'kid': kid, 'alg': 'HS256',
                 'k': base64url(secret)}, **members)


SECRET = b'test secret of the signing key, 1'
NEXT_SECRET = b'test secret of the signing key, 2'
NAME_SECRET = b'test secret of the name key, only'


def keyring(secret=SECRET):
    """The keyring of the tests, see test/keyring.json."""
    return {'keys': [oct_key('SKtest', secret),
                     oct_key('SKnext', NEXT_SECRET),
                     oct_key('name-test', NAME_SECRET, vidtoken_use='name')]}


#
# A clinic
#

SCHEMA = """
CREATE SCHEMA vidtoken;
CREATE EXTENSION vidtoken SCHEMA vidtoken;
CREATE SCHEMA clinic;
CREATE TABLE clinic.appointments (
    id integer PRIMARY KEY,
    starts_at timestamptz NOT NULL,
    minutes integer NOT NULL DEFAULT 60,
    cancelled boolean NOT NULL DEFAULT false
);
CREATE TABLE clinic.participants (
    appointment_id integer REFERENCES clinic.appointments,
    user_id integer,
    identity text,
    role text,
    room_name text,
    PRIMARY KEY (appointment_id, user_id)
);
CREATE VIEW clinic.video_source AS
SELECT p.appointment_id,
       p.user_id,
       a.starts_at,
       make_interval(mins => a.minutes) AS duration,
       p.identity,
       p.role,
       p.room_name,
       a.cancelled
  FROM clinic.participants AS p
  JOIN clinic.appointments AS a ON a.id = p.appointment_id;
INSERT INTO clinic.appointments (id, starts_at, minutes, cancelled) VALUES
    (47, now(), 60, false),
    (48, now(), 30, false),
    (98, now() + interval '1 day', 60, false),
    (99, now(), 60, true),
    (100, now() - interval '1 day', 60, false);
INSERT INTO clinic.participants (appointment_id, user_id, identity, role)
SELECT a.id, u.id, u.id || '-' || u.name || '@example.com', u.role
  FROM clinic.appointments AS a
 CROSS JOIN (VALUES (2, 'jane', NULL), (3, 'bob', 'guest'),
                    (9, 'house', 'host')) AS u (id, name, role);
"""


class Clinic:
    """A database of its own, with the extension in schema vidtoken, loaded
    and set up for every session, and appointments that start now: 47 (60
    minutes) and 48 (30); 98 is tomorrow's, 99 cancelled, 100 yesterday's;
    users 2, 3 and 9 take part in all of them.
    """

    def __init__(self, name, encoding='UTF8'):
        self.name = 'vidtoken_%s_%d' % (name, os.getpid())
        self.admin = connect('postgres')
        self.roles = []
        self.directory = os.path.join(
            value(self.admin, 'SHOW data_directory'), self.name)
        self.keyring_path = os.path.join(self.directory, 'keyring.json')
        atexit.register(self.drop)
        rows(self.admin, "CREATE DATABASE %s TEMPLATE template0 ENCODING '%s' "
             "LC_COLLATE 'C' LC_CTYPE 'C'" % (self.name, encoding))
        os.mkdir(self.directory, 0o700)
        self.give(self.directory)
        self.write_keyring(keyring())
        self.set('session_preload_libraries', 'vidtoken')
        self.set('vidtoken.source', 'clinic.video_source')
        self.set('vidtoken.keyring', self.keyring_path)
        self.set('vidtoken.key_id', 'SKtest')
        self.set('vidtoken.account', 'ACtest')
        self.set('timezone', 'UTC')
        with self.connect() as connection:
            rows(connection, SCHEMA)
        connection.close()

    def connect(self, user=None, **options):
        return connect(self.name, user, **options)

    def set(self, setting, text):
        """For all sessions to come."""
        rows(self.admin, 'ALTER DATABASE %s SET %s = %%s'
             % (self.name, setting), (text,))

    def create_role(self, name, attributes='LOGIN'):
        name = '%s_%s' % (self.name, name)
        rows(self.admin, 'CREATE ROLE %s %s' % (name, attributes))
        self.roles.append(name)
        return name

    def write_keyring(self, content, path=None, mode=0o600):
        """Replaces the file at once, as vidtoken-keyring does; content is a
        JWK Set or bytes.
        """
        path = path or self.keyring_path
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        descriptor = os.open(path + '.new',
                             os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, 'wb') as file:
            file.write(content)
        self.give(path + '.new')
        os.chmod(path + '.new', mode)
        os.rename(path + '.new', path)

    def give(self, path):
        """A keyring has to be the server's own user's."""
        if os.geteuid() == 0:
            owner = os.stat(os.path.dirname(self.directory))
            os.chown(path, owner.st_uid, owner.st_gid)

    def drop(self):
        rows(self.admin, 'SELECT pg_terminate_backend(pid) '
             'FROM pg_stat_activity WHERE datname = %s', (self.name,))
        wait_until(lambda: value(self.admin, 'SELECT count(*) = 0 FROM '
                                 'pg_stat_activity WHERE datname = %s',
                                 (self.name,)))
        rows(self.admin, 'DROP DATABASE IF EXISTS %s' % self.name)
        for role in self.roles:
            rows(self.admin, 'DROP ROLE IF EXISTS %s' % role)
        self.admin.close()
        shutil.rmtree(self.directory, ignore_errors=True)


_appointments = itertools.count(1001)


def new_appointment(connection, users=(2, 3), minutes=60):
    """The number of one more, which starts now, with these participants."""
    number = next(_appointments)
    rows(connection, 'INSERT INTO clinic.appointments VALUES (%s, now(), %s)',
         (number, minutes))
    rows(connection, 'INSERT INTO clinic.participants (appointment_id, '
         'user_id) SELECT %s, unnest(%s)', (number, list(users)))
    return number


def names(grant):
    """What two tokens of one session have in common."""
    return grant['room_name'], grant['user_identity']


# What a call is asked for where its token does not matter.
GRANT = 'SELECT room_name, user_identity FROM vidtoken.'


def issue(connection, appointment_id, user_id=2):
    return rows(connection, GRANT + 'vidtoken_issue(%s, %s)',
                (appointment_id, user_id))[0]


def refresh(connection, appointment_id, user_id=2):
    return rows(connection, GRANT + 'vidtoken_refresh(%s, %s)',
                (appointment_id, user_id))[0]


def undone(connection, statement, parameters=None):
    """The first row of a call whose transaction is rolled back."""
    rows(connection, 'BEGIN')
    try:
        return record(connection, statement, parameters)
    finally:
        rows(connection, 'ROLLBACK')


def ledger_rows(connection, id=None):
    """Every row of sessions and rooms, or those of one appointment."""
    return rows(connection, """
SELECT row FROM (
    SELECT appointment_id, s::text FROM vidtoken.vidtoken_session AS s
    UNION ALL
    SELECT appointment_id, r::text FROM vidtoken.vidtoken_room AS r
    ) AS l (id, row)
 WHERE coalesce(id = %s, true) ORDER BY 1""", (id and str(id),))


def program(*command, **options):
    """Runs a program to its end; returns what subprocess.run returns."""
    return subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=120, **options)
