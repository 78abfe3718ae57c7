//! The commands for people: send, events, event.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener},
    process::{Command, Stdio},
    thread::{self, JoinHandle},
};

use hookgate_core::{
    event::Event,
    secret::SigningSecret,
    signature::{SignatureError, Tolerance, verify},
};
use serde_json::Value;

use crate::{
    delivery::{Delivery, seconds_from_now},
    harness::{CONNECT_SECRET, SECRET, Server, failure, hookgate, output},
};

/// Takes one request and gives one answer.
pub(crate) fn gate(answer: &'static str) -> (String, JoinHandle<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let request = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 65_536];
        let (head, payload) = loop {
            let count = stream.read(&mut buffer).unwrap();
            assert_ne!(count, 0, "the request ended early");
            request.extend(&buffer[..count]);
            let Some(end) = request.windows(4).position(|w| w == b"\r\n\r\n") else {
                continue;
            };
            let head = String::from_utf8(request[..end].to_vec()).unwrap();
            let payload = request[end + 4..].to_vec();
            if payload.len() == header(&head, "content-length").parse::<usize>().unwrap() {
                break (head, payload);
            }
        };
        stream.write_all(answer.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        (head, payload)
    });
    (url, request)
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(header, _)| header.eq_ignore_ascii_case(name));
    found.unwrap().1
}

fn verified(head: &str, payload: &[u8], secret: &str) -> Result<(), SignatureError> {
    let secrets = [SigningSecret::new("test", secret.as_bytes()).unwrap()];
    let signature = header(head, "stripe-signature").as_bytes();
    let now = seconds_from_now(0);
    verify(signature, payload, &secrets, now, Tolerance::default()).map(|_| ())
}

pub(crate) const STORED: &str =
    "HTTP/1.1 200 OK\r\ncontent-length: 32\r\n\r\n{\"status\":\"stored\",\"sequence\":7}\n";
