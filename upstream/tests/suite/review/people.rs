//! Several people, and one who clicks twice.

use std::{collections::BTreeMap, thread};

use super::{Scene, audit};
use crate::{destinations::parked, harness::until};

on_both_logs! {
    of_people_who_approve_at_once_one_lets_it_go_and_the_others_are_told_who
    a_decision_that_is_asked_for_twice_is_made_once
    a_second_pair_of_eyes_is_that_of_somebody_else
    an_event_that_is_parked_again_needs_new_approvals
}

fn of_people_who_approve_at_once_one_lets_it_go_and_the_others_are_told_who(log: &str) {
    let scene = Scene::start(log, 1);
    scene.orders.mend();
    let names = ["ada", "ben", "cleo", "dan", "eva", "finn"];
    let decided = thread::scope(|scope| {
        let approve = |name| scene.decide(name, &["review", "approve", "evt_n00000"]);
        let started = names.map(|name| scope.spawn(move || (name, approve(name))));
        started.map(|it| it.join().unwrap())
    });
    let winners: Vec<&str> = decided
        .iter()
        .filter(|(_, decided)| decided.code == 0)
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(winners.len(), 1, "{winners:?}");
    let first = format!("let go by {} at 20", winners[0]);
    for (name, decided) in decided.iter().filter(|(_, it)| it.code != 0) {
        let why = decided.lines.first().map(|_| decided.why());
        assert!(why.is_some_and(|it| it.contains(&first)), "{name}: {why:?}");
    }
    scene.orders.receiver.until_got(2);
    assert_eq!(scene.until_quiet().len(), 2);
    let trail = audit(scene.log());
    assert_eq!(trail.len(), 1);
    assert_eq!(trail[0]["by"], winners[0]);
}

fn a_decision_that_is_asked_for_twice_is_made_once(log: &str) {
    let scene = Scene::start(log, 1);
    scene.orders.mend();
    let approve = ["review", "approve", "evt_n00000", "--batch", "click-1"];
    let redeliver = ["redeliver", "--destination", "orders", "--all"];
    let redeliver = [&redeliver[..], &["--batch", "click-2"]].concat();
    for (count, arguments) in [(2, &approve[..]), (3, &redeliver)] {
        let twice = thread::scope(|scope| {
            let clicks = [(); 2].map(|()| scope.spawn(|| scene.decide("ada", arguments)));
            clicks.map(|click| click.join().unwrap())
        });
        let mut outcomes = twice.map(|decided| {
            assert_eq!(decided.code, 0, "{}", decided.stderr);
            decided.lines[0]["outcome"].as_str().unwrap().to_owned()
        });
        outcomes.sort();
        assert_eq!(outcomes, ["before", "released"]);
        scene.orders.receiver.until_got(count);
        assert_eq!(scene.until_quiet().len(), count);
    }
    // Under one name nothing else is decided, and by nobody else.
    let discard = ["review", "discard", "evt_n00000", "--batch", "click-1"];
    for (name, arguments) in [("ada", &discard[..]), ("ben", &approve)] {
        let other = scene.decide(name, arguments);
        assert_eq!(other.counts(), BTreeMap::from([("refused", 1)]), "{name}");
        assert!(other.why().contains("let go by ada"), "{}", other.why());
    }
    // Also when all of it is long done.
    let late = scene.decide("ada", &redeliver);
    assert_eq!(late.counts(), BTreeMap::from([("before", 1)]));
    assert_eq!(scene.until_quiet().len(), 3);
    assert_eq!(audit(scene.log()).len(), 2);
}

fn a_second_pair_of_eyes_is_that_of_somebody_else(log: &str) {
    let scene = Scene::configured(log, 2, "[review]\napprovals = 2\n");
    scene.orders.mend();
    let approve = ["review", "approve", "evt_n00000"];
    let decided = scene.decide("ada", &approve);
    assert_eq!(decided.counts(), BTreeMap::from([("approved", 1)]));
    for same in ["ada", "Ada", " ada "] {
        let decided = scene.decide(same, &approve);
        assert_eq!(decided.code, 1, "{same}");
        assert!(decided.why().contains("somebody else"), "{}", decided.why());
    }
    assert_eq!(scene.until_quiet().len(), 2);
    assert_eq!(parked(&scene.place).len(), 2);
    let decided = scene.decide("ben", &approve);
    assert_eq!(decided.counts(), BTreeMap::from([("released", 1)]));
    scene.orders.receiver.until_got(3);
    scene.until_quiet();

    // A redelivery needs them too, and so nobody goes around it.
    let redeliver = ["redeliver", "--destination", "orders", "--all"];
    let decided = scene.decide("ada", &redeliver);
    assert_eq!(decided.counts(), BTreeMap::from([("approved", 1)]));
    until("the request is parked", || {
        let parked = parked(&scene.place);
        let requested = parked.iter().filter(|it| it["reason"] == "requested");
        (requested.count() == 1).then_some(())
    });
    let bulk = ["review", "approve", "--parked-for", "requested"];
    assert_eq!(scene.decide("ada", &bulk).code, 1);
    assert_eq!(scene.until_quiet().len(), 3);
    let decided = scene.decide("ben", &bulk);
    assert_eq!(decided.counts(), BTreeMap::from([("released", 1)]));
    scene.orders.receiver.until_got(4);
    assert_eq!(scene.until_quiet().len(), 4);
    let by: Vec<String> = audit(scene.log())
        .iter()
        .map(|record| format!("{} {}", record["by"], record["action"]).replace('"', ""))
        .collect();
    let expected = [
        "ada approved",
        "ben released",
        "ada approved",
        "ben released",
    ];
    assert_eq!(by, expected);
}

/// The approval of one event never counts for its next stay in review.
fn an_event_that_is_parked_again_needs_new_approvals(log: &str) {
    let scene = Scene::configured(log, 1, "[review]\napprovals = 2\n");
    let approve = ["review", "approve", "evt_n00000"];
    scene.decide("ada", &approve);
    scene.decide("ben", &approve);
    until("it is parked again", || {
        let parked = parked(&scene.place);
        parked.iter().any(|it| it["attempts"] == 2).then_some(())
    });
    scene.orders.mend();
    let decided = scene.decide("ben", &approve);
    assert_eq!(decided.counts(), BTreeMap::from([("approved", 1)]));
    assert_eq!(scene.until_quiet().len(), 2);
}
