/*
 * page.test.mjs: the page by keyboard, by screen reader, and without a camera
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/page.test.mjs
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Clinic, ROOT, optional, until } from './lib/clinic.mjs';
import { SECOND, Visit, launch, openBrowser, skip } from './lib/visit.mjs';

let clinic, backend, browser, login;

before(async () => {
    if (skip) return;
    clinic = await Clinic.create('page');
    await clinic.user(1, 'Dr. Mary Major', 'mary@example.com');
    await clinic.user(2, 'Jane Doe', 'jane@example.com');
    await clinic.appointment(47, { users: { 1: 'host', 2: null } });
    await clinic.user(3, 'Bob Roe', 'bob@example.com');
    await clinic.appointment(49, { users: { 1: 'host', 2: null, 3: null } });
    await clinic.appointment(48, { users: { 1: 'host', 2: null },
        cancelled: true });
    login = await clinic.login(2, '1 day');
    backend = await clinic.backend();
    browser = await launch();
});

after(async () => {
    await browser?.close();
    await clinic?.drop();
});

/* What has the focus, and whether that is to be seen. */
function focused(page) {
    return page.evaluate(() => {
        const { id, className } = document.activeElement;
        const { outlineStyle, outlineWidth } =
            getComputedStyle(document.activeElement);

        return { id: id || className, isSeen: outlineStyle === 'solid' &&
            parseFloat(outlineWidth) >= 2 };
    });
}

test('by keyboard alone', { skip }, async () => {
    const context = await openBrowser(browser);
    const jane = await Visit.open(context, backend, 47, login);
    const { page } = jane;
    const order = [];

    await jane.becomes('open');
    for (let tab = 0; tab < 4; tab++) {
        await page.keyboard.press('Tab');
        order.push(await focused(page));
    }
    assert.deepEqual(order.map(({ id }) => id),
        ['skip', 'camera', 'microphone', 'join']);
    assert.ok(order.every(({ isSeen }) => isSeen));
    await page.keyboard.press('Enter');
    await jane.becomes('live');
    assert.equal((await focused(page)).id, 'join', 'the focus stays');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Space');
    await page.waitForSelector('#self-view[data-camera=on]');
    await page.keyboard.press('Space');
    await page.waitForSelector('#self-view[data-camera=off]');
    await context.close();
});

test('who skips to the call stays in it', { skip }, async () => {
    const context = await openBrowser(browser);
    const jane = await Visit.open(context, backend, 47, login);
    const { page } = jane;
    let loads = 0;

    await jane.becomes('open');
    await page.keyboard.press('Tab');
    assert.equal((await focused(page)).id, 'skip');
    await page.getByRole('button', { name: 'Camera' }).click();
    await page.getByRole('button', { name: 'Join' }).click();
    await jane.becomes('live');
    page.on('load', () => { loads++; });
    for (let tab = 0; tab < 3; tab++) await page.keyboard.press('Shift+Tab');
    assert.equal((await focused(page)).id, 'skip');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/#stage');
    await jane.callGoesOn();
    await sleep(SECOND);
    assert.equal(loads, 0);
    assert.equal(await jane.phase(), 'live');
    assert.equal((await focused(page)).id, 'stage');

    // A link to another appointment is followed.
    await page.goto(`${backend.url}/#48:${login}`);
    await page.getByRole('heading',
        { name: 'This appointment was cancelled' }).waitFor();
    await context.close();
});

for (const [what, phone] of [['mouse', false], ['touch', true]])
    test(`who has left joins again, by ${what}`, { skip }, async () => {
        const context = await openBrowser(browser, { phone });
        const jane = await Visit.open(context, backend, 47, login);
        const press = async name => {
            const button = jane.page.getByRole('button', { name });

            await (phone ? button.tap() : button.click());
        };

        await jane.join();
        await press('Leave');
        await jane.becomes('ended');
        await press('Join again');
        await jane.becomes('live');
        await context.close();
    });

