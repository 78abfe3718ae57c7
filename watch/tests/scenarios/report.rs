//! What came out, as a table.

use std::fmt;

use hookgate_watch::verdict::{Cause, Verdict};

use crate::scenario::{SCENARIOS, Scenario};
use crate::{RATES, SERIES};

/// Times the measured anchor that a median delay may be.
const LATE: f64 = 1.5;

/// One scenario, once.
#[derive(Debug)]
pub(crate) struct Run {
    scenario: &'static Scenario,
    rate: usize,
    days: f64,
    said: Vec<(u64, Verdict)>,
}

impl Run {
    pub(crate) fn new(scenario: &'static Scenario, rate: usize, hours: u64) -> Self {
        Self {
            scenario,
            rate,
            days: hours as f64 / 24.0,
            said: Vec::new(),
        }
    }

    /// Takes what was said, so many seconds after it began.
    pub(crate) fn said(&mut self, elapsed: u64, verdict: Verdict) {
        self.said.push((elapsed, verdict));
    }

    /// Tells whether the verdict that had to come came; a spike is looked at to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.scenario.expect != Some(Cause::LegitimateSpike) && self.delay().is_some()
    }

    fn first(&self) -> Option<Cause> {
        self.said.first().map(|(_, verdict)| verdict.cause)
    }

    fn is_right(&self) -> bool {
        self.first() == self.scenario.expect
    }

    fn delay(&self) -> Option<u64> {
        let right = |(_, verdict): &&(u64, Verdict)| Some(verdict.cause) == self.scenario.expect;
        self.said.iter().find(right).map(|(elapsed, _)| *elapsed)
    }
}

/// All runs.
#[derive(Debug)]
pub(crate) struct Report {
    runs: Vec<Run>,
}

impl Report {
    pub(crate) fn new(runs: Vec<Run>) -> Self {
        Self { runs }
    }

    fn of(&self, scenario: &Scenario, rate: usize) -> Vec<&Run> {
        let runs = self.runs.iter();
        runs.filter(|run| run.scenario.name == scenario.name && run.rate == rate)
            .collect()
    }

    /// Share of the runs with a cause whose first verdict is that cause.
    pub(crate) fn accuracy(&self) -> f64 {
        let caused = self.runs.iter().filter(|run| run.scenario.expect.is_some());
        let right: Vec<bool> = caused.map(Run::is_right).collect();
        right.iter().filter(|right| **right).count() as f64 / right.len() as f64
    }

    /// Verdicts of attacks while nothing but more valid deliveries came.
    pub(crate) fn attacks_seen_in_spikes(&self) -> usize {
        let spikes = self.runs.iter();
        let spikes = spikes.filter(|run| run.scenario.expect == Some(Cause::LegitimateSpike));
        let said = spikes.flat_map(|run| &run.said);
        said.filter(|(_, verdict)| verdict.cause.is_attack())
            .count()
    }

    /// Verdicts in benign runs for each series and 30 days.
    pub(crate) fn false_alarms(&self) -> f64 {
        let benign = self.runs.iter().filter(|run| run.scenario.expect.is_none());
        let (said, days) = benign.fold((0, 0.0), |(said, days), run| {
            (said + run.said.len(), days + run.days)
        });
        said as f64 / (days * SERIES / 30.0)
    }

    /// Names each scenario and rate whose median delay is too long.
    pub(crate) fn too_late(&self) -> Vec<String> {
        let mut late = Vec::new();
        for scenario in &SCENARIOS {
            let anchors = scenario.anchors.iter().flatten();
            for (rate, anchor) in anchors.enumerate() {
                let median = self.median(scenario, rate);
                if median.is_none_or(|median| median > LATE * anchor) {
                    late.push(format!(
                        "{} at {}/s: {median:?} s, not {anchor} s",
                        scenario.name, RATES[rate]
                    ));
                }
            }
        }
        late
    }

    /// Median delay in seconds; `None` if half of the runs never said it.
    fn median(&self, scenario: &Scenario, rate: usize) -> Option<f64> {
        let runs = self.of(scenario, rate);
        let mut delays: Vec<f64> = runs
            .iter()
            .map(|run| run.delay().map_or(f64::INFINITY, |delay| delay as f64))
            .collect();
        delays.sort_by(f64::total_cmp);
        if delays.is_empty() {
            return None;
        }
        let median = (delays[(delays.len() - 1) / 2] + delays[delays.len() / 2]) / 2.0;
        median.is_finite().then_some(median)
    }

    fn row(&self, f: &mut fmt::Formatter<'_>, scenario: &Scenario) -> fmt::Result {
        let expect = scenario.expect.map_or("nothing", Cause::name);
        let all = (0..RATES.len()).flat_map(|rate| self.of(scenario, rate));
        let all: Vec<&Run> = all.collect();
        let right = all.iter().filter(|run| run.is_right()).count();
        write!(
            f,
            "| {} | {expect} | {right} of {} |",
            scenario.name,
            all.len()
        )?;
        for rate in 0..RATES.len() {
            match (scenario.expect, self.median(scenario, rate)) {
                (None, _) => write!(f, " |")?,
                (Some(_), None) => write!(f, " never |")?,
                (Some(_), Some(median)) => match scenario.anchors {
                    Some(anchors) => write!(f, " {median:.0} s ({:.0}) |", anchors[rate])?,
                    None => write!(f, " {median:.0} s |")?,
                },
            }
        }
        let mut others: Vec<String> = Vec::new();
        for cause in Cause::ALL {
            let wrong = |run: &&&Run| run.first() == Some(cause) && !run.is_right();
            let count = all.iter().filter(wrong).count();
            if count > 0 {
                others.push(format!("{count} {cause}"));
            }
        }
        writeln!(f, " {} |", others.join(", "))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| what happens | verdict | right | median delay at 1/s (anchor) | 0.2/s | 0.01/s | first verdicts that were wrong |\n|---|---|---|---|---|---|---|"
        )?;
        for scenario in &SCENARIOS {
            self.row(f, scenario)?;
        }
        writeln!(
            f,
            "\n{} runs; class accuracy {:.1} %; attacks seen in spikes {}; benign verdicts {:.2} for each series and 30 days",
            self.runs.len(),
            100.0 * self.accuracy(),
            self.attacks_seen_in_spikes(),
            self.false_alarms()
        )?;
        for (rate, name) in RATES.iter().enumerate() {
            let benign = self.runs.iter();
            let benign = benign.filter(|run| run.scenario.expect.is_none() && run.rate == rate);
            let (said, days) = benign.fold((0, 0.0), |(said, days), run| {
                (said + run.said.len(), days + run.days)
            });
            write!(
                f,
                "at {name}/s: {:.2}",
                said as f64 / (days * SERIES / 30.0)
            )?;
            for cause in Cause::ALL {
                let runs = self.runs.iter();
                let benign = runs.filter(|run| run.scenario.expect.is_none() && run.rate == rate);
                let said = benign.flat_map(|run| &run.said);
                let count = said.filter(|(_, verdict)| verdict.cause == cause).count();
                if count > 0 {
                    write!(f, ", {count} {cause}")?;
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
