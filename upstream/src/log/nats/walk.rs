//! Walking a stream from one message to the next, however many there are.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use async_nats::{
    datetime::DateTime,
    jetstream::{
        Message,
        consumer::{AckPolicy, DeliverPolicy, pull},
        stream::{ConsumerError, RawMessageErrorKind, Stream},
    },
};

use tokio::time::sleep;

use super::{Fetched, lent::Lent};

/// Messages that are asked for at a time.
const BATCH: usize = 1_000;

/// Bytes that are asked for at a time: the most that a walk holds, unless one
/// message is larger.
const BATCH_BYTES: usize = 8 * 1_024 * 1_024;

/// How long nothing may come: longer than a cluster takes to choose a leader.
const PATIENCE: Duration = Duration::from_secs(10);

/// How soon to ask again.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a consumer of ours outlives a reader that was killed.
const CONSUMER_THRESHOLD: Duration = Duration::from_secs(30);

/// Hands out the messages of a stream in their order.
pub(crate) struct Walk {
    stream: Stream,
    filter: String,
    headers_only: bool,
    batch: usize,
    batch_bytes: usize,
    /// Where it begins, if not with `next`.
    from: Option<DeliverPolicy>,
    /// The first sequence that wasn't handed out.
    next: u64,
    consumer: Option<Lent>,
    /// How many messages came of this consumer, which counts them too.
    delivered: u64,
    asked_for: Option<Batch>,
    /// When the consumer was asked last.
    asked: Instant,
}

struct Batch {
    messages: Fetched,
    any: bool,
}

impl Walk {
    /// Begins with a sequence; `largest` is what the server takes as one message.
    pub(crate) fn start(stream: &Stream, from: u64, largest: usize) -> Self {
        Self {
            stream: stream.clone(),
            filter: String::new(),
            headers_only: false,
            batch: BATCH,
            // With its subject and what the server adds. A message that is
            // larger than what is asked for never comes.
            batch_bytes: BATCH_BYTES.max(largest.saturating_mul(2)),
            from: None,
            next: from.max(1),
            consumer: None,
            delivered: 0,
            asked_for: None,
            asked: Instant::now(),
        }
    }

    /// Begins with what was stored at a time or later, of what has this subject.
    pub(crate) fn at(mut self, start_time: DateTime, subject: &str) -> Self {
        self.from = Some(DeliverPolicy::ByStartTime { start_time });
        self.of(subject)
    }

    /// Hands out only what has this subject.
    pub(crate) fn of(mut self, subject: &str) -> Self {
        subject.clone_into(&mut self.filter);
        self
    }

    /// Hands out no payloads.
    pub(crate) fn headers_only(mut self) -> Self {
        self.headers_only = true;
        self
    }

    /// Asks for no more messages at a time.
    pub(crate) fn at_most(mut self, messages: NonZeroUsize) -> Self {
        self.batch = self.batch.min(messages.get());
        self
    }

    /// Returns the first sequence that wasn't handed out.
    pub(crate) const fn position(&self) -> u64 {
        self.next
    }

    /// Returns the next message with its sequence; `None` if there is none, up
    /// to `until` at least. What is left out, the stream's leader doesn't have.
    ///
    /// # Errors
    /// Nothing comes for longer than a cluster takes to choose a leader. The
    /// walk goes on where it was.
    pub(crate) async fn next(
        &mut self,
        until: u64,
    ) -> Result<Option<(u64, Message)>, async_nats::Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let error = match self.take_all(until).await {
                Ok(Some(taken)) => return Ok(taken),
                Ok(None) => "a server of the cluster is behind the others".into(),
                Err(error) => error,
            };
            self.begin_anew();
            if Instant::now() > deadline {
                return Err(error);
            }
            sleep(PAUSE).await;
        }
    }

    /// Takes what comes next; `None` if something should have come before it.
    /// Messages get lost between server and client, and a consumer sees what its
    /// own server has.
    async fn take_all(
        &mut self,
        until: u64,
    ) -> Result<Option<Option<(u64, Message)>>, async_nats::Error> {
        let taken = self.take().await?;
        let end = taken.as_ref().map_or(until.saturating_add(1), |it| it.0);
        // Of some subjects every message comes after a hole; one that gets lost
        // on its way `take` misses.
        let asks = self.filter.is_empty() || taken.is_none();
        if asks && end > self.next {
            let first = self.first(until).await?;
            if first.is_some_and(|first| first < end) {
                return Ok(None);
            }
        }
        if let Some((sequence, _)) = &taken {
            self.next = sequence.saturating_add(1);
            self.from = None;
        }
        Ok(Some(taken))
    }

    /// Asks the stream's leader for the first message that should be handed out.
    /// One that is older than the time at which it begins should not.
    async fn first(&self, until: u64) -> Result<Option<u64>, async_nats::Error> {
        let subject = match self.filter.as_str() {
            "" => ">",
            filter => filter,
        };
        let from = self.from.map_or(self.next, |_| until);
        let first = self.stream.get_first_raw_message_by_subject(subject, from);
        match first.await {
            Ok(message) => Ok(Some(message.sequence)),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn take(&mut self) -> Result<Option<(u64, Message)>, async_nats::Error> {
        loop {
            let batch = match self.asked_for.take() {
                Some(batch) => self.asked_for.insert(batch),
                None => {
                    let messages = self.ask().await?;
                    let any = false;
                    self.asked_for.insert(Batch { messages, any })
                }
            };
            match batch.messages.next().await {
                Ok(Some(message)) => {
                    batch.any = true;
                    let info = message.info()?;
                    let sequence = info.stream_sequence;
                    self.delivered = self.delivered.saturating_add(1);
                    if info.consumer_sequence != self.delivered {
                        return Err("a message was lost on its way".into());
                    }
                    if sequence >= self.next {
                        return Ok(Some((sequence, message)));
                    }
                }
                // Also with an error, if the next one has no room in the batch.
                _ if batch.any => self.asked_for = None,
                ended => {
                    self.asked_for = None;
                    return ended.map(|_| None);
                }
            }
        }
    }

    async fn ask(&mut self) -> Result<Fetched, async_nats::Error> {
        // The server forgets a consumer that nobody asks for a while.
        let idle = self.asked.elapsed() > CONSUMER_THRESHOLD / 2;
        let consumer = match self.consumer.take().filter(|_| !idle) {
            Some(consumer) => consumer,
            None => {
                self.delivered = 0;
                self.consumer().await?
            }
        };
        self.asked = Instant::now();
        let asked = Fetched::ask_bytes(&consumer, self.batch, self.batch_bytes).await;
        self.consumer = Some(consumer);
        asked
    }

    async fn consumer(&self) -> Result<Lent, ConsumerError> {
        let config = pull::Config {
            deliver_policy: self.from.unwrap_or(DeliverPolicy::ByStartSequence {
                start_sequence: self.next,
            }),
            ack_policy: AckPolicy::None,
            filter_subject: self.filter.clone(),
            headers_only: self.headers_only,
            memory_storage: true,
            inactive_threshold: CONSUMER_THRESHOLD,
            ..pull::Config::default()
        };
        Lent::of(&self.stream, config).await
    }

    fn begin_anew(&mut self) {
        self.consumer = None;
        self.asked_for = None;
    }
}
