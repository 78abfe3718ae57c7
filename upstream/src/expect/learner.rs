//! Learns from events and reports in the order of their times, and says what it finds.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hookgate_watch::expect::{Counts, Event, Expectations, Finding, Outcome};
use tracing::warn;

use super::{
    got::Deliveries,
    object,
    series::{Rates, Step},
    store::{Hour, Learnt, Report, Store, StoreError},
    told::Told,
    view::Forecast,
};
use crate::log::{Entry, Origin};

/// Milliseconds between two looks for what is overdue.
const TICK: u64 = 10_000;
/// Milliseconds after which an event was stored that was imported.
const IMPORTED: u64 = 7_200_000;
/// Milliseconds without another one after which that is over.
const IMPORTS_REST: u64 = 60_000;
/// Milliseconds by which a time may be ahead of the clock: of more, the clock was set back.
const AHEAD: u64 = 3_600_000;
/// Reports that are read at once.
const REPORTS: usize = 500;

/// What was found, to be told.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    /// Verdicts on rates.
    pub(super) told: Vec<Told>,
    pub(super) hours: Vec<Hour>,
}

/// Knows what is expected, and how far the log was read.
#[derive(Debug)]
pub(super) struct Learner {
    store: Arc<Mutex<Store>>,
    deliveries: Deliveries,
    expectations: Expectations,
    rates: Rates,
    sequence: u64,
    /// Number of the last report that was taken.
    report: i64,
    reports: VecDeque<(i64, Report)>,
    ticked: u64,
    /// Until when what came long ago is still being stored.
    importing: u64,
    found: Found,
}

