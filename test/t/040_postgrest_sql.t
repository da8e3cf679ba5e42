#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# The API of examples/postgrest, as the SQL that PostgREST makes of requests.
#
# The script of the example installs it.  Each request runs as the
# authenticator that becomes another role for one transaction, and each refusal
# has its SQLSTATE and the status that PostgREST makes of it.  Of the rights
# that the script grants, none may be missing and none may be taken away.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/040_postgrest_sql.t

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

import psycopg2

from api import *
from postgrest import Sql

need_server()

#
# The whole of it: both forms of a GET, both kinds of keys, both ways of
# guarding the appointments, and names that need quotes
#


def transport(practice, version=13):
    return Sql(practice.database.name, practice.variables['authenticator'],
               practice.variables['web_anon'], practice.variables['api'],
               version)


plain = Practice(Clinic('rest'))
# Before 15 both have the condition in the view.
POLICIES = plain.admin.server_version >= 150000
plain_suite = Suite('v13', plain, transport(plain))
plain_suite.run()
other = Clinic('rest_uuid')
named = Practice(other, 'uuid', keeper=other.create_role('keeper', 'NOLOGIN'),
                 rls='false', api='Web "API"',
                 clinic='The "clinic"', webhooks='livekit , twilio',
                 **{role: '%s %s "r"' % (other.name, role) for role in (
                     'authenticator', 'web_anon', 'web_user',
                     'sessions_owner')})
named_suite = Suite('v12, UUIDs, a view with the condition', named,
                    transport(named, 12))
named_suite.run()
BOTH = (plain_suite, named_suite)

#
# The README's JWT
#

with open(os.path.join(EXAMPLE, 'README.md')) as file:
    block = re.search(r'```sh\n(.*?)```', file.read(), re.DOTALL).group(1)
secret = os.path.join(plain.database.directory, 'jwt-secret')
with open(secret, 'w') as file:
    file.write('a secret of the API alone, of some length\n')
made = program('bash', '-c', block.replace('/etc/postgrest/jwt-secret', secret)
               + '\njwt 2')
said = jwt.decode(made.stdout.decode().strip(),
                  'a secret of the API alone, of some length',
                  algorithms=['HS256'], audience='clinic-api')
plain_suite.equal(
    (made.stderr, said['role'], said['sub'], 3500 < said['exp'] - time.time()),
    (b'', 'web_user', '2', True), 'the README\'s lines make a JWT')

#
# The README's lines of pg_ident.conf and pg_hba.conf, where a user of the
# system is the role of the same name alone, as on Debian
#

name, role = plain.database.name, plain.variables['authenticator']
with open(os.path.join(EXAMPLE, 'README.md')) as file:
    lines = re.findall(r'^    ((?:postgrest|local)  .*)$', file.read(), re.M)
with open(os.path.join(EXAMPLE, 'postgrest.conf')) as file:
    address = re.search(r'^db-uri = "(.*)"', file.read(), re.M).group(1)
address = address.replace('/clinic?', '/%s?' % name).replace(
    'authenticator', role).replace('/run/postgresql', '%s&port=%s' % (
        os.environ['PGHOST'], os.environ['PGPORT']))
ident, local = (line.replace(' authenticator', ' ' + role)
                .replace(' clinic ', ' %s ' % name) for line in lines)
own_ident = re.sub(r'^postgrest(\s+)postgrest', r'postgrest\1%s'
                   % program('id', '-un').stdout.decode().strip(), ident)
before = {}
for setting in ('hba_file', 'ident_file'):
    path = value(plain.admin, 'SHOW ' + setting)
    with open(path) as file:
        before[path] = file.read()


def put_before(*texts):
    """Lines before those that the files had."""
    for (path, text), more in zip(before.items(), texts):
        with open(path, 'w') as file:
            file.write((more and more + '\n') + text)
    rows(plain.admin, 'SELECT pg_reload_conf()')


def psql_says(text, hba, ident=''):
    """Whether psql comes to say so, at the address of postgrest.conf."""
    put_before('%s\nlocal %s all peer' % (hba, name), ident)

    def says():
        run = program('psql', '-XAt', '-d', address, '-c',
                      'SELECT session_user')
        return text in (run.stdout + run.stderr).decode()

    return wait_until(says)


atexit.register(put_before, '', '')
REFUSED = 'Peer authentication failed'
plain_suite.equal(psql_says(REFUSED, ''), True,
                  'no user of the system is the authenticator')
