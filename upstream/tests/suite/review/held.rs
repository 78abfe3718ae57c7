//! Events that came held wait for a person before their first attempt.

use std::{collections::BTreeMap, fs, thread, time::Duration};

use serde_json::{Value, json};

use super::{Waiting, audit, decide};
use crate::{
    delivery::{Delivery, seconds_from_now},
    destinations::{Place, destination, parked},
    harness::{Server, hookgate, output, until},
    receiver::{Reaction, Receiver},
};

on_both_logs! {
    what_came_held_is_parked_before_its_first_attempt_until_a_person_approves
    what_came_held_and_is_discarded_is_never_delivered
    what_came_held_waits_at_each_destination_and_over_kill_9
    what_came_held_says_so_wherever_it_is_shown
}

/// Long enough for a delivery that should not be.
const A_WHILE: Duration = Duration::from_millis(1_500);

fn held(id: &str) -> Delivery {
    Delivery::new(id).with("ce-heldfor", "secret_suspect")
}

fn store(server: &Server, delivery: &Delivery) {
    assert_eq!(delivery.send(server).outcome().1, "stored");
}

fn receiver() -> Receiver {
    Receiver::start(|_, _| Reaction::Status(200))
}

fn until_parked(place: &Place, count: usize) -> Vec<Value> {
    until("they are parked", || {
        let parked = parked(place);
        (parked.len() == count).then_some(parked)
    })
}

fn shown(log: &str, arguments: &[&str]) -> String {
    let mut command = hookgate();
    let text = output(command.args(arguments).args(["--log", log]));
    String::from_utf8(text).unwrap()
}

fn what_came_held_is_parked_before_its_first_attempt_until_a_person_approves(log: &str) {
    let orders = receiver();
    let place = Place::new(log, &destination("orders", &orders.url(), ""));
    let server = place.start();
    store(&server, &held("evt_held"));
    // What isn't held goes out at once, after it.
    store(&server, &Delivery::new("evt_known"));
    let got = orders.until_got(1);
    assert_eq!(got[0].id(), "evt_known");
    assert!(!got[0].headers.contains_key("ce-heldfor"));
    let waits = until_parked(&place, 1);
    assert_eq!(waits[0]["id"], "evt_held");
    assert_eq!(waits[0]["reason"], "held");
    assert_eq!(waits[0]["attempts"], 0);
    let since = waits[0]["lastat"].as_str().unwrap();
    assert!(
        since > seconds_from_now(-600).to_string().as_str(),
        "{since}"
    );
    thread::sleep(A_WHILE);
    assert_eq!(orders.got().len(), 1);
    // What is sent again meanwhile is the same event.
    assert_eq!(held("evt_held").send(&server).outcome().1, "duplicate");

    let decided = decide(log, "ada", &["review", "approve", "--parked-for", "held"]);
    assert_eq!(decided.counts(), BTreeMap::from([("released", 1)]));
    let got = orders.until_got(2);
    assert_eq!(got[1].id(), "evt_held");
    assert_eq!(got[1].attempt(), 1);
    assert_eq!(got[1].headers["ce-heldfor"], "secret_suspect");
    assert_eq!(got[1].payload, held("evt_held").payload);
    until("nothing waits", || {
        (Waiting::at(log) == Some(Waiting::default())).then_some(())
    });
    assert_eq!(orders.got().len(), 2);
    // Redelivered on purpose it has the same ID.
    let again = decide(
        log,
        "ada",
        &["redeliver", "--destination", "orders", "evt_held"],
    );
    assert_eq!(again.code, 0, "{}", again.stderr);
    let got = orders.until_got(3);
    assert_eq!(got[2].headers["webhook-id"], got[1].headers["webhook-id"]);
    assert_eq!(audit(log).len(), 2);
}

fn what_came_held_and_is_discarded_is_never_delivered(log: &str) {
    let orders = receiver();
    let place = Place::new(log, &destination("orders", &orders.url(), ""));
    let server = place.start();
    store(&server, &held("evt_held"));
    until_parked(&place, 1);
    let decided = decide(log, "ada", &["review", "discard", "evt_held"]);
    assert_eq!(decided.counts(), BTreeMap::from([("discarded", 1)]));
    server.stop();
    let server = place.start();
    store(&server, &Delivery::new("evt_known"));
    orders.until_got(1);
    thread::sleep(A_WHILE);
    assert_eq!(orders.got().len(), 1);
    assert_eq!(parked(&place), Vec::<Value>::new());
}

