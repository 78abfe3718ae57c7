//! Shared memory that loses races and fails on request.

use std::collections::BTreeMap;

use hookgate_core::shared::{Address, Region, SharedStore, StoreError, Version};

/// Holds buckets; counts what is asked of it.
#[derive(Default)]
pub(crate) struct Store {
    buckets: BTreeMap<Address, (Vec<u8>, u32)>,
    /// Whether everything fails.
    pub(crate) fails: bool,
    /// How many of the next writes lose a race.
    pub(crate) conflicts: u32,
    /// Reads and writes since this was last 0.
    pub(crate) steps: u32,
}

/// How many races an operation may lose before it gives up.
const MOST_LOST: u32 = 64;

impl Store {
    /// Tells whether the next operation succeeds.
    pub(crate) const fn is_reliable(&self) -> bool {
        !self.fails && self.conflicts < MOST_LOST
    }

    /// Returns what remembers events.
    pub(crate) fn dedup(&self) -> Vec<(Address, Vec<u8>)> {
        let buckets = self.buckets.iter();
        let dedup = buckets.filter(|(at, _)| matches!(at.region, Region::Dedup { .. }));
        dedup.map(|(at, (bytes, _))| (*at, bytes.clone())).collect()
    }
}

impl SharedStore for Store {
    fn load(&mut self, at: Address) -> Result<(Vec<u8>, Version), StoreError> {
        self.steps += 1;
        if self.fails {
            return Err(StoreError::Failed);
        }
        Ok(match self.buckets.get(&at) {
            Some((bytes, version)) => (bytes.clone(), Version::Is(*version)),
            None => (Vec::new(), Version::Absent),
        })
    }

    fn store(&mut self, at: Address, bytes: &[u8], version: Version) -> Result<(), StoreError> {
        self.steps += 1;
        if self.fails {
            return Err(StoreError::Failed);
        }
        if self.conflicts > 0 {
            self.conflicts -= 1;
            return Err(StoreError::Conflict);
        }
        let current = self.buckets.get(&at).map(|(_, version)| *version);
        let expected = match version {
            Version::Absent => None,
            Version::Is(version) => Some(version),
        };
        assert_eq!(current, expected, "nobody else writes");
        let next = current.map_or(1, |version| version + 1);
        self.buckets.insert(at, (bytes.into(), next));
        Ok(())
    }
}
