//! Removes what is older than it is kept, a few checkpoints at a time.
//!
//! First the cutoff in the evidence, then the events: whoever is killed in
//! between, the next one to look removes them. Every upstream looks; of two at
//! once one is refused.

use std::time::{Duration, Instant};

use async_nats::jetstream::stream::Stream;
use hookgate_core::time::Timestamp;
use serde::Deserialize;
use tracing::{info, warn};

use super::{
    evidence::{CHECKPOINT, Covered, CutoffRecord, Evidence, EvidenceError},
    stream,
};
use crate::{clock, evidence::Cutoff};

/// Time between two looks. Each that finds something leaves a record for ever.
const PERIOD: Duration = Duration::from_mins(10);

/// Most checkpoints that are removed at once: a hundred thousand events.
const MAX_CHECKPOINTS: usize = 100;

/// How far the clock of an upstream may be ahead of the server's unsaid.
const AHEAD: Duration = Duration::from_mins(1);

/// Says why nothing was removed.
#[derive(Debug, thiserror::Error)]
enum RetainError {
    /// The evidence can't be read or written.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The server doesn't remove events.
    #[error("the NATS server does not remove events: {0}")]
    Purge(#[source] async_nats::Error),
    /// The server doesn't say how late it is.
    #[error("the NATS server does not say how late it is: {0}")]
    Time(#[source] async_nats::Error),
}

/// Holds what a server says of a stream beside how that is.
#[derive(Deserialize)]
struct Asked {
    /// When it was asked.
    ts: String,
}

/// Removes the oldest events of a stream.
#[derive(Debug)]
pub(super) struct Retention {
    keep: Duration,
    /// When it looks again.
    next: Instant,
}

impl Retention {
    /// Keeps events for a time.
    pub(super) fn new(keep: Duration) -> Self {
        Self {
            keep,
            next: Instant::now(),
        }
    }

    /// Looks whether there is something to remove, if it is time.
    pub(super) async fn look(&mut self, log: &Stream, evidence: &Evidence) {
        if Instant::now() < self.next {
            return;
        }
        let removed = async {
            let now = now(evidence).await?;
            self.remove(log, evidence, now).await
        };
        match removed.await {
            // There may be more.
            Ok(true) => return,
            Ok(false) | Err(RetainError::Evidence(EvidenceError::Conflict)) => {}
            Err(error) => warn!("old events are not removed: {error}"),
        }
        self.next = Instant::now() + PERIOD;
    }

    async fn remove(
        &self,
        log: &Stream,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<bool, RetainError> {
        let newest = evidence.cutoff().await?;
        if let Some(record) = newest.value {
            // What was begun before. Nothing, as a rule.
            purge(log, &record).await?;
        }
        let Some(record) = self.oldest(evidence, newest.value, now).await? else {
            return Ok(false);
        };
        evidence.cut(newest.place, record).await?;
        purge(log, &record).await?;
        let forgotten = evidence.forget_before(record.checkpoint).await;
        forgotten.map_err(RetainError::Purge)?;
        let sequence = record.cutoff.link.sequence;
        info!(sequence, "removed the events up to here, by their age");
        Ok(true)
    }

    /// Finds the checkpoints that are old enough; returns the cutoff after them.
    async fn oldest(
        &self,
        evidence: &Evidence,
        cutoff: Option<CutoffRecord>,
        now: Timestamp,
    ) -> Result<Option<CutoffRecord>, RetainError> {
        let keep = u64::try_from(self.keep.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp::from_unix_millis(now.unix_millis().saturating_sub(keep));
        let from = cutoff.map_or(0, |it| it.checkpoint).saturating_add(1);
        let mut removed = cutoff.map_or(0, |it| it.cutoff.removed);
        let mut checkpoints = evidence.walk(from).of(CHECKPOINT).headers_only();
        let mut oldest = None;
        for _ in 0..MAX_CHECKPOINTS {
            let next = checkpoints.next(0).await.map_err(EvidenceError::Read)?;
            let Some((place, message)) = next else {
                break;
            };
            let headers = message.headers.clone().unwrap_or_default();
            let covered = Covered::read(&headers).ok_or(EvidenceError::Form { place })?;
            if covered.stored_at >= before {
                break;
            }
            removed = removed.saturating_add(covered.events);
            oldest = Some(CutoffRecord {
                cutoff: Cutoff {
                    link: covered.last,
                    at: now,
                    removed,
                },
                checkpoint: place,
            });
        }
        Ok(oldest)
    }
}

/// Returns how late it is, by the clock that is behind: an upstream's, which
/// alone must not remove what is young, and the server's, by which events are old.
async fn now(evidence: &Evidence) -> Result<Timestamp, RetainError> {
    let info = format!("STREAM.INFO.{}", stream::NAME);
    let asked = evidence.context().request(info, &()).await;
    let Asked { ts } = asked.map_err(|error| RetainError::Time(error.into()))?;
    let theirs = Timestamp::parse_rfc3339(&ts);
    let theirs = theirs.ok_or_else(|| RetainError::Time(format!("`{ts}`").into()))?;
    let ours = clock::now();
    let ahead = ours.unix_millis().saturating_sub(theirs.unix_millis());
    let ahead = Duration::from_millis(ahead);
    if ahead > AHEAD {
        warn!(
            "the clock of this machine is {} s ahead of the NATS server's: events are removed by the server's",
            ahead.as_secs()
        );
    }
    Ok(ours.min(theirs))
}

async fn purge(log: &Stream, record: &CutoffRecord) -> Result<(), RetainError> {
    let next = record.cutoff.link.sequence.saturating_add(1);
    let purged = log.purge().sequence(next).await;
    purged.map_err(|error| RetainError::Purge(error.into()))?;
    Ok(())
}
