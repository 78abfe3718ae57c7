//! The packed form of one bucket.
//!
//! ```text
//! number of reservations     1 byte
//! reservations              24 bytes each: fingerprint 12, expiry 4, token 8
//! committed, oldest first   16 bytes each: fingerprint 12, commit time 4
//! ```
//! Times are Unix seconds as 32 bits (until 2106), numbers little-endian. An
//! empty value is an empty bucket.

use alloc::vec::Vec;
use core::time::Duration;

use super::{BUCKET_SLOTS, Token};
use crate::{
    identity::{FINGERPRINT_BYTES, Fingerprint},
    time::Timestamp,
};

const RESERVATION_BYTES: usize = FINGERPRINT_BYTES + 4 + 8;
pub(super) const COMMITTED_BYTES: usize = FINGERPRINT_BYTES + 4;
const SLOTS: usize = BUCKET_SLOTS as usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reservation {
    fingerprint: [u8; FINGERPRINT_BYTES],
    expires: u32,
    token: Token,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    reservations: Vec<Reservation>,
    /// Packed, because nothing but a scan ever happens to them.
    committed: Vec<u8>,
}

impl Bucket {
    /// Reads a bucket; `None` if the bytes aren't one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let Some((&count, rest)) = bytes.split_first() else {
            return Some(Self::default());
        };
        let (reservations, committed) =
            rest.split_at_checked(usize::from(count) * RESERVATION_BYTES)?;
        if !committed.len().is_multiple_of(COMMITTED_BYTES) {
            return None;
        }
        let reservations = reservations
            .chunks_exact(RESERVATION_BYTES)
            .map(Reservation::decode)
            .collect::<Option<Vec<_>>>()?;
        let bucket = Self {
            reservations,
            committed: committed.into(),
        };
        (bucket.len() <= SLOTS).then_some(bucket)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let reserved = self.reservations.len();
        let mut bytes = Vec::with_capacity(1 + reserved * RESERVATION_BYTES + self.committed.len());
        bytes.push(u8::try_from(reserved).unwrap_or(u8::MAX));
        for reservation in &self.reservations {
            reservation.encode(&mut bytes);
        }
        bytes.extend_from_slice(&self.committed);
        bytes
    }

    /// Drops leases that have ended and commits older than `retention`.
    pub(super) fn expire(&mut self, now: Timestamp, retention: Duration) {
        let now = seconds(now);
        let retention = u32::try_from(retention.as_secs()).unwrap_or(u32::MAX);
        self.reservations.retain(|held| held.expires > now);
        let expired = self
            .committed
            .chunks_exact(COMMITTED_BYTES)
            // A clock that stepped back makes entries of the future: young.
            .take_while(|entry| now.saturating_sub(committed_at(entry)) >= retention)
            .count();
        self.committed.drain(..expired * COMMITTED_BYTES);
    }

    pub(super) fn is_committed(&self, fingerprint: Fingerprint) -> bool {
        self.position(fingerprint).is_some()
    }

    pub(super) fn reserved_until(&self, fingerprint: Fingerprint) -> Option<Timestamp> {
        self.reservations
            .iter()
            .find(|held| held.fingerprint == fingerprint.bytes)
            .map(|held| Timestamp::from_unix_seconds(held.expires.into()))
    }

    /// Adds a reservation, evicting the oldest commit if need be; `false` if
    /// every slot is a live reservation.
    pub(super) fn reserve(
        &mut self,
        fingerprint: Fingerprint,
        token: Token,
        now: Timestamp,
        lease: Duration,
    ) -> bool {
        if !self.make_room() {
            return false;
        }
        let lease = u32::try_from(lease.as_secs()).unwrap_or(u32::MAX);
        self.reservations.push(Reservation {
            fingerprint: fingerprint.bytes,
            // Whole seconds, rounded up: a lease is never shorter than stated.
            expires: seconds(now).saturating_add(lease).saturating_add(1),
            token,
        });
        true
    }

    /// Removes the reservation of this identity, if it has the given token;
    /// `None` stands for any token. Returns whether there was one.
    pub(super) fn drop_reservation(
        &mut self,
        fingerprint: Fingerprint,
        token: Option<Token>,
    ) -> bool {
        let before = self.reservations.len();
        self.reservations.retain(|held| {
            held.fingerprint != fingerprint.bytes || token.is_some_and(|token| held.token != token)
        });
        self.reservations.len() != before
    }

    /// Adds a commit as the youngest entry, or makes an old one young again.
    /// A bucket full of live reservations forgets it.
    pub(super) fn commit(&mut self, fingerprint: Fingerprint, now: Timestamp) {
        if let Some(position) = self.position(fingerprint) {
            let start = position * COMMITTED_BYTES;
            self.committed.drain(start..start + COMMITTED_BYTES);
        }
        if self.make_room() {
            self.committed.extend_from_slice(&fingerprint.bytes);
            self.committed
                .extend_from_slice(&seconds(now).to_le_bytes());
        }
    }

    fn make_room(&mut self) -> bool {
        if self.len() < SLOTS {
            return true;
        }
        if self.committed.is_empty() {
            return false;
        }
        self.committed.drain(..COMMITTED_BYTES);
        true
    }

    fn position(&self, fingerprint: Fingerprint) -> Option<usize> {
        self.committed
            .chunks_exact(COMMITTED_BYTES)
            .position(|entry| entry.starts_with(&fingerprint.bytes))
    }

    fn len(&self) -> usize {
        self.reservations.len() + self.committed.len() / COMMITTED_BYTES
    }
}

impl Reservation {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&fingerprint, rest) = bytes.split_first_chunk()?;
        let (&expires, rest) = rest.split_first_chunk()?;
        let (&token, _) = rest.split_first_chunk()?;
        Some(Self {
            fingerprint,
            expires: u32::from_le_bytes(expires),
            token: Token(u64::from_le_bytes(token)),
        })
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.fingerprint);
        bytes.extend_from_slice(&self.expires.to_le_bytes());
        bytes.extend_from_slice(&self.token.0.to_le_bytes());
    }
}

fn committed_at(entry: &[u8]) -> u32 {
    entry
        .last_chunk()
        .map_or(0, |time| u32::from_le_bytes(*time))
}

fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.unix_seconds()).unwrap_or(u32::MAX)
}
