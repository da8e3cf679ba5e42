/*
 * server.mjs: the video endpoints of a back end, over vidtoken's functions
 *
 *   GET, POST /api/appointments/video-token/<id>/
 *   GET       /api/appointments/video-token-refresh/<id>/
 *   GET       /api/appointments/video-status/<id>/
 *   POST      /api/appointments/video-quality/<id>/
 *   GET       /api/appointments/<id>/
 *   POST      /api/video-webhook/<provider>/
 *
 * The database decides who may join what, and when; this file decides who is
 * asking.  README.md says how to set it up.
 *
 * Invariants a maintainer must keep:
 * - Users are those of the bearer token, never of the path or the body.
 * - A webhook's body reaches the database as the bytes that came, and its
 *   address is configuration: a header could be anybody's.
 * - Every answer says no-store.  Neither a token nor a bearer is logged, and
 *   of an error only what the database made for clients leaves.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * examples/backend/server.mjs
 */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { STATUS_CODES, createServer } from 'node:http';
import { extname, join } from 'node:path';

import pg from 'pg';

const {
    HOST = '127.0.0.1',
    PORT = '8080',
    POOL_SIZE = '10',
    PUBLIC_URL,         // https://video.example.com, for Twilio's signature
    STATIC_DIR,         // a directory to serve at /, for the demo
    CONNECT_SRC = '',   // wss://clinic.livekit.cloud, where its calls go
} = process.env;
const MAX_BODY = 1024 * 1024;
const STOP_WITHIN = 10000;

// Where the database is, PGHOST, PGDATABASE, PGUSER and the like say.
const pool = new pg.Pool({
    max: Number(POOL_SIZE),
    connectionTimeoutMillis: 5000,
    query_timeout: 10000,
});
pool.on('error', error => log('an idle connection', error));

//
// What is asked of the database
//

const GRANT = name => async (request, id) => {
    const user = await userOf(request);
    const { rows: [grant] } = await query(name,
        `SELECT * FROM vidtoken_${name}($1, $2)`, [id, user]);

    return { body: grant };
};

// Both functions below speak for whoever may read the appointment, which is
// this back end: it has to see for itself who takes part.
async function status(request, id) {
    await participantOf(request, id);
    const { rows: [{ status }] } = await query('status',
        'SELECT to_jsonb(s) AS status FROM vidtoken_status($1) AS s', [id]);

    return { body: status };
}

async function quality(request, id) {
    const user = await userOf(request);
    const { quality, metrics = null } = json(await bodyOf(request));

    if (!Number.isInteger(quality))
        throw new HttpError(400, 'the quality is not a whole number');
    try {
        await query('quality', `SELECT vidtoken_report_quality(
            appointment_id => $1, user_id => $2, quality => $3,
            metrics => $4)`, [id, user, quality,
            metrics === null ? null : JSON.stringify(metrics)]);
    } catch (error) {
        // What no type holds, or what is nested without end.
        throw /^22/.test(error.code) || error instanceof RangeError
            ? new HttpError(400, 'the report is not acceptable') : error;
    }
    return { status: 204 };
}

async function appointment(request, id) {
    return { body: await participantOf(request, id) };
}

async function participantOf(request, id) {
    const user = await userOf(request);
    const relation = await source();
    // Without a name: a name stands for one text, and this one may change.
    const { rows: [found] } = await query('', `
        SELECT a.appointment_id, a.starts_at, p.ends_at, p.opens_at,
               p.closes_at, p.hard_stop, vidtoken_clock() AS now,
               (SELECT jsonb_agg(jsonb_build_object(
                           'name', o.display_name, 'identity', o.identity,
                           'role', coalesce(o.role, 'guest'),
                           'you', o.user_id = a.user_id)
                           ORDER BY o.user_id)
                  FROM ${relation} AS o
                 WHERE o.appointment_id = a.appointment_id) AS participants
          FROM ${relation} AS a,
               vidtoken_policy(a.starts_at, a.duration) AS p
         WHERE a.appointment_id = $1 AND a.user_id = $2`, [id, user]);

    if (!found)
        throw new HttpError(404, 'no such appointment', 'not_found');
    return found;
}

