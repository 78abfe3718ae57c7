//! All detectors together, and the table of causes over them.

use alloc::{string::String, vec::Vec};

use crate::{
    forgery::Forgery,
    judge::Judge,
    parts::{self, Restoring},
    series::{Series, Table},
    share::Share,
    slow::SlowBodies,
    source::Network,
    standing::{Finding, Standing},
    state::{self, StateError, persist},
    stranger::{Signed, Stranger},
    suspect::Suspect,
    time::Time,
    upstream::{Answer, Upstream},
    verdict::{self, Cause, Verdict, score},
};

/// Seconds after trouble in which more deliveries are no spike.
const SPIKE_AFTER_SECONDS: u64 = 300;
/// Seconds between two ticks from which on the clock was set, or nobody was there: a
/// month. They are no time that was watched.
const GAP_SECONDS: u64 = 30 * 86_400;
/// Seconds after an upstream's trouble in which repeats are its retries.
const RETRIES_SECONDS: u64 = 3_600;

/// Whether a delivery's event was stored before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// It came for the first time.
    New,
    /// It is known, or failed before and is tried again.
    Known,
}

/// Everything that is watched.
///
/// Tell it what happens when it happens, and [`tick`](Self::tick) every ten seconds:
/// that returns what is wrong from then on, once for as long as it lasts. It never
/// looks ahead, and its size is bounded: at most 129 series of 42 KB, and 0.2 MB.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    now: Time,
    total: Series,
    pub(crate) types: Table,
    pub(crate) accounts: Table,
    forgery: Forgery,
    upstream: Upstream,
    slow: SlowBodies,
    open: u32,
    open_bytes_per_second: f64,
    repeats: Share,
    overdue: Share,
    stranger: Stranger,
    troubled: Time,
    upstream_troubled: Time,
    standing: Standing,
}

// The series of types and accounts are parts of their own.
persist!(Watch {
    now,
    total,
    types,
    accounts,
    forgery,
    upstream,
    slow,
    open,
    open_bytes_per_second,
    repeats,
    overdue,
    stranger,
    troubled,
    upstream_troubled,
    standing,
});

impl Watch {
    /// Starts without knowledge.
    pub fn new(now: Time) -> Self {
        Self {
            now,
            total: Series::new(),
            types: Table::new(),
            accounts: Table::new(),
            forgery: Forgery::new(),
            upstream: Upstream::new(),
            slow: SlowBodies::new(),
            open: 0,
            open_bytes_per_second: 0.0,
            repeats: Share::of_repeats(),
            overdue: Share::of_overdue(),
            stranger: Stranger::new(now),
            troubled: Time::default(),
            upstream_troubled: Time::default(),
            standing: Standing::new(),
        }
    }

    /// Counts a delivery whose signature is valid.
    pub fn delivered(&mut self, signed: &Signed<'_>, identity: Identity) {
        let known = u32::from(identity == Identity::Known);
        self.delivered_many(signed, 1 - known, known);
    }

    /// Counts deliveries whose signature is valid and which say the same of themselves:
    /// of new events, and of known ones.
    pub fn delivered_many(&mut self, signed: &Signed<'_>, new: u32, known: u32) {
        self.repeats.count(known, new.saturating_add(known));
        let deliveries = new.saturating_add(known);
        self.stranger.signed_many(self.now, signed, deliveries);
        if new > 0 {
            self.came(signed.type_name, signed.account, new.into());
        }
    }

    /// Counts new events of which nothing is known.
    pub fn came_unnamed(&mut self, events: u64) {
        self.total.add(events);
    }

    /// Counts new events of which nothing but type and account is known.
    pub fn came(&mut self, type_name: &str, account: Option<&str>, events: u64) {
        self.total.add(events);
        self.types.add_many(type_name, events);
        if let Some(account) = account {
            self.accounts.add_many(account, events);
        }
    }

    /// Counts deliveries whose signature is invalid.
    pub fn refused(&mut self, from: Network, deliveries: u32) {
        self.forgery.refused(from, deliveries);
    }

