#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# Calls while the schema changes under them.
#
# Sessions issue, refresh, revoke, look at vidtoken_sessions and call whatever
# else reads the source or the ledger, without a pause; meanwhile the extension
# goes and comes, the source is altered, dropped, renamed and made anew, the
# ledger changes its owner and is rewritten.  Each call answers by the source as
# it was at a moment of the call, or raises an error of the set that is named
# beside the DDL.  Never an internal error, never one about an operator, never a
# token of another appointment or of an outdated source; and the same sessions
# go on afterwards.
#
# The first part stops single calls in the middle, behind the lock of a DDL
# statement that then commits; the second lets chance choose the moment.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/033_ddl.t

import collections
import itertools
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

# Whatever ends this script, what it registered for its end is run.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda received, frame: sys.exit(128 + received))

need_server('deadlock_timeout=200ms', own=True)
clinic = Clinic('ddl')
d = clinic.connect()                    # changes the schema
watcher = clinic.connect()
started_at = value(watcher, 'SELECT pg_postmaster_start_time()')
role = clinic.create_role('web')
for one in ('a', 'b'):
    clinic.create_role('ledger_' + one, 'NOLOGIN')
LEDGER_A, LEDGER_B = clinic.roles[1:]

# How long each DDL goes on in the second part.
SECONDS = 1.5

#
# A source that tells its version
#
# The duration says which version of the source a token was made from, the
# identity says for whom.  Numbers and uuids name the same appointments.
#

APPOINTMENTS, USERS = (201, 202, 203), range(2, 10)
SPARE = 99                              # who is barred and reinstated
UUID = '00000000-0000-4000-8000-%012d'
versions = {0: 'number'}                # version: how keys are spelled
started = committed = 0                 # the latest version of either kind

rows(d, """
CREATE TABLE clinic.slots (id int PRIMARY KEY, starts_at timestamptz);
CREATE TABLE clinic.seats (slot int, person int, who text, title text,
                           PRIMARY KEY (slot, person));
INSERT INTO clinic.slots SELECT id, now() FROM unnest(%s) AS id;
INSERT INTO clinic.seats
SELECT s.id, u, s.id || '-' || u, 'guest'
  FROM clinic.slots AS s, unnest(%s) AS u;
""", (list(APPOINTMENTS), [*USERS, SPARE]))


def columns(version, kind='number', without=()):
    """What the source selects."""
    spell = {'number': '%s::int', 'bigint': '%s::bigint',
             'uuid': "('00000000-0000-4000-8000-' || "
                     "lpad(%s::text, 12, '0'))::uuid"}[kind]
    cells = {'appointment_id': spell % 't.slot', 'user_id': spell % 't.person',
             'starts_at': 's.starts_at',
             'duration': 'make_interval(mins => %d)' % (60 + version),
             'identity': 't.who', 'role': 't.title'}
    return ('SELECT %s FROM clinic.seats AS t '
            'JOIN clinic.slots AS s ON s.id = t.slot'
            % ', '.join('%s AS %s' % (cell, name) for name, cell
                        in cells.items() if name not in without))


def next_version(kind='number'):
    """Has to be called before the DDL that brings it; at_version() after."""
    global started
    versions[started + 1] = kind
    started += 1
    return started


def at_version(version):
    global committed
    committed = version


rows(d, 'DROP VIEW clinic.video_source; CREATE VIEW clinic.video_source AS '
     + columns(0))

GRANTS = """
GRANT USAGE ON SCHEMA vidtoken TO %(role)s;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA vidtoken TO %(role)s;
GRANT SELECT ON vidtoken.vidtoken_sessions TO %(role)s;
""" % {'role': role}
rows(d, GRANTS)
SOURCE_GRANTS = ('GRANT SELECT ON clinic.video_source TO %s;' % role)
rows(d, 'GRANT USAGE ON SCHEMA clinic TO %s; %s' % (role, SOURCE_GRANTS))
for one in (LEDGER_A, LEDGER_B):
    rows(d, 'GRANT USAGE ON SCHEMA vidtoken TO ' + one)
