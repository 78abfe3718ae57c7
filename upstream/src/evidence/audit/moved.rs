//! Which of the events that don't fit fit elsewhere.

use hookgate_core::time::Timestamp;

use crate::{
    evidence::{Chain, Finding, Link, event},
    log::Sha256Sum,
};

/// Most events that are tried at each other's places.
const MAX_TRIED: usize = 256;

/// Holds an event that doesn't fit, and the links around it.
pub(super) struct Altered {
    /// The link before it.
    pub(super) before: Link,
    /// Its own.
    pub(super) link: Link,
    /// Of the event that is there.
    pub(super) stored_at: Timestamp,
    /// Of the event that is there.
    pub(super) content: Sha256Sum,
}

/// Collects them.
#[derive(Default)]
pub(super) struct Moves(Vec<Altered>);

impl Moves {
    /// Takes one.
    pub(super) fn add(&mut self, altered: Altered) {
        if self.0.len() < MAX_TRIED {
            self.0.push(altered);
        }
    }

    /// Makes [`Finding::Moved`] of each [`Finding::Attributes`] whose event
    /// fits in another's place.
    pub(super) fn name(&self, findings: &mut [Finding]) {
        for finding in findings {
            let &mut Finding::Attributes { sequence } = finding else {
                continue;
            };
            let here = self.0.iter().find(|here| here.link.sequence == sequence);
            let belongs = here.and_then(|here| self.0.iter().find(|there| fits(here, there)));
            if let Some(there) = belongs {
                *finding = Finding::Moved {
                    sequence,
                    belongs: there.link.sequence,
                };
            }
        }
    }
}

/// Tells whether what is here was appended there.
fn fits(here: &Altered, there: &Altered) -> bool {
    let digest = event(there.link.sequence, here.stored_at, &here.content);
    Chain::resume(there.before).extend(&digest) == there.link
}
