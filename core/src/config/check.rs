//! What every check of a field has in common.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt::Display, ops::RangeInclusive, time::Duration};

use super::ConfigError;
use crate::{
    identity::{NameError, Source},
    metric,
    policy::TypePattern,
    time::Timestamp,
};

pub(super) fn bounded<T: PartialOrd + Display>(
    path: &str,
    found: T,
    bounds: RangeInclusive<T>,
) -> Result<T, ConfigError> {
    if bounds.contains(&found) {
        return Ok(found);
    }
    let expected = format!("{} to {}", bounds.start(), bounds.end());
    Err(ConfigError::value(path, found, expected))
}

pub(super) fn count(
    path: &str,
    found: usize,
    bounds: RangeInclusive<usize>,
) -> Result<(), ConfigError> {
    if bounds.contains(&found) {
        return Ok(());
    }
    let expected = format!("{} to {}", bounds.start(), bounds.end());
    Err(ConfigError::value(
        path,
        format!("{found} entries"),
        expected,
    ))
}

pub(super) fn seconds(
    path: &str,
    found: u64,
    bounds: RangeInclusive<u64>,
) -> Result<Duration, ConfigError> {
    bounded(path, found, bounds).map(Duration::from_secs)
}

pub(super) fn name(path: &str, found: &str) -> Result<Source, ConfigError> {
    Source::new(found).map_err(|error| ConfigError::text(path, found, expected(error)))
}

/// Checks a name by which statistics are kept.
pub(super) fn counted_name(path: &str, found: &str) -> Result<(), ConfigError> {
    name(path, found)?;
    let words = metric::words();
    if !words.contains(found) {
        return Ok(());
    }
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    let expected = format!(
        "another name: statistics are taken apart by the words {}",
        words.join(", ")
    );
    Err(ConfigError::text(path, found, expected))
}

/// Checks that no earlier item has the same name.
pub(super) fn unique<'a>(
    path: &str,
    found: &str,
    mut earlier: impl Iterator<Item = &'a str>,
) -> Result<(), ConfigError> {
    if earlier.any(|other| other == found) {
        let expected = "one that no other has";
        return Err(ConfigError::text(path, found, expected));
    }
    Ok(())
}

pub(super) fn patterns(
    path: &str,
    found: &[String],
    bounds: RangeInclusive<usize>,
) -> Result<Vec<TypePattern>, ConfigError> {
    count(path, found.len(), bounds)?;
    let pattern = |(index, text): (usize, &String)| {
        TypePattern::new(text).ok_or_else(|| {
            let expected = "an event type, `*` for any characters, such as `invoice.*`";
            ConfigError::text(&format!("{path}[{index}]"), text, expected)
        })
    };
    found.iter().enumerate().map(pattern).collect()
}

pub(super) fn timestamp(path: &str, found: Option<&str>) -> Result<Option<Timestamp>, ConfigError> {
    let read = |text: &str| {
        Timestamp::parse_rfc3339(text).ok_or_else(|| {
            let expected = "an RFC 3339 time such as `2026-11-01T00:00:00Z`";
            ConfigError::text(path, text, expected)
        })
    };
    found.map(read).transpose()
}

fn expected(error: NameError) -> String {
    let text = error.to_string();
    text.strip_prefix("expected ").unwrap_or(&text).to_string()
}
