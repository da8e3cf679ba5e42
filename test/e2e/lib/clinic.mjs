/*
 * clinic.mjs: a clinic with its back end, on the server of the environment
 *
 * Everything is as the READMEs say: the extension, a keyring, one view, the
 * back end's setup.sql, and server.mjs as its users run it.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/lib/clinic.mjs
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chownSync, cpSync, mkdirSync, mkdtempSync, rmSync, statSync,
    symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/* A package that NODE_PATH may name, or null. */
export function optional(name) {
    try {
        return createRequire(import.meta.url)(name);
    } catch {
        return null;
    }
}

const pg = optional('pg');

export const missing = [
    ['a server: run test/e2e/run', !process.env.PGHOST],
    ['pg (npm)', !pg],
].filter(([, isMissing]) => isMissing).map(([name]) => name);

const SECRET = 'test secret of the signing key, 1';
export const WEBHOOK_SECRET = 'test secret of twilio webhooks';

const SCHEMA = `
CREATE SCHEMA vidtoken;
CREATE EXTENSION vidtoken SCHEMA vidtoken;
CREATE SCHEMA clinic;
CREATE TABLE clinic.users (id ID, name text, email text);
CREATE TABLE clinic.appointments (
    id ID PRIMARY KEY,
    starts_at timestamptz NOT NULL,
    minutes numeric NOT NULL DEFAULT 60,
    cancelled boolean NOT NULL DEFAULT false
);
CREATE TABLE clinic.participants (
    appointment_id ID REFERENCES clinic.appointments ON DELETE CASCADE,
    user_id ID,
    role text,
    PRIMARY KEY (appointment_id, user_id)
);
CREATE VIEW clinic.video_source AS
SELECT p.appointment_id,
       p.user_id,
       a.starts_at,
       make_interval(secs => (a.minutes * 60)::double precision) AS duration,
       u.id::text || '-' || u.email AS identity,
       u.name AS display_name,
       p.role,
       a.cancelled
  FROM clinic.participants AS p
  JOIN clinic.appointments AS a ON a.id = p.appointment_id
  JOIN clinic.users AS u ON u.id = p.user_id;
`;

export class Clinic {
    directory = mkdtempSync(join(tmpdir(), 'vidtoken.'));
    #backends = [];

    /*
     * ids says the type of keys; settings are vidtoken's, without prefix;
     * webhooks, whether Twilio's are taken in.
     */
    static async create(name, { ids = 'integer', settings = {},
        webhooks = false } = {}) {
        const clinic = new Clinic();

        clinic.name = `vidtoken_${name}_${process.pid}`;
        clinic.role = clinic.name + '_backend';
        await clinic.#create(ids, settings, webhooks);
        return clinic;
    }

    async #create(ids, settings, webhooks) {
        const first = await this.connect({ database: 'postgres' });
        const { rows: [{ data_directory: data }] } =
            await first.query('SHOW data_directory');
        const path = join(data, this.name);
        const owner = statSync(data);

