#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# Calls that meet: who waits for whom, and what the one that waited sees.
#
# Participants of one appointment never wait for each other, a participant
# waits for itself.  What was committed is honoured by every later call,
# however old the snapshot of its transaction is.  What is rolled back was
# never there.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/014_concurrency.t

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

need_server()
clinic = Clinic('concurrency')
watcher = clinic.connect()
a = clinic.connect()
b = clinic.connect()
c = clinic.connect()


def appointment():
    return new_appointment(watcher)


def ledger(appointment_id):
    """What is committed: a row for each session."""
    return rows(watcher, 'SELECT user_id, room_name, user_identity, '
                'issue_count, refresh_count FROM vidtoken.vidtoken_sessions '
                'WHERE appointment_id = %s ORDER BY user_id',
                (str(appointment_id),))


class Call(threading.Thread):
    """A call in the background, which ends with a result or a refusal."""

    def __init__(self, connection, statement, parameters):
        super().__init__(daemon=True)
        self.connection, self.statement = connection, statement
        self.parameters = parameters
        self.result = None
        self.refusal = Refusal()
        self.start()

    def run(self):
        try:
            self.result = rows(self.connection, self.statement,
                               self.parameters)
        except psycopg2.Error as error:
            self.refusal = Refusal(error)

    def waits_for(self, *connections):
        """Comes true when the call stands behind one of these."""
        pids = [one.get_backend_pid() for one in connections]
        return wait_until(lambda: not self.is_alive() or value(
            watcher, 'SELECT pg_blocking_pids(%s) && %s',
            (self.connection.get_backend_pid(), pids))) and self.is_alive()

    def end(self):
        self.join(30)
        return self.result


def issue_call(connection, *parameters):
    return Call(connection, GRANT + 'vidtoken_issue(%s, %s)', parameters)


#
# One participant meets itself: two tabs of one browser
#

id = appointment()
rows(a, 'BEGIN')
first = issue(a, id)
second = issue_call(b, id, 2)
ok(second.waits_for(a), 'a second first issue of a participant waits')
rows(a, 'COMMIT')
equal(second.end(), [first], 'and gets the same room and identity')
equal(ledger(id), [('2', *first, 2, 0)], 'and there is one session')

id = appointment()
rows(a, 'BEGIN')
issue(a, id)
second = issue_call(b, id, 2)
second.waits_for(a)
rows(a, 'ROLLBACK')
equal(second.end(), [(issue(b, id))],
      'when the first is rolled back, the second is the first')
equal([row[3] for row in ledger(id)], [2], 'and only its calls are counted')

id = appointment()
issue(a, id)
rows(a, 'BEGIN')
expected = refresh(a, id)
second = Call(b, GRANT + 'vidtoken_refresh(%s, %s)', (id, 2))
ok(second.waits_for(a), 'two refreshes of one session go one after the other')
rows(a, 'COMMIT')
equal(second.end(), [expected], 'both get the same room and identity')
equal(ledger(id), [('2', *expected, 1, 2)], 'none is lost')

#
# Two participants of one appointment do not meet
#

# Autovacuum, which may hold a table for a moment, is not what is waited for.
rows(b, "SET lock_timeout = '2s'")
id = appointment()
rows(a, 'BEGIN')
mine = issue(a, id, 2)
theirs = issue(b, id, 3)
equal(theirs[0], mine[0],
      'a first issue does not wait for the other participant, same room')
rows(a, 'ROLLBACK')

issue(a, id, 2)
rows(a, 'BEGIN')
issue(a, id, 2)
refresh(a, id, 2)
equal(issue(b, id, 3), theirs, 'an issue again does not wait either')
equal(refresh(b, id, 3), theirs, 'nor does a refresh')
rows(a, 'COMMIT')

# The same after a reset, when the room has a row of its own.
rows(a, 'SELECT vidtoken.vidtoken_reset_room(%s)', (id,))
rows(a, 'BEGIN')
mine = issue(a, id, 2)
equal(issue(b, id, 3)[0], mine[0], 'nor does the move to a new room')
rows(a, 'COMMIT')

# The lock that is waited for has to be one that lock_timeout ends: otherwise
# what is above shows nothing.
rows(a, 'BEGIN')
issue(a, id, 2)
refused(b, GRANT + 'vidtoken_issue(%s, 2)', (id,), '55P03', '',
        'the participant itself runs into lock_timeout')
