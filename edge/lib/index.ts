export { ConfigError } from './error.js';
export type { EndpointConfig, GateConfig, Hmac, Place, Scheme, Secret, Secrets } from './config.js';
export type { HeadersLike } from './headers.js';
export {
  Verifier,
  sign,
  verify,
  type Event,
  type Outcome,
  type Payload,
  type Reason,
  type Time,
  type VerifyOptions,
} from './verify.js';
export {
  Gate,
  type GateOptions,
  type HandleOptions,
  type Upstream,
} from './gate.js';
export type { Ended } from './ended.js';
export { memoryStore, type Bucket, type Store } from './store.js';
export {
  HookgateBucket,
  durableObjectStore,
  type DurableObjectNamespaceLike,
} from './durable-object.js';
export { kvStore, type KvNamespaceLike } from './kv.js';
export { redisStore, type RedisOptions } from './redis.js';
