//! What was attempted last, and what is tried again, each read up to a bound.

use std::num::NonZeroUsize;

use hookgate_core::time::Timestamp;

use super::{
    beside::{Beside, refused},
    records,
};
use crate::{
    deliver::schedule::ReadError,
    log::nats::{self, Walk},
    review::PastAttempt,
};

/// Messages that are looked through.
const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(999);

/// Is an attempt to deliver an event somewhere.
#[derive(Debug, Clone)]
pub(crate) struct Attempted {
    /// Where.
    pub(crate) destination: String,
    /// The event's place in the log.
    pub(crate) sequence: u64,
    /// What happened.
    pub(crate) attempt: PastAttempt,
}

/// Is an event that waits for its next attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scheduled {
    /// The event's place in the log.
    pub(crate) sequence: u64,
    /// Attempts so far.
    pub(crate) attempts: u32,
    /// When the next one is due.
    pub(crate) at: Timestamp,
}

impl Beside {
    /// Returns the last thousand attempts at any destination, the newest last.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn recent(&self) -> Result<Vec<Attempted>, ReadError> {
        let state = self.attempts.get_info().await.map_err(refused)?.state;
        let last = state.last_sequence;
        let most = u64::try_from(MOST.get()).unwrap_or(u64::MAX);
        let first = last.saturating_sub(most).saturating_add(1);
        let largest = self.context.client().server_info().max_payload;
        let walk = Walk::start(&self.attempts, first.max(state.first_sequence), largest);
        let mut walk = walk.headers_only().at_most(MOST);
        let mut recent = Vec::new();
        if state.messages == 0 {
            return Ok(recent);
        }
        while let Some((number, message)) = walk.next(last).await.map_err(ReadError::Nats)? {
            let place = records::place(&message.subject);
            let attempt = message.headers.as_ref().and_then(records::read_attempt);
            if let Some(((destination, sequence), attempt)) = place.zip(attempt) {
                recent.push(Attempted {
                    destination: destination.to_owned(),
                    sequence,
                    attempt,
                });
            }
            if number >= last {
                break;
            }
        }
        Ok(recent)
    }

    /// Returns the last attempt of what was parked last at a destination; `None` if
    /// nothing is, or a person asked for it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn parked_last(
        &self,
        destination: &str,
    ) -> Result<Option<PastAttempt>, ReadError> {
        let subjects = format!("{}.{destination}.*", records::REVIEW);
        let newest = nats::newest(&self.review, &subjects).await;
        let newest = newest.map_err(ReadError::Nats)?;
        Ok(newest.and_then(|message| records::read_attempt(&message.headers)))
    }

    /// Returns what is scheduled for another attempt at a destination, the first one
    /// first; `None` if that is more than a thousand events.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn scheduled(
        &self,
        destination: &str,
    ) -> Result<Option<Vec<Scheduled>>, ReadError> {
        let last = self
            .retry
            .get_info()
            .await
            .map_err(refused)?
            .state
            .last_sequence;
        let subjects = format!("{}.{destination}.*", records::SCHEDULED);
        let largest = self.context.client().server_info().max_payload;
        let walk = Walk::start(&self.retry, 1, largest).of(&subjects);
        let mut walk = walk.headers_only().at_most(MOST);
        let mut scheduled = Vec::new();
        while let Some((number, message)) = walk.next(last).await.map_err(ReadError::Nats)? {
            if scheduled.len() == MOST.get() {
                return Ok(None);
            }
            let headers = message.headers.clone().unwrap_or_default();
            let place = records::place(&message.subject);
            if let Some(((_, sequence), at)) = place.zip(records::scheduled_for(&headers)) {
                scheduled.push(Scheduled {
                    sequence,
                    attempts: records::attempts(&headers).unwrap_or_default(),
                    at,
                });
            }
            if number >= last {
                break;
            }
        }
        scheduled.sort_by_key(|it| (it.at, it.sequence));
        Ok(Some(scheduled))
    }
}
