/*
 * visit.mjs: a participant before the page, in Debian's chromium
 *
 * Time stands still but for pass(), which moves the clock of the server and
 * that of the page by the same steps.  The network, the camera, WebRTC and
 * the tokens are real.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/lib/visit.mjs
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { ROOT, missing as missingBelow, optional, until } from './clinic.mjs';

const playwright = optional('playwright-core');
const CHROMIUM = process.env.VIDTOKEN_CHROMIUM ?? '/usr/bin/chromium';
const PICTURES = process.env.VIDTOKEN_E2E_OUTPUT ?? join(ROOT, 'build/e2e');

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;

export const missing = [
    ...missingBelow,
    ...playwright ? [] : ['playwright-core (npm)'],
    ...existsSync(CHROMIUM) ? [] : ['chromium'],
];
export const skip = missing.length ? missing.join(', ') : false;

/*
 * film is what the camera sees, instead of chromium's test picture; without
 * names a flag to leave out.
 */
export async function launch({ film, without } = {}) {
    return await playwright.chromium.launch({
        executablePath: CHROMIUM,
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic',
            '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync',
            '--allow-loopback-in-peer-connection',
            '--use-fake-device-for-media-stream',
            '--use-fake-ui-for-media-stream',
            ...film ? ['--use-file-for-fake-video-capture=' + film] : [],
        ].filter(flag => flag !== without),
    });
}

/*
 * A browser with a date of its own.  now is the server's, in milliseconds;
 * without it the clocks of this machine are used.
 */
export async function openBrowser(browser, { now, dateIsWrongBy = 0,
    phone = false, scheme = 'light',
    permissions = ['camera', 'microphone'] } = {}) {
    const context = await browser.newContext({
        locale: 'en-GB',
        timezoneId: 'UTC',
        colorScheme: scheme,
        permissions,
        viewport: phone ? { width: 360, height: 780 }
            : { width: 1280, height: 832 },
        deviceScaleFactor: phone ? 2 : 1,
        hasTouch: phone,
        isMobile: phone,
    });

    context.setDefaultTimeout(20 * SECOND);
    if (now !== undefined) {
        await context.clock.install({ time: now + dateIsWrongBy });
        await context.clock.pauseAt(now + dateIsWrongBy + SECOND);
    }
    // How many calls were connected: each has two ends in this page.
    await context.addInitScript(() => {
        window.peers = 0;
        window.said = [];
        window.RTCPeerConnection = class extends RTCPeerConnection {
            constructor(...options) {
                super(...options);
                window.peers++;
            }
        };
        addEventListener('DOMContentLoaded', () => {
            const announcer = document.getElementById('announcer');

            new MutationObserver(() =>
                window.said.push(announcer.textContent))
                .observe(announcer, { childList: true });
        });
    });
    return context;
}

export class Visit {
    tokens = [];            // what the server gave, as grants
    requests = [];          // { kind, status }

    constructor(page) {
        this.page = page;
        this.errors = [];
        page.on('pageerror', error => this.errors.push(error.message));
        page.on('console', message => {
            if (/Content Security Policy/.test(message.text()))
                this.errors.push(message.text());
        });
        page.on('request', request => this.#begin(request));
        page.on('requestfailed', request => this.#pending.delete(request));
        page.on('requestfinished', request => this.#note(request));
    }

    static async open(context, backend, id, login) {
        const visit = new Visit(await context.newPage());

        await visit.page.goto(`${backend.url}/#${id}:${login}`);
        return visit;
    }

    #pending = new Map();

    #begin(request) {
        const [, kind] = /\/(video-token|video-token-refresh)\/[^/]+\/$/
            .exec(request.url()) ?? [];

        if (kind) this.#pending.set(request, kind);
    }

    async #note(request) {
        const kind = this.#pending.get(request);

        if (!kind) return;
        const response = await request.response();

        this.requests.push({ kind, status: response.status() });
        if (response.status() === 200)
            this.tokens.push(await response.json());
        this.#pending.delete(request);
    }

    /*
     * Until it waits for no answer about a token, and has read what came: its
     * clock also says how long it waits, and would cut the answer off.
     */
    async quiet() {
        await this.page.evaluate(() => 0);
        await sleep(30);
        await until(() => this.#pending.size === 0);
        await sleep(30);
        await this.page.evaluate(() => 0);
    }

    get refreshes() {
        return this.requests.filter(
            ({ kind }) => kind === 'video-token-refresh').length;
    }

    async phase() {
        return await this.page.evaluate(() => document.body.dataset.phase);
    }

    async becomes(phase) {
        await this.page.waitForFunction(
            wanted => document.body.dataset.phase === wanted, phase,
            { polling: 50 });
    }

    async join({ camera = true } = {}) {
        await this.becomes('open');
        if (camera) {
            await this.page.getByRole('button', { name: 'Camera' }).click();
            await this.page.waitForSelector('#self-view[data-camera=on]');
        }
        await this.page.getByRole('button', { name: 'Join' }).click();
        await this.becomes('live');
    }

    async text(selector) {
        return (await this.page.textContent(selector)).trim();
    }

    /* The notice's title, or null when there is none. */
    async notice() {
        return await this.page.isVisible('#notice')
            ? await this.text('#notice-title') : null;
    }

    /* What screen readers were told. */
    async said() {
        return await this.page.evaluate(() => window.said);
    }

    /* The one call is still that of the beginning, and shows new frames. */
    async callGoesOn() {
        const watch = () => this.page.evaluate(() => ({
            peers: window.peers,
            time: document.getElementById('remote').currentTime,
        }));
        const before = await watch();

        await until(async () => (await watch()).time > before.time);
        assert.equal(before.peers, 2, 'it was connected once');
    }

    async picture(name) {
        mkdirSync(PICTURES, { recursive: true });
        await this.page.screenshot({ path: join(PICTURES, name + '.png'),
            fullPage: true });
    }
}

/* The server, the pages and their clocks, moved together. */
export class Time {
    visits = [];

    constructor(clinic, backend, context, now) {
        Object.assign(this, { clinic, backend, context, now });
    }

    async open(id, login) {
        const visit = await Visit.open(this.context, this.backend, id, login);

        this.visits.push(visit);
        return visit;
    }

    /*
     * Moves on in steps. The server is first, so that nothing is asked of it
     * before its time; then the pages, each of whose timers runs once at
     * most, as in a tab that is throttled.
     */
    async pass(length, step = MINUTE) {
        for (let left = length; left > 0; left -= step) {
            const part = Math.min(left, step);

            this.now += part;
            await this.clinic.setClock(this.now, this.backend);
            await this.context.clock.fastForward(part);
            for (const visit of this.visits) await visit.quiet();
        }
    }

    async passTo(minute, start, step) {
        await this.pass(start + minute * MINUTE - this.now, step);
    }
}
