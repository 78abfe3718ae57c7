//! A store for tests.

use alloc::vec::Vec;

use super::{SharedStore, StoreError, Version};

/// Buckets in memory, with races and failures on request.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) buckets: Vec<(Vec<u8>, u32)>,
    /// Bytes that another worker writes before our next store.
    pub(crate) rival: Option<Vec<u8>>,
    pub(crate) conflicts: u32,
    pub(crate) fails: bool,
}

impl SharedStore for Memory {
    fn load(&mut self, bucket: u32) -> Result<(Vec<u8>, Version), StoreError> {
        if self.fails {
            return Err(StoreError::Failed);
        }
        Ok(match self.buckets.get(bucket as usize) {
            Some((bytes, version)) if *version > 0 => (bytes.clone(), Version::Is(*version)),
            _ => (Vec::new(), Version::Absent),
        })
    }

    fn store(&mut self, bucket: u32, bytes: &[u8], version: Version) -> Result<(), StoreError> {
        let index = bucket as usize;
        if self.buckets.len() <= index {
            self.buckets.resize(index + 1, (Vec::new(), 0));
        }
        if let Some(rival) = self.rival.take() {
            self.buckets[index] = (rival, self.buckets[index].1 + 1);
        }
        let expected = match version {
            Version::Absent => 0,
            Version::Is(version) => version,
        };
        if self.buckets[index].1 != expected || self.conflicts > 0 {
            self.conflicts = self.conflicts.saturating_sub(1);
            return Err(StoreError::Conflict);
        }
        self.buckets[index] = (bytes.into(), expected + 1);
        Ok(())
    }
}