plain_suite.equal(psql_says(role + '\n', local, own_ident), True,
                  'but whom the README\'s lines let in, without a password')
plain_suite.equal(psql_says(REFUSED, local, ident), True, 'and nobody else')
put_before('', '')
atexit.unregister(put_before)

#
# Without a proxy
#

answer = plain_suite.deliver(livekit_event(
    'room_started', plain_suite.room + 'x', header='Authorization'),
    'livekit')
plain_suite.equal(plain_suite.answers(answer, 'livekit as it comes'),
                  {'result': 'accepted'}, 'Authorization need not be moved')
got = plain_suite.transport.request(
    'GET', 'video_token', claims=plain.claims(2),
    query={'appointment_id': '47', 'select': 'access_token'})
plain_suite.refuses(got, 404, 'PGRST202', '',
                    'what is no argument finds no function')

#
# The same script again, and what it leaves
#

CATALOG = """
SELECT pg_get_functiondef(p.oid) || coalesce(obj_description(p.oid), '')
  FROM pg_proc AS p WHERE p.pronamespace = %(api)s::regnamespace
UNION ALL
SELECT c.oid::regclass || pg_get_viewdef(c.oid)
       || coalesce(c.reloptions::text, '') || c.relowner::regrole
  FROM pg_class AS c WHERE c.relkind = 'v' AND c.relnamespace IN
       (%(api)s::regnamespace, %(clinic)s::regnamespace)
UNION ALL
SELECT p::text FROM pg_policies AS p
"""
# Of each right: its holder, and what comes between GRANT and TO.
RIGHTS = """
SELECT a.grantee::regrole::text, o.subject
  FROM (SELECT format('%%s ON SCHEMA %%s', a.privilege_type,
                      n.oid::regnamespace), a.grantee, n.nspowner
          FROM pg_namespace AS n, aclexplode(n.nspacl) AS a
        UNION ALL
        SELECT format('%%s ON %%s', a.privilege_type, c.oid::regclass),
               a.grantee, c.relowner
          FROM pg_class AS c, aclexplode(c.relacl) AS a
        UNION ALL
        SELECT format('%%s (%%I) ON %%s', a.privilege_type, t.attname,
                      t.attrelid::regclass), a.grantee, 0
          FROM pg_attribute AS t, aclexplode(t.attacl) AS a
        UNION ALL
        SELECT format('%%s ON FUNCTION %%s', a.privilege_type,
                      p.oid::regprocedure), a.grantee, p.proowner
          FROM pg_proc AS p, aclexplode(p.proacl) AS a
        UNION ALL
        SELECT m.roleid::regrole::text, m.member, 0
          FROM pg_auth_members AS m) AS o (subject, grantee, owner)
 CROSS JOIN LATERAL (SELECT o.grantee) AS a
 WHERE o.grantee IN (SELECT oid FROM pg_roles WHERE rolname = ANY (%(roles)s))
   AND o.grantee <> o.owner
 ORDER BY 1, 2
"""


def parameters(practice):
    names = practice.variables
    return {'api': quote(names['api']), 'clinic': quote(names['clinic']),
            'roles': [names[role] for role in (
                'authenticator', 'web_anon', 'web_user', 'sessions_owner')]}


def state(practice):
    return [sorted(rows(practice.admin, query, parameters(practice)))
            for query in (CATALOG, RIGHTS)]


for suite in BOTH:
    before = state(suite.practice)
    suite.practice.install()
    suite.equal(state(suite.practice), before,
                'run again, the script changes nothing')
    suite.answers(suite.call('video_token', 2, 47),
                  'and the API goes on answering')
    suite.equal(rows(suite.practice.admin, """
SELECT p.oid::regprocedure::text FROM pg_proc AS p
 WHERE p.pronamespace = %(api)s::regnamespace AND p.prosecdef
UNION ALL
SELECT p.oid::regprocedure::text FROM pg_proc AS p,
       aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
 WHERE p.pronamespace = %(api)s::regnamespace AND a.grantee = 0
UNION ALL
SELECT c.oid::regclass::text FROM pg_class AS c, aclexplode(c.relacl) AS a
 WHERE c.relnamespace = %(api)s::regnamespace AND a.grantee = 0
UNION ALL
SELECT n.oid::regnamespace::text FROM pg_namespace AS n,
       aclexplode(n.nspacl) AS a
 WHERE n.oid = %(api)s::regnamespace AND a.grantee = 0
""", parameters(suite.practice)), [],
                'nothing runs as another, nothing is everybody\'s')
    suite.equal(rows(suite.practice.admin, """
SELECT rolname FROM pg_roles WHERE rolname = ANY (%(roles)s)
   AND (rolsuper OR rolinherit AND rolcanlogin OR rolcreaterole
        OR rolcreatedb OR rolbypassrls OR rolreplication)
""", parameters(suite.practice)), [], 'no role may do more than was granted')