/* The relation that vidtoken reads; only a superuser can set its name. */
async function source() {
    const { rows: [{ name }] } = await query('source',
        "SELECT current_setting('vidtoken.source')::regclass AS name");

    return name;
}

async function webhook(request, provider) {
    const url = PUBLIC_URL && PUBLIC_URL + request.url;
    const { rows: [{ response }] } = await query('webhook',
        'SELECT * FROM vidtoken_webhook($1, $2, $3, $4)',
        [provider, await bodyOf(request), request.headers, url]);

    return response ? { body: response } : { status: 204 };
}

/*
 * A refusal leaves a connection as it was, with what is prepared on it.  Any
 * other error may be the connection's, and ends it.
 */
async function query(name, text, values) {
    const client = await pool.connect();
    let lost = null;
    const lose = error => { lost = error; };

    client.on('error', lose);
    try {
        return await client.query({ name, text, values });
    } catch (error) {
        if (!/^(PT|22|42501)/.test(error.code)) lose(error);
        throw error;
    } finally {
        client.off('error', lose);
        client.release(lost);
    }
}

//
// Who is asking
//

/*
 * The user of a bearer token, which the database knows by its hash alone: it
 * cannot be read there, and how long the comparison takes tells nothing of
 * it.  Put the check of your own logins here.
 */
async function userOf({ headers: { authorization = '' } }) {
    const [, token] = /^Bearer +([\w.~+/-]+=*)$/i.exec(authorization) ?? [];
    const hash = token && createHash('sha256').update(token).digest();
    const { rows: [login] } = hash ? await query('login',
        `SELECT user_id FROM backend.login
          WHERE token_hash = $1 AND expires_at > now()`, [hash])
        : { rows: [] };

    if (!login)
        throw new HttpError(401, 'a valid bearer token is needed', 'no_user');
    return login.user_id;
}

//
// HTTP
//

const ID = '([0-9]{1,18}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/?$';
const API = '^/api/appointments/';
const routes = [
    [API + 'video-token/' + ID, { GET: GRANT('issue'), POST: GRANT('issue') }],
    [API + 'video-token-refresh/' + ID, { GET: GRANT('refresh') }],
    [API + 'video-status/' + ID, { GET: status }],
    [API + 'video-quality/' + ID, { POST: quality }],
    [API + ID, { GET: appointment }],
    ['^/api/video-webhook/([a-z0-9]{1,32})/?$', { POST: webhook }],
].map(([path, methods]) => [new RegExp(path, 'i'), methods]);

class HttpError extends Error {
    constructor(status, message, reason) {
        super(message);
        this.status = status;
        this.reason = reason;
    }
}

async function answer(request) {
    const [path] = request.url.split('?');

    for (const [pattern, methods] of routes) {
        const [, argument] = pattern.exec(path) ?? [];

        if (!argument) continue;
        if (!Object.hasOwn(methods, request.method))
            return { status: 405, body: { message: 'Method Not Allowed' },
                headers: { Allow: Object.keys(methods).join(', ') } };
        return await methods[request.method](request, argument);
    }
    if (request.method === 'GET' && files.has(path)) return files.get(path);
    throw new HttpError(404, 'Not Found');
}

async function bodyOf(request) {
    const chunks = [];
    let length = 0;

    for await (const chunk of request) {
        length += chunk.length;
        if (length > MAX_BODY) throw new HttpError(413, 'Content Too Large');
        chunks.push(chunk);
    }
    return Buffer.concat(chunks);
}

function json(body) {
    try {
        return Object(JSON.parse(body.toString()));
    } catch {
        throw new HttpError(400, 'the body is not JSON');
    }
}

/* The HTTP status of an error of PostgreSQL, or of the way to it. */
function statusOf({ status, code = '' }) {
    if (status) return status;
    if (/^PT[1-5]\d\d$/.test(code)) return Number(code.slice(2));
    if (code === '42501') return 403;
    if (code === '22004' || code === '22023') return 400;
    // An id of the wrong type is no appointment.
    if (code === '22P02' || code === '22003') return 404;
    // Full, starting, stopping, too slow, or a standby: another time.
    if (code === '25006' || /^(08|53|57)/.test(code)) return 503;
    return /^[0-9A-Z]{5}$/.test(code) ? 500 : 503;
}

