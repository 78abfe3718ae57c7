//! What only the log in a file can get wrong.

use std::{
    fs,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    delivery::{Connection, Delivery},
    harness::{
        Server, assert_no_gaps, events, failure, hookgate, refusal, until, with_environment,
    },
    load::{Load, assert_kept},
};

fn log() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let log = format!("sqlite:{}", folder.path().join("log.db").display());
    (folder, log)
}

#[test]
fn refuses_a_second_server_on_the_same_file() {
    let (_folder, log) = log();
    let first = Server::start(&log, &[]);
    let message = refusal(&log, &[]);
    assert!(
        message.contains("in use by another `hookgate serve`"),
        "{message}"
    );
    assert_eq!(Delivery::new("evt_1").send(&first).outcome().1, "stored");
    // However the first one ends, the file is free again.
    first.kill_9();
    Server::start(&log, &[]);
}

#[test]
fn refuses_files_of_other_programs_and_versions() {
    let (folder, log) = log();
    let path = folder.path().join("log.db");
    drop(Server::start(&log, &[]));
    let file = rusqlite::Connection::open(&path).unwrap();
    file.pragma_update(None, "user_version", 7).unwrap();
    drop(file);
    let message = refusal(&log, &[]);
    assert!(
        message.contains("found layout version 7, expected 5"),
        "{message}"
    );
    let message = failure(hookgate().args(["events", "--log", &log]));
    assert!(
        message.contains("found layout version 7, expected 5"),
        "{message}"
    );

    fs::write(&path, "dear diary, ".repeat(1_000)).unwrap();
    let message = refusal(&log, &[]);
    assert!(message.contains("file is not a database"), "{message}");
}

#[test]
fn says_when_there_is_no_log_and_when_it_is_empty() {
    let (folder, log) = log();
    let message = failure(hookgate().args(["events", "--log", &log]));
    assert!(message.contains("there is no log at"), "{message}");
    let only_the_folder = format!("sqlite:{}", folder.path().display());
    let message = failure(hookgate().args(["events", "--log", &only_the_folder]));
    assert!(
        message.contains("is a folder, expected the file of a log"),
        "{message}"
    );
    let server = Server::start(&log, &[]);
    let list = || crate::harness::output(hookgate().args(["events", "--log", &log]));
    assert_eq!(list(), b"The log has no events yet.\n");
    drop(server);
    assert_eq!(list(), b"The log has no events yet.\n");
}

#[test]
fn may_open_as_many_files_as_the_system_lets_it() {
    let (_folder, log) = log();
    let mut command = Command::new("sh");
    with_environment(&mut command);
    command
        .args(["-c", "ulimit -Sn 256; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_hookgate"))
        .args(["serve", "--log", &log])
        .stdout(Stdio::null());
    let server = Server::spawn(command);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let mut limits = line.unwrap().split_whitespace().skip(3);
    let (soft, hard) = (limits.next().unwrap(), limits.next().unwrap());
    assert_eq!(soft, hard);
    assert_ne!(soft, "256");
}

/// A limit on the size of files makes the system refuse a write in the middle
/// of a commit: a real I/O error, without a broken disk.
#[test]
fn ends_at_an_io_error_and_keeps_every_promise() {
    let (_folder, log) = log();
    let mut command = Command::new("sh");
    with_environment(&mut command);
    // Ignored, so that the write fails instead of the process.
    let script = "trap '' XFSZ; ulimit -f 2000; exec \"$0\" \"$@\"";
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_hookgate")])
        .args(["serve", "--log", &log])
        .stdout(Stdio::null());
    let mut server = Server::spawn(command);
    let load = Load::start(&server, "load", 8);
    let status = server.wait();
    assert_eq!(status.code(), Some(1), "{}", server.stderr());
    let stderr = server.stderr();
    assert!(
        stderr.contains("can't be written safely any more"),
        "{stderr}"
    );
    drop(server);

    let promises = load.finish();
    assert!(promises.len() > 50, "{}", promises.len());
    let server = Server::start(&log, &[]);
    let next = Delivery::new("evt_next").send(&server);
    let listed = events(&log);
    assert_kept(&promises, &listed);
    assert_no_gaps(&listed);
    let last = u64::try_from(listed.len()).unwrap();
    assert_eq!(next.outcome(), (200, "stored", Some(last)));
}

#[test]
fn answers_503_while_another_program_holds_the_file_and_recovers() {
    let (folder, log) = log();
    let server = Server::start(&log, &[]);
    let other = rusqlite::Connection::open(folder.path().join("log.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = Delivery::new("evt_1").send(&server);
    assert_eq!(answer.outcome(), (503, "unavailable", None));
    assert_eq!(answer.header("retry-after"), Some("5"));
    other.execute_batch("ROLLBACK").unwrap();
    let again = Delivery::new("evt_1").send(&server);
    assert_eq!(again.outcome(), (200, "stored", Some(1)));
}

#[test]
fn shows_nothing_that_is_damaged() {
    let (folder, log) = log();
    let server = Server::start(&log, &[]);
    Delivery::new("evt_1").send(&server);
    drop(server);
    let file = rusqlite::Connection::open(folder.path().join("log.db")).unwrap();
    file.execute_batch("UPDATE event SET payload = CAST(replace(payload, 'xx', 'xy') AS BLOB)")
        .unwrap();
    for form in ["--json", "--payload"] {
        let message = failure(hookgate().args(["event", "evt_1", form, "--log", &log]));
        assert!(
            message.contains("event 1 of the log is damaged"),
            "{message}"
        );
    }
}

/// What a killed process wrote may not be on the disk, and may be confirmed as
/// a duplicate from now on: so it is synced into the main file before that.
#[test]
fn makes_durable_what_a_killed_server_left() {
    let (folder, log) = log();
    let write_ahead = folder.path().join("log.db-wal");
    let server = Server::start(&log, &[]);
    Delivery::new("evt_1").send(&server);
    server.kill_9();
    assert_ne!(fs::metadata(&write_ahead).unwrap().len(), 0);
    let server = Server::start(&log, &[]);
    assert_eq!(fs::metadata(&write_ahead).unwrap().len(), 0);
    let again = Delivery::new("evt_1").send(&server);
    assert_eq!(again.outcome(), (200, "duplicate", Some(1)));
}

/// More than a checkpoint's worth, so that the write-ahead file is used again.
#[test]
fn keeps_the_write_ahead_file_bounded() {
    let (folder, log) = log();
    let server = Server::start(&log, &[]);
    let mut connection = Connection::open(server.address).unwrap();
    for number in 0..60 {
        let id = format!("evt_n{number}");
        let payload = crate::delivery::payload(&id, 1_000_000);
        let answer = connection
            .send(&Delivery::with_payload(&id, payload))
            .unwrap();
        assert_eq!(answer.outcome(), (200, "stored", Some(number + 1)));
    }
    let write_ahead = folder.path().join("log.db-wal");
    until("the file is checkpointed", || {
        let length = fs::metadata(&write_ahead).unwrap().len();
        (length < 20_000_000).then_some(())
    });
}