# One of the three kinds of callers asks as an API does.
rows(d, """
CREATE SCHEMA api;
GRANT USAGE ON SCHEMA api TO %(role)s;
CREATE FUNCTION api.token(verb text, slot text) RETURNS TABLE (
    access_token text, room_name text, user_identity text,
    expires_at timestamptz, appointment_duration_minutes int)
LANGUAGE plpgsql AS $$
BEGIN
    IF verb = 'issue' THEN
        RETURN QUERY SELECT g.access_token, g.room_name, g.user_identity,
            g.expires_at, g.appointment_duration_minutes
            FROM vidtoken.vidtoken_issue(slot) AS g;
    ELSE
        RETURN QUERY SELECT g.access_token, g.room_name, g.user_identity,
            g.expires_at, g.appointment_duration_minutes
            FROM vidtoken.vidtoken_refresh(slot) AS g;
    END IF;
END $$;
""" % {'role': role})

#
# Callers
#

GRANT = ('SELECT access_token, room_name, user_identity, expires_at, '
         'appointment_duration_minutes FROM ')
SESSIONS = ('SELECT user_identity, room_name FROM vidtoken.vidtoken_sessions '
            'WHERE appointment_id = %s AND first_issued_at IS NOT NULL')
VERBS = ('issue', 'refresh', 'revoke', 'sessions')
# What the loops call besides: of these no more than their errors is judged.
# Two of them are STABLE, and see what the query sees that calls them.
OTHERS = {
    'revoke_all': 'SELECT vidtoken.vidtoken_revoke_all(%(slot)s), '
                  'vidtoken.vidtoken_reinstate_all(%(slot)s)',
    'reset_room': 'SELECT vidtoken.vidtoken_reset_room(%(slot)s)',
    'prune': 'SELECT vidtoken.vidtoken_prune()',
    'quality': 'SELECT vidtoken.vidtoken_report_quality(%(slot)s, %(user)s, '
               '3::smallint)',
    'status': 'SELECT * FROM vidtoken.vidtoken_status(%(slot)s)',
    'room': 'SELECT * FROM vidtoken.vidtoken_room_settings(%(slot)s)',
    'check': 'SELECT * FROM vidtoken.vidtoken_check()',
}
STABLE = ('status', 'room')
PLAIN, PREPARED, API = 'plain', 'prepared', 'in a function'


class Caller:
    """A session with one appointment and one user of its own."""

    def __init__(self, number):
        self.style = (PLAIN, PREPARED, API)[number % 3]
        self.appointment = APPOINTMENTS[number % len(APPOINTMENTS)]
        self.user = USERS[number % len(USERS)]
        self.connection = clinic.connect(role if self.style == API else None)
        self.pid = self.connection.get_backend_pid()
        if self.style == PREPARED:
            for verb in ('issue', 'refresh'):
                rows(self.connection, 'PREPARE %s(text, text) AS %s'
                     'vidtoken.vidtoken_%s($1, $2)' % (verb, GRANT, verb))
            rows(self.connection, 'PREPARE sessions(text) AS '
                 + SESSIONS.replace('%s', '$1'))

    def spelled(self, kind):
        if kind == 'uuid':
            return UUID % self.appointment, UUID % self.user
        return str(self.appointment), str(self.user)

    def ask(self, verb, kind):
        """The answer's rows; raises what the server says."""
        appointment, user = self.spelled(kind)
        c = self.connection
        if verb in OTHERS:
            return rows(c, OTHERS[verb], {'slot': appointment, 'user': user})
        if verb == 'revoke':
            spare = UUID % SPARE if kind == 'uuid' else SPARE
            return rows(c, 'SELECT vidtoken.vidtoken_revoke(%s, %s), vidtoken.'
                        'vidtoken_reinstate(%s, %s)',
                        (appointment, spare) * 2)
        if self.style == API and verb != 'sessions':
            return rows(c, "SELECT set_config('request.jwt.claims', %s, true);"
                        'SELECT * FROM api.token(%s, %s)',
                        (json.dumps({'sub': user}), verb, appointment))
        if verb == 'sessions':
            return rows(c, 'EXECUTE sessions(%s)' if self.style == PREPARED
                        else SESSIONS, (appointment,))
        if self.style == PREPARED:
            return rows(c, 'EXECUTE %s(%%s, %%s)' % verb, (appointment, user))
        return rows(c, GRANT + 'vidtoken.vidtoken_%s(%%s, %%s)' % verb,
                    (appointment, user))

    def wrong(self, verb, kind, answer, since, until):
        """What is wrong with an answer, or None."""
        if verb in OTHERS:
            return None
        if verb == 'revoke':
            return None if answer in ([(True, True)], [(False, True)],
                                      [(True, False)], [(False, False)]) \
                else answer
        room = 'apt-%s-' % self.spelled(kind)[0]
        if verb == 'sessions':
            return [row for row in answer
                    if not row[0].startswith('%d-' % self.appointment)
                    or not row[1].startswith(room)] or None
        token, name, identity, expires_at, minutes = answer[0]
        payload = token.split('.')[1]
        said = json.loads(base64.urlsafe_b64decode(
            payload + '=' * (-len(payload) % 4)))
        if (identity != '%d-%d' % (self.appointment, self.user)
                or not name.startswith(room)
                or said['grants'] != {'identity': identity,
                                      'video': {'room': name}}
                or said['exp'] != expires_at.timestamp()):
            return 'another participant', answer, said
        if not since <= minutes - 60 <= until:
            return ('another version', minutes - 60, since, until)
        return None


