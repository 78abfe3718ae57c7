//! What happens: objects with their events and outcomes, in the order of time.

use std::{cmp::Reverse, collections::BinaryHeap};

use hookgate_watch::expect::{Event, Expectations, Finding, Flag, Got, Outcome};

/// Random numbers (SplitMix64).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, share: f64) -> bool {
        self.uniform() < share
    }

    /// Log-normal milliseconds around a median of seconds.
    pub(crate) fn delay(&mut self, median: f64, spread: f64) -> u64 {
        let normal = (-2.0 * self.uniform().max(1e-12).ln()).sqrt()
            * (std::f64::consts::TAU * self.uniform()).cos();
        (median * (spread * normal).exp() * 1_000.0) as u64
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Event(&'static str, Vec<u64>, u64),
    Outcome(u64, bool),
}

/// What is to come, and what came.
pub(crate) struct Flow {
    pub(crate) chance: Chance,
    queue: BinaryHeap<Reverse<(u64, u64, Step)>>,
    number: u64,
    pub(crate) expectations: Expectations,
    pub(crate) sequence: u64,
    ticked: u64,
    pub(crate) flags: Vec<Flag>,
    pub(crate) late: usize,
    /// Sequences of events that were broken.
    pub(crate) broken: Vec<u64>,
    /// Events that are broken, by their digests.
    breaking: Vec<u64>,
}

pub(crate) const START: u64 = 1_760_000_000_000;
pub(crate) const HOUR: u64 = 3_600_000;

impl Flow {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            chance: Chance(seed),
            queue: BinaryHeap::new(),
            number: 0,
            expectations: Expectations::new(),
            sequence: 0,
            ticked: START,
            flags: Vec::new(),
            late: 0,
            broken: Vec::new(),
            breaking: Vec::new(),
        }
    }

    /// Plans an event; returns its digest.
    pub(crate) fn event(&mut self, at: u64, name: &'static str, objects: &[u64]) -> u64 {
        self.number += 1;
        let event = self.number | 1 << 60;
        let step = Step::Event(name, objects.to_vec(), event);
        self.queue.push(Reverse((at, self.number, step)));
        event
    }

    /// Plans an outcome.
    pub(crate) fn outcome(&mut self, at: u64, event: u64, completed: bool) {
        self.number += 1;
        let step = Step::Outcome(event, completed);
        self.queue.push(Reverse((at, self.number, step)));
    }

    /// Notes that something of an event is broken.
    pub(crate) fn breaks(&mut self, event: u64) {
        self.breaking.push(event);
    }

    /// A number for an object.
    pub(crate) fn object(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Lets everything happen up to a time.
    pub(crate) fn run(&mut self, until: u64) {
        while let Some(Reverse((at, _, _))) = self.queue.peek() {
            if *at > until {
                break;
            }
            let Some(Reverse((at, _, step))) = self.queue.pop() else {
                break;
            };
            self.tick(at);
            let found = match step {
                Step::Event(name, objects, event) => {
                    self.sequence += 1;
                    if self.breaking.contains(&event) {
                        self.broken.push(self.sequence);
                        self.breaking.retain(|it| *it != event);
                    }
                    self.expectations.observe(&Event {
                        sequence: self.sequence,
                        event,
                        objects: &objects,
                        type_name: name,
                        at_millis: at,
                        in_time: true,
                    })
                }
                Step::Outcome(event, completed) => self.expectations.reported(&Outcome {
                    event,
                    destination: "orders",
                    got_millis: None,
                    at_millis: at,
                    completed,
                }),
            };
            self.take(found);
        }
        self.tick(until);
    }

    fn tick(&mut self, until: u64) {
        while self.ticked + 10_000 <= until {
            self.ticked += 10_000;
            let found = self
                .expectations
                .tick(self.ticked, &mut |_, _| Got::Unknown);
            self.take(found);
        }
    }

    fn take(&mut self, found: Vec<Finding>) {
        for finding in found {
            match finding {
                Finding::Flag(flag) => self.flags.push(flag),
                Finding::Late { .. } => self.late += 1,
            }
        }
    }
}
