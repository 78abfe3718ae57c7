//! The watch of a gate that has several workers, none of which sees all.
//!
//! Each worker counts for itself and puts its [`Tally`] where all of them can read,
//! once a tick. One of them holds a lease; an eighth of a tick later it takes all
//! tallies, tells the [`Watch`] and looks. Whoever puts or takes does so by
//! compare-and-swap, so what was put is taken once; a worker that dies loses what it
//! had not put yet, less than a tick. The holder gets the state back that was saved
//! last, and saves it now and then, both a part at a time. No clock and no I/O: a host
//! does the [`Act`]s.

mod kept;

use alloc::{collections::BTreeMap, vec::Vec};

use self::kept::Kept;
use crate::{
    orders::{Orders, Protect},
    parts::Wanted,
    state::StateError,
    tally::Tally,
    time::{TICK_SECONDS, Time},
    verdict::{Cause, Verdict},
    watch::Watch,
};

/// Ticks that a lease lasts, and milliseconds at least.
const LEASE_TICKS: u64 = 3;
const LEASE_MILLIS: u64 = 2_000;
/// An upstream is well where less than one in so many answers fails: what the watch
/// takes for a cascade is more.
const WELL_ONE_IN: u64 = 20;
/// How often a worker tries to put what it has, before it waits for the next tick.
const TRIES: usize = 3;
/// Ticks after which what a worker had open is not known any more.
const LEVEL_TICKS: u64 = 3;

/// What all workers read and write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Who looks: see [`Worker::tick`].
    Lease,
    /// What the worker of this number has counted.
    Counts(u32),
    /// What all are to do about verdicts: [`Orders`].
    Orders,
}

/// Memory of all workers.
pub trait Board {
    /// Returns the bytes and their version; `None` if there are none.
    fn load(&mut self, place: Place) -> Option<(Vec<u8>, u32)>;

    /// Writes if the version is still that one, or if there is nothing yet (`None`);
    /// tells whether it did.
    fn store(&mut self, place: Place, bytes: &[u8], version: Option<u32>) -> bool;
}

/// Sets how a gate is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long a tick of the watch, ten seconds of its time, really takes; 1 or more.
    pub tick_millis: u64,
    /// Numbers that workers can have.
    pub workers: u32,
    /// Who keeps the state, by a number that no other has; `None`: nobody.
    pub keeper: Option<u64>,
    /// Which verdicts something is done about.
    pub protect: Protect,
}

/// Is what a host has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Nothing: this worker looks from now on.
    Taken,
    /// Ask for this part of the saved state, then call [`Worker::restored`].
    Restore(Wanted),
    /// Nothing: all of the saved state has come.
    Restored,
    /// Nothing: no state was saved.
    BeginsAnew,
    /// Save this part of the state, then call [`Worker::saved`].
    Save(Vec<u8>),
    /// Nothing: all of the state was saved.
    Saved,
    /// Tell this verdict.
    Tell(Verdict),
    /// Show these scores, 0 where nothing is wrong, 50 at a threshold, 100 at most.
    Show([(Cause, u8); Cause::ALL.len()]),
    /// Nothing: the counts of a worker are damaged, and were thrown away.
    Refused(StateError),
    /// Nothing: what was to be done about verdicts is damaged, and isn't done.
    OrdersRefused(StateError),
}

/// Says what became of [`Act::Restore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved<'a> {
    /// The part.
    Part(&'a [u8]),
    /// Nothing was saved, or not this part.
    Nothing,
    /// Nobody knows.
    Unknown,
}

/// One worker's part in the watch.
#[derive(Debug)]
pub struct Worker {
    settings: Settings,
    /// What it counts.
    pub tally: Tally,
    token: u64,
    /// How often it began to save.
    saves: u64,
    put: u64,
    orders: Orders,
    holder: Option<Holder>,
}

