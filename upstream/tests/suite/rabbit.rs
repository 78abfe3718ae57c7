//! What only RabbitMQ can get wrong.

use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::{
    options::{BasicConsumeOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable, LongString},
};
use serde_json::Value;

use crate::{
    contract::Backend as _,
    delivery::Delivery,
    harness::{
        PATIENCE, Server, Starting, assert_no_gaps, events, failure, hookgate, output, refusal,
        until,
    },
    load::{Load, Promises, assert_kept},
    rabbit_server::{Rabbit, RabbitLog},
};

#[test]
fn refuses_a_queue_that_is_no_stream() {
    let log = RabbitLog::shared();
    log.declare(&[]);
    let message = refusal(&log.address(), &[]);
    assert!(
        message.contains("is not the durable stream that the log needs"),
        "{message}"
    );
    let mend = format!("rabbitmqctl delete_queue {}", log.stream);
    assert!(message.contains(&mend), "{message}");

    // Reading it would take its messages away.
    let message = failure(hookgate().args(["events", "--log", &log.address()]));
    assert!(message.contains("the queue is no stream"), "{message}");

    // What the command does.
    log.delete();
    let server = Server::start(&log.address(), &[]);
    assert_eq!(Delivery::new("evt_1").send(&server).outcome().1, "stored");
}

#[test]
fn refuses_a_stream_that_forgets_by_its_own_arguments() {
    let log = RabbitLog::shared();
    log.declare(&[("x-queue-type", "stream"), ("x-max-age", "1D")]);
    let message = refusal(&log.address(), &[]);
    assert!(message.contains("x-max-age"), "{message}");
    assert!(message.contains("is set by a policy"), "{message}");
}

#[test]
fn refuses_a_wrong_login_at_once() {
    let port = Rabbit::shared().port;
    let message = refusal(&format!("amqp://guest:hunter2@127.0.0.1:{port}/"), &[]);
    assert!(message.contains("refuses the login"), "{message}");
    assert!(
        message.contains("rabbitmqctl authenticate_user"),
        "{message}"
    );
    assert!(!message.contains("hunter2"), "{message}");
    assert!(!message.contains("waiting"), "{message}");
}

#[test]
fn refuses_a_virtual_host_that_is_not_there() {
    let address = format!("{}shop", Rabbit::shared().address());
    let message = refusal(&address, &[]);
    assert!(
        message.contains("doesn't open its virtual host `shop`"),
        "{message}"
    );
    assert!(message.contains("rabbitmqctl add_vhost shop"), "{message}");
}

#[test]
fn says_when_there_is_no_stream() {
    let log = RabbitLog::shared();
    let message = failure(hookgate().args(["events", "--log", &log.address()]));
    let missing = format!("there is no stream `{}`", log.stream);
    assert!(message.contains(&missing), "{message}");
}

#[test]
fn an_empty_stream_reads_as_empty() {
    let log = RabbitLog::shared().made();
    drop(Server::start(&log.address(), &[]));
    assert_eq!(events(&log.address()), Vec::<Value>::new());
    let message = failure(hookgate().args(["event", "evt_1", "--log", &log.address()]));
    assert!(
        message.contains("the log has no event `evt_1`"),
        "{message}"
    );
}

#[test]
fn a_consumer_knows_a_repeat_by_source_and_id() {
    let log = RabbitLog::new();
    let server = Server::start(&log.address(), &[]);
    let delivery = Delivery::new("evt_1");
    for _ in 0..2 {
        assert_eq!(delivery.send(&server).outcome(), (200, "stored", None));
    }
    let copies = log.server().with(async |channel| {
        channel
            .basic_qos(10, BasicQosOptions::default())
            .await
            .unwrap();
        let mut arguments = FieldTable::default();
        let first = AMQPValue::LongString(LongString::from("first"));
        arguments.insert("x-stream-offset".into(), first);
        let name = log.stream.as_str().into();
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(name, "".into(), options, arguments);
        let consumer = consumer.await.unwrap();
        let copies: Vec<_> = consumer.take(2).collect().await;
        copies
    });
    for copy in copies {
        let copy = copy.unwrap();
        assert_eq!(copy.data, delivery.payload);
        let id = copy.properties.message_id().as_ref().unwrap();
        assert_eq!(id.as_str(), "evt_1");
        let content_type = copy.properties.content_type().as_ref().unwrap();
        assert_eq!(content_type.as_str(), "application/json");
        let headers = copy.properties.headers().as_ref().unwrap().inner();
        for (name, value) in [
            ("cloudEvents:specversion", "1.0"),
            ("cloudEvents:id", "evt_1"),
            ("cloudEvents:source", "/hookgate/stripe"),
            ("cloudEvents:type", "invoice.paid"),
            ("cloudEvents:account", "acct_1"),
            ("traceparent", delivery.header("traceparent")),
        ] {
            let value = AMQPValue::LongString(LongString::from(value));
            assert_eq!(headers[name], value, "{name}");
        }
    }
}

#[test]
fn a_message_that_no_queue_takes_is_no_event_stored() {
    let log = RabbitLog::shared().made();
    let server = Server::start(&log.address(), &[]);
    assert_eq!(Delivery::new("evt_1").send(&server).outcome().1, "stored");
    log.delete();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let server = &server;
        let senders: Vec<_> = (0..16)
            .map(|sender| {
                scope.spawn(move || Delivery::new(&format!("evt_{sender}_gone")).send(server))
            })
            .collect();
        senders.into_iter().map(|s| s.join().unwrap()).collect()
    });
    for answer in answers {
        assert_eq!(answer.outcome(), (503, "unavailable", None));
    }
    assert_eq!(server.probe("/readyz"), 503);
    // The client would repeat the message in its own line.
    let stderr = server.stderr();
    assert!(stderr.contains("NO_ROUTE"), "{stderr}");
    assert!(!stderr.contains("cloudEvents"), "{stderr}");
}

