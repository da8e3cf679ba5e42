#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# The snippets of doc/drivers.md, run as they stand.
#
# Each has to give the grant of an appointment, and tell refusals from other
# errors, with ids of every type that its driver may send.  Drivers that are
# not here are skipped by name.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/043_doc_snippets.t

import datetime
import importlib
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import threading
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

JAR = '/usr/share/java/postgresql.jar'
UUID = uuid.UUID('6f0c3c3e-2f0a-4a53-9a36-1c8f35d4f4a7')

need_server()
clinic = Clinic('snippets')
clinic.set('search_path', 'vidtoken')
admin = clinic.connect()
rows(admin, """
CREATE VIEW clinic.by_uuid AS
SELECT %s::uuid AS appointment_id, 2 AS user_id, now() AS starts_at,
       interval '1 hour' AS duration
""", (str(UUID),))

with open(os.path.join(ROOT, 'doc', 'drivers.md')) as file:
    snippets = {heading: code for heading, code in re.findall(
        r'^## ([^\n]*)\n+```\w+\n(.*?)^```$', file.read(), re.M | re.S)}
equal(sorted(snippets), ['JDBC', 'psycopg 3', 'psycopg2'],
      'one snippet a driver')

IDS = ((47, 2), ('47', '2'), ('47', 2))
REFUSALS = ((46, 404, 'not_found'), (98, 425, 'too_early'),
            (99, 410, 'cancelled'), (100, 410, 'ended'))


def python_tests(name, module):
    try:
        driver = importlib.import_module(module)
    except ImportError:
        return skip(name, 'python3-%s is not here' % module)
    code = {}
    exec(snippets[name], code)
    connection = driver.connect(dbname=clinic.name)
    call = code['video_token']

    for ids in IDS:
        status, grant = call(connection, *ids)
        equal((status, grant['user_identity'], grant['appointment_id'],
               grant['expires_in']), (200, '2-jane@example.com', 47, 5400),
              '%s: a grant, with ids %r' % (name, ids))
    equal(type(grant['expires_at']), datetime.datetime, name + ': its times')
    like(grant['expires_at'].isoformat(),
         r'\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00\Z',
         name + ': and how they are written')
    equal(value(admin, "SELECT issue_count FROM vidtoken_session "
                "WHERE appointment_id = '47' AND user_id = '2'") >= len(IDS),
          True, name + ': the session is committed')
    with connection.cursor() as cursor:
        cursor.execute('SELECT 1')      # who has logged in, say
    number = new_appointment(admin)
    equal((call(connection, number, 2)[0], len(ledger_rows(admin, number))),
          (200, 1), name + ': committed, also after another statement')
    for appointment_id, status, reason in REFUSALS:
        got, body = call(connection, appointment_id, 2)
        equal((got, body['reason']), (status, reason),
              '%s: %s is told with %d' % (name, reason, status))
    try:
        call(connection, None, 2)
        error = None
    except driver.Error as raised:
        error = raised
    equal(getattr(error, 'sqlstate', None) or getattr(error, 'pgcode', None),
          '22004', name + ': other errors are raised')
    equal(call(connection, 47, 2)[0], 200, name + ': and the next call works')
    connection.close()

    rows(clinic.admin, "ALTER DATABASE %s SET vidtoken.source = "
         "'clinic.by_uuid'" % clinic.name)
    connection = driver.connect(dbname=clinic.name)
    ids = [str(UUID)] if module == 'psycopg2' else [str(UUID), UUID]
    if module == 'psycopg2':
        importlib.import_module('psycopg2.extras').register_uuid()
        ids.append(UUID)
    for given in ids:
        equal(call(connection, given, 2)[1]['appointment_id'], str(UUID),
              '%s: a key that is a %s' % (name, type(given).__name__))
    connection.close()
    clinic.set('vidtoken.source', 'clinic.video_source')