/// What the holder of the lease has.
#[derive(Debug)]
struct Holder {
    watch: Watch,
    looked: u64,
    kept: Kept,
    levels: BTreeMap<u32, Level>,
    scores: BTreeMap<Cause, f64>,
    /// How often the upstream answered and failed, in the last tick.
    answers: (u64, u64),
    /// Whether deliveries were shed in the last tick.
    sheds: bool,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    open: u32,
    bytes: u64,
    turn: u64,
}

impl Worker {
    /// Starts a worker; `token` is a random number that no other has.
    pub fn new(settings: Settings, token: u64) -> Self {
        Self {
            settings,
            tally: Tally::default(),
            token,
            saves: 0,
            put: 0,
            orders: Orders::default(),
            holder: None,
        }
    }

    /// Sets how the gate is watched from now on.
    pub fn set(&mut self, settings: Settings) {
        if self.settings.tick_millis != settings.tick_millis {
            self.holder = None;
        }
        let is_new = settings.keeper.is_some() && settings.keeper != self.settings.keeper;
        if let Some(holder) = &mut self.holder {
            // Whoever was asked under the old ones answers nobody.
            holder.kept.forget(is_new, holder.looked);
        }
        self.settings = settings;
    }

    /// Returns what this worker is to do about verdicts, as of its last tick.
    pub const fn orders(&self) -> &Orders {
        &self.orders
    }

    /// Returns the watch, if this worker looks.
    pub fn watch(&self) -> Option<&Watch> {
        self.holder.as_ref().map(|holder| &holder.watch)
    }

    /// Does what is due: call it several times a tick. `number` is this worker's own,
    /// less than [`Settings::workers`]. One that has requests waits a little for one that
    /// has none (`is_idle`), which would delay nobody by looking.
    pub fn tick(
        &mut self,
        now_millis: u64,
        number: u32,
        is_idle: bool,
        board: &mut impl Board,
    ) -> Vec<Act> {
        let mut acts = Vec::new();
        let turn = self.turn(now_millis);
        if turn != self.put {
            self.put = turn;
            acts.extend(self.put(number, board).err().map(Act::Refused));
        }
        acts.extend(self.obey(turn, board).err().map(Act::OrdersRefused));
        if !self.hold(now_millis, is_idle, board) {
            self.holder = None;
            return acts;
        }
        // A little later, so that all workers have put what they have.
        let turn = self.turn(now_millis.saturating_sub(self.settings.tick_millis / 8));
        let restores = self.settings.keeper.is_some();
        if self.holder.is_none() {
            acts.push(Act::Taken);
            let mut holder = Holder {
                watch: Watch::new(time(turn)),
                looked: turn,
                kept: Kept::new(turn),
                levels: BTreeMap::new(),
                scores: BTreeMap::new(),
                answers: (0, 0),
                sheds: false,
            };
            if restores {
                acts.push(holder.kept.begin(now_millis));
            }
            self.holder = Some(holder);
        }
        let Settings {
            workers, protect, ..
        } = self.settings;
        let Some(holder) = &mut self.holder else {
            return acts;
        };
        if restores {
            acts.extend(holder.kept.ask_again(now_millis, turn));
        }
        if holder.kept.waits(now_millis) {
            return acts;
        }
        if turn != holder.looked {
            holder.looked = turn;
            holder.take_all(workers, turn, board, &mut acts);
            holder.look(turn, &mut acts);
            if protect.is_any() {
                holder.order(turn, protect, board);
            }
            if restores && holder.kept.is_due(now_millis, turn) {
                // No time is part of it: a clock that was set back comes to it again.
                self.saves += 1;
                let save = self.token.wrapping_add(self.saves);
                acts.extend(holder.kept.save(&holder.watch, save, now_millis, turn));
            }
        }
        acts
    }

