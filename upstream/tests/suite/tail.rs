//! `hookgate tail`: what the log takes, while it takes it.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, ExitStatus, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    contract::{Backend, Sqlite},
    delivery::Delivery,
    harness::{CONNECT_SECRET, PATIENCE, Server, events, failure, hookgate, until},
    nats_server::Nats,
    rabbit_server::RabbitLog,
};

macro_rules! on_every_log_that_is_read {
    ($($name:ident)+) => {
        mod on_sqlite { $(#[test] fn $name() {
            let backend = <super::Sqlite as super::Backend>::new();
            super::$name(&super::Backend::address(&backend));
        })+ }
        mod on_nats { $(#[test] fn $name() {
            let backend = <super::Nats as super::Backend>::new();
            super::$name(&super::Backend::address(&backend));
        })+ }
        #[cfg(feature = "kafka")]
        mod on_kafka { $(#[test] fn $name() {
            let backend = <crate::tansu::Tansu as super::Backend>::new();
            super::$name(&super::Backend::address(&backend));
        })+ }
        mod on_rabbit { $(#[test] fn $name() {
            let backend = <super::RabbitLog as super::Backend>::new();
            super::$name(&super::Backend::address(&backend));
        })+ }
    };
}

on_every_log_that_is_read! {
    shows_each_event_as_it_is_stored
    begins_where_it_is_asked_to
    shows_what_its_filters_choose
    ends_well_when_it_is_interrupted
    ends_well_when_nobody_reads_any_more
}

/// A running `hookgate tail`; killed when dropped.
struct Tail {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: Option<JoinHandle<String>>,
}

impl Tail {
    /// Starts one, and waits until it follows the log.
    fn start(log: &str, options: &[&str]) -> Self {
        let mut command = hookgate();
        command.args(["tail", "--log", log]).args(options);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        stderr.read_line(&mut said).unwrap();
        assert!(said.contains(&format!("following {log}")), "{said}");
        let stderr = thread::spawn(move || std::io::read_to_string(stderr).unwrap());
        let stdout = child.stdout.take().map(BufReader::new);
        Self {
            child,
            stdout,
            stderr: Some(stderr),
        }
    }

    /// Reads so many lines, or fails after a while.
    fn lines(&mut self, count: usize) -> Vec<String> {
        let mut stdout = self.stdout.take().unwrap();
        let (sender, receiver) = mpsc::channel();
        let reader = thread::spawn(move || {
            for _ in 0..count {
                let mut line = String::new();
                stdout.read_line(&mut line).unwrap();
                // The end is no line.
                if line.is_empty() {
                    break;
                }
                sender.send(line).unwrap();
            }
            stdout
        });
        let read: Result<Vec<String>, _> = (0..count)
            .map(|_| receiver.recv_timeout(PATIENCE))
            .collect();
        let Ok(lines) = read else {
            let _ = self.child.kill();
            panic!("not as many lines as there are events: {}", self.said());
        };
        self.stdout = Some(reader.join().unwrap());
        lines
    }

