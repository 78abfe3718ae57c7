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

/// Comparisons that are remembered.
const KEPT: usize = 50;

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
        kept.iter().cloned().collect()
    }

    /// Remembers one. Blocks, while it is written down.
    pub(super) fn add(&self, report: Report) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front(report);
        kept.truncate(KEPT);
        let all = kept.clone();
        drop(kept);
        if let Err(error) = state::write(&self.file, &all) {
            warn!("a comparison is forgotten when the server ends: {error}");
        }
    }
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
