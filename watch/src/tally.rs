//! What one worker of a gate counts until the watch takes it.
//!
//! Bounded whatever comes: a group more than fits counts without its account, then
//! without anything; a network more than fits counts as one of many.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString as _},
    vec::Vec,
};

use crate::{
    sketch::{hash, mix},
    source::Network,
    state::{self, Input, Persist, StateError, persist},
    stranger::Signed,
    upstream::Answer,
    watch::Watch,
};

/// Groups of deliveries that are told apart: network, API version, type and account.
const GROUPS: usize = 1_024;
/// Groups beyond these that have no account.
const PLAIN_GROUPS: usize = 256;
/// Networks with invalid signatures that are told apart.
const NETWORKS: usize = 2_048;
/// Bytes of a name at most; longer ones are cut.
pub(crate) const NAME_BYTES: usize = 128;
/// Milliseconds under which no answer is told from another: an upstream that takes two
/// instead of one is not slow.
const LEAST_MILLIS: u64 = 10;
/// Leading bits of a duration that are kept: within 1.6 %.
const MILLIS_BITS: u32 = 6;

/// Counts of one worker, since it handed over its last ones. 150 KB at most.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    groups: BTreeMap<u64, Group>,
    /// New events of which nothing else is known.
    others: u32,
    refused: BTreeMap<Network, u32>,
    refused_elsewhere: u32,
    answered: BTreeMap<u32, u32>,
    failed: BTreeMap<u32, u32>,
    open: u32,
    open_bytes: u64,
    /// Counts the hand-overs, by which a request knows its bytes since the last.
    turn: u32,
}

/// Deliveries that say the same of themselves.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    network: Network,
    api_version: Option<String>,
    type_name: String,
    account: Option<String>,
    new: u32,
    known: u32,
}

persist!(Group {
    network,
    api_version,
    type_name,
    account,
    new,
    known,
});

/// A request that is open and incomplete, and what it brought since the last hand-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    turn: u32,
    bytes: u64,
}

impl Tally {
    /// Counts a delivery whose signature is valid, of a new event or of a known one.
    pub fn signed(&mut self, signed: &Signed<'_>, is_known: bool) {
        let (new, known) = (u32::from(!is_known), u32::from(is_known));
        self.count(signed, new, known);
    }

    /// Counts deliveries whose signature is invalid.
    pub fn refused(&mut self, from: Network, deliveries: u32) {
        if let Some(count) = self.refused.get_mut(&from) {
            *count = count.saturating_add(deliveries);
        } else if self.refused.len() < NETWORKS {
            self.refused.insert(from, deliveries);
        } else {
            self.refused_elsewhere = self.refused_elsewhere.saturating_add(deliveries);
        }
    }

    /// Counts an answer of the upstream, and how long it took.
    pub fn answered(&mut self, answer: Answer, millis: u64) {
        let counts = match answer {
            Answer::Answered => &mut self.answered,
            Answer::Failed => &mut self.failed,
        };
        let count = counts.entry(leading(millis)).or_default();
        *count = count.saturating_add(1);
    }

    /// Counts a request as open.
    pub fn opened(&mut self) -> Open {
        self.open = self.open.saturating_add(1);
        Open {
            turn: self.turn,
            bytes: 0,
        }
    }

    /// Counts what an open request has brought.
    pub fn brought(&mut self, open: &mut Open, bytes: u64) {
        if open.turn != self.turn {
            *open = Open {
                turn: self.turn,
                bytes: 0,
            };
        }
        open.bytes = open.bytes.saturating_add(bytes);
        self.open_bytes = self.open_bytes.saturating_add(bytes);
    }

    /// Counts a request as open no more; what it brought was not held open.
    pub fn closed(&mut self, open: Open) {
        self.open = self.open.saturating_sub(1);
        if open.turn == self.turn {
            self.open_bytes = self.open_bytes.saturating_sub(open.bytes);
        }
    }

    /// Hands over what was counted. What is open stays open.
    pub fn take(&mut self) -> Self {
        let mut taken = Self {
            others: core::mem::take(&mut self.others),
            refused: core::mem::take(&mut self.refused),
            refused_elsewhere: core::mem::take(&mut self.refused_elsewhere),
            answered: core::mem::take(&mut self.answered),
            failed: core::mem::take(&mut self.failed),
            open: self.open,
            open_bytes: core::mem::take(&mut self.open_bytes),
            ..Self::default()
        };
        // Names are kept for the next time: most come again.
        for (key, group) in &mut self.groups {
            if group.new > 0 || group.known > 0 {
                taken.groups.insert(*key, group.clone());
                (group.new, group.known) = (0, 0);
            }
        }
        self.turn = self.turn.wrapping_add(1);
        taken
    }

    /// Adds what the same worker counted after this.
    pub fn absorb(&mut self, later: &Self) {
        for group in later.groups.values() {
            self.count(&group.signed(), group.new, group.known);
        }
        self.others = self.others.saturating_add(later.others);
        for (network, deliveries) in &later.refused {
            self.refused(*network, *deliveries);
        }
        self.refused_elsewhere = (self.refused_elsewhere).saturating_add(later.refused_elsewhere);
        for (all, more) in [
            (&mut self.answered, &later.answered),
            (&mut self.failed, &later.failed),
        ] {
            for (millis, answers) in more {
                let count = all.entry(*millis).or_default();
                *count = count.saturating_add(*answers);
            }
        }
        (self.open, self.open_bytes) = (later.open, later.open_bytes);
    }

    /// Takes back what [`take`](Self::take) handed over.
    pub fn give_back(&mut self, taken: &Self) {
        let open = (self.open, self.open_bytes);
        self.absorb(taken);
        (self.open, self.open_bytes) = open;
    }

