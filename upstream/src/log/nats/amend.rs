//! A change of one setting of a stream. All else stays as it is, also what this
//! client doesn't know.

use async_nats::jetstream::{self, context::Context, context::RequestError};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Says why a stream's settings stay as they are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AmendError {
    /// The server doesn't answer.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The server refuses.
    #[error(transparent)]
    Refused(#[from] jetstream::Error),
    /// The server shows no settings.
    #[error("the server shows no settings")]
    Form,
}

/// Is what the server answers to a question for a stream.
#[derive(Deserialize)]
struct Answer {
    config: Option<Value>,
    error: Option<jetstream::Error>,
}

/// Changes the settings of a stream, as the server writes them.
///
/// # Errors
/// [`AmendError`].
pub(crate) async fn amend(
    context: &Context,
    stream: &str,
    change: impl FnOnce(&mut Map<String, Value>),
) -> Result<(), AmendError> {
    let mut config = ask(context, stream, "INFO", &Value::Null).await?;
    change(config.as_object_mut().ok_or(AmendError::Form)?);
    ask(context, stream, "UPDATE", &config).await?;
    Ok(())
}

async fn ask(
    context: &Context,
    stream: &str,
    verb: &str,
    question: &Value,
) -> Result<Value, AmendError> {
    let answer = context.request(format!("STREAM.{verb}.{stream}"), question);
    let answer: Answer = answer.await?;
    match (answer.config, answer.error) {
        (_, Some(error)) => Err(error.into()),
        (config, None) => Ok(config.unwrap_or_default()),
    }
}