#[test]
fn keeps_every_promise_over_a_killed_broker() {
    let mut log = RabbitLog::own(Rabbit::start());
    let address = log.address();
    let server = Server::start(&address, &[]);
    let mut promises = Promises::new();
    for round in 0..3 {
        let load = Load::start(&server, &format!("r{round}"), 16);
        let answers = 150 + 37 * round;
        until("the load is under way", || {
            (load.answered() > answers).then_some(())
        });
        log.own_server().kill();
        until("readiness is gone", || {
            (server.probe("/readyz") == 503).then_some(())
        });
        assert_eq!(server.probe("/healthz"), 200);
        let answer = Delivery::new("evt_away").send(&server);
        assert_eq!(answer.outcome(), (503, "unavailable", None));
        promises.extend(load.finish());

        log.own_server().restart();
        until("readiness is back", || {
            (server.probe("/readyz") == 200).then_some(())
        });
    }
    assert!(promises.len() > 450, "{}", promises.len());
    let listed = events(&address);
    assert_kept(&promises, &listed);
    assert_no_gaps(&listed);
    // Whoever comes while the broker is away at start waits for it.
    log.own_server().kill();
    let second = Starting::start(&address, &[]);
    second.until_waiting();
    log.own_server().restart();
    let second = second.until_served(PATIENCE);
    // A broker that has just begun may be slow for a moment, which is told.
    until("the next event is stored", || {
        let answer = Delivery::new("evt_next").send(&second);
        match answer.outcome() {
            (200, "stored", None) => Some(()),
            refused => {
                assert_eq!(refused, (503, "unavailable", None));
                None
            }
        }
    });
}

#[test]
fn takes_nothing_while_an_alarm_of_the_broker_is_on() {
    let log = RabbitLog::own(Rabbit::start_with("max_message_size = 1000000"));
    let message = refusal(&log.address(), &[]);
    assert!(
        message.contains("`max_message_size = 2097152`"),
        "{message}"
    );
    let server = Server::start(&log.address(), &["--max-body-bytes", "1000000"]);
    assert_eq!(Delivery::new("evt_1").send(&server).outcome().1, "stored");

    log.server().ctl(&["set_vm_memory_high_watermark", "0"]);
    // The broker says so to whoever publishes.
    until("events are refused", || {
        let answer = Delivery::new("evt_2").send(&server);
        (answer.outcome() == (503, "unavailable", None)).then_some(())
    });
    until("readiness is gone", || {
        (server.probe("/readyz") == 503).then_some(())
    });
    log.server().ctl(&["set_vm_memory_high_watermark", "0.9"]);
    until("readiness is back", || {
        (server.probe("/readyz") == 200).then_some(())
    });
    let answer = Delivery::new("evt_3").send(&server);
    assert_eq!(answer.outcome(), (200, "stored", None));
}

#[test]
fn answers_503_while_the_broker_hangs_and_recovers() {
    let log = RabbitLog::alone();
    let server = Server::start(&log.address(), &[]);
    log.server().freeze();
    assert_eq!(server.probe("/readyz"), 503);
    let answer = Delivery::new("evt_1").send(&server);
    assert_eq!(answer.outcome(), (503, "unavailable", None));
    log.server().thaw();
    until("readiness is back", || {
        (server.probe("/readyz") == 200).then_some(())
    });
    let retry = Delivery::new("evt_1").send(&server);
    assert_eq!(retry.outcome(), (200, "stored", None));
    // Whether the first attempt was stored after all, nobody was told.
    let stored = events(&log.address()).len();
    assert!((1..=2).contains(&stored), "{stored}");
}

#[test]
fn export_and_import_keep_the_order_of_a_stream() {
    let log = RabbitLog::shared().made();
    let server = Server::start(&log.address(), &[]);
    let load = Load::start(&server, "load", 8);
    until("more is stored than is read at a time", || {
        (load.answered() > 700).then_some(())
    });
    let stored = load.finish().len();
    let exported = output(hookgate().args(["export", "--log", &log.address()]));
    assert_eq!(exported.split(|byte| *byte == b'\n').count(), stored + 1);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, &exported).unwrap();
    let other = RabbitLog::shared().made();
    let mut import = hookgate();
    import.arg("import").arg(&file);
    output(import.args(["--log", &other.address()]));
    let ids = |address: &str| -> Vec<Value> {
        let listed = events(address);
        assert_no_gaps(&listed);
        listed.iter().map(|event| event["id"].clone()).collect()
    };
    assert_eq!(ids(&other.address()), ids(&log.address()));
}

#[test]
fn an_export_begins_at_a_time() {
    let log = RabbitLog::shared().made();
    let server = Server::start(&log.address(), &[]);
    for number in 1..=20 {
        let answer = Delivery::new(&format!("evt_{number}")).send(&server);
        assert_eq!(answer.outcome(), (200, "stored", None));
        // No two of them in one millisecond.
        std::thread::sleep(Duration::from_millis(2));
    }
    let listed = events(&log.address());
    let at = listed[12]["storedat"].as_str().unwrap();
    let export = |from: &str| {
        let lines = output(hookgate().args(["export", "--from", from, "--log", &log.address()]));
        String::from_utf8(lines).unwrap().lines().count()
    };
    assert_eq!(export(at), 8);
    assert_eq!(export("2100-01-01T00:00:00Z"), 0);
    assert_eq!(export("2001-01-01T00:00:00Z"), 20);
}
