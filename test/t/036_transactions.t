#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# The ledger in transactions of every kind.
#
# A transaction that is prepared keeps what it wrote, over a restart of the
# server and a kill, until somebody commits it or rolls it back; meanwhile its
# participants wait and no one else does.  What a savepoint or an exception
# block undoes was never there, at any depth; what is released stays.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/036_transactions.t

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

# Whatever ends this script, what it registered for its end is run.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda received, frame: sys.exit(128 + received))

# Autovacuum may hold a table for a moment, and calls here wait for no one.
need_server('max_prepared_transactions=20', 'autovacuum=off', own=True)
clinic = Clinic('transactions')


def connect_all():
    global watcher, a, b
    watcher, a, b = (clinic.connect() for number in range(3))
    rows(b, "SET lock_timeout = '200ms'")


def appointment():
    return new_appointment(watcher)


def revoke(connection, appointment_id, user_id=2):
    return value(connection, 'SELECT vidtoken.vidtoken_revoke(%s, %s)',
                 (appointment_id, user_id))


def ledger(appointment_id):
    """What is committed: user, issues, refreshes, barred."""
    return rows(watcher, 'SELECT user_id, issue_count, refresh_count, '
                'revoked_at IS NOT NULL FROM vidtoken.vidtoken_session '
                'WHERE appointment_id = %s ORDER BY user_id',
                (str(appointment_id),))


def counts(user_id, issues, refreshes, barred=False):
    return (str(user_id), issues, refreshes, barred)


connect_all()

#
# Transactions that are prepared
#
# Each case: what the transaction does, the ledger without it and with it.
#

def begin(case):
    """An appointment with a session of user 3, and a prepared transaction."""
    id = appointment()
    issue(a, id, 3)
    rows(a, 'BEGIN')
    case(id)
    rows(a, "PREPARE TRANSACTION 'case %d'" % id)
    return id


def first_issue(id):
    issue(a, id)


def issue_refresh_revoke(id):
    issue(a, id)
    refresh(a, id)
    revoke(a, id)


def renew_and_bar(id):
    refresh(a, id, 3)
    revoke(a, id, 3)


def bar_all(id):
    value(a, 'SELECT vidtoken.vidtoken_revoke_all(%s)', (id,))


def new_room(id):
    value(a, 'SELECT vidtoken.vidtoken_reset_room(%s)', (id,))


def in_a_savepoint(id):
    rows(a, 'SAVEPOINT s')
    issue(a, id)
    rows(a, 'RELEASE s')
    rows(a, 'SAVEPOINT s')
    refresh(a, id, 3)
    rows(a, 'ROLLBACK TO s')


THIRD = counts(3, 1, 0)
CASES = (
    (first_issue, [counts(2, 1, 0), THIRD]),
    (issue_refresh_revoke, [counts(2, 1, 1, True), THIRD]),
    (renew_and_bar, [counts(3, 1, 1, True)]),
    (bar_all, [THIRD]), (new_room, [THIRD]),
    (in_a_savepoint, [counts(2, 1, 0), THIRD]))
ROOM = ('SELECT generation, revoked_at IS NOT NULL FROM vidtoken.vidtoken_room '
        'WHERE appointment_id = %s')
ROOMS = {bar_all: [(0, True)], new_room: [(1, False)]}


def check(what, id, case, expected, committed):
    equal((ledger(id), rows(watcher, ROOM, (str(id),))),
          (expected, ROOMS.get(case, [])) if committed else ([THIRD], []),
          '%s, %s' % (case.__name__, what))


# What keeps the session's temporary tables out of the ledger's statements
# must not keep the transaction from being prepared.
rows(a, 'CREATE TEMPORARY TABLE mine (id int)')
open_ids = []
for case, expected in CASES:
    id = begin(case)
    check('prepared: nothing to be seen', id, case, expected, False)
    open_ids.append((id, case, expected))
id, case, _ = open_ids[0]
refused(b, GRANT + 'vidtoken_issue(%s, 2)', (id,), '55P03', '',
        'prepared: its participant waits')
equal(issue(b, id, 3)[0], issue(b, id, 3)[0], 'prepared: the other does not')
THIRD_OF_FIRST = counts(3, 3, 0)
equal(ledger(id), [THIRD_OF_FIRST], 'and is counted')

