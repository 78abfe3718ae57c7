//! Replaying the events of the log.

use std::num::NonZeroUsize;

use hookgate_watch::{
    time::{TICK_SECONDS, Time},
    verdict::Verdict,
    watch::Watch,
};

use super::{ReplayError, Replayed, Said};
use crate::log::{Entry, Reader};

/// Events that are read at once.
const BATCH: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();
/// Seconds that one point of the drawing is of.
const POINT_SECONDS: u64 = 300;
/// Seconds without an event after which the watch isn't asked every tick any more: it
/// was not there. Five weeks.
const LONGEST_SILENCE: u64 = 35 * 86_400;

/// Runs the watch over all deliveries of the log. What was fetched from Stripe's list
/// is left out: it says nothing of when it came.
///
/// # Errors
/// [`ReplayError::Read`].
pub(super) async fn replay(reader: &Reader) -> Result<Replayed, ReplayError> {
    let Some(newest) = reader.newest().await? else {
        return Ok(Replayed::default());
    };
    let mut history = None;
    let mut from = 0;
    while from <= newest {
        let found = reader.scan(from, BATCH).await?;
        let Some((last, _)) = found.last() else {
            break;
        };
        from = last.sequence + 1;
        let entries = found.iter().map(|(entry, _)| entry);
        for entry in entries.filter(|entry| entry.attributes.origin.name().is_none()) {
            read(&mut history, entry);
        }
    }
    Ok(history.map(History::end).unwrap_or_default())
}

fn read(history: &mut Option<History>, entry: &Entry) {
    let attributes = &entry.attributes;
    let second = entry.came_at().unix_seconds();
    let history = history.get_or_insert_with(|| History::new(second));
    history.take(second, &attributes.type_name, attributes.account.as_deref());
}

struct History {
    watch: Watch,
    now: u64,
    said: Vec<Said>,
    samples: Vec<(u64, f64)>,
}

impl History {
    fn new(second: u64) -> Self {
        let now = second - second % TICK_SECONDS;
        Self {
            watch: Watch::new(Time::from_unix_seconds(now)),
            now,
            said: Vec::new(),
            samples: Vec::new(),
        }
    }

    /// Takes an event; one that came out of order counts where it stands.
    fn take(&mut self, second: u64, type_name: &str, account: Option<&str>) {
        if second.saturating_sub(self.now) > LONGEST_SILENCE {
            self.now = second - second % TICK_SECONDS;
        }
        while second >= self.now + TICK_SECONDS {
            self.tick();
        }
        self.watch.came(type_name, account, 1);
        let point = self.now - self.now % POINT_SECONDS;
        match self.samples.last_mut() {
            Some((at, events)) if *at == point => *events += 1.0,
            _ => self.samples.push((point, 1.0)),
        }
    }

    fn tick(&mut self) {
        self.now += TICK_SECONDS;
        let verdicts = self.watch.tick(Time::from_unix_seconds(self.now));
        self.said.extend(verdicts.into_iter().map(said));
    }

    fn end(mut self) -> Replayed {
        self.tick();
        let now = Time::from_unix_seconds(self.now);
        let types = self.watch.types();
        let forecasts = types.map(|(name, series)| {
            let hours = series.rate().forecast(now);
            (name.to_owned(), hours.collect())
        });
        Replayed {
            forecasts: forecasts.collect(),
            samples: self.samples,
            said: self.said,
        }
    }
}

fn said(verdict: Verdict) -> Said {
    Said {
        at: verdict.at.as_unix_seconds(),
        cause: verdict.cause.name(),
        subject: verdict.subject,
        score: verdict.score,
        evidence: verdict.evidence,
        action: verdict.cause.action(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use hookgate_core::time::Timestamp;

    use crate::log::Attributes;

    const START: u64 = 1_760_000_000;

    fn entry(received: u64, stored: u64) -> Entry {
        Entry {
            sequence: 1,
            stored_at: Timestamp::from_unix_seconds(stored),
            size: 0,
            redacted: false,
            attributes: Attributes::sample("evt_1", Timestamp::from_unix_seconds(received)),
        }
    }

    #[test]
    fn a_gate_whose_clock_was_ahead_makes_no_silence() {
        let mut history = None;
        for second in (START..START + 9 * 86_400).step_by(300) {
            read(&mut history, &entry(second, second));
        }
        let end = START + 9 * 86_400;
        read(&mut history, &entry(end + 86_400, end));
        assert_eq!(history.unwrap().end().said, []);
    }

    /// An event every five minutes for nine days, and one half a day later.
    #[test]
    fn the_silence_of_a_log_is_said_at_its_time_with_its_figures() {
        let mut history = History::new(START);
        let end = 9 * 86_400;
        for second in (0..end).step_by(300) {
            history.take(START + second, "invoice.paid", Some("acct_1"));
        }
        history.take(START + end + 43_200, "invoice.paid", Some("acct_1"));
        let replayed = history.end();
        let [said] = replayed.said.as_slice() else {
            panic!("{:?}", replayed.said);
        };
        assert_eq!((said.cause, &said.subject), ("all_silent", &None));
        assert!(
            (3_600..7_200).contains(&(said.at - START - end)),
            "{said:?}"
        );
        assert!(
            said.evidence.ends_with("against 0.0033/s usual"),
            "{said:?}"
        );
        let [(name, hours)] = replayed.forecasts.as_slice() else {
            panic!("{:?}", replayed.forecasts);
        };
        assert_eq!((name.as_str(), hours.len()), ("invoice.paid", 24));
        assert!(hours.iter().all(|hour| (10.0..14.0).contains(&hour.events)));
    }

    #[test]
    fn a_log_that_rested_for_years_is_gone_through_at_once() {
        let mut history = History::new(START);
        history.take(START, "invoice.paid", None);
        history.take(START + 20 * 366 * 86_400, "invoice.paid", None);
        assert_eq!(history.end().said, []);
    }
}