    /// Returns requests that are open and incomplete, and the bytes that these brought.
    pub const fn open(&self) -> (u32, u64) {
        (self.open, self.open_bytes)
    }

    /// Returns how often the upstream answered, and failed.
    pub fn answers(&self) -> (u64, u64) {
        let sum = |counts: &BTreeMap<u32, u32>| counts.values().copied().map(u64::from).sum();
        (sum(&self.answered), sum(&self.failed))
    }

    /// Returns how many deliveries and answers it counts.
    pub fn counted(&self) -> u64 {
        let groups = self.groups.values().flat_map(|it| [it.new, it.known]);
        let counts = [&self.answered, &self.failed];
        let answers = counts.into_iter().flat_map(BTreeMap::values);
        let refused = self.refused.values().chain(answers).copied();
        let others = [self.others, self.refused_elsewhere];
        groups.chain(refused).chain(others).map(u64::from).sum()
    }

    /// Tells a watch all of it but what is open, which is no count.
    pub fn tell(&self, watch: &mut Watch) {
        for group in self.groups.values() {
            watch.delivered_many(&group.signed(), group.new, group.known);
        }
        watch.came_unnamed(u64::from(self.others));
        for (network, deliveries) in &self.refused {
            watch.refused(*network, *deliveries);
        }
        watch.refused_elsewhere(self.refused_elsewhere);
        for (counts, answer) in [
            (&self.answered, Answer::Answered),
            (&self.failed, Answer::Failed),
        ] {
            for (millis, answers) in counts {
                watch.answered_many(answer, f64::from(*millis) / 1_000.0, *answers);
            }
        }
    }

    /// Returns bytes for [`restore`](Self::restore).
    pub fn save(&self) -> Vec<u8> {
        state::save(self)
    }

    /// Reads what [`save`](Self::save) returned.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn restore(bytes: &[u8]) -> Result<Self, StateError> {
        state::restore(bytes)
    }

    fn count(&mut self, signed: &Signed<'_>, new: u32, known: u32) {
        let plain = Signed {
            account: None,
            ..*signed
        };
        if !self.add(signed, new, known, GROUPS)
            && !self.add(&plain, new, known, GROUPS + PLAIN_GROUPS)
        {
            self.others = self.others.saturating_add(new);
        }
    }

    /// Counts in a group, if there is room for it.
    fn add(&mut self, signed: &Signed<'_>, new: u32, known: u32, room: usize) -> bool {
        let key = key(signed);
        if !self.groups.contains_key(&key) {
            if self.groups.len() >= room {
                self.groups
                    .retain(|_, group| group.new > 0 || group.known > 0);
            }
            if self.groups.len() >= room {
                return false;
            }
        }
        let group = self.groups.entry(key).or_insert_with(|| Group {
            network: signed.network,
            api_version: signed.api_version.map(cut),
            type_name: cut(signed.type_name),
            account: signed.account.map(cut),
            new: 0,
            known: 0,
        });
        group.new = group.new.saturating_add(new);
        group.known = group.known.saturating_add(known);
        true
    }
}

impl Group {
    fn signed(&self) -> Signed<'_> {
        Signed {
            network: self.network,
            api_version: self.api_version.as_deref(),
            type_name: &self.type_name,
            account: self.account.as_deref(),
        }
    }
}

impl Persist for Tally {
    fn write(&self, out: &mut Vec<u8>) {
        let groups: Vec<Group> = self.groups.values().cloned().collect();
        groups.write(out);
        self.others.write(out);
        pairs(&self.refused).write(out);
        self.refused_elsewhere.write(out);
        pairs(&self.answered).write(out);
        pairs(&self.failed).write(out);
        self.open.write(out);
        self.open_bytes.write(out);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        let mut tally = Self::default();
        for group in Vec::<Group>::read(input)? {
            tally.count(&group.signed(), group.new, group.known);
        }
        tally.others = tally.others.saturating_add(u32::read(input)?);
        for (network, deliveries) in Vec::<(Network, u32)>::read(input)? {
            tally.refused(network, deliveries);
        }
        let elsewhere = u32::read(input)?;
        tally.refused_elsewhere = tally.refused_elsewhere.saturating_add(elsewhere);
        for counts in [&mut tally.answered, &mut tally.failed] {
            for (millis, answers) in Vec::<(u32, u32)>::read(input)? {
                let count = counts.entry(leading(millis.into())).or_default();
                *count = count.saturating_add(answers);
            }
        }
        tally.open = Persist::read(input)?;
        tally.open_bytes = Persist::read(input)?;
        Ok(tally)
    }
}

fn pairs<K: Copy>(counts: &BTreeMap<K, u32>) -> Vec<(K, u32)> {
    counts.iter().map(|(key, count)| (*key, *count)).collect()
}

/// Returns the leading bits of a duration, at least [`LEAST_MILLIS`]: so many of them
/// that a sketch is kept exact enough, and so few that there are few.
fn leading(millis: u64) -> u32 {
    let millis = u32::try_from(millis.max(LEAST_MILLIS)).unwrap_or(u32::MAX);
    let rest = (u32::BITS - millis.leading_zeros()).saturating_sub(MILLIS_BITS);
    millis >> rest << rest
}

fn key(signed: &Signed<'_>) -> u64 {
    let text = |text: Option<&str>| text.map_or(0, |text| hash(text.as_bytes()));
    let mut key = signed.network.key();
    for part in [
        text(signed.api_version),
        text(Some(signed.type_name)),
        text(signed.account),
    ] {
        key = mix(key.rotate_left(1) ^ part);
    }
    key
}

fn cut(name: &str) -> String {
    let end = name.floor_char_boundary(NAME_BYTES);
    name.get(..end).unwrap_or_default().to_string()
}
