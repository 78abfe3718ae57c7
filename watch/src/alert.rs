//! A verdict as others are told: one CloudEvent, one line of a log.
//!
//! Source: CloudEvents 1.0.2, JSON event format, structured mode,
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>.

use alloc::{format, string::String};
use core::fmt::{self, Display, Write as _};

use crate::verdict::Verdict;

/// Media type of [`Alert::cloud_event`].
pub const MEDIA_TYPE: &str = "application/cloudevents+json";

/// A verdict, who tells it, and when in words.
#[derive(Debug, Clone, Copy)]
pub struct Alert<'a, T> {
    /// What is told.
    pub verdict: &'a Verdict,
    /// The gate's name.
    pub gate: &'a str,
    /// Since when, as RFC 3339 has it.
    pub began: T,
    /// When it is told, as RFC 3339 has it.
    pub at: T,
}

impl<T: Display> Alert<'_, T> {
    /// Returns the CloudEvent in JSON. Its `id` is the same whenever it is sent again.
    pub fn cloud_event(&self) -> String {
        let Self { verdict, gate, .. } = self;
        let kind = verdict.cause.name();
        let subject = verdict.subject.as_deref();
        let began = verdict.at.as_unix_seconds();
        // A subject may be longer than an ID, and of other characters.
        let about = crate::sketch::hash(subject.unwrap_or_default().as_bytes());
        format!(
            r#"{{"specversion":"1.0","id":"{gate}.{began}.{kind}.{about:016x}","source":"/hookgate/gates/{gate}","type":"hookgate.anomaly.v1","time":"{}","datacontenttype":"application/json","data":{{"gate":"{gate}","kind":"{kind}","score":{:.3},"subject":{},"began":"{}","evidence":{},"action":{}}}}}"#,
            self.at,
            verdict.score,
            Json(subject),
            self.began,
            Json(Some(&verdict.evidence)),
            Json(Some(verdict.cause.action())),
        )
    }
}

/// One line for a log: words and values, no character that ends it.
impl<T: Display> Display for Alert<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verdict, .. } = self;
        write!(
            f,
            "anomaly kind={} score={:.2} subject={} began={} evidence={} action={}",
            verdict.cause,
            verdict.score,
            Json(verdict.subject.as_deref()),
            self.began,
            Json(Some(&verdict.evidence)),
            Json(Some(verdict.cause.action())),
        )
    }
}

/// A string of JSON, or null (RFC 8259, section 7).
struct Json<'a>(Option<&'a str>);

impl Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(text) = self.0 else {
            return f.write_str("null");
        };
        f.write_char('"')?;
        for character in text.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                control if control.is_control() => write!(f, "\\u{:04x}", u32::from(control))?,
                other => f.write_char(other)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString as _};

    use super::Alert;
    use crate::{
        time::Time,
        verdict::{Cause, Verdict},
    };

    #[test]
    fn no_subject_leaves_its_place() {
        let verdict = Verdict {
            cause: Cause::SeriesSilent,
            subject: Some("a\"b\\c\nd\u{85}ü".to_string()),
            at: Time::from_unix_seconds(1_760_000_000),
            score: 0.75,
            evidence: String::from("0 events in 50 s, where 50 are usual"),
        };
        let alert = Alert {
            verdict: &verdict,
            gate: "edge",
            began: "2025-10-09T08:53:20Z",
            at: "2025-10-09T08:53:21Z",
        };
        let escaped = r#""a\"b\\c\u000ad\u0085ü""#;
        let line = alert.to_string();
        assert!(
            line.contains(escaped) && !line.contains(char::is_control),
            "{line}"
        );
        let event = alert.cloud_event();
        assert!(
            event.contains(escaped) && !event.contains(char::is_control),
            "{event}"
        );
        assert!(
            event.contains(r#""id":"edge.1760000000.series_silent."#),
            "{event}"
        );
    }
}
