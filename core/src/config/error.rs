//! Errors of a configuration.

use alloc::{
    format,
    string::{String, ToString},
};

/// Longest quotation of a found value, in bytes.
const MAX_FOUND_BYTES: usize = 80;

/// Fields among which people look for a place for a secret. None is one.
const NEAR_SECRETS: [&str; 4] = ["secrets", "keyring", "keyrings", "scheme"];

/// Longest name of an unknown field that is quoted next to secrets, in bytes.
const MAX_WORD_BYTES: usize = 32;

/// Says what is wrong with a configuration, and where.
///
/// Never shows a secret: people do paste them into the wrong field. No text that
/// was found under `secrets`, `keyring`, `keyrings` and `scheme` is quoted, and
/// elsewhere whatever looks like a secret (`whsec_…`) is cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The text isn't JSON, or a field is unknown, missing or of another kind.
    #[error("{path}: {problem}")]
    Shape {
        /// Path of the field, such as `endpoints[0].secrets`; the name of an unknown
        /// one cut to 80 bytes.
        path: String,
        /// What the parser found, each text cut to 80 bytes, and expected.
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
        if is_near_secrets(path) {
            return Self::near_secrets(path, problem);
        }
        Self::Shape {
            path: cut(&redact(path)).to_string(),
            problem: shortened(&redact(problem)),
        }
    }

    /// Says what is wrong at a place that nobody keeps track of, so that it may
    /// be one near secrets.
    #[cfg(not(feature = "paths"))]
    pub(super) fn unplaced(problem: &str) -> Self {
        Self::near_secrets("configuration", problem)
    }

    /// Whatever stands near secrets may be one, of any form: the name of a field
    /// too, which the parser makes the path's last part.
    fn near_secrets(path: &str, problem: &str) -> Self {
        let field = unknown("field", problem).map(|(field, _)| field);
        let path = match field {
            Some(field) if is_word(field) => {
                return Self::Shape {
                    path: path.to_string(),
                    problem: problem.to_string(),
                };
            }
            Some(field) => path.strip_suffix(field).unwrap_or_default(),
            None => path,
        };
        Self::Shape {
            path: path.trim_end_matches('.').to_string(),
            problem: unquoted(problem),
        }
    }

    /// Says what is wrong with a text, which near secrets may be one.
    pub(super) fn text(path: &str, found: &str, expected: impl ToString) -> Self {
        let found = if is_near_secrets(path) { "…" } else { found };
        Self::value(path, found, expected)
    }

    /// Says what is wrong with a number, or with what we have words for.
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

/// Tells whether a path leads among what people take for a place for a secret.
fn is_near_secrets(path: &str) -> bool {
    path.split('.').any(|step| {
        let (name, _) = step.split_once('[').unwrap_or((step, ""));
        NEAR_SECRETS.contains(&name)
    })
}

/// Tells whether this is a misspelt name rather than a secret: nearly all of
/// those have digits or capitals.
fn is_word(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    text.len() <= MAX_WORD_BYTES && text.bytes().all(letter)
}

/// Splits what the parser says of an unknown field or variant into its name and
/// what was expected.
fn unknown<'a>(kind: &str, problem: &'a str) -> Option<(&'a str, &'a str)> {
    let rest = problem.strip_prefix("unknown ")?.strip_prefix(kind)?;
    rest.strip_prefix(" `")?.rsplit_once("`, expected ")
}

/// Cuts what the parser quotes of the text.
fn shortened(problem: &str) -> String {
    for kind in ["field", "variant"] {
        if let Some((name, expected)) = unknown(kind, problem) {
            return format!("unknown {kind} `{}`, expected {expected}", cut(name));
        }
    }
    let quoted = problem
        .split_once('"')
        .and_then(|(before, rest)| Some((before, rest.rsplit_once('"')?)));
    quoted.map_or_else(
        || problem.to_string(),
        |(before, (text, after))| format!("{before}\"{}\"{after}", cut(text)),
    )
}

/// Leaves out what the parser quotes of the text.
fn unquoted(problem: &str) -> String {
    for kind in ["field", "variant"] {
        if let Some((_, expected)) = unknown(kind, problem) {
            return format!("unknown {kind}, expected {expected}");
        }
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
