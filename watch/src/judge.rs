//! Readings of rates, judged by the table of causes.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use crate::{
    rate::{Reading, Trend},
    series::{Observation, Series},
    standing::Finding,
    verdict::{Cause, figure},
};

/// Score of the backstop on a series from which on it is worth a look: over the
/// threshold of [`Generic`](crate::generic::Generic) 3.8 times.
const NOVEL: f64 = 0.97;
/// Events a minute that must be usual for the backstop to say more than chance.
const MINUTE_EVENTS: f64 = 5.0;
/// Share of a threshold from which on the rate detector is left to speak for itself.
const NEARLY: f64 = 0.25;
/// Everything together is down, rather than calm as on a holiday, under this ratio.
const FAR_DOWN: f64 = 0.4;
/// Share of a total silence from which on no single one is judged.
const MAYBE_ALL: f64 = 0.3;
/// A series with this share of all expected events is all of them.
const WHOLE: f64 = 0.9;
/// Events of the others that must be expected before they are compared with.
const COMPARABLE: f64 = 5.0;

/// Judges readings of rates by the table of causes.
pub(crate) struct Judge<'a> {
    /// All events.
    pub(crate) total: &'a Series,
    /// What they do.
    pub(crate) reading: Reading,
    /// Nothing else was wrong lately.
    pub(crate) calm: bool,
}

impl Judge<'_> {
    /// Judges all events together, before any series of its own.
    pub(crate) fn total(&self, observation: Observation, found: &mut Vec<Finding>) {
        let reading = &observation.reading;
        match reading.trend {
            Trend::Silent => push(found, Cause::AllSilent, None, reading, reading.evidence()),
            Trend::Down if reading.ratio < FAR_DOWN => {
                push(found, Cause::AllSilent, None, reading, reading.evidence());
            }
            Trend::Up if self.calm && reading.is_notable() => {
                push(
                    found,
                    Cause::LegitimateSpike,
                    None,
                    reading,
                    reading.evidence(),
                );
            }
            _ => self.backstop(self.total, None, observation, found),
        }
    }

    /// Judges a series beside all others.
    pub(crate) fn series(
        &self,
        name: &str,
        series: &Series,
        observation: Observation,
        found: &mut Vec<Finding>,
    ) {
        let reading = &observation.reading;
        let subject = || Some(name.to_string());
        let all_down = found.iter().any(|one| one.cause == Cause::AllSilent);
        match reading.trend {
            Trend::Silent
                if !all_down
                    && self.total.rate().missed() < MAYBE_ALL
                    && reading.strength * self.others(series).min(1.0) > 1.0 =>
            {
                push(
                    found,
                    Cause::SeriesSilent,
                    subject(),
                    reading,
                    reading.evidence(),
                );
            }
            Trend::Down if !all_down && reading.is_notable() => {
                let evidence = format!(
                    "{}, while all others are at {:.0} %",
                    reading.evidence(),
                    reading.others * 100.0
                );
                push(found, Cause::SeriesSilent, subject(), reading, evidence);
            }
            // What is up in total is told once.
            Trend::Up if self.calm && reading.is_notable() && self.reading.trend != Trend::Up => {
                push(
                    found,
                    Cause::LegitimateSpike,
                    subject(),
                    reading,
                    reading.evidence(),
                );
            }
            _ => self.backstop(series, subject(), observation, found),
        }
    }

    fn backstop(
        &self,
        series: &Series,
        subject: Option<String>,
        observation: Observation,
        found: &mut Vec<Finding>,
    ) {
        let often = observation.reading.usual * 60.0 >= MINUTE_EVENTS;
        let told = series.rate().suspicion() >= NEARLY;
        if observation.novelty >= NOVEL && often && !told {
            let evidence = format!(
                "{} events in a minute, where {} are usual, in a way not seen before",
                observation.in_minute,
                figure(observation.reading.usual * 60.0)
            );
            found.push(Finding {
                cause: Cause::Unusual,
                subject,
                score: observation.novelty,
                evidence,
            });
        }
    }

    /// Returns observed over expected events of all other series, lately; 1 without others.
    fn others(&self, series: &Series) -> f64 {
        let (all, all_expected) = self.total.rate().lately();
        let (own, own_expected) = series.rate().lately();
        if all_expected - own_expected > COMPARABLE {
            (all - own).max(0.0) / (all_expected - own_expected)
        } else {
            1.0
        }
    }

    /// Tells whether a series is nearly all there is.
    pub(crate) fn is_whole(&self, series: &Series) -> bool {
        let (_, all) = self.total.rate().lately();
        let (_, own) = series.rate().lately();
        own > WHOLE * all
    }
}

fn push(
    found: &mut Vec<Finding>,
    cause: Cause,
    subject: Option<String>,
    reading: &Reading,
    evidence: String,
) {
    found.push(Finding {
        cause,
        subject,
        score: reading.score(),
        evidence,
    });
}
