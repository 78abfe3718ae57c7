use std::{collections::BTreeSet, time::Duration};

use hookgate_core::time::Timestamp;

use super::{AccountGroups, Metrics, Slice, family};
use crate::deliver::{
    job::{Outcome, Via},
    schedule::Backlog,
};
use crate::expect::{Forecast, Slot, Told};
use crate::log::{Appended, LogError};

const PAGE: &str = include_str!("../../../docs/operations.md");

const NOW: Timestamp = Timestamp::from_unix_seconds(1_760_000_100);

fn metrics() -> Metrics {
    Metrics::new(AccountGroups::default(), 1_024)
}

fn slice(metrics: &Metrics) -> Slice {
    Slice {
        type_name: "invoice.paid".into(),
        endpoint: metrics.endpoint("stripe"),
        account_group: "platform".into(),
    }
}

/// Counts something of everything.
fn exercised() -> Metrics {
    let metrics = metrics();
    let stored = Ok(Appended::Stored { sequence: Some(1) });
    metrics.appended(&slice(&metrics), stored, Duration::from_millis(4));
    metrics.attempt("orders", "primary", "delivered", Duration::from_millis(20));
    metrics.backlog(
        "orders",
        Backlog {
            undelivered: 3,
            oldest: Some(Timestamp::from_unix_seconds(1_760_000_000)),
            parked: 2,
        },
    );
    metrics.reconciling(NOW);
    metrics.flagged(&told("payout.created"));
    metrics.forecast(&[Forecast {
        name: "all".into(),
        hours: vec![Slot {
            at: 1_760_000_400,
            events: 7.0,
            low: 3.0,
            high: 12.0,
        }],
    }]);
    metrics.told("slow_loris");
    metrics
}

/// Something that was told of a type, and of no event.
fn told(type_name: &str) -> Told {
    Told {
        at: NOW,
        kind: "series_silent".to_owned(),
        type_name: type_name.to_owned(),
        expected: String::new(),
        event: None,
        evidence: String::new(),
        probability: 0.5,
        similar: Vec::new(),
        review: None,
        gate: None,
        came: None,
    }
}

