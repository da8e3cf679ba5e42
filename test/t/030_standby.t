#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# A hot standby: it signs while the primary is there, and when it is gone.
#
# With record_sessions = preferred a standby signs and writes nothing; bars,
# resets and sessions hold there from the moment they have replicated.  With
# required it refuses before any token.  A READ ONLY transaction on a primary
# is no way around the ledger.  When the primary is lost and the standby
# promoted, every participant has a valid token at every moment, in the same
# room under the same identity, and sessions are recorded again.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/030_standby.t

import datetime
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

import jwt

# Whatever ends this script, what it registered for its end is run.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda received, frame: sys.exit(128 + received))

need_server('autovacuum=off', own=True)

ISSUE = 'SELECT * FROM vidtoken.vidtoken_issue(%s, %s)'
REFRESH = 'SELECT * FROM vidtoken.vidtoken_refresh(%s, %s)'
CALLS = (('issue', ISSUE), ('refresh', REFRESH))
MINE = (('issue for the caller', 'SELECT * FROM vidtoken.vidtoken_issue(%s)'),
        ('refresh for the caller',
         'SELECT * FROM vidtoken.vidtoken_refresh(%s)'))
PRIMARY = os.environ['VIDTOKEN_PGDATA']
HOME = os.path.dirname(PRIMARY)

# RFC 8037, appendix A: known to everyone.
ED25519 = {'kty': 'OKP', 'crv': 'Ed25519', 'kid': 'own-1', 'alg': 'EdDSA',
           'd': 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
           'x': '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'}


def must(*command, **options):
    """A program that the rest of this script cannot do without."""
    run = program(*command, **options)
    if run.returncode != 0:
        raise RuntimeError('%s: %s' % (' '.join(command),
                                       (run.stdout + run.stderr).decode()))
    return run


def control(data, *arguments):
    """pg_ctl for the server with this data directory."""
    return must(CLUSTER, 'ctl', *arguments,
                env=dict(os.environ, VIDTOKEN_PGDATA=data))


class Standby:
    """A copy of the environment's server that follows it."""

    def __init__(self):
        self.directory = os.path.join(HOME, 'standby')
        self.data = os.path.join(self.directory, 'data')
        self.log = os.path.join(self.directory, 'log')
        atexit.register(self.remove)
        must(CLUSTER, 'as', 'mkdir', '-m', '0700', self.directory)
        must(CLUSTER, 'as', 'pg_basebackup', '-D', self.data, '-R', '-X',
             'stream', '-c', 'fast', '--no-sync')
        # The feedback keeps a snapshot of ours from holding up the replay.
        settings = os.path.join(self.data, 'postgresql.auto.conf')
        with open(settings, 'a') as file:
            file.write("unix_socket_directories = '%s'\n"
                       "hot_standby_feedback = on\n"
                       "wal_receiver_status_interval = 1s\n"
                       % self.directory)
        control(self.data, 'start')
        self.admin = self.connect('postgres')

    def connect(self, database=None):
        return connect(database or clinic.name, host=self.directory)

    def catch_up(self):
        """Returns when all that the primary has committed is replayed."""
        position = value(clinic.admin, 'SELECT pg_current_wal_lsn()')
        if not wait_until(lambda: value(
                self.admin, 'SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn',
                (position,)), 60):
            raise RuntimeError('the standby does not follow')

    def pause(self):
        rows(self.admin, 'SELECT pg_wal_replay_pause()')
        # Before 14 a pause is in force at once.
        if self.admin.server_version >= 140000 and not wait_until(
                lambda: value(self.admin, 'SELECT '
                              'pg_get_wal_replay_pause_state()') == 'paused'):
            raise RuntimeError('the replay does not pause')

    def resume(self):
        rows(self.admin, 'SELECT pg_wal_replay_resume()')
        self.catch_up()

    def cut_off(self):
        """From now on the primary may commit what it likes."""
        rows(self.admin, "ALTER SYSTEM SET primary_conninfo = ''")
        rows(self.admin, 'SELECT pg_reload_conf()')
        if not wait_until(lambda: value(
                self.admin, 'SELECT count(*) = 0 FROM pg_stat_wal_receiver')):
            raise RuntimeError('the standby still follows')

    def remove(self):
        if os.path.exists(os.path.join(self.data, 'postmaster.pid')):
            program(CLUSTER, 'ctl', 'stop', '-m', 'immediate',
                    env=dict(os.environ, VIDTOKEN_PGDATA=self.data))
        shutil.rmtree(self.directory, ignore_errors=True)