fn what_came_held_waits_at_each_destination_and_over_kill_9(log: &str) {
    let (orders, books) = (receiver(), receiver());
    let two = destination("orders", &orders.url(), "")
        + &destination("books", &books.url(), "from = \"beginning\"");
    // A destination that comes later finds it held too.
    let place = Place::new(log, &destination("orders", &orders.url(), ""));
    let server = place.start();
    store(&server, &held("evt_held"));
    until_parked(&place, 1);
    server.kill_9();
    place.configure(&two);
    let server = place.start();
    let waits = until_parked(&place, 2);
    let mut at: Vec<&str> = (waits.iter())
        .map(|it| it["destination"].as_str().unwrap())
        .collect();
    at.sort_unstable();
    assert_eq!(at, ["books", "orders"]);
    assert!(waits.iter().all(|it| it["reason"] == "held"));
    server.kill_9();
    let server = place.start();
    let decided = decide(
        log,
        "ada",
        &["review", "approve", "evt_held", "--destination", "books"],
    );
    assert_eq!(decided.code, 0, "{}", decided.stderr);
    books.until_got(1);
    thread::sleep(A_WHILE);
    assert_eq!((orders.got().len(), books.got().len()), (0, 1));
    assert_eq!(until_parked(&place, 1)[0]["destination"], "orders");
    server.stop();
}

fn what_came_held_says_so_wherever_it_is_shown(log: &str) {
    let orders = receiver();
    let place = Place::new(log, &destination("orders", &orders.url(), ""));
    let server = place.start();
    store(&server, &held("evt_held"));
    store(&server, &Delivery::new("evt_known"));
    until_parked(&place, 1);
    let why = "genuinely signed, by a stranger to the gate's watch";
    for command in ["review show", "event"] {
        let arguments: Vec<&str> = command.split(' ').chain(["evt_held"]).collect();
        let text = shown(log, &arguments);
        assert!(text.contains(why), "{command}: {text}");
    }
    let json = |id: &str| -> Value {
        serde_json::from_str(&shown(log, &["event", id, "--json"])).unwrap()
    };
    assert_eq!(json("evt_held")["heldfor"], "secret_suspect");
    assert_eq!(json("evt_known").get("heldfor"), None);
    // It goes with the event to another log, and holds it there.
    let folder = tempfile::tempdir().unwrap();
    let lines = folder.path().join("events.jsonl");
    let text = shown(log, &["export"]);
    fs::write(&lines, &text).unwrap();
    assert_eq!(text.matches(r#""heldfor":"secret_suspect""#).count(), 1);
    let copy = format!("sqlite:{}", folder.path().join("copy.db").display());
    shown(&copy, &["import", lines.to_str().unwrap()]);
    let event = shown(&copy, &["event", "evt_held", "--json"]);
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!(event["heldfor"], "secret_suspect");
    let verified: Value = serde_json::from_str(&shown(log, &["verify-log", "--json"])).unwrap();
    assert_eq!(verified["findings"], json!([]), "{verified}");
    drop(server);
}

/// Who takes the mark from a row has a log that doesn't verify, and nothing delivered.
#[test]
fn a_mark_that_is_taken_from_the_log_is_found_and_its_event_not_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.db");
    let log = format!("sqlite:{}", file.display());
    let server = Server::start(&log, &[]);
    store(&server, &held("evt_held"));
    server.stop();
    let connection = rusqlite::Connection::open(&file).unwrap();
    let taken = connection.execute("UPDATE event SET held_for = NULL", []);
    assert_eq!(taken, Ok(1));
    drop(connection);
    let orders = receiver();
    let from_the_beginning = destination("orders", &orders.url(), "from = \"beginning\"");
    let place = Place::new(&log, &from_the_beginning);
    let server = place.start();
    assert_eq!(until_parked(&place, 1)[0]["reason"], "damaged");
    assert_eq!(orders.got().len(), 0);
    drop(server);
    let verify = hookgate().args(["verify-log", "--log", &log]).output();
    assert_eq!(verify.unwrap().status.code(), Some(1));
}

#[test]
fn what_a_gate_never_says_of_holding_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = format!("sqlite:{}", folder.path().join("log.db").display());
    let server = Server::start(&log, &[]);
    for value in ["", "true", "secret_suspects", "cascade"] {
        let delivery = Delivery::new("evt_1").with("ce-heldfor", value);
        let answer = delivery.send(&server);
        assert_eq!(
            answer.outcome(),
            (400, "attributes_invalid", None),
            "{value}"
        );
    }
    let twice = held("evt_1").and("ce-heldfor", "secret_suspect");
    assert_eq!(twice.send(&server).outcome().1, "attributes_invalid");
    let lines = server.stderr();
    for line in [
        "the header `ce-heldfor` is malformed",
        "the header `ce-heldfor` is repeated",
    ] {
        assert!(lines.contains(line), "{line}: {lines}");
    }
    store(&server, &held("evt_1"));
}
