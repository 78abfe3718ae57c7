//! Answers: pages, what belongs to them, and what went wrong.

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{Html, IntoResponse, Response},
};
use maud::Markup;
use tracing::warn;

use super::{access::Refusal, entry, form::FormError, page, pool::Busy};
use crate::{
    deliver::schedule,
    log::{Incapable, ReadError},
    review::ReviewError,
};

/// Says why a page isn't shown.
#[derive(Debug)]
pub(super) enum Problem {
    /// Who asks may not.
    Refused(Refusal),
    /// What was asked for is not of its form; the text says what is expected.
    Malformed(String),
    /// There is no such thing.
    Missing(String),
    /// This log can't.
    Incapable(Incapable),
    /// Others are asking already.
    Busy,
    /// The log isn't open yet.
    NotYet,
    /// The log's broker is away.
    Away(String),
    /// Something failed.
    Failed(String),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title, text) = match self {
            Self::Refused(refusal) => return entry::refused(refusal),
            Self::Malformed(text) => (StatusCode::BAD_REQUEST, "That can't be read", text),
            Self::Missing(text) => (StatusCode::NOT_FOUND, "Not found", text),
            Self::Incapable(limit) => (
                StatusCode::NOT_IMPLEMENTED,
                "Not on this log",
                limit.to_string(),
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Busy",
                "Other pages are being read, or the log takes too long. Try again in a moment."
                    .to_owned(),
            ),
            Self::NotYet => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Not yet",
                "The server waits for its log, or brings it forward. Its own log says more."
                    .to_owned(),
            ),
            Self::Away(text) => (StatusCode::SERVICE_UNAVAILABLE, "The log is away", text),
            Self::Failed(text) => {
                warn!(error = text, "a page of the console can't be shown");
                (StatusCode::INTERNAL_SERVER_ERROR, "That failed", text)
            }
        };
        page(status, page::problem(title, &text))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Busy> for Problem {
    fn from(Busy: Busy) -> Self {
        Self::Busy
    }
}

impl From<FormError> for Problem {
    fn from(error: FormError) -> Self {
        Self::Malformed(match error {
            FormError::Large => "The form is too long: choose fewer events.".to_owned(),
            FormError::Incomplete => "The form did not arrive whole. Send it again.".to_owned(),
        })
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        if error.is_away() {
            return Self::Away(error.to_string());
        }
        Self::Failed(error.to_string())
    }
}

impl From<schedule::ReadError> for Problem {
    fn from(error: schedule::ReadError) -> Self {
        match error {
            schedule::ReadError::Incapable(limit) => Self::Incapable(limit),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<ReviewError> for Problem {
    fn from(error: ReviewError) -> Self {
        match error {
            ReviewError::Incapable(limit) => Self::Incapable(limit),
            error if error.is_away() => Self::Away(error.to_string()),
            ReviewError::Cursor => Self::Malformed("This is no page of the queue.".to_owned()),
            ReviewError::NotConfigured { .. } | ReviewError::NotParked { .. } => {
                Self::Malformed(error.to_string())
            }
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<Incapable> for Problem {
    fn from(limit: Incapable) -> Self {
        Self::Incapable(limit)
    }
}

/// Answers with a page.
pub(super) fn page(status: StatusCode, page: Markup) -> Response {
    (status, Html(page.into_string())).into_response()
}

/// Answers with a page that is what was asked for.
pub(super) fn found(markup: Markup) -> Response {
    page(StatusCode::OK, markup)
}

/// What pages look like.
pub(super) async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("console.css"))
}

/// What keeps a page up to date.
pub(super) async fn script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("console.js"))
}

/// What a tab of a browser shows.
pub(super) async fn icon() -> Response {
    asset("image/svg+xml", include_str!("icon.svg"))
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}

/// Answers for an address that is none.
pub(super) async fn no_page() -> Problem {
    Problem::Missing("The console has no page at this address.".to_owned())
}

/// Answers for a method that an address doesn't have.
pub(super) async fn no_method() -> Response {
    let text = "Pages are read with GET; what decides something is sent with POST.";
    page(
        StatusCode::METHOD_NOT_ALLOWED,
        page::problem("Not this way", text),
    )
}
