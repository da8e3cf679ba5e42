#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# Key bytes and tokens stay where they are, whatever the server logs.
#
# A server that logs all it can sees calls of every kind, and every way in
# which a keyring can be broken, with the keys on the broken line.  After that
# its log, its statistics, its settings and its dump are searched for every
# part of the keys, for the tokens, and for the users' names.  What the
# administrator needs, path and reason, is in the log and nowhere else.
#
# Keys and names come into the server by file and by COPY, not in a statement:
# the server logs those.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/012_secrets.t

import io
import os
import secrets
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

need_server('log_min_messages=debug5', 'log_min_error_statement=debug5',
            'log_error_verbosity=verbose', 'log_statement=all',
            'log_duration=on', 'log_parameter_max_length=-1',
            'log_parameter_max_length_on_error=-1', 'log_connections=on',
            'log_disconnections=on', 'log_lock_waits=on',
            'debug_print_parse=on', 'debug_print_rewritten=on',
            'debug_print_plan=on', 'log_parser_stats=on',
            'log_planner_stats=on', 'log_executor_stats=on',
            'log_line_prefix=%m [%p] %u %d %a %e %x ',
            'track_activity_query_size=100kB', own=True)

NAME = 'canary-%s@example.com' % secrets.token_hex(4)
SIZE = 8                # so many characters together are no accident


def canary_secret(length=48):
    """Random, printable, of a length that base64 leaves without padding."""
    return base64url(secrets.token_bytes(length))[:length].encode()


class Search:
    """Finds any SIZE characters of a secret in a text, in any of its forms."""

    def __init__(self):
        self.pieces = {}

    def add(self, what, text):
        for i in range(len(text) - SIZE + 1):
            self.pieces[text[i:i + SIZE]] = what

    def add_key(self, what, secret):
        self.add(what, secret)
        for encoded in (base64.b64encode(secret), base64.urlsafe_b64encode(secret)):
            self.add(what + ' in base64', encoded.rstrip(b'='))
        # two hexadecimal digits a byte, so that a piece is as rare
        for digits in (secret.hex(), secret.hex().upper()):
            for i in range(0, len(digits) - 2 * SIZE + 1, 2):
                self.pieces[digits[i:i + 2 * SIZE].encode()] = what + ' in hex'

    def find(self, text):
        """What was found, sorted; grep looks for all pieces in one pass."""
        with tempfile.NamedTemporaryFile() as patterns:
            patterns.write(b'\n'.join(self.pieces))
            patterns.flush()
            run = subprocess.run(['grep', '-a', '-o', '-F', '-f',
                                  patterns.name], input=text,
                                 stdout=subprocess.PIPE,
                                 env=dict(os.environ, LC_ALL='C'))
        if run.returncode > 1:
            raise OSError('grep failed')
        return sorted({self.pieces[piece] for piece in run.stdout.split()})


keys = Search()
tokens = Search()
names = Search()
names.add('name of a user', NAME.split('@')[0].encode())

clinic = Clinic('secrets')
connection = clinic.connect()


def make_key(kid, **members):
    secret = canary_secret()
    keys.add_key('key ' + kid, secret)
    return oct_key(kid, secret, **members)


good = {'keys': [make_key('SKtest'), make_key('SKnext'),
                 make_key('name', vidtoken_use='name')]}
clinic.write_keyring(good)

with connection.cursor() as cursor:
    rows(connection, 'DELETE FROM clinic.participants WHERE user_id = 2')
    cursor.copy_expert(
        'COPY clinic.participants (appointment_id, user_id, identity) '
        'FROM STDIN',
        io.StringIO(''.join('%d\t%d\t%s\n' % row for row in (
            (47, 2, NAME), (48, 2, NAME), (98, 2, NAME), (99, 2, NAME),
            (100, 2, NAME), (48, 5, NAME + 'x' * 200)))))

#
# Calls
#

signatures = set()

def remember(token):
    """A token's claims and signature; its header is the same for all."""
    header, claims, signature = token.split('.')
    tokens.add('claims of a token', claims[40:].encode())
    tokens.add('signature of a token', signature.encode())
    signatures.add(signature)


