//! What should follow an event, how soon, and what didn't: failures that nobody reports.
//!
//! Events of one object (and what is linked to it) are a chain. Two questions are asked of
//! each event, both answered by what was learnt of its type alone:
//!
//! - **Does what follows it follow in time?** For each type the followers are learnt: any
//!   further event of the object, each of at most eight types, and the word of each of at
//!   most four destinations that it is dealt with. Of each the survival function of the
//!   delay is kept and the share of events that it never follows (Kaplan and Meier's
//!   question, answered by judging each event once when it is older than three times the
//!   p99.9). Where hardly any lapse, one that does is told; where more lapse than usual,
//!   that is told as a binomial excess. So of successors at most 0.2 % are told falsely.
//! - **Is it likely at all?** A variable-order Markov model of types says how likely it was
//!   behind the two before; under one in 10,000, of at least 1,000 cases, it is told.
//!
//! An order of arrival that differs for five minutes is no lapse. What is told of one event
//! is told once for its successors and once for each destination; where several events of
//! an object wait for the same, it is told of the newest of them.
//!
//! Memory: at most 128 types, 32 destinations, 65,536 objects and as many events that wait,
//! 1,664 followers of 1 KB. A type or destination beyond that isn't watched. Objects that wait
//! for nothing go first, then the oldest; what goes is not judged.

mod chain;
mod delay;
mod flag;
mod lapse;
mod link;
mod markov;
mod names;
mod table;
mod wait;

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};

pub use self::flag::{Finding, Flag, Kind};
use self::{
    link::{Follower, Link},
    markov::Markov,
    names::{Name, Names},
    table::Table,
    wait::Waits,
};
use crate::state::{self, StateError, persist};

/// Types that are told apart.
const TYPES: usize = 128;
/// Destinations that are told apart.
const DESTINATIONS: usize = 32;
/// Cases without which nothing is known of a follower.
const ENOUGH: u32 = 100;
/// How far apart events may arrive in another order, in milliseconds.
const REORDERED: u64 = 300_000;
/// Probability under which a transition is told.
const IMPROBABLE: f64 = 1e-4;
/// Cases without which no transition is.
const TRANSITIONS: u32 = 1_000;

/// An event of the log.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Its place, which grows.
    pub sequence: u64,
    /// Digest of its identity, by which [`Outcome`]s name it.
    pub event: u64,
    /// Digests of the names of its object and of those it is linked to; its own first.
    pub objects: &'a [u64],
    /// Its type.
    pub type_name: &'a str,
    /// When it came, in milliseconds since 1970.
    pub at_millis: u64,
    /// Whether it was delivered when it happened; what was fetched later says nothing of
    /// delays.
    pub in_time: bool,
}

/// What a destination says of an event.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// Digest of the event's identity.
    pub event: u64,
    /// Who says so.
    pub destination: &'a str,
    /// When the destination got it, in milliseconds since 1970, if that is known.
    pub got_millis: Option<u64>,
    /// When it said so.
    pub at_millis: u64,
    /// Whether it is done, or failed.
    pub completed: bool,
}

/// Since when a destination has an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got {
    /// Since this time, in milliseconds since 1970.
    At(u64),
    /// Since it came, as far as is known.
    Unknown,
    /// It is on its way, or waits for a person.
    NotYet,
    /// It never gets it.
    Never,
}

/// What is expected of events. The host tells each event of the log in its order,
/// outcomes as they come, and ticks.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectations {
    types: Names,
    destinations: Names,
    links: Table,
    markov: Markov,
    waits: Waits,
    /// Events whose type is one too many.
    unnamed: u64,
}

persist!(Expectations {
    types,
    destinations,
    links,
    markov,
    waits,
    unnamed
});

impl Default for Expectations {
    fn default() -> Self {
        Self::new()
    }
}

impl Expectations {
    /// Starts without knowledge.
    pub fn new() -> Self {
        Self {
            types: Names::default(),
            destinations: Names::default(),
            links: Table::new(),
            markov: Markov::new(),
            waits: Waits::new(),
            unnamed: 0,
        }
    }

    /// Takes an event.
    pub fn observe(&mut self, event: &Event<'_>) -> Vec<Finding> {
        let mut found = Vec::new();
        let Some(name) = self.types.number(event.type_name, TYPES) else {
            self.unnamed = self.unnamed.saturating_add(1);
            return found;
        };
        let count = self.links.count(name);
        let chain = self.waits.chain(event.objects, event.at_millis);
        if let Some(chain) = chain {
            if event.in_time {
                found.extend(self.transition(event, chain, name));
            }
            self.follow(event, chain, name, &mut found);
        }
        if event.in_time {
            let settled = chain.map(|chain| self.came_before(event, chain, name));
            let links = self.links.of(name);
            (self.waits).add(
                event,
                chain,
                name,
                settled.unwrap_or_default(),
                links,
                count,
            );
        }
        if let Some(chain) = chain {
            self.waits.see(chain, name, event.at_millis);
        }
        found
    }

