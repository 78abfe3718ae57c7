//! Old events go, and what is left still proves that it is whole.

use async_nats::HeaderMap;
use serde_json::Value;

use crate::{
    clock,
    delivery::Delivery,
    harness::{Server, hookgate, refusal, until},
    kept::{Keeping, Kept, KeptStream},
    load::Load,
    nats_server::Nats,
};

/// Waits until retention has removed everything up to a sequence.
fn removed(kept: &impl Keeping, sequence: u64) -> Value {
    until("old events are removed", || {
        let (code, report) = kept.verify(&[]);
        assert_eq!(code, 0, "{report}");
        let reached = report["removed"]["sequence"].as_u64() >= Some(sequence);
        reached.then_some(report)
    })
}

#[test]
fn what_is_older_than_it_is_kept_goes_and_its_identity_stays() {
    let kept = Kept::with_events(5);
    let head = kept.head("head.json");
    let server = Server::start(&kept.log, &["--keep", "1s"]);
    let report = removed(&kept, 5);
    assert_eq!(report["removed"]["events"], 5);
    assert_eq!(report["events"], 0);
    assert_eq!(kept.findings(&["--head", &head]), []);
    for number in 1..=5 {
        let again = Delivery::new(&format!("evt_{number}")).send(&server);
        assert_eq!(again.outcome(), (200, "duplicate", Some(number)));
    }
    let next = Delivery::new("evt_6").send(&server);
    assert_eq!(next.outcome(), (200, "stored", Some(6)));
    drop(server);

    // A head of what is gone can't be compared any more, and says so.
    let server = Server::start(&kept.log, &["--keep", "1s"]);
    removed(&kept, 6);
    let (code, report) = kept.verify(&["--head", &head]);
    assert_eq!(code, 2, "{report}");
    let text = report.as_str().unwrap();
    assert!(
        text.contains("retention removed everything up to event 6"),
        "{text}"
    );
    drop(server);

    // Without anything left the sequence goes on, also for ever kept.
    let server = Server::start(&kept.log, &[]);
    let again = Delivery::new("evt_6").send(&server);
    assert_eq!(again.outcome(), (200, "duplicate", Some(6)));
    let next = Delivery::new("evt_7").send(&server);
    assert_eq!(next.outcome(), (200, "stored", Some(7)));
    assert_eq!(kept.findings(&[]), []);
}

#[test]
fn a_log_that_goes_on_is_verified_from_what_was_removed() {
    let kept = Kept::empty();
    let server = Server::start(&kept.log, &["--keep", "1s"]);
    let load = Load::start(&server, "load", 8);
    removed(&kept, 300);
    let promises = load.finish();
    let last = promises.values().copied().max().flatten().unwrap();
    assert_eq!(promises.len(), usize::try_from(last).unwrap());
    let head = kept.head("head.json");
    drop(server);
    assert_eq!(kept.findings(&["--head", &head]), []);
    // What was left in its place is part of the chain.
    kept.tamper("UPDATE cutoff SET hash = zeroblob(32)");
    let (code, report) = kept.verify(&["--head", &head]);
    assert_eq!(code, 1, "{report}");
}

