//! What no sender, clock or file should do, and what it may not do to what was learnt.

use hookgate_watch::generic::{Generic, Pace};
use hookgate_watch::rate::{Rate, Trend};
use hookgate_watch::time::Time;
use hookgate_watch::verdict::Cause;
use hookgate_watch::watch::Watch;

const WEEK: u64 = 7 * 86_400;
const START: u64 = 2_800 * WEEK;

fn at(second: u64) -> Time {
    Time::from_unix_seconds(START + second)
}

/// A rate that learnt ten events a tick for nine days.
fn learnt() -> (Rate, u64) {
    let mut rate = Rate::new();
    let end = WEEK + 2 * 86_400;
    for second in (0..end).step_by(10) {
        assert_eq!(rate.observe(at(second), steady(second)).trend, Trend::Usual);
    }
    (rate, end)
}

/// Eight to twelve, by chance.
fn steady(second: u64) -> u64 {
    let mixed = (second / 10).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    8 + (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) % 5
}

/// Checks that the baseline is what it was, and that an outage is still seen.
fn is_sound(rate: &mut Rate, now: u64) {
    let usual = rate.usual(at(now));
    assert!((0.9..1.15).contains(&usual), "{usual}");
    let silent = (0..60).find(|tick| rate.observe(at(now + 10 * tick), 0).trend == Trend::Silent);
    assert!(silent.is_some_and(|ticks| ticks < 12), "{silent:?}");
}

#[test]
fn a_gap_teaches_nothing_and_is_no_silence() {
    let (mut rate, now) = learnt();
    for gap in [61, 3_600, 86_400] {
        let reading = rate.observe(at(now + gap), 0);
        assert_eq!(reading.trend, Trend::Usual);
    }
    is_sound(&mut rate, now + 86_410);
}

#[test]
fn repeated_times_are_passed_over() {
    let (mut rate, now) = learnt();
    for _ in 0..10_000 {
        assert_eq!(rate.observe(at(now - 10), 500).trend, Trend::Usual);
    }
    is_sound(&mut rate, now);
}

#[test]
fn times_out_of_order_are_passed_over() {
    let (mut rate, now) = learnt();
    for back in 1..300 {
        assert_eq!(rate.observe(at(now - 10 * back), 0).trend, Trend::Usual);
        assert_eq!(rate.observe(at(now - 10 * back), 900).trend, Trend::Usual);
    }
    is_sound(&mut rate, now);
}

#[test]
fn a_clock_that_steps_back_is_followed() {
    let (mut rate, now) = learnt();
    let back = now - 86_400;
    for tick in 0..8_640 {
        let second = back + 10 * tick;
        assert_eq!(rate.observe(at(second), steady(second)).trend, Trend::Usual);
    }
    is_sound(&mut rate, now + 10);
}

#[test]
fn a_watch_whose_clock_steps_back_goes_on() {
    let mut watch = Watch::new(at(0));
    for second in (0..WEEK + 86_400).step_by(10) {
        watch.came("a", None, steady(second));
        watch.tick(at(second));
    }
    for second in (86_400..2 * 86_400).step_by(10) {
        watch.came("a", None, steady(second));
        assert_eq!(watch.tick(at(second)), []);
    }
    let silent = (0..60).find_map(|tick| watch.tick(at(2 * 86_400 + 10 * tick)).pop());
    assert_eq!(silent.map(|verdict| verdict.cause), Some(Cause::AllSilent));
}

#[test]
fn a_count_that_jumps_poisons_no_rate() {
    let (mut rate, now) = learnt();
    let reading = rate.observe(at(now), 1_000_000_000);
    assert_eq!(reading.trend, Trend::Up);
    assert_eq!(rate.observe(at(now + 10), u64::MAX).trend, Trend::Up);
    let mut second = now + 20;
    for _ in 0..2 * 360 {
        rate.observe(at(second), steady(second));
        second += 10;
    }
    assert_eq!(rate.observe(at(second), steady(second)).trend, Trend::Usual);
    is_sound(&mut rate, second + 10);
}

#[test]
fn a_constant_series_never_alarms_and_its_end_does() {
    let mut rate = Rate::new();
    let mut generic = Generic::new(Pace::default());
    let end = WEEK + 86_400;
    for second in (0..end).step_by(10) {
        assert_eq!(rate.observe(at(second), 10).trend, Trend::Usual);
        assert_eq!(generic.observe(second, 10.0), 0.0);
    }
    is_sound(&mut rate, end);
    assert!(generic.observe(end, 11.0) >= 0.5);
}

#[test]
fn a_series_of_nothing_stays_quiet() {
    let mut rate = Rate::new();
    for second in (0..2 * WEEK).step_by(10) {
        let reading = rate.observe(at(second), 0);
        assert_eq!((reading.trend, reading.usual), (Trend::Usual, 0.0));
    }
}

/// A wave with some noise, as numbers of any kind are.
fn wave(sample: u64) -> f64 {
    let noise = (sample * 7_919 % 101) as f64 / 101.0;
    100.0 + 20.0 * (sample as f64 / 40.0).sin() + noise
}

#[test]
fn what_is_no_number_is_passed_over() {
    let mut clean = Generic::new(Pace::default());
    let mut dirty = clean.clone();
    for sample in 0..3_000 {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(dirty.observe(sample * 300, odd), 0.0);
        }
        let score = clean.observe(sample * 300, wave(sample));
        assert_eq!(dirty.observe(sample * 300, wave(sample)), score);
    }
    assert_eq!(clean, dirty);
}

#[test]
fn a_number_that_jumps_poisons_no_backstop() {
    let mut generic = Generic::new(Pace::default());
    for sample in 0..3_000 {
        generic.observe(sample * 300, wave(sample));
    }
    assert!(generic.observe(3_000 * 300, 1e9) >= 0.5);
    for sample in 3_001..6_000 {
        generic.observe(sample * 300, wave(sample));
    }
    // Far under what was, for an hour: seen as before.
    let seen = (6_000..6_012).any(|sample| generic.observe(sample * 300, -4_000.0) >= 0.5);
    assert!(seen);
}

#[test]
fn the_greatest_numbers_do_no_harm() {
    let mut generic = Generic::new(Pace::default());
    for sample in 0..2_000 {
        let value = if sample % 2 == 0 { f64::MAX } else { f64::MIN };
        let score = generic.observe(u64::MAX - sample, value);
        assert!((0.0..=1.0).contains(&score), "{score}");
    }
    let mut watch = Watch::new(at(0));
    watch.came("a", Some("acct_1"), u64::MAX);
    watch.came("a", Some("acct_1"), u64::MAX);
    watch.held_open(u32::MAX, f64::NAN);
    watch.completed(u32::MAX, 0);
    watch.tick(Time::from_unix_seconds(u64::MAX));
    watch.tick(Time::from_unix_seconds(0));
}
