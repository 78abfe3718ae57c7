//! What faults of every kind cost a destination, and what they cost others.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    delivery::{Connection, Delivery},
    harness::{Server, hookgate, output, until},
    receiver::{Got, Reaction, Receiver},
};

on_both_logs! {
    faults_of_every_kind_cost_few_attempts_and_slow_nobody_else
}

const EVENTS: usize = 1_000;

/// One in so many is faulty: two in a hundred.
const FAULTY: usize = 50;

/// Shorter than any pause or timeout of the faulty destination.
const STALL: Duration = Duration::from_millis(700);

/// What is no difference.
const NOISE: Duration = Duration::from_millis(100);

/// How often the faults may be seen until they are held to be felt.
const TRIES: usize = 3;

/// Senders, who each wait until the other destination has their event.
const SENDERS: usize = 4;

/// Returns what the faulty destination does about the first attempt of an event.
fn fault(number: usize) -> Option<Reaction> {
    if number % FAULTY != 7 {
        return None;
    }
    Some(match number / FAULTY % 6 {
        0 => Reaction::RetryAfter(2),
        1 => Reaction::Status(429),
        2 => Reaction::Status(503),
        3 => Reaction::Reset,
        // Longer than it is waited for.
        4 => Reaction::Slow(Duration::from_secs(3)),
        _ => Reaction::Status(400),
    })
}

fn number(got: &Got) -> usize {
    let (_, number) = got.id().rsplit_once('_').unwrap();
    number.parse().unwrap()
}

fn react(got: &Got, _: usize) -> Reaction {
    let is_first = got.attempt() == 1 && got.id().contains("faulty");
    let fault = is_first.then(|| fault(number(got))).flatten();
    fault.unwrap_or(Reaction::Status(200))
}

/// A server with a faulty destination, a secondary for it, and one beside it.
struct Place {
    server: Server,
    _folder: TempDir,
    primary: Receiver,
    secondary: Receiver,
    other: Receiver,
}

impl Place {
    fn start(log: &str) -> Self {
        let (primary, secondary) = (Receiver::start(react), Receiver::start(react));
        let other = Receiver::start(|_, _| Reaction::Status(200));
        let folder = tempfile::tempdir().unwrap();
        let configuration = folder.path().join("hookgate.toml");
        let text = format!(
            "[[destinations]]\nname = \"faulty\"\nurl = \"{}\"\nsecondary = \"{}\"\n\
             timeout = \"1s\"\n[destinations.retry]\ninitial = \"500ms\"\ncool_down = \"2s\"\n\
             [[destinations]]\nname = \"other\"\nurl = \"{}\"\n",
            primary.url(),
            secondary.url(),
            other.url()
        );
        fs::write(&configuration, text).unwrap();
        let mut command = hookgate();
        command
            .args(["serve", "--log", log, "--config"])
            .arg(&configuration);
        Self {
            server: Server::spawn(command),
            _folder: folder,
            primary,
            secondary,
            other,
        }
    }

    /// Appends events, and returns how long the other destination waited for
    /// each, sorted.
    fn append(&self, name: &str) -> Vec<Duration> {
        let next = AtomicUsize::new(0);
        let mut waited: Vec<Duration> = thread::scope(|scope| {
            let senders: Vec<_> = (0..SENDERS)
                .map(|_| {
                    scope.spawn(|| {
                        let mut connection = Connection::open(self.server.address).unwrap();
                        let mut waited = Vec::new();
                        loop {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            if number >= EVENTS {
                                return waited;
                            }
                            let id = format!("evt_{name}_{number}");
                            let start = Instant::now();
                            let answer = connection.send(&Delivery::new(&id)).unwrap();
                            assert_eq!(answer.outcome().1, "stored", "{id}");
                            let got = until("the other destination has it", || {
                                let got = self.other.got();
                                let one = got.iter().rev().find(|got| got.id() == id);
                                one.map(|got| got.at)
                            });
                            waited.push(got - start);
                        }
                    })
                })
                .collect();
            let all = senders.into_iter().flat_map(|it| it.join().unwrap());
            all.collect()
        });
        waited.sort_unstable();
        waited
    }

    fn parked(&self, log: &str) -> usize {
        let lines = output(hookgate().args(["review", "list", "--log", log, "--json"]));
        String::from_utf8(lines).unwrap().lines().count()
    }
}

fn p99(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() * 99 / 100]
}

fn faults_of_every_kind_cost_few_attempts_and_slow_nobody_else(log: &str) {
    let place = Place::start(log);
    let before = place.append("calm");
    let during = place.append("faulty");
    let after = place.append("later");

    // Delivered, or parked because it was refused.
    let refused = (0..EVENTS)
        .filter(|number| matches!(fault(*number), Some(Reaction::Status(400))))
        .count();
    let mut attempts: BTreeMap<String, usize> = BTreeMap::new();
    // By its ID: what a busy machine delivers twice is delivered.
    let mut delivered = BTreeSet::new();
    until("each is delivered or parked", || {
        attempts.clear();
        delivered.clear();
        for receiver in [&place.primary, &place.secondary] {
            for (before, got) in receiver.got().iter().enumerate() {
                if got.id().contains("faulty") {
                    *attempts.entry(got.id().to_owned()).or_default() += 1;
                    if let Reaction::Status(200) = react(got, before) {
                        delivered.insert(got.id().to_owned());
                    }
                }
            }
        }
        (delivered.len() == EVENTS - refused).then_some(())
    });
    until("the refused are parked", || {
        (place.parked(log) == refused).then_some(())
    });
    let count: usize = attempts.values().sum();
    let failed_over = place.secondary.got().len();
    eprintln!(
        "{EVENTS} events, 2 % faults: {count} attempts, {failed_over} at the secondary, {refused} \
         parked; p99 of another destination {:.1?} before, {:.1?} during, {:.1?} after",
        p99(&before),
        p99(&during),
        p99(&after)
    );
    assert!(count <= EVENTS * 12 / 10, "{count}");
    // Three of each at once, one after the other; and what the breaker left.
    assert!(failed_over >= 6, "{failed_over}");
    // The machine stalls by itself now and then; what others feel of a faulty
    // destination they feel each time.
    let calm = [&before[..], &after];
    let again = (1..TRIES).map(|number| place.append(&format!("faulty-again-{number}")));
    let mut tries = std::iter::once(during).chain(again);
    let is_unfelt = tries.any(|during| is_unfelt(&during, calm));
    assert!(is_unfelt, "the faults of one destination slow another");
}

/// Whether others waited no longer than while nothing was faulty.
fn is_unfelt(during: &[Duration], calm: [&[Duration]; 2]) -> bool {
    let stalled = |waited: &[Duration]| waited.iter().filter(|it| **it > STALL).count();
    let [p99_calm, p99_during] = [
        calm.map(p99).into_iter().max().unwrap_or_default(),
        p99(during),
    ];
    let [stalled_calm, stalled_during] = [
        calm.map(stalled).into_iter().max().unwrap_or_default(),
        stalled(during),
    ];
    eprintln!(
        "p99 {p99_during:.1?}, calm {p99_calm:.1?}; stalls {stalled_during}, calm {stalled_calm}"
    );
    // A pause or a timeout of the faulty destination that others felt would be
    // felt by those few who came just then.
    p99_during <= p99_calm * 3 + NOISE && stalled_during <= stalled_calm + 2
}
