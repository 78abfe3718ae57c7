//! The packed form of one bucket: 16 bytes for each key, 8 of its name and 8
//! of its theoretical arrival time in Unix nanoseconds, little-endian.

use alloc::vec::Vec;

pub(super) const KEY_BYTES: usize = 8;
pub(super) const ENTRY_BYTES: usize = KEY_BYTES + 8;
pub(super) const SLOTS: usize = 32;

#[derive(Debug)]
pub(super) struct Bucket {
    entries: Vec<([u8; KEY_BYTES], u64)>,
    changed: bool,
}

impl Bucket {
    /// Reads a bucket; `None` if the bytes aren't one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if !bytes.len().is_multiple_of(ENTRY_BYTES) || bytes.len() > SLOTS * ENTRY_BYTES {
            return None;
        }
        let entries = bytes.chunks_exact(ENTRY_BYTES).map(|entry| {
            let (&key, rest) = entry.split_first_chunk()?;
            Some((key, u64::from_le_bytes(*rest.first_chunk()?)))
        });
        Some(Self {
            entries: entries.collect::<Option<_>>()?,
            changed: false,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * ENTRY_BYTES);
        for (key, tat) in &self.entries {
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(&tat.to_le_bytes());
        }
        bytes
    }

    pub(super) const fn is_changed(&self) -> bool {
        self.changed
    }

    pub(super) fn tat(&self, key: [u8; KEY_BYTES]) -> Option<u64> {
        let entry = self.entries.iter().find(|(name, _)| *name == key);
        entry.map(|(_, tat)| *tat)
    }

    /// Remembers a key's time. Whoever is full again (a time not after `now`)
    /// is dropped, and if that makes no room, whoever is closest to it.
    pub(super) fn set(&mut self, key: [u8; KEY_BYTES], tat: u64, now: u64) {
        self.changed = true;
        self.entries
            .retain(|(name, tat)| *name != key && *tat > now);
        if tat <= now {
            return;
        }
        if self.entries.len() >= SLOTS {
            let fullest = self
                .entries
                .iter()
                .enumerate()
                .min_by_key(|(_, (_, tat))| *tat);
            if let Some((position, _)) = fullest {
                self.entries.swap_remove(position);
            }
        }
        self.entries.push((key, tat));
    }
}
