//! From a whole payload to a decision.

use alloc::{rc::Rc, string::String, vec::Vec};

use super::{
    Count, Entropy,
    charge::{self, Sender},
    settlement::{Held, Kind, Reservation},
};
use crate::{
    dedup::{Reserved, Token},
    event::Event,
    forward::{Attributes, Directions, Forward},
    gate::{Endpoint, Settings},
    identity::Fingerprint,
    keyring::Signer,
    outcome::Outcome,
    policy::Unwanted,
    protection::{Action, SECRET_SUSPECT, Suspicion},
    reply::{Code, Reply},
    scheme::Signed,
    shared::SharedStore,
    signature::{SignatureError, Verifier},
    time::Timestamp,
    trace::TraceParent,
};

/// Says what a verified event is called, for the access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// The ID under which the event is stored.
    pub event_id: String,
    /// The event's type.
    pub event_type: String,
    /// The connected account, if it has one.
    pub account: Option<String>,
    /// The version of the sender's API, if the payload names one.
    pub api_version: Option<String>,
    /// The name of the secret that signed.
    pub secret: String,
    /// The trace that this delivery belongs to.
    pub trace: TraceParent,
}

/// Holds a delivery whose headers are admitted and whose payload arrives.
#[derive(Clone)]
pub(super) struct Verifying {
    pub(super) endpoint: Rc<Endpoint>,
    pub(super) sender: Option<Sender>,
    pub(super) signed: Signed,
    pub(super) signers: Vec<Rc<Signer>>,
    pub(super) verifier: Verifier,
    pub(super) received_at: Timestamp,
    pub(super) body_bytes: u64,
    pub(super) untrusted: Vec<String>,
    pub(super) trace: Option<TraceParent>,
    pub(super) suspicion: Option<Suspicion>,
    pub(super) settings: Settings,
}

/// Holds a delivery whose payload is genuine.
pub(super) struct Verified<'a> {
    endpoint: Rc<Endpoint>,
    signer: Rc<Signer>,
    signed: Signed,
    payload: &'a [u8],
    received_at: Timestamp,
    untrusted: Vec<String>,
    trace: Option<TraceParent>,
    suspicion: Option<Suspicion>,
    settings: Settings,
}

/// Says what becomes of a genuine delivery.
pub(super) struct Decision {
    /// What it is called; `None` if its payload is no event.
    pub(super) identified: Option<Identified>,
    /// What is to be counted on the way.
    pub(super) counts: Vec<Count>,
    /// Forwarded, or answered.
    pub(super) end: Result<(Forward, Held), Answer>,
}

/// Is an answer of the gate to a genuine delivery.
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) reply: Reply,
}

/// Holds a genuine event that policy lets through.
struct Wanted {
    endpoint: Rc<Endpoint>,
    signer: Rc<Signer>,
    event: Event,
    identified: Identified,
    token: Token,
    signed_at: Option<Timestamp>,
    received_at: Timestamp,
    untrusted: Vec<String>,
    suspicion: Option<Suspicion>,
    settings: Settings,
}

impl Verifying {
    /// Returns what is known once the whole payload has come.
    pub(super) fn measures(&self) -> impl Iterator<Item = Count> {
        let age = self.signed.signed_at().map(|at| {
            let age = self.received_at.unix_seconds();
            Count::SignatureAgeSeconds(age.saturating_sub(at.unix_seconds()))
        });
        core::iter::once(Count::PayloadBytes(self.body_bytes)).chain(age)
    }

    /// Compares the signature.
    pub(super) fn verify(self, payload: &[u8]) -> Result<Verified<'_>, Code> {
        // What is read later has to be what was hashed.
        if u64::try_from(payload.len()) != Ok(self.body_bytes) {
            return Err(Code::Unavailable);
        }
        let signer = self.verifier.finish().map_err(SignatureError::code)?;
        let signer = self.signers.get(signer).ok_or(Code::SignatureMismatch)?;
        Ok(Verified {
            signer: Rc::clone(signer),
            endpoint: self.endpoint,
            signed: self.signed,
            payload,
            received_at: self.received_at,
            untrusted: self.untrusted,
            trace: self.trace,
            suspicion: self.suspicion,
            settings: self.settings,
        })
    }
}

