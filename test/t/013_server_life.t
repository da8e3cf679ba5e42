#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# What happens over the life of a server and of a session.
#
# The settings are known from a session's first moment where the library is
# preloaded, and nobody but a superuser changes them.  A keyring is replaced
# while sessions run.  A session that lives long, or fails often, keeps its
# size; after its first call it neither parses nor plans.  Restart and dump
# lose nothing.  The server is never the worse for any of it.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/013_server_life.t

import collections
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

import jwt

# What autovacuum learns of a table makes every session plan anew, at moments of
# its own: the plans that are counted below are made anew by hand.
need_server('autovacuum=off', own=True)
clinic = Clinic('life')
watcher = clinic.connect()
started_at = value(watcher, 'SELECT pg_postmaster_start_time()')

ISSUE = 'SELECT * FROM vidtoken.vidtoken_issue(%s, %s)'


def psql(statement, database=None, user=None):
    """A session of its own, with what it says before its first statement."""
    return program('psql', '-XAtq', '-d', database or clinic.name,
                   *(['-U', user] if user else []), '-c', statement)


#
# Settings
#

user = clinic.create_role('user')
plain = clinic.connect(user)
SETTINGS = 'SELECT name, setting FROM pg_settings WHERE name LIKE %s ORDER BY 1'
settings = rows(plain, SETTINGS, ('vidtoken.%',))
ok(len(settings) > 20, 'preloaded: a new session knows the settings')
equal(value(plain, 'SHOW vidtoken.max_ttl'), '4h', 'preloaded: SHOW works')
equal([name for name, setting in settings
       if refusal(plain, "SELECT set_config(%s, %s, false)",
                  (name, setting)).sqlstate != '42501'], [],
      'a plain user cannot SET any of them, not even to what it is')
equal([name for name, _ in settings
       if refusal(plain, 'SET LOCAL %s TO DEFAULT' % name).sqlstate != '42501'],
      [], 'nor to its default')
if plain.server_version >= 150000:
    refused(plain, "SET vidtoken.max_tll = '1h'", None, '42602', '',
            'a name that is none is refused: the prefix is reserved')
else:
    skip('a name that is none is refused', 'before 15 no prefix is reserved')
got = refusal(plain, "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql "
              "SET vidtoken.max_ttl = '24h' AS 'SELECT 1'")
equal(got.sqlstate, '42501', 'nor can a plain user\'s function')
got = refusal(plain, "ALTER ROLE %s SET vidtoken.max_ttl = '24h'" % user)
equal(got.sqlstate, '42501', 'nor a stored setting of the user\'s own role')
plain.close()

# Options of the connection win over what is stored, before anybody knows that
# they are not the role's to set.
rows(watcher, "ALTER DATABASE %s SET vidtoken.max_ttl = '90min'" % clinic.name)
rows(watcher, 'GRANT USAGE ON SCHEMA vidtoken TO ' + user)
LIFE = "SELECT vidtoken.vidtoken_ttl('300 minutes')::text"


def with_options(*settings, **more):
    return connect(clinic.name, options=' '.join(
        '-c vidtoken.%s=%s' % setting for setting in settings), **more)


for what, preloaded in (('preloaded', True), ('loaded by the first call', False)):
    if not preloaded:
        rows(watcher, 'ALTER DATABASE %s RESET session_preload_libraries'
             % clinic.name)
    session = with_options()
    equal(value(session, LIFE), '01:30:00',
          what + ': what is stored is in force')
    session.close()
    for setting, given in (('max_ttl', '1'), ('user_setting', 'x.y')):
        logged = len(server_log())
        try:
            session = with_options((setting, given), user=user)
            answer = value(session, LIFE)
        except psycopg2.Error:
            answer = None
        equal((answer, b'options was refused' in server_log()[logged:]),
              (None, True),
              '%s: options of a plain user with %s end the session'
              % (what, setting))
    session = with_options(('max_ttl', '2h'))
    equal(value(session, LIFE), '02:00:00', what + ': those of a superuser hold')
    session.close()

# Half of the settings cannot be defined: neither by a cancelled first call, nor
# by one in a parallel query.
broken = collections.Counter()
for number in range(60):
    session = connect(clinic.name, user)
    for name, setting in settings[:15]:
        rows(session, "SELECT set_config('%s', 'x', false)" % name)
    rows(session, 'SET statement_timeout = %d' % (1 + number % 3))
    refusal(session, LIFE)
    # This may be cancelled as well.
    wait_until(lambda: not refusal(session, 'SET statement_timeout = 0').sqlstate)
    broken[refusal(session, LIFE).sqlstate] += 1
    session.close()
