#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# Tokens and keys that others published, judged one by one.
#
# The file that VIDTOKEN_VECTORS names, or ../shared/vectors/jws_public.json,
# holds rows {id, alg_allowed, jwk, token, valid, why, layer, now, optional}
# from Wycheproof, RFC 7515, the JOSE cookbook, golang-jwt, libjwt and
# JSONTestSuite, and mutations of these.  Layer "jws" is a signature over any
# bytes, layer "jwt" is claims at the time "now".  It is not part of the
# project: without it nothing is tested.
#
# Each row has a keyring of its own.  A row that the verifier refuses because
# it refused the key is right only where the table REFUSED_KEYS says so, and
# says why.  Where either answer will do, the table OPTIONAL_ROWS says ours.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/020_public_vectors.t

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

path = os.environ.get('VIDTOKEN_VECTORS') or '../shared/vectors/jws_public.json'
if not os.path.isfile(path):
    print('1..0 # SKIP the published vectors are not here: %s' % ascii(path))
    sys.exit()
# This script may be started again, inside a server of its own.
os.environ['VIDTOKEN_VECTORS'] = os.path.abspath(path)

need_server()
with open(path, encoding='utf-8') as file:
    vectors = json.load(file)

# keys that must not be loaded: what vidtoken_check() says of them, and of which
# rows they are
REFUSED_KEYS = {
    'alg is none of those supported':
        'wy-key-6 wy-key-19 wy-key-20 wy-key-25 wy-key-26 wy-signature-264 '
        'wy-signature-265 wy-signature-266 wy-signature-267 wy-signature-268 '
        'wy-signature-269 wy-signature-271 wy-signature-272 wy-signature-288 '
        'wy-signature-320 wy-signature-322 wy-signature-323 wy-signature-332 '
        'wy-signature-342 wy-signature-343 wy-signature-346 wy-signature-350 '
        'wy-signature-351',
    # a key for ECDH, in a row about another serialization
    'kty must be "RSA" for alg RS256': 'cb-curve25519_ecdh-es-json',
    'kty must be "OKP" for alg EdDSA': 'mut-ed-key-ktyEC',
    'crv must be "P-256" for alg ES256':
        'cb-jws_4_3.ecdsa_signature-compact go-ecdsa-2 rfc7515-A.4 wy-key-23',
    'crv must be "Ed25519" for alg EdDSA':
        'mut-ed-key-crv448 mut-ed-key-x25519',
    'x and d of Ed25519 have 32 bytes each': 'mut-ed-key-x31',
    'its point has a small order': 'mut-ed-key-smallorder',
    'its numbers make no key': 'wy-key-22',
    'e must be odd, at least 3': 'wy-key-9',
    'HS256 needs a secret of at least 32 bytes': 'wy-key-10 wy-key-16',
    'HS512 needs a secret of at least 64 bytes': 'wy-key-12 wy-key-18',
    'use is not "sig"': 'wy-key-21 wy-signature-353 wy-signature-354',
    'key_ops allows nothing that the key can do': 'mut-ed-key-ops',
    # the second of two keys of one kid
    'k is not base64url without padding': 'wy-key-4',
}
REFUSED_KEYS = {row: reason for reason, ids in REFUSED_KEYS.items()
                for row in ids.split()}

