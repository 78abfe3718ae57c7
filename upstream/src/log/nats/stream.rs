//! The stream's settings: made right, or refused with what mends them.
//!
//! Every setting checked here breaks a promise if it is wrong, so a stream
//! that somebody made otherwise is not used.

use std::{error::Error as _, fmt, num::NonZeroUsize, time::Duration};

use async_nats::jetstream::{
    ErrorCode,
    context::{
        Context, CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind,
        RequestError, RequestErrorKind,
    },
    stream::{Config, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType, Stream},
};
use tracing::{info, warn};

use super::HEADER_BYTES;
use crate::log::{Limits, LogAddress};

/// Name of the stream.
pub(crate) const NAME: &str = "HOOKGATE";

/// What every subject of an event starts with.
pub(super) const SUBJECT_PREFIX: &str = "hookgate.event";

/// Stripe sends an event again for up to 30 days (CLI resends, List Events):
/// the log must remember it for as long.
pub(super) const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Says why the stream can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// Somebody made it with other settings.
    #[error(transparent)]
    Settings(Box<WrongSettings>),
    /// JetStream is off, or doesn't answer.
    #[error(
        "the NATS server does not answer for the stream `{NAME}`: {0}. JetStream must be on (`jetstream {{}}` in the server's configuration, or `nats-server -js`)"
    )]
    Get(#[from] GetStreamError),
    /// There are fewer servers than copies asked for.
    #[error(
        "can't keep {replicas} copies of each event: {source}. --replicas {replicas} needs a cluster of at least {replicas} servers with JetStream, all of them running when the stream is made; with one server leave it out"
    )]
    Replicas {
        /// How many were asked for.
        replicas: NonZeroUsize,
        /// What there would have to be.
        missing: Missing,
        /// What the server said.
        source: CreateStreamError,
    },
    /// It can't be made.
    #[error("the NATS server does not make the stream `{NAME}`: {0}")]
    Create(#[from] CreateStreamError),
}

/// Names what copies need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The server is alone.
    Cluster,
    /// Not all of the cluster's servers are there.
    Servers,
}

impl StreamError {
    /// Tells whether it may pass by itself: a cluster that has no leader yet, or
    /// not all of its servers.
    pub(super) fn is_away(&self) -> bool {
        match self {
            Self::Settings(_) => false,
            Self::Replicas { missing, .. } => *missing == Missing::Servers,
            Self::Get(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error) => is_without_leader(error.error_code()),
                _ => is_silence(error),
            },
            Self::Create(error) => match error.kind() {
                CreateStreamErrorKind::JetStream(error) => is_without_leader(error.error_code()),
                kind => kind == CreateStreamErrorKind::TimedOut,
            },
        }
    }
}

fn is_without_leader(code: ErrorCode) -> bool {
    code == ErrorCode::CLUSTER_NOT_AVAILABLE
}

/// Tells a cluster that can't decide, which says nothing, from a server without
/// JetStream, which says so.
fn is_silence(error: &GetStreamError) -> bool {
    let source = error.source();
    let request = source.and_then(|source| source.downcast_ref::<RequestError>());
    request.is_some_and(|error| error.kind() == RequestErrorKind::TimedOut)
}

/// Lists settings that would break a promise.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongSettings {
    server: String,
    found: Vec<WrongSetting>,
}

/// Names one of them.
#[derive(Debug, PartialEq, Eq)]
struct WrongSetting {
    name: &'static str,
    found: String,
    expected: String,
    /// The flag of `nats stream edit` that mends it; `None` if the server
    /// doesn't change this setting of an existing stream.
    flag: Option<String>,
}

/// Makes the stream if there is none, checks it if there is.
///
/// # Errors
/// [`StreamError`].
pub(super) async fn ensure(
    context: &Context,
    server: &LogAddress,
    limits: Limits,
) -> Result<Stream<()>, StreamError> {
    let Limits { replicas, .. } = limits;
    let stream = match context.get_stream(NAME).await {
        Ok(stream) => stream,
        Err(error) if is_missing(&error) => {
            let stream = context.create_stream(wanted(replicas)).await;
            let stream = stream.map_err(|source| refused(replicas, source))?;
            info!(stream = NAME, %replicas, "made the stream");
            // What the server made of it is checked like any other.
            stream
        }
        Err(error) => return Err(error.into()),
    };
    let info = stream.cached_info();
    if info.cluster.is_some() && info.config.num_replicas == 1 {
        warn!(
            "the stream has one copy, on one server of the cluster: whoever loses that server loses the log. --replicas 3 asks for three"
        );
    }
    let found = wrong_settings(&info.config, limits);
    if !found.is_empty() {
        let server = server.to_string();
        return Err(StreamError::Settings(Box::new(WrongSettings {
            server,
            found,
        })));
    }
    Ok(context.get_stream_no_info(NAME).await?)
}

fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

/// Tells what is wrong with the cluster from what is wrong with the stream.
fn refused(replicas: NonZeroUsize, source: CreateStreamError) -> StreamError {
    let missing = match source.kind() {
        CreateStreamErrorKind::JetStream(refusal) => match refusal.error_code() {
            ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED => Some(Missing::Cluster),
            ErrorCode::CLUSTER_NO_PEERS | ErrorCode::CLUSTER_INCOMPLETE => Some(Missing::Servers),
            _ => None,
        },
        _ => None,
    };
    match missing {
        Some(missing) => StreamError::Replicas {
            replicas,
            missing,
            source,
        },
        None => source.into(),
    }
}

/// The stream that is made where there is none.
fn wanted(replicas: NonZeroUsize) -> Config {
    Config {
        name: NAME.to_owned(),
        description: Some("Hookgate's durable log: one subject per event".to_owned()),
        subjects: vec![all_subjects()],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        discard_new_per_subject: true,
        max_messages_per_subject: 1,
        max_messages: -1,
        max_bytes: -1,
        max_age: Duration::ZERO,
        num_replicas: replicas.get(),
        ..Config::default()
    }
}

/// Names the subjects of everything in the stream.
pub(super) fn all_subjects() -> String {
    format!("{SUBJECT_PREFIX}.>")
}

fn wrong_settings(config: &Config, limits: Limits) -> Vec<WrongSetting> {
    let mut wrong = Vec::new();
    let mut check = |holds: bool, name, found: String, expected: &str, flag: Option<&str>| {
        if !holds {
            wrong.push(WrongSetting {
                name,
                found,
                expected: expected.to_owned(),
                flag: flag.map(str::to_owned),
            });
        }
    };
    let subjects = [all_subjects()];
    check(
        config.subjects == subjects,
        "subjects",
        config.subjects.join(","),
        &subjects.join(","),
        Some("--subjects='hookgate.event.>'"),
    );
    check(
        config.discard == DiscardPolicy::New,
        "discard",
        "old".to_owned(),
        "new",
        Some("--discard=new"),
    );
    check(
        config.max_messages_per_subject == 1,
        "max_msgs_per_subject",
        config.max_messages_per_subject.to_string(),
        "1",
        Some("--max-msgs-per-subject=1"),
    );
    check(
        config.discard_new_per_subject,
        "discard_new_per_subject",
        "false".to_owned(),
        "true",
        Some("--discard-per-subject"),
    );
    check(
        config.max_age.is_zero(),
        "max_age",
        humantime::format_duration(config.max_age).to_string(),
        "0 (`hookgate serve --keep` removes by age, and leaves evidence of it)",
        Some("--max-age=0s"),
    );
    check(
        !config.no_ack,
        "no_ack",
        "true".to_owned(),
        "false",
        Some("--ack"),
    );
    let replicas = limits.replicas;
    check(
        // A server without a cluster may say 0.
        config.num_replicas.max(1) >= replicas.get(),
        "num_replicas",
        config.num_replicas.to_string(),
        &format!("at least {replicas}"),
        Some(&format!("--replicas={replicas}")),
    );
    let largest = limits.max_payload_bytes.saturating_add(HEADER_BYTES);
    check(
        usize::try_from(config.max_message_size).map_or(true, |size| size == 0 || size >= largest),
        "max_msg_size",
        config.max_message_size.to_string(),
        &format!("-1 or at least {largest}"),
        Some("--max-msg-size=-1"),
    );
    check(
        config.subject_transform.is_none(),
        "subject_transform",
        "set".to_owned(),
        "none",
        Some("--no-transform"),
    );
    check(
        config.storage == StorageType::File,
        "storage",
        "memory".to_owned(),
        "file",
        None,
    );
    check(
        config.retention == RetentionPolicy::Limits,
        "retention",
        format!("{:?}", config.retention).to_lowercase(),
        "limits",
        None,
    );
    check(
        config.persist_mode != Some(PersistenceMode::Async),
        "persist_mode",
        "async".to_owned(),
        "default",
        None,
    );
    check(
        config.sources.as_ref().is_none_or(Vec::is_empty),
        "sources",
        "set".to_owned(),
        "none",
        None,
    );
    check(
        config.mirror.is_none() && !config.sealed,
        "mirror, sealed",
        "set".to_owned(),
        "none",
        None,
    );
    wrong
}

