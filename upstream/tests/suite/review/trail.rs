//! The audit trail isn't changed, and if it was everybody sees it.

use std::{fs, time::Duration};

use super::{Scene, audit, decide, schedule};
use crate::{
    contract::{Backend as _, Sqlite},
    delivery::Delivery,
    harness::{Server, failure, hookgate},
};

fn open(log: &str) -> rusqlite::Connection {
    let state = rusqlite::Connection::open(schedule(log)).unwrap();
    state.busy_timeout(Duration::from_secs(5)).unwrap();
    state
}

fn complaint(log: &str, options: &[&str]) -> String {
    failure(hookgate().args(["audit", "--log", log]).args(options))
}

#[test]
fn no_statement_changes_or_removes_a_record() {
    let backend = Sqlite::new();
    let scene = Scene::start(&backend.address(), 3);
    scene.decide("ada", &["review", "discard", "--all"]);
    let state = open(scene.log());
    for sql in [
        "UPDATE audit SET name = 'ben' WHERE number = 1",
        "DELETE FROM audit WHERE number = 3",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE number = 1",
        "REPLACE INTO audit SELECT number, log, at, batch, action, 'ben', reason, destination,
             target, sequence, source, id, hash FROM audit WHERE number = 3",
        "INSERT INTO audit SELECT number + 7, log, at, 'b', action, name, reason, destination,
             target, sequence, source, id, hash FROM audit WHERE number = 3",
    ] {
        let refused = state.execute_batch(sql).unwrap_err().to_string();
        assert!(refused.contains("the audit trail"), "{sql}: {refused}");
    }
    let trail = audit(scene.log());
    assert_eq!(trail.len(), 3);
    assert!(trail.iter().all(|record| record["by"] == "ada"));
}

#[test]
fn what_was_done_to_the_trail_is_found() {
    for (tampering, says) in [
        (
            "UPDATE audit SET name = 'ben' WHERE number = 2",
            "record 2 is not what was written",
        ),
        (
            "UPDATE audit SET action = 'nothing' WHERE number = 2",
            "record 2 is not what was written",
        ),
        ("DELETE FROM audit WHERE number = 2", "record 2 is missing"),
        ("DELETE FROM audit WHERE number = 1", "record 1 is missing"),
    ] {
        let backend = Sqlite::new();
        let scene = Scene::start(&backend.address(), 3);
        scene.decide("ada", &["review", "discard", "--all"]);
        let state = open(scene.log());
        let guards: Vec<String> = state
            .prepare("SELECT name || '|' || sql FROM sqlite_schema WHERE type = 'trigger'")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        for guard in &guards {
            let (name, _) = guard.split_once('|').unwrap();
            state
                .execute_batch(&format!("DROP TRIGGER {name}"))
                .unwrap();
        }
        let message = complaint(scene.log(), &[]);
        assert!(message.contains("was removed"), "{message}");
        state.execute_batch(tampering).unwrap();
        for guard in &guards {
            let (_, sql) = guard.split_once('|').unwrap();
            state.execute_batch(sql).unwrap();
        }
        let message = complaint(scene.log(), &[]);
        assert!(message.contains(says), "{tampering}: {message}");
    }
}

#[test]
fn a_trail_that_was_cut_short_is_found_beside_a_noted_link() {
    let backend = Sqlite::new();
    let scene = Scene::start(&backend.address(), 3);
    scene.decide("ada", &["review", "discard", "--all"]);
    let noted = audit(scene.log())[2]["link"].as_str().unwrap().to_owned();
    let state = open(scene.log());
    let guard: String = state
        .query_row(
            "SELECT sql FROM sqlite_schema WHERE name = 'audit_delete'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    state
        .execute_batch("DROP TRIGGER audit_delete; DELETE FROM audit WHERE number = 3;")
        .unwrap();
    state.execute_batch(&guard).unwrap();
    // By itself nothing shows.
    assert_eq!(audit(scene.log()).len(), 2);
    let message = complaint(scene.log(), &["--noted", &noted]);
    assert!(message.contains("cut short or written anew"), "{message}");
}

/// Sequences mean other events there.
#[test]
fn what_was_parked_of_another_log_is_not_decided_about() {
    let backend = Sqlite::new();
    let Scene {
        place,
        server,
        orders: _orders,
    } = Scene::start(&backend.address(), 2);
    let discard = ["review", "discard", "evt_n00000"];
    assert_eq!(decide(&place.log, "ada", &discard).code, 0);
    server.stop();
    let other = Sqlite::new();
    let server = Server::start(&other.address(), &[]);
    assert_eq!(
        Delivery::new("evt_other").send(&server).outcome().1,
        "stored"
    );
    server.stop();
    let file = |log: &str| log.strip_prefix("sqlite:").unwrap().to_owned();
    fs::rename(file(&other.address()), file(&place.log)).unwrap();
    let refused = decide(&place.log, "ada", &["review", "approve", "--all"]);
    assert!(
        refused.stderr.contains("of another log"),
        "{}",
        refused.stderr
    );
    // Only the trail goes on.
    let _server = place.start();
    assert_eq!(audit(&place.log).len(), 1);
    let again = decide(&place.log, "ada", &["review", "approve", "--all"]);
    assert_eq!((again.code, again.lines.len()), (0, 0));
}
