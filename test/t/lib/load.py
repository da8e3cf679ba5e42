"""Callers of the ledger's functions that remember what they were answered.

Every appointment has one Caller that writes to it, so that the ledger has to
hold, row by row and to the letter, what the last answers said.  Only the row
of a call that was never answered may be either as it was before that call or
as it is after it.  One session belongs to all of them: of that one the counts
are known, and how late its token expires at least.

Invariants a maintainer must keep:
- A call is known as done only after the server has answered it.
- What is expected follows from the answers alone; the ledger is looked at
  when it is judged, and after a connection was lost.

Copyright (c) 2026, the vidtoken authors

test/t/lib/load.py
"""

import base64
import collections
import json
import random
import threading

import psycopg2

from tap import *

ANSWERS_GRANT = ('issue', 'refresh')
STATEMENTS = {
    'issue': 'SELECT * FROM vidtoken.vidtoken_issue(%s, %s)',
    'refresh': 'SELECT * FROM vidtoken.vidtoken_refresh(%s, %s)',
    'revoke': 'SELECT vidtoken.vidtoken_revoke(%s, %s)',
    'reinstate': 'SELECT vidtoken.vidtoken_reinstate(%s, %s)',
    'revoke_all': 'SELECT vidtoken.vidtoken_revoke_all(%s)',
    'reinstate_all': 'SELECT vidtoken.vidtoken_reinstate_all(%s)',
    'reset_room': 'SELECT vidtoken.vidtoken_reset_room(%s)',
}

#
# The ledger
#

Session = collections.namedtuple(
    'Session', 'issues refreshes jti room identity generation issued_at '
    'expires_at barred')
Room = collections.namedtuple('Room', 'generation barred')

# What no row stands for.
NO_SESSION = Session(0, 0, None, None, None, 0, None, None, False)
NO_ROOM = Room(0, False)

SESSIONS = """
SELECT appointment_id::int, user_id::int, issue_count, refresh_count, jti,
       room_name, user_identity, generation, issued_at, expires_at,
       revoked_at IS NOT NULL
  FROM vidtoken.vidtoken_session"""
ROOMS = """
SELECT appointment_id::int, generation, revoked_at IS NOT NULL
  FROM vidtoken.vidtoken_room"""

# Rows that no sequence of whole calls leaves behind, whatever was answered.
HALF_STATES = """
SELECT s.appointment_id, s.user_id,
       CASE WHEN s.first_issued_at IS NULL THEN 'a bar' ELSE 'a session' END
  FROM vidtoken.vidtoken_session AS s
  LEFT JOIN vidtoken.vidtoken_room AS r USING (appointment_id)
 WHERE CASE WHEN s.first_issued_at IS NULL
            THEN s.revoked_at IS NOT NULL
                 AND s.issue_count = 0 AND s.refresh_count = 0
                 AND num_nonnulls(s.user_identity, s.room_name, s.role,
                         s.provider, s.key_id, s.jti, s.starts_at, s.ends_at,
                         s.issued_at, s.expires_at, s.issued_by) = 0
            ELSE num_nulls(s.user_identity, s.room_name, s.role, s.provider,
                         s.key_id, s.jti, s.starts_at, s.ends_at, s.hard_stop,
                         s.issued_at, s.expires_at, s.issued_by) = 0
                 AND s.issue_count >= 1 AND s.refresh_count >= 0
                 AND s.issued_at >= s.first_issued_at
                 AND (s.issued_at = s.first_issued_at
                      OR s.issue_count + s.refresh_count > 1)
                 AND s.expires_at > s.issued_at
                 AND s.generation BETWEEN 0 AND coalesce(r.generation, 0)
       END IS NOT TRUE
UNION ALL
SELECT appointment_id, NULL, 'rooms and generations'
  FROM vidtoken.vidtoken_session
 WHERE first_issued_at IS NOT NULL
 GROUP BY appointment_id
HAVING count(DISTINCT (generation, room_name)) <> count(DISTINCT generation)
    OR count(DISTINCT (generation, room_name)) <> count(DISTINCT room_name)
UNION ALL
SELECT s.appointment_id, s.user_id, 'a session of nobody'
  FROM vidtoken.vidtoken_session AS s
  LEFT JOIN clinic.participants AS p
    ON p.appointment_id::text = s.appointment_id
   AND p.user_id::text = s.user_id
 WHERE p.user_id IS NULL
UNION ALL
SELECT r.appointment_id, NULL, 'a room of no appointment'
  FROM vidtoken.vidtoken_room AS r
  LEFT JOIN clinic.appointments AS a ON a.id::text = r.appointment_id
 WHERE a.id IS NULL"""


