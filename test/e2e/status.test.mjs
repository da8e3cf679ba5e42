/*
 * status.test.mjs: webhooks come in, and the status and the page show it
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/status.test.mjs
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Clinic, missing } from './lib/clinic.mjs';
import { PATH, PUBLIC_URL, event, report, signature } from './lib/twilio.mjs';
import { SECOND, Visit, launch, openBrowser, skip as skipPage }
    from './lib/visit.mjs';

const skip = missing.length ? missing.join(', ') : false;
const API = '/api/appointments/';
const MARY = '1-mary@example.com';
const JANE = '2-jane@example.com';
let clinic, backend, jane, bob, lastId = 46;

before(async () => {
    if (skip) return;
    clinic = await Clinic.create('status', { webhooks: true });
    await clinic.user(1, 'Dr. Mary Major', 'mary@example.com');
    await clinic.user(2, 'Jane Doe', 'jane@example.com');
    await clinic.user(3, 'Bob Roe', 'bob@example.com');
    jane = await clinic.login(2);
    bob = await clinic.login(3);
    backend = await clinic.backend({ PUBLIC_URL });
});

after(async () => await clinic?.drop());

/* A new appointment, with the room of Jane's token. */
async function appointment() {
    const id = ++lastId;

    await clinic.appointment(id, { users: { 1: 'host', 2: null } });
    const { body } = await backend.ask('POST', `${API}video-token/${id}/`,
        jane);

    return { id, room: body.room_name };
}

async function status(id, login = jane) {
    return await backend.ask('GET', `${API}video-status/${id}/`, login);
}

test('the status of a room, before, during and after a call', { skip },
    async () => {
        const { id, room } = await appointment();
        const { status: code, headers, body } = await status(id);

        assert.equal(code, 200);
        assert.equal(headers.get('cache-control'), 'no-store');
        assert.deepEqual(Object.keys(body).sort(), ['appointment_id',
            'connection_quality', 'ended_at', 'participant_count',
            'participants', 'reported_at', 'room_duration',
            'room_duration_seconds', 'room_name', 'room_status', 'schedule',
            'started_at']);
        assert.deepEqual([body.appointment_id, body.room_status,
            body.schedule], [id, 'not_found', 'open']);

        const begun = Date.now() - 5000;
        const at = second => ({ room, at: begun + second * 1000 });

        for (const [name, options] of [
            ['room-created', at(0)],
            ['participant-connected', { ...at(1), identity: MARY }],
            ['participant-connected', { ...at(2), identity: JANE }]]) {
            const answer = await report(backend, name, options);

            assert.deepEqual([answer.status, answer.body,
                answer.headers.get('cache-control')], [204, '', 'no-store']);
        }
        // The same again changes nothing.
        assert.equal((await report(backend, 'participant-connected',
            { ...at(2), identity: JANE })).status, 204);
        const during = (await status(id)).body;

        assert.deepEqual([during.room_status, during.room_name,
            during.participant_count], ['active', room, 2]);
        assert.deepEqual(during.participants.map(
            ({ identity }) => identity).sort(), [MARY, JANE]);
        assert.match(during.started_at,
            /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/);

        await report(backend, 'participant-disconnected',
            { ...at(3), identity: JANE });
        assert.equal((await status(id)).body.participant_count, 1);
        await report(backend, 'room-ended', at(4));
        const afterwards = (await status(id)).body;

        assert.deepEqual([afterwards.room_status,
            afterwards.room_duration_seconds], ['completed', 4]);
    });

test('only who takes part is told the status', { skip }, async () => {
    const { id } = await appointment();

    for (const [login, code, reason] of [[bob, 404, 'not_found'],
        [null, 401, 'no_user']]) {
        const got = await status(id, login);

        assert.deepEqual([got.status, got.body.reason], [code, reason]);
    }
    assert.equal((await status(9999)).status, 404);
});

