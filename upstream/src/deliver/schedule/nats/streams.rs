//! The streams beside the log's.

use std::time::Duration;

use async_nats::jetstream::{
    self, ErrorCode, Message,
    context::{Context, CreateStreamError, GetStreamError, GetStreamErrorKind},
    response::Response,
    stream::{
        Config, ConsumerError, DeleteMessageError, DeleteMessageErrorKind, InfoError,
        RawMessageErrorKind, Stream,
    },
};
use bytes::Bytes;
use hookgate_core::time::Timestamp;
use serde_json::{Map, Value, json};

use super::records;
use crate::{
    log::{
        Entry, ReadError,
        nats::{self, AmendError, ConnectError, EvidenceError, Servers},
    },
    review::{Ledger, LedgerError},
};

/// How long attempts are kept.
const ATTEMPTS_KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Says why JetStream can't hold the schedule.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The server can't be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A stream can't be made.
    #[error(
        "the NATS server does not make the stream `{name}` for deliveries: {source}. Scheduled messages need nats-server 2.12 or later"
    )]
    Stream {
        /// Which.
        name: &'static str,
        /// Why.
        source: CreateStreamError,
    },
    /// Upstreams that share a log would have to wait for each other.
    #[error(
        "destination `{name}`: `order = \"object\"` needs a log `sqlite:PATH`: several upstreams may deliver from a NATS log, and none knows what the others have under way. Take it out, or have the receiver go by `created`"
    )]
    Order {
        /// Which.
        name: String,
    },
    /// The log's stream isn't there.
    #[error("the NATS server does not show the log's stream: {0}")]
    Log(#[from] GetStreamError),
    /// The log's stream doesn't say where it ends.
    #[error("the NATS server does not say where the log ends: {0}")]
    Info(#[from] InfoError),
    /// What was acknowledged in the log's stream would be on fewer servers here.
    #[error(
        "the stream `{name}` has {found} copies, expected at least {expected} as the log's stream has. Mend it, then start hookgate again:\n  nats --server {server} stream edit {name} --replicas={expected}"
    )]
    Replicas {
        /// Which.
        name: String,
        /// Copies that it has.
        found: usize,
        /// Copies that the log has.
        expected: usize,
        /// Where.
        server: Servers,
    },
    /// A stream of an earlier version can't be changed.
    #[error(
        "the NATS server does not change the stream `{name}`: {source}. Messages that are stored together need nats-server 2.12 or later"
    )]
    Amend {
        /// Which.
        name: &'static str,
        /// Why.
        source: AmendError,
    },
    /// The audit trail can't be had.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The log doesn't say which it is.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// What people go by when they decide can't be written down.
    #[error("the NATS server does not keep who must approve: {0}")]
    Rules(#[source] async_nats::Error),
    /// A consumer can't be made.
    #[error("the NATS server does not make the consumer of destination `{name}`: {source}")]
    Consumer {
        /// Of which destination.
        name: String,
        /// Why.
        source: ConsumerError,
    },
}

/// Holds the streams.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) log: Stream,
    pub(super) retry: Stream,
    pub(super) review: Stream,
    pub(super) attempts: Stream,
    pub(super) ledger: Ledger,
}

/// Connects for the schedule.
///
/// # Errors
/// [`OpenError::Connect`].
pub(super) async fn connect(server: &Servers) -> Result<Context, OpenError> {
    let client = nats::connect(server).await?;
    Ok(jetstream::context::ContextBuilder::new()
        .timeout(nats::REQUEST_TIMEOUT)
        .build(client))
}

pub(super) const RETRY: &str = "HOOKGATE_RETRY";
pub(super) const REVIEW: &str = "HOOKGATE_REVIEW";
pub(super) const ATTEMPTS: &str = "HOOKGATE_ATTEMPTS";

/// Finds one of the streams, and makes nothing; `None` if nothing was ever
/// delivered from this log.
///
/// # Errors
/// [`OpenError::Log`].
pub(super) async fn find(context: &Context, name: &str) -> Result<Option<Stream>, OpenError> {
    match context.get_stream(name).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(refusal)
                if refusal.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Ok(None)
            }
            _ => Err(error.into()),
        },
    }
}

/// Reads an event of the log; `None` if the log doesn't have it any more.
///
/// # Errors
/// [`ReadError`].
pub(super) async fn event(
    log: &Stream,
    sequence: u64,
) -> Result<Option<(Entry, Bytes)>, ReadError> {
    match log.get_raw_message(sequence).await {
        Ok(message) => nats::event_in(message).map(Some),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(nats::ReadError::Messages(error.into()).into()),
    }
}

