//! The redactions of a log, and their own chain.

use std::collections::BTreeMap;

use crate::{
    evidence::{Chain, Finding, Kind, Link, LogId, Redaction},
    log::Sha256Sum,
};

/// Holds the redactions by the sequence of their event.
pub(super) struct Records {
    chain: Chain,
    /// The hash of each link, from the one before the first.
    links: Vec<Sha256Sum>,
    /// Several of one event only where the first was of what couldn't be read.
    by_sequence: BTreeMap<u64, Vec<Redaction>>,
}

impl Records {
    /// Begins the chain of a log.
    pub(super) fn new(log: LogId) -> Self {
        let chain = Chain::start(log, Kind::Redactions);
        Self {
            chain,
            links: vec![chain.newest().hash],
            by_sequence: BTreeMap::new(),
        }
    }

    /// Takes the next one with the hash that is stored for it.
    ///
    /// # Errors
    /// [`Finding::Redaction`] if it isn't what comes next, or another than then.
    pub(super) fn add(&mut self, redaction: Redaction, link: Sha256Sum) -> Result<(), Finding> {
        let number = redaction.number;
        let expected = self.chain.extend(&redaction.digest_of_record());
        let of_event = self.by_sequence.entry(redaction.sequence);
        of_event.or_default().push(redaction);
        self.links.push(link);
        self.chain = Chain::resume(Link {
            sequence: expected.sequence,
            hash: link,
        });
        if expected.sequence == number && expected.hash == link {
            Ok(())
        } else {
            Err(Finding::Redaction { number })
        }
    }

    /// Compares with the redactions that a head knows.
    ///
    /// # Errors
    /// [`Finding::Redactions`].
    pub(super) fn compare(&self, head: Link) -> Result<(), Finding> {
        let known = usize::try_from(head.sequence).unwrap_or(usize::MAX);
        if self.links.get(known) == Some(&head.hash) {
            return Ok(());
        }
        let found = self.chain.newest().sequence.min(head.sequence);
        Err(Finding::Redactions {
            head: head.sequence,
            found: if found == head.sequence { 0 } else { found },
        })
    }

    /// Returns the newest one of an event.
    pub(super) fn of(&self, sequence: u64) -> Option<&Redaction> {
        self.by_sequence.get(&sequence)?.last()
    }

    /// Tells whether one of an event has this digest.
    pub(super) fn has(&self, sequence: u64, digest: &Sha256Sum) -> bool {
        let of_event = self.by_sequence.get(&sequence);
        of_event.is_some_and(|all| all.iter().any(|one| one.digest == *digest))
    }

    /// Returns the digest by which an event that is gone is sealed: of the newest
    /// one that was on record before it was sealed.
    pub(super) fn digest_of_gap(&self, sequence: u64) -> Option<Sha256Sum> {
        let of_event = self.by_sequence.get(&sequence)?;
        let mut newest_first = of_event.iter().rev();
        let before = newest_first.find(|one| one.after.sequence < sequence);
        before.or(of_event.last()).map(|one| one.digest)
    }

    /// Returns the next sequence after another that has one.
    pub(super) fn next_after(&self, sequence: u64) -> Option<u64> {
        let mut after = self.by_sequence.range(sequence.saturating_add(1)..);
        after.next().map(|(sequence, _)| *sequence)
    }

    /// Returns all, by their number.
    pub(super) fn into_list(self) -> Vec<Redaction> {
        let mut list: Vec<_> = self.by_sequence.into_values().flatten().collect();
        list.sort_by_key(|redaction| redaction.number);
        list
    }
}
