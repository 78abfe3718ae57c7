//! Quotas over a shared store: so many in so long, and a burst.
//!
//! Each is the generic cell rate algorithm (GCRA, ATM Forum Traffic Management
//! 4.1, section 4.4.2, virtual scheduling): a key's whole state is its
//! *theoretical arrival time* (TAT), when its burst is full again. The table
//! is shared by all workers, of a fixed size, and may forget: a full bucket
//! drops the key that has spent least. A quota guards availability, so unlike
//! dedup it may err towards letting through; what a failed store means is the
//! caller's decision.

mod bucket;
mod limit;

use core::time::Duration;

use sha2::{Digest, Sha256};

use crate::{
    shared::{self, Change, Region, SharedStore},
    time::Timestamp,
};
use bucket::{Bucket, KEY_BYTES};
pub use limit::{Limit, MAX_BURST, MAX_PER, MAX_RATE, MAX_REFILL, MIN_PER};

/// Keys that a bucket holds on average when the table holds its configured
/// number: the rest of its 32 slots is room for buckets that chance fills more.
const MEAN_KEYS_PER_BUCKET: u32 = 16;

/// A TAT further ahead than any charge could have put it comes from a clock
/// that stepped back; what was spent before that is forgotten. Workers read their clocks at slightly different times:
/// less than this is no step, or each reading would give quota back.
const CLOCK_STEP: Duration = Duration::from_secs(1);

/// Names what has a quota: 64 bits of SHA-256 (two keys that collide share a
/// quota), and further bits that choose the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    bytes: [u8; KEY_BYTES],
    placement: u32,
}

impl Key {
    /// Names the thing of this kind with these parts. Each part is hashed with
    /// its length: no two lists of parts hash alike.
    #[must_use]
    pub fn new(kind: &'static str, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in core::iter::once(kind.as_bytes()).chain(parts.iter().copied()) {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part);
        }
        let hash: [u8; 32] = hash.finalize().into();
        let (mut bytes, mut placement) = ([0; KEY_BYTES], [0; 4]);
        for (to, from) in bytes.iter_mut().chain(&mut placement).zip(hash) {
            *to = from;
        }
        Self {
            bytes,
            placement: u32::from_le_bytes(placement),
        }
    }

    /// Names who vouches for this key, in the same bucket.
    fn vouched(self) -> [u8; KEY_BYTES] {
        self.bytes.map(|byte| !byte)
    }
}

/// How long a key is vouched for, and how much of that has to be left before it
/// is worth writing anew.
const VOUCHED: Duration = Duration::from_secs(24 * 60 * 60);
const VOUCHED_ENOUGH: Duration = Duration::from_secs(12 * 60 * 60);

/// Says how much a key is charged at once. Whoever is vouched for is charged one,
/// and nobody more than a whole burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost(u32);

impl Cost {
    /// What everything costs.
    pub const ONE: Self = Self(1);
    /// What a failure costs in a network that the watch accuses: an eighth of the
    /// failures is let through that the quota allows, and a sender that never failed
    /// has its whole burst before it all the same.
    pub const EIGHT: Self = Self(8);
}

/// Is what [`Quotas::peek`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What [`Quotas::charge_many`] would answer, or did.
    pub verdict: Verdict,
    /// Whether somebody vouched for the key within the last day.
    pub is_vouched: bool,
    /// Whether vouching for it anew would change anything for long.
    pub wants_vouching: bool,
}

/// Is the answer to [`Quotas::charge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is one left.
    Within,
    /// There is none left.
    Exceeded {
        /// How long until there is one.
        retry_after: Duration,
    },
    /// The store failed, or holds what is not a bucket.
    Failed,
}

/// Places keys in a fixed number of buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    buckets: u32,
}

impl Quotas {
    /// Makes a table for `max_keys` keys (at least 1) that are below their
    /// full burst at the same time: at most 32 bytes each, without the host's.
    #[must_use]
    pub const fn new(max_keys: u32) -> Self {
        Self {
            buckets: match max_keys.div_ceil(MEAN_KEYS_PER_BUCKET) {
                0 => 1,
                buckets => buckets,
            },
        }
    }

    /// Takes one from the key's quota, if there is one; a refused charge costs
    /// the key nothing. A key has to come with the same limit every time.
    pub fn charge(
        &self,
        store: &mut impl SharedStore,
        key: Key,
        limit: Limit,
        now: Timestamp,
    ) -> Verdict {
        self.charge_many(store, key, limit, Cost::ONE, now).verdict
    }

