/*
 * drivers.js: calls as node-pg makes them, for test/t/011_drivers.t
 *
 * Prints one JSON object: for each name, what the call answered or how it was
 * refused.  What it should have been is for the caller to judge.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/t/lib/drivers.js
 */
'use strict';

const { Client } = require('pg');

const GRANT = 'SELECT * FROM vidtoken.vidtoken_issue($1, $2)';

// A value with its type, as JSON alone would not tell them apart.
function typed(value) {
    if (value === null) return ['null', null];
    if (value instanceof Date) return ['Date', value.toISOString()];
    return [typeof value, value];
}

async function main() {
    const client = new Client({ database: process.argv[2] });
    const version = require('pg/package.json').version;
    const answers = { version: version.split('.').slice(0, 2).map(Number) };

    async function ask(name, text, values, options) {
        try {
            const result = await client.query({ text, values, ...options });
            answers[name] = Object.fromEntries(
                Object.entries(result.rows[0]).map(
                    ([column, value]) => [column, typed(value)]));
        } catch (error) {
            answers[name] = { refused: error.code, detail: error.detail };
        }
    }

    await client.connect();
    await ask('numbers', GRANT, [47, 2]);
    await ask('strings', GRANT, ['47', '2']);
    await ask('bigints', GRANT, [47n, 2n]);
    await ask('fraction', GRANT, [47.5, 2]);
    await ask('boolean', GRANT, [true, 2]);
    await ask('null', GRANT, [null, 2]);
    await ask('undefined', GRANT, [undefined, 2]);
    await ask('word', GRANT, ["47'; --", 2]);
    await ask('object', GRANT, [{ id: 47 }, 2]);
    await ask('array', GRANT, [[47], 2]);
    await ask('bytes', GRANT, [Buffer.from('47'), 2]);
    await ask('wrong bytes', GRANT, [Buffer.from([1, 1, 1, 47]), 2]);
    await ask('bytes that are not UTF-8', GRANT, [Buffer.from([0xe9]), 2]);
    await ask('refresh', GRANT.replace('issue', 'refresh'), [47, 2]);
    await ask('too early', GRANT, [98, 2]);
    for (let call = 1; call <= 8; call++)
        await ask('named ' + call, GRANT, [47, call % 2 ? 2 : '2'],
            { name: 'issue' });
    await ask('cast to integer',
        'SELECT * FROM vidtoken.vidtoken_issue($1::int, $2::bigint)', [47, 2]);
    await ask('record', 'SELECT vidtoken.vidtoken_issue($1, $2) AS grant',
        [47, 2]);
    await ask('json',
        'SELECT to_json(g) AS grant FROM vidtoken.vidtoken_issue($1, $2) AS g',
        [47, 2]);
    // the binary protocol for the answer
    await ask('binary', 'SELECT access_token, expires_in, expires_at ' +
        'FROM vidtoken.vidtoken_issue($1, $2)', [47, 2], { binary: true });

    await client.query("SET vidtoken.source = 'clinic.by_uuid'");
    await ask('uuid', GRANT, ['6f0c3c3e-2f0a-4a53-9a36-1c8f35d4f4a7', 2]);
    await ask('malformed uuid', GRANT, ['6f0c', 2]);
    await client.query("SET vidtoken.source = 'clinic.by_bigint'");
    await ask('bigint beyond 2^53', GRANT, [9007199254740993n, 2]);
    await ask('string beyond 2^53', GRANT, ['9007199254740993', 2]);
    await ask('number beyond 2^53', GRANT, [9007199254740993, 2]);
    await client.end();
    console.log(JSON.stringify(answers));
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
