#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# Many clients behind a pool of transactions.
#
# PgBouncer gives each transaction to whichever of a few server connections is
# free.  Clients take turns on them, each with its role and its claims for one
# transaction, as PostgREST does, while some end in an error and some name no
# user.  Nobody gets another's token or sees another's rows; the settings are
# those of the database; a reset between transactions changes nothing.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/034_pgbouncer.t

import collections
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

import jwt

# Debian keeps it where only root looks.
PGBOUNCER = shutil.which('pgbouncer', path=os.environ.get('PATH', '')
                         + ':/usr/sbin:/usr/local/sbin')
if PGBOUNCER is None:
    print('1..0 # SKIP pgbouncer is not to be had here')
    sys.exit()

# Whatever ends this script, what it registered for its end is run.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda received, frame: sys.exit(128 + received))

need_server(own=True)

CLIENTS, TRANSACTIONS, CONNECTIONS = 24, 100, 3
PORT = 6432

#
# Two databases with settings of their own
#
# Rows of a patient are told by the claims, rows of a practice by the role.
#

clinics = [Clinic('pool_one'), Clinic('pool_two')]
OWN = ({'account': 'ACtest', 'key': 'SKtest', 'secret': SECRET, 'life': 3600},
       {'account': 'ACother', 'key': 'SKnext', 'secret': NEXT_SECRET,
        'life': 5400})
clinics[1].set('vidtoken.account', OWN[1]['account'])
clinics[1].set('vidtoken.key_id', OWN[1]['key'])
clinics[1].set('vidtoken.min_ttl', '90min')

authenticator = clinics[0].create_role('authenticator', 'LOGIN NOINHERIT')
PATIENT = clinics[0].create_role('patient', 'NOLOGIN')
PRACTICES = [clinics[0].create_role('practice_%d' % number, 'NOLOGIN')
             for number in range(2)]
ANYBODY = clinics[0].create_role('anybody', 'NOLOGIN')
ROLES = [PATIENT, *PRACTICES, ANYBODY]
PATIENTS, APPOINTMENTS = range(10, 22), range(400, 412)
watchers = []
for clinic in clinics:
    watcher = clinic.connect()
    watchers.append(watcher)
    rows(watcher, """
CREATE TABLE clinic.seats (
    appointment_id int, user_id int, practice name, identity text,
    starts_at timestamptz DEFAULT now(),
    duration interval DEFAULT '30 minutes',
    PRIMARY KEY (appointment_id, user_id));
ALTER TABLE clinic.seats ENABLE ROW LEVEL SECURITY;
CREATE POLICY patients ON clinic.seats TO %(patient)s USING (user_id::text =
    current_setting('request.jwt.claims', true)::json ->> 'sub');
CREATE POLICY practices ON clinic.seats TO %(practices)s
    USING (practice = current_user);
GRANT USAGE ON SCHEMA vidtoken, clinic TO %(roles)s;
GRANT SELECT ON clinic.seats TO %(roles)s;
GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_issue(vidtoken.vidtoken_id),
    vidtoken.vidtoken_refresh(vidtoken.vidtoken_id) TO %(roles)s;
GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_issue(vidtoken.vidtoken_id,
    vidtoken.vidtoken_id) TO %(practices)s;
""" % {'patient': PATIENT, 'practices': ', '.join(PRACTICES),
       'roles': ', '.join(ROLES)})
    # A patient's appointment is a practice's, and has the number 390 higher.
    for patient in PATIENTS:
        rows(watcher, 'INSERT INTO clinic.seats VALUES (%s, %s, %s, %s)',
             (390 + patient, patient, PRACTICES[patient % 2],
              '%s %d' % (clinic.name, patient)))
    clinic.set('vidtoken.source', 'clinic.seats')
for role in ROLES:
    rows(clinics[0].admin, 'GRANT %s TO %s' % (role, authenticator))

#
# The pool
#

HOME = os.path.join(os.path.dirname(os.environ['VIDTOKEN_PGDATA']), 'pool')


