//! What is wrong, in words: the table of causes.

use alloc::{format, string::String};
use core::fmt;

use crate::{
    forgery::Forged, share::Excess, slow::HeldOpen, stranger::Suspicion, time::Time,
    upstream::Trouble,
};

/// Why deliveries are unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// More valid deliveries, and nothing else: somebody sells a lot.
    LegitimateSpike,
    /// Invalid signatures.
    ForgedSignatures,
    /// Requests that are held open.
    SlowLoris,
    /// An upstream that fails or slows down.
    Cascade,
    /// One type or account is silent, or far down, while others come.
    SeriesSilent,
    /// Everything is silent, or far down.
    AllSilent,
    /// Acknowledged events aren't completed.
    SilentFailure,
    /// Known events come again and again.
    DuplicateStorm,
    /// Valid signatures by somebody who never signed before.
    SecretSuspect,
    /// Something else is new: the backstop.
    Unusual,
}

impl Cause {
    /// Every cause, in the order of the table.
    pub const ALL: [Self; 10] = [
        Self::LegitimateSpike,
        Self::ForgedSignatures,
        Self::SlowLoris,
        Self::Cascade,
        Self::SeriesSilent,
        Self::AllSilent,
        Self::SilentFailure,
        Self::DuplicateStorm,
        Self::SecretSuspect,
        Self::Unusual,
    ];

    /// Returns its name, as in metrics and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LegitimateSpike => "legitimate_spike",
            Self::ForgedSignatures => "forged_signatures",
            Self::SlowLoris => "slow_loris",
            Self::Cascade => "cascade",
            Self::SeriesSilent => "series_silent",
            Self::AllSilent => "all_silent",
            Self::SilentFailure => "silent_failure",
            Self::DuplicateStorm => "duplicate_storm",
            Self::SecretSuspect => "secret_suspect",
            Self::Unusual => "unusual",
        }
    }

    /// Says what to do.
    pub const fn action(self) -> &'static str {
        match self {
            Self::LegitimateSpike => "nothing is blocked",
            Self::ForgedSignatures => {
                "tighten the quota of these sources, never of one that sent valid events"
            }
            Self::SlowLoris => "shorten timeouts, cap open requests of a source",
            Self::Cascade => "shed early with 503, use the secondary",
            Self::SeriesSilent => "reconcile it, ask its producer about the subscription",
            Self::AllSilent => "look at network and endpoint, reconcile",
            Self::SilentFailure => "look at the review queue",
            Self::DuplicateStorm => "nothing: they are answered by dedup",
            Self::SecretSuspect => "rotate the signing secret, hold these events for review",
            Self::Unusual => "look",
        }
    }

    /// Tells whether somebody means harm.
    pub const fn is_attack(self) -> bool {
        matches!(
            self,
            Self::ForgedSignatures | Self::SlowLoris | Self::SecretSuspect
        )
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that began to be wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Why.
    pub cause: Cause,
    /// The type, the account or the network that it is about, if it is about one.
    pub subject: Option<String>,
    /// When it was seen.
    pub at: Time,
    /// How sure, 0.5 to 1: 0.5 is just over the threshold.
    pub score: f64,
    /// The figures, in plain words.
    pub evidence: String,
}

pub(crate) fn of_forged(forged: &Forged) -> String {
    let rates = format!(
        "invalid signatures {}/s against {}/s usual",
        figure(forged.rate),
        figure(forged.usual)
    );
    match forged.most_from {
        Some((network, share)) if share >= 0.5 => {
            format!("{rates}, {:.0} % from {network}", share * 100.0)
        }
        _ => format!("{rates}, from many networks"),
    }
}

pub(crate) fn of_held_open(held: &HeldOpen) -> String {
    format!(
        "{} requests open and incomplete against {} usual, each with {} bytes/s",
        held.open,
        figure(held.usual),
        figure(held.bytes_per_second)
    )
}

pub(crate) fn of_share(what: &str, excess: &Excess) -> String {
    format!(
        "{} % of {what} against {} % usual",
        figure(excess.share * 100.0),
        figure(excess.usual * 100.0)
    )
}

pub(crate) fn of_trouble(trouble: &Trouble, repeats: Option<f64>) -> String {
    let mut parts = alloc::vec::Vec::new();
    if let Some(p99) = trouble.p99 {
        parts.push(format!(
            "p99 {} s against {} s usual",
            figure(p99),
            figure(trouble.usual_p99)
        ));
    }
    if let Some(failures) = trouble.failures {
        parts.push(format!(
            "{} % of requests failed against {} % usual",
            figure(failures * 100.0),
            figure(trouble.usual_failures * 100.0)
        ));
    }
    if let Some(repeats) = repeats {
        parts.push(format!(
            "{} % of deliveries are retries",
            figure(repeats * 100.0)
        ));
    }
    parts.join(", ")
}

pub(crate) fn of_suspicion(suspicion: &Suspicion) -> String {
    let mut text = format!(
        "{} deliveries with valid signatures",
        figure(suspicion.deliveries.max(1.0))
    );
    if let Some(network) = suspicion.from {
        text += &format!(", the last from {network}");
    }
    text + &format!(": {} never seen before", suspicion.news.join(", "))
}

/// Writes a figure with two digits that count, or whole from 100 on.
pub(crate) fn figure(value: f64) -> String {
    let digits = match value.abs() {
        size if size == 0.0 || size >= 99.5 => 0,
        size if size >= 9.95 => 0,
        size if size >= 0.995 => 1,
        size if size >= 0.0995 => 2,
        size if size >= 0.009_95 => 3,
        _ => 4,
    };
    format!("{value:.digits$}")
}

/// Makes how far a statistic is over its threshold (1 is just there) a score.
pub(crate) fn score(over: f64) -> f64 {
    1.0 - 0.5 * crate::float::exp(1.0 - over.max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_two_digits_that_count() {
        let texts = [0.0, 0.0512, 0.5, 2.04, 41.3, 812.0].map(figure);
        assert_eq!(texts, ["0", "0.051", "0.50", "2.0", "41", "812"]);
    }

    #[test]
    fn names_and_actions_are_told_apart() {
        for (at, cause) in Cause::ALL.iter().enumerate() {
            assert!(!cause.action().is_empty());
            assert!(
                Cause::ALL.iter().skip(at + 1).all(|other| {
                    other.name() != cause.name() && other.action() != cause.action()
                })
            );
        }
    }
}
