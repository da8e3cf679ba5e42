/*
 * client.test.mjs: vidtoken-client.js where a browser adds nothing
 *
 * Clocks, timers and the network are replaced, so that every moment of a call
 * of hours can be looked at.  What only a browser has is in the other files.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/client.test.mjs
 */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { VidtokenClient, VidtokenError }
    from '../../examples/web/vidtoken-client.js';
import { MINUTE, Machine, SECOND, Server, refusal, settle }
    from './lib/time.mjs';

const EVENTS = ['issued', 'refreshed', 'warning', 'expired', 'failed',
    'waiting', 'retrying'];
const random = Math.random;
let clients = [];

afterEach(() => {
    for (const client of clients) client.close();
    clients = [];
    Math.random = random;
});

/* A client with the list of what it told, and when by the server's clock. */
function join(server, options = {}) {
    const client = new VidtokenClient({ appointmentId: 47, ...options });
    const begun = server.now;

    clients.push(client);
    client.told = [];
    for (const type of EVENTS)
        client.addEventListener(type, ({ detail }) => client.told.push(
            { type, detail, minute: Math.round((server.now - begun) / 600) /
                100 }));
    client.types = () => client.told.map(({ type }) => type);
    return client;
}

function minutesOf(client) {
    return client.told.map(({ type, minute }) => `${type} ${minute}`);
}

async function rejection(promise) {
    try {
        await promise;
    } catch (error) {
        return error;
    }
    return null;
}

/* Minutes are at most one second early, never late. */
function near(told, expected) {
    assert.deepEqual(told.map(word => word.replace(/ .*/, '')),
        expected.map(word => word.replace(/ .*/, '')));
    for (const [index, word] of told.entries()) {
        const [got, wanted] = [word, expected[index]].map(
            text => Number(text.split(' ')[1]));

        assert.ok(got <= wanted + 0.01 && got >= wanted - 0.05,
            `${word}, and not ${expected[index]}`);
    }
}

for (const [name, dateIsWrongBy] of [['right', 0],
    ['an hour late', -60 * MINUTE], ['an hour early', 60 * MINUTE],
    ['of the year 1970', -Date.UTC(2026, 2, 2, 10)]])
    test(`warns at 10 minutes and refreshes at 5, the date is ${name}`,
        async () => {
            const machine = new Machine({ dateIsWrongBy });
            const server = new Server(machine, { minutes: 60 });
            const client = join(server);

            await client.start();
            assert.equal(client.state, 'fresh');
            await machine.pass(84 * MINUTE);
            assert.equal(client.state, 'warning');
            near(minutesOf(client), ['issued 0', 'warning 80']);
            const { detail } = client.told[1];
            assert.ok(Math.abs(detail.remaining - 10 * MINUTE) < 2 * SECOND);
            assert.ok(Math.abs(detail.refreshIn - 5 * MINUTE) < 2 * SECOND);
            const old = await client.getToken();

            await machine.pass(2 * MINUTE);
            near(minutesOf(client),
                ['issued 0', 'warning 80', 'refreshed 85']);
            assert.equal(client.state, 'fresh');
            assert.notEqual(await client.getToken(), old);
            assert.deepEqual(server.counts, { POST: 1, GET: 1 });
            assert.deepEqual(server.requests.map(({ url }) => url),
                ['/api/appointments/video-token/47/',
                    '/api/appointments/video-token-refresh/47/']);
            assert.ok(Math.abs(client.serverNow - server.now) < 2 * SECOND,
                'knows the time of the server');
        });

