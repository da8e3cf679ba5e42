/*
 * stories.test.mjs: calls from their beginning to their end, minute by minute
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/stories.test.mjs
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Clinic } from './lib/clinic.mjs';
import { MINUTE, SECOND, Time, launch, openBrowser, skip }
    from './lib/visit.mjs';

const START = Date.UTC(2026, 2, 2, 10);

// In minutes: what is due at a time has happened when this has passed. The
// clock of a page is behind that of the server by what it took to start.
const MOMENT = 0.1;
let clinic, backend, browser, login, lastId = 100;

before(async () => {
    if (skip) return;
    clinic = await Clinic.create('stories');
    await clinic.user(1, 'Dr. Mary Major', 'mary@example.com');
    await clinic.user(2, 'Jane Doe', 'jane@example.com');
    login = await clinic.login(2, '1 day');
    backend = await clinic.backend({ POOL_SIZE: '1' });
    browser = await launch();
});

after(async () => {
    await browser?.close();
    await clinic?.drop();
});

/* An appointment at START, and Jane before the page some minutes from it. */
async function visit({ minutes = 60, at = 0, ...options }) {
    const id = ++lastId;
    const now = START + at * MINUTE;

    await clinic.appointment(id, { minutes, startsAt: new Date(START),
        users: { 1: 'host', 2: null } });
    await clinic.setClock(now, backend);
    const context = await openBrowser(browser, { now, ...options });
    const time = new Time(clinic, backend, context, now);
    const jane = await time.open(id, login);

    return { id, jane, time, context };
}

/* Everything that has to be true at any moment of a call. */
function hasToken(jane, time) {
    const { expires_at: expiresAt } = jane.tokens.at(-1);

    assert.ok(Date.parse(expiresAt) > time.now, `token ${expiresAt} at ${
        new Date(time.now).toISOString()}`);
}

function life(grant) {
    return (Date.parse(grant.expires_at) - Date.parse(grant.issued_at)) /
        MINUTE;
}

test('short_appointment', { skip }, async () => {
    for (const at of [-15, 0, 20]) {
        const { jane, time, context } = await visit({ minutes: 30, at });

        await jane.join();
        assert.ok(life(jane.tokens[0]) >= 60);
        while (time.now < START + 30 * MINUTE) {
            await time.pass(5 * MINUTE, 5 * MINUTE);
            hasToken(jane, time);
            assert.equal(await jane.notice(), null);
        }
        assert.deepEqual(jane.requests,
            [{ kind: 'video-token', status: 200 }]);
        await jane.callGoesOn();
        assert.deepEqual(jane.errors, []);
        await context.close();
    }
});

test('long_appointment', { skip }, async () => {
    const { jane, time, context } = await visit({ minutes: 120 });

    await jane.join();
    assert.equal(life(jane.tokens[0]), 150);
    assert.equal(jane.tokens[0].token_valid_until,
        '30 minutes after appointment end');
    while (time.now < START + 120 * MINUTE) {
        await time.pass(10 * MINUTE, 10 * MINUTE);
        hasToken(jane, time);
        assert.equal(await jane.notice(), null);
    }
    assert.equal(jane.requests.length, 1);
    await jane.callGoesOn();
    await context.close();
});

test('refresh', { skip }, async () => {
    const { jane, time, context } = await visit({});

    await jane.join();
    await time.passTo(84, START, 6 * MINUTE);
    assert.equal(jane.refreshes, 0);
    const [first] = jane.tokens;

    await time.passTo(85 + MOMENT, START, 2 * SECOND);
    assert.equal(jane.refreshes, 1, 'five minutes before the expiry');
    const second = jane.tokens.at(-1);

    assert.notEqual(second.access_token, first.access_token);
    assert.equal(second.room_name, first.room_name);
    assert.equal(second.user_identity, first.user_identity);
    assert.ok(Math.abs(Date.parse(first.expires_at) -
        Date.parse(second.issued_at) - 5 * MINUTE) <= MOMENT * MINUTE);
    assert.ok(second.expires_at > first.expires_at);
    await jane.callGoesOn();
    assert.equal(await jane.phase(), 'live');
    await time.passTo(95, START, 5 * MINUTE);
    hasToken(jane, time);
    await jane.callGoesOn();
    assert.equal(jane.refreshes, 1);
    await context.close();
});

for (const [name, dateIsWrongBy] of [['warning', 0],
    ['warning, the laptop is an hour late', -60 * MINUTE],
    ['warning, the laptop is an hour early', 60 * MINUTE]])
    test(name, { skip }, async () => {
        const { jane, time, context } = await visit({ dateIsWrongBy });

        await jane.join();
        assert.match(await jane.text('#countdown'), /^(1:00:00|59:5\d)$/);
        await time.passTo(79.5, START, 10 * MINUTE);
        assert.equal(await jane.notice(), null);
        await time.passTo(80 + MOMENT, START, 3 * SECOND);
        assert.match(await jane.notice(),
            /^Your access ends in (10:00|9:5\d)\.$/);
        assert.match(await jane.text('#notice-text'),
            /^It is renewed in (5:00|4:[45]\d), and the call goes on\.$/);
        assert.ok((await jane.said()).includes('Your access ends in ' +
            '10 minutes. It is renewed without your doing.'));
        await time.passTo(84.9, START, MINUTE);
        assert.match(await jane.notice(), /^Your access ends in 5:0\d\.$/);
        assert.equal(jane.refreshes, 0);
        await time.passTo(85 + MOMENT, START, 2 * SECOND);
        assert.equal(await jane.notice(), null);
        assert.equal(jane.refreshes, 1);
        assert.match((await jane.said()).at(-1), /^Your access was renewed/);
        await jane.callGoesOn();
        await context.close();
    });

test('five_hours', { skip }, async () => {
    const { jane, time, context } = await visit({ minutes: 300 });
    const notices = new Map();

    await jane.join();
    assert.equal(life(jane.tokens[0]), 240);
    await time.passTo(MOMENT, START);
    while (time.now < START + 419 * MINUTE) {
        const sinceStart = (time.now - START) / MINUTE;
        const somethingIsDue = (sinceStart >= 220 && sinceStart < 240) ||
            sinceStart >= 400;

        await time.pass(somethingIsDue ? MINUTE : 10 * MINUTE, 10 * MINUTE);
        hasToken(jane, time);
        const minute = Math.floor((time.now - START) / MINUTE);
        const kind = (await jane.notice())?.replace(/ in .*/, '') ?? 'none';

        if ([...notices.values()].at(-1) !== kind) notices.set(minute, kind);
    }
    assert.deepEqual([...notices], [[10, 'none'],
        [230, 'Your access ends'], [235, 'none'], [410, 'Your access ends']]);
    assert.equal(jane.refreshes, 1);
    assert.equal(jane.tokens[1].refresh_at, null,
        'the second lasts until the hard stop');
    await jane.callGoesOn();
    assert.deepEqual(jane.errors, []);
    await context.close();
});
