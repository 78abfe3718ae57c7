//! Everything that can happen between deliveries, and what has to hold.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    rc::Rc,
};

use hookgate_core::{
    dedup::{Reserved, Token},
    identity::{Fingerprint, Source},
    outcome::Outcome,
    shared::{Address, SharedStore, StoreError, Version},
};

use crate::run::{Bytes, Happened, Next, Run, Runs, Settled, time};

/// Seconds, as the gate's configuration in `run.rs` has it.
const LEASE: i32 = 30;

/// Beyond the end of every lease that any clock of a model can make.
const MUCH_LATER: i32 = 600;

/// Most deliveries that a model has.
const MOST: usize = 3;

/// Says what takes part, and how often the world may misbehave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nature {
    /// The event of each delivery.
    pub(crate) events: &'static [u8],
    /// What the clock does in between, in this order, each at any moment.
    pub(crate) clock_steps: &'static [i32],
    /// How many deliveries may vanish with their worker.
    pub(crate) crashes: u8,
    /// How many calls the store may fail, or refuse as a lost race.
    pub(crate) faults: u8,
}

/// Breaks the world or the protocol, to see the promises broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weakness {
    /// Whoever creates a bucket overwrites what another created meanwhile.
    CreatesByPlainSet,
    /// A release takes away whatever reservation there is.
    ReleasesWithoutToken,
    /// What settles a delivery is confirmed and lost.
    LosesSettlements,
    /// Whatever the host answers counts as the upstream's own 2xx.
    TakesTheHostsWord,
    /// No lease is ever over.
    LeasesNeverEnd,
}

/// Is a promise that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// A duplicate is answered only after the upstream confirmed.
    NoWrongDuplicate,
    /// While a lease is alive nobody else is forwarded.
    OneForwardForEachLease,
    /// After a commit nobody is forwarded.
    CommitWins,
    /// Whatever is left behind, an identity is free once its leases are over.
    NoStuckIdentity,
    /// With a store that works, no delivery is turned away.
    NoRefusalWithoutCause,
}

/// Says which promise was broken, and how.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) promise: Promise,
    /// What happened, in order.
    #[expect(dead_code, reason = "printed by a test that fails")]
    pub(crate) steps: Vec<Action>,
}

/// Is what an exploration found.
#[derive(Debug, Default)]
pub(crate) struct Explored {
    /// Different states.
    pub(crate) states: usize,
    /// Steps that were tried between them.
    pub(crate) steps: usize,
    /// How deliveries ended, each way once.
    pub(crate) outcomes: BTreeSet<&'static str>,
    pub(crate) broken: Option<Broken>,
}

/// Is one step; a number names the delivery that takes it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    Begins(usize),
    Reads(usize),
    FailsToRead(usize),
    Writes(usize),
    FailsToWrite(usize),
    LosesARace(usize),
    IsSettled(usize, Settled),
    Crashes(usize),
    ClockMoves,
}

/// Is one delivery in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Actor {
    /// Not come yet.
    Away,
    /// Under way. `is_current`: nobody has written since it read.
    Here { run: Run, is_current: bool },
    /// Ended, vanished, or never part of it.
    Gone,
}

/// Is everything that decides what can happen next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    /// The bucket; `None` if never written.
    bucket: Option<Bytes>,
    clock: i32,
    clock_steps: usize,
    crashes: u8,
    faults: u8,
    actors: [Actor; MOST],
    /// Until when each delivery has what it reserved, if it has.
    leases: [Option<i32>; MOST],
    /// Events that the upstream has confirmed, and those that were committed.
    confirmed: u8,
    committed: u8,
}

/// Tries everything from one beginning.
pub(crate) struct Model {
    nature: Nature,
    weakness: Option<Weakness>,
    runs: Runs,
    /// What a late delivery of each event finds in each bucket.
    later: HashMap<(Option<Bytes>, u8), Reserved>,
}

impl Model {
    pub(crate) fn new(nature: Nature) -> Self {
        Self {
            nature,
            weakness: None,
            runs: Runs::new(),
            later: HashMap::new(),
        }
    }

    /// Builds in a weakness.
    pub(crate) fn with(mut self, weakness: Weakness) -> Self {
        self.weakness = Some(weakness);
        self
    }

    /// Goes to every state that can be reached, depth first.
    pub(crate) fn explore(mut self) -> Explored {
        let mut explored = Explored::default();
        let first = self.first();
        let mut seen = HashSet::from([first.clone()]);
        let mut path: Vec<(State, Vec<Action>, Option<Action>)> = Vec::new();
        let actions = self.actions(&first);
        path.push((first, actions, None));
        while let Some((state, actions, _)) = path.last_mut() {
            let Some(action) = actions.pop() else {
                path.pop();
                continue;
            };
            explored.steps += 1;
            let next = self.step(state, action, &mut explored.outcomes);
            let next = next.and_then(|next| self.check_later(&next).map(|()| next));
            match next {
                Ok(next) if seen.insert(next.clone()) => {
                    let actions = self.actions(&next);
                    path.push((next, actions, Some(action)));
                }
                Ok(_) => {}
                Err(promise) => {
                    let steps = path.iter().filter_map(|(_, _, taken)| *taken);
                    let steps = steps.chain([action]).collect();
                    explored.broken = Some(Broken { promise, steps });
                    break;
                }
            }
        }
        explored.states = seen.len();
        explored
    }