def spelling(version):
    return 'uuid' if versions[version] == 'uuid' else 'number'


class Loop(threading.Thread):
    """A caller that does not stop asking."""

    def __init__(self, caller):
        super().__init__(daemon=True)
        self.caller = caller
        self.counts = collections.Counter()
        self.after = collections.Counter()
        self.wrong = []
        self.errors = {}
        self.start()

    def run(self):
        for verb in itertools.cycle((*VERBS, *OTHERS)):
            if over.is_set():
                break
            calm, since = settled.is_set(), committed
            kind = spelling(since)
            try:
                answer = self.caller.ask(verb, kind)
                state, until = '', started
                found = self.caller.wrong(verb, kind, answer, since, until)
                if found:
                    self.wrong.append((verb, found))
            except psycopg2.Error as error:
                got, until = Refusal(error), started
                state = got.sqlstate or 'lost'
                if state == 'XX000':
                    state += ' ' + error.diag.source_function
                self.errors.setdefault((state, got.message_primary), (
                    verb, self.caller.style, error.diag.source_file,
                    error.diag.source_function))
                # An id is malformed, or nobody's, in the other spelling.
                if state == 'PT404' and any(
                        spelling(one) != kind for one
                        in range(since, until + 1)):
                    state = 'PT404 rightly'
                elif state == 'PT404' and verb in STABLE:
                    state = 'PT404 of a snapshot'
            self.counts[state] += 1
            # Whoever renews a session that went with the ledger has to issue.
            if calm and (not state or state == 'PT409'):
                self.after[verb] += 1

    def settled_down(self):
        return all(self.after[verb] > 1 for verb in (*VERBS, *OTHERS))


callers = [Caller(number) for number in range(6)]

#
# A call in the middle
#


class Call(threading.Thread):
    def __init__(self, caller, verb, kind, since):
        super().__init__(daemon=True)
        self.arguments = (verb, kind)
        self.caller, self.since = caller, since
        self.answer, self.refusal, self.source = None, Refusal(), None
        self.start()

    def run(self):
        try:
            self.answer = self.caller.ask(*self.arguments)
        except psycopg2.Error as error:
            self.refusal = Refusal(error)
            self.refusal.sqlstate = self.refusal.sqlstate or 'lost'
            self.source = error.diag.source_file

    def waits(self):
        return wait_until(lambda: not self.is_alive() or value(
            watcher, 'SELECT cardinality(pg_blocking_pids(%s)) > 0',
            (self.caller.pid,))) and self.is_alive()


def stopped(what, ddl, allowed, verbs=('issue', 'refresh', 'revoke'),
            kind='number', change=None, second=None, restore=()):
    """Calls that wait for a transaction with this DDL, and its COMMIT.

    With "second" the DDL is no more than a lock, and that is what commits
    while the calls wait for it.
    """
    before = committed
    # Plans are there, and no session is missing.
    for caller in callers[:3]:
        for verb in ('issue',) + VERBS:
            caller.ask(verb, spelling(before))
    if change:
        change()
    rows(d, 'BEGIN')
    for statement in ddl:
        rows(d, statement)
    calls = [Call(caller, verb, spelling(before), before)
             for caller, verb in zip(callers, verbs)]
    waiting = [one.waits() for one in calls]
    if second:
        for statement in second:
            rows(watcher, statement)
    rows(d, 'COMMIT')
    for one in calls:
        one.join(30)
    at_version(started)
    equal(waiting, [True] * len(calls), what + ': the calls wait')
    got = [(one.refusal.sqlstate, one.refusal.message_primary, one.source)
           for one in calls]
    ok(not any(one.is_alive() for one in calls)
       and all(state in allowed for state, _, _ in got),
       '%s: each ends with one of %s' % (what, allowed))
    diag('%s: %s' % (what, [state or 'answer' for state, _, _ in got]))
    if not all(state in allowed for state, _, _ in got):
        diag(got)
    equal([found for one in calls if one.answer is not None for found in [
        one.caller.wrong(*one.arguments, one.answer, one.since, started)]
        if found], [], what + ': no answer is another\'s')
    for statement in restore:
        rows(d, statement)
    equal([(caller.style, verb, str(got).strip())
           for caller in callers[:3] for verb in ('issue', 'refresh')
           for got in [again(caller, verb)] if got.sqlstate], [],
          what + ': the same sessions go on')


