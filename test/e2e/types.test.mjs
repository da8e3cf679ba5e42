/*
 * types.test.mjs: vidtoken-client.d.ts says what vidtoken-client.js does
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/types.test.mjs
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import * as client from '../../examples/web/vidtoken-client.js';
import { ROOT, optional } from './lib/clinic.mjs';

const ts = optional('typescript');
const skip = ts ? false : 'typescript (npm)';
const DECLARATIONS = ROOT + 'examples/web/vidtoken-client.d.ts';

test('the declarations serve TypeScript', { skip }, () => {
    const file = fileURLToPath(new URL('lib/types.mts', import.meta.url));
    const program = ts.createProgram([file], {
        strict: true, noEmit: true, types: [],
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.NodeNext,
        moduleResolution: ts.ModuleResolutionKind.NodeNext,
        lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
    });

    assert.deepEqual(ts.getPreEmitDiagnostics(program).map(({ file, start,
        messageText }) => [file?.fileName, start, messageText]), []);
});

/* The names of a class's members, as the declarations have them. */
function declared(name) {
    const { statements } = ts.createSourceFile('x.d.ts',
        ts.sys.readFile(DECLARATIONS), ts.ScriptTarget.ES2022);
    const { members } = statements.find(
        statement => statement.name?.text === name);

    return [...new Set(members.filter(member => member.name)
        .map(member => member.name.text))].sort();
}

test('the declarations name what is there', { skip }, () => {
    const actual = Object.getOwnPropertyNames(
        client.VidtokenClient.prototype).filter(it => it !== 'constructor');

    assert.deepEqual(declared('VidtokenClient'),
        [...actual, 'addEventListener'].sort());
    const error = new client.VidtokenError('');

    assert.deepEqual(declared('VidtokenError'), Object.keys(error).filter(
        it => it !== 'name').sort());
});
