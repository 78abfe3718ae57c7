// The core's Wasm: one instance, and the buffer through which it takes bytes.

import * as core from './core/core_bg.js';

export { Delivery as CoreDelivery, Gate as CoreGate, refusal } from './core/core_bg.js';

export let memory: WebAssembly.Memory;
let view = new Uint8Array();
const encoder = new TextEncoder();

/** What the module imports: for whoever instantiates it. */
export const imports = { './core_bg.js': core as unknown as WebAssembly.ModuleImports };

/** Takes the instance's exports; each runtime's entry has its own way to them. */
export function start(exports: WebAssembly.Exports): void {
  const glue = core as unknown as { __wbg_set_wasm(exports: WebAssembly.Exports): void };
  glue.__wbg_set_wasm(exports);
  (exports['__wbindgen_start'] as () => void)();
  memory = exports['memory'] as WebAssembly.Memory;
}

/** Longest string for which three bytes a character are set aside. */
const MAX_DIRECT_CHARACTERS = 262_144;

/** Is bytes, or a string to be read as UTF-8. */
export type Bytes = string | Uint8Array;

/**
 * Writes a head and bytes into the core's buffer, and returns how long both are.
 * Good until the core is called again after the next call.
 */
export function write(head: Uint8Array | string, payload: Bytes): [number, number] {
  const text =
    typeof payload === 'string' && payload.length > MAX_DIRECT_CHARACTERS
      ? encoder.encode(payload)
      : payload;
  // UTF-8 takes three bytes at most for what UTF-16 counts as one.
  const most =
    (typeof head === 'string' ? 3 * head.length : head.length) +
    (typeof text === 'string' ? 3 * text.length : text.length);
  const start = core.input(most);
  if (view.buffer !== memory.buffer) view = new Uint8Array(memory.buffer);
  const headBytes = put(head, start, most);
  return [headBytes, put(text, start + headBytes, most)];
}

function put(bytes: Bytes, at: number, most: number): number {
  if (typeof bytes === 'string') {
    return encoder.encodeInto(bytes, view.subarray(at, at + most)).written;
  }
  view.set(bytes, at);
  return bytes.length;
}
