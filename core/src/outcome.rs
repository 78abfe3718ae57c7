//! How a delivery ended.

use crate::reply::Code;

/// Says how a delivery ended, for counters and the access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream confirmed it.
    Stored,
    /// The gate answered it.
    Answered(Code),
    /// It was forwarded, and the upstream did not confirm it.
    UpstreamFailed,
    /// The sender went away, or the host cut it off, before it was decided.
    Aborted,
    /// It passed the gate as none of its own.
    Passed,
}

impl Outcome {
    /// Returns the name in counters and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Answered(code) => code.as_str(),
            Self::UpstreamFailed => "upstream_failed",
            Self::Aborted => "aborted",
            Self::Passed => "passed",
        }
    }

    /// Lists every outcome that an endpoint can count.
    pub fn all() -> impl Iterator<Item = Self> {
        let own = [
            Self::Stored,
            Self::UpstreamFailed,
            Self::Aborted,
            Self::Passed,
        ];
        let answered = Code::ALL.iter().copied().map(Self::Answered);
        own.into_iter().chain(answered)
    }
}