class Pool:
    """A PgBouncer of the server's user, who it must not be root for."""

    def __init__(self):
        program(CLUSTER, 'as', 'mkdir', '-m', '0700', HOME)
        owner = os.stat(HOME)
        for name, text in (('users', '"%s" ""\n"%s" ""\n' % (
                authenticator, os.environ['PGUSER'])), ('ini', """
[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr =
listen_port = %d
unix_socket_dir = %s
auth_type = trust
auth_file = %s/users
admin_users = %s
pool_mode = transaction
default_pool_size = %d
max_client_conn = 200
server_reset_query = DISCARD ALL
logfile = %s/log
pidfile = %s/pid
""" % (os.environ['PGHOST'], os.environ['PGPORT'], PORT, HOME, HOME,
       os.environ['PGUSER'], CONNECTIONS, HOME, HOME))):
            path = os.path.join(HOME, name)
            with open(path, 'w') as file:
                file.write(text)
            if os.geteuid() == 0:
                os.chown(path, owner.st_uid, owner.st_gid)
        atexit.register(self.end)
        self.process = subprocess.Popen(
            [CLUSTER, 'as', PGBOUNCER, '-q', os.path.join(HOME, 'ini')],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        if not wait_until(self.answers):
            raise RuntimeError('pgbouncer does not start: ' + self.log())

    def answers(self):
        """The socket is there before anybody listens to it."""
        try:
            self.console = self.connect('pgbouncer', os.environ['PGUSER'])
        except psycopg2.OperationalError:
            return False
        return True

    def connect(self, database, user=None):
        return connect(database, user or authenticator, host=HOME, port=PORT)

    def log(self):
        path = os.path.join(HOME, 'log')
        if not os.path.exists(path):
            return ''
        with open(path, errors='replace') as file:
            return file.read()

    def end(self):
        try:
            with open(os.path.join(HOME, 'pid')) as file:
                os.kill(int(file.read()), signal.SIGTERM)
        except (OSError, ValueError):
            pass
        try:
            self.process.wait(30)
        except (AttributeError, subprocess.TimeoutExpired):
            pass
        shutil.rmtree(HOME, ignore_errors=True)


pool = Pool()
diag(value(pool.console, 'SHOW VERSION'))

#
# Clients
#

GRANT = ('SELECT access_token, room_name, user_identity, expires_in, '
         'pg_backend_pid(), current_user::text FROM vidtoken.')
CLAIMS = "SELECT set_config('request.jwt.claims', %s, true)"
SEEN = 'SELECT array_agg(user_id ORDER BY user_id) FROM clinic.seats'
served = collections.defaultdict(set)   # server connection: (role, user)


class Client(threading.Thread):
    """One of one database: now a patient, now a practice, now nobody."""

    def __init__(self, number):
        super().__init__(daemon=True)
        self.number, self.database = number, number % 2
        self.own = OWN[self.database]
        self.name = clinics[self.database].name
        self.connection = pool.connect(self.name)
        self.wrong, self.counts = [], collections.Counter()

    def run(self):
        for turn in range(TRANSACTIONS):
            patient = PATIENTS[(self.number // 2 + turn) % len(PATIENTS)]
            what = (self.patient, self.practice, self.patient, self.refused,
                    self.nobody)[(self.number + turn) % 5]
            try:
                rows(self.connection, 'BEGIN')
                found = what(patient)
                rows(self.connection, ('COMMIT', 'ROLLBACK')[turn % 7 == 6])
            except psycopg2.Error as error:
                found = str(Refusal(error))
                rows(self.connection, 'ROLLBACK')
            self.counts[what.__name__] += 1
            if found:
                self.wrong.append((what.__name__, patient, found))

    def become(self, role, user=None):
        rows(self.connection, 'SET LOCAL ROLE ' + role)
        if user is not None:
            rows(self.connection, CLAIMS, (json.dumps({'sub': str(user)}),))

    def judge(self, patient, role, grant):
        token, room, identity, life, pid, current = grant
        served[pid].add((role, patient))
        said = jwt.decode(token, self.own['secret'], algorithms=['HS256'])
        # A call that waited for its session's row takes over the expiry of the
        # one before, which may have read the clock later.
        if ((current, identity) != (role, '%s %d' % (self.name, patient))
                or not 0 <= life - self.own['life'] < 60
                or said['grants'] != {'identity': identity,
                                      'video': {'room': room}}
                or said['iss'] != self.own['key']
                or said['sub'] != self.own['account']
                or not room.startswith('apt-%d-' % (390 + patient))):
            return grant, said
        return None

    def patient(self, patient):
        """One's own appointment, by the claims."""
        self.become(PATIENT, patient)
        if value(self.connection, SEEN) != [patient]:
            return 'sees others'
        found = None
        for verb in ('issue', 'refresh'):
            found = found or self.judge(patient, PATIENT, rows(
                self.connection, GRANT + 'vidtoken_%s(%%s)' % verb,
                (390 + patient,))[0])
        return found

    def practice(self, patient):
        """Any patient of one's own, but of no other practice."""
        role = PRACTICES[patient % 2]
        self.become(role)
        if value(self.connection, SEEN) != [one for one in PATIENTS
                                            if one % 2 == patient % 2]:
            return 'sees others'
        return self.judge(patient, role, rows(
            self.connection, GRANT + 'vidtoken_issue(%s, %s)',
            (390 + patient, patient))[0])

    def ends_with(self, sqlstate, statement, parameters):
        got = refusal(self.connection, statement, parameters)
        return None if got.sqlstate == sqlstate else str(got) or 'a token'

    def refused(self, patient):
        """Somebody else's appointment."""
        if patient % 3 == 0:
            self.become(PRACTICES[1 - patient % 2])
            return self.ends_with('PT404', GRANT + 'vidtoken_issue(%s, %s)',
                                  (390 + patient, patient))
        self.become(PATIENT, patient + 1)
        return self.ends_with('PT404', GRANT + 'vidtoken_issue(%s)',
                              (390 + patient,))

    def nobody(self, patient):
        """Without claims: whose connection was it before?"""
        if patient % 2:
            self.become(ANYBODY)
        else:
            self.become(PATIENT)
        return self.ends_with('42501', GRANT + 'vidtoken_issue(%s)',
                              (390 + patient,))


def crowd(what):
    served.clear()
    clients = [Client(number) for number in range(CLIENTS)]
    begin = time.monotonic()
    for one in clients:
        one.start()
    for one in clients:
        one.join(120)
    counts = sum((one.counts for one in clients), collections.Counter())
    equal(sum(counts.values()), CLIENTS * TRANSACTIONS,
          what + ': every client comes to its end')
    equal([one.wrong[:2] for one in clients if one.wrong][:3], [],
          what + ': nobody gets or sees what is another\'s')
    # else the test would not have tried anything
    ok(len(served) <= 2 * CONNECTIONS and all(
        len({role for role, _ in users}) == 3 and len(users) > 6
        for users in served.values()),
       what + ': few server connections serve all roles and many users')
    diag('%s: %d clients over %d server connections, %s; %.1f s'
         % (what, CLIENTS, len(served), ', '.join(
             '%s %d' % one for one in sorted(counts.items())),
            time.monotonic() - begin))
    diag('users and roles of each connection: %s'
         % sorted(len(users) for users in served.values()))
    for one in clients:
        one.connection.close()


crowd('without reset')
rows(pool.console, 'SET server_reset_query_always = 1')
crowd('with DISCARD ALL after each transaction')
rows(pool.console, 'SET server_reset_query_always = 0')

#
# What a client leaves behind
#

one, two = (pool.connect(clinics[0].name) for number in range(2))
rows(pool.console, 'SET default_pool_size = 1')
rows(pool.console, 'RECONNECT')
MINE = GRANT + 'vidtoken_issue(%s)'


def as_patient(connection, parameters):
    """As one who has set no claims; takes what the connection has."""
    rows(connection, 'BEGIN')
    rows(connection, 'SET LOCAL ROLE ' + ANYBODY)
    got = refusal(connection, MINE, parameters)
    rows(connection, 'ROLLBACK')
    return got


rows(two, 'SELECT 1')
rows(one, "SELECT set_config('request.jwt.claims', '{\"sub\": \"10\"}', true)")
equal(as_patient(two, (400,)).sqlstate, '42501',
      'claims of a transaction are gone with it')
rows(one, "SELECT set_config('request.jwt.claims', '{\"sub\": \"10\"}', "
     'false)')
equal(as_patient(two, (400,)).sqlstate, 'PT404',
      'claims of a session reach the next client (the control)')
rows(pool.console, 'SET server_reset_query_always = 1')
rows(one, "SELECT set_config('request.jwt.claims', '{\"sub\": \"10\"}', "
     'false)')
equal(as_patient(two, (400,)).sqlstate, '42501',
      'but not over DISCARD ALL')
equal([value(two, 'SHOW vidtoken.' + name) for name in ('account', 'key_id')],
      [OWN[0]['account'], OWN[0]['key']],
      'which leaves the database\'s settings as they are')
rows(one, 'DISCARD ALL')
equal(as_patient(two, (400,)).sqlstate, '42501',
      'nor over a client\'s own DISCARD ALL')
client = Client(0)
rows(client.connection, 'BEGIN')
equal(client.patient(10), None, 'and the same connection goes on')
rows(client.connection, 'COMMIT')

unlike(pool.log(), r'FATAL|prepared statement',
       'the pool has nothing to report')
unlike(server_log().decode('utf-8', 'replace'),
       r'terminated by signal|PANIC:|TRAP:|invalid memory|leaked|leak:',
       'nor has the server')
for connection in (one, two, client.connection, *watchers):
    connection.close()
done_testing()
