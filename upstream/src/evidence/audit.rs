//! Verifying a log: everything it holds goes through here in its order.

mod moved;
mod records;
#[cfg(test)]
mod tests;

use hookgate_core::time::Timestamp;

use self::{
    moved::{Altered, Moves},
    records::Records,
};
use super::{Chain, Cutoff, Finding, Head, Kind, Link, LogId, Redaction};
use crate::log::{Damage, Entry, Sha256Sum};

/// Most findings that are kept one by one; more are counted.
const MAX_FINDINGS: usize = 1_000;

/// Says why a head can't be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuditError {
    /// It is of another log.
    #[error("the head is of the log {head}, and this is the log {found}: take a head of this one")]
    OtherLog {
        /// Of the head.
        head: LogId,
        /// Of the log.
        found: LogId,
    },
    /// Retention removed the events that it speaks for.
    #[error(
        "the head is of event {head}, and retention removed everything up to event {cutoff}: take a newer head"
    )]
    HeadRemoved {
        /// Of the head.
        head: u64,
        /// Of the newest event that is removed.
        cutoff: u64,
    },
}

/// Holds what verifying found.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Which log.
    pub(crate) log: LogId,
    /// What retention removed before.
    pub(crate) cutoff: Option<Cutoff>,
    /// The head that it was compared with.
    pub(crate) head: Option<Head>,
    /// Events that were there.
    pub(crate) events: u64,
    /// The newest link: what a head of it would say.
    pub(crate) newest: Link,
    /// Newest events that no link speaks for yet.
    pub(crate) unsealed: u64,
    /// Every redaction of the log.
    pub(crate) redactions: Vec<Redaction>,
    /// What is wrong, in the order of the log; the first thousand.
    pub(crate) findings: Vec<Finding>,
    /// How much is wrong in all.
    pub(crate) damaged: u64,
}

impl Verdict {
    /// Tells whether nothing was found.
    pub(crate) const fn is_sound(&self) -> bool {
        self.damaged == 0
    }
}

/// A link that doesn't fit: the event before it is another, or it is itself.
/// The next link tells.
struct Suspect {
    first: u64,
    last: u64,
    /// As it were if the link alone is wrong.
    alternative: Chain,
    altered: Option<Altered>,
}

/// Verifies one log. First every [`redaction`](Self::redaction), then each
/// [`event`](Self::event) followed by its [`link`](Self::link), if it has one.
pub(crate) struct Audit {
    log: LogId,
    cutoff: Option<Cutoff>,
    head: Option<Head>,
    /// The hashes that the log has, or amounts to, at the place of the head.
    at_head: Vec<Sha256Sum>,
    records: Records,
    next: u64,
    events: u64,
    /// Ends before `next`; unknown after a gap until the next link.
    chain: Option<Chain>,
    /// The newest link that was seen, and whether the last event has it.
    linked: Link,
    suspect: Option<Suspect>,
    newest_event: Option<(u64, Timestamp, Sha256Sum)>,
    moves: Moves,
    findings: Vec<Finding>,
    damaged: u64,
}

impl Audit {
    /// Begins after what retention removed, if it did.
    ///
    /// # Errors
    /// [`AuditError`]: with this head nothing can be said.
    pub(crate) fn start(
        log: LogId,
        cutoff: Option<Cutoff>,
        head: Option<Head>,
    ) -> Result<Self, AuditError> {
        let chain = cutoff.map_or_else(
            || Chain::start(log, Kind::Events),
            |cutoff| Chain::resume(cutoff.link),
        );
        let linked = chain.newest();
        if let Some(head) = head {
            if head.log != log {
                return Err(AuditError::OtherLog {
                    head: head.log,
                    found: log,
                });
            }
            if head.events.sequence < linked.sequence {
                return Err(AuditError::HeadRemoved {
                    head: head.events.sequence,
                    cutoff: linked.sequence,
                });
            }
        }
        let mut audit = Self {
            log,
            cutoff,
            head,
            at_head: Vec::new(),
            records: Records::new(log),
            next: linked.sequence.saturating_add(1),
            events: 0,
            chain: Some(chain),
            linked,
            suspect: None,
            newest_event: None,
            moves: Moves::default(),
            findings: Vec::new(),
            damaged: 0,
        };
        audit.note(linked);
        Ok(audit)
    }