class Relay(threading.Thread):
    """A TCP port before the server's socket: JDBC knows no other way."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect('%s/.s.PGSQL.%s' % (os.environ['PGHOST'],
                                               os.environ['PGPORT']))
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self.copy, args=ends,
                                 daemon=True).start()

    @staticmethod
    def copy(source, target):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass                        # the other side has gone


# Calls the snippet's method, and prints what came of it as JSON lines.
JAVA_MAIN = """
import java.sql.*;
import java.util.*;

public class Main {
    static Object typed(String id) {
        String value = id.substring(1);
        return switch (id.charAt(0)) {
            case 'i' -> Integer.valueOf(value);
            case 'l' -> Long.valueOf(value);
            case 'u' -> UUID.fromString(value);
            default -> value;
        };
    }

    public static void main(String[] args) throws Exception {
        try (Connection connection = DriverManager.getConnection(args[0])) {
            for (int i = 1; i < args.length; i += 2) {
                try {
                    VideoToken.Grant grant = VideoToken.issue(connection,
                        typed(args[i]), typed(args[i + 1]));
                    System.out.printf("200 %s %s %d %s%n",
                        grant.userIdentity(), grant.roomName(),
                        grant.expiresIn(), grant.expiresAt());
                } catch (VideoToken.Refused refusal) {
                    System.out.println(refusal.status + " "
                        + refusal.detail);
                } catch (SQLException error) {
                    System.out.println("error " + error.getSQLState());
                }
            }
        }
    }
}
"""


def jdbc_tests():
    if shutil.which('javac') is None or shutil.which('java') is None:
        return skip('JDBC', 'a JDK is not here')
    if not os.path.exists(JAR):
        return skip('JDBC', 'libpostgresql-jdbc-java is not here')
    with tempfile.TemporaryDirectory(prefix='vidtoken.') as directory:
        for name, code in (('VideoToken', snippets['JDBC']),
                           ('Main', JAVA_MAIN)):
            with open(os.path.join(directory, name + '.java'), 'w') as file:
                file.write(code)
        run = program('javac', '-cp', JAR, '-Xlint:all,-serial',
                      'VideoToken.java', 'Main.java', cwd=directory)
        equal((run.returncode, run.stderr.decode()), (0, ''),
              'JDBC: the snippet compiles, without a warning')

        def call(*ids):
            run = program('java', '-cp', directory + ':' + JAR, 'Main',
                          'jdbc:postgresql://127.0.0.1:%d/%s?user=%s'
                          % (relay.port, clinic.name, os.environ['PGUSER']),
                          *ids)
            if run.returncode != 0:
                diag(run.stderr.decode())
            return run.stdout.decode().splitlines()

        relay = Relay()
        ids = (('i47', 'i2'), ('l47', 'l2'), ('s47', 's2'), ('i47', 's2'))
        answers = call(*sum(ids, ()),
                       *sum((('i%d' % id, 'i2') for id, _, _ in REFUSALS),
                            ()), 's', 'i2')
        for given, answer in zip(ids, answers):
            like(answer, r'\A200 2-jane@example\.com apt-47-\w{13} 5400 '
                 r'\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z\Z',
                 'JDBC: a grant, with ids %s' % ' '.join(given))
        for (_, status, reason), answer in zip(REFUSALS, answers[len(ids):]):
            code, _, detail = answer.partition(' ')
            equal((code, json.loads(detail)['reason']), (str(status), reason),
                  'JDBC: %s is told with %d' % (reason, status))
        rows(clinic.admin, 'ALTER DATABASE %s SET vidtoken.keyring = %%s'
             % clinic.name, ('/nowhere',))
        equal(call('i47', 'i2'), ['error F0000'],
              'JDBC: other errors are thrown')
        clinic.set('vidtoken.keyring', clinic.keyring_path)
        clinic.set('vidtoken.source', 'clinic.by_uuid')
        for given in ('u%s' % UUID, 's%s' % UUID):
            like(''.join(call(given, 'i2')), r'\A200 ',
                 'JDBC: a key that is a %s'
                 % ('UUID' if given[0] == 'u' else 'String'))
        clinic.set('vidtoken.source', 'clinic.video_source')


python_tests('psycopg 3', 'psycopg')
python_tests('psycopg2', 'psycopg2')
jdbc_tests()
done_testing()
