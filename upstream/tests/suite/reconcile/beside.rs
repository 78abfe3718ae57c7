//! The command beside a server.

use super::{Place, SOURCES, deliver, numbered, origins};
use crate::{
    contract::{Backend as _, Sqlite},
    harness::{Server, failure},
    nats_server::Nats,
    stripe::{PLATFORM, Script, Stripe},
};

const FIELDS: &str = "requests_per_second = 100\naccounts = []";

#[test]
fn a_file_that_a_server_appends_to_is_only_read() {
    let backend = Sqlite::new();
    let log = backend.address();
    let stripe = Stripe::start(Script::default());
    stripe.add(PLATFORM, numbered("a", 3));
    let server = Server::start(&log, &[]);
    deliver(&server, "stripe", &["evt_a_1".to_owned()]);
    let place = Place::new(&log, &stripe, FIELDS, SOURCES);
    place.began_before();
    let refused = failure(&mut place.command(&[]));
    assert!(refused.contains("--dry-run works beside it"), "{refused}");
    let report = place.report(&["--dry-run"]);
    assert_eq!(report["missing"], 2, "{report}");
    assert_eq!(origins(&log).len(), 1);
    server.stop();
    assert_eq!(place.report(&[])["appended"], 2);
}

#[test]
fn a_stream_is_appended_to_beside_its_servers() {
    let backend = Nats::new();
    let log = backend.address();
    let stripe = Stripe::start(Script::default());
    stripe.add(PLATFORM, numbered("a", 120));
    let server = Server::start(&log, &[]);
    deliver(&server, "stripe", &["evt_a_1".to_owned()]);
    let place = Place::new(&log, &stripe, FIELDS, SOURCES);
    place.began_before();
    assert_eq!(place.report(&[])["appended"], 119);
    deliver(&server, "stripe", &["evt_a_2".to_owned()]);
    assert_eq!(origins(&log).len(), 120);
}

#[test]
fn a_state_without_a_place_is_refused() {
    let backend = Nats::new();
    let stripe = Stripe::start(Script::default());
    let place = Place::new(&backend.address(), &stripe, FIELDS, SOURCES);
    let text = std::fs::read_to_string(place.config()).unwrap();
    let without: String = text
        .lines()
        .filter(|line| !line.starts_with("state"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(place.config(), without).unwrap();
    let refused = failure(&mut place.command(&[]));
    assert!(refused.contains("reconcile.state"), "{refused}");
}
