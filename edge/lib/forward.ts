// The headers on both sides of a gate.

import type { Forward } from './delivery.js';
import { ConfigError } from './error.js';

/** Belong to one connection or to the body's form on it, and aren't passed on. */
const HOP_BY_HOP = [
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** Directions of the core to Envoy, which are followed here. */
const ROUTE = 'x-hookgate-route';
const TIMEOUT = 'x-envoy-upstream-rq-timeout-ms';

/**
 * Makes the headers for the upstream: the sender's, the gate's, the operator's.
 *
 * @throws ConfigError if one of the operator's is none; its value may be a secret.
 */
export function forwarded(
  sent: Headers,
  forward: Forward,
  own: Readonly<Record<string, string>> = {},
): { headers: Headers; route?: string; timeout?: number } {
  const headers = new Headers(sent);
  for (const name of HOP_BY_HOP) headers.delete(name);
  for (const name of forward.remove) headers.delete(name);
  for (const [name, value] of forward.set) headers.set(name, value);
  const route = headers.get(ROUTE);
  const timeout = headers.get(TIMEOUT);
  headers.delete(ROUTE);
  headers.delete(TIMEOUT);
  for (const [name, value] of Object.entries(own)) {
    try {
      headers.set(name, value);
    } catch {
      throw new ConfigError(`headers.${name}: found what no header can have`);
    }
  }
  return {
    headers,
    ...(route !== null && { route }),
    ...(timeout !== null && { timeout: Number(timeout) }),
  };
}

/** Statuses whose answers have no body. */
const WITHOUT_BODY = [204, 205, 304];

/** Passes an upstream's answer on, whose body `fetch` has decoded. */
export function passedOn(response: Response, status: number): Response {
  const headers = new Headers(response.headers);
  for (const name of [...HOP_BY_HOP, 'content-encoding']) headers.delete(name);
  // One that its function has read can't be read again.
  const isGone = WITHOUT_BODY.includes(status) || response.bodyUsed;
  const body = isGone ? null : response.body;
  return new Response(body, { status, headers });
}
