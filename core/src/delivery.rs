//! One delivery, from its headers to its settlement.
//!
//! ```text
//! headers() ─► Hold ─► body()* ─► end() ─► Forward ─► answered() ─► stored │ released
//!    └─► Reply │ Pass      └─► Reply  └─► Reply            └─ closed() ─────► released
//! ```
//! A host calls the verbs in this order and does what each one answers. Called
//! out of order they answer `unavailable`: the gate fails closed.

mod verified;

use alloc::{boxed::Box, rc::Rc, string::String, vec::Vec};

pub use verified::Identified;
use verified::{Verified, Verifying};

use crate::{
    dedup::{Table, Token},
    forward::{self, Forward},
    gate::{Endpoint, Gate},
    identity::Fingerprint,
    outcome::Outcome,
    reply::{Code, Reply},
    request::RequestHead,
    shared::SharedStore,
    signature::{SignatureError, SignatureHeader},
    time::Timestamp,
    trace::TraceParent,
};

/// Tells a host what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Hold everything back and call again with what comes.
    Hold,
    /// Not for this gate: let it pass, without the headers named here.
    Pass {
        /// Names of headers to remove.
        remove: Vec<String>,
    },
    /// Answer the sender, let nothing through.
    Reply(Reply),
    /// Let the held request through with these headers.
    Forward(Forward),
}

/// Holds random bits for one delivery: 32 bytes of a good source.
#[derive(Debug, Clone, Copy)]
pub struct Entropy(pub [u8; 32]);

/// Says who made an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The upstream itself.
    Upstream,
    /// The host: a timeout, a reset, a local reply.
    Host,
}

/// Drives one delivery.
#[derive(Default)]
pub struct Delivery {
    endpoint: Option<Rc<Endpoint>>,
    stage: Stage,
    identified: Option<Identified>,
    calls_itself_grpc: bool,
}

#[derive(Default)]
enum Stage {
    #[default]
    New,
    Verifying(Box<Verifying>),
    Forwarded(Option<Reservation>),
    Ended(Outcome),
}

#[derive(Clone, Copy)]
struct Reservation {
    table: Table,
    fingerprint: Fingerprint,
    token: Token,
}

