//! Two-phase deduplication over a shared store with compare-and-swap.
//!
//! A delivery *reserves* the identity of its event, and after the upstream's
//! answer *commits* or *releases* it. The table is shared by all workers of a
//! gateway, bounded, and may forget; it never wrongly remembers: an identity
//! that no upstream confirmed is not answered as a duplicate.
//!
//! - A reservation is fingerprint + random token + expiry. It is a lease: a
//!   worker that dies takes nothing with it for longer.
//! - Only the own token releases; commit always wins.
//! - A live reservation is never evicted: a bucket full of them refuses.
//! - The oldest committed entry of a bucket is evicted first.

mod bucket;

use core::time::Duration;

use crate::{
    identity::Fingerprint,
    shared::{self, Region, SharedStore, StoreError},
    time::Timestamp,
};
use bucket::Bucket;

/// Entries that a bucket holds, reservations included.
pub const BUCKET_SLOTS: u32 = 64;

/// Share of its slots that a bucket fills on average when the table holds its
/// configured number of entries: the rest is room for buckets that chance
/// fills more. At 48 of 64 about one entry in 2,000 is evicted early.
const MEAN_ENTRIES_PER_BUCKET: u32 = 48;

/// Tells a delivery's own reservation from every other; random, 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token(pub u64);

/// Is the answer to [`Table::reserve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// The identity is yours until the lease ends.
    Fresh,
    /// The event is durably stored.
    Committed,
    /// Another delivery holds the identity, at most this long.
    InProgress {
        /// When the other delivery's lease ends.
        until: Timestamp,
    },
    /// Every slot of the bucket is a live reservation.
    Full,
    /// The store failed, or holds what is not a bucket.
    Failed,
}

/// Places identities in buckets and keeps each bucket's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    buckets: u32,
    lease: Duration,
    retention: Duration,
}

impl Table {
    /// Makes a table for `max_entries` entries (at least 1), which remembers
    /// commits for `retention` and reservations for `lease`.
    #[must_use]
    pub const fn new(max_entries: u32, retention: Duration, lease: Duration) -> Self {
        let buckets = match max_entries.div_ceil(MEAN_ENTRIES_PER_BUCKET) {
            0 => 1,
            buckets => buckets,
        };
        Self {
            buckets,
            lease,
            retention,
        }
    }

    /// Returns the number of buckets: it never changes, and with
    /// [`BUCKET_SLOTS`] it bounds the memory.
    #[must_use]
    pub const fn buckets(&self) -> u32 {
        self.buckets
    }

    /// Reserves an identity for one delivery.
    pub fn reserve(
        &self,
        store: &mut impl SharedStore,
        fingerprint: Fingerprint,
        token: Token,
        now: Timestamp,
    ) -> Reserved {
        let outcome = self.update(store, fingerprint, |bucket| {
            bucket.expire(now, self.retention);
            if bucket.is_committed(fingerprint) {
                return Change::Keep(Reserved::Committed);
            }
            if let Some(until) = bucket.reserved_until(fingerprint) {
                return Change::Keep(Reserved::InProgress { until });
            }
            if bucket.reserve(fingerprint, token, now, self.lease) {
                Change::Write(Reserved::Fresh)
            } else {
                Change::Keep(Reserved::Full)
            }
        });
        outcome.unwrap_or(Reserved::Failed)
    }

    /// Remembers an identity as durably stored, whoever reserved it.
    ///
    /// # Errors
    /// [`StoreError`]: the table forgets this one, which is safe.
    pub fn commit(
        &self,
        store: &mut impl SharedStore,
        fingerprint: Fingerprint,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.update(store, fingerprint, |bucket| {
            bucket.expire(now, self.retention);
            bucket.drop_reservation(fingerprint, None);
            bucket.commit(fingerprint, now);
            Change::Write(())
        })
    }

    /// Gives back a reservation, if it is still the one of this token.
    ///
    /// # Errors
    /// [`StoreError`]: the lease runs out instead.
    pub fn release(
        &self,
        store: &mut impl SharedStore,
        fingerprint: Fingerprint,
        token: Token,
    ) -> Result<(), StoreError> {
        self.update(store, fingerprint, |bucket| {
            if bucket.drop_reservation(fingerprint, Some(token)) {
                Change::Write(())
            } else {
                Change::Keep(())
            }
        })
    }

    /// Reads, changes and writes a bucket until no other worker interferes.
    fn update<T>(
        &self,
        store: &mut impl SharedStore,
        fingerprint: Fingerprint,
        mut change: impl FnMut(&mut Bucket) -> Change<T>,
    ) -> Result<T, StoreError> {
        let region = Region::Dedup {
            buckets: self.buckets,
        };
        let at = region.place(fingerprint.placement);
        shared::update(store, at, |bytes| {
            let mut bucket = Bucket::decode(bytes)?;
            Some(match change(&mut bucket) {
                Change::Keep(value) => shared::Change::Keep(value),
                Change::Write(value) => shared::Change::Write(bucket.encode(), value),
            })
        })
    }
}

/// Says whether a changed bucket has to be written.
enum Change<T> {
    Keep(T),
    Write(T),
}

#[cfg(test)]
mod tests;
