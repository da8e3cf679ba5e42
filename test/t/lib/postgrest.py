"""Requests to PostgREST, for the scripts in test/t.

Sql makes of a request the statements that PostgREST would send, runs them as
the authenticator, and gives the answer the status that PostgREST would.  Http
sends the same request to a PostgREST.  Both have one method:

    request(method, name, query=.., body=.., claims=.., headers=..) -> Answer

Invariants a maintainer must keep:
- Nothing of the API's functions is known here: their names, arguments and
  volatility are read from the catalog, as PostgREST's schema cache is.
- The statements are those of PostgREST's log.  A value is a parameter without
  a type, the role and the claims are set for the transaction alone.
- What is not modelled raises: filters, Prefer, other formats.

Copyright (c) 2026, the vidtoken authors

test/t/lib/postgrest.py
"""

import http.client
import json
import urllib.parse

import jwt
import psycopg2

from tap import Refusal, connect, rows

OCTETS = 'application/octet-stream'


class Answer:
    """Status, headers in lower case, and the body; of an error its parts."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        error = body if isinstance(body, dict) and status >= 400 else {}
        self.code = error.get('code') or ''
        self.message = error.get('message') or ''
        self.reason = ''
        if (error.get('details') or '').startswith('{"reason":'):
            self.reason = json.loads(error['details'])['reason']

    def __str__(self):
        return '%s %s %s' % (self.status, self.headers, self.body)


def status_of(sqlstate, anonymous, message):
    """The HTTP status of an SQLSTATE: PostgREST's table, first match wins."""
    if sqlstate == '42501':
        return 401 if anonymous else 403
    if sqlstate == '22023' and message.endswith('does not exist'):
        return 401
    if sqlstate.startswith('PT'):
        return int(sqlstate[2:])
    for prefixes, status in (
            (('28', '0L', '0P'), 403),
            (('42883', '42P01'), 404),
            (('25006',), 405),
            (('23503', '23505'), 409),
            (('P0001', '22', '23', '0A', '42', '26', '34', '3F'), 400),
            (('08', '57P01'), 503),
            (('53400',), 500),
            (('53',), 503),
            (('P0', '09', '21', '25', '2D', '38', '39', '3B', '40', '54', '55',
              '57', '58', 'F0', 'HV', 'XX'), 500)):
        if sqlstate.startswith(prefixes):
            return status
    return 400


class Function:
    """What the schema cache knows of a function."""

    def __init__(self, name, volatility, kind, arguments, defaults):
        self.name, self.volatile, self.kind = name, volatility == 'v', kind
        self.arguments = arguments        # (name or '', type) each
        self.required = {name for name, _ in
                         arguments[:len(arguments) - defaults]}

    def takes(self, names):
        return self.required <= names <= {name for name, _ in self.arguments}

    @property
    def raw(self):
        return len(self.arguments) == 1 and not self.arguments[0][0] and \
            self.arguments[0][1] == 'bytea'


# Types are read with an empty search_path, so that they come qualified.
CACHE = """
SELECT p.proname, p.provolatile,
       CASE WHEN p.prorettype = 'void'::regtype THEN 'void'
            WHEN t.typtype = 'c' OR p.prorettype = 'record'::regtype
            THEN 'composite' ELSE 'scalar' END,
       coalesce((SELECT array_agg(ARRAY[coalesce(p.proargnames[n], ''),
                                        t::regtype::text] ORDER BY n)
                   FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n)),
                '{}'),
       p.pronargdefaults
  FROM pg_proc AS p
  JOIN pg_type AS t ON t.oid = p.prorettype
 WHERE p.pronamespace = %s::regnamespace AND p.prokind = 'f'
   AND NOT p.proretset
"""


def quoted(name):
    return '"%s"' % name.replace('"', '""')


