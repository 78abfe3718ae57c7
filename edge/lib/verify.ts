// Whether a delivery is genuine.

import type { Scheme, Secrets } from './config.js';
import { ConfigError, given } from './error.js';
import { head, pairs, type HeadersLike } from './headers.js';
import { json, load } from './load.js';
import { refusal, write, type CoreGate } from './wasm.js';

/** Is a payload as it came: the very bytes, or those bytes read as UTF-8. */
export type Payload = string | ArrayBuffer | ArrayBufferView;

/** Says how deliveries are signed. */
export interface VerifyOptions {
  /** The signing secret, or all of them while they rotate. */
  readonly secret: Secrets;
  /** Default: `stripe`. */
  readonly scheme?: Scheme;
  /** How many seconds a signature may be old, or ahead. Default: 300. */
  readonly tolerance?: number;
  /** Largest payload in bytes. Default: 2 MiB. */
  readonly maxBodyBytes?: number;
  /** Name of the endpoint in the attributes. Default: the scheme's. */
  readonly endpoint?: string;
}

/** Says when a delivery came, in milliseconds since 1970. Default: now. */
export interface Time {
  readonly now?: number;
}

/** Names why a delivery isn't genuine: codes of the gate's own table. */
export type Reason =
  | 'signature_missing'
  | 'signature_malformed'
  | 'timestamp_out_of_tolerance'
  | 'signature_mismatch'
  | 'payload_invalid'
  | 'payload_too_large'
  | 'secret_scope'
  | 'unavailable';

/** Holds a genuine event. Its payload is yours to parse, now that it is. */
export interface Event {
  readonly id: string;
  readonly type: string;
  /** The connected account, if there is one. */
  readonly account: string | null;
  /** Live or test mode, where the payload says. */
  readonly livemode: boolean | null;
  /** When it happened, in unix seconds, where the payload says. */
  readonly created: number | null;
  /** When it was signed, in unix seconds, where the scheme signs that. */
  readonly signedAt: number | null;
  /** Name of the secret that signed. */
  readonly secret: string;
  /** Whether type and account come from headers that nobody signed. */
  readonly unsigned: boolean;
  /** Its CloudEvents attributes, as the gate forwards them. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** Says that a delivery is genuine, or why it isn't. */
export type Outcome =
  | { readonly ok: true; readonly event: Event }
  | {
      readonly ok: false;
      readonly reason: Reason;
      /** The status with which the gate answers. */
      readonly status: number;
      /** What it means and what to do; nothing of the delivery is in it. */
      readonly detail: string;
    };

/** Verifies deliveries under one set of options, checked once. */
export class Verifier {
  readonly #gate: CoreGate;
  readonly #maxBodyBytes: number;

  /** @throws ConfigError if the options can't be used. */
  constructor(options: VerifyOptions) {
    const { secret, scheme = 'stripe', tolerance, maxBodyBytes, endpoint } = given(options);
    const named = typeof scheme === 'string' ? scheme.replaceAll('_', '-') : 'hmac';
    const name = endpoint ?? named;
    const config = {
      name,
      path: '/',
      scheme,
      ...(tolerance !== undefined && {
        tolerance_past_seconds: tolerance,
        tolerance_future_seconds: tolerance,
      }),
      ...(maxBodyBytes !== undefined && { max_body_bytes: maxBodyBytes }),
    };
    this.#gate = load({ endpoints: [config] }, { [name]: secret });
    this.#maxBodyBytes = this.#gate.maxBodyBytes;
  }