    /// Takes what was asked for; returns what to do next. A state that can't be used is
    /// as good as none.
    ///
    /// # Errors
    /// [`StateError`]: what is wrong with it; the watch begins anew.
    pub fn restored(
        &mut self,
        now_millis: u64,
        saved: Saved<'_>,
    ) -> Result<Option<Act>, StateError> {
        let Some(holder) = &mut self.holder else {
            return Ok(None);
        };
        let Holder {
            kept,
            watch,
            looked,
            ..
        } = holder;
        kept.restored(watch, *looked, now_millis, saved)
    }

    /// Goes on after a part was saved, or was not; returns what to do next.
    pub fn saved(&mut self, now_millis: u64, is_saved: bool) -> Option<Act> {
        let holder = self.holder.as_mut()?;
        holder.kept.saved(&holder.watch, now_millis, is_saved)
    }

    /// Returns when, by the host's clock, it was so late for the watch.
    pub const fn millis_of(&self, time: Time) -> u64 {
        let turn = time.as_unix_seconds() / TICK_SECONDS;
        turn.saturating_mul(self.settings.tick_millis)
    }

    /// Reads what is to be done, as far as this worker is set to do it.
    ///
    /// # Errors
    /// [`StateError`]: what was there is damaged, and nothing is done.
    fn obey(&mut self, turn: u64, board: &mut impl Board) -> Result<(), StateError> {
        self.orders = Orders::default();
        let protect = self.settings.protect;
        if !protect.is_any() {
            return Ok(());
        }
        let (bytes, _) = board.load(Place::Orders).unwrap_or_default();
        let mut orders = Orders::read_from(&bytes)?;
        if !orders.hold(turn) {
            return Ok(());
        }
        orders.sheds &= protect.cascade;
        if !protect.forged_signatures {
            orders.tightened.clear();
        }
        if !protect.secret_suspect {
            orders.suspects.clear();
        }
        self.orders = orders;
        Ok(())
    }

    fn turn(&self, now_millis: u64) -> u64 {
        now_millis / self.settings.tick_millis.max(1)
    }

    /// Puts what was counted, beside what nobody has taken yet.
    ///
    /// # Errors
    /// [`StateError`]: what was there is damaged, and thrown away.
    fn put(&mut self, number: u32, board: &mut impl Board) -> Result<(), StateError> {
        let counted = self.tally.take();
        // Only whoever takes everything comes between, and once a tick.
        for _ in 0..TRIES {
            let found = board.load(Place::Counts(number));
            let (waiting, version) = found.map_or((Vec::new(), None), |(it, at)| (it, Some(at)));
            let waiting = match waiting.as_slice() {
                [] => Ok(Tally::default()),
                bytes => Tally::restore(bytes),
            };
            let mut all = waiting.clone().unwrap_or_default();
            all.absorb(&counted);
            if board.store(Place::Counts(number), &all.save(), version) {
                return waiting.map(|_| ());
            }
        }
        self.tally.give_back(&counted);
        Ok(())
    }

    /// Holds the lease, or takes one that has ended; tells whether it does.
    fn hold(&mut self, now: u64, is_idle: bool, board: &mut impl Board) -> bool {
        let lasts = (LEASE_TICKS * self.settings.tick_millis).max(LEASE_MILLIS);
        let (lease, version) = match board.load(Place::Lease) {
            Some((bytes, version)) => (Lease::read(&bytes), Some(version)),
            None => (None, None),
        };
        let lease = lease.unwrap_or(Lease { token: 0, ends: 0 });
        let is_own = lease.token == self.token;
        if is_own && self.holder.is_some() && lease.ends > now.saturating_add(lasts / 2) {
            // A clock that was set back makes no lease longer.
            if lease.ends <= now.saturating_add(lasts) {
                return true;
            }
        }
        let patience = if is_idle { 0 } else { lasts };
        let has_ended = lease.ends.saturating_add(patience) <= now
            || lease.ends > now.saturating_add(2 * lasts);
        if !is_own && !has_ended {
            return false;
        }
        let own = Lease {
            token: self.token,
            ends: now.saturating_add(lasts),
        };
        board.store(Place::Lease, &own.bytes(), version)
    }
}