test('five hours: no moment without a token', async () => {
    const machine = new Machine();
    const server = new Server(machine, { minutes: 300 });
    const client = join(server);

    await client.start();
    for (let minute = 0; minute < 415; minute++) {
        await machine.pass(MINUTE);
        const { expires_at } = await client.getGrant();

        assert.ok(Date.parse(expires_at) > server.now, `minute ${minute}`);
    }
    // The second token lasts until the hard stop at 420 minutes.
    near(minutesOf(client), ['issued 0', 'warning 230', 'refreshed 235',
        'warning 410']);
    assert.equal(client.told[3].detail.refreshIn, null);
    assert.deepEqual(server.counts, { POST: 1, GET: 1 });

    await machine.pass(6 * MINUTE);
    assert.equal(client.types().at(-1), 'expired');
    assert.equal(client.state, 'expired');
    server.answers = [refusal(410, 'ended')];
    assert.equal((await rejection(client.getToken())).reason, 'ended');
    assert.equal(machine.timers, 0, 'and nothing more to wait for');
});

test('a token is not believed to live longer because the answer was slow',
    async () => {
        const machine = new Machine();
        const server = new Server(machine);
        let answer;

        server.answers = [new Promise(resolve => { answer = resolve; })];
        const client = join(server);
        const started = client.start();
        const grant = server.grant();

        await machine.pass(12 * SECOND);
        answer(Response.json(grant));
        await started;
        const life = Date.parse(grant.expires_at) - server.now;

        assert.ok(client.remaining <= life);
        assert.ok(client.remaining > life - 2 * SECOND);
    });

test('the date is set while the call goes on', async () => {
    const machine = new Machine();
    const server = new Server(machine);
    const client = join(server);

    await client.start();
    await machine.pass(10 * MINUTE);
    machine.date -= 60 * MINUTE;
    await machine.pass(10 * MINUTE);
    assert.deepEqual(client.types(), ['issued'], 'back: nothing happens');
    assert.ok(Math.abs(client.remaining - 70 * MINUTE) < 2 * SECOND);

    // From 60 minutes late to 30 early, and on to two hours early.
    for (const [change, refreshes] of [[90, 1], [90, 2]]) {
        machine.date += change * MINUTE;
        await machine.pass(MINUTE);
        assert.deepEqual(client.types(),
            ['issued', ...Array(refreshes).fill('refreshed')],
            'on: it might have been sleep, so the server is asked');
        assert.ok(client.remaining > 85 * MINUTE);
    }
    await machine.pass(30 * MINUTE);
    assert.equal(client.told.length, 3, 'once each');
});

for (const monotonicGoesOn of [false, true])
    test(`wakes from sleep, the monotonic clock ${monotonicGoesOn
        ? 'went on' : 'stood still'}`, async () => {
        const machine = new Machine();
        const server = new Server(machine);
        const client = join(server);

        await client.start();
        await machine.pass(20 * MINUTE);
        server.answers = ['nothing'];
        await machine.sleep(100 * MINUTE, { monotonicGoesOn });
        await machine.pass(0);
        dispatchEvent(new Event('pageshow'));
        await machine.pass(MINUTE);
        assert.deepEqual(client.types(),
            ['issued', 'retrying', 'expired', 'refreshed']);
        assert.ok(Date.parse((await client.getGrant()).expires_at) >
            server.now);
    });

test('a short sleep: the token is looked at by the time that has passed',
    async () => {
        const machine = new Machine();
        const server = new Server(machine);
        const client = join(server);

        await client.start();
        await machine.pass(60 * MINUTE);
        await machine.sleep(26 * MINUTE);
        assert.equal((await client.getGrant()).access_token,
            'token 2 of ' + Math.floor(server.now / SECOND) * SECOND);
    });