def call(statement, parameters=None, to=None):
    answer = rows(to or connection, statement, parameters)
    for row in answer:
        for column in row:
            if isinstance(column, str) and column.startswith('eyJ'):
                remember(column)
    return answer


refusals = []


def refuse(statement, parameters=None, to=None):
    got = refusal(to or connection, statement, parameters)
    refusals.append(str(got))
    return got


rows(connection, """
CREATE FUNCTION clinic.inner_call(appointment int, participant int)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer vidtoken.vidtoken_grant;
BEGIN
    SELECT * INTO answer FROM vidtoken.vidtoken_issue(appointment, participant);
    RETURN answer.access_token;
END $$;
CREATE FUNCTION clinic.outer_call(appointment int, participant int)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN clinic.inner_call(appointment, participant);
END $$;
""")
NESTED = 'SELECT clinic.outer_call(%s, %s)'
ISSUE = 'SELECT * FROM vidtoken.vidtoken_issue(%s, %s)'

for statement in (ISSUE, ISSUE.replace('issue', 'refresh'), NESTED):
    call(statement, (47, 2))
    call(statement, (47, 2))
rows(connection, 'PREPARE p AS SELECT * FROM vidtoken.vidtoken_issue($1, $2)')
call('EXECUTE p(47, 2)')
rows(connection, "SELECT set_config('request.jwt.claims', '{\"sub\":\"3\"}', "
     'false)')
call('SELECT * FROM vidtoken.vidtoken_issue(47)')
call('SELECT vidtoken.vidtoken_revoke(47, 9)')
call('SELECT vidtoken.vidtoken_reset_room(47)')
call(ISSUE, (47, 2))
rows(connection, "SET vidtoken.key_id = 'SKnext'")
call(ISSUE, (47, 2))
rows(connection, 'RESET vidtoken.key_id')
ok(len(signatures) > 9, 'the tokens that are searched for were issued')

for what, parameters, code in (
        ('no such appointment', (46, 2), 'PT404'),
        ('malformed id', ('x', 2), 'PT404'), ('NULL', (None, 2), '22004'),
        ('too early', (98, 2), 'PT425'), ('ended', (100, 2), 'PT410'),
        ('cancelled', (99, 2), 'PT410'), ('revoked', (47, 9), 'PT410'),
        ('identity too long', (48, 5), '22001')):
    equal(refuse(ISSUE, parameters).sqlstate, code, 'refused: ' + what)
    if what != 'malformed id':
        got = refuse(NESTED, parameters)
        equal(got.sqlstate, code, 'refused inside of functions: ' + what)
        like(got.context, 'outer_call', 'and CONTEXT names the functions')
equal(refuse(ISSUE.replace('issue', 'refresh'), (48, 2)).sqlstate, 'PT409',
      'refused: no session')
for setting, text, code in (
        ('key_id', 'SKnone', 'F0000'), ('key_id', '', 'F0000'),
        ('key_id', 'name', 'F0000'), ('min_ttl', '5h', 'F0000'),
        ('source', 'clinic.nowhere', 'F0000'), ('source', '', 'F0000'),
        ('account', '', 'F0000'), ('keyring', '', 'F0000'),
        ('keyring', '/nowhere', 'F0000')):
    rows(connection, 'SET vidtoken.%s = %%s' % setting, (text,))
    equal(refuse(ISSUE, (47, 2)).sqlstate, code,
          'refused: %s = "%s"' % (setting, text))
    refuse(NESTED, (47, 2))
    rows(connection, 'RESET vidtoken.' + setting)
rows(connection, "SET default_transaction_read_only = on")
equal(refuse(ISSUE, (47, 2)).sqlstate, '25006', 'refused: READ ONLY')
rows(connection, 'RESET default_transaction_read_only')
rows(connection, "INSERT INTO clinic.participants "
     "SELECT 48, 6, identity, 'owner' FROM clinic.participants "
     "WHERE appointment_id = 47 AND user_id = 2")
