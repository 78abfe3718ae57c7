// The gate's configuration as JavaScript writes it: its endpoints without
// keyrings, and the secrets beside them.

/** Describes a scheme of one's own: `scheme.hmac` of the gate's configuration. */
export interface Hmac {
  readonly signature_header: string;
  readonly encoding: 'hex' | 'base64';
  readonly prefix?: string;
  readonly signed?: readonly ('body' | { readonly text: string } | { readonly header: string })[];
  readonly timestamp_header?: string;
  readonly id?: Place;
  readonly type?: Place;
  readonly account?: Place;
}

/** Says where an attribute of an event is. */
export type Place = { readonly header: string } | { readonly field: string };

/** Names how a sender signs. */
export type Scheme =
  | 'stripe'
  | 'standard_webhooks'
  | 'github'
  | 'shopify'
  | 'slack'
  | { readonly hmac: Hmac };

/** Holds a signing secret with its name, times of validity and scope. */
export interface Secret {
  /** Name in `secretname`, `[a-z0-9-]{1,64}`. */
  readonly name: string;
  /** The secret as the sender shows it. */
  readonly secret: string;
  /** RFC 3339: before it, it verifies nothing. */
  readonly not_before?: string;
  /** RFC 3339: from then on it verifies nothing. */
  readonly not_after?: string;
  /** The mode that it signs; for Stripe only. */
  readonly livemode?: boolean;
  /** Whether it signs events of connected accounts, or of the platform. */
  readonly connect?: boolean;
}

/** Holds the secrets of one endpoint: one, or all that are valid in a rotation. */
export type Secrets = string | readonly (string | Secret)[];

/** Holds one endpoint, by the names of the gate's configuration. */
export interface EndpointConfig {
  readonly name: string;
  readonly path: string;
  readonly source?: string;
  readonly scheme?: Scheme;
  readonly tolerance_past_seconds?: number;
  readonly tolerance_future_seconds?: number;
  readonly max_body_bytes?: number;
  readonly policy?: Readonly<Record<string, unknown>>;
  readonly quotas?: Readonly<Record<string, unknown>>;
}

/**
 * Holds the gate's configuration: the same JSON as the one in Envoy, without
 * `keyrings`, and without `pass_unknown_paths`.
 */
export interface GateConfig {
  readonly endpoints: readonly EndpointConfig[];
  readonly quotas?: Readonly<Record<string, unknown>>;
  readonly dedup?: {
    readonly max_entries?: number;
    readonly retention_seconds?: number;
    readonly lease_seconds?: number;
  };
  readonly upstream_timeout_seconds?: number;
  readonly trust_traceparent?: boolean;
}
