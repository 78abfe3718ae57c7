//! How old a signature is.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;

use hookgate_core::{signature::Tolerance, time::Timestamp};
use serde::Serialize;

/// Says how old a signature is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Age {
    /// When it was signed, in RFC 3339.
    pub signed_at: String,
    /// How long ago, in seconds; negative for the future.
    pub seconds: i64,
    /// How far that may be, in seconds.
    pub tolerance_seconds: u64,
    /// Whether it is no farther.
    pub is_within: bool,
    /// The same in words.
    pub says: String,
}

impl Age {
    pub(crate) fn of(signed_at: Timestamp, now: Timestamp, tolerance: Tolerance) -> Self {
        let (at, now) = (signed_at.unix_seconds(), now.unix_seconds());
        let distance = at.abs_diff(now);
        let allowed = if at > now {
            tolerance.future
        } else {
            tolerance.past
        };
        let signed = i64::try_from(distance).unwrap_or(i64::MAX);
        let is_within = distance <= allowed.as_secs();
        let span = span(distance);
        let when = if at > now {
            format!("{span} in the future")
        } else {
            format!("{span} ago")
        };
        let verdict = if is_within { "within" } else { "beyond" };
        Self {
            signed_at: signed_at.to_string(),
            seconds: if at > now { -signed } else { signed },
            tolerance_seconds: allowed.as_secs(),
            is_within,
            says: format!(
                "It was signed {when}, {verdict} the tolerance of {}.",
                self::span(allowed.as_secs())
            ),
        }
    }
}

/// Names a span of time by its two largest units.
fn span(seconds: u64) -> String {
    let units = [
        (Duration::from_hours(24 * 365), "years"),
        (Duration::from_hours(24), "days"),
        (Duration::from_hours(1), "h"),
        (Duration::from_mins(1), "min"),
        (Duration::from_secs(1), "s"),
    ];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, name) in units {
        let count = rest / unit.as_secs();
        rest %= unit.as_secs();
        if count > 0 {
            parts.push(format!("{count} {name}"));
        }
    }
    parts.truncate(2);
    if parts.is_empty() {
        return "0 s".to_string();
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_long_ago_and_whether_that_is_too_long() {
        let at = Timestamp::from_unix_seconds;
        for (signed_at, says) in [
            (
                1_000,
                "It was signed 0 s ago, within the tolerance of 5 min.",
            ),
            (
                700,
                "It was signed 5 min ago, within the tolerance of 5 min.",
            ),
            (
                699,
                "It was signed 5 min 1 s ago, beyond the tolerance of 5 min.",
            ),
            (
                1_301,
                "It was signed 5 min 1 s in the future, beyond the tolerance of 5 min.",
            ),
        ] {
            let age = Age::of(at(signed_at), at(1_000), Tolerance::default());
            assert_eq!(age.says, says);
        }
        let age = Age::of(at(0), at(3 * 86_400 + 3_700), Tolerance::default());
        assert!(
            age.says.starts_with("It was signed 3 days 1 h ago"),
            "{}",
            age.says
        );
    }
}
