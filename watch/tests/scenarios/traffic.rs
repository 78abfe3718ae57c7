//! Simulated deliveries of a Connect platform, ten seconds at a time.

use std::net::{IpAddr, Ipv4Addr};

use hookgate_watch::source::Network;
use hookgate_watch::stranger::Signed;
use hookgate_watch::time::{TICK_SECONDS, Time};
use hookgate_watch::upstream::Answer;
use hookgate_watch::verdict::Verdict;
use hookgate_watch::watch::{Identity, Watch};

use crate::chance::Chance;

/// Event types, each of the base rate.
pub(crate) const TYPES: [&str; 4] = [
    "charge.succeeded",
    "invoice.paid",
    "customer.updated",
    "payout.paid",
];
const ACCOUNTS: [&str; 4] = ["acct_1", "acct_2", "acct_3", "acct_4"];
const VERSIONS: [&str; 2] = ["2025-09-30.clover", "2024-06-20"];
/// Standard deviation of the noise on each type's rate, and seconds over which it lasts.
const NOISE: f64 = 0.15;
const NOISE_SECONDS: f64 = 1_800.0;
/// Invalid signatures a second from scanners all over the world.
const SCANNERS: f64 = 0.05;
/// Median answer of the upstream in seconds, and deviation of its logarithm.
const LATENCY: (f64, f64) = (0.005, 0.5);
/// Usual shares of failures, of known events, and of overdue completions.
const FAILURES: f64 = 0.000_2;
const REPEATS: f64 = 0.003;
const OVERDUE: f64 = 0.000_1;
/// Usual open and incomplete requests, and bytes a second of each.
const OPEN: (f64, f64) = (2.0, 20_000.0);

/// What is other than usual.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effect {
    /// Times the usual rate of each type.
    pub(crate) types: [f64; 4],
    /// Invalid signatures a second, and from how many networks.
    pub(crate) forged: (f64, u64),
    /// Requests held open, and bytes a second of each.
    pub(crate) held: (f64, f64),
    /// Times the usual latency.
    pub(crate) latency: f64,
    /// Share of answers that fail, beside the usual.
    pub(crate) failures: f64,
    /// Share of due completions that are overdue, beside the usual.
    pub(crate) overdue: f64,
    /// Known events for each new one, beside the usual.
    pub(crate) repeats: f64,
    /// Deliveries a second that are signed with a stolen secret.
    pub(crate) stolen: f64,
    /// Seconds by which people's clocks differ from before.
    pub(crate) shift: i64,
    /// Growth a week.
    pub(crate) growth: f64,
}

pub(crate) const USUAL: Effect = Effect {
    types: [1.0; 4],
    forged: (0.0, 1),
    held: (0.0, 0.0),
    latency: 1.0,
    failures: 0.0,
    overdue: 0.0,
    repeats: 0.0,
    stolen: 0.0,
    shift: 0,
    growth: 0.0,
};

/// Deliveries to one watch.
#[derive(Debug, Clone)]
pub(crate) struct Traffic {
    chance: Chance,
    watch: Watch,
    rate: f64,
    now: u64,
    noise: [f64; 4],
}

impl Traffic {
    /// Starts on a Thursday, with events of each type at `rate` a second on average.
    pub(crate) fn new(seed: u64, rate: f64) -> Self {
        let now = 2_800 * 7 * 86_400;
        Self {
            chance: Chance::new(seed),
            watch: Watch::new(Time::from_unix_seconds(now)),
            rate,
            now,
            noise: [0.0; 4],
        }
    }

    /// Returns the same platform with another future.
    pub(crate) fn fork(&self, number: u64) -> Self {
        Self {
            chance: Chance::new(self.chance.clone().next() ^ number),
            ..self.clone()
        }
    }

    /// Lets so many seconds pass as usual, whatever is said of them.
    pub(crate) fn train(&mut self, seconds: u64) {
        for _ in 0..seconds / TICK_SECONDS {
            self.tick(&USUAL, 0);
        }
    }