impl Delivery {
    /// Returns the endpoint, once the headers have named one.
    #[must_use]
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_deref()
    }

    /// Returns what the event is called, once its payload is verified.
    #[must_use]
    pub const fn identified(&self) -> Option<&Identified> {
        self.identified.as_ref()
    }

    /// Returns how the delivery ended, if it has.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        match self.stage {
            Stage::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Tells whether the upstream has the delivery and has not answered yet.
    #[must_use]
    pub const fn is_forwarded(&self) -> bool {
        matches!(self.stage, Stage::Forwarded(_))
    }

    /// Tells whether [`Self::answered`] has to see the answer: the upstream's,
    /// or one that the host may have turned into a 2xx.
    #[must_use]
    pub const fn awaits_answer(&self) -> bool {
        self.is_forwarded() || self.calls_itself_grpc
    }

    /// Judges the request's headers: all that can be refused without a body.
    ///
    /// Call again with [`Self::body`] and [`Self::end`] after `Hold`.
    pub fn headers(&mut self, gate: &Gate, head: RequestHead<'_>, now: Timestamp) -> Step {
        let untrusted = || {
            let names = head.0.iter().map(|(name, _)| name.as_str());
            forward::untrusted(names, gate.settings.trust_traceparent)
        };
        self.calls_itself_grpc = head.calls_itself_grpc();
        let path = head.only(":path").unwrap_or_default();
        let Some(endpoint) = gate.endpoint(path) else {
            if gate.settings.pass_unknown_paths {
                self.stage = Stage::Ended(Outcome::Passed);
                return Step::Pass {
                    remove: untrusted(),
                };
            }
            return self.reply(Code::EndpointUnknown);
        };
        self.endpoint = Some(Rc::clone(&endpoint));
        match admit(&endpoint, head, now) {
            Err(code) => self.reply(code),
            Ok(header) => {
                let trace = head.only("traceparent").and_then(TraceParent::parse);
                self.stage = Stage::Verifying(Box::new(Verifying {
                    verifier: header.verifier(&endpoint.secrets),
                    endpoint,
                    header,
                    received_at: now,
                    body_bytes: 0,
                    untrusted: untrusted(),
                    trace: trace.filter(|_| gate.settings.trust_traceparent),
                    settings: gate.settings,
                }));
                Step::Hold
            }
        }
    }

    /// Takes the next bytes of the payload.
    pub fn body(&mut self, chunk: &[u8]) -> Step {
        match &mut self.stage {
            Stage::Verifying(held) => {
                let chunk_bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
                held.body_bytes = held.body_bytes.saturating_add(chunk_bytes);
                if held.body_bytes > held.endpoint.config.max_body_bytes {
                    return self.reply(Code::PayloadTooLarge);
                }
                held.verifier.update(chunk);
                Step::Hold
            }
            Stage::Ended(Outcome::Answered(_)) => Step::Hold,
            Stage::Ended(Outcome::Passed) => Step::Pass { remove: Vec::new() },
            _ => self.reply(Code::Unavailable),
        }
    }

    /// Decides, once the whole payload has been given to [`Self::body`].
    ///
    /// `payload` is the same bytes in one piece. Without entropy nothing can be
    /// reserved, so the gate is closed.
    pub fn end(
        &mut self,
        payload: &[u8],
        now: Timestamp,
        entropy: Option<Entropy>,
        store: &mut impl SharedStore,
    ) -> Step {
        match core::mem::take(&mut self.stage) {
            Stage::Verifying(held) => match held.verify(payload, entropy) {
                Ok(verified) => self.settle(verified, now, store),
                Err(code) => self.reply(code),
            },
            Stage::Ended(Outcome::Answered(code)) => {
                self.stage = Stage::Ended(Outcome::Answered(code));
                Step::Hold
            }
            Stage::Ended(Outcome::Passed) => {
                self.stage = Stage::Ended(Outcome::Passed);
                Step::Pass { remove: Vec::new() }
            }
            _ => self.reply(Code::Unavailable),
        }
    }

    /// Settles a forwarded delivery by the answer's status, and returns the
    /// status to give the sender instead, if this one is not true.
    ///
    /// Only a 2xx that the upstream itself gave commits the identity. A host
    /// can make one too: it refuses a request that calls itself gRPC with 200
    /// and a `grpc-status`.
    pub fn answered(
        &mut self,
        status: u16,
        origin: Origin,
        now: Timestamp,
        store: &mut impl SharedStore,
    ) -> Option<u16> {
        let is_success = (200..300).contains(&status);
        if let Stage::Forwarded(reservation) = self.stage {
            if is_success && origin == Origin::Upstream {
                self.commit(reservation, now, store);
            } else {
                self.release(reservation, store);
            }
        }
        let truth = match self.stage {
            _ if !is_success || origin == Origin::Upstream => status,
            Stage::Ended(Outcome::Passed) => status,
            Stage::Ended(Outcome::Answered(code)) => code.status(),
            _ => Code::Unavailable.status(),
        };
        (truth != status).then_some(truth)
    }

    /// Ends a delivery whose stream is gone, whatever its state.
    pub fn closed(&mut self, store: &mut impl SharedStore) {
        match self.stage {
            Stage::Forwarded(reservation) => self.release(reservation, store),
            Stage::Ended(_) => {}
            Stage::New | Stage::Verifying(_) => self.stage = Stage::Ended(Outcome::Aborted),
        }
    }

    fn settle(&mut self, verified: Verified, now: Timestamp, store: &mut impl SharedStore) -> Step {
        self.identified = Some(verified.identified().clone());
        match verified.reserve(now, store) {
            Ok((forward, reservation)) => {
                self.stage = Stage::Forwarded(reservation);
                Step::Forward(forward)
            }
            Err(reply) => self.reply(reply),
        }
    }

    fn commit(
        &mut self,
        reservation: Option<Reservation>,
        now: Timestamp,
        store: &mut impl SharedStore,
    ) {
        if let Some(held) = reservation {
            // A failure makes the table forget, and the log still remembers.
            _ = held.table.commit(store, held.fingerprint, now);
        }
        self.stage = Stage::Ended(Outcome::Stored);
    }

    fn release(&mut self, reservation: Option<Reservation>, store: &mut impl SharedStore) {
        if let Some(held) = reservation {
            // A failure lets the lease run out instead.
            _ = held.table.release(store, held.fingerprint, held.token);
        }
        self.stage = Stage::Ended(Outcome::UpstreamFailed);
    }

    fn reply(&mut self, reply: impl Into<Reply>) -> Step {
        let reply = reply.into();
        self.stage = Stage::Ended(Outcome::Answered(reply.code));
        Step::Reply(reply)
    }
}

/// Checks everything that the headers of a delivery show.
fn admit(
    endpoint: &Endpoint,
    head: RequestHead<'_>,
    now: Timestamp,
) -> Result<SignatureHeader, Code> {
    if head.only(":method") != Some(b"POST") {
        return Err(Code::MethodNotAllowed);
    }
    if endpoint.secrets.is_empty() {
        return Err(Code::Unavailable);
    }
    if head.content_length() > Some(endpoint.config.max_body_bytes) {
        return Err(Code::PayloadTooLarge);
    }
    let header = head
        .signature()
        .and_then(SignatureHeader::parse)
        .map_err(SignatureError::code)?;
    header
        .check_age(now, endpoint.config.tolerance)
        .map_err(SignatureError::code)?;
    Ok(header)
}

impl Entropy {
    /// Returns bits for a token, a trace ID and a parent ID.
    const fn split(self) -> (u64, u128, u64) {
        let [a, b, c, d, e, f, g, h, rest @ ..] = self.0;
        let [i, j, k, l, m, n, o, p, trace_id @ ..] = rest;
        (
            u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            u128::from_le_bytes(trace_id),
            u64::from_le_bytes([i, j, k, l, m, n, o, p]),
        )
    }
}

#[cfg(test)]
mod tests;
