//! Old events go, and what is left still proves that it is whole.

use serde_json::Value;

use crate::{
    delivery::Delivery,
    evidence::Kept,
    harness::{Server, refusal, until},
    load::Load,
    nats_server::Nats,
};

/// Waits until retention has removed everything up to a sequence.
fn removed(kept: &Kept, sequence: u64) -> Value {
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
fn a_log_that_cannot_remove_by_age_says_so() {
    let nats = Nats::start();
    let message = refusal(&nats.address(), &["--keep", "90d"]);
    assert!(
        message.contains("--keep: hookgate removes no events"),
        "{message}"
    );
}