    /// Takes the next redaction, and the hash of its link.
    pub(crate) fn redaction(&mut self, redaction: Redaction, link: Sha256Sum) {
        if let Err(finding) = self.records.add(redaction, link) {
            self.find(finding);
        }
    }

    /// Takes the next event with its payload. Nothing that a log returns may be
    /// held back: what is damaged is what this is for.
    pub(crate) fn event(&mut self, sequence: u64, event: Result<(&Entry, &[u8]), Damage>) {
        self.skip_to(sequence);
        self.events = self.events.saturating_add(1);
        let digest = match event {
            Ok((entry, payload)) => Some(self.read(entry, payload)),
            Err(Damage::Field { sequence, field }) => {
                self.find(Finding::Field { sequence, field });
                None
            }
            Err(_) => {
                self.find(Finding::Attributes { sequence });
                None
            }
        };
        self.extend(digest);
    }

    /// Takes what a log keeps of a redacted event, at a place of its own.
    pub(crate) fn tombstone(&mut self, sequence: u64, stored_at: Timestamp, of: &Entry) {
        self.skip_to(sequence);
        let digest = of.digest();
        if !self.records.has(of.sequence, &digest) {
            self.find(Finding::Tombstone { sequence });
        }
        let tombstone = super::tombstone(sequence, stored_at, of.sequence, &digest);
        self.extend(Some(tombstone));
    }

    /// Takes the stored link of an event: of the last one, or of one that is
    /// gone.
    pub(crate) fn link(&mut self, link: Link) {
        self.skip_to(link.sequence.saturating_add(1));
        let first = self.linked.sequence.saturating_add(1);
        match self.chain {
            Some(chain) if chain.newest().hash == link.hash => self.confirm_suspect(),
            Some(chain) => match self.suspect.take() {
                // The link before was wrong, and every event is well.
                Some(suspect) if suspect.alternative.newest().hash == link.hash => {
                    self.find(Finding::Link {
                        sequence: suspect.last,
                    });
                }
                before => {
                    self.suspect = before;
                    self.confirm_suspect();
                    self.suspect = Some(Suspect {
                        first,
                        last: link.sequence,
                        alternative: chain,
                        altered: self.altered(link),
                    });
                }
            },
            None => self.confirm_suspect(),
        }
        self.chain = Some(Chain::resume(link));
        self.linked = link;
        self.note(link);
    }

    /// Takes what the storage says of its own structure.
    pub(crate) fn storage(&mut self, said: String) {
        self.find(Finding::Storage { said });
    }

    /// Tells whether the payload of an event was removed, as far as is known.
    pub(crate) fn is_redacted(&self, sequence: u64) -> bool {
        self.records.of(sequence).is_some()
    }

    /// Tells whether something is wrong so far, or in doubt.
    pub(crate) const fn is_in_doubt(&self) -> bool {
        self.damaged > 0 || self.suspect.is_some()
    }

    /// Says that a message of the evidence is gone, or not what was written.
    pub(crate) fn evidence(&mut self, place: u64) {
        self.find(Finding::Evidence { place });
    }

    /// Says that the log goes up to a sequence, whatever of it is there.
    pub(crate) fn reaches(&mut self, sequence: u64) {
        self.skip_to(sequence.saturating_add(1));
    }

    /// Says that the last event should have had a link.
    pub(crate) fn unlinked(&mut self) {
        let sequence = self.next.saturating_sub(1);
        self.find(Finding::Unlinked { sequence });
    }

