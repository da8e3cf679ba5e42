#!/bin/sh
''':'
exec "${PYTHON:-/usr/bin/python3}" -B "$0" "$@"
'''
#
# Calls as drivers make them: psycopg2, node-pg, and the SQL of PostgREST.
#
# One signature takes whatever a driver sends for an id, typed or not.  The
# answer arrives in the types that a front end can use as they are.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/011_drivers.t

import datetime
import decimal
import json
import os
import shutil
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from tap import *

import psycopg2.extensions
import psycopg2.extras

need_server()
clinic = Clinic('drivers')
connection = clinic.connect()

ISSUE = 'SELECT * FROM vidtoken.vidtoken_issue(%s, %s)'
UUID = '6f0c3c3e-2f0a-4a53-9a36-1c8f35d4f4a7'
BIG = 2 ** 53 + 1

rows(connection, """
CREATE TABLE clinic.keyed (
    as_uuid uuid, as_bigint bigint, as_numeric numeric(20,2), as_text text
);
INSERT INTO clinic.keyed VALUES (%s, %s, 47.50, 'Raum "é" \\ 1');
CREATE VIEW clinic.by_uuid AS SELECT as_uuid AS appointment_id, 2 AS user_id,
    now() AS starts_at, interval '1 hour' AS duration FROM clinic.keyed;
CREATE VIEW clinic.by_bigint AS SELECT as_bigint AS appointment_id,
    2 AS user_id, now() AS starts_at, interval '1 hour' AS duration
    FROM clinic.keyed;
CREATE VIEW clinic.by_numeric AS SELECT as_numeric AS appointment_id,
    2 AS user_id, now() AS starts_at, interval '1 hour' AS duration
    FROM clinic.keyed;
CREATE VIEW clinic.by_text AS SELECT as_text AS appointment_id,
    2 AS user_id, now() AS starts_at, interval '1 hour' AS duration,
    'room'::text AS room_name FROM clinic.keyed;
""", (UUID, BIG))


def source(connection, name):
    rows(connection, 'SET vidtoken.source = %s', ('clinic.' + name,))


#
# psycopg2: values are typed literals
#

psycopg2.extras.register_uuid()
room = record(connection, ISSUE, (47, 2))['room_name']
for what, parameters in {
        'int': (47, 2),
        'str': ('47', '2'),
        'int and str': (47, '2'),
        'Decimal': (decimal.Decimal('47'), decimal.Decimal('2')),
        'Decimal with a scale of its own': (decimal.Decimal('47.'), 2),
        'blanks that int4in takes': (' 47 ', '2'),
        'a sign that int4in takes': ('+47', 2)}.items():
    grant = record(connection, ISSUE, parameters)
    equal((grant['room_name'], grant['appointment_id']), (room, 47),
          'psycopg2: %s' % what)
equal(value(connection, 'SELECT count(*) FROM vidtoken.vidtoken_session'), 1,
      'psycopg2: all of them name one session')

grant = record(connection, ISSUE, (47, 2))
equal({name: type(value).__name__ for name, value in grant.items()},
      {'access_token': 'str', 'room_name': 'str', 'user_identity': 'str',
       'expires_in': 'int', 'expires_at': 'datetime', 'appointment_id': 'int',
       'appointment_duration_minutes': 'int', 'token_valid_until': 'str',
       'issued_at': 'datetime', 'refresh_at': 'datetime',
       'warn_at': 'datetime', 'role': 'str', 'provider': 'str',
       'server_url': 'NoneType'}, 'psycopg2: types of the answer')
equal(grant['expires_at'].utcoffset(), datetime.timedelta(0),
      'psycopg2: times know their zone')

