//! From a whole payload to a reserved identity.

use alloc::{rc::Rc, string::String, vec::Vec};

use super::{Entropy, Reservation};
use crate::{
    dedup::{Reserved, Token},
    event::Event,
    forward::{Attributes, Forward},
    gate::{Endpoint, Settings},
    identity::Fingerprint,
    reply::{Code, Reply},
    shared::SharedStore,
    signature::{SignatureError, SignatureHeader, Verifier},
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
    /// The trace that this delivery belongs to.
    pub trace: TraceParent,
}

/// Holds a delivery whose headers are admitted and whose payload arrives.
pub(super) struct Verifying {
    pub(super) endpoint: Rc<Endpoint>,
    pub(super) header: SignatureHeader,
    pub(super) verifier: Verifier,
    pub(super) received_at: Timestamp,
    pub(super) body_bytes: u64,
    pub(super) untrusted: Vec<String>,
    pub(super) trace: Option<TraceParent>,
    pub(super) settings: Settings,
}

/// Holds a delivery whose payload is genuine.
pub(super) struct Verified {
    endpoint: Rc<Endpoint>,
    secret_name: String,
    event: Event,
    signed_at: Timestamp,
    received_at: Timestamp,
    untrusted: Vec<String>,
    settings: Settings,
    token: u64,
    identified: Identified,
}

impl Verifying {
    /// Compares the signature; only then reads the payload.
    pub(super) fn verify(self, payload: &[u8], entropy: Option<Entropy>) -> Result<Verified, Code> {
        // What is read below has to be what was hashed.
        if u64::try_from(payload.len()) != Ok(self.body_bytes) {
            return Err(Code::Unavailable);
        }
        let signer = self.verifier.finish().map_err(SignatureError::code)?;
        let secret = self.endpoint.secrets.get(signer);
        let secret_name = secret.ok_or(Code::SignatureMismatch)?.name().into();
        let event = Event::from_payload(payload).map_err(|_| Code::PayloadInvalid)?;

        let (token, trace_id, parent_id) = entropy.ok_or(Code::Unavailable)?.split();
        let identified = Identified {
            event_id: event.delivery_id(token),
            event_type: event.type_name.clone(),
            trace: self
                .trace
                .unwrap_or_else(|| TraceParent::new(trace_id, parent_id)),
        };
        Ok(Verified {
            endpoint: self.endpoint,
            secret_name,
            event,
            signed_at: self.header.signed_at(),
            received_at: self.received_at,
            untrusted: self.untrusted,
            settings: self.settings,
            token,
            identified,
        })
    }
}

impl Verified {
    pub(super) const fn identified(&self) -> &Identified {
        &self.identified
    }

    /// Reserves the identity, unless there is nothing to deduplicate, and says
    /// how to forward.
    pub(super) fn reserve(
        self,
        now: Timestamp,
        store: &mut impl SharedStore,
    ) -> Result<(Forward, Option<Reservation>), Reply> {
        if self.event.awaits_decision() {
            return Err(Code::NoDecider.into());
        }
        let reservation = if self.event.is_test_id() {
            None
        } else {
            let source = &self.endpoint.config.source;
            let reservation = Reservation {
                table: self.settings.table,
                fingerprint: Fingerprint::of(source, &self.identified.event_id),
                token: Token(self.token),
            };
            reserve(reservation, now, store)?;
            Some(reservation)
        };
        let set = Attributes {
            endpoint: &self.endpoint,
            secret_name: &self.secret_name,
            event: &self.event,
            delivery_id: &self.identified.event_id,
            signed_at: self.signed_at,
            received_at: self.received_at,
            trace: &self.identified.trace,
            upstream_timeout_millis: self.settings.upstream_timeout_millis,
        }
        .headers();
        let forward = Forward {
            remove: self.untrusted,
            set,
        };
        Ok((forward, reservation))
    }
}

fn reserve(
    Reservation {
        table,
        fingerprint,
        token,
    }: Reservation,
    now: Timestamp,
    store: &mut impl SharedStore,
) -> Result<(), Reply> {
    match table.reserve(store, fingerprint, token, now) {
        Reserved::Fresh => Ok(()),
        Reserved::Committed => Err(Code::Duplicate.into()),
        Reserved::InProgress { until } => {
            let wait = until.distance(now).as_secs().max(1);
            Err(Reply::in_progress(u32::try_from(wait).unwrap_or(u32::MAX)))
        }
        Reserved::Full | Reserved::Failed => Err(Code::Unavailable.into()),
    }
}
