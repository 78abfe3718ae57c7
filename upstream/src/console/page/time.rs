//! Times and numbers as people read them.

use std::time::Duration;

use hookgate_core::time::Timestamp;
use maud::{Markup, html};

/// Writes a time, and how long ago that is.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(at) title=(at) { (age(at, now)) " ago" } }
}

/// Writes a time exactly.
pub(super) fn exactly(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at) } }
}

/// Writes the time of day.
pub(super) fn clock(at: Timestamp) -> String {
    let of_day = at.unix_seconds() % 86_400;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{hour:02}:{minute:02}:{second:02} UTC")
}

/// Writes how long ago a time is.
pub(super) fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.unix_seconds().saturating_sub(at.unix_seconds());
    span(seconds)
}

/// Writes how long it is until a time.
pub(super) fn until(at: Timestamp, now: Timestamp) -> String {
    age(now, at)
}

/// Writes when something is tried next.
pub(super) fn next(at: Timestamp, now: Timestamp) -> String {
    if at.unix_seconds() <= now.unix_seconds() {
        return "now".to_owned();
    }
    format!("in {}", until(at, now))
}

fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Writes a number with its thousands apart.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a number of things.
pub(super) fn counted(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {what}{ending}", number(count))
}

/// Returns what was before a time.
pub(in crate::console) fn earlier(time: Timestamp, by: Duration) -> Timestamp {
    let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_unix_millis(time.unix_millis().saturating_sub(millis))
}

#[cfg(test)]
mod tests {
    use hookgate_core::time::Timestamp;

    use super::{clock, next, number, span};

    #[test]
    fn is_read_at_a_glance() {
        assert_eq!(span(0), "0 s");
        assert_eq!(span(119), "119 s");
        assert_eq!(span(120), "2 min");
        assert_eq!(span(7_200), "2 h");
        assert_eq!(span(172_800), "2 days");
        let at = Timestamp::from_unix_seconds(86_400 + 3_600 + 125);
        assert_eq!(clock(at), "01:02:05 UTC");
        assert_eq!(next(at, at), "now");
        let before = Timestamp::from_unix_seconds(at.unix_seconds() - 5);
        assert_eq!(next(at, before), "in 5 s");
        assert_eq!(next(before, at), "now");
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1,234,567");
    }
}