def again(caller, verb):
    try:
        since = committed
        kind = spelling(since)
        found = caller.wrong(verb, kind, caller.ask(verb, kind), since, since)
        if found:
            got = Refusal()
            got.sqlstate, got.message_primary = 'wrong', str(found)
            return got
        return Refusal()
    except psycopg2.Error as error:
        return Refusal(error)


GONE = 'DROP EXTENSION vidtoken'
BACK = ('CREATE EXTENSION vidtoken SCHEMA vidtoken', GRANTS)
LEDGER = tuple('vidtoken.vidtoken_' + table for table in (
    'session', 'room', 'call', 'participant', 'event', 'quality'))

# The extension is not there any more when the lock is granted, or it is
# another one.
stopped('DROP EXTENSION', [GONE], ('42704',), restore=BACK)
# The functions that run are those of before, and so is their result type.
stopped('DROP and CREATE EXTENSION', [GONE, *BACK], ('42704', 'PT409', ''))
stopped('DROP and CREATE EXTENSION, status and room', [GONE, *BACK],
        ('42704',), verbs=('status', 'room'))

for what, ddl in (
        ('a new index', ['CREATE INDEX extra ON vidtoken.vidtoken_session '
                         '(expires_at)']),
        ('CLUSTER', ['CLUSTER vidtoken.vidtoken_session USING '
                     'vidtoken_session_pkey']),
        ('REINDEX', ['REINDEX TABLE vidtoken.vidtoken_session'])):
    stopped(what + ' of the ledger', ddl, ('',))
stopped('TRUNCATE of the ledger', ['TRUNCATE vidtoken.vidtoken_session'],
        ('', 'PT409'))
rows(d, 'DROP INDEX vidtoken.extra')

# The owner is the one that the table has when the call gets at it: the one
# before has no rights any more.
owner = value(d, 'SELECT current_user')
for table in LEDGER:
    rows(d, 'ALTER TABLE %s OWNER TO %s' % (table, LEDGER_A))
stopped('another owner of the ledger',
        ['ALTER TABLE %s OWNER TO %s' % (table, LEDGER_B) for table in LEDGER],
        ('',))
stopped('REASSIGN OWNED',
        ['REASSIGN OWNED BY %s TO %s' % (LEDGER_B, LEDGER_A)], ('',))
for table in LEDGER:
    rows(d, 'ALTER TABLE %s OWNER TO %s' % (table, owner))

# A view is resolved anew by its name.
NEW_VIEW = 'CREATE VIEW clinic.video_source AS '
stopped('DROP VIEW', ['DROP VIEW clinic.video_source'], ('F0000',),
        restore=[NEW_VIEW + columns(0) + ';' + SOURCE_GRANTS])
for what, kind in (('a view of the same types', 'number'),
                   ('a view with bigint keys', 'bigint'),
                   ('a view with uuid keys', 'uuid'),
                   ('a view with integer keys', 'number')):
    version = next_version(kind)
    stopped('DROP VIEW, and ' + what,
            ['DROP VIEW clinic.video_source',
             NEW_VIEW + columns(version, kind), SOURCE_GRANTS],
            ('', 'PT404') if kind == 'uuid' or versions[committed] == 'uuid'
            else ('',))

# The calls hold the view, and wait for a table below it, while the name comes
# to mean another view: that changes no lock that they have.
rows(d, 'CREATE SCHEMA other; CREATE VIEW other.video_source AS '
     + columns(next_version('uuid'), 'uuid'))
rows(d, 'GRANT USAGE ON SCHEMA other TO %s; GRANT SELECT ON '
     'other.video_source TO %s' % (role, role))
