// The package as it is published: installed in an empty project, it does what
// its README says, and its types hold.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { edge, program, run } from './support/run.js';

const readme = readFileSync(join(edge, 'README.md'), 'utf8');
const [verifying, gateway] = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code);

/** Packs the package, and installs that in an empty project. */
async function installed(t) {
  const project = mkdtempSync(join(tmpdir(), 'hookgate-pack-'));
  t.after(() => rmSync(project, { recursive: true }));
  await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', project]);
  const [tarball] = readdirSync(project).filter((file) => file.endsWith('.tgz'));
  writeFileSync(join(project, 'package.json'), '{"private": true, "type": "module"}');
  const quiet = ['--silent', '--no-audit', '--no-fund', '--offline'];
  await run('npm', ['install', ...quiet, join(project, tarball)], { cwd: project });
  return project;
}

test('installed in an empty project it runs the example of its README', async (t) => {
  const project = await installed(t);
  const files = readdirSync(join(project, 'node_modules/hookgate'));
  assert.deepEqual(files.toSorted(), ['LICENSE', 'README.md', 'dist', 'package.json']);
  writeFileSync(join(project, 'verify.js'), verifying);
  assert.equal(await run(process.execPath, ['verify.js'], { cwd: project }), 'evt_1: invoice.paid\n');
  writeFileSync(join(project, 'gateway.js'), gateway);
  const ask = `
    process.env.STRIPE_WEBHOOK_SECRET = 'whsec_example';
    const { default: door } = await import('./gateway.js');
    const request = new Request('https://a.test/webhooks/stripe', { method: 'POST' });
    const response = await door.fetch(request);
    console.log(response.status, (await response.json()).code);`;
  writeFileSync(join(project, 'ask.js'), ask);
  const answer = await run(process.execPath, ['ask.js'], { cwd: project });
  assert.equal(answer, '400 signature_missing\n');
});

test('its types hold for the examples, and refuse what would fail', async (t) => {
  const project = await installed(t);
  mkdirSync(join(project, 'types'));
  writeFileSync(join(project, 'types/verify.ts'), verifying);
  writeFileSync(
    join(project, 'types/gateway.ts'),
    `declare const process: { env: { STRIPE_WEBHOOK_SECRET: string } };\n${gateway.replace('(request)', '(request: Request)')}`,
  );
  writeFileSync(
    join(project, 'types/wrong.ts'),
    `import { Gate, verify, type Outcome } from 'hookgate';
const outcome: Outcome = verify('{}', {}, { secret: 'whsec_a' });
// @ts-expect-error: only a genuine one has an event
outcome.event;
if (!outcome.ok) {
  const reason: 'signature_missing' | 'signature_malformed' | 'timestamp_out_of_tolerance' | 'signature_mismatch'
    | 'payload_invalid' | 'payload_too_large' | 'secret_scope' | 'unavailable' = outcome.reason;
  console.log(reason);
}
// @ts-expect-error: a parsed body
verify({ id: 'evt_1' }, {}, { secret: 'whsec_a' });
// @ts-expect-error: no secret
verify('{}', {}, {});
// @ts-expect-error: an unknown scheme
verify('{}', {}, { secret: 'whsec_a', scheme: 'paypal' });
// @ts-expect-error: an endpoint without a path
new Gate({ endpoints: [{ name: 'a' }], secrets: {} });
`,
  );
  const options = { module: 'nodenext', target: 'es2023', lib: ['es2023', 'dom', 'dom.iterable'], strict: true, noEmit: true, types: [] };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['types'] }));
  await run(program('tsc'), ['--project', project], { cwd: project });
});
