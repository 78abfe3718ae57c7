//! The upstream from outside: the real binary, real files, a real nats-server.
//!
//! Each test starts what it needs on free ports and in its own folder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests say what they expect by failing"
)]

/// Runs each test on both logs that deliver.
macro_rules! on_both_logs {
    ($($name:ident)+) => {
        mod on_sqlite { $(#[test] fn $name() {
            let backend = <crate::contract::Sqlite as crate::contract::Backend>::new();
            super::$name(&crate::contract::Backend::address(&backend));
        })+ }
        mod on_nats { $(#[test] fn $name() {
            let backend = <crate::nats_server::Nats as crate::contract::Backend>::new();
            super::$name(&crate::contract::Backend::address(&backend));
        })+ }
    };
}

mod capability;
mod check;
mod cli;
mod clock;
mod cluster;
mod collector;
mod config;
mod console;
mod contract;
mod delivery;
mod destinations;
mod doctor;
mod door;
mod evidence;
mod exit;
mod expectations;
mod gate;
mod gate_token;
mod gate_watch;
mod harness;
#[cfg(feature = "kafka")]
mod kafka;
mod kept;
mod lines;
#[cfg(feature = "kafka")]
mod link;
mod load;
mod loopback;
mod metrics;
mod nats;
mod nats_cluster;
mod nats_server;
mod observed;
mod patience;
mod policy;
mod rabbit;
mod rabbit_server;
mod receiver;
mod reconcile;
mod redaction;
mod replay;
mod restored;
mod retention;
mod review;
mod sealed;
mod sealing;
mod sqlite;
mod stripe;
mod tail;
#[cfg(feature = "kafka")]
mod tansu;
mod traces;
mod transfer;
