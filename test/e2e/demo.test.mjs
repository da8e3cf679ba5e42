/*
 * demo.test.mjs: examples/web/run, from its links to its end
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/demo.test.mjs
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

import { ROOT, missing } from './lib/clinic.mjs';

const skip = missing.length ? missing.join(', ') : false;

async function freePort() {
    const server = createServer();

    await new Promise(done => server.listen(0, '127.0.0.1', done));
    const { port } = server.address();

    await new Promise(done => server.close(done));
    return port;
}

test('the demo serves what it says, and ends when it is told to',
    { skip }, async () => {
        const port = await freePort();
        const demo = spawn(ROOT + 'examples/web/run', {
            env: { ...process.env, PORT: String(port) },
            stdio: ['ignore', 'pipe', 'inherit'] });
        const exit = new Promise(resolve => demo.once('exit', resolve));
        const links = [];
        let isUp = false;

        for await (const line of createInterface(demo.stdout)) {
            links.push(...line.match(/http:.*#.*/) ?? []);
            if (line.startsWith('listening on')) {
                isUp = true;
                break;
            }
        }
        assert.ok(isUp);
        assert.equal(links.length, 2);
        for (const link of links) {
            const { origin, hash } = new URL(link);
            const [, id, key] = /^#(\d+):(.+)$/.exec(hash);
            const ask = async (method, path) => await (await fetch(
                origin + path, { method,
                    headers: { Authorization: 'Bearer ' + key } })).json();
            const { expires_in: life } = await ask('POST',
                `/api/appointments/video-token/${id}/`);
            const { participants } = await ask('GET',
                `/api/appointments/${id}/`);

            assert.equal(life, 5400);
            assert.deepEqual(participants.map(({ name }) => name),
                ['Dr. Mary Major', 'Jane Doe']);
        }
        assert.match(await (await fetch(links[0])).text(), /Video visit/);

        demo.kill('SIGTERM');
        await exit;
        await assert.rejects(fetch(links[0]));
    });
