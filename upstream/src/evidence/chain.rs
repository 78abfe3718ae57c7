//! The chain: every link speaks for all before it.

use std::{fmt, str::FromStr};

use super::{LogId, digest::Writer};
use crate::log::Sha256Sum;

const LINK_DOMAIN: &str = "hookgate link 1";

/// Says what a chain is of. A log has one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The events, by their sequence.
    Events,
    /// The [redactions](super::Redaction), by their number.
    Redactions,
    /// The [decisions of people](crate::review::Record), by their number.
    Decisions,
}

impl Kind {
    const fn domain(self) -> &'static str {
        match self {
            Self::Events => "hookgate chain of events 1",
            Self::Redactions => "hookgate chain of redactions 1",
            Self::Decisions => "hookgate chain of decisions 1",
        }
    }
}

/// Holds one link: the hash that speaks for everything up to a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// Of the newest event, or number of the newest redaction; 0 before the
    /// first.
    pub(crate) sequence: u64,
    /// `SHA-256(domain ‖ hash before ‖ digest)`.
    pub(crate) hash: Sha256Sum,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.hash)
    }
}

/// Says that a text is no link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a number, `:` and 64 hexadecimal digits")]
pub(crate) struct LinkError;

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let (sequence, hash) = text.split_once(':').ok_or(LinkError)?;
        Ok(Self {
            sequence: sequence.parse().map_err(|_| LinkError)?,
            hash: hash.parse().map_err(|_| LinkError)?,
        })
    }
}

/// Extends a chain from its newest link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain {
    newest: Link,
}

impl Chain {
    /// Starts the chain of an empty log. Logs differ from the beginning, so
    /// that no part of one passes as a part of another.
    pub(crate) fn start(log: LogId, kind: Kind) -> Self {
        let mut writer = Writer::new(kind.domain());
        writer.bytes(log.as_bytes());
        let hash = writer.finish();
        Self::resume(Link { sequence: 0, hash })
    }

    /// Goes on after a link.
    pub(crate) const fn resume(newest: Link) -> Self {
        Self { newest }
    }

    /// Adds what comes next by its digest; returns the new link.
    pub(crate) fn extend(&mut self, digest: &Sha256Sum) -> Link {
        let mut writer = Writer::new(LINK_DOMAIN);
        writer.bytes(&self.newest.hash.0);
        writer.bytes(&digest.0);
        self.newest = Link {
            sequence: self.newest.sequence.saturating_add(1),
            hash: writer.finish(),
        };
        self.newest
    }

    /// Returns the newest link.
    pub(crate) const fn newest(&self) -> Link {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::{Chain, Kind, Link, LinkError};
    use crate::{evidence::LogId, log::Sha256Sum};

    #[test]
    fn depends_on_the_log_its_kind_and_everything_before() {
        let digests = [1, 2, 3].map(|number| Sha256Sum([number; 32]));
        let of = |log: u8, kind, digests: &[Sha256Sum]| {
            let mut chain = Chain::start(LogId::new([log; 16]), kind);
            digests.iter().for_each(|digest| {
                chain.extend(digest);
            });
            chain.newest()
        };
        let [a, b, c] = digests;
        let whole = of(1, Kind::Events, &[a, b, c]);
        assert_eq!(whole.sequence, 3);
        for other in [
            of(2, Kind::Events, &[a, b, c]),
            of(1, Kind::Redactions, &[a, b, c]),
            of(1, Kind::Decisions, &[a, b, c]),
            of(1, Kind::Events, &[b, a, c]),
            of(1, Kind::Events, &[a, c]),
            of(1, Kind::Events, &[a, b]),
        ] {
            assert_ne!(other.hash, whole.hash);
        }
    }

    #[test]
    fn reads_the_link_that_it_writes() {
        let link = Chain::start(LogId::new([7; 16]), Kind::Decisions).extend(&Sha256Sum([1; 32]));
        assert_eq!(link.to_string().parse(), Ok(link));
        for text in ["", "1", "1:", "1:00", ":", "x:00"] {
            assert_eq!(text.parse::<Link>(), Err(LinkError), "{text}");
        }
    }

    #[test]
    fn goes_on_where_it_was_left() {
        let mut chain = Chain::start(LogId::new([7; 16]), Kind::Events);
        let left = chain.extend(&Sha256Sum([1; 32]));
        let next = chain.extend(&Sha256Sum([2; 32]));
        assert_eq!(Chain::resume(left).extend(&Sha256Sum([2; 32])), next);
    }
}
