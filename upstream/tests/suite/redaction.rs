//! A payload that is removed is gone, and the log is still whole.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    delivery::{Delivery, payload},
    evidence::Kept,
    harness::{Server, failure, hookgate, output},
    load::{Load, assert_kept},
    receiver::{Got, Reaction, Receiver},
};

/// Appears in the payload of one event only.
const PERSON: &str = "Ada-Lovelace-of-St-James-Square";

fn with_person(id: &str, bytes: usize) -> Delivery {
    let payload = String::from_utf8(payload(id, bytes)).unwrap();
    Delivery::with_payload(id, payload.replacen("xxxx", PERSON, 1).into_bytes())
}

/// How many files of the folder hold the person's name.
fn copies(folder: &Path) -> usize {
    let holds = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        bytes
            .windows(PERSON.len())
            .any(|window| window == PERSON.as_bytes())
    };
    let files = fs::read_dir(folder).unwrap();
    files
        .filter(|file| holds(&file.as_ref().unwrap().path()))
        .count()
}

fn redact(kept: &Kept, id: &str) -> Value {
    let reason = "erasure request 17";
    let line = output(hookgate().args([
        "redact", id, "--reason", reason, "--by", "ada", "--log", &kept.log, "--json",
    ]));
    serde_json::from_slice(&line).unwrap()
}

#[test]
fn a_redacted_payload_is_in_no_file_any_more() {
    for bytes in [500, 300_000] {
        let kept = Kept::empty();
        let server = Server::start(&kept.log, &[]);
        Delivery::new("evt_1").send(&server);
        with_person("evt_2", bytes).send(&server);
        Delivery::new("evt_3").send(&server);
        assert_ne!(copies(kept.folder.path()), 0);
        // While the server runs.
        let line = redact(&kept, "evt_2");
        assert_eq!(copies(kept.folder.path()), 0);
        assert_eq!(line["state"], "redacted");
        assert_eq!(line["sequence"], 2);
        let next = Delivery::new("evt_4").send(&server);
        assert_eq!(next.outcome(), (200, "stored", Some(4)));
        // Its identity is not gone.
        let again = with_person("evt_2", bytes).send(&server);
        assert_eq!(again.outcome(), (200, "duplicate", Some(2)));
        assert_eq!(copies(kept.folder.path()), 0);
    }
}

#[test]
fn a_log_with_redactions_is_sound_and_lists_them() {
    let kept = Kept::with_events(4);
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

#[test]
fn a_redacted_event_shows_what_is_left() {
    let kept = Kept::with_events(2);
    redact(&kept, "evt_2");
    let shown = output(hookgate().args(["event", "evt_2", "--json", "--log", &kept.log]));
    let shown: Value = serde_json::from_slice(&shown).unwrap();
    assert_eq!(shown["redacted"], true);
    assert_eq!(shown["size"], 0);
    assert_eq!(shown["type"], "invoice.paid");
    let message = failure(hookgate().args(["event", "evt_2", "--payload", "--log", &kept.log]));
    assert!(message.contains("was redacted"), "{message}");
}

#[test]
fn only_an_event_of_the_log_is_redacted() {
    let kept = Kept::with_events(1);
    let unknown = ["redact", "evt_9", "--reason", "r", "--log", &kept.log];
    let message = failure(hookgate().args(unknown));
    assert!(message.contains("has no event `evt_9`"), "{message}");
}

#[test]
fn redacting_under_load_loses_no_promise() {
    let kept = Kept::with_events(20);
    let server = Server::start(&kept.log, &[]);
    let load = Load::start(&server, "load", 8);
    for number in 1..=20 {
        redact(&kept, &format!("evt_{number}"));
    }
    let promises = load.finish();
    assert!(promises.len() > 20, "{}", promises.len());
    assert_kept(&promises, &crate::harness::events(&kept.log));
    assert_eq!(kept.findings(&[]), []);
}

#[test]
fn a_redacted_event_is_not_delivered_any_more() {
    let kept = Kept::with_events(3);
    redact(&kept, "evt_2");
    let receiver = Receiver::start(|_, _| Reaction::Status(204));
    let config = kept.path("hookgate.toml");
    let destination = format!(
        "[[destinations]]\nname = \"orders\"\nurl = \"{}\"\nfrom = \"beginning\"\n",
        receiver.url()
    );
    fs::write(&config, destination).unwrap();
    let config = config.display().to_string();
    let server = Server::start(&kept.log, &["--config", &config]);
    receiver.until_got(2);
    Delivery::new("evt_4").send(&server);
    let got = receiver.until_got(3);
    let mut ids: Vec<_> = got.iter().map(Got::id).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["evt_1", "evt_3", "evt_4"]);
}
