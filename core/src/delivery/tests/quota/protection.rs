//! What is done about verdicts of the watch.

use alloc::{format, vec, vec::Vec};

use super::{NOW, Request, code, forgery, forwarded, fresh, gate, limit, store_it};
use crate::{
    delivery::{Count, Delivery},
    gate::Gate,
    outcome::Outcome,
    protection::{Action, Protection},
    reply::Code,
    shared::memory::Memory,
    time::Timestamp,
};

fn tightened(ranges: &[&str]) -> Protection {
    Protection {
        tightened: ranges.iter().map(|range| range.parse().unwrap()).collect(),
        sheds: false,
        suspects: vec![],
    }
}

fn sheds() -> Protection {
    Protection {
        tightened: vec![],
        sheds: true,
        suspects: vec![],
    }
}

fn actions(delivery: &mut Delivery) -> Vec<Action> {
    let counts = delivery.take_counts().into_iter();
    counts
        .filter_map(|count| match count {
            Count::Protected(action) => Some(action),
            _ => None,
        })
        .collect()
}

/// Returns how many forgeries are heard before their sender is refused for its
/// failures, and what was done about them.
fn heard(gate: &Gate, memory: &mut Memory) -> (usize, Vec<Action>) {
    let mut actions_of_all = Vec::new();
    for number in 0..100 {
        let (mut delivery, step) = forgery().send(gate, memory, 1);
        actions_of_all.extend(actions(&mut delivery));
        if code(&step) == Code::RateLimited {
            return (number, actions_of_all);
        }
    }
    panic!("never refused");
}

fn with_burst(burst: u32) -> (Gate, Memory) {
    let sources = format!(r#""sources": {}"#, limit(burst));
    (gate("", &sources), Memory::default())
}

#[test]
fn forgers_are_refused_eight_times_as_soon_and_each_is_counted() {
    let (gate, mut memory) = with_burst(40);
    assert_eq!(heard(&gate, &mut memory), (40, vec![]));
    let (gate, mut memory) = with_burst(40);
    gate.protect(tightened(&["198.51.100.0/24"]));
    assert_eq!(heard(&gate, &mut memory), (5, vec![Action::Tighten; 6]));
    // When the verdict ends, the quota is again what it was.
    gate.protect(Protection::default());
    let (gate, mut memory) = with_burst(40);
    gate.protect(tightened(&["198.51.100.0/24"]));
    forgery().send(&gate, &mut memory, 1);
    gate.protect(Protection::default());
    assert_eq!(heard(&gate, &mut memory), (32, vec![]));
}

#[test]
fn other_networks_than_the_forgers_are_not_tightened() {
    let (gate, mut memory) = with_burst(40);
    gate.protect(tightened(&["198.51.99.0/24", "2001:db8::/48"]));
    assert_eq!(heard(&gate, &mut memory), (40, vec![]));
}

#[test]
fn a_sender_in_a_tightened_network_that_never_failed_is_heard() {
    // Of a burst under eight a failure costs all, and not more.
    for burst in [1, 3, 8, 9] {
        let (gate, mut memory) = with_burst(burst);
        gate.protect(tightened(&["198.51.100.0/24"]));
        let (mut delivery, step) = fresh(1).send(&gate, &mut memory, 1);
        forwarded(step);
        assert_eq!(actions(&mut delivery), []);
    }
}

#[test]
fn a_sender_that_has_verified_is_never_tightened() {
    let (gate, mut memory) = with_burst(40);
    gate.protect(tightened(&["198.51.100.0/24"]));
    store_it(&fresh(1), &gate, &mut memory);
    assert_eq!(heard(&gate, &mut memory), (40, vec![]));
    forwarded(fresh(2).send(&gate, &mut memory, 1).1);
    // Nor where the headers alone are refused.
    let (gate, mut memory) = with_burst(3);
    store_it(&fresh(1), &gate, &mut memory);
    gate.protect(tightened(&["198.51.100.0/24"]));
    for _ in 0..3 {
        let unsigned = forgery().without("stripe-signature");
        let (mut delivery, step) = unsigned.send(&gate, &mut memory, 1);
        assert_eq!(code(&step), Code::SignatureMissing);
        assert_eq!(actions(&mut delivery), []);
    }
}

#[test]
fn one_in_ten_goes_through_while_deliveries_are_shed() {
    let (gate, mut memory) = with_burst(1);
    gate.protect(sheds());
    let mut through = 0;
    for number in 0..100 {
        let (mut delivery, step) = fresh(number).send(&gate, &mut memory, 1);
        if delivery.is_forwarded() {
            through += 1;
            continue;
        }
        assert_eq!(code(&step), Code::Overloaded);
        let refused = Outcome::Refused(Code::Overloaded);
        assert_eq!(delivery.outcome(), Some(refused));
        assert_eq!(actions(&mut delivery), [Action::Shed]);
    }
    assert_eq!(through, 10);
    gate.protect(Protection::default());
    for number in 100..120 {
        forwarded(fresh(number).send(&gate, &mut memory, 1).1);
    }
}

#[test]
fn one_a_second_goes_through_however_few_come() {
    let (gate, mut memory) = with_burst(1);
    gate.protect(sheds());
    for second in 0..20_u32 {
        let now = Timestamp::from_unix_millis(NOW.unix_millis() + u64::from(second) * 1_000);
        forwarded(fresh(second).send_at(&gate, &mut memory, 1, now).1);
        let (_, step) = fresh(100 + second).send_at(&gate, &mut memory, 1, now);
        assert_eq!(code(&step), Code::Overloaded);
    }
}

#[test]
fn nobody_is_charged_for_what_is_shed() {
    let (gate, mut memory) = with_burst(1);
    gate.protect(sheds());
    for number in 0..9 {
        fresh(number).send(&gate, &mut memory, 1);
    }
    gate.protect(Protection::default());
    let step = forgery().send(&gate, &mut memory, 1).1;
    assert_eq!(code(&step), Code::SignatureMismatch);
    // What can be refused for what it says hears that, and takes nobody's turn.
    gate.protect(sheds());
    let unsigned: Request = forgery().without("stripe-signature");
    let (mut delivery, step) = unsigned.send(&gate, &mut memory, 1);
    assert_eq!(code(&step), Code::RateLimited);
    assert_eq!(actions(&mut delivery), []);
}
