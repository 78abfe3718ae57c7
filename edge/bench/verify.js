// What verifying costs beside the official SDK's constructEvent: the same
// payloads, in turns, in one process. CPU time, which other work on the machine
// disturbs less than the clock; medians of the rounds, once both are warm.

import { execFileSync } from 'node:child_process';

import Stripe from 'stripe';
import { verify } from 'hookgate';

const SECRET = 'whsec_bench_fixture';
const ROUNDS = Number(process.env.ROUNDS ?? 21);
const ROUND_BYTES = 12_000_000;
/** Rounds until both are compiled as they stay; the first case has all of that. */
const WARM_ROUNDS = 40;

const stripe = new Stripe('sk_test_bench');

/**
 * Makes an invoice of about so many characters, written as Stripe writes it. What an
 * engine does with a string depends on whether all of it is ASCII, or Latin-1.
 */
function payload(characters, invoice) {
  const line = (n) => ({
    id: `il_${n}`,
    object: 'line_item',
    amount: n * 100,
    currency: 'usd',
    description: `Line ${n} of this ${invoice}`,
    metadata: {},
    period: { end: 1760000000, start: 1757400000 },
  });
  const make = (lines) =>
    JSON.stringify(
      {
        id: 'evt_1PBench',
        object: 'event',
        api_version: '2025-09-30.clover',
        created: 1760000000,
        data: { object: { id: 'in_1', object: 'invoice', lines: { data: lines } } },
        livemode: false,
        pending_webhooks: 1,
        request: { id: null, idempotency_key: null },
        type: 'invoice.paid',
      },
      null,
      2,
    );
  const lines = [];
  while (make(lines).length < characters) lines.push(line(lines.length));
  return make(lines);
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

function microseconds(work, calls) {
  const before = process.cpuUsage();
  for (let i = 0; i < calls; i += 1) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

/**
 * Returns milliseconds of CPU time to compile, and of wall-clock time to
 * instantiate; each in processes of their own, since a compiler remembers what it
 * has compiled.
 */
function beginning() {
  const program = `
    const { readFileSync } = await import('node:fs');
    const { imports } = await import('./dist/wasm.js');
    const bytes = readFileSync('./dist/core/core_bg.wasm');
    const before = process.cpuUsage();
    const module = new WebAssembly.Module(bytes);
    const { user, system } = process.cpuUsage(before);
    const start = performance.now();
    new WebAssembly.Instance(module, imports);
    console.log(JSON.stringify([(user + system) / 1000, performance.now() - start]));`;
  const cwd = new URL('../', import.meta.url);
  const once = () =>
    JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', program], { cwd }));
  const all = Array.from({ length: 15 }, once);
  return [0, 1].map((column) => median(all.map((it) => it[column])).toFixed(1));
}

console.log(`Node ${process.version}, stripe ${Stripe.PACKAGE_VERSION}, ${ROUNDS} rounds`);
const [compiling, instantiating] = beginning();
console.log(`compile: ${compiling} ms of CPU; instantiate: ${instantiating} ms`);
console.log('payload                   constructEvent       verify   ratio');
for (const characters of [2_048, 65_536]) {
  const [ascii, latin1, wide] = ['invoice', 'bestätigung', 'счёт'].map((it) => payload(characters, it));
  const forms = [
    ['string', ascii, ascii],
    ['bytes', ascii, Buffer.from(ascii)],
    ['string, Latin-1', latin1, latin1],
    ['string, Cyrillic', wide, wide],
  ];
  for (const [form, text, body] of forms) {
    const header = stripe.webhooks.generateTestHeaderString({ payload: text, secret: SECRET });
    const theirs = () => stripe.webhooks.constructEvent(body, header, SECRET);
    const ours = () => {
      if (!verify(body, { 'stripe-signature': header }, { secret: SECRET }).ok) throw new Error();
    };
    const calls = Math.ceil(ROUND_BYTES / text.length / 4);
    microseconds(theirs, WARM_ROUNDS * calls);
    microseconds(ours, WARM_ROUNDS * calls);
    const rounds = Array.from({ length: ROUNDS }, () => [
      microseconds(theirs, calls),
      microseconds(ours, calls),
    ]);
    const [them, us] = [median(rounds.map(([it]) => it)), median(rounds.map(([, it]) => it))];
    const ratio = median(rounds.map(([theirs, ours]) => ours / theirs));
    const size = `${Buffer.byteLength(text)} B ${form}`;
    const cells = [size.padEnd(26), `${them.toFixed(1)} µs`.padStart(13)];
    cells.push(`${us.toFixed(1)} µs`.padStart(12), ratio.toFixed(2).padStart(7));
    console.log(cells.join(''));
  }
}
