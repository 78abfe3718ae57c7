/** Says how a delivery ended and what it was about. */
export interface Ended {
  /** Name of the endpoint, if there is one. */
  readonly endpoint: string | null;
  /** The kind of end, as in the gate's metrics: `committed`, `refused`, … */
  readonly outcome: string | null;
  /** Why, as in the gate's metrics: `stored`, `signature_mismatch`, … */
  readonly reason: string | null;
  readonly id: string | null;
  readonly type: string | null;
  readonly account: string | null;
  /** Name of the secret that signed. */
  readonly secret: string | null;
  readonly traceId: string | null;
}
