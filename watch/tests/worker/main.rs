//! Workers of one gate: what they count is told once, and one of them looks.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests say what they expect by failing"
)]

mod kept;

use std::{collections::BTreeMap, net::IpAddr};

use hookgate_watch::{
    orders::Protect,
    source::Network,
    stranger::Signed,
    tally::Tally,
    time::Time,
    upstream::Answer,
    watch::Watch,
    worker::{Act, Board, Place, Settings, Worker},
};

const TICK: u64 = 10_000;
const START: u64 = 1_760_000_000_000;

/// Shared data, which notes what was taken out of it.
#[derive(Default)]
struct Shared {
    values: BTreeMap<Place, (Vec<u8>, u32)>,
    taken: u64,
    /// How many of the next puts somebody else comes before, and how many takes.
    conflicts: usize,
    take_conflicts: usize,
}

impl Board for Shared {
    fn load(&mut self, place: Place) -> Option<(Vec<u8>, u32)> {
        self.values.get(&place).cloned()
    }

    fn store(&mut self, place: Place, bytes: &[u8], version: Option<u32>) -> bool {
        let found = self.values.get(&place);
        let is_put = matches!(place, Place::Counts(_)) && !bytes.is_empty();
        if is_put && self.conflicts > 0 {
            self.conflicts -= 1;
            return false;
        }
        let is_take = matches!(place, Place::Counts(_)) && bytes.is_empty();
        if is_take && self.take_conflicts > 0 {
            self.take_conflicts -= 1;
            return false;
        }
        if found.map(|(_, version)| *version) != version {
            return false;
        }
        if let (Place::Counts(_), true, Some((before, _))) = (place, bytes.is_empty(), found) {
            self.taken += Tally::restore(before).map_or(0, |tally| tally.counted());
        }
        let next = version.unwrap_or_default() + 1;
        self.values.insert(place, (bytes.to_vec(), next));
        true
    }
}

fn settings(is_kept: bool) -> Settings {
    kept_by(is_kept.then_some(1))
}

fn kept_by(keeper: Option<u64>) -> Settings {
    Settings {
        tick_millis: TICK,
        workers: 8,
        keeper,
        protect: Protect::default(),
    }
}

fn network(number: u8) -> Network {
    Network::of(IpAddr::from([10, 0, number, 1]))
}

fn signed<'a>(type_name: &'a str, account: Option<&'a str>) -> Signed<'a> {
    Signed {
        network: network(1),
        api_version: Some("2025-09-30.clover"),
        type_name,
        account,
    }
}

fn looks(worker: &Worker) -> bool {
    worker.watch().is_some()
}

/// A small generator: the tests' chance is the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % end
    }
}

#[test]
fn what_workers_count_is_told_once_whoever_dies() {
    let mut chance = Chance(7);
    for _ in 0..20 {
        let mut board = Shared::default();
        let mut workers: Vec<Worker> = (1..5).map(|it| Worker::new(settings(false), it)).collect();
        let (mut counted, mut token) = (0, 10);
        for step in 0..600_u64 {
            let now = START + step * 250;
            let number = chance.below(4) as usize;
            for _ in 0..chance.below(5) {
                workers[number]
                    .tally
                    .signed(&signed("invoice.paid", None), false);
                counted += 1;
            }
            if chance.below(40) == 0 {
                workers[number].tally.refused(network(2), 1);
                counted += 1;
            }
            board.conflicts = usize::from(chance.below(20) == 0) * 4;
            if chance.below(50) == 0 {
                // Dies with what it has not put, which is less than a tick.
                counted -= workers[number].tally.counted();
                token += 1;
                workers[number] = Worker::new(settings(false), token);
            }
            for (number, worker) in (0..).zip(&mut workers) {
                worker.tick(now, number, false, &mut board);
            }
            let holders = workers.iter().filter(|worker| looks(worker)).count();
            assert!(holders <= 1, "{holders} look");
        }
        board.conflicts = 0;
        for step in 0..400_u64 {
            for (number, worker) in (0..).zip(&mut workers) {
                worker.tick(START + 150_000 + step * 250, number, false, &mut board);
            }
        }
        assert_eq!(board.taken, counted);
    }
}

#[test]
fn what_was_not_taken_is_told_when_it_is() {
    let mut board = Shared::default();
    let mut worker = Worker::new(settings(false), 1);
    worker.tick(START, 0, false, &mut board);
    worker.tally.refused(network(2), 5);
    // Somebody puts while it takes: all of it is there the next time.
    board.take_conflicts = 1;
    worker.tick(START + 12_000, 0, false, &mut board);
    let time = |ticks: u64| Time::from_unix_seconds(START / 1_000 + ticks * 10);
    let mut expected = Watch::new(Time::from_unix_seconds(START / 1_000 - 10));
    expected.tick(time(1));
    assert_eq!(worker.watch(), Some(&expected));
    worker.tick(START + 22_000, 0, false, &mut board);
    expected.refused(network(2), 5);
    expected.tick(time(2));
    assert_eq!(worker.watch(), Some(&expected));
}

