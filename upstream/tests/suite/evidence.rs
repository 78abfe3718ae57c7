//! A log that isn't what was appended says so, and where.

use std::fs;

use serde_json::Value;

use crate::{
    delivery::Delivery,
    harness::{Server, hookgate, output},
    kept::{Keeping, Kept, on_both, verify},
};

fn found(code: &str, place: u64) -> (String, u64) {
    (code.to_owned(), place)
}

on_both! {
    a_log_that_nobody_touched_is_sound
    a_head_of_another_log_says_nothing
    what_is_no_head_is_not_called_damaged
    a_head_is_not_written_over_another
}

fn a_log_that_nobody_touched_is_sound<K: Keeping>() {
    let kept = K::with_events(5);
    let head = kept.head("head.json");
    let (code, report) = kept.verify(&["--head", &head]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["events"], 5);
    assert_eq!(report["sequence"], 5);
    assert_eq!(report["head"], 5);
    assert_eq!(report["unsealed"], 0);
    let head: Value = serde_json::from_str(&fs::read_to_string(head).unwrap()).unwrap();
    assert_eq!(report["hash"], head["hash"]);
    assert_eq!(report["log"], head["log"]);

    let text = output(hookgate().args(["verify-log", "--log", &kept.log()]));
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("sound: 5 events up to event 5"), "{text}");
    assert!(text.contains("no head was given"), "{text}");
}

#[test]
fn a_changed_payload_is_found() {
    let kept = Kept::with_events(5);
    kept.tamper(
        "UPDATE event SET payload = CAST(replace(payload, 'xx', 'xy') AS BLOB) WHERE sequence = 3",
    );
    assert_eq!(kept.findings(&[]), [found("payload", 3)]);
}

#[test]
fn a_flipped_bit_of_the_file_is_found() {
    let kept = Kept::with_events(5);
    let path = kept.path("log.db");
    let mut bytes = fs::read(&path).unwrap();
    // In the middle of a payload.
    let needle = b"\"evt_3\"";
    let at = bytes
        .windows(needle.len())
        .position(|window| window == needle);
    bytes[at.unwrap() + 3] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(kept.findings(&[]), [found("payload", 3)]);
}

#[test]
fn a_change_of_any_attribute_is_found_and_not_served() {
    let columns = [
        "source = 'stripe-connect'",
        "type = 'invoice.paix'",
        "account = NULL",
        "livemode = 1",
        "time = time + 1",
        "endpoint = 'x'",
        "secret_name = 'x'",
        "unsigned = 1",
        "signed_at = signed_at + 1",
        "received_at = received_at + 1",
        "stored_at = stored_at + 1",
        "traceparent = NULL",
        "signature = 'x'",
    ];
    let kept = Kept::with_events(3);
    let whole = fs::read(kept.path("log.db")).unwrap();
    for change in columns {
        kept.tamper(&format!("UPDATE event SET {change} WHERE sequence = 2"));
        assert_eq!(kept.findings(&[]), [found("attributes", 2)], "{change}");
        let message = crate::harness::failure(hookgate().args(["events", "--log", &kept.log]));
        assert!(
            message.contains("event 2 of the log is damaged"),
            "{message}"
        );
        fs::write(kept.path("log.db"), &whole).unwrap();
    }
    kept.tamper("UPDATE event SET source = '?' WHERE sequence = 2");
    assert_eq!(kept.findings(&[]), [found("field", 2)]);
}

#[test]
fn a_payload_that_is_changed_with_its_hash_is_found() {
    let kept = Kept::with_events(3);
    let sha256 = {
        use sha2::Digest as _;
        let sum: [u8; 32] = sha2::Sha256::digest(b"{}").into();
        sum
    };
    let change = "UPDATE event SET payload = CAST('{}' AS BLOB), sha256 = ?1 WHERE sequence = 2";
    kept.file().execute(change, [sha256]).unwrap();
    assert_eq!(kept.findings(&[]), [found("attributes", 2)]);
}

#[test]
fn a_removed_event_is_found() {
    let kept = Kept::with_events(6);
    kept.tamper("DELETE FROM event WHERE sequence IN (3, 4)");
    assert_eq!(kept.findings(&[]), [found("missing", 3)]);
    let (_, report) = kept.verify(&[]);
    assert_eq!(report["findings"][0]["text"], "events 3 to 4 are missing");
    // With their links.
    kept.tamper("DELETE FROM link WHERE sequence IN (3, 4)");
    assert_eq!(kept.findings(&[]), [found("missing", 3)]);
}