rows(a, 'ROLLBACK')
rows(b, 'RESET lock_timeout')

#
# Old snapshots
#

BARS = {
    'vidtoken_revoke': ('SELECT vidtoken.vidtoken_revoke(%s, 2)', True),
    'vidtoken_revoke_all': ('SELECT vidtoken.vidtoken_revoke_all(%s)', True),
    'vidtoken_reset_room': ('SELECT vidtoken.vidtoken_reset_room(%s)', False),
}
for isolation in ('REPEATABLE READ', 'SERIALIZABLE'):
    for name, (statement, bars) in BARS.items():
        for has_session in (True, False):
            id = appointment()
            what = '%s, %s session, %s: ' % (
                isolation, 'a' if has_session else 'no', name)
            old = issue(a, id) if has_session else None
            # The neighbour's name is the room's, which is not to be kept.
            old_room = issue(a, id, 3)[0]
            rows(a, 'BEGIN ISOLATION LEVEL ' + isolation)
            rows(a, 'SELECT count(*) FROM vidtoken.vidtoken_session')
            answer = value(b, statement, (id,))
            if bars:
                refused(a, GRANT + 'vidtoken_issue(%s, 2)', (id,), 'PT410',
                        'revoked', what + 'an older snapshot gets no token')
                rows(a, 'ROLLBACK')
                rows(a, 'BEGIN ISOLATION LEVEL ' + isolation)
                rows(a, 'SELECT 1')
                refused(a, GRANT + 'vidtoken_refresh(%s, 2)', (id,), 'PT410',
                        'revoked', what + 'nor does a refresh')
                rows(a, 'ROLLBACK')
            else:
                equal(issue(a, id)[0], answer,
                      what + 'an older snapshot gets the new room')
                rows(a, 'COMMIT')
                ok(answer != old_room, what + 'which is not the old one')
                equal(issue(a, id)[0], answer, what + 'and keeps it')

# A lifted bar is as good as none.
id = appointment()
rows(b, 'SELECT vidtoken.vidtoken_revoke(%s, 2)', (id,))
rows(a, 'BEGIN ISOLATION LEVEL REPEATABLE READ')
rows(a, 'SELECT count(*) FROM vidtoken.vidtoken_session')
rows(b, 'SELECT vidtoken.vidtoken_reinstate(%s, 2)', (id,))
got = refusal(a, GRANT + 'vidtoken_issue(%s, 2)', (id,))
equal(str(got).strip(), '', 'an older snapshot sees that a bar was lifted')
rows(a, 'ROLLBACK')

# A session of another transaction is younger than the snapshot.
id = appointment()
rows(a, 'BEGIN ISOLATION LEVEL REPEATABLE READ')
rows(a, 'SELECT count(*) FROM vidtoken.vidtoken_session')
expected = issue(b, id)
got = refusal(a, GRANT + 'vidtoken_issue(%s, 2)', (id,))
equal(str(got).strip(), '', 'an older snapshot takes up a younger session')
rows(a, 'ROLLBACK')
rows(a, 'BEGIN ISOLATION LEVEL REPEATABLE READ')
rows(a, 'SELECT count(*) FROM vidtoken.vidtoken_session')
refresh(b, id)
got = refusal(a, GRANT + 'vidtoken_refresh(%s, 2)', (id,))
equal(str(got).strip(), '', 'and renews it after a younger refresh')
rows(a, 'ROLLBACK')

#
# A bar or a reset that is committed while a call waits for its row
#

for name, (statement, bars) in BARS.items():
    if name == 'vidtoken_revoke':
        continue            # it waits for the same row
    for function, has_session in (('vidtoken_issue', False),
                                  ('vidtoken_issue', True),
                                  ('vidtoken_refresh', True)):
        id = appointment()
        what = '%s while %s of %s session waits: ' % (
            name, function, 'a' if has_session else 'no')
        if has_session:
            issue(a, id)
        rows(a, 'BEGIN')
        issue(a, id)
        waiting = Call(b, GRANT + function + '(%s, 2)', (id,))
        ok(waiting.waits_for(a), what + 'it waits')
        answer = value(c, statement, (id,))
        rows(a, 'COMMIT')
        got = waiting.end()
        if bars:
            equal((waiting.refusal.sqlstate, waiting.refusal.reason),
                  ('PT410', 'revoked'), what + 'no token any more')
        else:
            equal(got and got[0][0], answer, what + 'the new room')

