//! What the workers of a gate are told to do about verdicts, and for how long.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests say what they expect by failing"
)]

use std::{collections::BTreeMap, net::IpAddr};

use hookgate_watch::{
    orders::{Orders, Protect},
    parts,
    source::Network,
    stranger::Signed,
    time::Time,
    upstream::Answer,
    watch::Watch,
    worker::{Act, Board, Place, Saved, Settings, Worker},
};

const TICK: u64 = 10_000;
const START: u64 = 1_760_000_000_000;
const ALL: Protect = Protect {
    forged_signatures: true,
    cascade: true,
    secret_suspect: true,
};
const NONE: Protect = Protect {
    forged_signatures: false,
    cascade: false,
    secret_suspect: false,
};

#[derive(Clone, Default)]
struct Shared(BTreeMap<Place, (Vec<u8>, u32)>);

impl Board for Shared {
    fn load(&mut self, place: Place) -> Option<(Vec<u8>, u32)> {
        self.0.get(&place).cloned()
    }

    fn store(&mut self, place: Place, bytes: &[u8], version: Option<u32>) -> bool {
        let found = self.0.get(&place).map(|(_, version)| *version);
        if found != version {
            return false;
        }
        let next = version.unwrap_or_default() + 1;
        self.0.insert(place, (bytes.to_vec(), next));
        true
    }
}

const fn settings(protect: Protect) -> Settings {
    Settings {
        tick_millis: TICK,
        workers: 2,
        keeper: Some(1),
        protect,
    }
}

fn network(number: u8) -> Network {
    Network::of(IpAddr::from([10, 0, number, 1]))
}

fn signed(network: Network) -> Signed<'static> {
    Signed {
        network,
        api_version: None,
        type_name: "invoice.paid",
        account: None,
    }
}

/// Returns a watch that has known network 1 for so many days.
fn learnt(days: u64) -> Watch {
    let mut watch = Watch::new(Time::from_unix_seconds(START / 1_000 - days * 86_400));
    watch.delivered_many(&signed(network(1)), 1, 0);
    watch.tick(Time::from_unix_seconds(START / 1_000 - 10));
    watch
}

/// Two workers, of which the first looks.
struct Gate {
    board: Shared,
    first: Option<Worker>,
    second: Worker,
    now: u64,
    refused: usize,
}

impl Gate {
    fn new(protect: Protect, watch: &Watch) -> Self {
        let settings = settings(protect);
        let (mut board, mut first) = (Shared::default(), Worker::new(settings, 1));
        first.tick(START, 0, false, &mut board);
        for part in parts::all(1, watch) {
            first.restored(START, Saved::Part(&part)).unwrap();
        }
        Self {
            board,
            first: Some(first),
            second: Worker::new(settings, 2),
            now: START,
            refused: 0,
        }
    }

    /// Goes on for so many ticks; at the beginning of each the second worker counts.
    fn run(&mut self, ticks: u64, count: impl Fn(&mut Worker)) {
        for step in 0..ticks * 8 {
            if step % 8 == 0 {
                count(&mut self.second);
            }
            self.now += TICK / 8;
            let mut acts = Vec::new();
            if let Some(first) = &mut self.first {
                acts.extend(first.tick(self.now, 0, false, &mut self.board));
            }
            acts.extend(self.second.tick(self.now, 1, false, &mut self.board));
            let refused = acts.iter();
            self.refused += refused
                .filter(|act| matches!(act, Act::OrdersRefused(_)))
                .count();
        }
    }

    fn orders(&self) -> &Orders {
        self.second.orders()
    }

    fn bytes(&mut self) -> Vec<u8> {
        self.board.load(Place::Orders).unwrap_or_default().0
    }
}

fn forge(worker: &mut Worker) {
    worker.tally.refused(network(2), 40);
}

fn fail(worker: &mut Worker) {
    for _ in 0..20 {
        worker.tally.answered(Answer::Failed, 20);
    }
}

fn be_well(worker: &mut Worker) {
    for _ in 0..20 {
        worker.tally.answered(Answer::Answered, 20);
    }
}

fn nothing(_: &mut Worker) {}

