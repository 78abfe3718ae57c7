// What a store promises, for every runtime.

const bytes = (...values) => Uint8Array.from(values);
const same = (a, b) => a.length === b.length && a.every((byte, index) => byte === b[index]);

/** Returns what a store doesn't keep of its promises. */
export async function broken(store, { isAtomic = true } = {}) {
  const found = [];
  const expect = (holds, promise) => holds || found.push(promise);
  expect((await store.get('hookgate1.dedup.3.0')) === undefined, 'what is not there is not there');
  expect(await store.compareAndSet('hookgate1.dedup.3.0', bytes(1, 0, 255), undefined), 'writes first');
  const first = await store.get('hookgate1.dedup.3.0');
  expect(same(first.bytes, bytes(1, 0, 255)), 'returns what was written');
  expect((await store.get('hookgate1.dedup.3.1')) === undefined, 'keeps buckets apart');
  expect(await store.compareAndSet('hookgate1.dedup.3.0', bytes(2), first.version), 'writes over');
  expect(same((await store.get('hookgate1.dedup.3.0')).bytes, bytes(2)), 'returns what was written last');
  if (!isAtomic) return found;
  const stale = await store.compareAndSet('hookgate1.dedup.3.0', bytes(3), first.version);
  expect(!stale, 'refuses an old version');
  const absent = await store.compareAndSet('hookgate1.dedup.3.0', bytes(3), undefined);
  expect(!absent, 'refuses to write first what is there');
  expect(same((await store.get('hookgate1.dedup.3.0')).bytes, bytes(2)), 'keeps what it refused to change');
  for (const key of ['hookgate1.dedup.3.0', 'hookgate1.dedup.3.2']) {
    const version = (await store.get(key))?.version;
    const racing = Array.from({ length: 20 }, (_, n) => store.compareAndSet(key, bytes(n), version));
    const won = (await Promise.all(racing)).filter(Boolean);
    expect(won.length === 1, `lets ${won.length} of 20 at once write`);
  }
  return found;
}