    /// Takes what a destination says; of an event that isn't waited for any more it says
    /// nothing new.
    pub fn reported(&mut self, outcome: &Outcome<'_>) -> Vec<Finding> {
        let mut found = Vec::new();
        let Some(sequence) = self.waits.sequence(outcome.event) else {
            return found;
        };
        let Some(destination) = (self.destinations).number(outcome.destination, DESTINATIONS)
        else {
            return found;
        };
        let follower = Follower::Completion(destination);
        if let Some(got) = outcome.got_millis {
            self.waits.begin(sequence, destination, got);
        }
        self.came(sequence, follower, outcome.at_millis, true, &mut found);
        let Some((name, since)) = self.waits.about(sequence) else {
            return found;
        };
        let failed = !outcome.completed;
        if let Some(link) = self.links.find(name, follower)
            && let Some(excess) = link.failed.judge(failed, ENOUGH)
        {
            let mut flag = blank(Kind::FailedExcess, sequence, since, outcome.at_millis);
            (flag.cases, flag.like_it) = (excess.cases, excess.lapsed);
            (flag.usual, flag.probability) = (excess.usual, excess.probability);
            found.push(Finding::Flag(self.named(flag, name, follower)));
        }
        found
    }

    /// Returns the place of an event that waits, by the digest of its identity.
    pub fn place_of(&self, event: u64) -> Option<u64> {
        self.waits.sequence(event)
    }

    /// Looks for what is overdue. `got` says since when a destination has an event; it is
    /// asked of what would be overdue otherwise.
    pub fn tick(&mut self, now_millis: u64, got: &mut dyn FnMut(u64, &str) -> Got) -> Vec<Finding> {
        let mut found = Vec::new();
        while let Some(sequence) = self.waits.due(now_millis) {
            let Some((name, since)) = self.waits.about(sequence) else {
                continue;
            };
            let followers: Vec<Follower> = self.links.of(name).map(|link| link.follower).collect();
            for follower in followers {
                if !self.waits.waits_for(sequence, follower) {
                    continue;
                }
                let limit = self.links.limit(name, follower);
                if self.waits.begins(sequence, follower).saturating_add(limit) > now_millis {
                    continue;
                }
                if let Follower::Completion(destination) = follower {
                    let has = got(sequence, self.destinations.name(destination));
                    match has {
                        Got::At(at) => self.waits.begin(sequence, destination, at),
                        Got::NotYet => self.waits.begin(sequence, destination, now_millis),
                        Got::Never => self.waits.settle(sequence, follower),
                        Got::Unknown => {}
                    }
                    let begins = self.waits.begins(sequence, follower);
                    if has == Got::Never || begins.saturating_add(limit) > now_millis {
                        continue;
                    }
                }
                self.lapsed(sequence, name, follower, (since, now_millis), &mut found);
            }
            self.waits
                .schedule(sequence, self.links.of(name), now_millis);
        }
        found
    }

    /// Returns how many objects and events are remembered, how many events went unjudged for
    /// want of room, and how many were told as overdue and are still missing.
    pub fn counts(&self) -> Counts {
        Counts {
            objects: self.waits.objects(),
            waiting: self.waits.len(),
            unjudged: self.waits.dropped().saturating_add(self.unnamed),
            overdue: self.waits.overdue(),
        }
    }

    /// Returns what was learnt as bytes for [`restore`](Self::restore).
    pub fn save(&self) -> Vec<u8> {
        state::save(self)
    }

    /// Reads what [`save`](Self::save) returned.
    ///
    /// # Errors
    /// [`StateError`]: of another version, damaged, or something else.
    pub fn restore(bytes: &[u8]) -> Result<Self, StateError> {
        state::restore(bytes)
    }

    fn transition(&mut self, event: &Event<'_>, chain: u64, name: Name) -> Option<Finding> {
        let before = self.waits.last(chain);
        let likely = self.markov.observe(before, name);
        let is_told = likely.probability < IMPROBABLE && likely.cases >= TRANSITIONS;
        is_told.then(|| {
            let kind = Kind::ImprobableTransition;
            let mut flag = blank(kind, event.sequence, event.at_millis, event.at_millis);
            (flag.cases, flag.like_it) = (likely.cases, likely.seen);
            flag.probability = likely.probability;
            flag.type_name = event.type_name.to_string();
            flag.expected = self.types.name(before.1).to_string();
            Finding::Flag(flag)
        })
    }

    /// Settles what waits for this event.
    fn follow(&mut self, event: &Event<'_>, chain: u64, name: Name, found: &mut Vec<Finding>) {
        for sequence in self.waits.open(chain) {
            for follower in [Follower::Any, Follower::Type(name)] {
                self.came(sequence, follower, event.at_millis, event.in_time, found);
            }
        }
    }

