//! Values as Envoy 1.40 reads them: YAML 1.1's words for booleans, numbers in other
//! bases, enums by number or in any case, and messages where a scalar is usual.

use std::time::Duration;

use super::Node;

/// Words for `true`, in any case: of YAML 1.1, and those that protobuf takes as
/// text. Envoy refuses a few of their spellings (`oN`, a plain `1`), and with them
/// the file.
const TRUE: [&str; 6] = ["true", "t", "yes", "y", "on", "1"];

impl Node {
    /// Tells whether Envoy reads this as `true`.
    pub(in crate::check) fn is_true(&self) -> bool {
        let text = self.scalar().and_then(Self::text).unwrap_or_default();
        TRUE.iter().any(|word| text.eq_ignore_ascii_case(word))
    }

    /// Tells whether Envoy reads this as the value of an enum with this name and
    /// number.
    pub(in crate::check) fn is_value(&self, (name, number): (&str, u64)) -> bool {
        let is_named = self
            .text()
            .is_some_and(|text| text.eq_ignore_ascii_case(name));
        is_named || self.number() == Some(number)
    }

    /// Reads a number: decimal, hexadecimal, octal behind a 0, or with a point.
    pub(in crate::check) fn number(&self) -> Option<u64> {
        let text = self.scalar()?.text()?;
        let text = text.strip_prefix('+').unwrap_or(text);
        if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            return u64::from_str_radix(digits, 16).ok();
        }
        let octal = text.strip_prefix('0').filter(|digits| !digits.is_empty());
        octal
            .and_then(|digits| u64::from_str_radix(digits, 8).ok())
            .or_else(|| text.parse().ok())
            .or_else(|| integral(text.parse().ok()?))
    }

    /// Reads a duration: `10s`, `0.5s`, or `{seconds: 10}`.
    pub(in crate::check) fn duration(&self) -> Option<Duration> {
        let Some(text) = self.text() else {
            let part = |name| self.field(name).map_or(Some(0), Self::number);
            let nanos = u32::try_from(part("nanos")?).ok()?;
            return Some(Duration::new(part("seconds")?, nanos));
        };
        let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
        Duration::try_from_secs_f64(seconds.abs()).ok()
    }

    /// Returns the scalar itself, or the one in a wrapper's `value`.
    fn scalar(&self) -> Option<&Self> {
        match self.text() {
            Some(_) => Some(self),
            None => self.field("value"),
        }
    }
}

/// Returns a number without a fraction, as far as all of them are exact.
fn integral(number: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let fits = (0.0..=EXACT).contains(&number) && number.fract() == 0.0;
    // Within these bounds every conversion is exact.
    fits.then(|| format!("{number:.0}").parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{super::parse, Duration};

    fn with<T>(yaml: &str, read: impl Fn(&super::Node) -> T) -> Option<T> {
        let documents = parse(&format!("a: {yaml}\n")).unwrap();
        documents.first().unwrap().field("a").map(read)
    }

    #[test]
    fn reads_the_words_for_true_and_no_others() {
        for yaml in [
            "true",
            "True",
            "TRUE",
            "tRue",
            "yes",
            "Yes",
            "YES",
            "y",
            "Y",
            "on",
            "On",
            "ON",
            "t",
            "\"true\"",
            "'yes'",
            "\"1\"",
            "!!bool yes",
            "! true",
            "{value: true}",
        ] {
            assert_eq!(with(yaml, super::Node::is_true), Some(true), "{yaml}");
        }
        for yaml in [
            "false",
            "no",
            "off",
            "n",
            "0",
            "\"\"",
            "tru",
            "{value: no}",
            "[true]",
        ] {
            assert_eq!(with(yaml, super::Node::is_true), Some(false), "{yaml}");
        }
        assert_eq!(with("~", super::Node::is_true), None);
    }

    #[test]
    fn reads_enums_by_name_in_any_case_and_by_number() {
        let is_open = |node: &super::Node| node.is_value(("FAIL_OPEN", 3));
        for yaml in [
            "FAIL_OPEN",
            "fail_open",
            "Fail_Open",
            "3",
            "'3'",
            "0x3",
            "+3",
            "03",
        ] {
            assert_eq!(with(yaml, is_open), Some(true), "{yaml}");
        }
        for yaml in ["FAIL-OPEN", "failOpen", "FAIL_CLOSED", "2", "[3]"] {
            assert_eq!(with(yaml, is_open), Some(false), "{yaml}");
        }
    }

    #[test]
    fn reads_numbers_and_durations_in_every_form() {
        for (yaml, number) in [
            ("2", Some(2)),
            ("'2'", Some(2)),
            ("0x10", Some(16)),
            ("010", Some(8)),
            ("08", Some(8)),
            ("0", Some(0)),
            ("2.0", Some(2)),
            ("2e3", Some(2_000)),
            ("{value: 7}", Some(7)),
            ("2.5", None),
            ("-1", None),
            ("a", None),
        ] {
            assert_eq!(with(yaml, super::Node::number), Some(number), "{yaml}");
        }
        for (yaml, millis) in [
            ("10s", Some(10_000)),
            ("0.5s", Some(500)),
            ("-0s", Some(0)),
            ("{seconds: 3, nanos: 500000000}", Some(3_500)),
            ("{}", Some(0)),
            ("10", None),
        ] {
            let duration = with(yaml, super::Node::duration);
            assert_eq!(duration, Some(millis.map(Duration::from_millis)), "{yaml}");
        }
    }
}
