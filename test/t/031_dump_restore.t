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
# what was added to them.  Into a newer version: see 037_new_version.t.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/031_dump_restore.t

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

from past import *      # which looks at the server it is in


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
equal(past.owners, [(past.keeper,)] * len(TABLES), 'the ledger has an owner of its own')
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


def dump(what, name, *arguments):
    """Runs pg_dump or pg_dumpall on the old server."""
    file = os.path.join(HOME, 'dump.%d' % len(dumps))
    run = past.server.run(name, '-f', file, *arguments)
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

done_testing()
