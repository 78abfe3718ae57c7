//! What is said at a time depends on nothing that comes later.

use std::path::{Path, PathBuf};
use std::{env, fs};

use hookgate_watch::generic::{Generic, Pace};

fn scores(values: &[f64]) -> Vec<f64> {
    let mut generic = Generic::new(Pace {
        warm_up: 300,
        cool_down: 50.0,
    });
    let samples = values.iter().zip(0_u64..);
    samples
        .map(|(value, sample)| generic.observe(sample * 300, *value))
        .collect()
}

/// Numbers with a level, a day, noise, jumps and bursts, other ones for each seed.
fn series(seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut level = 50.0;
    let numbers = (0..3_000_u64).map(|sample| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let noise = (state >> 40) as f64 / (1_u64 << 24) as f64;
        if noise < 0.002 {
            level *= 1.0 + 40.0 * noise;
        }
        let burst = if noise > 0.998 { 9.0 * level } else { 0.0 };
        level * (1.5 + (sample as f64 / 45.8).sin()) + 10.0 * noise + burst
    });
    numbers.collect()
}

#[test]
fn what_is_said_of_a_prefix_is_a_prefix_of_what_is_said() {
    let mut alarms = 0;
    for seed in 1..=8 {
        let values = series(seed);
        let whole = scores(&values);
        alarms += whole.iter().filter(|score| **score >= 0.5).count();
        for length in [0, 1, 7, 299, 300, 301, 1_000, 2_048, 2_999] {
            assert_eq!(
                scores(&values[..length]),
                whole[..length],
                "{seed} {length}"
            );
        }
    }
    assert!(alarms > 8, "{alarms}");
}

#[test]
fn every_prefix_of_a_benchmark_file_is_scored_alike() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = env::var_os("HOOKGATE_CORPUS").map_or(beside, PathBuf::from);
    let file = shared.join("nab/data/realTraffic/speed_7578.csv");
    let Ok(text) = fs::read_to_string(&file) else {
        eprintln!("benchmark: not there, own series only");
        return;
    };
    let rows = text.lines().skip(1);
    let values: Vec<f64> = rows
        .map(|row| row.rsplit(',').next().unwrap().parse().unwrap())
        .collect();
    let whole = scores(&values);
    for length in (0..values.len()).step_by(50) {
        assert_eq!(scores(&values[..length]), whole[..length], "{length}");
    }
}
