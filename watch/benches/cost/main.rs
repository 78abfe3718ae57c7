//! Measures what the watch costs on this machine, natively. `cargo xtask bench watch`
//! runs this; it prints Markdown for `docs/anomaly.md`.

#![expect(clippy::indexing_slicing, reason = "a bench may stop")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use hookgate_watch::expect::{Event, Expectations, Got, Outcome};
use hookgate_watch::generic::{Generic, Pace};
use hookgate_watch::rate::Rate;
use hookgate_watch::series::Series;
use hookgate_watch::source::Network;
use hookgate_watch::stranger::Signed;
use hookgate_watch::time::Time;
use hookgate_watch::upstream::Answer;
use hookgate_watch::watch::{Identity, Watch};

/// Rounds, of which the median counts.
const ROUNDS: usize = 15;
const START: u64 = 1_760_000_000;

fn main() {
    println!("| what | µs | times a tick |");
    println!("|---|---|---|");
    let mut now = START;
    let mut rate = Rate::new();
    row("rate of a series", "1", 10_000, || {
        now += 10;
        black_box(rate.observe(Time::from_unix_seconds(now), now % 7));
    });
    let mut generic = Generic::new(Pace::default());
    for _ in 0..5_000 {
        now += 60;
        generic.observe(now, noise(now));
    }
    row("backstop of a series, ring full", "1/6", 1_000, || {
        now += 60;
        black_box(generic.observe(now, noise(now)));
    });
    let mut series = Series::new();
    for _ in 0..30_000 {
        now += 10;
        series.add(now % 7);
        series.tick(Time::from_unix_seconds(now));
    }
    row("a series, all of it", "1", 6_000, || {
        now += 10;
        series.add(noise(now) as u64);
        black_box(series.tick(Time::from_unix_seconds(now)));
    });
    whole(now);
}

/// The whole watch with 64 types and 64 accounts.
fn whole(mut now: u64) {
    let mut watch = Watch::new(Time::from_unix_seconds(now));
    let types: Vec<String> = (0..64)
        .map(|number| format!("type.number_{number}"))
        .collect();
    let accounts: Vec<String> = (0..64).map(|number| format!("acct_{number}")).collect();
    let mut tick = |watch: &mut Watch| {
        now += 10;
        for (name, account) in types.iter().zip(&accounts) {
            watch.came(name, Some(account), noise(now) as u64 % 9);
        }
        black_box(watch.tick(Time::from_unix_seconds(now)));
    };
    for _ in 0..30_000 {
        tick(&mut watch);
    }
    row("the watch with 129 series", "1", 300, || tick(&mut watch));
    let mut number = 0_u64;
    let network =
        |number: u64| Network::of(IpAddr::V4(Ipv4Addr::new(54, 187, number as u8 % 9, 1)));
    row("a delivery told", "deliveries", 10_000, || {
        number += 1;
        let signed = Signed {
            network: network(number),
            api_version: Some("2025-09-30.clover"),
            type_name: &types[number as usize % 64],
            account: Some(&accounts[number as usize * 7 % 64]),
        };
        watch.delivered(&signed, Identity::New);
        watch.answered(Answer::Answered, 0.005);
    });
    row("a refusal told", "refusals", 10_000, || {
        number += 1;
        watch.refused(network(number), 1);
    });
    expect(now);
    println!("\nSaved: {} bytes, with 129 series.", watch.save().len());
}

/// Objects of two events each, of which a destination reports.
fn expect(now: u64) {
    let mut expectations = Expectations::new();
    let mut number = 0_u64;
    let mut event = || {
        number += 1;
        let at_millis = now * 1_000 + number * 500;
        let type_name = ["payout.created", "payout.paid"][number as usize % 2];
        black_box(expectations.observe(&Event {
            sequence: number,
            event: number,
            objects: &[number / 2, number / 2 + 1_000_000_000],
            type_name,
            at_millis,
            in_time: true,
        }));
        black_box(expectations.reported(&Outcome {
            event: number,
            destination: "orders",
            got_millis: None,
            at_millis: at_millis + 1_000,
            completed: true,
        }));
        if number.is_multiple_of(20) {
            black_box(expectations.tick(at_millis, &mut |_, _| Got::Unknown));
        }
    };
    (0..200_000).for_each(|_| event());
    row(
        "an event told, of which what follows is expected, with its outcome",
        "events",
        10_000,
        event,
    );
    let counts = expectations.counts();
    println!(
        "\nExpectations of {} objects, {} events waiting: saved {} bytes.",
        counts.objects,
        counts.waiting,
        expectations.save().len()
    );
}

fn row(what: &str, times: &str, calls: u32, mut call: impl FnMut()) {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..calls {
                call();
            }
            start.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("| {what} | {:.2} | {times} |", rounds[ROUNDS / 2]);
}

/// About 60, never twice the same.
fn noise(number: u64) -> f64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    50.0 + (mixed >> 44) as f64 / 52_428.8
}