#
# A clinic on a primary, and its standby
#

clinic = Clinic('standby')
atexit.unregister(clinic.drop)          # it goes with its servers
# One path for both servers, and no copy of the keys in the base backup.
shutil.rmtree(clinic.directory)
clinic.keyring_path = os.path.join(HOME, 'keyring.json')
clinic.write_keyring({'keys': keyring()['keys'] + [ED25519]})
clinic.set('vidtoken.keyring', clinic.keyring_path)
clinic.set('vidtoken.record_sessions', 'preferred')

begin = time.monotonic()
standby = Standby()
diag('the standby was there after %.1f s' % (time.monotonic() - begin))
p = clinic.connect()
s = standby.connect()
equal((value(p, 'SELECT pg_is_in_recovery()'),
       value(s, 'SELECT pg_is_in_recovery()')), (False, True),
      'a primary, and a standby in recovery')


def appointment(users=(2, 3), minutes=60):
    return new_appointment(p, users, minutes)


def claims(grant, kept_clock=True):
    """What PyJWT reads in a token, by its own clock or by none."""
    checks = {} if kept_clock else {'verify_exp': False, 'verify_nbf': False,
                                    'verify_iat': False}
    return jwt.decode(grant['access_token'], SECRET, algorithms=['HS256'],
                      options=checks)


def judged(connection, token):
    return rows(connection, 'SELECT valid, reason FROM '
                'vidtoken.vidtoken_verify(%s)', (token,))[0]


def granted(connection, statement, parameters, name):
    equal(str(refusal(connection, statement, parameters)).strip(), '', name)


def recording(connection, mode):
    rows(connection, "SET vidtoken.record_sessions = '%s'" % mode)


#
# vidtoken.record_sessions
#

id = appointment()
standby.catch_up()
grant = record(s, ISSUE, (id, 2))
equal(claims(grant)['grants'],
      {'identity': grant['user_identity'],
       'video': {'room': grant['room_name']}},
      'preferred: the standby signs, and PyJWT takes it')
equal((judged(p, grant['access_token']), judged(s, grant['access_token'])),
      ((True, None), (True, None)),
      'preferred: so does vidtoken_verify, on both servers')
expected = names(grant)
equal(names(record(s, REFRESH, (id, 2))), expected,
      'preferred: a refresh signs as well')
rows(s, """SET request.jwt.claims = '{"sub": "2"}'""")
for name, statement in MINE:
    equal(names(record(s, statement, (id,))), expected, 'preferred: ' + name)
rows(s, 'BEGIN')
rows(s, ISSUE, (id, 2))
equal(value(s, 'SELECT txid_current_if_assigned()'), None,
      'preferred: no transaction id is assigned on the standby')
rows(s, 'COMMIT')
standby.catch_up()
equal((ledger_rows(p, id), ledger_rows(s, id)), ([], []),
      'preferred: and nothing is written')

now = value(p, "SELECT date_trunc('second', now())::text")
for connection in (p, s):
    rows(connection, 'SET vidtoken.test_clock = %s', (now,))
grant, twin = undone(s, ISSUE, (id, 3)), undone(p, ISSUE, (id, 3))
del grant['access_token'], twin['access_token']
equal(grant, twin, 'a standby\'s grant says what the primary\'s would say')
equal((ledger_rows(p, id), ledger_rows(s, id)), ([], []),
      'the same room on both, and no row on either')
for connection in (p, s):
    rows(connection, 'RESET vidtoken.test_clock')

refusals = []
recording(s, 'required')
for name, statement in CALLS + MINE:
    refusals.append(refused(s, statement, (id, 2)[:statement.count('%s')],
                            '25006', '', 'required: the standby refuses: '
                            + name))
