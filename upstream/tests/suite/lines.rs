//! Log lines: which event they are about, and what they never hold.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use crate::{
    delivery::{Delivery, payload},
    harness::{SECRET, Server, failure, hookgate},
    receiver::{Reaction, Receiver},
};

/// Stands in a payload and nowhere else.
const MARK: &str = "card_4242424242424242";

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Starts a server that logs everything that any part of it has to say.
fn loquacious(folder: &Path) -> Server {
    let mut command = hookgate();
    command
        .env("RUST_LOG", "trace")
        .args(["serve", "--log-format", "json", "--log"])
        .arg(format!("sqlite:{}", folder.join("log.db").display()));
    Server::spawn(command)
}

fn marked(id: &str) -> Delivery {
    let text = String::from_utf8(payload(id, 10)).unwrap();
    let text = text.replace("xxxxxxxxxx", MARK);
    Delivery::with_payload(id, text.into_bytes())
}

#[test]
fn a_line_about_an_event_names_it_and_its_trace_and_never_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = loquacious(folder.path());
    let genuine = marked("evt_1");
    let signature = genuine.header("stripe-signature").to_owned();
    let deliveries = [
        (200, genuine.clone()),
        (200, genuine),
        (400, marked("evt_2").with("stripe-signature", &signature)),
        (400, marked("evt_3").with("ce-account", "acct_other")),
        (400, marked("evt_4").with("ce-source", "nonsense")),
    ];
    for (status, delivery) in &deliveries {
        assert_eq!(delivery.send(&server).status, *status);
    }
    server.terminate();
    assert!(server.wait().success());

    let stderr = server.stderr();
    let mac = signature.split("v1=").nth(1).unwrap();
    for secret in [MARK, SECRET, mac] {
        assert!(!stderr.contains(secret), "a line has `{secret}`");
    }
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    for line in stderr.lines() {
        let fields: Value = serde_json::from_str(line).unwrap();
        if !line.contains("evt_") {
            continue;
        }
        assert_eq!(fields["trace_id"], TRACE, "{line}");
        let id = fields["event_id"].as_str().unwrap().to_owned();
        *named.entry(id).or_default() += 1;
    }
    let ids: Vec<&str> = named.keys().map(String::as_str).collect();
    assert_eq!(ids, ["evt_1", "evt_2", "evt_3", "evt_4"]);
    assert_eq!(named["evt_1"], 2);
}

/// The macros that write a line.
const MACROS: [&str; 5] = ["trace!(", "debug!(", "info!(", "warn!(", "error!("];

/// Finds the calls of these macros in a source text, from name to last bracket.
fn calls(source: &str) -> Vec<&str> {
    let starts = MACROS.iter().flat_map(|name| source.match_indices(name));
    let calls = starts.map(|(at, _)| &source[at..]);
    calls.map(|call| &call[..=last_bracket(call)]).collect()
}

fn last_bracket(call: &str) -> usize {
    let mut open = 0;
    let closes = |(_, c): &(usize, char)| {
        open += i32::from(*c == '(') - i32::from(*c == ')');
        *c == ')' && open == 0
    };
    call.char_indices().find(closes).unwrap().0
}

fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path.display().to_string(), text));
        }
    }
    found
}

/// Lines that a test can hardly provoke are held by how they are written: one
/// about an event, in the singular, names it.
#[test]
fn every_line_that_speaks_of_an_event_is_written_with_its_id_and_trace() {
    let mut about = 0;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (path, source) in sources(&folder) {
        for call in calls(&source) {
            let speaks = ["an event", "the event ", "event's"].iter();
            if speaks.into_iter().any(|words| call.contains(words)) {
                about += 1;
                // What is damaged has no name to be trusted.
                let names = call.contains("event_id") && call.contains("trace_id")
                    || call.contains("%damage");
                assert!(names, "{path}: {call}");
            }
        }
    }
    assert!(about > 3, "found {about} lines");
}

/// As when the program that collects them has ended, or its disk is full.
#[test]
fn lines_that_nobody_takes_end_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let refusing = Receiver::start(|_, _| Reaction::Status(400));
    let config = folder.path().join("hookgate.toml");
    let destination = format!(
        "[[destinations]]\nname = \"orders\"\nurl = \"{}\"\n",
        refusing.url()
    );
    fs::write(&config, destination).unwrap();
    let log = format!("sqlite:{}", folder.path().join("log.db").display());
    let mut command = hookgate();
    command.env("RUST_LOG", "debug");
    command
        .args(["serve", "--log", &log, "--config"])
        .arg(config);
    let mut server = Server::spawn_unheard(command);
    for number in 0..5 {
        let answer = Delivery::new(&format!("evt_n{number}")).send(&server);
        assert_eq!(answer.outcome().1, "stored");
    }
    // Each of them is a line too.
    refusing.until_got(5);
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    // A command that fails says so by its exit code, whoever listens.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = hookgate();
    command
        .args(["event", "evt_9", "--log", &log])
        .stderr(writer);
    assert_eq!(command.status().unwrap().code(), Some(1));
}

#[test]
fn a_filter_of_lines_that_can_not_be_meant_is_refused() {
    let mut command = hookgate();
    command.args(["serve", "--log", "sqlite:unused.db"]);
    let message = failure(command.env("RUST_LOG", "hookgate=loud"));
    assert!(message.starts_with("hookgate: RUST_LOG: "), "{message}");
    assert!(
        message.contains("expected such as `hookgate=debug`"),
        "{message}"
    );
}
