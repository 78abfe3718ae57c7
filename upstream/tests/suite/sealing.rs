//! One of the upstreams seals the stream, whoever is killed.

use std::{fs, process::Command, thread};

use async_nats::HeaderMap;
use serde_json::Value;

use crate::{
    delivery::Delivery,
    harness::{Server, events, failure, hookgate, output, until},
    kept::{Keeping as _, Kept, KeptStream, imported},
    load::{Load, assert_kept},
};

const UNSEALED: &str = "hookgate_unsealed";
const AGE: &str = "hookgate_oldest_unsealed_age_seconds";

/// Waits until everything is sealed.
pub(crate) fn sealed(kept: &KeptStream) -> Value {
    until("everything is sealed", || {
        let (code, report) = kept.verify(&[]);
        assert_eq!(code, 0, "{report}");
        (report["unsealed"] == 0).then_some(report)
    })
}

/// How many checkpoints there are.
fn checkpoints(kept: &KeptStream) -> usize {
    kept.nats.ask(async |context| {
        let mut stream = context.get_stream("HOOKGATE_EVIDENCE").await.unwrap();
        let messages = stream.info().await.unwrap().state.messages;
        // One is the beginning.
        usize::try_from(messages).unwrap() - 1
    })
}

#[test]
fn an_event_is_sealed_soon_and_the_metrics_say_so() {
    let kept = KeptStream::empty();
    let server = Server::start(&kept.log(), &[]);
    for number in 1..=3 {
        Delivery::new(&format!("evt_{number}")).send(&server);
        let report = sealed(&kept);
        assert_eq!(report["sequence"], number);
    }
    until("the metrics say so", || {
        let page = server.scrape();
        (page.value(UNSEALED) == Some(0.0) && page.value(AGE) == Some(0.0)).then_some(())
    });
}

