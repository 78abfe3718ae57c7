//! What fails at destinations, and what is tried again there, beside a stream.

use std::cmp::Reverse;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{AT_ONCE, StreamDesk};
use crate::{
    deliver::{job::Outcome, schedule::nats::Attempted},
    review::{Failure, LatestFailure, Retry, desk::ReviewError},
};

/// Rows of a list.
const SHOWN: usize = 10;

/// Holds the last attempts at all destinations, a thousand at most.
#[derive(Debug, Default)]
pub(crate) struct Recent(Vec<Attempted>);

impl Attempted {
    fn is_delivered(&self) -> bool {
        self.attempt.outcome == Outcome::Delivered.as_str()
    }
}

impl StreamDesk {
    /// See [`super::super::Desk::recent`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review::desk) async fn recent(&self) -> Result<Recent, ReviewError> {
        Ok(Recent(self.beside.recent().await?))
    }

    /// See [`super::super::Desk::failures`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review::desk) async fn failures(
        &self,
        recent: &Recent,
        destination: &str,
    ) -> Result<Vec<Failure>, ReviewError> {
        let here = recent.0.iter().filter(|it| it.destination == destination);
        let mut failed: Vec<&Attempted> = here.filter(|it| !it.is_delivered()).collect();
        failed.sort_by_key(|it| Reverse(it.attempt.at));
        failed.truncate(SHOWN);
        let sequences = failed.iter().map(|it| it.sequence).collect();
        let events = self.events(sequences).await?;
        let failures = failed
            .into_iter()
            .zip(events)
            .map(|(it, (_, event))| Failure {
                sequence: it.sequence,
                entry: event.map(|(entry, _)| entry),
                attempt: it.attempt.clone(),
            });
        Ok(failures.collect())
    }

    /// See [`super::super::Desk::latest_failures`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review::desk) async fn latest_failures(
        &self,
        recent: &Recent,
        destinations: &[String],
    ) -> Result<Vec<LatestFailure>, ReviewError> {
        let mut latest = Vec::new();
        for name in destinations {
            let here = || recent.0.iter().filter(|it| it.destination == *name);
            let failed = here().filter(|it| !it.is_delivered());
            let failed = failed.max_by_key(|it| it.attempt.at);
            let attempt = match failed {
                Some(failed) => Some(failed.attempt.clone()),
                // Of a slow destination beside a busy one the thousand say nothing.
                None => self.beside.parked_last(name).await?,
            };
            let Some(attempt) = attempt else {
                continue;
            };
            let is_later = |it: &Attempted| it.is_delivered() && it.attempt.at > attempt.at;
            latest.push(LatestFailure {
                destination: name.clone(),
                is_over: here().any(is_later),
                attempt,
            });
        }
        Ok(latest)
    }

    /// See [`super::super::Desk::retries`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review::desk) async fn retries(
        &self,
        destination: &str,
    ) -> Result<Option<Vec<Retry>>, ReviewError> {
        let Some(mut scheduled) = self.beside.scheduled(destination).await? else {
            return Ok(None);
        };
        scheduled.truncate(SHOWN);
        let sequences = scheduled.iter().map(|it| it.sequence).collect();
        let events = self.events(sequences).await?;
        let retries = scheduled
            .into_iter()
            .zip(events)
            .map(async |(it, (_, event))| {
                let attempts = self.beside.attempts(destination, it.sequence).await?;
                Ok::<_, ReviewError>(Retry {
                    sequence: it.sequence,
                    entry: event.map(|(entry, _)| entry),
                    attempts: it.attempts,
                    at: it.at,
                    last: attempts.into_iter().last(),
                })
            });
        let retries: Vec<_> = retries.collect();
        let retries = stream::iter(retries).buffered(AT_ONCE);
        Ok(Some(retries.try_collect().await?))
    }
}