impl fmt::Display for WrongSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the stream `{NAME}` is not as the log needs it:")?;
        for WrongSetting {
            name,
            found,
            expected,
            ..
        } in &self.found
        {
            writeln!(f, "  {name}: found `{found}`, expected {expected}")?;
        }
        let server = &self.server;
        let flags: Option<Vec<&str>> = self.found.iter().map(|w| w.flag.as_deref()).collect();
        match flags {
            Some(flags) => write!(
                f,
                "Mend it, then start hookgate again:\n  nats --server {server} stream edit {NAME} {}",
                flags.join(" ")
            ),
            None => write!(
                f,
                "These can't all be changed in place. Keep a copy of the stream and remove it; hookgate makes it anew when it starts:\n  nats --server {server} stream backup {NAME} ./{NAME}-backup\n  nats --server {server} stream rm {NAME}"
            ),
        }
    }
}

impl std::error::Error for WrongSettings {}

#[cfg(test)]
mod tests {
    use super::{Config, Limits, StorageType, WrongSettings, wrong_settings};
    use async_nats::jetstream::stream::Source;
    use std::{num::NonZeroUsize, time::Duration};

    const DAY: Duration = Duration::from_secs(86_400);

    fn limits(replicas: usize) -> Limits {
        Limits {
            queue: 1,
            max_payload_bytes: 1_000,
            keep: None,
            replicas: NonZeroUsize::new(replicas).unwrap(),
        }
    }

    fn wanted() -> Config {
        super::wanted(NonZeroUsize::MIN)
    }

    fn names(config: &Config) -> Vec<&'static str> {
        wrong_settings(config, limits(1))
            .iter()
            .map(|wrong| wrong.name)
            .collect()
    }

    #[test]
    fn takes_the_stream_that_it_makes() {
        assert_eq!(names(&wanted()), Vec::<&str>::new());
    }

    #[test]
    fn refuses_a_stream_that_removes_events_by_itself() {
        let config = Config {
            max_age: 365 * DAY,
            ..wanted()
        };
        assert_eq!(names(&config), ["max_age"]);
    }

    #[test]
    fn takes_more_copies_than_asked_for_and_no_fewer() {
        for (found, wrong) in [(1, true), (2, true), (3, false), (5, false)] {
            let config = Config {
                num_replicas: found,
                ..wanted()
            };
            let wrong_ones = wrong_settings(&config, limits(3));
            assert_eq!(!wrong_ones.is_empty(), wrong, "{found}: {wrong_ones:?}");
        }
    }

    #[test]
    fn refuses_a_stream_that_others_fill() {
        let source = Source {
            name: "OTHER".to_owned(),
            ..Source::default()
        };
        let sourced = Config {
            sources: Some(vec![source.clone()]),
            ..wanted()
        };
        assert_eq!(names(&sourced), ["sources"]);
        let mirror = Config {
            mirror: Some(source),
            ..wanted()
        };
        assert_eq!(names(&mirror), ["mirror, sealed"]);
    }

    #[test]
    fn says_how_to_mend_a_stream() {
        let config = Config {
            discard_new_per_subject: false,
            max_age: DAY,
            ..wanted()
        };
        let wrong = WrongSettings {
            server: "nats://127.0.0.1:4222".to_owned(),
            found: wrong_settings(&config, limits(1)),
        };
        assert_eq!(
            wrong.to_string(),
            "the stream `HOOKGATE` is not as the log needs it:\n  \
               discard_new_per_subject: found `false`, expected true\n  \
               max_age: found `1day`, expected 0 (`hookgate serve --keep` removes by age, and leaves evidence of it)\n\
             Mend it, then start hookgate again:\n  \
               nats --server nats://127.0.0.1:4222 stream edit HOOKGATE --discard-per-subject --max-age=0s"
        );
    }

    #[test]
    fn says_when_a_stream_must_be_made_anew() {
        let config = Config {
            storage: StorageType::Memory,
            max_message_size: 500,
            ..wanted()
        };
        assert_eq!(names(&config), ["max_msg_size", "storage"]);
        let wrong = WrongSettings {
            server: "nats://127.0.0.1:4222".to_owned(),
            found: wrong_settings(&config, limits(1)),
        };
        assert!(wrong.to_string().ends_with("stream rm HOOKGATE"), "{wrong}");
    }
}