# rows for which either answer will do: ours (None: valid), and why
OPTIONAL_ROWS = {
    'mut-claim-noexp': (None, 'a token without exp does not expire'),
    'mut-claim-exp-frac': (None, 'a NumericDate may have a fraction'),
    'mut-es-n-s': (None, 'JWS has no low-S rule'),
    'mut-hdr-kid-inj': ('unknown_key', 'a kid stands or falls with its key'),
    'mut-claim-big64k': ('too_long', 'a token has at most 65536 bytes'),
    'mut-claim-exp-2p63': ('bad_claims', 'times end with the year 9999'),
    'mut-claim-nest': ('bad_claims', 'JSON is nested 64 deep at most'),
    'mut-claim-numbomb': ('bad_claims', 'exponents end at 308'),
    'mut-hdr-b64true-nocrit': ('unsupported', 'b64 is refused, whatever it is'),
    'mut-hdr-zip': ('unsupported', 'zip is refused: another reader might not '
                    'ignore it'),
    'mut-ed-alg-Ed25519': ('wrong_algorithm', 'alg is the key\'s, byte for byte'),
    'wy-key-1': (None, 'secrets and asymmetric keys live in one keyring: each '
                 'has its own alg'),
    'wy-key-4': ('F0000', 'two keys of one kid are no keyring'),
    'wy-key-7': (None, 'a weak generator is not told from the modulus'),
}

# rows whose token names a key that is not the row's
OTHER_KEYS = ('lj-jwt_security-test_alg_confusion_callback_rsa_no_alg-0',
              'mut-hdr-kid-inj', 'wy-signature-25', 'wy-signature-40')

OF_SIGNATURES = ('too_long', 'malformed', 'unsupported', 'wrong_algorithm',
                 'unknown_key', 'bad_signature')
OF_CLAIMS = ('bad_claims', 'expired', 'not_yet_valid')
REFUSED_KEY = 'F0000'
ALGORITHMS = ('HS256', 'HS384', 'HS512', 'RS256', 'ES256', 'EdDSA')

clinic = Clinic('vectors')
connection = clinic.connect()
started_at = value(connection, 'SELECT pg_postmaster_start_time()')
rows(connection, "CREATE FUNCTION verify_bytes(token text) RETURNS text "
     "LANGUAGE C AS '$libdir/vidtoken', 'vidtoken_verify_bytes'")
# the verdict, NULL for a valid token, if nothing is told of one that is not
VERIFY = """
SELECT CASE WHEN valid AND reason IS NULL THEN NULL
            WHEN NOT valid AND header IS NULL AND claims IS NULL
                 AND key_id IS NULL AND expires_at IS NULL THEN reason
            ELSE 'it tells of a token that is not valid' END
  FROM vidtoken.vidtoken_verify(%s)
"""


def header_of(token):
    """A token's header, {} when another reader finds none."""
    part = token.split('.')[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(part + '=' * (-len(part) % 4)))
    except ValueError:
        return {}
    return header if isinstance(header, dict) else {}


def keys_of(row):
    """The row's keys, with what a keyring asks for."""
    kid = header_of(row['token']).get('kid')
    # there the point is a kid that is not the key's
    if row['id'] == 'mut-hdr-kid-inj' or not isinstance(kid, str):
        kid = None
    keys = [dict(key) for key in row['jwk'].get('keys', [row['jwk']])]
    for number, key in enumerate(keys):
        key.setdefault('kid', kid or 'key %d' % number)
        key.setdefault('alg', row['alg_allowed'][0])
    return keys


judged = 0


def judge(row, keys):
    """The verdict, None for a valid token; REFUSED_KEY, and the reason, when
    there is no keyring of these keys.
    """
    global judged
    judged += 1
    # A path that is not the last one counts at once.
    keyring_path = '%s.%d' % (clinic.keyring_path, judged % 2)
    clinic.write_keyring({'keys': keys + [oct_key('name of the vectors',
                                                  NAME_SECRET,
                                                  vidtoken_use='name')]},
                         keyring_path)
    rows(connection, "SELECT set_config('vidtoken.keyring', %s, false)",
         (keyring_path,))
    rows(connection, "SELECT set_config('vidtoken.test_clock', "
         "to_timestamp(%s)::text, false)", (row['now'] or 0,))
    try:
        signature = value(connection, 'SELECT verify_bytes(%s)', (row['token'],))
        claims = value(connection, VERIFY, (row['token'],))
    except psycopg2.Error as error:
        if error.pgcode != REFUSED_KEY:
            raise
        return REFUSED_KEY, value(
            connection, "SELECT string_agg(message, '; ') FROM "
            "vidtoken.vidtoken_check() WHERE item = 'keyring' "
            "AND status = 'error'")
    # What is wrong before the claims are read is wrong on both levels.
    if not (signature in OF_SIGNATURES and claims == signature
            or signature is None and claims in OF_CLAIMS + (None,)):
        return 'no answer: %s, %s' % (signature, claims), None
    return (signature if row['layer'] == 'jws' else claims), None


