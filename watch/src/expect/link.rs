//! What comes after a type, and how it usually does.

use alloc::vec::Vec;

use super::{delay::Delays, lapse::Lapses, names::Name};
use crate::state::{Input, Persist, StateError, persist};

/// Shortest time after which something is overdue, in milliseconds: clocks and ticks
/// differ by that much.
const LEAST_LIMIT: u64 = 60_000;
/// Longest, 45 days.
const MOST_LIMIT: u64 = 45 * 86_400_000;
/// How many times the p99.9 is overdue.
const TIMES: f64 = 3.0;
/// Cases that are remembered of each kind.
const EXAMPLES: usize = 3;
/// Share that may lapse where one that does is told by itself: of successors, because a
/// type that ends some objects is followed by nothing.
const USUAL_SUCCESSOR: f64 = 0.002;
/// The same of completions, where each that doesn't come is a failure.
const USUAL_COMPLETION: f64 = 0.1;

/// What may come after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Follower {
    /// Any event of its object.
    Any,
    /// One of this type.
    Type(Name),
    /// Word of this destination that it is dealt with.
    Completion(Name),
}

impl Persist for Follower {
    fn write(&self, out: &mut Vec<u8>) {
        let (kind, name) = match self {
            Self::Any => (0_u8, 0),
            Self::Type(Name(name)) => (1, *name),
            Self::Completion(Name(name)) => (2, *name),
        };
        kind.write(out);
        name.write(out);
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        let (kind, name) = (u8::read(input)?, Name::read(input)?);
        match kind {
            0 => Ok(Self::Any),
            1 => Ok(Self::Type(name)),
            2 => Ok(Self::Completion(name)),
            _ => Err(input.wrong_value("follower")),
        }
    }
}

/// Survival of the time from an event of a type to what follows it. 1 KB.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Link {
    pub(super) follower: Follower,
    pub(super) delays: Delays,
    pub(super) missing: Lapses,
    /// Of completions: that failed.
    pub(super) failed: Lapses,
    /// Sequences of the newest that came.
    pub(super) came: Vec<u64>,
    /// Sequences of the newest that didn't.
    pub(super) lapsed: Vec<u64>,
}

persist!(Link {
    follower,
    delays,
    missing,
    failed,
    came,
    lapsed
});

impl Link {
    pub(super) fn new(follower: Follower) -> Self {
        Self {
            follower,
            delays: Delays::new(),
            missing: Lapses::new(),
            failed: Lapses::new(),
            came: Vec::new(),
            lapsed: Vec::new(),
        }
    }

    /// Returns the milliseconds after which it is overdue.
    pub(super) fn limit(&self) -> u64 {
        let limit = (TIMES * self.delays.p999() * 1_000.0) as u64;
        limit.clamp(LEAST_LIMIT, MOST_LIMIT)
    }

    /// Learns that it came, so many milliseconds after; at most thrice what is overdue is
    /// learnt at once.
    pub(super) fn came(&mut self, after: u64, sequence: u64) {
        let most = self.limit().saturating_mul(3);
        let learnt = if self.delays.p999() > 0.0 {
            after.min(most)
        } else {
            after
        };
        self.delays.add(learnt as f64 / 1_000.0);
        remember(&mut self.came, sequence);
    }

    /// Learns that it didn't.
    pub(super) fn lapsed(&mut self, sequence: u64) {
        remember(&mut self.lapsed, sequence);
    }

    /// Tells whether one that doesn't come is worth a word.
    pub(super) fn is_expected(&self, enough: u32) -> bool {
        let most = match self.follower {
            Follower::Any | Follower::Type(_) => USUAL_SUCCESSOR,
            Follower::Completion(_) => USUAL_COMPLETION,
        };
        self.missing.cases >= enough && self.missing.usual <= most
    }

    /// Tells whether it says hardly anything, so that its place may be another's.
    pub(super) fn is_weak(&self) -> bool {
        self.missing.cases >= 50 && self.missing.usual > 0.9
    }
}

fn remember(examples: &mut Vec<u64>, sequence: u64) {
    if examples.len() >= EXAMPLES {
        examples.remove(0);
    }
    examples.push(sequence);
}
