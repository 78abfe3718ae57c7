//! What the gate may answer, worked out by other means.

use std::collections::BTreeMap;

use hookgate_core::event::Event;
use hookgate_core::reply::Code;
use hookgate_core::signature::SignatureError;
use hookgate_core::time::Timestamp;

use super::gate::{self, ENDPOINTS, Endpoint, LEASE, RETENTION, Setup};
use super::request::Request;
use super::store::Store;
use crate::{event, signature};

/// Slots of the one bucket; below, nothing is ever forgotten early.
const SLOTS: usize = 64;

/// An event as the gate knows it: endpoint and ID.
pub(super) type Identity = (&'static str, String);

/// Knows what was sent and what became of it.
pub(super) struct Model {
    pub(super) setup: Setup,
    /// Who holds an event since when, in Unix milliseconds.
    held: BTreeMap<Identity, u64>,
    /// Which events an upstream has confirmed, and when.
    stored: BTreeMap<Identity, u64>,
}

/// What the headers of a request come to.
pub(super) enum Head {
    Pass,
    Reply(Code),
    Hold(Endpoint),
}

/// What a whole request comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Refused(Code),
    /// Genuine, and answered by the gate with one of these.
    Answered(Vec<Code>),
    /// Genuine, and forwarded, or answered with one of these.
    Forwarded(Box<Event>, Vec<Code>),
}

impl Model {
    pub(super) const fn new(setup: Setup) -> Self {
        Self {
            setup,
            held: BTreeMap::new(),
            stored: BTreeMap::new(),
        }
    }

    /// Judges the headers.
    pub(super) fn head(&self, request: &Request, now: Timestamp) -> Head {
        let path = String::from_utf8_lossy(request.all(":path")[0]).into_owned();
        let path = path.split('?').next().unwrap_or_default();
        let Some(endpoint) = ENDPOINTS.iter().find(|one| one.path == path) else {
            return if self.setup.passes {
                Head::Pass
            } else {
                Head::Reply(Code::EndpointUnknown)
            };
        };
        let announced = request.all("content-length").first().copied();
        let announced = announced.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        let source = request.source.map(|source| source.to_string());
        let is_inside = source.is_some_and(|source| source.starts_with("192.0.2."));
        if endpoint.name == "fenced" && !is_inside {
            Head::Reply(Code::DeniedSource)
        } else if request.all(":method") != [b"POST"] {
            Head::Reply(Code::MethodNotAllowed)
        } else if keys(endpoint, now).is_empty() {
            Head::Reply(Code::Unavailable)
        } else if announced > Some(endpoint.max_body_bytes) {
            Head::Reply(Code::PayloadTooLarge)
        } else {
            // Any body: what can be told without one.
            match verify(request, b"", endpoint, now) {
                Ok(_) | Err(SignatureError::Mismatch) => Head::Hold(*endpoint),
                Err(error) => Head::Reply(error.code()),
            }
        }
    }

