//! One page of Stripe's against the log.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hookgate_core::{event::Event, identity::Source, time::Timestamp};
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use super::{
    account::Account,
    known::Known,
    page::Page,
    tally::{Found, Tally},
    wanted::{Enabled, Subscription},
};
use crate::{
    clock,
    log::{Appended, Attributes, LogError, Origin, ReadError, Record, Sha256Sum},
    server::Appender,
};

/// Appends that are under way at once.
const AT_ONCE: usize = 16;

/// How long one append may take.
const APPEND_TIMEOUT: Duration = Duration::from_secs(9);

/// Appends of one event before a log counts as away.
const MOST_APPENDS: u32 = 6;

/// Wait before the second append; twice as long after each that follows.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Compares pages with a log.
#[derive(Debug)]
pub(crate) struct Comparison<'a> {
    /// Who is to get what.
    pub(crate) subscriptions: &'a [Subscription],
    /// What webhook endpoints of Stripe's say.
    pub(crate) enabled: Enabled,
    /// What happened before is history.
    pub(crate) installed_at: Timestamp,
    /// How history comes into the log.
    pub(crate) history: Origin,
    /// Largest payload that the log takes.
    pub(crate) max_payload_bytes: usize,
    /// Where to append; `None`: nowhere.
    pub(crate) appender: Option<&'a Appender>,
}

/// Says why a page couldn't be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompareError {
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log didn't confirm.
    #[error("{0}")]
    Append(LogError),
}

/// One event that is to be in the log at one source.
struct Expected<'a> {
    event: &'a Event,
    payload: &'a Bytes,
    subscription: &'a Subscription,
}

impl Comparison<'_> {
    /// Compares a page of an account's events, and appends what the log lacks.
    ///
    /// # Errors
    /// [`CompareError`]: the page is to be compared again.
    pub(crate) async fn page(
        &self,
        account: &Account,
        page: &Page,
        known: &mut Known,
        tally: &mut Tally,
    ) -> Result<(), CompareError> {
        let mut seen = Tally::default();
        let events = self.read(account, page, &mut seen);
        let expected = self.expected(account, &events, &mut seen);
        let identities = expected
            .iter()
            .map(|it| (it.subscription.source.clone(), it.event.id.clone()));
        let identities: Vec<(Source, String)> = identities.collect();
        let has = known.has(&identities).await?;
        let mut missing = Vec::new();
        for (it, has) in expected.into_iter().zip(has) {
            if has {
                seen.found(&it.event.type_name, Found::Present);
            } else {
                missing.push(it);
            }
        }
        // Stripe lists the newest first.
        let mut appended = stream::iter(missing.into_iter().rev())
            .map(|it| async move { (it.event, self.append(&it).await) })
            .buffered(AT_ONCE);
        while let Some((event, found)) = appended.next().await {
            seen.found(&event.type_name, found?);
        }
        tally.add(&seen);
        Ok(())
    }

    /// Finds the sources that were to get each event.
    fn expected<'e>(
        &'e self,
        account: &Account,
        events: &'e [(Event, &'e Bytes)],
        tally: &mut Tally,
    ) -> Vec<Expected<'e>> {
        let mut expected: Vec<Expected<'_>> = Vec::new();
        for (event, payload) in events {
            let before = expected.len();
            for subscription in self.subscriptions {
                let is_there = |it: &Expected<'_>| it.subscription.source == subscription.source;
                let is_twice = expected.iter().skip(before).any(is_there);
                if !is_twice && subscription.wants(account, event, &self.enabled) {
                    expected.push(Expected {
                        event,
                        payload,
                        subscription,
                    });
                }
            }
            if expected.len() == before {
                tally.ignored();
            }
        }
        expected
    }

    /// Reads the events of a page; one that can't be read holds up no other.
    fn read<'p>(
        &self,
        account: &Account,
        page: &'p Page,
        tally: &mut Tally,
    ) -> Vec<(Event, &'p Bytes)> {
        let mut events = Vec::new();
        for payload in &page.items {
            match Event::from_payload(payload) {
                Ok(mut event) if payload.len() <= self.max_payload_bytes => {
                    // Only a delivery says whose it is; a list is one account's.
                    if let Some(id) = account.connected() {
                        event.account = Some(id.to_owned());
                    }
                    events.push((event, payload));
                }
                Ok(event) => {
                    warn!(
                        event_id = event.id,
                        trace_id = "",
                        bytes = payload.len(),
                        "an event of Stripe's list is too large"
                    );
                    tally.unreadable();
                }
                Err(error) => {
                    warn!(%error, "something in Stripe's list is no event");
                    tally.unreadable();
                }
            }
        }
        events
    }

    async fn append(&self, it: &Expected<'_>) -> Result<Found, CompareError> {
        let Some(appender) = self.appender else {
            return Ok(Found::Missing);
        };
        let record = self.record(it);
        let mut wait = FIRST_WAIT;
        for _ in 1..MOST_APPENDS {
            let deadline = Instant::now() + APPEND_TIMEOUT;
            match appender.append(record.clone(), deadline).await {
                Ok(appended) => return Ok(found(&record.attributes, appended)),
                Err(_) => sleep(wait).await,
            }
            wait *= 2;
        }
        let deadline = Instant::now() + APPEND_TIMEOUT;
        let appended = appender.append(record.clone(), deadline).await;
        let appended = appended.map_err(CompareError::Append)?;
        Ok(found(&record.attributes, appended))
    }

    fn record(&self, it: &Expected<'_>) -> Record {
        let (event, payload) = (it.event, it.payload);
        let is_history = event.created.is_some_and(|at| at < self.installed_at);
        Record {
            attributes: Attributes {
                source: it.subscription.source.clone(),
                id: event.id.clone(),
                type_name: event.type_name.clone(),
                account: event.account.clone(),
                livemode: event.livemode,
                time: event.created,
                held_for: None,
                origin: if is_history {
                    self.history
                } else {
                    Origin::Reconciliation
                },
                endpoint: it.subscription.endpoint.clone(),
                secret_name: String::new(),
                unsigned_attributes: false,
                signed_at: None,
                received_at: clock::now(),
                traceparent: None,
                signature: String::new(),
                sha256: Sha256Sum::of(payload),
            },
            payload: payload.clone(),
        }
    }
}

/// Says what became of an event that the log lacked a moment ago: it may have
/// been delivered in between.
fn found(event: &Attributes, appended: Appended) -> Found {
    match appended {
        Appended::Stored { .. } => {
            debug!(
                event_id = event.id,
                trace_id = event.trace_id(),
                source = event.source.as_str(),
                r#type = event.type_name,
                account = event.account,
                "appended an event that was never delivered"
            );
            Found::Appended
        }
        Appended::Duplicate { .. } => Found::Present,
    }
}
