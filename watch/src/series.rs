//! The series that are watched, as many as there is room for.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString as _},
    vec::Vec,
};
use core::ops::Bound;

use crate::{
    cusum::Counted,
    generic::{Generic, Pace},
    rate::{Rate, Reading},
    state::{Input, Persist, StateError, persist},
    time::Time,
};

/// Series of one kind at most: those with the most events.
pub const SERIES: usize = 64;
/// Names that are counted until one of them takes a series' place.
const CANDIDATES: usize = 64;
/// Bytes of a name at most; longer ones are cut.
const NAME_BYTES: usize = 128;
/// Seconds between two looks at who has the most events: a day.
const REVIEW_SECONDS: u64 = 86_400;

/// One series: its rate, and the backstop on counts of a minute. 42 KB.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    rate: Rate,
    generic: Generic,
    count: u64,
    minute: u64,
    in_minute: u64,
    today: u64,
}

persist!(Series {
    rate,
    generic,
    count,
    minute,
    in_minute,
    today,
} as "series");

/// What a series says at the end of a tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Of its rate.
    pub reading: Reading,
    /// Of the backstop, where a minute is over; 0 to 1.
    pub novelty: f64,
    /// Events of that minute.
    pub in_minute: u64,
}

impl Default for Series {
    fn default() -> Self {
        Self::new()
    }
}

impl Series {
    /// Starts without knowledge.
    pub fn new() -> Self {
        Self {
            rate: Rate::new(),
            generic: Generic::new(Pace::default()),
            count: 0,
            minute: 0,
            in_minute: 0,
            today: 0,
        }
    }

    fn is_sound(&self) -> bool {
        self.minute < u64::MAX / 2
    }

    /// Counts events.
    pub fn add(&mut self, events: u64) {
        self.count = self.count.saturating_add(events);
    }

    /// Ends a tick.
    pub fn tick(&mut self, now: Time) -> Observation {
        self.tick_among(now, Counted::default())
    }

    fn tick_among(&mut self, now: Time, all: Counted) -> Observation {
        let events = core::mem::take(&mut self.count);
        self.today = self.today.saturating_add(events);
        self.in_minute = self.in_minute.saturating_add(events);
        let minute = now.as_unix_seconds() / 60;
        let in_minute = self.in_minute;
        let mut novelty = 0.0;
        if minute != self.minute {
            // The minute that the watch began in, or that came after a gap, isn't whole.
            if minute == self.minute + 1 {
                novelty = self
                    .generic
                    .observe(now.as_unix_seconds(), in_minute as f64);
            }
            self.minute = minute;
            self.in_minute = 0;
        }
        Observation {
            reading: self.rate.observe_among(now, events, all),
            novelty,
            in_minute,
        }
    }

    /// Returns its rate.
    pub fn rate(&self) -> &Rate {
        &self.rate
    }
}

/// Series by name. New names get a series while there are fewer than 64; after that
/// once a day the busiest name without one takes the place of the series with the
/// fewest events, if it had more than twice as many (space-saving counts).
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    series: BTreeMap<String, Series>,
    candidates: Vec<(String, u64)>,
    reviewed: Time,
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

impl Table {
    /// Starts without series.
    pub const fn new() -> Self {
        Self {
            series: BTreeMap::new(),
            candidates: Vec::new(),
            reviewed: Time::from_unix_seconds(0),
        }
    }

    /// Counts an event of a name.
    pub fn add(&mut self, name: &str) {
        self.add_many(name, 1);
    }

    /// Counts events of a name.
    pub fn add_many(&mut self, name: &str, events: u64) {
        let end = name.floor_char_boundary(NAME_BYTES);
        let name = name.get(..end).unwrap_or_default();
        if let Some(series) = self.series.get_mut(name) {
            series.add(events);
        } else if self.series.len() < SERIES {
            let mut series = Series::new();
            series.add(events);
            self.series.insert(name.to_string(), series);
        } else {
            self.stand(name, events);
        }
    }

    /// Ends a tick, after that of the series of all events; returns what each series says.
    pub fn tick(&mut self, now: Time, total: &Series) -> Vec<(&str, &Series, Observation)> {
        if now.seconds_since(self.reviewed) >= REVIEW_SECONDS {
            self.review();
            self.reviewed = now;
        }
        let series = self.series.iter_mut().map(|(name, series)| {
            let observation = series.tick_among(now, total.rate.newest());
            (name.as_str(), &*series, observation)
        });
        series.collect()
    }

    /// Keeps how long ago it was reviewed, where the clock is set back.
    pub(crate) fn set_back(&mut self, seconds: u64) {
        self.reviewed = self.reviewed.minus(seconds);
    }

    /// Returns the series by their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Series)> {
        self.series.iter().map(|(name, one)| (name.as_str(), one))
    }

    /// Returns the series that comes next behind a name, in the order of their names.
    pub(crate) fn behind(&self, name: Option<&str>) -> Option<(&str, &Series)> {
        let from = name.map_or(Bound::Unbounded, Bound::Excluded);
        let mut series = self.series.range::<str, _>((from, Bound::Unbounded));
        series.next().map(|(name, one)| (name.as_str(), one))
    }

    /// Takes a series that was saved; tells whether there was a place for it.
    pub(crate) fn put(&mut self, name: String, series: Series) -> bool {
        let fits = self.series.len() < SERIES && name.len() <= NAME_BYTES;
        fits && self.series.insert(name, series).is_none()
    }

    fn stand(&mut self, name: &str, events: u64) {
        let found = self.candidates.iter_mut().find(|(known, _)| known == name);
        if let Some((_, count)) = found {
            *count = count.saturating_add(events);
        } else if self.candidates.len() < CANDIDATES {
            self.candidates.push((name.to_string(), events));
        } else if let Some(least) = self.candidates.iter_mut().min_by_key(|(_, count)| *count) {
            *least = (name.to_string(), least.1.saturating_add(events));
        }
    }

    fn review(&mut self) {
        let least = self.series.iter().min_by_key(|(_, series)| series.today);
        let least = least.map(|(name, series)| (name.clone(), series.today));
        let most = self.candidates.iter().max_by_key(|(_, count)| *count);
        if let (Some((least, events)), Some((name, count))) = (least, most)
            && self.series.len() >= SERIES
            && *count > events.saturating_mul(2)
        {
            let name = name.clone();
            self.series.remove(&least);
            self.series.insert(name, Series::new());
        }
        self.candidates.clear();
        for series in self.series.values_mut() {
            series.today = 0;
        }
    }
}

/// Without its series: each of them is a part of its own, see [`crate::parts`].
impl Persist for Table {
    fn write(&self, out: &mut Vec<u8>) {
        self.candidates.write(out);
        self.reviewed.write(out);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        Ok(Self {
            series: BTreeMap::new(),
            candidates: Persist::read(input)?,
            reviewed: Persist::read(input)?,
        })
    }
}
