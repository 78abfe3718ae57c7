//! The upstream's answers: fixed texts, nothing of a request echoed.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use hookgate_core::reply::{self, Code, Reply};

use crate::{
    log::{Appended, LogError},
    verification::Doubt,
};

/// Tells a sender when to come back.
const RETRY_AFTER: &str = "retry-after";

/// Seconds after which a full queue is worth another try.
const QUEUE_FULL_RETRY_SECONDS: u32 = 1;

/// Says why an event was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// As the gate answers it.
    Gate(Code),
    /// Nobody who brings events: it shows no token of the gate's.
    GateTokenInvalid,
    /// The `ce-*` headers are missing, or say something else than the payload.
    AttributesInvalid,
    /// Too many events wait for the log.
    QueueFull,
    /// Nobody who reports outcomes.
    OutcomeTokenInvalid,
    /// No outcome.
    OutcomeInvalid,
    /// The destination reported another result before.
    OutcomeContradicts,
}

impl Refusal {
    /// Returns the stable code.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Gate(code) => code.as_str(),
            Self::GateTokenInvalid => "gate_token_invalid",
            Self::AttributesInvalid => "attributes_invalid",
            Self::QueueFull => "queue_full",
            Self::OutcomeTokenInvalid => "outcome_token_invalid",
            Self::OutcomeInvalid => "outcome_invalid",
            Self::OutcomeContradicts => "outcome_contradicts",
        }
    }

    const fn status(self) -> u16 {
        match self {
            Self::Gate(code) => code.status(),
            Self::GateTokenInvalid | Self::OutcomeTokenInvalid => 401,
            Self::AttributesInvalid | Self::OutcomeInvalid => 400,
            Self::OutcomeContradicts => 409,
            Self::QueueFull => 429,
        }
    }

    /// Returns the headers beside the content type.
    fn headers(self) -> Vec<(&'static str, String)> {
        match self {
            Self::Gate(code) => Reply::from(code).headers,
            Self::GateTokenInvalid | Self::OutcomeTokenInvalid => {
                vec![("www-authenticate", "Bearer".to_owned())]
            }
            Self::AttributesInvalid | Self::OutcomeInvalid | Self::OutcomeContradicts => Vec::new(),
            Self::QueueFull => vec![(RETRY_AFTER, QUEUE_FULL_RETRY_SECONDS.to_string())],
        }
    }

    /// Returns the RFC 9457 body.
    fn problem_json(self) -> String {
        let (title, detail) = match self {
            Self::Gate(code) => return code.problem_json(),
            Self::GateTokenInvalid => (
                "Gate token invalid",
                "Only the gate may bring events, with one of its tokens. Send events to the gate.",
            ),
            Self::AttributesInvalid => (
                "Attributes invalid",
                "The CloudEvents headers are missing, repeated, or contradict the payload. Send events through the gate.",
            ),
            Self::QueueFull => (
                "Queue full",
                "Too many events are waiting for the log. Try again later.",
            ),
            Self::OutcomeTokenInvalid => (
                "Outcome token invalid",
                "Only a destination may report outcomes, with the token that the configuration names under expectations.reporters.",
            ),
            Self::OutcomeInvalid => (
                "Outcome invalid",
                "Expected JSON of source, id, result (completed or failed) and, if it failed, a reason of at most 500 characters.",
            ),
            Self::OutcomeContradicts => (
                "Outcome contradicts",
                "This destination reported another result of this event before. The first one counts.",
            ),
        };
        format!(
            r#"{{"title":"{title}","status":{},"code":"{}","detail":"{detail}"}}"#,
            self.status(),
            self.as_str()
        )
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::Gate(code)
    }
}

impl From<Doubt> for Refusal {
    fn from(doubt: Doubt) -> Self {
        match doubt {
            Doubt::Sender => Self::AttributesInvalid,
            Doubt::Gate(code) => Self::Gate(code),
        }
    }
}

impl From<LogError> for Refusal {
    fn from(error: LogError) -> Self {
        match error {
            LogError::QueueFull => Self::QueueFull,
            LogError::Unavailable => Self::Gate(Code::Unavailable),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // Every status of the table is a valid one.
        let status =
            StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (
            status,
            [(CONTENT_TYPE, reply::CONTENT_TYPE)],
            self.problem_json(),
        )
            .into_response();
        for (name, value) in self.headers() {
            // Ours, and so of the form of a header's value.
            if let Ok(value) = HeaderValue::from_str(&value) {
                response
                    .headers_mut()
                    .insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

impl IntoResponse for Appended {
    fn into_response(self) -> Response {
        let body = match self {
            Self::Stored {
                sequence: Some(sequence),
            } => format!(r#"{{"status":"stored","sequence":{sequence}}}"#),
            Self::Stored { sequence: None } => r#"{"status":"stored"}"#.to_owned(),
            Self::Duplicate { sequence } => {
                format!(r#"{{"status":"duplicate","sequence":{sequence}}}"#)
            }
        };
        ([(CONTENT_TYPE, "application/json")], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::Refusal;

    #[test]
    fn own_bodies_are_json_that_repeats_status_and_code() {
        for refusal in [
            Refusal::GateTokenInvalid,
            Refusal::AttributesInvalid,
            Refusal::QueueFull,
            Refusal::OutcomeTokenInvalid,
            Refusal::OutcomeInvalid,
            Refusal::OutcomeContradicts,
        ] {
            let problem: serde_json::Value = serde_json::from_str(&refusal.problem_json()).unwrap();
            assert_eq!(problem["status"], refusal.status());
            assert_eq!(problem["code"], refusal.as_str());
        }
    }
}
