/*
 * backend.test.mjs: examples/backend/server.mjs, request by request
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/backend.test.mjs
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, existsSync, readFileSync, rmSync, statSync, writeFileSync }
    from 'node:fs';
import { request as rawRequest } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Clinic, ROOT, missing, until } from './lib/clinic.mjs';

const skip = missing.length ? missing.join(', ') : false;
// Debian keeps it where only root looks.
const pgbouncer = ['/usr/sbin', '/usr/local/sbin',
    ...process.env.PATH.split(':')].map(path => join(path, 'pgbouncer'))
    .find(existsSync);
const UUID = '6f0c3c3e-2f0a-4a53-9a36-1c8f35d4f4a7';
const USER = '0b4b2f6e-3a39-4d55-8d3c-0d6a8f1f2c11';
const TOKEN = '/api/appointments/video-token/';
const REFRESH = '/api/appointments/video-token-refresh/';
const MINUTE = 60000;
let clinic, backend, jane, bob;

before(async () => {
    if (skip) return;
    clinic = await Clinic.create('backend');
    await clinic.user(1, 'Dr. Mary Major', 'mary@example.com');
    await clinic.user(2, 'Jane Doe', 'jane@example.com');
    await clinic.user(3, 'Bob Roe', 'bob@example.com');
    const users = { 1: 'host', 2: null };
    const at = minutes => new Date(Date.now() + minutes * MINUTE);

    await clinic.appointment(47, { users });
    await clinic.appointment(48, { users, minutes: 30 });
    await clinic.appointment(98, { users, startsAt: at(24 * 60) });
    await clinic.appointment(99, { users, cancelled: true });
    await clinic.appointment(100, { users, startsAt: at(-24 * 60) });
    jane = await clinic.login(2);
    bob = await clinic.login(3);
    backend = await clinic.backend();
});

after(async () => await clinic?.drop());

function claims(token) {
    const [header, payload, signature] = token.split('.');
    const mac = createHmac('sha256', 'test secret of the signing key, 1')
        .update(`${header}.${payload}`).digest('base64url');

    assert.equal(signature, mac, 'signed with the key of the keyring');
    return JSON.parse(Buffer.from(payload, 'base64url'));
}

test('GET and POST issue a token, with the members of the contract',
    { skip }, async () => {
        for (const method of ['GET', 'POST']) {
            const { status, headers, body } =
                await backend.ask(method, TOKEN + '47/', jane);

            assert.equal(status, 200);
            assert.equal(headers.get('cache-control'), 'no-store');
            assert.equal(headers.get('content-type'), 'application/json');
            assert.deepEqual(Object.keys(body), ['access_token', 'room_name',
                'user_identity', 'expires_in', 'expires_at', 'appointment_id',
                'appointment_duration_minutes', 'token_valid_until',
                'issued_at', 'refresh_at', 'warn_at', 'role', 'provider',
                'server_url']);
            assert.equal(body.user_identity, '2-jane@example.com');
            assert.equal(body.expires_in, 5400);
            assert.equal(body.appointment_id, 47);
            assert.equal(body.appointment_duration_minutes, 60);
            assert.equal(body.token_valid_until,
                '30 minutes after appointment end');
            for (const time of ['expires_at', 'issued_at', 'refresh_at',
                'warn_at'])
                assert.match(body[time], /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
            const { exp, grants } = claims(body.access_token);

            assert.equal(exp * 1000, Date.parse(body.expires_at));
            assert.deepEqual(grants, { identity: '2-jane@example.com',
                video: { room: body.room_name } });
        }
    });

test('a refresh follows an issue, and needs one', { skip }, async () => {
    assert.deepEqual(await statusAndReason('GET', REFRESH + '48/', jane),
        [409, 'no_session']);
    const { body: first } = await backend.ask('POST', TOKEN + '48/', jane);
    const { status, body } = await backend.ask('GET', REFRESH + '48/', jane);

    assert.equal(status, 200);
    assert.equal(body.room_name, first.room_name);
    assert.notEqual(body.access_token, first.access_token);
    assert.ok(body.expires_in >= 3600);
});

async function statusAndReason(...request) {
    const { status, headers, body } = await backend.ask(...request);

    assert.equal(headers.get('cache-control'), 'no-store');
    return [status, body.reason];
}

test('refusals of the database, with the reason', { skip }, async () => {
    for (const [id, expected] of [['46', [404, 'not_found']],
        ['98', [425, 'too_early']], ['99', [410, 'cancelled']],
        ['100', [410, 'ended']], [UUID, [404, 'not_found']],
        ['999999999999999999', [404, 'not_found']]])
        assert.deepEqual(await statusAndReason('POST', TOKEN + id, jane),
            expected, id);
    assert.deepEqual(await statusAndReason('POST', TOKEN + '47/', bob),
        [404, 'not_found'], 'who takes no part is told no more');

    const { body } = await backend.ask('POST', TOKEN + '98/', jane);

    assert.deepEqual(Object.keys(body).sort(),
        ['closes_at', 'message', 'now', 'opens_at', 'reason']);
    assert.equal(body.message, 'too early for this appointment');

    await clinic.sql('SELECT vidtoken.vidtoken_revoke(47, 1)');
    const mary = await clinic.login(1);

    assert.deepEqual(await statusAndReason('POST', TOKEN + '47/', mary),
        [410, 'revoked']);
    assert.deepEqual(await statusAndReason('GET', REFRESH + '47/', mary),
        [410, 'revoked']);
});

test('who is asking: bearer tokens', { skip }, async () => {
    const late = await clinic.login(2, '-1 second');

    for (const [name, Authorization] of Object.entries({
        'none': undefined,
        'an empty one': 'Bearer ',
        'another': 'Bearer ' + jane.slice(0, -1) + (jane.endsWith('A')
            ? 'B' : 'A'),
        'a part of one': 'Bearer ' + jane.slice(0, -1),
        'one that has expired': 'Bearer ' + late,
        'two': `Bearer ${jane} ${jane}`,
        'Basic': 'Basic ' + Buffer.from('2:' + jane).toString('base64'),
        'SQL': "Bearer ' OR true --",
        'no scheme': jane,
    })) {
        const { status, headers, body } = await backend.ask('POST',
            TOKEN + '47/', null,
            { headers: Authorization ? { Authorization } : {} });

        assert.deepEqual([status, body.reason], [401, 'no_user'], name);
        assert.equal(headers.get('www-authenticate'), 'Bearer');
        assert.equal(headers.get('cache-control'), 'no-store');
    }
    const { status } = await backend.ask('POST', TOKEN + '47/', null,
        { headers: { Authorization: 'bearer  ' + jane } });

    assert.equal(status, 200, 'the scheme is not case-sensitive');
    const other = await clinic.login(2);

    await clinic.logout(other);
    assert.deepEqual(await statusAndReason('POST', TOKEN + '47/', other),
        [401, 'no_user'], 'it ends with the logout');
});

test('no request names another user', { skip }, async () => {
    const { body } = await backend.ask('POST', TOKEN +
        '47/?user_id=1&user=1', jane, {
        headers: { 'X-User': '1', 'Content-Type': 'application/json' },
        body: '{"user_id": 1}' });

    assert.equal(body.user_identity, '2-jane@example.com');
});

test('paths and methods', { skip }, async () => {
    for (const [method, path, status, allow] of [
        ['POST', TOKEN + '47', 200],
        ['HEAD', TOKEN + '47/', 405, 'GET, POST'],
        ['DELETE', TOKEN + '47/', 405, 'GET, POST'],
        ['POST', REFRESH + '47/', 405, 'GET'],
        ['HEAD', REFRESH + '47/', 405, 'GET'],
        ['GET', '/api/video-webhook/twilio/', 405, 'POST'],
        ['POST', TOKEN, 404], ['POST', TOKEN + 'x/', 404],
        ['POST', TOKEN + '-47/', 404], ['POST', TOKEN + '4.7/', 404],
        ['POST', TOKEN + '47/48/', 404], ['POST', TOKEN + '47%20/', 404],
        ['POST', TOKEN + '1234567890123456789/', 404],
        ['POST', TOKEN + '%34%37/', 404], ['POST', '/x' + TOKEN + '47/', 404],
        ['GET', '/server.mjs', 404], ['GET', '/../backend/server.mjs', 404],
        ['GET', '/%2e%2e/backend/server.mjs', 404],
        ['GET', '/vidtoken-client.d.ts', 404],
    ]) {
        const got = await backend.ask(method, path, jane);

        assert.deepEqual([got.status, got.headers.get('allow') ?? undefined],
            [status, allow], `${method} ${path}`);
        assert.equal(got.headers.get('cache-control'), 'no-store', path);
    }
});

test('the appointment, as its participants see it', { skip }, async () => {
    const { status, body } =
        await backend.ask('GET', '/api/appointments/47/', jane);

    assert.equal(status, 200);
    assert.deepEqual(body.participants, [
        { name: 'Dr. Mary Major', identity: '1-mary@example.com',
            role: 'host', you: false },
        { name: 'Jane Doe', identity: '2-jane@example.com', role: 'guest',
            you: true }]);
    assert.equal(Date.parse(body.ends_at) - Date.parse(body.starts_at),
        60 * MINUTE);
    assert.equal(Date.parse(body.starts_at) - Date.parse(body.opens_at),
        15 * MINUTE);
    assert.ok(Math.abs(Date.parse(body.now) - Date.now()) < 10 * MINUTE);
    for (const token of [bob, undefined])
        assert.equal((await backend.ask('GET', '/api/appointments/47/',
            token)).status, token ? 404 : 401);
});

test('the appointment, where another relation is the source now', { skip },
    async () => {
        const server = await clinic.backend({ POOL_SIZE: '1' });
        const ask = async () => (await server.ask('GET',
            '/api/appointments/47/', jane)).status;
        const change = async value => {
            await clinic.sql(`ALTER ROLE ${clinic.role} IN DATABASE ${
                clinic.name} ${value}`);
            await clinic.sql('SELECT pg_terminate_backend(pid) ' +
                'FROM pg_stat_activity WHERE usename = $1', [clinic.role]);
            await until(async () => await ask() !== 503);
            return await ask();
        };

        await clinic.sql(`CREATE VIEW clinic.others AS
            SELECT * FROM clinic.video_source WHERE user_id <> 2`);
        await clinic.sql(`GRANT SELECT ON clinic.others TO ${clinic.role}`);
        assert.equal(await ask(), 200);
        for (const [name, status] of [['clinic.others', 404], ['', 500]])
            assert.equal(await change(`SET vidtoken.source = '${name}'`),
                status, name);
        assert.equal(await change('RESET vidtoken.source'), 200);
        await server.stop();
    });

test('uuid keys', { skip }, async () => {
    const other = await Clinic.create('uuid', { ids: 'uuid' });

    try {
        await other.user(USER, 'Jane Doe', 'jane@example.com');
        await other.appointment(UUID, { users: { [USER]: null } });
        const login = await other.login(USER);
        const server = await other.backend();

        for (const id of [UUID, UUID.toUpperCase()]) {
            const { status, body } =
                await server.ask('GET', TOKEN + id + '/', login);

            assert.deepEqual([status, body.appointment_id], [200, UUID]);
        }
        assert.equal((await server.ask('GET', `/api/appointments/${UUID}/`,
            login)).body.participants.length, 1);
        for (const path of [TOKEN, '/api/appointments/'])
            assert.equal((await server.ask('GET', path + '47/',
                login)).status, 404, 'a number is no uuid');
    } finally {
        await other.drop();
    }
});

test('setup.sql, where the source reads with the rights of the role',
    { skip }, async t => {
        const other = await Clinic.create('invoker');

        t.after(() => other.drop());
        if (await other.value("SELECT current_setting('server_version_num')" +
            '::int < 150000'))
            return t.skip('views know no security_invoker');
        await other.user(2, 'Jane Doe', 'jane@example.com');
        await other.appointment(47, { users: { 2: null } });
        await other.sql(`ALTER VIEW clinic.video_source
                SET (security_invoker = true);
            ALTER TABLE clinic.appointments ENABLE ROW LEVEL SECURITY;
            DROP SCHEMA backend CASCADE;
            DROP OWNED BY ${other.role};
            DROP ROLE ${other.role}`);
        const setup = () => spawnSync('psql', ['-X', '-q', '-d', other.name,
            '-v', 'role=' + other.role,
            '-f', join(ROOT, 'examples/backend/setup.sql')],
        { encoding: 'utf8' });
        const fails = async (why, isThere) => {
            const { status, stderr } = setup();

            assert.equal(status, 3);
            assert.match(stderr, why);
            assert.deepEqual(await other.sql(`SELECT
                to_regnamespace('backend') IS NOT NULL AS schema,
                to_regrole('${other.role}') IS NOT NULL AS role`),
            [{ schema: false, role: isThere }]);
        };
        const [create, grant, policy] = readFileSync(
            join(ROOT, 'examples/backend/README.md'), 'utf8')
            .match(/^CREATE ROLE[^`]*/m)[0]
            .replaceAll('clinic_backend', other.role)
            .replace('clinic.users', '$&, clinic.participants')
            .trim().split('\n');

        await fails(/permission denied for table \w+/, false);
        await other.sql(create);
        await fails(/permission denied for table \w+/, true);
        await other.sql(grant);
        await other.sql('ALTER VIEW clinic.video_source ' +
            'RENAME display_name TO name');
        await fails(/column "display_name" does not exist/, true);
        await other.sql('ALTER VIEW clinic.video_source ' +
            'RENAME name TO display_name');
        const { status, stderr } = setup();

        assert.deepEqual([status, stderr], [0, '']);

        const server = await other.backend();
        const login = await other.login(2);
        const ask = async path => (await server.ask('GET', path,
            login)).status;

        assert.equal(await ask(TOKEN + '47/'), 404, 'no policy');
        await other.sql(policy);
        assert.equal(await ask(TOKEN + '47/'), 200);
        assert.equal(await ask('/api/appointments/47/'), 200);
    });