def read_ledger(connection, appointment_id=None):
    """Sessions by (appointment, user), rooms by (appointment, None)."""
    suffix, parameters = '', None
    if appointment_id is not None:
        suffix, parameters = ' WHERE appointment_id = %s', (
            str(appointment_id),)
    found = {row[:2]: Session(*row[2:])
             for row in rows(connection, SESSIONS + suffix, parameters)}
    found.update({(row[0], None): Room(*row[1:])
                  for row in rows(connection, ROOMS + suffix, parameters)})
    return found


def nothing(key):
    return NO_ROOM if key[1] is None else NO_SESSION


def effect(verb, before, room):
    """What a call makes of its row, but for what only its answer says."""
    if verb == 'issue':
        return before._replace(issues=before.issues + 1,
                               generation=room.generation)
    if verb == 'refresh':
        return before._replace(refreshes=before.refreshes + 1,
                               generation=room.generation)
    if verb == 'reset_room':
        return before._replace(generation=before.generation + 1)
    return before._replace(barred=verb.startswith('revoke'))


def token_of(session):
    return {part: getattr(session, part) for part in
            ('jti', 'room', 'identity', 'issued_at', 'expires_at')}


def follows(before, after):
    """Whether a session's token may be the next after another."""
    if None in token_of(after).values() or after.expires_at <= after.issued_at:
        return False
    return before.jti is None or (
        after.jti != before.jti and after.identity == before.identity
        and after.issued_at >= before.issued_at
        and after.expires_at >= before.expires_at
        and ((after.room == before.room)
             == (after.generation == before.generation)))


def granted_session(grant, session):
    """The session with what a grant says."""
    payload = grant['access_token'].split('.')[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + '=='))
    assert claims['exp'] == grant['expires_at'].timestamp()
    return session._replace(jti=claims['jti'], room=grant['room_name'],
                            identity=grant['user_identity'],
                            issued_at=grant['issued_at'],
                            expires_at=grant['expires_at'])


#
# Callers
#

SHARED = (1, 2)         # the session of all callers
USERS = (2, 3)          # of every other appointment
POOL = 6000             # sessions that a caller may begin
CHOICES = (['refresh'] * 12 + ['issue'] * 4 + ['revoke'] * 2
           + ['reinstate'] * 2 + ['revoke_all', 'reinstate_all', 'reset_room'])