#[test]
fn another_worker_looks_when_the_lease_ends() {
    let mut board = Shared::default();
    let mut first = Worker::new(settings(false), 1);
    let mut second = Worker::new(settings(false), 2);
    let mut idle = Worker::new(settings(false), 3);
    assert_eq!(first.tick(START, 0, false, &mut board), [Act::Taken]);
    assert_eq!(idle.tick(START, 2, true, &mut board), []);
    for second_of in 1..=60 {
        let now = START + second_of * 1_000;
        first.tick(now, 0, false, &mut board);
        second.tick(now, 1, false, &mut board);
        assert!(looks(&first) && !looks(&second));
    }
    // The first one dies: its lease is renewed at half its time, which is 30 s.
    let took = (61..).find(|second_of| {
        let now = START + second_of * 1_000;
        second.tick(now, 1, false, &mut board);
        idle.tick(now, 2, true, &mut board);
        looks(&idle)
    });
    assert!((76..=91).contains(&took.unwrap()), "{took:?}");
    assert!(!looks(&second), "one with requests came first");
    // And if that one dies too, there is only one with requests.
    let took = (took.unwrap()..).find(|second_of| {
        second.tick(START + second_of * 1_000, 1, false, &mut board);
        looks(&second)
    });
    assert!((121..=152).contains(&took.unwrap()), "{took:?}");
    // The first one comes back, or was suspended: there is one that looks.
    first.tick(START + 155_000, 0, false, &mut board);
    assert!(!looks(&first));
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_from_looking() {
    let mut board = Shared::default();
    let mut first = Worker::new(settings(false), 1);
    first.tick(START, 0, false, &mut board);
    let mut second = Worker::new(settings(false), 2);
    second.tick(START - 3_600_000, 1, false, &mut board);
    assert!(looks(&second));
    first.tick(START - 3_600_000, 0, false, &mut board);
    assert!(!looks(&first));
}

#[test]
fn counts_that_are_damaged_are_thrown_away_and_said() {
    let mut board = Shared::default();
    let mut worker = Worker::new(settings(false), 1);
    worker.tick(START, 0, false, &mut board);
    for bytes in [
        &b"x"[..],
        b"HGWT\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        &[0xff; 200],
    ] {
        // Of a worker that isn't there, and of this one.
        for number in [5, 0] {
            let version = board.load(Place::Counts(number)).map(|it| it.1);
            let next = version.unwrap_or_default() + 1;
            let value = (bytes.to_vec(), next);
            board.values.insert(Place::Counts(number), value);
        }
        let mut acts = Vec::new();
        for step in 0..50 {
            acts.extend(worker.tick(START + 20_000 + step * 250, 0, false, &mut board));
        }
        let refused = acts.iter().filter(|act| matches!(act, Act::Refused(_)));
        assert_eq!(refused.count(), 2, "{acts:?}");
        board.values.remove(&Place::Lease);
        worker = Worker::new(settings(false), 1);
        worker.tick(START, 0, false, &mut board);
    }
}

#[test]
fn a_tally_comes_back_as_it_was_saved() {
    let mut tally = Tally::default();
    tally.signed(&signed("invoice.paid", Some("acct_1")), false);
    tally.signed(&signed("invoice.paid", Some("acct_1")), true);
    tally.refused(network(3), 7);
    tally.answered(Answer::Answered, 12);
    tally.answered(Answer::Failed, 10_000);
    let mut open = tally.opened();
    tally.brought(&mut open, 100);
    let taken = tally.take();
    assert_eq!(taken.counted(), 11);
    assert_eq!(Tally::restore(&taken.save()), Ok(taken.clone()));
    assert_eq!(tally.counted(), 0);
    tally.give_back(&taken);
    assert_eq!(tally.counted(), 11);
}

#[test]
fn only_what_is_open_still_is_held_open() {
    let mut tally = Tally::default();
    let mut slow = tally.opened();
    let mut quick = tally.opened();
    tally.brought(&mut slow, 3);
    tally.brought(&mut quick, 1_000_000);
    tally.closed(quick);
    assert_eq!(tally.take().open(), (1, 3));
    // What it brought before a hand-over was told then.
    tally.brought(&mut slow, 2);
    assert_eq!(tally.open(), (1, 2));
    tally.closed(slow);
    assert_eq!(tally.take().open(), (0, 0));
}

#[test]
fn no_sender_makes_a_tally_grow_beyond_its_bound() {
    let mut tally = Tally::default();
    for number in 0..20_000_u32 {
        let account = format!("acct_{number}{}", "x".repeat(300));
        let type_name = format!("type.{}", number % 5_000);
        tally.signed(&signed(&type_name, Some(&account)), false);
        let address = IpAddr::from(number.wrapping_mul(65_537).to_be_bytes());
        tally.refused(Network::of(address), 1);
        tally.answered(Answer::Answered, u64::from(number).pow(3));
    }
    let taken = tally.take();
    assert_eq!(taken.counted(), 60_000);
    let bytes = taken.save();
    assert!(bytes.len() < 500_000, "{} bytes", bytes.len());
    let mut again = Tally::restore(&bytes).unwrap();
    again.absorb(&taken);
    assert_eq!(again.counted(), 120_000);
    assert!(again.save().len() < 500_000);
}
