"""A clinic with a past, and what a restore of its dump has to bring back.

To be imported after need_server(): it looks at the server of the environment,
which has to be the script's own.

Copyright (c) 2026, the vidtoken authors

test/t/lib/past.py
"""

import datetime

from tap import *

ISSUE = 'SELECT * FROM vidtoken.vidtoken_issue(%s, %s)'
REFRESH = 'SELECT * FROM vidtoken.vidtoken_refresh(%s, %s)'
MINE = 'SELECT * FROM vidtoken.vidtoken_issue(%s)'
HOME = os.path.dirname(os.environ['VIDTOKEN_PGDATA'])


def must(*command, **options):
    """A program that the rest of this script cannot do without."""
    run = program(*command, **options)
    if run.returncode != 0:
        raise RuntimeError('%s: %s' % (' '.join(command),
                                       (run.stdout + run.stderr).decode()))
    return run.stdout.decode().strip()


#
# Servers
#

class Server:
    """The environment's server, and the programs of its version."""

    bindir = must(os.environ['PG_CONFIG'], '--bindir')
    directory = HOME            # of its socket

    def connect(self, database, user=None):
        return connect(database, user, host=self.directory)

    def run(self, name, *arguments):
        return program(os.path.join(self.bindir, name), *arguments,
                       env=dict(os.environ, PGHOST=self.directory))


class NewServer(Server):
    """One with nothing in it."""

    def __init__(self, name):
        self.directory = os.path.join(HOME, name)
        self.data = os.path.join(self.directory, 'data')
        atexit.register(self.remove)
        must(CLUSTER, 'as', 'mkdir', '-m', '0700', self.directory)
        self.as_server('initdb', '-U', 'postgres', '-A', 'trust', '-E',
                       'UTF8', '--locale=C.UTF-8', '--no-sync')
        with open(os.path.join(self.data, 'postgresql.conf'), 'a') as file:
            file.write("listen_addresses = ''\n"
                       "unix_socket_directories = '%s'\n"
                       'unix_socket_permissions = 0700\n'
                       'shared_buffers = 32MB\ntimezone = UTC\n'
                       'fsync = off\nautovacuum = off\n' % self.directory)
        self.as_server('pg_ctl', '-w', '-t', '60', '-l',
                       os.path.join(self.directory, 'log'), 'start')
        self.admin = self.connect('postgres')

    def as_server(self, name, *arguments):
        must(CLUSTER, 'as', os.path.join(self.bindir, name),
             '-D', self.data, *arguments)

    def remove(self):
        if os.path.exists(os.path.join(self.data, 'postmaster.pid')):
            self.as_server('pg_ctl', '-w', '-m', 'immediate', 'stop')
        shutil.rmtree(self.directory, ignore_errors=True)

    def create(self, database):
        rows(self.admin, 'CREATE DATABASE %s TEMPLATE template0' % database)

    def drop(self, database):
        rows(self.admin, 'DROP DATABASE %s WITH (FORCE)' % database)

    def clear(self):
        for name, in rows(self.admin, 'SELECT datname FROM pg_database '
                          "WHERE datname LIKE 'vidtoken%'"):
            self.drop(name)
        for name, in rows(self.admin, 'SELECT rolname FROM pg_roles '
                          "WHERE rolname LIKE 'vidtoken%'"):
            rows(self.admin, 'DROP ROLE ' + name)

    def restore(self, file, database, stop=True):
        """psql on a plain dump: its exit code, and errors alone."""
        run = self.run('psql', '-Xq', '-v', 'ON_ERROR_STOP=%d' % stop,
                       '-o', os.devnull, '-d', database, '-f', file)
        return run.returncode, re.findall(r'(?m)(?:ERROR|FATAL):  (.*)$',
                                          run.stderr.decode())


#
# What is looked at before and after
#

TABLES = ('vidtoken_session', 'vidtoken_room', 'vidtoken_call',
          'vidtoken_participant', 'vidtoken_event', 'vidtoken_quality')
