// Cloudflare Durable Objects: each bucket is an object of its own, whose calls
// follow one another.

import type { Store } from './store.js';

/** Is what is used of a Durable Object's namespace. */
export interface DurableObjectNamespaceLike {
  idFromName(name: string): unknown;
  get(id: never): { fetch(url: string, init?: RequestInit): Promise<Response> };
}

/** Is what is used of a Durable Object's state. */
interface State {
  readonly storage: {
    get(key: string): Promise<unknown>;
    put(key: string, value: unknown): Promise<void>;
  };
}

interface Kept {
  readonly bytes: Uint8Array;
  readonly version: number;
}

const VERSION = 'x-version';
const URL_OF_OBJECT = 'https://bucket/';

/** Keeps buckets in Durable Objects of the class {@link HookgateBucket}: exact. */
export function durableObjectStore(namespace: DurableObjectNamespaceLike): Store {
  const object = (key: string) => namespace.get(namespace.idFromName(key) as never);
  return {
    async get(key) {
      const answer = await object(key).fetch(URL_OF_OBJECT);
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw new Error(`the object answers ${answer.status}`);
      const bytes = new Uint8Array(await answer.arrayBuffer());
      return { bytes, version: answer.headers.get(VERSION) };
    },
    async compareAndSet(key, bytes, version) {
      const headers = { [VERSION]: version === undefined ? '' : String(version) };
      const init = { method: 'PUT', headers, body: bytes as BodyInit };
      const answer = await object(key).fetch(URL_OF_OBJECT, init);
      if (answer.status !== 204 && answer.status !== 412) {
        throw new Error(`the object answers ${answer.status}`);
      }
      return answer.status === 204;
    },
  };
}

/** Is the Durable Object of one bucket: export it from the Worker. */
export class HookgateBucket {
  readonly #storage: State['storage'];

  constructor(state: State) {
    this.#storage = state.storage;
  }

  async fetch(request: Request): Promise<Response> {
    if (request.method === 'PUT') {
      const bytes = new Uint8Array(await request.arrayBuffer());
      // Nothing else runs in the object between this read and this write: it
      // lets no call in while its storage works.
      const current = await this.#kept();
      const version = current === undefined ? '' : String(current.version);
      if (version !== request.headers.get(VERSION)) return new Response(null, { status: 412 });
      const next: Kept = { bytes, version: (current?.version ?? 0) + 1 };
      await this.#storage.put('bucket', next);
      return new Response(null, { status: 204 });
    }
    const current = await this.#kept();
    if (current === undefined) return new Response(null, { status: 404 });
    const headers = { [VERSION]: String(current.version) };
    return new Response(current.bytes as BodyInit, { headers });
  }

  async #kept(): Promise<Kept | undefined> {
    return (await this.#storage.get('bucket')) as Kept | undefined;
  }
}