impl Streams {
    /// Makes the streams that aren't there.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(super) async fn ensure(context: &Context) -> Result<Self, OpenError> {
        let log = context.get_stream(nats::STREAM).await?;
        let num_replicas = log.cached_info().config.num_replicas;
        let make = async |name, config: Config| {
            let config = Config {
                name: String::from(name),
                num_replicas,
                ..config
            };
            let together = config.allow_atomic_publish;
            let stream = context.get_or_create_stream(config).await;
            let stream = stream.map_err(|source| OpenError::Stream { name, source })?;
            // Earlier versions made it without.
            if together && !stream.cached_info().config.allow_atomic_publish {
                let allow = |fields: &mut Map<String, Value>| {
                    fields.insert("allow_atomic".to_owned(), true.into());
                };
                let amended = nats::amend(context, name, allow).await;
                amended.map_err(|source| OpenError::Amend { name, source })?;
            }
            Ok::<_, OpenError>(stream)
        };
        let retry = Config {
            description: Some("Hookgate's events that are tried again, at their times".to_owned()),
            subjects: vec![
                format!("{}.>", records::SCHEDULED),
                format!("{}.>", records::RETRY),
            ],
            max_messages_per_subject: 1,
            allow_message_schedules: true,
            allow_atomic_publish: true,
            allow_message_ttl: true,
            ..Config::default()
        };
        let review = Config {
            description: Some("Hookgate's events that wait for a person".to_owned()),
            subjects: vec![format!("{}.>", records::REVIEW)],
            max_messages_per_subject: 1,
            allow_atomic_publish: true,
            ..Config::default()
        };
        let attempts = Config {
            description: Some("Hookgate's attempts to deliver".to_owned()),
            subjects: vec![format!("{}.>", records::ATTEMPT)],
            max_age: ATTEMPTS_KEPT,
            ..Config::default()
        };
        Ok(Self {
            attempts: make(ATTEMPTS, attempts).await?,
            retry: make(RETRY, retry).await?,
            review: make(REVIEW, review).await?,
            ledger: Ledger::ensure(context, num_replicas).await?,
            log,
        })
    }

    /// Checks that no stream has fewer copies than the log's.
    ///
    /// # Errors
    /// [`OpenError::Replicas`].
    pub(super) fn check_replicas(&self, server: &Servers) -> Result<(), OpenError> {
        let config = |stream: &Stream| stream.cached_info().config.clone();
        let expected = config(&self.log).num_replicas;
        let ledger = self.ledger.stream();
        for stream in [&self.retry, &self.review, &self.attempts, ledger] {
            let Config {
                name, num_replicas, ..
            } = config(stream);
            if num_replicas < expected {
                return Err(OpenError::Replicas {
                    name,
                    found: num_replicas,
                    expected,
                    server: server.clone(),
                });
            }
        }
        Ok(())
    }

    /// See [`event`].
    ///
    /// # Errors
    /// [`ReadError`].
    pub(super) async fn event(&self, sequence: u64) -> Result<Option<(Entry, Bytes)>, ReadError> {
        event(&self.log, sequence).await
    }

    /// Returns when the log took the first event that it has from a sequence on.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(super) async fn stored_from(&self, sequence: u64) -> Result<Option<Timestamp>, ReadError> {
        let subjects = nats::subjects_of("*");
        let found = self
            .log
            .get_first_raw_message_by_subject(subjects, sequence);
        match found.await {
            Ok(message) => {
                let millis = message.time.unix_timestamp_nanos() / 1_000_000;
                let millis = u64::try_from(millis).unwrap_or_default();
                Ok(Some(Timestamp::from_unix_millis(millis)))
            }
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(nats::ReadError::Messages(error.into()).into()),
        }
    }
}

/// Removes the very message that made an event due again: its subject may have
/// the next one by now.
///
/// # Errors
/// [`DeleteMessageError`].
pub(super) async fn forget_retry(
    context: &Context,
    message: &Message,
) -> Result<(), DeleteMessageError> {
    match message.info() {
        Ok(info) => forget(context, RETRY, info.stream_sequence).await,
        Err(_) => Ok(()),
    }
}

/// Removes a message, if it is still there. Nothing of it is secret: it isn't
/// overwritten, which would take another sync.
///
/// # Errors
/// [`DeleteMessageError`].
pub(super) async fn forget(
    context: &Context,
    stream: &'static str,
    place: u64,
) -> Result<(), DeleteMessageError> {
    let question = json!({"seq": place, "no_erase": true});
    let answer = context.request(format!("STREAM.MSG.DELETE.{stream}"), &question);
    let refused = |error| DeleteMessageError::with_source(DeleteMessageErrorKind::Request, error);
    match answer.await.map_err(refused)? {
        Response::<Value>::Ok(_) => Ok(()),
        Response::Err { error } if is_gone(&error) => Ok(()),
        Response::Err { error } => {
            let kind = DeleteMessageErrorKind::JetStream(error);
            Err(DeleteMessageError::new(kind))
        }
    }
}

/// Tells whether the next message has taken the place of the one to be removed.
fn is_gone(error: &jetstream::Error) -> bool {
    match error.error_code() {
        ErrorCode::NO_MESSAGE_FOUND | ErrorCode::SEQUENCE_NOT_FOUND => true,
        // Says of anything that its store said no.
        ErrorCode::STREAM_MESSAGE_DELETE_FAILED => error.to_string().contains("no message found"),
        _ => false,
    }
}
