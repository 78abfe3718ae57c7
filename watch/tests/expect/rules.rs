//! What is told of one event, by the rules.

use hookgate_watch::expect::{Event, Expectations, Finding, Flag, Got, Kind, Outcome};

use crate::flow::{Flow, HOUR, START};

fn learnt(cases: u64) -> Flow {
    let mut flow = Flow::new(3);
    for number in 0..cases {
        let at = START + number * 60_000;
        let object = flow.object();
        let event = flow.event(at, "payout.created", &[object]);
        let done = at + flow.chance.delay(2.0, 0.4);
        flow.outcome(done, event, true);
        let paid = at + flow.chance.delay(600.0, 0.2);
        flow.event(paid, "payout.paid", &[object]);
    }
    flow.run(START + cases * 60_000 + 4 * HOUR);
    assert_eq!(flow.flags, [], "while it learns");
    flow
}

fn at(flow: &mut Flow, millis: u64, name: &str, objects: &[u64], event: u64) -> Vec<Finding> {
    flow.sequence += 1;
    flow.expectations.observe(&Event {
        sequence: flow.sequence,
        event,
        objects,
        type_name: name,
        at_millis: millis,
        in_time: true,
    })
}

fn flags(found: Vec<Finding>) -> Vec<Flag> {
    let flags = found.into_iter().filter_map(|finding| match finding {
        Finding::Flag(flag) => Some(flag),
        Finding::Late { .. } => None,
    });
    flags.collect()
}

const LATER: u64 = START + 10_000 * HOUR;

fn outcome(event: u64, at_millis: u64) -> Outcome<'static> {
    Outcome {
        event,
        destination: "orders",
        got_millis: None,
        at_millis,
        completed: true,
    }
}

#[test]
fn what_never_follows_is_told_once_with_its_figures_and_when_it_comes_after_all() {
    let mut flow = learnt(300);
    at(&mut flow, LATER, "payout.created", &[1 << 50], 1 << 50);
    assert_eq!(
        flow.expectations.reported(&outcome(1 << 50, LATER + 2_000)),
        []
    );
    let soon = flow
        .expectations
        .tick(LATER + HOUR / 4, &mut |_, _| Got::Unknown);
    assert_eq!(soon, []);
    let found = flow
        .expectations
        .tick(LATER + 3 * HOUR, &mut |_, _| Got::Unknown);
    let [flag] = flags(found).try_into().unwrap();
    assert_eq!(flag.kind, Kind::OverdueSuccessor);
    assert_eq!(flag.type_name, "payout.created");
    assert_eq!((flag.sequence, flag.since_millis), (flow.sequence, LATER));
    assert_eq!((flag.cases, flag.like_it, flag.usual), (300, 0, 0.0));
    assert!((1_800.0..7_200.0).contains(&flag.limit_seconds), "{flag:?}");
    assert!(flag.probability < 0.004, "{flag:?}");
    assert_eq!(flag.similar.len(), 3);
    assert_eq!(flow.expectations.counts().overdue, 1);
    let again = flow
        .expectations
        .tick(LATER + 4 * HOUR, &mut |_, _| Got::Unknown);
    assert_eq!(again, []);
    let sequence = flow.sequence;
    let found = at(
        &mut flow,
        LATER + 5 * HOUR,
        "payout.paid",
        &[1 << 50],
        1 << 51,
    );
    let late = |finding: &&Finding| matches!(finding, Finding::Late { sequence: it, .. } if *it == sequence);
    assert_eq!(found.iter().filter(late).count(), 1, "{found:?}");
    assert_eq!(flow.expectations.counts().overdue, 0);
    // It counts as one that came, which the next one is told with.
    let again = LATER + 6 * HOUR;
    at(&mut flow, again, "payout.created", &[1 << 53], 1 << 53);
    let found = (flow.expectations).tick(again + 40 * HOUR, &mut |_, _| Got::Never);
    let [flag] = flags(found).try_into().unwrap();
    assert_eq!((flag.cases, flag.like_it), (301, 0), "{flag:?}");
}

#[test]
fn what_several_events_wait_for_is_told_of_the_newest() {
    let mut flow = Flow::new(3);
    for number in 0..300 {
        let object = flow.object();
        for (minutes, name) in [(0, "a"), (1, "b"), (2, "c"), (30, "d")] {
            flow.event(START + (number * 5 + minutes) * 60_000, name, &[object]);
        }
    }
    flow.run(START + 3_000 * 60_000);
    assert_eq!(flow.flags, []);
    for (minutes, name) in [(0, "a"), (1, "b"), (2, "c")] {
        at(
            &mut flow,
            LATER + minutes * 60_000,
            name,
            &[1 << 50],
            1 << 50 | minutes,
        );
    }
    let found = flow
        .expectations
        .tick(LATER + 30 * HOUR, &mut |_, _| Got::Unknown);
    let told: Vec<_> = flags(found)
        .into_iter()
        .map(|flag| flag.type_name)
        .collect();
    assert_eq!(told, ["c"]);
}

