//! Errors of a configuration.

use alloc::{
    format,
    string::{String, ToString},
};

/// Longest quotation of a found value, in bytes.
const MAX_FOUND_BYTES: usize = 80;

/// Says what is wrong with a configuration, and where.
///
/// Never shows a secret: people do paste them into the wrong field. Nothing that
/// was found under `secrets` is quoted, and elsewhere whatever looks like one
/// (`whsec_…`) is cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The text isn't JSON, or a field is unknown, missing or of another kind.
    #[error("{path}: {problem}")]
    Shape {
        /// Path of the field, such as `endpoints[0].secrets`.
        path: String,
        /// What the parser found and expected.
        problem: String,
    },
    /// A field's value is out of its bounds.
    #[error("{path}: found `{found}`, expected {expected}")]
    Value {
        /// Path of the field.
        path: String,
        /// The value, cut to 80 bytes.
        found: String,
        /// What it has to be.
        expected: String,
    },
}

impl ConfigError {
    pub(super) fn shape(path: &str, problem: &str) -> Self {
        let path = match path {
            "." => "configuration",
            path => path,
        };
        // Whatever stands among the secrets may be one, of any form.
        if let Some((endpoint, _)) = path.split_once(".secrets") {
            return Self::Shape {
                path: format!("{endpoint}.secrets"),
                problem: unquoted(problem),
            };
        }
        Self::Shape {
            path: redact(path),
            problem: redact(problem),
        }
    }

    pub(super) fn value(path: &str, found: impl ToString, expected: impl ToString) -> Self {
        let found = redact(&found.to_string());
        Self::Value {
            path: path.to_string(),
            found: cut(&found).to_string(),
            expected: expected.to_string(),
        }
    }
}

fn cut(text: &str) -> &str {
    let end = (0..=text.len().min(MAX_FOUND_BYTES))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

/// Leaves out what the parser quotes of the text.
fn unquoted(problem: &str) -> String {
    if let Some(field) = problem.strip_prefix("unknown field `") {
        let (_, expected) = field.split_once('`').unwrap_or_default();
        return format!("unknown field{expected}");
    }
    let quoted = problem
        .split_once('"')
        .and_then(|(before, rest)| Some((before, rest.rsplit_once('"')?.1)));
    quoted.map_or_else(
        || problem.to_string(),
        |(before, after)| format!("{before}…{after}"),
    )
}

/// Cuts every run of characters after `whsec_`.
fn redact(text: &str) -> String {
    let mut parts = text.split("whsec_");
    let mut redacted = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let secret = |character: char| !matches!(character, '`' | '"' | ' ' | ',');
        redacted.push_str("whsec_…");
        redacted.push_str(part.trim_start_matches(secret));
    }
    redacted
}