equal(refuse(ISSUE, (48, 6)).sqlstate, 'F0000', 'refused: unknown role')
rows(connection, 'CREATE VIEW clinic.twice AS SELECT * FROM '
     'clinic.video_source UNION ALL SELECT * FROM clinic.video_source')
rows(connection, "SET vidtoken.source = 'clinic.twice'")
equal(refuse(ISSUE, (47, 2)).sqlstate, '21000', 'refused: duplicate rows')
rows(connection, 'CREATE VIEW clinic.failing AS SELECT v.appointment_id, '
     "v.user_id, v.starts_at, v.duration, v.identity, "
     "('x' || v.user_id)::int::text AS role FROM clinic.video_source AS v")
rows(connection, "SET vidtoken.source = 'clinic.failing'")
equal(refuse(ISSUE, (47, 2)).sqlstate, '22P02', 'refused: a view that fails')
rows(connection, 'RESET vidtoken.source')

# errors of the ledger, which show a row where they can
rows(connection, 'ALTER TABLE vidtoken.vidtoken_session ADD CONSTRAINT canary '
     'CHECK (issue_count < 1) NOT VALID')
equal(refuse(ISSUE, (47, 2)).sqlstate, '23514', 'refused: by the ledger')
rows(connection, 'ALTER TABLE vidtoken.vidtoken_session DROP CONSTRAINT canary')
row_shown = refusals.pop()      # "Failing row contains": PostgreSQL's own

# a call that is waiting, as others see it
other = clinic.connect()
rows(connection, 'BEGIN')
call(ISSUE, (47, 2))
rows(other, "SET lock_timeout = '300ms'; SET deadlock_timeout = '50ms'")
equal(refuse(ISSUE, (47, 2), to=other).sqlstate, '55P03',
      'refused: by lock_timeout')
rows(connection, 'COMMIT')
other.close()

#
# Broken keyrings
#


def text(*entries):
    return json.dumps({'keys': entries}).encode()


SIGN, NEXT, HASH = good['keys']
K = SIGN['k'].encode()
RAW = base64.urlsafe_b64decode(SIGN['k'] + '==')
short = oct_key('SKtest', canary_secret(24))
keys.add_key('short key', base64.urlsafe_b64decode(short['k']))

BROKEN = {
    'cut off inside of a key': text(SIGN, NEXT, HASH)[:70],
    'a key without quotes':
        b'{"keys": [{"kty": "oct", "kid": "SKtest", "k": ' + K + b'}]}',
    'a key that is no JSON value': b'{"keys": ' + K + b'}',
    'nothing but a key': K,
    'nothing but the secret': RAW,
    'a key as a string': b'"' + K + b'"',
    'the secret as it is, with a stray escape':
        b'{"keys": [{"kty": "oct", "kid": "SKtest", "k": "' + RAW + b'\\q"}]}',
    'a key with a line break': text(SIGN, HASH).replace(K[:9], K[:9] + b'\n'),
    'a key with a NUL byte': text(SIGN, HASH).replace(K[:9], K[:9] + b'\0'),
    'a key that is not UTF-8': text(SIGN, HASH).replace(K[:9],
                                                        K[:9] + b'\xff'),
    'a key that is not base64url': text(dict(SIGN, k=SIGN['k'] + '!'), HASH),
    'padding in a key': text(dict(SIGN, k=SIGN['k'] + '='), HASH),
    'a key as a number': text(dict(SIGN, k=12345678901234567890), HASH),
    'a key as the name of a member':
        b'{"keys": [{"kty": "oct", "' + K + b'": 1, "' + K + b'": 2}]}',
    'a member twice': text(SIGN, HASH).replace(
        b'"k": ', b'"k": "' + K + b'", "k": ', 1),
    'a comma too many': text(SIGN, HASH).replace(K + b'"', K + b'",,'),
    'text after the end': text(SIGN, HASH) + K,
    'a key too short': text(short, HASH),
    'an empty key': text(dict(SIGN, k=''), HASH),
    'no key member': text({'kty': 'oct', 'kid': 'SKtest', 'alg': 'HS256',
                           'key': SIGN['k']}, HASH),
    'two keys with one kid': text(SIGN, dict(NEXT, kid='SKtest'), HASH),
    'no name key': text(SIGN, NEXT),
    'two name keys': text(SIGN, HASH, dict(NEXT, vidtoken_use='name')),
    'an unknown algorithm': text(dict(SIGN, alg='HS1024'), HASH),
    'an unknown use': text(dict(SIGN, vidtoken_use='tokens'), HASH),
    'an unknown type': text(dict(SIGN, kty='octet'), HASH),
    'no kid': text({'kty': 'oct', 'alg': 'HS256', 'k': SIGN['k']}, HASH),
    'an array': b'[' + text(SIGN, HASH) + b']',
    'an empty set': b'{"keys": []}',
    'an empty file': b'',
    'nested too deeply': b'[' * 100000 + K,
    'larger than 1 MB': text(SIGN, HASH) + b' ' * (1 << 20),
}
checks = []


