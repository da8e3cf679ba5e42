/*
 * make_jose_vectors.mjs: tokens signed by jose, for test/sql/jws_jose.sql
 *
 *     NODE_PATH=build/node/node_modules \
 *         node test/vectors/make_jose_vectors.mjs > test/vectors/jose.json
 *
 * A vector is a key (jwk), a header, claims and the token that they make.
 * Header and claims stand in the file letter for letter as they are signed,
 * so that whoever signs the same text with the same key makes the same token.
 * Only ES256 takes a random number for each signature: its token is another
 * one each time.
 *
 * The keys are known to everyone: nothing but tests may use them.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/vectors/make_jose_vectors.mjs
 */
import { createRequire } from 'node:module';

// NODE_PATH holds for require alone.
const jose = createRequire(import.meta.url)('jose');

// 2026-03-02 10:00 UTC, the clock of test/setup.sql
const NOW = 1772445600;

// HMAC: the bytes of the text.
const SECRETS = {
    HS256: 'test secret of the HS256 vector of jose',
    HS384: 'test secret of the HS384 vector of jose, 48 bytes and more',
    HS512: 'test secret of the HS512 vector of jose, which must have ' +
        '64 bytes and has more',
};

// The others: PKCS #8 (RFC 5208) in base64.
const PRIVATE_KEYS = {
    RS256: `
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCmhYmlK7NI/jja
xv5742T8d68NiuHzZ8DfTMmqN61fflxn550aDHrpm6zc42KpuDi4zqQ2LLbWrFUw
1DkEad5FtgqcsZBgTezwq/2+FVZwdNgWWNhJKSupZx61//XsnciGsXtnG14YNl1U
dsEpmYDpHztQPSpFJEI13gEPXTFQ+u68PT9mbzMAg/ZHe3/Ik0iMZIBULMuAMo6G
3pbz+IV+ZOqU0p8R43e6upftLJG9VRNc6of80S2Y7faxetpAVFMuR0TtkQWoNPBL
WBKr1KA+DqcHmYdxuqA753OY99R5jCWTz/TWTj7ZpXyKUCeTS9+ao09BJLSJ1Rry
VpI1AtvPAgMBAAECggEACuJEhl6uV7GCDs6d2IQa2COMdgKjVRDtesrejXkZJFoy
ePoa+xZgvD8YE9Hq43PuhSnAcugGRU67PLdKSL8Qr5a/59D1Qk4lk+9x5MgpP61r
aD6DWHjP6UEbsUKbFM2VSzRzf+A6jLOU8w3V/z2QvuvzKQHubtl5WGL7x8DMFeJN
1dW6LEMoqhNxXJ8RwwthlLQkTTe8Af3Up7E7MbUjYO2CD8sPKNhLuxAVDm2dvTkp
/9IR06YAjXQxWZZN7Okf9ORNa3y8v5HWPIV+XQKWt2pmU8jr4iOpGtlkvrmp44G3
T8hlk8sOIC7JMLm923GswZOtyI5xoTR5THS7NiHENQKBgQDO+k0M1lB9vPw/kOZk
nqMFrg7J+kOJTmz3/fCHUQT3f5ZqkeafiQcU4bXjO7vQJMGGyCGOcHD7azJpsEKZ
bkOcNggePQYUpKCdKwryqX0ZgNB+k7BOVvKYcOMNVXUBHgK6uN+E/LLX9ntIF9s3
jIM1bgy4oLFRIQZ/QZh6SvRFnQKBgQDN9kIS8sVVxsQUTNVzAqo1xmpzPpEfbZNY
8k0QJe9GwKD12TMAOkYLc3XVFa9CdQ1lI0JB6OanSgvTa4+ZDLDkB+tX1BAr8/nQ
4OhW7qcHcPJkceyHqToLxEs25Lr/RioxqTPy7nTyz6CTUnUFtbY3LDvI9svjU2fA
9SQSL2KBWwKBgHlbNTYjqsouttAmi4/Pm9JGvhEbFeI6A5ZcZF1S2dCsFGuj5E8C
Lw7FULpNWc+u3XHDgjlcIEKqFcL2P/ZqOmYrIBNqwFf2Nt4wUJj7W4hKiPTOb39f
Z5qOBfLZemMPT5Zfs17sM4iA0sPwiO5HCt+XCQpv3cetz3tp4JdDv3nZAoGBALBO
vs8DnONJjC4oe4vBWz0/RX6zr30syraYbFmHb6WsXd02ec8XE0DYLKUks+t60eWi
4iQTn+bSnv7zk3Abig0Zrl93vAQ0DMS+0oUgNEFNcWGEmEqlFXhfJ1etQ1okkRgD
1OF/OQNlsvqJ2nzxyTK/ncnxYiWOD0IBV0ht4bADAoGAd0GDn7vN8nsQRV4VPteO
HefPSouIjAQbhFMMHG/C42BIBifpnRWHteqWSDjrpcMwYbfv/YRQDWAvioKytCtY
tFp3uMzZwvPLQB1keQEL976KQTSoVrmG9r3brd1bTJ+O0136XKeoOtMREm6wIejI
33U1+qPJuYE3Y9JL2HtvQiY=`,
    ES256: `
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgxPkuCT3ZTFLRwq9/
IGhEpHVje24trsMzNkqrBCukCFyhRANCAAQ5CLUwemrsKZ7jToW2gV2bZuBlYcfF
7w1EX+l+JxmE43VLpgKjoGVOqIa8f9NiUcLX5CHocvHqOtxF8mn7pE/T`,
    EdDSA: `
MC4CAQAwBQYDK2VwBCIEIMsARDG9NCtx9UtUP+2cEsAwJF/9HkjmyxRO4+wY6csw`,
};