LEDGER = ' UNION ALL '.join('SELECT t::text FROM vidtoken.%s AS t' % table
                            for table in TABLES) + ' ORDER BY 1'

# Rights on what is the extension's, and on the schemas, but the owner's own
RIGHTS = """
SELECT o.name, CASE a.grantee WHEN 0 THEN 'PUBLIC'
                    ELSE a.grantee::regrole::text END,
       a.privilege_type, a.is_grantable
  FROM (SELECT p.oid::regprocedure::text, proowner,
               coalesce(proacl, acldefault('f', proowner))
          FROM pg_proc AS p JOIN pg_depend AS d ON d.objid = p.oid
           AND d.classid = 'pg_proc'::regclass
         WHERE d.refobjid = (SELECT oid FROM pg_extension
                              WHERE extname = 'vidtoken')
        UNION ALL
        SELECT c.oid::regclass::text, relowner,
               coalesce(relacl, acldefault('r', relowner))
          FROM pg_class AS c JOIN pg_depend AS d ON d.objid = c.oid
           AND d.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'v')
         WHERE d.refobjid = (SELECT oid FROM pg_extension
                              WHERE extname = 'vidtoken')
        UNION ALL
        SELECT oid::regnamespace::text, nspowner,
               coalesce(nspacl, acldefault('n', nspowner))
          FROM pg_namespace WHERE nspname IN ('vidtoken', 'clinic')
       ) AS o (name, owner, acl)
 CROSS JOIN aclexplode(o.acl) AS a
 WHERE a.grantee <> o.owner
 ORDER BY 1, 2, 3"""

# The only functions that PUBLIC may call, less vidtoken_ttl, which this clinic
# took away
FOR_PUBLIC = {'vidtoken_id', 'vidtoken_id_in', 'vidtoken_id_out',
              'vidtoken_id_recv', 'vidtoken_id_send', 'vidtoken_clock',
              'vidtoken_policy'}

# Settings stored for the database, of all roles and of one
STORED = """
SELECT coalesce(nullif(setrole, 0)::regrole::text, ''),
       split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)
  FROM pg_db_role_setting CROSS JOIN unnest(setconfig) AS s
 WHERE setdatabase = (SELECT oid FROM pg_database
                       WHERE datname = current_database())
 ORDER BY 1, 2"""

OWNERS = """
SELECT relowner::regrole::text FROM pg_class
 WHERE relnamespace = 'vidtoken'::regnamespace AND relkind = 'r'"""

# What vidtoken_check says, but for the version of OpenSSL
CHECK = """
SELECT item, status, regexp_replace(message, 'OpenSSL [0-9].*', 'OpenSSL'),
       hint
  FROM vidtoken.vidtoken_check()"""

# What the clinic has added to a table of the ledger
ADDED = """
SELECT 'trigger' FROM pg_trigger
 WHERE tgrelid = 'vidtoken.vidtoken_session'::regclass AND NOT tgisinternal
UNION ALL
SELECT 'index' FROM pg_index
 WHERE indrelid = 'vidtoken.vidtoken_session'::regclass AND NOT indisprimary
UNION ALL
SELECT 'policy' FROM pg_policy
 WHERE polrelid = 'vidtoken.vidtoken_session'::regclass
UNION ALL
SELECT 'row-level security' FROM pg_class
 WHERE oid = 'vidtoken.vidtoken_session'::regclass AND relrowsecurity
UNION ALL
SELECT 'storage parameter' FROM pg_class
 WHERE oid = 'vidtoken.vidtoken_session'::regclass
   AND reloptions = '{fillfactor=50}'
 ORDER BY 1"""


def answer(connection, statement, parameters=None):
    """Why a call is refused; ('', '') when it is not.  Nothing stays."""
    rows(connection, 'BEGIN')
    got = refusal(connection, 'SELECT FROM (%s) AS g' % statement, parameters)
    rows(connection, 'ROLLBACK')
    return got.sqlstate, got.reason


