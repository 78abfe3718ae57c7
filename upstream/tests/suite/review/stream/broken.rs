//! A nats-server that is lost in the middle of a bulk: 300 events here, 10,000
//! with HOOKGATE_SOAK=1.

use std::{
    collections::BTreeSet,
    env,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use crate::{
    delivery::{Connection, Delivery},
    destinations::{Place, destination},
    harness::{PATIENCE, Server, hookgate, until_within},
    nats_cluster::Cluster,
    nats_server::Nats,
    review::{Breakable, audit, waiting::Waiting},
};

/// Deliveries under way at once, and so what a loss may repeat.
const CONCURRENCY: usize = 16;

/// How often a server is lost.
const LOSSES: usize = 3;

/// A log with a destination that has refused many events.
struct Bulk {
    log: String,
    orders: Breakable,
    count: usize,
    _server: Server,
    _place: Place,
}

impl Bulk {
    fn start(log: String, settings: &str) -> Self {
        let orders = Breakable::start();
        let more = format!("timeout = \"2s\"\nconcurrency = {CONCURRENCY}");
        let text = settings.to_owned() + &destination("orders", &orders.receiver.url(), &more);
        let place = Place::new(&log, &text);
        let server = place.start();
        let count = match env::var_os("HOOKGATE_SOAK") {
            Some(_) => 10_000,
            None => 300,
        };
        let mut connection = Connection::open(server.address).unwrap();
        for number in 1..=count {
            let event = Delivery::new(&format!("evt_{number}"));
            assert_eq!(connection.send(&event).unwrap().outcome().1, "stored");
        }
        let bulk = Self {
            log,
            orders,
            count,
            _server: server,
            _place: place,
        };
        bulk.until(Waiting {
            deliveries: 0,
            people: count,
        });
        bulk.orders.mend();
        bulk
    }

    fn until(&self, expected: Waiting) {
        until_within(10 * PATIENCE, "it is done", || {
            (Waiting::at(&self.log) == Some(expected)).then_some(())
        });
    }

    /// Approves of everything, again and again until that comes to an end, while
    /// servers get lost; returns how many runs failed.
    fn approve_despite(&self, mut lose: impl FnMut()) -> usize {
        thread::scope(|scope| {
            let approving = scope.spawn(|| {
                let mut failed = 0;
                while !self.approves() {
                    failed += 1;
                    thread::sleep(Duration::from_millis(50));
                }
                failed
            });
            for _ in 0..LOSSES {
                thread::sleep(Duration::from_millis(fastrand::u64(20..300)));
                lose();
            }
            approving.join().unwrap()
        })
    }

    /// Runs the command; tells whether it came to its end.
    fn approves(&self) -> bool {
        let mut command = hookgate();
        command
            .args(["review", "approve", "--all", "--log", &self.log])
            .args(["--batch", "kept-safe", "--by", "ada", "--reason", "mended"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().unwrap().success()
    }

    /// Asserts that each was decided about once, and delivered.
    fn assert_kept(&self, failed: usize, start: Instant) {
        self.until(Waiting::default());
        let took = start.elapsed();
        let got = self.orders.receiver.got();
        let again: BTreeSet<&str> = got[self.count..].iter().map(|it| it.id()).collect();
        assert_eq!(again.len(), self.count);
        let repeats = got.len() - 2 * self.count;
        eprintln!(
            "{} events, {LOSSES} losses, {failed} runs of the command failed: each delivered \
             again within {took:?}, {repeats} twice",
            self.count
        );
        assert!(repeats <= LOSSES * 2 * CONCURRENCY, "{repeats}");
        let trail = audit(&self.log);
        let ids: BTreeSet<&str> = trail.iter().filter_map(|it| it["id"].as_str()).collect();
        assert_eq!((trail.len(), ids.len()), (self.count, self.count));
        assert!(trail.iter().all(|it| it["action"] == "released"));
    }
}

#[test]
fn kill_9_of_the_nats_server_amid_a_bulk_forgets_nothing_and_makes_no_job_twice() {
    let mut nats = Nats::start();
    let bulk = Bulk::start(nats.address(), "");
    let start = Instant::now();
    let failed = bulk.approve_despite(|| {
        nats.kill();
        nats.restart_and_wait();
    });
    bulk.assert_kept(failed, start);
}

#[test]
fn a_leader_killed_amid_a_bulk_forgets_nothing_and_makes_no_job_twice() {
    let mut cluster = Cluster::start();
    let bulk = Bulk::start(cluster.address(), "replicas = 3\n");
    let start = Instant::now();
    let failed = bulk.approve_despite(|| {
        let leader = cluster.leader_of("HOOKGATE_AUDIT");
        cluster.kill(leader);
        thread::sleep(Duration::from_secs(1));
        cluster.restart(leader);
        cluster.wait_until_well(leader);
    });
    bulk.assert_kept(failed, start);
}
