//! The digest of one event.
//!
//! The encoding is unambiguous: what is of a fixed length is written as it is
//! (numbers big-endian), every text after its length, every optional value
//! after a byte that says whether it is there. It never changes: a field more
//! means another domain.

use hookgate_core::{time::Timestamp, trace::TraceParent};

use crate::log::{Attributes, Entry, HeldFor, Sha256Sum};

const CONTENT_DOMAIN: &str = "hookgate content 1";
const HELD_DOMAIN: &str = "hookgate held content 1";
const FETCHED_DOMAIN: &str = "hookgate fetched content 1";
const EVENT_DOMAIN: &str = "hookgate event 1";
const UNREADABLE_DOMAIN: &str = "hookgate unreadable 1";
const TOMBSTONE_DOMAIN: &str = "hookgate tombstone 1";

/// Digests what came from outside: identity, attributes and the payload's
/// SHA-256, wherever the event is stored. An event has the same one in every
/// log that it is copied to.
pub(crate) fn content(attributes: &Attributes) -> Sha256Sum {
    let held_for = attributes.held_for.map(HeldFor::name);
    let mut writer = match (attributes.origin.name(), held_for) {
        (None, None) => Writer::new(CONTENT_DOMAIN),
        // Only what was delivered is held.
        (None, Some(held_for)) => Writer::about(HELD_DOMAIN, held_for),
        (Some(origin), _) => Writer::about(FETCHED_DOMAIN, origin),
    };
    writer.text(attributes.source.as_str());
    writer.text(&attributes.id);
    writer.text(&attributes.type_name);
    writer.optional(attributes.account.as_deref(), Writer::text);
    writer.optional(attributes.livemode, |writer, live| {
        writer.bytes(&[u8::from(live)]);
    });
    writer.optional(attributes.time, Writer::time);
    writer.text(&attributes.endpoint);
    writer.text(&attributes.secret_name);
    writer.bytes(&[u8::from(attributes.unsigned_attributes)]);
    writer.optional(attributes.signed_at, Writer::time);
    writer.time(attributes.received_at);
    let traceparent = attributes.traceparent.as_ref().map(TraceParent::as_str);
    writer.optional(traceparent, Writer::text);
    writer.text(&attributes.signature);
    writer.bytes(&attributes.sha256.0);
    writer.finish()
}

/// Digests an event at its place in a log.
pub(crate) fn event(sequence: u64, stored_at: Timestamp, content: &Sha256Sum) -> Sha256Sum {
    let mut writer = Writer::new(EVENT_DOMAIN);
    writer.number(sequence);
    writer.time(stored_at);
    writer.bytes(&content.0);
    writer.finish()
}

/// Digests what was at a place of a log and was no event: of the bytes of it only
/// their SHA-256 is known.
pub(crate) fn unreadable(sequence: u64, sha256: &Sha256Sum) -> Sha256Sum {
    let mut writer = Writer::new(UNREADABLE_DOMAIN);
    writer.number(sequence);
    writer.bytes(&sha256.0);
    writer.finish()
}

/// Digests what a log keeps, at a place of its own, of an event whose payload was
/// removed: `of` is the event's place, `digest` its digest there.
pub(crate) fn tombstone(
    sequence: u64,
    stored_at: Timestamp,
    of: u64,
    digest: &Sha256Sum,
) -> Sha256Sum {
    let mut writer = Writer::new(TOMBSTONE_DOMAIN);
    writer.number(sequence);
    writer.time(stored_at);
    writer.number(of);
    writer.bytes(&digest.0);
    writer.finish()
}

impl Entry {
    /// Returns its digest at its place.
    pub(crate) fn digest(&self) -> Sha256Sum {
        event(self.sequence, self.stored_at, &content(&self.attributes))
    }
}

/// What most events are encoded in.
const USUAL_BYTES: usize = 768;