for what, parameters, code, reason in (
        ('None for the appointment', (None, 2), '22004', ''),
        ('None for the user', (47, None), '22004', ''),
        ('another int', (46, 2), 'PT404', 'not_found'),
        ('a negative int', (-47, 2), 'PT404', 'not_found'),
        ('an int that is no int4', (BIG, 2), 'PT404', 'not_found'),
        ('an int that is no int8', (2 ** 64 + 47, 2), 'PT404', 'not_found'),
        ('an int that wraps to 47', (2 ** 32 + 47, 2), 'PT404', 'not_found'),
        ('a Decimal with a fraction', (decimal.Decimal('47.0'), 2), 'PT404',
         'not_found'),
        ('a float, which psycopg2 writes as a numeric,', (47.0, 2), 'PT404',
         'not_found'),
        ('Decimal NaN', (decimal.Decimal('NaN'), 2), 'PT404', 'not_found'),
        ('an empty str', ('', 2), 'PT404', 'not_found'),
        ('a str that is no number', ('47 OR true', 2), 'PT404', 'not_found'),
        ('a quote', ("47'", 2), 'PT404', 'not_found'),
        ('a uuid', (uuid.UUID(UUID), 2), 'PT404', 'not_found'),
        ('a str of a megabyte', ('4' * 1000000, 2), 'PT404', 'not_found')):
    refused(connection, ISSUE, parameters, code, reason,
            'psycopg2: %s is refused' % what)
for what, parameters in {'float infinity': (float('inf'), 2), 'bool': (True, 2),
                         'date': (datetime.date(2026, 3, 2), 2)}.items():
    refused(connection, ISSUE, parameters, '42883', '',
            'psycopg2: %s is no id to PostgreSQL, and no function is found'
            % what)

source(connection, 'by_uuid')
for parameter in (uuid.UUID(UUID), UUID, UUID.upper(), '{%s}' % UUID):
    grant = record(connection, ISSUE, (parameter, 2))
    equal(grant['appointment_id'], UUID,
          'psycopg2: %s of the uuid' % type(parameter).__name__)
refused(connection, ISSUE, (UUID[:-1], 2), 'PT404', 'not_found',
        'psycopg2: a malformed uuid is no appointment')
refused(connection, ISSUE, (47, 2), 'PT404', 'not_found',
        'psycopg2: an int is no uuid')
equal(rows(connection, 'SELECT appointment_id FROM vidtoken.vidtoken_session '
           'WHERE appointment_id LIKE %s', ('6f0c%',)), [(UUID,)],
      'psycopg2: all spellings are one session, in canonical form')

source(connection, 'by_bigint')
grant = record(connection, ISSUE, (BIG, 2))
equal(grant['appointment_id'], str(BIG),
      'psycopg2: an int beyond 2^53 comes back as a string')
refused(connection, ISSUE, (BIG - 1, 2), 'PT404', 'not_found',
        'psycopg2: its neighbour is another id')

source(connection, 'by_numeric')
for parameter in (decimal.Decimal('47.5'), decimal.Decimal('47.50'), '47.500'):
    grant = record(connection, ISSUE, (parameter, 2))
    equal(grant['appointment_id'], 47.5,
          'psycopg2: %s %s of a numeric key'
          % (type(parameter).__name__, parameter))
refused(connection, ISSUE, (decimal.Decimal('47.504'), 2), 'PT404',
        'not_found', 'psycopg2: a Decimal is not rounded to the column')

source(connection, 'by_text')
grant = record(connection, ISSUE, ('Raum "é" \\ 1', 2))
equal(grant['appointment_id'], 'Raum "é" \\ 1', 'psycopg2: str of a text key')
refused(connection, ISSUE, ('raum "é" \\ 1', 2), 'PT404', 'not_found',
        'psycopg2: text is compared as it is')
source(connection, 'video_source')

#
# PREPARE, with every type a driver may declare
#

for number, (types, arguments) in enumerate((
        ('', '47, 2'), ('int, int', '47, 2'), ('bigint, bigint', '47, 2'),
        ('smallint, smallint', '47::int2, 2::int2'),
        ('numeric, numeric', '47, 2'), ('text, text', "'47', '2'"),
        ('varchar, varchar', "'47', '2'"), ('char(4), char(4)', "'47', '2'"),
        ('unknown, unknown', "'47', '2'"),
        ('vidtoken.vidtoken_id, vidtoken.vidtoken_id', "'47', '2'"))):
    rows(connection, 'PREPARE p%d%s AS SELECT room_name FROM '
         'vidtoken.vidtoken_issue($1, $2)'
         % (number, types and '(%s)' % types))
    # from the sixth execution on the plan may be a generic one
    answers = {value(connection, 'EXECUTE p%d(%s)' % (number, arguments))
               for _ in range(8)}
    equal(answers, {room}, 'PREPARE: %s' % (types or 'no types declared'))