test('trouble of the database: 5xx, and nothing of it leaves', { skip },
    async () => {
        const change = async (setting, value, expected) => {
            await clinic.sql(`ALTER ROLE ${clinic.role} IN DATABASE ${
                clinic.name} SET ${setting} = '${value}'`);
            const server = await clinic.backend();
            const { status, headers, body } =
                await server.ask('POST', TOKEN + '47/', jane);

            assert.deepEqual([status, body, headers.get('cache-control')],
                [expected.status, expected.body, 'no-store'], setting);
            if (status === 503)
                assert.equal(headers.get('retry-after'), '2');
            assert.match(server.output, expected.log);
            assert.ok(!server.output.includes(jane), 'no bearer in the log');
            await server.stop();
            await clinic.sql(`ALTER ROLE ${clinic.role} IN DATABASE ${
                clinic.name} RESET ${setting}`);
        };

        await change('default_transaction_read_only', 'on', { status: 503,
            body: { message: 'Service Unavailable' },
            log: /POST \/api\/appointments\/video-token\/:id\/: 25006/ });
        await change('vidtoken.keyring', '/nowhere', { status: 500,
            body: { message: 'Internal Server Error' }, log: /F0000/ });
        await change('vidtoken.min_duration', '2h', { status: 400,
            body: { message: 'Bad Request' },
            log: /POST \/api\/appointments\/video-token\/:id\/: 22023/ });

        await clinic.sql(`REVOKE EXECUTE ON FUNCTION vidtoken.vidtoken_issue(
            vidtoken.vidtoken_id, vidtoken.vidtoken_id) FROM ${clinic.role}`);
        const { status, body } =
            await backend.ask('POST', TOKEN + '47/', jane);

        assert.deepEqual([status, body], [403, { message: 'Forbidden' }]);
        assert.match(backend.output, /:id\/: 42501: permission denied for fu/);
        await clinic.sql(`GRANT EXECUTE ON FUNCTION vidtoken.vidtoken_issue(
            vidtoken.vidtoken_id, vidtoken.vidtoken_id) TO ${clinic.role}`);
    });

