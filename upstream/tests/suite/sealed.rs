//! A stream that isn't what was sealed says so, and where.

use std::{fs, path::Path};

use async_nats::HeaderMap;
use serde_json::{Value, json};

use crate::{
    delivery::Delivery,
    harness::{Server, failure, hookgate, refusal},
    kept::{Keeping as _, KeptStream, import},
};

fn found(code: &str, place: u64) -> (String, u64) {
    (code.to_owned(), place)
}

impl KeptStream {
    /// Removes a message, as whoever has access to JetStream could.
    pub(crate) fn remove(&self, sequence: u64) {
        self.nats.ask(async |context| {
            let stream = context.get_stream("HOOKGATE").await.unwrap();
            stream.delete_message(sequence).await.unwrap();
        });
    }

    /// The message of a sequence.
    pub(crate) fn message(&self, sequence: u64) -> (String, HeaderMap, Vec<u8>) {
        self.nats.ask(async |context| {
            let stream = context.get_stream("HOOKGATE").await.unwrap();
            let message = stream.get_raw_message(sequence).await.unwrap();
            let subject = message.subject.to_string();
            (subject, message.headers, message.payload.to_vec())
        })
    }

    /// Publishes a message with no condition of its headers; returns its sequence.
    pub(crate) fn publish(&self, (subject, headers, payload): (String, HeaderMap, Vec<u8>)) -> u64 {
        let mut others = HeaderMap::new();
        for (name, values) in headers.iter() {
            if !name.to_string().starts_with("Nats-") {
                values
                    .iter()
                    .for_each(|value| others.append(name.clone(), value.clone()));
            }
        }
        self.nats.ask(async |context| {
            let published = context.publish_with_headers(subject, others, payload.into());
            published.await.unwrap().await.unwrap().sequence
        })
    }

