// Deno imports Wasm as it imports a module, without a permission to read.

import * as instance from './core/core_bg.wasm';

import { start } from './wasm.js';

start(instance as unknown as WebAssembly.Exports);

export * from './index.js';
