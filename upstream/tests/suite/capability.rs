//! What a log can't do is refused before anybody waits for it.

use std::fs;

use crate::harness::{failure, hookgate, refusal};

/// Logs with nobody there: who asked for them would wait.
const LOGS: &[&str] = &[
    "amqp://127.0.0.1:9/",
    #[cfg(feature = "kafka")]
    "kafka://127.0.0.1:9/hookgate",
];

#[test]
fn a_log_that_delivers_nothing_takes_no_destinations() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hookgate.toml");
    let text = "[[destinations]]\nname = \"orders\"\nurl = \"http://127.0.0.1:9/\"\n";
    fs::write(&file, text).unwrap();
    for log in LOGS {
        let message = refusal(log, &["--config", file.to_str().unwrap()]);
        assert!(message.contains("[[destinations]]"), "{message}");
        assert!(message.contains("let its own consumers read"), "{message}");
        let message = failure(hookgate().args(["review", "list", "--log", log]));
        assert!(message.contains("`hookgate review list`"), "{message}");
    }
}

#[test]
fn a_log_that_keeps_its_own_retention_takes_no_other() {
    for log in LOGS {
        let message = refusal(log, &["--keep", "90d"]);
        assert!(message.contains("--keep"), "{message}");
        let own = ["a policy with `max-age`", "the topic's `retention.ms`"];
        assert!(own.iter().any(|it| message.contains(it)), "{message}");
    }
}

#[test]
fn a_log_without_evidence_says_so() {
    for log in LOGS {
        let both = "`sqlite:PATH` or `nats://HOST:PORT`";
        for (command, says, able) in [
            (vec!["head"], "keeps no chain of evidence", both),
            (vec!["redact", "evt_1", "--reason", "x"], "one by one", both),
            (
                vec!["backup", "copy.db"],
                "`hookgate export`",
                "`sqlite:PATH`",
            ),
        ] {
            let message = failure(hookgate().args(&command).args(["--log", log]));
            assert!(message.contains(says), "{command:?}: {message}");
            let able = format!("A log at {able} can do it");
            assert!(message.contains(&able), "{message}");
        }
        let output = hookgate().args(["verify-log", "--log", log]).output();
        let output = output.unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("keeps no chain of evidence"), "{message}");
    }
}
