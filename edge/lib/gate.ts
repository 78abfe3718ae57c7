// A whole gateway for webhooks, from a `Request` to a `Response`.

import type { GateConfig, Secrets } from './config.js';
import { Delivery, type Forward, type Reply } from './delivery.js';
import type { Ended } from './ended.js';
import { ConfigError, checked, given } from './error.js';
import { forwarded, passedOn } from './forward.js';
import { Gathered } from './gathered.js';
import { head } from './headers.js';
import { belong, keyring, load, namesOf } from './load.js';
import { memoryStore, type Store } from './store.js';
import type { CoreGate } from './wasm.js';

/** Is where verified events go: an address, or what answers for one. */
export type Upstream = string | URL | ((request: Request) => Response | Promise<Response>);

/** Holds a gate's configuration, its secrets, and where it remembers. */
export interface GateOptions extends GateConfig {
  /** The signing secrets of each endpoint, by its name. */
  readonly secrets: Readonly<Record<string, Secrets>>;
  /** Default: this process's memory. */
  readonly store?: Store;
}

/** Says where one delivery goes. */
export interface HandleOptions {
  /** Gets the verified event with its `ce-*` headers; its 2xx says: stored. */
  readonly upstream: Upstream;
  /** Where the events of a policy's routes go, by the route's name. */
  readonly routes?: Readonly<Record<string, Upstream>>;
  /** Headers for the upstream, such as the `authorization` of a gate token. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The sender's IP address, for quotas and ranges; from a source that you trust. */
  readonly address?: string;
  /** Is told how the delivery ended, for logs and metrics; what it throws is dropped. */
  readonly observe?: (ended: Ended) => void;
}

/** Answers where the upstream itself gave no answer. */
const UNAVAILABLE = 503;
const GATEWAY_TIMEOUT = 504;

/** How much of a body is judged at once: a sender may send each byte by itself. */
const BATCH_BYTES = 16_384;

/** Verifies, judges, deduplicates and forwards deliveries. */
export class Gate {
  readonly #gate: CoreGate;
  readonly #endpoints: readonly string[];
  readonly #store: Store;

  /** @throws ConfigError if the options can't be used. */
  constructor(options: GateOptions) {
    const { secrets, store = memoryStore(), ...config } = given(options);
    this.#gate = load(config, secrets);
    this.#endpoints = namesOf(config.endpoints);
    this.#store = store;
  }

