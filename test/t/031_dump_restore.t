#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# Dump and restore: what a new server knows of the old one's calls.
#
# Sessions, bars and reset rooms travel with every dump of a whole database:
# who was barred stays barred, who is in a call stays in its room, who comes
# later comes into it.  So do the rights of roles.  No dump holds a key or a
# token.  What does not travel is asserted as well: the settings, unless the
# dump makes the database; the keyring; the owner of the ledger's tables, and
# what was added to them.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/031_dump_restore.t

import glob
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

# Whatever ends this script, what it registered for its end is run.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda received, frame: sys.exit(128 + received))

need_server('autovacuum=off', own=True)

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
    directory = HOME

    def connect(self, database, user=None):
        return connect(database, user, host=self.directory)

    def run(self, name, *arguments, host=None):
        return program(os.path.join(self.bindir, name), *arguments,
                       env=dict(os.environ, PGHOST=host or self.directory))


class NewServer(Server):
    """One with nothing in it."""

    def __init__(self, name, bindir=Server.bindir):
        self.bindir = bindir
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

LEDGER = ('SELECT s::text FROM vidtoken.vidtoken_session AS s UNION ALL '
          'SELECT r::text FROM vidtoken.vidtoken_room AS r ORDER BY 1')

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
 WHERE oid IN ('vidtoken.vidtoken_session'::regclass,
               'vidtoken.vidtoken_room'::regclass)"""

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


def undone(connection, statement, parameters=None):
    """The first row of a call whose transaction is rolled back."""
    rows(connection, 'BEGIN')
    try:
        return record(connection, statement, parameters)
    finally:
        rows(connection, 'ROLLBACK')


def answer(connection, statement, parameters=None):
    """Why a call is refused; ('', '') when it is not.  Nothing stays."""
    rows(connection, 'BEGIN')
    got = refusal(connection, 'SELECT FROM (%s) AS g' % statement, parameters)
    rows(connection, 'ROLLBACK')
    return got.sqlstate, got.reason


def names(grant):
    return grant['room_name'], grant['user_identity']


#
# A clinic with a past
#

# Appointments by what has been done to them; participants 2 to 4.  Participant
# 3 never had a token: in a call that is not barred it comes after the restore.
KEPT, NAMED, WHOLE, EMPTY, GONE, RESET, MOVED, FRESH = range(1001, 1009)
BARRED = ((NAMED, 2), (NAMED, 3), (WHOLE, 2), (WHOLE, 3), (EMPTY, 2))


class Past(Clinic):

    def __init__(self, server=Server()):
        self.server = server
        os.environ['PGHOST'] = server.directory
        super().__init__('dump')
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
            self.session = self.take(REFRESH, KEPT, 2)
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
        """Another owner, as README has it, and what a DBA may add."""
        for table in ('vidtoken_session', 'vidtoken_room'):
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
        self.checked = self.call('SELECT * FROM vidtoken.vidtoken_check()')
        self.added = self.call(ADDED)
        self.owners = self.call(OWNERS)
        self.rooms = self.rooms_of_newcomers(self.connection)

    def rooms_of_newcomers(self, connection):
        return {id: undone(connection, ISSUE, (id, 3))['room_name']
                for id in (KEPT, RESET, MOVED, FRESH)}

    def settings_again(self, server, database=None):
        """What a DBA does where the settings did not come along."""
        for role, name, text in self.stored:
            where = 'ROLE %s IN DATABASE ' % role if role else 'DATABASE '
            rows(server.admin, 'ALTER %s%s SET %s = %%s'
                 % (where, database or self.name, name), (text,))


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

    equal(rows(c, 'SELECT * FROM vidtoken.vidtoken_check()'), past.checked,
          what + 'vidtoken_check says what it said')
    equal(rows(c, ADDED), [], what + 'what was added to the ledger\'s tables '
          'did not travel')
    equal(rows(c, OWNERS), [('postgres',)] * 2,
          what + 'they are owned by who restored them')
    for table in ('vidtoken_session', 'vidtoken_room'):
        rows(c, 'ALTER TABLE vidtoken.%s OWNER TO %s' % (table, past.keeper))
    equal((rows(c, OWNERS), rows(c, RIGHTS), rows(
        c, 'SELECT * FROM vidtoken.vidtoken_check()')),
          (past.owners, past.rights, past.checked),
          what + 'until they are given away again')
    equal(names(undone(c, REFRESH, (KEPT, 2))), names(past.session),
          what + 'and work as well then')
    c.close()


class Small:
    """A database with the extension in another schema."""

    def __init__(self, name, schema):
        self.name, self.schema = name, schema
        rows(past.admin, 'CREATE DATABASE %s TEMPLATE template0' % name)
        for setting, text in (('session_preload_libraries', 'vidtoken'),
                              ('vidtoken.source', 'clinic.video_source'),
                              ('vidtoken.keyring', past.keyring_path),
                              ('vidtoken.key_id', 'SKtest'),
                              ('vidtoken.account', 'ACtest')):
            rows(past.admin, 'ALTER DATABASE %s SET %s = %%s'
                 % (name, setting), (text,))
        c = past.server.connect(name)
        rows(c, 'CREATE SCHEMA IF NOT EXISTS %s; CREATE EXTENSION vidtoken '
             'SCHEMA %s' % (schema, schema))
        rows(c, 'CREATE SCHEMA clinic; CREATE TABLE clinic.video_source AS '
             "SELECT a AS appointment_id, u AS user_id, now() AS starts_at, "
             "interval '1 hour' AS duration FROM generate_series(1, 3) AS a, "
             'generate_series(2, 3) AS u')
        record(c, self.issue, (1, 2))
        self.names = names(record(c, self.refresh, (1, 2)))
        rows(c, self.there('SELECT vidtoken.vidtoken_revoke(2, 2), '
                           'vidtoken.vidtoken_revoke_all(3), '
                           'vidtoken.vidtoken_reset_room(1)'))
        self.names = names(record(c, self.refresh, (1, 2)))
        self.ledger = rows(c, self.there(LEDGER))
        c.close()

    def there(self, statement):
        return statement.replace('vidtoken.vidtoken_',
                                 self.schema + '.vidtoken_')

    issue = property(lambda self: self.there(ISSUE))
    refresh = property(lambda self: self.there(REFRESH))

    def same(self, server):
        what = 'extension in schema %s: ' % self.schema
        c = server.connect(self.name)
        equal(rows(c, self.there(LEDGER)), self.ledger,
              what + 'the ledger is the same')
        for parameters in ((2, 2), (3, 2), (3, 3)):
            refused(c, self.issue, parameters, 'PT410', 'revoked',
                    what + 'who was barred is refused: %s' % (parameters,))
        equal(names(record(c, self.refresh, (1, 2))), self.names,
              what + 'a session goes on')
        equal(record(c, self.issue, (1, 3))['room_name'], self.names[0],
              what + 'who comes later comes into the same room')
        c.close()


begin = time.monotonic()
past = Past()
small = [Small('vidtoken_small_%s_%d' % (name, os.getpid()), schema)
         for name, schema in (('public', 'public'),
                              ('quoted', '"Video Calls"'))]
equal(past.owners, [(past.keeper,)] * 2, 'the ledger has an owner of its own')
equal(past.added, [(one,) for one in ('index', 'policy', 'row-level security',
                                      'storage parameter', 'trigger')],
      'and things that were added to it')
ok(len(set(past.rooms.values())) == 4 and
   past.rooms[KEPT] == past.session['room_name'],
   'newcomers have their rooms')
diag('a past of %d sessions, bars and rooms and %d tokens after %.1f s'
     % (len(past.ledger), len(past.tokens), time.monotonic() - begin))

begin = time.monotonic()
new = NewServer('new')
diag('a new server after %.1f s' % (time.monotonic() - begin))

#
# The dumps
#

dumps = {}


def dump(what, name, *arguments, by=None):
    """Runs pg_dump or pg_dumpall of a version on the old server."""
    file = os.path.join(HOME, 'dump.%d' % len(dumps))
    run = (by or past.server).run(name, '-f', file, *arguments,
                                  host=past.server.directory)
    equal((run.returncode, run.stderr.decode()), (0, ''), 'dump: ' + what)
    with open(file, 'rb') as content:
        dumps[what] = content.read()
    return file


everything = dump('pg_dumpall', 'pg_dumpall')
roles = dump('pg_dumpall --globals-only', 'pg_dumpall', '--globals-only')
plain = dump('pg_dump', 'pg_dump', past.name)
creating = dump('pg_dump --create', 'pg_dump', '--create', past.name)
custom = dump('pg_dump -Fc', 'pg_dump', '-Fc', '-Z0', past.name)
schema = dump('pg_dump --schema-only', 'pg_dump', '--schema-only', past.name)
data = dump('pg_dump --data-only', 'pg_dump', '--data-only', past.name)
dumps['pg_restore -f -'] = past.server.run('pg_restore', '-f', '-',
                                           custom).stdout

secrets = {'the keyring\'s path': past.keyring_path.encode()}
for name, secret in (('signing key', SECRET), ('next key', NEXT_SECRET),
                     ('name key', NAME_SECRET)):
    secrets[name] = secret
    secrets[name + ' in base64'] = base64.b64encode(secret).rstrip(b'=')
    secrets[name + ' in base64url'] = base64url(secret).encode()
    secrets[name + ' in hex'] = secret.hex().encode()
    secrets[name + ' in HEX'] = secret.hex().upper().encode()
# neither a token nor one of its parts; all of them have the same header
for number, token in enumerate(past.tokens):
    for part in (token, *token.split('.')[1:]):
        secrets['token %d, %d characters' % (number, len(part))] = \
            part.encode()
path = {name: secrets.pop(name) for name in list(secrets) if 'path' in name}


def found(secrets, content):
    return [name for name, secret in secrets.items() if secret in content]


for what, content in dumps.items():
    equal(found(secrets, content), [], 'neither key nor token in ' + what)
    equal(found(secrets, content + b''.join(secrets.values())), list(secrets),
          'where they would be seen')
jti = past.call('SELECT jti FROM vidtoken.vidtoken_session WHERE jti IS NOT '
                'NULL')
equal([what for what, content in dumps.items()
       if all(one[0].encode() in content for one in jti)],
      ['pg_dumpall', 'pg_dump', 'pg_dump --create', 'pg_dump -Fc',
       'pg_dump --data-only', 'pg_restore -f -'],
      'what the ledger does hold, the ids of tokens, is in all dumps of data')
equal([what for what, content in dumps.items() if found(path, content)],
      ['pg_dumpall', 'pg_dump --create', 'pg_dump -Fc'],
      'the settings, the keyring\'s path among them, are where a database is '
      'made')
for what, arguments in (
        ('one schema', ('-n', 'clinic')), ('one table', ('-t', 'clinic.*')),
        ('all but its schema', ('-N', 'vidtoken'))):
    dump('pg_dump, ' + what, 'pg_dump', *arguments, past.name)
    ok(b'COPY vidtoken.' not in dumps['pg_dump, ' + what]
       and b'COPY vidtoken.' in dumps['pg_dump'],
       'a dump of %s has no bar in it' % what)
diag('dumps of %s bytes, searched for %d secrets'
     % (', '.join(str(len(content)) for content in dumps.values()),
        len(secrets)))

#
# A plain dump, into a database made by hand
#

new.create(past.name)
code, errors = new.restore(plain, past.name, stop=False)
equal({re.sub(r'".*"', '...', error) for error in errors},
      {'role ... does not exist'}, 'plain: the roles have to be there before')
c = new.connect(past.name)
equal(rows(c, LEDGER), past.ledger, 'plain: the ledger is the same without')
equal({grantee for _, grantee, _, _ in rows(c, RIGHTS)} - {'PUBLIC'}, set(),
      'plain: the rights are not')
c.close()
new.drop(past.name)

equal(new.restore(roles, 'postgres', stop=False)[1],
      ['role "postgres" already exists'], 'the roles are restored')
equal(value(new.admin, 'SELECT rolconfig FROM pg_roles WHERE rolname = %s',
            (past.backend,)), ['vidtoken.warn_window=7min'],
      'a role\'s own settings travel with the role')
new.create(past.name)
equal(new.restore(plain, past.name), (0, []), 'plain: it restores')
c = new.connect(past.name)
equal(rows(c, STORED), [], 'plain: the settings did not travel')
refused(c, ISSUE, (KEPT, 2), 'F0000', '', 'plain: nothing is issued without')
c.close()
past.settings_again(new)
same_clinic(past, new, 'plain')
c = new.connect(past.name)
equal((past.call('SHOW vidtoken.clock_skew'),
       rows(c, 'SHOW vidtoken.clock_skew')), ([('11s',)], [('10s',)]),
      'plain: ALTER SYSTEM does not travel')

# The same a second time, from the new server: a column is one too many.
rows(c, 'ALTER TABLE vidtoken.vidtoken_session ADD COLUMN note text')
c.close()
file = os.path.join(HOME, 'dump.column')
equal(new.run('pg_dump', '-f', file, past.name).returncode, 0,
      'a column was added to the ledger: it dumps')
new.drop(past.name)
new.create(past.name)
code, errors = new.restore(file, past.name, stop=False)
ok(any('column "note"' in error for error in errors),
   'a column was added to the ledger: it does not restore')
c = new.connect(past.name)
equal(value(c, 'SELECT count(*) FROM vidtoken.vidtoken_session'), 0,
      'and all sessions and bars of participants are lost')
c.close()
new.clear()

#
# An archive, that makes the database
#

new.restore(roles, 'postgres', stop=False)
run = new.run('pg_restore', '--create', '-j', '2', '-d', 'postgres', custom)
equal((run.returncode, run.stderr.decode()), (0, ''), 'custom: it restores')
c = new.connect(past.name)
equal(rows(c, STORED), past.stored, 'custom: the settings have travelled')
c.close()
same_clinic(past, new, 'custom')
new.drop(past.name)
equal(new.restore(creating, 'postgres'), (0, []),
      'plain, with --create: it restores')
c = new.connect(past.name)
equal(rows(c, STORED), past.stored,
      'plain, with --create: the settings have travelled')
equal(rows(c, LEDGER), past.ledger,
      'plain, with --create: the ledger is the same')
c.close()

#
# Another name
#

other = past.name + '_other'
new.create(other)
equal(new.restore(plain, other), (0, []), 'another name: it restores')
past.settings_again(new, other)
c = new.connect(other)
equal(rows(c, LEDGER), past.ledger, 'another name: the ledger is the same')
equal(names(undone(c, REFRESH, (KEPT, 2))), names(past.session),
      'another name: a session keeps its room and identity')
rooms = past.rooms_of_newcomers(c)
equal([id for id in rooms if rooms[id] == past.rooms[id]], [],
      'another name: who comes later gets another room')
rows(c, 'BEGIN')
room = value(c, 'SELECT vidtoken.vidtoken_reset_room(%s)', (KEPT,))
equal([record(c, statement, (KEPT, user))['room_name'] for statement, user in
       ((REFRESH, 2), (ISSUE, 3), (REFRESH, 4))], [room] * 3,
      'another name: a reset brings all together')
rows(c, 'ROLLBACK')
c.close()
new.drop(past.name)
rows(new.admin, 'ALTER DATABASE %s RENAME TO %s' % (other, past.name))
c = new.connect(past.name)
equal(past.rooms_of_newcomers(c), past.rooms,
      'and so does the name of before')
c.close()

#
# Without the keyring, with another one, and with a copy
#

elsewhere = os.path.join(HOME, 'elsewhere.json')
rows(new.admin, 'ALTER DATABASE %s SET vidtoken.keyring = %%s' % past.name,
     (elsewhere,))
c = new.connect(past.name)
got = refused(c, ISSUE, (KEPT, 2), 'F0000', '',
              'no keyring: nothing is issued')
like(got.message_hint, r'vidtoken_check\(\)', 'no keyring: with a hint')
ok('error' in [row[1] for row in rows(c, 'SELECT * FROM '
                                      'vidtoken.vidtoken_check()')
               if row[0] == 'keyring'], 'no keyring: vidtoken_check tells')
equal(rows(c, LEDGER), past.ledger, 'no keyring: the ledger is there')
equal(undone(c, 'SELECT vidtoken.vidtoken_revoke(%s, 2) AS barred', (KEPT,)),
      {'barred': True}, 'no keyring: bars can be set')
c.close()
past.write_keyring({'keys': [
    oct_key('SKtest', b'a secret that the new server has made'),
    oct_key('name-new', b'another secret, of the new name key',
            vidtoken_use='name')]}, elsewhere)
c = new.connect(past.name)
equal(names(undone(c, REFRESH, (KEPT, 2))), names(past.session),
      'another keyring: a session keeps its room and identity')
rooms = past.rooms_of_newcomers(c)
equal([id for id in rooms if rooms[id] == past.rooms[id]], [],
      'another keyring: who comes later gets another room')
equal(value(c, 'SELECT valid FROM vidtoken.vidtoken_verify(%s)',
            (past.tokens[0],)), False,
      'another keyring: tokens of before are not good')
for parameters in BARRED:
    refused(c, ISSUE, parameters, 'PT410', 'revoked',
            'another keyring: who was barred is refused: %s' % (parameters,))
c.close()
past.write_keyring(keyring(), elsewhere)
c = new.connect(past.name)
equal(past.rooms_of_newcomers(c), past.rooms,
      'a copy of the keyring: the same rooms')
c.close()
new.drop(past.name)

#
# The data alone, into a database that has the extension
#

new.create(past.name)
equal(new.restore(schema, past.name), (0, []), 'schema only: it restores')
past.settings_again(new)
c = new.connect(past.name)
equal(rows(c, LEDGER), [], 'schema only: the ledger is empty, bars are lost')
c.close()
equal(new.restore(data, past.name), (0, []), 'data only: it restores')
same_clinic(past, new, 'data only')
code, errors = new.restore(data, past.name, stop=False)
ok(any('"vidtoken_session_pkey"' in error for error in errors),
   'data only: a ledger that is not empty does not take it')
c = new.connect(past.name)
equal(rows(c, LEDGER), past.ledger, 'and stays as it is')
c.close()

#
# The whole server
#

new.clear()
equal(new.restore(everything, 'postgres', stop=False)[1],
      ['role "postgres" already exists'], 'pg_dumpall: it restores')
c = new.connect(past.name)
equal(rows(c, STORED), past.stored, 'pg_dumpall: the settings have travelled')
c.close()
same_clinic(past, new, 'pg_dumpall')
for one in small:
    one.same(new)

with open(os.path.join(new.directory, 'log'), 'rb') as file:
    unlike(file.read().decode('utf-8', 'replace'),
           r'terminated by signal|PANIC:|TRAP:|invalid memory|leaked|leak:',
           'the new server has nothing to report')
new.remove()

#
# Another major version, where there is one
#


def other_version():
    """Major version and programs of a server that vidtoken is installed for:
    the next one up, else the next one down.
    """
    own = value(past.admin, "SELECT current_setting('server_version_num')"
                '::int / 10000')
    share = must(os.environ['PG_CONFIG'], '--sharedir')
    there = {}
    for path in glob.glob(re.sub(r'/%d(?=/|$)' % own, '/*', Server.bindir)):
        number = re.search(r'/(\d+)/bin', path)
        if number and os.path.exists(os.path.join(path, 'initdb')) and \
                os.path.exists(os.path.join(
                    re.sub(r'/%d(?=/|$)' % own, '/' + number.group(1), share),
                    'extension', 'vidtoken.control')):
            there[int(number.group(1))] = path
    for number in sorted(there):
        if number > own:
            return own, number, there[number]
    for number in sorted(there, reverse=True):
        if number < own:
            return own, number, there[number]
    return own, None, None


own, version, bindir = other_version()
if version is None:
    skip('a dump for another major version',
         'vidtoken is installed for no other here')
else:
    what = '%d to %d' % (min(own, version), max(own, version))
    server = NewServer('other', bindir)
    if version < own:
        past = Past(server)
        server = NewServer('new')
    # the programs of the newer one, as PostgreSQL's documentation advises
    file = dump('pg_dumpall, ' + what, 'pg_dumpall', by=server)
    equal(found(secrets, dumps['pg_dumpall, ' + what]), [],
          'neither key nor token in it')
    equal(server.restore(file, 'postgres', stop=False)[1],
          ['role "postgres" already exists'], what + ': it restores')
    same_clinic(past, server, what)

done_testing()
