//! Evidence that was restored or begun anew knows nothing of what was redacted.

use std::fs;

use crate::{
    delivery::Delivery,
    harness::{Server, hookgate, output, until},
    kept::{Keeping as _, KeptStream},
    sealed::copy,
    sealing::{redact_sequence, sealed},
};

fn redact(kept: &KeptStream, id: &str) {
    let log = kept.log();
    output(hookgate().args(["redact", id, "--reason", "r", "--log", &log]));
}

/// Begins a new chain, as the message about one that is gone says.
fn begin_anew(kept: &KeptStream) {
    kept.nats.ask(async |context| {
        context.delete_stream("HOOKGATE_EVIDENCE").await.unwrap();
    });
    kept.nats.set_stream(|config| {
        let said = "none".to_owned();
        config.metadata.insert("hookgate-log".to_owned(), said);
    });
}

fn until_said(server: &Server, line: &str) {
    until("it is said", || {
        server.stderr().contains(line).then_some(())
    });
}

/// Everything is sealed, the redaction is listed, and its event isn't taken
/// again.
fn assert_redacted(kept: &KeptStream, server: &Server, last: u64) {
    let report = sealed(kept);
    assert_eq!(report["sequence"], last);
    let redactions = report["redactions"].as_array().unwrap();
    let newest = redactions.last().unwrap();
    assert_eq!(
        (&newest["sequence"], &newest["id"]),
        (&2.into(), &"evt_2".into())
    );
    let again = Delivery::new("evt_2").send(server);
    assert_eq!(again.outcome(), (200, "duplicate", Some(2)));
    assert_eq!(kept.findings(&["--head", &kept.head("head.json")]), []);
}

#[test]
fn a_redacted_event_goes_into_a_new_chain_by_its_tombstone() {
    let kept = KeptStream::with_events(3);
    redact(&kept, "evt_2");
    kept.append_more("evt_4");
    begin_anew(&kept);
    let server = Server::start(&kept.log(), &[]);
    until_said(&server, "not sealed any further: event 2 is gone");
    output(&mut redact_sequence(&kept, "2"));
    assert_redacted(&kept, &server, 5);
    // Once is enough, by either place.
    for sequence in ["2", "4"] {
        let said = output(redact_sequence(&kept, sequence).arg("--json"));
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("already_redacted"), "{said}");
    }
}

#[test]
fn a_tombstone_that_is_newer_than_the_evidence_stays() {
    let mut kept = KeptStream::with_events(3);
    let evidence = kept.nats.store("HOOKGATE_EVIDENCE");
    let evidence = evidence.parent().unwrap();
    let backup = kept.path("evidence");
    kept.nats.terminate();
    copy(evidence, &backup);
    kept.nats.restart_and_wait();
    redact(&kept, "evt_2");
    kept.nats.terminate();
    fs::remove_dir_all(evidence).unwrap();
    copy(&backup, evidence);
    kept.nats.restart_and_wait();

    let server = Server::start(&kept.log(), &[]);
    until_said(
        &server,
        "not sealed any further: event 4 stands for a removed payload",
    );
    output(&mut redact_sequence(&kept, "4"));
    assert_redacted(&kept, &server, 4);
}
