//! What is known of one object, and of an event that waits for what follows.

use alloc::vec::Vec;

use super::{link::Follower, names::Name};
use crate::state::persist;

/// Names of one object at most; more of them find it no more.
pub(super) const KEYS: usize = 8;
/// Types of one object whose last time is known.
const SEEN: usize = 16;
/// Events of one object that wait at once; the oldest goes, and isn't judged.
pub(super) const OPEN: usize = 32;

/// One object and what is linked to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chain {
    pub(super) keys: Vec<u64>,
    /// The last two types.
    pub(super) last: (Name, Name),
    pub(super) last_millis: u64,
    /// When each type came last.
    seen: Vec<(Name, u64)>,
    /// Sequences of what waits.
    pub(super) open: Vec<u64>,
}

persist!(Chain {
    keys,
    last,
    last_millis,
    seen,
    open
});

impl Chain {
    pub(super) const fn new() -> Self {
        Self {
            keys: Vec::new(),
            last: (Name::START, Name::START),
            last_millis: 0,
            seen: Vec::new(),
            open: Vec::new(),
        }
    }

    /// Takes an event of a type.
    pub(super) fn see(&mut self, name: Name, at_millis: u64) {
        self.last = (self.last.1, name);
        self.last_millis = self.last_millis.max(at_millis);
        self.seen.retain(|(known, _)| *known != name);
        if self.seen.len() >= SEEN {
            self.seen.remove(0);
        }
        self.seen.push((name, at_millis));
    }

    /// Tells whether a type came at a time or later.
    pub(super) fn has_since(&self, name: Name, millis: u64) -> bool {
        let mut seen = self.seen.iter();
        seen.any(|(known, at)| *known == name && *at >= millis)
    }
}

/// An event that waits for what follows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Waiting {
    /// Digest of its identity.
    pub(super) event: u64,
    pub(super) chain: Option<u64>,
    pub(super) name: Name,
    pub(super) at_millis: u64,
    /// When it is looked at again.
    pub(super) due_millis: u64,
    /// Until when it is kept, whatever is known of it.
    pub(super) until_millis: u64,
    /// What came, or can't come any more.
    pub(super) settled: Vec<Follower>,
    /// What didn't come in time; told or not.
    pub(super) missed: Vec<(Follower, bool)>,
    /// Completions whose time begins later: the destination didn't have it yet.
    pub(super) begins: Vec<(Name, u64)>,
}

persist!(Waiting {
    event,
    chain,
    name,
    at_millis,
    due_millis,
    until_millis,
    settled,
    missed,
    begins
});

impl Waiting {
    /// Tells whether a follower is still waited for.
    pub(super) fn waits_for(&self, follower: Follower) -> bool {
        !self.settled.contains(&follower)
            && !self.missed.iter().any(|(missed, _)| *missed == follower)
    }

    /// When the time of a follower begins.
    pub(super) fn begins(&self, follower: Follower) -> u64 {
        let later = match follower {
            Follower::Completion(name) => self.begins.iter().find(|(known, _)| *known == name),
            Follower::Any | Follower::Type(_) => None,
        };
        later.map_or(self.at_millis, |(_, at)| *at)
    }

    /// Says when the time of a completion begins.
    pub(super) fn begin(&mut self, name: Name, at_millis: u64) {
        self.begins.retain(|(known, _)| *known != name);
        self.begins.push((name, at_millis));
    }
}