/// Writes values to be hashed so that no two sequences of values read the same.
/// Hashed at once: a hash that is fed bit by bit costs twice as much.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// Begins with a domain, so that no other kind of digest is this one.
    pub(crate) fn new(domain: &str) -> Self {
        let mut writer = Self(Vec::with_capacity(USUAL_BYTES));
        writer.text(domain);
        writer
    }

    /// Begins with a domain and what it is about.
    fn about(domain: &str, what: &str) -> Self {
        let mut writer = Self::new(domain);
        writer.text(what);
        writer
    }

    /// Writes what is of a fixed length.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Writes a number.
    pub(crate) fn number(&mut self, number: u64) {
        self.bytes(&number.to_be_bytes());
    }

    /// Writes a time.
    pub(crate) fn time(&mut self, time: Timestamp) {
        self.number(time.unix_millis());
    }

    /// Writes a text after its length.
    pub(crate) fn text(&mut self, text: &str) {
        self.number(u64::try_from(text.len()).unwrap_or(u64::MAX));
        self.bytes(text.as_bytes());
    }

    /// Writes whether there is a value, and the value.
    pub(crate) fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bytes(&[u8::from(value.is_some())]);
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// Returns the hash of what was written.
    pub(crate) fn finish(self) -> Sha256Sum {
        Sha256Sum::of(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hookgate_core::{identity::Source, time::Timestamp, trace::TraceParent};

    use super::{content, event, tombstone, unreadable};
    use crate::log::{Attributes, HeldFor, Origin, Sha256Sum};

    fn attributes() -> Attributes {
        Attributes {
            source: Source::new("stripe").unwrap(),
            id: "evt_1".to_owned(),
            type_name: "invoice.paid".to_owned(),
            account: Some("acct_1".to_owned()),
            livemode: Some(true),
            time: Some(Timestamp::from_unix_seconds(1_760_000_000)),
            origin: Origin::Delivery,
            held_for: None,
            endpoint: "stripe".to_owned(),
            secret_name: "primary".to_owned(),
            unsigned_attributes: false,
            signed_at: Some(Timestamp::from_unix_seconds(1_760_000_001)),
            received_at: Timestamp::from_unix_millis(1_760_000_001_250),
            traceparent: Some(TraceParent::new(1, 2)),
            signature: "t=1760000001,v1=00".to_owned(),
            sha256: Sha256Sum::of(b"{}"),
        }
    }

    /// Logs hold these for years: another value here is another chain.
    #[test]
    fn stays_what_it_is() {
        let content = content(&attributes());
        assert_eq!(
            content.to_string(),
            "ab3bd140a7e48aee1b712ce91c93d0696ac33277b80903a6661767019aed7b42"
        );
        let held = super::content(&Attributes {
            held_for: Some(HeldFor::SecretSuspect),
            ..attributes()
        });
        assert_eq!(
            held.to_string(),
            "dbaeae9a3ffac2a761dbf533eb97e3d48bf8f5f1515735516f12cd05e9823185"
        );
        let event = event(7, Timestamp::from_unix_seconds(1_760_000_002), &content);
        assert_eq!(
            event.to_string(),
            "846481c6a4f88ab93b8d8334bb86c759781d84cfc3083c72282fe74f0164e398"
        );
        let tombstone = tombstone(9, Timestamp::from_unix_seconds(1_760_000_003), 7, &event);
        assert_eq!(
            tombstone.to_string(),
            "4be2130295913b24faf18a32259d96ea4f27a934f34aa318208b4de11264cc36"
        );
    }

    #[test]
    fn covers_every_attribute() {
        let change = |change: fn(&mut Attributes)| {
            let mut attributes = attributes();
            change(&mut attributes);
            content(&attributes).to_string()
        };
        let other = [
            change(|_| ()),
            change(|a| a.source = Source::new("stripe-connect").unwrap()),
            change(|a| a.id.push('x')),
            change(|a| a.type_name.push('x')),
            change(|a| a.account = None),
            change(|a| a.account = Some(String::new())),
            change(|a| a.livemode = Some(false)),
            change(|a| a.livemode = None),
            change(|a| a.time = None),
            change(|a| a.origin = Origin::Reconciliation),
            change(|a| a.origin = Origin::StoredOnly),
            change(|a| a.held_for = Some(HeldFor::SecretSuspect)),
            change(|a| a.endpoint.push('x')),
            change(|a| a.secret_name.push('x')),
            change(|a| a.unsigned_attributes = true),
            change(|a| a.signed_at = None),
            change(|a| a.received_at = Timestamp::from_unix_millis(1_760_000_001_251)),
            change(|a| a.traceparent = None),
            change(|a| a.signature.push('x')),
            change(|a| a.sha256 = Sha256Sum::of(b"{ }")),
            // What moves from one text to the next is not the same.
            change(|a| {
                a.id = "evt_1invoice".to_owned();
                a.type_name = ".paid".to_owned();
            }),
        ];
        let distinct: BTreeSet<_> = other.iter().collect();
        assert_eq!(distinct.len(), other.len());
    }

    #[test]
    fn covers_the_place_and_the_time_of_storing() {
        let content = content(&attributes());
        let at = Timestamp::from_unix_millis;
        let first = event(7, at(1_000), &content);
        assert_ne!(first, event(8, at(1_000), &content));
        assert_ne!(first, event(7, at(1_001), &content));
    }

    #[test]
    fn tells_a_tombstone_by_its_place_and_its_event() {
        let (one, other) = (Sha256Sum([1; 32]), Sha256Sum([2; 32]));
        let at = Timestamp::from_unix_millis;
        let all = [
            tombstone(9, at(1_000), 7, &one),
            tombstone(8, at(1_000), 7, &one),
            tombstone(9, at(1_001), 7, &one),
            tombstone(9, at(1_000), 6, &one),
            tombstone(9, at(1_000), 7, &other),
            event(9, at(1_000), &one),
            unreadable(9, &one),
            unreadable(8, &one),
        ];
        let distinct: BTreeSet<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(distinct.len(), all.len());
    }
}
