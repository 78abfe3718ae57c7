//! `order = "object"`: events of one object go one after the other.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{Place, destination, ids};
use crate::{
    contract::{Backend as _, Sqlite},
    delivery::Delivery,
    harness::{Server, refusal, until},
    nats_server::Nats,
    receiver::{Reaction, Receiver},
};

/// Stores an event about an object.
fn store(server: &Server, id: &str, object: &str) {
    let payload = format!(
        r#"{{"id": "{id}", "object": "event", "account": "acct_1", "created": 1760000000,
            "data": {{"object": {{"id": "{object}"}}}}, "livemode": false, "type": "invoice.paid"}}"#
    );
    let answer = Delivery::with_payload(id, payload.into_bytes()).send(server);
    assert_eq!(answer.outcome().1, "stored", "{id}");
}

fn ordered(log: &str, receiver: &Receiver) -> Place {
    Place::new(
        log,
        &destination("orders", &receiver.url(), "order = \"object\""),
    )
}

#[test]
fn events_of_one_object_keep_their_order() {
    let backend = Sqlite::new();
    // The first of an object fails until all are stored and the other has come.
    let is_mended = Arc::new(AtomicBool::new(false));
    let mended = Arc::clone(&is_mended);
    let receiver = Receiver::start(move |got, _| {
        if got.id() == "evt_a1" && !mended.load(Ordering::SeqCst) {
            Reaction::Status(500)
        } else {
            Reaction::Status(200)
        }
    });
    let place = ordered(&backend.address(), &receiver);
    let server = place.start();
    for (id, object) in [
        ("evt_a1", "in_a"),
        ("evt_a2", "in_a"),
        ("evt_b1", "in_b"),
        ("evt_a3", "in_a"),
    ] {
        store(&server, id, object);
    }
    let has_come = |id: &str, times: usize| {
        until(&format!("`{id}` has come {times} times"), || {
            let got = receiver.got();
            let count = got.iter().filter(|got| got.id() == id).count();
            (count >= times).then_some(())
        });
    };
    has_come("evt_b1", 1);
    has_come("evt_a1", 3);
    is_mended.store(true, Ordering::SeqCst);
    has_come("evt_a3", 1);
    let got = receiver.got();
    let mut of_a: Vec<&str> = ids(&got)
        .into_iter()
        .filter(|id| id.starts_with("evt_a"))
        .collect();
    of_a.dedup();
    assert_eq!(of_a, ["evt_a1", "evt_a2", "evt_a3"]);
}

#[test]
fn a_parked_event_lets_the_next_of_its_object_go() {
    let backend = Sqlite::new();
    let receiver = Receiver::start(|got, _| match got.id() {
        "evt_1" => Reaction::Status(400),
        _ => Reaction::Status(200),
    });
    let place = ordered(&backend.address(), &receiver);
    let server = place.start();
    store(&server, "evt_1", "in_a");
    store(&server, "evt_2", "in_a");
    assert_eq!(ids(&receiver.until_got(2)), ["evt_1", "evt_2"]);
}

#[test]
fn the_order_survives_kill_9() {
    let backend = Sqlite::new();
    // Nobody is there until the second server's life.
    let receiver = Receiver::start(|got, before| match (got.id(), before) {
        ("evt_01", 0..3) => Reaction::Status(503),
        _ => Reaction::Status(200),
    });
    let place = ordered(&backend.address(), &receiver);
    let server = place.start();
    for number in 1..=20 {
        store(&server, &format!("evt_{number:02}"), "in_a");
    }
    receiver.until_got(1);
    server.kill_9();
    let _server = place.start();
    let got = until("each is delivered", || {
        let got = receiver.got().clone();
        (got.last()?.id() == "evt_20").then_some(got)
    });
    let mut delivered = ids(&got);
    delivered.dedup();
    let expected: Vec<String> = (1..=20).map(|number| format!("evt_{number:02}")).collect();
    assert_eq!(delivered, expected);
}

#[test]
fn a_shared_log_refuses_to_keep_an_order() {
    let backend = Nats::new();
    let text = destination("orders", "http://127.0.0.1:1/", "order = \"object\"");
    let place = Place::new(&backend.address(), &text);
    let config = place.folder.path().join("hookgate.toml");
    let message = refusal(&place.log, &["--config", config.to_str().unwrap()]);
    assert!(message.contains("needs a log `sqlite:PATH`"), "{message}");
}