like(refusals[0].message_hint, 'preferred', 'required: and says what would do')
rows(s, "SET vidtoken.keyring = '/nonexistent/keyring.json'")
refused(s, ISSUE, (id, 2), '25006', '',
        'required: it does so before it looks for a key')
recording(s, 'preferred')
refused(s, ISSUE, (id, 2), 'F0000', '',
        'preferred: without the keyring a standby signs nothing')
rows(s, 'RESET vidtoken.keyring')
recording(s, 'off')
for name, statement in CALLS:
    grant = record(s, statement, (id, 2))
    equal((names(grant), judged(s, grant['access_token'])),
          (expected, (True, None)), 'off: the standby signs: ' + name)
recording(s, 'preferred')

for mode in ('preferred', 'required'):
    recording(p, mode)
    for what, before, after in (
            ('BEGIN READ ONLY', ['BEGIN READ ONLY'], ['ROLLBACK']),
            ('SET TRANSACTION READ ONLY',
             ['BEGIN', 'SET TRANSACTION READ ONLY'], ['ROLLBACK']),
            ('default_transaction_read_only',
             ['SET default_transaction_read_only = on'],
             ['RESET default_transaction_read_only'])):
        for name, statement in CALLS:
            for one in before:
                rows(p, one)
            refused(p, statement, (id, 2), '25006', '',
                    '%s, %s on the primary: no %s' % (mode, what, name))
            for one in after:
                rows(p, one)
recording(p, 'off')
rows(p, 'BEGIN READ ONLY')
equal(names(record(p, ISSUE, (id, 2))), expected,
      'off, BEGIN READ ONLY on the primary: it signs')
rows(p, 'ROLLBACK')
recording(p, 'preferred')
equal(ledger_rows(p, id), [], 'and none of these calls has written anything')

#
# Status and notifications
#

rows(p, ISSUE, (id, 2))
room, identity = rows(p, 'SELECT room_name, user_identity FROM '
                      'vidtoken.vidtoken_sessions WHERE appointment_id = %s',
                      (str(id),))[0]
# as a webhook leaves it
rows(p, "INSERT INTO vidtoken.vidtoken_participant VALUES ('twilio', %s, "
     "'RM1', 'PA1', %s, NULL, now(), NULL, now())", (room, identity))
rows(p, 'SELECT vidtoken.vidtoken_report_quality(%s, 2, 4)', (id,))
standby.catch_up()
STATUS = ('SELECT room_status, participant_count, connection_quality '
          'FROM vidtoken.vidtoken_status(%s)')
equal((rows(s, STATUS, (id,)), rows(p, STATUS, (id,))),
      ([('active', 1, 4)],) * 2, 'a standby tells the status as the primary')
refused(s, 'SELECT vidtoken.vidtoken_report_quality(%s, 2, 4)', (id,),
        '25006', '', 'but takes no report of quality')
refused(s, "SELECT vidtoken.vidtoken_webhook('twilio', '', '{}', '')", None,
        '25006', '', 'and no webhook')
rows(s, "SET vidtoken.notify_channel = 'video'")
equal(names(record(s, ISSUE, (id, 2))), (room, identity),
      'a channel to be told on keeps no standby from signing')
rows(s, 'RESET vidtoken.notify_channel')

#
# What has replicated holds, and what has not does not
#

by_name, everyone, moved, kept = (appointment() for _ in range(4))
for id in (by_name, everyone, moved):
    rows(p, ISSUE, (id, 2))             # participant 3 has no session
old_room = value(p, 'SELECT room_name FROM vidtoken.vidtoken_sessions '
                 'WHERE appointment_id = %s', (str(moved),))
now = value(p, "SELECT date_trunc('second', now())::text")
standby.catch_up()
standby.pause()

BARRED = ((by_name, 2), (by_name, 3), (everyone, 2), (everyone, 3))
rows(p, 'SELECT vidtoken.vidtoken_revoke(%s, 2), '
     'vidtoken.vidtoken_revoke(%s, 3), vidtoken.vidtoken_revoke_all(%s)',
     (by_name, by_name, everyone))
new_room = value(p, 'SELECT vidtoken.vidtoken_reset_room(%s)', (moved,))

