//! What the gate's watch keeps here: what it has learnt, and what it said.
//!
//! A gate has no disk. Both are beside the log and never in it: neither is an
//! event, and no append waits for them.

mod nats;
mod sqlite;
mod verdict;

use std::path::PathBuf;

use bytes::Bytes;
use hookgate_core::time::Timestamp;
use hookgate_watch::parts::Head;

pub(crate) use self::verdict::{Verdict, VerdictError};
use crate::log::{Capability, Incapable, LogAddress};

/// Largest verdict, in bytes of JSON.
pub(crate) const MAX_VERDICT_BYTES: usize = 16 * 1_024;

/// Most verdicts that are kept; older ones go.
pub(crate) const MAX_VERDICTS: usize = 10_000;

/// Most verdicts that are returned at once: the newest.
const MAX_SHOWN: usize = 1_000;

/// Most gates whose states are kept; the one that was silent longest goes.
const MAX_GATES: usize = 64;

/// Longest name of a gate.
const MAX_GATE_NAME_BYTES: usize = 64;

/// Names a gate: `[a-z0-9-]{1,64}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GateName(String);

impl GateName {
    /// Takes a name; `None` if it is of another form.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let is_name = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let fits = (1..=MAX_GATE_NAME_BYTES).contains(&text.len());
        (fits && text.bytes().all(is_name)).then(|| Self(text.to_owned()))
    }

    /// Returns the text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Says why something can't be kept or read; the sender may try again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// SQLite refused.
    #[error("`{}`: {source}", path.display())]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// NATS refused.
    #[error("the NATS server: {0}")]
    Nats(async_nats::Error),
    /// The task that reads or writes was ended.
    #[error("the server is ending")]
    Ended,
}

/// Keeps the states of gates' watches and the last verdicts. Made when first used.
#[derive(Debug)]
pub(crate) struct Store(Place);

#[derive(Debug)]
enum Place {
    Sqlite(sqlite::SqliteStore),
    Nats(Box<nats::NatsStore>),
}

impl Store {
    /// Names the place beside a log.
    ///
    /// # Errors
    /// [`Incapable`]: nothing can be kept beside this one.
    pub(crate) fn beside(log: &LogAddress) -> Result<Self, Incapable> {
        Ok(Self(match log {
            LogAddress::Sqlite(path) => Place::Sqlite(sqlite::SqliteStore::beside(path)),
            LogAddress::Nats(servers) => {
                Place::Nats(Box::new(nats::NatsStore::new(servers.clone())))
            }
            other => return Err(other.lacks(Capability::Watch)),
        }))
    }

    /// Returns a part, of a save and its place in that, of what a gate's watch has saved;
    /// without these the first of what it saved last. `None` if it isn't there, or there
    /// no more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn part(
        &self,
        gate: &GateName,
        part: Option<(u64, u32)>,
    ) -> Result<Option<Bytes>, StoreError> {
        match &self.0 {
            Place::Sqlite(store) => store.part(gate, part).await,
            Place::Nats(store) => store.part(gate, part).await,
        }
    }

    /// Keeps a part of what a gate's watch has learnt. The last one puts all of its save
    /// in place of what was saved before; returns `false` if there are others missing,
    /// or somebody else did that meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn save(
        &self,
        gate: &GateName,
        head: Head,
        part: Bytes,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        match &self.0 {
            Place::Sqlite(store) => store.save(gate, head, part, now).await,
            Place::Nats(store) => store.save(gate, head, part).await,
        }
    }

    /// Keeps a verdict; returns `false` if it was there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn add(&self, verdict: Verdict) -> Result<bool, StoreError> {
        match &self.0 {
            Place::Sqlite(store) => store.add(verdict).await,
            Place::Nats(store) => store.add(verdict).await,
        }
    }

    /// Returns the verdicts told at a time or later, in the order in which they came; at
    /// most the newest thousand.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn since(&self, time: Timestamp) -> Result<Vec<Verdict>, StoreError> {
        match &self.0 {
            Place::Sqlite(store) => store.since(time).await,
            Place::Nats(store) => store.since(time).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::GateName;

    #[test]
    fn a_gate_is_named_like_an_endpoint() {
        for name in ["a", "edge-1", &"x".repeat(64)] {
            assert_eq!(GateName::new(name).unwrap().as_str(), name);
        }
        for name in ["", "A", "a.b", "a/b", "ä", &"x".repeat(65)] {
            assert_eq!(GateName::new(name), None, "{name}");
        }
    }
}