    fn first(&self) -> State {
        State {
            bucket: None,
            clock: 0,
            clock_steps: 0,
            crashes: self.nature.crashes,
            faults: self.nature.faults,
            actors: std::array::from_fn(|number| match self.nature.events.get(number) {
                Some(_) => Actor::Away,
                None => Actor::Gone,
            }),
            leases: [None; MOST],
            confirmed: 0,
            committed: 0,
        }
    }

    /// Lists what can happen next.
    fn actions(&self, state: &State) -> Vec<Action> {
        let mut actions = Vec::new();
        if state.clock_steps < self.nature.clock_steps.len() {
            actions.push(Action::ClockMoves);
        }
        for (number, actor) in state.actors.iter().enumerate() {
            let run = match actor {
                // Deliveries of one event differ by their number alone.
                Actor::Away if self.follows_one_away(state, number) => continue,
                Actor::Away => {
                    actions.push(Action::Begins(number));
                    continue;
                }
                Actor::Gone => continue,
                Actor::Here { run, .. } => *run,
            };
            let has_faults = state.faults > 0;
            match self.runs.next(run) {
                Next::Load => {
                    actions.push(Action::Reads(number));
                    actions.extend(has_faults.then_some(Action::FailsToRead(number)));
                }
                Next::Store { .. } => {
                    actions.push(Action::Writes(number));
                    if has_faults {
                        actions.push(Action::FailsToWrite(number));
                        actions.push(Action::LosesARace(number));
                    }
                }
                Next::Answer => {
                    let all = Settled::ALL.into_iter();
                    actions.extend(all.map(|settled| Action::IsSettled(number, settled)));
                }
                Next::Nothing(_) => panic!("{number} has ended"),
            }
            actions.extend((state.crashes > 0).then_some(Action::Crashes(number)));
        }
        actions
    }

    /// Takes one step, and checks what it led to.
    fn step(
        &mut self,
        state: &State,
        action: Action,
        outcomes: &mut BTreeSet<&'static str>,
    ) -> Result<State, Promise> {
        let mut state = state.clone();
        let (number, happened) = match action {
            Action::ClockMoves => {
                state.clock += self.nature.clock_steps[state.clock_steps];
                state.clock_steps += 1;
                return Ok(state);
            }
            Action::Crashes(number) => {
                state.crashes -= 1;
                state.actors[number] = Actor::Gone;
                return Ok(state);
            }
            Action::Begins(number) => (number, self.begins(number, state.clock)),
            Action::Reads(number) => (number, Happened::Loaded(state.bucket.clone())),
            Action::FailsToRead(number) => {
                state.faults -= 1;
                (number, Happened::NotLoaded)
            }
            Action::Writes(number) => {
                let has_written = self.write(&mut state, number);
                let happened = if has_written {
                    Happened::Stored
                } else {
                    Happened::LostARace
                };
                (number, happened)
            }
            Action::FailsToWrite(number) => {
                state.faults -= 1;
                (number, Happened::NotStored)
            }
            Action::LosesARace(number) => {
                state.faults -= 1;
                (number, Happened::LostARace)
            }
            Action::IsSettled(number, settled) => {
                if settled == Settled::Confirmed {
                    state.confirmed |= self.event(number);
                }
                let is_taken = self.weakness == Some(Weakness::TakesTheHostsWord)
                    && settled == Settled::HostSucceeds;
                let settled = if is_taken {
                    Settled::Confirmed
                } else {
                    settled
                };
                (number, Happened::Settled(settled, state.clock))
            }
        };
        let (before, is_current) = match state.actors[number] {
            Actor::Here { run, is_current } => (Some(run), is_current),
            _ => (None, false),
        };
        let is_current = is_current || matches!(happened, Happened::Loaded(_));
        let wrote = happened == Happened::Stored;
        let run = self.runs.after(before, happened);
        state.actors[number] = Actor::Here { run, is_current };
        if wrote {
            self.wrote(&mut state, number, run);
        }
        self.check(&mut state, number, run, outcomes)?;
        match self.runs.next(run) {
            Next::Load | Next::Store { .. } => {}
            // All that it keeps is its event, its token and its time: what it
            // read before it was forwarded makes no new state.
            Next::Answer => {
                let run = self.runs.forwarded(run);
                state.actors[number] = Actor::Here {
                    run,
                    is_current: false,
                };
            }
            Next::Nothing(_) => state.actors[number] = Actor::Gone,
        }
        Ok(state)
    }

    fn begins(&self, number: usize, at: i32) -> Happened {
        let token = match self.weakness {
            // Whoever has the same token can't be told apart.
            Some(Weakness::ReleasesWithoutToken) => 1,
            _ => u8::try_from(number).unwrap() + 1,
        };
        let event = self.nature.events[number];
        Happened::Began { event, token, at }
    }

