// The core's gate of a configuration and its secrets.

import type { GateConfig, Secrets } from './config.js';
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
  const gate = checked(() => new CoreGate(JSON.stringify(complete), keyring(secrets)));
  for (const { name } of endpoints as { name: string }[]) {
    if (!Object.hasOwn(secrets, name)) throw missing(name);
  }
  return gate;
}

function missing(endpoint: string): ConfigError {
  return new ConfigError(`secrets.${endpoint}: found none; is its variable set?`);
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
    if (!Array.isArray(list)) throw new ConfigError(`secrets.${endpoint}: expected a text or a list`);
    endpoints[endpoint] = list.map((one: unknown, index) =>
      typeof one === 'string' ? { name: `secret-${index + 1}`, secret: one } : one,
    );
  }
  return JSON.stringify({ endpoints });
}
