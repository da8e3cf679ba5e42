-- examples/demo/settings.sql: the DBA's part, once a database
--
-- The library comes first: before it is loaded, a session does not know the
-- settings.
--
-- Copyright (c) 2026, the vidtoken authors

LOAD 'vidtoken';
ALTER DATABASE clinic SET session_preload_libraries = 'vidtoken';
ALTER DATABASE clinic SET vidtoken.source = 'clinic.video_source';
ALTER DATABASE clinic SET vidtoken.account = :'account';
ALTER DATABASE clinic SET vidtoken.key_id = :'key_id';
ALTER DATABASE clinic SET vidtoken.keyring = :'keyring';
ALTER DATABASE clinic SET vidtoken.public_url = :'public_url';
