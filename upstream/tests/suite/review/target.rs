//! Where an approved event may go.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use super::{Scene, audit, decide};
use crate::{
    delivery::Delivery,
    destinations::{destination, parked},
    harness::{failure, hookgate, until},
    receiver::{Reaction, Receiver},
};

on_both_logs! {
    an_approved_event_goes_to_another_destination_that_is_configured
    a_destination_that_gets_an_event_by_itself_gets_it_from_nobody_else
}

fn an_approved_event_goes_to_another_destination_that_is_configured(log: &str) {
    let other = Receiver::start(|_, _| Reaction::Status(200));
    // It gets nothing by itself.
    let filter = "[destinations.filter]\ntypes = [\"none.*\"]\n";
    let more = destination("other", &other.url(), "") + filter;
    let scene = Scene::configured(log, 2, &more);
    let says = "`nowhere` is not a destination of the server's configuration; found orders, other";
    for unknown in [
        &["review", "approve", "evt_n00000", "--to", "nowhere"][..],
        &["redeliver", "--destination", "nowhere", "--all"],
    ] {
        let refused = scene.decide("ada", unknown);
        assert_eq!(refused.code, 1);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }

    let approve = ["review", "approve", "evt_n00000", "--to", "other"];
    let decided = until("the other has looked at the log", || {
        let decided = scene.decide("ada", &approve);
        (decided.code == 0).then_some(decided)
    });
    assert_eq!(decided.counts(), BTreeMap::from([("released", 1)]));
    let got = other.until_got(1);
    assert_eq!((got[0].id(), got[0].attempt()), ("evt_n00000", 1));
    assert_eq!(scene.until_quiet().len(), 2);
    assert_eq!(parked(&scene.place).len(), 1);
    let record = &audit(scene.log())[0];
    assert_eq!(record["destination"], "orders");
    assert_eq!(record["target"], "other");

    // What the configuration doesn't have any more gets nothing.
    let Scene {
        place,
        server,
        orders,
    } = scene;
    server.stop();
    place.configure(&destination("orders", &orders.receiver.url(), ""));
    let _server = place.start();
    let gone = ["review", "approve", "evt_n00001", "--to", "other"];
    let refused = decide(&place.log, "ada", &gone);
    assert!(
        refused.stderr.contains("found orders"),
        "{}",
        refused.stderr
    );
}

/// Otherwise it would get it twice.
fn a_destination_that_gets_an_event_by_itself_gets_it_from_nobody_else(log: &str) {
    let other = Receiver::start(|_, before| match before {
        0 => Reaction::RetryAfter(600),
        _ => Reaction::Status(200),
    });
    let more = destination("other", &other.url(), "concurrency = 1");
    let scene = Scene::configured(log, 1, &more);
    other.until_got(1);
    let late = Delivery::new("evt_late");
    assert_eq!(late.send(&scene.server).outcome().1, "stored");
    scene.orders.receiver.until_got(2);
    let approve = |id| {
        until("it is parked", || {
            let decided = scene.decide("ada", &["review", "approve", id, "--to", "other"]);
            decided.lines.first().map(|_| decided.why().to_owned())
        })
    };
    assert_eq!(approve("evt_n00000"), "refused: on its way there already");
    let ahead = "refused: the destination hasn't come to it yet";
    assert_eq!(approve("evt_late"), ahead);
    assert_eq!(other.got().len(), 1);
    assert_eq!(audit(scene.log()), Vec::<Value>::new());
}

#[test]
fn a_log_without_review_says_so() {
    let amqp = "amqp://127.0.0.1:9/";
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "[review]\napprovals = 2\n").unwrap();
    let config = file.path().to_str().unwrap();
    for arguments in [
        &["review", "show", "evt_1"][..],
        &["review", "approve", "evt_1", "--reason", "x", "--by", "ada"],
        &["audit"],
        &["serve", "--listen", "127.0.0.1:0", "--config", config],
    ] {
        let mut command = hookgate();
        command.args(arguments).args(["--log", amqp]);
        let message = failure(&mut command);
        let able = "A log at `sqlite:PATH` or `nats://HOST:PORT` can do it";
        assert!(message.contains(able), "{arguments:?}: {message}");
    }
}
