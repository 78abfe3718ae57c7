// A Worker in workerd, of the package's own modules: nothing is bundled.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { Miniflare } from 'miniflare';

import { edge } from './run.js';

const dist = readdirSync(join(edge, 'dist'), { recursive: true })
  .filter((file) => /\.(js|wasm)$/.test(file))
  .map((file) => ({
    type: file.endsWith('.wasm') ? 'CompiledWasm' : 'ESModule',
    path: `dist/${file}`,
    contents: readFileSync(join(edge, 'dist', file)),
  }));

const entry = JSON.parse(readFileSync(join(edge, 'package.json'))).exports['.'].workerd;

/** Starts a Worker of these files of the package, the first one its main module. */
export async function worker(test, files, options = {}) {
  const own = files.map((file) => ({
    type: 'ESModule',
    path: file.split('/').at(-1),
    contents: readFileSync(join(edge, file), 'utf8'),
  }));
  const hookgate = { type: 'ESModule', path: 'hookgate', contents: `export * from '${entry}';` };
  const miniflare = new Miniflare({
    modules: [...own, hookgate, ...dist],
    modulesRoot: '/',
    compatibilityDate: '2026-04-01',
    durableObjects: { BUCKETS: { className: 'HookgateBucket', useSQLite: true } },
    ...options,
  });
  test.after(() => miniflare.dispose());
  await miniflare.ready;
  return miniflare;
}