    /// Flips a bit of a stream's file behind some bytes of it, while nothing runs.
    fn flip(&self, stream: &str, needle: &[u8], behind: usize) {
        for file in fs::read_dir(self.nats.store(stream)).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "blk") {
                continue;
            }
            let mut bytes = fs::read(&path).unwrap();
            let mut windows = bytes.windows(needle.len());
            let at = windows.position(|window| window == needle).unwrap();
            bytes[at + behind] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = (entry.as_ref().unwrap().path(), entry.unwrap().file_name());
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn a_removed_message_is_found() {
    let kept = KeptStream::with_events(6);
    kept.remove(3);
    kept.remove(4);
    assert_eq!(kept.findings(&[]), [found("missing", 3)]);
    let (_, report) = kept.verify(&[]);
    assert_eq!(report["findings"][0]["text"], "events 3 to 4 are missing");
    // From the end, where nothing comes after it.
    kept.remove(6);
    let findings = [found("missing", 3), found("missing", 6)];
    assert_eq!(kept.findings(&[]), findings);
}

#[test]
fn a_replaced_message_is_found() {
    let kept = KeptStream::with_events(4);
    let (subject, mut headers, payload) = kept.message(2);
    headers.insert("ce-type", "invoice.voided");
    kept.remove(2);
    assert_eq!(kept.publish((subject, headers, payload)), 5);
    assert_eq!(kept.findings(&[]), [found("missing", 2)]);
    let (_, report) = kept.verify(&[]);
    assert_eq!(report["unsealed"], 1);
    // It is an event like any other, and the gap stays one.
    kept.append_more("evt_next");
    assert_eq!(kept.findings(&[]), [found("missing", 2)]);
}

#[test]
fn a_message_that_is_no_event_or_not_its_own_is_found() {
    let kept = KeptStream::with_events(1);
    let (_, headers, payload) = kept.message(1);
    let subject = |name: &str| format!("hookgate.event.stripe.{name}");
    kept.publish((subject("bm9uZQ"), headers, payload));
    kept.publish((subject("b3RoZXI"), HeaderMap::new(), Vec::new()));
    assert_eq!(kept.findings(&[]), [found("field", 2), found("field", 3)]);
}

#[test]
fn a_flipped_bit_in_the_store_is_found() {
    let mut kept = KeptStream::with_events(5);
    kept.nats.terminate();
    kept.flip("HOOKGATE", b"\"evt_3\"", 3);
    kept.nats.restart_and_wait();
    // The server checks it as well, and doesn't hand it out.
    assert_eq!(kept.findings(&[]), [found("missing", 3)]);
    let events = ["event", "evt_3", "--log", &kept.log()];
    failure(hookgate().args(events));
}

/// After a kill the server reads its files anew, and cuts them off where a
/// checksum doesn't hold.
#[test]
fn what_the_server_cuts_off_behind_a_flipped_bit_is_found() {
    let mut kept = KeptStream::with_events(5);
    let head = kept.head("head.json");
    kept.nats.kill();
    kept.flip("HOOKGATE", b"\"evt_3\"", 3);
    kept.nats.restart_and_wait();
    assert_eq!(kept.findings(&[]), [found("missing", 3)]);
    let (_, report) = kept.verify(&["--head", &head]);
    assert_eq!(report["findings"][0]["text"], "events 3 to 5 are missing");
    // Whoever starts now would give the sequences to other events.
    let message = refusal(&kept.log(), &[]);
    assert!(
        message.contains("the log ends at event 2, and is sealed up to event 5"),
        "{message}"
    );
}

#[test]
fn an_event_in_place_of_another_is_found() {
    let mut kept = KeptStream::with_events(5);
    let server = Server::start(&kept.log(), &[]);
    kept.nats.kill();
    kept.flip("HOOKGATE", b"\"evt_5\"", 3);
    kept.nats.restart_and_wait();
    // It was running before, and knows nothing of it.
    let answer = crate::harness::until("the server is back", || {
        let answer = Delivery::new("evt_other").send(&server);
        (answer.status == 200).then_some(answer)
    });
    // One that was refused may be stored, confirmed too late: then it is known.
    assert!(matches!(
        answer.outcome(),
        (200, "stored" | "duplicate", Some(5))
    ));
    assert_eq!(kept.findings(&[]), [found("attributes", 5)]);
}

#[test]
fn a_stream_that_is_written_anew_is_found() {
    let kept = KeptStream::with_events(4);
    let messages: Vec<_> = (1..=4).map(|sequence| kept.message(sequence)).collect();
    kept.nats.set_stream(|_| ());
    let config = kept.nats.ask(async |context| {
        let mut stream = context.get_stream("HOOKGATE").await.unwrap();
        let config = stream.info().await.unwrap().config.clone();
        context.delete_stream("HOOKGATE").await.unwrap();
        config
    });
    kept.nats.set_stream(|new| *new = config);
    for message in messages {
        kept.publish(message);
    }
    let changed = (1..=4).map(|sequence| found("attributes", sequence));
    assert_eq!(kept.findings(&[]), changed.collect::<Vec<_>>());
}

#[test]
fn a_store_that_is_put_back_is_found_with_a_head_only() {
    let mut kept = KeptStream::with_events(3);
    let (store, backup) = (kept.files().join("store"), kept.path("backup"));
    kept.nats.terminate();
    copy(&store, &backup);
    kept.nats.restart_and_wait();
    kept.append(4, 5);
    let late = kept.head("late.json");
    assert_eq!(kept.findings(&["--head", &late]), []);

    kept.nats.terminate();
    fs::remove_dir_all(&store).unwrap();
    copy(&backup, &store);
    kept.nats.restart_and_wait();
    let (code, report) = kept.verify(&[]);
    assert_eq!((code, &report["head"]), (0, &Value::Null), "{report}");

    assert_eq!(kept.findings(&["--head", &late]), [found("truncated", 3)]);
    // It goes on as if nothing had been, and the head still knows.
    for id in ["evt_other_4", "evt_other_5", "evt_other_6"] {
        kept.append_more(id);
    }
    assert_eq!(kept.findings(&[]), []);
    assert_eq!(kept.findings(&["--head", &late]), [found("rewritten", 5)]);
}

#[test]
fn what_was_done_to_the_evidence_is_found() {
    let mut kept = KeptStream::with_events(3);
    kept.append(4, 5);
    kept.nats.terminate();
    // The newest but one, in its links.
    kept.flip("HOOKGATE_EVIDENCE", b"hookgate.evidence.checkpoint", 350);
    kept.nats.restart_and_wait();
    let findings = kept.findings(&[]);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].0, "evidence");

    // A second chain beside the first.
    let kept = KeptStream::with_events(3);
    let checkpoint = kept.nats.ask(async |context| {
        let stream = context.get_stream("HOOKGATE_EVIDENCE").await.unwrap();
        let subject = "hookgate.evidence.checkpoint";
        stream
            .get_last_raw_message_by_subject(subject)
            .await
            .unwrap()
    });
    let (subject, headers) = (checkpoint.subject.to_string(), checkpoint.headers);
    let place = kept.publish((subject, headers, checkpoint.payload.to_vec()));
    assert_eq!(kept.findings(&[]), [found("evidence", place)]);
}