/// An account may be what a verdict is about.
#[test]
fn no_account_becomes_a_label() {
    let metrics = exercised();
    metrics.flagged(&told("acct_1"));
    metrics.flagged(&told(""));
    let page = metrics.page(NOW).unwrap();
    for type_name in ["other", "all"] {
        let line = format!(r#"hookgate_flags_total{{kind="series_silent",type="{type_name}"}}"#);
        assert!(page.contains(&line), "{line}: {page}");
    }
    assert!(!page.contains("acct_1"), "{page}");
}

/// The names of the labels of a sample, `le` of histograms aside.
fn labels(sample: &str) -> BTreeSet<&str> {
    let inside = sample
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'));
    let labels = inside.map_or("", |(labels, _)| labels).split(',');
    labels
        .filter_map(|label| label.split_once('=').map(|(name, _)| name))
        .filter(|name| *name != "le")
        .collect()
}

#[test]
fn the_page_has_every_family_of_the_list_with_its_labels_and_no_other() {
    let page = exercised().page(NOW).unwrap();
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let mut found = BTreeSet::new();
    for line in types {
        let (name, kind) = line.split_once(' ').unwrap();
        found.insert(match kind {
            "counter" => format!("{name}_total"),
            _ => name.to_owned(),
        });
    }
    let listed: BTreeSet<String> = family::ALL.iter().map(|f| f.name.to_owned()).collect();
    assert_eq!(found, listed);
    for family in family::ALL {
        let of_family = |line: &&str| {
            let rest = line.strip_prefix(family.name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ', '_']))
        };
        let samples: Vec<&str> = page.lines().filter(of_family).collect();
        assert!(!samples.is_empty(), "{}", family.name);
        for sample in samples {
            assert_eq!(
                labels(sample),
                family.labels.iter().copied().collect(),
                "{sample}"
            );
        }
    }
}

#[test]
fn the_operations_page_has_the_list() {
    let listed: Vec<String> = family::ALL
        .iter()
        .map(|f| format!("| `{}` | {} | {} |", f.name, f.labels.join(", "), f.help))
        .collect();
    let documented = PAGE.split_once("### The upstream's").unwrap().1;
    let documented: Vec<&str> = documented
        .lines()
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| line.starts_with("| `hookgate_"))
        .collect();
    assert_eq!(documented, listed);
}

#[test]
fn the_operations_page_has_every_outcome_of_an_attempt() {
    let (_, table) = PAGE.split_once("| outcome of an attempt |").unwrap();
    let rows = table
        .lines()
        .take_while(|line| line.starts_with('|') || line.ends_with('|'));
    let documented: Vec<&str> = rows
        .filter_map(|row| row.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(documented, Outcome::NAMES);
    let retry_after = None;
    let all = [
        Outcome::Delivered,
        Outcome::Throttled { retry_after },
        Outcome::Unavailable,
        Outcome::TimedOut,
        Outcome::Failed,
        Outcome::Refused,
    ];
    assert_eq!(all.map(Outcome::as_str), Outcome::NAMES);
}

#[test]
fn a_destination_is_shown_before_anything_is_counted() {
    let metrics = metrics();
    metrics.destination("orders", &[Via::Primary, Via::Secondary]);
    let page = metrics.page(NOW).unwrap();
    for via in ["primary", "secondary"] {
        for outcome in Outcome::NAMES {
            let line = format!(
                r#"hookgate_attempts_total{{destination="orders",via="{via}",outcome="{outcome}"}} 0"#
            );
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}

#[test]
fn the_age_of_the_oldest_grows_between_two_looks_at_the_backlog() {
    let metrics = exercised();
    let age = |now| {
        let page = metrics.page(now).unwrap();
        let line = page
            .lines()
            .find(|line| line.starts_with("hookgate_oldest_undelivered"))
            .unwrap();
        line.rsplit_once(' ').unwrap().1.to_owned()
    };
    assert_eq!(age(NOW), "100");
    assert_eq!(age(Timestamp::from_unix_seconds(1_760_000_160)), "160");
    // A clock that steps back makes nothing negative.
    assert_eq!(age(Timestamp::from_unix_seconds(1)), "0");
    let none = Backlog {
        undelivered: 0,
        oldest: None,
        parked: 0,
    };
    metrics.backlog("orders", none);
    assert_eq!(age(NOW), "0");
}

#[test]
fn the_age_of_the_oldest_unsealed_event_grows_until_there_is_none() {
    let metrics = metrics();
    let has = |line: &str| {
        let page = metrics.page(NOW).unwrap();
        assert!(page.lines().any(|found| found == line), "{line}: {page}");
    };
    has("hookgate_unsealed 0");
    has("hookgate_oldest_unsealed_age_seconds 0");
    metrics.unsealed(7, Some(Timestamp::from_unix_seconds(1_760_000_000)));
    has("hookgate_unsealed 7");
    has("hookgate_oldest_unsealed_age_seconds 100");
    metrics.unsealed(0, None);
    has("hookgate_oldest_unsealed_age_seconds 0");
}

#[test]
fn counts_an_event_once_however_often_it_comes() {
    let metrics = metrics();
    for answer in [
        Ok(Appended::Stored { sequence: Some(1) }),
        Ok(Appended::Duplicate { sequence: 1 }),
        Err(LogError::Unavailable),
        Err(LogError::QueueFull),
    ] {
        metrics.appended(&slice(&metrics), answer, Duration::from_millis(1));
    }
    metrics.refused(Some("never-seen"));
    metrics.refused(None);
    let page = metrics.page(NOW).unwrap();
    for line in [
        r#"hookgate_events_total{type="invoice.paid",endpoint="stripe",account_group="platform"} 1"#,
        r#"hookgate_appends_total{endpoint="stripe",outcome="stored"} 1"#,
        r#"hookgate_appends_total{endpoint="stripe",outcome="duplicate"} 1"#,
        r#"hookgate_appends_total{endpoint="stripe",outcome="unavailable"} 1"#,
        r#"hookgate_appends_total{endpoint="stripe",outcome="queue_full"} 1"#,
        r#"hookgate_appends_total{endpoint="_",outcome="refused"} 2"#,
    ] {
        assert!(
            page.lines().any(|found| found == line),
            "no {line} in:\n{page}"
        );
    }
}

#[test]
fn an_event_waits_until_it_is_answered_or_its_sender_leaves() {
    let metrics = metrics();
    let depth = || {
        let page = metrics.page(NOW).unwrap();
        page.lines().any(|line| line == "hookgate_queue_depth 2")
    };
    let (first, second) = (metrics.waiting(), metrics.waiting());
    assert!(depth());
    drop((first, second));
    assert!(!depth());
}