test('the focus does not get lost with a button', { skip }, async () => {
    const context = await openBrowser(browser);
    const jane = await Visit.open(context, backend, 47, login);
    const { page } = jane;
    const goTo = async wanted => {
        for (let tab = 0; (await focused(page)).id !== wanted; tab++) {
            assert.ok(tab < 9, 'in vain to ' + wanted);
            await page.keyboard.press('Tab');
        }
    };

    await jane.becomes('open');
    await goTo('join');
    await page.keyboard.press('Enter');
    await jane.becomes('live');
    await page.keyboard.press('Enter');
    await jane.becomes('ended');
    assert.deepEqual(await focused(page),
        { id: 'message-action', isSeen: true });
    await page.keyboard.press('Enter');
    await jane.becomes('live');
    assert.equal((await focused(page)).id, 'stage');
    await page.keyboard.press('Tab');
    assert.equal((await focused(page)).id, 'camera');

    // Also where nothing is left to press.
    await context.route('**/video-token-refresh/47/', route => route.fulfill({
        status: 410, json: { reason: 'revoked' } }));
    await page.evaluate(() => {
        const { now } = performance;

        performance.now = () => now.call(performance) + 5.4e6;
        dispatchEvent(new Event('focus'));
    });
    await jane.becomes('ended');
    assert.equal((await focused(page)).id, 'stage');

    await page.evaluate(() => sessionStorage.clear());
    await page.reload();
    await page.getByLabel('Appointment number').fill('47');
    await page.getByLabel('Access key').fill(login);
    await page.keyboard.press('Enter');
    await jane.becomes('open');
    assert.equal((await focused(page)).id, 'stage');
    await context.close();
});

test('for a screen reader', { skip }, async () => {
    const context = await openBrowser(browser);
    const jane = await Visit.open(context, backend, 47, login);

    await jane.join();
    const tree = await jane.page.locator('body').ariaSnapshot();

    for (const part of [
        /heading "Visit with Dr\. Mary Major" \[level=1\]/,
        /region "Call"/, /button "Camera" \[pressed\]/, /button "Microphone"/,
        /button "Leave"/, /timer/, /heading "Timeline" \[level=2\]/,
        /term: Appointment/, /term: Your access/, /term: Warning/,
        /term: Renewal/, /heading "Participants" \[level=2\]/,
        /listitem/, /Dr\. Mary Major/, /status: You are in the call\./])
        assert.match(tree, part);
    assert.deepEqual(await jane.page.evaluate(() => {
        const { role, ariaLive } = document.getElementById('announcer');
        const { ariaLive: timer } = document.getElementById('countdown');

        return [role, ariaLive, timer, document.documentElement.lang];
    }), ['status', 'polite', 'off', 'en']);
    const before = (await jane.said()).length;

    await jane.page.waitForTimeout(2500);
    assert.equal((await jane.said()).length, before,
        'nobody is told every second');
    await context.close();
});

/* Answers of the status are what the test says. */
async function openWithStatus(status) {
    const context = await openBrowser(browser, { now: Date.now() });
    const asked = { times: 0 };

    await context.route('**/video-status/49/', route => {
        asked.times++;
        return route.fulfill({ json: status });
    });
    const jane = await Visit.open(context, backend, 49, login);

    await jane.becomes('open');
    await jane.quiet();
    // The page asks while time passes, and has to be given time to.
    jane.pass = async seconds => {
        const before = asked.times;

        await context.clock.runFor(seconds * SECOND);
        await sleep(SECOND);
        await context.clock.runFor(SECOND);
        return asked.times - before;
    };
    jane.badges = async () => await jane.page.locator(
        '#people li:not(:has-text("(you)")) .presence').allTextContents();
    return { context, jane };
}

const UNKNOWN = 'Who else is in the call is not known at the moment.';

test('who is there is not guessed', { skip }, async () => {
    const status = { participants: null };
    const { context, jane } = await openWithStatus(status);

    await jane.join();
    assert.ok(await jane.pass(11) >= 1);
    assert.deepEqual(await jane.badges(), [], 'nobody has told yet');
    assert.equal(await jane.text('#people-note'), UNKNOWN);
    status.participants = [];
    await jane.pass(11);
    assert.deepEqual(await jane.badges(), ['Not here', 'Not here']);
    assert.equal(await jane.text('#people-note'), '');
    await context.close();
});

/* Shows the visit anew, with its participants changed. */
async function reloadWith(context, jane, change) {
    await context.route('**/api/appointments/49/', async route => {
        const response = await route.fetch();
        const visit = await response.json();

        visit.participants.forEach(change);
        await route.fulfill({ response, json: visit });
    });
    await jane.page.reload();
    await jane.join();
}

test('a source that gives no names', { skip }, async () => {
    const { context, jane } = await openWithStatus({ participants: [] });

    await reloadWith(context, jane, person => { person.name = null; });
    assert.match(await jane.text('#title'),
        /^Visit with (Host and Guest|Guest and Host)$/);
    assert.equal(await jane.page.locator('#people li').count(), 3);
    assert.deepEqual(jane.errors, []);
    await context.close();
});

