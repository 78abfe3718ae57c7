//! The record that a payload was removed on purpose.

use std::fmt;

use hookgate_core::{identity::Source, time::Timestamp};

use super::{Link, digest::Writer};
use crate::log::Sha256Sum;

const DOMAIN: &str = "hookgate redaction 1";

/// Holds who removed which payload, when and why. The event's digest stays, so
/// that the chain of events is whole without the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Redaction {
    /// Its place among the redactions of the log, from 1 without gaps.
    pub(crate) number: u64,
    /// Of the event.
    pub(crate) sequence: u64,
    /// Of the event; `unreadable` where there was none.
    pub(crate) source: Source,
    /// Of the event; empty where there was none.
    pub(crate) id: String,
    /// The digest of the event, or of what there was, at its place.
    pub(crate) digest: Sha256Sum,
    /// Of the payload that was removed.
    pub(crate) sha256: Sha256Sum,
    /// Why.
    pub(crate) reason: String,
    /// Who, as they call themselves.
    pub(crate) by: Option<String>,
    /// When.
    pub(crate) at: Timestamp,
    /// A link of the events as they were then: it came after that one.
    pub(crate) after: Link,
}

impl fmt::Display for Redaction {
    /// Names what was removed, for a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, .. } = self;
        if self.was_event() {
            let (id, source) = (self.id.escape_debug(), &self.source);
            write!(f, "the payload of event {sequence} ({id} of {source})")
        } else {
            write!(f, "what was at sequence {sequence}, no event,")
        }
    }
}

impl Redaction {
    /// Tells whether an event was removed, and not what somebody else put there.
    pub(crate) const fn was_event(&self) -> bool {
        !self.id.is_empty()
    }

    /// Digests the record.
    pub(crate) fn digest_of_record(&self) -> Sha256Sum {
        let mut writer = Writer::new(DOMAIN);
        writer.number(self.number);
        writer.number(self.sequence);
        writer.text(self.source.as_str());
        writer.text(&self.id);
        writer.bytes(&self.digest.0);
        writer.bytes(&self.sha256.0);
        writer.text(&self.reason);
        writer.optional(self.by.as_deref(), Writer::text);
        writer.time(self.at);
        writer.number(self.after.sequence);
        writer.bytes(&self.after.hash.0);
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hookgate_core::{identity::Source, time::Timestamp};

    use super::Redaction;
    use crate::{evidence::Link, log::Sha256Sum};

    #[test]
    fn covers_every_field() {
        let redaction = || Redaction {
            number: 1,
            sequence: 2,
            source: Source::new("stripe").unwrap(),
            id: "evt_1".to_owned(),
            digest: Sha256Sum([1; 32]),
            sha256: Sha256Sum([2; 32]),
            reason: "erasure request 17".to_owned(),
            by: Some("ada".to_owned()),
            at: Timestamp::from_unix_seconds(1_760_000_000),
            after: Link {
                sequence: 9,
                hash: Sha256Sum([3; 32]),
            },
        };
        let change = |change: fn(&mut Redaction)| {
            let mut redaction = redaction();
            change(&mut redaction);
            redaction.digest_of_record().to_string()
        };
        let all = [
            change(|_| ()),
            change(|r| r.number = 2),
            change(|r| r.sequence = 3),
            change(|r| r.source = Source::new("stripe-connect").unwrap()),
            change(|r| r.id.push('x')),
            change(|r| r.digest = Sha256Sum([9; 32])),
            change(|r| r.sha256 = Sha256Sum([9; 32])),
            change(|r| r.reason.push('x')),
            change(|r| r.by = None),
            change(|r| r.at = Timestamp::from_unix_seconds(1)),
            change(|r| r.after.sequence = 8),
            change(|r| r.after.hash = Sha256Sum([9; 32])),
        ];
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
