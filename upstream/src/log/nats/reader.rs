//! Reads the stream while servers may be appending to it.

use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroUsize,
    ops::Range,
};

use async_nats::{
    Client,
    datetime::DateTime,
    jetstream::{
        self,
        context::{Context, GetStreamError, GetStreamErrorKind, RequestError},
        message::StreamMessage,
        response::Response,
        stream::Stream,
    },
};
use bytes::Bytes;
use hookgate_core::{identity::Source, time::Timestamp};
use serde::{Deserialize, Serialize};
use tokio::try_join;

use super::{
    ConnectError, REQUEST_TIMEOUT, Servers, connection,
    event::Placed,
    message::{self, Stored},
    newest::newest,
    stream,
    walk::Walk,
};
use crate::log::{Damage, Entry, LogAddress, Query, reader};

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
    Subjects(#[from] RequestError),
    /// It refused to.
    #[error("can't list the subjects of the stream `{name}`: {0}", name = stream::NAME)]
    Refused(jetstream::Error),
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
    pub(super) context: Context,
    pub(super) stream: Stream,
}

impl NatsReader {
    /// Connects and finds the stream.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn open(server: &Servers) -> Result<Self, ReadError> {
        let client = connection::connect(server).await?;
        Self::over(client, server).await
    }

    /// Finds the stream over a connection that is kept.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn kept(connection: &connection::Kept) -> Result<Self, ReadError> {
        Self::over(connection.client().await?, connection.server()).await
    }

    async fn over(client: Client, server: &Servers) -> Result<Self, ReadError> {
        let context = jetstream::context::ContextBuilder::new()
            .timeout(REQUEST_TIMEOUT)
            .build(client);
        match context.get_stream(stream::NAME).await {
            Ok(stream) => Ok(Self { context, stream }),
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

    /// Returns the newest sequence when the stream was opened; `None` if it was
    /// empty.
    pub(crate) fn last(&self) -> Option<u64> {
        let state = &self.stream.cached_info().state;
        (state.messages > 0).then_some(state.last_sequence)
    }

    /// Returns the connection.
    pub(crate) const fn context(&self) -> &Context {
        &self.context
    }

    /// Returns the stream.
    pub(crate) const fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Returns the newest events that match, in the order of the log.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn events(&self, query: &Query) -> Result<Vec<Entry>, reader::ReadError> {
        let state = &self.stream.cached_info().state;
        let mut newest_first = VecDeque::new();
        let mut end = state.last_sequence.saturating_add(1);
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

    /// Reads the events from `start` to before `end`, without payloads.
    ///
    /// # Errors
    /// [`reader::ReadError`].
    pub(crate) async fn chunk(
        &self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, reader::ReadError> {
        let count = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        let most = NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN);
        let mut messages = self.walk(start).headers_only().at_most(most);
        let mut seen = Seen::default();
        let last = end.saturating_sub(1);
        while let Some((sequence, message)) = read(messages.next(last).await)? {
            if sequence > last {
                break;
            }
            seen.take(Placed::of(&message).map_err(ReadError::Messages)?)?;
            if sequence == last {
                break;
            }
        }
        let found = self.with_redacted(seen, start..end).await?;
        Ok(found.into_iter().map(|(entry, _)| entry).collect())
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
        let info = self.stream.get_info().await.map_err(ReadError::from)?;
        let end = info.state.last_sequence.saturating_add(1);
        let mut from = from.max(info.state.first_sequence).max(1);
        let mut messages = self.walk(from).at_most(limit);
        // Only tombstones are nothing.
        while from < end {
            let (mut seen, mut bytes_read) = (Seen::default(), 0);
            let mut next = end;
            while let Some((sequence, message)) = read(messages.next(end - 1).await)? {
                if sequence >= end {
                    break;
                }
                bytes_read += message.payload.len();
                seen.take(Placed::of(&message).map_err(ReadError::Messages)?)?;
                if seen.events.len() >= limit.get() || bytes_read >= bytes || sequence + 1 == end {
                    next = sequence + 1;
                    break;
                }
            }
            let found = self.with_redacted(seen, from..next).await?;
            if !found.is_empty() {
                return Ok(found);
            }
            from = next;
        }
        Ok(Vec::new())
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
        let info = self.stream.get_info().await?;
        let newest = info.state.last_sequence;
        // It is that young, or nothing is.
        if info.state.messages == 0 || info.state.last_timestamp < start_time {
            return Ok(None);
        }
        let messages = self.walk(1).at(start_time, &stream::all_subjects());
        let first = read(messages.headers_only().next(newest).await)?;
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
        let source = source.map_or("*", Source::as_str);
        let (subjects, tombstones) = try_join!(
            self.subjects(message::subject(source, id)),
            self.subjects(message::tombstone_subject(source, id)),
        )?;
        let mut found: Vec<(Entry, Bytes)> = Vec::new();
        for subject in tombstones.into_iter().chain(subjects) {
            // It may be going while we look.
            let Some(message) = self.newest(&subject).await? else {
                continue;
            };
            let (entry, payload) = Placed::shown(message).entry()?;
            // What is being redacted is redacted.
            let has = |(other, _): &(Entry, _)| other.sequence == entry.sequence;
            if !found.iter().any(has) {
                found.push((entry, payload));
            }
        }
        found.sort_by_key(|(entry, _)| entry.sequence);
        Ok(found)
    }

    /// Tells whether the stream has an identity, or its tombstone.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn has(&self, source: &Source, id: &str) -> Result<bool, ReadError> {
        let subject = message::subject(source.as_str(), id);
        if self.newest(&subject).await?.is_some() {
            return Ok(true);
        }
        let tombstone = message::tombstone_subject(source.as_str(), id);
        Ok(self.newest(&tombstone).await?.is_some())
    }

    /// Walks through the stream from a sequence on.
    pub(super) fn walk(&self, from: u64) -> Walk {
        let largest = self.context.client().server_info().max_payload;
        Walk::start(&self.stream, from, largest)
    }

    async fn newest(&self, subject: &str) -> Result<Option<StreamMessage>, ReadError> {
        let newest = newest(&self.stream, subject).await;
        newest.map_err(ReadError::Messages)
    }

    /// Returns the subjects of an identity: one for each source, so that the
    /// first page of the server's answer has them all.
    async fn subjects(&self, wanted: String) -> Result<Vec<String>, ReadError> {
        let request = format!("STREAM.INFO.{}", stream::NAME);
        let wanted = SubjectsOf {
            subjects_filter: wanted,
        };
        let found: Response<Found> = self.context.request(request, &wanted).await?;
        match found {
            Response::Ok(found) => Ok(found.state.subjects.into_keys().collect()),
            Response::Err { error } => Err(ReadError::Refused(error)),
        }
    }

    /// Adds what is left of redacted events to what was seen of a range. They
    /// are gone from it.
    async fn with_redacted(
        &self,
        seen: Seen,
        range: Range<u64>,
    ) -> Result<Vec<(Entry, Bytes)>, reader::ReadError> {
        let mut found = seen.events;
        if seen.places == range.end.saturating_sub(range.start) {
            return Ok(found);
        }
        let largest = self.context.client().server_info().max_payload;
        let tombstones = Walk::start(&self.stream, 1, largest);
        let mut tombstones = tombstones.of(&message::tombstone_subjects()).headers_only();
        while let Some((_, message)) = tombstones
            .next(u64::MAX)
            .await
            .map_err(ReadError::Messages)?
        {
            let placed = Placed::of(&message).map_err(ReadError::Messages)?;
            let (entry, nothing) = placed.entry()?;
            if range.contains(&entry.sequence) {
                found.retain(|(other, _)| other.sequence != entry.sequence);
                found.push((entry, nothing));
            }
        }
        found.sort_by_key(|(entry, _)| entry.sequence);
        Ok(found)
    }
}

fn read<T>(read: Result<T, async_nats::Error>) -> Result<T, ReadError> {
    read.map_err(ReadError::Messages)
}

/// Asks for the subjects of the stream.
#[derive(Serialize)]
struct SubjectsOf {
    /// With wildcards.
    subjects_filter: String,
}

/// Holds of the answer what is asked for.
#[derive(Deserialize)]
struct Found {
    state: FoundSubjects,
}

#[derive(Deserialize)]
struct FoundSubjects {
    /// How many messages each has; absent if there is none.
    #[serde(default)]
    subjects: HashMap<String, u64>,
}

/// Holds what was seen of a range.
#[derive(Default)]
struct Seen {
    events: Vec<(Entry, Bytes)>,
    /// How many sequences have a message.
    places: u64,
}

impl Seen {
    fn take(&mut self, placed: Placed) -> Result<(), Damage> {
        self.places = self.places.saturating_add(1);
        if let Stored::Event(entry) = placed.stored? {
            self.events.push((entry, placed.payload));
        }
        Ok(())
    }
}

pub(crate) fn timestamp(nanos: i128) -> Timestamp {
    Timestamp::from_unix_millis(u64::try_from(nanos / 1_000_000).unwrap_or_default())
}