fn steal(worker: &mut Worker) {
    for _ in 0..8 {
        worker.tally.signed(&signed(network(3)), false);
    }
}

#[test]
fn suspects_are_named_to_all_workers_and_no_longer_than_who_names_them_lives() {
    let mut gate = Gate::new(ALL, &learnt(8));
    gate.run(4, steal);
    let suspects = &gate.orders().suspects;
    let networks: Vec<Network> = suspects.iter().map(|suspect| suspect.network).collect();
    assert_eq!(networks, [network(3)]);
    assert_eq!(gate.first.as_ref().unwrap().orders(), gate.orders());
    assert_eq!(gate.orders().tightened, []);
    // The verdict goes on for half an hour, and so does this.
    gate.run(120, nothing);
    assert_eq!(gate.orders().suspects.len(), 1);
    gate.first = None;
    gate.run(3, nothing);
    assert_eq!(gate.orders(), &Orders::default());
}

#[test]
fn networks_that_forge_are_named_to_all_workers_until_they_stop() {
    let mut gate = Gate::new(ALL, &learnt(8));
    gate.run(4, forge);
    assert_eq!(gate.orders().tightened, [network(2)]);
    assert_eq!(gate.first.as_ref().unwrap().orders(), gate.orders());
    assert!(!gate.orders().sheds);
    // The verdict stands for half an hour; what is done ends with its cause.
    gate.run(12, nothing);
    assert_eq!(gate.orders(), &Orders::default());
    assert_eq!(gate.bytes(), []);
}

#[test]
fn a_network_that_sent_a_genuine_delivery_is_never_named() {
    let mut gate = Gate::new(ALL, &learnt(8));
    gate.run(4, |worker| {
        worker.tally.refused(network(1), 400);
        forge(worker);
    });
    assert_eq!(gate.orders().tightened, [network(2)]);
    // One that does so now is left alone from the next tick on.
    gate.run(3, |worker| {
        forge(worker);
        worker.tally.signed(&signed(network(2)), false);
    });
    assert_eq!(gate.orders().tightened, []);
}

#[test]
fn nobody_is_named_where_it_is_unknown_who_sent_genuine_deliveries() {
    // It has watched for less than a week.
    let mut young = Gate::new(ALL, &learnt(6));
    young.run(6, forge);
    assert_eq!(young.orders().tightened, []);
    // It had to forget some.
    let mut watch = learnt(8);
    for number in 0..600_u32 {
        let address = IpAddr::from((0x0b00_0000 + (number << 8)).to_be_bytes());
        watch.delivered_many(&signed(Network::of(address)), 1, 0);
    }
    let mut forgetful = Gate::new(ALL, &watch);
    forgetful.run(6, forge);
    assert_eq!(forgetful.orders().tightened, []);
}

#[test]
fn a_few_networks_are_named_of_however_many_forge() {
    let mut gate = Gate::new(ALL, &learnt(8));
    gate.run(4, |worker| {
        for number in 2..200 {
            worker.tally.refused(network(number), 1_000);
        }
    });
    let named = gate.orders().tightened.len();
    assert!((1..=32).contains(&named), "{named}");
    assert!(gate.bytes().len() < 512);
}

#[test]
fn deliveries_are_shed_while_the_upstream_fails() {
    let mut gate = Gate::new(ALL, &learnt(8));
    gate.run(6, fail);
    assert!(gate.orders().sheds);
    assert_eq!(gate.orders().tightened, []);
    // Nothing is known of it: it may hang.
    gate.run(6, nothing);
    assert!(gate.orders().sheds);
    // What was let through was answered well.
    gate.run(3, be_well);
    assert!(!gate.orders().sheds);
    gate.run(3, fail);
    assert!(gate.orders().sheds, "it fails again");
}

#[test]
fn nothing_is_silent_for_what_is_shed() {
    let silent = |sheds: bool| {
        let mut watch = Watch::new(Time::from_unix_seconds(0));
        let hours = (1..=8 * 24 * 360_u64).map(|tick| Time::from_unix_seconds(tick * 10));
        let mut last = Time::default();
        for now in hours {
            watch.came("invoice.paid", None, 5);
            watch.tick(now);
            last = now;
        }
        (1..30).any(|tick| !watch.tick_while(last.plus(tick * 10), sheds).is_empty())
    };
    assert!(silent(false));
    assert!(!silent(true));
}