refused(connection, "EXECUTE p1(46, 2)", None, 'PT404', 'not_found',
        'PREPARE: another id is another appointment')
refused(connection, 'PREPARE bad(float8) AS SELECT * FROM '
        'vidtoken.vidtoken_issue($1, 2)', None, '42883', '',
        'PREPARE: float8 is refused')

#
# PostgREST: the SQL that it generates
#

role = clinic.create_role('web', 'NOLOGIN')
rows(connection, """
CREATE SCHEMA api;
CREATE FUNCTION api.call_token(appointment_id vidtoken.vidtoken_id)
RETURNS vidtoken.vidtoken_grant LANGUAGE sql AS
    'SELECT * FROM vidtoken.vidtoken_issue(appointment_id)';
GRANT USAGE ON SCHEMA api, vidtoken, clinic TO {0};
GRANT SELECT ON clinic.video_source, clinic.by_uuid, clinic.by_bigint TO {0};
GRANT EXECUTE ON FUNCTION
    vidtoken.vidtoken_issue(vidtoken.vidtoken_id) TO {0};
""".format(role))

SETTINGS = """
select set_config('search_path', '"api", "public"', true),
       set_config('role', %s, true),
       set_config('request.jwt.claims', %s, true),
       set_config('request.method', 'POST', true),
       set_config('request.path', '/rpc/call_token', true),
       set_config('request.headers', '{}', true)"""
CALL = """
WITH pgrst_source AS (SELECT pgrst_call.*
  FROM (SELECT %s::json AS json_data) pgrst_payload,
       LATERAL (SELECT "appointment_id"
                  FROM json_to_record(pgrst_payload.json_data)
                    AS _("appointment_id" vidtoken.vidtoken_id) LIMIT 1)
         pgrst_body,
       LATERAL "api"."call_token"(
           "appointment_id" := pgrst_body."appointment_id") pgrst_call)
SELECT null::bigint AS total_result_set, 1 AS page_total,
       coalesce(json_agg(_postgrest_t)->0, 'null')::text AS body,
       nullif(current_setting('response.headers', true), '')
           AS response_headers
FROM (SELECT "call_token".* FROM "pgrst_source" AS "call_token") _postgrest_t
"""


def post(body, claims, mode='READ WRITE'):
    """The request as PostgREST would run it: body of the answer, refusal."""
    rows(connection, 'BEGIN ISOLATION LEVEL READ COMMITTED ' + mode)
    try:
        rows(connection, SETTINGS, (role, json.dumps(claims)))
        answer = rows(connection, CALL, (json.dumps(body),))[0][2]
        rows(connection, 'COMMIT')
        return answer, Refusal()
    except psycopg2.Error as error:
        rows(connection, 'ROLLBACK')
        return None, Refusal(error)


JANE = {'sub': '2', 'role': role}
ISO = r'\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00\Z'
for what, body in (('a number', {'appointment_id': 47}),
                   ('a string', {'appointment_id': '47'})):
    answer, got = post(body, JANE)
    grant = json.loads(answer or '{}')
    equal((str(got).strip(), grant.get('room_name'),
           grant.get('user_identity')), ('', room, '2-jane@example.com'),
          'PostgREST: %s in the body' % what)
    equal(list(grant), ['access_token', 'room_name', 'user_identity',
                        'expires_in', 'expires_at', 'appointment_id',
                        'appointment_duration_minutes', 'token_valid_until',
                        'issued_at', 'refresh_at', 'warn_at', 'role',
                        'provider', 'server_url'],
          'PostgREST: the members of the answer')
    equal((grant.get('appointment_id'),
           grant.get('appointment_duration_minutes')), (47, 60),
          'PostgREST: numbers are JSON numbers')
    for name in ('expires_at', 'issued_at', 'refresh_at', 'warn_at'):
        like(grant.get(name), ISO, 'PostgREST: %s is ISO 8601 in UTC' % name)
