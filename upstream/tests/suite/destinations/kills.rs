//! The upstream killed while it appends and delivers: 8 times here, 50 times in
//! `cargo xtask soak`.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, thread,
    time::Duration,
};

use super::{Place, destination};
use crate::{
    harness::{PATIENCE, assert_no_gaps, events, until, until_within},
    load::{Load, assert_kept},
    receiver::{Got, Reaction, Receiver},
};

on_both_logs! {
    every_delivery_is_resumed_after_kill_9
}

/// Deliveries under way at once, and so what a kill may repeat.
const CONCURRENCY: usize = 16;

fn rounds() -> usize {
    if env::var_os("HOOKGATE_SOAK").is_some() {
        50
    } else {
        8
    }
}

fn every_delivery_is_resumed_after_kill_9(log: &str) {
    // Some are waiting for another attempt whenever it is killed.
    let receiver = Receiver::start(|got, _| match got.attempt() {
        1 if got.id().ends_with('7') => Reaction::Status(500),
        _ => Reaction::Status(200),
    });
    let more = format!("from = \"beginning\"\ntimeout = \"1s\"\nconcurrency = {CONCURRENCY}");
    let place = Place::new(log, &destination("orders", &receiver.url(), &more));
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut promised = BTreeMap::new();
    for round in 0..rounds() {
        let server = place.start();
        let load = Load::start(&server, &format!("{round}"), 4);
        let so_far = receiver.got().len();
        let enough = so_far + chance.usize(1..200);
        until("some are delivered", || {
            (receiver.got().len() >= enough).then_some(())
        });
        // At any moment of a batch, a sync, an answer.
        thread::sleep(Duration::from_micros(chance.u64(0..20_000)));
        server.kill_9();
        promised.extend(load.finish());
    }
    let _server = place.start();
    until_within(3 * PATIENCE, "each promise is delivered", || {
        let got = receiver.got();
        let last: BTreeSet<&str> = got
            .iter()
            .filter(|got| is_taken(got))
            .map(Got::id)
            .collect();
        promised
            .keys()
            .all(|id| last.contains(id.as_str()))
            .then_some(())
    });
    let logged = events(log);
    assert_kept(&promised, &logged);
    assert_no_gaps(&logged);
    let mut webhook_ids = BTreeMap::new();
    let mut repeats = 0;
    for got in receiver.got().iter() {
        let webhook_id = got.headers["webhook-id"].clone();
        let first = webhook_ids
            .entry(got.id().to_owned())
            .or_insert(webhook_id.clone());
        assert_eq!(*first, webhook_id, "{}", got.id());
    }
    let mut taken = BTreeSet::new();
    for got in receiver.got().iter().filter(|got| is_taken(got)) {
        repeats += usize::from(!taken.insert(got.id().to_owned()));
    }
    let rounds = rounds();
    eprintln!(
        "{rounds} kills: {} events acknowledged, each in the log once and delivered; {repeats} delivered twice",
        promised.len()
    );
    // What was under way, and what had just been.
    assert!(repeats <= rounds * 3 * CONCURRENCY, "{repeats}");
}

/// Whether the receiver answered 200.
fn is_taken(got: &Got) -> bool {
    got.attempt() > 1 || !got.id().ends_with('7')
}
