#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# Dump and restore into a newer version of the server.
#
# The directory that VIDTOKEN_DUMPS names has a directory for each older
# version, with the dumps that its own programs made and what has to be there
# after a restore.  Its server still runs, so that the programs of this version
# dump it as well, which is how PostgreSQL's documentation advises to upgrade.
# Sessions, bars, reset rooms and rights are then in this version as they were
# in the older one, and calls go on.
#
# After that this script leaves dumps of its own there, and keeps its server
# until the directory has a file "end".  See test/matrix, which runs it in one
# version after the other; without VIDTOKEN_DUMPS there is nothing to restore.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/037_new_version.t

import os
import pickle
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

TOP = os.environ.get('VIDTOKEN_DUMPS')
if not TOP:
    print('1..0 # SKIP no server of an older version is here')
    sys.exit()

# Whatever ends this script, what it registered for its end is run.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda received, frame: sys.exit(128 + received))

need_server('autovacuum=off', own=True)

from past import *      # which looks at the server it is in

RESTORED = ['role "postgres" already exists']

# A server with a later security update keeps a parameter of its own with each
# column; pg_dump without that update takes it for the user's, and no server
# without it knows it.  Nothing else may go wrong.
UNKNOWN = 'unrecognized parameter "pg_attver"'


def calls_go_on(past, server, what):
    """Calls, bars and resets after a restore; all of it is committed."""
    what += ': '
    c = server.connect(past.name)
    room = past.session['room_name']
    equal([names(record(c, REFRESH, (KEPT, 2))),
           record(c, ISSUE, (KEPT, 3))['room_name'],
           record(c, REFRESH, (KEPT, 4))['room_name']],
          [names(past.session), room, room],
          what + 'three meet in the room of before')
    equal(value(c, 'SELECT vidtoken.vidtoken_revoke(%s, 4)', (KEPT,)), True,
          what + 'one of them is barred')
    refused(c, REFRESH, (KEPT, 4), 'PT410', 'revoked',
            what + 'and has no other token')
    other = value(c, 'SELECT vidtoken.vidtoken_reset_room(%s)', (RESET,))
    ok(other not in (past.rooms[RESET], room, None),
       what + 'a room that was reset is reset again')
    equal([record(c, REFRESH, (RESET, 2))['room_name'],
           record(c, ISSUE, (RESET, 3))['room_name']], [other] * 2,
          what + 'and they meet in the new one')
    equal(value(c, 'SELECT vidtoken.vidtoken_reinstate(%s, 2)', (NAMED,)),
          True, what + 'who was barred before is let in again')
    equal(record(c, ISSUE, (NAMED, 2))['user_identity'], 'kept',
          what + 'under the identity of before')
    equal(rows(c, 'SELECT appointment_id, user_id, issue_count, refresh_count '
               'FROM vidtoken.vidtoken_sessions WHERE revoked_at IS NULL AND '
               "appointment_id IN ('%s', '%s', '%s') ORDER BY 1, 2"
               % (KEPT, NAMED, RESET)),
          [(str(KEPT), '2', 1, 3), (str(KEPT), '3', 1, 0),
           (str(NAMED), '2', 2, 0),
           (str(RESET), '2', 1, 1), (str(RESET), '3', 1, 0)],
          what + 'the ledger counts on')
    c.close()


def take(directory, new, what):
    """All dumps of one older version."""
    def path(name):
        return os.path.join(directory, name)

    with open(path('memory'), 'rb') as file:
        memory = pickle.load(file)
    past = Memory(memory['clinic'])
    old = Server()
    old.directory = memory['directory']

    equal(new.restore(path('roles'), 'postgres', stop=False)[1], RESTORED,
          what + ', roles: they restore')
    new.create(past.name)
    equal(new.restore(path('plain'), past.name), (0, []),
          what + ', plain: it restores')
    past.settings_again(new)
    same_clinic(past, new, what + ', plain')
    calls_go_on(past, new, what + ', plain')
    new.drop(past.name)

    run = new.run('pg_restore', '--create', '-d', 'postgres', path('custom'))
    equal((run.returncode, run.stderr.decode()), (0, ''),
          what + ', custom: it restores')
    same_clinic(past, new, what + ', custom')
    calls_go_on(past, new, what + ', custom')
    new.clear()

    equal(version(old.connect('postgres')), memory['version'],
          what + ': the old server is the old version')
    file = os.path.join(HOME, 'everything')
    run = old.run('pg_dumpall', '-f', file)
    equal((run.returncode, run.stderr.decode()), (0, ''),
          what + ', pg_dumpall of the new: it dumps')
    equal([error for error in new.restore(file, 'postgres', stop=False)[1]
           if error != UNKNOWN], RESTORED,
          what + ', pg_dumpall of the new: it restores')
    same_clinic(past, new, what + ', pg_dumpall of the new')
    calls_go_on(past, new, what + ', pg_dumpall of the new')
    new.clear()


def leave(directory):
    """Dumps of this version, for later ones."""
    past = Past()
    os.mkdir(directory + '.new')
    for name, *command in (('roles', 'pg_dumpall', '--globals-only'),
                           ('plain', 'pg_dump', past.name),
                           ('custom', 'pg_dump', '-Fc', past.name)):
        run = past.server.run(*command, '-f',
                              os.path.join(directory + '.new', name))
        equal((run.returncode, run.stderr.decode()), (0, ''),
              '%s: %s' % (version(past.admin), ' '.join(command)))
    with open(os.path.join(directory + '.new', 'memory'), 'wb') as file:
        pickle.dump({'version': version(past.admin), 'directory': HOME,
                     'clinic': past.remembered()}, file, protocol=4)
    os.rename(directory + '.new', directory)


def version(connection):
    return connection.server_version // 10000


admin = connect('postgres')
own = version(admin)
admin.close()
older = sorted(int(name) for name in os.listdir(TOP)
               if name.isdigit() and int(name) < own)
if older:
    new = NewServer('new')
    for number in older:
        take(os.path.join(TOP, str(number)), new, '%d to %d' % (number, own))
    new.remove()
leave(os.path.join(TOP, str(own)))
ok(wait_until(lambda: os.path.exists(os.path.join(TOP, 'end')), 1800),
   'later versions have been there')
done_testing()