class Sql:
    """PostgREST as it speaks to the database; version is 12 or 13."""

    def __init__(self, database, authenticator, anonymous, schema, version=13):
        self.connection = connect(database, authenticator)
        self.anonymous, self.schema = anonymous, schema
        self.version = version
        self.reload(database)

    def reload(self, database):
        admin = connect(database)
        rows(admin, "SET search_path = ''")
        self.functions = [Function(*row) for row in rows(
            admin, CACHE, (quoted(self.schema),))]
        admin.close()

    def close(self):
        self.connection.close()

    def request(self, method, name, query=None, body=None, claims=None,
                headers=None, path='rpc'):
        role = (claims or {}).get('role', self.anonymous)
        claims = dict(claims or {}, role=role)
        headers = {key.lower(): text for key, text in (headers or {}).items()}
        if path == '':
            return self.run('READ ONLY', method, name, role, claims, headers,
                            self.view(name), (), False)
        if method not in ('GET', 'POST'):
            return self.refuse(405, 'PGRST101')
        try:
            function, given = self.find(method, name, query, body, headers)
        except ValueError:
            return self.refuse(400, 'PGRST102')
        if function is None:
            return self.refuse(404, 'PGRST202')
        statement, parameters = self.call(function, method, given)
        return self.run(
            'READ WRITE' if method == 'POST' and function.volatile
            else 'READ ONLY', method, '/rpc/' + name, role, claims, headers,
            statement, parameters, function.kind == 'void')

    @staticmethod
    def refuse(status, code, message=None, detail=None, hint=None):
        return Answer(status, {}, {'code': code, 'message': message,
                                   'details': detail, 'hint': hint})

    def find(self, method, name, query, body, headers):
        """The function that these names of arguments choose, or None."""
        named = [one for one in self.functions if one.name == name]
        if method == 'GET':
            given = query or {}
        elif headers.get('content-type', 'application/json') == OCTETS:
            return next(((one, body) for one in named if one.raw),
                        (None, None))
        elif headers.get('content-type', 'application/json') \
                == 'application/json':
            given = json.loads(body)
            if not isinstance(given, dict):
                raise ValueError('not an object')
        else:
            return None, None
        fitting = [one for one in named
                   if not one.raw and one.takes(set(given))]
        if len(fitting) > 1:
            raise RuntimeError('ambiguous, which PostgREST answers with 300')
        return (fitting[0], body if method == 'POST' else given) \
            if fitting else (None, None)

    def call(self, function, method, given):
        name = '%s.%s' % (quoted(self.schema), quoted(function.name))
        source, parameters = '', (given,)
        if function.raw:
            call = '%s($1::bytea)' % name
            parameters = (psycopg2.Binary(given),)
        elif method == 'GET' and self.version >= 13:
            used = [one for one in function.arguments if one[0] in given]
            call = '%s(%s)' % (name, ', '.join(
                '%s := $%d::%s' % (quoted(one), number + 1, type_name)
                for number, (one, type_name) in enumerate(used)))
            parameters = tuple(given[one] for one, _ in used)
        else:
            if method == 'GET':
                parameters = (json.dumps(given),)
            else:
                given = json.loads(given)
            used = [one for one in function.arguments if one[0] in given]
            source = """(SELECT $1::json AS json_data) pgrst_payload,
       LATERAL (SELECT %s FROM json_to_record(pgrst_payload.json_data)
                AS _(%s) LIMIT 1) pgrst_body, LATERAL """ % (
                    ', '.join(quoted(one) for one, _ in used),
                    ', '.join('%s %s' % (quoted(one), type_name)
                              for one, type_name in used))
            call = '%s(%s)' % (name, ', '.join(
                '%s := pgrst_body.%s' % (quoted(one), quoted(one))
                for one, _ in used))
        if function.kind == 'composite':
            rowed, columns = call + ' pgrst_call', 'pgrst_call.*'
            result = "coalesce(json_agg(_postgrest_t)->0, 'null')"
        else:
            rowed = '(SELECT %s pgrst_scalar) pgrst_call' % call
            columns = 'pgrst_call.pgrst_scalar'
            result = "coalesce(json_agg(_postgrest_t.pgrst_scalar)->0, 'null')"
        if function.kind == 'void':
            result = "''"
        return self.statement('SELECT %s FROM %s%s'
                              % (columns, source, rowed),
                              result, function.name), parameters

    def view(self, name):
        return self.statement(
            'SELECT %(s)s.%(n)s.* FROM %(s)s.%(n)s'
            % {'s': quoted(self.schema), 'n': quoted(name)},
            "coalesce(json_agg(_postgrest_t), '[]')", name)

    @staticmethod
    def statement(source, result, name):
        return """
WITH pgrst_source AS (%s)
SELECT null::bigint AS total_result_set, count(_postgrest_t) AS page_total,
       %s::text AS body,
       nullif(current_setting('response.headers', true), '')
           AS response_headers,
       nullif(current_setting('response.status', true), '')
           AS response_status
  FROM (SELECT %s.* FROM pgrst_source AS %s) _postgrest_t
""" % (source, result, quoted(name), quoted(name))

    def run(self, mode, method, path, role, claims, headers, statement,
            parameters, void):
        rows(self.connection, 'BEGIN ISOLATION LEVEL READ COMMITTED ' + mode)
        try:
            rows(self.connection, """
SELECT set_config('search_path', %s, true), set_config('role', %s, true),
       set_config('request.jwt.claims', %s, true),
       set_config('request.method', %s, true),
       set_config('request.path', %s, true),
       set_config('request.headers', %s, true),
       set_config('request.cookies', '{}', true)
""", (quoted(self.schema) + ', "public"', role, json.dumps(claims), method,
      path, json.dumps(headers)))
            rows(self.connection, 'PREPARE pgrst_call AS ' + statement)
            arguments = ', '.join(['%s'] * len(parameters))
            row = rows(self.connection, 'EXECUTE pgrst_call'
                       + ('(%s)' % arguments if arguments else ''),
                       parameters)[0]
            rows(self.connection, 'COMMIT')
        except psycopg2.Error as error:
            rows(self.connection, 'ROLLBACK')
            got = Refusal(error)
            return self.refuse(
                status_of(got.sqlstate, role == self.anonymous,
                          got.message_primary if self.version >= 13 else ''),
                got.sqlstate, got.message_primary,
                got.message_detail or None, got.message_hint or None)
        finally:
            rows(self.connection, 'DEALLOCATE ALL')
        fields = {key.lower(): text for one in json.loads(row[3] or '[]')
                  for key, text in one.items()}
        return Answer(int(row[4] or (204 if void else 200)), fields,
                      None if void else json.loads(row[2]))


class Http:
    """A PostgREST that listens on a port of this machine."""

    def __init__(self, port, secret, audience=None):
        self.port, self.secret, self.audience = port, secret, audience

    def request(self, method, name, query=None, body=None, claims=None,
                headers=None, path='rpc'):
        fields = {'Content-Type': 'application/json'} if body else {}
        fields.update(headers or {})
        if claims is not None:
            if self.audience:
                claims = dict(claims, aud=self.audience)
            fields['Authorization'] = 'Bearer ' + jwt.encode(
                claims, self.secret, algorithm='HS256')
        address = '/' + '/'.join(part for part in (path, name) if part)
        if query:
            address += '?' + urllib.parse.urlencode(query)
        connection = http.client.HTTPConnection('127.0.0.1', self.port,
                                                timeout=30)
        try:
            connection.request(method, address, body, fields)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        return Answer(answer.status,
                      {key.lower(): one for key, one in answer.getheaders()},
                      json.loads(text) if text else None)