# A session that differs from what a first token would be: its identity was
# the source's for a moment, its token lives longer, its room has a name of
# another format.
rows(p, 'SET vidtoken.test_clock = %s', (now,))
rows(p, "SET vidtoken.min_ttl = '100min'")
rows(p, "SET vidtoken.room_format = 'kept-{suffix}'")
rows(p, 'BEGIN')
rows(p, "UPDATE clinic.participants SET identity = 'kept' "
     'WHERE appointment_id = %s AND user_id = 2', (kept,))
session = record(p, ISSUE, (kept, 2))
rows(p, 'UPDATE clinic.participants SET identity = NULL '
     'WHERE appointment_id = %s', (kept,))
rows(p, 'COMMIT')
for setting in ('min_ttl', 'room_format', 'test_clock'):
    rows(p, 'RESET vidtoken.' + setting)
equal((session['user_identity'], session['expires_in']), ('kept', 6000),
      'a session on the primary that a standby could not make up')

rows(s, 'SET vidtoken.test_clock = %s', (now,))
snapshot = standby.connect()
rows(snapshot, 'BEGIN ISOLATION LEVEL REPEATABLE READ')
rows(snapshot, 'SELECT count(*) FROM vidtoken.vidtoken_session')
for name, statement in CALLS:
    what = 'replay paused, %s: ' % name
    for parameters in BARRED:
        granted(s, statement, parameters,
                what + 'a bar does not hold yet: %s' % (parameters,))
    equal([record(s, statement, (moved, user))['room_name']
           for user in (2, 3)], [old_room, old_room],
          what + 'a reset room is still the old one')
    grant = record(s, statement, (kept, 2))
    ok(grant['user_identity'] != 'kept' and grant['expires_in'] == 5400
       and grant['room_name'].startswith('apt-'),
       what + 'a session is not known yet')

standby.resume()
for name, statement in CALLS:
    what = 'replayed, %s: ' % name
    for parameters in BARRED:
        refused(s, statement, parameters, 'PT410', 'revoked',
                what + 'a bar holds: %s' % (parameters,))
        rows(snapshot, 'SAVEPOINT older')
        refused(snapshot, statement, parameters, 'PT410', 'revoked',
                what + 'also against an older snapshot: %s' % (parameters,))
        rows(snapshot, 'ROLLBACK TO older')
    equal([record(s, statement, (moved, user))['room_name']
           for user in (2, 3)], [new_room, new_room],
          what + 'a reset room is the primary\'s new one')
    grant = record(s, statement, (kept, 2))
    equal((names(grant), grant['expires_at']),
          (names(session), session['expires_at']),
          what + 'a session keeps room and identity, and no token of it '
          'expires before the last')
    ok(record(s, statement, (kept, 3))['user_identity'] != 'kept',
       what + 'which is nothing to the other participant')
snapshot.close()

recording(s, 'off')
equal([refusal(s, ISSUE, parameters).sqlstate for parameters in BARRED],
      [''] * 4, 'off: nothing is read from the ledger')
recording(s, 'preferred')

standby.pause()
rows(p, 'SELECT vidtoken.vidtoken_reinstate(%s, 2), '
     'vidtoken.vidtoken_reinstate(%s, 3), '
     'vidtoken.vidtoken_reinstate_all(%s)', (by_name, by_name, everyone))
equal([refusal(s, ISSUE, parameters).reason for parameters in BARRED],
      ['revoked'] * 4, 'replay paused: a bar that was lifted still holds')
standby.resume()
equal([refusal(s, ISSUE, parameters).sqlstate for parameters in BARRED],
      [''] * 4, 'replayed: and then no longer')

#
# Refresh, with a session that has replicated and without one
#

def answer(connection, statement, parameters):
    """What a call says: its names, or why it refuses.  Nothing stays."""
    rows(connection, 'BEGIN')
    got = refusal(connection, 'SELECT FROM (%s) AS g' % statement, parameters)
    rows(connection, 'ROLLBACK')
    return got.sqlstate and (got.sqlstate, got.reason)


