//! What tells one log from another.

use std::{fmt, str::FromStr};

/// Names a log for as long as it lives, wherever its file or its server goes.
/// `Display` and `FromStr` use 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogId([u8; 16]);

impl LogId {
    /// Makes it of random bytes.
    pub(crate) const fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// Returns its bytes.
    pub(crate) const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Says that a text names no log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 32 hexadecimal digits")]
pub(crate) struct LogIdError;

impl FromStr for LogId {
    type Err = LogIdError;

    fn from_str(text: &str) -> Result<Self, LogIdError> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| digits);
        Ok(Self(number.ok_or(LogIdError)?.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::{LogId, LogIdError};

    #[test]
    fn reads_what_it_writes() {
        let text = "000102030405060708090a0b0c0d0e0f";
        let log: LogId = text.parse().unwrap();
        assert_eq!(log.to_string(), text);
        for wrong in [
            "",
            "00",
            "+00102030405060708090a0b0c0d0e0f",
            &"g".repeat(32),
        ] {
            assert_eq!(wrong.parse::<LogId>(), Err(LogIdError), "{wrong}");
        }
    }
}
