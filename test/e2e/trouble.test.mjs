/*
 * trouble.test.mjs: what goes wrong during a call, and how the call goes on
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/trouble.test.mjs
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Clinic, ROOT, until } from './lib/clinic.mjs';
import { MINUTE, SECOND, Time, launch, openBrowser, skip }
    from './lib/visit.mjs';

const START = Date.UTC(2026, 2, 2, 10);
let clinic, backend, browser, lastId = 100;

before(async () => {
    if (skip) return;
    clinic = await Clinic.create('trouble');
    await clinic.user(1, 'Dr. Mary Major', 'mary@example.com');
    await clinic.user(2, 'Jane Doe', 'jane@example.com');
    backend = await clinic.backend({ POOL_SIZE: '1' });
    browser = await launch();
});

after(async () => {
    await browser?.close();
    await clinic?.drop();
});

/* Jane in a call of 60 minutes since START, some minutes later. */
async function call(minute, prepare = () => {}) {
    const id = ++lastId;
    const login = await clinic.login(2, '1 day');

    await clinic.appointment(id, { startsAt: new Date(START),
        users: { 1: 'host', 2: null } });
    await clinic.setClock(START, backend);
    const context = await openBrowser(browser, { now: START });
    await prepare(context);
    const time = new Time(clinic, backend, context, START);
    const jane = await time.open(id, login);

    await jane.join();
    await time.passTo(minute, START, 20 * MINUTE);
    return { id, login, context, time, jane };
}

test('offline, and back', { skip }, async () => {
    const { context, time, jane } = await call(84);

    await context.setOffline(true);
    await time.passTo(87, START, 15 * SECOND);
    assert.equal(await jane.notice(), 'No connection to the clinic.');
    assert.equal(await jane.text('#pill-text'), 'No connection');
    assert.equal(jane.refreshes, 0);
    await jane.callGoesOn();

    await context.setOffline(false);
    await until(() => jane.refreshes === 1);
    await time.pass(SECOND);
    assert.equal(await jane.notice(), null);
    assert.equal(await jane.text('#pill-text'), 'Connected');
    await jane.callGoesOn();

    // And longer than any token lives.
    await context.setOffline(true);
    await time.passTo(178, START, 10 * MINUTE);
    assert.equal(await jane.notice(), 'Your access has ended.');
    await jane.callGoesOn();
    await context.setOffline(false);
    await until(() => jane.requests.length > 2);
    await time.pass(SECOND);
    assert.equal(jane.requests.at(-1).status, 200);
    assert.equal(await jane.phase(), 'live');
    await context.close();
});

test('server restart', { skip }, async () => {
    const { context, time, jane } = await call(84);

    await backend.stop('SIGKILL');
    const { status, stderr } = spawnSync(join(ROOT, 'test/cluster'),
        ['ctl', 'restart', '-m', 'immediate'], { encoding: 'utf8' });

    assert.equal(status, 0, stderr);
    await clinic.reconnect();
    time.backend = null;
    await time.passTo(86, START, 15 * SECOND);
    assert.equal(await jane.notice(), 'No connection to the clinic.');
    await jane.callGoesOn();

    await backend.start();
    time.backend = backend;
    await time.passTo(88, START, 15 * SECOND);
    assert.equal(await jane.notice(), null);
    assert.deepEqual(jane.requests, [{ kind: 'video-token', status: 200 },
        { kind: 'video-token-refresh', status: 200 }]);
    await jane.callGoesOn();
    await context.close();
});