stopped('the schema\'s name goes to another', ['LOCK clinic.slots'],
        ('PT404',), second=['BEGIN; ALTER SCHEMA clinic RENAME TO away; '
                'ALTER SCHEMA other RENAME TO clinic; COMMIT'])
next_version()
rows(d, 'BEGIN; ALTER SCHEMA clinic RENAME TO other; ALTER SCHEMA away RENAME '
     'TO clinic; CREATE OR REPLACE VIEW clinic.video_source AS %s; COMMIT'
     % columns(started))
at_version(started)
rows(d, 'DROP SCHEMA other CASCADE')

# Nothing is recorded, the result type goes while the call waits.
for caller in callers[:2]:
    rows(caller.connection, 'SET vidtoken.record_sessions = off')
rows(d, 'BEGIN; LOCK clinic.slots; DROP EXTENSION vidtoken')
waiting = [Call(caller, 'issue', 'number', committed)
           for caller in callers[:2]]
equal([one.waits() for one in waiting], [True, True],
      'nothing recorded: the calls wait')
rows(d, 'COMMIT')
for one in waiting:
    one.join(30)
diag([(one.refusal.sqlstate, one.refusal.message_primary) for one in waiting])
equal({one.refusal.sqlstate for one in waiting}, {'42704'},
      'nothing recorded: the result\'s type is gone')
for statement in BACK:
    rows(d, statement)
for caller in callers[:2]:
    rows(caller.connection, 'SET vidtoken.record_sessions = required')
    equal(str(again(caller, 'issue')).strip(), '',
          'nothing recorded: the same sessions go on')

#
# By chance
#

over, settled = threading.Event(), threading.Event()


def meanwhile(what, ddl, allowed, restore=()):
    """Calls in loops while ddl() is done again and again."""
    for caller in callers:
        caller.ask('issue', spelling(committed))
    over.clear()
    settled.clear()
    loops = [Loop(caller) for caller in callers]
    rounds, failed, end = 0, [], time.monotonic() + SECONDS
    while time.monotonic() < end or rounds < 3:
        try:
            ddl()
        except psycopg2.Error as error:
            if d.closed:
                raise
            failed.append(Refusal(error))
            rows(d, 'ROLLBACK')
        rounds += 1
        time.sleep(0.01)
    for statement in restore:
        rows(d, statement)
    settled.set()
    calm = wait_until(lambda: all(one.settled_down() for one in loops))
    over.set()
    for one in loops:
        one.join(30)
    counts = sum((one.counts for one in loops), collections.Counter())
    # The DDL may be the one that the server picks to end a deadlock.
    equal([str(one) for one in failed if one.sqlstate != '40P01'][:3], [],
          what + ': the DDL is done')
    equal(sorted(set(counts) - {'', 'PT404 rightly', *allowed}), [],
          '%s: errors are of %s' % (what, allowed or 'none'))
    equal([one.wrong[0] for one in loops if one.wrong], [],
          what + ': no answer is wrong')
    ok(calm and counts[''] > 0, what + ': the same sessions go on')
    diag('%s, %d times (%d of them in a deadlock): %s'
         % (what, rounds, len(failed), ', '.join(
             '%s %d' % (state or 'answers', count)
             for state, count in sorted(counts.items()))))
    messages = {}
    for one in loops:
        messages.update(one.errors)
    for (state, message), where in sorted(messages.items()):
        diag('  %s %s %s' % (state, message.split('\n')[0], where))


def statements(*texts):
    """Each in a transaction of its own."""
    def run():
        for text in texts:
            rows(d, text)
    return run


def one_transaction(*texts):
    return lambda: rows(d, 'BEGIN; %s; COMMIT' % '; '.join(texts))


def new_version(*texts, kind='number', view=None):
    """One transaction that ends with another version of the source."""
    def run():
        version = next_version(kind)
        rows(d, '; '.join(('BEGIN', *texts, (view or NEW_VIEW)
                           + columns(version, kind), SOURCE_GRANTS, 'COMMIT')))
        at_version(version)
    return run


# Nothing but calls: the control of all that follows.
meanwhile('nothing', lambda: None, ())

# The core opens the result type of a function that it has found, whether or
# not that has gone meanwhile.  Where it does so with a function of nobody's,
# it does so with ours.
rows(d, 'CREATE TYPE clinic.pair AS (a int, b int); CREATE FUNCTION '
     "clinic.pair() RETURNS clinic.pair LANGUAGE sql AS 'SELECT 1, 2'")


