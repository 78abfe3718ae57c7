//! What the log has already.

use std::{collections::HashSet, num::NonZeroUsize, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hookgate_core::{identity::Source, time::Timestamp};
use sha2::{Digest as _, Sha256};

use super::round::earlier;
use crate::log::{Capability, LogAddress, ReadError, Reader};

/// Questions to a server that are under way at once.
const AT_ONCE: usize = 16;

/// Events that are read at once.
const STEP: NonZeroUsize = NonZeroUsize::MIN.saturating_add(999);

/// How far the clocks of Stripe and of the log may lie apart.
const CLOCKS: Duration = Duration::from_hours(1);

/// Knows which identities the log has.
#[derive(Debug)]
pub(crate) struct Known {
    reader: Reader,
    /// Of a log that can't look an identity up.
    read: Option<Read>,
}

/// Holds what was read of the log.
#[derive(Debug)]
struct Read {
    identities: HashSet<[u8; 16]>,
    /// The sequence from which on it is not read yet.
    next: u64,
}

impl Known {
    /// Opens the log.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn open(address: &LogAddress) -> Result<Self, ReadError> {
        let reader = Reader::open(address).await?;
        let read = Read {
            identities: HashSet::new(),
            next: 1,
        };
        let can_look_up = address.can(Capability::ExactDuplicates);
        Ok(Self {
            reader,
            read: (!can_look_up).then_some(read),
        })
    }

    /// Prepares for events that happened at a time or later: a log that can't
    /// look an identity up is read from there on.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn read_from(&mut self, time: Timestamp) -> Result<(), ReadError> {
        if let Some(read) = &mut self.read {
            let first = self.reader.first_at(earlier(time, CLOCKS)).await?;
            read.next = match first {
                Some(first) => first,
                None => self.reader.newest().await?.map_or(1, |newest| newest + 1),
            };
        }
        Ok(())
    }

    /// Returns when the oldest event that the log has was stored.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn oldest(&self) -> Result<Option<Timestamp>, ReadError> {
        let first = self.reader.scan(1, NonZeroUsize::MIN).await?;
        Ok(first.first().map(|(entry, _)| entry.stored_at))
    }

    /// Tells of each identity whether the log has it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn has(
        &mut self,
        identities: &[(Source, String)],
    ) -> Result<Vec<bool>, ReadError> {
        let reader = &self.reader;
        let Some(read) = &mut self.read else {
            let asked = stream::iter(identities).map(|(source, id)| reader.has(source, id));
            return asked.buffered(AT_ONCE).try_collect().await;
        };
        read.look_on(reader).await?;
        let has = |(source, id): &(Source, String)| read.identities.contains(&key(source, id));
        Ok(identities.iter().map(has).collect())
    }
}

impl Read {
    /// Reads to the end of the log.
    async fn look_on(&mut self, reader: &Reader) -> Result<(), ReadError> {
        loop {
            let found = reader.scan(self.next, STEP).await?;
            let Some((last, _)) = found.last() else {
                return Ok(());
            };
            self.next = last.sequence + 1;
            let attributes = found.iter().map(|(entry, _)| &entry.attributes);
            let keys = attributes.map(|event| key(&event.source, &event.id));
            self.identities.extend(keys);
        }
    }
}

/// Shortens an identity to 128 bits: a collision would be an event not found.
fn key(source: &Source, id: &str) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(source.as_str());
    // No source holds it.
    hash.update([0]);
    hash.update(id);
    let digest: [u8; 32] = hash.finalize().into();
    let (half, _) = digest.split_first_chunk().unwrap_or((&[0; 16], &[]));
    *half
}
