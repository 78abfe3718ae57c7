//! What is remembered beside the log, when the log is another one.

use std::{fs, path::PathBuf};

use super::{Place, append, destination, ids, parked};
use crate::{
    contract::{Backend as _, Sqlite},
    delivery::Delivery,
    harness::{Server, failure, hookgate, output, refusal, until},
    receiver::{Got, Reaction, Receiver},
};

/// The file of a log `sqlite:…`, or one beside it.
fn file(log: &str, ending: &str) -> PathBuf {
    format!("{}{ending}", log.strip_prefix("sqlite:").unwrap()).into()
}

fn stop(mut server: Server) {
    server.terminate();
    assert!(server.wait().success());
}

fn store(server: &Server, id: &str) -> Option<u64> {
    let answer = Delivery::new(id).send(server);
    assert_eq!(answer.outcome().1, "stored", "{id}");
    answer.outcome().2
}

/// Starts a server and lets it deliver three events to `orders`.
fn delivered_three(log: &str, receiver: &Receiver) -> (Place, Server) {
    let place = Place::new(log, &destination("orders", &receiver.url(), ""));
    let server = place.start();
    append(&server, 3);
    receiver.until_got(3);
    (place, server)
}

/// Whoever copies the file of a stopped log has the log.
#[test]
fn a_server_that_was_stopped_leaves_one_file_of_the_log() {
    let backend = Sqlite::new();
    let log = backend.address();
    let receiver = Receiver::start(|_, _| Reaction::Status(200));
    let (_place, server) = delivered_three(&log, &receiver);
    stop(server);
    for ending in ["-wal", "-shm", ".deliveries-wal", ".deliveries-shm"] {
        assert!(!file(&log, ending).exists(), "{ending}");
    }
}

#[test]
fn a_lost_state_is_made_anew_from_the_log() {
    let backend = Sqlite::new();
    let log = backend.address();
    let receiver = Receiver::start(|_, _| Reaction::Status(200));
    let more = "from = \"beginning\"\nconcurrency = 1";
    let place = Place::new(&log, &destination("orders", &receiver.url(), more));
    let server = place.start();
    append(&server, 3);
    receiver.until_got(3);
    stop(server);
    fs::remove_file(file(&log, ".deliveries")).unwrap();
    let _server = place.start();
    let got = receiver.until_got(6);
    // Again, and a consumer that knows the first ones knows these.
    let known = |got: &[Got]| -> Vec<String> {
        let id = |got: &Got| got.headers["webhook-id"].clone();
        got.iter().map(id).collect()
    };
    assert_eq!(known(&got[..3]), known(&got[3..]));
}

#[test]
fn deliveries_go_on_where_a_restored_log_ends() {
    let backend = Sqlite::new();
    let log = backend.address();
    let receiver = Receiver::start(|got, _| match got.id() {
        "evt_refused" => Reaction::Status(400),
        _ => Reaction::Status(200),
    });
    let (place, server) = delivered_three(&log, &receiver);
    let copy = place.folder.path().join("copy.db");
    output(hookgate().args(["backup", "--log", &log]).arg(&copy));
    store(&server, "evt_lost");
    assert_eq!(store(&server, "evt_refused"), Some(5));
    until("one is parked", || parked(&place).pop());
    receiver.until_got(5);
    stop(server);

    fs::rename(&copy, file(&log, "")).unwrap();
    let server = place.start();
    assert!(
        server
            .stderr()
            .contains("the log is not what was delivered of it"),
        "{}",
        server.stderr()
    );
    // They get the sequences of those that are lost.
    store(&server, "evt_again");
    assert_eq!(store(&server, "evt_more"), Some(5));
    let got = receiver.until_got(7);
    let mut new = ids(&got[5..]);
    new.sort_unstable();
    assert_eq!(new, ["evt_again", "evt_more"]);
    assert_eq!(parked(&place), Vec::<serde_json::Value>::new());
}

#[test]
fn a_restored_log_that_grew_without_its_deliveries_is_delivered_from_there() {
    let backend = Sqlite::new();
    let log = backend.address();
    let receiver = Receiver::start(|_, _| Reaction::Status(200));
    let (place, server) = delivered_three(&log, &receiver);
    let copy = place.folder.path().join("copy.db");
    output(hookgate().args(["backup", "--log", &log]).arg(&copy));
    store(&server, "evt_lost_1");
    store(&server, "evt_lost_2");
    receiver.until_got(5);
    stop(server);

    fs::rename(&copy, file(&log, "")).unwrap();
    // Nobody delivers from this one, and it goes beyond what was delivered.
    let server = Server::start(&log, &[]);
    let imported = ["evt_new_1", "evt_new_2", "evt_new_3"];
    for id in imported {
        store(&server, id);
    }
    stop(server);
    let server = place.start();
    assert!(
        server.stderr().contains("position=5 agreed=3"),
        "{}",
        server.stderr()
    );
    let got = receiver.until_got(8);
    let mut new = ids(&got[5..]);
    new.sort_unstable();
    assert_eq!(new, imported);
    stop(server);
    // What agrees again is left alone.
    let server = place.start();
    assert!(!server.stderr().contains("agreed="), "{}", server.stderr());
    store(&server, "evt_last");
    let got = receiver.until_got(9);
    assert_eq!(got[8].id(), "evt_last");
}

