//! What is particular to decisions beside a JetStream log.

mod broken;
mod halves;
mod trail;

use std::{collections::BTreeSet, thread};

use async_nats::jetstream::stream;
use serde_json::Value;

use super::{Scene, audit, decide, waiting::Waiting};
use crate::{
    destinations::{append, parked},
    harness::{Server, until},
    nats_server::Nats,
};

/// Waits until everything that was decided is done.
fn until_done(nats: &Nats) {
    until("everything is delivered", || {
        (Waiting::at(&nats.address()) == Some(Waiting::default())).then_some(())
    });
}

#[test]
fn what_is_decided_without_a_server_is_carried_out_by_the_next_one() {
    let nats = Nats::start();
    let Scene {
        orders,
        place,
        server,
    } = Scene::start(&nats.address(), 4);
    server.stop();
    orders.mend();
    let approve = ["review", "approve", "evt_n00000", "evt_n00001"];
    let decided = decide(&place.log, "ada", &approve);
    assert_eq!(decided.counts(), [("released", 2)].into());
    let discard = ["review", "discard", "evt_n00002"];
    let decided = decide(&place.log, "ada", &discard);
    assert_eq!(decided.counts(), [("discarded", 1)].into());
    // It counts at once.
    let left = parked(&place);
    assert_eq!((left.len(), &left[0]["id"]), (1, &"evt_n00003".into()));
    let again = decide(&place.log, "ben", &["review", "discard", "evt_n00000"]);
    assert!(again.why().contains("let go by ada"), "{}", again.why());
    let redeliver = |id| ["redeliver", id, "--destination", "orders"];
    let decided = decide(&place.log, "ben", &redeliver("evt_n00000"));
    let under_way = "refused: on its way there already";
    assert_eq!(decided.why(), under_way);
    let decided = decide(&place.log, "ben", &redeliver("evt_n00002"));
    assert_eq!(decided.counts(), [("released", 1)].into());
    let decided = decide(&place.log, "ada", &redeliver("evt_n00002"));
    assert_eq!(decided.why(), under_way);
    assert_eq!(orders.receiver.got().len(), 4);

    let _server = place.start();
    orders.receiver.until_got(7);
    until("it is done", || Waiting::is_quiet(&place.log).then_some(()));
    let got = orders.receiver.got();
    let again: BTreeSet<(&str, u32)> = got[4..].iter().map(|it| (it.id(), it.attempt())).collect();
    let expected = ["evt_n00000", "evt_n00001", "evt_n00002"].map(|id| (id, 2));
    assert_eq!((got.len(), again), (7, expected.into()));
}

#[test]
fn of_several_servers_one_carries_a_decision_out() {
    let nats = Nats::start();
    let Scene {
        orders,
        place,
        server,
    } = Scene::start(&nats.address(), 100);
    orders.mend();
    server.stop();
    for (round, name) in ["ada", "ben", "cleo", "dan"].into_iter().enumerate() {
        let arguments = match round {
            0 => &["review", "approve", "--all"][..],
            _ => &["redeliver", "--destination", "orders", "--all"],
        };
        let decided = decide(&place.log, name, arguments);
        assert_eq!(decided.counts(), [("released", 100)].into());
        // They find it at the same moment.
        let servers = thread::scope(|scope| {
            let starting = [(); 6].map(|()| scope.spawn(|| place.start()));
            starting.map(|server| server.join().unwrap())
        });
        until_done(&nats);
        assert_eq!(orders.receiver.got().len(), 100 * (round + 2));
        for server in servers {
            server.stop();
        }
    }
}

#[test]
fn of_bulks_at_the_same_moment_each_event_is_in_one() {
    let nats = Nats::start();
    let scene = Scene::start(&nats.address(), 100);
    scene.orders.mend();
    let names = ["ada", "ben", "cleo"];
    let decided = thread::scope(|scope| {
        let bulks = names.map(|name| {
            let approve = ["review", "approve", "--all"];
            let scene = &scene;
            scope.spawn(move || scene.decide(name, &approve))
        });
        bulks.map(|bulk| bulk.join().unwrap())
    });
    let released: usize = decided
        .iter()
        .map(|it| it.counts().get("released").copied().unwrap_or_default())
        .sum();
    assert_eq!(released, 100);
    until_done(&nats);
    assert_eq!(scene.orders.receiver.got().len(), 200);
    let trail = audit(scene.log());
    let ids: BTreeSet<&str> = trail.iter().filter_map(|it| it["id"].as_str()).collect();
    assert_eq!((trail.len(), ids.len()), (100, 100));
}

#[test]
fn streams_of_an_earlier_version_are_brought_forward() {
    let nats = Nats::start();
    let make = |name: &str, subjects: &[&str], change: fn(&mut stream::Config)| {
        let mut config = stream::Config {
            name: name.to_owned(),
            subjects: subjects.iter().map(|&it| it.to_owned()).collect(),
            max_messages_per_subject: 1,
            ..stream::Config::default()
        };
        change(&mut config);
        nats.ask(async |context| context.create_stream(config).await.unwrap());
    };
    let scheduled = ["hookgate.scheduled.>", "hookgate.retry.>"];
    make("HOOKGATE_RETRY", &scheduled, |config| {
        config.allow_message_schedules = true;
        config.allow_message_ttl = true;
    });
    make("HOOKGATE_REVIEW", &["hookgate.review.>"], |_| {});
    let scene = Scene::configured(&nats.address(), 1, "[review]\napprovals = 2\n");
    scene.orders.mend();
    for (name, outcome) in [("ada", "approved"), ("ben", "released")] {
        let decided = scene.decide(name, &["review", "approve", "--all"]);
        assert_eq!(decided.counts(), [(outcome, 1)].into());
    }
    until_done(&nats);
    let schedules = nats.ask(async |context| {
        let stream = context.get_stream("HOOKGATE_RETRY").await.unwrap();
        stream.cached_info().config.allow_message_schedules
    });
    assert!(schedules);
}

/// Sequences mean other events there.
#[test]
fn what_was_decided_of_another_log_is_not_carried_out() {
    let nats = Nats::start();
    let Scene {
        orders,
        place,
        server,
    } = Scene::start(&nats.address(), 2);
    server.stop();
    orders.mend();
    let decided = decide(&place.log, "ada", &["review", "approve", "--all"]);
    assert_eq!(decided.counts(), [("released", 2)].into());
    nats.ask(async |context| {
        for stream in ["HOOKGATE", "HOOKGATE_EVIDENCE"] {
            context.delete_stream(stream).await.unwrap();
        }
    });
    Server::start(&place.log, &[]).stop();
    let refused = decide(&place.log, "ada", &["review", "approve", "--all"]);
    let why = &refused.stderr;
    assert!(why.contains("of another log"), "{why}");
    let server = place.start();
    append(&server, 2);
    orders.receiver.until_got(4);
    until("it is done", || Waiting::is_quiet(&place.log).then_some(()));
    let attempts: Vec<u32> = orders
        .receiver
        .got()
        .iter()
        .map(|it| it.attempt())
        .collect();
    assert_eq!(attempts, [1; 4]);
    assert_eq!(audit(&place.log).len(), 2);
}

#[test]
fn nothing_is_decided_about_beside_a_log_that_delivers_nothing() {
    let nats = Nats::start();
    Server::start(&nats.address(), &[]).stop();
    let refused = decide(&nats.address(), "ada", &["review", "approve", "--all"]);
    let why = &refused.stderr;
    assert!(why.contains("[[destinations]]"), "{why}");
    assert_eq!(refused.lines, Vec::<Value>::new());
}