    /// Judges a whole request that was received at one time and decided at another.
    pub(super) fn whole(
        &self,
        request: &Request,
        endpoint: &Endpoint,
        received: Timestamp,
        now: Timestamp,
        has_entropy: bool,
        store: &Store,
    ) -> Whole {
        let payload = &request.payload;
        let genuine = match verify(request, payload, endpoint, received) {
            Ok(genuine) => genuine,
            Err(error) => return Whole::Refused(error.code()),
        };
        let Ok(event) = event::expected(payload) else {
            return Whole::Answered(vec![Code::PayloadInvalid]);
        };
        if !has_entropy {
            return Whole::Answered(vec![Code::Unavailable]);
        }
        assert!(!genuine.signers.is_empty());
        if endpoint.name == "choosy" {
            if event.account.is_none() || event.livemode == Some(true) {
                return Whole::Answered(vec![Code::SecretScope]);
            }
            if event.type_name.starts_with("b.") {
                return Whole::Answered(vec![Code::Ignored]);
            }
            if event.account.as_deref() != Some("acct_1") {
                return Whole::Answered(vec![Code::DeniedAccount]);
            }
        }
        if is_decision(endpoint, &event) {
            return match endpoint.name {
                "choosy" => Whole::Forwarded(Box::new(event), Vec::new()),
                _ => Whole::Answered(vec![Code::NoDecider]),
            };
        }
        let mut instead = Vec::new();
        if endpoint.name == "limited" && !store.fails {
            instead.push(Code::RateLimited);
        }
        if is_test(&event.id) {
            return Whole::Forwarded(Box::new(event), instead);
        }
        if store.fails {
            return Whole::Answered(vec![Code::Unavailable]);
        }
        let identity = (endpoint.name, event.id.clone());
        let age = |since: &u64| now.unix_millis() - since;
        let (stored, held) = (self.stored.get(&identity), self.held.get(&identity));
        if let Some(age) = stored.map(age) {
            if age < (RETENTION - 2) * 1_000 {
                return Whole::Answered(vec![Code::Duplicate]);
            }
            if age < (RETENTION + 2) * 1_000 {
                instead.push(Code::Duplicate);
            }
        }
        if let Some(age) = held.map(age) {
            if age < LEASE * 1_000 {
                return Whole::Answered(vec![Code::InProgress]);
            }
            if age < (LEASE + 2) * 1_000 {
                instead.push(Code::InProgress);
            }
        }
        if !store.is_reliable() {
            // What is written about the sender may have lost some of the races before.
            if !self.setup.limits_sources {
                return Whole::Answered(vec![Code::Unavailable]);
            }
            instead.push(Code::Unavailable);
        }
        if self.held.len() + self.stored.len() >= SLOTS {
            instead.push(Code::Unavailable);
        }
        Whole::Forwarded(Box::new(event), instead)
    }

    /// Remembers that a delivery holds an event, and tells whether it is to settle it.
    pub(super) fn hold(&mut self, endpoint: &Endpoint, event: &Event, now: Timestamp) -> bool {
        if is_test(&event.id) || is_decision(endpoint, event) {
            return false;
        }
        let identity = (endpoint.name, event.id.clone());
        self.stored.remove(&identity);
        self.held.insert(identity, now.unix_millis());
        true
    }

    /// Remembers that the upstream has confirmed an event.
    ///
    /// With a failing store the gate forgets, and the lease runs out.
    pub(super) fn stored(&mut self, identity: Identity, now: Timestamp, reliable: bool) {
        if reliable {
            self.held.remove(&identity);
            self.stored.insert(identity, now.unix_millis());
        }
    }

    /// Remembers that a delivery which held an event since `since` has given it back,
    /// unless it lost the event meanwhile.
    pub(super) fn release(&mut self, identity: &Identity, since: Timestamp, reliable: bool) {
        let is_own = self.held.get(identity) == Some(&since.unix_millis());
        if is_own && reliable {
            self.held.remove(identity);
        }
    }
}

/// Returns the keys that may verify at a time.
fn keys(endpoint: &Endpoint, at: Timestamp) -> Vec<&'static str> {
    if endpoint.name == "timed" && at.unix_seconds() >= gate::EXPIRES {
        return Vec::new();
    }
    endpoint.secrets.iter().map(|(_, key)| *key).collect()
}

fn verify(
    request: &Request,
    payload: &[u8],
    endpoint: &Endpoint,
    received: Timestamp,
) -> Result<signature::Genuine, SignatureError> {
    let header = match request.all("stripe-signature")[..] {
        [] => return Err(SignatureError::Missing),
        [header] => header,
        _ => return Err(SignatureError::Malformed),
    };
    let (past, future) = (endpoint.past, endpoint.future);
    let keys = keys(endpoint, received);
    signature::expected(
        header,
        payload,
        &keys,
        received.unix_seconds(),
        past,
        future,
    )
}

/// Tells whether the sender waits for a decision on an event.
pub(super) fn is_decision(endpoint: &Endpoint, event: &Event) -> bool {
    match endpoint.name {
        "choosy" => event.type_name.starts_with("c."),
        _ => event.type_name == "issuing_authorization.request",
    }
}

/// Tells whether this is the ID of the Dashboard's test events.
pub(super) fn is_test(id: &str) -> bool {
    id.strip_prefix("evt_")
        .is_some_and(|zeros| !zeros.is_empty() && zeros.chars().all(|c| c == '0'))
}
