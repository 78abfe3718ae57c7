//! What log lines say of an event: which it is and of which trace, and nothing
//! that it holds.

use axum::http::HeaderMap;
use hookgate_core::{reply::Code, trace::TraceParent};
use tracing::{debug, warn};

use super::{answer::Refusal, claim::ClaimError};
use crate::log::Appended;

/// Most characters of something that is of no form of ours.
const MAX_FOREIGN_CHARS: usize = 64;

/// Names an event by what its headers say: not verified, but printable.
#[derive(Debug)]
pub(super) struct Subject {
    event_id: String,
    source: String,
    trace_id: String,
}

impl Subject {
    /// Reads the headers of a forwarded event; what is missing is empty.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).map_or(&[][..], |value| value.as_bytes());
        let trace = TraceParent::parse(text("traceparent"));
        Self {
            event_id: printable(text("ce-id")),
            source: printable(text("ce-source")),
            trace_id: trace.map_or_else(String::new, |trace| trace.trace_id().to_owned()),
        }
    }

    /// Logs what the event was answered.
    pub(super) fn answered(&self, answer: &Result<Appended, Refusal>) {
        let Self {
            event_id,
            source,
            trace_id,
        } = self;
        match answer {
            Ok(appended) => debug!(event_id, source, trace_id, ?appended, "took an event"),
            // The log says what is the matter with it, once for many events.
            Err(Refusal::QueueFull | Refusal::Gate(Code::Unavailable)) => {
                debug!(event_id, source, trace_id, "could not take an event");
            }
            Err(refusal) => {
                let code = refusal.as_str();
                warn!(event_id, source, trace_id, code, "refused an event");
            }
        }
    }

    /// Logs what is wrong with the event's headers.
    pub(super) fn doubted(&self, error: ClaimError) {
        let Self {
            event_id, trace_id, ..
        } = self;
        warn!(event_id, trace_id, %error, "an event's headers are not the gate's");
    }
}

/// Returns a name as it is, and anything else short and escaped.
fn printable(text: &[u8]) -> String {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.:/-".contains(byte);
    let text = String::from_utf8_lossy(text);
    if text.len() <= 255 && text.as_bytes().iter().all(is_name) {
        return text.into_owned();
    }
    let start: String = text.chars().take(MAX_FOREIGN_CHARS).collect();
    start.escape_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn shows_names_whole_and_anything_else_short_and_escaped() {
        let id = "evt_".repeat(60);
        assert_eq!(printable(id.as_bytes()), id);
        assert_eq!(printable(b"evt_1\n\xff"), "evt_1\\n\\u{fffd}");
        assert_eq!(printable(" ".repeat(300).as_bytes()).len(), 64);
    }
}
