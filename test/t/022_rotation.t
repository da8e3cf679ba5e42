#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# A key is rotated while calls go on, and nobody notices.
#
# Clients issue and refresh without a break, through new and through long
# connections, while the documented steps are taken with vidtoken-keyring.
# Every token is verified by another session and by PyJWT, again and again
# until it expires.  Then what should not be done is done: the key that signs
# is removed, the file is replaced many times over and written in place.
# Last, a session that loads many broken keyrings or signs with asymmetric
# keys keeps its size.
#
# The sessions' clock runs many times as fast as ours, because no token
# lives shorter than a minute.  The keyring is looked at by the real clock.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/022_rotation.t

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

import collections
import datetime
import random

import jwt

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
except ImportError:
    skip('rotation', 'Python has no cryptography')
    done_testing()
    sys.exit()
if program('sh', '-c', 'command -v openssl').returncode != 0:
    skip('rotation', 'there is no openssl')
    done_testing()
    sys.exit()

need_server(own=True)
clinic = Clinic('rotation')
watcher = clinic.connect()
started_at = value(watcher, 'SELECT pg_postmaster_start_time()')

CLIENTS = 6
SPEED = 25
TTL = 60                # the shortest that there is
BEGIN = time.monotonic()
VIRTUAL_BEGIN = time.time()


def virtual_now():
    """Seconds since 1970 by the clock of the sessions."""
    return VIRTUAL_BEGIN + SPEED * (time.monotonic() - BEGIN)


def at(seconds):
    """Sets the clock for a statement behind it."""
    clock = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return "SET vidtoken.test_clock = '%s'; " % clock.isoformat()


COMMAND = os.path.join(program(os.environ.get('PG_CONFIG', 'pg_config'),
                               '--bindir').stdout.decode().strip(),
                       'vidtoken-keyring')
if not os.path.exists(COMMAND):
    COMMAND = os.path.join(ROOT, 'src', 'bin', 'vidtoken-keyring')


def keyring_command(verb, *words, secret=b''):
    run = subprocess.run([COMMAND, verb, clinic.keyring_path, *words],
                         input=secret, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, timeout=60)
    equal(run.returncode, 0, 'vidtoken-keyring %s %s' % (verb,
                                                        ' '.join(words)))
    if run.returncode != 0:
        diag(run.stderr.decode('utf-8', 'replace'))


for setting, text in (('min_ttl', '60s'), ('max_ttl', '60s'),
                      ('refresh_window', '10s'), ('warn_window', '20s'),
                      ('audience', 'video')):
    clinic.set('vidtoken.' + setting, text)
USERS = range(100, 100 + 10 * CLIENTS)
rows(watcher, 'INSERT INTO clinic.participants (appointment_id, user_id) '
     'SELECT 47, unnest(%s)', (list(USERS),))

#
# The clients
#

Token = collections.namedtuple('Token', 'text kid expires_at')
tokens = []                 # all there were; append and [n:] are atomic
phase = ''                  # what is going on
new_connections = 0.3       # share of calls on a connection of their own
pool_generation = 0         # a client whose own is another reconnects
stopping = False


class Phase:
    def __init__(self):
        self.by_key = collections.Counter()
        self.failures = []
        self.longest = 0
        self.seconds = 0

    def __str__(self):
        return '%.1f s, %d tokens (%s), %d failures, longest call %d ms' % (
            self.seconds, sum(self.by_key.values()),
            ', '.join('%s %d' % pair for pair in sorted(self.by_key.items())),
            len(self.failures), self.longest * 1000)


phases = collections.OrderedDict()


def read(text):
    """The token, the id of the key that signed it by what it says."""
    header, claims = (json.loads(base64.urlsafe_b64decode(part + '=='))
                      for part in text.split('.')[:2])
    return Token(text, header.get('kid', claims['iss']), claims['exp'])


