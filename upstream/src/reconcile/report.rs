//! What a server's comparisons came to, for whoever looks.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hookgate_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{round::Round, settings::Settings, state, tally::Count, tally::Tally};

/// Comparisons that are remembered, whatever they found.
const KEPT: usize = 50;

/// Comparisons that found something missing that are remembered: those of a week, if
/// one of each hour does.
const KEPT_DRIFT: usize = 168;

/// Remembers the last comparisons of a server, the newest first, in a file beside
/// how far they came: losing it costs reports, and no event. Clones remember
/// together.
#[derive(Debug, Clone)]
pub(crate) struct Reports {
    every: Duration,
    file: Arc<Path>,
    kept: Arc<Mutex<VecDeque<Report>>>,
}

/// Says what a comparison came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    /// When it ended.
    #[serde(with = "millis")]
    pub(crate) at: Timestamp,
    /// What it found, or why it ended early.
    pub(crate) found: Result<Compared, String>,
}

/// Holds what a whole comparison found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Compared {
    /// Until when events were compared.
    #[serde(with = "millis")]
    pub(crate) until: Timestamp,
    /// Accounts that were compared, the platform among them.
    pub(crate) accounts: usize,
    /// Accounts that the key has no access to any more.
    pub(crate) gone: Vec<String>,
    /// Over all types.
    pub(crate) total: Count,
    /// Types of which the log lacked something, and how it was with them.
    pub(crate) drift: Vec<(String, Count)>,
}

impl Reports {
    /// Goes on with those of the server before.
    pub(crate) fn open(settings: &Settings) -> Self {
        let mut file = settings.state.as_os_str().to_owned();
        file.push(".reports");
        let file = Path::new(&file);
        let kept = state::read(file).unwrap_or_else(|error| {
            warn!("earlier comparisons are not shown: {error}");
            VecDeque::new()
        });
        Self {
            every: settings.every,
            file: file.into(),
            kept: Arc::new(Mutex::new(kept)),
        }
    }

    /// Returns how often is compared.
    pub(crate) const fn every(&self) -> Duration {
        self.every
    }

    /// Returns the last comparisons, the newest first.
    pub(crate) fn newest(&self) -> Vec<Report> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().take(KEPT).cloned().collect()
    }

    /// Returns when something was missing, and how many events.
    pub(crate) fn drift(&self) -> Vec<(Timestamp, u64)> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = kept.iter().map(|report| (report.at, report.missing()));
        missing.filter(|(_, missing)| *missing > 0).collect()
    }

    /// Remembers one. Blocks, while it is written down.
    pub(super) fn add(&self, report: Report) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front(report);
        forget(&mut kept);
        let all = kept.clone();
        drop(kept);
        if let Err(error) = state::write(&self.file, &all) {
            warn!("a comparison is forgotten when the server ends: {error}");
        }
    }
}

impl Report {
    fn missing(&self) -> u64 {
        self.found.as_ref().map_or(0, |found| found.total.missing)
    }
}

/// Keeps the newest, and of those before them what found something.
fn forget(reports: &mut VecDeque<Report>) {
    let mut at = 0;
    let mut drifted = 0;
    reports.retain(|report| {
        at += 1;
        let is_drift = report.missing() > 0;
        drifted += usize::from(is_drift);
        at <= KEPT || (is_drift && drifted <= KEPT_DRIFT)
    });
}

impl Compared {
    /// Takes it from a round that ended whole.
    pub(super) fn of(round: &Round, tally: &Tally) -> Self {
        Self {
            until: round.until(),
            accounts: round.size(),
            gone: round.lost().into_iter().map(ToString::to_string).collect(),
            total: tally.total(),
            drift: tally.missing(),
        }
    }
}

/// Writes a time as Unix milliseconds.
mod millis {
    use hookgate_core::time::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(time.unix_millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        u64::deserialize(deserializer).map(Timestamp::from_unix_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::{Compared, Count, KEPT, KEPT_DRIFT, Report, Timestamp, VecDeque, forget};

    fn report(at: u64, missing: u64) -> Report {
        let found = Compared {
            until: Timestamp::from_unix_seconds(at),
            accounts: 1,
            gone: Vec::new(),
            total: Count {
                missing,
                ..Count::default()
            },
            drift: Vec::new(),
        };
        Report {
            at: Timestamp::from_unix_seconds(at),
            found: Ok(found),
        }
    }

    #[test]
    fn what_found_nothing_is_forgotten_first_and_nothing_grows() {
        let mut reports = VecDeque::new();
        for at in 0..10_000 {
            // Every fifth found something.
            reports.push_front(report(at, u64::from(at % 5 == 0)));
            forget(&mut reports);
        }
        let newest: Vec<u64> = reports.iter().map(|it| it.at.unix_seconds()).collect();
        let whole: Vec<u64> = (0..10_000).rev().take(KEPT).collect();
        assert_eq!(newest[..KEPT], whole);
        assert!(newest[KEPT..].iter().all(|at| at % 5 == 0));
        assert_eq!(
            reports.iter().filter(|it| it.missing() > 0).count(),
            KEPT_DRIFT
        );
        assert_eq!(reports.len(), KEPT + KEPT_DRIFT - KEPT / 5);
    }
}
