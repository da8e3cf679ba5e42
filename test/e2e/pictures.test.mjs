/*
 * pictures.test.mjs: four pictures of the page, for people to look at
 *
 * They are build output: waiting, live, warning and ended, at the widths of a
 * desk and of a phone.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/pictures.test.mjs
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Clinic } from './lib/clinic.mjs';
import { MINUTE, Time, launch, openBrowser, skip }
    from './lib/visit.mjs';
import { portrait } from './lib/portrait.mjs';

const START = Date.UTC(2026, 2, 2, 10);
let clinic, backend, browser, login;

before(async () => {
    if (skip) return;
    clinic = await Clinic.create('pictures');
    await clinic.user(1, 'Dr. Mary Major', 'mary@example.com');
    await clinic.user(2, 'Jane Doe', 'jane@example.com');
    login = await clinic.login(2, '1 day');
    backend = await clinic.backend({ POOL_SIZE: '1' });
    browser = await launch({
        film: await portrait(join(clinic.directory, 'portrait.y4m')) });
});

after(async () => {
    await browser?.close();
    await clinic?.drop();
});

let lastId = 46;
for (const [suffix, options] of [['', {}], ['-phone', { phone: true }],
    ['-dark', { scheme: 'dark' }]])
    test(`pictures${suffix}`, { skip }, async () => {
        const id = ++lastId;
        const now = START - 22 * MINUTE;

        await clinic.appointment(id, { startsAt: new Date(START),
            users: { 1: 'host', 2: null } });
        await clinic.setClock(now, backend);
        const context = await openBrowser(browser, { now, ...options });
        const time = new Time(clinic, backend, context, now);
        const jane = await time.open(id, login);
        const fits = async () => assert.ok(await jane.page.evaluate(() =>
            document.documentElement.scrollWidth <= innerWidth),
        'nothing is cut off at the side');

        await jane.becomes('waiting');
        await jane.page.getByRole('button', { name: 'Camera' }).click();
        await jane.page.waitForSelector('#self-view[data-camera=on]');
        await jane.page.mouse.move(0, 0);
        await time.pass(3000, 1000);
        await jane.picture('waiting' + suffix);
        await fits();

        await time.passTo(-3, START, 10 * MINUTE);
        await jane.becomes('open');
        await jane.page.getByRole('button', { name: 'Join' }).click();
        await jane.becomes('live');
        await jane.page.mouse.move(0, 0);
        await time.passTo(24, START, 13 * MINUTE);
        await jane.callGoesOn();
        await jane.picture('live' + suffix);
        await fits();

        const [{ warn_at: warnAt }] = jane.tokens;

        await time.pass(Date.parse(warnAt) + 40000 - time.now, 20 * MINUTE);
        await time.pass(1000);
        await jane.picture('warning' + suffix);
        assert.match(await jane.notice(), /^Your access ends in/);
        await fits();

        await jane.page.getByRole('button', { name: 'Leave' }).click();
        await jane.becomes('ended');
        await jane.page.mouse.move(0, 0);
        await time.pass(1000);
        await jane.picture('ended' + suffix);
        await fits();
        assert.deepEqual(jane.errors, []);
        await context.close();
    });
