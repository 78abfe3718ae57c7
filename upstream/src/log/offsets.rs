//! Reading a log that can only be read onwards from an offset: no index of IDs,
//! no newest events first. What the others look up is found by scanning, with a
//! bounded batch in memory at a time.

use std::{collections::VecDeque, num::NonZeroUsize};

use bytes::Bytes;
use hookgate_core::{identity::Source, time::Timestamp};

use super::{
    Damage, Entry, Query, ReadError, Start,
    reader::{SCAN_BYTES, Span},
};

/// Most events that are read at a time.
const BATCH: NonZeroUsize = NonZeroUsize::MIN.saturating_add(499);

/// Most sequences that are gone back over at a time, from the newest.
const MAX_STRIDE: u64 = 5_000;

/// How far the clocks of two servers that append may lie apart.
const CLOCK_DISTANCE_MILLIS: u64 = 60_000;

/// Holds what the log has at a sequence.
#[derive(Debug)]
pub(crate) struct Found {
    /// Where: the offset + 1.
    pub(crate) sequence: u64,
    /// The event, or why it is none.
    pub(crate) event: Result<(Entry, Bytes), Damage>,
}

/// Reads one order of events by offset.
pub(crate) trait Offsets {
    /// Returns where the log begins and ends now; `None` if it is empty.
    ///
    /// Everything that was confirmed before the call is within.
    ///
    /// # Errors
    /// [`ReadError`].
    async fn span(&self) -> Result<Option<Span>, ReadError>;

    /// Returns what there is from a sequence on, in its order, sequences that
    /// are missing left out: at most `limit`, and no more once they are `bytes`
    /// of payload. Only beyond [`Self::span`] there is nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    async fn read(
        &self,
        from: u64,
        limit: NonZeroUsize,
        bytes: usize,
    ) -> Result<Vec<Found>, ReadError>;

    /// Returns a sequence before which nothing was stored at a time or later,
    /// as near to it as the broker knows; `None` if there is nothing that young.
    ///
    /// # Errors
    /// [`ReadError`].
    async fn near(&self, time: Timestamp) -> Result<Option<u64>, ReadError>;
}

/// Returns the newest events that match, in the order of the log.
///
/// # Errors
/// [`ReadError`].
pub(crate) async fn events(log: &impl Offsets, query: &Query) -> Result<Vec<Entry>, ReadError> {
    let Some(span) = log.span().await? else {
        return Ok(Vec::new());
    };
    let mut newest = VecDeque::new();
    let mut end = span.last.saturating_add(1);
    // As many as are asked for, and more where few of them match.
    let mut stride = u64::try_from(query.limit.get())
        .unwrap_or(u64::MAX)
        .min(MAX_STRIDE);
    while end > span.first && newest.len() < query.limit.get() {
        let start = end.saturating_sub(stride).max(span.first);
        let mut matching = Vec::new();
        scan(log, start, end, |found| {
            let (entry, _) = found.event?;
            if query.matches(&entry) {
                matching.push(entry);
            }
            Ok(())
        })
        .await?;
        for entry in matching.into_iter().rev() {
            if newest.len() < query.limit.get() {
                newest.push_front(entry);
            }
        }
        end = start;
        stride = stride.saturating_mul(2).min(MAX_STRIDE);
    }
    Ok(newest.into())
}

/// Returns the events with this ID, the first copy of each source. Everything
/// is read for it.
///
/// # Errors
/// [`ReadError`]; damage only if the event isn't found.
pub(crate) async fn event(
    log: &impl Offsets,
    id: &str,
    source: Option<&Source>,
) -> Result<Vec<(Entry, Bytes)>, ReadError> {
    let Some(span) = log.span().await? else {
        return Ok(Vec::new());
    };
    let mut copies: Vec<(Entry, Bytes)> = Vec::new();
    let mut damage = None;
    scan(log, span.first, span.last.saturating_add(1), |found| {
        match found.event {
            Ok((entry, payload)) => {
                let of = &entry.attributes;
                let wanted = of.id == id && source.is_none_or(|source| *source == of.source);
                let is_first = |of: &Source| copies.iter().all(|(e, _)| e.attributes.source != *of);
                if wanted && is_first(&of.source) {
                    copies.push((entry, payload));
                }
            }
            Err(error) => damage = damage.or(Some(error)),
        }
        Ok(())
    })
    .await?;
    match damage {
        // It may be the one.
        Some(damage) if copies.is_empty() => Err(damage.into()),
        _ => Ok(copies),
    }
}

/// Returns the sequence of the first event that was stored at a time or later.
///
/// # Errors
/// [`ReadError`].
pub(crate) async fn first_at(
    log: &impl Offsets,
    time: Timestamp,
) -> Result<Option<u64>, ReadError> {
    let (Some(span), Some(near)) = (log.span().await?, log.near(time).await?) else {
        return Ok(None);
    };
    let mut first = None;
    let mut next = near.max(span.first);
    while first.is_none() && next <= span.last {
        let found = log.read(next, BATCH, SCAN_BYTES).await?;
        let Some(last) = found.last() else { break };
        next = last.sequence.saturating_add(1);
        first = found.into_iter().find_map(|found| match found.event {
            Ok((entry, _)) => (entry.stored_at >= time).then_some(entry.sequence),
            Err(_) => None,
        });
    }
    Ok(first)
}

/// Finds a place as [`Offsets::near`] does, where the broker knows none: by
/// halving, since events are in the order in which they were stored but for the
/// distance between the clocks of several servers.
///
/// # Errors
/// [`ReadError`].
pub(crate) async fn by_halving(
    log: &impl Offsets,
    time: Timestamp,
) -> Result<Option<u64>, ReadError> {
    let Some(span) = log.span().await? else {
        return Ok(None);
    };
    let time = time.unix_millis().saturating_sub(CLOCK_DISTANCE_MILLIS);
    // Everything before `low` is earlier; whether `high` is, nobody has asked.
    let (mut low, mut high) = (span.first, span.last);
    while low < high {
        let middle = low.midpoint(high);
        let found = log.read(middle, NonZeroUsize::MIN, 1).await?;
        match found.into_iter().next() {
            Some(Found {
                sequence,
                event: Ok((entry, _)),
            }) if entry.stored_at.unix_millis() < time => low = sequence.saturating_add(1),
            // What can't be read may be late enough.
            _ => high = middle,
        }
    }
    Ok(Some(low))
}

/// Returns where somebody who follows the log begins.
///
/// # Errors
/// [`ReadError`].
pub(crate) async fn begin(log: &impl Offsets, start: Start) -> Result<u64, ReadError> {
    Ok(match start {
        Start::Beginning => 1,
        Start::Sequence(sequence) => sequence,
        Start::Now => behind_the_last(log).await?,
        Start::Time(time) => match first_at(log, time).await? {
            Some(first) => first,
            None => behind_the_last(log).await?,
        },
    })
}

async fn behind_the_last(log: &impl Offsets) -> Result<u64, ReadError> {
    let span = log.span().await?;
    Ok(span.map_or(1, |span| span.last.saturating_add(1)))
}

/// Hands out everything from `start` to before `end`.
async fn scan(
    log: &impl Offsets,
    start: u64,
    end: u64,
    mut each: impl FnMut(Found) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let mut next = start;
    while next < end {
        let found = log.read(next, BATCH, SCAN_BYTES).await?;
        let Some(last) = found.last() else { break };
        next = last.sequence.saturating_add(1);
        for found in found.into_iter().filter(|found| found.sequence < end) {
            each(found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