test('no database: 503, and well again when it is there', { skip },
    async () => {
        const nowhere = await clinic.backend({ PGHOST: '/nowhere' });

        assert.equal((await nowhere.ask('POST', TOKEN + '47/', jane)).status,
            503);
        await clinic.sql('SELECT pg_terminate_backend(pid) ' +
            'FROM pg_stat_activity WHERE usename = $1', [clinic.role]);
        await until(async () => (await backend.ask('POST', TOKEN + '47/',
            jane)).status === 200);
    });

test('a body has a bound', { skip }, async () => {
    const { status, headers } = await backend.ask('POST',
        '/api/video-webhook/twilio/', null,
        { body: Buffer.alloc(1024 * 1024 + 1) });

    assert.equal(status, 413);
    assert.equal(headers.get('cache-control'), 'no-store');
});

test('many at once go through one pool', { skip }, async () => {
    const server = await clinic.backend({ POOL_SIZE: '2' });
    const answers = await Promise.all(Array(40).fill().map(() =>
        server.ask('POST', TOKEN + '47/', jane)));

    assert.deepEqual([...new Set(answers.map(({ status }) => status))],
        [200]);
    assert.equal(new Set(answers.map(({ body }) => body.access_token)).size,
        40);
    assert.ok(await clinic.value('SELECT count(*)::int FROM pg_stat_activity' +
        ' WHERE usename = $1', [clinic.role]) <= 10 + 2);
});

