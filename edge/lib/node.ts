// Node and Bun: the Wasm comes from the package's own folder.

import { readFileSync } from 'node:fs';

import { imports, start } from './wasm.js';

const module = new WebAssembly.Module(readFileSync(new URL('./core/core_bg.wasm', import.meta.url)));
start(new WebAssembly.Instance(module, imports).exports);

export * from './index.js';