test('offline: backs off with jitter, and goes on with the token it has',
    async () => {
        const machine = new Machine();
        const server = new Server(machine);
        const client = join(server);

        await client.start();
        const first = client.grant.access_token;
        const waits = () => client.told.filter(
            ({ type }) => type === 'retrying').map(({ detail }) => detail);

        server.answers = Array(1000).fill('nothing');
        Math.random = () => 0.999;
        await machine.pass(87 * MINUTE);
        assert.deepEqual(waits().slice(0, 6).map(
            ({ wait }) => Math.round(wait / SECOND)), [2, 4, 8, 16, 30, 30]);
        assert.equal(waits()[0].error.reason, 'network');
        assert.equal(await client.getToken(), first);

        Math.random = () => 0.5;
        await machine.pass(30 * SECOND);
        const before = server.requests.length;
        await machine.pass(MINUTE);
        assert.equal(server.requests.length - before, 4, 'jitter halves it');

        await machine.pass(2 * MINUTE);
        assert.equal(client.state, 'expired');
        let token = null;
        client.getToken().then(it => { token = it; });
        await settle();
        assert.equal(token, null, 'getToken waits for one that is usable');

        server.answers = [];
        Math.random = () => 0.999;
        dispatchEvent(new Event('online'));
        await settle();
        assert.equal(token, client.grant.access_token);
        assert.notEqual(token, first);
        assert.equal(client.state, 'fresh');
        assert.equal(client.types().filter(it => it === 'expired').length, 1);
    });

for (const [name, headers, seconds] of [
    ['in seconds', { 'Retry-After': '120' }, 120],
    ['as a date, by the clock of the server', {
        'Retry-After': 'Mon, 02 Mar 2026 12:02:00 GMT',
        'Date': 'Mon, 02 Mar 2026 12:00:00 GMT' }, 120],
    ['as a date without another', {
        'Retry-After': 'Mon, 02 Mar 2026 12:02:00 GMT' }, 0],
    ['beyond reason', { 'Retry-After': '86400' }, 600],
    ['as nonsense', { 'Retry-After': 'soon' }, 0]])
    test(`429 with Retry-After ${name}`, async () => {
        const machine = new Machine({ dateIsWrongBy: 60 * MINUTE });
        const server = new Server(machine);
        const client = join(server);

        Math.random = () => 0;
        server.answers = [new Response('', { status: 429, headers })];
        const started = client.start();

        await machine.pass(Math.max(seconds - 1, 0) * SECOND);
        assert.equal(server.requests.length, 1);
        await machine.pass(2 * SECOND);
        assert.equal(server.requests.length, 2);
        await started;
    });

test('Retry-After: not everybody comes in the same moment', async () => {
    const waits = [];

    for (Math.random of [() => 0, () => 0.5, () => 0.999]) {
        const server = new Server(new Machine());
        const client = join(server);

        server.answers = [new Response('', { status: 503,
            headers: { 'Retry-After': '2' } })];
        client.start().catch(() => {});
        await settle();
        waits.push(Math.round(client.told[0].detail.wait));
    }
    assert.deepEqual(waits, [2000, 3000, 3998]);
});

test('Retry-After: nor sooner because the network is back', async () => {
    const machine = new Machine();
    const server = new Server(machine);
    const client = join(server);

    Math.random = () => 0.999;
    server.answers = [new Response('', { status: 429,
        headers: { 'Retry-After': '120' } })];
    client.start().catch(() => {});
    for (let change = 0; change < 20; change++) {
        dispatchEvent(new Event('online'));
        await machine.pass(SECOND);
    }
    await machine.sleep(70 * SECOND);
    dispatchEvent(new Event('pageshow'));
    await settle();
    assert.equal(server.requests.length, 1);
    await machine.pass(30.5 * SECOND);
    dispatchEvent(new Event('online'));
    await settle();
    assert.equal(client.state, 'fresh', 'it may be ended then');
});

test('5xx, a timeout and the login page of a network are tried again',
    async () => {
        const machine = new Machine();
        const server = new Server(machine);
        const client = join(server, { timeout: 20 });

        server.answers = [new Response('', { status: 503 }),
            new Response('<html>Welcome to our hotel</html>'), 'never'];
        const started = client.start();

        while (server.requests.length < 3) await machine.pass(10 * SECOND);
        await sleep(60);
        await machine.pass(40 * SECOND);
        await started;
        assert.deepEqual(client.told.slice(0, 3).map(
            ({ detail: { error } }) => [error.status, error.reason]),
        [[503, null], [0, 'bad_answer'], [0, 'timeout']]);
    });

