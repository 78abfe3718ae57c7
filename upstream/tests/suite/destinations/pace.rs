//! How many deliveries at once, how many a second, and who waits for whom.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{GRAIN, Place, append, destination, distinct};
use crate::{
    contract::{Backend as _, Sqlite},
    delivery::{Connection, Delivery},
    harness::{PATIENCE, until, until_within},
    load::Load,
    receiver::{Reaction, Receiver},
};

on_both_logs! {
    as_many_are_under_way_as_configured_and_no_more
    attempts_come_no_faster_than_the_rate
    events_that_wait_do_not_delay_the_next_one
    destinations_that_fail_slow_no_other
}

fn as_many_are_under_way_as_configured_and_no_more(log: &str) {
    let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let receiver = Receiver::start(move |_, _| {
        let count = now.fetch_add(1, Ordering::SeqCst) + 1;
        seen.fetch_max(count, Ordering::SeqCst);
        // What each delivery takes: the others have time to come.
        thread::sleep(Duration::from_millis(100));
        now.fetch_sub(1, Ordering::SeqCst);
        Reaction::Status(200)
    });
    let place = Place::new(
        log,
        &destination("orders", &receiver.url(), "concurrency = 3"),
    );
    let server = place.start();
    append(&server, 30);
    assert_eq!(distinct(&receiver.until_got(30)), 30);
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

fn attempts_come_no_faster_than_the_rate(log: &str) {
    // Retries are attempts too.
    let receiver = Receiver::start(|got, _| match got.attempt() {
        1 if got.id().ends_with('0') => Reaction::Status(500),
        _ => Reaction::Status(200),
    });
    let place = Place::new(log, &destination("orders", &receiver.url(), "rate = 20"));
    let server = place.start();
    append(&server, 50);
    let got = receiver.until_got(55);
    let second = Duration::from_secs(1);
    for (index, first) in got.iter().enumerate() {
        let within = got[index..]
            .iter()
            .take_while(|it| it.at - first.at < second);
        let count = within.count();
        // What is held up on its way may come together with the next.
        assert!(count <= 40, "{count} in a second");
    }
    let all = got.last().unwrap().at - got[0].at;
    assert!(all >= Duration::from_secs(2), "{all:?}");
}

fn events_that_wait_do_not_delay_the_next_one(log: &str) {
    let receiver = Receiver::start(|got, _| match got.id() {
        "evt_next" => Reaction::Status(200),
        _ => Reaction::Status(500),
    });
    let text = format!(
        "[[destinations]]\nname = \"orders\"\nurl = \"{}\"\n\
         [destinations.retry]\ninitial = \"1h\"\n",
        receiver.url()
    );
    let place = Place::new(log, &text);
    let server = place.start();
    let load = Load::start(&server, "waiting", 8);
    until_within(10 * PATIENCE, "10,000 are appended", || {
        (load.answered() >= 10_000).then_some(())
    });
    let waiting = load.finish().len();
    until_within(10 * PATIENCE, "each was tried", || {
        (receiver.got().len() >= waiting).then_some(())
    });
    Delivery::new("evt_next").send(&server);
    let start = Instant::now();
    until("the next one is delivered", || {
        let got = receiver.got();
        (got.last()?.id() == "evt_next").then_some(())
    });
    let waited = start.elapsed();
    // They are due in an hour.
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    assert_eq!(receiver.got().len(), waiting + 1);
}

#[test]
fn a_breaker_opens_and_probes_as_configured() {
    let backend = Sqlite::new();
    let receiver = Receiver::start(|_, before| match before {
        0..4 => Reaction::Status(503),
        _ => Reaction::Status(200),
    });
    let text = format!(
        "[[destinations]]\nname = \"orders\"\nurl = \"{}\"\n\
         [destinations.retry]\ninitial = \"10ms\"\nfactor = 1\n\
         [destinations.breaker]\nafter = 2\ninitial = \"1s\"\nlongest = \"2s\"\n",
        receiver.url()
    );
    let place = Place::new(&backend.address(), &text);
    let server = place.start();
    append(&server, 1);
    let got = receiver.until_got(5);
    // Two in a row, then probes: after a second, twice that, and no more than 2 s.
    for (pair, least) in got.windows(2).zip([0, 1_000, 2_000, 2_000]) {
        let waited = pair[1].at - pair[0].at;
        assert!(waited + GRAIN >= Duration::from_millis(least), "{waited:?}");
        assert!(waited < Duration::from_millis(least + 1_900), "{waited:?}");
    }
}

/// From the answer to an append until the receiver has it: sorted.
fn latencies(log: &str, receiver: &Receiver, text: &str) -> Vec<Duration> {
    let place = Place::new(log, text);
    let server = place.start();
    let mut connection = Connection::open(server.address).unwrap();
    let before = receiver.got().len();
    let mut sent = Vec::new();
    for number in 0..300 {
        let delivery = Delivery::new(&format!("evt_{before}_{number}"));
        assert_eq!(connection.send(&delivery).unwrap().outcome().1, "stored");
        sent.push(Instant::now());
        // A pace at which nobody need wait.
        thread::sleep(Duration::from_millis(5));
    }
    let got = receiver.until_got(before + sent.len());
    let arrived = |number: usize| {
        let id = format!("evt_{before}_{number}");
        got.iter().find(|got| got.id() == id).unwrap().at
    };
    let waits = sent.iter().enumerate();
    let waits = waits.map(|(number, sent)| arrived(number).saturating_duration_since(*sent));
    let mut waits: Vec<Duration> = waits.collect();
    waits.sort_unstable();
    waits
}

fn destinations_that_fail_slow_no_other(log: &str) {
    let well = Receiver::start(|_, _| Reaction::Status(200));
    let alone = destination("well", &well.url(), "");
    let failing = [
        Reaction::RetryAfter(7),
        Reaction::Status(429),
        Reaction::Status(503),
        Reaction::Reset,
        Reaction::Slow(Duration::from_secs(3)),
        Reaction::Status(400),
    ]
    .map(|reaction| Receiver::start(move |_, _| reaction));
    let beside: String = failing
        .iter()
        .enumerate()
        .map(|(number, receiver)| {
            let name = format!("failing-{number}");
            destination(&name, &receiver.url(), "timeout = \"1s\"")
        })
        .collect();
    let quantile = |waits: &[Duration]| waits[waits.len() * 99 / 100];
    let alone_99 = quantile(&latencies(log, &well, &alone));
    let with_all = alone.clone() + &beside;
    // The machine's own noise; whoever waited for another would wait for seconds,
    // and each time.
    let noise = Duration::from_millis(500);
    let is_unfelt = (0..3).any(|_| {
        let beside_99 = quantile(&latencies(log, &well, &with_all));
        eprintln!("p99 alone {alone_99:?}, beside six that fail {beside_99:?}");
        beside_99 <= alone_99 * 2 + noise
    });
    for receiver in &failing {
        assert!(!receiver.got().is_empty());
    }
    assert!(is_unfelt, "slowed by those that fail");
}
