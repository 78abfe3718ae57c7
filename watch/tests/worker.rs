//! Workers of one gate: what they count is told once, and one of them looks.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests say what they expect by failing"
)]

use std::{collections::BTreeMap, net::IpAddr};

use hookgate_watch::{
    orders::Protect,
    parts::{self, Head, Restoring, Wanted},
    source::Network,
    state::StateError,
    stranger::Signed,
    tally::Tally,
    time::Time,
    upstream::Answer,
    watch::Watch,
    worker::{Act, Board, Place, Saved, Settings, Worker},
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

/// The first part of what was saved last.
const FIRST: Act = Act::Restore(Wanted {
    save: None,
    number: 0,
});

/// A part of a save.
fn part(save: u64, number: u32) -> Act {
    let save = Some(save);
    Act::Restore(Wanted { save, number })
}

/// A watch that has learnt of two types.
fn learnt() -> Watch {
    let mut learnt = Watch::new(Time::from_unix_seconds(1_700_000_000));
    learnt.came("of.old", None, 1);
    learnt.came("older", None, 1);
    learnt.tick(Time::from_unix_seconds(1_700_000_010));
    learnt
}

/// Runs a worker from one second to another; what it wants done.
fn run(worker: &mut Worker, board: &mut Shared, from: u64, to: u64) -> Vec<Act> {
    let steps = (from * 4..to * 4).map(|step| START + step * 250);
    steps
        .flat_map(|now| worker.tick(now, 0, false, board))
        .collect()
}

fn saves(acts: &[Act]) -> bool {
    acts.iter().any(|act| matches!(act, Act::Save(_)))
}

/// How often it looked.
fn looked(acts: &[Act]) -> usize {
    acts.iter()
        .filter(|act| matches!(act, Act::Show(_)))
        .count()
}

/// Says a second as the host's clock does.
const fn at(second: u64) -> u64 {
    START + second * 1_000
}

#[test]
fn a_clock_that_is_set_back_makes_nobody_wait_for_a_state() {
    let mut board = Shared::default();
    let mut worker = Worker::new(settings(true), 1);
    let began = worker.tick(START, 0, false, &mut board);
    assert_eq!(began, [Act::Taken, FIRST]);
    // Before an answer came, and when it is to be asked again.
    for days in 1..3 {
        let now = START - days * 86_400_000;
        let acts: Vec<Act> = (0..160)
            .flat_map(|step| worker.tick(now + step * 250, 0, false, &mut board))
            .collect();
        assert!(acts.contains(&FIRST), "{days}: {acts:?}");
        assert!(looked(&acts) > 0);
        worker.restored(now + 40_000, Saved::Unknown).unwrap();
    }
}

#[test]
fn nothing_is_saved_before_it_is_known_what_was() {
    let mut board = Shared::default();
    let mut worker = Worker::new(settings(true), 1);
    assert_eq!(run(&mut worker, &mut board, 0, 1), [Act::Taken, FIRST]);
    // Nobody answers, and then nobody knows: it is asked again and again.
    let acts = run(&mut worker, &mut board, 1, 600);
    assert!(!saves(&acts) && acts.contains(&FIRST));
    assert_eq!(worker.restored(at(600), Saved::Unknown), Ok(None));
    let acts = run(&mut worker, &mut board, 600, 1_200);
    assert!(!saves(&acts) && acts.contains(&FIRST));
    // What was learnt once comes back, and from then on is saved.
    let parts = parts::all(9, &learnt());
    for (part_number, bytes) in (1..).zip(&parts[..3]) {
        let next = worker.restored(at(1_200), Saved::Part(bytes));
        assert_eq!(next, Ok(Some(part(9, part_number))));
        assert_eq!(worker.watch().unwrap().types().count(), 0);
    }
    let whole = worker.restored(at(1_200), Saved::Part(&parts[3]));
    assert_eq!(whole, Ok(Some(Act::Restored)));
    assert!(worker.watch() == Some(&learnt()), "another watch");
    let acts = run(&mut worker, &mut board, 1_200, 1_800);
    assert!(saves(&acts) && !acts.contains(&FIRST));
    let types: Vec<&str> = worker.watch().unwrap().types().map(|it| it.0).collect();
    assert_eq!(types, ["of.old", "older"]);
    // What comes late changes nothing.
    let late = worker.restored(at(1_800), Saved::Part(b"nonsense"));
    assert_eq!(late, Ok(None));
}

#[test]
fn a_state_of_which_nobody_has_the_rest_is_asked_for_from_its_beginning() {
    let parts = parts::all(9, &learnt());
    // Another save took its place, or nobody answers.
    for gone in [Saved::Nothing, Saved::Unknown] {
        let mut board = Shared::default();
        let mut worker = Worker::new(settings(true), 1);
        assert!(run(&mut worker, &mut board, 0, 1).contains(&FIRST));
        worker.restored(at(1), Saved::Part(&parts[0])).unwrap();
        assert_eq!(worker.restored(at(1), gone), Ok(None));
        let acts = run(&mut worker, &mut board, 1, 20);
        assert!(!acts.contains(&FIRST) && looked(&acts) > 0, "{gone:?}");
        let acts = run(&mut worker, &mut board, 20, 600);
        assert!(acts.contains(&FIRST) && !saves(&acts), "{gone:?}");
    }
}

#[test]
fn looks_wait_for_a_state_that_comes_slowly_but_not_forever() {
    let mut board = Shared::default();
    let parts = parts::all(9, &learnt());
    let mut worker = Worker::new(settings(true), 1);
    run(&mut worker, &mut board, 0, 5);
    worker.restored(at(5), Saved::Part(&parts[0])).unwrap();
    // Each part within its six seconds, all of them in more than twenty.
    assert_eq!(looked(&run(&mut worker, &mut board, 5, 10)), 0);
    worker.restored(at(10), Saved::Part(&parts[1])).unwrap();
    let acts = run(&mut worker, &mut board, 10, 15);
    assert_eq!((looked(&acts), acts.contains(&FIRST)), (0, false));
    // As it goes on to come nothing is asked twice.
    worker.restored(at(15), Saved::Part(&parts[2])).unwrap();
    let acts = run(&mut worker, &mut board, 15, 20);
    assert_eq!((looked(&acts), acts.contains(&FIRST)), (0, false));
    let mut slow = worker;
    let acts = run(&mut slow, &mut board, 20, 26);
    assert!(looked(&acts) > 0, "waits for ever");
    assert!(acts.contains(&FIRST), "the last part never came");
}

#[test]
fn a_state_that_goes_on_to_come_stops_no_look_for_more_than_20_s() {
    let mut many = learnt();
    for number in 0..6 {
        many.came(&format!("type.{number}"), None, 1);
    }
    let parts = parts::all(9, &many);
    let mut board = Shared::default();
    let mut worker = Worker::new(settings(true), 1);
    let mut acts = run(&mut worker, &mut board, 0, 5);
    for (second, part) in (5..35).step_by(5).zip(&parts) {
        worker.restored(at(second), Saved::Part(part)).unwrap();
        acts.extend(run(&mut worker, &mut board, second, second + 5));
        assert_eq!(looked(&acts) > 0, second >= 20, "{second}");
    }
    let asked = acts.iter().filter(|act| **act == FIRST).count();
    assert_eq!(asked, 1);
}

#[test]
fn looks_wait_for_nobody_who_does_not_answer() {
    let mut board = Shared::default();
    let mut worker = Worker::new(settings(true), 1);
    assert_eq!(looked(&run(&mut worker, &mut board, 0, 6)), 0);
    assert!(looked(&run(&mut worker, &mut board, 6, 18)) > 0);
}

/// A worker that looks, of which nothing was saved.
fn fresh(settings: Settings, board: &mut Shared) -> Worker {
    let mut worker = Worker::new(settings, 5);
    worker.tick(START, 0, false, board);
    let anew = worker.restored(START, Saved::Nothing);
    assert_eq!(anew, Ok(Some(Act::BeginsAnew)));
    worker
}

/// The parts that a worker saves, of which the first was among its acts.
fn parts_of(worker: &mut Worker, acts: Vec<Act>, now: u64) -> Vec<Vec<u8>> {
    let mut parts: Vec<Vec<u8>> = acts
        .into_iter()
        .filter_map(|act| match act {
            Act::Save(part) => Some(part),
            _ => None,
        })
        .collect();
    assert_eq!(parts.len(), 1);
    loop {
        match worker.saved(now, true) {
            Some(Act::Save(part)) => parts.push(part),
            Some(Act::Saved) => return parts,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_state_is_saved_part_after_part() {
    let mut board = Shared::default();
    let mut worker = fresh(settings(true), &mut board);
    worker
        .tally
        .signed(&signed("invoice.paid", Some("acct_1")), false);
    let mut saves = Vec::new();
    for (from, to) in [(0, 292), (292, 592)] {
        let acts = run(&mut worker, &mut board, from, to);
        let parts = parts_of(&mut worker, acts, at(to));
        assert_eq!(parts.len(), 4);
        assert_eq!(worker.saved(at(to), true), None);
        let mut restoring = Restoring::new();
        let restored = parts
            .iter()
            .filter_map(|part| restoring.take(part).unwrap());
        assert!(restored.last().as_ref() == worker.watch(), "another watch");
        saves.push(Head::of(&parts[0]).unwrap().save);
    }
    assert_ne!(saves[0], saves[1]);
}

#[test]
fn no_save_begins_while_parts_of_another_are_under_way() {
    let mut board = Shared::default();
    // Saves every 0.6 s.
    let settings = Settings {
        tick_millis: 20,
        ..settings(true)
    };
    let mut worker = fresh(settings, &mut board);
    let mut saves = Vec::new();
    for millis in (0..10_000).step_by(10) {
        let acts = worker.tick(START + millis, 0, false, &mut board);
        saves.extend(
            acts.iter()
                .any(|act| matches!(act, Act::Save(_)))
                .then_some(millis),
        );
        if millis == 3_000 {
            assert!(matches!(
                worker.saved(START + millis, true),
                Some(Act::Save(_))
            ));
        }
    }
    // Nobody answered for six seconds.
    assert!(matches!(saves[..], [..700, 9_000..9_100]), "{saves:?}");
}

#[test]
fn a_part_that_was_not_saved_ends_its_save() {
    let mut board = Shared::default();
    let mut worker = fresh(settings(true), &mut board);
    assert!(saves(&run(&mut worker, &mut board, 0, 302)));
    assert_eq!(worker.saved(at(302), false), None);
    assert_eq!(worker.saved(at(302), true), None);
    // The next one begins when it is due, with all of it.
    let acts = run(&mut worker, &mut board, 302, 603);
    let parts = parts_of(&mut worker, acts, at(603));
    assert_eq!(Head::of(&parts[0]).unwrap().number, 0);
}

#[test]
fn a_new_configuration_waits_for_no_answer_to_the_one_before() {
    let mut board = Shared::default();
    let mut worker = Worker::new(settings(true), 1);
    assert!(run(&mut worker, &mut board, 0, 1).contains(&FIRST));
    worker.set(settings(true));
    assert!(run(&mut worker, &mut board, 1, 2).contains(&FIRST));
    worker.restored(at(2), Saved::Nothing).unwrap();
    assert!(saves(&run(&mut worker, &mut board, 2, 302)));
    worker.set(settings(true));
    assert_eq!(worker.saved(at(302), true), None);
}

/// Parts of two saves of one number could become one state.
#[test]
fn a_clock_that_is_set_back_gives_no_save_the_number_of_another() {
    let mut board = Shared::default();
    let mut worker = fresh(settings(true), &mut board);
    let mut numbers = Vec::new();
    for (from, to) in [(0, 302), (0, 30), (30, 302)] {
        let acts = run(&mut worker, &mut board, from, to);
        let parts = acts.iter().filter_map(|act| match act {
            Act::Save(part) => Some(Head::of(part).unwrap().save),
            _ => None,
        });
        numbers.extend(parts);
        // It ends without its other parts.
        worker.saved(at(to), false);
    }
    assert_eq!(numbers.len(), 3);
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 3, "{numbers:?}");
}

#[test]
fn a_configuration_that_names_who_keeps_the_state_asks_before_it_saves() {
    let mut board = Shared::default();
    let mut worker = Worker::new(settings(false), 1);
    run(&mut worker, &mut board, 0, 400);
    worker.set(settings(true));
    let acts = run(&mut worker, &mut board, 400, 401);
    assert!(acts.contains(&FIRST) && !saves(&acts), "{acts:?}");
    // And one that names nobody asks nobody any more, until another does.
    worker.set(settings(false));
    let acts = run(&mut worker, &mut board, 401, 1_000);
    assert!(!acts.contains(&FIRST) && !saves(&acts) && looked(&acts) > 50);
    worker.set(settings(true));
    assert!(run(&mut worker, &mut board, 1_000, 1_001).contains(&FIRST));
}

#[test]
fn whoever_else_keeps_the_state_is_asked_before_anything_is_saved() {
    let mut board = Shared::default();
    let mut worker = fresh(kept_by(Some(1)), &mut board);
    // The same again needs no question.
    worker.set(kept_by(Some(1)));
    let acts = run(&mut worker, &mut board, 0, 302);
    assert!(saves(&acts) && !acts.contains(&FIRST));
    worker.set(kept_by(Some(2)));
    let acts = run(&mut worker, &mut board, 302, 602);
    assert!(!saves(&acts) && acts.contains(&FIRST));
    // What there is there is worth more than what was learnt meanwhile.
    for part in parts::all(9, &learnt()) {
        worker.restored(at(602), Saved::Part(&part)).unwrap();
    }
    assert!(worker.watch() == Some(&learnt()), "another watch");
}

#[test]
fn what_is_no_state_at_all_is_no_reason_to_learn_anew() {
    let mut board = Shared::default();
    let mut worker = Worker::new(settings(true), 1);
    assert!(run(&mut worker, &mut board, 0, 1).contains(&FIRST));
    // A page of whoever stands before who keeps it, or nothing.
    for (second, answer) in [(1, &b"<html>"[..]), (40, b""), (80, b"HGWT")] {
        let taken = worker.restored(at(second), Saved::Part(answer));
        assert_eq!(taken, Ok(None), "{answer:?}");
        let acts = run(&mut worker, &mut board, second, second + 40);
        assert!(!saves(&acts) && acts.contains(&FIRST), "{answer:?}");
    }
}

#[test]
fn a_state_that_is_damaged_is_refused_and_the_watch_begins_anew() {
    let mut board = Shared::default();
    let mut worker = Worker::new(settings(true), 1);
    worker.tick(START, 0, false, &mut board);
    let mut parts = parts::all(9, &learnt());
    worker.restored(START, Saved::Part(&parts[0])).unwrap();
    *parts[1].last_mut().unwrap() ^= 1;
    assert_eq!(
        worker.restored(START, Saved::Part(&parts[1])),
        Err(StateError::Checksum)
    );
    let acts = run(&mut worker, &mut board, 0, 600);
    assert!(saves(&acts) && !acts.contains(&FIRST));
    assert_eq!(worker.watch().unwrap().types().count(), 0);
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
