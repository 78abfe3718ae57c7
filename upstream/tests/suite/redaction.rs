//! A payload that is removed is gone, and the log is still whole.

use std::{fs, io, path::Path, process::Command, thread};

use serde_json::Value;

use crate::{
    delivery::{Delivery, payload},
    harness::{Server, events, failure, hookgate, output, until},
    kept::{Keeping, Kept, KeptStream, import, on_both},
    load::{Load, assert_kept},
    nats_server::Nats,
    receiver::{Got, Reaction, Receiver},
};

on_both! {
    a_redacted_payload_is_in_no_file_any_more
    a_log_with_redactions_is_sound_and_lists_them
    a_redacted_event_shows_what_is_left
    a_redacted_event_is_listed_and_exported_in_its_place
    only_an_event_of_the_log_is_redacted
    redacting_under_load_loses_no_promise
    a_redacted_event_is_not_delivered_any_more
}

/// Appears in the payload of one event only.
const PERSON: &str = "Ada-Lovelace-of-St-James-Square";

fn with_person(id: &str, bytes: usize) -> Delivery {
    let payload = String::from_utf8(payload(id, bytes)).unwrap();
    Delivery::with_payload(id, payload.replacen("xxxx", PERSON, 1).into_bytes())
}

/// How many files under the folder hold the person's name.
fn copies(folder: &Path) -> usize {
    // A server at work renames and removes files: what is counted stood still.
    until("no file goes away while it is read", || count(folder).ok())
}

fn count(folder: &Path) -> io::Result<usize> {
    let mut found = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found += count(&path)?;
        } else {
            let bytes = fs::read(path)?;
            let mut windows = bytes.windows(PERSON.len());
            found += usize::from(windows.any(|window| window == PERSON.as_bytes()));
        }
    }
    Ok(found)
}

fn redact(kept: &impl Keeping, id: &str) -> Value {
    let (reason, log) = ("erasure request 17", kept.log());
    let line = output(hookgate().args([
        "redact", id, "--reason", reason, "--by", "ada", "--log", &log, "--json",
    ]));
    serde_json::from_slice(&line).unwrap()
}

fn a_redacted_payload_is_in_no_file_any_more<K: Keeping>() {
    for bytes in [500, 300_000] {
        let kept = K::empty();
        let server = Server::start(&kept.log(), &[]);
        Delivery::new("evt_1").send(&server);
        with_person("evt_2", bytes).send(&server);
        Delivery::new("evt_3").send(&server);
        assert_ne!(copies(kept.files()), 0);
        // While the server runs.
        let line = redact(&kept, "evt_2");
        assert_eq!(copies(kept.files()), 0);
        assert_eq!(line["state"], "redacted");
        assert_eq!(line["sequence"], 2);
        let next = Delivery::new("evt_4").send(&server);
        assert_eq!(next.outcome().1, "stored");
        // Its identity is not gone.
        let again = with_person("evt_2", bytes).send(&server);
        assert_eq!(again.outcome(), (200, "duplicate", Some(2)));
        assert_eq!(copies(kept.files()), 0);
    }
}

fn a_log_with_redactions_is_sound_and_lists_them<K: Keeping>() {
    let kept = K::with_events(4);
    let before = kept.head("before.json");
    let line = redact(&kept, "evt_2");
    redact(&kept, "evt_3");
    let after = kept.head("after.json");
    for head in [&before, &after] {
        assert_eq!(kept.findings(&["--head", head]), []);
    }
    let (_, report) = kept.verify(&[]);
    let listed = report["redactions"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["id"], "evt_2");
    assert_eq!(listed[0]["reason"], "erasure request 17");
    assert_eq!(listed[0]["by"], "ada");
    assert_eq!(listed[0]["at"], line["at"]);
    assert_eq!(listed[0]["sha256"], line["sha256"]);

    let again = redact(&kept, "evt_2");
    assert_eq!(again["state"], "already_redacted");
    assert_eq!(again["at"], line["at"]);
    assert_eq!(kept.findings(&["--head", &after]), []);
}

#[test]
fn what_was_done_to_a_redaction_is_found() {
    let place = |code: &str, place| (code.to_owned(), place);
    let with_two = || {
        let kept = Kept::with_events(4);
        redact(&kept, "evt_2");
        redact(&kept, "evt_3");
        kept
    };
    let kept = with_two();
    kept.tamper("UPDATE redaction SET reason = 'none' WHERE number = 1");
    assert_eq!(kept.findings(&[]), [place("redaction", 1)]);

    let kept = with_two();
    kept.tamper("UPDATE event SET payload = x'7b7d' WHERE sequence = 2");
    assert_eq!(kept.findings(&[]), [place("redacted", 2)]);

    // Without its record a payload that is gone is damage.
    let kept = with_two();
    let head = kept.head("head.json");
    kept.tamper("DELETE FROM redaction WHERE number = 2");
    assert_eq!(
        kept.findings(&["--head", &head]),
        [place("redactions", 1), place("payload", 3)]
    );
    let message = failure(hookgate().args(["event", "evt_3", "--log", &kept.log]));
    assert!(
        message.contains("event 3 of the log is damaged"),
        "{message}"
    );
}

