//! The console's connection to NATS: one, kept, and renewed.

use std::{
    fs,
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::super::{Client, send};
use crate::{
    delivery::Delivery,
    destinations::{Place, destination},
    harness::{Server, until},
    nats_server::Nats,
    receiver::{Reaction, Receiver},
};

/// Pages that ask NATS.
const PAGES: [&str; 6] = [
    "/review",
    "/review?type=invoice.*",
    "/event?id=evt_1",
    "/destination?name=orders",
    "/search?type=invoice.*",
    "/audit",
];

/// What the server shows of itself.
fn monitored(nats: &Nats, page: &str) -> Value {
    let ports = fs::read_dir(nats.folder()).unwrap().find_map(|file| {
        let path = file.unwrap().path();
        path.extension()
            .is_some_and(|it| it == "ports")
            .then_some(path)
    });
    let ports: Value = serde_json::from_slice(&fs::read(ports.unwrap()).unwrap()).unwrap();
    let address = ports["monitoring"][0].as_str().unwrap();
    let address: SocketAddr = address.strip_prefix("http://").unwrap().parse().unwrap();
    let request = format!("GET {page} HTTP/1.0\r\nhost: nats\r\n");
    serde_json::from_str(&send(address, &request, "").body).unwrap()
}

/// Connections that it has ever had.
fn connections(nats: &Nats) -> u64 {
    let varz = monitored(nats, "/varz");
    varz["total_connections"].as_u64().unwrap()
}

/// Consumers that its streams have now.
fn consumers(nats: &Nats) -> u64 {
    monitored(nats, "/jsz")["consumers"].as_u64().unwrap()
}

/// A server of which a destination refused one event, and its pages.
struct Parked {
    _server: Server,
    client: Client,
    _orders: Receiver,
    _place: Place,
}

fn parked(nats: &Nats) -> Parked {
    let orders = Receiver::start(|_, _| Reaction::Status(422));
    let place = Place::new(&nats.address(), &destination("orders", &orders.url(), ""));
    let server = place.start();
    assert_eq!(Delivery::new("evt_1").send(&server).outcome().1, "stored");
    let client = Client::new(server.metrics());
    until("it is parked", || {
        client.get("/review").body.contains("evt_1").then_some(())
    });
    Parked {
        _server: server,
        client,
        _orders: orders,
        _place: place,
    }
}

#[test]
fn pages_on_nats_share_one_connection() {
    let nats = Nats::start_with("max_payload: 4MB\nhttp: \"127.0.0.1:-1\"");
    let scene = parked(&nats);
    let client = &scene.client;
    let before = connections(&nats);
    for page in PAGES.into_iter().cycle().take(4 * PAGES.len()) {
        assert_eq!(client.get(page).status, 200, "{page}");
    }
    assert_eq!(connections(&nats), before);
}

// A stream has room for so many, and then nobody can read it.
#[test]
fn pages_on_nats_leave_no_consumers_behind() {
    let nats = Nats::start_with("max_payload: 4MB\nhttp: \"127.0.0.1:-1\"");
    let scene = parked(&nats);
    let client = &scene.client;
    // What the server itself begins to read goes on; what pages have had doesn't.
    const KEPT: u64 = 8;
    const ROUNDS: usize = 20;
    let begun = Instant::now();
    for page in PAGES.into_iter().cycle().take(ROUNDS * PAGES.len()) {
        assert_eq!(client.get(page).status, 200, "{page}");
    }
    let had = 2 * ROUNDS as u64;
    assert!(KEPT < had, "too few to tell");
    until("they are gone", || (consumers(&nats) <= KEPT).then_some(()));
    // The server itself forgets them after half a minute.
    assert!(
        begun.elapsed() < Duration::from_secs(25),
        "too slow to tell"
    );
}

#[test]
fn while_nats_is_away_pages_say_so_and_then_they_are_back() {
    let mut nats = Nats::start();
    let scene = parked(&nats);
    let client = &scene.client;
    nats.kill();
    let lost = "the connection was lost and is being renewed";
    until("every page says so", || {
        let says = |page: &&str| {
            let page = client.get(page);
            page.status == 503 && page.body.contains(lost)
        };
        PAGES.iter().all(says).then_some(())
    });
    client.get("/").says(200, "confirms nothing");
    nats.restart_and_wait();
    until("they are back", || {
        let is_back = |page: &&str| client.get(page).status == 200;
        PAGES.iter().all(is_back).then_some(())
    });
    client.get("/review").says(200, "evt_1");
    client
        .get("/event?id=evt_1")
        .says(200, "waits for a person");
    client.get("/search?type=invoice.*").says(200, "evt_1");
}
