//! How a delivery ended.

use crate::reply::Code;

/// Says how far a delivery came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its signature is not verified.
    Unverified,
    /// It is genuine and not forwarded.
    Verified,
    /// The upstream has it.
    Forwarded,
}

/// Names what a quota counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaKind {
    /// The sender's address; counts failures before verification.
    Source,
    /// The connected account.
    Account,
    /// The event's type.
    Type,
    /// The endpoint.
    Endpoint,
    /// Everything.
    Overall,
}

/// Says why a genuine event was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// Live where test was wanted, or the other way.
    Livemode,
    /// A type that isn't wanted.
    Type,
    /// An unknown account.
    Account,
}

/// Says how a delivery ended, for counters and the access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Refused before it was verified.
    Refused(Code),
    /// The sender went away, or the host cut it off, before it was decided.
    Aborted(Stage),
    /// Passed the gate as none of its own.
    Passed,
    /// Genuine, and stored before.
    Duplicate,
    /// Genuine, and another delivery of it is being forwarded.
    InProgress,
    /// Genuine, and over a quota.
    Limited(QuotaKind),
    /// Genuine, and dropped by policy.
    Ignored(Ignored),
    /// Genuine, and refused: by policy, or because it is no event.
    Denied(Code),
    /// Genuine, and the gate can't decide.
    Unavailable(Code),
    /// Forwarded, and confirmed by the upstream.
    Committed,
    /// Forwarded, and the upstream refused it.
    Released,
    /// Forwarded, and whether the upstream has it is unknown.
    InDoubt,
    /// Forwarded to a decider, which answered.
    PassedThrough,
}

/// Codes by which an unverified delivery is refused.
const REFUSALS: [Code; 11] = [
    Code::SignatureMissing,
    Code::SignatureMalformed,
    Code::TimestampOutOfTolerance,
    Code::SignatureMismatch,
    Code::DeniedSource,
    Code::EndpointUnknown,
    Code::MethodNotAllowed,
    Code::PayloadTooLarge,
    Code::RateLimited,
    Code::Overloaded,
    Code::Unavailable,
];

/// Codes by which a genuine delivery is refused.
const DENIALS: [Code; 5] = [
    Code::PayloadInvalid,
    Code::SecretScope,
    Code::DeniedLivemode,
    Code::DeniedType,
    Code::DeniedAccount,
];

impl Outcome {
    /// Returns the kind of outcome: the label `outcome` of the counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Aborted(_) => "aborted",
            Self::Passed => "passed",
            Self::Duplicate => "duplicate",
            Self::InProgress => "in_progress",
            Self::Limited(_) => "limited",
            Self::Ignored(_) => "ignored",
            Self::Denied(_) => "denied",
            Self::Unavailable(_) => "unavailable",
            Self::Committed => "committed",
            Self::Released => "released",
            Self::InDoubt => "in_doubt",
            Self::PassedThrough => "passed_through",
        }
    }

    /// Returns the reason: the label `reason` of the counters, and the word in
    /// the access log.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Refused(code) | Self::Denied(code) | Self::Unavailable(code) => code.as_str(),
            Self::Aborted(stage) => stage.as_str(),
            Self::Limited(quota) => quota.as_str(),
            Self::Ignored(ignored) => ignored.as_str(),
            Self::Committed => "stored",
            Self::Released => "upstream_failed",
            Self::Passed
            | Self::Duplicate
            | Self::InProgress
            | Self::InDoubt
            | Self::PassedThrough => self.as_str(),
        }
    }

    /// Returns how far the delivery had come.
    #[must_use]
    pub const fn stage(self) -> Stage {
        match self {
            Self::Refused(_) | Self::Passed => Stage::Unverified,
            Self::Aborted(stage) => stage,
            Self::Duplicate
            | Self::InProgress
            | Self::Limited(_)
            | Self::Ignored(_)
            | Self::Denied(_)
            | Self::Unavailable(_) => Stage::Verified,
            Self::Committed | Self::Released | Self::InDoubt | Self::PassedThrough => {
                Stage::Forwarded
            }
        }
    }

    /// Returns the code that the gate answered with, if it did.
    #[must_use]
    pub const fn code(self) -> Option<Code> {
        match self {
            Self::Refused(code) | Self::Denied(code) | Self::Unavailable(code) => Some(code),
            Self::Duplicate => Some(Code::Duplicate),
            Self::InProgress => Some(Code::InProgress),
            Self::Limited(_) => Some(Code::RateLimited),
            Self::Ignored(_) => Some(Code::Ignored),
            _ => None,
        }
    }

    /// Lists every outcome that an endpoint can count.
    pub fn all() -> impl Iterator<Item = Self> {
        let refused = REFUSALS.into_iter().map(Self::Refused);
        let aborted = [Stage::Unverified, Stage::Verified].map(Self::Aborted);
        let limited = QuotaKind::OF_EVENTS.map(Self::Limited);
        let ignored = [Ignored::Livemode, Ignored::Type, Ignored::Account].map(Self::Ignored);
        let denied = DENIALS.into_iter().map(Self::Denied);
        let unavailable = [Code::Unavailable, Code::NoDecider].map(Self::Unavailable);
        let others = [
            Self::Passed,
            Self::Duplicate,
            Self::InProgress,
            Self::Committed,
            Self::Released,
            Self::InDoubt,
            Self::PassedThrough,
        ];
        refused
            .chain(aborted)
            .chain(limited)
            .chain(ignored)
            .chain(denied)
            .chain(unavailable)
            .chain(others)
    }
}

impl Stage {
    /// Returns the name in counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Verified => "verified",
            Self::Forwarded => "forwarded",
        }
    }
}

impl QuotaKind {
    /// Lists what fresh events are counted by, the narrowest first.
    pub const OF_EVENTS: [Self; 4] = [Self::Account, Self::Type, Self::Endpoint, Self::Overall];

    /// Returns the name in counters and in the RateLimit fields.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Account => "account",
            Self::Type => "type",
            Self::Endpoint => "endpoint",
            Self::Overall => "overall",
        }
    }
}

impl Ignored {
    /// Returns the name in counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Livemode => "livemode",
            Self::Type => "type",
            Self::Account => "account",
        }
    }
}
