//! The objects that are known, and the events that wait for what follows.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::{
    Event,
    chain::{Chain, KEYS, OPEN, Waiting},
    link::{Follower, Link},
    names::Name,
};
use crate::state::{Input, Persist, StateError};

/// Objects that are remembered.
const CHAINS: usize = 65_536;
/// Events that wait.
const WAITING: usize = 65_536;
/// Events of a type before its followers are taken to be known.
const YOUNG: u64 = 1_000;
/// How long an event of a young type waits for followers that nobody knows: a day.
const UNKNOWN: u64 = 86_400_000;
/// The same of other types: ten minutes.
const KNOWN: u64 = 600_000;
/// How long one waits on for what is overdue: a day.
const LATE: u64 = 86_400_000;

/// Chains, and what waits in them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Waits {
    chains: BTreeMap<u64, Chain>,
    waiting: BTreeMap<u64, Waiting>,
    next_chain: u64,
    dropped: u64,
    /// By names of their objects.
    by_key: BTreeMap<u64, u64>,
    by_event: BTreeMap<u64, u64>,
    due: BTreeSet<(u64, u64)>,
    /// Chains in which nothing waits, those first that rest longest.
    resting: BTreeSet<(u64, u64)>,
    /// What waits for nothing that is known.
    idle: BTreeSet<u64>,
}

impl Waits {
    pub(super) const fn new() -> Self {
        Self {
            chains: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next_chain: 0,
            dropped: 0,
            by_key: BTreeMap::new(),
            by_event: BTreeMap::new(),
            due: BTreeSet::new(),
            resting: BTreeSet::new(),
            idle: BTreeSet::new(),
        }
    }

    pub(super) fn objects(&self) -> usize {
        self.chains.len()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn overdue(&self) -> usize {
        let told = |wait: &&Waiting| wait.missed.iter().any(|(_, told)| *told);
        self.waiting.values().filter(told).count()
    }

    /// Returns the chain of an object, a new one if need be, and links all names to it.
    pub(super) fn chain(&mut self, objects: &[u64], at_millis: u64) -> Option<u64> {
        let known = objects.iter().find_map(|key| self.by_key.get(key)).copied();
        let id = match known {
            Some(id) => id,
            None if objects.is_empty() => return None,
            None => self.new_chain(at_millis),
        };
        let chain = self.chains.get_mut(&id)?;
        for key in objects {
            if chain.keys.len() < KEYS && !self.by_key.contains_key(key) {
                chain.keys.push(*key);
                self.by_key.insert(*key, id);
            }
        }
        Some(id)
    }

    fn new_chain(&mut self, at_millis: u64) -> u64 {
        while self.chains.len() >= CHAINS {
            let resting = self.resting.first().map(|(_, id)| *id);
            let oldest = || self.chains.keys().next().copied();
            match resting.or_else(oldest) {
                Some(id) => self.drop_chain(id),
                None => break,
            }
        }
        let id = self.next_chain;
        self.next_chain = id.wrapping_add(1);
        let mut chain = Chain::new();
        chain.last_millis = at_millis;
        self.resting.insert((at_millis, id));
        self.chains.insert(id, chain);
        id
    }

    fn drop_chain(&mut self, id: u64) {
        let Some(chain) = self.chains.remove(&id) else {
            return;
        };
        self.resting.remove(&(chain.last_millis, id));
        for key in &chain.keys {
            self.by_key.remove(key);
        }
        for sequence in chain.open {
            self.drop_unjudged(sequence);
        }
    }

    /// Returns the last two types of a chain.
    pub(super) fn last(&self, chain: u64) -> (Name, Name) {
        let chain = self.chains.get(&chain);
        chain.map_or((Name::START, Name::START), |chain| chain.last)
    }

    /// See [`Chain::has_since`].
    pub(super) fn has_since(&self, chain: u64, name: Name, millis: u64) -> bool {
        let chain = self.chains.get(&chain);
        chain.is_some_and(|chain| chain.has_since(name, millis))
    }

    /// Takes an event of a chain.
    pub(super) fn see(&mut self, id: u64, name: Name, at_millis: u64) {
        if let Some(chain) = self.chains.get_mut(&id) {
            self.resting.remove(&(chain.last_millis, id));
            chain.see(name, at_millis);
            if chain.open.is_empty() {
                self.resting.insert((chain.last_millis, id));
            }
        }
    }

    /// Returns what waits in a chain.
    pub(super) fn open(&self, chain: u64) -> Vec<u64> {
        let chain = self.chains.get(&chain);
        chain.map(|chain| chain.open.clone()).unwrap_or_default()
    }

    /// Lets an event wait.
    pub(super) fn add<'a>(
        &mut self,
        event: &Event<'_>,
        chain: Option<u64>,
        name: Name,
        settled: Vec<Follower>,
        links: impl Iterator<Item = &'a Link>,
        count: u64,
    ) {
        while self.waiting.len() >= WAITING {
            let idle = self.idle.first().copied();
            if let Some(sequence) = idle {
                self.remove(sequence);
            } else if let Some(oldest) = self.waiting.keys().next().copied() {
                self.drop_unjudged(oldest);
            }
        }
        let sequence = event.sequence;
        if self.waiting.contains_key(&sequence) {
            return;
        }
        if let Some(id) = chain
            && let Some(chain) = self.chains.get_mut(&id)
        {
            self.resting.remove(&(chain.last_millis, id));
            chain.open.push(sequence);
            if chain.open.len() > OPEN
                && let Some(oldest) = chain.open.first().copied()
            {
                self.drop_unjudged(oldest);
            }
        }
        let keep = if count < YOUNG { UNKNOWN } else { KNOWN };
        let waiting = Waiting {
            event: event.event,
            chain,
            name,
            at_millis: event.at_millis,
            due_millis: 0,
            until_millis: event.at_millis.saturating_add(keep),
            settled,
            missed: Vec::new(),
            begins: Vec::new(),
        };
        self.waiting.insert(sequence, waiting);
        self.by_event.insert(event.event, sequence);
        self.schedule(sequence, links, event.at_millis);
    }