#
# Every right is needed
#


def probe(suite):
    """The answers that have to be there: each 2xx."""
    wrong = []
    for name, answer in (
            ('token', suite.call('video_token', 2, 47)),
            ('refresh', suite.call('video_token_refresh', 2, 47)),
            ('status', suite.call('video_status', 2, 47, 'GET')),
            ('quality', suite.report(2, 47, {'quality': 3})),
            ('sessions', suite.sessions(suite.practice.claims(2))),
            ('twilio', suite.deliver(twilio_event('room-created',
                                                  suite.room))),
            ('livekit', suite.deliver(livekit_event('room_started',
                                                    suite.room), 'livekit'))):
        if answer.status >= 300:
            wrong.append((name, answer.status, answer.code))
    return wrong


for suite in BOTH:
    suite.equal(probe(suite), [], 'with all rights everything is answered')
    admin = suite.practice.admin
    rights = rows(admin, RIGHTS, parameters(suite.practice))
    suite.equal(len(rights) > 20, True, 'there are rights to take away')
    for holder, subject in rights:
        rows(admin, 'REVOKE %s FROM %s' % (subject, holder))
        wrong = probe(suite)
        rows(admin, 'GRANT %s TO %s' % (subject, holder))
        # a function in a schema that may not be used is not found
        ok(wrong and {(status, code) for _, status, code in wrong}
           <= {(401, '42501'), (403, '42501'), (404, '42883')},
           '%s: %s is needed by %s' % (suite.what, subject, next(
               role for role, name in suite.practice.variables.items()
               if holder in (name, quote(name)))))
        diag(', '.join('%s %d' % one[:2] for one in wrong) or 'by nothing')
    suite.equal(probe(suite), [], 'and with all of them again')

#
# Who types SQL has no more than through the API
#


def alone(practice, role, user, statement):
    """The refusal of a statement under the role, with the user's claims."""
    connection = connect(practice.database.name,
                         practice.variables['authenticator'])
    rows(connection, 'BEGIN')
    if role is not None:
        rows(connection, 'SET LOCAL ROLE ' + quote(practice.variables[role]))
    rows(connection, "SELECT set_config('request.jwt.claims', %s, true)",
         (json.dumps(practice.claims(user)),))
    try:
        return rows(connection, statement)
    except psycopg2.Error as error:
        return Refusal(error).sqlstate
    finally:
        connection.close()


for suite in BOTH:
    practice, api = suite.practice, suite.practice.api_name()
    clinic = quote(practice.variables['clinic'])
    for what, role, statement in (
            ('a user, a token for another', 'web_user',
             "SELECT * FROM vidtoken.vidtoken_issue('%s', '%s')"
             % (practice.id(47), practice.id(1))),
            ('a user, all sessions', 'web_user',
             'SELECT * FROM vidtoken.vidtoken_sessions'),
            ('a user, the ledger', 'web_user',
             'SELECT * FROM vidtoken.vidtoken_session'),
            ('a user, a bar lifted', 'web_user',
             "SELECT vidtoken.vidtoken_reinstate('%s', '%s')"
             % (practice.id(47), practice.id(2))),
            ('a user, a provider\'s report', 'web_user',
             "SELECT * FROM vidtoken.vidtoken_webhook('twilio', '', '{}')"),
            ('a user, an appointment moved', 'web_user',
             'UPDATE %s.appointments SET starts_at = now()' % clinic),
            ('a user, a function of the API\'s schema', 'web_user',
             "CREATE FUNCTION %s.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"
             % api),
            ('nobody, a token', 'web_anon',
             "SELECT * FROM vidtoken.vidtoken_issue('%s')" % practice.id(47)),
            ('nobody, the sessions', 'web_anon',
             'SELECT * FROM %s.video_sessions' % api),
            ('nobody, the appointments', 'web_anon',
             'SELECT * FROM %s.video_source' % clinic),
            ('PostgREST without a role, a token', None,
             "SELECT * FROM %s.video_token('%s')" % (api, practice.id(47))),
            ('PostgREST without a role, the appointments', None,
             'SELECT * FROM %s.video_source' % clinic)):
        suite.equal(alone(practice, role, 2, statement), '42501',
                    'refused: ' + what)
    suite.equal(alone(practice, 'web_user', 3,
                      'SELECT appointment_id::text, user_id::text '
                      'FROM %s.video_source ORDER BY 2' % clinic),
                [(str(practice.id(48)), str(practice.id(user)))
                 for user in (1, 3)],
                'a user sees who takes part in the own appointments')
    # A function that an application may have: cheap, so that it is called
    # before other conditions, and it tells what it sees.
    rows(practice.admin, """
CREATE FUNCTION public.tells(id anyelement) RETURNS boolean
LANGUAGE plpgsql COST 0.0001 AS $$
BEGIN
    IF id::text = %s THEN RAISE division_by_zero; END IF;
    RETURN true;
END $$""", (str(practice.id(48)),))
    leak = """
SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;
SELECT count(*) FROM %s WHERE public.tells(appointment_id)"""
    for what, relation, own in (
            ('sessions', api + '.video_sessions', 1),
            ('appointments', clinic + '.video_source', 8)):
        suite.equal(alone(practice, 'web_user', 3, leak % relation), '22012',
                    'a condition sees the own %s (the control)' % what)
        suite.equal(alone(practice, 'web_user', 2, leak % relation), [(own,)],
                    'and no others')
