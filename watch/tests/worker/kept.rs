//! What the worker that looks has learnt is saved and comes back, part by part.

use hookgate_watch::{
    parts::{self, Head, Restoring, Wanted},
    state::StateError,
    time::Time,
    watch::Watch,
    worker::{Act, Saved, Settings, Worker},
};

use super::{START, Shared, kept_by, settings, signed};

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