    /// Counts deliveries whose signature is invalid, from networks that nobody kept.
    pub fn refused_elsewhere(&mut self, deliveries: u32) {
        self.forgery.refused_elsewhere(deliveries);
    }

    /// Counts an answer of the upstream and how long it took in seconds.
    pub fn answered(&mut self, answer: Answer, seconds: f64) {
        self.answered_many(answer, seconds, 1);
    }

    /// Counts answers of the upstream that took as long in seconds.
    pub fn answered_many(&mut self, answer: Answer, seconds: f64, answers: u32) {
        self.upstream.answered_many(answer, seconds, answers);
    }

    /// Says how many requests are open and incomplete, and how many bytes a second they
    /// bring together.
    pub fn held_open(&mut self, requests: u32, bytes_per_second: f64) {
        self.open = requests;
        self.open_bytes_per_second = if bytes_per_second.is_finite() {
            bytes_per_second.max(0.0)
        } else {
            0.0
        };
    }

    /// Counts acknowledged events that should be completed by now, and those of them
    /// that aren't.
    pub fn completed(&mut self, overdue: u32, due: u32) {
        self.overdue.count(overdue, due);
    }

    /// Ends a tick; returns what began to be wrong. The time of the last one is passed
    /// over. A clock that is set back is followed: all that was remembered stays as long
    /// ago as it was, and rates say nothing until the clock is where it was, an hour at
    /// most.
    pub fn tick(&mut self, now: Time) -> Vec<Verdict> {
        self.tick_while(now, false)
    }

    /// Ends a tick, in which the gate may have shed deliveries: then fewer came to be
    /// counted, and nothing is silent for that.
    pub fn tick_while(&mut self, now: Time, sheds: bool) -> Vec<Verdict> {
        if now == self.now {
            return Vec::new();
        }
        self.follow(now);
        let mut found = self.attacks_and_trouble(now);
        if !found.is_empty() {
            self.troubled = now;
        }
        let calm = now.seconds_since(self.troubled) >= SPIKE_AFTER_SECONDS;
        let quiet = !self.standing.has(Cause::AllSilent);
        let total = self.total.tick(now);
        let judge = Judge {
            total: &self.total,
            reading: total.reading,
            calm,
        };
        judge.total(total, &mut found);
        for (name, series, observation) in self.types.tick(now, &self.total) {
            judge.series(name, series, observation, &mut found);
        }
        for (name, series, observation) in self.accounts.tick(now, &self.total) {
            if !judge.is_whole(series) {
                judge.series(name, series, observation, &mut found);
            }
        }
        // The backstop speaks where nothing else does.
        let explained = found.iter().any(|one| one.cause != Cause::Unusual);
        found.retain(|one| one.cause != Cause::Unusual || (!explained && calm && quiet));
        found.retain(|one| !sheds || !matches!(one.cause, Cause::SeriesSilent | Cause::AllSilent));
        self.standing.settle(now, found)
    }

    /// Tells whether a verdict of this cause stands.
    pub fn stands(&self, cause: Cause) -> bool {
        self.standing.has(cause)
    }

    /// Tells whether the last tick found this, and not only one within the last half
    /// hour.
    pub fn lasts(&self, cause: Cause) -> bool {
        self.standing.lasts(cause, self.now)
    }

    /// Tells whether the upstream takes too long to answer, as of the last tick.
    pub fn is_slow(&self) -> bool {
        self.upstream.is_slow()
    }

    /// Returns networks that forge signatures, those that sent most first; at most 32,
    /// and none that may have sent a genuine delivery.
    pub fn forgers(&self) -> Vec<Network> {
        let mut forgers = self.forgery.sources();
        forgers.retain(|network| self.stranger.never_signed(self.now, *network));
        forgers
    }