for what, restart in (('a restart', ('restart', '-m', 'fast')),
                      ('a kill', ('restart', '-m', 'immediate'))):
    for one in (watcher, a, b, clinic.admin):
        one.close()
    equal(program(CLUSTER, 'ctl', *restart).returncode, 0,
          'the server: ' + what)
    clinic.admin = connect('postgres')
    connect_all()
    equal(value(watcher, 'SELECT count(*) FROM pg_prepared_xacts'),
          len(CASES), 'all are still prepared after ' + what)
    refused(b, GRANT + 'vidtoken_issue(%s, 2)', (open_ids[0][0],), '55P03',
            '', 'and the participant still waits')
    for id, case, expected in open_ids[1:]:
        check('prepared: nothing to be seen after ' + what, id, case, expected,
              False)

for id, case, expected in open_ids:
    rows(b, "COMMIT PREPARED 'case %d'" % id)
    if id == open_ids[0][0]:
        equal(ledger(id), [counts(2, 1, 0), THIRD_OF_FIRST],
              'first_issue, committed after restarts')
    else:
        check('committed after restarts', id, case, expected, True)
equal(refresh(a, open_ids[0][0])[0], issue(a, open_ids[0][0], 3)[0],
      'its participant goes on, in the room of the other')
refused(a, GRANT + 'vidtoken_issue(%s, 3)', (open_ids[2][0],), 'PT410',
        'revoked', 'a bar that was prepared holds')
refused(a, GRANT + 'vidtoken_issue(%s, 2)', (open_ids[3][0],), 'PT410',
        'revoked', 'and so does one of everybody')

for case, expected in CASES:
    id = begin(case)
    rows(b, "ROLLBACK PREPARED 'case %d'" % id)
    check('rolled back', id, case, expected, False)
    id = begin(case)
    rows(a, "COMMIT PREPARED 'case %d'" % id)
    check('committed by the same session', id, case, expected, True)

# With a transaction of its own in between, and one that fails.
id = appointment()
rows(a, 'BEGIN')
issue(a, id)
refused(a, GRANT + 'vidtoken_issue(%s, 7)', (id,), 'PT404', 'not_found',
        'a transaction with a refusal')
rows(a, "PREPARE TRANSACTION 'failed'")
equal((ledger(id), value(watcher, 'SELECT count(*) FROM pg_prepared_xacts')),
      ([], 0), 'is rolled back, not prepared')

# Nor does PostgreSQL prepare a transaction that has something to tell.
rows(a, "SET vidtoken.notify_channel = 'video'")
rows(a, 'BEGIN')
issue(a, id)
refused(a, "PREPARE TRANSACTION 'told'", None, '0A000', '',
        'a transaction with a notification is not prepared')
equal((ledger(id), value(watcher, 'SELECT count(*) FROM pg_prepared_xacts')),
      ([], 0), 'and rolled back')
rows(a, 'RESET vidtoken.notify_channel')

#
# Savepoints
#

id = appointment()
rows(a, 'BEGIN')
names = issue(a, id)
rows(a, 'SAVEPOINT one')
refresh(a, id)
rows(a, 'SAVEPOINT two')
refresh(a, id)
revoke(a, id)
rows(a, 'SAVEPOINT three')
refused(a, GRANT + 'vidtoken_refresh(%s, 2)', (id,), 'PT410', 'revoked',
        'nested: the bar of a savepoint holds in the next')
rows(a, 'ROLLBACK TO three')
rows(a, 'ROLLBACK TO two')
equal(refresh(a, id), names, 'nested: and is gone with its own')
rows(a, 'RELEASE two')
issue(a, id, 3)
rows(a, 'RELEASE one')
rows(a, 'COMMIT')
equal(ledger(id), [counts(2, 1, 2), counts(3, 1, 0)],
      'nested: what was released is there, what was undone is not')

id = appointment()
rows(a, 'BEGIN')
rows(a, 'SAVEPOINT one')
issue(a, id)
rows(a, 'SAVEPOINT two')
refresh(a, id)
rows(a, 'RELEASE two')
rows(a, 'ROLLBACK TO one')
issue(a, id, 3)
rows(a, 'COMMIT')
equal(ledger(id), [counts(3, 1, 0)],
      'a released savepoint goes with the one around it')

# More of them than a backend keeps in shared memory.
id = appointment()
rows(a, 'BEGIN')
for number in range(200):
    rows(a, 'SAVEPOINT s')
    issue(a, id)
    if number % 2:
        rows(a, 'ROLLBACK TO s')
        rows(a, 'RELEASE s')
refused(b, GRANT + 'vidtoken_issue(%s, 2)', (id,), '55P03', '',
        'two hundred savepoints: the participant waits')
rows(a, 'COMMIT')
equal(ledger(id), [counts(2, 100, 0)], 'and half of them are there')

#
# Exceptions in a function
#

