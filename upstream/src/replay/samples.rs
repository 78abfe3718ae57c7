//! Replaying a file of numbers.

use std::{fs, path::Path};

use hookgate_core::time::Timestamp;
use hookgate_watch::{
    generic::{Generic, Pace},
    rate::{Rate, Reading, Trend},
    time::Time,
};

use super::{ReplayError, Replayed, Said};

/// Score from which on the backstop alarms.
const ALARM: f64 = 0.5;
/// Seconds between two samples up to which counts are watched for their rate.
const LONGEST_STEP: u64 = 1_800;
/// Seconds for which a rate must be usual again before it can be said anew.
const HOLD_SECONDS: u64 = 1_800;

/// Reads `timestamp,value`; a first line that is a header is passed over.
///
/// # Errors
/// [`ReplayError::File`], [`ReplayError::Row`].
pub(super) fn read(path: &Path) -> Result<Vec<(u64, f64)>, ReplayError> {
    let text = fs::read_to_string(path).map_err(|error| ReplayError::File {
        path: path.to_owned(),
        error,
    })?;
    // What spreadsheets begin a file with.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut samples = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match sample(line) {
            Some(sample) => samples.push(sample),
            None if number == 0 || line.trim().is_empty() => {}
            None => {
                return Err(ReplayError::Row {
                    path: path.to_owned(),
                    line: number + 1,
                });
            }
        }
    }
    Ok(samples)
}

fn sample(line: &str) -> Option<(u64, f64)> {
    let (time, value) = line.split_once(',')?;
    let time = time.trim();
    let second = match time.parse() {
        Ok(second) => second,
        Err(_) => Timestamp::parse_rfc3339(time)
            .or_else(|| Timestamp::parse_rfc3339(&format!("{}Z", time.replacen(' ', "T", 1))))?
            .unix_seconds(),
    };
    Some((second, value.trim().parse().ok()?))
}

/// Runs the backstop over the samples, and if they are counts, the rate detector.
pub(super) fn replay(samples: &[(u64, f64)]) -> Replayed {
    let mut said = Vec::new();
    let mut generic = Generic::new(Pace::default());
    for (second, value) in samples {
        let score = generic.observe(*second, *value);
        if score >= ALARM {
            said.push(Said {
                at: *second,
                cause: "unusual",
                subject: None,
                score,
                evidence: format!("{value}, in a way not seen before"),
                action: "look",
            });
        }
    }
    let mut forecasts = Vec::new();
    if let Some(step) = step_of_counts(samples) {
        let rate = rates(samples, step, &mut said);
        if let Some((second, _)) = samples.last() {
            let now = Time::from_unix_seconds(*second);
            forecasts.push(("value".to_owned(), rate.forecast(now).collect()));
        }
    }
    said.sort_by_key(|said| said.at);
    let finite = samples.iter().filter(|(_, value)| value.is_finite());
    Replayed {
        samples: finite.copied().collect(),
        said,
        forecasts,
    }
}

/// Returns the usual seconds between two samples, if they are counts that come often
/// enough for a rate.
fn step_of_counts(samples: &[(u64, f64)]) -> Option<u64> {
    let counts = samples
        .iter()
        .all(|(_, value)| *value >= 0.0 && value.fract() == 0.0);
    let pairs = samples.iter().zip(samples.iter().skip(1));
    let mut steps: Vec<u64> = pairs.map(|(a, b)| b.0.saturating_sub(a.0)).collect();
    steps.sort_unstable();
    let step = *steps.get(steps.len() / 2)?;
    (counts && (1..=LONGEST_STEP).contains(&step)).then_some(step)
}

fn rates(samples: &[(u64, f64)], step: u64, said: &mut Vec<Said>) -> Rate {
    let mut rate = Rate::every(step);
    let mut stands: Option<(Trend, u64)> = None;
    for (second, value) in samples {
        let reading = rate.observe(Time::from_unix_seconds(*second), *value as u64);
        if !reading.is_notable() {
            stands = stands.filter(|(_, seen)| second.saturating_sub(*seen) < HOLD_SECONDS);
            continue;
        }
        let known = stands.is_some_and(|(trend, _)| trend == reading.trend);
        stands = Some((reading.trend, *second));
        if !known {
            said.push(word(*second, &reading));
        }
    }
    rate
}

fn word(at: u64, reading: &Reading) -> Said {
    let cause = match reading.trend {
        Trend::Up => "up",
        Trend::Silent => "silent",
        Trend::Usual | Trend::Down => "down",
    };
    Said {
        at,
        cause,
        subject: None,
        score: reading.score(),
        evidence: reading.evidence(),
        action: "look",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_of_three_forms() {
        for line in [
            "2026-11-24T00:00:00Z,12",
            "2026-11-24 00:00:00, 12",
            "1795478400,12.0",
        ] {
            assert_eq!(sample(line), Some((1_795_478_400, 12.0)), "{line}");
        }
        for line in ["timestamp,value", "2026-11-24,1", "1795478400", ""] {
            assert_eq!(sample(line), None, "{line}");
        }
    }

    #[test]
    fn what_a_spreadsheet_writes_is_read_from_its_first_line_on() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(
            file.path(),
            "\u{feff}1795478400,1\r\n1795478700,NaN\r\n\r\n",
        )
        .unwrap();
        let samples = read(file.path()).unwrap();
        assert_eq!(samples.len(), 2);
        assert_eq!(samples[0], (1_795_478_400, 1.0));
        assert!(replay(&samples).said.is_empty());
    }

    /// A fortnight of counts, five minutes each, that end in silence.
    #[test]
    fn the_end_of_counts_is_said_once_and_a_day_is_forecast() {
        let start = 1_795_478_400;
        let samples: Vec<_> = (0..14 * 288_u64)
            .map(|at| (start + at * 300, (50 + at * 7 % 11) as f64))
            .chain((14 * 288..14 * 288 + 24).map(|at| (start + at * 300, 0.0)))
            .collect();
        let replayed = replay(&samples);
        let silent: Vec<_> = replayed
            .said
            .iter()
            .filter(|s| s.cause == "silent")
            .collect();
        let [said] = silent.as_slice() else {
            panic!("{:?}", replayed.said);
        };
        assert!(said.at <= start + (14 * 288 + 3) * 300, "{said:?}");
        let [(_, hours)] = replayed.forecasts.as_slice() else {
            panic!("{:?}", replayed.forecasts);
        };
        assert_eq!(hours.len(), 24);
        assert!(
            hours
                .iter()
                .all(|hour| (500.0..800.0).contains(&hour.events))
        );
    }

    #[test]
    fn numbers_that_are_no_counts_have_the_backstop_alone() {
        let samples: Vec<_> = (0..900_u64).map(|at| (at * 300, 0.5)).collect();
        let replayed = replay(&samples);
        assert_eq!((replayed.said.len(), replayed.forecasts.len()), (0, 0));
    }
}