equal(dict(broken), {'': 60}, 'a first call that is cancelled spoils nothing')
session = connect(clinic.name, user)
rows(session, 'CREATE FUNCTION pg_temp.life() RETURNS text LANGUAGE plpgsql '
     "PARALLEL SAFE AS $$ BEGIN RETURN vidtoken.vidtoken_ttl('5 hours'); END $$")
for setting in ('parallel_setup_cost', 'parallel_tuple_cost',
                'min_parallel_table_scan_size', 'max_parallel_workers'):
    rows(session, 'SET %s = 0' % setting)
equal(refusal(session, 'SELECT DISTINCT pg_temp.life() FROM pg_class').sqlstate,
      '55000', 'a first call in a parallel query is refused')
equal(value(session, LIFE), '01:30:00', 'and the next knows what is stored')
session.close()
rows(watcher, "ALTER DATABASE %s SET session_preload_libraries = 'vidtoken'"
     % clinic.name)
rows(watcher, 'ALTER DATABASE %s RESET vidtoken.max_ttl' % clinic.name)

bare = clinic.name + '_bare'
rows(clinic.admin, 'CREATE DATABASE %s TEMPLATE template0' % bare)
session = connect(bare, user)
equal(rows(session, SETTINGS, ('vidtoken.%',)), [],
      'not loaded: the settings are unknown')
refused(session, 'SHOW vidtoken.max_ttl', None, '42704', '',
        'not loaded: SHOW fails')
session.close()
setup = connect(bare)
rows(setup, 'CREATE EXTENSION vidtoken')
setup.close()
session = connect(bare, user)
rows(session, "SET vidtoken.max_ttl = '24h'")
equal(str(value(session, "SELECT vidtoken_ttl('300 minutes')")), '4:00:00',
      'not loaded: what a plain user sets then is dropped at the first call')
like(''.join(session.notices), r'WARNING:.*vidtoken\.max_ttl',
     'with a WARNING')
session.close()
rows(clinic.admin, 'DROP DATABASE ' + bare)

IGNORED = ("SELECT message FROM vidtoken.vidtoken_check() "
           "WHERE message LIKE 'stored%'")
for setting, mistyped, default in (
        ('max_ttl', '4 hrs', '4h'), ('expiry_anchor', 'isue', 'issue'),
        ('buffer_before', '-5min', '15min'),
        ('record_sessions', 'perhaps', 'required'),
        ('test_clock', '2026-03-02 10:00 Mars/Phobos', '')):
    # before the library is loaded nobody knows that the value is wrong
    session = connect('postgres')
    rows(session, 'ALTER DATABASE %s SET vidtoken.%s = %%s'
         % (clinic.name, setting), (mistyped,))
    session.close()
    run = psql('SHOW vidtoken.' + setting)
    equal(run.stdout.decode().strip(), default,
          'a mistyped stored %s falls back to the default' % setting)
    like(run.stderr.decode(), r'(?m)^WARNING:.*"vidtoken\.%s"' % setting,
         'with a WARNING')
    like(psql(IGNORED).stdout.decode(), r'not in force: vidtoken\.%s$' % setting,
         'vidtoken_check() tells as well')
    rows(clinic.admin, 'ALTER DATABASE %s RESET vidtoken.%s'
         % (clinic.name, setting))
run = psql('SHOW vidtoken.max_ttl')
equal(run.stderr.decode(), '', 'and none when it is right again')
equal(psql(IGNORED).stdout.decode(), '', 'nor does vidtoken_check() tell of one')

rows(watcher, "SET vidtoken.max_ttl = '2h'")
equal(str(value(watcher, "SELECT vidtoken.vidtoken_ttl('300 minutes')")),
      '2:00:00', 'a superuser changes a setting for the session')
rows(watcher, 'RESET vidtoken.max_ttl')
for change in (('max_ttl', '3h'), ('max_ttl', '4h')):
    rows(clinic.admin, 'ALTER SYSTEM SET vidtoken.%s = %%s' % change[0],
         (change[1],))
    rows(clinic.admin, 'SELECT pg_reload_conf()')
    ok(wait_until(lambda: value(watcher, 'SHOW vidtoken.max_ttl')
                  == change[1]), 'a reload reaches a running session')

