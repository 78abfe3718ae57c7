//! A nats-server that is killed in the middle of a bulk.

use std::{
    collections::BTreeSet,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use crate::{
    contract::Backend as _,
    destinations::{Place, append, destination},
    harness::{PATIENCE, hookgate, until_within},
    nats_server::Nats,
    review::{Breakable, audit, waiting::Waiting},
};

const EVENTS: usize = 300;

/// Deliveries under way at once, and so what a kill may repeat.
const CONCURRENCY: usize = 16;

const KILLS: usize = 3;

#[test]
fn kill_9_of_the_nats_server_amid_a_bulk_forgets_nothing_and_makes_no_job_twice() {
    let mut nats = Nats::new();
    let log = nats.address();
    let orders = Breakable::start();
    let more = format!("timeout = \"2s\"\nconcurrency = {CONCURRENCY}");
    let place = Place::new(&log, &destination("orders", &orders.receiver.url(), &more));
    let server = place.start();
    append(&server, EVENTS);
    let patience = 5 * PATIENCE;
    until_within(patience, "all are parked", || {
        let all = Waiting {
            deliveries: 0,
            people: EVENTS,
        };
        (Waiting::at(&log) == all).then_some(())
    });
    orders.mend();
    let is_done = AtomicBool::new(false);
    let runs = thread::scope(|scope| {
        let bulk = scope.spawn(|| {
            let mut runs = 0;
            while !decides(&log) {
                runs += 1;
                thread::sleep(Duration::from_millis(50));
            }
            is_done.store(true, Ordering::Relaxed);
            runs
        });
        let mut kills = 0;
        while kills < KILLS || !is_done.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(fastrand::u64(100..500)));
            if kills < KILLS {
                kills += 1;
                nats.kill();
                nats.restart_and_wait();
            }
        }
        bulk.join().unwrap()
    });
    until_within(patience, "each is delivered again", || {
        (Waiting::at(&log) == Waiting::default()).then_some(())
    });
    let got = orders.receiver.got();
    let again: BTreeSet<&str> = got[EVENTS..].iter().map(|it| it.id()).collect();
    assert_eq!(again.len(), EVENTS);
    let repeats = got.len() - 2 * EVENTS;
    eprintln!("{KILLS} kills, {runs} runs of the command that failed, {repeats} repeats");
    assert!(repeats <= KILLS * 2 * CONCURRENCY, "{repeats}");
    let trail = audit(&log);
    let ids: BTreeSet<&str> = trail.iter().filter_map(|it| it["id"].as_str()).collect();
    assert_eq!((trail.len(), ids.len()), (EVENTS, EVENTS));
    assert!(trail.iter().all(|it| it["action"] == "released"));
}

/// Runs the bulk; tells whether it came to its end.
fn decides(log: &str) -> bool {
    let mut command = hookgate();
    command
        .args(["review", "approve", "--all", "--log", log])
        .args(["--batch", "kept-safe", "--by", "ada", "--reason", "mended"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().unwrap().success()
}