impl Learner {
    /// Goes on from what was saved; tells whether anything was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn restore(
        store: Arc<Mutex<Store>>,
        deliveries: Deliveries,
    ) -> Result<(Self, bool), StoreError> {
        let mut learner = Self {
            store,
            deliveries,
            expectations: Expectations::new(),
            rates: Rates::new(),
            sequence: 0,
            report: 0,
            reports: VecDeque::new(),
            ticked: 0,
            importing: 0,
            found: Found::default(),
        };
        let Some(learnt) = learner.store().learnt()? else {
            return Ok((learner, false));
        };
        match Expectations::restore(&learnt.expectations) {
            Ok(expectations) => learner.expectations = expectations,
            Err(error) => {
                warn!(%error, "expectations are learnt anew");
                return Ok((learner, false));
            }
        }
        learner.rates = Rates::restore(&learnt.series, learnt.second);
        let newest = learner.store().hours(1)?.pop();
        newest
            .into_iter()
            .for_each(|hour| learner.rates.resume(hour));
        (learner.sequence, learner.report) = (learnt.sequence, learnt.outcome);
        Ok((learner, true))
    }

    /// How far the log was read.
    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Passes over what comes before.
    pub(super) const fn skip_to(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// Takes an event of the log.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn take(&mut self, entry: &Entry, payload: &[u8]) -> Result<(), StoreError> {
        let attributes = &entry.attributes;
        let at = entry.came_at();
        let at_millis = at.unix_millis();
        self.come_to(at_millis)?;
        let stored = entry.stored_at.unix_millis();
        if stored.saturating_sub(at_millis) > IMPORTED {
            self.importing = stored.saturating_add(IMPORTS_REST);
        }
        // What is held may be a thief's, and comes to its destinations when a person says so.
        let in_time = attributes.origin == Origin::Delivery && attributes.held_for.is_none();
        let objects = object::keys(attributes, payload);
        let findings = self.expectations.observe(&Event {
            sequence: entry.sequence,
            event: object::event_key(attributes.source.as_str(), &attributes.id),
            objects: &objects,
            type_name: &attributes.type_name,
            at_millis,
            in_time,
        });
        self.found.findings.extend(findings);
        if in_time {
            let mut step = Step::default();
            (self.rates).take(at.unix_seconds(), attributes, &mut step);
            self.keep(step);
        }
        self.sequence = entry.sequence;
        Ok(())
    }

    /// Takes what was reported up to now, where the log was read to its end; nothing while
    /// what came long ago is still being stored, of which the rest would seem overdue. A clock
    /// that was set back by more than an hour is followed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn come_to_now(&mut self, now_millis: u64) -> Result<(), StoreError> {
        if (1..=IMPORTS_REST).contains(&self.importing.saturating_sub(now_millis)) {
            return Ok(());
        }
        let ahead = now_millis.saturating_add(AHEAD);
        if self.ticked > ahead {
            self.ticked = now_millis;
        }
        self.rates.follow(now_millis / 1_000, AHEAD / 1_000);
        // What was reported before the clock was set back keeps no other report waiting.
        self.take_reports(|at_millis| at_millis > ahead)?;
        self.come_to(now_millis)
    }

    /// Takes what was reported up to a time, and looks for what is overdue then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn come_to(&mut self, now_millis: u64) -> Result<(), StoreError> {
        self.take_reports(|at_millis| at_millis <= now_millis)?;
        if now_millis >= self.ticked.saturating_add(TICK) {
            self.ticked = now_millis;
            let deliveries = &mut self.deliveries;
            let mut got = |sequence: u64, name: &str| deliveries.got(sequence, name);
            let findings = self.expectations.tick(now_millis, &mut got);
            self.found.findings.extend(findings);
            let mut step = Step::default();
            self.rates.advance(now_millis / 1_000, &mut step);
            self.keep(step);
        }
        Ok(())
    }

    /// Returns what was found since the last call.
    pub(super) fn found(&mut self) -> Found {
        std::mem::take(&mut self.found)
    }

    /// Tells whether everything that was found was taken.
    pub(super) const fn is_told(&self) -> bool {
        self.found.findings.is_empty() && self.found.told.is_empty()
    }

    /// Forgets everything: it was of another log.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn forget(&mut self) -> Result<(), StoreError> {
        self.store().forget()?;
        (self.expectations, self.rates) = (Expectations::new(), Rates::new());
        (self.sequence, self.report, self.ticked) = (0, 0, 0);
        self.reports.clear();
        Ok(())
    }

    /// Keeps what was learnt.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn save(&self) -> Result<(), StoreError> {
        let learnt = Learnt {
            sequence: self.sequence,
            outcome: self.report,
            second: self.rates.now(),
            expectations: self.expectations.save(),
            series: self.rates.save(),
        };
        let store = self.store();
        if let Some(hour) = self.rates.hour() {
            store.add_hour(&hour)?;
        }
        store.save(&learnt)
    }

    /// The hour that is under way.
    pub(super) const fn hour(&self) -> Option<Hour> {
        self.rates.hour()
    }

    pub(super) fn forecasts(&self) -> Vec<Forecast> {
        self.rates.forecasts()
    }

    pub(super) fn counts(&self) -> Counts {
        self.expectations.counts()
    }

    /// Each statement is whole, so that it may have panicked anywhere.
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next reports, as long as their times are due.
    fn take_reports(&mut self, is_due: impl Fn(u64) -> bool) -> Result<(), StoreError> {
        while let Some(report) = self.next_report(&is_due)? {
            let got_millis = self.got(&report);
            let findings = self.expectations.reported(&Outcome {
                event: event_key(&report),
                destination: &report.destination,
                got_millis,
                at_millis: report.at_millis,
                completed: report.completed,
            });
            self.found.findings.extend(findings);
        }
        Ok(())
    }

    fn next_report(&mut self, is_due: impl Fn(u64) -> bool) -> Result<Option<Report>, StoreError> {
        if self.reports.is_empty() {
            let reports = self.store().reports(self.report, REPORTS)?;
            self.reports.extend(reports);
        }
        let next = (self.reports).pop_front_if(|(_, report)| is_due(report.at_millis));
        let Some((number, report)) = next else {
            return Ok(None);
        };
        self.report = number;
        Ok(Some(report))
    }

    fn got(&mut self, report: &Report) -> Option<u64> {
        let sequence = self.expectations.place_of(event_key(report))?;
        match self.deliveries.got(sequence, &report.destination) {
            hookgate_watch::expect::Got::At(at) => Some(at),
            _ => None,
        }
    }

    fn keep(&mut self, step: Step) {
        self.found.told.extend(step.told);
        self.found.hours.extend(step.hours);
    }
}

fn event_key(report: &Report) -> u64 {
    object::event_key(&report.source, &report.id)
}