#[test]
fn what_is_done_ends_when_whoever_ordered_it_dies() {
    let mut gate = Gate::new(ALL, &learnt(8));
    gate.run(4, |worker| {
        forge(worker);
        fail(worker);
    });
    assert!(gate.orders().sheds && !gate.orders().tightened.is_empty());
    gate.first = None;
    // Before another takes the lease.
    gate.run(3, nothing);
    assert!(gate.second.watch().is_none());
    assert_eq!(gate.orders(), &Orders::default());
}

#[test]
fn nothing_is_ordered_or_obeyed_that_is_not_asked_for() {
    let trouble = |worker: &mut Worker| {
        forge(worker);
        fail(worker);
        steal(worker);
    };
    let mut gate = Gate::new(NONE, &learnt(8));
    gate.run(6, trouble);
    assert_eq!(gate.board.load(Place::Orders), None);
    assert_eq!(gate.orders(), &Orders::default());
    let mut gate = Gate::new(
        Protect {
            cascade: true,
            ..NONE
        },
        &learnt(8),
    );
    gate.run(6, |worker| {
        forge(worker);
        steal(worker);
    });
    assert_eq!(gate.bytes(), []);
    for protect in [
        Protect {
            cascade: true,
            ..NONE
        },
        Protect {
            forged_signatures: true,
            ..NONE
        },
        Protect {
            secret_suspect: true,
            ..NONE
        },
    ] {
        let asked_for = |gate: &Gate| Protect {
            forged_signatures: !gate.orders().tightened.is_empty(),
            cascade: gate.orders().sheds,
            secret_suspect: !gate.orders().suspects.is_empty(),
        };
        let mut gate = Gate::new(protect, &learnt(8));
        gate.run(6, trouble);
        assert_eq!(asked_for(&gate), protect);
        // A worker of a configuration that asks for less obeys less.
        let mut gate = Gate::new(ALL, &learnt(8));
        gate.run(6, trouble);
        assert_eq!(asked_for(&gate), ALL);
        for less in [protect, NONE] {
            gate.second.set(settings(less));
            gate.run(1, trouble);
            assert_eq!(asked_for(&gate), less);
        }
    }
}

#[test]
fn orders_that_are_damaged_are_refused_and_written_anew() {
    let mut gate = Gate::new(ALL, &learnt(8));
    gate.run(4, forge);
    let mut damaged = gate.bytes();
    *damaged.last_mut().unwrap() ^= 1;
    for bytes in [&damaged[..], b"x", &[0xff; 300]] {
        let (_, version) = gate.board.load(Place::Orders).unwrap();
        assert!(gate.board.store(Place::Orders, bytes, Some(version)));
        let before = gate.refused;
        let acts = gate.second.tick(gate.now, 1, false, &mut gate.board);
        let is_refused = |act: &Act| matches!(act, Act::OrdersRefused(_));
        assert!(acts.iter().any(is_refused), "{acts:?}");
        assert_eq!(gate.orders(), &Orders::default());
        gate.run(2, forge);
        assert_eq!(gate.orders().tightened, [network(2)]);
        assert!(gate.refused > before && gate.refused < before + 20);
    }
}

#[test]
fn orders_of_another_time_are_not_obeyed() {
    let mut gate = Gate::new(ALL, &learnt(8));
    gate.run(4, forge);
    assert_eq!(gate.orders().tightened, [network(2)]);
    let now = gate.now;
    let obeyed = |at: u64| {
        let mut board = gate.board.clone();
        let mut worker = Worker::new(settings(ALL), 3);
        worker.tick(at, 1, false, &mut board);
        worker.orders().tightened.len()
    };
    assert_eq!(obeyed(now), 1);
    for other in [now - 3_600_000, now + 3_600_000] {
        assert_eq!(obeyed(other), 0, "{other}");
    }
}
