//! Dedup in a small and in a large table, both full.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use hookgate_core::dedup::{Reserved, Table, Token};
use hookgate_core::identity::{Fingerprint, Source};
use hookgate_core::shared::{Address, SharedStore, StoreError, Version};
use hookgate_core::time::Timestamp;

use crate::{ROUNDS, median};

const SMALL: u32 = 10_000;
const LARGE: u32 = 1_000_000;

/// Events of one table in one round.
const EVENTS: u32 = 20_000;

/// Prints what an event costs, from its ID to its commit, and what room the
/// large table takes.
pub(crate) fn measure() -> Result<(), Box<dyn Error>> {
    let mut small = Filled::new(SMALL)?;
    let mut large = Filled::new(LARGE)?;
    let (mut events, mut copies) = (Beside::default(), Beside::default());
    for _ in 0..ROUNDS {
        events.add(large.cost()?, small.cost()?);
        copies.add(large.copying(), small.copying());
    }
    events.print(&format!("dedup at {LARGE} entries, beside {SMALL}"));
    // What of that is memory, whatever is done with it.
    copies.print("copying one of their buckets out, chosen by chance");
    let megabytes = large.store.bytes() as f64 / 1e6;
    println!("\nThe table of {LARGE} entries takes {megabytes:.1} MB.");
    Ok(())
}

/// Costs in microseconds of one thing beside another, a pair of each round.
#[derive(Default)]
struct Beside {
    costs: (Vec<f64>, Vec<f64>),
    ratios: Vec<f64>,
}

impl Beside {
    fn add(&mut self, cost: f64, beside: f64) {
        self.costs.0.push(cost);
        self.costs.1.push(beside);
        self.ratios.push(cost / beside);
    }

    fn print(self, what: &str) {
        let (cost, beside) = self.costs;
        println!(
            "| {what} | | {:.2} | {:.2} | {:.2} |",
            median(cost),
            median(beside),
            median(self.ratios)
        );
    }
}

/// A table that has taken as many events as it is for.
struct Filled {
    table: Table,
    store: Memory,
    source: Source,
    taken: u32,
    chance: u64,
}

impl Filled {
    fn new(entries: u32) -> Result<Self, Box<dyn Error>> {
        let (retention, lease) = (Duration::from_secs(259_200), Duration::from_secs(30));
        let table = Table::new(entries, retention, lease);
        let mut filled = Self {
            store: Memory::of(table.buckets()),
            source: Source::new("bench")?,
            taken: 0,
            chance: 88_172_645_463_325_252,
            table,
        };
        while filled.taken < entries {
            filled.take()?;
        }
        Ok(filled)
    }

    /// Returns the microseconds that each of the next events costs.
    fn cost(&mut self) -> Result<f64, Box<dyn Error>> {
        let start = Instant::now();
        for _ in 0..EVENTS {
            self.take()?;
        }
        Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(EVENTS))
    }

    /// Returns the microseconds that copying a bucket takes, in an order that no cache
    /// foresees.
    fn copying(&mut self) -> f64 {
        let buckets = &self.store.buckets;
        let start = Instant::now();
        for _ in 0..EVENTS {
            // Xorshift; each place depends on the bytes of the one before, as that of an
            // event does on what was done before it.
            self.chance ^= self.chance << 13;
            self.chance ^= self.chance >> 7;
            self.chance ^= self.chance << 17;
            let at = self.chance % buckets.len().max(1) as u64;
            let held = usize::try_from(at).ok().and_then(|at| buckets.get(at));
            let copy = black_box(held.map(|(held, _)| held.clone()).unwrap_or_default());
            self.chance ^= u64::from(copy.last().copied().unwrap_or_default());
            self.chance |= 1;
        }
        start.elapsed().as_secs_f64() * 1e6 / f64::from(EVENTS)
    }

    /// Reserves the identity of an event that was never there, and commits it.
    fn take(&mut self) -> Result<(), Box<dyn Error>> {
        let now = Timestamp::from_unix_seconds(1_760_000_000 + u64::from(self.taken / 5_000));
        let id = format!("evt_1Tbenchbenchbench{:08x}", self.taken);
        let fingerprint = Fingerprint::of(&self.source, &id);
        let token = Token(self.taken.into());
        let Self { table, store, .. } = self;
        if table.reserve(store, fingerprint, token, now) != Reserved::Fresh {
            return Err("an event that was never there is not fresh".into());
        }
        table.commit(store, fingerprint, now)?;
        self.taken += 1;
        Ok(())
    }
}

/// Buckets in memory, as a host keeps them.
struct Memory {
    buckets: Vec<(Vec<u8>, u32)>,
}

impl Memory {
    fn of(buckets: u32) -> Self {
        Self {
            buckets: (0..buckets).map(|_| (Vec::new(), 0)).collect(),
        }
    }

    fn bytes(&self) -> usize {
        let held: usize = self.buckets.iter().map(|(held, _)| held.capacity()).sum();
        held + size_of_val(self.buckets.as_slice())
    }

    fn at(&mut self, at: Address) -> Result<&mut (Vec<u8>, u32), StoreError> {
        let index = usize::try_from(at.bucket).map_err(|_| StoreError::Failed)?;
        self.buckets.get_mut(index).ok_or(StoreError::Failed)
    }
}

impl SharedStore for Memory {
    fn load(&mut self, at: Address) -> Result<(Vec<u8>, Version), StoreError> {
        let (held, version) = self.at(at)?;
        let version = match version {
            0 => Version::Absent,
            version => Version::Is(*version),
        };
        Ok((held.clone(), version))
    }

    fn store(&mut self, at: Address, bytes: &[u8], _: Version) -> Result<(), StoreError> {
        let (held, version) = self.at(at)?;
        held.clear();
        held.extend_from_slice(bytes);
        *version += 1;
        Ok(())
    }
}