# Nobody asks what encoding a configuration file has.
path = os.path.join(os.environ['VIDTOKEN_PGDATA'], 'postgresql.conf')
size = os.path.getsize(path)
with open(path, 'ab') as file:
    file.write(b"vidtoken.server_url = 'wss://m\xfcller.example'\n")
for code in ('F0000', ''):
    rows(clinic.admin, 'SELECT pg_reload_conf()')
    ok(wait_until(lambda: refusal(watcher, ISSUE, (47, 2)).sqlstate == code),
       'a setting of another encoding: ' + (code or 'mended'))
    os.truncate(path, size)

#
# The keyring
#


def signer(connection, secrets):
    """Which of the secrets signed the token that is issued now."""
    token = value(connection, 'SELECT access_token FROM '
                  'vidtoken.vidtoken_issue(47, 2)')
    for name, secret in secrets.items():
        try:
            jwt.decode(token, secret, algorithms=['HS256'])
            return name
        except jwt.InvalidSignatureError:
            pass
    return 'none of them'


NEW_SECRET = b'another secret of the signing key'
SECRETS = {'old': SECRET, 'new': NEW_SECRET}
WARNING = b'could not use the new keyring'

old = clinic.connect()
equal(signer(old, SECRETS), 'old', 'keyring: the old key signs')
clinic.write_keyring(keyring(NEW_SECRET))
replaced = time.monotonic()
begun = []              # when each call began: that it was slow does not count


def is_new():
    begun.append(time.monotonic())
    return signer(old, SECRETS) == 'new'


ok(wait_until(is_new), 'keyring: a new file reaches a running session')
took = begun[-2] - replaced if len(begun) > 1 else 0
ok(took < 1.1, 'keyring: within a second')
diag('the last call with the old key began after %.2f s' % took)

# The same second, the same size, another content: seen all the same.
clinic.write_keyring(keyring(SECRET))
clinic.write_keyring(keyring(NEW_SECRET))
clinic.write_keyring(keyring(SECRET))
time.sleep(1.05)
equal(signer(old, SECRETS), 'old', 'keyring: the last of three in a row counts')
with open(clinic.keyring_path, 'r+b') as file:      # in place: the same inode
    file.write(json.dumps(keyring(NEW_SECRET)).encode())
time.sleep(1.05)
equal(signer(old, SECRETS), 'new', 'keyring: also when it is written in place')

for what, content, before, after in (
        ('broken', b'{"keys": [', 'new', 'old'), ('missing', None, 'old', 'new')):
    logged = server_log().count(WARNING)
    if content is None:
        os.unlink(clinic.keyring_path)
    else:
        clinic.write_keyring(content)
    time.sleep(1.05)
    equal(signer(old, SECRETS), before,
          'keyring %s: a running session goes on' % what)
    new = clinic.connect()
    got = refused(new, ISSUE, (47, 2), 'F0000', '',
                  'keyring %s: a new session is refused' % what)
    like(got.message_hint, r'vidtoken_check\(\)',
         'keyring %s: with a hint where the reason is' % what)
    time.sleep(1.05)
    refusal(old, ISSUE, (47, 2))
    equal(server_log().count(WARNING) - logged, 1,
          'keyring %s: the running session says so in the log, once' % what)
    clinic.write_keyring(keyring(SECRETS[after]))
    time.sleep(1.05)
    equal((signer(old, SECRETS), signer(new, SECRETS)), (after, after),
          'keyring %s: both take up the next that is whole' % what)
    new.close()
clinic.write_keyring(keyring(SECRET))
os.chmod(clinic.keyring_path, 0o644)
time.sleep(1.05)
equal(signer(old, SECRETS), 'new',
      'keyring: one that others may read is not taken up')
os.chmod(clinic.keyring_path, 0o600)
time.sleep(1.05)
equal(signer(old, SECRETS), 'old', 'keyring: until it is for the server alone')

# A pointer to another file, as configuration management makes it
target = os.path.join(clinic.directory, 'target.json')
clinic.write_keyring(keyring(NEW_SECRET), target)
os.symlink(target, clinic.keyring_path + '.link')
os.rename(clinic.keyring_path + '.link', clinic.keyring_path)
time.sleep(1.05)
equal(signer(old, SECRETS), 'new', 'keyring: a symbolic link is followed')
os.unlink(clinic.keyring_path)
clinic.write_keyring(keyring(SECRET))
old.close()

#
# Size
#