  /**
   * Verifies a delivery; never throws, whatever came.
   *
   * @throws ConfigError if `now` is no time.
   */
  verify(payload: Payload, headers: HeadersLike, time?: Time): Outcome {
    const now = instant(time);
    const bytes = bytesOf(payload);
    if (bytes === undefined) {
      const refused = JSON.parse(refusal('payload_invalid')) as Outcome;
      const detail = 'The payload is neither a text nor bytes: give the body as it came, unparsed.';
      return { ...refused, detail } as Outcome;
    }
    if (bytes.length > this.#maxBodyBytes) return JSON.parse(refusal('payload_too_large')) as Outcome;
    const [headBytes, payloadBytes] = write(head(pairs(headers)), bytes);
    const verdict = this.#gate.verify(headBytes, payloadBytes, now);
    if (verdict.startsWith('{')) return JSON.parse(verdict) as Outcome;
    return { ok: true, event: new Genuine(this.#gate, verdict, now) };
  }

  /** Signs as the sender does, for tests: the headers to send beside `headers`. */
  sign(
    payload: Payload,
    headers: HeadersLike = {},
    time?: Time,
  ): Record<string, string> {
    const now = instant(time);
    const bytes = bytesOf(payload);
    if (bytes === undefined) throw new TypeError('the payload is neither a text nor bytes');
    const [headBytes, payloadBytes] = write(head(pairs(headers)), bytes);
    const signed = JSON.parse(this.#gate.sign(headBytes, payloadBytes, now)) as [string, string][];
    return Object.fromEntries(signed);
  }
}

/**
 * Is the event of a verdict's lines; its attributes are made once they are asked
 * for. A class, and not a literal with a getter in it: that took as long to make
 * as a quarter of a small payload's hash.
 */
class Genuine implements Event {
  declare readonly id: string;
  declare readonly type: string;
  declare readonly account: string | null;
  declare readonly livemode: boolean | null;
  declare readonly created: number | null;
  declare readonly signedAt: number | null;
  declare readonly secret: string;
  declare readonly unsigned: boolean;
  declare readonly attributes: Readonly<Record<string, string>>;
  readonly #gate: CoreGate;
  readonly #verdict: string;
  readonly #receivedAt: number;
  #attributes: Record<string, string> | undefined;

  constructor(gate: CoreGate, verdict: string, receivedAt: number) {
    let start = 0;
    const line = () => {
      const from = start;
      const end = verdict.indexOf('\n', from);
      start = end + 1;
      return verdict.slice(from, end);
    };
    this.id = line();
    this.type = line();
    this.account = line() || null;
    this.livemode = truth(line());
    this.created = seconds(line());
    this.signedAt = seconds(line());
    this.secret = line();
    this.unsigned = verdict.slice(start) === 'true';
    Object.defineProperty(this, 'attributes', Genuine.#lazy);
    this.#gate = gate;
    this.#verdict = verdict;
    this.#receivedAt = receivedAt;
  }

  /** Of each event, so that it is shown, copied and written as JSON like the rest. */
  static readonly #lazy = {
    enumerable: true,
    get(this: Genuine): Record<string, string> {
      return (this.#attributes ??= attributesOf(this.#gate, this.#verdict, this.#receivedAt));
    },
  };
}

function truth(text: string): boolean | null {
  return text === '' ? null : text === 'true';
}

function attributesOf(gate: CoreGate, verdict: string, receivedAt: number): Record<string, string> {
  const headers = JSON.parse(gate.attributes(verdict, receivedAt)) as [string, string][];
  return Object.fromEntries(headers.map(([header, value]) => [header.slice('ce-'.length), value]));
}

function seconds(millis: string): number | null {
  return millis === '' ? null : Number(millis) / 1_000;
}

function instant(time: Time | undefined): number {
  const now: unknown = time?.now ?? Date.now();
  if (typeof now === 'number' && now >= 0) return now;
  throw new ConfigError('now: expected milliseconds since 1970');
}

/** Verifiers of options that came lately, so that each is checked once. */
const lately = new Map<string, Verifier>();
const MAX_LATELY = 16;

/**
 * Verifies a delivery; never throws for what came.
 *
 * @throws ConfigError if the options can't be used.
 */
export function verify(
  payload: Payload,
  headers: HeadersLike,
  options: VerifyOptions & Time,
): Outcome {
  return verifierOf(options).verify(payload, headers, options);
}

/**
 * Signs a payload as the sender does, for tests: the headers to send.
 *
 * @throws ConfigError if the options can't be used.
 */
export function sign(
  payload: Payload,
  options: VerifyOptions & Time & { readonly headers?: HeadersLike },
): Record<string, string> {
  return verifierOf(options).sign(payload, options.headers, options);
}

/** What most calls have in common, to know it again without looking it up. */
let last: { readonly secret: string; readonly scheme: Scheme | undefined; readonly verifier: Verifier } | undefined;

function verifierOf(options: VerifyOptions): Verifier {
  const { secret, scheme, tolerance, maxBodyBytes, endpoint } = given(options);
  const isPlain = typeof secret === 'string' && (scheme === undefined || typeof scheme === 'string');
  const isShort =
    isPlain && tolerance === undefined && maxBodyBytes === undefined && endpoint === undefined;
  if (!isShort) return lookedUp(options);
  if (last === undefined || last.secret !== secret || last.scheme !== scheme) {
    last = { secret, scheme, verifier: lookedUp(options) };
  }
  return last.verifier;
}

function lookedUp(options: VerifyOptions): Verifier {
  const { secret, scheme = 'stripe', tolerance, maxBodyBytes, endpoint } = options;
  const isOf = (type: string, value: unknown) => value === undefined || typeof value === type;
  const isTyped =
    isOf('number', tolerance) && isOf('number', maxBodyBytes) && isOf('string', endpoint);
  // What is refused may look like what was not: `1n` like 1.
  if (!isTyped) return new Verifier(options);
  const isPlain = typeof secret === 'string' && typeof scheme === 'string';
  const whose = isPlain ? `${scheme}\n${secret}` : json([scheme, secret]);
  const key = `${tolerance}\n${maxBodyBytes}\n${endpoint}\n${whose}`;
  const known = lately.get(key);
  if (known !== undefined) return known;
  const verifier = new Verifier(options);
  if (lately.size >= MAX_LATELY) {
    const [oldest] = lately.keys();
    lately.delete(oldest!);
  }
  lately.set(key, verifier);
  return verifier;
}

/** Returns a text, or the bytes as they are; nothing for what is neither. */
function bytesOf(payload: unknown): string | Uint8Array | undefined {
  // Half a pair was never a byte: written as UTF-8, it would be another text.
  if (typeof payload === 'string') return payload.isWellFormed() ? payload : undefined;
  try {
    if (ArrayBuffer.isView(payload)) {
      return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
    }
    return payload instanceof ArrayBuffer ? new Uint8Array(payload) : undefined;
  } catch {
    // Handed over to somebody else.
    return undefined;
  }
}
