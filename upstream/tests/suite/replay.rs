//! `hookgate watch replay`: what the detectors say of a history.

use std::fs;

use serde_json::Value;

use crate::{
    delivery::{Delivery, seconds_from_now},
    harness::{SECRET, Server, failure, hookgate, output},
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

/// Nine days with an event every ten minutes, and then none for half a day.
#[test]
fn the_silence_of_a_log_is_said_with_its_figures() {
    let folder = tempfile::tempdir().unwrap();
    let log = format!("sqlite:{}", folder.path().join("log.db").display());
    let server = Server::start(&log, &[]);
    let until = 9 * 144;
    for number in 0..=until {
        let before = (until - number) * 600 + if number < until { 43_200 } else { 0 };
        let then = seconds_from_now(-before);
        let delivery = Delivery::new(&format!("evt_{number}")).signed(SECRET, then, then);
        assert_eq!(delivery.send(&server).status, 200);
    }
    server.stop();
    let drawing = folder.path().join("log.svg");
    let drawn = drawing.to_str().unwrap();
    let said = lines(&replay(&[
        "--log",
        &log,
        "--json",
        "--svg",
        drawn,
        "--forecast",
    ]));
    let silent = said.iter().find(|line| line["cause"] == "all_silent");
    let evidence = silent.unwrap()["evidence"].as_str().unwrap();
    assert!(evidence.ends_with("against 0.0017/s usual"), "{evidence}");
    let hours = said
        .iter()
        .filter(|line| line["forecast"] == "invoice.paid");
    assert_eq!(hours.count(), 24);
    let svg = fs::read_to_string(drawing).unwrap();
    assert!(svg.contains("all_silent (all): nothing for "), "{svg}");
    assert!(replay(&["--log", &log]).contains("all_silent"));
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
