//! The targets without libFuzzer: each seed, and mutations of seeds by a fixed chance.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

type Check = fn(&[u8]) -> Vec<&'static str>;

/// A small generator (xorshift64): the same numbers in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("below a usize")
    }

    /// Returns a seed with some bytes changed, left out, repeated or replaced by those
    /// of another.
    fn mutation(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            let start = self.below(bytes.len() + 1);
            let end = start + self.below((bytes.len() - start).min(16) + 1);
            let random = u8::try_from(self.below(256)).expect("a byte");
            let instead: Vec<u8> = match self.below(5) {
                0 => vec![random],
                1 => Vec::new(),
                2 => bytes[start..end].repeat(1 + self.below(3)),
                3 => {
                    let other = &seeds[self.below(seeds.len())];
                    let start = self.below(other.len() + 1);
                    let length = self.below((other.len() - start).min(24) + 1);
                    other[start..start + length].to_vec()
                }
                _ => bytes[start..end]
                    .iter()
                    .map(|byte| byte ^ (1 << self.below(8)))
                    .collect(),
            };
            bytes.splice(start..end, instead);
        }
        bytes
    }
}

/// Replays a target's seeds, then so many mutations of them.
fn run(target: &str, check: Check, mutations: usize, everything: &[&str]) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let files = fs::read_dir(&folder).expect("a folder of seeds");
    let mut seeds: Vec<Vec<u8>> = files
        .map(|file| fs::read(file.expect("a seed").path()).expect("a seed"))
        .collect();
    seeds.sort();
    let met: BTreeSet<&str> = seeds.iter().flat_map(|seed| check(seed)).collect();
    // A corpus that never gets somewhere says nothing about it.
    let missing: Vec<_> = everything
        .iter()
        .filter(|name| !met.contains(**name))
        .collect();
    assert!(missing.is_empty(), "no seed gets to {missing:?}: {met:?}");
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..mutations {
        let bytes = dice.mutation(&seeds);
        let broken = std::panic::catch_unwind(|| check(&bytes)).is_err();
        assert!(!broken, "broken by {}", hex::encode(bytes));
    }
}

#[test]
fn signature_headers_get_the_verdict_of_a_slow_reader() {
    let everything = [
        "accepted",
        "signature_missing",
        "signature_malformed",
        "timestamp_out_of_tolerance",
        "signature_mismatch",
    ];
    run(
        "signature",
        hookgate_fuzz::signature::check,
        4_000,
        &everything,
    );
}

#[test]
fn events_are_read_as_serde_json_reads_them() {
    let everything = ["snapshot", "thin", "not an object", "field", "not an event"];
    run("event", hookgate_fuzz::event::check, 20_000, &everything);
}

#[test]
fn configurations_are_those_of_the_schema_and_keyrings_those_of_a_slow_reader() {
    let everything = [
        "configuration",
        "against another field",
        "against the schema",
        "not JSON",
        "keyring",
        "keyring of none",
        "secret refused",
    ];
    run(
        "configuration",
        hookgate_fuzz::configuration::check,
        2_000,
        &everything,
    );
}

#[test]
fn deliveries_in_any_order_do_what_a_model_says() {
    let everything = [
        "endpoint_unknown",
        "denied_source",
        "method_not_allowed",
        "payload_too_large",
        "signature_missing",
        "signature_malformed",
        "timestamp_out_of_tolerance",
        "signature_mismatch",
        "rate_limited",
        "unavailable",
        "unverified",
        "passed",
        "duplicate",
        "in_progress",
        "endpoint",
        "type",
        "payload_invalid",
        "secret_scope",
        "denied_account",
        "no_decider",
        "stored",
        "upstream_failed",
        "in_doubt",
        "passed_through",
    ];
    run(
        "delivery",
        hookgate_fuzz::delivery::check,
        2_000,
        &everything,
    );
}
