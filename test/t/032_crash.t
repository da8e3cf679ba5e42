#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# kill -9 under load: what was answered is there after the recovery.
#
# Clients issue, refresh, revoke, reinstate and reset, and remember what they
# were answered.  The server and all of its processes are killed, or one
# backend, upon which the server lets go of all others; after the recovery
# every row is what the last answer said, or, where a call was never answered,
# what that call makes of it.  No row is half of anything, and calls go on.
#
# Processes are killed, not the machine: what the server has handed to the
# kernel stays.  Whether fsync keeps that over a power cut is not tested here,
# and fsync is off.  What else hands WAL to the kernel is kept from it, so that
# every commit depends on itself; the control, with synchronous_commit = off,
# has to lose what was answered.
#
# VIDTOKEN_CRASH_ROUNDS says how often the server is killed, 6 times if unset.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/032_crash.t

import os
import random
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from load import *

# Whatever ends this script, what it registered for its end is run.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda received, frame: sys.exit(128 + received))

need_server('wal_buffers=32MB', 'bgwriter_lru_maxpages=0', 'autovacuum=off',
            own=True)

ROUNDS = max(1, int(os.environ.get('VIDTOKEN_CRASH_ROUNDS', '6')))

#
# Processes
#


def start_server():
    run = program(CLUSTER, 'ctl', 'start')
    if run.returncode != 0:
        raise RuntimeError((run.stdout + run.stderr).decode())


def stop_wal_writer():
    """It would save those who do not write their own WAL."""
    with connect('postgres') as connection:
        os.kill(value(connection, 'SELECT pid FROM pg_stat_activity WHERE '
                      "backend_type = 'walwriter'"), signal.SIGSTOP)
    connection.close()


def kill_backend():
    """One client's, while the server has to notice by itself."""
    pid = random.choice(load.callers).pid
    os.kill(pid, signal.SIGKILL)
    return [pid]


def is_there():
    try:
        connect('postgres').close()
        return True
    except psycopg2.OperationalError:
        return False


def recoveries():
    return server_log().count(b'redo starts at')


#
# Rounds
#

clinic = Clinic('crash')
atexit.unregister(clinic.drop)          # it goes with its server
clinic.set('synchronous_commit', 'on')
load = Load(clinic, 6)
times = []                              # of recovery, in seconds


def crash(what, kill, restart, checkpoint=False):
    """Load, and its sudden end.  Returns a connection and what it finds."""
    logged = recoveries()
    if kill is kill_server:
        stop_wal_writer()
    load.start()
    ok(load.everybody_was_answered(10), what + ': everybody is answered')
    if checkpoint:
        connection = clinic.connect()
        rows(connection, 'CHECKPOINT')
        connection.close()
    time.sleep(random.uniform(0.2, 0.8))
    killed = kill()
    began = time.monotonic()
    restart()
    if not wait_until(lambda: recoveries() > logged and is_there(), 60):
        raise RuntimeError('the server does not come back')
    times.append(time.monotonic() - began)
    ok(load.join() and any(caller.pid in killed for caller in load.callers),
       what + ': and cut off; the server recovers')
    connection = clinic.connect()
    return connection, read_ledger(connection)


def judge(what, connection, found):
    """Everything that was answered, once the load has met its end."""
    in_flight = load.in_flight()
    equal(load.differences(found)[:3], [],
          what + ': every row is what its caller was answered')
    equal(rows(connection, HALF_STATES)[:3], [], what + ': and none is half')
    load.adopt(found)
    diag('%s: acknowledged %s; %d calls without an answer, %d of them done; '
         'back after %.2f s' % (what, ', '.join(
             '%s %d' % (verb, load.count(verb, True)) for verb in STATEMENTS),
             len(in_flight), load.count('in flight, done', True), times[-1]))


def go_on(what):
    ok(load.proceed(3), what + ': sessions are refreshed at once, '
       'and bars hold')
    equal(load.strange()[:3], [], what + ': and every answer follows from '
          'those before')


for number in range(1, ROUNDS + 1):
    what = 'round %d' % number
    connection, found = crash(what, kill_server, start_server,
                              checkpoint=number % 2 == 0)
    judge(what, connection, found)
    connection.close()
    go_on(what)

started, pid = times[:], postmaster()
for number in (1, 2):
    what = 'one backend, round %d' % number
    connection, found = crash(what, kill_backend, lambda: None)
    equal(postmaster(), pid, what + ': the postmaster stays')
    judge(what, connection, found)
    connection.close()
    go_on(what)

