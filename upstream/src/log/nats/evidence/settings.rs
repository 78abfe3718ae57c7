//! The stream of the evidence: made right, or refused.

use std::time::Duration;

use async_nats::jetstream::{
    ErrorCode,
    context::{
        Context, CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind,
    },
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream},
};
use tracing::info;

use super::EvidenceError;

/// Name of the stream.
pub(in crate::log::nats) const NAME: &str = "HOOKGATE_EVIDENCE";

const SUBJECTS: &str = "hookgate.evidence.>";

/// Finds the stream, or makes it, with as many copies as the log has.
///
/// # Errors
/// [`EvidenceError`].
pub(super) async fn ensure(context: &Context, log: &Stream) -> Result<Stream, EvidenceError> {
    if let Some(stream) = find(context).await? {
        return Ok(stream);
    }
    let copies = log.cached_info().config.num_replicas;
    context.create_stream(wanted(copies)).await?;
    info!(stream = NAME, "made the stream");
    // What the server made of it is checked like any other.
    let stream = context.get_stream(NAME).await?;
    check(&stream.cached_info().config)?;
    Ok(stream)
}

/// Tells whether the server may make the stream later: a cluster misses servers
/// that were just started or lost, for some seconds.
pub(super) fn is_short_of_servers(error: &CreateStreamError) -> bool {
    matches!(error.kind(), CreateStreamErrorKind::JetStream(error) if [
        ErrorCode::CLUSTER_NO_PEERS,
        ErrorCode::CLUSTER_INCOMPLETE,
        ErrorCode::CLUSTER_NOT_AVAILABLE,
    ]
    .contains(&error.error_code()))
}

/// Tells whether the server may show the stream later.
pub(super) fn is_unled(error: &GetStreamError) -> bool {
    match error.kind() {
        GetStreamErrorKind::JetStream(error) => {
            error.error_code() == ErrorCode::CLUSTER_NOT_AVAILABLE
        }
        GetStreamErrorKind::Request => true,
        _ => false,
    }
}

/// Finds the stream, and checks it.
///
/// # Errors
/// [`EvidenceError`].
pub(super) async fn find(context: &Context) -> Result<Option<Stream>, EvidenceError> {
    match context.get_stream(NAME).await {
        Ok(stream) => {
            check(&stream.cached_info().config)?;
            Ok(Some(stream))
        }
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn wanted(num_replicas: usize) -> Config {
    Config {
        name: NAME.to_owned(),
        description: Some("Hookgate's evidence: what the log was when it was sealed".to_owned()),
        subjects: vec![SUBJECTS.to_owned()],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        // Nothing makes room for what is new.
        discard: DiscardPolicy::New,
        // Retention purges checkpoints of what it removed, so that can't be
        // denied as well.
        deny_delete: true,
        max_messages: -1,
        max_bytes: -1,
        num_replicas,
        ..Config::default()
    }
}

fn check(config: &Config) -> Result<(), EvidenceError> {
    let wrong = |name, found: String, expected: &str| {
        Err(EvidenceError::Settings {
            name,
            found,
            expected: expected.to_owned(),
        })
    };
    if config.subjects != [SUBJECTS] {
        return wrong("subjects", config.subjects.join(","), SUBJECTS);
    }
    if config.storage != StorageType::File {
        return wrong("storage", "memory".to_owned(), "file");
    }
    if config.max_age > Duration::ZERO {
        let age = humantime::format_duration(config.max_age);
        return wrong("max_age", age.to_string(), "0 (for ever)");
    }
    if config.discard != DiscardPolicy::New || config.max_messages_per_subject > 0 {
        let expected = "new, without a limit for each subject";
        return wrong("discard", "old".to_owned(), expected);
    }
    if config.retention != RetentionPolicy::Limits {
        let retention = format!("{:?}", config.retention).to_lowercase();
        return wrong("retention", retention, "limits");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};

    use super::{check, wanted};

    #[test]
    fn takes_the_stream_that_it_makes_and_none_that_would_forget() {
        check(&wanted(3)).unwrap();
        let changes: [fn(&mut Config); 5] = [
            |config| config.subjects = vec!["hookgate.>".to_owned()],
            |config| config.storage = StorageType::Memory,
            |config| config.max_age = Duration::from_secs(1),
            |config| config.discard = DiscardPolicy::Old,
            |config| config.max_messages_per_subject = 1,
        ];
        for change in changes {
            let mut config = wanted(1);
            change(&mut config);
            check(&config).unwrap_err();
        }
    }
}
