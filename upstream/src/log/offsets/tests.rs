use std::{cell::Cell, collections::BTreeMap, num::NonZeroUsize};

use bytes::Bytes;
use hookgate_core::{identity::Source, time::Timestamp};

use super::{Found, Offsets, begin, by_halving, event, events, first_at};
use crate::log::{
    Damage, Entry, Query, ReadError, Start, headers::tests::bare_attributes, reader::Span,
};

/// One event a second from 2025-10-09 on, in memory.
struct Memory {
    events: BTreeMap<u64, Result<Entry, Damage>>,
    /// How many were read.
    read: Cell<usize>,
}

const BEGINNING: u64 = 1_760_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(BEGINNING + seconds)
}

fn id(sequence: u64) -> String {
    format!("evt_{sequence}")
}

fn entry(sequence: u64) -> Entry {
    let mut attributes = bare_attributes();
    attributes.id = id(sequence);
    Entry {
        sequence,
        stored_at: at(sequence),
        size: 0,
        redacted: false,
        attributes,
    }
}

fn damage(sequence: u64) -> Damage {
    Damage::Field {
        sequence,
        field: "ce-id",
    }
}

impl Memory {
    fn of(sequences: impl IntoIterator<Item = u64>) -> Self {
        let events = sequences.into_iter().map(|it| (it, Ok(entry(it))));
        Self {
            events: events.collect(),
            read: Cell::new(0),
        }
    }
}

impl Offsets for Memory {
    async fn span(&self) -> Result<Option<Span>, ReadError> {
        let ends = self.events.keys().next().zip(self.events.keys().last());
        Ok(ends.map(|(first, last)| Span {
            first: *first,
            last: *last,
        }))
    }

    async fn read(
        &self,
        from: u64,
        limit: NonZeroUsize,
        _: usize,
    ) -> Result<Vec<Found>, ReadError> {
        let found = self.events.range(from..).take(limit.get());
        let found: Vec<Found> = found
            .map(|(sequence, event)| Found {
                sequence: *sequence,
                event: event.clone().map(|entry| (entry, Bytes::new())),
            })
            .collect();
        self.read.set(self.read.get() + found.len());
        Ok(found)
    }

    async fn near(&self, time: Timestamp) -> Result<Option<u64>, ReadError> {
        by_halving(self, time).await
    }
}

fn query(limit: usize) -> Query {
    Query {
        limit: NonZeroUsize::new(limit).unwrap(),
        source: None,
        type_name: None,
    }
}

fn sequences(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.sequence).collect()
}

#[tokio::test]
async fn the_newest_events_are_read_and_few_others() {
    // The first ones are gone, and one in the middle.
    let log = Memory::of((1_001..=20_000).filter(|it| *it != 19_990));
    let found = events(&log, &query(20)).await.unwrap();
    let expected: Vec<u64> = (19_980..=20_000).filter(|it| *it != 19_990).collect();
    assert_eq!(sequences(&found), expected);
    assert!(log.read.get() < 100, "{}", log.read.get());
    let all = events(&log, &query(usize::MAX)).await.unwrap();
    assert_eq!(all.len(), log.events.len());
    assert!(all.is_sorted_by_key(|entry| entry.sequence));
}

#[tokio::test]
async fn an_event_is_found_however_old_with_the_first_copy_of_each_source() {
    let mut log = Memory::of(1..=3_000);
    let mut again = entry(2_000);
    again.attributes.id = id(7);
    log.events.insert(2_000, Ok(again.clone()));
    again.attributes.source = Source::new("other").unwrap();
    again.sequence = 2_001;
    log.events.insert(2_001, Ok(again));
    log.events.insert(5, Err(damage(5)));
    let found = event(&log, &id(7), None).await.unwrap();
    let places: Vec<u64> = found.iter().map(|(entry, _)| entry.sequence).collect();
    assert_eq!(places, [7, 2_001]);
    let other = Source::new("other").unwrap();
    let found = event(&log, &id(7), Some(&other)).await.unwrap();
    assert_eq!(found.len(), 1);
    // What can't be read may be the one that was asked for.
    let error = event(&log, "evt_unknown", None).await.unwrap_err();
    assert!(
        matches!(error, ReadError::Damage(found) if found == damage(5)),
        "{error}"
    );
}

#[tokio::test]
async fn a_time_is_found_without_reading_everything() {
    let mut log = Memory::of((101..=100_000).filter(|it| it % 7 != 0));
    log.events.insert(50_000, Err(damage(50_000)));
    for (time, first) in [
        (0, Some(101)),
        (101, Some(101)),
        (49_998, Some(49_998)),
        (50_000, Some(50_002)),
        (99_995, Some(99_996)),
        (100_000, Some(100_000)),
        (100_001, None),
    ] {
        log.read.set(0);
        assert_eq!(first_at(&log, at(time)).await.unwrap(), first, "{time}");
        assert!(log.read.get() < 1_200, "{time}: {}", log.read.get());
    }
}

#[tokio::test]
async fn clocks_that_lie_a_minute_apart_hide_nothing() {
    let mut log = Memory::of(1..=1_000);
    // Stored by a server whose clock is behind.
    for (sequence, event) in &mut log.events {
        if sequence % 2 == 0 {
            event.as_mut().unwrap().stored_at = at(sequence - 59.min(*sequence));
        }
    }
    for time in [1, 500, 941, 1_000] {
        let expected = log
            .events
            .values()
            .flatten()
            .find(|entry| entry.stored_at >= at(time));
        let expected = expected.map(|entry| entry.sequence);
        assert_eq!(first_at(&log, at(time)).await.unwrap(), expected, "{time}");
    }
}

#[tokio::test]
async fn an_empty_log_has_nothing_and_begins_at_1() {
    let log = Memory::of([]);
    assert_eq!(events(&log, &query(5)).await.unwrap(), []);
    assert!(event(&log, "evt_1", None).await.unwrap().is_empty());
    assert_eq!(first_at(&log, at(0)).await.unwrap(), None);
    for start in [Start::Now, Start::Beginning, Start::Time(at(0))] {
        assert_eq!(begin(&log, start).await.unwrap(), 1, "{start}");
    }
    let log = Memory::of(1..=5);
    for (start, place) in [
        (Start::Now, 6),
        (Start::Beginning, 1),
        (Start::Sequence(3), 3),
        (Start::Time(at(4)), 4),
        (Start::Time(at(9)), 6),
    ] {
        assert_eq!(begin(&log, start).await.unwrap(), place, "{start}");
    }
}