test('a refusal keeps its connection, other errors do not', { skip },
    async () => {
        const server = await clinic.backend({ POOL_SIZE: '1' });
        const issue = async id => (await server.ask('POST', TOKEN + id,
            jane)).status;
        const session = async () => await clinic.value(`SELECT pid
            FROM pg_stat_activity WHERE usename = $1
            ORDER BY backend_start DESC LIMIT 1`, [clinic.role]);

        assert.equal(await issue(47), 200);
        const first = await session();

        for (const [id, status] of [[98, 425], [46, 404], [UUID, 404],
            [47, 200]])
            assert.deepEqual([await issue(id), await session()],
                [status, first], `${id}`);

        // What is prepared on it does not fit any more.
        await clinic.sql('ALTER TABLE backend.login ALTER user_id TYPE ' +
            'varchar');
        assert.deepEqual([await issue(47), await issue(47)], [500, 200]);
        await clinic.sql('ALTER TABLE backend.login ALTER user_id TYPE text');
        assert.deepEqual([await issue(47), await issue(47)], [500, 200]);

        await server.stop();
    });

test('a connection that ends meanwhile: 503, and the next is another',
    { skip }, async () => {
        // A way to the server that can be cut without a word.
        const ways = [];
        const relay = createServer(near => {
            const far = connect(
                `${process.env.PGHOST}/.s.PGSQL.${process.env.PGPORT}`);

            ways.push(near);
            for (const [one, other] of [[near, far], [far, near]])
                one.on('error', () => {}).on('close', () => other.destroy())
                    .pipe(other);
        }).listen(0, '127.0.0.1');

        await once(relay, 'listening');
        const server = await clinic.backend({ POOL_SIZE: '1',
            PGHOST: '127.0.0.1', PGPORT: relay.address().port });
        const issue = async () => (await server.ask('POST', TOKEN + '47/',
            jane)).status;

        for (const end of [
            async pid => await clinic.sql('SELECT pg_terminate_backend($1)',
                [pid]),
            () => ways.at(-1).destroy()]) {
            const lock = await clinic.connect();
            let pid;

            assert.equal(await issue(), 200);
            await lock.query('BEGIN');
            await lock.query(`SELECT FROM vidtoken.vidtoken_session
                WHERE appointment_id = '47' FOR UPDATE`);
            const asked = issue();

            await until(async () => {
                [pid] = (await clinic.sql(`SELECT pid FROM pg_stat_activity
                    WHERE usename = $1 AND wait_event_type = 'Lock'`,
                [clinic.role])).map(row => row.pid);
                return pid;
            });
            await end(pid);
            assert.equal(await asked, 503);
            await lock.end();
            assert.equal(await issue(), 200);
        }
        await server.stop();
        relay.close();
    });