test('401: the call goes on, and who signs in again goes on as well',
    { skip }, async () => {
        const { context, time, jane, login } = await call(84);

        await clinic.logout(login);
        await time.passTo(86, START, 15 * SECOND);
        assert.deepEqual(jane.requests.map(({ status }) => status),
            [200, 401], 'and it is not asked again');
        assert.equal(await jane.notice(), 'Please sign in again.');
        await jane.callGoesOn();

        await jane.page.getByRole('button', { name: 'Sign in' }).click();
        await jane.page.getByLabel('Access key').fill('wrong');
        await jane.page.getByRole('button', { name: 'Continue' }).click();
        await jane.page.getByText('This access key is not valid.').waitFor();
        await jane.page.getByLabel('Access key').fill(
            await clinic.login(2, '1 day'));
        await jane.page.getByRole('button', { name: 'Continue' }).click();
        await until(() => jane.refreshes === 2);
        await time.pass(SECOND);
        assert.equal(jane.requests.at(-1).status, 200);
        assert.equal(await jane.notice(), null);
        await jane.callGoesOn();
        await context.close();
    });

test('410: who is no longer wanted is told so, and the call ends',
    { skip }, async () => {
        const { id, context, time, jane } = await call(84);

        await clinic.sql('SELECT vidtoken.vidtoken_revoke($1, 2)', [id]);
        await time.passTo(86, START, 15 * SECOND);
        assert.equal(await jane.phase(), 'ended');
        assert.equal(await jane.text('#message-title'),
            'You are no longer expected here');
        assert.equal(await jane.page.evaluate(() =>
            document.getElementById('remote').srcObject), null);
        await time.passTo(100, START, MINUTE);
        assert.deepEqual(jane.requests.map(({ status }) => status),
            [200, 410]);
        await context.close();
    });

test('the hard stop', { skip }, async () => {
    const { context, time, jane } = await call(168);

    await time.passTo(172, START, MINUTE);
    assert.match(await jane.notice(), /^Your access ends in (8:0\d|7:5\d)\.$/);
    assert.match(await jane.text('#notice-text'), /cannot be renewed/);
    await jane.callGoesOn();
    await time.passTo(181, START, MINUTE);
    assert.equal(await jane.phase(), 'ended');
    assert.equal(await jane.text('#message-title'),
        'This appointment is over');
    await context.close();
});

test('two tabs: one refresh', { skip }, async () => {
    const { id, login, context, time, jane } = await call(10);
    const other = await time.open(id, login);
    const refreshes = () => jane.refreshes + other.refreshes;
    const access = async visit => await visit.text('.legend .token dd');

    await other.becomes('open');
    await time.pass(SECOND);
    assert.equal(await access(jane), await access(other),
        'the token of the second tab is told to the first');
    await time.passTo(94, START, 20 * MINUTE);
    assert.equal(refreshes(), 0);
    await time.passTo(97, START, 15 * SECOND);
    assert.equal(refreshes(), 1);
    assert.equal(await access(jane), '11:35 – 13:00');
    assert.equal(await access(other), '11:35 – 13:00');
    await jane.callGoesOn();
    await context.close();
});

test('two tabs: the one that asks is closed before it has the answer',
    { skip }, async () => {
        const { id, login, context, time, jane } = await call(1);
        const other = await time.open(id, login);
        const address = '**/video-token-refresh/**';
        let asking;

        await other.becomes('open');
        await time.passTo(84, START, 20 * MINUTE);
        for (const visit of time.visits)
            await visit.page.route(address, () => {
                asking = visit;
            });
        const visits = time.visits.splice(0);

        await time.pass(3 * MINUTE, 3 * MINUTE);
        await until(() => asking);
        const [waiting] = visits.filter(visit => visit !== asking);

        await waiting.page.unroute(address);
        await asking.page.close();
        await until(async () => {
            await time.pass(SECOND);
            return waiting.refreshes === 1;
        });
        assert.equal(jane.refreshes + other.refreshes, 1);
        await context.close();
    });

test('without locks and channels every tab asks for itself', { skip },
    async () => {
        const { id, login, context, time, jane } = await call(1, browser =>
            browser.addInitScript(() => {
                delete Navigator.prototype.locks;
                delete window.BroadcastChannel;
            }));
        const other = await time.open(id, login);

        await other.becomes('open');
        await time.passTo(87, START, 10 * MINUTE);
        assert.deepEqual([jane.refreshes, other.refreshes], [1, 1]);
        await jane.callGoesOn();
        await context.close();
    });
