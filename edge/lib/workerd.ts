// Cloudflare's workerd: the Wasm is compiled when the Worker is deployed.

import module from './core/core_bg.wasm';

import { imports, start } from './wasm.js';

start(new WebAssembly.Instance(module as WebAssembly.Module, imports).exports);

export * from './index.js';