    /// Reads so many lines of `--json`; returns their event IDs.
    fn ids(&mut self, count: usize) -> Vec<String> {
        let event = |line: String| serde_json::from_str::<Value>(&line).unwrap();
        let lines = self.lines(count).into_iter().map(event);
        lines
            .map(|event| event["id"].as_str().unwrap().to_owned())
            .collect()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// What it has said on stderr, once it has ended.
    fn said(&mut self) -> String {
        self.stderr.take().unwrap().join().unwrap()
    }

    fn wait(&mut self) -> ExitStatus {
        until("the tail ends", || self.child.try_wait().unwrap())
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn store(server: &Server, ids: &[&str]) {
    for id in ids {
        assert_eq!(Delivery::new(id).send(server).outcome().1, "stored", "{id}");
    }
}

fn shows_each_event_as_it_is_stored(log: &str) {
    let server = Server::start(log, &[]);
    store(&server, &["evt_before"]);
    let mut tail = Tail::start(log, &[]);
    let mut json = Tail::start(log, &["--json"]);
    let mut waits = Vec::new();
    for number in 0..5 {
        let start = Instant::now();
        store(&server, &[&format!("evt_n{number}")]);
        let line = tail.lines(1).remove(0);
        waits.push(start.elapsed());
        let fields: Vec<&str> = line.split_whitespace().collect();
        let sequence = (number + 2).to_string();
        assert_eq!(fields[0], sequence, "{line}");
        assert_eq!(
            fields[2..],
            [
                "stripe",
                &format!("evt_n{number}"),
                "invoice.paid",
                "acct_1"
            ],
            "{line}"
        );
    }
    // Of five, because the machine may have other things to do.
    assert!(
        waits.iter().min() < Some(&Duration::from_secs(1)),
        "{waits:?}"
    );
    // The same as `events` shows, and what came before it is not of it.
    let shown: Vec<Value> = json
        .lines(5)
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(shown, events(log)[1..]);
}

fn begins_where_it_is_asked_to(log: &str) {
    let server = Server::start(log, &[]);
    store(&server, &["evt_1", "evt_2"]);
    // Times are shown in milliseconds: the third has one of its own.
    thread::sleep(Duration::from_millis(5));
    store(&server, &["evt_3"]);
    store(&server, &["evt_4"]);
    let third = events(log)[2]["storedat"].as_str().unwrap().to_owned();
    let mut tails = [
        ("beginning", &["evt_1", "evt_2", "evt_3", "evt_4"][..]),
        ("2", &["evt_2", "evt_3", "evt_4"]),
        (&third, &["evt_3", "evt_4"]),
        ("4", &["evt_4"]),
        ("now", &[]),
        ("2100-01-01T00:00:00Z", &[]),
    ]
    .map(|(from, expected)| {
        let tail = Tail::start(log, &["--from", from, "--json"]);
        (tail, from, expected)
    });
    store(&server, &["evt_5"]);
    for (tail, from, expected) in &mut tails {
        assert_eq!(tail.ids(expected.len()), *expected, "{from}");
        // And each goes on with what comes.
        assert_eq!(tail.ids(1), ["evt_5"], "{from}");
    }
}

fn shows_what_its_filters_choose(log: &str) {
    let server = Server::start(log, &[]);
    let event = |id: &str, type_name: &str, account: &str, livemode: bool| {
        Delivery::saying(id, type_name, Some(account), Some(livemode))
    };
    let stored = |delivery: Delivery| assert_eq!(delivery.send(&server).outcome().1, "stored");
    let mut tails = [
        (
            &["--type", "invoice.*", "--type", "payout.paid"][..],
            ["evt_plain", "evt_payout"],
        ),
        (&["--source", "stripe-connect"], ["evt_connect", "evt_end"]),
        (&["--account", "acct_2"], ["evt_account", "evt_end"]),
        (&["--livemode", "true"], ["evt_live", "evt_end"]),
    ]
    .map(|(filter, expected)| {
        let options = [filter, &["--json"]].concat();
        (Tail::start(log, &options), filter, expected)
    });
    stored(event("evt_plain", "invoice.paid", "acct_1", false));
    stored(event("evt_other", "charge.refunded", "acct_1", false));
    let connect = event("evt_connect", "a.b", "acct_1", false);
    stored(connect.of_source("stripe-connect", CONNECT_SECRET));
    stored(event("evt_account", "a.b", "acct_2", false));
    stored(event("evt_live", "a.b", "acct_1", true));
    stored(event("evt_payout", "payout.paid", "acct_1", false));
    let end = event("evt_end", "a.b", "acct_2", true);
    stored(end.of_source("stripe-connect", CONNECT_SECRET));
    for (tail, filter, expected) in &mut tails {
        assert_eq!(tail.ids(2), *expected, "{filter:?}");
    }
}

fn ends_well_when_it_is_interrupted(log: &str) {
    let _server = Server::start(log, &[]);
    for signal in [Signal::INT, Signal::TERM] {
        let mut tail = Tail::start(log, &[]);
        tail.signal(signal);
        assert_eq!(tail.wait().code(), Some(0), "{signal:?}");
    }
}

fn ends_well_when_nobody_reads_any_more(log: &str) {
    let server = Server::start(log, &[]);
    store(&server, &["evt_1"]);
    let mut tail = Tail::start(log, &["--from", "beginning"]);
    assert_eq!(tail.lines(1).len(), 1);
    // As `head -1` does; no further event comes.
    tail.stdout = None;
    assert_eq!(tail.wait().code(), Some(0));
}

#[test]
fn goes_on_when_the_server_of_the_log_was_away() {
    let mut nats = Nats::start();
    let log = nats.address();
    let server = Server::start(&log, &[]);
    let mut tail = Tail::start(&log, &["--json"]);
    store(&server, &["evt_1"]);
    assert_eq!(tail.ids(1), ["evt_1"]);
    nats.kill();
    nats.restart();
    until("the log is back", || {
        (server.probe("/readyz") == 200).then_some(())
    });
    store(&server, &["evt_2", "evt_3"]);
    assert_eq!(tail.ids(2), ["evt_2", "evt_3"]);
}

#[test]
fn goes_on_when_rabbitmq_was_away() {
    let mut backend = RabbitLog::alone();
    let log = Backend::address(&backend);
    let server = Server::start(&log, &[]);
    let mut tail = Tail::start(&log, &["--json"]);
    store(&server, &["evt_1"]);
    assert_eq!(tail.ids(1), ["evt_1"]);
    backend.own_server().kill();
    backend.own_server().restart();
    until("the log is back", || {
        (server.probe("/readyz") == 200).then_some(())
    });
    store(&server, &["evt_2", "evt_3"]);
    assert_eq!(tail.ids(2), ["evt_2", "evt_3"]);
    backend.delete();
    assert_eq!(tail.wait().code(), Some(1));
    let said = tail.said();
    assert!(said.contains("there is no stream"), "{said}");
}

#[test]
fn ends_with_what_to_do_when_the_stream_is_gone() {
    let nats = Nats::start();
    let log = nats.address();
    let _server = Server::start(&log, &[]);
    let mut tail = Tail::start(&log, &[]);
    nats.remove_stream();
    assert_eq!(tail.wait().code(), Some(1));
    let said = tail.said();
    assert!(
        said.contains("is the stream `HOOKGATE` still there?"),
        "{said}"
    );
}

#[test]
fn goes_on_when_the_upstream_was_away() {
    let backend = Sqlite::new();
    let log = backend.address();
    let server = Server::start(&log, &[]);
    let mut tail = Tail::start(&log, &["--json"]);
    store(&server, &["evt_1"]);
    server.kill_9();
    let server = Server::start(&log, &[]);
    store(&server, &["evt_2"]);
    assert_eq!(tail.ids(2), ["evt_1", "evt_2"]);
}

#[test]
fn refuses_what_it_can_not_follow() {
    let backend = Sqlite::new();
    let log = backend.address();
    let message = failure(hookgate().args(["tail", "--log", &log]));
    assert!(message.contains("there is no log at"), "{message}");
}
