//! What can happen to a platform, simulated: is it seen, called by its name, and soon?
//!
//! In short as a test; in full with `HOOKGATE_SOAK=1` (`cargo xtask soak`): 20 seeds, three
//! base rates, four weeks of learning. `HOOKGATE_SEEDS=101,102` adds seeds.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

mod chance;
mod report;
mod scenario;
mod traffic;

use std::env;

use hookgate_watch::verdict::Cause;

use report::{Report, Run};
use scenario::{SCENARIOS, Scenario};
use traffic::{Effect, TYPES, Traffic, USUAL};

/// Events a second of each type.
const RATES: [f64; 3] = [1.0, 0.2, 0.01];
const WEEK: u64 = 7 * 86_400;

/// How much is simulated.
struct Form {
    full: bool,
    seeds: Vec<u64>,
    learning: u64,
    /// Benign scenarios are looked at for so many hours at most.
    benign_hours: u64,
}

fn form() -> Form {
    let full = env::var_os("HOOKGATE_SOAK").is_some();
    let seeds = if full { 20 } else { 1 };
    let further = env::var("HOOKGATE_SEEDS").unwrap_or_default();
    let further = further.split(',').filter(|seed| !seed.is_empty());
    let further = further.map(|seed| seed.trim().parse().expect("HOOKGATE_SEEDS=1,2,3"));
    Form {
        seeds: (1..=seeds).chain(further).collect(),
        full,
        learning: if full { 4 * WEEK } else { 3 * WEEK },
        benign_hours: if full { u64::MAX } else { 48 },
    }
}

#[test]
fn what_happens_is_seen_and_called_by_its_name() {
    let form = form();
    let report = Report::new(run(&form));
    println!("{report}");
    assert_eq!(report.attacks_seen_in_spikes(), 0);
    assert!(report.accuracy() >= 0.95, "{}", report.accuracy());
    // One seed has a few hundred days of series, and one delay for a median of each.
    let allowed = if form.full { 1.0 } else { 2.0 };
    for (rate, name) in RATES.iter().enumerate() {
        let said = report.false_alarms(rate);
        assert!(said <= allowed, "at {name}/s: {said}");
    }
    if form.full {
        assert_eq!(report.too_late(), Vec::<String>::new());
    }
}

/// Runs every scenario for every seed and rate, on two threads.
fn run(form: &Form) -> Vec<Run> {
    let jobs: Vec<(u64, usize)> = form
        .seeds
        .iter()
        .flat_map(|seed| (0..RATES.len()).map(move |rate| (*seed, rate)))
        .collect();
    let (even, odd): (Vec<_>, Vec<_>) = jobs
        .iter()
        .partition(|(seed, rate)| (seed + *rate as u64).is_multiple_of(2));
    std::thread::scope(|scope| {
        let halves = [even, odd].map(|jobs| {
            scope.spawn(move || {
                let runs = jobs
                    .into_iter()
                    .flat_map(|(seed, rate)| learn_and_run(form, seed, rate));
                runs.collect::<Vec<_>>()
            })
        });
        halves
            .into_iter()
            .flat_map(|half| half.join().unwrap())
            .collect()
    })
}

fn learn_and_run(form: &Form, seed: u64, rate: usize) -> Vec<Run> {
    let mut traffic = Traffic::new(seed, RATES[rate]);
    // Each seed at another hour of the week.
    traffic.train(form.learning + seed * 3_600 * 13 % WEEK);
    let scenarios = SCENARIOS.iter().zip(1..);
    scenarios
        .map(|(scenario, number)| one(form, scenario, traffic.fork(number), rate))
        .collect()
}

fn one(form: &Form, scenario: &'static Scenario, mut traffic: Traffic, rate: usize) -> Run {
    let hours = match scenario.expect {
        Some(_) => scenario.hours,
        None => scenario.hours.min(form.benign_hours),
    };
    let mut run = Run::new(scenario, rate, hours);
    for tick in 0..hours * 360 {
        let elapsed = tick * 10;
        for verdict in traffic.tick(effect(scenario, elapsed), elapsed) {
            run.said(elapsed + 10, verdict);
        }
        if run.is_over() {
            break;
        }
    }
    run
}

fn effect(scenario: &Scenario, elapsed: u64) -> &'static Effect {
    let begun = scenario
        .phases
        .iter()
        .rev()
        .find(|(from, _)| *from <= elapsed);
    begun.map_or(&USUAL, |(_, effect)| effect)
}

/// Series that a simulated platform has: types, accounts, and all together.
const SERIES: f64 = (TYPES.len() + 4 + 1) as f64;

#[test]
fn an_attack_is_explained_with_its_figures() {
    let mut traffic = Traffic::new(7, 0.2);
    traffic.train(86_400);
    let forged = Effect {
        forged: (5.0, 1),
        ..USUAL
    };
    let said: Vec<_> = (0..30).flat_map(|_| traffic.tick(&forged, 0)).collect();
    let [verdict] = said.as_slice() else {
        panic!("{said:?}");
    };
    assert_eq!(verdict.cause, Cause::ForgedSignatures);
    assert!(verdict.score > 0.5 && verdict.score <= 1.0, "{verdict:?}");
    assert!(verdict.evidence.contains("/s usual, "), "{verdict:?}");
    assert!(
        verdict.evidence.ends_with("% from 198.0.0.0/24"),
        "{verdict:?}"
    );
}
