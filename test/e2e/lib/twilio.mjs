/*
 * twilio.mjs: status callbacks as Twilio sends them
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/lib/twilio.mjs
 */
import { createHmac } from 'node:crypto';

import { WEBHOOK_SECRET } from './clinic.mjs';

export const PUBLIC_URL = 'https://video.example.com';
export const PATH = '/api/video-webhook/twilio/';

/* The parameters of an event; change replaces some, or takes them away. */
export function event(name, { room, identity, at = Date.now(), change }) {
    const kind = identity && name.replace('participant-', '');

    return new URLSearchParams(Object.entries({
        AccountSid: 'ACtest',
        RoomName: room,
        RoomSid: 'RM' + room,
        RoomStatus: name === 'room-ended' ? 'completed' : 'in-progress',
        RoomType: 'group',
        StatusCallbackEvent: name,
        Timestamp: new Date(at).toISOString(),
        SequenceNumber: '0',
        ...identity && { ParticipantSid: 'PA' + identity,
            ParticipantIdentity: identity, ParticipantStatus: kind },
        ...change,
    }).filter(([, value]) => value !== undefined));
}

/* The signature over the address as Twilio knows it, and the parameters. */
export function signature(parameters, secret = WEBHOOK_SECRET,
    url = PUBLIC_URL + PATH) {
    const text = [...parameters].sort(([a], [b]) => a < b ? -1 : 1)
        .map(([name, value]) => name + value).join('');

    return createHmac('sha1', secret).update(url + text).digest('base64');
}

export async function report(backend, name, options) {
    const parameters = event(name, options);

    return await backend.ask('POST', PATH, null, {
        body: String(parameters),
        headers: {
            'Content-Type': 'application/x-www-form-urlencoded',
            'X-Twilio-Signature': signature(parameters),
            ...options.headers,
        },
    });
}
