//! What a forwarded delivery holds, and how it is given back.

use super::{Count, Origin};
use crate::{
    dedup::{Table, Token},
    identity::Fingerprint,
    outcome::Outcome,
    shared::SharedStore,
    time::Timestamp,
};

/// Holds what a forwarded delivery has to settle.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub(super) kind: Kind,
    pub(super) since: Timestamp,
}

/// Says what was forwarded.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// An event whose identity is reserved.
    Reserved(Reservation),
    /// An event that has no identity to reserve.
    Unreserved,
    /// An event on which somebody decides in the answer.
    Decision,
}

#[derive(Clone, Copy)]
pub(super) struct Reservation {
    pub(super) table: Table,
    pub(super) fingerprint: Fingerprint,
    pub(super) token: Token,
}

impl Held {
    /// Settles by an answer and returns how the delivery ended.
    pub(super) fn answered(
        self,
        status: u16,
        origin: Origin,
        now: Timestamp,
        store: &mut impl SharedStore,
    ) -> Outcome {
        match (self.kind, origin, status) {
            (Kind::Decision, Origin::Upstream, _) => Outcome::PassedThrough,
            (_, Origin::Upstream, 200..300) => {
                self.commit(now, store);
                Outcome::Committed
            }
            // A refusal of the host's own: it never forwarded the request.
            (_, Origin::Upstream, _) | (_, Origin::Host, 400..500) => {
                self.release(store);
                Outcome::Released
            }
            (_, Origin::Host, _) => {
                self.release(store);
                Outcome::InDoubt
            }
        }
    }

    /// Gives the identity back: the next delivery of the event is forwarded.
    pub(super) fn release(self, store: &mut impl SharedStore) {
        if let Kind::Reserved(held) = self.kind {
            held.release(store);
        }
    }

    pub(super) fn took(self, now: Timestamp) -> Count {
        let took = self.since.distance(now).as_millis();
        Count::UpstreamMillis(u64::try_from(took).unwrap_or(u64::MAX))
    }

    fn commit(self, now: Timestamp, store: &mut impl SharedStore) {
        if let Kind::Reserved(held) = self.kind {
            // A failure makes the table forget, and the log still remembers.
            _ = held.table.commit(store, held.fingerprint, now);
        }
    }
}

impl Reservation {
    pub(super) fn release(self, store: &mut impl SharedStore) {
        // A failure lets the lease run out instead.
        _ = self.table.release(store, self.fingerprint, self.token);
    }
}
