//! Who decides, why, and under which name of the decision.

use std::{fmt, str::FromStr};

/// Most characters of a name.
const MAX_NAME: usize = 100;

/// Most characters of a reason.
const MAX_REASON: usize = 1_000;

/// Holds who decides and why, as they say: nothing here proves who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operator {
    name: String,
    reason: String,
}

/// Says that a name or a reason is not of its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OperatorError {
    /// The name.
    #[error(
        "expected a name of 1 to {MAX_NAME} characters, none of them a control or invisible character"
    )]
    Name,
    /// The reason.
    #[error(
        "expected a reason of 1 to {MAX_REASON} characters, none of them a control or invisible character"
    )]
    Reason,
}

impl Operator {
    /// Takes a name and a reason, without the blanks around them.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub(crate) fn new(name: &str, reason: &str) -> Result<Self, OperatorError> {
        Ok(Self {
            name: text(name, MAX_NAME).ok_or(OperatorError::Name)?,
            reason: text(reason, MAX_REASON).ok_or(OperatorError::Reason)?,
        })
    }

    /// Returns the name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the reason.
    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }

    /// Tells whether this is the person of that name, however it is written:
    /// `Ada` doesn't approve of what `ada` approved.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.to_lowercase() == name.to_lowercase()
    }
}

fn text(text: &str, most: usize) -> Option<String> {
    let text = text.trim();
    let fits = (1..=most).contains(&text.chars().count());
    (fits && !text.contains(moves_text)).then(|| text.to_owned())
}

/// Tells what moves a cursor, turns text round, or isn't seen at all.
fn moves_text(it: char) -> bool {
    let is_hidden = matches!(
        it,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    );
    it.is_control() || is_hidden
}

/// Names a decision, about one event or many: `[a-z0-9_-]{1,64}`. What was
/// decided under a name is not decided again under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch(String);

/// Says that a text names no decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 64 characters of a-z, 0-9, `_` and `-`")]
pub(crate) struct BatchError;

impl Batch {
    /// Makes a name that nobody else has.
    pub(crate) fn random() -> Self {
        Self(format!("batch_{:016x}", fastrand::u64(..)))
    }

    /// Returns the name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Batch {
    type Err = BatchError;

    fn from_str(text: &str) -> Result<Self, BatchError> {
        let plain = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
        };
        if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BatchError)
        }
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, BatchError, Operator, OperatorError};

    #[test]
    fn takes_a_name_and_a_reason_and_nothing_that_moves_a_cursor() {
        let ada = Operator::new(" Ada ", "mended").unwrap();
        assert_eq!((ada.name(), ada.reason()), ("Ada", "mended"));
        assert!(ada.is("ada") && !ada.is("ben"));
        for name in ["", "  ", "a\nb", "a\u{1b}[2Jb", &"x".repeat(101)] {
            assert_eq!(Operator::new(name, "mended"), Err(OperatorError::Name));
        }
        for reason in [
            "",
            " ",
            "a\tb",
            "\u{200b}",
            "a\u{202e}b",
            &"x".repeat(1_001),
        ] {
            assert_eq!(Operator::new("ada", reason), Err(OperatorError::Reason));
        }
    }

    #[test]
    fn names_a_batch() {
        let batch = Batch::random();
        assert_eq!(batch.as_str().parse(), Ok(batch));
        for text in ["", "Batch", "a b", &"x".repeat(65)] {
            assert_eq!(text.parse::<Batch>(), Err(BatchError), "{text}");
        }
    }
}
