//! Spans of the upstream, as a collector gets them.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    collector::Collector,
    delivery::Delivery,
    harness::{Server, hookgate, refusal, until},
    nats_server::Nats,
};

/// Of the `traceparent` that every test delivery has.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn sqlite(otlp: &str) -> (TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let log = format!("sqlite:{}", folder.path().join("log.db").display());
    (folder, Server::start(&log, &["--otlp", otlp]))
}

#[test]
fn an_append_continues_the_trace_of_the_gate() {
    let collector = Collector::start();
    let (_folder, mut server) = sqlite(&collector.url());
    assert_eq!(Delivery::new("evt_1").send(&server).status, 200);
    assert_eq!(Delivery::new("evt_1").send(&server).status, 200);
    // Refused, so nobody has proven that there is such an event.
    let forged = Delivery::new("evt_2").with("stripe-signature", "t=1,v1=00");
    assert_eq!(forged.send(&server).status, 400);
    // The end sends what is left, long before the next batch is due.
    server.terminate();
    assert!(server.wait().success());

    let spans = collector.wait_for(2, "append");
    assert_eq!(collector.spans().len(), 2, "{:?}", collector.spans());
    for (span, outcome) in spans.iter().zip(["stored", "duplicate"]) {
        assert_eq!(
            (span.trace_id.as_str(), span.parent_id.as_str()),
            (TRACE, PARENT)
        );
        assert_eq!(span.service, "hookgate");
        assert!(!span.failed);
        span.assert(&[
            ("hookgate.event_id", "evt_1"),
            ("hookgate.event_type", "invoice.paid"),
            ("hookgate.source", "stripe"),
            ("hookgate.sequence", "1"),
            ("hookgate.outcome", outcome),
        ]);
    }
}

#[test]
fn what_the_gate_does_not_sample_is_not_reported() {
    let collector = Collector::start();
    let (_folder, mut server) = sqlite(&collector.url());
    let parent = |flags: &str| format!("00-{TRACE}-{PARENT}-{flags}");
    for (id, flags) in [("evt_1", "00"), ("evt_2", "01")] {
        let delivery = Delivery::new(id).with("traceparent", &parent(flags));
        assert_eq!(delivery.send(&server).status, 200);
    }
    server.terminate();
    assert!(server.wait().success());
    let spans = collector.wait_for(1, "append");
    assert_eq!(collector.spans(), spans);
    spans[0].assert(&[("hookgate.event_id", "evt_2")]);
}

#[test]
fn an_append_that_is_not_confirmed_is_marked() {
    let (collector, nats) = (Collector::start(), Nats::start());
    let server = Server::start(&nats.address(), &["--otlp", &collector.url()]);
    nats.freeze();
    assert_eq!(Delivery::new("evt_1").send(&server).status, 503);
    let spans = collector.wait_for(1, "append");
    assert!(spans[0].failed);
    spans[0].assert(&[("hookgate.outcome", "unavailable")]);
}

#[test]
fn the_endpoint_comes_from_the_environment_too() {
    let collector = Collector::start();
    let folder = tempfile::tempdir().unwrap();
    let mut command = hookgate();
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url())
        .env("OTEL_SERVICE_NAME", "front-door")
        .args(["serve", "--log"])
        .arg(format!("sqlite:{}", folder.path().join("log.db").display()));
    let mut server = Server::spawn(command);
    assert_eq!(Delivery::new("evt_1").send(&server).status, 200);
    server.terminate();
    assert!(server.wait().success());
    assert_eq!(collector.wait_for(1, "append")[0].service, "front-door");
}

/// One that takes connections and never reads: the worst that it can do.
#[test]
fn a_collector_that_hangs_delays_no_event_and_no_end() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_folder, mut server) = sqlite(&format!("http://{}", silent.local_addr().unwrap()));
    for number in 0..600 {
        // More than a batch, so that the exporter hangs while events come.
        let sent = Instant::now();
        let delivery = Delivery::new(&format!("evt_n{number}"));
        assert_eq!(delivery.send(&server).status, 200);
        assert!(
            sent.elapsed() < Duration::from_secs(5),
            "{:?}",
            sent.elapsed()
        );
    }
    let asked = Instant::now();
    server.terminate();
    assert!(server.wait().success());
    assert!(
        asked.elapsed() < Duration::from_secs(9),
        "{:?}",
        asked.elapsed()
    );
    let stderr = server.stderr();
    assert!(
        stderr.contains("the last spans could not be reported"),
        "{stderr}"
    );
}

#[test]
fn a_collector_that_comes_later_gets_what_comes_then() {
    let first = Collector::start();
    let address = first.address();
    let (_folder, server) = sqlite(&first.url());
    drop(first);
    assert_eq!(Delivery::new("evt_1").send(&server).status, 200);
    until("the server misses its collector", || {
        server
            .stderr()
            .contains("the collector takes no spans")
            .then_some(())
    });
    let second = Collector::listen(address);
    assert_eq!(Delivery::new("evt_2").send(&server).status, 200);
    let spans = second.wait_for(1, "append");
    spans[0].assert(&[("hookgate.event_id", "evt_2")]);
}

#[test]
fn refuses_a_collector_that_it_can_not_report_to_without_showing_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let log = format!("sqlite:{}", folder.path().join("log.db").display());
    let said = refusal(&log, &["--otlp", "https://user:hunter2@collector.internal"]);
    assert!(
        said.contains("--otlp") && said.contains("http://127.0.0.1:4317"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
}