#[test]
fn a_completion_is_overdue_from_when_the_destination_has_the_event() {
    let mut flow = learnt(300);
    at(&mut flow, LATER, "payout.created", &[1 << 50], 1 << 50);
    at(
        &mut flow,
        LATER + 600_000,
        "payout.paid",
        &[1 << 50],
        1 << 51,
    );
    let sequence = flow.sequence - 1;
    let mut asked = Vec::new();
    let mut tick = |flow: &mut Flow, minutes: u64, got: Got| {
        let found = flow
            .expectations
            .tick(LATER + minutes * 60_000, &mut |of, who| {
                asked.push((of, who.to_owned()));
                got
            });
        flags(found)
    };
    assert_eq!(tick(&mut flow, 20, Got::NotYet), []);
    let since = LATER + 40 * 60_000;
    assert_eq!(tick(&mut flow, 40, Got::At(since)), []);
    let [flag] = tick(&mut flow, 60, Got::At(since)).try_into().unwrap();
    assert_eq!(flag.kind, Kind::OverdueCompletion);
    assert_eq!((flag.sequence, &*flag.expected), (sequence, "orders"));
    assert_eq!(asked[0], (sequence, "orders".to_owned()));
}

#[test]
fn what_a_destination_never_gets_it_never_completes() {
    let mut flow = learnt(300);
    at(&mut flow, LATER, "payout.created", &[1 << 50], 1 << 50);
    at(
        &mut flow,
        LATER + 600_000,
        "payout.paid",
        &[1 << 50],
        1 << 51,
    );
    let found = flow.expectations.tick(LATER + HOUR, &mut |_, _| Got::Never);
    assert_eq!(found, []);
}

#[test]
fn a_type_where_it_never_came_is_told_once() {
    let mut flow = learnt(1_100);
    let found = at(&mut flow, LATER, "payout.paid", &[1 << 50], 1 << 50);
    let [flag] = flags(found).try_into().unwrap();
    assert_eq!(flag.kind, Kind::ImprobableTransition);
    assert_eq!(
        (&*flag.type_name, &*flag.expected),
        ("payout.paid", "the start")
    );
    assert!(flag.probability < 1e-4 && flag.cases == 1_100, "{flag:?}");
    let found = at(&mut flow, LATER, "payout.paid", &[1 << 52], 1 << 52);
    assert_eq!(found, []);
}

#[test]
fn another_order_of_arrival_is_no_lapse() {
    let mut flow = learnt(300);
    at(&mut flow, LATER, "payout.paid", &[1 << 50], 1 << 50);
    at(
        &mut flow,
        LATER + 1_000,
        "payout.created",
        &[1 << 50],
        1 << 51,
    );
    flow.expectations.reported(&outcome(1 << 51, LATER + 3_000));
    let found = flow
        .expectations
        .tick(LATER + 30 * HOUR, &mut |_, _| Got::Unknown);
    assert_eq!(found, []);
}

#[test]
fn more_failures_than_usual_are_told_as_one() {
    let mut flow = learnt(600);
    let mut found = Vec::new();
    for number in 0..30 {
        let (event, millis) = (1 << 50 | number, LATER + number * 60_000);
        at(&mut flow, millis, "payout.created", &[event], event);
        let failed = Outcome {
            completed: false,
            ..outcome(event, millis + 2_000)
        };
        found.extend(flow.expectations.reported(&failed));
    }
    let [flag] = flags(found).try_into().unwrap();
    assert_eq!(flag.kind, Kind::FailedExcess);
    assert_eq!(
        (&*flag.type_name, &*flag.expected),
        ("payout.created", "orders")
    );
    assert!(flag.probability < 1e-6, "{flag:?}");
}

#[test]
fn what_was_fetched_late_says_nothing_of_delays() {
    let mut flow = learnt(300);
    let before = flow.expectations.clone();
    flow.sequence += 1;
    let found = flow.expectations.observe(&Event {
        sequence: flow.sequence,
        event: 1 << 50,
        objects: &[1 << 50],
        type_name: "payout.created",
        at_millis: LATER,
        in_time: false,
    });
    assert_eq!(found, []);
    assert_eq!(flow.expectations.counts().waiting, before.counts().waiting);
}

#[test]
fn a_saved_state_goes_on_as_if_nothing_had_happened() {
    let mut flow = learnt(300);
    at(&mut flow, LATER, "payout.created", &[1 << 50], 1 << 50);
    let saved = flow.expectations.save();
    let mut restored = Expectations::restore(&saved).unwrap();
    assert_eq!(restored, flow.expectations);
    let tick = |of: &mut Expectations| of.tick(LATER + 30 * HOUR, &mut |_, _| Got::Unknown);
    let found = tick(&mut restored);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found, tick(&mut flow.expectations));
    let cut = Expectations::restore(&saved[..saved.len() - 1]);
    assert!(cut.unwrap_err().to_string().contains("damaged"));
}