    /// Writes what a delivery wants to write, if nobody else has meanwhile.
    fn write(&self, state: &mut State, number: usize) -> bool {
        let Actor::Here { run, is_current } = state.actors[number] else {
            panic!("{number} can't write");
        };
        let Next::Store { bytes, creates } = self.runs.next(run) else {
            panic!("{number} doesn't write");
        };
        let overwrites = self.weakness == Some(Weakness::CreatesByPlainSet) && *creates;
        if !is_current && !overwrites {
            return false;
        }
        let is_settlement = self.runs.settled(run).is_some();
        if self.weakness == Some(Weakness::LosesSettlements) && is_settlement {
            return true;
        }
        state.bucket = Some(Rc::clone(bytes));
        for actor in &mut state.actors {
            if let Actor::Here { is_current, .. } = actor {
                *is_current = false;
            }
        }
        true
    }

    /// Ends the leases that are over by the clock of who wrote, and the own one
    /// of who settled.
    fn wrote(&self, state: &mut State, number: usize, run: Run) {
        let settled = self.runs.settled(run);
        let at = settled.map_or_else(|| self.runs.began(run), |(_, at)| at);
        for lease in &mut state.leases {
            *lease = lease.filter(|until| at < *until);
        }
        if let Some((settled, _)) = settled {
            state.leases[number] = None;
            if settled == Settled::Confirmed {
                state.committed |= self.event(number);
            }
        }
    }

    fn check(
        &self,
        state: &mut State,
        number: usize,
        run: Run,
        outcomes: &mut BTreeSet<&'static str>,
    ) -> Result<(), Promise> {
        let event = self.event(number);
        match self.runs.next(run) {
            Next::Load | Next::Store { .. } => {}
            Next::Answer => {
                let at = self.runs.began(run);
                let is_alive = |other: usize| state.leases[other].is_some_and(|until| at < until);
                let mut others = (0..MOST).filter(|other| self.is_same(*other, number));
                if others.any(is_alive) {
                    return Err(Promise::OneForwardForEachLease);
                }
                if state.committed & event != 0 {
                    return Err(Promise::CommitWins);
                }
                state.leases[number] = Some(at + LEASE);
            }
            Next::Nothing(outcome) => {
                outcomes.insert(outcome.as_str());
                let had_faults = state.faults < self.nature.faults;
                match outcome {
                    Outcome::Duplicate if state.confirmed & event == 0 => {
                        return Err(Promise::NoWrongDuplicate);
                    }
                    Outcome::Unavailable(_) if !had_faults => {
                        return Err(Promise::NoRefusalWithoutCause);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Looks whether every event could be delivered once all leases are over.
    fn check_later(&mut self, state: &State) -> Result<(), Promise> {
        for event in 0..=u8::from(self.nature.events.contains(&1)) {
            let found = self.later(state.bucket.clone(), event);
            match found {
                Reserved::Fresh => {}
                Reserved::Committed if state.confirmed & (1 << event) != 0 => {}
                Reserved::Committed => return Err(Promise::NoWrongDuplicate),
                _ => return Err(Promise::NoStuckIdentity),
            }
        }
        Ok(())
    }

    fn later(&mut self, bucket: Option<Bytes>, event: u8) -> Reserved {
        if let Some(known) = self.later.get(&(bucket.clone(), event)) {
            return *known;
        }
        let identity = Fingerprint::of(&Source::new("a").unwrap(), &format!("evt_n{event}"));
        let mut store = Left(bucket.clone());
        let table = self.runs.gate().table();
        let at = match self.weakness {
            Some(Weakness::LeasesNeverEnd) => 0,
            _ => MUCH_LATER,
        };
        let found = table.reserve(&mut store, identity, Token(99), time(at));
        self.later.insert((bucket, event), found);
        found
    }

    fn event(&self, number: usize) -> u8 {
        1 << self.nature.events[number]
    }

    /// Tells whether the one before it, of the same event, hasn't come yet.
    fn follows_one_away(&self, state: &State, number: usize) -> bool {
        number.checked_sub(1).is_some_and(|before| {
            self.is_same(before, number) && state.actors[before] == Actor::Away
        })
    }

    /// Tells whether two are different deliveries of one event.
    fn is_same(&self, other: usize, number: usize) -> bool {
        let events = self.nature.events;
        other != number && events.get(other) == events.get(number)
    }
}

/// A bucket as everybody left it.
struct Left(Option<Bytes>);

impl SharedStore for Left {
    fn load(&mut self, _: Address) -> Result<(Vec<u8>, Version), StoreError> {
        let version = self.0.as_ref().map_or(Version::Absent, |_| Version::Is(1));
        Ok((self.0.as_deref().unwrap_or_default().into(), version))
    }

    fn store(&mut self, _: Address, _: &[u8], _: Version) -> Result<(), StoreError> {
        Ok(())
    }
}