# vidtoken_revoke of a participant whose call is under way comes after it, or
# before it, but never unnoticed.
id = appointment()
rows(a, 'BEGIN')
rows(a, 'SELECT vidtoken.vidtoken_revoke(%s, 2)', (id,))
waiting = issue_call(b, id, 2)
ok(waiting.waits_for(a), 'a first issue waits for an uncommitted bar')
rows(a, 'COMMIT')
waiting.end()
equal((waiting.refusal.sqlstate, waiting.refusal.reason), ('PT410', 'revoked'),
      'and is refused')
equal(value(watcher, 'SELECT count(*) FROM vidtoken.vidtoken_session WHERE '
            'appointment_id = %s AND first_issued_at IS NOT NULL',
            (str(id),)), 0, 'and leaves no session')

rows(a, 'BEGIN')
rows(a, 'SELECT vidtoken.vidtoken_reinstate(%s, 2)', (id,))
waiting = issue_call(b, id, 2)
ok(waiting.waits_for(a), 'a first issue waits for a bar being lifted')
rows(a, 'COMMIT')
equal(waiting.end(), ledger(id) and [ledger(id)[0][1:3]],
      'and then gets its token')

#
# Savepoints
#

id = appointment()
rows(a, 'BEGIN')
rows(a, 'SAVEPOINT s')
issue(a, id)
rows(a, 'ROLLBACK TO s')
rows(a, 'COMMIT')
equal(ledger(id), [], 'a savepoint rolled back leaves no session')

rows(a, 'BEGIN')
issue(a, id)
rows(a, 'ROLLBACK')
equal(ledger(id), [], 'nor does a transaction rolled back')

rows(a, 'BEGIN')
rows(a, 'SAVEPOINT s')
before = issue(a, id)
rows(a, 'ROLLBACK TO s')
after = issue(a, id)
rows(a, 'COMMIT')
equal(after, before, 'the call after gets the same names')
equal(ledger(id), [('2', *after, 1, 0)], 'and is the first')

rows(a, 'BEGIN')
rows(a, 'SAVEPOINT s')
rows(a, 'SELECT vidtoken.vidtoken_revoke_all(%s)', (id,))
refused(a, GRANT + 'vidtoken_issue(%s, 2)', (id,), 'PT410', 'revoked',
        'a bar is in force in its own transaction')
rows(a, 'ROLLBACK TO s')
equal(issue(a, id), after, 'and no longer when its savepoint is rolled back')
rows(a, 'SELECT vidtoken.vidtoken_reset_room(%s)', (id,))
moved = issue(a, id)
ok(moved[0] != after[0], 'a reset is in force in its own transaction')
rows(a, 'ROLLBACK')
equal(issue(a, id), after, 'and was never there when that is rolled back')

# A refusal inside of a function that catches it leaves nothing behind.
id = appointment()
rows(b, 'SELECT vidtoken.vidtoken_revoke(%s, 2)', (id,))
rows(a, """DO $$
BEGIN
    PERFORM vidtoken.vidtoken_issue(%s, 2);
EXCEPTION WHEN SQLSTATE 'PT410' THEN
    PERFORM vidtoken.vidtoken_issue(%s, 3);
END $$""", (id, id))
equal([(row[0], row[3]) for row in ledger(id) if row[3]], [('3', 1)],
      'after a caught refusal the next participant gets a session, and alone')

#
# Many at once
#

id = appointment()
users = list(range(100, 108))
for user in users:
    rows(watcher, 'INSERT INTO clinic.participants (appointment_id, user_id) '
         'VALUES (%s, %s)', (id, user))
statement = ('DO $$ BEGIN FOR i IN 1..25 LOOP PERFORM vidtoken.vidtoken_issue('
             '%s, %s); COMMIT; END LOOP; END $$')