connection = clinic.connect()
found = read_ledger(connection)
sessions = [one for one in found.values() if isinstance(one, Session)]
rooms = [one for one in found.values() if isinstance(one, Room)]
for verb, number in (
        # the first call for the shared session was nobody's
        ('issue', sum(one.issues for one in sessions) - 1),
        ('refresh', sum(one.refreshes for one in sessions)),
        ('reset_room', sum(one.generation for one in rooms))):
    least, maybe = load.count(verb), load.count(verb + ' in flight')
    diag('%s: %d acknowledged, %d found, %d had no answer'
         % (verb, least, number, maybe))
    ok(0 < least <= number <= least + maybe, 'all in all: as many calls of %s '
       'as were acknowledged, or were without an answer besides' % verb)
number = sum(one.barred for one in sessions)
made, lifted = load.count('revoke, true'), load.count('reinstate, true')
diag('bars: %d acknowledged, %d lifted again, %d found; %d and %d had no '
     'answer' % (made, lifted, number, load.count('revoke in flight'),
                 load.count('reinstate in flight')))
ok(0 < lifted < made and -load.count('reinstate in flight')
   <= number - made + lifted <= load.count('revoke in flight'),
   'all in all: as many bars as were acknowledged, and not lifted')
ok(load.count('in flight') > 0, 'and there were calls without an answer')
diag('%d kills of the server: back after %.2f s on average, %.2f s at most; '
     'of one backend: %.2f s at most'
     % (len(started), sum(started) / len(started), max(started),
        max(times[len(started):])))

#
# Would it be seen?
#


def seen(statement, key):
    """Whether damage to a row is told; half states, and what was lost."""
    rows(connection, 'BEGIN')
    if not rows(connection, statement + ' RETURNING 1', tuple(map(str, key))):
        raise RuntimeError('nothing was damaged: ' + statement)
    answer = (bool(load.differences(read_ledger(connection))),
              bool(rows(connection, HALF_STATES)))
    rows(connection, 'ROLLBACK')
    return answer


WHERE = ' WHERE appointment_id = %s AND user_id = %s'
caller = load.callers[0]
caller.connect()
if len(caller.keys) % 2:
    caller.fresh()                      # a pair has its appointment to itself
open_key, barred_key, early_key, _, moved_key = (caller.fresh()
                                                 for _ in range(5))
# Twice, or a second that passes before the refresh would make the row with a
# call less half as well.
for verb, key in (('issue', open_key), ('issue', open_key),
                  ('refresh', open_key),
                  ('issue', barred_key), ('revoke', barred_key),
                  ('revoke', early_key), ('reset_room', (moved_key[0], None)),
                  ('issue', moved_key)):
    caller.call(verb, key)
caller.connection.close()
equal((load.strange(), load.differences(read_ledger(connection))), ([], []),
      'rows to be damaged')
for key, change, lost, half in (
        (open_key, None, True, False),
        (open_key, 'issue_count = issue_count + 1', True, False),
        (open_key, 'refresh_count = refresh_count - 1', True, False),
        (open_key, "jti = 'other'", True, False),
        (open_key, "expires_at = expires_at - interval '1 second'", True,
         False),
        (open_key, "issued_at = issued_at + interval '1 second'", True,
         False),
        (open_key, 'revoked_at = now()', True, False),
        (barred_key, 'revoked_at = NULL', True, False),
        (open_key, 'jti = NULL', True, True),
        (open_key, 'first_issued_at = NULL', False, True),
        (open_key, 'expires_at = issued_at', True, True),
        (open_key, 'issue_count = 0', True, True),
        (open_key, 'generation = generation + 1', True, True),
        (early_key, 'revoked_at = NULL', True, True),
        (early_key, "jti = 'other'", True, True)):
    statement = ('UPDATE vidtoken.vidtoken_session SET %s' % change if change
                 else 'DELETE FROM vidtoken.vidtoken_session') + WHERE
    equal(seen(statement, key), (lost, half),
          'the control: it would be seen: ' + (change or 'a row is missing'))
equal(seen('UPDATE vidtoken.vidtoken_room SET generation = generation - 1 '
           'WHERE appointment_id = %s', moved_key[:1]), (True, True),
      'the control: it would be seen: a reset is lost')
equal(seen("INSERT INTO vidtoken.vidtoken_session SELECT '7', '7'", ()),
      (True, True), 'the control: it would be seen: a row of nobody')
connection.close()

#
# Without synchronous_commit
#

clinic.admin = connect('postgres')
clinic.set('synchronous_commit', 'off')
what = 'synchronous_commit = off'
connection, found = crash(what, kill_server, start_server)
lost = load.differences(found)
ok(lost, 'the control: %s loses what was answered' % what)
equal(rows(connection, HALF_STATES)[:3], [], what + ': but no row is half')
diag('%s: acknowledged %d calls; %d rows are not as they were answered'
     % (what, sum(load.count(verb, True) for verb in STATEMENTS), len(lost)))
connection.close()

unlike(server_log().decode('utf-8', 'replace'),
       r'PANIC:|TRAP:|invalid memory|leaked|leak:|by signal (?!9:)',
       'the server has nothing else to report')
done_testing()