fn a_redacted_event_shows_what_is_left<K: Keeping>() {
    let kept = K::with_events(2);
    redact(&kept, "evt_2");
    let shown = output(hookgate().args(["event", "evt_2", "--json", "--log", &kept.log()]));
    let shown: Value = serde_json::from_slice(&shown).unwrap();
    assert_eq!(shown["redacted"], true);
    assert_eq!(shown["size"], 0);
    assert_eq!(shown["type"], "invoice.paid");
    let message = failure(hookgate().args(["event", "evt_2", "--payload", "--log", &kept.log()]));
    assert!(message.contains("was redacted"), "{message}");
}

fn a_redacted_event_is_listed_and_exported_in_its_place<K: Keeping>() {
    let kept = K::with_events(4);
    redact(&kept, "evt_2");
    redact(&kept, "evt_3");
    kept.append_more("evt_5");
    let listed = events(&kept.log());
    let exported = output(hookgate().args(["export", "--log", &kept.log()]));
    let exported = String::from_utf8(exported).unwrap();
    let exported: Vec<Value> = exported
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for lines in [listed, exported] {
        let shown: Vec<_> = lines
            .iter()
            .map(|line| (line["id"].as_str().unwrap(), line["redacted"] == true))
            .collect();
        assert_eq!(
            shown,
            [
                ("evt_1", false),
                ("evt_2", true),
                ("evt_3", true),
                ("evt_4", false),
                ("evt_5", false)
            ]
        );
        assert_eq!(lines[1]["sequence"], 2);
    }
}

fn only_an_event_of_the_log_is_redacted<K: Keeping>() {
    let kept = K::with_events(1);
    let log = kept.log();
    let unknown = ["redact", "evt_9", "--reason", "r", "--log", &log];
    let message = failure(hookgate().args(unknown));
    assert!(message.contains("has no event `evt_9`"), "{message}");
}

fn redacting_under_load_loses_no_promise<K: Keeping>() {
    let kept = K::with_events(20);
    let server = Server::start(&kept.log(), &[]);
    let load = Load::start(&server, "load", 8);
    for number in 1..=20 {
        redact(&kept, &format!("evt_{number}"));
    }
    let promises = load.finish();
    assert!(promises.len() > 20, "{}", promises.len());
    assert_kept(&promises, &crate::harness::events(&kept.log()));
    assert_eq!(kept.findings(&[]), []);
}

fn a_redacted_event_is_not_delivered_any_more<K: Keeping>() {
    let kept = K::with_events(3);
    redact(&kept, "evt_2");
    let receiver = Receiver::start(|_, _| Reaction::Status(204));
    let config = kept.path("hookgate.toml");
    let destination = format!(
        "[[destinations]]\nname = \"orders\"\nurl = \"{}\"\nfrom = \"beginning\"\n",
        receiver.url()
    );
    fs::write(&config, destination).unwrap();
    let config = config.display().to_string();
    let server = Server::start(&kept.log(), &["--config", &config]);
    receiver.until_got(2);
    Delivery::new("evt_4").send(&server);
    let got = receiver.until_got(3);
    let mut ids: Vec<_> = got.iter().map(Got::id).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["evt_1", "evt_3", "evt_4"]);
}

/// A log in JetStream with an event of the person.
fn stream_with_person() -> (KeptStream, Server) {
    let kept = KeptStream::with_events(1);
    let server = Server::start(&kept.log(), &[]);
    let answer = with_person("evt_2", 500).send(&server);
    assert_eq!(answer.outcome(), (200, "stored", Some(2)));
    assert_ne!(copies(kept.files()), 0);
    (kept, server)
}

fn redact_command(log: &str, id: &str) -> Command {
    let mut command = hookgate();
    command.args(["redact", id, "--reason", "r", "--log", log]);
    command
}

#[test]
fn an_event_that_is_sent_again_while_it_is_redacted_is_a_duplicate() {
    let (kept, server) = stream_with_person();
    for round in 0..20 {
        let id = format!("evt_round_{round}");
        let stored = with_person(&id, 500).send(&server);
        let (_, _, sequence) = stored.outcome();
        thread::scope(|scope| {
            let redacting = scope.spawn(|| redact(&kept, &id));
            while !redacting.is_finished() {
                let again = with_person(&id, 500).send(&server);
                assert_eq!(again.outcome(), (200, "duplicate", sequence));
            }
        });
        let again = with_person(&id, 500).send(&server);
        assert_eq!(again.outcome(), (200, "duplicate", sequence));
    }
    redact(&kept, "evt_2");
    assert_eq!(copies(kept.files()), 0);
    server.stop();
    assert_eq!(kept.findings(&[]), []);
}

