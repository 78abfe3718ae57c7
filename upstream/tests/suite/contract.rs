//! What every log must do, on each of them.

use std::{collections::BTreeMap, marker::PhantomData, sync::Barrier, thread};

use hookgate_core::time::Timestamp;
use serde_json::json;
use tempfile::TempDir;

#[cfg(feature = "kafka")]
use crate::tansu::Tansu;
use crate::{
    delivery::{Answer, Connection, Delivery, payload},
    harness::{CONNECT_SECRET, Server, assert_no_gaps, events, hookgate, output, until},
    load::{Load, Promises, assert_kept},
    nats_server::Nats,
    rabbit_server::{Rabbit, RabbitLog},
};

/// What a log says of an event that is sent again. The upstream's table of
/// capabilities says the same; here it is seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// It is stored once, and answered as a duplicate of the first copy.
    AreKnown,
    /// It is stored again under the same `source` and `id`, by which whoever
    /// reads the log knows it.
    AreStored,
}

/// A log, what it promises beside durability, and a way to make it hang.
pub(crate) trait Backend: Sync {
    const REPEATS: Repeats;
    /// Whether the answer says at which sequence an event is stored.
    const SAYS_SEQUENCE: bool;
    /// An empty log; others may share its server.
    fn new() -> Self;
    /// An empty log whose server nobody else uses.
    fn alone() -> Self
    where
        Self: Sized,
    {
        Self::new()
    }
    fn address(&self) -> String;
    /// Runs something while the log confirms nothing; needs [`Self::alone`].
    fn while_hung(&self, run: impl FnOnce());
}

/// What a log of this kind must answer, event by event.
struct Answers<B> {
    stored: Vec<String>,
    log: PhantomData<B>,
}

impl<B: Backend> Answers<B> {
    const fn of(_: &B) -> Self {
        Self {
            stored: Vec::new(),
            log: PhantomData,
        }
    }

    /// The outcome of the next event to be sent.
    fn next(&mut self, identity: &str) -> (u16, &'static str, Option<u64>) {
        let first = self.stored.iter().position(|stored| stored == identity);
        match (first, B::REPEATS) {
            (Some(first), Repeats::AreKnown) => (200, "duplicate", Some(first as u64 + 1)),
            _ => {
                self.stored.push(identity.to_owned());
                (200, "stored", said::<B>(self.stored.len() as u64))
            }
        }
    }
}

/// The sequence of an event, if the answer of a log of this kind has it.
fn said<B: Backend>(sequence: u64) -> Option<u64> {
    B::SAYS_SEQUENCE.then_some(sequence)
}

pub(crate) struct Sqlite(TempDir);

impl Backend for Sqlite {
    const REPEATS: Repeats = Repeats::AreKnown;
    const SAYS_SEQUENCE: bool = true;

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
    const REPEATS: Repeats = Repeats::AreKnown;
    const SAYS_SEQUENCE: bool = true;

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

#[cfg(feature = "kafka")]
impl Backend for Tansu {
    const REPEATS: Repeats = Repeats::AreStored;
    const SAYS_SEQUENCE: bool = true;

    fn new() -> Self {
        Self::start()
    }

    fn address(&self) -> String {
        self.address("hookgate")
    }

    fn while_hung(&self, run: impl FnOnce()) {
        self.freeze();
        run();
        self.thaw();
    }
}

impl Backend for RabbitLog {
    const REPEATS: Repeats = Repeats::AreStored;
    const SAYS_SEQUENCE: bool = false;

    fn new() -> Self {
        Self::shared().made()
    }

    fn alone() -> Self {
        Self::own(Rabbit::start()).made()
    }

    fn address(&self) -> String {
        self.address()
    }

