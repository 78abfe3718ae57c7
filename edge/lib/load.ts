// The core's gate of a configuration and its secrets.

import type { EndpointConfig, GateConfig, Secrets } from './config.js';
import { ConfigError, checked } from './error.js';
import { CoreGate } from './wasm.js';

const KEYRING = 'edge';

/** Makes the core's gate of both. */
export function load(config: GateConfig, secrets: Readonly<Record<string, Secrets>>): CoreGate {
  const { endpoints } = config;
  if (!Array.isArray(endpoints)) throw new ConfigError('endpoints: expected a list');
  const complete = {
    ...config,
    endpoints: endpoints.map((endpoint: object) => ({ ...endpoint, keyring: KEYRING })),
    keyrings: [{ name: KEYRING, filter_state: KEYRING }],
  };
  const gate = checked(() => new CoreGate(json(complete), keyring(secrets)));
  belong(secrets, namesOf(endpoints as EndpointConfig[]));
  return gate;
}

/** Lists the names of endpoints. */
export function namesOf(endpoints: readonly EndpointConfig[]): string[] {
  return endpoints.map(({ name }) => name);
}

/**
 * Checks that each endpoint has secrets and that there are none of another: a
 * slip in a name would leave them unused, and nobody would know.
 *
 * @throws ConfigError that names the first.
 */
export function belong(
  secrets: Readonly<Record<string, Secrets>>,
  endpoints: readonly string[],
): void {
  for (const name of endpoints) {
    if (!Object.hasOwn(secrets, name)) throw missing(name);
  }
  const other = Object.keys(secrets).find((name) => !endpoints.includes(name));
  if (other !== undefined) throw new ConfigError(`${place(other)}: found no endpoint of this name`);
}

/** The form of an endpoint's name. */
const NAME = /^[a-z0-9-]{1,64}$/;

/** Says whose secrets; what is no name may be a secret in a name's place. */
function place(endpoint: string): string {
  return NAME.test(endpoint) ? `secrets.${endpoint}` : 'secrets, a key that is no name';
}

function missing(endpoint: string): ConfigError {
  return new ConfigError(`${place(endpoint)}: found none; is its variable set?`);
}

/** Writes a keyring as the core reads it. */
export function keyring(secrets: Readonly<Record<string, Secrets>>): string {
  if (typeof secrets !== 'object' || secrets === null) {
    throw new ConfigError('secrets: expected those of each endpoint, by its name');
  }
  const endpoints: Record<string, unknown> = {};
  for (const [endpoint, own] of Object.entries(secrets)) {
    if (own === undefined || own === null) throw missing(endpoint);
    const list: unknown = typeof own === 'string' ? [own] : own;
    if (!Array.isArray(list)) throw new ConfigError(`${place(endpoint)}: expected a text or a list`);
    endpoints[endpoint] = list.map((one: unknown, index) =>
      typeof one === 'string' ? { name: `secret-${index + 1}`, secret: one } : one,
    );
  }
  return json({ endpoints });
}

/**
 * Writes options as JSON.
 *
 * @throws ConfigError for what JSON can't hold. Some of that it would leave out,
 * and an option that isn't there has a default.
 */
export function json(options: unknown): string {
  try {
    return JSON.stringify(options, (_, value: unknown) => {
      if (['bigint', 'symbol', 'function'].includes(typeof value)) throw new TypeError();
      return value;
    });
  } catch {
    // Where is not said: near secrets nothing is quoted.
    throw new ConfigError('options: found what JSON cannot hold, such as a BigInt or a symbol');
  }
}
