/*
 * backend_sdk.mjs: a back end that does vidtoken's work itself
 *
 * For bench/backend: as small as examples/backend/server.mjs, with the same
 * check of the bearer token, the same driver and pool.  SIGNER says who signs:
 * twilio, livekit, or nobody.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * bench/backend_sdk.mjs
 */
import { createHash, createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { Pool } = require('pg');
const pool = new Pool({ max: Number(process.env.POOL_SIZE ?? 10) });
const SECRET = 'test secret of the signing key, 1';

const signers = {
    twilio() {
        const AccessToken = require('twilio/lib/jwt/AccessToken');

        return (identity, room, ttl) => {
            const token = new AccessToken('ACtest', 'SKtest', SECRET,
                { identity, ttl });

            token.addGrant(new AccessToken.VideoGrant({ room }));
            return token.toJwt();
        };
    },
    livekit() {
        const { AccessToken } = require('livekit-server-sdk');

        return (identity, room, ttl) => {
            const token = new AccessToken('SKtest', SECRET,
                { identity, ttl });

            token.addGrant({ room, roomJoin: true });
            return token.toJwt();
        };
    },
    nobody: () => () => 'no token',
};
const sign = signers[process.env.SIGNER]();

async function issue({ url, headers: { authorization = '' } }) {
    const [, id] = /^\/api\/appointments\/video-token\/(\d+)\/$/.exec(url);
    const hash = createHash('sha256')
        .update(authorization.slice('Bearer '.length)).digest();
    const { rows: [login] } = await pool.query({ name: 'login',
        text: `SELECT user_id FROM backend.login
          WHERE token_hash = $1 AND expires_at > now()`, values: [hash] });

    if (!login) return 401;
    const { rows: [found] } = await pool.query({ name: 'select',
        text: `SELECT identity, starts_at, duration, cancelled,
                      extract(epoch FROM duration)::float8 AS seconds
                 FROM clinic.video_source
                WHERE appointment_id = $1 AND user_id = $2`,
        values: [id, login.user_id] });
    const now = Math.floor(Date.now() / 1000);

    if (!found) return 404;
    if (found.cancelled ||
        now < found.starts_at / 1000 - 900 ||
        now > found.starts_at / 1000 + found.seconds + 900)
        return 410;
    const ttl = Math.min(Math.max(found.seconds + 1800, 3600), 14400);
    const room = `apt-${id}-` + createHmac('sha256', SECRET).update(id)
        .digest('hex').slice(0, 13);
    const token = await sign(found.identity, room, ttl);
    const expires = new Date((now + ttl) * 1000);

    await pool.query({ name: 'upsert',
        text: `INSERT INTO bench.session AS s
               VALUES ($1, $2, $3, $4, now(), $5, 1)
               ON CONFLICT (appointment_id, user_id) DO UPDATE
               SET issued_at = EXCLUDED.issued_at,
                   expires_at = EXCLUDED.expires_at,
                   issue_count = s.issue_count + 1`,
        values: [id, login.user_id, found.identity, room, expires] });
    return { access_token: token, room_name: room,
        user_identity: found.identity, expires_in: ttl, expires_at: expires,
        appointment_id: Number(id),
        appointment_duration_minutes: found.seconds / 60 };
}

const server = createServer(async (request, response) => {
    let answer;

    try {
        answer = await issue(request);
    } catch (error) {
        console.error(error);
        answer = 500;
    }
    if (typeof answer === 'number') {
        response.writeHead(answer).end();
        return;
    }
    const content = Buffer.from(JSON.stringify(answer));

    response.writeHead(200, { 'Cache-Control': 'no-store',
        'Content-Type': 'application/json',
        'Content-Length': content.length });
    response.end(content);
});

server.listen(0, '127.0.0.1', () =>
    console.log(`listening on http://127.0.0.1:${server.address().port}`));
