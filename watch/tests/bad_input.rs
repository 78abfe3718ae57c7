//! What no sender, clock or file should do, and what it may not do to what was learnt.

use std::net::{IpAddr, Ipv4Addr};

use hookgate_watch::generic::{Generic, Pace};
use hookgate_watch::rate::{Rate, Trend};
use hookgate_watch::source::Network;
use hookgate_watch::stranger::Signed;
use hookgate_watch::time::Time;
use hookgate_watch::upstream::Answer;
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

/// A jump before anything was usual is not usual at its hour for years.
#[test]
fn a_count_that_jumps_in_the_first_week_is_soon_forgotten() {
    let mut rate = Rate::new();
    let jump = 3 * 86_400 + 1_800;
    let mut second = 0;
    let mut until = |rate: &mut Rate, end: u64| {
        while second < end {
            let events = if second == jump {
                1_000_000_000
            } else {
                steady(second)
            };
            rate.observe(at(second), events);
            second += 10;
        }
    };
    until(&mut rate, WEEK + 3_600);
    let usual = rate.usual(at(WEEK + jump));
    assert!((5.0..11.0).contains(&usual), "{usual}");
    until(&mut rate, 13 * WEEK);
    let usual = rate.usual(at(13 * WEEK + jump));
    assert!(usual < 1.8, "{usual}");
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

/// A watch that learnt for nine days: eight to twelve genuine deliveries a tick, and a scanner.
fn watched() -> (Watch, u64) {
    let mut watch = Watch::new(at(0));
    let end = WEEK + 2 * 86_400;
    assert_eq!(lives(&mut watch, 10, end), []);
    (watch, end)
}

fn lives(watch: &mut Watch, from: u64, until: u64) -> Vec<Cause> {
    let mut said = Vec::new();
    for second in (from..until).step_by(10) {
        watch.delivered_many(&signed(1), steady(second) as u32, 0);
        if second % 20 == 0 {
            watch.refused(network((second / 20 % 250) as u8), 1);
        }
        let verdicts = watch.tick(at(second));
        said.extend(verdicts.into_iter().map(|verdict| verdict.cause));
    }
    said
}

fn network(number: u8) -> Network {
    Network::of(IpAddr::V4(Ipv4Addr::new(203, 0, number, 1)))
}

fn signed(number: u8) -> Signed<'static> {
    Signed {
        network: network(number),
        api_version: None,
        type_name: "a",
        account: None,
    }
}

/// Forges for some ticks; returns how often that is told.
fn forge(watch: &mut Watch, from: u64) -> usize {
    let mut told = 0;
    for second in (from..from + 50).step_by(10) {
        watch.delivered_many(&signed(1), steady(second) as u32, 0);
        watch.refused(network(251), 100);
        let verdicts = watch.tick(at(second)).into_iter();
        told += verdicts
            .filter(|it| it.cause == Cause::ForgedSignatures)
            .count();
    }
    told
}

#[test]
fn a_clock_that_steps_back_a_little_makes_no_attack_of_what_is_usual() {
    for back in [10, 600, 3_000, 3_600, 7_200] {
        let (mut watch, end) = watched();
        assert_eq!(
            lives(&mut watch, end - back, end + 3_600),
            [],
            "{back} s back"
        );
    }
}

#[test]
fn an_attack_while_the_clock_is_back_is_told() {
    for back in [600, 3_000, 7_200] {
        let (mut watch, end) = watched();
        assert_eq!(forge(&mut watch, end - back), 1, "{back} s back");
    }
}

/// What a clock that was ahead saw is over when it is over, not when it is late again.
#[test]
fn what_stood_while_the_clock_was_ahead_does_not_stand_until_then() {
    let (mut watch, end) = watched();
    let ahead = end + 365 * 86_400;
    watch.tick(at(ahead - 10));
    assert_eq!(forge(&mut watch, ahead), 1);
    lives(&mut watch, ahead + 50, ahead + 600);
    assert_eq!(lives(&mut watch, end, end + 3_600), []);
    assert!(!watch.stands(Cause::ForgedSignatures));
    assert_eq!(forge(&mut watch, end + 3_600), 1);
}

/// One that began with the clock ahead, or before it was set, knows nobody before a week.
#[test]
fn who_is_a_stranger_is_known_after_a_week_whatever_the_clock_was() {
    for began in [0, START + 10 * 365 * 86_400] {
        let mut watch = Watch::new(Time::from_unix_seconds(began));
        watch.tick(Time::from_unix_seconds(began + 10));
        lives(&mut watch, 10, 86_400);
        forge(&mut watch, 86_400);
        assert_eq!(watch.forgers(), [], "began at {began}");
        lives(&mut watch, 86_450, WEEK + 86_400);
        forge(&mut watch, WEEK + 86_400);
        assert_eq!(watch.forgers(), [network(251)], "began at {began}");
        watch.delivered_many(&signed(252), 8, 0);
        let told = watch.tick(at(WEEK + 86_450));
        let causes: Vec<Cause> = told.into_iter().map(|verdict| verdict.cause).collect();
        assert_eq!(causes, [Cause::SecretSuspect], "began at {began}");
    }
}

/// What came after trouble with the clock ahead is judged as ever once it is over.
#[test]
fn trouble_while_the_clock_was_ahead_hides_nothing_later() {
    let (mut watch, end) = watched();
    let ahead = end + 365 * 86_400;
    watch.tick(at(ahead - 10));
    for second in (ahead..ahead + 100).step_by(10) {
        watch.answered_many(Answer::Failed, 1.0, 50);
        watch.tick(at(second));
    }
    assert!(watch.stands(Cause::Cascade));
    watch.answered_many(Answer::Answered, 0.1, 1_000_000);
    watch.tick(at(ahead + 100));
    assert_eq!(lives(&mut watch, end, end + 7_200), []);
    let (mut storm, mut spike) = (watch.clone(), watch);
    let mut told = Vec::new();
    for second in (end + 7_200..end + 7_500).step_by(10) {
        storm.delivered_many(&signed(1), 10, 50);
        told.extend(storm.tick(at(second)));
        spike.delivered_many(&signed(1), 60, 0);
        told.extend(spike.tick(at(second)));
    }
    let mut causes: Vec<Cause> = told.into_iter().map(|verdict| verdict.cause).collect();
    causes.sort();
    assert_eq!(causes, [Cause::LegitimateSpike, Cause::DuplicateStorm]);
}

#[test]
fn who_is_busy_after_the_clock_was_ahead_gets_a_series() {
    let mut watch = Watch::new(at(0));
    for name in 0..64 {
        watch.came(&name.to_string(), None, 1);
    }
    for second in [10, 365 * 86_400, 20, 30] {
        watch.tick(at(second));
    }
    for second in (40..2 * 86_400).step_by(60) {
        watch.came("new", Some("new"), 1);
        watch.tick(at(second));
    }
    assert!(watch.types().any(|(name, _)| name == "new"));
}