function refusal(error, request) {
    const status = statusOf(error);
    const headers = {};

    if (status >= 500 || isOfSetup(error, request))
        log(`${request.method} ${routeOf(request)}`, error);
    if (status === 401) headers['WWW-Authenticate'] = 'Bearer';
    if (status === 503) headers['Retry-After'] = '2';
    // The rest of an upload nobody waits for.
    if (status === 413) headers.Connection = 'close';
    return { status, headers, body: {
        message: error.status || /^PT/.test(error.code)
            ? error.message : STATUS_CODES[status],
        reason: error.reason,
        ...reasonOf(error),
    } };
}

/*
 * A right that is missing, or a row of the source that cannot be, is told to
 * the client as a refusal, and has to be mended here.  Not of webhooks: what
 * anybody sends may end so.
 */
function isOfSetup({ code }, { url }) {
    return /^(42501|22023)$/.test(code) &&
        !/^\/api\/video-webhook\//i.test(url);
}

/* What vidtoken's refusals say in DETAIL: reason, opens_at, closes_at, now. */
function reasonOf({ detail }) {
    return detail?.startsWith('{"reason":') ? JSON.parse(detail) : null;
}

function log(where, { code, message }) {
    console.error(`${where}: ${code ?? 'error'}: ${message}`);
}

/* Ids stay out of the log. */
function routeOf({ url }) {
    return url.split('?')[0].replace(/[^/]*\d[^/]*/, ':id');
}

function send(response, { status = 200, headers = {}, body, bytes }) {
    const content = bytes ?? (body === undefined
        ? undefined : Buffer.from(JSON.stringify(body)));

    response.writeHead(status, {
        'Cache-Control': 'no-store',
        'X-Content-Type-Options': 'nosniff',
        ...content && { 'Content-Type': 'application/json',
            'Content-Length': content.length },
        ...headers,
    });
    response.end(content);
}

//
// Files of the demo
//

const TYPES = { '.html': 'text/html', '.css': 'text/css',
    '.js': 'text/javascript', '.mjs': 'text/javascript',
    '.svg': 'image/svg+xml' };
const POLICY = {
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; " +
        "style-src 'self'; img-src 'self'; base-uri 'none'; " +
        "form-action 'none'; frame-ancestors 'none'; " +
        `connect-src 'self' ${CONNECT_SRC}`,
    'Permissions-Policy': 'camera=(self), microphone=(self), geolocation=()',
    'Referrer-Policy': 'no-referrer',
};
const files = new Map(STATIC_DIR ? readdirSync(STATIC_DIR)
    .filter(name => Object.hasOwn(TYPES, extname(name)))
    .map(name => [name === 'index.html' ? '/' : '/' + name, {
        bytes: readFileSync(join(STATIC_DIR, name)),
        headers: { 'Content-Type': TYPES[extname(name)] + '; charset=utf-8',
            ...POLICY },
    }]) : []);

//
// The server
//

const server = createServer({ requestTimeout: 15000, headersTimeout: 10000 },
    async (request, response) => {
        let result;

        silent.delete(request.socket);
        try {
            result = await answer(request);
        } catch (error) {
            result = refusal(error, request);
        }
        send(response, result);
    });

/* Connections without a first request, which are not idle to node. */
const silent = new Set();

server.on('connection', socket => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
});

server.listen(Number(PORT), HOST, () => {
    const { address, port } = server.address();

    console.log(`listening on http://${address}:${port}`);
});

/* Requests that are here are answered; new connections are not taken. */
function stop() {
    server.close(async () => {
        await pool.end();
        process.exit(0);
    });
    server.closeIdleConnections();
    silent.forEach(socket => socket.destroy());
    setTimeout(() => server.closeAllConnections(), STOP_WITHIN).unref();
}

process.once('SIGTERM', stop);
process.once('SIGINT', stop);
