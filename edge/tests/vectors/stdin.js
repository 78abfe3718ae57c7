// Judges the vectors on standard input, under Deno and under Bun.

import * as hookgate from 'hookgate';

import { wrong } from './judge.js';

const cases = await new Response(
  globalThis.Deno ? Deno.stdin.readable : Bun.stdin.stream(),
).json();
console.log(JSON.stringify({ count: cases.length, wrong: wrong(hookgate, cases) }));