    /// Lets a tick pass, `elapsed` seconds after something began; returns what is said.
    pub(crate) fn tick(&mut self, effect: &Effect, elapsed: u64) -> Vec<Verdict> {
        self.now += TICK_SECONDS;
        let season = self.season(effect.shift);
        let growth = (1.0 + effect.growth).powf(elapsed as f64 / (7.0 * 86_400.0));
        for (kind, factor) in effect.types.into_iter().enumerate() {
            let keep = 1.0 - TICK_SECONDS as f64 / NOISE_SECONDS;
            self.noise[kind] =
                keep * self.noise[kind] + NOISE * (1.0 - keep * keep).sqrt() * self.chance.normal();
            let noise = (self.noise[kind] - NOISE * NOISE / 2.0).exp();
            let mean = self.rate * TICK_SECONDS as f64 * season * noise * factor * growth;
            for _ in 0..self.chance.poisson(mean) {
                self.deliver(kind, effect);
            }
        }
        self.steal(effect);
        self.forge(effect);
        let open = self.chance.poisson(OPEN.0);
        let held = self.chance.poisson(effect.held.0);
        let bytes = open as f64 * OPEN.1 + held as f64 * effect.held.1;
        self.watch.held_open((open + held) as u32, bytes);
        self.watch.tick(Time::from_unix_seconds(self.now))
    }

    /// A day with a noon and a night, and calmer weekends.
    fn season(&self, shift: i64) -> f64 {
        let local = self.now.saturating_add_signed(shift);
        let day = (local % 86_400) as f64 / 86_400.0;
        let hours = 1.0 + 0.5 * (std::f64::consts::TAU * (day - 0.3)).sin();
        // 1970 began on a Thursday.
        let weekend = matches!(local / 86_400 % 7, 2 | 3);
        hours * if weekend { 0.75 } else { 1.1 }
    }

    fn deliver(&mut self, kind: usize, effect: &Effect) {
        let account = ACCOUNTS[self.chance.below(4) as usize];
        let network = network(54, 187, self.chance.below(8));
        let version = VERSIONS[usize::from(self.chance.happens(0.2))];
        let signed = Signed {
            network,
            api_version: Some(version),
            type_name: TYPES[kind],
            account: Some(account),
        };
        self.watch.delivered(&signed, Identity::New);
        self.answer(effect);
        for _ in 0..self.chance.poisson(REPEATS + effect.repeats) {
            self.watch.delivered(&signed, Identity::Known);
        }
        let overdue = self.chance.happens(OVERDUE + effect.overdue);
        self.watch.completed(u32::from(overdue), 1);
    }

    fn answer(&mut self, effect: &Effect) {
        let (median, deviation) = LATENCY;
        let seconds = median * effect.latency * (deviation * self.chance.normal()).exp();
        let answer = if self.chance.happens(FAILURES + effect.failures) {
            Answer::Failed
        } else {
            Answer::Answered
        };
        self.watch.answered(answer, seconds);
    }

    fn steal(&mut self, effect: &Effect) {
        for _ in 0..self.chance.poisson(effect.stolen * TICK_SECONDS as f64) {
            let signed = Signed {
                network: network(203, 0, 113),
                api_version: Some("2020-08-27"),
                type_name: "payout.paid",
                account: Some("acct_mallory"),
            };
            self.watch.delivered(&signed, Identity::New);
            self.answer(effect);
        }
    }

    fn forge(&mut self, effect: &Effect) {
        for _ in 0..self.chance.poisson(SCANNERS * TICK_SECONDS as f64) {
            let from = network(100 + self.chance.below(50), self.chance.below(200), 0);
            self.watch.refused(from, 1);
        }
        let (rate, networks) = effect.forged;
        for _ in 0..self.chance.poisson(rate * TICK_SECONDS as f64) {
            let one = self.chance.below(networks);
            self.watch.refused(network(198, one / 200, one % 200), 1);
        }
    }
}

fn network(a: u64, b: u64, c: u64) -> Network {
    Network::of(IpAddr::V4(Ipv4Addr::new(a as u8, b as u8, c as u8, 7)))
}
