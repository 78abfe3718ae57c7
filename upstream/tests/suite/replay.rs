//! `hookgate watch replay`: what the detectors say of a history.

use std::fs;

use serde_json::Value;

use crate::{
    delivery::Delivery,
    harness::{Server, failure, hookgate, output},
};

fn replay(arguments: &[&str]) -> String {
    let mut command = hookgate();
    command.args(["watch", "replay"]).args(arguments);
    String::from_utf8(output(&mut command)).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

on_both_logs! {
    a_young_log_is_drawn_and_nothing_is_said_of_it
}

fn a_young_log_is_drawn_and_nothing_is_said_of_it(log: &str) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(log, &[]);
    let none = "There is no history to replay yet.\n";
    assert_eq!(replay(&["--log", log]), none);
    for number in 1..=3 {
        let delivery = Delivery::new(&format!("evt_{number}"));
        assert_eq!(delivery.send(&server).status, 200);
    }
    let drawing = folder.path().join("log.svg");
    let drawn = drawing.to_str().unwrap();
    let said = replay(&["--log", log, "--svg", drawn, "--forecast"]);
    let expected = "Nothing would have been said.\n\
        No forecast: it needs a week of counts, at least one in half an hour.\n";
    assert_eq!(said, expected);
    assert_eq!(replay(&["--log", log, "--json"]), "");
    assert!(fs::read_to_string(drawing).unwrap().contains("<polyline"));
}

#[test]
fn a_file_of_numbers_is_replayed_and_a_wrong_line_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("numbers.csv");
    let name = file.to_str().unwrap();
    let row = |at: u64| {
        let value = if at == 1_500 {
            90.0
        } else {
            0.5 + (at % 7) as f64 / 10.0
        };
        format!("{},{value}\n", 1_760_000_000 + at * 300)
    };
    let rows: String = (0..1_600).map(row).collect();
    fs::write(&file, format!("timestamp,value\n{rows}")).unwrap();
    let said = lines(&replay(&[name, "--json"]));
    assert_eq!(said[0]["cause"], "unusual");
    assert_eq!(said[0]["at"], "2025-10-14T13:53:20Z");
    fs::write(&file, "timestamp,value\n1760000000,1\n1760000300,many\n").unwrap();
    let message = failure(hookgate().args(["watch", "replay", name]));
    let expected = "line 3: expected `timestamp,value`, such as `2026-11-24T00:00:00Z,12`";
    assert!(message.contains(expected), "{message}");
}