#[test]
fn events_that_changed_places_are_found() {
    let kept = Kept::with_events(6);
    kept.tamper(
        "UPDATE event SET sequence = 99 WHERE sequence = 2;
         UPDATE event SET sequence = 2 WHERE sequence = 5;
         UPDATE event SET sequence = 5 WHERE sequence = 99;",
    );
    assert_eq!(kept.findings(&[]), [found("moved", 2), found("moved", 5)]);
    let (_, report) = kept.verify(&[]);
    assert_eq!(
        report["findings"][0]["text"],
        "event 2 was moved: it belongs at 5"
    );
}

#[test]
fn a_changed_or_removed_link_is_found() {
    let kept = Kept::with_events(5);
    kept.tamper("UPDATE link SET hash = zeroblob(32) WHERE sequence = 2");
    assert_eq!(kept.findings(&[]), [found("link", 2)]);
    kept.tamper("DELETE FROM link WHERE sequence = 2");
    assert_eq!(kept.findings(&[]), [found("unlinked", 2)]);
}

#[test]
fn a_log_that_is_cut_short_is_found_with_a_head_only() {
    let kept = Kept::with_events(5);
    let (early, late) = (kept.head("early.json"), kept.head("late.json"));
    kept.tamper("DELETE FROM event WHERE sequence > 3; DELETE FROM link WHERE sequence > 3;");
    let (code, report) = kept.verify(&[]);
    assert_eq!((code, &report["head"]), (0, &Value::Null), "{report}");
    assert_eq!(kept.findings(&["--head", &late]), [found("truncated", 3)]);
    // It goes on as if nothing had been, and the head still knows.
    let server = Server::start(&kept.log, &[]);
    for number in 4..=8 {
        let id = format!("evt_other_{number}");
        assert_eq!(Delivery::new(&id).send(&server).outcome().2, Some(number));
    }
    drop(server);
    assert_eq!(kept.findings(&[]), []);
    assert_eq!(kept.findings(&["--head", &early]), [found("rewritten", 5)]);
}

fn a_head_of_another_log_says_nothing<K: Keeping>() {
    let (one, other) = (K::with_events(2), K::with_events(2));
    let (code, report) = one.verify(&["--head", &other.head("head.json")]);
    assert_eq!(code, 2, "{report}");
    assert!(
        report.as_str().unwrap().contains("the head is of the log"),
        "{report}"
    );
}

fn what_is_no_head_is_not_called_damaged<K: Keeping>() {
    let kept = K::with_events(1);
    fs::write(kept.path("head.json"), "{}").unwrap();
    let head = kept.path("head.json").display().to_string();
    let (code, report) = kept.verify(&["--head", &head]);
    assert_eq!(code, 2, "{report}");
    assert!(
        report.as_str().unwrap().contains("can't use the head"),
        "{report}"
    );
}

#[test]
fn what_is_no_log_is_not_called_damaged() {
    for log in ["sqlite:/nowhere/log.db", "nats://127.0.0.1:1"] {
        let (code, report) = verify(log, &[]);
        assert_eq!(code, 2, "{report}");
    }
}

fn a_head_is_not_written_over_another<K: Keeping>() {
    let kept = K::with_events(1);
    let head = kept.head("head.json");
    let log = kept.log();
    let again = ["head", "--log", &log, "--out", &head];
    let message = crate::harness::failure(hookgate().args(again));
    assert!(message.contains("is there already"), "{message}");
}

#[test]
fn a_server_does_not_go_on_after_a_lost_tail() {
    let kept = Kept::with_events(5);
    kept.tamper("DELETE FROM event WHERE sequence = 5");
    let message = crate::harness::refusal(&kept.log, &[]);
    assert!(
        message.contains("the newest event is 4, and the chain ends at 5"),
        "{message}"
    );
}

/// A crash can leave half a transaction at the end of the write-ahead file.
#[test]
fn a_torn_tail_is_cut_back_to_the_last_whole_transaction() {
    let kept = Kept::empty();
    let server = Server::start(&kept.log, &[]);
    for number in 1..=4 {
        Delivery::new(&format!("evt_{number}")).send(&server);
    }
    server.kill_9();
    let path = kept.path("log.db-wal");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1_000]).unwrap();
    let server = Server::start(&kept.log, &[]);
    let answer = Delivery::new("evt_next").send(&server);
    assert_eq!(answer.outcome(), (200, "stored", Some(4)));
    drop(server);
    assert_eq!(kept.findings(&[]), []);
}