class OfTheCore(Call):
    def __init__(self):
        self.connection = clinic.connect()
        self.pid = self.connection.get_backend_pid()
        super().__init__(self, '', '', 0)

    def ask(self, verb, kind):
        return rows(self.connection, 'SELECT * FROM clinic.pair()')


rows(d, 'BEGIN; DROP FUNCTION clinic.pair(); DROP TYPE clinic.pair')
control = OfTheCore()
ok(control.waits(), 'a function of nobody\'s waits for its type (the control)')
rows(d, 'COMMIT')
control.join(30)
diag('and gets: ' + str(control.refusal).strip())
# Its parser has three such places; all were seen with the function of nobody's
# and no other.  What is raised elsewhere is not put up with.
CORE = (('XX000 relation_open', 'XX000 func_get_detail',
         'XX000 LookupTypeNameExtended')
        if control.refusal.sqlstate == 'XX000' else ())

# A name that is looked up while there is no such extension is the core's
# error: of the function, of the argument's type, of the view.  42704 is the
# ledger's, or the result type's.  PT409 is right: the new ledger is empty.
# The server drops the tables in an order of its own, so that it may end a
# deadlock with 40P01.
EXTENSION = ('42704', '42883', '42P01', 'PT409', '40P01', *CORE)
meanwhile('DROP and CREATE EXTENSION', statements(
    GONE, '; '.join(('BEGIN', *BACK, 'COMMIT'))), EXTENSION)
meanwhile('DROP and CREATE EXTENSION in one transaction', one_transaction(
    GONE, *BACK), EXTENSION)

# What is not renamed and not gone answers throughout.
meanwhile('ALTER TABLE ADD and DROP COLUMN below the view', statements(
    'ALTER TABLE clinic.seats ADD COLUMN note text',
    'ALTER TABLE clinic.seats DROP COLUMN note'), ())
meanwhile('RENAME COLUMN below the view', statements(
    'ALTER TABLE clinic.seats RENAME COLUMN who TO name',
    'ALTER TABLE clinic.seats RENAME COLUMN name TO who'), ())
meanwhile('CREATE OR REPLACE VIEW', new_version(
    view='CREATE OR REPLACE VIEW clinic.video_source AS '), ())


def optional_column():
    version = next_version()
    rows(d, '; '.join((
        'BEGIN; DROP VIEW clinic.video_source; '
        'ALTER TABLE clinic.seats DROP COLUMN title',
        NEW_VIEW + columns(version, without=('role',)), SOURCE_GRANTS,
        'COMMIT')))
    at_version(version)
    new_version('DROP VIEW clinic.video_source', 'ALTER TABLE clinic.seats '
                "ADD COLUMN title text DEFAULT 'guest'")()


meanwhile('an optional column is dropped and added', optional_column, ())
kinds = ['bigint', 'uuid', 'number']


def next_kind():
    kinds.append(kinds.pop(0))
    new_version('DROP VIEW clinic.video_source', kind=kinds[-1])()


# A session belongs to the id as it is spelled: PT409 until the other has one.
meanwhile('DROP and CREATE VIEW with keys of another type', next_kind,
          ('PT409',))
# A required column that is not there, a relation that is not there: F0000.
meanwhile('RENAME COLUMN of the view', statements(
    'ALTER VIEW clinic.video_source RENAME COLUMN starts_at TO begins_at',
    'ALTER VIEW clinic.video_source RENAME COLUMN begins_at TO starts_at'),
    ('F0000',))


def view_gone():
    rows(d, 'DROP VIEW clinic.video_source')
    new_version()()


meanwhile('DROP VIEW, then CREATE VIEW', view_gone, ('F0000',))

# A table in place of the view, whose keys change their types.  In a table that
# is new, or rewritten, a statement that began before sees no rows.
TABLE = 'CREATE TABLE clinic.video_source AS '
new_version('DROP VIEW clinic.video_source', view=TABLE)()
meanwhile('DROP and CREATE TABLE', new_version(
    'DROP TABLE clinic.video_source', view=TABLE), ('PT404 of a snapshot',))