def descriptors(connection):
    return len(os.listdir('/proc/%d/fd' % connection.get_backend_pid()))


def errors_in_one_transaction(what, failing):
    """1000 errors, each caught by a savepoint, and the size on the way."""
    session = clinic.connect()
    rows(session, 'BEGIN')
    rows(session, ISSUE, (47, 2))
    sizes = {}
    codes = set()
    for number in range(1, 1001):
        rows(session, 'SAVEPOINT s')
        codes.add(failing(session, number))
        rows(session, 'ROLLBACK TO s')
        rows(session, 'RELEASE s')
        if number in (10, 200, 1000):
            sizes[number] = (memory(session), descriptors(session))
    rows(session, 'COMMIT')
    ok(codes and '' not in codes, '%s: a thousand errors were raised' % what)
    ok(sizes[1000][0] - sizes[200][0] <= 8192, '%s: memory stays' % what)
    # some are tables' that happen to be open; a leak would be hundreds
    ok(sizes[1000][1] <= sizes[10][1] + 10, '%s: files stay' % what)
    diag('%s (%s): kB and open files after 10, 200, 1000: %s'
         % (what, ' '.join(sorted(codes)), sizes))
    equal(refusal(session, ISSUE, (47, 2)).sqlstate, '',
          '%s: the session is as good as new' % what)
    equal(value(session, 'SELECT session_user = current_user AND '
                'current_user = %s', (os.environ['PGUSER'],)), True,
          '%s: the identity is the caller\'s' % what)
    session.close()


rows(watcher, """
CREATE FUNCTION clinic.fail() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF current_setting('clinic.fail', true) = 'on' THEN
            RAISE EXCEPTION 'refused by the clinic';
        END IF;
        RETURN NEW;
    END $$;
CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON vidtoken.vidtoken_session
    FOR EACH ROW EXECUTE FUNCTION clinic.fail();
CREATE TABLE clinic.other AS SELECT * FROM clinic.video_source;
""")
BROKEN = [clinic.keyring_path + '.%d' % number for number in range(3)]
clinic.write_keyring(b'{"keys": [', BROKEN[0])
clinic.write_keyring({'keys': keyring()['keys'][:2]}, BROKEN[1])
clinic.write_keyring(keyring(), BROKEN[2])          # whole: another keyring


def refuse_call(session, number):
    appointment = (46, 98, 99, 100, None, 'x')[number % 6]
    return refusal(session, ISSUE, (appointment, 2)).sqlstate


def fail_after_signing(session, number):
    """The token is there when the statement fails."""
    return refusal(session, 'SELECT access_token::int FROM '
                   'vidtoken.vidtoken_issue(47, %s)',
                   ((2, 3, 9)[number % 3],)).sqlstate


def fail_in_keyring(session, number):
    """Keyrings that are whole are loaded between those that are not."""
    path = (*BROKEN, clinic.keyring_path)[number % 4]
    rows(session, "SELECT set_config('vidtoken.keyring', %s, true)", (path,))
    got = refusal(session, ISSUE, (47, 2)).sqlstate
    if got == '':
        got = refusal(session, ISSUE, (46, 2)).sqlstate
    return got


def fail_in_ledger(session, number):
    rows(session, 'SET LOCAL clinic.fail = on')
    return refusal(session, ISSUE, (47, 2)).sqlstate


def fail_in_source(session, number):
    rows(session, "SELECT set_config('vidtoken.source', %s, true)",
         ('clinic.' + ('other', 'nowhere', 'appointments')[number % 3],))
    return refusal(session, ISSUE, (46, 2)).sqlstate


errors_in_one_transaction('refusals', refuse_call)
errors_in_one_transaction('errors after the signature', fail_after_signing)
errors_in_one_transaction('errors of keyrings', fail_in_keyring)
errors_in_one_transaction('errors of the ledger', fail_in_ledger)
errors_in_one_transaction('errors of the source', fail_in_source)
rows(watcher, 'DROP TRIGGER fail ON vidtoken.vidtoken_session')