    fn came(
        &mut self,
        sequence: u64,
        follower: Follower,
        at_millis: u64,
        in_time: bool,
        found: &mut Vec<Finding>,
    ) {
        let Some((name, _)) = self.waits.about(sequence) else {
            return;
        };
        let Some(link) = self.links.make(name, follower) else {
            return;
        };
        let after = at_millis.saturating_sub(self.waits.begins(sequence, follower));
        if let Some(told) = self.waits.came_late(sequence, follower) {
            link.missing.forgive();
            link.came(after, sequence);
            if told {
                let kind = kind(follower);
                let expected = self.expected(follower);
                found.push(Finding::Late {
                    sequence,
                    kind,
                    expected,
                });
            }
        } else if self.waits.waits_for(sequence, follower) {
            link.missing.judge(false, ENOUGH);
            if in_time {
                link.came(after, sequence);
            }
            self.waits.settle(sequence, follower);
        }
    }

    /// Returns which followers came just before, in another order than usual.
    fn came_before(&mut self, event: &Event<'_>, chain: u64, name: Name) -> Vec<Follower> {
        if self.waits.has_since(chain, name, 0) {
            return Vec::new();
        }
        let since = event.at_millis.saturating_sub(REORDERED);
        let mut came = Vec::new();
        for link in self.links.of_mut(name) {
            if let Follower::Type(other) = link.follower
                && self.waits.has_since(chain, other, since)
            {
                link.missing.judge(false, ENOUGH);
                came.push(link.follower);
            }
        }
        if !came.is_empty()
            && let Some(link) = self.links.find(name, Follower::Any)
        {
            link.missing.judge(false, ENOUGH);
            came.push(Follower::Any);
        }
        came
    }

    fn lapsed(
        &mut self,
        sequence: u64,
        name: Name,
        follower: Follower,
        (since, now): (u64, u64),
        found: &mut Vec<Finding>,
    ) {
        let is_of_newest = self.is_of_newest(sequence, follower);
        let is_told_already = self.waits.has_told_successor(sequence, follower);
        let Some(link) = self.links.find(name, follower) else {
            return;
        };
        let told = link.is_expected(ENOUGH) && is_of_newest && !is_told_already;
        let mut flag = blank(kind(follower), sequence, since, now);
        flag.limit_seconds = link.limit() as f64 / 1_000.0;
        (flag.cases, flag.like_it) = (link.missing.cases, link.missing.lapsed);
        flag.usual = link.missing.usual;
        // Laplace's rule of succession.
        flag.probability = (f64::from(flag.like_it) + 1.0) / (f64::from(flag.cases) + 2.0);
        flag.similar = similar(link);
        let excess = link.missing.judge(true, ENOUGH);
        link.lapsed(sequence);
        self.waits.miss(sequence, follower, told, now);
        if let Some(excess) = excess.filter(|_| is_of_newest) {
            let mut flag = flag.clone();
            flag.kind = Kind::Excess;
            (flag.cases, flag.like_it) = (excess.cases, excess.lapsed);
            (flag.usual, flag.probability) = (excess.usual, excess.probability);
            found.push(Finding::Flag(self.named(flag, name, follower)));
        }
        if told {
            found.push(Finding::Flag(self.named(flag, name, follower)));
        }
    }

    /// Tells whether no later event of the object waits for the same.
    fn is_of_newest(&self, sequence: u64, follower: Follower) -> bool {
        let Follower::Type(_) = follower else {
            return true;
        };
        let mut later = self.waits.later(sequence);
        !later.any(|name| {
            let mut links = self.links.of(name);
            links.any(|link| link.follower == follower && link.is_expected(ENOUGH))
        })
    }

    fn named(&self, mut flag: Flag, name: Name, follower: Follower) -> Flag {
        flag.type_name = self.types.name(name).to_string();
        flag.expected = self.expected(follower);
        flag
    }

    fn expected(&self, follower: Follower) -> String {
        match follower {
            Follower::Any => String::new(),
            Follower::Type(name) => self.types.name(name).to_string(),
            Follower::Completion(name) => self.destinations.name(name).to_string(),
        }
    }
}

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Objects.
    pub objects: usize,
    /// Events that wait for what follows.
    pub waiting: usize,
    /// Events that were not judged for want of room, ever.
    pub unjudged: u64,
    /// Events of which something was told as overdue, and is still missing.
    pub overdue: usize,
}

const fn kind(follower: Follower) -> Kind {
    match follower {
        Follower::Any | Follower::Type(_) => Kind::OverdueSuccessor,
        Follower::Completion(_) => Kind::OverdueCompletion,
    }
}

fn similar(link: &Link) -> Vec<u64> {
    if link.lapsed.is_empty() {
        link.came.clone()
    } else {
        link.lapsed.clone()
    }
}

const fn blank(kind: Kind, sequence: u64, since_millis: u64, at_millis: u64) -> Flag {
    Flag {
        kind,
        type_name: String::new(),
        expected: String::new(),
        sequence,
        since_millis,
        at_millis,
        limit_seconds: 0.0,
        cases: 0,
        like_it: 0,
        usual: 0.0,
        probability: 0.0,
        similar: Vec::new(),
    }
}
