//! How long anything may take: senders, and the log behind.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use crate::{
    delivery::{Connection, Delivery},
    harness::{PATIENCE, Server, Starting, events, failure, hookgate, status_of, until},
    nats_server::Nats,
};

#[test]
fn gives_up_on_slow_payloads() {
    let folder = tempfile::tempdir().unwrap();
    let log = format!("sqlite:{}", folder.path().join("log.db").display());
    let server = Server::start(&log, &["--body-timeout", "300ms"]);
    let request = Delivery::new("evt_1").request();
    let mut connection = Connection::open(server.address).unwrap();
    connection.write(&request[..request.len() - 1]).unwrap();
    let answer = connection.answer().unwrap();
    assert_eq!(answer.outcome(), (408, "request_timeout", None));
    assert_eq!(events(&log).len(), 0);
}

#[test]
fn closes_connections_that_do_not_finish_a_head() {
    let folder = tempfile::tempdir().unwrap();
    let log = format!("sqlite:{}", folder.path().join("log.db").display());
    let server = Server::start(&log, &[]);
    let connect = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    };
    let health = b"GET /healthz HTTP/1.1\r\nhost: upstream\r\n\r\nP";
    let started = [&b""[..], b"P", b"POST /v1/events HTTP/1.1\r\nhost:", health];
    let streams: Vec<_> = started.iter().map(|bytes| connect(bytes)).collect();
    for mut stream in streams {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("closed in time");
    }
}

#[test]
fn answers_before_the_gate_gives_up() {
    let nats = Nats::start();
    let server = Server::start(&nats.address(), &["--body-timeout", "1m"]);
    let mut taken = (1..=3).map(|number| {
        let id = format!("evt_{number}");
        let (mut request, start) = (Delivery::new(&id).request(), Instant::now());
        let last = request.pop().unwrap();
        let mut connection = Connection::open(server.address).unwrap();
        connection.write(&request).unwrap();
        // The payload takes most of the time, then the log takes all that it gets.
        thread::sleep(Duration::from_secs(7));
        nats.freeze();
        connection.write(&[last]).unwrap();
        let answer = connection.answer().unwrap();
        let taken = start.elapsed();
        nats.thaw();
        assert_eq!(answer.outcome(), (503, "unavailable", None));
        eprintln!("answered after {taken:?}");
        until("readiness is back", || {
            (server.probe("/readyz") == 200).then_some(())
        });
        taken
    });
    // A second is little for a machine that has other things to do, once.
    assert!(taken.any(|taken| taken < Duration::from_secs(10)));
}

#[test]
fn a_log_that_is_away_at_start_is_waited_for() {
    let mut nats = Nats::start();
    let log = nats.address();
    nats.kill();
    let start = Instant::now();
    let starting = Starting::start(&log, &[]);
    let address = starting.until_waiting();
    assert_eq!(status_of(address, "/healthz"), 200);
    assert_eq!(status_of(address, "/readyz"), 503);
    let mut connection = Connection::open(address).unwrap();
    let answer = connection.send(&Delivery::new("evt_1")).unwrap();
    assert_eq!(answer.outcome(), (503, "unavailable", None));
    let line = format!("waiting for the log: can't connect to the NATS server at {log}");
    until("it has said so again", || {
        (starting.stderr().matches(&line).count() >= 4).then_some(())
    });
    // Once a second.
    assert!(start.elapsed() > Duration::from_secs(2));

    nats.restart();
    let server = starting.until_served(PATIENCE);
    assert_eq!(server.probe("/readyz"), 200);
    let answer = Delivery::new("evt_1").send(&server);
    assert_eq!(answer.outcome(), (200, "stored", Some(1)));
}

#[test]
fn sigterm_ends_the_wait_for_a_log() {
    // Nobody listens at the discard port of this machine.
    for log in [
        "nats://127.0.0.1:9",
        "amqp://127.0.0.1:9/",
        #[cfg(feature = "kafka")]
        "kafka://127.0.0.1:9/hookgate",
    ] {
        let mut starting = Starting::start(log, &[]);
        starting.until_waiting();
        let status = starting.stop();
        assert_eq!(status.code(), Some(0), "{log}: {}", starting.stderr());
    }
}

#[test]
fn other_commands_wait_for_no_log() {
    for log in ["nats://127.0.0.1:9", "amqp://127.0.0.1:9/"] {
        let message = failure(hookgate().args(["events", "--log", log]));
        assert!(message.contains("can't connect to"), "{message}");
        assert!(message.contains(log), "{message}");
    }
}