connections = [clinic.connect() for _ in users for _ in range(2)]
calls = [Call(connection, statement, (id, users[number // 2]))
         for number, connection in enumerate(connections)]
for one in calls:
    one.end()
equal([str(one.refusal).strip() for one in calls if one.refusal.sqlstate], [],
      'sixteen sessions of eight participants at once: no call fails')
equal([(row[0], row[3]) for row in ledger(id)],
      [(str(user), 50) for user in users], 'and every call is counted')
equal(len({row[1] for row in ledger(id)}), 1, 'and all are in one room')

#
# The extension's schema is renamed while a call is on its way, and its old
# name taken by the caller: what the ledger's owner runs stays the ledger's
#

id = appointment()
name = clinic.create_role('mallory')
rows(watcher, 'GRANT CREATE ON DATABASE %s TO %s' % (clinic.name, name))
rows(watcher, 'GRANT USAGE ON SCHEMA vidtoken, clinic TO %s' % name)
rows(watcher, 'GRANT SELECT ON clinic.video_source TO %s' % name)
rows(watcher, 'GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_issue('
     'vidtoken.vidtoken_id, vidtoken.vidtoken_id) TO %s' % name)
mallory = clinic.connect(name)
rows(mallory, """
CREATE FUNCTION pg_temp.call(id int) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE room text; n int;
BEGIN
    SELECT count(*) INTO n FROM clinic.video_source
     WHERE appointment_id = id AND user_id = 2;
    PERFORM pg_catalog.pg_advisory_xact_lock_shared(47);
    SELECT g.room_name INTO room FROM vidtoken.vidtoken_issue(id, 2) AS g;
    RETURN room;
END $$""")
room = [value(mallory, 'SELECT pg_temp.call(%s)', (id,))
        for call in range(7)][-1]
rows(watcher, 'SELECT pg_advisory_lock(47)')
under_way = Call(mallory, 'SELECT pg_temp.call(%s)', (id,))
ok(under_way.waits_for(watcher), 'a call is on its way')
rows(watcher, 'ALTER SCHEMA vidtoken RENAME TO renamed')
evil = clinic.connect(name)
rows(evil, """
CREATE SCHEMA vidtoken;
CREATE TABLE vidtoken.vidtoken_session (LIKE renamed.vidtoken_session);
CREATE TABLE vidtoken.vidtoken_room (LIKE renamed.vidtoken_room);
CREATE TABLE vidtoken.ran_as (who name);
CREATE FUNCTION vidtoken.trap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO vidtoken.ran_as VALUES (current_user);
    RETURN NEW;
END $$;
CREATE TRIGGER trap BEFORE INSERT OR UPDATE ON vidtoken.vidtoken_session
    FOR EACH ROW EXECUTE FUNCTION vidtoken.trap()""".replace(
        '(LIKE renamed.vidtoken_session)', '(%s)' % ', '.join(
            '%s %s' % row for row in rows(watcher, """
SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
 WHERE attrelid = 'renamed.vidtoken_session'::regclass AND attnum > 0
 ORDER BY attnum"""))).replace(
        '(LIKE renamed.vidtoken_room)',
        '(appointment_id text, generation int, hard_stop timestamptz, '
        'revoked_at timestamptz)') + """;
INSERT INTO vidtoken.vidtoken_session (appointment_id, user_id, room_name,
    user_identity, generation, issue_count, refresh_count, first_issued_at)
VALUES ('%s', '2', 'evil', 'evil', 0, 0, 0, now())""" % id)
ok(under_way.is_alive(), 'and still is when the trap is laid')
rows(watcher, 'SELECT pg_advisory_unlock(47)')
under_way.end()
equal(rows(watcher, 'SELECT who FROM vidtoken.ran_as WHERE who <> %s',
           (name,)), [],
      'nothing of the caller\'s runs as the owner of the ledger')
ok(under_way.result in (None, [(room,)]),
   'the call ends with the room of the ledger, or not at all')
equal(value(watcher, 'SELECT issue_count FROM renamed.vidtoken_sessions '
            'WHERE appointment_id = %s', (str(id),)),
      7 + (under_way.result is not None), 'and is counted where it belongs')
rows(watcher, 'DROP SCHEMA vidtoken CASCADE')
rows(watcher, 'ALTER SCHEMA renamed RENAME TO vidtoken')
equal(issue(a, id)[0], room, 'other sessions find the ledger again')

done_testing()
