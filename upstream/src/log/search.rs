//! Looking for events backwards from a place of the log, no further than may be.
//!
//! No log has an index by type, account or trace: each would cost every append.
//! So a search looks through the newest events first, ends when it has enough or
//! has taken long enough, and says how far it came.

use std::{num::NonZeroUsize, time::Instant};

use hookgate_core::{identity::Source, policy::TypePattern};

use super::{Attributes, Damage, Entry, ReadError, Reader};

/// Events of a broker that are looked through for one page: each is read whole.
const MOST_OF_A_BROKER: u64 = 2_000;

/// Events that are looked through at a time.
const STRIDE: u64 = 500;

/// Says what is looked for; what is `None` matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sought {
    /// Of this source.
    pub(crate) source: Option<Source>,
    /// Of such types.
    pub(crate) type_name: Option<TypePattern>,
    /// Of this connected account.
    pub(crate) account: Option<String>,
    /// Of this trace: 32 hexadecimal digits in lower case.
    pub(crate) trace_id: Option<String>,
}

/// Holds what was found, the newest first.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The events; or what is wrong with one.
    pub(crate) events: Vec<Result<Entry, Damage>>,
    /// How many were looked through.
    pub(crate) seen: u64,
    /// Before which sequence a search goes on; `None`: the log's beginning is
    /// reached.
    pub(crate) before: Option<u64>,
}

impl Sought {
    /// Tells whether an event is looked for.
    pub(crate) fn matches(&self, event: &Attributes) -> bool {
        (self.source.as_ref()).is_none_or(|only| *only == event.source)
            && (self.type_name.as_ref()).is_none_or(|only| only.matches(&event.type_name))
            && (self.account.as_ref()).is_none_or(|only| event.account.as_ref() == Some(only))
            && (self.trace_id.as_ref()).is_none_or(|only| event.trace_id() == only)
    }
}

impl Reader {
    /// Looks for the newest events before a sequence (`None`: before the end),
    /// until `limit` are found or it is `until`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn backwards(
        &self,
        before: Option<u64>,
        sought: &Sought,
        limit: NonZeroUsize,
        until: Instant,
    ) -> Result<Found, ReadError> {
        if let Self::Sqlite(reader) = self {
            return Ok(reader.backwards(before, sought, limit, until)?);
        }
        let end = match before {
            Some(before) => before,
            None => self
                .newest()
                .await?
                .map_or(1, |last| last.saturating_add(1)),
        };
        let mut found = Found::default();
        let mut end = end.max(1);
        while end > 1 {
            // Some are looked through however long it took to begin.
            let is_enough = Instant::now() >= until || found.seen >= self.most();
            if found.seen > 0 && is_enough {
                found.before = Some(end);
                break;
            }
            let start = end.saturating_sub(STRIDE).max(1);
            let chunk = self.chunk(start, end).await?;
            if chunk.is_empty() && start > 1 && self.begins_after(end).await? {
                break;
            }
            found.seen += end - start;
            for entry in chunk.into_iter().rev() {
                if !sought.matches(&entry.attributes) {
                    continue;
                }
                if found.events.len() == limit.get() {
                    found.before = Some(entry.sequence.saturating_add(1));
                    return Ok(found);
                }
                found.events.push(Ok(entry));
            }
            end = start;
        }
        Ok(found)
    }

    /// Returns how many events are looked through for one page.
    const fn most(&self) -> u64 {
        match self {
            // Their attributes come without their payloads.
            Self::Sqlite(_) | Self::Nats(_) => u64::MAX,
            _ => MOST_OF_A_BROKER,
        }
    }

    /// Reads what there is from one sequence to before another.
    async fn chunk(&self, start: u64, end: u64) -> Result<Vec<Entry>, ReadError> {
        if let Self::Nats(reader) = self {
            return reader.chunk(start, end).await;
        }
        let mut entries = Vec::new();
        let mut from = start;
        let limit = NonZeroUsize::MIN.saturating_add(499);
        // A scan ends early where payloads are large.
        while from < end {
            let some = self.scan(from, limit).await?;
            let Some((last, _)) = some.last() else {
                break;
            };
            from = last.sequence.saturating_add(1);
            let events = some.into_iter().map(|(entry, _)| entry);
            entries.extend(events.filter(|entry| entry.sequence < end));
        }
        Ok(entries)
    }

    /// Tells whether the log has nothing before a sequence.
    async fn begins_after(&self, end: u64) -> Result<bool, ReadError> {
        let first = self.scan(1, NonZeroUsize::MIN).await?;
        Ok(first.first().is_none_or(|(entry, _)| entry.sequence >= end))
    }
}
