//! What a page asks of an event's life beside a stream.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{AT_ONCE, StreamDesk};
use crate::{
    deliver::{job::Outcome, schedule::nats::Stage},
    log::Entry,
    review::{
        Life, Waits,
        audit::{Action, Record},
        desk::ReviewError,
    },
};

impl StreamDesk {
    /// See [`super::super::Desk::lives`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review::desk) async fn lives(
        &self,
        event: &Entry,
        records: &[Record],
        destinations: &[(String, bool)],
    ) -> Result<Vec<Life>, ReviewError> {
        let parked_at = self.beside.parked_at(event.sequence).await?;
        let is_known = |name: &str| destinations.iter().any(|(known, _)| known == name);
        let others = parked_at.into_iter().filter(|name| !is_known(name));
        // A destination that is no longer configured wants nothing.
        let others = others.map(|name| (name, false));
        let lives: Vec<_> = (destinations.iter().cloned().chain(others))
            .map(|(name, wants)| self.life(event, records, name, wants))
            .collect();
        let lives = stream::iter(lives).buffered(AT_ONCE);
        lives
            .try_filter_map(async |life| Ok(life))
            .try_collect()
            .await
    }

    async fn life(
        &self,
        event: &Entry,
        records: &[Record],
        destination: String,
        wants: bool,
    ) -> Result<Option<Life>, ReviewError> {
        let mut stage = self.beside.stage(&destination, event).await?;
        let attempts = self.beside.attempts(&destination, event.sequence).await?;
        let last = attempts.last().map(|last| last.outcome.as_str());
        let is_delivered = last == Some(Outcome::Delivered.as_str());
        if last.is_some() && !is_delivered && matches!(stage, Stage::Given | Stage::Settled) {
            // What came of that attempt was written down while it was asked for.
            stage = self.beside.stage(&destination, event).await?;
        }
        let here = || records.iter().filter(|it| it.destination == destination);
        let is_ended = || here().any(Record::is_final);
        let mut ahead = None;
        let waits = match stage {
            Stage::Parked(parking) => {
                let ends = |it: &&Record| it.is_final() && it.parking == Some(parking.number);
                match here().find(ends) {
                    None => Waits::ForPerson {
                        reason: parking.parked.reason,
                    },
                    Some(end) if end.target.as_ref() == Some(&destination) => {
                        Waits::ForAttempt { at: end.at }
                    }
                    Some(_) => Waits::Not,
                }
            }
            Stage::Due { at } => Waits::ForAttempt { at },
            Stage::Ahead { first } => {
                ahead = wants.then_some(first);
                Waits::Not
            }
            // Whoever ended its stay in review found it settled.
            Stage::Given if wants && !is_delivered && !is_ended() => Waits::ForWord,
            Stage::Given | Stage::Settled => self.let_go(records, &destination).await?,
        };
        if waits == Waits::Not && attempts.is_empty() && ahead.is_none() {
            return Ok(None);
        }
        Ok(Some(Life {
            destination,
            waits,
            attempts,
            ahead,
        }))
    }

    /// Tells whether a person let it go there and no server has carried it out.
    async fn let_go(&self, records: &[Record], destination: &str) -> Result<Waits, ReviewError> {
        let goes = |it: &&Record| {
            it.action == Action::Released && it.target.as_deref() == Some(destination)
        };
        let Some(last) = records.iter().rfind(goes) else {
            return Ok(Waits::Not);
        };
        let carried = self.beside.carried().await?;
        let is_carried = carried.is_some_and(|link| link.sequence >= last.number);
        Ok(if is_carried {
            Waits::Not
        } else {
            Waits::ForAttempt { at: last.at }
        })
    }
}
