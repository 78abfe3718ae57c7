// Where a gate remembers which events are stored, and which are on their way.

/** Holds a bucket's bytes, and what the store calls this state of them. */
export interface Bucket {
  readonly bytes: Uint8Array;
  readonly version: unknown;
}

/**
 * Keeps buckets of at most 2 kB under names of ASCII.
 *
 * `compareAndSet` writes only if the bucket still has the version that `get`
 * gave, `undefined` for one that wasn't there, and says whether it did. A store
 * whose answer isn't atomic lets deliveries that race each other through; none
 * makes a gate answer `duplicate` for what its upstream never confirmed, as long
 * as it returns only what was written. Throw where the store fails: the gate is
 * closed then.
 */
export interface Store {
  get(key: string): Bucket | undefined | Promise<Bucket | undefined>;
  compareAndSet(key: string, bytes: Uint8Array, version: unknown): boolean | Promise<boolean>;
}

/** Keeps buckets in this process: exact for as long as it lives, and for it alone. */
export function memoryStore(): Store {
  const buckets = new Map<string, { bytes: Uint8Array; version: number }>();
  return {
    get: (key) => buckets.get(key),
    compareAndSet(key, bytes, version) {
      const current = buckets.get(key)?.version;
      if (current !== version) return false;
      buckets.set(key, { bytes, version: (current ?? 0) + 1 });
      return true;
    },
  };
}
