/*
 * sdks.js: the vendors' SDKs as judges, for test/t/021 and 023
 *
 * Every line of standard input is a question in JSON, and is answered with a
 * line: {"answer": ...} with what the SDK read or made, or {"refused": ...}
 * with its reason.  What it should have been is for the caller to judge.
 *
 * A question with "now" (seconds since 1970) is put to an SDK that believes
 * it to be that time; all others go by the real clock.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/t/lib/sdks.js
 */
'use strict';

const querystring = require('node:querystring');
const readline = require('node:readline');

const missing = {};

// One package that is not here says nothing about the others.
function load(name, path = name) {
    try {
        return require(path);
    } catch (error) {
        missing[name] = error.message.split('\n')[0];
        return {};
    }
}

const livekit = load('livekit-server-sdk');
// twilio's index would load the whole of its REST client.
const TwilioToken = load('twilio', 'twilio/lib/jwt/AccessToken');
const twilioWebhooks = load('twilio', 'twilio/lib/webhooks/webhooks');
const jose = load('jose');

const SystemDate = Date;

function setClock(seconds) {
    globalThis.Date = seconds === undefined ? SystemDate :
        class extends SystemDate {
            constructor(...given) {
                super(...(given.length ? given : [seconds * 1000]));
            }

            static now() {
                return seconds * 1000;
            }
        };
}

// What a module that a package brings along is to that package.
function from(name, path) {
    return require(require.resolve(path, { paths: [require.resolve(name)] }));
}

const judges = {
    missing: () => missing,

    'livekit verify': ({ token, key, secret }) =>
        new livekit.TokenVerifier(key, secret).verify(token),

    'livekit sign': ({ key, secret, options, grant, room }) => {
        const token = new livekit.AccessToken(key, secret, options);
        token.addGrant(grant);
        token.roomConfig = new livekit.RoomConfiguration(room);
        return token.toJwt();
    },

    'livekit room': ({ room }) => livekit.RoomConfiguration.fromJson(room),

    // A body of the call, and what the server's own message type reads in it.
    'livekit read a room': ({ request }) =>
        from('livekit-server-sdk', '@livekit/protocol')
            .CreateRoomRequest.fromJson(request),

    // The call that the SDK makes; nothing leaves this process.
    'livekit make a room': async ({ options }) => {
        const systemFetch = globalThis.fetch;
        const calls = [];

        globalThis.fetch = async (url, { method, body }) => {
            calls.push([method, String(url), JSON.parse(body)]);
            return new Response('{}');
        };
        try {
            await new livekit.RoomServiceClient('https://livekit.example',
                'key', 'secret'.repeat(6)).createRoom(options);
        } finally {
            globalThis.fetch = systemFetch;
        }
        return calls;
    },

    'twilio make a room': async ({ options }) => {
        const RequestClient = require('twilio/lib/base/RequestClient');
        const httpClient = new RequestClient();
        const calls = [];

        httpClient.axios.defaults.adapter = async (config) => {
            const { method, url, data } = config;

            calls.push([method, url, data]);
            return { status: 201, data: '{}', headers: {}, config };
        };
        await require('twilio')('ACtest', 'token', { httpClient })
            .video.v1.rooms.create(options);
        return calls;
    },

    'twilio sign': ({ account, key, secret, options, room }) => {
        const token = new TwilioToken(account, key, secret, options);
        token.addGrant(new TwilioToken.VideoGrant({ room }));
        return token.toJwt();
    },

    // the library that signs twilio's tokens
    'twilio verify': ({ token, secret, options }) => {
        return from('twilio', 'jsonwebtoken').verify(token, secret, options);
    },

    // Bodies are bytes, and come in base64.
    'livekit receive': async ({ body, authorization, key, secret }) =>
        (await new livekit.WebhookReceiver(key, secret).receive(
            Buffer.from(body, 'base64').toString(), authorization)).event,

    'twilio digest a body': ({ body }) =>
        twilioWebhooks.getExpectedBodyHash(
            Buffer.from(body, 'base64').toString()),

    'jose verify': async ({ token, jwk, jwks, options }) => {
        const key = jwks ? jose.createLocalJWKSet(jwks) :
            await jose.importJWK(jwk);
        const { payload, protectedHeader } =
            await jose.jwtVerify(token, key, options);
        return [protectedHeader, payload];
    },

    'jose sign': async ({ jwk, header, claims }) =>
        new jose.SignJWT(claims).setProtectedHeader(header)
            .sign(await jose.importJWK(jwk, header.alg)),

    'jose leave unsigned': ({ claims }) =>
        new jose.UnsecuredJWT(claims).encode(),

    'jose make a key': async ({ algorithm }) => {
        const { publicKey } = await jose.generateKeyPair(algorithm);
        return jose.exportJWK(publicKey);
    },

    // A delivery as Express hands it on, with its own reader of forms.
    'twilio judge a delivery': ({ token, url, body, signature }) => {
        const request = {
            body: querystring.parse(body, undefined, undefined,
                { maxKeys: 0 }),
            rawBody: body,
            header: () => signature,
        };

        if (!twilioWebhooks.validateIncomingRequest(request, token, { url }))
            throw new Error('not valid');
    },

    'twilio sign a delivery': ({ token, url, body }) =>
        twilioWebhooks.getExpectedTwilioSignature(token, url,
            querystring.parse(body, undefined, undefined, { maxKeys: 0 })),

    'livekit sign a digest': ({ key, secret, digest }) => {
        const token = new livekit.AccessToken(key, secret, { ttl: 300 });
        token.sha256 = digest;
        return token.toJwt();
    },
};

async function main() {
    for await (const line of readline.createInterface(process.stdin)) {
        const { judge, now, ...question } = JSON.parse(line);
        let result;

        setClock(now);
        try {
            result = { answer: await judges[judge](question) };
        } catch (error) {
            result = { refused: error.code || error.message };
        }
        console.log(JSON.stringify(result));
    }
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