def retype(kind):
    cells = {'bigint': '%s::bigint', 'number': 'right(%s::text, 12)::int',
             'uuid': "('00000000-0000-4000-8000-' || lpad(%s::text, 12, '0'))"
                     '::uuid'}
    version = next_version(kind)
    rows(d, 'BEGIN; ALTER TABLE clinic.video_source %s; UPDATE '
         'clinic.video_source SET duration = make_interval(mins => %d); COMMIT'
         % (', '.join('ALTER %s TYPE %s USING %s' % (
             one, {'number': 'int'}.get(kind, kind), cells[kind] % one)
             for one in ('appointment_id', 'user_id')), 60 + version))
    at_version(version)


def next_type():
    kinds.append(kinds.pop(0))
    retype(kinds[-1])


meanwhile('ALTER COLUMN TYPE of the keys', next_type,
          ('PT409', 'PT404 of a snapshot'))
if versions[committed] == 'uuid':
    retype('number')
meanwhile('DROP and ADD an optional COLUMN', statements(
    'ALTER TABLE clinic.video_source DROP COLUMN role',
    'ALTER TABLE clinic.video_source ADD COLUMN role text'), ())
new_version('DROP TABLE clinic.video_source')()

# Between the two names there is no such relation, or no such function.  42P01
# is the core's, when the name goes after it was found.
meanwhile('the schema of the source is renamed', statements(
    'ALTER SCHEMA clinic RENAME TO away',
    'ALTER SCHEMA away RENAME TO clinic'),
    ('F0000', '42P01'))
meanwhile('the schema of the extension is renamed', statements(
    'ALTER SCHEMA vidtoken RENAME TO away',
    'ALTER SCHEMA away RENAME TO vidtoken'), ('3F000', '42P01'))

# The extension's name goes to somebody else's schema, with tables of the same
# names: what the ledger's owner runs stays the ledger's.  The functions that
# are called here are found by another name.
TYPES = rows(d, """
SELECT c.relname::text, string_agg(format('%I %s', a.attname, format_type(
           a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
 WHERE c.oid IN ('vidtoken.vidtoken_session'::regclass,
                 'vidtoken.vidtoken_room'::regclass) AND a.attnum > 0
 GROUP BY c.relname""")
mallory = clinic.create_role('mallory')
rows(d, 'GRANT CREATE ON DATABASE %s TO %s' % (clinic.name, mallory))
evil = clinic.connect(mallory)
rows(evil, 'CREATE SCHEMA trap; CREATE TABLE trap.ran_as (who name); '
     'GRANT ALL ON SCHEMA trap TO PUBLIC; '
     'GRANT ALL ON trap.ran_as TO PUBLIC; '
     'CREATE FUNCTION trap.trap() RETURNS text LANGUAGE plpgsql IMMUTABLE AS '
     "$$ BEGIN RAISE LOG 'the trap runs as %', current_user; "
     "RETURN 'trap'; END $$; "
     'CREATE FUNCTION trap.fire() RETURNS trigger LANGUAGE plpgsql AS '
     '$$ BEGIN PERFORM trap.trap(); RETURN NULL; END $$')
for name, types in TYPES:
    rows(evil, 'CREATE TABLE trap.%s (%s, extra text DEFAULT trap.trap(), '
         'PRIMARY KEY (%s)); GRANT ALL ON trap.%s TO PUBLIC; '
         'CREATE TRIGGER fire BEFORE INSERT OR UPDATE ON trap.%s '
         'EXECUTE FUNCTION trap.fire()' % (
             name, types, 'appointment_id, user_id'
             if name == 'vidtoken_session' else 'appointment_id', name, name))
rows(d, """
CREATE FUNCTION api.issue(vidtoken.vidtoken_id, vidtoken.vidtoken_id)
RETURNS vidtoken.vidtoken_grant AS '$libdir/vidtoken', 'vidtoken_issue'
LANGUAGE C""")


class Trapped(threading.Thread):
    """Makes the statements on the ledger anew at each call."""

    def __init__(self, number):
        super().__init__(daemon=True)
        self.connection = clinic.connect()
        self.user, self.calls = USERS[number], collections.Counter()
        self.start()

    def run(self):
        while not over.is_set():
            rows(self.connection, 'DISCARD PLANS')
            self.calls[refusal(
                self.connection, 'SELECT room_name FROM api.issue(%s, %s)',
                (APPOINTMENTS[0], self.user)).sqlstate] += 1


over.clear()
trapped = [Trapped(number) for number in range(4)]
rounds, end = 0, time.monotonic() + 4 * SECONDS
while time.monotonic() < end:
    rows(d, 'BEGIN; ALTER SCHEMA vidtoken RENAME TO away; '
         'ALTER SCHEMA trap RENAME TO vidtoken; COMMIT')
    rows(d, 'BEGIN; ALTER SCHEMA vidtoken RENAME TO trap; '
         'ALTER SCHEMA away RENAME TO vidtoken; COMMIT')
    rounds += 1