class Caller:
    """Calls of one connection, one after the other, each on its own."""

    def __init__(self, clinic, number):
        self.clinic, self.number = clinic, number
        self.first_id = (number + 1) * 100000
        self.random = random.Random(number)
        self.keys = []                          # in use, in their order
        self.known = {}
        self.names = {}                         # by (appointment, generation)
        self.flying = None                      # a call without an answer
        self.acknowledged = collections.Counter()
        self.shared = collections.Counter()     # acknowledged, and maybe done
        self.shared_expires_at = None
        self.strange = []
        self.endures = False                    # comes back when cut off

    def get(self, key):
        return self.known.get(key, nothing(key))

    def connect(self):
        self.connection = self.clinic.connect()
        self.pid = self.connection.get_backend_pid()

    def work(self, over):
        """Calls until "over" is set, or the connection is lost for good."""
        try:
            self.connect()
            while not over.is_set():
                if not self.call(*self.choose()):
                    if not self.endures:
                        return
                    self.come_back()
            self.connection.close()
        except Exception as error:
            self.strange.append(repr(error))

    def fresh(self):
        """The key of a session that nobody has called for."""
        which, user = divmod(len(self.keys), len(USERS))
        self.keys.append((self.first_id + which, USERS[user]))
        return self.keys[-1]

    def choose(self):
        roll = self.random.random()
        if len(self.keys) < POOL and (roll < 0.2 or not self.keys):
            return ('revoke' if roll < 0.01 else 'issue'), self.fresh()
        if roll < 0.25:
            return self.random.choice(ANSWERS_GRANT), SHARED
        verb, key = self.random.choice(CHOICES), self.random.choice(self.keys)
        if verb.endswith('_all') or verb == 'reset_room':
            key = (key[0], None)
        return verb, key

    def call(self, verb, key):
        """One call, in autocommit; false when the connection was lost."""
        self.flying = verb, key
        got = ''
        try:
            got = record(self.connection, STATEMENTS[verb],
                         key[:STATEMENTS[verb].count('%s')])
        except psycopg2.Error as error:
            got = Refusal(error)
            if got.sqlstate == '57014':
                self.acknowledged['cancelled'] += 1
            elif not got.sqlstate or got.sqlstate.startswith('57P'):
                return False
        self.flying = None
        if isinstance(got, dict):
            self.answered(verb, key, got)
        elif got.sqlstate != '57014':
            self.expect((got.sqlstate, got.reason), self.refusal_of(verb, key),
                        verb, key)
            self.acknowledged['refused'] += 1
        return True

    def expect(self, got, expected, *what):
        if got != expected:
            self.strange.append((*what, 'got', got, 'expected', expected))

    def refusal_of(self, verb, key):
        session, room = self.get(key), self.get((key[0], None))
        if key == SHARED or verb not in ANSWERS_GRANT:
            return None
        if session.barred or room.barred:
            return 'PT410', 'revoked'
        if verb == 'refresh' and session.jti is None:
            return 'PT409', 'no_session'
        return None

    def answered(self, verb, key, got):
        """Remembers an answer, and judges it by those of before."""
        before, room = self.get(key), self.get((key[0], None))
        after = effect(verb, before, room)
        self.acknowledged[verb] += 1
        if key == SHARED:
            self.shared[verb] += 1
            expires_at = got['expires_at']
            if self.shared_expires_at and expires_at < self.shared_expires_at:
                self.strange.append((verb, key, expires_at))
            self.shared_expires_at = expires_at
            return
        self.expect(None, self.refusal_of(verb, key), verb, key)
        if verb in ANSWERS_GRANT:
            after = granted_session(got, after)
            if not follows(before, after):
                self.strange.append((verb, key, before, after))
            self.expect(after.room, self.room_name(key[0], after), verb, key)
        elif verb == 'reset_room':
            name, = got.values()
            self.expect(name, self.names.setdefault(
                (key[0], after.generation), name), verb, key)
        elif verb.endswith('_all'):
            self.expect(*got.values(), self.sessions_of(key[0])
                        if after != before else 0, verb, key)
        else:
            self.expect(*got.values(), after != before, verb, key)
            self.acknowledged[verb + ', true'] += True in got.values()
        self.known[key] = after

    def room_name(self, appointment_id, session):
        return self.names.setdefault((appointment_id, session.generation),
                                     session.room)

    def sessions_of(self, appointment_id):
        """Those that a bar of the whole appointment ends."""
        sessions = [self.get((appointment_id, user)) for user in USERS]
        return sum(one.jti is not None and not one.barred for one in sessions)

    def come_back(self):
        """After the server has cut the connection, and is as good as ever."""
        connection = self.clinic.connect()
        if not wait_until(lambda: value(
                connection, 'SELECT count(*) = 0 FROM pg_stat_activity '
                'WHERE pid = %s', (self.pid,))):
            self.strange.append('a backend that was terminated stays')
        key = self.flying[1]
        found = read_ledger(connection, key[0])
        self.strange.extend(self.differences(found, key[0]))
        self.adopt(found, key[0])
        connection.close()
        self.connect()

    def is_done(self, key, found):
        """Whether the call without an answer explains what is found."""
        if self.flying is None or self.flying[1] != key:
            return False
        before, room = self.get(key), self.get((key[0], None))
        if self.refusal_of(*self.flying):
            return False
        after = effect(self.flying[0], before, room)
        if self.flying[0] in ANSWERS_GRANT:
            after = after._replace(**token_of(found))
            return (found == after and follows(before, found)
                    and self.room_name(key[0], found) == found.room)
        return found == after

    def owned(self, found, appointment_id=None):
        """Keys of this caller that are known or found."""
        return [key for key in {**self.known, **found}
                if key[0] // 100000 == self.number + 1
                and appointment_id in (None, key[0])]

    def differences(self, found, appointment_id=None):
        """What is not as this caller was answered: (key, known, found)."""
        different = []
        for key in self.owned(found, appointment_id):
            one = found.get(key, nothing(key))
            if one != self.get(key) and not self.is_done(key, one):
                different.append((key, self.get(key), one))
        return different

    def adopt(self, found, appointment_id=None):
        """Goes on from what is found; what was in flight is known now."""
        if self.flying:
            verb, key = self.flying
            self.acknowledged['in flight'] += 1
            self.acknowledged[verb + ' in flight'] += 1
            if key == SHARED:
                self.shared['maybe ' + verb] += 1
            elif self.get(key) != found.get(key, nothing(key)):
                self.acknowledged['in flight, done'] += 1
        for key in self.owned(found, appointment_id):
            self.known[key] = found.get(key, nothing(key))
        self.flying = None


