//! Points in time, as the host gives them.

use core::{fmt, time::Duration};

const MILLIS_PER_SECOND: u64 = 1_000;
const SECONDS_PER_DAY: u64 = 86_400;

/// Holds a point in time: milliseconds since the Unix epoch, UTC.
///
/// `Display` writes RFC 3339 with milliseconds where they are not zero:
/// `2025-10-09T08:53:20Z`, `2025-10-09T08:53:20.250Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Makes a timestamp from Unix seconds; saturates far beyond year 9999.
    #[must_use]
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(MILLIS_PER_SECOND))
    }

    /// Makes a timestamp from Unix milliseconds.
    #[must_use]
    pub const fn from_unix_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Returns whole Unix seconds, rounded down.
    #[must_use]
    pub const fn unix_seconds(self) -> u64 {
        self.0 / MILLIS_PER_SECOND
    }

    /// Returns Unix milliseconds.
    #[must_use]
    pub const fn unix_millis(self) -> u64 {
        self.0
    }

    /// Returns the distance to `other`, whichever of the two is later.
    #[must_use]
    pub const fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }

    /// Reads an RFC 3339 date-time (section 5.6) with years 1970 to 9999.
    ///
    /// Digits of the second beyond milliseconds are cut off. Returns `None`
    /// for anything else, leap seconds included.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let mut rest = text.as_bytes();
        let year = digits(&mut rest, 4)?;
        separator(&mut rest, b"-")?;
        let month = digits(&mut rest, 2)?;
        separator(&mut rest, b"-")?;
        let day = digits(&mut rest, 2)?;
        separator(&mut rest, b"Tt ")?;
        let hour = digits(&mut rest, 2)?;
        separator(&mut rest, b":")?;
        let minute = digits(&mut rest, 2)?;
        separator(&mut rest, b":")?;
        let second = digits(&mut rest, 2)?;
        let millis = fraction(&mut rest)?;
        let offset_seconds = offset(rest)?;

        let in_range = year >= 1970
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour <= 23
            && minute <= 59
            && second <= 59;
        if !in_range {
            return None;
        }
        let seconds = days_since_epoch(year, month, day) * SECONDS_PER_DAY
            + hour * 3_600
            + minute * 60
            + second;
        let utc = seconds.checked_add_signed(-offset_seconds)?;
        Some(Self(utc * MILLIS_PER_SECOND + millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.unix_seconds();
        let (year, month, day) = date(seconds / SECONDS_PER_DAY);
        let of_day = seconds % SECONDS_PER_DAY;
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        // Three of these go with each event, and formatting each number by itself
        // costs a multiple of this.
        let millis = self.0 % MILLIS_PER_SECOND;
        let (mut whole, mut exact) = (*b"0000-00-00T00:00:00Z", *b"0000-00-00T00:00:00.000Z");
        let text: &mut [u8] = if millis == 0 { &mut whole } else { &mut exact };
        for (place, number) in [
            // A year beyond 9999 is written by itself.
            (0..4, year),
            (5..7, month),
            (8..10, day),
            (11..13, hour),
            (14..16, minute),
            (17..19, second),
            (20..23, millis),
        ] {
            put_digits(text.get_mut(place).unwrap_or_default(), number);
        }
        let text = str::from_utf8(text).map_err(|_| fmt::Error)?;
        match text.split_at_checked(4) {
            Some((_, behind)) if year > 9_999 => write!(f, "{year}{behind}"),
            _ => f.write_str(text),
        }
    }
}

/// Writes a number in as many digits as there is place.
fn put_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        let [low, ..] = (number % 10).to_le_bytes();
        *digit = b'0' + low;
        number /= 10;
    }
}

fn digits(rest: &mut &[u8], count: usize) -> Option<u64> {
    let (number, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    number.iter().try_fold(0, |value: u64, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + u64::from(byte - b'0'))
    })
}

fn separator(rest: &mut &[u8], allowed: &[u8]) -> Option<()> {
    let (first, tail) = rest.split_first()?;
    *rest = tail;
    allowed.contains(first).then_some(())
}

/// Reads `.ddd…` if it is there, as milliseconds.
fn fraction(rest: &mut &[u8]) -> Option<u64> {
    let Some(tail) = rest.strip_prefix(b".") else {
        return Some(0);
    };
    let count = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, tail) = tail.split_at_checked(count)?;
    *rest = tail;
    if number.is_empty() {
        return None;
    }
    let padded = number.iter().copied().chain([b'0', b'0']).take(3);
    Some(padded.fold(0, |value, byte| value * 10 + u64::from(byte - b'0')))
}

/// Reads `Z` or `±hh:mm`, as seconds east of UTC, and nothing after it.
fn offset(mut rest: &[u8]) -> Option<i64> {
    if rest == b"Z" || rest == b"z" {
        return Some(0);
    }
    let (&sign, tail) = rest.split_first()?;
    rest = tail;
    let hours = digits(&mut rest, 2)?;
    separator(&mut rest, b":")?;
    let minutes = digits(&mut rest, 2)?;
    if !rest.is_empty() || hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = i64::try_from(hours * 3_600 + minutes * 60).ok()?;
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

// Both directions count in 400-year eras of years that begin in March, so that
// the leap day is the last day of a year. Source: Howard Hinnant,
// "chrono-Compatible Low-Level Date Algorithms", days_from_civil and
// civil_from_days, restricted to dates from 1970 on.
const DAYS_PER_ERA: u64 = 146_097;
const DAYS_FROM_MARCH_0000_TO_EPOCH: u64 = 719_468;

const fn days_since_epoch(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - DAYS_FROM_MARCH_0000_TO_EPOCH
}

const fn date(days_since_epoch: u64) -> (u64, u64, u64) {
    let days = days_since_epoch + DAYS_FROM_MARCH_0000_TO_EPOCH;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + (month <= 2) as u64;
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::Timestamp;
    use alloc::string::ToString;

    #[test]
    fn writes_rfc3339_in_utc() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_760_000_000_250, "2025-10-09T08:53:20.250Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "10000-01-01T00:00:00Z"),
            (u64::MAX, "584556019-04-03T14:25:51.615Z"),
        ] {
            assert_eq!(Timestamp::from_unix_millis(millis).to_string(), text);
        }
    }

    #[test]
    fn reads_what_it_writes_on_every_day_of_four_centuries() {
        for day in 0..146_097 {
            let at = Timestamp::from_unix_seconds(day * 86_400 + 86_399);
            assert_eq!(Timestamp::parse_rfc3339(&at.to_string()), Some(at));
        }
    }

    #[test]
    fn reads_offsets_and_fractions() {
        let at = Timestamp::from_unix_millis(1_760_000_000_250);
        for text in [
            "2025-10-09T10:53:20.25+02:00",
            "2025-10-09t08:53:20.250999z",
            "2025-10-08 23:23:20.250-09:30",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), Some(at), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_date_time() {
        for text in [
            "",
            "1760000000",
            "2025-10-09",
            "2025-10-09T08:53:20",
            "2025-10-09T08:53:20.Z",
            "2025-10-09T08:53:60Z",
            "2025-02-29T00:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-00-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "2025-10-09T08:53:20Zjunk",
            "2025-10-09T08:53:20+0200",
            "２０25-10-09T08:53:20Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }
}