    /// Ends the log.
    pub(crate) fn finish(mut self) -> Verdict {
        self.confirm_suspect();
        let last = self.next.saturating_sub(1);
        if let Some(head) = self.head {
            if last < head.events.sequence {
                self.find(Finding::Truncated {
                    last,
                    head: head.events.sequence,
                });
            } else if !self.at_head.contains(&head.events.hash) {
                self.find(Finding::Rewritten {
                    sequence: head.events.sequence,
                });
            }
            if let Err(finding) = self.records.compare(head.redactions) {
                self.find(finding);
            }
        }
        self.moves.name(&mut self.findings);
        self.findings.sort_by_key(Finding::place);
        Verdict {
            log: self.log,
            cutoff: self.cutoff,
            head: self.head,
            events: self.events,
            newest: self.linked,
            unsealed: last.saturating_sub(self.linked.sequence),
            redactions: self.records.into_list(),
            findings: self.findings,
            damaged: self.damaged,
        }
    }

    /// Checks one event; returns the digest that counts.
    fn read(&mut self, entry: &Entry, payload: &[u8]) -> Sha256Sum {
        let sequence = entry.sequence;
        let digest = entry.digest();
        self.newest_event = Some((sequence, entry.stored_at, super::content(&entry.attributes)));
        if let Some(redaction) = self.records.of(sequence) {
            let number = redaction.number;
            if !payload.is_empty() || redaction.digest != digest {
                self.find(Finding::Redacted { sequence, number });
            }
        } else if Sha256Sum::of(payload) != entry.attributes.sha256 {
            self.find(Finding::Payload { sequence });
        }
        digest
    }

    /// Moves on to a sequence over what isn't there. A redacted event may be
    /// gone whole: its record has its digest.
    fn skip_to(&mut self, sequence: u64) {
        while self.next < sequence {
            let first = self.next;
            if let Some(digest) = self.records.digest_of_gap(first) {
                self.extend(Some(digest));
                continue;
            }
            let end = self.records.next_after(first).unwrap_or(sequence);
            let end = end.min(sequence);
            self.find(Finding::Missing {
                first,
                last: end.saturating_sub(1),
            });
            self.chain = None;
            self.next = end;
        }
    }

    /// Adds one place to the chain, by its digest if that is known.
    fn extend(&mut self, digest: Option<Sha256Sum>) {
        self.next = self.next.saturating_add(1);
        let Some(digest) = digest else {
            self.chain = None;
            return;
        };
        if let Some(suspect) = &mut self.suspect {
            suspect.alternative.extend(&digest);
        }
        if let Some(chain) = &mut self.chain {
            let link = chain.extend(&digest);
            self.note(link);
        }
    }

    /// What is needed to see where an event belongs, if it alone is in doubt.
    fn altered(&self, link: Link) -> Option<Altered> {
        let (sequence, stored_at, content) = self.newest_event?;
        let alone = self.linked.sequence.saturating_add(1) == sequence;
        (alone && sequence == link.sequence).then_some(Altered {
            before: self.linked,
            link,
            stored_at,
            content,
        })
    }

    /// The event before the last link was another, and not the link.
    fn confirm_suspect(&mut self) {
        let Some(suspect) = self.suspect.take() else {
            return;
        };
        let (first, last) = (suspect.first, suspect.last);
        if first == last {
            self.find(Finding::Attributes { sequence: first });
        } else {
            self.find(Finding::Range { first, last });
        }
        if let Some(altered) = suspect.altered {
            self.moves.add(altered);
        }
    }

    /// Keeps what the head is to be compared with.
    fn note(&mut self, link: Link) {
        if (self.head).is_some_and(|head| head.events.sequence == link.sequence) {
            self.at_head.push(link.hash);
        }
    }

    fn find(&mut self, finding: Finding) {
        // A gap that its links show one by one is one gap.
        if let Finding::Missing { first, last } = finding
            && let Some(Finding::Missing { last: before, .. }) = self.findings.last_mut()
            && before.saturating_add(1) == first
        {
            *before = last;
            return;
        }
        self.damaged = self.damaged.saturating_add(1);
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        }
    }
}
