//! Delivery to an exchange of RabbitMQ.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use futures_util::StreamExt as _;
use lapin::{
    ExchangeKind,
    message::Delivery as Message,
    options::{
        BasicAckOptions, BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};

use super::{Place, append, destination, parked};
use crate::{
    contract::{Backend as _, Sqlite},
    delivery::{Connection, Delivery, payload},
    harness::until,
    rabbit_server::Rabbit,
};

/// An exchange, and a durable queue that takes `invoice.*` from it.
struct Exchange {
    name: String,
}

impl Exchange {
    fn new(rabbit: &Rabbit) -> Self {
        static EXCHANGES: AtomicUsize = AtomicUsize::new(0);
        let number = EXCHANGES.fetch_add(1, Ordering::Relaxed);
        let name = format!("shop.{number}");
        rabbit.with(async |channel| {
            let durable = ExchangeDeclareOptions {
                durable: true,
                ..ExchangeDeclareOptions::default()
            };
            let (exchange, none) = (name.as_str(), FieldTable::default);
            let declared =
                channel.exchange_declare(exchange.into(), ExchangeKind::Topic, durable, none());
            declared.await.unwrap();
            let durable = QueueDeclareOptions {
                durable: true,
                ..QueueDeclareOptions::default()
            };
            let declared = channel.queue_declare(exchange.into(), durable, none());
            declared.await.unwrap();
            let options = QueueBindOptions::default();
            let (queue, key) = (exchange.into(), "invoice.*".into());
            let bound = channel.queue_bind(queue, exchange.into(), key, options, none());
            bound.await.unwrap();
        });
        Self { name }
    }

    fn destination(&self, rabbit: &Rabbit, more: &str) -> String {
        let url = format!("{}?exchange={}", rabbit.address(), self.name);
        destination("orders", &url, more)
    }

    /// Takes messages from the queue until so many different events have come.
    fn take(&self, rabbit: &Rabbit, events: usize) -> Vec<Message> {
        rabbit.with(async |channel| {
            let options = BasicConsumeOptions::default();
            let queue = self.name.as_str().into();
            let consumer = channel.basic_consume(queue, "".into(), options, FieldTable::default());
            let mut consumer = consumer.await.unwrap();
            let (mut taken, mut ids) = (Vec::new(), BTreeSet::new());
            while ids.len() < events {
                let message = consumer.next().await.unwrap().unwrap();
                message.ack(BasicAckOptions::default()).await.unwrap();
                ids.insert(header(&message, "cloudEvents:id"));
                taken.push(message);
            }
            taken
        })
    }
}

fn header(message: &Message, name: &str) -> String {
    let headers = message.properties.headers().as_ref().unwrap();
    match headers.inner().get(name) {
        Some(AMQPValue::LongString(value)) => value.to_string(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_message_carries_the_payload_and_its_attributes() {
    let (log, rabbit) = (Sqlite::new(), Rabbit::shared());
    let exchange = Exchange::new(rabbit);
    let text = exchange.destination(rabbit, "secrets = [\"ORDERS_SECRET\"]");
    let place = Place::new(&log.address(), &text);
    let server = place.start();
    let delivery = Delivery::new("evt_1");
    delivery.send(&server);
    let message = exchange.take(rabbit, 1).remove(0);
    assert_eq!(message.data, delivery.payload);
    assert_eq!(message.routing_key.as_str(), "invoice.paid");
    for (name, value) in [
        ("cloudEvents:specversion", "1.0"),
        ("cloudEvents:id", "evt_1"),
        ("cloudEvents:type", "invoice.paid"),
        ("cloudEvents:source", "/hookgate/stripe"),
        ("cloudEvents:time", "2025-10-09T08:53:20Z"),
        ("cloudEvents:account", "acct_1"),
        ("cloudEvents:livemode", "false"),
        ("cloudEvents:sequence", "1"),
        ("traceparent", delivery.header("traceparent")),
        ("x-hookgate-attempt", "1"),
    ] {
        assert_eq!(header(&message, name), value, "{name}");
    }
    assert!(header(&message, "webhook-signature").starts_with("v1,"));
    let properties = &message.properties;
    assert_eq!(*properties.delivery_mode(), Some(2));
    let content_type = properties.content_type().as_ref().unwrap();
    assert_eq!(content_type.as_str(), "application/json");
    // The same for every attempt, so that a consumer knows a repeat.
    let id = properties.message_id().as_ref().unwrap();
    assert_eq!(id.as_str(), header(&message, "webhook-id"));
}

#[test]
fn what_no_queue_takes_is_parked_and_nothing_else() {
    let (log, rabbit) = (Sqlite::new(), Rabbit::shared());
    let exchange = Exchange::new(rabbit);
    let text = exchange.destination(rabbit, "concurrency = 32");
    let place = Place::new(&log.address(), &text);
    let server = place.start();
    let mut connection = Connection::open(server.address).unwrap();
    let (mut routed, mut unroutable) = (BTreeSet::new(), BTreeSet::new());
    for number in 1..=200 {
        let id = format!("evt_{number}");
        let delivery = if number % 3 == 0 {
            let paid = String::from_utf8(payload(&id, 100)).unwrap();
            let failed = paid.replace("invoice.paid", "charge.failed");
            let delivery = Delivery::with_payload(&id, failed.into_bytes());
            unroutable.insert(id);
            delivery.with("ce-type", "charge.failed")
        } else {
            routed.insert(id.clone());
            Delivery::new(&id)
        };
        let answer = connection.send(&delivery).unwrap();
        assert_eq!(answer.outcome().1, "stored", "{number}");
    }
    let taken = exchange.take(rabbit, routed.len());
    let ids = |messages: &[Message]| -> BTreeSet<String> {
        let ids = messages.iter();
        ids.map(|message| header(message, "cloudEvents:id"))
            .collect()
    };
    assert_eq!(ids(&taken), routed);
    let parked = until("the others are parked", || {
        let parked = parked(&place);
        (parked.len() == unroutable.len()).then_some(parked)
    });
    for event in &parked {
        assert!(
            unroutable.contains(event["id"].as_str().unwrap()),
            "{event}"
        );
        assert_eq!(event["reason"], "refused", "{event}");
        assert_eq!(event["attempts"], 1, "{event}");
        assert_eq!(event["answer"], "NO_ROUTE", "{event}");
    }
    // Nobody was told otherwise for a moment either: each came once.
    assert_eq!(taken.len(), routed.len());
    assert!(!server.stderr().contains("cloudEvents"));
}

#[test]
fn an_exchange_that_is_not_there_refuses() {
    let (log, rabbit) = (Sqlite::new(), Rabbit::shared());
    let url = format!("{}?exchange=nowhere", rabbit.address());
    let place = Place::new(&log.address(), &destination("orders", &url, ""));
    let server = place.start();
    append(&server, 3);
    let parked = until("they are parked", || {
        let parked = parked(&place);
        (parked.len() == 3).then_some(parked)
    });
    for event in parked {
        assert_eq!(event["reason"], "refused", "{event}");
        let answer = event["answer"].as_str().unwrap();
        assert!(answer.contains("no exchange 'nowhere'"), "{answer}");
    }
}

#[test]
fn a_broker_that_is_killed_gets_its_events_when_it_is_back() {
    let (log, mut rabbit) = (Sqlite::new(), Rabbit::start());
    let exchange = Exchange::new(&rabbit);
    let place = Place::new(&log.address(), &exchange.destination(&rabbit, ""));
    let server = place.start();
    // The broker writes its bindings down some time after it has answered.
    let mut expected: BTreeSet<String> = append(&server, 20).into_iter().collect();
    assert_eq!(exchange.take(&rabbit, 20).len(), 20);
    rabbit.ctl(&["eval", "mnesia:sync_log()."]);
    rabbit.kill();
    let mut connection = Connection::open(server.address).unwrap();
    for number in 1..=20 {
        let id = format!("evt_away_{number}");
        connection.send(&Delivery::new(&id)).unwrap();
        expected.insert(id);
    }
    rabbit.restart();
    let taken = exchange.take(&rabbit, 20);
    for message in &taken {
        let id = header(message, "cloudEvents:id");
        assert!(expected.contains(&id), "{id}");
    }
    assert_eq!(parked(&place).len(), 0);
}