suite = plain_suite
rows(plain.admin, 'ALTER TABLE practice.appointments ADD notes text')
suite.equal(alone(plain, 'web_user', 3,
                  'SELECT id FROM practice.appointments'),
            [(48,)] if POLICIES else '42501',
            'of the table a user sees the own rows, or none')
suite.equal(alone(plain, 'web_user', 3,
                  'SELECT notes FROM practice.appointments'), '42501',
            'but no column that the source does not read')
named_suite.equal(rows(named.admin, """
SELECT v.relowner = t.relowner, r.rolsuper
  FROM pg_class AS v
  JOIN pg_class AS t USING (relnamespace)
  JOIN pg_roles AS r ON r.oid = v.relowner
 WHERE v.relname = 'video_source' AND t.relname = 'appointments'
   AND v.relnamespace = %(clinic)s::regnamespace
""", parameters(named)), [(True, False)],
    'a view with the condition reads as the table\'s owner, no superuser')
for suite in BOTH:
    suite.equal({one.name for one in suite.transport.functions
                 if not one.volatile}, {'video_status'},
                'what does not write says so')
suite = plain_suite

#
# What was forgotten
#

admin = plain.admin
suite.refuses(suite.get('video_status', plain.claims(2, sub='jane'),
                        appointment_id='47'), 400, '22P02', '',
              'a sub that is no id cannot be compared with one')
if POLICIES:
    rows(admin, 'DROP POLICY video_participant ON practice.appointments')
    suite.refuses(suite.call('video_token', 2, 47), 404, 'PT404', 'not_found',
                  'without the policy there is no appointment')
plain.install()
suite.answers(suite.call('video_token', 2, 47), 'the script makes it again')
plain.database.set('vidtoken.source', '')
suite.transport.close()
suite.transport = transport(plain)
suite.refuses(suite.call('video_token', 2, 47), 500, 'F0000', '',
              'without the setting source nothing is issued')
plain.database.set('vidtoken.source', 'practice.video_source')
plain.database.set('vidtoken.public_url', '')
suite.transport.close()
suite.transport = transport(plain)
body, headers = twilio_event('participant-connected', suite.room,
                             ParticipantSid='PA2', ParticipantIdentity='x')
suite.refuses(suite.deliver((body, headers)), 500, 'F0000', '',
              'an address that nobody knows')
headers['X-Vidtoken-Url'] = CALLBACK
suite.equal(suite.answers(suite.deliver((body, headers)),
                          'an address that the proxy knows'),
            {'result': 'accepted'}, 'is that which was signed')
headers['X-Vidtoken-Url'] = CALLBACK + 'x'
suite.refuses(suite.deliver((body, headers)), 401, '42501', '', 'or is not')
plain.database.write_keyring(keyring())
suite.transport.close()
suite.transport = transport(plain)
suite.answers(suite.call('video_token', 2, 47), 'with it, it is')
suite.refuses(suite.deliver(twilio_event('room-ended', suite.room)), 500,
              'F0000', '', 'without a webhook key no webhook is believed')
done_testing()
