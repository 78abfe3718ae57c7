// One delivery at a gate: the core decides, this asks the store for it.

import type { Ended } from './ended.js';
import { checked } from './error.js';
import { CoreDelivery, write, type Bytes, type CoreGate } from './wasm.js';
import type { Store } from './store.js';

/** Is what the core wants next. */
export type Next =
  | { readonly next: 'load'; readonly key: string }
  | { readonly next: 'store'; readonly key: string; readonly version: number }
  | { readonly next: 'hold' }
  | Reply
  | Forward
  | { readonly next: 'settled'; readonly instead: number | null };

/** Is an answer of the gate's own. */
export interface Reply {
  readonly next: 'reply';
  readonly status: number;
  readonly headers: [string, string][];
  readonly body: string;
}

/** Says how to change a request before it goes to the upstream. */
export interface Forward {
  readonly next: 'forward';
  readonly remove: string[];
  readonly set: [string, string][];
}

/** Drives a delivery of the core over a store. */
export class Delivery {
  readonly #delivery: CoreDelivery;
  readonly #store: Store;

  constructor(gate: CoreGate, store: Store) {
    this.#delivery = new CoreDelivery(gate);
    this.#store = store;
  }

  /** @throws ConfigError if the source is no IP address. */
  async headers(head: Bytes, source: string | undefined): Promise<Next> {
    const [headBytes] = write(head, '');
    const next = checked(() => this.#delivery.headers(headBytes, source, Date.now()));
    return this.#run('', next);
  }

  body(chunk: Uint8Array): Promise<Next> {
    const [, bytes] = write('', chunk);
    return this.#run(chunk, this.#delivery.body(bytes, Date.now()));
  }

  end(payload: Uint8Array): Promise<Next> {
    const entropy = crypto.getRandomValues(new Uint8Array(32));
    const [, bytes] = write('', payload);
    return this.#run(payload, this.#delivery.end(bytes, Date.now(), entropy));
  }

  /** Settles; returns the status to give instead of one that isn't true. */
  async answered(status: number, byUpstream: boolean): Promise<number | null> {
    const next = await this.#run('', this.#delivery.answered(status, byUpstream, Date.now()));
    return next.next === 'settled' ? next.instead : null;
  }

  async closed(): Promise<void> {
    await this.#run('', this.#delivery.closed(Date.now()));
  }

  ended(): Ended {
    return JSON.parse(this.#delivery.ended()) as Ended;
  }

  free(): void {
    this.#delivery.free();
  }

  /** Asks the store for as long as the core wants to know something of it. */
  async #run(input: Bytes, first: string): Promise<Next> {
    const versions: unknown[] = [];
    let next = JSON.parse(first) as Next;
    while (next.next === 'load' || next.next === 'store') {
      try {
        if (next.next === 'load') {
          const bucket = await inTime(this.#store.get(next.key));
          if (bucket === undefined) this.#delivery.loaded(new Uint8Array(), undefined);
          else this.#delivery.loaded(bytesOf(bucket.bytes), versions.push(bucket.version) - 1);
        } else {
          const { key, version } = next;
          const known = version < 0 ? undefined : versions[version];
          const written = await inTime(
            this.#store.compareAndSet(key, this.#delivery.value(), known),
          );
          this.#delivery.stored(written);
        }
      } catch {
        // The core closes the gate; what went wrong is the store's to tell.
        this.#delivery.failed();
      }
      const [, bytes] = write('', input);
      next = JSON.parse(this.#delivery.go(bytes)) as Next;
    }
    return next;
  }
}

/** How long a store may take for one answer, in milliseconds. */
const STORE_TIMEOUT = 5_000;

/** Waits for a store, but not for ever: a sender would wait as long. */
async function inTime<T>(answer: T | Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, giveUp) => {
    timer = setTimeout(() => giveUp(new Error('the store does not answer')), STORE_TIMEOUT);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Takes a store at its word only as far as there are bytes. */
function bytesOf(given: unknown): Uint8Array {
  if (!ArrayBuffer.isView(given)) throw new TypeError('a bucket of the store is no bytes');
  return new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
}
