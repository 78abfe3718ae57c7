//! One destination's consumers: its place in the log, and in what comes again.

use std::time::Duration;

use async_nats::{
    datetime,
    jetstream::{
        Message,
        consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
        stream::{State, Stream},
    },
};
use futures_util::TryStreamExt as _;

use super::{
    records,
    streams::{OpenError, Streams},
};
use crate::{
    deliver::{destination::Destination, schedule::Backlog},
    log::{
        Start,
        nats::{self, Fetched},
    },
};

/// Added to what two attempts may take, until the server hands a message to
/// somebody else: this upstream has died with it.
const SETTLING: Duration = Duration::from_secs(10);

/// Messages that may be handed out and not acknowledged, over all upstreams.
const MAX_UNDER_WAY: i64 = 10_000;

/// Is where a destination is.
#[derive(Debug)]
pub(super) struct Place {
    name: String,
    fresh: PullConsumer,
    again: PullConsumer,
}

impl Place {
    /// Makes the consumers that aren't there. Where one begins is said once.
    ///
    /// # Errors
    /// [`OpenError::Consumer`], [`OpenError::Info`].
    pub(super) async fn ensure(
        streams: &Streams,
        destination: &Destination,
    ) -> Result<Self, OpenError> {
        let sources = &destination.filter.sources;
        let subjects = sources
            .iter()
            .map(|source| nats::subjects_of(source.as_str()));
        let fresh = consumer(
            &streams.log,
            destination,
            begin(destination.from, &streams.log.get_info().await?.state),
            subjects.collect(),
        );
        let again = consumer(
            &streams.retry,
            destination,
            DeliverPolicy::All,
            vec![format!("{}.{}.*", records::RETRY, destination.name)],
        );
        let error = |source| OpenError::Consumer {
            name: destination.name.clone(),
            source,
        };
        Ok(Self {
            name: destination.name.clone(),
            fresh: fresh.await.map_err(error)?,
            again: again.await.map_err(error)?,
        })
    }

    /// Returns what wasn't tried yet.
    pub(super) async fn fresh(&self, room: usize) -> Result<Vec<Message>, async_nats::Error> {
        fetch(&self.fresh, room).await
    }

    /// Returns what is due again.
    pub(super) async fn again(&self, room: usize) -> Result<Vec<Message>, async_nats::Error> {
        fetch(&self.again, room).await
    }

    /// Counts what is left.
    pub(super) async fn backlog(&self, streams: &Streams) -> Result<Backlog, async_nats::Error> {
        let fresh = self.fresh.get_info().await?;
        let scheduled = self.count(&streams.retry, records::SCHEDULED).await?;
        let due = self.count(&streams.retry, records::RETRY).await?;
        let parked = self.count(&streams.review, records::REVIEW).await?;
        let under_way = u64::try_from(fresh.num_ack_pending).unwrap_or(u64::MAX);
        let waiting = fresh.num_pending.saturating_add(under_way);
        let next = fresh.ack_floor.stream_sequence.saturating_add(1);
        let fresh = (waiting > 0).then_some(next);
        let oldest = [fresh, scheduled.oldest, due.oldest].into_iter().flatten();
        let oldest = match oldest.min() {
            Some(sequence) => streams.stored_from(sequence).await?,
            None => None,
        };
        let retrying = scheduled.events.saturating_add(due.events);
        Ok(Backlog {
            undelivered: waiting.saturating_add(retrying),
            oldest,
            parked: parked.events,
        })
    }

    /// Counts the destination's subjects in a stream, one for each event.
    async fn count(&self, stream: &Stream, prefix: &str) -> Result<Count, async_nats::Error> {
        let subjects = format!("{prefix}.{}.*", self.name);
        let found = stream.info_with_subjects(subjects).await?;
        let count = found.try_fold(Count::default(), async |count, (subject, _)| {
            let sequence = subject.rsplit('.').next().and_then(|it| it.parse().ok());
            Ok(Count {
                events: count.events.saturating_add(1),
                oldest: count.oldest.into_iter().chain(sequence).min(),
            })
        });
        Ok(count.await?)
    }
}

/// Counts events.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    events: u64,
    /// The lowest of their sequences.
    oldest: Option<u64>,
}

/// Names the consumers of a destination.
pub(super) fn consumer_name(destination: &str) -> String {
    format!("hookgate-{destination}")
}

async fn consumer(
    stream: &Stream,
    destination: &Destination,
    begin: DeliverPolicy,
    filter_subjects: Vec<String>,
) -> Result<PullConsumer, async_nats::jetstream::stream::ConsumerError> {
    let name = consumer_name(&destination.name);
    let known: Option<PullConsumer> = stream.get_consumer(&name).await.ok();
    let deliver_policy = known.map_or(begin, |known| known.cached_info().config.deliver_policy);
    stream
        .create_consumer(pull::Config {
            durable_name: Some(name),
            deliver_policy,
            ack_policy: AckPolicy::Explicit,
            ack_wait: destination.timeout.saturating_mul(2) + SETTLING,
            max_ack_pending: MAX_UNDER_WAY,
            filter_subjects,
            ..pull::Config::default()
        })
        .await
}

/// What the log doesn't have yet is the next event: the server would wait until
/// it has that very sequence.
fn begin(from: Start, log: &State) -> DeliverPolicy {
    match from {
        Start::Beginning => DeliverPolicy::All,
        Start::Sequence(start_sequence) if start_sequence <= log.last_sequence => {
            DeliverPolicy::ByStartSequence { start_sequence }
        }
        Start::Now | Start::Sequence(_) => DeliverPolicy::New,
        Start::Time(time) => {
            let nanos = i128::from(time.unix_millis()).saturating_mul(1_000_000);
            match datetime::from_nanos(nanos) {
                Ok(start_time) if start_time <= log.last_timestamp => {
                    DeliverPolicy::ByStartTime { start_time }
                }
                _ => DeliverPolicy::New,
            }
        }
    }
}

/// Asks for what is there. What came before a fault is handed on; the rest comes
/// again.
async fn fetch(consumer: &PullConsumer, room: usize) -> Result<Vec<Message>, async_nats::Error> {
    let mut messages = Vec::new();
    if room == 0 {
        return Ok(messages);
    }
    let mut fetched = Fetched::ask(consumer, room).await?;
    loop {
        match fetched.next().await {
            Ok(Some(message)) => messages.push(message),
            Err(error) if messages.is_empty() => return Err(error),
            Ok(None) | Err(_) => return Ok(messages),
        }
    }
}