#
# A clinic with a past
#

# Appointments by what has been done to them; participants 2 to 4.  Participant
# 3 never had a token: in a call that is not barred it comes after the restore.
KEPT, NAMED, WHOLE, EMPTY, GONE, RESET, MOVED, FRESH = range(1001, 1009)
BARRED = ((NAMED, 2), (NAMED, 3), (WHOLE, 2), (WHOLE, 3), (EMPTY, 2))


class Memory:
    """What is known of a clinic when its server is not there any more."""

    REMEMBERED = ('name', 'backend', 'patient', 'reader', 'keeper', 'session',
                  'tokens', 'ledger', 'stored', 'rights', 'checked', 'owners',
                  'rooms')

    def __init__(self, remembered):
        self.__dict__.update(remembered)

    def remembered(self):
        return {name: getattr(self, name) for name in self.REMEMBERED}

    def rooms_of_newcomers(self, connection):
        return {id: undone(connection, ISSUE, (id, 3))['room_name']
                for id in (KEPT, RESET, MOVED, FRESH)}

    def settings_again(self, server, database=None):
        """What a DBA does where the settings did not come along."""
        for role, name, text in self.stored:
            where = 'ROLE %s IN DATABASE ' % role if role else 'DATABASE '
            rows(server.admin, 'ALTER %s%s SET %s = %%s'
                 % (where, database or self.name, name), (text,))


