//! Settings that can't be out of bounds: a type each, with its default.
//!
//! The file, the environment and the command line read the same types, so that
//! a bound or a default stands in one place.

use std::{
    fmt,
    num::{NonZeroU32, NonZeroUsize},
    ops::RangeInclusive,
    str::FromStr,
    time::Duration,
};

use serde::{Deserialize, Deserializer, de};

/// Is what a setting measures.
pub(crate) trait Quantity: Copy + PartialOrd {
    /// How it is written.
    const FORM: &str;

    /// Reads a text of that form.
    fn read(text: &str) -> Option<Self>;

    /// Writes it as it is read.
    fn write(self) -> String;

    /// Takes it from a file.
    ///
    /// # Errors
    /// Those of the file's parser.
    fn take<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

impl Quantity for u64 {
    const FORM: &str = "a whole number";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn write(self) -> String {
        self.to_string()
    }

    fn take<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

impl Quantity for f64 {
    const FORM: &str = "a number";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number: &Self| number.is_finite())
    }

    fn write(self) -> String {
        self.to_string()
    }

    fn take<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

impl Quantity for Duration {
    const FORM: &str = "a duration such as `500ms`, `10s`, `5m`, `2h` or `90d`";

    fn read(text: &str) -> Option<Self> {
        humantime::parse_duration(text).ok()
    }

    fn write(self) -> String {
        written(self)
    }

    fn take<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| de::Error::custom(Expected(Self::FORM)))
    }
}

/// Says what a value should have been; what was found may be a secret.
struct Expected(&'static str);

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "found another text, expected {}", self.0)
    }
}

/// Writes a duration in its largest whole unit.
fn written(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, name) in [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
    ] {
        if millis >= unit && millis.is_multiple_of(unit) {
            return format!("{}{name}", millis / unit);
        }
    }
    format!("{millis}ms")
}

/// Says that a value is not of a setting's form, or out of its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingError {
    /// Not of its form.
    #[error("expected {expected}")]
    Form {
        /// The form.
        expected: &'static str,
    },
    /// Of its form and out of bounds.
    #[error("found `{found}`, expected {from} to {to}")]
    Bounds {
        /// The value.
        found: String,
        /// The least.
        from: String,
        /// The most.
        to: String,
    },
}

fn bounded<Q: Quantity>(value: Q, bounds: &RangeInclusive<Q>) -> Result<Q, SettingError> {
    if bounds.contains(&value) {
        return Ok(value);
    }
    Err(SettingError::Bounds {
        found: value.write(),
        from: bounds.start().write(),
        to: bounds.end().write(),
    })
}

