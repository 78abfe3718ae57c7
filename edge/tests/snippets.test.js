// The code that the doctor shows, from the files that it shows: a handler takes a
// genuine delivery, and no other. Those whose language is seldom at hand are parsed.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

import Stripe from 'stripe';

import { SECRET, event } from './support/delivery.js';
import { edge, program, run, start } from './support/run.js';

const FIX = join(edge, '../doctor/src/fix');
const snippet = (file) => readFileSync(join(FIX, file), 'utf8');
const stripe = new Stripe('sk_test_snippets');
const PRELUDE = "import Stripe from 'stripe';\nconst stripe = new Stripe('sk_test_snippets');\n";
const env = { STRIPE_WEBHOOK_SECRET: SECRET };
Object.assign(process.env, env);

// Parsed and written again, it would be another text.
const payload = JSON.stringify(JSON.parse(event('evt_1', { text: 'ünïcode €', more: [] })), null, 2);
const signature = (of, secret = SECRET) => stripe.webhooks.generateTestHeaderString({ payload: of, secret });

/** Asserts that a handler takes what is genuine; `send` returns status and text. */
async function judges(send) {
  const genuine = { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': signature(payload) };
  const [status, text] = await send(genuine, payload);
  assert.equal(status, 200, text);
  assert.match(text, /evt_1/);
  const { 'stripe-signature': _, ...unsigned } = genuine;
  const refused = [
    [genuine, `${payload}\n`],
    [genuine, JSON.stringify(JSON.parse(payload))],
    [{ ...genuine, 'stripe-signature': signature(payload, 'whsec_other') }, payload],
    [unsigned, payload],
  ];
  for (const [headers, body] of refused) assert.equal((await send(headers, body))[0], 400);
}

const over = (port) => async (headers, body) => {
  const response = await fetch(`http://127.0.0.1:${port}/webhooks/stripe`, { method: 'POST', headers, body });
  return [response.status, await response.text()];
};
const listening = (text) => text.match(/listening on (\d+)/)?.[1];

/** Returns a folder in which Node finds the packages of the tests. */
function folder(t) {
  const all = join(edge, '../target/snippets');
  mkdirSync(all, { recursive: true });
  const own = mkdtempSync(join(all, 'run-'));
  t.after(() => rmSync(own, { recursive: true }));
  symlinkSync(join(edge, 'node_modules'), join(own, 'node_modules'));
  writeFileSync(join(own, 'package.json'), '{"private": true, "type": "module"}');
  return own;
}

const imported = (file) => import(pathToFileURL(file).href);

/** Returns the folder with Django and the parsers. */
function python() {
  const fetched = process.env.HOOKGATE_FRAMEWORKS_PYTHON ?? join(edge, '../target/tools/frameworks-python');
  assert.ok(existsSync(join(fetched, 'django')), `no Django in ${fetched}: \`cargo xtask tools\` installs it`);
  return { PYTHONPATH: fetched };
}

test('the handler on Express verifies', async (t) => {
  const app = `import express from 'express';\n${PRELUDE}const app = express();\n`;
  const listen =
    "const server = app.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));";
  const whole = `${app}${snippet('express.js')}\n${listen}`;
  const args = ['--input-type=module', '--eval', whole];
  await judges(over(await start(t, process.execPath, args, listening, { env })));
});

test('the route handler of Next.js holds its types, and verifies', async (t) => {
  const own = folder(t);
  writeFileSync(join(own, 'route.ts'), PRELUDE + snippet('nextjs.ts'));
  const compilerOptions = { module: 'nodenext', target: 'es2023', lib: ['es2023', 'dom', 'dom.iterable'], strict: true };
  const config = { compilerOptions: { ...compilerOptions, types: ['node'] }, files: ['route.ts'] };
  writeFileSync(join(own, 'tsconfig.json'), JSON.stringify(config));
  await run(program('tsc'), ['--project', own]);
  const { POST } = await imported(join(own, 'route.js'));
  await judges(async (headers, body) => {
    const response = await POST(new Request('https://shop.test/api/webhooks/stripe', { method: 'POST', headers, body }));
    return [response.status, await response.text()];
  });
});

test('the function behind API Gateway verifies, encoded or not', async (t) => {
  const own = folder(t);
  writeFileSync(join(own, 'handler.mjs'), PRELUDE + snippet('api_gateway.mjs'));
  const { handler } = await imported(join(own, 'handler.mjs'));
  for (const isBase64Encoded of [false, true]) {
    await judges(async (sent, text) => {
      // A REST API keeps the case of names, an HTTP API doesn't.
      const cased = Object.entries(sent).map(([name, value]) => [name.replace('stripe-s', 'Stripe-S'), value]);
      const headers = isBase64Encoded ? sent : Object.fromEntries(cased);
      const body = isBase64Encoded ? Buffer.from(text).toString('base64') : text;
      const answer = await handler({ headers, body, isBase64Encoded });
      return [answer.statusCode, answer.body];
    });
  }
});

test('the view in Django verifies', async (t) => {
  const args = ['tests/snippets/django_server.py', join(FIX, 'django.py')];
  await judges(over(await start(t, 'python3', args, listening, { env: { ...env, ...python() } })));
});

test('what is not run here is at least of its language', async () => {
  const parsed = (language, text) =>
    run('python3', ['tests/snippets/parse.py', language], { input: text, env: python() });
  // Each as it stands in the file that it is for.
  const whole = {
    'rails.rb': ['ruby', (text) => text],
    'laravel.php': ['php', (text) => `<?php\n${text}`],
    'aspnet.cs': ['c_sharp', (text) => text],
    'spring.java': ['java', (text) => `class Webhooks {\n${text}}\n`],
  };
  for (const [file, [language, inFile]] of Object.entries(whole)) {
    const text = snippet(file);
    assert.equal(await parsed(language, inFile(text)), 'parses\n', file);
    for (const bracket of [text.indexOf('('), text.lastIndexOf(')')]) {
      const broken = inFile(text.slice(0, bracket) + text.slice(bracket + 1));
      assert.match(await parsed(language, broken), /^line/, `${file} without its bracket at ${bracket}`);
    }
  }
});
