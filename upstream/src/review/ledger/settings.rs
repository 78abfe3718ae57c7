//! The stream of the trail: made right, or refused.

use std::time::Duration;

use async_nats::jetstream::{
    ErrorCode,
    context::{Context, GetStreamErrorKind},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream},
};
use tracing::info;

use super::LedgerError;
/// Name of the stream.
pub(crate) const NAME: &str = "HOOKGATE_AUDIT";

const SUBJECTS: &str = "hookgate.audit.>";

/// Finds the stream, or makes it.
///
/// # Errors
/// [`LedgerError`].
pub(super) async fn ensure(context: &Context, copies: usize) -> Result<Stream, LedgerError> {
    if let Some(stream) = find(context).await? {
        return Ok(stream);
    }
    context.create_stream(wanted(copies)).await?;
    info!(stream = NAME, "made the stream");
    // What the server made of it is checked like any other.
    let stream = context.get_stream(NAME).await?;
    check(&stream.cached_info().config)?;
    Ok(stream)
}

/// Finds the stream, and checks it.
///
/// # Errors
/// [`LedgerError`].
pub(super) async fn find(context: &Context) -> Result<Option<Stream>, LedgerError> {
    match context.get_stream(NAME).await {
        Ok(stream) => {
            check(&stream.cached_info().config)?;
            Ok(Some(stream))
        }
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

fn wanted(num_replicas: usize) -> Config {
    Config {
        name: NAME.to_owned(),
        description: Some("Hookgate's audit trail: who decided what, when and why".to_owned()),
        subjects: vec![SUBJECTS.to_owned()],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        // Nothing makes room for what is new.
        discard: DiscardPolicy::New,
        // The server never takes these two back.
        deny_delete: true,
        deny_purge: true,
        allow_atomic_publish: true,
        max_messages: -1,
        max_bytes: -1,
        num_replicas,
        ..Config::default()
    }
}

/// Checks that nothing can be removed or replaced.
fn check(config: &Config) -> Result<(), LedgerError> {
    let keeps_all = config.max_messages <= 0
        && config.max_bytes <= 0
        && config.max_messages_per_subject <= 0
        && config.max_age == Duration::ZERO
        && config.retention == RetentionPolicy::Limits
        && config.discard == DiscardPolicy::New
        && config.storage == StorageType::File;
    let is_guarded = config.deny_delete
        && config.deny_purge
        && !config.allow_rollup
        && !config.allow_message_ttl
        && config.subjects == [SUBJECTS];
    if keeps_all && is_guarded && config.allow_atomic_publish {
        Ok(())
    } else {
        Err(LedgerError::Unguarded)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

    use super::{LedgerError, check, wanted};

    #[test]
    fn takes_the_stream_that_it_makes_and_none_that_something_can_be_removed_from() {
        check(&wanted(3)).unwrap();
        let changes: [fn(&mut Config); 12] = [
            |it| it.deny_delete = false,
            |it| it.deny_purge = false,
            |it| it.allow_rollup = true,
            |it| it.allow_message_ttl = true,
            |it| it.max_age = Duration::from_secs(1),
            |it| it.max_messages = 1,
            |it| it.max_bytes = 1,
            |it| it.max_messages_per_subject = 1,
            |it| it.discard = DiscardPolicy::Old,
            |it| it.retention = RetentionPolicy::WorkQueue,
            |it| it.storage = StorageType::Memory,
            |it| it.subjects = vec!["hookgate.>".to_owned()],
        ];
        for change in changes {
            let mut config = wanted(1);
            change(&mut config);
            let refused = check(&config).unwrap_err();
            assert!(matches!(refused, LedgerError::Unguarded), "{config:?}");
        }
    }
}