for (const [status, reason] of [[401, 'no_user'], [403, null],
    [404, 'not_found'], [410, 'revoked'], [400, null]])
    test(`${status} ends it, with the reason`, async () => {
        const machine = new Machine();
        const server = new Server(machine);
        const client = join(server);

        await client.start();
        server.answers = [refusal(status, reason)];
        await machine.pass(86 * MINUTE);
        assert.deepEqual(client.types(), ['issued', 'warning', 'failed']);
        assert.equal(client.told[2].detail.status, status);
        assert.equal(client.told[2].detail.reason, reason);
        assert.equal(client.state, 'failed');
        assert.ok(client.error instanceof VidtokenError);
        const error = await rejection(client.getToken());

        if (status === 401) {
            assert.equal(error, null, 'the token still lives');
        } else {
            assert.equal(error, client.error);
        }
        await machine.pass(5 * MINUTE);
        assert.equal(await rejection(client.getToken()), client.error);
        await machine.pass(600 * MINUTE);
        assert.equal(server.requests.length, 2, 'and nothing more is asked');

        await client.start();
        assert.equal(client.state, 'fresh', 'until it is started again');
        assert.equal(client.error, null);
    });

test('start() by who is told of the failure', async () => {
    const machine = new Machine();
    const server = new Server(machine);
    const client = join(server);
    let again;

    server.answers = [refusal(401, 'no_user')];
    client.addEventListener('failed', () => { again = client.start(); },
        { once: true });
    assert.equal((await rejection(client.start())).status, 401);
    assert.equal((await again).room_name, 'apt-47');
    assert.equal(client.state, 'fresh');
    await machine.pass(86 * MINUTE);
    assert.deepEqual(client.types(),
        ['failed', 'issued', 'warning', 'refreshed']);
});

test('the reason in the words of PostgREST', async () => {
    const server = new Server(new Machine());
    const client = join(server);

    server.answers = [Response.json({ code: 'PT410', hint: null,
        message: 'appointment is cancelled',
        details: '{"reason": "cancelled", "now": "2026-03-02T10:00:00Z"}' },
    { status: 410 })];
    const error = await rejection(client.start());

    assert.equal(error.reason, 'cancelled');
    assert.equal(error.message, 'appointment is cancelled');
    assert.equal(error.final, true);
});

test('409: a session that is not there is issued anew', async () => {
    const machine = new Machine();
    const server = new Server(machine);
    const client = join(server);

    await client.start();
    server.answers = [refusal(409, 'no_session')];
    await machine.pass(86 * MINUTE);
    assert.deepEqual(server.counts, { POST: 2, GET: 1 });
    assert.deepEqual(client.types(), ['issued', 'warning', 'refreshed']);
});

test('too early: waits until the room opens, by the clock of the server',
    async () => {
        const machine = new Machine({ dateIsWrongBy: -60 * MINUTE });
        const server = new Server(machine, { opensIn: 12 * MINUTE });
        const client = join(server);
        const started = client.start();

        await settle();
        assert.equal(client.state, 'waiting');
        assert.equal(client.told[0].detail.opensIn, 12 * MINUTE);
        assert.ok(Math.abs(client.serverNow - server.now) < SECOND);
        await machine.pass(11 * MINUTE);
        assert.equal(server.requests.length, 3,
            'asks now and then whether it was moved');
        await machine.pass(63 * SECOND);
        await started;
        const late = server.requests.at(-1).at - server.opensAt;

        assert.ok(late >= 0 && late < 2 * SECOND, `${late} ms late`);
        assert.equal(client.state, 'fresh');
    });

