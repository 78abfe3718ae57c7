//! Deliveries, seen from outside: their trace and their metrics.

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use tempfile::TempDir;

use crate::{
    collector::Collector,
    delivery::Delivery,
    harness::{Server, hookgate, until},
    receiver::{Reaction, Receiver},
};

/// Of the `traceparent` that every test delivery has.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

const PAGE: &str = include_str!("../../../docs/operations.md");

/// A destination that answers with a status until it is told another.
struct Switched {
    receiver: Receiver,
    status: Arc<AtomicU16>,
}

impl Switched {
    fn answering(status: u16) -> Self {
        let status = Arc::new(AtomicU16::new(status));
        let current = Arc::clone(&status);
        let react = move |_: &_, _| Reaction::Status(current.load(Ordering::Relaxed));
        let receiver = Receiver::start(react);
        Self { receiver, status }
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }
}

on_both_logs! {
    counts_attempts_and_what_is_left_for_each_destination
}

/// A log, a configuration with one destination, and servers on both.
struct Door {
    folder: TempDir,
    log: String,
}

impl Door {
    fn to(destination: &Switched) -> Self {
        let door = Self::on("", destination);
        let log = format!("sqlite:{}", door.folder.path().join("log.db").display());
        Self { log, ..door }
    }

    fn on(log: &str, destination: &Switched) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = destination.receiver.url();
        let destination = format!(
            "[[destinations]]\nname = \"orders\"\nurl = \"{url}\"\nfrom = \"beginning\"\n\
             [destinations.retry]\ninitial = \"50ms\"\njitter = 0.0\n"
        );
        fs::write(folder.path().join("hookgate.toml"), destination).unwrap();
        let log = log.to_owned();
        Self { folder, log }
    }

    fn serve(&self, options: &[&str]) -> Server {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let mut command = hookgate();
        command
            .args(["serve", "--config", &path("hookgate.toml")])
            .args(["--log", &self.log])
            .args(options);
        Server::spawn(command)
    }
}

#[test]
fn one_trace_leads_from_the_gate_through_the_append_and_every_attempt() {
    let (collector, destination) = (Collector::start(), Switched::answering(500));
    let door = Door::to(&destination);
    let mut server = door.serve(&["--otlp", &collector.url()]);
    assert_eq!(Delivery::new("evt_1").send(&server).status, 200);
    destination.receiver.until_got(2);
    server.terminate();
    assert!(server.wait().success());
    // Another process, which knows of the trace what the log has kept.
    let before = destination.receiver.until_got(2).len();
    destination.answer(200);
    let mut server = door.serve(&["--otlp", &collector.url()]);
    let sent = destination.receiver.until_got(before + 1);
    server.terminate();
    assert!(server.wait().success());

    let attempts = collector.wait_for(sent.len(), "attempt");
    let deliveries = collector.wait_for(sent.len(), "deliver");
    let append = &collector.wait_for(1, "append")[0];
    assert_eq!(collector.spans().len(), 1 + 2 * sent.len());
    for span in collector.spans() {
        assert_eq!(span.trace_id, TRACE, "{span:?}");
        span.assert(&[
            ("hookgate.event_id", "evt_1"),
            ("hookgate.source", "stripe"),
            ("hookgate.event_type", "invoice.paid"),
            ("hookgate.sequence", "1"),
        ]);
    }
    assert_eq!(append.parent_id, PARENT);
    for (index, attempt) in attempts.iter().enumerate() {
        let delivery = deliveries.iter().find(|it| it.span_id == attempt.parent_id);
        assert_eq!(delivery.unwrap().parent_id, PARENT);
        let is_last = index + 1 == attempts.len();
        let number = (index + 1).to_string();
        attempt.assert(&[
            ("hookgate.destination", "orders"),
            ("hookgate.via", "primary"),
            ("hookgate.attempt", &number),
            (
                "hookgate.outcome",
                if is_last { "delivered" } else { "failed" },
            ),
        ]);
        assert_eq!(attempt.failed, !is_last);
        // The destination can go on from exactly this attempt.
        let header = format!("00-{TRACE}-{}-01", attempt.span_id);
        assert_eq!(sent[index].headers["traceparent"], header);
    }
}