/// Makes the types: name, what it measures, bounds, and the default if it has one.
macro_rules! settings {
    ($($(#[$doc:meta])+ $name:ident: $quantity:ty, $bounds:expr $(, default $default:expr)?;)+) => {
        $(
            $(#[$doc])+
            #[derive(Debug, Clone, Copy, PartialEq)]
            pub(crate) struct $name($quantity);

            impl $name {
                /// The least and the most that it may be.
                pub(crate) const BOUNDS: RangeInclusive<$quantity> = $bounds;

                /// Returns the value.
                pub(crate) const fn value(self) -> $quantity {
                    self.0
                }
            }

            $(
                impl Default for $name {
                    fn default() -> Self {
                        Self($default)
                    }
                }
            )?

            impl FromStr for $name {
                type Err = SettingError;

                fn from_str(text: &str) -> Result<Self, SettingError> {
                    let expected = <$quantity as Quantity>::FORM;
                    let value = Quantity::read(text).ok_or(SettingError::Form { expected })?;
                    bounded(value, &Self::BOUNDS).map(Self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let value = Quantity::take(deserializer)?;
                    bounded(value, &Self::BOUNDS).map(Self).map_err(de::Error::custom)
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0.write())
                }
            }
        )+
    };
}

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

settings! {
    /// Largest payload in bytes.
    MaxBodyBytes: u64, 1..=67_108_864, default 2_097_152;
    /// Servers of a cluster that have each event.
    Replicas: u64, 1..=5, default 1;
    /// Events that may wait for the log.
    Queue: u64, 1..=1_000_000, default 1_024;
    /// How long a payload may take to arrive.
    BodyTimeout: Duration, MILLISECOND..=MINUTE, default Duration::from_secs(5);
    /// How far a signature's time may lie from its arrival at the gate.
    ToleranceTime: Duration, SECOND..=DAY, default Duration::from_secs(300);
    /// How old an event may become in the log.
    Keep: Duration, SECOND..=Duration::from_secs(36_500 * 86_400);
    /// Requests to Stripe in a second, for all accounts together.
    RequestsPerSecond: u64, 1..=100, default 5;
    /// How often a server compares its log with Stripe's list.
    Every: Duration, SECOND..=DAY, default Duration::from_secs(900);
    /// How far back a comparison goes: Stripe lists 30 days.
    Since: Duration, MINUTE..=Duration::from_secs(30 * 86_400);
    /// Deliveries to one destination that may be under way at once.
    Concurrency: u64, 1..=1_024, default 16;
    /// Attempts at one destination in a second.
    Rate: u64, 1..=100_000;
    /// How long a destination may take to answer.
    Timeout: Duration, Duration::from_millis(100)..=Duration::from_secs(300), default Duration::from_secs(10);
    /// Time from the first attempt to the second.
    Initial: Duration, Duration::from_millis(10)..=HOUR, default Duration::from_secs(5);
    /// How much longer each wait is than the one before.
    Factor: f64, 1.0..=10.0, default 2.0;
    /// The longest wait between two attempts.
    Longest: Duration, Duration::from_millis(10)..=DAY, default HOUR;
    /// How much of a wait is left to chance, to either side.
    Jitter: f64, 0.0..=0.5, default 0.2;
    /// Attempts after which an event is given up.
    Attempts: u64, 1..=1_000;
    /// Time from the first attempt after which an event is given up.
    GiveUpAfter: Duration, SECOND..=Duration::from_secs(30 * 86_400), default Duration::from_secs(3 * 86_400);
    /// How long a destination rests after 429 without `Retry-After`.
    CoolDown: Duration, Duration::from_millis(10)..=HOUR, default MINUTE;
    /// How long a destination's `Retry-After` is honoured.
    LongestCoolDown: Duration, SECOND..=DAY, default HOUR;
    /// People who must approve of a redelivery.
    Approvals: u64, 1..=5, default 1;
    /// Unanswered attempts in a row that open a breaker.
    After: u64, 1..=1_000, default 5;
    /// Time until an open breaker lets the first probe through.
    ProbeInitial: Duration, Duration::from_millis(10)..=HOUR, default SECOND;
    /// The longest time between two probes.
    ProbeLongest: Duration, Duration::from_millis(10)..=HOUR, default Duration::from_secs(30);
}

impl Concurrency {
    /// Returns it as a number of things.
    pub(crate) fn as_size(self) -> NonZeroUsize {
        size(self.value())
    }
}

impl Replicas {
    /// Returns it as a number of things.
    pub(crate) fn as_size(self) -> NonZeroUsize {
        size(self.value())
    }
}

impl Rate {
    /// Returns it as a count.
    pub(crate) fn as_count(self) -> NonZeroU32 {
        count(self.value())
    }
}

impl After {
    /// Returns it as a count.
    pub(crate) fn as_count(self) -> NonZeroU32 {
        count(self.value())
    }
}

impl Approvals {
    /// Returns it as a count.
    pub(crate) fn as_count(self) -> NonZeroU32 {
        count(self.value())
    }
}

impl RequestsPerSecond {
    /// Returns it as a count.
    pub(crate) fn as_count(self) -> NonZeroU32 {
        count(self.value())
    }
}

impl Attempts {
    /// Returns it as a count.
    pub(crate) fn as_count(self) -> NonZeroU32 {
        count(self.value())
    }
}

/// Narrows what the bounds have made small and positive.
fn size(number: u64) -> NonZeroUsize {
    let size = usize::try_from(number).ok().and_then(NonZeroUsize::new);
    size.unwrap_or(NonZeroUsize::MIN)
}

/// As [`size`].
fn count(number: u64) -> NonZeroU32 {
    let count = u32::try_from(number).ok().and_then(NonZeroU32::new);
    count.unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::{BodyTimeout, Factor, Queue, SettingError};

    #[test]
    fn reads_what_it_writes_and_nothing_out_of_bounds() {
        for text in ["1ms", "5s", "1m", "59s"] {
            assert_eq!(text.parse::<BodyTimeout>().unwrap().to_string(), text);
        }
        for (text, error) in [
            ("0s", "found `0ms`, expected 1ms to 1m"),
            ("2m", "found `2m`, expected 1ms to 1m"),
            (
                "5",
                "expected a duration such as `500ms`, `10s`, `5m`, `2h` or `90d`",
            ),
        ] {
            assert_eq!(text.parse::<BodyTimeout>().unwrap_err().to_string(), error);
        }
        let form = SettingError::Form {
            expected: "a whole number",
        };
        assert_eq!("-1".parse::<Queue>(), Err(form));
        assert_eq!("1.5".parse::<Factor>().unwrap().value(), 1.5);
        assert!("NaN".parse::<Factor>().is_err());
    }
}
