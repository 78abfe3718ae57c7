//! Reading the stream onwards from a place, and knowing where it ends.
//!
//! A stream hands out no end: it delivers what it has, then what comes. The end
//! is known nevertheless. Once the first message after attaching has come, the
//! channel's process has read everything that the consumer's credit allows, and
//! has sent it before it answers the next request on the channel. So: what has
//! not come by that answer was not there, if there is credit left.
//! Source: `rabbit_stream_queue:stream_entries/5` of the server.

use std::{collections::VecDeque, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _};
use lapin::{
    Channel, Connection, Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::{AMQPValue, DeliveryTag, FieldTable, LongString, ShortString},
};
use tokio::time::timeout;

use super::{message, reader::ReadError, stream::PRECONDITION_FAILED};
use crate::amqp::reply_code;

/// Most messages that wait for us at a time, and so the most of the largest
/// payload in memory. The server may send the rest of a chunk beyond it.
const CREDIT: u16 = 64;

/// Settled together, so that the server goes on while we read.
const SETTLED_TOGETHER: usize = 32;

/// How long the server may take with what it has.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a stream that has anything may take to show it. Nothing says that a
/// stream is empty; this is long for a server that answers.
const EMPTY: Duration = Duration::from_secs(2);

/// Says where to begin.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// With the oldest message.
    First,
    /// With the chunk that the newest message is in.
    LastChunk,
    /// With this sequence, or the oldest one after it; after the newest one if
    /// there is none yet.
    Sequence(u64),
}

/// Reads from one place on.
pub(super) struct Cursor {
    channel: Channel,
    consumer: Consumer,
    /// What has come and wasn't handed out.
    come: VecDeque<(u64, Delivery)>,
    unsettled: usize,
    /// The tag of the last that has come.
    tag: DeliveryTag,
}

impl Cursor {
    /// Attaches to the stream.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(super) async fn attach(
        connection: &Connection,
        stream: &ShortString,
        place: Place,
    ) -> Result<Self, ReadError> {
        let channel = connection.create_channel().await?;
        let offset = match place {
            Place::First => AMQPValue::LongString(LongString::from("first")),
            Place::LastChunk => AMQPValue::LongString(LongString::from("last")),
            Place::Sequence(sequence) => {
                let offset = i64::try_from(sequence.saturating_sub(1)).unwrap_or(i64::MAX);
                AMQPValue::LongLongInt(offset)
            }
        };
        let mut arguments = FieldTable::default();
        arguments.insert("x-stream-offset".into(), offset);
        channel
            .basic_qos(CREDIT, BasicQosOptions::default())
            .await?;
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(stream.clone(), "".into(), options, arguments);
        let consumer = consumer.await.map_err(|error| match reply_code(&error) {
            // Other kinds of queue have no offsets.
            Some(PRECONDITION_FAILED) => ReadError::NoStream,
            _ => error.into(),
        });
        Ok(Self {
            consumer: consumer?,
            channel,
            come: VecDeque::new(),
            unsettled: 0,
            tag: 0,
        })
    }

    /// Waits for the first message; `None` if the stream is empty.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(super) async fn first(&mut self) -> Result<Option<u64>, ReadError> {
        match timeout(EMPTY, self.receive()).await {
            Ok(received) => received?,
            Err(_) => {
                // Unless it is the server that hangs.
                self.ask().await?;
                self.take_what_has_come()?;
            }
        }
        Ok(self.come.front().map(|(sequence, _)| *sequence))
    }

    /// Reads to the end and returns the sequence of the last message there. One
    /// must have come.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(super) async fn last(&mut self) -> Result<Option<u64>, ReadError> {
        let mut last = None;
        loop {
            self.ask().await?;
            self.take_what_has_come()?;
            last = self.come.back().map(|(sequence, _)| *sequence).or(last);
            self.come.clear();
            if self.unsettled < usize::from(CREDIT) {
                return Ok(last);
            }
            self.settle().await?;
        }
    }

    /// Waits for the next message; there must be one, or nobody mind waiting.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(super) async fn next(&mut self) -> Result<(u64, Delivery), ReadError> {
        loop {
            if let Some(next) = self.come.pop_front() {
                return Ok(next);
            }
            self.receive().await?;
        }
    }

    /// Waits for the next message, which is known to be there.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(super) async fn next_in_time(&mut self) -> Result<(u64, Delivery), ReadError> {
        timeout(PATIENCE, self.next())
            .await
            .unwrap_or(Err(ReadError::Silent))
    }

    /// Waits until more has come.
    async fn receive(&mut self) -> Result<(), ReadError> {
        if self.unsettled >= SETTLED_TOGETHER {
            self.settle().await?;
        }
        let delivery = self.consumer.next().await;
        self.keep(delivery.ok_or(ReadError::Ended)??)?;
        self.take_what_has_come()
    }

    fn take_what_has_come(&mut self) -> Result<(), ReadError> {
        while let Some(delivery) = self.consumer.next().now_or_never() {
            self.keep(delivery.ok_or(ReadError::Ended)??)?;
        }
        Ok(())
    }

    fn keep(&mut self, delivery: Delivery) -> Result<(), ReadError> {
        // Settling is removing on any other kind of queue: nothing was yet.
        let sequence = message::sequence(&delivery).ok_or(ReadError::NoStream)?;
        self.unsettled = self.unsettled.saturating_add(1);
        self.tag = delivery.delivery_tag;
        self.come.push_back((sequence, delivery));
        Ok(())
    }

    /// Lets the server send as many again.
    async fn settle(&mut self) -> Result<(), ReadError> {
        self.unsettled = 0;
        // Not tag 0, which stands for all: the client then forgets what it has
        // received and not handed over yet.
        let options = BasicAckOptions { multiple: true };
        Ok(self.channel.basic_ack(self.tag, options).await?)
    }

    /// Waits until the channel's process answers, after everything that it sent
    /// before.
    async fn ask(&self) -> Result<(), ReadError> {
        let asked = self.channel.basic_qos(CREDIT, BasicQosOptions::default());
        let answered = timeout(PATIENCE, asked).await;
        Ok(answered.map_err(|_| ReadError::Silent)??)
    }
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor").finish_non_exhaustive()
    }
}
