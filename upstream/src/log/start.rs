//! Where in the log somebody begins to read.

use std::{fmt, str::FromStr};

use hookgate_core::time::Timestamp;

/// Says where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// After the newest event.
    Now,
    /// With the oldest event that the log still has.
    Beginning,
    /// With this sequence.
    Sequence(u64),
    /// With the first event that the log took then or later.
    Time(Timestamp),
}

/// Says that a text names no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `now`, `beginning`, a sequence from 1, or a time such as `2026-11-24T00:00:00Z`")]
pub(crate) struct StartError;

impl FromStr for Start {
    type Err = StartError;

    fn from_str(text: &str) -> Result<Self, StartError> {
        match text {
            "now" => Ok(Self::Now),
            "beginning" => Ok(Self::Beginning),
            _ => match text.parse() {
                Ok(0) => Err(StartError),
                Ok(sequence) => Ok(Self::Sequence(sequence)),
                Err(_) => Timestamp::parse_rfc3339(text)
                    .map(Self::Time)
                    .ok_or(StartError),
            },
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::Beginning => f.write_str("beginning"),
            Self::Sequence(sequence) => write!(f, "{sequence}"),
            Self::Time(time) => write!(f, "{time}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Start, StartError};

    #[test]
    fn reads_every_form() {
        for text in ["now", "beginning", "1", "42", "2026-11-24T00:00:00Z"] {
            assert_eq!(text.parse::<Start>().unwrap().to_string(), text);
        }
        for text in ["", "0", "-1", "Now", "yesterday", "2026-11-24"] {
            assert_eq!(text.parse::<Start>(), Err(StartError), "{text}");
        }
    }
}
