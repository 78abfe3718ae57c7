//! Kills in the middle of a bulk: 300 events here, 10,000 with HOOKGATE_SOAK=1.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{Breakable, audit, waiting::Waiting};
use crate::{
    delivery::{Connection, Delivery},
    destinations::{Place, destination},
    harness::{PATIENCE, hookgate, until_within},
    receiver::Got,
};

/// Deliveries under way at once, and so what a kill of the server may repeat.
const CONCURRENCY: usize = 16;

/// Kills of the server in each phase.
const KILLS: usize = 3;

on_both_logs! {
    kill_9_amid_a_bulk_forgets_nothing_and_repeats_only_what_was_in_flight
}

fn events() -> usize {
    if env::var_os("HOOKGATE_SOAK").is_some() {
        10_000
    } else {
        300
    }
}

/// Runs a bulk again and again, killed each time a little later, until one run
/// comes to its end; returns how many were killed.
fn bulk_despite_kills(log: &str, arguments: &[&str]) -> usize {
    let mut patience = Duration::from_millis(20);
    for kills in 0.. {
        let mut command = hookgate();
        command
            .args(arguments)
            .args(["--log", log, "--by", "ada", "--reason", "mended"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let start = Instant::now();
        while start.elapsed() < patience {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return kills;
            }
            thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        patience += patience / 4;
    }
    unreachable!("it ends when it is left alone for long enough")
}

/// How often each event came in a part of what was got.
fn times(got: &[Got]) -> BTreeMap<&str, usize> {
    let mut times = BTreeMap::new();
    for got in got {
        *times.entry(got.id()).or_default() += 1;
    }
    times
}

fn kill_9_amid_a_bulk_forgets_nothing_and_repeats_only_what_was_in_flight(log: &str) {
    let orders = Breakable::start();
    let more = format!("timeout = \"2s\"\nconcurrency = {CONCURRENCY}");
    let place = Place::new(log, &destination("orders", &orders.receiver.url(), &more));
    let server = place.start();
    let count = events();
    let mut connection = Connection::open(server.address).unwrap();
    for number in 1..=count {
        let answer = connection
            .send(&Delivery::new(&format!("evt_{number}")))
            .unwrap();
        assert_eq!(answer.outcome().1, "stored");
    }
    let patience = 10 * PATIENCE;
    until_within(patience, "all are parked", || {
        let all = Waiting {
            deliveries: 0,
            people: count,
        };
        (Waiting::at(log) == Some(all)).then_some(())
    });
    orders.mend();

    let mut server = Some(server);
    let redeliver = ["redeliver", "--destination", "orders", "--all"];
    let redeliver = [&redeliver[..], &["--batch", "kept-safe"]].concat();
    for bulk in [&["review", "approve", "--all"][..], &redeliver] {
        let before = orders.receiver.got().len();
        let is_done = Arc::new(AtomicBool::new(false));
        let start = Instant::now();
        // The server is killed while the bulk is decided and delivered.
        let (kills, running) = thread::scope(|scope| {
            let done = Arc::clone(&is_done);
            let (place, running) = (&place, server.take());
            let killer = scope.spawn(move || {
                let mut running = running;
                for _ in 0..KILLS {
                    thread::sleep(Duration::from_millis(fastrand::u64(50..600)));
                    if let Some(server) = running.take() {
                        server.kill_9();
                    }
                    running = Some(place.start());
                }
                while !done.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(1));
                }
                running
            });
            let kills = bulk_despite_kills(log, bulk);
            is_done.store(true, Ordering::Relaxed);
            (kills, killer.join().unwrap())
        });
        let decided = start.elapsed();
        server = running;
        until_within(patience, "each is delivered again", || {
            let is_done = Waiting::at(log) == Some(Waiting::default());
            (is_done && times(&orders.receiver.got()[before..]).len() == count).then_some(())
        });
        let got = orders.receiver.got();
        let repeats = got.len() - before - count;
        eprintln!(
            "{count} events, {kills} kills of the command, {KILLS} of the server: each delivered \
             again, {repeats} twice; decided within {decided:?}, delivered within {:?}",
            start.elapsed()
        );
        // What was in flight, and what had just been.
        assert!(repeats <= KILLS * 3 * CONCURRENCY, "{repeats}");
    }
    let mut webhook_ids = BTreeMap::new();
    for got in orders.receiver.got().iter() {
        let webhook_id = got.headers["webhook-id"].clone();
        let first = webhook_ids
            .entry(got.id().to_owned())
            .or_insert(webhook_id.clone());
        assert_eq!(*first, webhook_id, "{}", got.id());
    }
    // One record of each event in each bulk, which is what made its job.
    let trail = audit(log);
    assert_eq!(trail.len(), 2 * count);
    let (approved, redelivered) = trail.split_at(count);
    let runs: BTreeSet<&str> = approved
        .iter()
        .filter_map(|it| it["batch"].as_str())
        .collect();
    eprintln!("what was approved was so by {} runs", runs.len());
    for records in [approved, redelivered] {
        let ids: BTreeSet<&str> = records.iter().filter_map(|it| it["id"].as_str()).collect();
        assert_eq!(ids.len(), count);
        assert!(records.iter().all(|it| it["action"] == "released"));
    }
    assert!(redelivered.iter().all(|it| it["batch"] == "kept-safe"));
}
