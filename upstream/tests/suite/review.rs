//! Review: what is parked waits for people, and each decision is on record.

mod again;
mod held;
mod kills;
mod people;
mod stream;
mod target;
mod trail;
mod waiting;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use self::waiting::Waiting;
use crate::{
    delivery::Delivery,
    destinations::{Place, append, destination, parked},
    harness::{Server, failure, hookgate, output, until},
    receiver::{Got, Reaction, Receiver},
};

on_both_logs! {
    a_parked_event_is_shown_with_its_facts
    an_approved_event_goes_out_again_under_its_ids_and_no_other_does
    a_hundred_are_approved_by_a_filter_after_a_dry_run
    everything_is_approved_only_if_that_is_said
}

/// What a command of review printed, and how it ended.
struct Decided {
    code: i32,
    lines: Vec<Value>,
    stderr: String,
}

impl Decided {
    /// How many had each outcome.
    fn counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for line in &self.lines {
            *counts.entry(line["outcome"].as_str().unwrap()).or_default() += 1;
        }
        counts
    }

    fn why(&self) -> &str {
        self.lines[0]["why"].as_str().unwrap()
    }
}

/// Runs a command that decides, by somebody.
fn decide(log: &str, by: &str, arguments: &[&str]) -> Decided {
    let mut command = hookgate();
    command
        .args(arguments)
        .args(["--log", log, "--by", by, "--json", "--reason", "mended"]);
    let output = command.output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    Decided {
        code: output.status.code().unwrap(),
        lines: lines.collect(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The whole trail, verified.
fn audit(log: &str) -> Vec<Value> {
    let mut command = hookgate();
    let lines = output(command.args(["audit", "--log", log, "--json", "--limit", "1000000"]));
    let lines = String::from_utf8(lines).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The file beside a log `sqlite:…`.
fn schedule(log: &str) -> PathBuf {
    format!("{}.deliveries", log.strip_prefix("sqlite:").unwrap()).into()
}

/// A destination that refuses everything until it is mended.
struct Breakable {
    receiver: Receiver,
    is_mended: Arc<AtomicBool>,
}

impl Breakable {
    fn start() -> Self {
        let is_mended = Arc::new(AtomicBool::new(false));
        let mended = Arc::clone(&is_mended);
        let receiver = Receiver::start(move |_, _| {
            Reaction::Status(if mended.load(Ordering::Relaxed) {
                200
            } else {
                400
            })
        });
        Self {
            receiver,
            is_mended,
        }
    }

    fn mend(&self) {
        self.is_mended.store(true, Ordering::Relaxed);
    }
}

/// A log with a destination that has refused some events, and its server.
struct Scene {
    orders: Breakable,
    place: Place,
    server: Server,
}

impl Scene {
    fn start(log: &str, count: usize) -> Self {
        Self::configured(log, count, "")
    }

    fn configured(log: &str, count: usize, more: &str) -> Self {
        let orders = Breakable::start();
        let text = destination("orders", &orders.receiver.url(), "") + more;
        let place = Place::new(log, &text);
        let server = place.start();
        append(&server, count);
        until("all are parked", || {
            (parked(&place).len() == count.min(100)).then_some(())
        });
        Self {
            orders,
            place,
            server,
        }
    }

    fn log(&self) -> &str {
        &self.place.log
    }

    fn decide(&self, by: &str, arguments: &[&str]) -> Decided {
        decide(self.log(), by, arguments)
    }

    /// Waits until nothing is parked or under way, and some time more.
    fn until_quiet(&self) -> Vec<Got> {
        until("nothing is under way", || {
            Waiting::is_quiet(self.log()).then_some(())
        });
        self.orders.receiver.got().clone()
    }
}

fn a_parked_event_is_shown_with_its_facts(log: &str) {
    let scene = Scene::start(log, 3);
    let mut command = hookgate();
    command.args(["review", "show", "evt_n00001", "--log", scene.log()]);
    let text = String::from_utf8(output(&mut command)).unwrap();
    assert!(text.contains("evt_n00000, evt_n00002"), "{text}");
    let shown: Value = serde_json::from_slice(&output(command.arg("--json"))).unwrap();
    let got = scene.orders.receiver.got();
    let got = got.iter().find(|got| got.id() == "evt_n00001").unwrap();
    assert_eq!(shown["parked"]["reason"], "refused");
    assert_eq!(shown["parked"]["destination"], "orders");
    assert_eq!(shown["webhookid"], got.headers["webhook-id"]);
    assert_eq!(shown["event"]["type"], "invoice.paid");
    assert_eq!(shown["event"]["account"], "acct_1");
    assert_eq!(shown["payload"].as_str().unwrap().as_bytes(), got.payload);
    let attempts = shown["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1);
    let attempt = &attempts[0];
    assert_eq!(attempt["number"], 1);
    assert_eq!(attempt["via"], "primary");
    assert_eq!(attempt["outcome"], "refused");
    assert_eq!(attempt["status"], 400);
    assert_eq!(attempt["answer"], "well");
    assert!(attempt["latencyms"].as_u64().unwrap() < 10_000);
    let similar = json!({"count": 2, "ids": ["evt_n00000", "evt_n00002"]});
    assert_eq!(shown["similar"], similar);
    assert_eq!(shown["decisions"], json!([]));

    let missing = ["review", "show", "evt_none", "--log", scene.log()];
    let message = failure(hookgate().args(missing));
    assert!(message.contains("`evt_none` is not parked"), "{message}");
}

fn an_approved_event_goes_out_again_under_its_ids_and_no_other_does(log: &str) {
    let scene = Scene::start(log, 3);
    scene.orders.mend();
    let start = Instant::now();
    let decided = scene.decide("ada", &["review", "approve", "evt_n00001"]);
    assert_eq!(decided.code, 0, "{}", decided.stderr);
    let got = scene.orders.receiver.until_got(4);
    // The server looks once a second.
    assert!(start.elapsed() < Duration::from_secs(30));
    let again = &got[3];
    let first = got.iter().find(|got| got.id() == "evt_n00001").unwrap();
    assert_eq!(again.id(), "evt_n00001");
    assert_eq!(again.headers["webhook-id"], first.headers["webhook-id"]);
    assert_eq!(again.payload, first.payload);
    assert_eq!(again.attempt(), 2);
    assert_eq!(scene.until_quiet().len(), 4);
    assert_eq!(parked(&scene.place).len(), 2);
    let trail = audit(scene.log());
    assert_eq!(trail.len(), 1);
    for (field, value) in [
        ("number", json!(1)),
        ("action", json!("released")),
        ("by", json!("ada")),
        ("reason", json!("mended")),
        ("destination", json!("orders")),
        ("target", json!("orders")),
        ("id", json!("evt_n00001")),
        ("source", json!("stripe")),
    ] {
        assert_eq!(trail[0][field], value, "{field}");
    }
}

fn a_hundred_are_approved_by_a_filter_after_a_dry_run(log: &str) {
    let scene = Scene::start(log, 100);
    for (id, type_name) in [("evt_x1", "charge.failed"), ("evt_x2", "charge.failed")] {
        let other = Delivery::saying(id, type_name, Some("acct_2"), None);
        assert_eq!(other.send(&scene.server).outcome().1, "stored");
    }
    scene.orders.receiver.until_got(102);
    // What the last one is answered is decided too.
    scene.until_quiet();
    scene.orders.mend();
    let filter = [
        "review",
        "approve",
        "--type",
        "invoice.*",
        "--account",
        "acct_1",
    ];
    let dry = scene.decide("ada", &[&filter[..], &["--dry-run"]].concat());
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    assert_eq!(dry.counts(), BTreeMap::from([("released", 100)]));
    assert!(dry.lines.iter().all(|line| line["dryrun"] == true));
    assert_eq!(audit(scene.log()), Vec::<Value>::new());
    assert_eq!(scene.until_quiet().len(), 102);

    let decided = scene.decide("ada", &filter);
    assert_eq!(decided.counts(), dry.counts());
    let ids = |decided: &Decided| -> Vec<Value> {
        let lines = decided.lines.iter();
        lines.map(|line| line["id"].clone()).collect()
    };
    assert_eq!(ids(&decided), ids(&dry));
    scene.orders.receiver.until_got(202);
    assert_eq!(scene.until_quiet().len(), 202);
    let left = parked(&scene.place);
    assert!(left.iter().all(|it| it["type"] == "charge.failed"));
    assert_eq!(left.len(), 2);
    let trail = audit(scene.log());
    assert_eq!(trail.len(), 100);
    let batch = &decided.lines[0]["batch"];
    assert!(trail.iter().all(|record| record["batch"] == *batch));
}

/// Without a filter only with a word for it.
fn everything_is_approved_only_if_that_is_said(log: &str) {
    let scene = Scene::start(log, 2);
    let decided = scene.decide("ada", &["review", "approve"]);
    assert_eq!(decided.code, 1);
    assert!(decided.stderr.contains("--all"), "{}", decided.stderr);
    let decided = scene.decide("ada", &["review", "approve", "--all"]);
    assert_eq!(decided.counts(), BTreeMap::from([("released", 2)]));
}