  /**
   * Takes other secrets, all of them; deliveries that have begun end with those
   * before.
   *
   * @throws ConfigError if they can't be used: those before stay.
   */
  rotate(secrets: Readonly<Record<string, Secrets>>): void {
    const text = keyring(secrets);
    belong(secrets, this.#endpoints);
    checked(() => this.#gate.rotate(text));
  }

  /**
   * Takes a delivery and returns what its sender is to be told. The request's
   * body is read to its bound and no further; 2xx comes from the upstream, or
   * for an event that it has confirmed before.
   *
   * @throws ConfigError if the options can't be used.
   */
  async handle(request: Request, options: HandleOptions): Promise<Response> {
    const { address, upstream } = given(options);
    if (upstream === undefined || upstream === null) {
      throw new ConfigError('upstream: expected an address or a function');
    }
    // What is no text is no address, as the core says of one that is none.
    const source = address === undefined || typeof address === 'string' ? address : '';
    const delivery = new Delivery(this.#gate, this.#store);
    try {
      const step = await this.#admit(delivery, request, source);
      if ('reply' in step) return answer(step.reply);
      return await this.#forward(delivery, request, step, options);
    } finally {
      // Whatever was left open, such as by a sender that went away.
      await delivery.closed();
      tell(options.observe, delivery.ended());
      delivery.free();
    }
  }

  /** Verifies and reserves; nothing has gone to the upstream yet. */
  async #admit(
    delivery: Delivery,
    request: Request,
    address: string | undefined,
  ): Promise<{ reply: Reply } | { forward: Forward; payload: Uint8Array }> {
    const { pathname } = new URL(request.url);
    const headers: [string, string][] = [
      [':method', request.method],
      [':path', pathname],
      ...request.headers,
    ];
    const admitted = await delivery.headers(head(headers), address);
    if (admitted.next === 'reply') {
      discard(request.body);
      return { reply: admitted };
    }
    const gathered = new Gathered();
    const reader = request.body?.getReader();
    for (let done = false; !done; ) {
      try {
        const part = await reader?.read();
        done = part?.done ?? true;
        // Past the bound one byte says as much as all of them.
        if (!done) gathered.add(part?.value, this.#gate.maxBodyBytes + 1);
      } catch {
        // The sender went away, or the stream is none of bytes.
        return { reply: this.#unavailable(UNAVAILABLE) };
      }
      if (gathered.fresh < BATCH_BYTES && !done) continue;
      const step = await delivery.body(gathered.take());
      if (step.next === 'reply') {
        discard(reader);
        return { reply: step };
      }
    }
    const payload = gathered.whole;
    const decided = await delivery.end(payload);
    if (decided.next === 'reply') return { reply: decided };
    if (decided.next === 'forward') return { forward: decided, payload };
    throw new Error('the core neither answers nor forwards');
  }

  async #forward(
    delivery: Delivery,
    request: Request,
    { forward, payload }: { forward: Forward; payload: Uint8Array },
    options: HandleOptions,
  ): Promise<Response> {
    const { headers, route, timeout } = forwarded(request.headers, forward, options.headers);
    const upstream = route === undefined ? options.upstream : own(options.routes, route);
    if (upstream === undefined) return this.#unanswered(delivery, UNAVAILABLE);
    const late = new AbortController();
    const { signal } = late;
    let timer: ReturnType<typeof setTimeout> | undefined;
    // A function may never look at the signal. Nothing listens to it here: in Node
    // a listener that leads to the request keeps both for ever.
    const waited = new Promise<never>((_, giveUp) => {
      const end = () => {
        late.abort();
        giveUp(signal.reason as Error);
      };
      timer = timeout === undefined ? undefined : setTimeout(end, timeout);
    });
    let response: Response;
    try {
      response = await Promise.race([ask(upstream, { headers, payload, signal }), waited]);
    } catch {
      return this.#unanswered(delivery, signal.aborted ? GATEWAY_TIMEOUT : UNAVAILABLE);
    } finally {
      clearTimeout(timer);
    }
    const status = statusOf(response);
    if (status === undefined) return this.#unanswered(delivery, UNAVAILABLE);
    const instead = await delivery.answered(status, true);
    return passedOn(response, instead ?? status);
  }

  /** Answers for an upstream that gave no answer, and gives the event back. */
  async #unanswered(delivery: Delivery, status: number): Promise<Response> {
    await delivery.answered(status, false);
    return answer(this.#unavailable(status));
  }

  #unavailable(status: number): Reply {
    const reply = JSON.parse(this.#gate.unavailable()) as Reply;
    const body = reply.body.replace(`"status":${reply.status}`, `"status":${status}`);
    return { ...reply, status, body };
  }
}

/** Tells an observer, who can't keep an answer back. */
function tell(observe: HandleOptions['observe'], ended: Ended): void {
  // It has its own ways to say what fails in it, at once or later.
  new Promise((resolve) => resolve(observe?.(ended))).catch(() => undefined);
}

/** Looks a name up that may be one of those that every object has. */
function own<T>(values: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return values !== undefined && Object.hasOwn(values, name) ? values[name] : undefined;
}

/**
 * Returns an answer's status; none for what is no answer, such as what a
 * function forgot to return, or what a browser's rules hide.
 */
function statusOf(response: Response | null | undefined): number | undefined {
  const status: unknown = response?.status;
  return Number.isInteger(status) && (status as number) >= 200 && (status as number) <= 599
    ? (status as number)
    : undefined;
}

/** Lets go of a body that nobody reads; whether that works is the sender's. */
function discard(body: { cancel(): Promise<void> } | null | undefined): void {
  body?.cancel().catch(() => undefined);
}

async function ask(
  upstream: Upstream,
  sent: { headers: Headers; payload: Uint8Array; signal: AbortSignal },
): Promise<Response> {
  const { headers, payload, signal } = sent;
  const url = typeof upstream === 'function' ? 'https://upstream/' : upstream;
  const request = new Request(url, {
    method: 'POST',
    headers,
    body: payload as BodyInit,
    // One that is followed may end at a 200 that nobody meant.
    redirect: 'manual',
    signal,
  });
  return typeof upstream === 'function' ? upstream(request) : fetch(request);
}

function answer({ status, headers, body }: Reply): Response {
  return new Response(body, { status, headers });
}