ENDED, EARLY = ('PT410', 'ended'), ('PT425', 'too_early')
for minutes, with_session, without in (
        (-20, EARLY, EARLY), (0, '', ''), (74, '', ''), (76, '', ENDED),
        (178, '', ENDED), (181, ENDED, ENDED)):
    for connection in (p, s):
        rows(connection, 'SET vidtoken.test_clock = %s',
             (value(p, 'SELECT (%s::timestamptz + make_interval(mins => %s))'
                    '::text', (now, minutes)),))
    for name, statement in CALLS:
        what = '%+d min, %s: ' % (minutes, name)
        equal([answer(s, statement, (kept, user)) for user in (2, 3)],
              [with_session, without],
              what + 'a session stays, who has none enters')
        equal([answer(p, statement, (kept, user)) for user in (2, 3)],
              [with_session, without], what + 'the primary says the same')
rows(s, 'SET vidtoken.test_clock = %s', (now,))
rows(p, 'SET vidtoken.test_clock = %s', (now,))
recording(p, 'required')
equal(answer(p, REFRESH, (kept, 3)), ('PT409', 'no_session'),
      'with required the primary wants a session')
recording(p, 'preferred')

#
# The other functions
#

for what, statement in (
        ('vidtoken_check', 'SELECT * FROM vidtoken.vidtoken_check()'),
        ('vidtoken_sessions', 'SELECT * FROM vidtoken.vidtoken_sessions '
         'ORDER BY appointment_id, user_id'),
        ('vidtoken_policy', 'SELECT vidtoken.vidtoken_policy(now, %s) FROM '
         'vidtoken.vidtoken_clock() AS now'),
        ('vidtoken_ttl', "SELECT vidtoken.vidtoken_ttl(%s)"),
        ('vidtoken_jwks', 'SELECT vidtoken.vidtoken_jwks()')):
    parameters = ('1 hour',) if '%s' in statement else None
    answers = [rows(connection, statement, parameters)
               for connection in (p, s)]
    ok(answers[0], what + ': the primary answers')
    equal(answers[1], answers[0], what + ': the standby says the same')
equal([row for row in rows(s, 'SELECT * FROM vidtoken.vidtoken_check()')
       if row[1] == 'error'], [], 'vidtoken_check: no error on a standby')

for key_id, signer, verifier in (
        (key_id, signer, verifier) for key_id in ('SKtest', 'own-1')
        for signer, verifier in ((s, p), (p, s))):
    where = 'the standby' if signer is s else 'the primary'
    token = value(signer, 'SELECT vidtoken.vidtoken_sign(%s, %s)',
                  ('{"sub": "report-17"}', key_id))
    equal((judged(verifier, token), judged(signer, token)),
          ((True, None), (True, None)),
          'vidtoken_sign: %s with %s, verified on both' % (where, key_id))
    equal(judged(verifier, token[:-8] + 'AAAAAAAA')[1], 'bad_signature',
          'and not when it was changed')

before = ledger_rows(p)
for call in ('vidtoken_revoke(%s, 2)', 'vidtoken_revoke_all(%s)',
             'vidtoken_reinstate(%s, 2)', 'vidtoken_reinstate_all(%s)',
             'vidtoken_reset_room(%s)'):
    got = refused(s, 'SELECT vidtoken.' + call, (kept,), '25006', '',
                  'not on a standby: ' + call.split('(')[0])
    like(got.message_hint, 'on the primary', 'and says where')
refused(s, 'SELECT vidtoken.vidtoken_prune()', None, '25006', '',
        'not on a standby: vidtoken_prune')
standby.catch_up()
equal((ledger_rows(p), ledger_rows(s)), (before, before), 'the ledgers are the same')

#
# What only reads takes no transaction id on the primary
#

token = value(p, 'SELECT access_token FROM vidtoken.vidtoken_issue(%s, 2)',
              (kept,))