    /// Returns whose genuine deliveries to hold while a stranger signs: at most 32, and
    /// none that say of themselves only what is known, or may have been. They go on for
    /// as long as the verdict stands, half an hour after what it found last: a thief who
    /// rests is none less.
    pub fn suspects(&self) -> Vec<Suspect> {
        if self.stands(Cause::SecretSuspect) {
            self.stranger.suspects(self.now)
        } else {
            Vec::new()
        }
    }

    /// Returns the series of event types by their names.
    pub fn types(&self) -> impl Iterator<Item = (&str, &Series)> {
        self.types.iter()
    }

    /// Returns the series of connected accounts by their IDs.
    pub fn accounts(&self) -> impl Iterator<Item = (&str, &Series)> {
        self.accounts.iter()
    }

    /// Returns the series of all events.
    pub fn total(&self) -> &Series {
        &self.total
    }

    /// Returns what was learnt as bytes for [`restore`](Self::restore): all
    /// [`parts`] at once.
    pub fn save(&self) -> Vec<u8> {
        state::save(&parts::all(0, self))
    }

    /// Reads what [`save`](Self::save) returned.
    ///
    /// # Errors
    /// [`StateError`]: of another version, damaged, or something else.
    pub fn restore(bytes: &[u8]) -> Result<Self, StateError> {
        let parts: Vec<Vec<u8>> = state::restore(bytes)?;
        let (mut restoring, mut whole) = (Restoring::new(), None);
        for part in parts {
            whole = match whole {
                None => restoring.take(&part)?,
                Some(_) => None,
            };
        }
        whole.ok_or(StateError::Length {
            expected: "the last part",
            at: bytes.len(),
        })
    }

    /// Goes to a time, and keeps what is remembered of times in its place.
    fn follow(&mut self, now: Time) {
        let back = self.now.seconds_since(now);
        if back > 0 {
            self.troubled = self.troubled.minus(back);
            self.upstream_troubled = self.upstream_troubled.minus(back);
            self.standing.set_back(back);
            self.stranger.set_back(back);
            self.types.set_back(back);
            self.accounts.set_back(back);
        }
        let gap = now.seconds_since(self.now);
        if gap > GAP_SECONDS {
            self.stranger.missed(gap);
        }
        self.now = now;
    }

    fn attacks_and_trouble(&mut self, now: Time) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut find = |cause, subject: Option<String>, over: f64, evidence| {
            found.push(Finding {
                cause,
                subject,
                score: score(over),
                evidence,
            });
        };
        if let Some(forged) = self.forgery.tick() {
            let over = 1.0 + 0.2 * forged.rate / forged.usual.max(0.01);
            find(
                Cause::ForgedSignatures,
                None,
                over,
                verdict::of_forged(&forged),
            );
        }
        if let Some(held) = self.slow.tick(self.open, self.open_bytes_per_second) {
            let over = f64::from(held.open) / (held.usual + 16.0);
            find(Cause::SlowLoris, None, over, verdict::of_held_open(&held));
        }
        let repeats = self.repeats.tick();
        if let Some(trouble) = self.upstream.tick() {
            self.upstream_troubled = now;
            let over = 1.0 + 10.0 * trouble.failures.unwrap_or(0.05);
            let evidence = verdict::of_trouble(&trouble, repeats.map(|excess| excess.share));
            find(Cause::Cascade, None, over, evidence);
        }
        if let Some(excess) = repeats
            && now.seconds_since(self.upstream_troubled) >= RETRIES_SECONDS
        {
            let evidence = verdict::of_share("deliveries are of known events", &excess);
            find(
                Cause::DuplicateStorm,
                None,
                1.0 + excess.share * 3.0,
                evidence,
            );
        }
        if let Some(excess) = self.overdue.tick() {
            let evidence = verdict::of_share("acknowledged events are overdue", &excess);
            find(
                Cause::SilentFailure,
                None,
                1.0 + excess.share * 5.0,
                evidence,
            );
        }
        if let Some(suspicion) = self.stranger.tick() {
            let evidence = verdict::of_suspicion(&suspicion);
            find(Cause::SecretSuspect, None, suspicion.strength, evidence);
        }
        found
    }
}