#[test]
fn events_that_are_not_sealed_yet_are_told_apart() {
    let kept = KeptStream::with_events(3);
    import(5, &kept);
    let (code, report) = kept.verify(&[]);
    assert_eq!(code, 0, "{report}");
    let counts = ["events", "sequence", "unsealed"].map(|name| report[name].clone());
    assert_eq!(counts, [json!(5), json!(3), json!(2)]);
    let text = crate::harness::output(hookgate().args(["verify-log", "--log", &kept.log()]));
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("the newest 2 events are not sealed yet"),
        "{text}"
    );
    // What is gone from the very end is missed all the same.
    kept.remove(5);
    assert_eq!(kept.findings(&[]), [found("missing", 5)]);
}

#[test]
fn evidence_that_is_gone_is_not_begun_anew() {
    let kept = KeptStream::with_events(2);
    kept.nats.ask(async |context| {
        context.delete_stream("HOOKGATE_EVIDENCE").await.unwrap();
    });
    let message = refusal(&kept.log(), &[]);
    assert!(message.contains("is gone"), "{message}");
    let (code, report) = kept.verify(&[]);
    assert_eq!(code, 2, "{report}");
    let message = failure(hookgate().args(["head", "--log", &kept.log()]));
    assert!(message.contains("is gone"), "{message}");

    // Unless somebody says so.
    kept.nats.set_stream(|config| {
        let said = "none".to_owned();
        config.metadata.insert("hookgate-log".to_owned(), said);
    });
    kept.append_more("evt_3");
    assert_eq!(kept.findings(&[]), []);
    let (_, report) = kept.verify(&[]);
    assert_eq!(report["sequence"], 3);
}

#[test]
fn evidence_of_another_log_is_refused() {
    let kept = KeptStream::with_events(1);
    kept.nats.set_stream(|config| {
        let other = "0".repeat(32);
        config.metadata.insert("hookgate-log".to_owned(), other);
    });
    let message = refusal(&kept.log(), &[]);
    assert!(message.contains("restored from elsewhere"), "{message}");
    let (code, report) = kept.verify(&[]);
    assert_eq!(code, 2, "{report}");
}

#[test]
fn a_log_that_nobody_sealed_says_so() {
    let kept = KeptStream::empty();
    kept.nats.set_stream(|_| ());
    let (code, report) = kept.verify(&[]);
    assert_eq!(code, 2, "{report}");
    let message = failure(hookgate().args(["head", "--log", &kept.log()]));
    assert!(message.contains("has no evidence yet"), "{message}");
}