fn counts_attempts_and_what_is_left_for_each_destination(log: &str) {
    let destination = Switched::answering(500);
    let server = Door::on(log, &destination).serve(&[]);
    assert_eq!(Delivery::new("evt_1").send(&server).status, 200);
    let failed = r#"hookgate_attempts_total{destination="orders",via="primary",outcome="failed"}"#;
    let undelivered = r#"hookgate_undelivered{destination="orders"}"#;
    until("it is known to be left", || {
        let page = server.scrape();
        (page.value(failed) >= Some(1.0) && page.value(undelivered) == Some(1.0)).then_some(())
    });
    let age = r#"hookgate_oldest_undelivered_age_seconds{destination="orders"}"#;
    until("its age grows", || {
        (server.scrape().value(age) >= Some(1.0)).then_some(())
    });
    destination.answer(200);
    until("nothing is left", || {
        let page = server.scrape();
        (page.value(undelivered) == Some(0.0) && page.value(age) == Some(0.0)).then_some(())
    });
    destination.answer(400);
    assert_eq!(Delivery::new("evt_2").send(&server).status, 200);
    let review = r#"hookgate_review{destination="orders"}"#;
    until("it waits for a person", || {
        (server.scrape().value(review) == Some(1.0)).then_some(())
    });

    let page = server.scrape();
    page.assert(&[
        (
            r#"hookgate_attempts_total{destination="orders",via="primary",outcome="delivered"}"#,
            1.0,
        ),
        (
            r#"hookgate_attempts_total{destination="orders",via="primary",outcome="refused"}"#,
            1.0,
        ),
        (undelivered, 0.0),
    ]);
    let count = r#"hookgate_attempt_seconds_count{destination="orders"}"#;
    let attempts = page.value(failed).unwrap() + 2.0;
    assert_eq!(page.value(count), Some(attempts));
    // Everything that is documented is on the page of a server that was used; for
    // what a comparison with Stripe counts see `reconcile::repeated`, for what is told and
    // expected of a log with a past `expectations` and `console::browser`.
    let is_of_past = |name: &str| {
        let of_past = [
            "hookgate_reconcile_",
            "hookgate_flags_",
            "hookgate_forecast_",
        ];
        of_past.iter().any(|start| name.starts_with(start))
    };
    let (_, table) = PAGE.split_once("### The upstream's").unwrap();
    let rows = table.lines().take_while(|line| !line.starts_with('#'));
    let names: Vec<&str> = rows
        .filter_map(|row| row.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("hookgate_") && !is_of_past(name))
        .collect();
    assert!(names.len() >= 10, "{names:?}");
    // And nothing else is.
    let shown: BTreeSet<String> = page
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| match kind {
            "counter" => format!("{name}_total"),
            _ => name.to_owned(),
        })
        .filter(|name| !is_of_past(name))
        .collect();
    assert_eq!(shown, names.into_iter().map(str::to_owned).collect());
}

/// What is asked on a page of metrics: how many of this type, at that endpoint,
/// of such an account; and how long for the slowest of a hundred.
#[test]
fn events_are_sliced_by_type_endpoint_account_group_and_latency() {
    let destination = Switched::answering(200);
    let door = Door::to(&destination);
    let path = door.folder.path().join("hookgate.toml");
    let text = fs::read_to_string(&path).unwrap();
    let groups = "[telemetry]\naccount_groups = {vip = [\"acct_1\", \"acct_2\"]}\n";
    fs::write(&path, format!("{groups}{text}")).unwrap();
    let server = door.serve(&[]);
    for (id, type_name, account) in [
        ("evt_1", "invoice.paid", Some("acct_1")),
        ("evt_2", "invoice.paid", Some("acct_2")),
        ("evt_3", "payout.paid", Some("acct_2")),
        ("evt_4", "invoice.paid", Some("acct_3")),
        ("evt_5", "invoice.paid", None),
    ] {
        let delivery = Delivery::saying(id, type_name, account, Some(true));
        assert_eq!(delivery.send(&server).status, 200);
    }
    destination.receiver.until_got(5);
    let count = r#"hookgate_attempt_seconds_count{destination="orders"}"#;
    let page = until("each attempt is counted", || {
        let page = server.scrape();
        (page.value(count) == Some(5.0)).then_some(page)
    });
    let events = |labels: &str| page.value(&format!("hookgate_events_total{{{labels}}}"));
    for (type_name, group, expected) in [
        ("invoice.paid", "vip", 2.0),
        ("payout.paid", "vip", 1.0),
        ("invoice.paid", "connected", 1.0),
        ("invoice.paid", "platform", 1.0),
    ] {
        let labels = format!(r#"type="{type_name}",endpoint="stripe",account_group="{group}""#);
        assert_eq!(events(&labels), Some(expected), "{labels}\n{}", page.text);
    }
    // As `histogram_quantile` does: the bucket that the p99 lies in.
    for (family, labels) in [
        ("append", r#",endpoint="stripe",outcome="stored""#),
        ("attempt", r#",destination="orders""#),
    ] {
        let buckets = page.text.lines().filter_map(|line| {
            let rest = line.strip_prefix(&format!("hookgate_{family}_seconds_bucket{{le=\""))?;
            let (bound, rest) = rest.split_once('"')?;
            let count = rest.strip_prefix(labels)?.strip_prefix("} ")?;
            Some((bound, count.parse::<f64>().ok()?))
        });
        let buckets: Vec<_> = buckets.collect();
        assert!(buckets.len() > 10, "{family}: {buckets:?}");
        let (bound, count) = buckets
            .iter()
            .find(|(_, count)| *count >= 0.99 * 5.0)
            .unwrap();
        let bound: f64 = bound.parse().unwrap();
        assert!(bound.is_finite() && bound <= 10.0, "{family}: {bound}");
        assert_eq!(*count, 5.0, "{family}: {buckets:?}");
    }
}
