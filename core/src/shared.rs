//! Memory that all workers of a gateway share, changed by compare-and-swap.
//!
//! The host lends it and can't delete from it, so every table in it is a
//! [`Region`] with a fixed number of buckets, each read and written whole.

#[cfg(test)]
pub(crate) mod memory;

use alloc::vec::Vec;
use core::fmt;

/// Lost races after which an operation gives up. Each lost race is another
/// worker's progress, so only a broken store gets here.
const MAX_ATTEMPTS: u32 = 64;

/// Is a table in the store. Its number of buckets is part of its name: a table
/// of another size never reads this one's buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Region {
    /// The identities of [`dedup`](crate::dedup).
    Dedup {
        /// How many buckets the table has.
        buckets: u32,
    },
    /// What the keys of [`quota`](crate::quota) have spent.
    Quota {
        /// How many buckets the table has.
        buckets: u32,
    },
}

impl Region {
    /// Returns the address of the bucket that a uniformly distributed
    /// `placement` falls into.
    #[must_use]
    pub fn place(self, placement: u32) -> Address {
        let (Self::Dedup { buckets } | Self::Quota { buckets }) = self;
        let scaled = u64::from(placement) * u64::from(buckets);
        Address {
            region: self,
            bucket: u32::try_from(scaled >> u32::BITS).unwrap_or(0),
        }
    }
}

/// Displays as `<table>.<its number of buckets>`.
impl fmt::Display for Region {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dedup { buckets } => write!(out, "dedup.{buckets}"),
            Self::Quota { buckets } => write!(out, "quota.{buckets}"),
        }
    }
}

/// Says where one bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The table.
    pub region: Region,
    /// The bucket in it, from 0.
    pub bucket: u32,
}

/// Displays as a host can use it in a key: `<region>.<bucket>`.
impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.region, self.bucket)
    }
}

/// Names one state of a bucket, for compare-and-swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The bucket was never written.
    Absent,
    /// The store's own number for the state that was read.
    Is(u32),
}

/// Says why a bucket was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The bucket is no longer at the version that was read.
    #[error("another worker wrote the bucket")]
    Conflict,
    /// The store failed.
    #[error("the store failed")]
    Failed,
}

/// Is a store of buckets, shared by workers, with compare-and-swap.
pub trait SharedStore {
    /// Returns the bucket's bytes (empty if never written) and their version.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    fn load(&mut self, at: Address) -> Result<(Vec<u8>, Version), StoreError>;

    /// Replaces the bucket's bytes if it still has the given version.
    ///
    /// # Errors
    /// [`StoreError`]; the bucket is unchanged.
    fn store(&mut self, at: Address, bytes: &[u8], version: Version) -> Result<(), StoreError>;
}

/// Says what becomes of a bucket that was read, and what the reader learned.
pub(crate) enum Change<T> {
    Keep(T),
    Write(Vec<u8>, T),
}

/// Reads, changes and writes a bucket until no other worker interferes. A
/// `change` that answers `None` was given what is not its kind of bucket.
///
/// # Errors
/// [`StoreError::Failed`], also for what is not a bucket;
/// [`StoreError::Conflict`] after 64 lost races.
pub(crate) fn update<T>(
    store: &mut impl SharedStore,
    at: Address,
    mut change: impl FnMut(&[u8]) -> Option<Change<T>>,
) -> Result<T, StoreError> {
    for _ in 0..MAX_ATTEMPTS {
        let (bytes, version) = store.load(at)?;
        match change(&bytes).ok_or(StoreError::Failed)? {
            Change::Keep(value) => return Ok(value),
            Change::Write(bytes, value) => match store.store(at, &bytes, version) {
                Ok(()) => return Ok(value),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            },
        }
    }
    Err(StoreError::Conflict)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::Region;

    // Other gateways on the same Envoy have these keys in their memory now.
    #[test]
    fn an_address_reads_as_table_size_and_bucket() {
        let dedup = Region::Dedup { buckets: 1_366 };
        assert_eq!(dedup.place(0).to_string(), "dedup.1366.0");
        assert_eq!(dedup.place(u32::MAX).to_string(), "dedup.1366.1365");
        let quota = Region::Quota { buckets: 3 };
        assert_eq!(quota.place(u32::MAX / 2).to_string(), "quota.3.1");
    }
}