for what, statement, parameters in (
        ('vidtoken_verify of a good token',
         'SELECT * FROM vidtoken.vidtoken_verify(%s)', (token,)),
        ('vidtoken_verify of a bad token',
         'SELECT * FROM vidtoken.vidtoken_verify(%s)', (token[:-1],)),
        ('vidtoken_jwks', 'SELECT vidtoken.vidtoken_jwks()', None),
        ('vidtoken_sign', "SELECT vidtoken.vidtoken_sign('{}')", None),
        ('vidtoken_policy', "SELECT vidtoken.vidtoken_policy(now(), '1h')",
         None),
        ('vidtoken_check', 'SELECT * FROM vidtoken.vidtoken_check()', None),
        ('vidtoken_sessions', 'SELECT * FROM vidtoken.vidtoken_sessions',
         None)):
    rows(p, 'BEGIN')
    rows(p, statement, parameters)
    equal(value(p, 'SELECT txid_current_if_assigned()'), None,
          'no transaction id for ' + what)
    rows(p, 'ROLLBACK')
    rows(p, 'BEGIN READ ONLY')
    granted(p, statement, parameters,
            'nor is a READ ONLY transaction in its way')
    rows(p, 'ROLLBACK')
rows(p, 'BEGIN')
rows(p, ISSUE, (kept, 2))
ok(value(p, 'SELECT txid_current_if_assigned()') is not None,
   'but one for vidtoken_issue (the control)')
rows(p, 'ROLLBACK')

#
# The primary is lost
#
# A second here is a minute of the clinic: tokens of 8 minutes are due for
# refresh after four, so that whoever goes without for long is seen to.
#

SPEED, TTL = 60, '8min'
LOOP, CLIENT, API = 'in a loop', 'when it is due', 'in a transaction'
STYLES = (LOOP, CLIENT, API)
clinic.set('vidtoken.min_ttl', TTL)
clinic.set('vidtoken.max_ttl', TTL)
call = appointment(range(2, 13), minutes=120)
standby.catch_up()


class Clock(threading.Thread):
    """The clinic's time.  It stands still when this whole script does, and
    only then: what a busy machine takes from everybody is nobody's fault.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.time = value(p, 'SELECT now()')
        self.start()

    def run(self):
        last = time.monotonic()
        while True:
            time.sleep(0.01)
            now = time.monotonic()
            self.time += SPEED * datetime.timedelta(
                seconds=min(now - last, 0.2))
            last = now

    def __call__(self):
        return self.time


clinic_time = Clock()


def seconds(since, until):
    """Of ours, between two times of the clinic's."""
    return (until - since).total_seconds() / SPEED


class Caller(threading.Thread):
    """A participant in the call, who got the first token from one server and
    asks the standby from then on.
    """

    def __init__(self, user, style, first_from):
        super().__init__(daemon=True)
        self.user, self.style = user, style
        self.errors, self.refreshes, self.strange = [], [], []
        self.lapses, self.least = 0, None
        connection = first_from()
        rows(connection, 'SET vidtoken.test_clock = %s',
             (clinic_time().isoformat(),))
        self.grant = record(connection, ISSUE, (call, user))
        self.names = names(self.grant)
        connection.close()
        self.connection = standby.connect()
        self.connection.autocommit = style != API

    def hold(self):
        """Looks at the token that is held until now."""
        left = (self.grant['expires_at'] - clinic_time()).total_seconds()
        self.lapses += left <= 0
        self.least = left if self.least is None else min(self.least, left)

    def ask(self):
        clock = clinic_time().isoformat()
        columns = ("SELECT g.*, current_setting('transaction_read_only') = "
                   "'off' AS recorded FROM vidtoken.vidtoken_refresh")
        if self.style == API:           # as PostgREST does
            rows(self.connection, "SELECT set_config('vidtoken.test_clock', "
                 "%s, true), set_config('request.jwt.claims', %s, true)",
                 (clock, json.dumps({'sub': str(self.user)})))
            grant = record(self.connection, columns + '(%s) AS g', (call,))
            self.connection.commit()
        else:
            rows(self.connection, "SELECT set_config('vidtoken.test_clock', "
                 '%s, false)', (clock,))
            grant = record(self.connection, columns + '(%s, %s) AS g',
                           (call, self.user))
        return grant

    def take(self, grant):
        """The next token, when there is nothing to say against it."""
        said = claims(grant, kept_clock=False)
        if (names(grant) != self.names or grant['access_token']
                == self.grant['access_token']
                or said['exp'] != grant['expires_at'].timestamp()
                or said['grants'] != {'identity': self.names[1],
                                      'video': {'room': self.names[0]}}
                or grant['expires_at'] < self.grant['expires_at']):
            self.strange.append((names(grant), said))
        self.hold()
        self.grant = grant
        self.refreshes.append((clinic_time(), grant['recorded']))

    def run(self):
        while not over.is_set():
            if self.style == CLIENT and self.grant['refresh_at'] > \
                    clinic_time():
                time.sleep(0.02)
                continue
            try:
                self.take(self.ask())
            except psycopg2.Error as error:
                self.errors.append((clinic_time(), Refusal(error)))
                self.recover()
        self.hold()

    def recover(self):
        try:
            self.connection.rollback()
        except psycopg2.Error:
            time.sleep(0.05)
            try:
                self.connection = standby.connect()
                self.connection.autocommit = self.style != API
            except psycopg2.Error as error:
                self.errors.append((clinic_time(), Refusal(error)))

    def count(self, recorded):
        return sum(one[1] == recorded for one in list(self.refreshes))

    def longest(self):
        """The longest time between two tokens, and when it ended."""
        times = [one[0] for one in self.refreshes]
        return max((seconds(a, b), seconds(killed, b))
                   for a, b in zip(times, times[1:]))


