// Browsers, and bundlers for them: the Wasm lies beside this file.

import { imports, start } from './wasm.js';

const file = fetch(new URL('./core/core_bg.wasm', import.meta.url));
start((await WebAssembly.instantiateStreaming(file, imports)).instance.exports);

export * from './index.js';