#[test]
fn an_upstream_that_is_killed_is_replaced_and_the_chain_goes_on() {
    let kept = KeptStream::empty();
    let mut heads = Vec::new();
    let mut promises = std::collections::BTreeMap::new();
    let mut server = Server::start(&kept.log(), &[]);
    for round in 0..4 {
        let next = Server::start(&kept.log(), &[]);
        let load = Load::start(&next, &format!("r{round}"), 8);
        until("the load is under way", || {
            (load.answered() > 100 + 37 * round).then_some(())
        });
        // Whichever of them seals: in some round it is this one.
        server.kill_9();
        until("the load goes on", || {
            (load.answered() > 300 + 37 * round).then_some(())
        });
        promises.extend(load.finish());
        sealed(&kept);
        heads.push(kept.head(&format!("{round}.json")));
        server = next;
    }
    assert_kept(&promises, &events(&kept.log()));
    for head in &heads {
        assert_eq!(kept.findings(&["--head", head]), []);
    }
    let numbers: Vec<_> = heads
        .iter()
        .map(|head| {
            let head: Value = serde_json::from_str(&fs::read_to_string(head).unwrap()).unwrap();
            head["sequence"].as_u64().unwrap()
        })
        .collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

#[test]
fn upstreams_that_start_at_once_make_one_chain() {
    let kept = imported(2_500);
    let log = kept.log();
    let servers: Vec<_> = thread::scope(|scope| {
        let start = || Server::start(&log, &[]);
        let starting: Vec<_> = (0..6).map(|_| scope.spawn(start)).collect();
        starting.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let report = sealed(&kept);
    assert_eq!(report["sequence"], 2_500);
    assert_eq!(checkpoints(&kept), 3);
    drop(servers);
}

#[test]
fn sealing_goes_on_when_the_nats_server_comes_back() {
    let mut kept = KeptStream::empty();
    let server = Server::start(&kept.log(), &[]);
    for round in 0..3 {
        let load = Load::start(&server, &format!("r{round}"), 8);
        until("the load is under way", || {
            (load.answered() > 100 + 53 * round).then_some(())
        });
        kept.nats.kill();
        load.finish();
        kept.nats.restart_and_wait();
        until("the server is ready", || {
            (server.probe("/readyz") == 200).then_some(())
        });
    }
    sealed(&kept);
    assert_eq!(kept.findings(&["--head", &kept.head("head.json")]), []);
}

/// Puts on record what is no event, or gone.
pub(crate) fn redact_sequence(kept: &KeptStream, sequence: &str) -> Command {
    let mut command = hookgate();
    command.args(["redact", "--sequence", sequence, "--reason", "by hand"]);
    command.args(["--log", &kept.log()]);
    command
}

#[test]
fn what_is_not_as_it_was_appended_is_never_sealed() {
    let kept = KeptStream::with_events(2);
    let server = Server::start(&kept.log(), &[]);
    // As nobody of us appends it: the payload isn't that of its hash.
    let (_, headers, _) = kept.message(2);
    let headers = with(headers, "ce-id", "evt_3");
    let subject = "hookgate.event.stripe.ZXZ0XzM".to_owned();
    assert_eq!(kept.publish((subject, headers, b"{}".to_vec())), 3);
    let next = Delivery::new("evt_4").send(&server);
    assert_eq!(next.outcome(), (200, "stored", Some(4)));

    let line = "the log is not sealed any further: event 3 of the log is damaged";
    until("it is said", || {
        server.stderr().contains(line).then_some(())
    });
    let page = until("the age grows", || {
        let page = server.scrape();
        page.value(AGE)
            .is_some_and(|age| age >= 1.0)
            .then_some(page)
    });
    page.assert(&[(UNSEALED, 2.0)]);
    let (_, report) = kept.verify(&[]);
    assert_eq!(report["sequence"], 2);
    assert_eq!(kept.findings(&[]), [("payload".to_owned(), 3)]);
    // Said once, and not each second.
    assert_eq!(server.stderr().matches(line).count(), 1);

    // Until somebody decides.
    output(&mut redact_sequence(&kept, "3"));
    let report = sealed(&kept);
    assert_eq!(report["sequence"], 4);
    let removed = &report["redactions"][0];
    assert_eq!(
        (&removed["sequence"], &removed["reason"]),
        (&3.into(), &"by hand".into())
    );
    let text = output(hookgate().args(["verify-log", "--log", &kept.log()]));
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("what was at sequence 3, no event, was redacted"),
        "{text}"
    );
    let again = Delivery::new("evt_3").send(&server);
    assert_eq!(again.outcome(), (200, "stored", Some(5)));
}

fn with(mut headers: HeaderMap, name: &str, value: &str) -> HeaderMap {
    headers.insert(name, value);
    headers
}

#[test]
fn what_is_removed_before_it_is_sealed_stops_sealing() {
    let kept = imported(5);
    kept.remove(3);
    let server = Server::start(&kept.log(), &[]);
    let line = "the log is not sealed any further: event 3 is gone";
    until("it is said", || {
        server.stderr().contains(line).then_some(())
    });
    let (_, report) = kept.verify(&[]);
    assert_eq!(
        (&report["sequence"], &report["unsealed"]),
        (&2.into(), &3.into())
    );
    assert_eq!(kept.findings(&[]), [("missing".to_owned(), 3)]);
    output(&mut redact_sequence(&kept, "3"));
    assert_eq!(sealed(&kept)["sequence"], 5);
}

#[test]
fn a_tombstone_of_nothing_on_record_stops_sealing() {
    let kept = KeptStream::with_events(2);
    let (mut subject, headers, _) = kept.message(2);
    subject.push_str(".redacted");
    let headers = with(headers, "hookgate-sequence", "2");
    let headers = with(headers, "hookgate-storedat", "2025-10-09T08:53:20Z");
    assert_eq!(kept.publish((subject, headers, Vec::new())), 3);
    let server = Server::start(&kept.log(), &[]);
    let line = "not sealed any further: event 3 stands for a removed payload";
    until("it is said", || {
        server.stderr().contains(line).then_some(())
    });
    assert_eq!(kept.findings(&[]), [("tombstone".to_owned(), 3)]);
    output(&mut redact_sequence(&kept, "3"));
    assert_eq!(sealed(&kept)["sequence"], 3);
}

#[test]
fn nothing_that_is_an_event_or_sealed_is_put_on_record_as_none() {
    let kept = KeptStream::with_events(3);
    kept.remove(2);
    for (sequence, said) in [
        ("1", "redact it by its ID, `evt_1`"),
        ("2", "event 2 is sealed as it was appended"),
        ("4", "has nothing at sequence 4"),
    ] {
        let message = failure(&mut redact_sequence(&kept, sequence));
        assert!(message.contains(said), "{message}");
    }
    assert_eq!(kept.findings(&[]), [("missing".to_owned(), 2)]);
    let file = Kept::with_events(1);
    let mut command = hookgate();
    command.args([
        "redact",
        "--sequence",
        "1",
        "--reason",
        "r",
        "--log",
        &file.log,
    ]);
    let message = failure(&mut command);
    assert!(message.contains("name the event by its ID"), "{message}");
}
