//! Events go from one log to another, and a running log into a copy.

use std::{
    fs,
    io::{self, BufRead as _},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    delivery::{Delivery, payload},
    harness::{Server, events, failure, hookgate, output},
    kept::{Keeping as _, Kept, verify},
    load::{Load, assert_kept},
    nats_server::Nats,
};

fn export(log: &str, options: &[&str]) -> String {
    let mut command = hookgate();
    command.args(["export", "--log", log]).args(options);
    String::from_utf8(output(&mut command)).unwrap()
}

fn import_command(file: &Path, log: &str) -> Command {
    let mut command = hookgate();
    command
        .arg("import")
        .arg(file)
        .args(["--json", "--log", log]);
    command
}

fn import(file: &Path, log: &str) -> Value {
    serde_json::from_slice(&output(&mut import_command(file, log))).unwrap()
}

/// What is the same of an event in every log.
fn contents(export: &str) -> Vec<(String, String, String)> {
    let content = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| line[name].as_str().unwrap().to_owned();
        (field("id"), field("digest"), field("sha256"))
    };
    export.lines().map(content).collect()
}

fn assert_same(export: &str, original: &str) {
    let (export, original) = (contents(export), contents(original));
    assert_eq!(export.len(), original.len());
    for (one, other) in export.iter().zip(&original) {
        assert_eq!(one, other);
    }
}

/// Exports, and lets the log take another event whenever a line was read.
fn exported_while_it_grows(log: &str) -> usize {
    let server = Server::start(log, &[]);
    for number in 1..=10 {
        Delivery::new(&format!("evt_{number}")).send(&server);
    }
    let mut command = hookgate();
    command
        .args(["export", "--log", log])
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = io::BufReader::new(child.stdout.take().unwrap()).lines();
    let mut count = 0;
    for line in lines {
        line.unwrap();
        count += 1;
        assert!(count < 200, "the export follows the log");
        Delivery::new(&format!("evt_late_{count}")).send(&server);
    }
    assert!(child.wait().unwrap().success());
    count
}

#[test]
fn an_export_ends_with_what_the_log_had_when_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", folder.path().join("log.db").display());
    let nats = Nats::start();
    for log in [file, nats.address()] {
        assert_eq!(exported_while_it_grows(&log), 10, "{log}");
    }
}

#[test]
fn an_export_is_the_same_in_the_log_that_imports_it() {
    let from = Kept::with_events(150);
    let exported = export(&from.log, &[]);
    assert_eq!(exported.lines().count(), 150);
    let file = from.path("events.jsonl");
    fs::write(&file, &exported).unwrap();

    let nats = Nats::start();
    let sqlite = Kept::empty();
    for log in [&sqlite.log, &nats.address()] {
        let count = import(&file, log);
        assert_eq!(
            (&count["stored"], &count["duplicates"]),
            (&150.into(), &0.into())
        );
        assert_same(&export(log, &[]), &exported);
        let shown =
            |log: &str| output(hookgate().args(["event", "evt_77", "--payload", "--log", log]));
        assert_eq!(shown(log), shown(&from.log));
        // Again: nothing is stored twice.
        let count = import(&file, log);
        assert_eq!(
            (&count["stored"], &count["duplicates"]),
            (&0.into(), &150.into())
        );
    }
    assert_eq!(sqlite.findings(&[]), []);
    #[cfg(feature = "kafka")]
    {
        let tansu = crate::tansu::Tansu::start();
        let log = tansu.address("hookgate");
        assert_eq!(import(&file, &log)["stored"], 150);
        assert_same(&export(&log, &[]), &exported);
        // It can't know what it has: the second half is a copy of the first.
        assert_eq!(import(&file, &log)["stored"], 150);
        assert_same(&export(&log, &["--from", "151"]), &exported);
    }
    // And back.
    fs::write(&file, export(&nats.address(), &[])).unwrap();
    let back = Kept::empty();
    assert_eq!(import(&file, &back.log)["stored"], 150);
    assert_same(&export(&back.log, &[]), &exported);
}

#[test]
fn an_export_begins_where_it_is_asked_to() {
    let kept = Kept::with_events(3);
    let nats = Nats::start();
    let file = kept.path("events.jsonl");
    fs::write(&file, export(&kept.log, &[])).unwrap();
    import(&file, &nats.address());
    #[cfg(feature = "kafka")]
    let tansu = crate::tansu::Tansu::start();
    let logs = [
        kept.log.clone(),
        nats.address(),
        #[cfg(feature = "kafka")]
        tansu.address("hookgate"),
    ];
    for log in &logs[2..] {
        import(&file, log);
    }
    for log in &logs {
        let sequences = |from: &str| -> Vec<u64> {
            let exported = export(log, &["--from", from]);
            let sequence = |line: &str| {
                let line: Value = serde_json::from_str(line).unwrap();
                line["sequence"].as_u64().unwrap()
            };
            exported.lines().map(sequence).collect()
        };
        assert_eq!(sequences("beginning"), [1, 2, 3]);
        assert_eq!(sequences("2"), [2, 3]);
        assert_eq!(sequences("4"), [0; 0]);
        assert_eq!(sequences("2020-01-01T00:00:00Z"), [1, 2, 3]);
        assert_eq!(sequences("2200-01-01T00:00:00Z"), [0; 0]);
        assert_eq!(sequences("2999-01-01T00:00:00Z"), [0; 0]);
    }
}