        mkdirSync(path, { mode: 0o700 });
        writeFileSync(join(path, 'keyring.json'), JSON.stringify({ keys: [
            this.#key('SKtest', SECRET),
            this.#key('name', 'test secret of the name key, only',
                { vidtoken_use: 'name' }),
            ...webhooks ? [this.#key('twilio-hooks', WEBHOOK_SECRET, {
                alg: 'HS1', vidtoken_use: 'webhook', provider: 'twilio' })]
                : [],
        ] }), { mode: 0o600 });
        for (const file of [path, join(path, 'keyring.json')])
            chownSync(file, owner.uid, owner.gid);

        await first.query(`CREATE DATABASE ${this.name} TEMPLATE template0`);
        for (const [setting, value] of Object.entries({
            'session_preload_libraries': 'vidtoken',
            'vidtoken.source': 'clinic.video_source',
            'vidtoken.keyring': join(path, 'keyring.json'),
            'vidtoken.account': 'ACtest',
            'vidtoken.key_id': 'SKtest',
            ...Object.fromEntries(Object.entries(settings).map(
                ([name, value]) => ['vidtoken.' + name, value])),
        }))
            await first.query(`ALTER DATABASE ${this.name} SET ${setting} = ${
                first.escapeLiteral(value)}`);
        await first.end();

        this.admin = await this.connect();
        await this.sql(SCHEMA.replaceAll(/\bID\b/g, ids));
        this.#psql('-v', 'role=' + this.role,
            '-f', join(ROOT, 'examples/backend/setup.sql'));
    }

    #key(kid, secret, more) {
        return { kty: 'oct', kid, alg: 'HS256',
            k: Buffer.from(secret).toString('base64url'), ...more };
    }

    #psql(...options) {
        const { status, stderr } = spawnSync('psql', ['-X', '-q', '-d',
            this.name, ...options], { encoding: 'utf8' });

        if (status !== 0) throw new Error(stderr);
    }

    async connect(options) {
        const client = new pg.Client({ database: this.name, ...options });

        // What ends with the server is connected anew, see reconnect().
        client.on('error', () => {});
        await client.connect();
        return client;
    }

    async reconnect() {
        this.admin = await this.connect();
    }

    async sql(text, values) {
        return (await this.admin.query(text, values)).rows;
    }

    async value(text, values) {
        return Object.values((await this.sql(text, values))[0])[0];
    }

    async user(id, name, email) {
        await this.sql('INSERT INTO clinic.users VALUES ($1, $2, $3)',
            [id, name, email]);
    }

    async appointment(id, { minutes = 60, startsAt = new Date(),
        cancelled = false, users = {} }) {
        await this.sql('INSERT INTO clinic.appointments VALUES ' +
            '($1, $2, $3, $4)', [id, startsAt, minutes, cancelled]);
        for (const [user, role] of Object.entries(users))
            await this.sql('INSERT INTO clinic.participants VALUES ' +
                '($1, $2, $3)', [id, user, role]);
    }

    /* A bearer token of the user. */
    async login(user, lasts = '1 hour') {
        const token = randomBytes(32).toString('base64url');

        await this.sql('INSERT INTO backend.login VALUES ' +
            '($1, $2, now() + $3::interval)',
        [createHash('sha256').update(token).digest(), user, lasts]);
        return token;
    }

    async logout(token) {
        await this.sql('DELETE FROM backend.login WHERE token_hash = $1',
            [createHash('sha256').update(token).digest()]);
    }

    /*
     * Sets the server's clock for all sessions, and returns when they have
     * heard of it: that of this clinic, and the one of a back end's pool.
     */
    async setClock(time, backend) {
        const wanted = new Date(time).toISOString();

        await this.sql(`ALTER SYSTEM SET vidtoken.test_clock = '${wanted}'`);
        await this.sql('SELECT pg_reload_conf()');
        await until(async () => (await this.value(
            'SELECT vidtoken.vidtoken_clock()')).toISOString() === wanted);
        if (backend) await until(async () =>
            await backend.clock() === wanted);
    }

    /* An appointment of nobody else's, to ask the time. */
    async probe() {
        await this.user(900, 'Nobody', 'nobody@example.com');
        await this.appointment(900, { users: { 900: null } });
        return { id: 900, login: await this.login(900, '1 day') };
    }

    async backend(env = {}) {
        const backend = new Backend(this, join(this.directory,
            String(this.#backends.length)));

        this.#backends.push(backend);
        await backend.start(env);
        return backend;
    }

    async drop() {
        for (const backend of this.#backends) await backend.stop();
        await this.admin.end();
        rmSync(this.directory, { recursive: true });
        const last = await this.connect({ database: 'postgres' });
        await last.query(`DROP DATABASE ${this.name} WITH (FORCE)`);
        await last.query(`DROP ROLE ${this.role}`);
        await last.end();
    }
}

/* server.mjs, where its package.json asks for nothing but pg. */
export class Backend {
    #clinic;
    #directory;
    #env;
    #child;
    #probe;
    output = '';

    constructor(clinic, directory) {
        const modules = dirname(dirname(createRequire(import.meta.url)
            .resolve('pg/package.json')));

        this.#clinic = clinic;
        this.#directory = directory;
        cpSync(join(ROOT, 'examples/backend'), directory,
            { recursive: true });
        symlinkSync(modules, join(directory, 'node_modules'));
    }

    async start(env = this.#env) {
        this.#env = env;
        this.#child = spawn(process.execPath, ['server.mjs'], {
            cwd: this.#directory,
            stdio: ['ignore', 'pipe', 'pipe'],
            env: {
                PATH: process.env.PATH,
                PGHOST: process.env.PGHOST,
                PGPORT: process.env.PGPORT,
                PGDATABASE: this.#clinic.name,
                PGUSER: this.#clinic.role,
                PORT: this.url ? new URL(this.url).port : '0',
                STATIC_DIR: join(ROOT, 'examples/web'),
                ...env,
            },
        });
        const child = this.#child;

        process.once('exit', () => child.kill());
        this.exited = new Promise(resolve => this.#child.once('exit',
            (code, signal) => resolve(signal ?? code)));
        this.#child.stderr.on('data', data => { this.output += data; });
        this.url = await new Promise((resolve, reject) => {
            createInterface(this.#child.stdout).on('line', line => {
                this.output += line + '\n';
                resolve(line.replace('listening on ', ''));
            });
            this.exited.then(() => reject(new Error(this.output)));
        });
    }

    get pid() {
        return this.#child.pid;
    }

    async stop(signal = 'SIGTERM') {
        this.#child.kill(signal);
        return await this.exited;
    }

    /* Asks with a bearer token; the body is parsed where it is JSON. */
    async ask(method, path, token, { headers = {}, body } = {}) {
        const response = await fetch(this.url + path, { method, body,
            headers: { ...token && { Authorization: 'Bearer ' + token },
                ...headers } });
        const text = await response.text();
        let answer = text;

        try {
            answer = JSON.parse(text);
        } catch {
            // a page
        }
        return { status: response.status, headers: response.headers,
            body: answer };
    }

    /* The time as a session of the pool has it; there is one to ask. */
    async clock() {
        this.#probe ??= await this.#clinic.probe();
        const { body } = await this.ask('GET',
            `/api/appointments/${this.#probe.id}/`, this.#probe.login);

        return body.now;
    }
}

/* Waits for an event, not for a time. */
export async function until(condition, seconds = 30) {
    const end = performance.now() + seconds * 1000;

    while (!await condition()) {
        if (performance.now() > end)
            throw new Error('waited in vain: ' + condition);
        await sleep(20);
    }
}