test('webhooks that Twilio did not sign', { skip }, async () => {
    const { id, room } = await appointment();
    const options = { room, identity: MARY };
    const parameters = event('participant-connected', options);
    const right = signature(parameters);

    for (const [name, value] of Object.entries({
        'none': undefined,
        'another secret': signature(parameters, 'another'.repeat(5)),
        'another address': signature(parameters, undefined,
            'https://elsewhere.example.com' + PATH),
        'of another event': signature(event('room-ended', options)),
        'changed': (right[0] === 'A' ? 'B' : 'A') + right.slice(1),
    })) {
        const got = await backend.ask('POST', PATH, null, {
            body: String(parameters), headers: {
                'Content-Type': 'application/x-www-form-urlencoded',
                // What a client says of the address does not count.
                'X-Forwarded-Host': 'elsewhere.example.com',
                'X-Forwarded-Proto': 'https',
                ...value && { 'X-Twilio-Signature': value } } });

        assert.equal(got.status, 403, name);
    }
    assert.equal((await status(id)).body.room_status, 'not_found',
        'nothing was written');
    for (const [path, code] of [['/api/video-webhook/nobody/', 400],
        [PATH, 403], [PATH.toUpperCase(), 400]])
        assert.equal((await backend.ask('POST', path, null,
            { body: String(parameters) })).status, code, path);
    assert.doesNotMatch(backend.output, /42501|22023/,
        'nobody fills the log from outside');
});

test('the quality of a connection', { skip }, async () => {
    const { id, room } = await appointment();
    const path = `${API}video-quality/${id}/`;
    const tell = async (body, login = jane) => (await backend.ask('POST',
        path, login, { body: JSON.stringify(body) })).status;

    await report(backend, 'participant-connected',
        { room, identity: JANE, at: Date.now() - 1000 });
    assert.equal(await tell({ quality: 1, metrics: { rtt: 400 } }), 204);
    const { connection_quality: quality, participants: [person] } =
        (await status(id)).body;

    assert.deepEqual([quality, person.identity, person.quality,
        person.metrics], [1, JANE, 1, { rtt: 400 }]);
    assert.equal(await tell({ quality: 5 }), 204);
    assert.equal((await status(id)).body.connection_quality, 5);
    assert.equal(await tell({ quality: 1 }, bob), 404);
    assert.equal(await tell({ quality: 1 }, null), 401);
});

test('reports of quality that are none: 400, and no line in the log',
    { skip }, async () => {
        const { id } = await appointment();
        const log = backend.output;
        const nested = depth => '['.repeat(depth) + ']'.repeat(depth);

        for (const body of ['', '{', '{}', '"x"', 'null', '[]',
            ...['6', '-1', '3.5', '"x"', '"1"', 'true', 'null', '{}', '[1]',
                '99999999999', '1e400', '"\\u0000"'].map(
                quality => `{"quality": ${quality}}`),
            ...['[1]', '""', '"x"', '0', 'false', '"\\u0000"',
                '"\\ud800"', '{"rtt": "\\u0000"}', '{"rtt": "\\udc00"}',
                '{"\\u0000": 1}', '{"rtt": [1]}', nested(2000),
                nested(6000), nested(20000), nested(200000)].map(
                metrics => `{"quality": 1, "metrics": ${metrics}}`)]) {
            const got = await backend.ask('POST',
                `${API}video-quality/${id}/`, jane, { body });

            assert.deepEqual([got.status, got.headers.get('retry-after')],
                [400, null], body.slice(0, 60));
        }
        assert.equal(backend.output, log);
        assert.equal((await backend.ask('POST', `${API}video-quality/${id}/`,
            jane, { body: '{"quality": 1, "metrics": null}' })).status, 204);
    });

test('the page shows who is there, and says who comes and goes',
    { skip: skipPage }, async t => {
        const { id, room } = await appointment();
        const browser = await launch();

        t.after(() => browser.close());
        const context = await openBrowser(browser);
        const visit = await Visit.open(context, backend, id, jane);
        const mary = visit.page.getByRole('listitem').filter(
            { hasText: 'Dr. Mary Major' });

        await visit.join();
        await visit.page.getByText('Who else is in the call is not known')
            .waitFor();
        // The page asks again after a minute when it was not answered once.
        const PATIENCE = { timeout: 90 * SECOND };

        assert.equal((await report(backend, 'participant-connected',
            { room, identity: MARY, at: Date.now() - 1000 })).status, 204);
        await mary.getByText('In the call').waitFor(PATIENCE);
        assert.ok((await visit.said()).includes('Dr. Mary Major has joined.'));
        assert.equal((await report(backend, 'participant-disconnected',
            { room, identity: MARY })).status, 204);
        await mary.getByText('Not here').waitFor(PATIENCE);
        assert.ok((await visit.said()).includes('Dr. Mary Major has left.'));
        await context.close();
    });