impl Holder {
    /// Takes the counts of all workers.
    fn take_all(&mut self, workers: u32, turn: u64, board: &mut impl Board, acts: &mut Vec<Act>) {
        self.answers = (0, 0);
        for number in 0..workers {
            let Some((bytes, version)) = board.load(Place::Counts(number)) else {
                continue;
            };
            // Whoever puts in between has put all of it: it is there next time.
            if bytes.is_empty() || !board.store(Place::Counts(number), &[], Some(version)) {
                continue;
            }
            match Tally::restore(&bytes) {
                Ok(tally) => {
                    tally.tell(&mut self.watch);
                    let (answered, failed) = tally.answers();
                    self.answers.0 = self.answers.0.saturating_add(answered);
                    self.answers.1 = self.answers.1.saturating_add(failed);
                    let (open, bytes) = tally.open();
                    self.levels.insert(number, Level { open, bytes, turn });
                }
                Err(error) => acts.push(Act::Refused(error)),
            }
        }
        self.levels
            .retain(|_, level| turn.abs_diff(level.turn) < LEVEL_TICKS);
        let (mut open, mut bytes) = (0_u32, 0_u64);
        for level in self.levels.values() {
            open = open.saturating_add(level.open);
            bytes = bytes.saturating_add(level.bytes);
        }
        self.watch
            .held_open(open, bytes as f64 / TICK_SECONDS as f64);
    }

    /// Writes what all workers are to do, or that there is nothing. What a lost race
    /// leaves undone is done in the next tick.
    fn order(&mut self, turn: u64, protect: Protect, board: &mut impl Board) {
        let forgers = if protect.forged_signatures {
            self.watch.forgers()
        } else {
            Vec::new()
        };
        let suspects = if protect.secret_suspect {
            self.watch.suspects()
        } else {
            Vec::new()
        };
        self.sheds = protect.cascade && self.is_overloaded();
        let orders = Orders::new(turn, self.sheds, forgers, suspects).bytes();
        let (found, version) = match board.load(Place::Orders) {
            Some((bytes, version)) => (bytes, Some(version)),
            None => (Vec::new(), None),
        };
        if found != orders {
            board.store(Place::Orders, &orders, version);
        }
    }

    /// Tells whether a cascade lasts. A sum over failures takes long to forget them,
    /// all the longer the less goes through: what was let through in the last tick and
    /// answered well shows that it is over.
    fn is_overloaded(&self) -> bool {
        let (answered, failed) = self.answers;
        let fails = failed.saturating_mul(WELL_ONE_IN) >= answered.saturating_add(failed);
        self.watch.lasts(Cause::Cascade) && (fails || self.watch.is_slow())
    }

    fn look(&mut self, turn: u64, acts: &mut Vec<Act>) {
        for verdict in self.watch.tick_while(time(turn), self.sheds) {
            self.scores.insert(verdict.cause, verdict.score);
            acts.push(Act::Tell(verdict));
        }
        let score = |cause: Cause| {
            if !self.watch.stands(cause) {
                return 0;
            }
            // One that was restored stands, with a score that nobody kept.
            let score = self.scores.get(&cause).copied().unwrap_or(0.5);
            (score * 100.0).clamp(0.0, 100.0) as u8
        };
        acts.push(Act::Show(Cause::ALL.map(|cause| (cause, score(cause)))));
    }
}

fn time(turn: u64) -> Time {
    Time::from_unix_seconds(turn.saturating_mul(TICK_SECONDS))
}

/// Says who looks, and until when.
#[derive(Debug, Clone, Copy)]
struct Lease {
    token: u64,
    ends: u64,
}

impl Lease {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (token, ends) = bytes.split_first_chunk()?;
        Some(Self {
            token: u64::from_le_bytes(*token),
            ends: u64::from_le_bytes(ends.try_into().ok()?),
        })
    }

    fn bytes(self) -> Vec<u8> {
        [self.token.to_le_bytes(), self.ends.to_le_bytes()].concat()
    }
}