#[test]
fn a_redaction_that_was_cut_short_before_the_tombstone_is_finished() {
    let (kept, server) = stream_with_person();
    let messages = i64::try_from(events(&kept.log()).len()).unwrap();
    // Nothing goes in any more, the tombstone neither.
    kept.nats
        .set_stream(|config| config.max_messages = messages);
    let message = failure(&mut redact_command(&kept.log(), "evt_2"));
    assert!(message.contains("the redaction is on record"), "{message}");
    assert_ne!(copies(kept.files()), 0);
    assert_eq!(kept.findings(&[]), [("redacted".to_owned(), 2)]);
    let again = with_person("evt_2", 500).send(&server);
    assert_eq!(again.outcome(), (200, "duplicate", Some(2)));

    kept.nats.set_stream(|config| config.max_messages = -1);
    until("the payload is gone", || {
        (copies(kept.files()) == 0).then_some(())
    });
    let again = with_person("evt_2", 500).send(&server);
    assert_eq!(again.outcome(), (200, "duplicate", Some(2)));
    server.stop();
    assert_eq!(kept.findings(&[]), []);
}

#[test]
fn a_redaction_that_was_cut_short_before_the_removal_is_finished() {
    let users = "authorization { users: [\n\
         { user: all, password: p }\n\
         { user: some, password: p, permissions: { publish: { deny: [\"$JS.API.STREAM.MSG.DELETE.>\"] } } }\n\
         ] }\nno_auth_user: all\nmax_payload: 4MB";
    let kept = KeptStream::of(Nats::start_with(users));
    let mut server = Server::start(&kept.log(), &[]);
    with_person("evt_1", 500).send(&server);
    server.terminate();
    server.wait();
    let some = kept.log().replace("nats://", "nats://some:p@");
    let message = failure(&mut redact_command(&some, "evt_1"));
    assert!(message.contains("the redaction is on record"), "{message}");
    assert_ne!(copies(kept.files()), 0);
    // It is redacted for whoever reads it.
    let shown = output(hookgate().args(["event", "evt_1", "--json", "--log", &kept.log()]));
    let shown: Value = serde_json::from_slice(&shown).unwrap();
    assert_eq!(
        (&shown["redacted"], &shown["size"]),
        (&true.into(), &0.into())
    );

    let server = Server::start(&kept.log(), &[]);
    until("the payload is gone", || {
        (copies(kept.files()) == 0).then_some(())
    });
    let again = with_person("evt_1", 500).send(&server);
    assert_eq!(again.outcome(), (200, "duplicate", Some(1)));
    server.stop();
    assert_eq!(kept.findings(&[]), []);
}

#[test]
fn redactions_at_the_same_time_make_one_chain() {
    let kept = KeptStream::with_events(8);
    thread::scope(|scope| {
        for number in 1..=8 {
            let kept = &kept;
            scope.spawn(move || redact(kept, &format!("evt_{number}")));
        }
    });
    kept.append_more("evt_9");
    assert_eq!(kept.findings(&["--head", &kept.head("head.json")]), []);
    let (_, report) = kept.verify(&[]);
    let numbers = report["redactions"].as_array().unwrap().iter();
    let numbers: Vec<_> = numbers.map(|it| it["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn an_event_that_is_redacted_before_it_is_sealed_is_sealed_by_its_record() {
    let kept = KeptStream::with_events(1);
    import(3, &kept);
    redact(&kept, "evt_2");
    let (code, report) = kept.verify(&[]);
    assert_eq!((code, &report["unsealed"]), (0, &3.into()), "{report}");
    kept.append_more("evt_4");
    assert_eq!(kept.findings(&["--head", &kept.head("head.json")]), []);
}

#[test]
fn what_was_done_to_a_redaction_of_a_stream_is_found() {
    let place = |code: &str, place| (code.to_owned(), place);
    let with_one = || {
        let kept = KeptStream::with_events(3);
        redact(&kept, "evt_2");
        kept.append_more("evt_4");
        kept
    };
    // The tombstone is an event's place like any other.
    let kept = with_one();
    kept.remove(4);
    assert_eq!(kept.findings(&[]), [place("missing", 4)]);

    // Nobody says that an event is redacted by a tombstone alone.
    let kept = with_one();
    let (subject, headers, _) = kept.message(4);
    let forged = subject.replace(".redacted", "");
    assert_eq!(kept.publish((forged, headers.clone(), Vec::new())), 6);
    assert_eq!(kept.findings(&[]), [place("payload", 6)]);

    let kept = with_one();
    let (mut subject, mut headers, _) = kept.message(3);
    subject.push_str(".redacted");
    headers.insert("hookgate-sequence", "3");
    headers.insert("hookgate-storedat", "2025-10-09T08:53:20Z");
    kept.publish((subject, headers, Vec::new()));
    assert_eq!(kept.findings(&[]), [place("tombstone", 6)]);
}

#[test]
fn a_stream_that_lets_nothing_be_removed_says_so() {
    let kept = KeptStream::with_events(1);
    kept.nats.set_stream(|config| config.deny_delete = true);
    let message = failure(&mut redact_command(&kept.log(), "evt_1"));
    assert!(message.contains("denies deletes"), "{message}");
    assert_eq!(kept.findings(&[]), []);
}
