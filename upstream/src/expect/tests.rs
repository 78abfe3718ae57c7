//! What is learnt over restarts, and with the schedule of deliveries beside it.

use std::sync::{Arc, Mutex};

use hookgate_core::time::Timestamp;
use hookgate_watch::expect::{Finding, Flag, Kind};

use super::{
    got::Deliveries,
    learner::Learner,
    store::{Hour, Report, Reported, Store},
    told::Told,
    view::{HOURS, Shown},
};
use crate::log::{Attributes, Entry, HeldFor, LogAddress, Origin, Sha256Sum};

const START: u64 = 1_760_000_000_000;
const MINUTE: u64 = 60_000;

/// A log in memory, as far as it is read here.
struct Log {
    folder: tempfile::TempDir,
    sequence: u64,
}

impl Log {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            folder,
            sequence: 0,
        }
    }

    fn store(&self) -> Arc<Mutex<Store>> {
        let path = self.folder.path().join("log.db.expect");
        Arc::new(Mutex::new(Store::open(Some(&path)).unwrap()))
    }

    fn learner(&self) -> (Learner, bool) {
        let nothing = LogAddress::Sqlite(self.folder.path().join("log.db"));
        Learner::restore(self.store(), Deliveries::of(&nothing)).unwrap()
    }

    fn event(&mut self, at_millis: u64, type_name: &str, object: &str) -> (Entry, Vec<u8>) {
        self.sequence += 1;
        let payload = format!(r#"{{"data": {{"object": {{"id": "{object}"}}}}}}"#).into_bytes();
        let at = Timestamp::from_unix_millis(at_millis);
        let attributes = Attributes {
            type_name: type_name.to_owned(),
            sha256: Sha256Sum::of(&payload),
            ..Attributes::sample(&format!("evt_{}", self.sequence), at)
        };
        let entry = Entry {
            sequence: self.sequence,
            stored_at: at,
            size: 1,
            redacted: false,
            attributes,
        };
        (entry, payload)
    }
}

fn report(id: &str, at_millis: u64) -> Report {
    Report {
        source: "stripe".to_owned(),
        id: id.to_owned(),
        destination: "orders".to_owned(),
        completed: true,
        reason: String::new(),
        at_millis,
    }
}

/// Lets payouts be made, paid and completed, one a minute.
fn usual(log: &mut Log, learner: &mut Learner, from: u64, cases: u64) -> u64 {
    for number in 0..cases {
        let at = from + number * MINUTE;
        for (at, name) in [(at, "payout.created"), (at + 20_000, "payout.paid")] {
            let (entry, payload) = log.event(at, name, &format!("po_{at}"));
            let id = entry.attributes.id.clone();
            learner.take(&entry, &payload).unwrap();
            let kept = learner.store().report(&report(&id, at + 2_000)).unwrap();
            assert_eq!(kept, Reported::Recorded);
        }
    }
    from + cases * MINUTE
}

fn flags(learner: &mut Learner) -> Vec<Flag> {
    let found = learner.found().findings.into_iter();
    let flags = found.filter_map(|finding| match finding {
        Finding::Flag(flag) => Some(flag),
        Finding::Late { .. } => None,
    });
    flags.collect()
}

#[test]
fn a_restart_forgets_nothing_and_what_was_read_since_is_found_again() {
    let mut log = Log::new();
    let (mut learner, had) = log.learner();
    assert!(!had);
    let at = usual(&mut log, &mut learner, START, 150);
    learner.come_to(at).unwrap();
    assert_eq!(flags(&mut learner), []);
    learner.save().unwrap();
    // Reported and stored after that; then it was killed.
    let (entry, payload) = log.event(at, "payout.created", "po_lost");
    learner.take(&entry, &payload).unwrap();
    learner.come_to(at + 9 * MINUTE).unwrap();
    let found = flags(&mut learner);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].kind, Kind::OverdueCompletion);

    let (mut again, had) = log.learner();
    assert!(had);
    assert_eq!(again.sequence(), 300);
    again.take(&entry, &payload).unwrap();
    again.come_to(at + 9 * MINUTE).unwrap();
    assert_eq!(flags(&mut again), found);
}

#[test]
fn what_is_held_makes_no_destination_late() {
    for held_for in [None, Some(HeldFor::SecretSuspect)] {
        let mut log = Log::new();
        let (mut learner, _) = log.learner();
        let at = usual(&mut log, &mut learner, START, 150);
        let (mut entry, payload) = log.event(at, "payout.created", "po_held");
        entry.attributes.held_for = held_for;
        learner.take(&entry, &payload).unwrap();
        learner.come_to(at + 9 * MINUTE).unwrap();
        let found = flags(&mut learner);
        assert_eq!(found.is_empty(), held_for.is_some(), "{found:?}");
    }
}

#[test]
fn a_report_counts_when_the_log_is_read_up_to_its_time() {
    let mut log = Log::new();
    let (mut learner, _) = log.learner();
    let at = usual(&mut log, &mut learner, START, 150);
    // The server was away: the log and the reports go on, and are read much later.
    let late: Vec<_> = (0..50)
        .map(|number| {
            log.event(
                at + number * MINUTE,
                "payout.created",
                &format!("po_l{number}"),
            )
        })
        .collect();
    for (entry, _) in &late {
        let at = entry.stored_at.unix_millis() + 2_000;
        let report = report(&entry.attributes.id, at);
        learner.store().report(&report).unwrap();
    }
    for (entry, payload) in &late {
        learner.take(entry, payload).unwrap();
    }
    let found = flags(&mut learner);
    let of_completions = |flag: &&Flag| flag.kind == Kind::OverdueCompletion;
    assert_eq!(found.iter().filter(of_completions).count(), 0, "{found:?}");
}

