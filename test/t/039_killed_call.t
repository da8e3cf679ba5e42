#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# A call that is ended in the middle leaves nothing.
#
# Every function that writes is held at a known place: while it reads the
# source, before and after its row is written, between its two writes, behind
# the same call of another session, in its commit.  There it is cancelled, its
# backend is terminated, its time runs out, or a backend is killed, upon which
# the server lets go of all.  The ledger is what it was; other sessions go on,
# also in the middle of their transactions; the same call, made again, counts
# once.  At random moments as well, under load, where whoever was cut off comes
# back and finds its call done or not done.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/039_killed_call.t

import os
import random
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from load import *

# Whatever ends this script, what it registered for its end is run.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda received, frame: sys.exit(128 + received))

need_server('autovacuum=off', 'max_connections=120', own=True)

SETUP = """
CREATE FUNCTION clinic.hold(point text) RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN
        IF current_setting('clinic.hold', true) = point THEN
            PERFORM pg_advisory_xact_lock_shared(47);
        END IF;
        RETURN true;
    END $$;
CREATE FUNCTION clinic.hold_row() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        PERFORM clinic.hold(TG_ARGV[0]);
        IF TG_OP = 'DELETE' THEN
            RETURN OLD;
        END IF;
        RETURN NEW;
    END $$;
CREATE VIEW clinic.held_source AS
    SELECT * FROM clinic.video_source WHERE clinic.hold('source');
CREATE TRIGGER hold_second AFTER UPDATE ON vidtoken.vidtoken_session
    FOR EACH ROW WHEN (NEW.generation > OLD.generation)
    EXECUTE FUNCTION clinic.hold_row('second');
""" + ''.join("""
CREATE TRIGGER hold_before BEFORE INSERT OR UPDATE OR DELETE
    ON vidtoken.vidtoken_%(table)s
    FOR EACH ROW EXECUTE FUNCTION clinic.hold_row('before');
CREATE TRIGGER hold_after AFTER INSERT OR UPDATE OR DELETE
    ON vidtoken.vidtoken_%(table)s
    FOR EACH ROW EXECUTE FUNCTION clinic.hold_row('after');
CREATE CONSTRAINT TRIGGER hold_commit AFTER INSERT OR UPDATE OR DELETE
    ON vidtoken.vidtoken_%(table)s DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION clinic.hold_row('commit');
""" % {'table': table} for table in ('session', 'room'))

# What a call is, and what was called before it
CALLS = {
    'a first issue': ((), 'issue'),
    'an issue again': (('issue',), 'issue'),
    'a refresh': (('issue',), 'refresh'),
    'a refresh into a new room': (('issue', 'reset_room'), 'refresh'),
    'a bar': (('issue',), 'revoke'),
    'a bar before a session': ((), 'revoke'),
    'a bar of all': (('issue',), 'revoke_all'),
    'a reset': (('issue',), 'reset_room'),
    'a reset again': (('reset_room',), 'reset_room'),
    'a bar lifted': (('issue', 'revoke'), 'reinstate'),
    'a bar before a session lifted': (('revoke',), 'reinstate'),
    'a bar of all lifted': (('issue', 'revoke_all'), 'reinstate_all'),
}
POINTS = {
    'source': 'while it reads the source',
    'before': 'before its row is written',
    'after': 'when its row is written',
    'second': 'in the second of its writes',
    'commit': 'in its commit',
    'row': 'behind the same call of another session',
}

# What the client is told; psycopg2 does not pass on what the server says when
# it terminates a backend, which is in the log.
# An older libpq hands the SQLSTATE on, a later one the loss alone.
CANCELLED = '57014',
TERMINATED = '57P01', 'server closed the connection'
LOGGED = {
    'pg_cancel_backend': b'canceling statement due to user request',
    'pg_terminate_backend':
    b'terminating connection due to administrator command',
}


def reaches(point, name):
    if point == 'second':
        return name == 'a refresh into a new room'
    return point != 'source' or not CALLS[name][1].startswith('reinstate')


clinic = Clinic('killed')
atexit.unregister(clinic.drop)          # it goes with its server
watcher = clinic.connect()
rows(watcher, SETUP)
clinic.set('vidtoken.source', 'clinic.held_source')
watcher.close()


def watch():
    """Whoever wants to be held waits for this one."""
    connection = clinic.connect()
    rows(connection, 'SELECT pg_advisory_lock(47)')
    return connection


watcher = watch()


def appointment():
    return new_appointment(watcher, (2,))


def parameters(verb, id):
    return (id, 2)[:STATEMENTS[verb].count('%s')]


def itself(connection):
    return rows(connection, 'SELECT session_user, current_user, '
                "current_setting('search_path'), "
                "current_setting('enable_seqscan')")