test('behind PgBouncer, with the bound of a statement', {
    skip: skip || !pgbouncer && 'pgbouncer is not to be had here' },
async t => {
    const directory = await pool(t);
    const server = await clinic.backend({ PGHOST: directory,
        PGPORT: '6432' });

    for (const id of [47, 98, 47])
        assert.equal((await server.ask('POST', TOKEN + id, jane)).status,
            id === 47 ? 200 : 425);

    const lock = await clinic.connect();

    await lock.query('BEGIN');
    await lock.query(`SELECT FROM vidtoken.vidtoken_session
        WHERE appointment_id = '47' FOR UPDATE`);
    assert.equal((await server.ask('POST', TOKEN + '47/', jane)).status, 503);
    await lock.end();
    assert.match(server.output, /:id\/: 57014: /);
});

/*
 * Starts a PgBouncer of the server's user, and answers with its socket's
 * directory. Before 1.21 it knows no prepared statements of transactions.
 */
async function pool(t) {
    const run = (...command) => execFileSync(join(ROOT, 'test/cluster'),
        ['as', ...command], { encoding: 'utf8' });
    const directory = run('mktemp', '-d', '/tmp/vidtoken.XXXXXX').trim();
    const file = name => join(directory, name);
    const [major, minor] = run(pgbouncer, '--version').match(/\d+/g);
    const owner = statSync(directory);

    t.after(() => {
        if (existsSync(file('pid')))
            process.kill(Number(readFileSync(file('pid'))));
        rmSync(directory, { recursive: true });
    });
    writeFileSync(file('users'), `"${clinic.role}" ""\n`);
    writeFileSync(file('ini'), `[databases]
* = host=${process.env.PGHOST} port=${process.env.PGPORT}
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = ${directory}
auth_type = trust
auth_file = ${file('users')}
pool_mode = ${major > 1 || minor >= 21
        ? 'transaction\nmax_prepared_statements = 100' : 'session'}
logfile = ${file('log')}
pidfile = ${file('pid')}
`);
    for (const name of ['users', 'ini'])
        chownSync(file(name), owner.uid, owner.gid);
    spawn(join(ROOT, 'test/cluster'), ['as', pgbouncer, '-q', file('ini')],
        { stdio: 'ignore' });
    await until(() => existsSync(file('.s.PGSQL.6432')));
    return directory;
}

