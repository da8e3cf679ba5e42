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
Suite('v13', plain, transport(plain)).run()
other = Clinic('rest_uuid')
named = Practice(other, 'uuid', rls='false', api='Web "API"',
                 clinic='The "clinic"', webhooks='livekit,twilio',
                 **{role: '%s %s "r"' % (other.name, role) for role in (
                     'authenticator', 'web_anon', 'web_user',
                     'sessions_owner')})
Suite('v12, UUIDs, a view with the condition', named,
      transport(named, 12)).run()
done_testing()