class Barred(threading.Thread):
    """One who must not get a token, and never stops trying."""

    def __init__(self, user, statement):
        super().__init__(daemon=True)
        self.user, self.statement = user, statement
        self.connection = standby.connect()
        self.tries, self.answers = 0, set()

    def run(self):
        while not over.is_set():
            got = refusal(self.connection, self.statement, (call, self.user))
            self.answers.add((got.sqlstate, got.reason))
            self.tries += 1
            time.sleep(0.01)


def bury():
    """A server that was killed leaves memory to its next start."""
    program(CLUSTER, 'ctl', 'start')
    program(CLUSTER, 'ctl', 'stop', '-m', 'immediate')


# Users 2 to 4 have sessions that replicate, 5 to 7 got their first token from
# the standby, 8 to 10 have sessions that only the primary ever knew; 11 is
# barred.
over = threading.Event()
rows(p, 'SELECT vidtoken.vidtoken_revoke(%s, 11)', (call,))
callers = [Caller(2 + number, style, clinic.connect)
           for number, style in enumerate(STYLES)]
standby.catch_up()
callers += [Caller(5 + number, style, standby.connect)
            for number, style in enumerate(STYLES)]
standby.cut_off()
callers += [Caller(8 + number, style, clinic.connect)
            for number, style in enumerate(STYLES)]
equal((len(ledger_rows(p, call)), len(ledger_rows(s, call))), (7, 4),
      'three sessions were committed on the primary and never replicated')
barred = [Barred(11, ISSUE), Barred(11, REFRESH)]

# Its transaction is of the time before the promotion.
early = standby.connect()
rows(early, 'SET vidtoken.test_clock = %s', (clinic_time().isoformat(),))
rows(early, 'BEGIN')
rows(early, 'SELECT 1')


def every_caller_had(more, recorded):
    """Comes true when everybody has had so many more tokens."""
    target = {caller: caller.count(recorded)
              + (1 if caller.style == CLIENT else more) for caller in callers}
    return wait_until(lambda: all(caller.count(recorded) >= target[caller]
                                  for caller in callers))


for thread in callers + barred:
    thread.start()
ok(every_caller_had(20, False), 'everybody gets tokens from the standby')
atexit.register(bury)
kill_server()
killed = clinic_time()
equal(refusal(p, 'SELECT 1').message_primary != '', True,
      'the primary is gone')
ok(every_caller_had(20, False), 'everybody gets tokens without a primary')
asked = clinic_time()
control(standby.data, 'promote')
promoted = clinic_time()
n = standby.connect()
equal(value(n, 'SELECT pg_is_in_recovery()'), False,
      'the standby is promoted')