rows(watcher, """
CREATE FUNCTION clinic.attempt(id int, fails int, depth int) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE room text;
BEGIN
    IF depth = 0 THEN
        RETURN 'end';
    END IF;
    BEGIN
        SELECT g.room_name INTO room FROM vidtoken.vidtoken_issue(id, 2) AS g;
        PERFORM clinic.attempt(id, fails, depth - 1);
        IF depth = fails THEN
            RAISE division_by_zero;
        END IF;
    EXCEPTION WHEN division_by_zero THEN
        room := 'caught';
    END;
    RETURN room;
END $$;
""")
for fails, issues in ((0, 4), (1, 3), (2, 2), (3, 1)):
    id = appointment()
    rows(a, 'SELECT clinic.attempt(%s, %s, 4)', (id, fails))
    equal(ledger(id), [counts(2, issues, 0)],
          'an exception %d blocks deep leaves %d of 4 issues'
          % (4 - fails, issues))
id = appointment()
equal(value(a, 'SELECT clinic.attempt(%s, 4, 4)', (id,)), 'caught',
      'an exception in the outermost block')
equal(ledger(id), [], 'leaves none')
names = issue(a, id)
equal(ledger(id), [counts(2, 1, 0)], 'and the next call is the first')

id = appointment()
got = value(a, """
CREATE FUNCTION pg_temp.refused(id int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE states text := '';
BEGIN
    PERFORM vidtoken.vidtoken_issue(id, 2);
    FOR user_id IN 6..8 LOOP
        BEGIN
            PERFORM vidtoken.vidtoken_refresh(id, 2);
            PERFORM vidtoken.vidtoken_issue(id, user_id);
        EXCEPTION WHEN OTHERS THEN
            states := states || SQLSTATE || ' ';
        END;
    END LOOP;
    RETURN states;
END $$;
SELECT pg_temp.refused(%s)""", (id,))
equal((got, ledger(id)), ('PT404 PT404 PT404 ', [counts(2, 1, 0)]),
      'a refusal undoes its own block and nothing before it')

#
# Cursors
#

id, other = appointment(), appointment()
rows(a, 'BEGIN')
rows(a, 'DECLARE c CURSOR FOR SELECT g.room_name FROM '
     'unnest(ARRAY[%s, %s]) AS id, vidtoken.vidtoken_issue(id, 2) AS g',
     (id, other))
rows(a, 'SAVEPOINT s')
equal(len(rows(a, 'FETCH 1 FROM c')), 1, 'a cursor fetches a token')
rows(a, 'ROLLBACK TO s')
rows(a, 'SAVEPOINT s')
equal(len(rows(a, 'FETCH ALL FROM c')), 1,
      'and after its savepoint is undone it goes on')
rows(a, 'RELEASE s')
rows(a, 'CLOSE c')
rows(a, 'COMMIT')
equal((ledger(id), ledger(other)), ([], [counts(2, 1, 0)]),
      'what was fetched before is undone, what came after is there')

id = appointment()
rows(a, 'BEGIN')
rows(a, 'DECLARE kept CURSOR WITH HOLD FOR SELECT g.room_name FROM '
     'generate_series(1, 3) AS n, vidtoken.vidtoken_issue(%s + 0 * n, 2) AS g',
     (id,))
rows(a, 'FETCH 1 FROM kept')
rows(a, 'COMMIT')
equal((len(rows(a, 'FETCH ALL FROM kept')), ledger(id)),
      (2, [counts(2, 3, 0)]), 'a cursor WITH HOLD makes all of its tokens '
      'before the end of its transaction, once')
rows(a, 'CLOSE kept')

# The savepoint ends while a token of it is on its way.
id = appointment()
rows(a, """
CREATE FUNCTION clinic.in_cursor(id int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE token record; n int := 0;
BEGIN
    FOR token IN SELECT g.room_name FROM generate_series(1, 30) AS i,
                 vidtoken.vidtoken_issue(id + 0 * i, 2) AS g LOOP
        BEGIN
            n := n + 1;
            PERFORM vidtoken.vidtoken_refresh(id, 2);
            IF n % 3 = 0 THEN
                RAISE division_by_zero;
            END IF;
        EXCEPTION WHEN division_by_zero THEN
        END;
    END LOOP;
    RETURN n;
END $$""")
equal(value(a, 'SELECT clinic.in_cursor(%s)', (id,)), 30,
      'a loop over tokens with exceptions inside comes to its end')
equal(ledger(id), [counts(2, 30, 20)],
      'and every token of it is counted, and two of three refreshes')

unlike(server_log().decode('utf-8', 'replace'),
       r'terminated by signal|PANIC:|TRAP:|invalid memory|leaked|leak:',
       'the server has nothing to report')
done_testing()