equal(post({'appointment_id': 47}, {'sub': 2, 'role': role})[1].sqlstate, '',
      'PostgREST: sub may be a number')
rows(connection, "SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601'")
answer, got = post({'appointment_id': 47}, JANE)
like(json.loads(answer)['expires_at'], ISO,
     'PostgREST: whatever DateStyle says')
rows(connection, 'RESET DateStyle; RESET IntervalStyle')

for what, body, claims, code, reason in (
        ('another appointment', {'appointment_id': 46}, JANE, 'PT404',
         'not_found'),
        ('null', {'appointment_id': None}, JANE, '22004', ''),
        ('no such member', {}, JANE, '22004', ''),
        ('an object', {'appointment_id': {'id': 47}}, JANE, 'PT404',
         'not_found'),
        ('an array', {'appointment_id': [47]}, JANE, 'PT404', 'not_found'),
        ('true', {'appointment_id': True}, JANE, 'PT404', 'not_found'),
        ('a fraction', {'appointment_id': 47.5}, JANE, 'PT404', 'not_found'),
        ('an exponent', {'appointment_id': 4.7e300}, JANE, 'PT404',
         'not_found'),
        ('a user of another appointment', {'appointment_id': 47},
         {'sub': '4', 'role': role}, 'PT404', 'not_found'),
        ('no user in the claims', {'appointment_id': 47}, {'role': role},
         '42501', 'no_user'),
        ('an empty user', {'appointment_id': 47}, {'sub': '', 'role': role},
         '42501', 'no_user'),
        ('null for a user', {'appointment_id': 47},
         {'sub': None, 'role': role}, '42501', 'no_user'),
        ('an object for a user', {'appointment_id': 47},
         {'sub': {'id': 2}, 'role': role}, '42501', 'no_user'),
        ('tomorrow\'s appointment', {'appointment_id': 98}, JANE, 'PT425',
         'too_early'),
        ('yesterday\'s', {'appointment_id': 100}, JANE, 'PT410', 'ended'),
        ('a cancelled one', {'appointment_id': 99}, JANE, 'PT410',
         'cancelled')):
    answer, got = post(body, claims)
    equal((answer, got.sqlstate, got.reason), (None, code, reason),
          'PostgREST: %s is refused' % what)
equal(post({'appointment_id': 47}, JANE, 'READ ONLY')[1].sqlstate, '25006',
      'PostgREST: GET cannot write, and gets no token')

rows(connection, 'BEGIN')
rows(connection, SETTINGS, (role, json.dumps(JANE)))
refused(connection, 'SELECT * FROM vidtoken.vidtoken_issue(47, 9)', None,
        '42501', '', 'PostgREST: the web role cannot name another user')
rows(connection, 'ROLLBACK')

# row_to_json, as wrappers that build their own answer use it
grant = value(connection, 'SELECT row_to_json(g)::text FROM '
              'vidtoken.vidtoken_issue(47, 2) AS g')
grant = json.loads(grant)
like(grant['expires_at'], ISO, 'row_to_json: ISO 8601 in UTC')
equal(grant['appointment_id'], 47, 'row_to_json: the id is a number')
equal(grant['server_url'], None, 'row_to_json: what is unknown is null')
source(connection, 'by_bigint')
grant = json.loads(value(connection, 'SELECT row_to_json(g)::text FROM '
                         'vidtoken.vidtoken_issue(%s, 2) AS g', (BIG,)))
equal(grant['appointment_id'], str(BIG),
      'row_to_json: no reader loses digits beyond 2^53')
source(connection, 'video_source')

#
# Two ways of calling
#

before = value(connection, "SELECT issue_count FROM vidtoken.vidtoken_session "
               "WHERE appointment_id = '47' AND user_id = '2'")
rows(connection, ISSUE, (47, 2))
equal(value(connection, "SELECT issue_count FROM vidtoken.vidtoken_session "
            "WHERE appointment_id = '47' AND user_id = '2'"), before + 1,
      'SELECT * FROM runs the function once')
