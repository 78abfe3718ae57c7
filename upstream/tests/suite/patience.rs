//! How long anything may take: senders, and the log behind.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use crate::{
    delivery::{Connection, Delivery},
    harness::{Server, events},
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
    let (mut request, start) = (Delivery::new("evt_1").request(), Instant::now());
    let last = request.pop().unwrap();
    let mut connection = Connection::open(server.address).unwrap();
    connection.write(&request).unwrap();
    // The payload takes most of the time, then the log takes all that it gets.
    thread::sleep(Duration::from_secs(7));
    nats.freeze();
    connection.write(&[last]).unwrap();
    let answer = connection.answer().unwrap();
    assert_eq!(answer.outcome(), (503, "unavailable", None));
    let taken = start.elapsed();
    assert!(taken < Duration::from_secs(10), "{taken:?}");
}