    /// Takes as much as this costs the key, if there is as much.
    pub fn charge_many(
        &self,
        store: &mut impl SharedStore,
        key: Key,
        limit: Limit,
        cost: Cost,
        now: Timestamp,
    ) -> Standing {
        let charge = |bucket: &mut Bucket, next, now| bucket.set(key.bytes, next, now);
        self.decide(store, key, limit, cost, now, charge)
            .standing(now)
    }

    /// Says how a key stands, and takes nothing.
    pub fn peek(
        &self,
        store: &mut impl SharedStore,
        key: Key,
        limit: Limit,
        cost: Cost,
        now: Timestamp,
    ) -> Standing {
        self.decide(store, key, limit, cost, now, |_, _, _| {})
            .standing(now)
    }

    /// Vouches for a key, for a day. It takes a key's room in the same bucket,
    /// so that one read shows both.
    pub fn vouch(&self, store: &mut impl SharedStore, key: Key, now: Timestamp) {
        let now = nanos(now);
        let until = now.saturating_add(span(VOUCHED));
        let _ = shared::update(store, self.region().place(key.placement), |bytes| {
            let mut bucket = Bucket::decode(bytes)?;
            bucket.set(key.vouched(), until, now);
            Some(Change::Write(bucket.encode(), ()))
        });
    }

    /// Gives back one that was charged. A key that is forgotten or full again
    /// gets nothing, and a store that fails keeps it: time gives it back.
    pub fn refund(&self, store: &mut impl SharedStore, key: Key, limit: Limit, now: Timestamp) {
        let now = nanos(now);
        let _ = shared::update(store, self.region().place(key.placement), |bytes| {
            let mut bucket = Bucket::decode(bytes)?;
            let Some(tat) = bucket.tat(key.bytes) else {
                return Some(Change::Keep(()));
            };
            bucket.set(key.bytes, tat.saturating_sub(limit.interval()), now);
            Some(Change::Write(bucket.encode(), ()))
        });
    }

    fn decide(
        &self,
        store: &mut impl SharedStore,
        key: Key,
        limit: Limit,
        cost: Cost,
        now: Timestamp,
        within: impl Fn(&mut Bucket, u64, u64),
    ) -> Found {
        let now = nanos(now);
        let latest = now.saturating_add(limit.refill());
        let outcome = shared::update(store, self.region().place(key.placement), |bytes| {
            let mut bucket = Bucket::decode(bytes)?;
            let mut tat = bucket.tat(key.bytes).unwrap_or(now).max(now);
            let vouched_until = bucket.tat(key.vouched()).unwrap_or_default();
            if tat > latest.saturating_add(span(CLOCK_STEP)) {
                tat = now;
                bucket.set(key.bytes, tat, now);
            }
            let times = if vouched_until > now { 1 } else { cost.0 };
            let next = tat.saturating_add(limit.cost(times));
            let verdict = if next > latest {
                let retry_after = Duration::from_nanos(next.saturating_sub(latest));
                Verdict::Exceeded { retry_after }
            } else {
                within(&mut bucket, next, now);
                Verdict::Within
            };
            let found = Found {
                verdict,
                vouched_until,
            };
            Some(if bucket.is_changed() {
                Change::Write(bucket.encode(), found)
            } else {
                Change::Keep(found)
            })
        });
        outcome.unwrap_or(Found {
            verdict: Verdict::Failed,
            vouched_until: 0,
        })
    }

    const fn region(&self) -> Region {
        Region::Quota {
            buckets: self.buckets,
        }
    }
}

/// Is what a bucket says of a key.
struct Found {
    verdict: Verdict,
    vouched_until: u64,
}

impl Found {
    fn standing(self, now: Timestamp) -> Standing {
        let left = self.vouched_until.saturating_sub(nanos(now));
        Standing {
            verdict: self.verdict,
            is_vouched: left > 0,
            wants_vouching: left < span(VOUCHED_ENOUGH),
        }
    }
}

const fn span(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000)
}

/// Nanoseconds: the interval of a million a second is a thousand of them, so
/// rounding it costs at most 0.1 %. 64 bits of them last until 2554.
fn nanos(at: Timestamp) -> u64 {
    at.unix_millis().saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests;