def is_gone(pid):
    return wait_until(lambda: value(watcher, 'SELECT count(*) = 0 FROM '
                                    'pg_stat_activity WHERE pid = %s', (pid,)))


class Held(threading.Thread):
    """A call that stands at one of the points, of an appointment of its own,
    or why it does not.
    """

    def __init__(self, point, name, timeout=0):
        super().__init__(daemon=True)
        before, self.verb = CALLS[name]
        self.id, self.what = appointment(), '%s, %s' % (name, POINTS[point])
        for verb in before:
            rows(watcher, STATEMENTS[verb], parameters(verb, self.id))
        self.before = self.expected = ledger_rows(watcher, self.id)
        self.other = None
        if point == 'row':
            self.other = clinic.connect()
            rows(self.other, 'BEGIN')
            self.call(self.other)
            self.expected = ledger_rows(self.other, self.id)
        self.connection = clinic.connect()
        self.pid = self.connection.get_backend_pid()
        self.itself = itself(self.connection)
        rows(self.connection, 'SET clinic.hold = %s', (point,))
        rows(self.connection, 'SET statement_timeout = %s', (timeout,))
        self.start()

    def call(self, connection):
        return refusal(connection, STATEMENTS[self.verb],
                       parameters(self.verb, self.id))

    def run(self):
        self.got = self.call(self.connection)

    def waits(self):
        """Comes true when the call stands where it is to stand."""
        return wait_until(lambda: not self.is_alive() or value(
            watcher, 'SELECT pg_blocking_pids(%s)', (self.pid,)) ==
            [(self.other or watcher).get_backend_pid()]) and self.is_alive()

    def end(self, said):
        """What is wrong after the call was ended, which was told so."""
        self.join(30)
        if self.is_alive() or not any(
                one in str(self.got) for one in said):
            return [(self.what, 'ended with',
                     'nothing' if self.is_alive() else str(self.got))]
        if self.other:
            rows(self.other, 'COMMIT')
            self.other.close()
        if said == CANCELLED:
            rows(self.connection, 'RESET clinic.hold')
            rows(self.connection, 'RESET statement_timeout')
            if itself(self.connection) != self.itself:
                return [(self.what, 'is not itself any more')]
        elif is_gone(self.pid):
            self.connection = clinic.connect()
        else:
            return [(self.what, 'has not ended')]
        return self.judge()

    def judge(self):
        """The ledger, and the same call again."""
        found = ledger_rows(watcher, self.id)
        if found != self.expected:
            return [(self.what, 'left', found, 'expected', self.expected)]
        key = self.id, (2 if len(parameters(self.verb, self.id)) > 1 else None)
        states = [read_ledger(watcher, self.id)]
        got = self.call(self.connection)
        states.append(read_ledger(watcher, self.id))
        self.connection.close()
        before, after = (state.get(key, nothing(key)) for state in states)
        expected = effect(self.verb, before,
                          states[0].get((self.id, None), NO_ROOM))
        if self.verb in ANSWERS_GRANT:
            expected = expected._replace(**token_of(after))
        if got.sqlstate or after != expected:
            return [(self.what, 'again', got.sqlstate, after, expected)]
        return []


class Bystander:
    """A participant whose transaction lasts while others are ended."""

    def __init__(self):
        self.connection = clinic.connect()
        self.pid = self.connection.get_backend_pid()
        self.before = self.count()
        rows(self.connection, 'BEGIN')
        self.calls = 0
        self.call()

    def count(self):
        return sum(rows(watcher, 'SELECT issue_count, refresh_count FROM '
                        'vidtoken.vidtoken_session WHERE appointment_id = %s '
                        "AND user_id = '3'", ('47',))[0])

    def call(self):
        self.calls += 1
        rows(self.connection, STATEMENTS['refresh'], (47, 3))

    def end(self, what):
        self.call()
        rows(self.connection, 'COMMIT')
        equal((self.connection.get_backend_pid(), self.count() - self.before),
              (self.pid, self.calls),
              what + ': a transaction beside it goes on, and is whole')
        self.connection.close()


rows(watcher, STATEMENTS['issue'], (47, 3))

#
# One call
#

for way, said in (('pg_cancel_backend', CANCELLED),
                  ('pg_terminate_backend', TERMINATED)):
    for point in POINTS:
        bystander = Bystander()
        what, wrong, number = '%s, %s' % (way, POINTS[point]), [], 0
        logged = server_log().count(LOGGED[way])
        for name in (name for name in CALLS if reaches(point, name)):
            held = Held(point, name)
            if held.waits():
                rows(watcher, 'SELECT %s(%%s)' % way, (held.pid,))
                wrong += held.end(said)
            else:
                wrong.append((held.what, 'was not held', str(held.got)))
            bystander.call()
            number += 1
        equal(server_log().count(LOGGED[way]) - logged, number,
              what + ': %d calls are ended' % number)
        equal(wrong[:3], [],
              what + ': they leave nothing, and count once when made again')
        bystander.end(what)

