use std::{num::NonZeroU32, num::NonZeroUsize, time::Duration};

use hookgate_core::time::Timestamp;

use super::{Breaking, Health, Permit, later};
use crate::{
    deliver::{
        destination::{Destination, Filter, Order},
        job::{Outcome, Via},
        retry::RetryPolicy,
    },
    log::Start,
};

const START: Timestamp = Timestamp::from_unix_seconds(1_760_000_000);

fn after(millis: u64) -> Timestamp {
    later(START, Duration::from_millis(millis))
}

fn destination(concurrency: usize, rate: Option<u32>, secondary: Option<&str>) -> Destination {
    Destination {
        name: "orders".to_owned(),
        primary: "http://127.0.0.1:1/".parse().unwrap(),
        secondary: secondary.map(|url| url.parse().unwrap()),
        secrets: Vec::new(),
        filter: Filter::default(),
        from: Start::Now,
        concurrency: NonZeroUsize::new(concurrency).unwrap(),
        rate: rate.and_then(NonZeroU32::new),
        timeout: Duration::from_secs(1),
        authorities: None,
        proxy: None,
        order: Order::None,
        retry: RetryPolicy::default(),
        breaking: Breaking::default(),
    }
}

fn alone() -> Health {
    Health::new(&destination(8, None, None))
}

fn pair() -> Health {
    Health::new(&destination(8, None, Some("http://127.0.0.1:2/")))
}

fn throttled(seconds: u64) -> Outcome {
    Outcome::Throttled {
        retry_after: Some(Duration::from_secs(seconds)),
    }
}

fn fail(health: &mut Health, via: Via, times: u32, now: Timestamp) {
    for _ in 0..times {
        health.observe(via, Outcome::Unavailable, now);
    }
}

#[test]
fn lets_as_many_be_under_way_as_configured() {
    let mut health = alone();
    assert_eq!(health.permit(7, START), Permit::Now(Via::Primary));
    assert_eq!(health.permit(8, START), Permit::Full);
}

#[test]
fn leaves_a_destination_alone_for_as_long_as_it_asks() {
    let mut health = alone();
    health.observe(Via::Primary, throttled(7), START);
    assert_eq!(health.permit(0, START), Permit::At(after(7_000)));
    assert_eq!(health.permit(0, after(6_999)), Permit::At(after(7_000)));
    assert_eq!(health.permit(0, after(7_000)), Permit::Now(Via::Primary));

    let mut health = alone();
    let without = Outcome::Throttled { retry_after: None };
    health.observe(Via::Primary, without, START);
    assert_eq!(health.permit(0, START), Permit::At(after(60_000)));
}

#[test]
fn comes_back_with_half_as_many_and_then_more() {
    let mut health = alone();
    // Those that were under way together are one complaint.
    for _ in 0..8 {
        health.observe(Via::Primary, throttled(1), START);
    }
    assert_eq!(health.room().get(), 4);
    for _ in 0..4 {
        health.observe(Via::Primary, Outcome::Delivered, after(2_000));
    }
    assert_eq!(health.room().get(), 5);
    health.observe(Via::Primary, throttled(1), after(3_000));
    assert_eq!(health.room().get(), 2);
    for _ in 0..1_000 {
        health.observe(Via::Primary, Outcome::Delivered, after(9_000));
    }
    assert_eq!(health.room().get(), 8);
}

#[test]
fn spaces_attempts_by_the_rate() {
    let mut health = Health::new(&destination(8, Some(100), None));
    assert_eq!(health.permit(0, START), Permit::Now(Via::Primary));
    assert_eq!(health.permit(0, START), Permit::At(after(10)));
    assert_eq!(health.permit(0, after(10)), Permit::Now(Via::Primary));
    // A rest earns no burst.
    assert_eq!(health.permit(0, after(5_000)), Permit::Now(Via::Primary));
    assert_eq!(health.permit(0, after(5_000)), Permit::At(after(5_010)));
}

#[test]
fn stops_trying_a_target_that_is_gone_and_probes_it() {
    let mut health = alone();
    fail(&mut health, Via::Primary, 4, START);
    assert_eq!(health.permit(0, START), Permit::Now(Via::Primary));
    fail(&mut health, Via::Primary, 1, START);
    assert_eq!(health.permit(0, START), Permit::At(after(1_000)));
    // One probe, and no second one meanwhile.
    assert_eq!(health.permit(0, after(1_000)), Permit::Now(Via::Primary));
    assert_eq!(health.permit(1, after(1_000)), Permit::At(after(31_000)));
    // It fails: twice as long until the next.
    fail(&mut health, Via::Primary, 1, after(1_500));
    assert_eq!(health.permit(0, after(1_500)), Permit::At(after(3_500)));
    assert_eq!(health.permit(0, after(3_500)), Permit::Now(Via::Primary));
    health.observe(Via::Primary, Outcome::Delivered, after(3_600));
    assert_eq!(health.permit(0, after(3_600)), Permit::Now(Via::Primary));
}