test('no refresh_at: the token lasts as long as any may', async () => {
    const machine = new Machine();
    const server = new Server(machine);
    const client = join(server);

    server.answers = [server.grant({ refreshable: false })];
    await client.start();
    await machine.pass(100 * MINUTE);
    near(minutesOf(client), ['issued 0', 'warning 80', 'expired 90']);
    assert.equal(server.requests.length, 1);
});

test('a server that makes no sense is not asked in a loop', async () => {
    const machine = new Machine();
    const server = new Server(machine);

    server.answers = Array(100).fill().map(() => ({
        ...server.grant(), refresh_at: '2020-01-01T00:00:00Z' }));
    await join(server).start();
    await machine.pass(MINUTE);
    assert.ok(server.requests.length <= 7);
});

for (const time of ['refresh_at', 'warn_at'])
    test(`a grant whose ${time} is no time is none`, async () => {
        const machine = new Machine();
        const server = new Server(machine);
        const client = join(server);

        server.answers = [{ ...server.grant(), [time]: 'soon' }];
        const started = client.start();

        await settle();
        assert.deepEqual(client.types(), ['retrying']);
        assert.equal(client.told[0].detail.error.reason, 'bad_answer');
        await machine.pass(5 * SECOND);
        await started;
        assert.deepEqual(client.types(), ['retrying', 'issued']);
    });

test('who asks during a refresh joins it', async () => {
    const machine = new Machine();
    const server = new Server(machine);
    const client = join(server);
    const first = await Promise.all(
        Array(10).fill().map(() => client.getToken()));

    assert.deepEqual(server.counts, { POST: 1, GET: 0 });
    let answer;
    server.answers = [new Promise(resolve => { answer = resolve; })];
    await machine.pass(85 * MINUTE);
    const asked = Promise.all([...Array(5).fill().map(
        () => client.getToken()), client.refresh(), client.start()]);

    await settle();
    answer(Response.json(server.grant()));
    const tokens = await asked;

    assert.deepEqual(server.counts, { POST: 1, GET: 1 });
    assert.equal(new Set(tokens.slice(0, 5)).size, 1);
    assert.notEqual(tokens[0], first[0]);
});

test('headers are asked for each time', async () => {
    const machine = new Machine();
    const server = new Server(machine);
    let login = 0;
    const client = join(server, {
        headers: async () => ({ Authorization: `Bearer ${++login}` }) });

    await client.start();
    await client.refresh();
    assert.deepEqual(server.requests.map(
        ({ headers }) => headers.Authorization), ['Bearer 1', 'Bearer 2']);
});

test('ids and addresses', async () => {
    const server = new Server(new Machine());

    await join(server, { appointmentId: 'a/b?c', baseUrl: '/x' }).start();
    await join(server, { issueUrl: '/rpc/token' }).start();
    assert.deepEqual(server.requests.map(({ url }) => url),
        ['/x/video-token/a%2Fb%3Fc/', '/rpc/token']);
});

test('close() ends everything', async () => {
    const machine = new Machine();
    const server = new Server(machine);
    const client = join(server);

    await client.start();
    server.answers = ['never'];
    const asked = rejection(client.refresh());
    const got = rejection(client.getToken());

    await settle();
    client.close();
    client.close();
    assert.equal((await asked).reason, 'closed');
    assert.equal((await got).reason, 'closed');
    assert.equal((await rejection(client.start())).reason, 'closed');
    await machine.pass(600 * MINUTE);
    assert.deepEqual(client.types(), ['issued']);
    assert.equal(machine.timers, 0);

    const quiet = join(server);
    await quiet.start();
    assert.equal(machine.timers, 1);
    quiet.close();
    assert.equal(machine.timers, 0, 'at once');

    const waiting = join(server);
    server.answers = ['nothing'];
    const started = rejection(waiting.start());
    await settle();
    waiting.close();
    assert.equal((await started).reason, 'closed');
});

//
// Other tabs, as far as node has them
//

