// Redis over HTTP, as Upstash speaks it: a command is a JSON array that is
// posted, its answer `{"result": …}` or `{"error": …}`.

import { decode, encode } from './base64.js';
import type { Store } from './store.js';

/** Says where the Redis is. */
export interface RedisOptions {
  /** Where commands are posted. */
  readonly url: string | URL;
  /** Bearer token. */
  readonly token: string;
  /** What stands before the keys, for a Redis that several gates use. */
  readonly prefix?: string;
  /** How long an answer may take, in milliseconds. Default: 2,000. */
  readonly timeout?: number;
  /** Default: the runtime's own. */
  readonly fetch?: typeof fetch;
}

/**
 * Writes unless the value is another than was read. A state is its bytes: one
 * that comes back is the same state, so its value is its version.
 */
const COMPARE_AND_SET = `local current = redis.call('GET', KEYS[1])
if (current or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1`;

/** Keeps buckets in Redis: exact, for as long as it keeps what it was given. */
export function redisStore(options: RedisOptions): Store {
  const { url, prefix = '', timeout = 2_000, fetch: send = fetch } = options;
  // Only in here, so that nothing that shows the store shows it.
  const authorization = `Bearer ${options.token}`;
  const command = async (...words: string[]): Promise<unknown> => {
    const answer = await send(url, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(words),
      redirect: 'manual',
      signal: AbortSignal.timeout(timeout),
    });
    if (!answer.ok) throw new Error(`Redis answers ${answer.status}`);
    const { result } = (await answer.json()) as { result?: unknown };
    if (result === undefined) throw new Error('Redis answers an error');
    return result;
  };
  return {
    async get(key) {
      const text = await command('GET', prefix + key);
      if (text === null) return undefined;
      if (typeof text !== 'string') throw new Error('Redis answers no text');
      return { bytes: decode(text), version: text };
    },
    async compareAndSet(key, bytes, version) {
      const before = typeof version === 'string' ? version : '';
      const after = encode(bytes);
      return (await command('EVAL', COMPARE_AND_SET, '1', prefix + key, before, after)) === 1;
    },
  };
}
