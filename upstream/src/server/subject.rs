//! What log lines say of an event: which it is and of which trace, and nothing
//! that it holds.

use axum::http::HeaderMap;
use hookgate_core::{reply::Code, trace::TraceParent};
use tracing::{debug, warn};

use super::{answer::Refusal, claim::ClaimError};
use crate::log::Appended;

/// Most characters of something that is of no form of ours.
const MAX_FOREIGN_CHARS: usize = 64;

/// Names an event by what its headers say: not verified, but printable. Nothing
/// is read before a line is written: most events get none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a>(&'a HeaderMap);

impl<'a> Subject<'a> {
    /// Takes the headers of a forwarded event; what is missing is empty.
    pub(super) const fn of(headers: &'a HeaderMap) -> Self {
        Self(headers)
    }

    fn text(self, name: &str) -> &'a [u8] {
        self.0.get(name).map_or(&[], |value| value.as_bytes())
    }

    fn event_id(self) -> String {
        printable(self.text("ce-id"))
    }

    fn trace_id(self) -> String {
        let trace = TraceParent::parse(self.text("traceparent"));
        trace.map_or_else(String::new, |trace| trace.trace_id().to_owned())
    }

    fn source(self) -> String {
        printable(self.text("ce-source"))
    }

    /// Logs what the event was answered.
    pub(super) fn answered(self, answer: &Result<Appended, Refusal>) {
        match answer {
            Ok(appended) => debug!(
                event_id = self.event_id(),
                trace_id = self.trace_id(),
                source = self.source(),
                ?appended,
                "took an event"
            ),
            // The log says what is the matter with it, once for many events.
            Err(Refusal::QueueFull | Refusal::Gate(Code::Unavailable)) => debug!(
                event_id = self.event_id(),
                trace_id = self.trace_id(),
                source = self.source(),
                "could not take an event"
            ),
            Err(refusal) => warn!(
                event_id = self.event_id(),
                trace_id = self.trace_id(),
                source = self.source(),
                code = refusal.as_str(),
                "refused an event"
            ),
        }
    }

    /// Logs what is wrong with the event's headers.
    pub(super) fn doubted(self, error: ClaimError) {
        warn!(
            event_id = self.event_id(),
            trace_id = self.trace_id(),
            %error,
            "an event's headers are not the gate's"
        );
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