test('a newer token of the same session comes from another tab', async () => {
    const machine = new Machine();
    const server = new Server(machine);
    const [one, two] = [join(server), join(server)];

    await one.start();
    await machine.pass(10 * MINUTE);
    await two.start();
    await heard(one, two.grant.access_token);
    await machine.pass(20 * MINUTE);
    await one.refresh();
    await heard(two, one.grant.access_token);
    assert.deepEqual(two.types(), ['issued', 'refreshed']);
    assert.ok(Math.abs(one.remaining - two.remaining) < SECOND);
    assert.deepEqual(server.counts, { POST: 2, GET: 1 });

    server.identity = '1-mary';
    const other = join(server);
    await other.start();
    await settle();
    assert.notEqual(one.grant.access_token, other.grant.access_token,
        'that of another user is not taken');
});

test('an older token does not replace what another tab told', async () => {
    const machine = new Machine();
    const server = new Server(machine);
    const [one, two] = [join(server), join(server)];
    let answer;

    await one.start();
    await machine.pass(10 * MINUTE);
    server.answers = [new Promise(resolve => { answer = resolve; })];
    const refreshed = one.refresh();
    const old = server.grant();

    await machine.pass(5 * SECOND);
    await two.start();
    await heard(one, two.grant.access_token);
    answer(Response.json(old));
    assert.equal((await refreshed).access_token, two.grant.access_token);
    await settle();
    for (const client of [one, two])
        assert.equal(client.grant.access_token, two.grant.access_token);
    assert.deepEqual(one.types(), ['issued', 'refreshed']);
});

test('a server whose clock was set back is believed', async () => {
    const machine = new Machine();
    const server = new Server(machine);
    const client = join(server);

    server.opensAt -= 60 * MINUTE;
    await client.start();
    await machine.pass(20 * MINUTE);
    server.now -= 30 * MINUTE;
    const { issued_at: issuedAt } = await client.refresh();

    assert.ok(Math.abs(Date.parse(issuedAt) - server.now) < 2 * SECOND);
    assert.equal(client.grant.issued_at, issuedAt);
});

/* Messages take the time they take. */
async function heard(client, token) {
    for (let tries = 0; tries < 500; tries++) {
        if (client.grant.access_token === token) return;
        await settle();
    }
    assert.fail('no message came');
}

//
// Calls
//

/* An SDK that a test can look into. */
class Sdk {
    live = 0;
    most = 0;
    tokens = [];
    rooms = [];
    fails = false;
    whenHungUp = () => {};

    connect = async ({ access_token, room_name }, lost) => {
        this.tokens.push(access_token);
        this.rooms.push(room_name);
        await new Promise(done => setImmediate(done));
        if (this.fails) throw new Error('refused');
        this.live++;
        this.most = Math.max(this.most, this.live);
        let isLive = true;
        const end = () => {
            if (isLive) this.live--;
            isLive = false;
        };

        // Whether an SDK ends a lost call by itself differs.
        this.lost = lost;
        this.drop = () => {
            end();
            lost();
        };
        return { disconnect: () => {
            end();
            return this.whenHungUp();
        } };
    };
}

test('a call lives through its tokens, and the next one has the newest',
    async () => {
        const machine = new Machine();
        const server = new Server(machine, { minutes: 300 });
        const client = join(server);
        const sdk = new Sdk();
        const connection = client.keepConnected(sdk.connect);

        await machine.pass(SECOND);
        assert.equal(connection.state, 'connected');
        const { call } = connection;

        for (let refresh = 0; refresh < 5; refresh++) {
            await machine.pass(10 * MINUTE);
            await client.refresh();
        }
        assert.equal(sdk.tokens.length, 1);
        assert.equal(connection.call, call);

        sdk.drop();
        assert.equal(sdk.live, 0);
        await machine.pass(SECOND);
        assert.equal(connection.state, 'connected');
        assert.deepEqual(sdk.tokens.slice(1), [client.grant.access_token]);
        assert.equal(sdk.most, 1, 'never two at a time');

        connection.close();
        await connection.ended;
        assert.equal(sdk.live, 0);
        await machine.pass(10 * MINUTE);
        assert.equal(sdk.tokens.length, 2);
        assert.equal(client.state, 'fresh', 'the token is kept fresh');
    });