class Load:
    """Callers that call at the same time."""

    def __init__(self, clinic, number):
        self.callers = [Caller(clinic, one) for one in range(number)]
        connection = clinic.connect()
        rows(connection, 'INSERT INTO clinic.appointments (id, starts_at) '
             'SELECT %s, now() UNION ALL SELECT c * 100000 + n, now() '
             'FROM generate_series(1, %s) AS c, generate_series(0, %s) AS n',
             (SHARED[0], number, POOL // len(USERS) + 9))
        rows(connection, 'INSERT INTO clinic.participants (appointment_id, '
             'user_id) SELECT id, u FROM clinic.appointments, unnest(%s) '
             'AS u WHERE id = %s OR id >= 100000', (list(USERS), SHARED[0]))
        rows(connection, 'ANALYZE clinic.appointments, clinic.participants')
        rows(connection, STATEMENTS['issue'], SHARED)
        self.shared = read_ledger(connection)[SHARED]
        connection.close()

    def start(self):
        self.over = threading.Event()
        self.before = [caller.acknowledged.copy() for caller in self.callers]
        self.threads = [threading.Thread(target=caller.work, daemon=True,
                                         args=(self.over,))
                        for caller in self.callers]
        for thread in self.threads:
            thread.start()

    def everybody_was_answered(self, times):
        """Comes true when each caller has had so many grants."""
        return wait_until(lambda: all(
            sum(caller.acknowledged[verb] - before[verb]
                for verb in ANSWERS_GRANT) >= times
            for caller, before in zip(self.callers, self.before)), 60)

    def join(self):
        """Whether all callers came to an end."""
        for thread in self.threads:
            thread.join(60)
        return not any(thread.is_alive() for thread in self.threads)

    def stop(self):
        self.over.set()
        return self.join()

    def count(self, what, since_start=False):
        return sum(caller.acknowledged[what] for caller in self.callers) - (
            sum(before[what] for before in self.before) if since_start else 0)

    def strange(self):
        return [one for caller in self.callers for one in caller.strange]

    def in_flight(self):
        return [caller.flying for caller in self.callers if caller.flying]

    def shared_count(self, what):
        return sum(caller.shared[what] for caller in self.callers)

    def differences(self, found):
        """What is not as it was answered, in all that is found."""
        different = [one for caller in self.callers
                     for one in caller.differences(found)]
        owned = {key for caller in self.callers for key in caller.owned(found)}
        different += [(key, None, one) for key, one in found.items()
                      if key not in owned and key != SHARED]
        session = found.get(SHARED, NO_SESSION)
        least = max((caller.shared_expires_at for caller in self.callers
                     if caller.shared_expires_at),
                    default=self.shared.expires_at)
        maybe = [caller.flying[0] for caller in self.callers
                 if caller.flying and caller.flying[1] == SHARED]
        for verb, number, base in (
                ('issue', session.issues, self.shared.issues),
                ('refresh', session.refreshes, self.shared.refreshes)):
            base += self.shared_count(verb)
            if not (base <= number <= base + maybe.count(verb)
                    + self.shared_count('maybe ' + verb)):
                different.append((SHARED, verb, base, number))
        if session.expires_at is None or session.expires_at < least:
            different.append((SHARED, least, session))
        return different

    def adopt(self, found):
        for caller in self.callers:
            caller.adopt(found)
            caller.shared.clear()
            caller.shared_expires_at = None
        self.shared = found.get(SHARED, NO_SESSION)

    def proceed(self, times):
        """Each caller refreshes sessions that it knows, over a connection of
        its own, and tries one that is barred; whether all could.
        """
        good, refreshed = True, 0
        for caller in self.callers:
            chosen = [key for key in caller.keys
                      if caller.get(key).jti
                      and not caller.refusal_of('refresh', key)][-times:]
            chosen += [key for key in caller.keys
                       if caller.get(key).barred][:1]
            before = caller.acknowledged.copy()
            caller.connect()
            good &= all(caller.call('refresh', key) for key in chosen)
            caller.connection.close()
            done = caller.acknowledged - before
            good &= sum(done.values()) == len(chosen)
            # A slow machine may have left a caller with barred ones alone.
            refreshed += done['refresh']
        return good and refreshed > 0