/// Damages the third of five lines, and imports them.
fn assert_refused(damage: impl Fn(&str) -> String, expected: &str) {
    let kept = Kept::with_events(5);
    let exported = export(&kept.log, &[]);
    let file = kept.path("events.jsonl");
    let mut lines: Vec<_> = exported.lines().map(str::to_owned).collect();
    lines[2] = damage(&lines[2]);
    fs::write(&file, lines.join("\n")).unwrap();
    let to = Kept::empty();
    let message = failure(&mut import_command(&file, &to.log));
    assert!(message.contains(expected), "{message}");
    assert_eq!(events(&to.log).len(), 2);
    // The whole file goes on from there.
    fs::write(&file, &exported).unwrap();
    let count = import(&file, &to.log);
    assert_eq!(
        (&count["stored"], &count["duplicates"]),
        (&3.into(), &2.into())
    );
}

#[test]
fn a_damaged_line_is_named_and_nothing_after_it_is_imported() {
    assert_refused(
        |line| line.replace("evt_3", "evt_x"),
        "line 3: the attributes don't fit the line's digest",
    );
    assert_refused(
        |line| line.replacen("xx", "xy", 1),
        "line 3: the payload has another SHA-256",
    );
    assert_refused(
        |line| line[..line.len() / 2].to_owned(),
        "line 3: not a line that `hookgate export` wrote",
    );
}

#[test]
fn a_damaged_event_is_not_exported() {
    let kept = Kept::with_events(3);
    kept.tamper("UPDATE event SET account = 'acct_x' WHERE sequence = 2");
    let message = failure(hookgate().args(["export", "--log", &kept.log]));
    assert!(
        message.contains("event 2 of the log is damaged"),
        "{message}"
    );
}

#[test]
fn a_redacted_event_is_exported_without_its_payload_and_left_out() {
    let kept = Kept::with_events(3);
    output(hookgate().args(["redact", "evt_2", "--reason", "r", "--log", &kept.log]));
    let exported = export(&kept.log, &[]);
    let line: Value = serde_json::from_str(exported.lines().nth(1).unwrap()).unwrap();
    assert_eq!(line["redacted"], true);
    assert_eq!(line.get("payload"), None);
    let file = kept.path("events.jsonl");
    fs::write(&file, exported).unwrap();
    let to = Kept::empty();
    let count = import(&file, &to.log);
    assert_eq!(
        (&count["stored"], &count["redacted"]),
        (&2.into(), &1.into())
    );
}

#[test]
fn an_export_goes_into_an_import_by_a_pipe() {
    let from = Kept::with_events(20);
    let to = Kept::empty();
    let mut exporting = hookgate()
        .args(["export", "--log", &from.log])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut importing = import_command(Path::new("-"), &to.log);
    importing.stdin(exporting.stdout.take().unwrap());
    let count: Value = serde_json::from_slice(&output(&mut importing)).unwrap();
    assert!(exporting.wait().unwrap().success());
    assert_eq!(count["stored"], 20);
}

#[test]
fn a_backup_under_load_is_whole() {
    let kept = Kept::with_events(1);
    let server = Server::start(&kept.log, &[]);
    for number in 0..40 {
        let id = format!("evt_large_{number}");
        Delivery::with_payload(&id, payload(&id, 500_000)).send(&server);
    }
    let load = Load::start(&server, "load", 8);
    let copies: Vec<_> = (0..3)
        .map(|number| {
            let path = kept.path(&format!("backup-{number}.db"));
            let mut command = hookgate();
            command
                .arg("backup")
                .arg(&path)
                .args(["--json", "--log", &kept.log]);
            let said: Value = serde_json::from_slice(&output(&mut command)).unwrap();
            (path, said)
        })
        .collect();
    let promises = load.finish();
    assert!(promises.len() > 20, "{}", promises.len());
    assert_kept(&promises, &events(&kept.log));
    let head = kept.head("head.json");
    for (path, said) in copies {
        let log = format!("sqlite:{}", path.display());
        let (code, report) = verify(&log, &[]);
        assert_eq!(code, 0, "{report}");
        assert_eq!(report["hash"], said["hash"]);
        // It is the beginning of the log, and not all of it.
        let (code, report) = verify(&log, &["--head", &head]);
        assert_eq!(code, 1, "{report}");
        assert_eq!(report["findings"][0]["code"], "truncated");
        // A server goes on with it.
        let copy = Server::start(&log, &[]);
        let next = Delivery::new("evt_next").send(&copy);
        let sequence = said["sequence"].as_u64().unwrap() + 1;
        assert_eq!(next.outcome(), (200, "stored", Some(sequence)));
    }
}

#[test]
fn a_backup_of_a_damaged_log_says_so_and_takes_no_name() {
    let kept = Kept::with_events(3);
    kept.tamper("UPDATE event SET account = 'acct_x' WHERE sequence = 2");
    let path = kept.path("backup.db");
    let backup = ["backup", &path.display().to_string(), "--log", &kept.log];
    let output = hookgate().args(backup).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("DAMAGED event 2"), "{said}");
    assert!(!path.exists());
}

#[test]
fn a_backup_is_not_written_over_another() {
    let kept = Kept::with_events(1);
    let path = kept.path("backup.db").display().to_string();
    let backup = ["backup", &path, "--log", &kept.log];
    output(hookgate().args(backup));
    let message = failure(hookgate().args(backup));
    assert!(message.contains("is there already"), "{message}");
}

#[test]
fn an_import_waits_for_no_running_server() {
    let kept = Kept::with_events(1);
    let file = kept.path("events.jsonl");
    fs::write(&file, export(&kept.log, &[])).unwrap();
    let _server = Server::start(&kept.log, &[]);
    let message = failure(&mut import_command(&file, &kept.log));
    assert!(message.contains("in use by another"), "{message}");
}
