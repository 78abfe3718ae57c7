//! A subject of a JetStream stream as a destination.

use async_nats::jetstream::{self, consumer::pull, stream};
use futures_util::StreamExt as _;

use super::{Place, append, destination, parked};
use crate::{
    contract::{Backend as _, Sqlite},
    delivery::Delivery,
    harness::{Server, until},
    nats_server::Nats,
};

/// A message as a consumer gets it.
struct Got {
    subject: String,
    headers: async_nats::HeaderMap,
    payload: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.as_str())
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// Makes a receiver's stream.
fn make_stream(nats: &Nats, change: impl FnOnce(&mut stream::Config)) {
    let mut config = stream::Config {
        name: "ORDERS".to_owned(),
        subjects: vec!["orders.>".to_owned()],
        ..stream::Config::default()
    };
    change(&mut config);
    block_on(async {
        let client = async_nats::connect(nats.address()).await.unwrap();
        jetstream::new(client).create_stream(config).await.unwrap();
    });
}

/// Everything that the receiver's stream has.
fn messages(nats: &Nats) -> Vec<Got> {
    block_on(async {
        let client = async_nats::connect(nats.address()).await.unwrap();
        let mut stream = jetstream::new(client).get_stream("ORDERS").await.unwrap();
        let count = stream.info().await.unwrap().state.messages;
        let consumer = stream.create_consumer(pull::OrderedConfig::default());
        let messages = consumer.await.unwrap().messages().await.unwrap();
        let messages = messages.take(usize::try_from(count).unwrap());
        let got = messages.map(|message| {
            let message = message.unwrap().message;
            Got {
                subject: message.subject.to_string(),
                headers: message.headers.unwrap_or_default(),
                payload: message.payload.to_vec(),
            }
        });
        got.collect().await
    })
}

fn until_got(nats: &Nats, count: usize) -> Vec<Got> {
    until(&format!("the stream has {count}"), || {
        let messages = messages(nats);
        (messages.len() >= count).then_some(messages)
    })
}

/// A server with a log in a file that delivers to `orders.paid`.
fn deliver(log: &Sqlite, nats: &Nats, more: &str) -> (Place, Server) {
    let url = format!("{}/orders.paid", nats.address());
    let place = Place::new(&log.address(), &destination("orders", &url, more));
    let server = place.start();
    (place, server)
}

#[test]
fn a_message_carries_the_payload_its_attributes_and_an_id_for_the_stream() {
    let (log, nats) = (Sqlite::new(), Nats::start());
    make_stream(&nats, |_| {});
    let (_place, server) = deliver(&log, &nats, "secrets = [\"ORDERS_SECRET\"]");
    let delivery = Delivery::new("evt_1");
    delivery.send(&server);
    let got = &until_got(&nats, 1)[0];
    assert_eq!(got.subject, "orders.paid");
    assert_eq!(got.payload, delivery.payload);
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", "evt_1"),
        ("ce-type", "invoice.paid"),
        ("ce-source", "/hookgate/stripe"),
        ("ce-time", "2025-10-09T08:53:20Z"),
        ("ce-account", "acct_1"),
        ("ce-livemode", "false"),
        ("ce-sequence", "1"),
        ("content-type", "application/json"),
        ("x-hookgate-attempt", "1"),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
    ] {
        assert_eq!(got.header(name), Some(value), "{name}");
    }
    for name in ["webhook-timestamp", "webhook-signature"] {
        assert!(got.header(name).is_some(), "{name}");
    }
    // A repeat within the stream's window is dropped by the stream.
    let webhook_id = got.header("webhook-id");
    assert!(webhook_id.is_some());
    assert_eq!(got.header("Nats-Msg-Id"), webhook_id);
}

#[test]
fn a_subject_that_no_stream_takes_is_refused_until_one_does() {
    let (log, nats) = (Sqlite::new(), Nats::start());
    let (place, server) = deliver(&log, &nats, "");
    Delivery::new("evt_early").send(&server);
    let early = until("it is parked", || parked(&place).pop());
    assert_eq!(early["reason"], "refused", "{early}");
    assert_eq!(early["attempts"], 1, "{early}");

    make_stream(&nats, |_| {});
    Delivery::new("evt_late").send(&server);
    let got = until_got(&nats, 1);
    assert_eq!(got[0].header("ce-id"), Some("evt_late"));
    assert_eq!(parked(&place).len(), 1);
}

#[test]
fn a_message_that_is_too_large_is_refused() {
    let (log, nats) = (Sqlite::new(), Nats::start());
    make_stream(&nats, |config| config.max_message_size = 2_000);
    let (place, server) = deliver(&log, &nats, "");
    let large = crate::delivery::payload("evt_large", 2_000);
    Delivery::with_payload("evt_large", large).send(&server);
    let large = until("it is parked", || parked(&place).pop());
    assert_eq!(large["reason"], "refused", "{large}");
    assert_eq!(large["attempts"], 1, "{large}");
    Delivery::new("evt_small").send(&server);
    until_got(&nats, 1);
}

#[test]
fn a_server_that_was_killed_gets_its_events_when_it_is_back() {
    let (log, mut nats) = (Sqlite::new(), Nats::start());
    make_stream(&nats, |_| {});
    let (place, server) = deliver(&log, &nats, "timeout = \"2s\"");
    Delivery::new("evt_before").send(&server);
    until_got(&nats, 1);

    nats.kill();
    let ids = append(&server, 3);
    until("each was tried", || {
        let series =
            r#"hookgate_attempts_total{destination="orders",via="primary",outcome="unavailable"}"#;
        (server.scrape().value(series) >= Some(3.0)).then_some(())
    });
    nats.restart();
    until("the server answers", || {
        std::net::TcpStream::connect(nats.address().trim_start_matches("nats://")).ok()
    });
    let got = until_got(&nats, 4);
    let mut delivered: Vec<&str> = got
        .iter()
        .skip(1)
        .filter_map(|it| it.header("ce-id"))
        .collect();
    delivered.sort_unstable();
    assert_eq!(delivered, ids);
    assert!(parked(&place).is_empty());
}