const STALE: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 53\r\n\r\n{\"status\":400,\"code\":\"timestamp_out_of_tolerance\"}   ";

#[test]
fn sends_the_sample_signed_and_under_a_fresh_id() {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (url, request) = gate(STORED);
        let answer = output(hookgate().args(["send", &url, "--json"]));
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let (head, payload) = request.join().unwrap();
        assert_eq!(verified(&head, &payload, SECRET), Ok(()));
        let event = Event::from_payload(&payload).unwrap();
        assert_eq!(answer["http_status"], 200);
        assert_eq!(answer["code"], "stored");
        assert_eq!(answer["sequence"], 7);
        assert_eq!(answer["event_id"], event.id);
        assert!(answer["latency_ms"].as_f64().unwrap() > 0.0);
        ids.push(event.id);
    }
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn sends_the_sample_under_the_id_that_is_asked_for() {
    for (option, id) in [
        (&["--id", "evt_mine"][..], "evt_mine"),
        (&["--keep-id"], "evt_1HookgateSample0000000001"),
    ] {
        let (url, request) = gate(STORED);
        let line = output(hookgate().args(["send", &url]).args(option));
        let line = String::from_utf8(line).unwrap();
        assert!(
            line.starts_with(&format!("200 stored  {id}  sequence 7  ")),
            "{line}"
        );
        let (_, payload) = request.join().unwrap();
        assert_eq!(Event::from_payload(&payload).unwrap().id, id);
    }
}

#[test]
fn sends_a_file_as_it_is_or_under_another_id() {
    let original = b" {\"id\" : \"evt_file\", \"object\":\"event\", \"type\":\"a.b\"}\r\n".to_vec();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("event.json");
    std::fs::write(&path, &original).unwrap();

    let (url, request) = gate(STORED);
    output(hookgate().args(["send", &url, "--file"]).arg(&path));
    assert_eq!(request.join().unwrap().1, original);

    let (url, request) = gate(STORED);
    let mut command = hookgate();
    command.args(["send", &url, "--file", "-", "--id", "evt_2"]);
    let stdin = std::fs::File::open(&path).unwrap();
    output(command.stdin(Stdio::from(stdin)));
    let expected = b" {\"id\" : \"evt_2\", \"object\":\"event\", \"type\":\"a.b\"}\r\n";
    assert_eq!(request.join().unwrap().1, expected);
}

#[test]
fn signs_with_the_secret_of_the_endpoint() {
    let (url, request) = gate(STORED);
    output(hookgate().args(["send", &format!("{url}/webhooks/stripe/connect")]));
    let (head, payload) = request.join().unwrap();
    assert_eq!(verified(&head, &payload, CONNECT_SECRET), Ok(()));

    let (url, request) = gate(STORED);
    let mut command = hookgate();
    command.args(["send", &url, "--secret-env", "MINE"]);
    output(command.env("MINE", "whsec_mine"));
    let (head, payload) = request.join().unwrap();
    assert_eq!(verified(&head, &payload, "whsec_mine"), Ok(()));
}

#[test]
fn fails_for_anything_but_2xx_and_says_what_came() {
    let (url, request) = gate(STALE);
    let result = hookgate()
        .args(["send", &url, "--age", "10m", "--json"])
        .output()
        .unwrap();
    assert_eq!(result.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&result.stdout).unwrap();
    assert_eq!(answer["http_status"], 400);
    assert_eq!(answer["code"], "timestamp_out_of_tolerance");
    assert_eq!(answer["sequence"], Value::Null);
    let (head, payload) = request.join().unwrap();
    let outcome = verified(&head, &payload, SECRET);
    assert_eq!(outcome, Err(SignatureError::OutOfTolerance));
}

#[test]
fn sends_to_this_machine_past_any_proxy() {
    let (url, request) = gate(STORED);
    let mut command = hookgate();
    command.env("http_proxy", "http://127.0.0.1:9");
    output(command.args(["send", &url]));
    request.join().unwrap();
}

#[test]
fn says_what_it_lacks_to_send() {
    let mut command = hookgate();
    command.args(["send", "http://127.0.0.1:9/"]);
    let message = failure(command.env_remove("STRIPE_WEBHOOK_SECRET"));
    assert!(message.contains("`STRIPE_WEBHOOK_SECRET`"), "{message}");
    let message = failure(hookgate().args(["send", "http://127.0.0.1:9/"]));
    assert!(
        message.contains("no answer from http://127.0.0.1:9/"),
        "{message}"
    );
    assert!(message.contains("Does anything listen there"), "{message}");
    let message = failure(hookgate().args(["send", "https://127.0.0.1:9/"]));
    assert!(message.contains("--ca FILE"), "{message}");
    let message = failure(hookgate().args(["send", "http://127.0.0.1:9/", "--file", "/nowhere"]));
    assert!(message.contains("can't read `/nowhere`"), "{message}");
    for url in [
        "127.0.0.1:10000",
        "localhost",
        "ftp://127.0.0.1/",
        "http://",
        "",
    ] {
        let message = failure(hookgate().args(["send", url]));
        assert!(
            message.contains("expected one such as `http://"),
            "{message}"
        );
    }
}

#[test]
fn shows_events_as_a_table_and_by_filter() {
    let folder = tempfile::tempdir().unwrap();
    let log = format!("sqlite:{}", folder.path().join("log.db").display());
    let server = Server::start(&log, &[]);
    for id in ["evt_1", "evt_2", "evt_3"] {
        Delivery::new(id).send(&server);
    }
    let connect = Delivery::new("evt_1").of_source("stripe-connect", CONNECT_SECRET);
    connect.send(&server);

    let list = |options: &[&str]| {
        let mut command = hookgate();
        let text = output(command.args(["events", "--log", &log]).args(options));
        String::from_utf8(text).unwrap()
    };
    let ids = |options: &[&str]| -> Vec<u64> {
        let lines = list(&[options, &["--json"]].concat());
        let line = |line| serde_json::from_str::<Value>(line).unwrap()["sequence"].as_u64();
        lines.lines().map(|text| line(text).unwrap()).collect()
    };
    assert_eq!(ids(&[]), [1, 2, 3, 4]);
    assert_eq!(ids(&["--limit", "2"]), [3, 4]);
    assert_eq!(ids(&["--source", "stripe", "--limit", "2"]), [2, 3]);
    assert_eq!(ids(&["--type", "invoice.*", "--limit", "3"]), [2, 3, 4]);
    assert_eq!(ids(&["--type", "*.paid"]), [1, 2, 3, 4]);
    assert_eq!(ids(&["--type", "invoice.pai"]), [0; 0]);
    assert_eq!(ids(&["--type", "a.b"]), [0; 0]);
    assert_eq!(
        list(&["--type", "a.b"]),
        "The log has no events of this kind yet.\n"
    );
    let table = list(&[]);
    assert!(
        table.contains("evt_2") && table.contains("acct_1"),
        "{table}"
    );

    let show = |options: &[&str]| {
        let mut command = hookgate();
        command
            .args(["event", "evt_1", "--log", &log])
            .args(options);
        command
    };
    let both = String::from_utf8(output(&mut show(&["--json"]))).unwrap();
    assert_eq!(both.lines().count(), 2);
    let message = failure(&mut show(&["--payload"]));
    assert!(
        message.contains("(stripe, stripe-connect): choose one with --source"),
        "{message}"
    );
    let payload = output(&mut show(&["--payload", "--source", "stripe-connect"]));
    assert_eq!(payload, connect.payload);
    let text = String::from_utf8(output(&mut show(&[]))).unwrap();
    assert!(text.contains("0af7651916cd43dd8448eb211c80319c"), "{text}");
    // What there is is shown all the same.
    let mut several = hookgate();
    several.args(["event", "evt_9", "evt_2", "evt_8", "--json", "--log", &log]);
    let shown = several.output().unwrap();
    assert_eq!(shown.status.code(), Some(1));
    let lines = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(lines.contains("evt_2"), "{lines}");
    let message = String::from_utf8(shown.stderr).unwrap();
    assert!(
        message.contains("the log has no event `evt_9`, `evt_8`"),
        "{message}"
    );
}

#[test]
fn repeats_no_argument_that_may_hold_a_secret() {
    let quiet = |command: &mut Command, hidden: &str, expected: &str| {
        let message = failure(command);
        assert!(!message.contains(hidden), "{message}");
        assert!(message.contains(expected), "{message}");
    };
    for secret in [
        "stripe=whsec_TOPSECRET",
        "stripe=TOPSECRETwithoutprefix",
        "whsec_TOPSECRET",
        "stripe:TOPSECRET",
        "TOPSECRET=STRIPE_WEBHOOK_SECRET",
    ] {
        let mut command = hookgate();
        command.args(["serve", "--log", "sqlite:unused.db", "--secret", secret]);
        quiet(&mut command, "TOPSECRET", "--secret: ");
    }
    for variable in ["whsec_TOPSECRET", "TOPSECRETwithoutprefix", "TOPSECRET="] {
        let mut command = hookgate();
        command.args(["send", "http://127.0.0.1:9/", "--secret-env", variable]);
        quiet(&mut command, "TOPSECRET", "--secret-env: ");
    }
    for log in [
        "nats://gate:hunter2@nats:port",
        "nat://gate:hunter2@127.0.0.1",
        "gate:hunter2@127.0.0.1:4222",
    ] {
        for command in [&["serve"][..], &["events"], &["event", "evt_1"]] {
            let mut argument = hookgate();
            argument.args(command).args(["--log", log]);
            quiet(&mut argument, "hunter2", "--log (or HOOKGATE_LOG): ");
            let mut variable = hookgate();
            variable.args(command).env("HOOKGATE_LOG", log);
            quiet(&mut variable, "hunter2", "--log (or HOOKGATE_LOG): ");
        }
    }
}

on_both_logs! {
    says_that_nothing_is_parked_where_nothing_was_delivered
}

fn says_that_nothing_is_parked_where_nothing_was_delivered(log: &str) {
    let message = failure(hookgate().args(["review", "list", "--log", log]));
    assert!(message.contains("hookgate serve --log"), "{message}");
    let _server = Server::start(log, &[]);
    let parked = |options: &[&str]| {
        let mut command = hookgate();
        output(command.args(["review", "list", "--log", log]).args(options))
    };
    assert_eq!(parked(&[]), b"Nothing is parked.\n");
    assert_eq!(parked(&["--json"]), b"");
    let filtered = parked(&["--destination", "orders"]);
    assert_eq!(filtered, b"Nothing of this kind is parked.\n");
}

/// What would choose nothing at all is a mistake, and told as one.
#[test]
fn refuses_arguments_that_no_event_can_match() {
    for arguments in [
        &["tail", "--account", ""][..],
        &["tail", "--account", "acct 1"],
        &["tail", "--from", "0"],
        &["tail", "--from", "yesterday"],
        &["events", "--type", "invoice paid"],
        &["events", "--source", "Stripe"],
        &["events", "--limit", "0"],
        &["review", "list", "--destination", "Orders"],
        &["review", "list", "--parked-for", "tired"],
        &["export", "--from", "yesterday"],
        &["send", "http://127.0.0.1:9/", "--header", "a b=c"],
        &["send", "http://127.0.0.1:9/", "--header", "a=b\nc: d"],
    ] {
        let result = hookgate().args(arguments).output().unwrap();
        assert_eq!(result.status.code(), Some(2), "{arguments:?}");
        let message = String::from_utf8(result.stderr).unwrap();
        assert!(message.starts_with("error: invalid value"), "{message}");
    }
}

#[test]
fn names_a_variable_that_is_missing() {
    let mut command = hookgate();
    command.args(["send", "http://127.0.0.1:9/", "--secret-env", "NOT_SET"]);
    let message = failure(&mut command);
    assert!(message.contains("`NOT_SET`"), "{message}");
}