def broken(what):
    """A session that begins with this keyring: refused, and says no more
    than that to the caller; the log tells path and reason."""
    before = len(server_log())
    session = clinic.connect()
    refusals_of = [refuse(ISSUE, (47, 2), to=session),
                   refuse(NESTED, (47, 2), to=session)]
    equal({(got.sqlstate, got.message_primary) for got in refusals_of},
          {('F0000', 'could not use the keyring of setting '
            '"vidtoken.keyring"')}, 'keyring: %s is refused' % what)
    ok(not any(clinic.directory in str(got) for got in refusals_of),
       'keyring: the caller is not told the path')
    told = [row for row in rows(session, 'SELECT * FROM '
                                'vidtoken.vidtoken_check()')]
    checks.append(repr(told))
    ok(any(row[0] == 'keyring' and row[1] == 'error' and
           clinic.keyring_path in ' '.join(filter(None, row)) for row in told),
       'keyring: vidtoken_check() tells it')
    session.close()
    logged = server_log()[before:].decode('utf-8', 'replace')
    like(logged, r'DETAIL:  File "%s": \S.*\.\n'
         % re.escape(clinic.keyring_path), 'keyring: and so does the log')
    reason = re.search(r'File "%s": (.*)\.\n' % re.escape(clinic.keyring_path),
                       logged)
    diag('%s: %s' % (what, reason and reason.group(1)))


for what, content in BROKEN.items():
    clinic.write_keyring(content)
    broken(what)
clinic.write_keyring(good, mode=0o644)
broken('world-readable')
clinic.write_keyring(good, mode=0o640)
broken('group-readable')
os.unlink(clinic.keyring_path)
broken('missing')
os.mkfifo(clinic.keyring_path, 0o600)
clinic.give(clinic.keyring_path)
broken('a FIFO')
os.unlink(clinic.keyring_path)
os.mkdir(clinic.keyring_path, 0o700)
clinic.give(clinic.keyring_path)
broken('a directory')
os.rmdir(clinic.keyring_path)

# a session that has its keys, when the file breaks under it
clinic.write_keyring(good)
session = clinic.connect()
call(ISSUE, (47, 2), to=session)
for content in (BROKEN['cut off inside of a key'],
                BROKEN['a key without quotes'], BROKEN['two keys with one kid']):
    before = len(server_log())
    clinic.write_keyring(content)
    time.sleep(1.1)
    call(ISSUE, (47, 2), to=session)
    checks.append(repr(rows(session, 'SELECT * FROM '
                            'vidtoken.vidtoken_check()')))
    like(server_log()[before:].decode('utf-8', 'replace'),
         r'could not use the new keyring.*\n.*DETAIL:  File "%s": \S'
         % re.escape(clinic.keyring_path),
         'keyring: a session that has its keys goes on, the log tells')
session.close()
clinic.write_keyring(good)
time.sleep(1.1)
call(ISSUE, (47, 2))
checks.append(repr(rows(connection, 'SELECT * FROM vidtoken.vidtoken_check()')))