test('a call that cannot be had is tried ever more slowly', async () => {
    const machine = new Machine();
    const server = new Server(machine, { minutes: 300 });
    const client = join(server);
    const sdk = new Sdk();
    const connection = client.keepConnected(sdk.connect);
    let errors = 0;

    connection.addEventListener('error', () => { errors++; });
    sdk.fails = true;
    Math.random = () => 0.999;
    await machine.pass(3 * MINUTE);
    assert.equal(sdk.tokens.length, 10);
    assert.equal(errors, 10);
    assert.deepEqual(server.counts, { POST: 1, GET: 1 },
        'one new token is tried');
    sdk.fails = false;
    await machine.pass(MINUTE);
    assert.equal(connection.state, 'connected');

    const before = sdk.tokens.length;
    for (let drop = 0; drop < 300; drop++) {
        if (sdk.live) sdk.drop();
        await machine.pass(SECOND);
    }
    assert.ok(sdk.tokens.length - before < 20, 'nor dropped in a loop');
});

test('a call that comes after close() is hung up', async () => {
    const machine = new Machine();
    const server = new Server(machine);
    const client = join(server);
    const sdk = new Sdk();

    await client.start();
    const connection = client.keepConnected(sdk.connect);
    while (sdk.tokens.length === 0) await Promise.resolve();
    connection.close();
    await settle();
    assert.deepEqual([sdk.live, sdk.most], [0, 1]);

    const another = client.keepConnected(sdk.connect);
    await machine.pass(SECOND);
    assert.equal(sdk.live, 1);
    client.close();
    assert.equal(sdk.live, 0);
    assert.equal(another.state, 'closed');
});

test('a call that was lost is hung up before the next one', async () => {
    const machine = new Machine();
    const client = join(new Server(machine));
    const sdk = new Sdk();
    const connection = client.keepConnected(sdk.connect);

    await machine.pass(20 * SECOND);
    // This one takes a while to hang up, and the next one never has.
    let hasHungUp;
    sdk.whenHungUp = () => new Promise(done => { hasHungUp = done; });
    sdk.lost();
    await machine.pass(SECOND);
    assert.deepEqual([sdk.live, sdk.tokens.length], [0, 1]);
    assert.equal(connection.call, null);
    hasHungUp();
    await machine.pass(SECOND);
    assert.deepEqual([sdk.live, sdk.most, sdk.tokens.length], [1, 1, 2]);

    await machine.pass(20 * SECOND);
    sdk.lost();
    await machine.pass(5 * SECOND);
    assert.deepEqual([sdk.live, sdk.most, sdk.tokens.length], [1, 1, 3]);
    assert.equal(connection.state, 'connected');
});

test('a call that was lost before it was there is hung up', async () => {
    const machine = new Machine();
    const client = join(new Server(machine));
    const sdk = new Sdk();

    client.keepConnected((grant, lost) => {
        lost();
        return sdk.connect(grant, lost);
    });
    await machine.pass(MINUTE);
    assert.ok(sdk.tokens.length > 1);
    assert.deepEqual([sdk.live, sdk.most], [0, 1]);
});

test('the room was made anew: the next call is in the new one', async () => {
    const machine = new Machine();
    const server = new Server(machine);
    const client = join(server);
    const sdk = new Sdk();
    const connection = client.keepConnected(sdk.connect);

    await machine.pass(20 * SECOND);
    server.room = 'apt-47-anew';
    sdk.drop();
    await machine.pass(SECOND);
    assert.deepEqual(sdk.rooms, ['apt-47', 'apt-47-anew']);
    assert.deepEqual(server.counts, { POST: 1, GET: 1 });

    // The server does not answer: the token that lives has to do.
    server.answers = ['never'];
    await machine.pass(20 * SECOND);
    sdk.drop();
    await machine.pass(5 * SECOND);
    assert.equal(connection.state, 'connected');
    assert.equal(sdk.tokens[2], sdk.tokens[1]);
    assert.deepEqual(server.counts, { POST: 1, GET: 2 });
});