/// What the clock said before it was set back keeps neither what is overdue nor reports nor
/// rates waiting until it says so again, a restart later either.
#[test]
fn a_clock_that_was_ahead_hides_nothing_later() {
    const AHEAD: u64 = 40 * 86_400_000;
    let mut log = Log::new();
    let (mut learner, _) = log.learner();
    let at = usual(&mut log, &mut learner, START, 150);
    // The clock is ahead: an import, a report, and a look.
    let (mut entry, payload) = log.event(at + AHEAD, "payout.created", "po_ahead");
    entry.attributes.received_at = Timestamp::from_unix_millis(at);
    entry.attributes.origin = Origin::Reconciliation;
    learner.take(&entry, &payload).unwrap();
    learner.come_to_now(at + AHEAD + 2 * MINUTE).unwrap();
    let late = report("evt_unknown", at + AHEAD + 3 * MINUTE);
    learner.store().report(&late).unwrap();
    flags(&mut learner);
    learner.save().unwrap();
    // It is set back: one payout is completed, one isn't.
    for restarts in [false, true] {
        if restarts {
            learner = log.learner().0;
        }
        let at = at + u64::from(restarts) * 20 * MINUTE;
        for name in ["done", "lost"] {
            let (entry, payload) = log.event(at, "payout.created", &format!("po_{name}_{at}"));
            learner.take(&entry, &payload).unwrap();
            if name == "done" {
                let report = report(&entry.attributes.id, at + 2_000);
                learner.store().report(&report).unwrap();
            }
        }
        for minutes in 1..=9 {
            learner.come_to_now(at + minutes * MINUTE).unwrap();
        }
        let found = flags(&mut learner);
        let found = found.iter().filter(|it| it.kind == Kind::OverdueCompletion);
        let found: Vec<u64> = found.map(|flag| flag.sequence).collect();
        assert_eq!(found, [log.sequence], "restarts: {restarts}");
        let hour = learner.hour().map(|hour| hour.at);
        assert_eq!(hour, Some((at + 9 * MINUTE) / 3_600_000 * 3_600));
    }
}

#[test]
fn the_first_report_counts_and_the_same_again_is_a_duplicate() {
    let log = Log::new();
    let store = log.store();
    let store = store.lock().unwrap();
    let done = report("evt_1", START);
    assert_eq!(store.report(&done).unwrap(), Reported::Recorded);
    assert_eq!(store.report(&done).unwrap(), Reported::Duplicate);
    let failed = Report {
        completed: false,
        ..done.clone()
    };
    assert_eq!(store.report(&failed).unwrap(), Reported::Contradicts);
    let other = Report {
        destination: "ledger".to_owned(),
        ..failed
    };
    assert_eq!(store.report(&other).unwrap(), Reported::Recorded);
    let [(first, of_first), (_, of_other)] = store.reports(0, 10).unwrap().try_into().unwrap();
    assert_eq!((of_first, of_other.clone()), (done, other));
    assert_eq!(store.reports(first, 10).unwrap()[0].1, of_other);
}

#[test]
fn the_hour_goes_on_over_a_restart() {
    let mut log = Log::new();
    let (mut learner, _) = log.learner();
    let hour = START / 3_600_000 * 3_600_000;
    let at = usual(&mut log, &mut learner, hour + MINUTE, 10);
    learner.save().unwrap();
    let (mut again, _) = log.learner();
    usual(&mut log, &mut again, at, 5);
    let expected = Hour {
        at: hour / 1_000,
        events: 30,
        expected: None,
    };
    assert_eq!(again.hour(), Some(expected));
}

#[test]
fn an_hour_of_a_clock_that_was_ahead_takes_no_others_place() {
    let hour = |at: u64| Hour {
        at: at * 3_600,
        events: 1,
        expected: None,
    };
    let store = Store::open(None).unwrap();
    let mut shown = Shown::default();
    let year = 365 * 24;
    for at in (1..=400).chain([400 + year, 400, 401]) {
        store.add_hour(&hour(at)).unwrap();
        shown.add_hour(hour(at));
    }
    let kept: Vec<Hour> = (66..=401).map(hour).collect();
    assert_eq!(store.hours(1_000).unwrap(), kept);
    let week = kept.get(kept.len() - HOURS..).unwrap();
    assert_eq!(shown.hours, week);
}

#[test]
fn a_file_of_something_else_is_refused_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE mine (x)").unwrap();
    let error = Store::open(Some(&path)).unwrap_err().to_string();
    assert!(error.contains("no file of expectations"), "{error}");
    assert_eq!(
        other.query_row("SELECT count(*) FROM mine", [], |row| row.get(0)),
        Ok(0)
    );
}

#[test]
fn what_was_told_is_read_as_it_was_written() {
    let told = Told {
        at: Timestamp::from_unix_millis(START + 1),
        kind: "excess".to_owned(),
        type_name: "payout.created".to_owned(),
        expected: String::new(),
        event: None,
        evidence: "why".to_owned(),
        probability: 1e-9,
        similar: vec!["evt_1".to_owned()],
        review: None,
        gate: None,
        came: None,
    };
    let store = Store::open(None).unwrap();
    assert!(store.tell(&told).unwrap());
    assert!(!store.tell(&told).unwrap(), "it is told once");
    assert_eq!(store.newest(5).unwrap(), [told]);
}
