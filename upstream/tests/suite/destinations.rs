//! Delivery to destinations: what each answer leads to, and what a crash may not change.

mod chosen;
mod http;
mod http2;
#[cfg(feature = "kafka")]
mod kafka;
mod kills;
mod library;
mod nats;
mod order;
mod pace;
mod rabbit;
mod state;

use std::{
    collections::BTreeSet,
    fs,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hookgate_core::{request::RequestHead, scheme::Scheme, signature::Tolerance};
use tempfile::TempDir;

use crate::{
    delivery::{Connection, Delivery, seconds_from_now},
    harness::{Server, hookgate, until},
    loopback,
    receiver::{Got, Reaction, Receiver},
};

on_both_logs! {
    a_delivery_carries_the_payload_its_attributes_and_a_signature
    what_a_destination_refuses_is_parked_at_once
    waits_as_long_as_a_429_asks_and_holds_nothing_else_up
    cools_down_after_a_429_that_says_nothing
    goes_to_the_secondary_at_once_when_the_primary_says_503
    goes_to_the_secondary_at_once_when_the_primary_resets
    goes_to_the_secondary_at_once_when_nothing_listens
    a_slow_destination_is_tried_again_and_holds_nobody_else_up
    tries_again_later_and_later_until_it_gives_up
    a_few_faults_cost_few_attempts_more
    a_destination_that_is_away_at_start_gets_its_events_when_it_comes
    sigterm_lets_what_is_under_way_finish
    a_second_sigterm_waits_for_no_delivery
}

const DESTINATION_SECRET: &str = "whsec_aG9va2dhdGUtZGVzdGluYXRpb24=";

/// A schedule counts milliseconds, and begins in the middle of one.
const GRAIN: Duration = Duration::from_millis(1);

/// A folder with a log and a configuration.
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) log: String,
}

impl Place {
    pub(crate) fn new(log: &str, destinations: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self {
            folder,
            log: log.to_owned(),
        };
        place.configure(destinations);
        place
    }

    pub(crate) fn configure(&self, destinations: &str) {
        fs::write(self.folder.path().join("hookgate.toml"), destinations).unwrap();
    }

    pub(crate) fn start(&self) -> Server {
        let mut command = hookgate();
        command
            .args(["serve", "--log", &self.log, "--config"])
            .arg(self.folder.path().join("hookgate.toml"))
            .env("ORDERS_SECRET", DESTINATION_SECRET);
        Server::spawn(command)
    }
}

/// A destination with a short retry policy, and what else the test wants.
pub(crate) fn destination(name: &str, url: &str, more: &str) -> String {
    format!(
        "[[destinations]]\nname = \"{name}\"\nurl = \"{url}\"\n{more}\n\
         [destinations.retry]\ninitial = \"100ms\"\ncool_down = \"2s\"\n"
    )
}

pub(crate) fn append(server: &Server, count: usize) -> Vec<String> {
    let mut connection = Connection::open(server.address).unwrap();
    let ids: Vec<String> = (0..count)
        .map(|number| format!("evt_n{number:05}"))
        .collect();
    for id in &ids {
        let answer = connection.send(&Delivery::new(id)).unwrap();
        assert_eq!(answer.outcome().1, "stored", "{id}");
    }
    ids
}

/// Where nobody listens, and no other test will.
fn nobody() -> SocketAddr {
    SocketAddr::from((loopback::own(), 8_080))
}

fn ids(got: &[Got]) -> Vec<&str> {
    got.iter().map(Got::id).collect()
}

fn distinct(got: &[Got]) -> usize {
    got.iter().map(Got::id).collect::<BTreeSet<_>>().len()
}