test('who joins again comes to the room as it is then', async () => {
    const machine = new Machine();
    const server = new Server(machine);
    const client = join(server);
    const sdk = new Sdk();

    client.keepConnected(sdk.connect).close();
    await machine.pass(20 * SECOND);
    assert.deepEqual(server.counts, { POST: 1, GET: 0 });
    server.room = 'apt-47-anew';
    const again = client.keepConnected(sdk.connect);
    await machine.pass(SECOND);
    assert.deepEqual(sdk.rooms, ['apt-47-anew']);
    assert.deepEqual(server.counts, { POST: 1, GET: 1 });

    // The server does not answer: the token that lives has to do.
    again.close();
    server.answers = ['never'];
    const last = client.keepConnected(sdk.connect);
    await machine.pass(5 * SECOND);
    assert.equal(last.state, 'connected');
    assert.equal(sdk.tokens[1], sdk.tokens[0]);
});

test('close() between two tries', async () => {
    const machine = new Machine();
    const client = join(new Server(machine));
    const sdk = new Sdk();
    const connection = client.keepConnected(sdk.connect);

    sdk.fails = true;
    Math.random = () => 0.999;
    await machine.pass(SECOND);
    assert.equal(connection.state, 'reconnecting');
    client.close();
    assert.equal(await rejection(connection.ended), null);
});

test('close() ends a connection that hangs, and hangs up what comes late',
    async () => {
        const machine = new Machine();
        const client = join(new Server(machine));
        const sdk = new Sdk();
        let answer;
        const connection = client.keepConnected(async (grant, lost) => {
            await new Promise(done => { answer = done; });
            return await sdk.connect(grant, lost);
        });
        let hasEnded = false;

        connection.ended.then(() => { hasEnded = true; });
        await machine.pass(SECOND);
        connection.close();
        await settle();
        assert.equal(hasEnded, true);
        answer();
        await settle();
        assert.deepEqual([sdk.live, sdk.most], [0, 1]);
        assert.equal(connection.call, null);
    });

for (const [how, whenHungUp] of [
    ['throws', () => { throw new Error('not connected'); }],
    ['rejects', async () => { throw new Error('not connected'); }]])
    test(`a disconnect() that ${how} keeps nothing from ending`, async () => {
        const machine = new Machine();
        const client = join(new Server(machine));
        const sdks = [new Sdk(), new Sdk()];
        const connections = sdks.map(({ connect }) =>
            client.keepConnected(connect));

        sdks[0].whenHungUp = whenHungUp;
        await machine.pass(20 * SECOND);
        sdks[0].lost();
        await machine.pass(SECOND);
        assert.equal(connections[0].state, 'connected');
        client.close();
        assert.deepEqual(sdks.map(({ live }) => live), [0, 0]);
        for (const { state, ended } of connections) {
            assert.equal(state, 'closed');
            await ended;
        }
    });

test('a call is not connected again when the server has refused', async () => {
    const machine = new Machine();
    const server = new Server(machine);
    const client = join(server);
    const sdk = new Sdk();
    const connection = client.keepConnected(sdk.connect);

    await machine.pass(SECOND);
    server.answers = [refusal(410, 'revoked')];
    await machine.pass(86 * MINUTE);
    assert.equal(sdk.live, 1, 'ending a live call is for the provider');
    sdk.drop();
    assert.equal((await rejection(connection.ended)).reason, 'revoked');
    assert.equal(connection.state, 'closed');
    assert.equal(sdk.tokens.length, 1);
});