    /// Says when an event is looked at again; or forgets it, if nothing is to come.
    pub(super) fn schedule<'a>(
        &mut self,
        sequence: u64,
        links: impl Iterator<Item = &'a Link>,
        now_millis: u64,
    ) {
        let Some(wait) = self.waiting.get_mut(&sequence) else {
            return;
        };
        let mut next: Option<u64> = None;
        for link in links.filter(|link| wait.waits_for(link.follower)) {
            let at = wait.begins(link.follower).saturating_add(link.limit());
            next = Some(next.map_or(at, |next| next.min(at)));
        }
        self.due.remove(&(wait.due_millis, sequence));
        if next.is_none() {
            self.idle.insert(sequence);
        } else {
            self.idle.remove(&sequence);
        }
        let due = next.unwrap_or(wait.until_millis);
        if next.is_none() && due <= now_millis {
            return self.remove(sequence);
        }
        // Later than now, so that one look is enough.
        wait.due_millis = due.max(now_millis.saturating_add(1));
        self.due.insert((wait.due_millis, sequence));
    }

    /// Takes the next event that is due.
    pub(super) fn due(&mut self, now_millis: u64) -> Option<u64> {
        let (due, sequence) = self.due.first().copied()?;
        (due <= now_millis).then(|| {
            self.due.remove(&(due, sequence));
            sequence
        })
    }

    /// Returns the place of an event that waits.
    pub(super) fn sequence(&self, event: u64) -> Option<u64> {
        self.by_event.get(&event).copied()
    }

    /// Returns type and time of one.
    pub(super) fn about(&self, sequence: u64) -> Option<(Name, u64)> {
        let wait = self.waiting.get(&sequence)?;
        Some((wait.name, wait.at_millis))
    }

    /// See [`Waiting::waits_for`].
    pub(super) fn waits_for(&self, sequence: u64, follower: Follower) -> bool {
        let wait = self.waiting.get(&sequence);
        wait.is_some_and(|wait| wait.waits_for(follower))
    }

    /// See [`Waiting::begins`].
    pub(super) fn begins(&self, sequence: u64, follower: Follower) -> u64 {
        let wait = self.waiting.get(&sequence);
        wait.map_or(0, |wait| wait.begins(follower))
    }

    /// See [`Waiting::begin`].
    pub(super) fn begin(&mut self, sequence: u64, destination: Name, at_millis: u64) {
        if let Some(wait) = self.waiting.get_mut(&sequence) {
            wait.begin(destination, at_millis);
        }
    }

    /// Says that a follower came, or never can.
    pub(super) fn settle(&mut self, sequence: u64, follower: Follower) {
        if let Some(wait) = self.waiting.get_mut(&sequence) {
            wait.settled.push(follower);
        }
    }

    /// Says that a follower is overdue, and whether that was told.
    pub(super) fn miss(&mut self, sequence: u64, follower: Follower, told: bool, now_millis: u64) {
        if let Some(wait) = self.waiting.get_mut(&sequence) {
            wait.missed.push((follower, told));
            wait.until_millis = wait.until_millis.max(now_millis.saturating_add(LATE));
        }
    }

    /// Says that a follower came that was overdue; returns whether that had been told,
    /// `None` if it wasn't overdue.
    pub(super) fn came_late(&mut self, sequence: u64, follower: Follower) -> Option<bool> {
        let wait = self.waiting.get_mut(&sequence)?;
        let place = wait.missed.iter().position(|(it, _)| *it == follower)?;
        let (_, told) = wait.missed.remove(place);
        wait.settled.push(follower);
        Some(told)
    }

    /// Tells whether another successor was told of an event.
    pub(super) fn has_told_successor(&self, sequence: u64, follower: Follower) -> bool {
        let is_successor = |it: Follower| !matches!(it, Follower::Completion(_));
        let wait = self.waiting.get(&sequence);
        is_successor(follower)
            && wait.is_some_and(|wait| {
                let mut missed = wait.missed.iter();
                missed.any(|(it, told)| *told && is_successor(*it))
            })
    }

    /// Returns the types of what waits in the same chain and came later.
    pub(super) fn later(&self, sequence: u64) -> impl Iterator<Item = Name> {
        let chain = self.waiting.get(&sequence).and_then(|wait| wait.chain);
        let chain = chain.and_then(|id| self.chains.get(&id));
        let open = chain.into_iter().flat_map(|chain| &chain.open);
        open.filter(move |it| **it > sequence)
            .filter_map(|it| Some(self.waiting.get(it)?.name))
    }

    fn drop_unjudged(&mut self, sequence: u64) {
        if !self.idle.contains(&sequence) {
            self.dropped = self.dropped.saturating_add(1);
        }
        self.remove(sequence);
    }

    fn remove(&mut self, sequence: u64) {
        let Some(wait) = self.waiting.remove(&sequence) else {
            return;
        };
        self.by_event.remove(&wait.event);
        self.due.remove(&(wait.due_millis, sequence));
        self.idle.remove(&sequence);
        if let Some(id) = wait.chain
            && let Some(chain) = self.chains.get_mut(&id)
        {
            chain.open.retain(|it| *it != sequence);
            if chain.open.is_empty() {
                self.resting.insert((chain.last_millis, id));
            }
        }
    }
}

impl Persist for Waits {
    fn write(&self, out: &mut Vec<u8>) {
        self.chains.write(out);
        self.waiting.write(out);
        self.next_chain.write(out);
        self.dropped.write(out);
        for sequence in &self.idle {
            sequence.write(out);
        }
        u64::MAX.write(out);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        let mut waits = Self {
            chains: Persist::read(input)?,
            waiting: Persist::read(input)?,
            next_chain: Persist::read(input)?,
            dropped: Persist::read(input)?,
            ..Self::new()
        };
        if waits.chains.len() > CHAINS || waits.waiting.len() > WAITING {
            return Err(input.wrong_value("number of objects"));
        }
        loop {
            match u64::read(input)? {
                u64::MAX => break,
                sequence => waits.idle.insert(sequence),
            };
        }
        for (id, chain) in &waits.chains {
            waits
                .by_key
                .extend(chain.keys.iter().map(|key| (*key, *id)));
            if chain.open.is_empty() {
                waits.resting.insert((chain.last_millis, *id));
            }
        }
        for (sequence, wait) in &waits.waiting {
            waits.by_event.insert(wait.event, *sequence);
            waits.due.insert((wait.due_millis, *sequence));
        }
        Ok(waits)
    }
}
