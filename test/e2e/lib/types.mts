/*
 * types.mts: what the type declarations let pass, and what they do not
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/lib/types.mts
 */
import { VidtokenClient, VidtokenError, type VidtokenGrant,
    type VidtokenState } from '../../../examples/web/vidtoken-client.js';

const client = new VidtokenClient({
    appointmentId: 47,
    headers: async () => ({ Authorization: 'Bearer x' }),
});

client.addEventListener('warning', ({ detail }) => {
    const minutes: number = detail.remaining / 60000;
    const refreshIn: number | null = detail.refreshIn;

    return [minutes, refreshIn];
});
client.addEventListener('failed', ({ detail }) => {
    const error: VidtokenError = detail.error;
    const words: (string | null)[] = [error.message, detail.reason];

    return words;
}, { once: true });
// @ts-expect-error: there is no such member
client.addEventListener('refreshed', ({ detail }) => detail.remaining);

const grant: VidtokenGrant = await client.start();
const token: string = await client.getToken();
const state: VidtokenState = client.state;

const connection = client.keepConnected(async ({ room_name: name }, lost) => {
    setTimeout(lost, 1000);
    return { name, disconnect() {} };
});
const name: string | undefined = connection.call?.name;

// @ts-expect-error: a call has to be one that can be ended
client.keepConnected(async () => ({}));
// @ts-expect-error: it is for the client to say
client.state = 'fresh';
// @ts-expect-error: of which appointment?
new VidtokenClient({});

export { grant, name, state, token };
