//! How what was let go is tried again, and what goes out once more.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{Scene, audit, decide};
use crate::{
    contract::{Backend as _, Sqlite},
    delivery::{Delivery, seconds_from_now},
    destinations::{Place, append, destination, parked},
    harness::until,
    receiver::{Got, Reaction, Receiver},
};

#[test]
fn a_discarded_event_is_not_delivered_until_somebody_redelivers_it() {
    let scene = Scene::start(2);
    scene.orders.mend();
    let decided = scene.decide("ada", &["review", "discard", "evt_n00000"]);
    assert_eq!(decided.counts(), BTreeMap::from([("discarded", 1)]));
    assert_eq!(parked(&scene.place).len(), 1);
    let again = scene.decide("ben", &["review", "approve", "evt_n00000"]);
    assert_eq!(again.code, 1);
    assert!(
        again.why().contains("discarded by ada at 20"),
        "{}",
        again.why()
    );
    assert_eq!(scene.until_quiet().len(), 2);
    let redeliver = ["redeliver", "evt_n00000", "--destination", "orders"];
    let decided = scene.decide("ben", &redeliver);
    assert_eq!(decided.code, 0, "{}", decided.stderr);
    let got = scene.orders.receiver.until_got(3);
    assert_eq!((got[2].id(), got[2].attempt()), ("evt_n00000", 2));
    let actions: Vec<Value> = audit(scene.log())
        .iter()
        .map(|record| record["action"].clone())
        .collect();
    assert_eq!(actions, ["discarded", "released"]);
}

#[test]
fn retries_begin_anew_with_an_approval() {
    let backend = Sqlite::new();
    let receiver = Receiver::start(|_, _| Reaction::Status(500));
    let text = destination("orders", &receiver.url(), "") + "attempts = 2\njitter = 0.0\n";
    let place = Place::new(&backend.address(), &text);
    let server = place.start();
    append(&server, 1);
    let attempts = |expected: u64| {
        until("it is parked", || {
            parked(&place).pop().filter(|it| it["attempts"] == expected)
        })
    };
    assert_eq!(attempts(2)["reason"], "exhausted");
    let decided = decide(&place.log, "ada", &["review", "approve", "--all"]);
    assert_eq!(decided.code, 0, "{}", decided.stderr);
    assert_eq!(attempts(4)["reason"], "exhausted");
    let got = receiver.got();
    let numbers: Vec<u32> = got.iter().map(Got::attempt).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let waited = got[3].at - got[2].at;
    assert!(waited < Duration::from_secs(10), "{waited:?}");
}

#[test]
fn an_approved_event_waits_for_its_turn_in_its_object() {
    let receiver = Receiver::start(|got, _| match (got.id(), got.attempt()) {
        ("evt_a1", 1) => Reaction::Status(400),
        ("evt_a2", 1) => Reaction::Slow(Duration::from_secs(4)),
        _ => Reaction::Status(200),
    });
    let backend = Sqlite::new();
    let text = destination("orders", &receiver.url(), "order = \"object\"");
    let place = Place::new(&backend.address(), &text);
    let server = place.start();
    for id in ["evt_a1", "evt_a2"] {
        let event = Delivery::saying(id, "invoice.paid", None, None);
        assert_eq!(event.send(&server).outcome().1, "stored");
    }
    receiver.until_got(2);
    let decided = decide(&place.log, "ada", &["review", "approve", "evt_a1"]);
    assert_eq!(decided.code, 0, "{}", decided.stderr);
    let got = receiver.until_got(3);
    assert_eq!((got[2].id(), got[2].attempt()), ("evt_a1", 2));
    let waited = got[2].at - got[1].at;
    assert!(waited >= Duration::from_secs(4), "{waited:?}");
}

#[test]
fn what_a_destination_confirmed_is_redelivered_by_a_filter() {
    let scene = Scene::start(1);
    scene.orders.mend();
    let before = until("a second begins", || {
        let now = seconds_from_now(0);
        (now > seconds_from_now(-1)).then_some(now)
    });
    for (id, type_name) in [("evt_i1", "invoice.paid"), ("evt_c1", "charge.failed")] {
        let event = Delivery::saying(id, type_name, None, None);
        assert_eq!(event.send(&scene.server).outcome().1, "stored");
    }
    scene.orders.receiver.until_got(3);
    scene.until_quiet();
    let redeliver = ["redeliver", "--destination", "orders"];
    let dry = scene.decide("ada", &[&redeliver[..], &["--all", "--dry-run"]].concat());
    // The parked one was not confirmed.
    assert_eq!(dry.counts(), BTreeMap::from([("released", 2)]));
    let until = before.to_string();
    let none = scene.decide("ada", &[&redeliver[..], &["--until", &until]].concat());
    assert_eq!(none.lines, Vec::<Value>::new());
    let decided = scene.decide("ada", &[&redeliver[..], &["--type", "invoice.*"]].concat());
    assert_eq!(decided.counts(), BTreeMap::from([("released", 1)]));
    let got = scene.orders.receiver.until_got(4);
    let first = got.iter().find(|got| got.id() == "evt_i1").unwrap();
    assert_eq!((got[3].id(), got[3].attempt()), ("evt_i1", 2));
    assert_eq!(got[3].headers["webhook-id"], first.headers["webhook-id"]);
    let parked = ["redeliver", "evt_n00000", "--destination", "orders"];
    let refused = scene.decide("ada", &parked);
    assert!(
        refused.why().contains("`hookgate review`"),
        "{}",
        refused.why()
    );
    assert_eq!(audit(scene.log()).len(), 1);

    // What the log doesn't have any more is not asked for by a filter.
    scene.until_quiet();
    let log = scene.log().strip_prefix("sqlite:").unwrap().to_owned();
    let tampered = rusqlite::Connection::open(log).unwrap();
    tampered.busy_timeout(Duration::from_secs(5)).unwrap();
    let sql = "UPDATE event SET payload = x'7b7d' WHERE id = 'evt_c1'";
    tampered.execute_batch(sql).unwrap();
    let all = scene.decide("ada", &[&redeliver[..], &["--all", "--dry-run"]].concat());
    assert_eq!(all.counts(), BTreeMap::from([("released", 1)]));
    let named = scene.decide("ada", &[&redeliver[..], &["evt_c1"]].concat());
    assert!(
        named.why().contains("as it was appended"),
        "{}",
        named.why()
    );
}

#[test]
fn what_the_log_does_not_have_can_only_be_discarded() {
    let scene = Scene::start(2);
    let log = scene.log().strip_prefix("sqlite:").unwrap().to_owned();
    let tampered = rusqlite::Connection::open(log).unwrap();
    tampered.busy_timeout(Duration::from_secs(5)).unwrap();
    let sql = "UPDATE event SET payload = x'7b7d' WHERE sequence = 1";
    tampered.execute_batch(sql).unwrap();
    let decided = scene.decide("ada", &["review", "approve", "--all"]);
    assert_eq!(decided.code, 1);
    let counts = BTreeMap::from([("refused", 1), ("released", 1)]);
    assert_eq!(decided.counts(), counts);
    let decided = scene.decide("ada", &["review", "discard", "--all"]);
    assert_eq!(decided.counts(), BTreeMap::from([("discarded", 1)]));
}
