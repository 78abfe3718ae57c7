// Cloudflare KV: no compare-and-set, and reads that may be a minute old.

import type { Store } from './store.js';

/** Is what is used of a KV namespace. */
export interface KvNamespaceLike {
  get(key: string, type: 'arrayBuffer'): Promise<ArrayBuffer | null>;
  put(key: string, value: Uint8Array): Promise<void>;
}

/**
 * Keeps buckets in KV, with a weaker guarantee: deliveries that race each other,
 * or come within a minute at two places, may all be forwarded, and a commit may
 * be forgotten when another bucket's write passes it. What it answers as a
 * duplicate was stored: it only ever returns what a gate wrote. Have an upstream
 * behind it that stores each event once.
 */
export function kvStore(namespace: KvNamespaceLike): Store {
  return {
    async get(key) {
      const bytes = await namespace.get(key, 'arrayBuffer');
      return bytes === null ? undefined : { bytes: new Uint8Array(bytes), version: null };
    },
    async compareAndSet(key, bytes) {
      await namespace.put(key, bytes);
      return true;
    },
  };
}