# In a commit no statement's time runs out any more.
for point in (point for point in POINTS if point != 'commit'):
    bystander = Bystander()
    what, wrong = 'statement_timeout, %s' % POINTS[point], []
    for name in ('a refresh into a new room', 'a bar before a session'):
        if not reaches(point, name):
            continue
        # On a busy machine the time may run out before the call is held.
        for timeout in (250 << number for number in range(7)):
            held = Held(point, name, timeout)
            was_held = held.waits()
            wrong += held.end(CANCELLED)
            if was_held:
                break
        else:
            wrong.append((held.what, 'was not held'))
    equal(wrong, [], what + ': the call leaves nothing')
    bystander.end(what)

#
# All of them at once: a backend is killed, and the server starts anew
#

for killed_at in ('after', 'commit'):
    held = [Held(point, name) for point in POINTS for name in CALLS
            if reaches(point, name)]
    what = 'SIGKILL of one that stands %s' % POINTS[killed_at]
    equal([one.what for one in held if not one.waits()], [],
          '%s: %d calls are held' % (what, len(held)))
    before = ledger_rows(watcher)
    victim = next(one for one in held if one.what.endswith(POINTS[killed_at]))
    os.kill(victim.pid, signal.SIGKILL)
    began = time.monotonic()
    for one in held:
        one.join(30)
    equal([(one.what, one.got.sqlstate) for one in held
           if one.is_alive() or one.got.sqlstate not in ('', '57P02')
           or not one.got.message_primary], [], what + ': all are cut off')

    def is_back():
        global watcher
        try:
            watcher = watch()
            return True
        except psycopg2.OperationalError:
            return False

    if not wait_until(is_back, 60):
        raise RuntimeError('the server does not come back')
    diag('%s: back after %.2f s' % (what, time.monotonic() - began))
    equal(ledger_rows(watcher), before, what + ': nothing of them is left')
    wrong = []
    for one in held:
        one.connection, one.expected = clinic.connect(), one.before
        wrong += one.judge()
    equal(wrong[:3], [], what + ': and each counts once when it is made again')

#
# At random moments
#

load = Load(clinic, 4)
for caller in load.callers:
    caller.endures = True
bystander = Bystander()
load.start()
ok(load.everybody_was_answered(10), 'load: everybody is answered')
sent = {'pg_cancel_backend': 0, 'pg_terminate_backend': 0}


def enough():
    """Another signal, until enough calls were met by one."""
    way = random.choice(('pg_cancel_backend',) * 4 + ('pg_terminate_backend',))
    # Who is coming back has a backend that is gone.
    sent[way] += value(watcher, 'SELECT %s(%%s)' % way,
                       (random.choice(load.callers).pid,))
    return load.count('cancelled') >= 40 and load.count('in flight') >= 10


ok(wait_until(enough, 60), 'load: calls are cancelled, and cut off')
ok(load.stop(), 'load: it comes to its end')
bystander.end('load')
found = read_ledger(watcher)
found = {key: one for key, one in found.items()
         if key == SHARED or key[0] >= 100000}
equal(load.differences(found)[:3], [], 'load: every row is what its caller '
      'was answered; who was cancelled was answered that nothing is done')
equal(load.strange()[:3], [], 'load: and every answer follows from those '
      'before')
sessions = [one for one in found.values() if isinstance(one, Session)]
for verb, number in (('issue', sum(one.issues for one in sessions) - 1),
                     ('refresh', sum(one.refreshes for one in sessions))):
    diag('%s: %d acknowledged, %d found, %d had no answer' % (
        verb, load.count(verb), number, load.count(verb + ' in flight')))
    ok(load.count(verb) <= number <= load.count(verb)
       + load.count(verb + ' in flight'),
       'load: as many calls of %s are there' % verb)
diag('%d cancels sent, %d calls cancelled; %d backends terminated, %d calls '
     'without an answer, %d of them done'
     % (sent['pg_cancel_backend'], load.count('cancelled'),
        sent['pg_terminate_backend'], load.count('in flight'),
        load.count('in flight, done')))
equal(rows(watcher, HALF_STATES)[:3], [], 'no row is half of anything')

unlike(server_log().decode('utf-8', 'replace'),
       r'PANIC:|TRAP:|invalid memory|leaked|leak:|by signal (?!9:)',
       'the server has nothing else to report')
done_testing()