class Past(Memory, Clinic):
    """The clinic itself, on the server of the environment."""

    def __init__(self):
        self.server = Server()
        Clinic.__init__(self, 'dump')
        atexit.unregister(self.drop)            # it goes with its server
        # One path for all servers, and no key in a data directory
        shutil.rmtree(self.directory)
        self.keyring_path = os.path.join(HOME, 'keyring.json')
        self.write_keyring(keyring())
        self.set('vidtoken.keyring', self.keyring_path)
        self.set('vidtoken.max_ttl', '3h')
        self.backend, self.patient, self.reader = (
            self.create_role(name)
            for name in ('backend', 'patient', 'reader'))
        self.keeper = self.create_role('keeper', 'NOLOGIN')
        rows(self.admin, "ALTER ROLE %s IN DATABASE %s SET vidtoken.min_ttl "
             "= '70min'" % (self.backend, self.name))
        rows(self.admin, "ALTER ROLE %s SET vidtoken.warn_window = '7min'"
             % self.backend)
        self.connection = self.connect()
        self.call("ALTER SYSTEM SET vidtoken.clock_skew = '11s'")
        self.call('SELECT pg_reload_conf()')
        self.fill_ledger()
        self.grant_rights()
        self.change_tables()
        self.remember()

    def call(self, statement, parameters=None):
        return rows(self.connection, statement, parameters)

    def take(self, statement, *parameters):
        grant = record(self.connection, statement, parameters)
        self.tokens.append(grant['access_token'])
        return grant

    def fill_ledger(self):
        self.tokens = []
        for id in range(KEPT, FRESH + 1):
            self.call('INSERT INTO clinic.appointments VALUES (%s, now())',
                      (id,))
            self.call('INSERT INTO clinic.participants (appointment_id, '
                      'user_id) VALUES (%s, 2), (%s, 3), (%s, 4)',
                      (id, id, id))
        for id in (KEPT, NAMED, WHOLE, GONE, RESET):
            # an identity that the source has for a moment only
            self.call('BEGIN')
            self.call("UPDATE clinic.participants SET identity = 'kept' "
                      'WHERE appointment_id = %s AND user_id = 2', (id,))
            self.take(ISSUE, id, 2)
            self.call('UPDATE clinic.participants SET identity = NULL '
                      'WHERE appointment_id = %s', (id,))
            self.call('COMMIT')
        self.take(ISSUE, KEPT, 4)
        for _ in range(2):
            session = self.take(REFRESH, KEPT, 2)
        self.session = {name: session[name] for name in
                        ('room_name', 'user_identity')}
        self.session['expires_at'] = session['expires_at'].astimezone(
            datetime.timezone.utc)
        for user in (2, 3):
            self.call('SELECT vidtoken.vidtoken_revoke(%s, %s)', (NAMED, user))
        for id in (WHOLE, EMPTY, GONE):
            self.call('SELECT vidtoken.vidtoken_revoke_all(%s)', (id,))
        self.call('DELETE FROM clinic.participants WHERE appointment_id = %s',
                  (GONE,))
        self.call('DELETE FROM clinic.appointments WHERE id = %s', (GONE,))
        for id in (RESET, RESET, MOVED):
            self.call('SELECT vidtoken.vidtoken_reset_room(%s)', (id,))

    def grant_rights(self):
        self.call('GRANT USAGE ON SCHEMA vidtoken, clinic TO %s, %s, %s, %s'
                  % (self.backend, self.patient, self.reader, self.keeper))
        self.call('GRANT SELECT ON clinic.video_source TO %s, %s'
                  % (self.backend, self.patient))
        self.call('GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_issue('
                  'vidtoken.vidtoken_id, vidtoken.vidtoken_id), '
                  'vidtoken.vidtoken_refresh(vidtoken.vidtoken_id, '
                  'vidtoken.vidtoken_id) TO %s' % self.backend)
        self.call('GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_issue('
                  'vidtoken.vidtoken_id) TO %s' % self.patient)
        self.call('GRANT SELECT ON vidtoken.vidtoken_sessions TO %s '
                  'WITH GRANT OPTION' % self.reader)
        self.call('REVOKE EXECUTE ON FUNCTION vidtoken.vidtoken_ttl(interval) '
                  'FROM PUBLIC')

    def change_tables(self):
        """What webhooks reported, another owner, as README has it, and what
        a DBA may add."""
        self.call("""
INSERT INTO vidtoken.vidtoken_call VALUES
    ('twilio', 'apt', 'RM1', now(), NULL, now());
INSERT INTO vidtoken.vidtoken_participant VALUES
    ('twilio', 'apt', 'RM1', 'PA1', 'jane', NULL, now(), NULL, now());
INSERT INTO vidtoken.vidtoken_event VALUES ('twilio', 'EV1', now());
INSERT INTO vidtoken.vidtoken_quality VALUES
    ('twilio', 'apt', 'jane', 4, '{"rtt": 20}', now())""")
        for table in TABLES:
            self.call('ALTER TABLE vidtoken.%s OWNER TO %s'
                      % (table, self.keeper))
        self.call("""
CREATE FUNCTION clinic.audit() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER audit AFTER INSERT ON vidtoken.vidtoken_session
    FOR EACH ROW EXECUTE FUNCTION clinic.audit();
CREATE INDEX by_user ON vidtoken.vidtoken_session (user_id);
CREATE POLICY everything ON vidtoken.vidtoken_session USING (true);
ALTER TABLE vidtoken.vidtoken_session ENABLE ROW LEVEL SECURITY;
ALTER TABLE vidtoken.vidtoken_session SET (fillfactor = 50)""")

    def remember(self):
        self.ledger = self.call(LEDGER)
        self.stored = self.call(STORED)
        self.rights = self.call(RIGHTS)
        self.checked = self.call(CHECK)
        self.added = self.call(ADDED)
        self.owners = self.call(OWNERS)
        self.rooms = self.rooms_of_newcomers(self.connection)


