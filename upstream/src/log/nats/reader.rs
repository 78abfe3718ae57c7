//! Reads the stream while servers may be appending to it.

use std::{collections::VecDeque, num::NonZeroUsize};

use async_nats::{
    datetime::DateTime,
    jetstream::{
        self,
        consumer::DeliverPolicy,
        context::{GetStreamError, GetStreamErrorKind},
        stream::{InfoError, Stream},
    },
};
use bytes::Bytes;
use futures_util::TryStreamExt;
use hookgate_core::{identity::Source, time::Timestamp};

use super::{
    ConnectError, REQUEST_TIMEOUT, Servers, connection,
    insistent::{Insistent, Part, end_of},
    message, stream,
};
use crate::log::{Entry, LogAddress, Query, reader};

/// How many messages are looked through at a time, from the newest backwards.
const CHUNK: u64 = 5_000;

/// Says why the stream can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The server can't be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There is no stream.
    #[error(
        "there is no stream `{}` at {address}: `hookgate serve --log {address}` makes it",
        stream::NAME
    )]
    Missing {
        /// Where.
        address: LogAddress,
    },
    /// JetStream is off, or doesn't answer.
    #[error("can't read the stream `{name}`: {0}", name = stream::NAME)]
    Stream(#[from] GetStreamError),
    /// The server doesn't list subjects.
    #[error("can't list the subjects of the stream `{name}`: {0}", name = stream::NAME)]
    Subjects(#[from] InfoError),
    /// The server doesn't hand out messages.
    #[error("can't read messages of the stream `{name}`: {0}", name = stream::NAME)]
    Messages(#[source] async_nats::Error),
    /// The consumer that follows the stream ended.
    #[error("the server hands out no more messages: is the stream `{name}` still there? Begin again with --from SEQUENCE", name = stream::NAME)]
    Ended,
}

/// Reads the stream, and never writes it.
#[derive(Debug)]
pub(crate) struct NatsReader {
    pub(super) stream: Stream,
}

impl NatsReader {
    /// Connects and finds the stream.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn open(server: &Servers) -> Result<Self, ReadError> {
        let client = connection::connect(server).await?;
        let context = jetstream::context::ContextBuilder::new()
            .timeout(REQUEST_TIMEOUT)
            .build(client);
        match context.get_stream(stream::NAME).await {
            Ok(stream) => Ok(Self { stream }),
            Err(error) => Err(match error.kind() {
                GetStreamErrorKind::JetStream(refusal)
                    if refusal.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND =>
                {
                    let address = LogAddress::Nats(server.clone());
                    ReadError::Missing { address }
                }
                _ => error.into(),
            }),
        }
    }

    /// Returns the newest events that match, in the order of the log.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn events(&self, query: &Query) -> Result<Vec<Entry>, reader::ReadError> {
        let state = &self.stream.cached_info().state;
        let mut newest_first = VecDeque::new();
        let mut end = end_of(&self.stream);
        while end > state.first_sequence && newest_first.len() < query.limit.get() {
            let start = end.saturating_sub(CHUNK).max(state.first_sequence);
            let chunk = self.chunk(start, end).await?;
            for entry in chunk.into_iter().rev().filter(|entry| query.matches(entry)) {
                if newest_first.len() < query.limit.get() {
                    newest_first.push_front(entry);
                }
            }
            end = start;
        }
        Ok(newest_first.into())
    }

    /// Reads the headers of the messages from `start` to before `end`.
    async fn chunk(&self, start: u64, end: u64) -> Result<Vec<Entry>, reader::ReadError> {
        let count = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        let start = start.max(1);
        let mut messages = Insistent::from_sequence(&self.stream, start..end, count, Part::Headers);
        let mut entries = Vec::new();
        while let Some((sequence, message)) = messages.next().await? {
            if sequence >= end {
                break;
            }
            let info = message.info().map_err(ReadError::Messages)?;
            let headers = message.headers.clone().unwrap_or_default();
            let size = headers
                .get("Nats-Msg-Size")
                .and_then(|size| size.as_str().parse().ok())
                .unwrap_or_default();
            entries.push(message::entry(
                info.stream_sequence,
                timestamp(info.published.unix_timestamp_nanos()),
                size,
                &headers,
            )?);
        }
        Ok(entries)
    }

    /// Returns what the stream has from a sequence on, with payloads, until they
    /// are more than `bytes`.
    ///
    /// # Errors
    /// [`reader::ReadError`].
    pub(crate) async fn scan(
        &self,
        from: u64,
        limit: NonZeroUsize,
        bytes: usize,
    ) -> Result<Vec<(Entry, Bytes)>, reader::ReadError> {
        let range = from.max(1)..end_of(&self.stream);
        let limit = limit.get();
        let mut messages = Insistent::from_sequence(&self.stream, range, limit, Part::Whole);
        let mut found = Vec::new();
        let mut read = 0;
        while let Some((_, message)) = messages.next().await? {
            let info = message.info().map_err(ReadError::Messages)?;
            let stored_at = timestamp(info.published.unix_timestamp_nanos());
            let size = u64::try_from(message.payload.len()).unwrap_or(u64::MAX);
            let headers = message.headers.clone().unwrap_or_default();
            let entry = message::entry(info.stream_sequence, stored_at, size, &headers)?;
            read += message.payload.len();
            found.push((entry, message.payload.clone()));
            if read >= bytes {
                break;
            }
        }
        Ok(found)
    }

    /// Returns the sequence of the first message at a time or later.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn first_at(&self, time: Timestamp) -> Result<Option<u64>, ReadError> {
        let nanos = i128::from(time.unix_millis()) * 1_000_000;
        // The server counts nanoseconds in 64 bits: later than that is nothing.
        let within = i64::try_from(nanos).is_ok();
        let Some(start_time) = DateTime::from_unix_timestamp_nanos(nanos)
            .ok()
            .filter(|_| within)
        else {
            return Ok(None);
        };
        let policy = DeliverPolicy::ByStartTime { start_time };
        // The newest is that young, or nothing is.
        let end = end_of(&self.stream);
        let newest = end.saturating_sub(1);
        let known = match self.stream.get_raw_message(newest).await {
            Ok(message) if message.time < start_time => return Ok(None),
            Ok(_) => newest..end,
            Err(_) => end..end,
        };
        let mut messages = Insistent::first_from(&self.stream, policy, known);
        let first = messages.next().await?;
        Ok(first.map(|(sequence, _)| sequence))
    }

    /// Returns the events with this ID, one per source.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn event(
        &self,
        id: &str,
        source: Option<&Source>,
    ) -> Result<Vec<(Entry, Bytes)>, reader::ReadError> {
        let wanted = message::subject(source.map_or("*", Source::as_str), id);
        let subjects: Vec<(String, usize)> = self
            .stream
            .info_with_subjects(wanted)
            .await
            .map_err(ReadError::from)?
            .try_collect()
            .await
            .map_err(ReadError::from)?;
        let mut found = Vec::new();
        for (subject, _) in subjects {
            let message = self
                .stream
                .get_last_raw_message_by_subject(&subject)
                .await
                .map_err(|error| ReadError::Messages(error.into()))?;
            let size = u64::try_from(message.payload.len()).unwrap_or(u64::MAX);
            let stored_at = timestamp(message.time.unix_timestamp_nanos());
            let entry = message::entry(message.sequence, stored_at, size, &message.headers)?;
            found.push((entry, message.payload));
        }
        found.sort_by_key(|(entry, _)| entry.sequence);
        Ok(found)
    }
}

pub(super) fn timestamp(nanos: i128) -> Timestamp {
    Timestamp::from_unix_millis(u64::try_from(nanos / 1_000_000).unwrap_or_default())
}