# The same in a function that catches, where no client is in between
session = clinic.connect()
rows(session, ISSUE, (47, 2))
rows(session, """
CREATE FUNCTION pg_temp.fail(times int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE caught int := 0;
BEGIN
    FOR i IN 1..times LOOP
        BEGIN
            PERFORM vidtoken.vidtoken_issue((ARRAY[46, 98, 99, 100])[i %% 4 + 1], 2);
        EXCEPTION WHEN OTHERS THEN
            caught := caught + 1;
        END;
    END LOOP;
    RETURN caught;
END $$""".replace('%%', '%'))
rows(session, 'BEGIN')
caught = value(session, 'SELECT pg_temp.fail(200)')
before = memory(session), descriptors(session)
caught += value(session, 'SELECT pg_temp.fail(800)')
after = memory(session), descriptors(session)
rows(session, 'COMMIT')
equal(caught, 1000, 'plpgsql: a thousand errors were caught')
ok(after[0] - before[0] <= 8192 and after[1] <= before[1] + 10,
   'plpgsql: memory and files stay')
diag('plpgsql: kB and open files after 200, 1000: %s %s' % (before, after))
session.close()

session = clinic.connect()
rows(session, "SET synchronous_commit = off")
rows(session, 'PREPARE issue(int, int) AS SELECT access_token FROM '
     'vidtoken.vidtoken_issue($1, $2)')
rows(session, 'PREPARE refresh(int, int) AS SELECT access_token FROM '
     'vidtoken.vidtoken_refresh($1, $2)')