fn a_delivery_carries_the_payload_its_attributes_and_a_signature(log: &str) {
    let receiver = Receiver::start(|_, _| Reaction::Status(204));
    let place = Place::new(
        log,
        &destination("orders", &receiver.url(), "secrets = [\"ORDERS_SECRET\"]"),
    );
    let server = place.start();
    let delivery = Delivery::new("evt_1");
    delivery.send(&server);
    let got = receiver.until_got(1).remove(0);
    assert_eq!(got.payload, delivery.payload);
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", "evt_1"),
        ("ce-type", "invoice.paid"),
        ("ce-source", "/hookgate/stripe"),
        ("ce-time", "2025-10-09T08:53:20Z"),
        ("ce-account", "acct_1"),
        ("ce-livemode", "false"),
        ("ce-sequence", "1"),
        ("content-type", "application/json"),
        ("x-hookgate-attempt", "1"),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
    ] {
        assert_eq!(got.headers[name], value, "{name}");
    }
    assert!(!got.headers.contains_key("stripe-signature"));

    let scheme = Scheme::StandardWebhooks;
    let secret = scheme.secret("s", DESTINATION_SECRET.as_bytes()).unwrap();
    let head: Vec<(String, Vec<u8>)> = got
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
        .collect();
    let signed = scheme.read(RequestHead(&head)).unwrap();
    let minute = Duration::from_secs(60);
    let tolerance = Tolerance {
        past: minute,
        future: minute,
    };
    signed.check_age(seconds_from_now(0), tolerance).unwrap();
    let mut verifier = signed.verifier(std::iter::once(&secret));
    verifier.update(&got.payload);
    assert_eq!(verifier.finish(), Ok(0));
}

fn what_a_destination_refuses_is_parked_at_once(log: &str) {
    let receiver = Receiver::start(|_, _| Reaction::Status(400));
    let place = Place::new(log, &destination("orders", &receiver.url(), ""));
    let server = place.start();
    append(&server, 3);
    receiver.until_got(3);
    let parked = until("three are parked", || {
        let parked = parked(&place);
        (parked.len() == 3).then_some(parked)
    });
    for event in parked {
        assert_eq!(event["reason"], "refused", "{event}");
        assert_eq!(event["attempts"], 1, "{event}");
        assert_eq!(event["status"], 400, "{event}");
    }
    assert_eq!(receiver.got().len(), 3);
}