over.set()
for one in trapped:
    one.join(30)
counts = sum((one.calls for one in trapped), collections.Counter())
diag('the name of the ledger\'s schema goes to another, %d times: %s'
     % (rounds, dict(counts)))
equal(re.findall(r'the trap runs as (.*)', server_log().decode(
    'utf-8', 'replace')), [], 'nothing of another schema runs')
equal(value(d, 'SELECT count(*) FROM trap.vidtoken_session'), 0,
      'nor is anything written there')
equal(sorted(set(counts) - {'', '42P01', '3F000'}), [],
      'a call ends with a token, or finds no table or schema of that name')
ok(counts[''] > 0, 'and calls have gone on')
evil.close()
rows(d, 'DROP SCHEMA trap CASCADE; DROP FUNCTION api.issue')
rows(d, 'REVOKE CREATE ON DATABASE %s FROM %s' % (clinic.name, mallory))

#
# The ledger
#

meanwhile('ALTER TABLE OWNER', one_transaction(*(
    'ALTER TABLE %s OWNER TO %s' % (table, LEDGER_A) for table in LEDGER),
    *('ALTER TABLE %s OWNER TO %s' % (table, owner) for table in LEDGER)), ())
for table in LEDGER:
    rows(d, 'ALTER TABLE %s OWNER TO %s' % (table, LEDGER_A))
# The server takes the tables in an order of its own.
meanwhile('REASSIGN OWNED', statements(
    'REASSIGN OWNED BY %s TO %s' % (LEDGER_A, LEDGER_B),
    'REASSIGN OWNED BY %s TO %s' % (LEDGER_B, LEDGER_A)), ('40P01',))
# Both are written as the owner of one: until the other follows, that one has
# no right to it.
meanwhile('ALTER TABLE OWNER, one table after the other', statements(
    *('ALTER TABLE %s OWNER TO %s' % (table, to) for to in (LEDGER_B, LEDGER_A)
      for table in LEDGER)), ('42501',))
for table in LEDGER:
    rows(d, 'ALTER TABLE %s OWNER TO %s' % (table, owner))
meanwhile('VACUUM FULL, CLUSTER, REINDEX', statements(
    'VACUUM FULL vidtoken.vidtoken_session, vidtoken.vidtoken_room',
    'CLUSTER vidtoken.vidtoken_session USING vidtoken_session_pkey',
    'CLUSTER vidtoken.vidtoken_room USING vidtoken_room_pkey',
    'REINDEX TABLE vidtoken.vidtoken_session',
    'REINDEX TABLE CONCURRENTLY vidtoken.vidtoken_room',
    'REINDEX INDEX CONCURRENTLY vidtoken.vidtoken_session_pkey',
    'ANALYZE vidtoken.vidtoken_session'), ())


def set_schema():
    refusals.add(refusal(d, 'ALTER EXTENSION vidtoken SET SCHEMA clinic')
                 .sqlstate)


refusals = set()
meanwhile('ALTER EXTENSION SET SCHEMA', set_schema, ())
equal(refusals, {'0A000'}, 'ALTER EXTENSION SET SCHEMA is refused each time')

# What is stored for the database is for the sessions to come.
lives = []


def set_for_database():
    for life in ('3h', '4h'):
        rows(d, "ALTER DATABASE %s SET vidtoken.max_ttl = '%s'"
             % (clinic.name, life))
        new = clinic.connect()
        lives.append((life, value(new, 'SHOW vidtoken.max_ttl'), value(
            new, "SELECT vidtoken.vidtoken_ttl('10 hours')::text")))
        new.close()


meanwhile('ALTER DATABASE SET', set_for_database, ())
equal(set(lives), {('3h', '3h', '03:00:00'), ('4h', '4h', '04:00:00')},
      'ALTER DATABASE SET is in force in each new session')

#
# The end
#

equal(value(watcher, 'SELECT pg_postmaster_start_time()'), started_at,
      'the server is still the one that was started')
unlike(server_log().decode('utf-8', 'replace'),
       r'terminated by signal|PANIC:|TRAP:|invalid memory|leaked|leak:'
       '|operator does not exist',
       'and has nothing to report')

done_testing()