test('nor is who has no identity', { skip }, async () => {
    const { context, jane } = await openWithStatus({ participants: [] });

    await reloadWith(context, jane, (person, index) => {
        if (index === 0) person.identity = null;
    });
    await jane.pass(11);
    assert.deepEqual(await jane.badges(), ['Not here']);
    assert.equal(await jane.text('#people-note'), UNKNOWN);
    await context.close();
});

test('two who come at once are both announced', { skip }, async () => {
    const status = { participants: [] };
    const { context, jane } = await openWithStatus(status);

    await jane.pass(11);
    status.participants = ['1-mary@example.com', '3-bob@example.com'].map(
        identity => ({ identity, left_at: null }));
    await jane.pass(11);
    assert.deepEqual(await jane.badges(), ['In the call', 'In the call']);
    assert.equal((await jane.said()).at(-1),
        'Dr. Mary Major has joined. Bob Roe has joined.');
    await context.close();
});

test('nobody asks who is there when the call is over', { skip }, async () => {
    const { context, jane } = await openWithStatus({ participants: [] });

    await jane.join();
    assert.ok(await jane.pass(30) >= 1);
    await jane.page.getByRole('button', { name: 'Leave' }).click();
    await jane.becomes('ended');
    assert.equal(await jane.pass(60), 0);
    assert.deepEqual(await jane.badges(), []);
    await jane.page.getByRole('button', { name: 'Join again' }).click();
    await jane.becomes('live');
    assert.ok(await jane.pass(30) >= 1, 'but again when he is back');
    await context.close();
});