#
# The search
#


def clean(text, what, *searches):
    if isinstance(text, str):
        text = text.encode()
    for search, of in searches:
        equal(search.find(text), [], '%s: no part of a %s' % (what, of))


KEYS, TOKENS, NAMES = (keys, 'key'), (tokens, 'token'), (names, 'user\'s name')

# the names that PostgreSQL itself logs, as the detail of its own refusal
log = server_log()
own_detail = log.count(b'Failing row contains')
clean(log, 'log', KEYS, TOKENS)
clean(b'\n'.join(line for line in log.split(b'\n')
                 if b'Failing row contains' not in line), 'log', NAMES)
clean('\n'.join(refusals), 'refusals', KEYS, TOKENS, NAMES)
clean(row_shown, 'a row that the ledger refuses', KEYS, TOKENS)
clean('\n'.join(checks), 'vidtoken_check()', KEYS, TOKENS, NAMES)
diag('log: %d MB, %d pieces searched for'
     % (len(log) >> 20, len(keys.pieces) + len(tokens.pieces)))

rows(connection, 'ANALYZE')
for what, statement in (
        ('pg_stat_activity', 'SELECT * FROM pg_stat_activity'),
        ('pg_settings', 'SELECT * FROM pg_settings'),
        ('pg_file_settings', 'SELECT * FROM pg_file_settings'),
        ('pg_db_role_setting', 'SELECT * FROM pg_db_role_setting'),
        ('pg_prepared_statements', 'SELECT * FROM pg_prepared_statements'),
        ('pg_proc', "SELECT * FROM pg_proc WHERE proname LIKE 'vidtoken%'")):
    answer = repr(rows(connection, statement))
    ok(len(answer) > 10, what + ': there is something to search')
    clean(answer, what, KEYS, TOKENS, NAMES)
statistics = repr(rows(connection, "SELECT * FROM pg_stats "
                       "WHERE schemaname IN ('vidtoken', 'clinic')"))
clean(statistics, 'pg_stats', KEYS, TOKENS)
user = clinic.create_role('user')
plain = clinic.connect(user)
clean(repr([rows(plain, 'SELECT * FROM pg_settings'),
            rows(plain, 'SELECT * FROM pg_stat_activity'),
            rows(plain, 'SELECT * FROM pg_stats')]), 'seen by a plain user',
      KEYS, TOKENS, NAMES)
plain.close()

ledger = repr([rows(connection, 'SELECT * FROM vidtoken.' + table) for table in
               ('vidtoken_session', 'vidtoken_room', 'vidtoken_sessions')])
clean(ledger, 'ledger', KEYS, TOKENS)
dump = program('pg_dump', clinic.name).stdout
equal(b'SKtest-' in dump, True, 'pg_dump: the sessions are in it')
clean(dump, 'pg_dump', KEYS, TOKENS)

#
# The search has teeth
#

planted = canary_secret()
planted_token = call('SELECT access_token FROM vidtoken.vidtoken_issue(47, 2)')
control = Search()
control.add_key('planted', planted)
before = len(server_log())
equal(control.find(server_log()), [], 'control: not planted yet')
for form in (planted[11:24].decode(), base64url(planted)[3:17],
             planted.hex()[8:40]):
    refusal(connection, 'SELECT %s::int', (form,))
equal(control.find(server_log()[before:]),
      ['planted', 'planted in base64', 'planted in hex'],
      'control: a part of a key is found in the log, in each form')
refusal(connection, 'SELECT %s::int', (planted_token[0][0][-60:],))
ok(tokens.find(server_log()[before:]), 'control: and so is a part of a token')
refusal(connection, 'SELECT %s::int', (NAME,))
ok(names.find(server_log()[before:]), 'control: and so is a name')
equal(own_detail > 0, True,
      'control: the log has the details that only the server sees')
ok(b'LOCATION:' in log and b'DEBUG:' in log and b'{PLANNEDSTMT' in log,
   'control: the log is as loud as it gets')

done_testing()
