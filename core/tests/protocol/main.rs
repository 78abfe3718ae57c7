//! The dedup protocol, checked exhaustively for small cases.
//!
//! Real deliveries ([`run`]) share one bucket of a table. Every call that one of
//! them makes to the shared store is a step of its own, and between two steps
//! anything may happen that can happen ([`model`]): another worker's step, and
//! so a lost compare-and-swap, a crash, a failure of the store, a clock that
//! moves on or steps back, any answer. All orders of all of these are tried, and
//! after each step the promises of the protocol have to hold.
//!
//! `HOOKGATE_SOAK` adds more of everything (`cargo xtask soak`).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

mod model;
mod run;

use std::env;

use model::{Model, Nature, Promise, Weakness};

/// Deliveries of one event, and a clock that passes a lease.
const PLAIN: Nature = Nature {
    events: &[0, 0, 0],
    clock_steps: &[32],
    crashes: 0,
    faults: 0,
};

/// Tries everything, and expects that deliveries ended in these ways.
fn holds(nature: Nature, in_full: Nature, outcomes: &[&str]) {
    let is_full = env::var_os("HOOKGATE_SOAK").is_some();
    let nature = if is_full { in_full } else { nature };
    let explored = Model::new(nature).explore();
    if let Some(broken) = explored.broken {
        panic!("{broken:#?}");
    }
    // An exploration that never gets somewhere says nothing about it.
    let ended: Vec<&str> = explored.outcomes.into_iter().collect();
    assert_eq!(ended, outcomes);
    println!(
        "{nature:?}: {} states, {} steps",
        explored.states, explored.steps
    );
}

/// Tries everything with a weakness built in, and returns what it broke.
fn broken_by(weakness: Weakness) -> Promise {
    let explored = Model::new(PLAIN).with(weakness).explore();
    explored.broken.unwrap().promise
}

const WITHOUT_FAULTS: [&str; 5] = [
    "committed",
    "duplicate",
    "in_doubt",
    "in_progress",
    "released",
];

const WITH_FAULTS: [&str; 6] = [
    "committed",
    "duplicate",
    "in_doubt",
    "in_progress",
    "released",
    "unavailable",
];

#[test]
fn dedup_keeps_its_promises_in_every_order_of_three_deliveries() {
    let in_full = Nature {
        clock_steps: &[16, 16, 32],
        ..PLAIN
    };
    holds(PLAIN, in_full, &WITHOUT_FAULTS);
}

#[test]
fn dedup_keeps_its_promises_when_the_clock_steps_back() {
    let nature = Nature {
        clock_steps: &[32, -40],
        ..PLAIN
    };
    let in_full = Nature {
        clock_steps: &[16, 16, -40],
        ..PLAIN
    };
    holds(nature, in_full, &WITHOUT_FAULTS);
}

#[test]
fn dedup_keeps_its_promises_when_workers_crash_anywhere() {
    let nature = Nature {
        crashes: 2,
        ..PLAIN
    };
    let in_full = Nature {
        clock_steps: &[32, -40],
        ..nature
    };
    holds(nature, in_full, &WITHOUT_FAULTS);
}

#[test]
fn dedup_keeps_its_promises_when_the_store_fails() {
    let nature = Nature {
        events: &[0, 0],
        clock_steps: &[32, -40],
        crashes: 1,
        faults: 2,
    };
    let in_full = Nature {
        events: &[0, 0, 0],
        ..nature
    };
    holds(nature, in_full, &WITH_FAULTS);
}

#[test]
fn events_that_share_a_bucket_leave_each_other_alone() {
    let nature = Nature {
        events: &[0, 0, 1],
        clock_steps: &[],
        ..PLAIN
    };
    let in_full = Nature {
        clock_steps: &[32],
        crashes: 1,
        ..nature
    };
    holds(nature, in_full, &WITHOUT_FAULTS);
}

// Each of these weaknesses was somebody's code once. A check that didn't find
// them would find nothing.
#[test]
fn each_weakness_breaks_the_promise_that_it_should() {
    for (weakness, promise) in [
        (Weakness::CreatesByPlainSet, Promise::OneForwardForEachLease),
        (
            Weakness::ReleasesWithoutToken,
            Promise::OneForwardForEachLease,
        ),
        (Weakness::LosesSettlements, Promise::CommitWins),
        (Weakness::TakesTheHostsWord, Promise::NoWrongDuplicate),
        (Weakness::LeasesNeverEnd, Promise::NoStuckIdentity),
    ] {
        assert_eq!(broken_by(weakness), promise, "{weakness:?}");
    }
}