#
# The rows
#

counts = {}
refused_keys = []
other_keys = []
for row in vectors:
    verdict, reason = judge(row, keys_of(row))
    name = '%s, %s: %s' % (row['id'], verdict or 'valid', row['why'])
    counts[verdict or 'valid'] = counts.get(verdict or 'valid', 0) + 1
    if verdict == REFUSED_KEY:
        refused_keys.append(row['id'])
        right = REFUSED_KEYS.get(row['id'], 'no such row') in (reason or '')
    else:
        # These tokens are well signed, but for those too long to be looked at.
        right = (verdict in OF_CLAIMS + (None, 'too_long')
                 if row['layer'] == 'jwt' else
                 verdict in OF_SIGNATURES + (None,))
    if verdict == 'unknown_key':
        other_keys.append(row['id'])
    if 'optional' in row:
        ours, why = OPTIONAL_ROWS.get(row['id'], ('not in the table', ''))
        right = right and verdict == ours
        name += ' (either will do; %s)' % why
    else:
        right = right and (verdict is None) == row['valid']
    if not ok(right, name):
        diag('     got: %s, %s' % (verdict, reason))
        diag('expected: %s' % ('valid' if row['valid'] else 'not valid'))

#
# The tables
#

ids = [row['id'] for row in vectors]
equal(len(set(ids)), len(ids), 'each row has an id of its own')
equal(sorted(refused_keys), sorted(REFUSED_KEYS),
      'the keys that were refused are those that must be')
equal(sorted(row['id'] for row in vectors if 'optional' in row),
      sorted(OPTIONAL_ROWS), 'each optional row has an answer of ours')
equal(sorted(other_keys), sorted(OTHER_KEYS),
      'a kid that is unknown is unknown because of the row')
equal([row['id'] for row in vectors if row['valid']
       and row['id'] in REFUSED_KEYS], [], 'no key of a valid row is refused')

#
# Rows whose key was refused, with a key that is not
#

by_id = {row['id']: row for row in vectors}
for row_id in refused_keys:
    row = by_id[row_id]
    algorithm = header_of(row['token']).get('alg')
    if row['jwk'].get('kty') == 'RSA' and algorithm not in ALGORITHMS:
        like(judge(row, [dict(key, alg='RS256') for key in keys_of(row)])[0],
             '^(wrong_algorithm|unknown_key)$',
             '%s: the same key for RS256 takes no token of %s'
             % (row_id, algorithm))
if 'wy-key-4' in by_id:
    keys = keys_of(by_id['wy-key-4'])
    keys[1]['k'] = re.sub('e$', 'c', keys[1]['k'])
    like(judge(by_id['wy-key-4'], keys)[1], 'two keys have the kid',
         'wy-key-4: refused for its two keys of one kid')
    equal(judge(by_id['wy-key-4'], keys[:1])[0], None,
          'wy-key-4: with the one alone the token is valid')

equal(value(connection, 'SELECT pg_postmaster_start_time()'), started_at,
      'the server is the one of the beginning')
connection.close()

diag('%d rows, of which %d are optional; verdicts: %s'
     % (len(vectors), sum('optional' in row for row in vectors),
        ', '.join('%d %s' % (counts[verdict], verdict)
                  for verdict in sorted(counts))))
diag('%d keys refused: %s' % (len(refused_keys), ' '.join(refused_keys)))
done_testing()
