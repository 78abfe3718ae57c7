//! What the log's stream says of its evidence: the log's ID, in its metadata.
//!
//! So a log whose evidence was lost, or that was restored beside another's, is
//! not taken for a new one.

use async_nats::jetstream::{self, context::Context, stream::Stream};
use serde::Deserialize;
use serde_json::Value;

use super::EvidenceError;
use crate::{evidence::LogId, log::nats::stream};

/// Where it is.
pub(super) const KEY: &str = "hookgate-log";

/// Says that the log has no evidence yet, or no longer, for an operator.
const NONE: &str = "none";

/// Is what the server answers to a question for a stream.
#[derive(Deserialize)]
struct Answer {
    config: Option<Value>,
    error: Option<jetstream::Error>,
}

/// Reads it; `None` if the log has no evidence yet.
///
/// # Errors
/// [`EvidenceError::Pair`].
pub(super) fn read(log: &Stream) -> Result<Option<LogId>, EvidenceError> {
    let metadata = &log.cached_info().config.metadata;
    match metadata.get(KEY).map(String::as_str) {
        None | Some("" | NONE) => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| EvidenceError::Pair),
    }
}

/// Writes it. All else of the stream's settings stays as it is, also what this
/// client doesn't know.
///
/// # Errors
/// [`EvidenceError::Update`].
pub(super) async fn write(context: &Context, log: LogId) -> Result<(), EvidenceError> {
    let ask = async |verb: &str, question: &Value| -> Result<Value, EvidenceError> {
        let subject = format!("STREAM.{verb}.{}", stream::NAME);
        let answer = context.request(subject, question).await;
        let answer: Answer = answer.map_err(EvidenceError::Update)?;
        match (answer.config, answer.error) {
            (_, Some(error)) => Err(EvidenceError::Refused(error)),
            (config, None) => Ok(config.unwrap_or_default()),
        }
    };
    let mut config = ask("INFO", &Value::Null).await?;
    let Some(fields) = config.as_object_mut() else {
        return Err(EvidenceError::Pair);
    };
    let metadata = fields.entry("metadata").or_insert_with(Value::default);
    if !metadata.is_object() {
        *metadata = Value::Object(serde_json::Map::new());
    }
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert(KEY.to_owned(), log.to_string().into());
    }
    ask("UPDATE", &config).await?;
    Ok(())
}

/// Compares what the log says with what the evidence is of.
///
/// # Errors
/// [`EvidenceError::Other`].
pub(super) fn compare(log: LogId, evidence: LogId) -> Result<(), EvidenceError> {
    if log == evidence {
        Ok(())
    } else {
        Err(EvidenceError::Other { log, evidence })
    }
}
