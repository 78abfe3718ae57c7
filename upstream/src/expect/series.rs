//! How many events come: rates of the log, their hours and what is expected next.

use hookgate_core::time::Timestamp;
use hookgate_watch::{
    time::{TICK_SECONDS, Time},
    verdict::Verdict,
    watch::Watch,
};

use super::{
    store::Hour,
    told::Told,
    view::{Forecast, Slot},
};
use crate::log::Attributes;

const HOUR: u64 = 3_600;
/// Seconds without an event after which the watch isn't asked every tick: it was not there.
const LONGEST_SILENCE: u64 = 35 * 86_400;
/// What the console and metrics call the series of all events.
pub(crate) const ALL: &str = "all";

/// The watch over appended events, and the hour that is under way.
#[derive(Debug)]
pub(super) struct Rates {
    watch: Option<Watch>,
    now: u64,
    hour: Option<Hour>,
}

/// What a step brought.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) told: Vec<Told>,
    pub(super) hours: Vec<Hour>,
}

impl Rates {
    /// Goes on from what was saved; anew if that can't be read.
    pub(super) fn restore(bytes: &[u8], now: u64) -> Self {
        let watch = Watch::restore(bytes).ok();
        Self {
            watch,
            now: now - now % TICK_SECONDS,
            hour: None,
        }
    }

    pub(super) const fn new() -> Self {
        Self {
            watch: None,
            now: 0,
            hour: None,
        }
    }

    pub(super) fn save(&self) -> Vec<u8> {
        self.watch.as_ref().map(Watch::save).unwrap_or_default()
    }

    /// Up to when events were counted, in seconds since 1970.
    pub(super) const fn now(&self) -> u64 {
        self.now
    }

    /// Counts an event that came at a second.
    pub(super) fn take(&mut self, second: u64, attributes: &Attributes, step: &mut Step) {
        self.advance(second, step);
        let now = self.now;
        let watch = self.watch.get_or_insert_with(|| Watch::new(time(now)));
        watch.came(&attributes.type_name, attributes.account.as_deref(), 1);
        if let Some(hour) = &mut self.hour {
            hour.events += 1;
        }
    }

    /// Ticks up to a second.
    pub(super) fn advance(&mut self, second: u64, step: &mut Step) {
        if self.now == 0 || second.saturating_sub(self.now) > LONGEST_SILENCE {
            self.now = second - second % TICK_SECONDS;
        }
        self.begin_hour(step);
        while second >= self.now + TICK_SECONDS {
            self.now += TICK_SECONDS;
            if let Some(watch) = &mut self.watch {
                let verdicts = watch.tick(time(self.now));
                step.told.extend(verdicts.into_iter().map(told));
            }
            self.begin_hour(step);
        }
    }

    /// Goes to the clock's second, where that was set back by more than some seconds.
    pub(super) fn follow(&mut self, second: u64, ahead: u64) {
        if self.now > second.saturating_add(ahead) {
            self.now = second - second % TICK_SECONDS;
        }
    }

    /// Goes on with what an hour had when the server ended.
    pub(super) fn resume(&mut self, hour: Hour) {
        if self.now / HOUR * HOUR == hour.at {
            self.hour = Some(hour);
        }
    }

    /// The hour that is under way.
    pub(super) const fn hour(&self) -> Option<Hour> {
        self.hour
    }

    fn begin_hour(&mut self, step: &mut Step) {
        let at = self.now / HOUR * HOUR;
        if self.hour.is_some_and(|hour| hour.at == at) {
            return;
        }
        step.hours.extend(self.hour.take());
        let rate = self.watch.as_ref().map(|watch| watch.total().rate());
        // The last second of the hour before: what is expected of this one.
        let expected = rate.and_then(|rate| rate.forecast(time(at.saturating_sub(1))).next());
        self.hour = Some(Hour {
            at,
            events: 0,
            expected: expected.map(|it| (it.events, it.low, it.high)),
        });
    }

    /// Returns what is expected of the next 24 hours: of all events first, then of each
    /// type, the busiest first; without those of which no week is known.
    pub(super) fn forecasts(&self) -> Vec<Forecast> {
        let Some(watch) = &self.watch else {
            return Vec::new();
        };
        let now = time(self.now);
        let series = watch.types().map(|(name, series)| (name, series.rate()));
        let mut forecasts: Vec<Forecast> = series
            .chain([(ALL, watch.total().rate())])
            .map(|(name, rate)| Forecast {
                name: name.into(),
                hours: (rate.forecast(now))
                    .map(|hour| Slot {
                        at: hour.from.as_unix_seconds(),
                        events: hour.events,
                        low: hour.low,
                        high: hour.high,
                    })
                    .collect(),
            })
            .filter(|forecast| !forecast.hours.is_empty())
            .collect();
        forecasts.sort_by(|one, other| {
            let rank = |it: &Forecast| (&*it.name != ALL, -it.day().events);
            let (one, other) = (rank(one), rank(other));
            one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
        });
        forecasts
    }
}

const fn time(second: u64) -> Time {
    Time::from_unix_seconds(second)
}

fn told(verdict: Verdict) -> Told {
    Told {
        at: Timestamp::from_unix_seconds(verdict.at.as_unix_seconds()),
        kind: verdict.cause.name().to_owned(),
        type_name: verdict.subject.unwrap_or_default(),
        expected: String::new(),
        event: None,
        evidence: verdict.evidence,
        probability: 1.0 - verdict.score,
        similar: Vec::new(),
        review: None,
        gate: None,
        came: None,
    }
}
