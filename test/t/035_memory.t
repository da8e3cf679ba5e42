#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# A session that lives long keeps its size.
#
# One connection issues and refreshes a million tokens, as several roles in
# turn whose rows row-level security tells apart, in statements that make many
# tokens and in statements that make one.  What the backend has for itself
# grows by less than 1 MB: its pages, which are OpenSSL's too, and the memory
# contexts that the server knows of.  Two fifths of the tokens are not recorded:
# they cost a third of the time and show leaks outside of the ledger as well.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/035_memory.t

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

# Whatever ends this script, what it registered for its end is run.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda received, frame: sys.exit(128 + received))

# What is measured is the session, not the disk.
need_server('synchronous_commit=off', 'full_page_writes=off',
            'wal_level=minimal', 'max_wal_senders=0', 'max_wal_size=4GB',
            own=True)
clinic = Clinic('memory')
watcher = clinic.connect()
started_at = value(watcher, 'SELECT pg_postmaster_start_time()')

TOKENS = int(os.environ.get('VIDTOKEN_MEMORY_TOKENS', 1000000))
LIMIT = 1024                            # kB
SINGLE = 10000                          # of them, one a statement
BATCH = 500                             # calls of one statement
APPOINTMENTS, USERS = range(301, 309), range(2, 10)

#
# Several roles, each of which sees its own users' rows
#

roles = [clinic.create_role('clinic_%d' % number, 'NOLOGIN')
         for number in range(4)]
rows(watcher, """
CREATE TABLE clinic.seats (
    appointment_id int, user_id int, owner name,
    starts_at timestamptz DEFAULT now(),
    duration interval DEFAULT '1 hour',
    PRIMARY KEY (appointment_id, user_id));
ALTER TABLE clinic.seats ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON clinic.seats USING (owner = current_user);
""")
for number, role in enumerate(roles):
    rows(watcher, 'INSERT INTO clinic.seats SELECT a, u, %s '
         'FROM unnest(%s) AS a, unnest(%s) AS u',
         (role, list(APPOINTMENTS), list(USERS)[number * 2:number * 2 + 2]))
    rows(watcher, 'GRANT USAGE ON SCHEMA vidtoken, clinic TO %s; '
         'GRANT SELECT ON clinic.seats TO %s; '
         'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA vidtoken TO %s'
         % ((role,) * 3))
clinic.set('vidtoken.source', 'clinic.seats')

session = clinic.connect()
BULK = """
SELECT count(access_token), count(DISTINCT access_token)
  FROM generate_series(1, %(batch)s) AS n
 CROSS JOIN LATERAL vidtoken.vidtoken_{verb}(
           %(first)s + n %% %(appointments)s,
           %(user)s + n / %(appointments)s %% 2) AS g
"""
made = recorded = refused_calls = turn = 0


def as_role(role, record='required'):
    rows(session, 'RESET ROLE; SET vidtoken.record_sessions = %s; SET ROLE %s'
         % (record, role))


def bulk(tokens):
    """Calls of one statement, each time as the next role."""
    global made, recorded, turn
    end = made + tokens
    while made < end:
        number = turn % len(roles)
        round = turn // len(roles)
        record = 'required' if round % 5 < 3 else 'off'
        as_role(roles[number], record)
        # A session is made by the issue that comes before a refresh.
        verb = ('issue', 'refresh')[round % 2]
        count, different = rows(session, BULK.format(verb=verb), {
            'batch': BATCH, 'first': APPOINTMENTS[0], 'user': 2 + number * 2,
            'appointments': len(APPOINTMENTS)})[0]
        if (count, different) != (BATCH, BATCH):
            raise RuntimeError('%s tokens, %s different' % (count, different))
        made += count
        recorded += count if record == 'required' else 0
        turn += 1


def single(tokens):
    """One call a statement, and now and then one that is refused: another
    role's user, who is not there for this one.
    """
    global made, recorded, refused_calls, turn
    as_role(roles[turn % len(roles)])
    for number in range(tokens):
        mine = turn % len(roles)
        if number % 5 == 0:
            as_role(roles[mine])
        turn += number % 5 == 4
        verb = ('issue', 'refresh')[number % 2]
        rows(session, 'SELECT access_token FROM vidtoken.vidtoken_%s(%%s, %%s)'
             % verb, (APPOINTMENTS[number % len(APPOINTMENTS)], 2 + mine * 2))
        made += 1
        recorded += 1
        if number % 50 == 49:
            got = refusal(session, 'SELECT vidtoken.vidtoken_issue(%s, %s)',
                          (APPOINTMENTS[0], 2 + (mine + 1) % len(roles) * 2))
            refused_calls += got.sqlstate == 'PT404'
        if number % 2000 == 1999:       # as a pool does between clients
            rows(session, 'DISCARD ALL')
            as_role(roles[turn % len(roles)])


def contexts():
    """What the server's memory contexts have, in kB; before 14 None."""
    if session.server_version < 140000:
        return None
    rows(session, 'RESET ROLE')
    return value(session, 'SELECT (sum(total_bytes) / 1024)::int FROM '
                 'pg_backend_memory_contexts')


def context_sizes():
    if session.server_version < 140000:
        return {}
    rows(session, 'RESET ROLE')
    return dict(rows(session, 'SELECT name, sum(total_bytes)::int FROM '
                     'pg_backend_memory_contexts GROUP BY name'))


def measure():
    return memory(session), contexts()


NAMES = ('anonymous pages', 'memory contexts')
begin = time.monotonic()
bulk(20000)
single(3000)
warm = made
before, sizes = measure(), context_sizes()
diag('after %d tokens: %s kB' % (made, dict(zip(NAMES, before))))
samples = [before]
for part in range(5):
    single(SINGLE // 5)
    bulk((TOKENS - SINGLE) // 5)
    samples.append(measure())
    diag('after %d tokens, %.0f s: %s kB' % (made, time.monotonic() - begin,
                                             dict(zip(NAMES, samples[-1]))))
after = samples[-1]
ok(made - warm >= TOKENS, '%d tokens are issued and refreshed by one '
   'connection with changing roles' % (made - warm))
ok(refused_calls > 100, 'and %d calls are refused: another role\'s user'
   % refused_calls)
for name, was, has in zip(NAMES, before, after):
    if was is None:
        skip('%s: growth of less than 1 MB' % name,
             'the view came with 14')
        continue
    ok(has - was < LIMIT, '%s: growth of less than 1 MB' % name)
    diag('%s: %+d kB in %d tokens' % (name, has - was, made - warm))
grown = {name: size - sizes.get(name, 0)
         for name, size in context_sizes().items()
         if size > sizes.get(name, 0)}
diag('contexts that grew, in bytes: %s' % (grown or 'none'))

# The ledger knows of each call.
equal(value(watcher, 'SELECT sum(issue_count + refresh_count) FROM '
            'vidtoken.vidtoken_session'), recorded,
      'every call that is to be recorded is')
equal(value(watcher, 'SELECT pg_postmaster_start_time()'), started_at,
      'the server is still the one that was started')
unlike(server_log().decode('utf-8', 'replace'),
       r'terminated by signal|PANIC:|TRAP:|invalid memory|leaked|leak:',
       'and has nothing to report')
done_testing()
