//! What every log must do, on each of them.

use std::{collections::BTreeSet, sync::Barrier, thread};

use hookgate_core::time::Timestamp;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    delivery::{Answer, Connection, Delivery, payload},
    harness::{CONNECT_SECRET, Server, assert_no_gaps, events, hookgate, output, until},
    load::{Load, assert_kept},
    nats_server::Nats,
};

/// A log, and a way to make it hang.
pub(crate) trait Backend: Sync {
    fn new() -> Self;
    fn address(&self) -> String;
    /// Runs something while the log confirms nothing.
    fn while_hung(&self, run: impl FnOnce());
}

pub(crate) struct Sqlite(TempDir);

impl Backend for Sqlite {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn address(&self) -> String {
        format!("sqlite:{}", self.0.path().join("new/log.db").display())
    }

    fn while_hung(&self, run: impl FnOnce()) {
        let other = rusqlite::Connection::open(self.0.path().join("new/log.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        run();
        other.execute_batch("ROLLBACK").unwrap();
    }
}

impl Backend for Nats {
    fn new() -> Self {
        Self::start()
    }

    fn address(&self) -> String {
        self.address()
    }

    fn while_hung(&self, run: impl FnOnce()) {
        self.freeze();
        run();
        self.thaw();
    }
}

macro_rules! on_every_log {
    ($($name:ident)+) => {
        mod on_sqlite { $(#[test] fn $name() { super::$name(&<super::Sqlite as super::Backend>::new()); })+ }
        mod on_nats { $(#[test] fn $name() { super::$name(&<super::Nats as super::Backend>::new()); })+ }
    };
}

on_every_log! {
    stores_once_and_answers_duplicates_with_the_first_sequence
    keeps_the_same_id_of_two_sources
    keeps_every_attribute_and_byte
    numbers_events_without_gaps_while_duplicates_race
    answers_queue_full_while_the_log_hangs
    keeps_every_promise_over_kill_9
    drains_at_sigterm
    is_ready
}

fn stores_once_and_answers_duplicates_with_the_first_sequence(log: &impl Backend) {
    let server = Server::start(&log.address(), &[]);
    for (id, outcome) in [
        ("evt_1", (200, "stored", Some(1))),
        ("evt_2", (200, "stored", Some(2))),
        ("evt_1", (200, "duplicate", Some(1))),
        ("evt_3", (200, "stored", Some(3))),
        ("evt_2", (200, "duplicate", Some(2))),
    ] {
        assert_eq!(Delivery::new(id).send(&server).outcome(), outcome, "{id}");
    }
    drop(server);

    let server = Server::start(&log.address(), &[]);
    let again = Delivery::new("evt_1").send(&server);
    assert_eq!(again.outcome(), (200, "duplicate", Some(1)));
    let next = Delivery::new("evt_4").send(&server);
    assert_eq!(next.outcome(), (200, "stored", Some(4)));
    assert_eq!(events(&log.address()).len(), 4);
}

fn keeps_the_same_id_of_two_sources(log: &impl Backend) {
    let server = Server::start(&log.address(), &[]);
    let connect = || Delivery::new("evt_1").of_source("stripe-connect", CONNECT_SECRET);
    assert_eq!(Delivery::new("evt_1").send(&server).outcome().2, Some(1));
    assert_eq!(connect().send(&server).outcome(), (200, "stored", Some(2)));
    assert_eq!(
        connect().send(&server).outcome(),
        (200, "duplicate", Some(2))
    );
    let sources: Vec<_> = events(&log.address())
        .iter()
        .map(|event| (event["source"].clone(), event["id"].clone()))
        .collect();
    assert_eq!(
        sources,
        [
            (json!("stripe"), json!("evt_1")),
            (json!("stripe-connect"), json!("evt_1"))
        ]
    );
}

fn keeps_every_attribute_and_byte(log: &impl Backend) {
    let server = Server::start(&log.address(), &[]);
    let mut large = payload("evt_1", 2 * 1_024 * 1_024 - 1_000);
    large.extend(" \t\r\n".bytes());
    let delivery = Delivery::with_payload("evt_1", large.clone());
    assert_eq!(delivery.send(&server).outcome(), (200, "stored", Some(1)));

    let of_event =
        |form| output(hookgate().args(["event", "evt_1", form, "--log", &log.address()]));
    assert!(of_event("--payload") == large, "the payload was changed");
    let shown: serde_json::Value = serde_json::from_slice(&of_event("--json")).unwrap();
    let listed = events(&log.address());
    assert_eq!(listed, std::slice::from_ref(&shown));
    let stored_at = shown["storedat"].as_str().unwrap();
    assert_eq!(
        shown,
        json!({
            "sequence": 1,
            "source": "stripe",
            "id": "evt_1",
            "type": "invoice.paid",
            "account": "acct_1",
            "livemode": false,
            "time": "2025-10-09T08:53:20Z",
            "endpoint": "stripe",
            "secretname": "primary",
            "unsigned": null,
            "signedat": delivery.header("ce-signedat"),
            "receivedat": delivery.header("ce-receivedat"),
            "storedat": stored_at,
            "sha256": sha256(&large),
            "size": large.len(),
            "redacted": false,
            "traceparent": delivery.header("traceparent"),
            "signature": delivery.header("stripe-signature"),
        })
    );
    let time = |text| Timestamp::parse_rfc3339(text).unwrap();
    assert!(
        time(stored_at) >= time(delivery.header("ce-receivedat")),
        "{stored_at}"
    );
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let sum: [u8; 32] = sha2::Sha256::digest(bytes).into();
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn numbers_events_without_gaps_while_duplicates_race(log: &impl Backend) {
    const SENDERS: usize = 64;
    const ROUNDS: usize = 5;
    let server = Server::start(&log.address(), &[]);
    let start = Barrier::new(SENDERS);
    // Every ID is sent by two senders in the same round.
    let answers: Vec<Vec<(String, Answer)>> = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (start, server) = (&start, &server);
                scope.spawn(move || {
                    let mut connection = Connection::open(server.address).unwrap();
                    start.wait();
                    let round = |round| {
                        let id = format!("evt_{round}_{}", sender / 2);
                        let answer = connection.send(&Delivery::new(&id)).unwrap();
                        (id, answer)
                    };
                    (0..ROUNDS).map(round).collect()
                })
            })
            .collect();
        senders.into_iter().map(|s| s.join().unwrap()).collect()
    });

    let listed = events(&log.address());
    assert_eq!(listed.len(), SENDERS / 2 * ROUNDS);
    assert_no_gaps(&listed);
    let mut stored = BTreeSet::new();
    for (id, answer) in answers.iter().flatten() {
        let (status, name, sequence) = answer.outcome();
        assert_eq!(status, 200, "{answer:?}");
        if name == "stored" {
            assert!(stored.insert(id), "stored twice: {id}");
        }
        let event = listed.iter().find(|event| event["id"] == **id).unwrap();
        assert_eq!(event["sequence"].as_u64(), sequence, "{id}");
    }
    assert_eq!(stored.len(), listed.len());
}

fn answers_queue_full_while_the_log_hangs(log: &impl Backend) {
    let server = Server::start(&log.address(), &["--queue", "1"]);
    let senders: Vec<_> = {
        let mut senders = Vec::new();
        log.while_hung(|| {
            for sender in 0..8 {
                let address = server.address;
                senders.push(thread::spawn(move || {
                    let mut connection = Connection::open(address).unwrap();
                    let delivery = Delivery::new(&format!("evt_of_{sender}"));
                    connection.send(&delivery).unwrap()
                }));
            }
            until("senders are refused", || {
                let refused = senders.iter().filter(|sender| sender.is_finished());
                (refused.count() >= 4).then_some(())
            });
        });
        senders
    };
    let mut stored = 0;
    for sender in senders {
        let answer = sender.join().unwrap();
        match answer.outcome() {
            (200, "stored", Some(_)) => stored += 1,
            outcome => {
                assert_eq!(outcome, (429, "queue_full", None));
                assert_eq!(answer.header("retry-after"), Some("1"));
                assert_eq!(
                    answer.header("content-type"),
                    Some("application/problem+json")
                );
            }
        }
    }
    assert!((1..=4).contains(&stored), "{stored}");
    assert_eq!(events(&log.address()).len(), stored);
}

fn keeps_every_promise_over_kill_9(log: &impl Backend) {
    let mut promises = std::collections::BTreeMap::new();
    for round in 0..3 {
        let server = Server::start(&log.address(), &[]);
        let load = Load::start(&server, &format!("r{round}"), 16);
        // A different moment of the batches each time.
        let answers = 150 + 37 * round;
        until("the load is under way", || {
            (load.answered() > answers).then_some(())
        });
        server.kill_9();
        promises.extend(load.finish());
    }
    let listed = events(&log.address());
    assert!(promises.len() > 450, "{}", promises.len());
    assert_kept(&promises, &listed);
    assert_no_gaps(&listed);
    // Whatever is there is durable, and is answered so.
    let server = Server::start(&log.address(), &[]);
    for event in listed.iter().rev().take(20) {
        let again = Delivery::new(event["id"].as_str().unwrap()).send(&server);
        let sequence = event["sequence"].as_u64();
        assert_eq!(again.outcome(), (200, "duplicate", sequence));
    }
}

fn drains_at_sigterm(log: &impl Backend) {
    let mut server = Server::start(&log.address(), &[]);
    let delivery = Delivery::new("evt_slow");
    let request = delivery.request();
    let (early, late) = request.split_at(request.len() - 10);
    let mut connection = Connection::open(server.address).unwrap();
    connection.write(early).unwrap();
    let load = Load::start(&server, "load", 8);
    until("the load is under way", || {
        (load.answered() > 50).then_some(())
    });

    server.terminate();
    until("the server takes no more connections", || {
        Connection::open(server.address).err()
    });
    connection.write(late).unwrap();
    assert_eq!(connection.answer().unwrap().outcome().1, "stored");
    let status = server.wait();
    assert_eq!(status.code(), Some(0), "{}", server.stderr());

    let promises = load.finish();
    let listed = events(&log.address());
    assert_kept(&promises, &listed);
    // Nothing was stored whose sender was cut off.
    assert_eq!(listed.len(), promises.len() + 1);
}

fn is_ready(log: &impl Backend) {
    let server = Server::start(&log.address(), &[]);
    assert_eq!(server.probe("/healthz"), 200);
    assert_eq!(server.probe("/readyz"), 200);
}