#[test]
fn the_deliveries_of_another_log_say_nothing_of_this_one() {
    let backend = Sqlite::new();
    let log = backend.address();
    let receiver = Receiver::start(|_, _| Reaction::Status(200));
    let more = "from = \"beginning\"";
    let place = Place::new(&log, &destination("orders", &receiver.url(), more));
    let server = place.start();
    append(&server, 3);
    receiver.until_got(3);
    stop(server);

    // Another one takes its name, longer than what was delivered.
    let other = Sqlite::new();
    let server = Server::start(&other.address(), &[]);
    for number in 0..6 {
        store(&server, &format!("evt_other_{number}"));
    }
    stop(server);
    fs::rename(file(&other.address(), ""), file(&log, "")).unwrap();
    let server = place.start();
    assert!(
        server.stderr().contains("of another log"),
        "{}",
        server.stderr()
    );
    let got = receiver.until_got(9);
    let mut new = ids(&got[3..]);
    new.sort_unstable();
    let expected: Vec<String> = (0..6).map(|number| format!("evt_other_{number}")).collect();
    assert_eq!(new, expected);
}

#[test]
fn earlier_layouts_are_upgraded_and_a_later_one_is_refused() {
    let backend = Sqlite::new();
    let log = backend.address();
    let receiver = Receiver::start(|_, _| Reaction::Status(200));
    let place = Place::new(&log, &destination("orders", &receiver.url(), ""));
    let server = place.start();
    append(&server, 2);
    receiver.until_got(2);
    stop(server);
    let change = |sql: &str| {
        let state = rusqlite::Connection::open(file(&log, ".deliveries")).unwrap();
        state.execute_batch(sql).unwrap();
    };
    let without_review = "ALTER TABLE destination DROP COLUMN active;
        ALTER TABLE destination DROP COLUMN ordered; ALTER TABLE job DROP COLUMN spent;
        DROP TABLE review; DROP TABLE audit;";
    for (earlier, got) in [
        ("PRAGMA user_version = 3", 2),
        ("DROP TABLE mark; PRAGMA user_version = 2", 3),
        (
            "DROP TABLE mark; DROP TABLE log; PRAGMA user_version = 1",
            4,
        ),
    ] {
        change(&format!("{without_review} {earlier}"));
        // Commands leave that to the server.
        let message = failure(hookgate().args(["audit", "--log", &log]));
        assert!(message.contains("of an earlier version"), "{message}");
        assert_eq!(parked(&place), Vec::<serde_json::Value>::new());
        let server = place.start();
        let next = format!("evt_next_{got}");
        store(&server, &next);
        assert_eq!(receiver.until_got(got + 1)[got].id(), next);
        stop(server);
    }

    change("PRAGMA user_version = 9");
    let config = place.folder.path().join("hookgate.toml");
    let message = refusal(&log, &["--config", config.to_str().unwrap()]);
    assert!(
        message.contains("move it away (destinations then start again from the log)"),
        "{message}"
    );
}

#[test]
fn a_damaged_event_is_parked_and_listed() {
    let backend = Sqlite::new();
    let log = backend.address();
    let receiver = Receiver::start(|_, _| Reaction::Status(200));
    let place = Place::new(&log, "");
    let server = place.start();
    append(&server, 3);
    stop(server);
    let tampered = rusqlite::Connection::open(file(&log, "")).unwrap();
    let sql = "UPDATE event SET payload = x'7b7d' WHERE sequence = 2";
    tampered.execute_batch(sql).unwrap();
    drop(tampered);
    let more = "from = \"beginning\"";
    place.configure(&destination("orders", &receiver.url(), more));
    let _server = place.start();
    let listed = until("it is parked", || parked(&place).pop());
    assert_eq!(listed["reason"], "damaged");
    assert_eq!(listed["sequence"], 2);
    let got = receiver.until_got(2);
    let mut got = ids(&got);
    got.sort_unstable();
    assert_eq!(got, ["evt_n00000", "evt_n00002"]);
    let mut command = hookgate();
    command.args([
        "review",
        "list",
        "--log",
        &log,
        "--parked-for",
        "damaged",
        "--json",
    ]);
    assert_eq!(
        String::from_utf8(output(&mut command))
            .unwrap()
            .lines()
            .count(),
        1
    );
}
