//! What was told of an event, in a form for people and programs.

use hookgate_core::time::Timestamp;
use hookgate_watch::expect::{Flag, Kind};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::gate_watch::Verdict;

/// A flag, or a verdict on how many events come, with why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// When it was found.
    #[serde(serialize_with = "write_time", deserialize_with = "read_time")]
    pub(crate) at: Timestamp,
    /// What is wrong: of the names of [`Kind`], or a cause of the watch.
    pub(crate) kind: String,
    /// The type of the event, or what a verdict is about; empty if it is about all.
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    /// What was expected: a type, a destination's word, or empty for anything.
    pub(crate) expected: String,
    /// The event; `None` of a verdict.
    pub(crate) event: Option<About>,
    /// What was expected and what was seen, in plain words.
    pub(crate) evidence: String,
    /// How likely that was, 0 to 1; of a verdict 1 less its score.
    pub(crate) probability: f64,
    /// IDs of similar events of the past.
    pub(crate) similar: Vec<String>,
    /// The destination in whose review queue the event waits for a person.
    pub(crate) review: Option<String>,
    /// The gate whose watch told it; `None`: found in the log.
    #[serde(default)]
    pub(crate) gate: Option<String>,
    /// When it came after all.
    pub(crate) came: Option<String>,
}

/// Names an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    /// Its place in the log.
    pub(crate) sequence: u64,
    /// Its ID.
    pub(crate) id: String,
    /// Its source.
    pub(crate) source: String,
    /// Its connected account.
    pub(crate) account: Option<String>,
}

impl Told {
    /// Tells whether something is overdue.
    pub(crate) fn is_overdue(&self) -> bool {
        let kinds = [Kind::OverdueCompletion, Kind::OverdueSuccessor];
        kinds.iter().any(|kind| kind.name() == self.kind)
    }

    /// What makes it the same when it is found again.
    pub(super) fn key(&self) -> String {
        match &self.event {
            Some(event) => format!("{} {} {}", self.kind, event.sequence, self.expected),
            None => format!("{} {} {}", self.kind, self.at, self.type_name),
        }
    }
}

impl From<Verdict> for Told {
    fn from(verdict: Verdict) -> Self {
        Self {
            at: verdict.at,
            kind: verdict.kind,
            type_name: verdict.subject.unwrap_or_default(),
            expected: String::new(),
            event: None,
            evidence: verdict.evidence,
            probability: 1.0 - verdict.score,
            similar: Vec::new(),
            review: None,
            gate: Some(verdict.gate.as_str().to_owned()),
            came: None,
        }
    }
}

/// Says why a flag was raised.
pub(super) fn evidence(flag: &Flag) -> String {
    let waited = flag.at_millis.saturating_sub(flag.since_millis) as f64 / 1_000.0;
    let came = flag.cases.saturating_sub(flag.like_it);
    let limit = duration(flag.limit_seconds);
    let usual = duration(flag.limit_seconds / 3.0);
    match flag.kind {
        Kind::OverdueCompletion => format!(
            "no word of `{}` for {}; it dealt with {came} of {} such events, 999 of 1,000 within {usual}, and this is over {limit}",
            flag.expected,
            duration(waited),
            flag.cases,
        ),
        Kind::OverdueSuccessor => format!(
            "no {} for {}; it followed {came} of {} such events, 999 of 1,000 within {usual}, and this is over {limit}",
            anything(&flag.expected),
            duration(waited),
            flag.cases,
        ),
        Kind::ImprobableTransition => format!(
            "came after {}, as {} of {} times before",
            type_or_start(&flag.expected),
            flag.like_it,
            flag.cases,
        ),
        Kind::Excess => format!(
            "{} of the last {} such events have no {} within {limit}, where {} is usual",
            flag.like_it,
            flag.cases,
            anything(&flag.expected),
            percent(flag.usual),
        ),
        Kind::FailedExcess => format!(
            "`{}` failed with {} of the last {} such events, where {} is usual",
            flag.expected,
            flag.like_it,
            flag.cases,
            percent(flag.usual),
        ),
    }
}

fn anything(expected: &str) -> String {
    if expected.is_empty() {
        "further event of its object".to_owned()
    } else {
        format!("`{expected}`")
    }
}

fn type_or_start(name: &str) -> String {
    if name == "the start" {
        "nothing of its object".to_owned()
    } else {
        format!("`{name}`")
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Writes a duration of two units.
fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    let (days, hours) = (whole / 86_400, whole / 3_600 % 24);
    let (minutes, rest) = (whole / 60 % 60, whole % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min {rest} s"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

fn write_time<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    let time = Timestamp::parse_rfc3339(&text);
    time.ok_or_else(|| de::Error::custom("expected a time of RFC 3339"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(kind: Kind) -> Flag {
        Flag {
            kind,
            type_name: "payout.created".to_owned(),
            expected: "payout.paid".to_owned(),
            sequence: 7,
            since_millis: 0,
            at_millis: 10_800_000,
            limit_seconds: 9_000.0,
            cases: 400,
            like_it: 1,
            usual: 0.003,
            probability: 0.005,
            similar: Vec::new(),
        }
    }

    #[test]
    fn a_flag_says_what_was_expected_and_what_was_seen() {
        assert_eq!(
            evidence(&flag(Kind::OverdueSuccessor)),
            "no `payout.paid` for 3 h 0 min; it followed 399 of 400 such events, 999 of 1,000 \
             within 50 min 0 s, and this is over 2 h 30 min"
        );
        assert_eq!(
            evidence(&flag(Kind::Excess)),
            "1 of the last 400 such events have no `payout.paid` within 2 h 30 min, where 0.3 % \
             is usual"
        );
        let mut start = flag(Kind::ImprobableTransition);
        start.expected = "the start".to_owned();
        assert_eq!(
            evidence(&start),
            "came after nothing of its object, as 1 of 400 times before"
        );
    }

    #[test]
    fn durations_have_two_units() {
        let texts = [5.4, 65.0, 3_700.0, 90_000.0, f64::NAN].map(duration);
        assert_eq!(texts, ["5 s", "1 min 5 s", "1 h 1 min", "1 d 1 h", "0 s"]);
    }
}
