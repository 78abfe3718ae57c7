//! Which verdicts stand, so that each is told once.

use alloc::{string::String, vec::Vec};

use crate::{
    state::{Input, Persist, StateError, persist},
    time::Time,
    verdict::{Cause, Verdict},
};

/// Seconds without its finding after which a verdict is over.
const HOLD_SECONDS: u64 = 1_800;
/// Verdicts that stand at most; the oldest go first.
const MOST: usize = 256;

/// What was found in one tick: a verdict if it is new.
pub(crate) struct Finding {
    pub(crate) cause: Cause,
    pub(crate) subject: Option<String>,
    pub(crate) score: f64,
    pub(crate) evidence: String,
}

/// Verdicts that stand.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standing {
    verdicts: Vec<Entry>,
}

persist!(Standing { verdicts });

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    cause: Cause,
    subject: Option<String>,
    seen: Time,
}

persist!(Entry {
    cause,
    subject,
    seen
});

impl Standing {
    pub(crate) const fn new() -> Self {
        Self {
            verdicts: Vec::new(),
        }
    }

    /// Tells whether a verdict of this cause stands.
    pub(crate) fn has(&self, cause: Cause) -> bool {
        self.verdicts.iter().any(|entry| entry.cause == cause)
    }

    /// Tells whether this cause was found at this time.
    pub(crate) fn lasts(&self, cause: Cause, now: Time) -> bool {
        let mut entries = self.verdicts.iter();
        entries.any(|entry| entry.cause == cause && entry.seen == now)
    }

    /// Keeps how long ago everything was found, where the clock is set back.
    pub(crate) fn set_back(&mut self, seconds: u64) {
        for entry in &mut self.verdicts {
            entry.seen = entry.seen.minus(seconds);
        }
    }

    /// Takes what was found; returns what is new.
    pub(crate) fn settle(&mut self, now: Time, found: Vec<Finding>) -> Vec<Verdict> {
        self.verdicts
            .retain(|entry| now.seconds_since(entry.seen) < HOLD_SECONDS);
        let mut new = Vec::new();
        for finding in found {
            let known = self
                .verdicts
                .iter_mut()
                .find(|entry| entry.cause == finding.cause && entry.subject == finding.subject);
            if let Some(entry) = known {
                entry.seen = now;
                continue;
            }
            if self.verdicts.len() >= MOST {
                self.verdicts.remove(0);
            }
            self.verdicts.push(Entry {
                cause: finding.cause,
                subject: finding.subject.clone(),
                seen: now,
            });
            new.push(Verdict {
                cause: finding.cause,
                subject: finding.subject,
                at: now,
                score: finding.score,
                evidence: finding.evidence,
            });
        }
        new
    }
}

impl Persist for Cause {
    fn write(&self, out: &mut Vec<u8>) {
        let at = Self::ALL.iter().position(|cause| cause == self);
        u8::try_from(at.unwrap_or_default())
            .unwrap_or_default()
            .write(out);
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        let at = usize::from(u8::read(input)?);
        let cause = Self::ALL.get(at).copied();
        cause.ok_or_else(|| input.wrong_value("cause"))
    }
}