impl Verified<'_> {
    pub(super) const fn signer(&self) -> &Rc<Signer> {
        &self.signer
    }

    /// Reads the event, asks the policy, reserves, charges, and says how to
    /// forward.
    pub(super) fn decide(
        self,
        now: Timestamp,
        entropy: Option<Entropy>,
        store: &mut impl SharedStore,
    ) -> Decision {
        let mut counts = Vec::new();
        let mut identified = None;
        let end = self.wanted(entropy, &mut identified, &mut counts);
        let end = end.and_then(|wanted| wanted.forward(now, store, &mut counts));
        Decision {
            identified,
            counts,
            end,
        }
    }

    fn wanted(
        self,
        entropy: Option<Entropy>,
        identified: &mut Option<Identified>,
        counts: &mut Vec<Count>,
    ) -> Result<Wanted, Answer> {
        let config = &self.endpoint.config;
        let event = config.scheme.event(&self.signed, self.payload);
        let event = event.map_err(|_| Answer::denied(Code::PayloadInvalid))?;
        let unavailable = || Answer::unavailable(Code::Unavailable);
        let (token, trace_id, parent_id) = entropy.ok_or_else(unavailable)?.split();
        let identified = identified.insert(Identified {
            event_id: event.delivery_id(token),
            event_type: event.type_name.clone(),
            account: event.account.clone(),
            api_version: event.api_version.clone(),
            secret: self.signer.secret.name().into(),
            trace: self
                .trace
                .unwrap_or_else(|| TraceParent::new(trace_id, parent_id)),
        });
        if self.signer.scope.contradicts(&event) {
            return Err(Answer::denied(Code::SecretScope));
        }
        if config.policy.is_unknown_account(&event) {
            counts.push(Count::UnknownAccount);
        }
        config.policy.judge(&event).map_err(Answer::from)?;
        Ok(Wanted {
            identified: identified.clone(),
            token: Token(token),
            event,
            signed_at: self.signed.signed_at(),
            endpoint: self.endpoint,
            signer: self.signer,
            received_at: self.received_at,
            untrusted: self.untrusted,
            suspicion: self.suspicion,
            settings: self.settings,
        })
    }
}

impl Wanted {
    fn forward(
        self,
        now: Timestamp,
        store: &mut impl SharedStore,
        counts: &mut Vec<Count>,
    ) -> Result<(Forward, Held), Answer> {
        let policy = &self.endpoint.config.policy;
        let (kind, route) = if policy.synchronous.awaits(&self.event) {
            let route = policy.synchronous.route.as_deref();
            let route = route.ok_or_else(|| Answer::unavailable(Code::NoDecider))?;
            (Kind::Decision, Some(route))
        } else {
            let kind = self.reserve(now, store)?;
            self.charge(kind, now, store, counts)?;
            (kind, policy.route(&self.event))
        };
        // How long a decider may take is for its route to say.
        let timeout = match kind {
            Kind::Decision => None,
            Kind::Reserved(_) | Kind::Unreserved => Some(self.settings.upstream_timeout_millis),
        };
        // What waits for a decision is not stored, and so can't wait for a person.
        let suspicion = self.suspicion.as_ref().filter(|_| timeout.is_some());
        let is_held = suspicion.is_some_and(|suspicion| suspicion.holds(&self.event));
        if is_held {
            counts.push(Count::Protected(Action::Hold));
        }
        let set = Directions {
            attributes: Attributes {
                endpoint: &self.endpoint,
                secret_name: self.signer.secret.name(),
                event: &self.event,
                delivery_id: &self.identified.event_id,
                signed_at: self.signed_at,
                received_at: self.received_at,
            },
            trace: &self.identified.trace,
            route,
            held_for: is_held.then_some(SECRET_SUSPECT),
            upstream_timeout_millis: timeout,
        }
        .headers();
        let forward = Forward {
            set,
            remove: self.untrusted,
        };
        Ok((forward, Held { kind, since: now }))
    }

    /// Reserves the identity, unless there is nothing to deduplicate.
    fn reserve(&self, now: Timestamp, store: &mut impl SharedStore) -> Result<Kind, Answer> {
        if self.event.is_test_id() {
            return Ok(Kind::Unreserved);
        }
        let table = self.settings.table;
        let source = &self.endpoint.config.source;
        let fingerprint = Fingerprint::of(source, &self.identified.event_id);
        match table.reserve(store, fingerprint, self.token, now) {
            Reserved::Fresh => Ok(Kind::Reserved(Reservation {
                table,
                fingerprint,
                token: self.token,
            })),
            Reserved::Committed => Err(Answer::new(Outcome::Duplicate, Code::Duplicate)),
            Reserved::InProgress { until } => Err(Answer::new(
                Outcome::InProgress,
                Reply::after(Code::InProgress, until.distance(now)),
            )),
            Reserved::Full | Reserved::Failed => Err(Answer::unavailable(Code::Unavailable)),
        }
    }

    /// Charges the event; one that is refused gives its identity back.
    fn charge(
        &self,
        kind: Kind,
        now: Timestamp,
        store: &mut impl SharedStore,
        counts: &mut Vec<Count>,
    ) -> Result<(), Answer> {
        let config = &self.endpoint.config;
        charge::charge_event(&self.settings, config, &self.event, now, store, counts).map_err(
            |refusal| {
                Held { kind, since: now }.release(store);
                Answer::new(Outcome::Limited(refusal.quota), refusal.reply)
            },
        )
    }
}

impl Answer {
    fn new(outcome: Outcome, reply: impl Into<Reply>) -> Self {
        Self {
            outcome,
            reply: reply.into(),
        }
    }

    fn denied(code: Code) -> Self {
        Self::new(Outcome::Denied(code), code)
    }

    fn unavailable(code: Code) -> Self {
        Self::new(Outcome::Unavailable(code), code)
    }
}

impl From<Unwanted> for Answer {
    fn from(unwanted: Unwanted) -> Self {
        match unwanted {
            Unwanted::Ignored(ignored) => Self::new(Outcome::Ignored(ignored), Code::Ignored),
            Unwanted::Refused(code) => Self::denied(code),
        }
    }
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