def same_clinic(past, server, what):
    """Everything that has to be on the new server as it was on the old."""
    what += ': '
    c = server.connect(past.name)
    equal(rows(c, LEDGER), past.ledger, what + 'the ledger is the same')

    for parameters in BARRED:
        refused(c, ISSUE, parameters, 'PT410', 'revoked',
                what + 'who was barred is refused: %s' % (parameters,))
    refused(c, REFRESH, (WHOLE, 2), 'PT410', 'revoked',
            what + 'also a refresh of a barred session')
    rows(c, 'BEGIN')
    rows(c, 'INSERT INTO clinic.appointments VALUES (%s, now())', (GONE,))
    rows(c, 'INSERT INTO clinic.participants VALUES (%s, 3)', (GONE,))
    refused(c, ISSUE, (GONE, 3), 'PT410', 'revoked',
            what + 'also in an appointment that was not even there')
    rows(c, 'ROLLBACK')
    equal(answer(c, ISSUE, (NAMED, 4)), ('', ''),
          what + 'who was not barred is not')

    rows(c, 'BEGIN')
    grant = record(c, REFRESH, (KEPT, 2))
    equal(names(grant), names(past.session),
          what + 'a session goes on in its room, under its identity')
    ok(grant['expires_at'] >= past.session['expires_at'],
       what + 'its next token does not expire before the last')
    equal(rows(c, 'SELECT issue_count, refresh_count FROM '
               'vidtoken.vidtoken_sessions WHERE appointment_id = %s AND '
               "user_id = '2'", (str(KEPT),)), [(1, 3)],
          what + 'and is counted on')
    rows(c, 'ROLLBACK')
    rows(c, 'SET vidtoken.test_clock = %s',
         (past.session['expires_at'].isoformat(),))
    equal([answer(c, REFRESH, (KEPT, 2)), answer(c, ISSUE, (KEPT, 3))],
          [('', ''), ('PT410', 'ended')],
          what + 'it may stay when nobody may enter any more')
    rows(c, 'RESET vidtoken.test_clock')
    equal(past.rooms_of_newcomers(c), past.rooms,
          what + 'who comes later comes into the same room, reset or not')
    equal([value(c, 'SELECT reason FROM vidtoken.vidtoken_verify(%s)', (one,))
           for one in past.tokens], [None] * len(past.tokens),
          what + 'tokens of before are good')

    equal(rows(c, RIGHTS), past.rights, what + 'roles have the same rights')
    equal({name.split('(')[0].split('.')[1]
           for name, grantee, _, _ in rows(c, RIGHTS) if grantee == 'PUBLIC'},
          FOR_PUBLIC, what + 'nothing is PUBLIC\'s that computes no more')
    backend, patient, reader = (
        server.connect(past.name, role)
        for role in (past.backend, past.patient, past.reader))
    equal(names(undone(backend, REFRESH, (KEPT, 2))), names(past.session),
          what + 'a back end may name a user')
    rows(patient, """SET request.jwt.claims = '{"sub": "2"}'""")
    equal((answer(patient, ISSUE, (KEPT, 2))[0],
           names(undone(patient, MINE, (KEPT,)))),
          ('42501', names(past.session)), what + 'a patient itself alone')
    equal([answer(one, 'SELECT * FROM vidtoken.vidtoken_sessions')[0]
           for one in (reader, patient)], ['', '42501'],
          what + 'sessions are shown to whom they were')
    equal(value(backend, 'SHOW vidtoken.min_ttl'), '70min',
          what + 'a role has its setting in this database')
    for connection in (backend, patient, reader):
        connection.close()

    equal(rows(c, CHECK), past.checked,
          what + 'vidtoken_check says what it said')
    equal(rows(c, ADDED), [], what + 'what was added to the ledger\'s tables '
          'did not travel')
    equal(rows(c, OWNERS), [('postgres',)] * len(TABLES),
          what + 'they are owned by who restored them')
    for table in TABLES:
        rows(c, 'ALTER TABLE vidtoken.%s OWNER TO %s' % (table, past.keeper))
    equal((rows(c, OWNERS), rows(c, RIGHTS), rows(c, CHECK)),
          (past.owners, past.rights, past.checked),
          what + 'until they are given away again')
    equal(names(undone(c, REFRESH, (KEPT, 2))), names(past.session),
          what + 'and work as well then')
    c.close()
