//! What the log's stream says of its evidence: the log's ID, in its metadata.
//!
//! So a log whose evidence was lost, or that was restored beside another's, is
//! not taken for a new one.

use async_nats::jetstream::{context::Context, stream::Stream};
use serde_json::Value;

use super::EvidenceError;
use crate::{
    evidence::LogId,
    log::nats::{
        amend::{AmendError, amend},
        stream,
    },
};

/// Where it is.
pub(super) const KEY: &str = "hookgate-log";

/// Says that the log has no evidence yet, or no longer, for an operator.
const NONE: &str = "none";

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

/// Writes it.
///
/// # Errors
/// [`EvidenceError::Update`].
pub(super) async fn write(context: &Context, log: LogId) -> Result<(), EvidenceError> {
    let amended = amend(context, stream::NAME, |fields| {
        let metadata = fields.entry("metadata").or_insert_with(Value::default);
        if !metadata.is_object() {
            *metadata = Value::Object(serde_json::Map::new());
        }
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert(KEY.to_owned(), log.to_string().into());
        }
    });
    amended.await.map_err(|error| match error {
        AmendError::Request(error) => EvidenceError::Update(error),
        AmendError::Refused(error) => EvidenceError::Refused(error),
        AmendError::Form => EvidenceError::Pair,
    })
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
