//! The audit trail in a stream isn't changed, and if it was everybody sees it.

use async_nats::{HeaderMap, jetstream::stream};
use serde_json::{Value, json};

use super::until_done;
use crate::{
    harness::{failure, hookgate},
    nats_server::Nats,
    review::{Scene, audit, waiting::Waiting},
};

const TRAIL: &str = "HOOKGATE_AUDIT";

/// A record as the stream has it.
type Message = (String, Value);

/// What somebody does to the stream.
type Tampering = fn(&mut stream::Config, &mut Vec<Message>);

/// A server whose trail has three records, which are carried out.
fn decided(nats: &Nats) -> Scene {
    let scene = Scene::start(&nats.address(), 3);
    let decided = scene.decide("ada", &["review", "discard", "--all"]);
    assert_eq!(decided.counts(), [("discarded", 3)].into());
    until_done(nats);
    scene
}

fn complaint(nats: &Nats, options: &[&str]) -> String {
    let log = nats.address();
    failure(hookgate().args(["audit", "--log", &log]).args(options))
}

/// Makes the stream anew, as somebody might who changes what it has.
fn write_anew(nats: &Nats, tamper: impl FnOnce(&mut stream::Config, &mut Vec<Message>)) {
    nats.ask(async |context| {
        let found = context.get_stream(TRAIL).await.unwrap();
        let mut config = found.cached_info().config.clone();
        let mut messages = Vec::new();
        for number in 1..=found.cached_info().state.last_sequence {
            let message = found.get_raw_message(number).await.unwrap();
            let record = serde_json::from_slice(&message.payload).unwrap();
            messages.push((message.subject.to_string(), record));
        }
        tamper(&mut config, &mut messages);
        context.delete_stream(TRAIL).await.unwrap();
        context.create_stream(config).await.unwrap();
        for (subject, record) in messages {
            let payload = serde_json::to_vec(&record).unwrap().into();
            let published = context.publish(subject, payload).await.unwrap();
            published.await.unwrap();
        }
    });
}

#[test]
fn the_server_lets_nobody_change_or_remove_a_record() {
    let nats = Nats::start();
    let scene = decided(&nats);
    nats.ask(async |context| {
        let trail = context.get_stream(TRAIL).await.unwrap();
        trail.delete_message(2).await.unwrap_err();
        trail.purge().await.unwrap_err();
        let mut rollup = HeaderMap::new();
        rollup.insert("Nats-Rollup", "sub");
        let subject = "hookgate.audit.orders.1";
        let published = context.publish_with_headers(subject, rollup, "{}".into());
        published.await.unwrap().await.unwrap_err();
        for change in [
            |config: &mut stream::Config| config.deny_delete = false,
            |config: &mut stream::Config| config.deny_purge = false,
        ] {
            let mut config = trail.cached_info().config.clone();
            change(&mut config);
            context.update_stream(config).await.unwrap_err();
        }
    });
    let trail = audit(scene.log());
    assert_eq!(trail.len(), 3);
    assert!(trail.iter().all(|record| record["by"] == "ada"));
}

#[test]
fn what_was_done_to_the_trail_in_a_stream_is_found() {
    let tamperings: [(Tampering, &str); 7] = [
        (
            |_, records| records[1].1["name"] = json!("ben"),
            "record 2 is not what was written",
        ),
        (
            |_, records| records[1].1["parking"] = json!(1),
            "record 2 is not what was written",
        ),
        (
            |_, records| records[1].1 = json!({"number": 2}),
            "record 2 is not what was written",
        ),
        (
            |_, records| records[1].0 = "hookgate.audit.orders.9".to_owned(),
            "record 2 is not what was written",
        ),
        (|_, records| drop(records.remove(1)), "record 2 is missing"),
        (
            |_, records| drop(records.pop()),
            "3 decisions were carried out, and it has 2 records",
        ),
        (
            |config, _| config.deny_delete = false,
            "what keeps its records from being changed was removed",
        ),
    ];
    for (tamper, says) in tamperings {
        let nats = Nats::start();
        let scene = decided(&nats);
        scene.server.stop();
        write_anew(&nats, tamper);
        let message = complaint(&nats, &[]);
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn nothing_is_decided_after_a_trail_that_was_cut_short_or_written_anew() {
    let nats = Nats::start();
    let scene = decided(&nats);
    write_anew(&nats, |_, records| drop(records.pop()));
    let redeliver = ["redeliver", "evt_n00000", "--destination", "orders"];
    let refused = scene.decide("ben", &redeliver);
    let why = &refused.stderr;
    assert!(why.contains("cut short"), "{why}");
    // A chain that fits, and isn't the one that was carried out.
    let other = Nats::start();
    let others = Scene::start(&other.address(), 3);
    let decided = others.decide("eve", &["review", "discard", "--all"]);
    assert_eq!(decided.counts(), [("discarded", 3)].into());
    let forged = other.ask(async |context| {
        let found = context.get_stream(TRAIL).await.unwrap();
        let mut records = Vec::new();
        for number in 1..=3 {
            let message = found.get_raw_message(number).await.unwrap();
            let record: Value = serde_json::from_slice(&message.payload).unwrap();
            records.push((message.subject.to_string(), record));
        }
        records
    });
    write_anew(&nats, |_, records| *records = forged);
    let message = complaint(&nats, &[]);
    assert!(message.contains("cut short or written anew"), "{message}");
}

#[test]
fn a_trail_in_a_stream_that_was_cut_short_before_it_was_carried_out_is_found_beside_a_noted_link() {
    let nats = Nats::start();
    let scene = Scene::start(&nats.address(), 3);
    let (place, server) = (scene.place, scene.server);
    server.stop();
    let discard = ["review", "discard", "--all"];
    crate::review::decide(&place.log, "ada", &discard);
    let noted = audit(&place.log)[2]["link"].as_str().unwrap().to_owned();
    assert!(!Waiting::is_quiet(&place.log));
    write_anew(&nats, |_, records| drop(records.pop()));
    // By itself nothing shows.
    assert_eq!(audit(&place.log).len(), 2);
    let message = complaint(&nats, &["--noted", &noted]);
    assert!(message.contains("cut short or written anew"), "{message}");
}
