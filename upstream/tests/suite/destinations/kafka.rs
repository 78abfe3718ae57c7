//! A topic of Kafka as a destination.

use std::time::{Duration, Instant};

use rdkafka::{
    mocking::MockCluster,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use super::{Place, append, destination, parked};
use crate::{
    contract::{Backend as _, Sqlite},
    delivery::Delivery,
    harness::{Server, until},
    receiver::{Reaction, Receiver},
    tansu::Tansu,
};

/// A server with a log in a file and one destination.
fn deliver(log: &Sqlite, text: &str) -> (Place, Server) {
    let place = Place::new(&log.address(), text);
    let server = place.start();
    (place, server)
}

#[test]
fn a_record_carries_the_payload_its_attributes_and_the_id_as_its_key() {
    let (log, tansu) = (Sqlite::new(), Tansu::start());
    tansu.make_topic("orders", 1, &[]);
    let secret = "secrets = [\"ORDERS_SECRET\"]";
    let (_place, server) = deliver(
        &log,
        &destination("orders", &tansu.address("orders"), secret),
    );
    let delivery = Delivery::new("evt_1");
    delivery.send(&server);
    let got = &tansu.until_got("orders", 1)[0];
    assert_eq!(got.key(), "evt_1");
    assert_eq!(got.payload(), delivery.payload);
    for (name, value) in [
        ("ce_specversion", "1.0"),
        ("ce_id", "evt_1"),
        ("ce_type", "invoice.paid"),
        ("ce_source", "/hookgate/stripe"),
        ("ce_time", "2025-10-09T08:53:20Z"),
        ("ce_account", "acct_1"),
        ("ce_livemode", "false"),
        ("ce_sequence", "1"),
        ("content-type", "application/json"),
        ("x-hookgate-attempt", "1"),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
    ] {
        assert_eq!(got.header(name), Some(value), "{name}");
    }
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        assert!(got.header(name).is_some(), "{name}");
    }
    assert_eq!(got.header("ce-id"), None);
}

#[test]
fn a_topic_that_is_not_there_is_refused_until_it_is_made() {
    let (log, tansu) = (Sqlite::new(), Tansu::start());
    let (place, server) = deliver(&log, &destination("orders", &tansu.address("orders"), ""));
    Delivery::new("evt_early").send(&server);
    let early = until("it is parked", || parked(&place).pop());
    assert_eq!(early["reason"], "refused", "{early}");
    assert_eq!(early["attempts"], 1, "{early}");

    tansu.make_topic("orders", 1, &[]);
    Delivery::new("evt_late").send(&server);
    let got = tansu.until_got("orders", 1);
    assert_eq!(got[0].key(), "evt_late");
    assert_eq!(parked(&place).len(), 1);
}

#[test]
fn a_broker_that_was_killed_gets_its_events_when_it_is_back() {
    let (log, mut tansu) = (Sqlite::new(), Tansu::start());
    tansu.make_topic("orders", 1, &[]);
    let text = format!(
        "[[destinations]]\nname = \"orders\"\nurl = \"{}\"\n\
         [destinations.retry]\ninitial = \"10s\"\njitter = 0.0\n",
        tansu.address("orders")
    );
    let (place, server) = deliver(&log, &text);
    Delivery::new("evt_before").send(&server);
    tansu.until_got("orders", 1);

    tansu.kill();
    let ids = append(&server, 3);
    until("each was tried", || {
        let series =
            r#"hookgate_attempts_total{destination="orders",via="primary",outcome="unavailable"}"#;
        (server.scrape().value(series) >= Some(3.0)).then_some(())
    });
    // The next attempts are ten seconds away.
    tansu.restart();
    tansu.make_topic("orders", 1, &[]);
    let got = tansu.until_got("orders", 3);
    let mut keys: Vec<&str> = got.iter().map(|got| got.key()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ids);
    assert!(parked(&place).is_empty());
}

#[test]
fn goes_to_the_secondary_at_once_when_the_broker_is_killed() {
    let (log, mut tansu) = (Sqlite::new(), Tansu::start());
    tansu.make_topic("orders", 1, &[]);
    let secondary = Receiver::start(|_, _| Reaction::Status(200));
    let more = format!("secondary = \"{}\"", secondary.url());
    let (_place, server) = deliver(
        &log,
        &destination("orders", &tansu.address("orders"), &more),
    );
    Delivery::new("evt_before").send(&server);
    tansu.until_got("orders", 1);

    tansu.kill();
    let start = Instant::now();
    append(&server, 8);
    secondary.until_got(8);
    assert!(
        start.elapsed() < Duration::from_secs(9),
        "{:?}",
        start.elapsed()
    );
}

/// The broker is the client library's own, which keeps its topics while it is
/// down.
#[test]
fn goes_on_where_it_was_when_a_broker_has_been_away() {
    let (log, cluster) = (Sqlite::new(), MockCluster::new(1).unwrap());
    cluster.create_topic("orders", 1, 1).unwrap();
    let url = format!("kafka://{}/orders", cluster.bootstrap_servers());
    let (place, server) = deliver(&log, &destination("orders", &url, ""));
    let until_counted = |outcome: &str, count: f64| {
        let series = format!(
            r#"hookgate_attempts_total{{destination="orders",via="primary",outcome="{outcome}"}}"#
        );
        until("so many are counted", || {
            (server.scrape().value(&series) >= Some(count)).then_some(())
        });
    };
    append(&server, 3);
    until_counted("delivered", 3.0);
    cluster.broker_down(1).unwrap();
    Delivery::new("evt_while_down").send(&server);
    until_counted("unavailable", 1.0);
    cluster.broker_up(1).unwrap();
    until_counted("delivered", 4.0);
    assert!(parked(&place).is_empty());
}

/// The broker is the client library's own, which errs as it is told: tansu takes
/// records of any size.
#[test]
fn a_record_that_is_too_large_is_parked_at_once() {
    let (log, cluster) = (Sqlite::new(), MockCluster::new(1).unwrap());
    cluster.create_topic("orders", 1, 1).unwrap();
    let url = format!("kafka://{}/orders", cluster.bootstrap_servers());
    let (place, server) = deliver(&log, &destination("orders", &url, ""));
    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE],
    );
    append(&server, 1);
    let parked = until("it is parked", || parked(&place).pop());
    assert_eq!(parked["reason"], "refused", "{parked}");
    assert_eq!(parked["attempts"], 1, "{parked}");
}
