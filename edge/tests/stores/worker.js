// The stores of Cloudflare, tried in workerd.

import { HookgateBucket, durableObjectStore, kvStore } from 'hookgate';

import { broken } from './contract.js';

export { HookgateBucket };

export default {
  async fetch(request, env) {
    const found = {
      objects: await broken(durableObjectStore(env.BUCKETS)),
      kv: await broken(kvStore(env.KV), { isAtomic: false }),
    };
    return Response.json(found);
  },
};
