/*
 * callers.js: people in a call, each a Chromium of its own with a fake camera
 *
 * Every line of standard input is a request in JSON and is answered with a
 * line: {"answer": ...}, or {"failed": ...} with the reason. What the answer
 * should have been is for the caller to judge.
 *
 *   {"do": "open", "who": "jane", "page": "http://..."}   starts a Chromium
 *   {"do": "join", "who": "jane", "url": "ws://...", "token": "..."}
 *   {"do": "look", "who": "jane"}      what the client sees of the call
 *   {"do": "simulate", "who": "jane", "scenario": "full-reconnect"}
 *   {"do": "reload", "who": "jane"}    what the page knew is gone
 *   {"do": "leave", "who": "jane"}
 *   {"do": "go", "who": "jane", "page": "http://..."}     to examples/web
 *   {"do": "press", "who": "jane", "button": "Join"}
 *   {"do": "see", "who": "jane"}       what that page shows of the call
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/lib/callers.js
 */
'use strict';

const readline = require('node:readline');
const { chromium } = require('playwright-core');

// Nothing but the page is fetched, and no packet of the call leaves this
// machine.
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic',
               '--no-first-run', '--disable-background-networking',
               '--disable-component-update', '--disable-sync',
               '--use-fake-device-for-media-stream=fps=10',
               '--use-fake-ui-for-media-stream',
               '--allow-loopback-in-peer-connection'];

const people = new Map();

const deeds = {
    async open({ who, page }) {
        const browser = await chromium.launch({
            executablePath: process.env.VIDTOKEN_CHROMIUM,
            args: flags,
        });
        const context = await browser.newContext({
            permissions: ['camera', 'microphone'],
        });
        const tab = await context.newPage();

        people.set(who, { browser, tab });
        await tab.goto(page);
        return browser.version();
    },

    join: ({ who, url, token }) => in_page(who,
        ([url, token]) => join(url, token), [url, token]),

    look: ({ who }) => in_page(who, () => look()),

    simulate: ({ who, scenario }) => in_page(who,
        (scenario) => room.simulateScenario(scenario), scenario),

    reload: ({ who }) => people.get(who).tab.reload().then(() => null),

    leave: ({ who }) => in_page(who, () => room.disconnect()),

    go: ({ who, page }) => people.get(who).tab.goto(page).then(() => null),

    press: ({ who, button }) => people.get(who).tab.getByRole('button',
        { name: button, exact: true }).click().then(() => null),

    see: ({ who }) => in_page(who, () => ({
        phase: document.body.dataset.phase,
        title: document.querySelector('#message-title').textContent,
        frames: document.querySelector('#remote')
            .getVideoPlaybackQuality().totalVideoFrames,
        people: [...document.querySelectorAll('#people li')].map(
            person => person.querySelector('.presence')?.textContent),
    })),
};

async function in_page(who, what, argument) {
    return await people.get(who).tab.evaluate(what, argument) ?? null;
}

// A browser that hangs is a failure like any other.
async function answer(line) {
    const request = JSON.parse(line);
    let timer;

    try {
        return { answer: await Promise.race([
            deeds[request.do](request),
            new Promise((_, reject) => {
                timer = setTimeout(reject, 90000, new Error('no answer'));
            })]) };
    } catch (error) {
        return { failed: error.message };
    } finally {
        clearTimeout(timer);
    }
}

async function main() {
    for await (const line of readline.createInterface({
        input: process.stdin })) {
        process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
    }
    for (const { browser } of people.values())
        await browser.close();
}

main();
