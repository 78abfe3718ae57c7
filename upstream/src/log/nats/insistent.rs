//! Reads what the stream's leader has, whichever server of a cluster answers.
//!
//! A consumer sees what its own server has, and says that there is no more
//! where that server is behind the others; a server that catches up may forget
//! its consumers on the way. So the leader is asked what there must be, and
//! what has not come is asked for again.

use std::{ops::Range, time::Duration};

use async_nats::jetstream::{
    Message,
    consumer::{AckPolicy, DeliverPolicy, pull},
    stream::{LastRawMessageErrorKind, Stream},
};
use tokio::time::{Instant, sleep};

use super::{Fetched, reader::ReadError};

/// How long a consumer of ours outlives a reader that was killed.
const CONSUMER_THRESHOLD: Duration = Duration::from_secs(30);

/// How long nothing may come: longer than a cluster takes to choose a leader.
const PATIENCE: Duration = Duration::from_secs(10);

/// How soon to ask again.
const PAUSE: Duration = Duration::from_millis(50);

/// Says what of the messages is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Their headers.
    Headers,
    /// All of them.
    Whole,
}

/// Hands out messages in their order.
pub(super) struct Insistent<'a> {
    stream: &'a Stream,
    /// Where the next consumer begins.
    policy: DeliverPolicy,
    part: Part,
    /// Messages that are wanted and haven't come.
    left: usize,
    /// The least sequence that hasn't come.
    next: u64,
    /// Where what the leader is known to have ends.
    end: u64,
    fetched: Option<Fetched>,
    deadline: Instant,
}

impl<'a> Insistent<'a> {
    /// Prepares to read at most `limit` messages from a sequence on, and not to
    /// end before the leader has no more in `range`.
    pub(super) fn from_sequence(
        stream: &'a Stream,
        range: Range<u64>,
        limit: usize,
        part: Part,
    ) -> Self {
        Self {
            stream,
            policy: DeliverPolicy::ByStartSequence {
                start_sequence: range.start,
            },
            part,
            left: limit,
            next: range.start,
            end: range.end,
            fetched: None,
            deadline: Instant::now() + PATIENCE,
        }
    }

    /// Prepares to read the first message from a place on; what is in `known`
    /// is there or behind it.
    pub(super) fn first_from(stream: &'a Stream, policy: DeliverPolicy, known: Range<u64>) -> Self {
        Self {
            policy,
            ..Self::from_sequence(stream, known, 1, Part::Headers)
        }
    }

    /// Returns the next message and its sequence, `None` behind the last.
    ///
    /// # Errors
    /// [`ReadError::Messages`].
    pub(super) async fn next(&mut self) -> Result<Option<(u64, Message)>, ReadError> {
        while self.left > 0 {
            let error = match self.step().await {
                Ok(Step::Message(sequence, message)) => {
                    self.left -= 1;
                    self.next = sequence.saturating_add(1);
                    self.policy = DeliverPolicy::ByStartSequence {
                        start_sequence: self.next,
                    };
                    self.deadline = Instant::now() + PATIENCE;
                    return Ok(Some((sequence, *message)));
                }
                Ok(Step::End) => return Ok(None),
                Ok(Step::Behind) => "a server of the cluster is behind the others".into(),
                Err(error) => error,
            };
            if Instant::now() > self.deadline {
                return Err(ReadError::Messages(error));
            }
            self.fetched = None;
            sleep(PAUSE).await;
        }
        Ok(None)
    }

    async fn step(&mut self) -> Result<Step, async_nats::Error> {
        let fetched = match &mut self.fetched {
            Some(fetched) => fetched,
            None => {
                let consumer = self
                    .stream
                    .create_consumer(pull::Config {
                        deliver_policy: self.policy,
                        ack_policy: AckPolicy::None,
                        headers_only: self.part == Part::Headers,
                        memory_storage: true,
                        inactive_threshold: CONSUMER_THRESHOLD,
                        ..pull::Config::default()
                    })
                    .await?;
                self.fetched
                    .insert(Fetched::ask(&consumer, self.left).await?)
            }
        };
        if let Some(message) = fetched.next().await? {
            let sequence = message.info()?.stream_sequence;
            return Ok(Step::Message(sequence, Box::new(message)));
        }
        if self.next >= self.end {
            return Ok(Step::End);
        }
        let next = self.stream.get_first_raw_message_by_subject(">", self.next);
        match next.await {
            Ok(message) if message.sequence < self.end => Ok(Step::Behind),
            Ok(_) => Ok(Step::End),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(Step::End),
            Err(error) => Err(error.into()),
        }
    }
}

enum Step {
    Message(u64, Box<Message>),
    /// The leader has no more.
    End,
    /// The leader has more.
    Behind,
}

/// Returns the sequence behind the last that the leader had when the stream was
/// opened.
pub(super) fn end_of(stream: &Stream) -> u64 {
    stream.cached_info().state.last_sequence.saturating_add(1)
}
