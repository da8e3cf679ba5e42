/*
 * backend.mjs: the load of bench/backend, and its table
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * bench/backend.mjs
 */
import { spawn } from 'node:child_process';
import { Agent, request } from 'node:http';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { Clinic } from '../test/e2e/lib/clinic.mjs';

const SECONDS = Number(process.argv[2]);
const ROUNDS = 3;
const CLIENTS = 16;
const APPOINTMENTS = 5000;

const clinic = await Clinic.create('bench');

await clinic.sql(`
    INSERT INTO clinic.users VALUES (1, 'Dr. Mary Major', 'mary@example.com'),
                                    (2, 'Jane Doe', 'jane@example.com');
    ALTER TABLE clinic.users ADD PRIMARY KEY (id);
    INSERT INTO clinic.appointments SELECT n, now(), 60
      FROM generate_series(1, ${APPOINTMENTS}) AS n;
    INSERT INTO clinic.participants SELECT n, u.id, NULL
      FROM generate_series(1, ${APPOINTMENTS}) AS n, clinic.users AS u;
    CREATE SCHEMA bench;
    CREATE TABLE bench.session (
        appointment_id text, user_id text, identity text, room_name text,
        issued_at timestamptz, expires_at timestamptz, issue_count integer,
        PRIMARY KEY (appointment_id, user_id)) WITH (fillfactor = 70);
    GRANT USAGE ON SCHEMA bench TO ${clinic.role};
    GRANT SELECT, INSERT, UPDATE ON bench.session TO ${clinic.role};
    ANALYZE;`);
const login = await clinic.login(2);

/* Starts the other kind of back end, and says where it is. */
async function sdkBackend(signer) {
    const child = spawn(process.execPath,
        [fileURLToPath(new URL('backend_sdk.mjs', import.meta.url))], {
            stdio: ['ignore', 'pipe', 'inherit'],
            env: { ...process.env, SIGNER: signer, PGUSER: clinic.role,
                PGDATABASE: clinic.name },
        });

    process.once('exit', () => child.kill());
    const [line] = await once(createInterface(child.stdout), 'line');

    return { pid: child.pid, url: line.replace('listening on ', ''),
        stop: () => {
            child.kill();
            return once(child, 'exit');
        } };
}

/* One request over a connection that stays; its milliseconds. */
function ask(url, agent) {
    return new Promise((resolve, reject) => {
        const begun = performance.now();
        const id = 1 + Math.floor(Math.random() * APPOINTMENTS);

        request(`${url}/api/appointments/video-token/${id}/`, { agent,
            method: 'POST', headers: { Authorization: 'Bearer ' + login } },
        response => {
            response.resume();
            response.once('end', () => response.statusCode === 200
                ? resolve(performance.now() - begun)
                : reject(new Error('status ' + response.statusCode)));
        }).once('error', reject).end();
    });
}

/* Microseconds of processor that a process has had, null when it is gone. */
function processor(pid) {
    try {
        const [, fields] = readFileSync(`/proc/${pid}/stat`, 'utf8')
            .split(') ');
        const [user, system] = fields.split(' ').slice(11, 13).map(Number);

        return (user + system) * 10000;
    } catch {
        return null;
    }
}

/*
 * Starts to measure the processes; the answer tells what they have had since.
 * A session that ends meanwhile is one of a pool that had nothing to do.
 */
function stopwatch(pids) {
    const before = pids.map(pid => [pid, processor(pid)]);

    return () => before.reduce((sum, [pid, used]) =>
        sum + Math.max((processor(pid) ?? 0) - used, 0), 0);
}

async function sessions() {
    return (await clinic.sql(`SELECT pid FROM pg_stat_activity
        WHERE usename = $1`, [clinic.role])).map(({ pid }) => pid);
}

async function round({ url, pid }, seconds) {
    const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
    const times = [];
    const ofNode = stopwatch([pid]);
    const ofPostgres = stopwatch(await sessions());
    const end = performance.now() + seconds * 1000;

    await Promise.all(Array(CLIENTS).fill().map(async () => {
        while (performance.now() < end) times.push(await ask(url, agent));
    }));
    agent.destroy();
    times.sort((a, b) => a - b);
    return { count: times.length,
        node: ofNode(),
        postgres: ofPostgres(),
        rate: times.length / seconds,
        p50: times[Math.floor(times.length * 0.5)],
        p99: times[Math.floor(times.length * 0.99)] };
}

const backends = new Map([
    ['vidtoken_issue', await clinic.backend()],
    ['SDK of twilio', await sdkBackend('twilio')],
    ['SDK of livekit', await sdkBackend('livekit')],
    ['no signature', await sdkBackend('nobody')],
]);
const results = new Map();

for (const name of backends.keys()) results.set(name, []);
for (let turn = 0; turn < ROUNDS; turn++)
    for (const [name, backend] of backends) {
        // Fills the pool, and lets node compile.
        await round(backend, 1);
        results.get(name).push(await round(backend, SECONDS));
    }

const [, first] = [...results][0];
const sum = (rounds, name) => rounds.reduce((n, it) => n + it[name], 0);
const each = (rounds, name) =>
    (sum(rounds, name) / sum(rounds, 'count')).toFixed(0);
const best = rounds => rounds.reduce((a, b) => a.rate > b.rate ? a : b);

console.log(`${CLIENTS} clients, ${APPOINTMENTS} appointments, best of ` +
    `${ROUNDS} rounds of ${SECONDS} s`);
console.log('%s %s %s %s %s %s %s', 'signed by'.padEnd(16), 'requests/s',
    'p50 ms', 'p99 ms', ' ratio', 'node us', 'postgres us');
for (const [name, rounds] of results) {
    const { rate, p50, p99 } = best(rounds);

    console.log(name.padEnd(16), rate.toFixed(0).padStart(10),
        p50.toFixed(1).padStart(6), p99.toFixed(1).padStart(6),
        (best(first).rate / rate).toFixed(2).padStart(6),
        each(rounds, 'node').padStart(7),
        each(rounds, 'postgres').padStart(11));
}
for (const [name, backend] of backends)
    if (name !== 'vidtoken_issue') await backend.stop();
await clinic.drop();
