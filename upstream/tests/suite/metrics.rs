//! What Prometheus reads of the upstream.

use std::{
    net::{SocketAddr, TcpListener},
    thread,
};

use crate::{
    delivery::{Connection, Delivery},
    harness::{CONNECT_SECRET, Server, hookgate, refusal, until},
    nats_server::Nats,
};

/// One scrape.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) content_type: String,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn read(address: SocketAddr) -> Self {
        let answer = ureq::get(format!("http://{address}/metrics")).call();
        let mut answer = answer.unwrap();
        let content_type = answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        Self {
            content_type,
            text: answer.body_mut().read_to_string().unwrap(),
        }
    }

    /// The value of a series, written as the page writes it.
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        let mut lines = self.text.lines();
        lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    /// Checks the values of several series.
    pub(crate) fn assert(&self, expected: &[(&str, f64)]) {
        for (series, value) in expected {
            assert_eq!(
                self.value(series),
                Some(*value),
                "{series} in\n{}",
                self.text
            );
        }
    }
}

fn sqlite(options: &[&str]) -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let log = format!("sqlite:{}", folder.path().join("log.db").display());
    (folder, Server::start(&log, options))
}

#[test]
fn counts_events_by_type_endpoint_and_account_group_and_times_their_append() {
    let (_folder, server) = sqlite(&[]);
    for _ in 0..2 {
        assert_eq!(Delivery::new("evt_1").send(&server).status, 200);
    }
    let platform = Delivery::with_payload(
        "evt_2",
        br#"{"id": "evt_2", "object": "event", "created": 1760000000, "livemode": false, "type": "payout.paid"}"#
            .to_vec(),
    );
    let platform = platform
        .with("ce-type", "payout.paid")
        .with("ce-endpoint", "stripe-connect")
        .without("ce-account")
        .of_source("stripe-connect", CONNECT_SECRET);
    assert_eq!(platform.send(&server).status, 200);

    let page = server.scrape();
    assert!(
        page.content_type
            .starts_with("application/openmetrics-text"),
        "{}",
        page.content_type
    );
    page.assert(&[
        (r#"hookgate_events_total{type="invoice.paid",endpoint="stripe",account_group="connected"}"#, 1.0),
        (r#"hookgate_events_total{type="payout.paid",endpoint="stripe-connect",account_group="platform"}"#, 1.0),
        (r#"hookgate_appends_total{endpoint="stripe",outcome="stored"}"#, 1.0),
        (r#"hookgate_appends_total{endpoint="stripe",outcome="duplicate"}"#, 1.0),
        (r#"hookgate_appends_total{endpoint="stripe-connect",outcome="stored"}"#, 1.0),
        (r#"hookgate_append_seconds_count{endpoint="stripe",outcome="stored"}"#, 1.0),
        (r#"hookgate_append_seconds_bucket{le="+Inf",endpoint="stripe",outcome="stored"}"#, 1.0),
        ("hookgate_queue_depth", 0.0),
        ("hookgate_queue_limit", 1_024.0),
    ]);
    let sum = r#"hookgate_append_seconds_sum{endpoint="stripe",outcome="stored"}"#;
    let seconds = page.value(sum).unwrap();
    assert!(seconds > 0.0 && seconds < 10.0, "{seconds}");
}

#[test]
fn counts_what_was_refused_and_takes_no_label_from_it() {
    let (_folder, server) = sqlite(&[]);
    assert_eq!(Delivery::new("evt_1").send(&server).status, 200);
    let forged = Delivery::new("evt_2").with("stripe-signature", "t=1,v1=00");
    let invented = forged.clone().with("ce-endpoint", "invented");
    let unreadable = Delivery::new("evt_3").without("ce-id");
    for delivery in [&forged, &invented, &unreadable] {
        assert_eq!(delivery.send(&server).status, 400);
    }
    let page = server.scrape();
    page.assert(&[
        // Of an endpoint that has verified before.
        (
            r#"hookgate_appends_total{endpoint="stripe",outcome="refused"}"#,
            2.0,
        ),
        (
            r#"hookgate_appends_total{endpoint="_",outcome="refused"}"#,
            1.0,
        ),
        (
            r#"hookgate_appends_total{endpoint="stripe",outcome="stored"}"#,
            1.0,
        ),
    ]);
    assert!(!page.text.contains("invented"), "{}", page.text);
}

#[test]
fn shows_how_many_wait_for_a_log_that_stands_still() {
    let nats = Nats::start();
    let server = Server::start(&nats.address(), &["--queue", "3"]);
    nats.freeze();
    thread::scope(|scope| {
        for number in 0..3 {
            let delivery = Delivery::new(&format!("evt_n{number}"));
            let server = &server;
            scope.spawn(move || {
                let mut connection = Connection::open(server.address).unwrap();
                connection.send(&delivery).unwrap()
            });
        }
        until("all wait", || {
            (server.scrape().value("hookgate_queue_depth") == Some(3.0)).then_some(())
        });
        assert_eq!(Delivery::new("evt_late").send(&server).status, 429);
        nats.thaw();
    });
    server.scrape().assert(&[
        ("hookgate_queue_depth", 0.0),
        ("hookgate_queue_limit", 3.0),
        (
            r#"hookgate_appends_total{endpoint="stripe",outcome="stored"}"#,
            3.0,
        ),
        (
            r#"hookgate_appends_total{endpoint="stripe",outcome="queue_full"}"#,
            1.0,
        ),
    ]);
}

#[test]
fn names_a_port_that_is_taken_and_how_to_do_without() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let log = format!("sqlite:{}", folder.path().join("log.db").display());
    let said = refusal(&log, &["--metrics", &address]);
    assert!(
        said.contains(&format!("can't serve metrics on `{address}`"))
            && said.contains("--metrics off"),
        "{said}"
    );
    assert!(!folder.path().join("log.db").exists(), "left a log behind");

    let mut command = hookgate();
    command.env("HOOKGATE_METRICS", &address);
    command.args(["serve", "--log", &log, "--metrics", "off"]);
    let server = Server::spawn(command);
    assert_eq!(server.probe("/healthz"), 200);
    assert!(!server.stderr().contains("/metrics"), "{}", server.stderr());
}

#[test]
fn metrics_are_not_served_where_events_are_taken() {
    let (_folder, server) = sqlite(&[]);
    assert_eq!(server.probe("/metrics"), 404);
}
