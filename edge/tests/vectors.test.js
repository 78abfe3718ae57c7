// Every vector of core gets core's verdict, in every runtime.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as hookgate from 'hookgate';

import { page } from './support/chromium.js';
import { program, run } from './support/run.js';
import { allCases } from './vectors/cases.js';
import { wrong } from './vectors/judge.js';

const cases = allCases();
const input = JSON.stringify(cases);
const right = { count: cases.length, wrong: [] };

test('every vector gets its verdict in Node', () => {
  assert.ok(cases.length >= 108, `${cases.length} cases`);
  assert.deepEqual(wrong(hookgate, cases), []);
});

test('a wrong verdict would be seen', () => {
  const changed = cases.map((vector) => ({ ...vector, gate: 'ok', expect: 'ok' }));
  assert.ok(wrong(hookgate, changed).length > 50);
});

test('every vector gets its verdict in Deno, which is permitted nothing', async () => {
  const args = ['run', '--no-prompt', '--no-remote', 'tests/vectors/stdin.js'];
  const out = await run(program('deno'), args, { input });
  assert.deepEqual(JSON.parse(out), right);
});

test('every vector gets its verdict in Bun', async () => {
  const out = await run(program('bun'), ['tests/vectors/stdin.js'], { input });
  assert.deepEqual(JSON.parse(out), right);
});

test('every vector gets its verdict in Chromium, without eval', async (t) => {
  const opened = await page(t);
  const found = await opened.evaluate(async (all) => {
    const package_ = await import('/dist/browser.js');
    const { wrong } = await import('/tests/vectors/judge.js');
    return { count: all.length, wrong: wrong(package_, all) };
  }, cases);
  assert.deepEqual(found, right);
});
