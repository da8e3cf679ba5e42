/*
 * realtime.test.mjs: a call of an hour in a minute, and nothing else replaced
 *
 * Every length of the policy is a sixtieth of its default, so that the clocks
 * and timers are those of the server and of the browser.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/realtime.test.mjs
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Clinic, until } from './lib/clinic.mjs';
import { SECOND, Visit, launch, openBrowser, skip } from './lib/visit.mjs';

let clinic, backend, browser;

before(async () => {
    if (skip) return;
    clinic = await Clinic.create('realtime', { settings: {
        buffer_before: '15s', buffer_after: '15s', min_ttl: '60s',
        max_ttl: '240s', max_overrun: '120s', min_duration: '5s',
        refresh_window: '5s', warn_window: '10s',
    } });
    await clinic.user(1, 'Dr. Mary Major', 'mary@example.com');
    await clinic.user(2, 'Jane Doe', 'jane@example.com');
    backend = await clinic.backend();
    browser = await launch();
});

after(async () => {
    await browser?.close();
    await clinic?.drop();
});

test('60 times as fast', { skip }, async () => {
    const context = await openBrowser(browser);
    const key = await clinic.login(2);

    // It opens in 15 s, by which the page has to be there.
    await clinic.appointment(47, { minutes: 1,
        startsAt: new Date(Date.now() + 30 * SECOND),
        users: { 1: 'host', 2: null } });
    const jane = await Visit.open(context, backend, 47, key);

    await jane.becomes('waiting');
    await jane.join();
    const [first] = jane.tokens;
    const seconds = (from, to) => (Date.parse(to) - Date.parse(from)) / SECOND;

    assert.ok(seconds(first.issued_at, first.expires_at) >= 90);
    await until(() => jane.tokens.length === 2, 120);
    // How late it is depends on what else the machine does. It is never
    // earlier than by what the server and the client cut off.
    const left = seconds(jane.tokens[1].issued_at, first.expires_at);

    assert.ok(left <= 7, `refreshed with ${left} s left`);
    await until(async () => /^Your access was renewed/.test(
        (await jane.said()).at(-1)));
    const [said] = (await jane.said()).slice(-2);

    assert.match(said, /^Your access ends in/, 'it was warned of before');
    await until(async () => await jane.notice() === null);
    await jane.callGoesOn();
    await sleep(Date.parse(first.expires_at) - Date.now() + SECOND);
    await jane.callGoesOn();
    assert.equal(await jane.phase(), 'live');
    assert.deepEqual(jane.errors, []);
    await context.close();
});
