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
            let second = entry.attributes.received_at.unix_seconds();
            history
                .get_or_insert_with(|| History::new(second))
                .take(second, entry);
        }
    }
    Ok(history.map(History::end).unwrap_or_default())
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
    fn take(&mut self, second: u64, entry: &Entry) {
        if second.saturating_sub(self.now) > LONGEST_SILENCE {
            self.now = second - second % TICK_SECONDS;
        }
        while second >= self.now + TICK_SECONDS {
            self.tick();
        }
        let attributes = &entry.attributes;
        self.watch
            .came(&attributes.type_name, attributes.account.as_deref(), 1);
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
