//! Reads the stream while servers may be appending to it, and never changes it.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use hookgate_core::time::Timestamp;
use lapin::{Connection, message::Delivery};
use tokio::sync::Mutex;

use super::{
    cursor::{Cursor, Place},
    message, stream,
};
use crate::{
    amqp::{ConnectError, reply_code, reply_text},
    log::{
        address::AmqpAddress,
        offsets::{self, Found, Offsets},
        reader::{self, Span},
    },
};

/// What the server lists the connection as.
const NAME: &str = "hookgate reader";

/// Says why the stream can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The server can't be reached, or refuses.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There is no stream.
    #[error("there is no stream `{}` at {address}: `hookgate serve --log '{address}'` makes it", address.stream())]
    Missing {
        /// Where.
        address: AmqpAddress,
    },
    /// The queue is of another kind.
    #[error("the queue is no stream: is it the one that `hookgate serve` was given?")]
    NoStream,
    /// The server refuses, or is gone.
    #[error("can't read the stream: {}", reply_text(.0))]
    Client(#[from] lapin::Error),
    /// It doesn't deliver what it has.
    #[error(
        "RabbitMQ does not deliver what the stream has: does it answer (`rabbitmq-diagnostics status`)?"
    )]
    Silent,
    /// It ended the consumer.
    #[error("RabbitMQ delivers no more messages: is the stream still there?")]
    Ended,
}

impl ReadError {
    /// Tells whether it may pass by itself: the server is away, or has not
    /// opened its streams yet. A consumer ends with the stream, and with a server that
    /// goes: whoever attaches anew learns which it was.
    pub(super) fn is_away(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_away(),
            Self::Client(error) => reply_code(error) != Some(stream::ACCESS_REFUSED),
            Self::Silent | Self::Ended => true,
            Self::Missing { .. } | Self::NoStream => false,
        }
    }
}

/// Reads the stream.
#[derive(Debug)]
pub(crate) struct AmqpReader {
    connection: Connection,
    address: AmqpAddress,
    /// A sequence that is there, up to which nobody has to look for the end.
    end: AtomicU64,
    /// Where a scan goes on, and its cursor.
    scan: Mutex<Option<(u64, Cursor)>>,
}

impl AmqpReader {
    /// Connects and finds the stream.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn open(address: &AmqpAddress) -> Result<Self, ReadError> {
        let connection = address.server().connect(NAME).await?;
        if !stream::exists(&connection, address.stream()).await? {
            let address = address.clone();
            return Err(ReadError::Missing { address });
        }
        Ok(Self {
            connection,
            address: address.clone(),
            end: AtomicU64::new(0),
            scan: Mutex::new(None),
        })
    }

    /// Reads onwards from a place.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(super) async fn attach(&self, place: Place) -> Result<Cursor, ReadError> {
        Cursor::attach(&self.connection, self.address.stream(), place).await
    }

    /// Returns the sequence of the newest message.
    async fn last(&self) -> Result<Option<u64>, ReadError> {
        let mut cursor = self.attach(Place::LastChunk).await?;
        if cursor.first().await?.is_none() {
            return Ok(None);
        }
        let last = cursor.last().await?;
        self.end.store(last.unwrap_or_default(), Ordering::Relaxed);
        Ok(last)
    }
}

impl Offsets for AmqpReader {
    async fn span(&self) -> Result<Option<Span>, reader::ReadError> {
        let Some(first) = self.attach(Place::First).await?.first().await? else {
            return Ok(None);
        };
        let last = self.last().await?;
        Ok(last.map(|last| Span { first, last }))
    }

    async fn read(
        &self,
        from: u64,
        limit: NonZeroUsize,
        bytes: usize,
    ) -> Result<Vec<Found>, reader::ReadError> {
        let mut end = self.end.load(Ordering::Relaxed);
        if from > end {
            end = self.last().await?.unwrap_or_default();
        }
        let mut found = Vec::new();
        if from > end {
            return Ok(found);
        }
        let mut scan = self.scan.lock().await;
        let mut cursor = match scan.take() {
            Some((next, cursor)) if next == from => cursor,
            _ => self.attach(Place::Sequence(from)).await?,
        };
        let mut read = 0;
        loop {
            let (sequence, delivery) = cursor.next_in_time().await?;
            read += delivery.data.len();
            found.push(of_delivery(sequence, delivery));
            if sequence >= end || found.len() >= limit.get() || read >= bytes {
                *scan = Some((sequence.saturating_add(1), cursor));
                return Ok(found);
            }
        }
    }

    async fn near(&self, time: Timestamp) -> Result<Option<u64>, reader::ReadError> {
        offsets::by_halving(self, time).await
    }
}

/// Reads what a stream delivered.
pub(super) fn of_delivery(sequence: u64, delivery: Delivery) -> Found {
    let event = message::entry(sequence, &delivery);
    Found {
        sequence,
        event: event.map(|entry| (entry, Bytes::from(delivery.data))),
    }
}
