//! `POST /v1/outcomes`: what became of an event at a destination.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, HttpBody as _},
    extract::{Request, State},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
    routing::post,
};
use hookgate_core::{identity::Source, reply::Code};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Deserialize;
use tokio::{task::spawn_blocking, time::timeout};
use tracing::warn;

use super::answer::Refusal;
use crate::{
    clock,
    expect::{Report, Reported, Reports},
};

/// Largest report, in bytes.
const MAX_BYTES: usize = 4_096;
/// How long one may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest ID of an event, in bytes.
const MAX_ID: usize = 255;
/// Longest reason, in characters.
const MAX_REASON: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcome {
    source: String,
    id: String,
    result: Done,
    #[serde(default)]
    reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Done {
    Completed,
    Failed,
}

/// Serves it.
pub(super) fn routes(reports: Reports) -> Router {
    let only_post = || async { Refusal::Gate(Code::MethodNotAllowed) };
    Router::new()
        .route("/v1/outcomes", post(receive).fallback(only_post))
        .with_state(reports)
}

async fn receive(State(reports): State<Reports>, request: Request) -> Result<Reported, Refusal> {
    let (head, body) = request.into_parts();
    let destination = reports.admit(&head.headers);
    let destination = destination.ok_or(Refusal::OutcomeTokenInvalid)?.to_owned();
    let json = read(body).await?;
    let outcome: Outcome = serde_json::from_slice(&json).map_err(|_| Refusal::OutcomeInvalid)?;
    let report = outcome.report(destination).ok_or(Refusal::OutcomeInvalid)?;
    let kept = spawn_blocking(move || reports.add(&report)).await;
    let unavailable = |error: &dyn std::fmt::Display| {
        warn!(%error, "an outcome could not be kept");
        Refusal::Gate(Code::Unavailable)
    };
    let kept = kept.map_err(|error| unavailable(&error))?;
    match kept.map_err(|error| unavailable(&error))? {
        Reported::Contradicts => Err(Refusal::OutcomeContradicts),
        kept => Ok(kept),
    }
}

async fn read(body: Body) -> Result<bytes::Bytes, Refusal> {
    if body.size_hint().lower() > MAX_BYTES as u64 {
        return Err(Code::PayloadTooLarge.into());
    }
    match timeout(TIMEOUT, Limited::new(body, MAX_BYTES).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Code::PayloadTooLarge.into()),
        Ok(Err(_)) | Err(_) => Err(Code::RequestTimeout.into()),
    }
}

impl Outcome {
    /// Checks the fields; `None` if one is out of its bounds.
    fn report(self, destination: String) -> Option<Report> {
        let source = Source::new(&self.source).ok()?;
        let is_id = (1..=MAX_ID).contains(&self.id.len()) && !self.id.contains(char::is_control);
        let is_reason = self.reason.chars().count() <= MAX_REASON
            && !self.reason.contains(char::is_control)
            && (self.reason.is_empty() || self.result == Done::Failed);
        (is_id && is_reason).then(|| Report {
            source: source.as_str().to_owned(),
            id: self.id,
            destination,
            completed: self.result == Done::Completed,
            reason: self.reason,
            at_millis: clock::now().unix_millis(),
        })
    }
}

impl IntoResponse for Reported {
    fn into_response(self) -> Response {
        let body = match self {
            Self::Recorded => r#"{"status":"recorded"}"#,
            Self::Duplicate | Self::Contradicts => r#"{"status":"duplicate"}"#,
        };
        ([(CONTENT_TYPE, "application/json")], body).into_response()
    }
}