class Client(threading.Thread):
    """One call after the other, until told to stop."""

    def __init__(self, number):
        super().__init__(daemon=True)
        self.random = random.Random(number)
        # ten of its own, and two that meet those of other clients
        self.users = [*USERS[number * 10:number * 10 + 10], 2, 3]
        self.known = set()
        self.pooled = clinic.connect()
        self.generation = pool_generation
        self.last_failure = 0
        self.number = number

    def run(self):
        while not stopping:
            time.sleep(self.random.uniform(0, 0.015))
            if self.generation != pool_generation:
                # a pool does not let all of its connections go at once
                generation = pool_generation
                time.sleep(self.number * 0.1)
                self.pooled.close()
                self.pooled = clinic.connect()
                self.generation = generation
            self.call(phases[phase])

    def call(self, now):
        user = self.random.choice(self.users)
        is_new = self.random.random() < new_connections
        function = 'issue'
        if user in self.known and self.random.random() < 0.5:
            function = 'refresh'
        begin = time.monotonic()
        connection = self.pooled
        try:
            if is_new:
                connection = clinic.connect()
            token = read(value(
                connection, at(virtual_now()) + 'SELECT access_token FROM '
                'vidtoken.vidtoken_%s(47, %d)' % (function, user)))
        except psycopg2.Error as error:
            self.last_failure = begin
            got = Refusal(error)
            now.failures.append((got.sqlstate, got.message_primary,
                                 'new' if is_new else 'long'))
            return
        except Exception as error:
            now.failures.append((repr(error),))
            return
        finally:
            now.longest = max(now.longest, time.monotonic() - begin)
            if is_new and connection is not self.pooled:
                connection.close()
        self.known.add(user)
        now.by_key[token.kid] += 1
        tokens.append(token)


#
# The verifier
#

VERIFY = ('SELECT t.n, v.reason FROM '
          'unnest(%s) WITH ORDINALITY AS t (token, n), '
          'vidtoken.vidtoken_verify(t.token) AS v WHERE NOT v.valid')