/* Texts whose contrast to what is behind them is below WCAG's 4.5. */
function paleTexts() {
    const channels = colour => colour.match(/[\d.]+/g).map(Number);
    const luminance = colour => channels(colour).slice(0, 3).map(value => {
        const part = value / 255;

        return part <= 0.04045 ? part / 12.92
            : ((part + 0.055) / 1.055) ** 2.4;
    }).reduce((sum, part, index) =>
        sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const behind = element => {
        for (; element; element = element.parentElement) {
            const { backgroundColor } = getComputedStyle(element);

            if (channels(backgroundColor)[3] !== 0) return backgroundColor;
        }
        return 'rgb(255, 255, 255)';
    };

    return [...document.querySelectorAll(
        '.top *, .panel *, .sign-in *')].filter(element =>
        element.checkVisibility() && [...element.childNodes].some(
            node => node.nodeType === 3 && node.data.trim()))
        .map(element => {
            const [one, other] = [luminance(getComputedStyle(element).color),
                luminance(behind(element))].sort((a, b) => b - a);

            return [element.textContent, (one + 0.05) / (other + 0.05)];
        }).filter(([, contrast]) => contrast < 4.5);
}

for (const scheme of ['light', 'dark'])
    test(`contrast, ${scheme}`, { skip }, async () => {
        const context = await openBrowser(browser, { scheme });
        const jane = await Visit.open(context, backend, 47, login);

        await jane.join();
        await jane.page.evaluate(() => {
            document.getElementById('notice').hidden = false;
            document.getElementById('notice-title').textContent = 'Notice';
        });
        assert.deepEqual(await jane.page.evaluate(paleTexts), []);
        await jane.page.evaluate(() => {
            document.getElementById('notice').dataset.kind = 'trouble';
        });
        assert.deepEqual(await jane.page.evaluate(paleTexts), []);
        await jane.page.evaluate(() => sessionStorage.clear());
        await jane.page.reload();
        await jane.page.getByLabel('Access key').waitFor();
        assert.deepEqual(await jane.page.evaluate(paleTexts), []);
        await context.close();
    });

test('nothing moves for who does not want it', { skip }, async () => {
    const context = await openBrowser(browser);
    const jane = await Visit.open(context, backend, 47, login);

    await jane.becomes('open');
    const moves = () => jane.page.evaluate(() => {
        document.getElementById('pill').dataset.state = 'busy';
        return getComputedStyle(document.querySelector('.dot')).animationName;
    });

    assert.equal(await moves(), 'beat');
    await jane.page.emulateMedia({ reducedMotion: 'reduce' });
    assert.equal(await moves(), 'none');
    await context.close();
});

test('the access key leaves the address, and comes back with a reload',
    { skip }, async () => {
        const context = await openBrowser(browser);
        const jane = await Visit.open(context, backend, 47, login);

        await jane.becomes('open');
        assert.equal(jane.page.url(), backend.url + '/');
        await jane.quiet();
        await jane.page.reload();
        await jane.becomes('open');
        await jane.quiet();
        assert.equal(jane.requests.length, 2);
        assert.equal(jane.tokens[0].room_name, jane.tokens[1].room_name);
        await context.close();
    });

test('signing in by hand', { skip }, async () => {
    const context = await openBrowser(browser, { phone: true });
    const page = await context.newPage();
    const jane = new Visit(page);

    await page.goto(backend.url);
    assert.equal((await focused(page)).id, 'appointment-id');
    for (const [id, key, problem] of [
        ['47', 'wrong', 'This access key is not valid.'],
        ['46', login, 'There is no such appointment for you.'],
        ['47', 'cut off\u2026', 'This access key is not valid.']]) {
        await page.getByLabel('Appointment number').fill(id);
        await page.getByLabel('Access key').fill(key);
        await page.keyboard.press('Enter');
        await page.getByText(problem).waitFor();
    }
    await page.getByLabel('Appointment number').fill('47');
    await page.getByLabel('Access key').fill(login);
    await page.keyboard.press('Enter');
    await jane.becomes('open');
    await context.close();
});

for (const [what, answer] of [['cannot be reached', route => route.abort()],
    ['is not ready', route => route.fulfill({ status: 503, body: '{}' })]])
    test(`the server ${what} when the page is opened`, { skip }, async () => {
        const context = await openBrowser(browser);
        let asked = 0;

        await context.route('**/api/appointments/47/', route =>
            ++asked === 1 ? answer(route) : route.continue());
        const jane = await Visit.open(context, backend, 47, login);

        await jane.page.getByText('No connection to the clinic.').waitFor();
        await jane.becomes('open');
        assert.equal(await jane.notice(), null);
        assert.deepEqual(jane.errors, []);
        await context.close();
    });

test('the server stays away: it is asked ever more slowly', { skip },
    async () => {
        const context = await openBrowser(browser, { now: Date.now() });
        let asked = 0;

        await context.addInitScript(() => { Math.random = () => 0.999; });
        await context.route('**/api/appointments/47/', route => {
            asked++;
            return route.fulfill({ status: 503, body: '{}' });
        });
        const jane = await Visit.open(context, backend, 47, login);

        await until(() => asked === 1);
        for (const [index, wait] of [3, 5, 9, 17, 31, 31].entries()) {
            // What has come is also read.
            await sleep(200);
            await context.clock.fastForward(wait * SECOND - 500);
            await sleep(200);
            assert.equal(asked, index + 1);
            await context.clock.fastForward(SECOND);
            await until(() => asked === index + 2);
        }
        assert.deepEqual(jane.errors, []);
        await context.close();
    });

test('an answer that will stay the same is not asked for again', { skip },
    async () => {
        const context = await openBrowser(browser, { now: Date.now() });
        let asked = 0;

        await context.route('**/api/appointments/47/', route => {
            asked++;
            return route.fulfill({ status: 403, body: '{}' });
        });
        const { page } = await Visit.open(context, backend, 47, login);

        await page.getByText('You cannot join this appointment.').waitFor();
        await context.clock.runFor(60 * SECOND);
        assert.equal(asked, 1);
        assert.equal((await focused(page)).id, 'access-key');
        await context.close();
    });

test('who signs in again before the call can join it', { skip }, async () => {
    const context = await openBrowser(browser);
    let asked = 0;

    await context.route('**/video-token/47/', route => ++asked === 1
        ? route.fulfill({ status: 401, json: { reason: 'no_user' } })
        : route.continue());
    const jane = await Visit.open(context, backend, 47, login);
    const { page } = jane;

    await page.getByRole('heading',
        { name: 'Please sign in again' }).waitFor();
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByLabel('Access key').fill(login);
    await page.getByRole('button', { name: 'Continue' }).click();
    await jane.becomes('open');
    assert.equal(await jane.text('#message-title'), 'The room is open');
    await page.getByRole('button', { name: 'Join' }).click();
    await jane.becomes('live');
    await context.close();
});

const livekit = optional('livekit-client') &&
    createRequire(import.meta.url).resolve('livekit-client');

/* Of the SDK all but the way to its server. */
function withoutServer() {
    const { DisconnectReason, LocalParticipant, Room } = window.LivekitClient;

    window.rooms = [];
    window.shared = {};
    window.LivekitClient = { ...window.LivekitClient,
        Room: class extends Room {
            connect = async (url, token) => {
                this.token = token;
                window.rooms.push(this);
            };

            disconnect = async () => this.emit('disconnected',
                DisconnectReason.CLIENT_INITIATED);
        } };
    for (const name of ['setCameraEnabled', 'setMicrophoneEnabled'])
        LocalParticipant.prototype[name] = async isOn => {
            window.shared[name] = isOn;
        };
}

test("livekit.js: why a call of LiveKit's SDK ends", { skip: skip ||
    (livekit ? false : 'livekit-client (npm)') }, async () => {
    const context = await openBrowser(browser);

    await context.addInitScript({ content: readFileSync(livekit, 'utf8') +
        `;(${withoutServer})();` });
    await context.route('**/echo.js', route => route.fulfill({
        path: ROOT + 'examples/web/livekit.js' }));
    await context.route('**/livekit-client.esm.mjs', route => route.fulfill({
        contentType: 'text/javascript', body:
            'export const { DisconnectReason, Room } = LivekitClient;' }));
    const jane = await Visit.open(context, backend, 47, login);
    const { page } = jane;
    const rooms = () => page.evaluate(() => window.rooms.length);
    const end = reason => page.evaluate(name => window.rooms.at(-1).emit(
        'disconnected', window.LivekitClient.DisconnectReason[name]), reason);

    await jane.join();
    assert.equal((await jane.said()).at(-1), 'You are in the call.');
    assert.deepEqual(await page.evaluate(() => window.shared),
        { setCameraEnabled: true, setMicrophoneEnabled: false });
    await jane.quiet();
    assert.equal(await page.evaluate(() => window.rooms[0].token),
        jane.tokens[0].access_token);

    // What the other side sends is seen, whatever one sends oneself.
    await page.getByRole('button', { name: 'Camera' }).click();
    assert.equal(await page.getAttribute('#stage', 'data-picture'), 'none');
    await page.evaluate(() => {
        const { captureStream } = HTMLCanvasElement.prototype;
        const [mediaStreamTrack] = captureStream.call(
            document.createElement('canvas')).getTracks();

        window.rooms[0].emit('trackSubscribed', { mediaStreamTrack });
    });
    await page.waitForSelector('#stage[data-picture=some]');

    await end('SERVER_SHUTDOWN');
    await page.waitForFunction(() => window.rooms.length === 2);
    await jane.becomes('live');
    for (const [index, reason] of ['DUPLICATE_IDENTITY',
        'PARTICIPANT_REMOVED', 'ROOM_DELETED'].entries()) {
        await end(reason);
        await jane.becomes('ended');
        assert.equal(await jane.text('#message-title'),
            'You are no longer in the call');
        await sleep(3 * SECOND);
        assert.equal(await rooms(), 2 + index, 'and not connected again');
        await page.getByRole('button', { name: 'Join again' }).click();
        await jane.becomes('live');
    }
    assert.deepEqual(jane.errors, []);
    await context.close();
});

test('a call of an SDK that shares by itself', { skip }, async () => {
    const context = await openBrowser(browser);

    await context.route('**/echo.js', route => route.fulfill({
        contentType: 'text/javascript',
        body: 'export const connect = async () => ({ disconnect() {} });' }));
    const jane = await Visit.open(context, backend, 47, login);

    await jane.join();
    assert.equal((await jane.said()).at(-1), 'You are in the call.');
    assert.deepEqual(jane.errors, []);
    await context.close();
});

test('a cancelled appointment', { skip }, async () => {
    const context = await openBrowser(browser);
    const jane = await Visit.open(context, backend, 48, login);

    await jane.becomes('ended');
    assert.equal(await jane.text('#message-title'),
        'This appointment was cancelled');
    assert.equal(await jane.page.isVisible('#join'), false);
    await context.close();
});

for (const [what, flag, permissions, caption] of [
    ['is not allowed', '--use-fake-ui-for-media-stream', [],
        /^The camera is not allowed\. The lock or camera sign/],
    ['is not there', '--use-fake-device-for-media-stream',
        ['camera', 'microphone'], /^The camera is not found\.$/]])
    test(`a camera that ${what}`, { skip }, async t => {
        const bare = await launch({ without: flag });

        t.after(() => bare.close());
        const context = await openBrowser(bare, { permissions });
        const jane = await Visit.open(context, backend, 47, login);

        await jane.becomes('open');
        await jane.page.getByRole('button', { name: 'Camera' }).click();
        await jane.page.waitForSelector('#self-view[data-camera=trouble]');
        assert.match(await jane.text('#self-caption'), caption);
        assert.match((await jane.said()).at(-1), caption);
        assert.equal(await jane.page.getAttribute('#camera', 'aria-pressed'),
            'false');
        await jane.join({ camera: false });
        assert.match(await jane.text('#message-title'),
            /You are in the call/);
    });
