//! A store for tests.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{Address, SharedStore, StoreError, Version};

/// Buckets in memory, with races and failures on request.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) buckets: BTreeMap<Address, (Vec<u8>, u32)>,
    /// Bytes that another worker writes before our next store.
    pub(crate) rival: Option<Vec<u8>>,
    pub(crate) conflicts: u32,
    pub(crate) fails: bool,
}

impl Memory {
    /// Makes a store in which one bucket already holds these bytes.
    pub(crate) fn holding(at: Address, bytes: Vec<u8>) -> Self {
        Self {
            buckets: BTreeMap::from([(at, (bytes, 1))]),
            ..Self::default()
        }
    }

    /// Returns the bytes of the only bucket that was ever written.
    pub(crate) fn only_bucket(&self) -> &[u8] {
        assert_eq!(self.buckets.len(), 1, "{:?}", self.buckets.keys());
        &self.buckets.values().next().unwrap().0
    }
}

impl SharedStore for Memory {
    fn load(&mut self, at: Address) -> Result<(Vec<u8>, Version), StoreError> {
        if self.fails {
            return Err(StoreError::Failed);
        }
        Ok(match self.buckets.get(&at) {
            Some((bytes, version)) => (bytes.clone(), Version::Is(*version)),
            None => (Vec::new(), Version::Absent),
        })
    }

    fn store(&mut self, at: Address, bytes: &[u8], version: Version) -> Result<(), StoreError> {
        if let Some(rival) = self.rival.take() {
            let next = self.buckets.get(&at).map_or(1, |(_, version)| version + 1);
            self.buckets.insert(at, (rival, next));
        }
        let current = match self.buckets.get(&at) {
            Some((_, version)) => Version::Is(*version),
            None => Version::Absent,
        };
        if current != version || self.conflicts > 0 {
            self.conflicts = self.conflicts.saturating_sub(1);
            return Err(StoreError::Conflict);
        }
        let next = match version {
            Version::Absent => 1,
            Version::Is(version) => version + 1,
        };
        self.buckets.insert(at, (bytes.into(), next));
        Ok(())
    }
}