class Verifier(threading.Thread):
    """Verifies each token when it is new, and all that live, over and over:
    with vidtoken_verify in one long session and with PyJWT, by the keys that
    vidtoken_jwks() shows or, for secrets, by those that the test knows.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.session = clinic.connect()
        self.secrets = {'SKtest': SECRET, 'SKnext': NEXT_SECRET}
        self.verified = [0, 0]
        self.refused = []
        self.paused = False
        self.passes = 0
        self.seen = 0
        self.live = []

    def run(self):
        while not stopping:
            time.sleep(0.02)
            if not self.paused:
                try:
                    self.verify()
                except Exception as error:
                    self.refused.append((phase, repr(error)))
            self.passes += 1

    def wait(self):
        """Returns when all tokens there are now were looked at."""
        passes = self.passes
        wait_until(lambda: self.passes >= passes + 2 or not self.is_alive())

    def verify(self):
        new = tokens[self.seen:]
        self.seen += len(new)
        keys = value(self.session, 'SELECT vidtoken.vidtoken_jwks()')['keys']
        keys = {key['kid']: ec.EllipticCurvePublicNumbers(
            *(int.from_bytes(base64.urlsafe_b64decode(key[member] + '=='),
                             'big') for member in 'xy'),
            ec.SECP256R1()).public_key() for key in keys}
        now = virtual_now()
        # those of a pause may have expired before they were seen
        self.live = [token for token in self.live + new
                     if token.expires_at > now]
        # PyJWT is slow: a part of those that it has seen before
        for token in new + random.sample(self.live,
                                         min(len(self.live), 100)):
            self.decode(token, keys)
        if self.live:
            bad = rows(self.session, at(now) + VERIFY,
                       ([token.text for token in self.live],))
            self.verified[0] += len(self.live)
            self.refused += [(phase, self.live[n - 1].kid, 'vidtoken', reason)
                             for n, reason in bad]

    def decode(self, token, keys):
        """Times are judged by the clock of the sessions."""
        try:
            if token.kid in self.secrets:
                claims = jwt.decode(token.text, self.secrets[token.kid],
                                    algorithms=['HS256'],
                                    options={'verify_exp': False,
                                             'verify_nbf': False,
                                             'verify_iat': False})
            else:
                claims = jwt.decode(token.text, keys[token.kid],
                                    algorithms=['ES256'], audience='video',
                                    options={'verify_exp': False,
                                             'verify_nbf': False,
                                             'verify_iat': False})
            if not claims['nbf'] <= virtual_now():
                raise jwt.ImmatureSignatureError
            self.verified[1] += 1
        except (jwt.PyJWTError, KeyError) as error:
            self.refused.append((phase, token.kid, 'PyJWT', repr(error)))


def enter(name, seconds=0):
    """The next phase; returns after it has lasted so long."""
    global phase
    leave()
    phases[name] = Phase()
    phase = name
    enter.begin = time.monotonic()
    time.sleep(seconds)


def leave():
    if phase:
        phases[phase].seconds = time.monotonic() - enter.begin


def failures(*names):
    """What went wrong in phases, and how often."""
    return collections.Counter(failure for name in names
                               for failure in phases[name].failures)


def reconnect():
    """Pools let go of their connections; returns when all have."""
    global pool_generation
    pool_generation += 1
    ok(wait_until(lambda: all(client.generation == pool_generation
                              for client in clients)), 'all pools reconnected')


keyring_command('generate', 'es-1', 'ES256')
clinic.set('vidtoken.provider', 'jwt')
clinic.set('vidtoken.key_id', 'es-1')
clients = [Client(number) for number in range(CLIENTS)]
verifier = Verifier()
enter('at first')
for thread in (*clients, verifier):
    thread.start()

#
# The documented rotation
#


def is_unneeded(kid):
    """Whether vidtoken_check() says so of a key that no longer signs."""
    session = clinic.connect()
    said = value(session, at(virtual_now()) + "SELECT count(*) FROM "
                 "vidtoken.vidtoken_check() WHERE item = 'key' AND message ~ "
                 "%s", ('^%s: .*(nobody needs it|no session was signed)'
                        % kid,))
    session.close()
    return said > 0


def last_expiry(kid):
    """Of all tokens that were handed out, whatever the ledger remembers."""
    return max(token.expires_at for token in tokens if token.kid == kid)


def rotate(what, old, new, secret=b''):
    first = len(phases)
    enter(what + ': the old key alone', 0.7)
    keyring_command('rotate', old, new, secret=secret)
    enter(what + ': both keys, the old one signs', 1.5)
    equal(phases[phase].by_key[new], 0,
          what + ': a key that has joined does not sign by itself')

    enter(what + ': pools reconnect')
    clinic.set('vidtoken.key_id', new)
    time.sleep(0.5)
    reconnect()
    enter(what + ': both keys, the new one signs', 0)
    # the ledger forgets who signed a token when the session gets the next
    session = clinic.connect()
    for user in (*USERS, 2, 3):
        tokens.append(read(value(
            session, at(virtual_now()) + 'SELECT access_token FROM '
            'vidtoken.vidtoken_issue(47, %d)' % user)))
    session.close()
    early = None
    while virtual_now() <= last_expiry(old):
        if early is None and is_unneeded(old):
            early = last_expiry(old) - virtual_now()
        time.sleep(0.1)
    equal(phases[phase].by_key[old], 0,
          what + ': after that the old key signs nothing')
    ok(early is None or early <= 0, what + ': vidtoken_check() does not call '
       'the old key unneeded while one of its tokens lives')
    if early is not None:
        diag('it said so %.0f s (of %d) before the last one expired'
             % (early, TTL))
    ok(is_unneeded(old), what + ': it does afterwards')

    verifier.wait()
    keyring_command('remove', old)
    enter(what + ': the new key alone', 1.2)
    old_tokens = [token.text for token in tokens if token.kid == old]
    session = clinic.connect()
    reasons = {reason for _, reason in rows(session, VERIFY, (old_tokens,))}
    session.close()
    # where the header has a kid it is looked for, else every key is tried
    equal(reasons, {'bad_signature' if secret else 'unknown_key'},
          what + ': the old key\'s tokens are nobody\'s now')
    ok(phases[phase].by_key[new] > 0, what + ': calls go on')
    mine = list(phases)[first:]
    verifier.wait()
    equal(failures(*mine), collections.Counter(), what + ': no call failed')
    equal(collections.Counter(verifier.refused), collections.Counter(),
          what + ': every token verified at every moment until its expiry')
    diag('%s: %d verifications by vidtoken_verify, %d by PyJWT'
         % (what, *verifier.verified))
    verifier.verified[:] = [0, 0]
    del verifier.refused[:]


rotate('ES256', 'es-1', 'es-2')

enter('from jwt to twilio')
# both at once: a session with one of them would have the wrong key
rows(watcher, "BEGIN; ALTER DATABASE %s SET vidtoken.provider = 'twilio'; "
     "ALTER DATABASE %s SET vidtoken.key_id = 'SKtest'; COMMIT"
     % (clinic.name, clinic.name))
reconnect()
NEW_SECRET = b'another secret of the signing key'
verifier.secrets['SKnew'] = NEW_SECRET
rotate('HS256', 'SKtest', 'SKnew', NEW_SECRET)
equal(failures('at first', 'from jwt to twilio'), collections.Counter(),
      'nor did a call fail in between')

#
# Many replacements in a row, each whole
#

new_connections = 0.6
enter('200 replacements')
with open(clinic.keyring_path) as file:
    keys = json.load(file)['keys']
for number in range(200):
    random.shuffle(keys)
    extra = [oct_key('extra-%d' % n, NEXT_SECRET + b'%d' % n)
             for n in range(number % 5)]
    clinic.write_keyring(json.dumps({'keys': keys + extra},
                                    indent=number % 3).encode())
    time.sleep(0.01)
clinic.write_keyring({'keys': keys})
verifier.wait()
equal(failures(phase), collections.Counter(),
      '200 replacements in a row: no call failed')
equal(verifier.refused, [], '200 replacements in a row: every token verified')

#
# A file that is written in place: half of it is no keyring
#

new_connections = 0
enter('a file written in place')
time.sleep(0.1)
WARNING = b'could not use the new keyring'
whole = json.dumps({'keys': keys}).encode()
logged = server_log().count(WARNING)
for length, seconds in ((len(whole) // 2, 1.2), (0, 0.3),
                        (len(whole) - 1, 1.2), (len(whole) // 3, 0.2)):
    os.truncate(clinic.keyring_path, length)
    time.sleep(seconds)
    if length == len(whole) // 2:
        new = clinic.connect()
        refused(new, 'SELECT vidtoken.vidtoken_issue(47, 2)', None, 'F0000',
                '', 'half a file: a new session is refused')
        new.close()
    with open(clinic.keyring_path, 'r+b') as file:
        for offset in range(0, len(whole), 97):
            file.write(whole[offset:offset + 97])
            file.flush()
            time.sleep(0.005)
verifier.wait()
equal(failures(phase), collections.Counter(),
      'half a file: no call of a running session failed')
equal(verifier.refused, [], 'half a file: every token verified')
ok(server_log().count(WARNING) - logged >= CLIENTS,
   'half a file: each of them had looked at it')

#
# A careless rotation: the key that signs is removed
#

time.sleep(1.1)         # all have seen the whole file
verifier.paused = True
verifier.wait()
equal(failures(phase), collections.Counter(), 'half a file: nor later')
new_connections = 0.3
enter('the key that signs is gone')
keyring_command('remove', 'SKnew')
time.sleep(1.6)
got = failures(phase)
equal({failure[:2] for failure in got},
      {('F0000', 'key "SKnew" is not in the keyring')},
      'the key that signs is gone: F0000 and nothing else')
equal({failure[2] for failure in got}, {'new', 'long'},
      'the key that signs is gone: in new sessions and in those that run')
keyring_command('add', 'SKnew', 'HS256', secret=NEW_SECRET)
mended = time.monotonic()
enter('the key is back', 1.5)
took = max(client.last_failure for client in clients) - mended
ok(took < 1.1, 'the key is back: calls succeed again within a second')
diag('the last call that failed began %.2f s after the key was back' % took)
ok(all(not client.pooled.closed for client in clients),
   'the key is back: no session was lost')
equal({failure[:2] for failure in failures(phase)}
      - {('F0000', 'key "SKnew" is not in the keyring')}, set(),
      'the key is back: until then F0000 and nothing else')
verifier.paused = False
verifier.wait()
enter('all is well', 0.7)
verifier.wait()
equal(failures(phase), collections.Counter(), 'all is well: no call fails')
equal(verifier.refused, [], 'all is well: every token verifies, also those '
      'from before')

leave()
stopping = True
for thread in (*clients, verifier):
    thread.join(30)
equal([thread.is_alive() for thread in (*clients, verifier)],
      [False] * (CLIENTS + 1), 'nobody hangs')
for name, figures in phases.items():
    diag('%s: %s' % (name, figures))
diag('all: %d tokens; the longest call took %d ms'
     % (len(tokens), max(p.longest for p in phases.values()) * 1000))
for client in clients:
    client.pooled.close()
verifier.session.close()

#
# Size
#


def big_endian(integer, length=None):
    length = length or (integer.bit_length() + 7) // 8
    return base64url(integer.to_bytes(length, 'big'))


def raw(key):
    return key.public_bytes(serialization.Encoding.Raw,
                            serialization.PublicFormat.Raw)


def rsa_key(kid):
    private = rsa.generate_private_key(65537, 2048).private_numbers()
    return {'kty': 'RSA', 'kid': kid, 'alg': 'RS256',
            'n': big_endian(private.public_numbers.n),
            'e': big_endian(private.public_numbers.e),
            'd': big_endian(private.d), 'p': big_endian(private.p),
            'q': big_endian(private.q), 'dp': big_endian(private.dmp1),
            'dq': big_endian(private.dmq1), 'qi': big_endian(private.iqmp)}


def ec_key(kid):
    private = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    return {'kty': 'EC', 'kid': kid, 'alg': 'ES256', 'crv': 'P-256',
            'x': big_endian(private.public_numbers.x, 32),
            'y': big_endian(private.public_numbers.y, 32),
            'd': big_endian(private.private_value, 32)}


def ed_key(kid):
    private = ed25519.Ed25519PrivateKey.generate()
    return {'kty': 'OKP', 'kid': kid, 'alg': 'EdDSA', 'crv': 'Ed25519',
            'x': base64url(raw(private.public_key())),
            'd': base64url(private.private_bytes(
                serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                serialization.NoEncryption()))}


RSA, OTHER_RSA, EC, OTHER_EC, ED = (rsa_key('rsa'), rsa_key('other rsa'),
                                    ec_key('ec'), ec_key('other ec'),
                                    ed_key('ed'))
NAME = oct_key('name', NAME_SECRET, vidtoken_use='name')
PEM = os.path.join(clinic.directory, 'ec.pem')
clinic.write_keyring(ec.generate_private_key(ec.SECP384R1()).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption()), PEM)
LOCKED = os.path.join(clinic.directory, 'locked.pem')
clinic.write_keyring(ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
    serialization.BestAvailableEncryption(b'passphrase')), LOCKED)
# each has good keys before the one that spoils it
BROKEN = [
    [RSA, EC, ED],                                          # no name key
    [RSA, EC, ED, NAME, dict(EC, kid='ec')],                # a kid twice
    [RSA, dict(OTHER_RSA, e='Ag')],
    [RSA, EC, dict(OTHER_RSA, n=RSA['n'])],
    [{k: v for k, v in RSA.items() if k != 'qi'}],
    [EC, dict(OTHER_EC, y=EC['y'])],
    [EC, ED, dict(OTHER_EC, d=EC['d'])],
    [ED, dict(ED, kid='x', x=base64url(bytes(32)))],
    [EC, dict(ED, kid='x', x=base64url(b'\2' + bytes(31)))],
    [EC, {'kid': 'pem', 'alg': 'ES256', 'pem_file': PEM}],
    [ED, {'kid': 'pem', 'alg': 'RS256', 'pem_file': PEM}],
    [ED, {'kid': 'pem', 'alg': 'ES256', 'pem_file': LOCKED}],
]
for n, broken in enumerate(BROKEN):
    clinic.write_keyring({'keys': broken}, clinic.keyring_path + '.%d' % n)
session = clinic.connect()
rows(session, 'SELECT * FROM vidtoken.vidtoken_issue(47, 2)')


def fail_to_load(count):
    """The setting is undone with the statement, so that each is a new path."""
    codes = collections.Counter()
    for n in range(count):
        codes[refusal(session, "SET vidtoken.keyring = '%s.%d'; "
                      'SELECT vidtoken.vidtoken_issue(47, 2)'
                      % (clinic.keyring_path, n % len(BROKEN))).sqlstate] += 1
    return codes


fail_to_load(25 * len(BROKEN))
before = memory(session)
begin = time.monotonic()
equal(fail_to_load(2000), {'F0000': 2000}, '2000 broken keyrings are refused')
after = memory(session)
ok(after - before < 1024, '2000 broken keyrings: memory stays')
diag('2000 broken keyrings: %+d kB, from %d; %.1f s'
     % (after - before, before, time.monotonic() - begin))
rows(session, 'SELECT * FROM vidtoken.vidtoken_issue(47, 2)')
session.close()

clinic.write_keyring({'keys': [RSA, EC, NAME]})
session = clinic.connect()
rows(session, "SET vidtoken.provider = 'jwt'; SET synchronous_commit = off")


def many_tokens(key, count):
    rows(session, "SET vidtoken.key_id = '%s'" % key)
    rows(session, 'DO $$ BEGIN FOR i IN 1..%d LOOP PERFORM '
         'vidtoken.vidtoken_issue(47, 2); COMMIT; END LOOP; END $$' % count)


for key, count in (('ec', 19000), ('rsa', 1000)):
    many_tokens(key, 500)
    before = memory(session)
    begin = time.monotonic()
    many_tokens(key, count)
    after = memory(session)
    ok(after - before < 1024, '%d tokens of key %s: memory stays'
       % (count, key))
    diag('%d tokens of key %s: %+d kB, from %d; %.2f ms each'
         % (count, key, after - before, before,
            (time.monotonic() - begin) * 1000 / count))
    equal(value(session, 'SELECT v.valid FROM vidtoken.vidtoken_issue(47, 2) '
                'AS g, vidtoken.vidtoken_verify(g.access_token) AS v'), True,
          'and the last of them is as good as the first')
session.close()

#
# The end
#

equal(value(watcher, 'SELECT pg_postmaster_start_time()'), started_at,
      'the server is still the one that was started')
unlike(server_log().decode('utf-8', 'replace'),
       r'terminated by signal|PANIC:|TRAP:|invalid memory|leaked|leak:',
       'and has nothing to report')
diag('%.0f s in all' % (time.monotonic() - BEGIN))
watcher.close()
done_testing()
