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
