//! A checkpoint: the chain over a range of sequences, as a message.

use async_nats::HeaderMap;
use bytes::Bytes;
use hookgate_core::time::Timestamp;

use crate::{
    evidence::{Chain, Link, LogId},
    log::Sha256Sum,
};

const LOG: &str = "hookgate-log";
const FIRST: &str = "hookgate-first";
const LAST: &str = "hookgate-last";
const HASH: &str = "hookgate-hash";
const EVENTS: &str = "hookgate-events";
const STORED_AT: &str = "hookgate-storedat";
const BY: &str = "hookgate-by";

/// Bytes of one link.
const LINK_BYTES: usize = 32;

/// Continues the chain over a range of sequences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::log::nats) struct Checkpoint {
    /// Of which log.
    pub(in crate::log::nats) log: LogId,
    /// Begins the range.
    pub(in crate::log::nats) first: u64,
    /// Ends after the last of the range.
    chain: Chain,
    /// The hash of each link.
    links: Vec<Sha256Sum>,
    /// How many of the sequences are events.
    pub(in crate::log::nats) events: u64,
    /// When the last of the range was stored.
    pub(in crate::log::nats) stored_at: Timestamp,
    /// Who sealed it: the upstream that goes on, as long as it does.
    pub(in crate::log::nats) by: String,
}

/// Says what a checkpoint covers, without its links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log::nats) struct Covered {
    /// The link after the last of the range.
    pub(in crate::log::nats) last: Link,
    /// How many of its sequences are events.
    pub(in crate::log::nats) events: u64,
    /// When the last of it was stored.
    pub(in crate::log::nats) stored_at: Timestamp,
}

impl Checkpoint {
    /// Begins one that covers nothing yet.
    pub(in crate::log::nats) fn after(link: Link, log: LogId, by: &str) -> Self {
        Self {
            log,
            first: link.sequence.saturating_add(1),
            chain: Chain::resume(link),
            links: Vec::new(),
            events: 0,
            stored_at: Timestamp::from_unix_millis(0),
            by: by.to_owned(),
        }
    }

    /// Extends the range by one sequence.
    pub(in crate::log::nats) fn extend(&mut self, digest: &Sha256Sum) {
        self.links.push(self.chain.extend(digest).hash);
    }

    /// Returns the link after the last of the range.
    pub(in crate::log::nats) const fn last(&self) -> Link {
        self.chain.newest()
    }

    /// Returns how many sequences it covers.
    pub(in crate::log::nats) const fn len(&self) -> usize {
        self.links.len()
    }

    /// Hands out the link of each sequence.
    pub(in crate::log::nats) fn links(&self) -> impl Iterator<Item = Link> {
        let sequences = self.first..;
        let links = sequences.zip(&self.links);
        links.map(|(sequence, hash)| Link {
            sequence,
            hash: *hash,
        })
    }

    /// Writes it.
    pub(in crate::log::nats) fn write(&self) -> (HeaderMap, Bytes) {
        let last = self.last();
        let mut headers = HeaderMap::new();
        headers.insert(LOG, self.log.to_string());
        headers.insert(FIRST, self.first.to_string());
        headers.insert(LAST, last.sequence.to_string());
        headers.insert(HASH, last.hash.to_string());
        headers.insert(EVENTS, self.events.to_string());
        headers.insert(STORED_AT, self.stored_at.to_string());
        headers.insert(BY, self.by.as_str());
        let links: Vec<u8> = self.links.iter().flat_map(|hash| hash.0).collect();
        (headers, links.into())
    }

    /// Reads one; `None` if it isn't as it was written.
    pub(in crate::log::nats) fn read(headers: &HeaderMap, links: &[u8]) -> Option<Self> {
        let covered = Covered::read(headers)?;
        let (hashes, rest) = links.as_chunks::<LINK_BYTES>();
        let links: Vec<_> = hashes.iter().copied().map(Sha256Sum).collect();
        let first: u64 = text(headers, FIRST)?.parse().ok()?;
        let length = covered.last.sequence.checked_sub(first)?.checked_add(1)?;
        let whole = rest.is_empty()
            && u64::try_from(links.len()).ok()? == length
            && links.last() == Some(&covered.last.hash);
        whole.then_some(Self {
            log: text(headers, LOG)?.parse().ok()?,
            first,
            chain: Chain::resume(covered.last),
            links,
            events: covered.events,
            stored_at: covered.stored_at,
            by: text(headers, BY)?.to_owned(),
        })
    }
}

impl Covered {
    /// Reads it; `None` if it isn't as it was written.
    pub(in crate::log::nats) fn read(headers: &HeaderMap) -> Option<Self> {
        Some(Self {
            last: Link {
                sequence: text(headers, LAST)?.parse().ok()?,
                hash: text(headers, HASH)?.parse().ok()?,
            },
            events: text(headers, EVENTS)?.parse().ok()?,
            stored_at: Timestamp::parse_rfc3339(text(headers, STORED_AT)?)?,
        })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.as_str())
}

#[cfg(test)]
mod tests {
    use hookgate_core::time::Timestamp;

    use super::{Checkpoint, Covered};
    use crate::{
        evidence::{Chain, Kind, LogId},
        log::Sha256Sum,
    };

    const LOG: LogId = LogId::new([7; 16]);

    fn checkpoint() -> Checkpoint {
        let mut chain = Chain::start(LOG, Kind::Events);
        let link = chain.extend(&Sha256Sum([1; 32]));
        let mut checkpoint = Checkpoint::after(link, LOG, "0a1b");
        checkpoint.extend(&Sha256Sum([2; 32]));
        checkpoint.extend(&Sha256Sum([3; 32]));
        checkpoint.events = 2;
        checkpoint.stored_at = Timestamp::from_unix_millis(1_760_000_000_250);
        checkpoint
    }

    #[test]
    fn reads_the_checkpoint_that_it_writes() {
        let checkpoint = checkpoint();
        let (headers, links) = checkpoint.write();
        assert_eq!(
            Checkpoint::read(&headers, &links).as_ref(),
            Some(&checkpoint)
        );
        let covered = Covered::read(&headers).unwrap();
        assert_eq!(covered.last, checkpoint.last());
        let sequences: Vec<_> = checkpoint.links().map(|link| link.sequence).collect();
        assert_eq!(sequences, [2, 3]);
        assert_eq!(checkpoint.links().last(), Some(checkpoint.last()));
    }

    #[test]
    fn reads_nothing_that_is_not_whole() {
        let (headers, links) = checkpoint().write();
        for length in [0, 32, 63] {
            assert_eq!(Checkpoint::read(&headers, &links[..length]), None);
        }
        let mut other = links.to_vec();
        other[63] ^= 1;
        assert_eq!(Checkpoint::read(&headers, &other), None);
        for (name, value) in [
            ("hookgate-first", "1"),
            ("hookgate-first", "4"),
            ("hookgate-last", "2"),
            ("hookgate-hash", "00"),
            ("hookgate-log", "x"),
            ("hookgate-storedat", "then"),
            ("hookgate-events", "many"),
        ] {
            let mut headers = headers.clone();
            headers.insert(name, value);
            assert_eq!(Checkpoint::read(&headers, &links), None, "{name}: {value}");
        }
    }
}