pub(crate) fn parked(place: &Place) -> Vec<serde_json::Value> {
    let mut command = hookgate();
    command.args(["review", "list", "--log", &place.log, "--json"]);
    let lines = String::from_utf8(crate::harness::output(&mut command)).unwrap();
    let lines = lines.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn waits_as_long_as_a_429_asks_and_holds_nothing_else_up(log: &str) {
    let throttling = Receiver::start(|_, before| match before {
        0 => Reaction::RetryAfter(7),
        _ => Reaction::Status(200),
    });
    let other = Receiver::start(|_, _| Reaction::Status(200));
    let text = destination("throttling", &throttling.url(), "concurrency = 1")
        + &destination("other", &other.url(), "");
    let place = Place::new(log, &text);
    let server = place.start();
    append(&server, 20);
    let others = other.until_got(20);
    // Only the first was tried, and then everything waited for its seven seconds.
    let got = throttling.until_got(21);
    let waited = got[1].at - got[0].at;
    assert!(waited + GRAIN >= Duration::from_secs(7), "{waited:?}");
    assert!(waited < Duration::from_secs(12), "{waited:?}");
    // Meanwhile the other one had all of its own.
    assert_eq!(others.len(), 20);
    assert!(others[19].at < got[1].at, "held up by the first");
    assert_eq!(distinct(&got), 20);
}

fn cools_down_after_a_429_that_says_nothing(log: &str) {
    let receiver = Receiver::start(|_, before| match before {
        0 => Reaction::Status(429),
        _ => Reaction::Status(200),
    });
    let place = Place::new(log, &destination("orders", &receiver.url(), ""));
    let server = place.start();
    append(&server, 1);
    let got = receiver.until_got(2);
    let waited = got[1].at - got[0].at;
    assert!(waited + GRAIN >= Duration::from_secs(2), "{waited:?}");
    // Not the minute that it takes if nothing is configured.
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    assert_eq!(got[1].attempt(), 2);
    assert_eq!(got[0].headers["webhook-id"], got[1].headers["webhook-id"]);
}

fn goes_to_the_secondary_at_once_when_the_primary_says_503(log: &str) {
    goes_to_the_secondary_and_back(log, Reaction::Status(503));
}

fn goes_to_the_secondary_at_once_when_the_primary_resets(log: &str) {
    goes_to_the_secondary_and_back(log, Reaction::Reset);
}

fn goes_to_the_secondary_and_back(log: &str, gone: Reaction) {
    let is_back = Arc::new(AtomicBool::new(false));
    let back = Arc::clone(&is_back);
    let primary = Receiver::start(move |_, _| {
        if back.load(Ordering::SeqCst) {
            Reaction::Status(200)
        } else {
            gone
        }
    });
    let secondary = Receiver::start(|_, _| Reaction::Status(200));
    let more = format!("secondary = \"{}\"\nconcurrency = 1", secondary.url());
    let place = Place::new(log, &destination("orders", &primary.url(), &more));
    let server = place.start();
    append(&server, 8);
    let got = secondary.until_got(8);
    assert_eq!(got[0].attempt(), 2, "{gone:?}");
    let first = primary.got()[0].clone();
    assert!(got[0].at - first.at < Duration::from_secs(5), "{gone:?}");
    let id = &first.headers["webhook-id"];
    assert_eq!(got[0].headers["webhook-id"], *id, "{gone:?}");
    // The breaker leaves it alone after five failures, and probes it.
    assert_eq!(distinct(&got), 8, "{gone:?}");
    let away = primary.got().len();
    assert!(away < 8, "{gone:?}");
    is_back.store(true, Ordering::SeqCst);
    let mut connection = Connection::open(server.address).unwrap();
    let mut number = 0;
    until("the primary is well again", || {
        number += 1;
        let id = format!("evt_later_{number}");
        connection.send(&Delivery::new(&id)).unwrap();
        let got = primary.got();
        got.last()
            .is_some_and(|last| last.attempt() == 1 && got.len() > away + 1)
            .then_some(())
    });
}

fn goes_to_the_secondary_at_once_when_nothing_listens(log: &str) {
    let address = nobody();
    let secondary = Receiver::start(|_, _| Reaction::Status(200));
    let more = format!("secondary = \"{}\"", secondary.url());
    let url = format!("http://{address}/");
    let place = Place::new(log, &destination("orders", &url, &more));
    let server = place.start();
    let start = Instant::now();
    append(&server, 1);
    let got = secondary.until_got(1);
    assert_eq!(got[0].attempt(), 2);
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
}

fn a_slow_destination_is_tried_again_and_holds_nobody_else_up(log: &str) {
    let slow = Receiver::start(|_, before| match before {
        0 => Reaction::Slow(Duration::from_secs(6)),
        _ => Reaction::Status(200),
    });
    let other = Receiver::start(|_, _| Reaction::Status(200));
    let text = destination("slow", &slow.url(), "timeout = \"2s\"")
        + &destination("other", &other.url(), "");
    let place = Place::new(log, &text);
    let server = place.start();
    append(&server, 1);
    other.until_got(1);
    let got = slow.until_got(2);
    let waited = got[1].at - got[0].at;
    // Two seconds, less what the first took to be heard.
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
    assert_eq!(got[1].attempt(), 2);
}

fn tries_again_later_and_later_until_it_gives_up(log: &str) {
    let receiver = Receiver::start(|_, _| Reaction::Status(500));
    let text = destination("orders", &receiver.url(), "") + "attempts = 4\njitter = 0.0\n";
    let place = Place::new(log, &text);
    let server = place.start();
    append(&server, 1);
    let got = receiver.until_got(4);
    for (pair, millis) in got.windows(2).zip([100, 200, 400]) {
        let waited = pair[1].at - pair[0].at;
        assert!(
            waited + GRAIN >= Duration::from_millis(millis),
            "{waited:?}"
        );
        // JetStream looks at its schedules once a second.
        let late = if log.starts_with("nats") {
            6_000
        } else {
            2_000
        };
        assert!(waited < Duration::from_millis(millis + late), "{waited:?}");
    }
    let parked = until("it is parked", || parked(&place).pop());
    assert_eq!(parked["reason"], "exhausted");
    assert_eq!(parked["attempts"], 4);
    assert_eq!(receiver.got().len(), 4);
}

fn a_few_faults_cost_few_attempts_more(log: &str) {
    let faulty = |got: &Got, _: usize| match (got.id().as_bytes().last(), got.attempt()) {
        // Two in a hundred.
        (Some(b'7'), 1) if got.id().ends_with("07") || got.id().ends_with("57") => {
            Reaction::Status(503)
        }
        _ => Reaction::Status(200),
    };
    let (primary, secondary) = (Receiver::start(faulty), Receiver::start(faulty));
    let more = format!("secondary = \"{}\"", secondary.url());
    let place = Place::new(log, &destination("orders", &primary.url(), &more));
    let server = place.start();
    append(&server, 1_000);
    until("each is delivered", || {
        let (primary, secondary) = (primary.got(), secondary.got());
        let all: Vec<Got> = primary.iter().chain(secondary.iter()).cloned().collect();
        (distinct(&all) == 1_000 && all.len() >= 1_020).then_some(())
    });
    let attempts = primary.got().len() + secondary.got().len();
    assert!(attempts <= 1_200, "{attempts}");
    assert_eq!(secondary.got().len(), 20);
}

fn a_destination_that_is_away_at_start_gets_its_events_when_it_comes(log: &str) {
    let address = nobody();
    let place = Place::new(
        log,
        &destination("orders", &format!("http://{address}/"), ""),
    );
    let server = place.start();
    append(&server, 10);
    let listener = TcpListener::bind(address).unwrap();
    let receiver = Receiver::on(listener, |_, _| Reaction::Status(200));
    until("each is delivered", || {
        (distinct(&receiver.got()) == 10).then_some(())
    });
}

fn sigterm_lets_what_is_under_way_finish(log: &str) {
    let receiver = Receiver::start(|_, _| Reaction::Slow(Duration::from_millis(700)));
    let place = Place::new(
        log,
        &destination("orders", &receiver.url(), "from = \"beginning\""),
    );
    let mut server = place.start();
    append(&server, 1);
    receiver.until_got(1);
    server.terminate();
    assert!(server.wait().success());
    let _server = place.start();
    Delivery::new("evt_next").send(&_server);
    let got = receiver.until_got(2);
    assert_eq!(ids(&got), ["evt_n00000", "evt_next"]);
}

fn a_second_sigterm_waits_for_no_delivery(log: &str) {
    let receiver = Receiver::start(|_, before| match before {
        0 => Reaction::Slow(Duration::from_secs(60)),
        _ => Reaction::Status(200),
    });
    let more = "timeout = \"60s\"\nconcurrency = 1";
    let text = destination("orders", &receiver.url(), more);
    let place = Place::new(log, &text);
    let mut server = place.start();
    append(&server, 1);
    receiver.until_got(1);
    server.terminate();
    until("it drains", || {
        server.stderr().contains("draining").then_some(())
    });
    let start = Instant::now();
    until("it ends although the destination takes its time", || {
        server.terminate();
        server.ended()
    });
    assert!(start.elapsed() < Duration::from_secs(20));
    if log.starts_with("sqlite:") {
        let _server = place.start();
        assert_eq!(ids(&receiver.until_got(2)), ["evt_n00000"; 2]);
    }
}