def many_tokens(count):
    for number in range(count):
        rows(session, 'EXECUTE %s(47, %d)'
             % (('issue', 'refresh')[number % 2], (2, 3, 9)[number // 2 % 3]))


begin = time.monotonic()
many_tokens(2000)
before = memory(session), descriptors(session)
many_tokens(20000)
after = memory(session), descriptors(session)
ok(after[0] - before[0] < 1024, 'twenty thousand tokens: memory stays')
ok(after[1] <= before[1] + 10, 'twenty thousand tokens: files stay')
diag('twenty thousand tokens: %+d kB, from %d; %.1f s for all'
     % (after[0] - before[0], before[0], time.monotonic() - begin))
session.close()

# The file is read again and again: the keys in it come and go.
session = clinic.connect()
keyrings = [clinic.keyring_path, BROKEN[2]]


def many_keyrings(count):
    for number in range(count):
        rows(session, 'SET vidtoken.keyring = %s', (keyrings[number % 2],))
        rows(session, ISSUE, (47, 2))


many_keyrings(200)
before = memory(session), descriptors(session)
many_keyrings(2000)
after = memory(session), descriptors(session)
ok(after[0] - before[0] < 1024, 'two thousand keyrings: memory stays')
ok(after[1] <= before[1] + 10, 'two thousand keyrings: files stay')
diag('two thousand keyrings: %+d kB' % (after[0] - before[0]))
session.close()

#
# Plans
#

# The server does not count what the C interface parses, but nobody parses a
# statement without having it analysed.
PHASES = ('PARSE ANALYSIS', 'REWRITER', 'PLANNER')


def phases(session, statement):
    """How often a statement made the server analyse, rewrite, plan."""
    del session.notices[:]
    rows(session, statement)
    said = [notice.split('\n')[0] for notice in session.notices]
    return tuple(sum(phase + ' STATISTICS' in line for line in said)
                 for phase in PHASES)


session = clinic.connect()
rows(session, "SET plan_cache_mode = 'force_generic_plan'")
rows(session, 'PREPARE nothing AS SELECT * FROM (SELECT 1) AS one')
for name in ('issue', 'refresh'):
    rows(session, 'PREPARE %s(int, int) AS SELECT * FROM '
         'vidtoken.vidtoken_%s($1, $2)' % (name, name))
rows(session, 'PREPARE mine(int) AS SELECT * FROM '
     'vidtoken.vidtoken_issue($1)')
rows(session, "SET request.jwt.claims = '{\"sub\": \"9\"}'")
rows(session, 'EXECUTE nothing')
rows(session, "SET client_min_messages = 'log'; SET log_parser_stats = on; "
     "SET log_planner_stats = on")
nothing = phases(session, 'EXECUTE nothing')
diag('analyse, rewrite, plan: a statement that calls nothing %s' % (nothing,))
first = phases(session, 'EXECUTE issue(48, 2)')
diag('first call %s' % (first,))
ok(all(of_first > of_nothing for of_first, of_nothing
       in zip(first, nothing)), 'the first call analyses and plans (the control)')
# one of everything that the rest of the session calls, its outer plan included
for statement in ('EXECUTE issue(48, 3)', 'EXECUTE refresh(48, 2)',
                  'EXECUTE mine(48)', 'EXECUTE issue(48, 2)'):
    phases(session, statement)
for what, statement in (('an issue again', 'EXECUTE issue(48, 2)'),
                        ('a refresh', 'EXECUTE refresh(48, 3)'),
                        ('the form for the caller', 'EXECUTE mine(48)'),
                        ('a first issue', 'EXECUTE issue(47, 9)')):
    counts = [phases(session, statement) for _ in range(8)]
    equal(set(counts), {nothing},
          '%s neither analyses nor plans anything' % what)
time.sleep(1.05)
clinic.write_keyring(keyring(NEW_SECRET))
equal(phases(session, 'EXECUTE issue(48, 2)'), nothing,
      'nor does a new look at the keyring')

# A first issue of a new appointment comes without a plan of its own as well.
rows(watcher, 'INSERT INTO clinic.appointments VALUES (4711, now())')
rows(watcher, 'INSERT INTO clinic.participants (appointment_id, user_id) '
     'VALUES (4711, 2)')
equal(phases(session, 'EXECUTE issue(4711, 2)'), nothing,
      'nor does the first session of a new appointment')
for what, statement in (
        ('a change of the source\'s table',
         'ALTER TABLE clinic.appointments ADD COLUMN note text'),
        ('a VACUUM of the ledger',
         'VACUUM ANALYZE vidtoken.vidtoken_session')):
    rows(watcher, statement)
    ok(phases(session, 'EXECUTE issue(48, 2)') > nothing,
       'after %s it plans again' % what)
    equal(phases(session, 'EXECUTE issue(48, 2)'), nothing,
          'once, after %s' % what)
session.close()
clinic.write_keyring(keyring(SECRET))

#
# Dump and restore
#

watcher.close()
watcher = clinic.connect()
rows(watcher, 'SELECT vidtoken.vidtoken_revoke(48, 3)')
rows(watcher, 'SELECT vidtoken.vidtoken_revoke(48, 7)')
rows(watcher, 'SELECT vidtoken.vidtoken_revoke_all(4711)')
moved = value(watcher, 'SELECT vidtoken.vidtoken_reset_room(47)')
rows(watcher, ISSUE, (47, 2))
LEDGER = ('SELECT s::text FROM vidtoken.vidtoken_session AS s UNION ALL '
          'SELECT r::text FROM vidtoken.vidtoken_room AS r ORDER BY 1')
before = rows(watcher, LEDGER)
dump = program('pg_dump', clinic.name)
equal(dump.returncode, 0, 'pg_dump runs')
restored = Clinic('restored')
with restored.connect() as session:
    rows(session, 'DROP EXTENSION vidtoken CASCADE; DROP SCHEMA vidtoken; '
         'DROP SCHEMA clinic CASCADE')
session.close()
restore = subprocess.run(['psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d',
                          restored.name], input=dump.stdout,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
equal((restore.returncode, restore.stderr.decode()), (0, ''), 'it restores')
session = restored.connect()
equal(rows(session, LEDGER), before, 'the ledger is the same')
for parameters in ((48, 3), (4711, 2)):
    refused(session, ISSUE, parameters, 'PT410', 'revoked',
            'bars hold: %s' % (parameters,))
equal(record(session, ISSUE, (47, 2))['room_name'], moved,
      'a session keeps its room')
session.close()

#
# The end
#

ledger = rows(watcher, LEDGER)
equal(value(watcher, 'SELECT pg_postmaster_start_time()'), started_at,
      'the server is still the one that was started')
unlike(server_log().decode('utf-8', 'replace'),
       r'terminated by signal|PANIC:|TRAP:|invalid memory|leaked|leak:',
       'and has nothing to report')

watcher.close()
for mode in ('fast', 'immediate'):
    clinic.admin.close()
    run = program(CLUSTER, 'ctl', 'restart', '-m', mode)
    equal(run.returncode, 0, 'restart -m %s' % mode)
    clinic.admin, restored.admin = connect('postgres'), connect('postgres')
    watcher = clinic.connect()
    equal(rows(watcher, LEDGER), ledger,
          'restart -m %s: sessions, bars and rooms are there' % mode)
    refused(watcher, ISSUE, (48, 3), 'PT410', 'revoked',
            'restart -m %s: a bar holds' % mode)
    equal(record(watcher, ISSUE, (47, 2))['room_name'], moved,
          'restart -m %s: a session goes on in its room' % mode)
    ledger = rows(watcher, LEDGER)
    watcher.close()

done_testing()