#[test]
fn a_time_that_cannot_be_meant_is_refused() {
    let kept = Kept::with_events(1);
    let mut command = crate::harness::hookgate();
    let output = command
        .args(["serve", "--log", &kept.log, "--keep", "0s"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("expected 1s"), "{stderr}");
}

#[test]
fn a_stream_that_would_forget_identities_is_refused() {
    let nats = Nats::start();
    let message = refusal(&nats.address(), &["--keep", "29d"]);
    assert!(
        message.contains("--keep: found 29days, expected at least 30 days"),
        "{message}"
    );
}

/// Says of everything that is sealed that it was stored long ago. A server's
/// clock can't be set, and no link depends on this.
fn age(kept: &KeptStream) {
    kept.nats.ask(async |context| {
        let name = "HOOKGATE_EVIDENCE";
        let mut stream = context.get_stream(name).await.unwrap();
        let info = stream.info().await.unwrap();
        let (config, last) = (info.config.clone(), info.state.last_sequence);
        let mut messages = Vec::new();
        for place in 1..=last {
            messages.push(stream.get_raw_message(place).await.unwrap());
        }
        context.delete_stream(name).await.unwrap();
        context.create_stream(config).await.unwrap();
        for message in messages {
            let mut headers = HeaderMap::new();
            for (name, values) in message.headers.iter() {
                if !name.to_string().starts_with("Nats-") {
                    headers.insert(name.clone(), values[0].clone());
                }
            }
            if headers.get("hookgate-storedat").is_some() {
                headers.insert("hookgate-storedat", "2025-10-09T08:53:20Z");
            }
            let subject = message.subject.to_string();
            let published = context.publish_with_headers(subject, headers, message.payload);
            published.await.unwrap().await.unwrap();
        }
    });
}

/// How many messages the log's stream has.
fn messages(kept: &KeptStream) -> u64 {
    kept.nats.ask(async |context| {
        let mut stream = context.get_stream("HOOKGATE").await.unwrap();
        stream.info().await.unwrap().state.messages
    })
}

#[test]
fn what_is_older_than_it_is_kept_goes_from_a_stream() {
    let kept = KeptStream::with_events(3);
    let early = kept.head("early.json");
    kept.append(4, 5);
    let late = kept.head("late.json");
    // Not a day too early. It looks before it ends.
    Server::start(&kept.log(), &["--keep", "30d"]).stop();
    assert_eq!(messages(&kept), 5);

    age(&kept);
    let server = Server::start(&kept.log(), &["--keep", "30d"]);
    let report = removed(&kept, 5);
    assert_eq!(report["removed"]["events"], 5);
    assert_eq!(report["events"], 0);
    until("the messages are gone", || {
        (messages(&kept) == 0).then_some(())
    });
    assert_eq!(kept.findings(&["--head", &late]), []);
    let (code, report) = kept.verify(&["--head", &early]);
    assert_eq!(code, 2, "{report}");
    let text = report.as_str().unwrap();
    assert!(
        text.contains("retention removed everything up to event 5"),
        "{text}"
    );

    server.stop();

    // The sequence and the chain go on.
    kept.append(6, 7);
    assert_eq!(kept.findings(&["--head", &late]), []);
    let (_, report) = kept.verify(&[]);
    assert_eq!(
        (&report["events"], &report["sequence"]),
        (&2.into(), &7.into())
    );
}

#[test]
fn a_clock_that_is_ahead_removes_nothing_from_a_stream() {
    let kept = KeptStream::with_events(3);
    let mut command = hookgate();
    command.args(["serve", "--log", &kept.log(), "--keep", "30d"]);
    clock::ahead(&mut command, 31, kept.folder());
    let server = Server::spawn(command);
    until("it is said", || {
        let said = server.stderr().contains("ahead of the NATS server's");
        said.then_some(())
    });
    // It looks before it ends.
    server.stop();
    assert_eq!(messages(&kept), 3);
    let (_, report) = kept.verify(&[]);
    assert_eq!(report["removed"], Value::Null);
}

#[test]
fn events_that_were_cut_off_and_not_removed_go_later() {
    let users = "authorization { users: [\n\
         { user: all, password: p }\n\
         { user: some, password: p, permissions: { publish: { deny: [\"$JS.API.STREAM.PURGE.>\"] } } }\n\
         ] }\nno_auth_user: all\nmax_payload: 4MB";
    let kept = KeptStream::of(Nats::start_with(users));
    kept.append(1, 3);
    // As if it were killed after the record.
    let some = kept.log().replace("nats://", "nats://some:p@");
    age(&kept);
    let server = Server::start(&some, &["--keep", "30d"]);
    removed(&kept, 3);
    drop(server);
    assert_eq!(messages(&kept), 3);

    let server = Server::start(&kept.log(), &["--keep", "90d"]);
    until("the messages are gone", || {
        (messages(&kept) == 0).then_some(())
    });
    drop(server);
    assert_eq!(kept.findings(&[]), []);
}

#[test]
fn a_stream_that_lets_nothing_be_purged_is_refused_with_keep() {
    let kept = KeptStream::with_events(1);
    kept.nats.set_stream(|config| config.deny_purge = true);
    let message = refusal(&kept.log(), &["--keep", "30d"]);
    assert!(message.contains("denies purges"), "{message}");
    kept.append(2, 2);
}