ok(every_caller_had(20, True), 'everybody gets tokens that are recorded')
late = refusal(early, REFRESH, (call, 2))
over.set()
for thread in callers + barred:
    thread.join(30)
ended = clinic_time()

errors = [(round(seconds(killed, when), 3), caller.user, caller.style,
           got.sqlstate, got.message_primary)
          for caller in callers for when, got in caller.errors]
equal(errors[:5], [],
      'no refresh fails, before, during or after the promotion')
equal(str(late).strip(), '',
      'nor does one in a transaction that was begun before it')
equal([caller.user for caller in callers if caller.lapses], [],
      'no call loses its token: nobody ever holds one that has expired')
equal([one for caller in callers for one in caller.strange], [],
      'every token is good, for the same room and identity, and none expires '
      'before the last')
equal(len({caller.names[0] for caller in callers}), 1, 'all are in one room')
for caller in callers:
    diag('user %d, %s: %d tokens before the promotion, %d after; longest time '
         'without a new one %.3f s, until %+.1f s; least life left %.1f s of 8'
         % (caller.user, caller.style, caller.count(False), caller.count(True),
            *caller.longest(), caller.least / SPEED))
diag('%d tokens before the promotion, %d after, %d errors; the kill was at '
     '+0.0 s, the promotion at %+.1f s and took %.2f s, the end was at %+.1f '
     's; longest time without a new token, in a loop: %.3f s'
     % (sum(caller.count(False) for caller in callers),
        sum(caller.count(True) for caller in callers), len(errors),
        seconds(killed, asked), seconds(asked, promoted),
        seconds(killed, ended), max(caller.longest()[0] for caller in callers
                                    if caller.style != CLIENT)))
equal([thread.answers for thread in barred], [{('PT410', 'revoked')}] * 2,
      'who is barred gets no token at any moment')
ok(all(thread.tries > 20 for thread in barred),
   'and has tried (%s times)' % ' and '.join(str(thread.tries)
                                             for thread in barred))

#
# The ledger of the new primary
#

rows(early, 'ROLLBACK')
COUNTS = ('SELECT user_id::int, issue_count, refresh_count FROM '
          'vidtoken.vidtoken_sessions WHERE appointment_id = %s '
          'AND first_issued_at IS NOT NULL ORDER BY user_id::int')
equal(rows(n, COUNTS, (str(call),)),
      [(caller.user, 1 if caller.user < 5 else 0, caller.count(True))
       for caller in callers],
      'every refresh since the promotion is recorded, and no other; sessions '
      'that had not replicated are there again')
equal(rows(n, 'SELECT room_name, user_identity FROM '
           'vidtoken.vidtoken_sessions WHERE appointment_id = %s AND '
           'first_issued_at IS NOT NULL ORDER BY user_id::int', (str(call),)),
      [caller.names for caller in callers], 'with their rooms and identities')
rows(n, 'SET vidtoken.test_clock = %s', (clinic_time().isoformat(),))
grant = record(n, ISSUE, (call, 12))
equal((grant['room_name'], rows(n, COUNTS, (str(call),))[-1]),
      (callers[0].names[0], (12, 1, 0)), 'a newcomer is recorded')
granted(early, REFRESH, (call, 12),
        'and so is the refresh of a connection from before the promotion')
equal(rows(n, COUNTS, (str(call),))[-1], (12, 1, 1), 'counted')
recording(n, 'required')
granted(n, REFRESH, (call, 8), 'required: the sessions are good enough')
equal(value(n, 'SELECT vidtoken.vidtoken_revoke(%s, 8)', (call,)), True,
      'bars can be set')
refused(n, REFRESH, (call, 8), 'PT410', 'revoked', 'and hold')
refused(n, ISSUE, (call, 11), 'PT410', 'revoked', 'as does the one of before')
equal(value(n, 'SELECT vidtoken.vidtoken_reset_room(%s)', (moved,)) in
      (old_room, new_room), False, 'a room that was reset is reset once more')

with open(standby.log, 'rb') as file:
    unlike(file.read().decode('utf-8', 'replace'),
           r'terminated by signal|PANIC:|TRAP:|invalid memory|leaked|leak:',
           'the standby has nothing to report')
done_testing()