rows(connection, 'SELECT (vidtoken.vidtoken_issue(47, 2)).*')
equal(value(connection, "SELECT issue_count FROM vidtoken.vidtoken_session "
            "WHERE appointment_id = '47' AND user_id = '2'"), before + 15,
      'SELECT (f()).* runs it once a column: the trap that is documented')

#
# node-pg: parameters are untyped text
#


def node_tests():
    if shutil.which('node') is None:
        return skip('node-pg', 'node is not here')
    if program('node', '-e', 'require("pg")').returncode != 0:
        return skip('node-pg', 'require("pg") fails')
    run = program('node', os.path.join(HERE, 'drivers.js'), clinic.name,
                  env=dict(os.environ, TZ='America/New_York'))
    if not ok(run.returncode == 0, 'node-pg: the script runs to its end'):
        return diag((run.stdout + run.stderr).decode())
    answers = json.loads(run.stdout.decode())

    def part(name, column):
        return answers[name].get(column, answers[name])

    for name in ('numbers', 'strings', 'bigints', 'cast to integer',
                 'refresh', *('named %d' % call for call in range(1, 9))):
        equal(part(name, 'room_name'), ['string', room], 'node-pg: ' + name)
    equal({column: kind for column, (kind, _) in answers['numbers'].items()},
          {'access_token': 'string', 'room_name': 'string',
           'user_identity': 'string', 'expires_in': 'number',
           'expires_at': 'Date', 'appointment_id': 'number',
           'appointment_duration_minutes': 'number',
           'token_valid_until': 'string', 'issued_at': 'Date',
           'refresh_at': 'Date', 'warn_at': 'Date', 'role': 'string',
           'provider': 'string', 'server_url': 'null'},
          'node-pg: types of the answer')
    equal(part('numbers', 'appointment_id'), ['number', 47],
          'node-pg: the id is the number it was')
    like(part('record', 'grant')[1], r'\A\(eyJ', 'node-pg: SELECT f() is a record')
    equal(part('json', 'grant')[1]['appointment_id'], 47,
          'node-pg: to_json is an object')
    # before 8.9 node-pg itself breaks the protocol here (08P01)
    if answers['version'] < [8, 9]:
        skip('node-pg: a binary answer', 'node-pg is older than 8.9')
    else:
        like(part('binary', 'access_token')[1], r'\AeyJ',
             'node-pg: a binary answer')
        equal(part('binary', 'expires_in')[0], 'number',
              'node-pg: numbers of a binary answer')

    # a Buffer is what node-pg sends in binary
    equal(part('bytes', 'room_name'), ['string', room],
          'node-pg: a binary parameter')
    equal(part('wrong bytes', 'refused'), 'PT404',
          'node-pg: a binary int is no id')
    equal(part('bytes that are not UTF-8', 'refused'), '22021',
          'node-pg: bytes that are not UTF-8 are refused')
    for name in ('fraction', 'boolean', 'word', 'object', 'array'):
        equal(answers[name], {'refused': 'PT404',
                              'detail': '{"reason":"not_found"}'},
              'node-pg: %s is refused' % name)
    for name in ('null', 'undefined'):
        equal(part(name, 'refused'), '22004', 'node-pg: %s is refused' % name)
    equal(part('too early', 'refused'), 'PT425',
          'node-pg: an SQLSTATE of ours is error.code')
    like(json.loads(part('too early', 'detail'))['opens_at'],
         r'\A\d{4}-\d\d-\d\dT', 'node-pg: error.detail is JSON')

    equal(part('uuid', 'appointment_id'), ['string', UUID], 'node-pg: a uuid')
    equal(part('malformed uuid', 'refused'), 'PT404',
          'node-pg: a malformed uuid is refused')
    for name in ('bigint beyond 2^53', 'string beyond 2^53'):
        equal(part(name, 'appointment_id'), ['string', str(BIG)],
              'node-pg: ' + name)
    equal(part('number beyond 2^53', 'refused'), 'PT404',
          'node-pg: a number that JavaScript has rounded is another id')


node_tests()
done_testing()