    fn while_hung(&self, run: impl FnOnce()) {
        self.server().freeze();
        run();
        self.server().thaw();
    }
}

/// Runs each test on each log: the expectations differ where the logs do, the
/// list doesn't.
macro_rules! on_every_log {
    ({ $($(#[$gate:meta])? $module:ident: $log:ty;)+ } $tests:tt) => {
        $($(#[$gate])? mod $module { on_every_log! { @tests $log, $tests } })+
    };
    (@tests $log:ty, { $($name:ident($make:ident))+ }) => {
        $(#[test] fn $name() { super::$name(&<$log as super::Backend>::$make()); })+
    };
}

on_every_log! {
    {
        on_sqlite: super::Sqlite;
        on_nats: super::Nats;
        #[cfg(feature = "kafka")]
        on_kafka: super::Tansu;
        on_rabbit: super::RabbitLog;
    }
    {
        answers_an_event_that_comes_again(new)
        keeps_the_same_id_of_two_sources(new)
        keeps_every_attribute_and_byte(new)
        numbers_events_without_gaps_while_repeats_race(new)
        answers_queue_full_while_the_log_hangs(alone)
        keeps_every_promise_over_kill_9(new)
        drains_at_sigterm(new)
        is_ready(new)
    }
}

fn answers_an_event_that_comes_again<B: Backend>(log: &B) {
    let mut answers = Answers::of(log);
    let server = Server::start(&log.address(), &[]);
    for id in ["evt_1", "evt_2", "evt_1", "evt_3", "evt_2"] {
        let answer = Delivery::new(id).send(&server);
        assert_eq!(answer.outcome(), answers.next(id), "{id}");
    }
    drop(server);

    let server = Server::start(&log.address(), &[]);
    for id in ["evt_1", "evt_4"] {
        let answer = Delivery::new(id).send(&server);
        assert_eq!(answer.outcome(), answers.next(id), "{id}");
    }
    let listed = events(&log.address());
    let ids: Vec<_> = listed
        .iter()
        .map(|event| event["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, answers.stored);
    assert_no_gaps(&listed);
}

fn keeps_the_same_id_of_two_sources<B: Backend>(log: &B) {
    let mut answers = Answers::of(log);
    let server = Server::start(&log.address(), &[]);
    let platform = || Delivery::new("evt_1");
    let connect = || Delivery::new("evt_1").of_source("stripe-connect", CONNECT_SECRET);
    for (delivery, source) in [
        (platform(), "stripe"),
        (connect(), "stripe-connect"),
        (connect(), "stripe-connect"),
    ] {
        assert_eq!(delivery.send(&server).outcome(), answers.next(source));
    }
    let listed = events(&log.address());
    let sources: Vec<_> = listed
        .iter()
        .map(|event| event["source"].as_str().unwrap())
        .collect();
    assert_eq!(sources, answers.stored);
    assert!(listed.iter().all(|event| event["id"] == "evt_1"));
    // One by one, the first copy of each.
    let lines = output(hookgate().args(["event", "evt_1", "--json", "--log", &log.address()]));
    let lines = String::from_utf8(lines).unwrap();
    let found: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(found, listed[..2]);
}

fn keeps_every_attribute_and_byte<B: Backend>(log: &B) {
    let server = Server::start(&log.address(), &[]);
    let mut large = payload("evt_1", 2 * 1_024 * 1_024 - 1_000);
    large.extend(" \t\r\n".bytes());
    let delivery = Delivery::with_payload("evt_1", large.clone());
    let answer = delivery.send(&server);
    assert_eq!(answer.outcome(), (200, "stored", said::<B>(1)));

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
            "origin": null,
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

fn numbers_events_without_gaps_while_repeats_race<B: Backend>(log: &B) {
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
    assert_no_gaps(&listed);
    let mut stored: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, answer) in answers.iter().flatten() {
        let (status, name, sequence) = answer.outcome();
        assert_eq!(status, 200, "{answer:?}");
        let copies = stored.entry(id).or_default();
        *copies += usize::from(name == "stored");
        let mut at = listed.iter().filter(|event| event["id"] == **id);
        if B::SAYS_SEQUENCE {
            let is_there = at.any(|event| event["sequence"].as_u64() == sequence);
            assert!(is_there, "{id}: {answer:?}");
        } else {
            assert_eq!((sequence, at.count()), (None, 2), "{id}");
        }
    }
    let copies = match B::REPEATS {
        Repeats::AreKnown => 1,
        Repeats::AreStored => 2,
    };
    assert!(stored.values().all(|it| *it == copies), "{stored:?}");
    assert_eq!(listed.len(), SENDERS / 2 * ROUNDS * copies);
    assert_eq!(stored.len() * copies, listed.len());
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
            (200, "stored", _) => stored += 1,
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

fn keeps_every_promise_over_kill_9<B: Backend>(log: &B) {
    let mut promises = Promises::new();
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
    let mut answers = Answers::of(log);
    for event in &listed {
        answers.next(event["id"].as_str().unwrap());
    }
    let server = Server::start(&log.address(), &[]);
    for event in listed.iter().rev().take(20) {
        let id = event["id"].as_str().unwrap();
        let again = Delivery::new(id).send(&server);
        assert_eq!(again.outcome(), answers.next(id));
    }
}

fn drains_at_sigterm(log: &impl Backend) {
    // Its payload waits until the load is under way.
    let mut server = Server::start(&log.address(), &["--body-timeout", "1m"]);
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