test('the page of the demo, under a strict policy', { skip }, async () => {
    const { status, headers, body } = await backend.ask('GET', '/');

    assert.equal(status, 200);
    assert.match(headers.get('content-type'), /^text\/html/);
    assert.match(headers.get('content-security-policy'),
        /default-src 'none'; script-src 'self'; style-src 'self'/);
    assert.doesNotMatch(body, /https?:\/\/(?!www\.w3\.org)/,
        'nothing comes from elsewhere');
    const bare = await clinic.backend({ STATIC_DIR: '' });

    assert.equal((await bare.ask('GET', '/')).status, 404);
});

test('SIGTERM: requests that are here are answered', { skip }, async () => {
    const server = await clinic.backend();
    const lock = await clinic.connect();
    const { port } = new URL(server.url);

    // A connection that says nothing keeps nobody waiting.
    const silent = connect(port, '127.0.0.1').on('error', () => {});
    await server.ask('POST', TOKEN + '47/', jane);
    await lock.query('BEGIN');
    await lock.query(`SELECT FROM vidtoken.vidtoken_session
        WHERE appointment_id = '47' FOR UPDATE`);
    const asked = new Promise((resolve, reject) => rawRequest(
        server.url + TOKEN + '47/', { method: 'POST', agent: false,
            headers: { Authorization: 'Bearer ' + jane } },
        response => resolve(response.resume().statusCode))
        .on('error', reject).end());

    await until(async () => await clinic.value(`SELECT EXISTS (SELECT FROM
        pg_stat_activity WHERE wait_event_type = 'Lock')`));
    const stopped = server.stop();

    await until(async () => await fetch(server.url).then(() => false,
        () => true));
    await sleep(100);
    await until(async () => silent.destroyed);
    await lock.query('COMMIT');
    await lock.end();
    assert.equal(await asked, 200);
    assert.equal(await stopped, 0);
});