#[test]
fn a_probe_that_is_never_heard_of_is_followed_by_another() {
    let mut health = alone();
    fail(&mut health, Via::Primary, 5, START);
    assert_eq!(health.permit(0, after(1_000)), Permit::Now(Via::Primary));
    assert_eq!(health.permit(0, after(31_000)), Permit::Now(Via::Primary));
}

#[test]
fn no_probe_follows_another_that_may_still_be_answered() {
    let mut slow = destination(8, None, None);
    slow.timeout = Duration::from_mins(1);
    slow.breaking.longest = slow.breaking.initial;
    let mut health = Health::new(&slow);
    fail(&mut health, Via::Primary, 5, START);
    assert_eq!(health.permit(0, after(1_000)), Permit::Now(Via::Primary));
    assert_eq!(health.permit(1, after(1_000)), Permit::At(after(61_000)));
}

#[test]
fn any_answer_shows_that_somebody_is_there() {
    let mut health = alone();
    for outcome in [Outcome::Failed, Outcome::Refused, Outcome::Delivered] {
        fail(&mut health, Via::Primary, 4, START);
        health.observe(Via::Primary, outcome, START);
        fail(&mut health, Via::Primary, 4, START);
        assert_eq!(
            health.permit(0, START),
            Permit::Now(Via::Primary),
            "{outcome:?}"
        );
        health.observe(Via::Primary, outcome, START);
    }
}

#[test]
fn goes_to_the_secondary_and_back_when_the_primary_is_well() {
    let mut health = pair();
    health.observe(Via::Primary, Outcome::Unavailable, START);
    assert!(health.fail_over(Outcome::Unavailable, START));
    // Still the primary's turn: one failure is no outage.
    assert_eq!(health.permit(0, START), Permit::Now(Via::Primary));
    fail(&mut health, Via::Primary, 4, START);
    assert_eq!(health.permit(0, START), Permit::Now(Via::Secondary));
    assert_eq!(health.permit(0, after(1_000)), Permit::Now(Via::Primary));
    assert_eq!(health.permit(0, after(1_001)), Permit::Now(Via::Secondary));
    health.observe(Via::Primary, Outcome::Delivered, after(1_100));
    assert_eq!(health.permit(0, after(1_101)), Permit::Now(Via::Primary));
}

#[test]
fn goes_to_the_secondary_after_silence_only_if_the_primary_answers_nobody() {
    let mut health = pair();
    for _ in 0..4 {
        health.observe(Via::Primary, Outcome::TimedOut, START);
        assert!(!health.fail_over(Outcome::TimedOut, START));
    }
    health.observe(Via::Primary, Outcome::TimedOut, START);
    assert!(health.fail_over(Outcome::TimedOut, START));
    // The probe is an event too, and need not wait for the next one.
    assert_eq!(health.permit(0, after(1_000)), Permit::Now(Via::Primary));
    health.observe(Via::Primary, Outcome::TimedOut, after(2_000));
    assert!(health.fail_over(Outcome::TimedOut, after(2_000)));
    for outcome in [Outcome::Failed, Outcome::Refused, Outcome::Delivered] {
        assert!(!health.fail_over(outcome, after(2_000)), "{outcome:?}");
    }
}

#[test]
fn has_no_more_at_hand_than_can_be_tried_soon() {
    let room = |rate| Health::new(&destination(64, rate, None)).room().get();
    assert_eq!(room(None), 64);
    assert_eq!(room(Some(100)), 64);
    assert_eq!(room(Some(2)), 10);
    assert_eq!(room(Some(1)), 5);
}

#[test]
fn has_nowhere_to_go_without_a_secondary_that_is_well() {
    assert!(!alone().fail_over(Outcome::Unavailable, START));
    let mut health = pair();
    fail(&mut health, Via::Secondary, 5, START);
    assert!(!health.fail_over(Outcome::Unavailable, START));
    fail(&mut health, Via::Primary, 5, after(500));
    assert_eq!(health.permit(0, after(500)), Permit::At(after(1_000)));
}

#[test]
fn a_pause_holds_for_the_secondary_too() {
    let mut health = pair();
    health.observe(Via::Secondary, throttled(7), START);
    assert!(!health.fail_over(Outcome::Unavailable, START));
    assert_eq!(health.permit(0, START), Permit::At(after(7_000)));
}

#[test]
fn says_how_long_there_is_no_use_in_asking() {
    let mut health = pair();
    assert_eq!(health.held_until(START), None);
    fail(&mut health, Via::Primary, 5, START);
    assert_eq!(health.held_until(START), None);
    fail(&mut health, Via::Secondary, 5, after(200));
    assert_eq!(health.held_until(after(200)), Some(after(1_000)));
    assert_eq!(health.held_until(after(1_000)), None);
    health.observe(Via::Primary, throttled(7), after(1_000));
    assert_eq!(health.held_until(after(1_000)), Some(after(8_000)));
}