async function makeKey(algorithm) {
    if (SECRETS[algorithm]) {
        const key = new TextEncoder().encode(SECRETS[algorithm]);
        return { key, jwk: await jose.exportJWK(key) };
    }
    const key = await jose.importPKCS8('-----BEGIN PRIVATE KEY-----' +
        PRIVATE_KEYS[algorithm] + '\n-----END PRIVATE KEY-----\n',
    algorithm, { extractable: true });
    return { key, jwk: await jose.exportJWK(key) };
}

// Every type of JSON, both forms of aud, and lengths of every remainder by 3.
function makeClaims(algorithm, index) {
    return {
        iss: 'https://clinic.example',
        sub: '2-jane@example.com',
        aud: index % 2 ? ['meet.example', 'record.example'] : 'meet.example',
        jti: 'vector-' + algorithm,
        iat: NOW,
        nbf: NOW,
        exp: NOW + 5400,
        room: 'apt-47-abcdefghijklm',
        user: {
            name: 'Zoë "Jane" O\'Neill \\ 1/2 \u{1f600}\t\u0001.',
            host: false,
            manager: null,
            weights: [0.25, -1.5e-7, 9007199254740991],
            '': {},
        },
        filler: 'x'.repeat(index),
    };
}

async function makeVector(algorithm, index) {
    const { key, jwk } = await makeKey(algorithm);
    const kid = 'jose-' + algorithm;
    const header = { alg: algorithm, typ: 'JWT', kid };
    const claims = makeClaims(algorithm, index);
    const token = await new jose.SignJWT(claims)
        .setProtectedHeader(header).sign(key);

    return Object.entries(
        { jwk: { kid, alg: algorithm, ...jwk }, header, claims, token })
        .map(([name, value]) => `"${name}": ${JSON.stringify(value)}`)
        .join(',\n   ');
}

const algorithms = [...Object.keys(SECRETS), ...Object.keys(PRIVATE_KEYS)];
const vectors = await Promise.all(algorithms.map(makeVector));
console.log('{"vectors": [\n  {' + vectors.join('},\n  {') + '}\n]}');
