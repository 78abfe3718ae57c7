//! Many events, a Stripe that fails now and then, and a process that is killed.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Place, deliver, numbered};
use crate::{
    harness::{Server, assert_no_gaps, events, hookgate, output, until_within},
    stripe::{Asked, Script, Stripe},
};

on_both_logs! {
    a_reconciliation_that_is_killed_half_way_finds_everything_once
}

const ACCOUNTS: u64 = 20;

/// Events of each account, and requests in a second: short, or as the issue has
/// it, with the default budget.
fn size() -> (u64, usize) {
    if std::env::var_os("HOOKGATE_SOAK").is_some() {
        (5_000, 5)
    } else {
        (200, 20)
    }
}

fn a_reconciliation_that_is_killed_half_way_finds_everything_once(log: &str) {
    let (each, per_second) = size();
    let stripe = Stripe::start(Script::default());
    let mut delivered = Vec::new();
    let mut missing = BTreeSet::new();
    for account in 0..ACCOUNTS {
        let listed = numbered(&account.to_string(), each);
        for (number, event) in listed.iter().enumerate() {
            let id = event["id"].as_str().unwrap().to_owned();
            if number % 100 == 57 {
                missing.insert(id);
            } else {
                delivered.push(id);
            }
        }
        stripe.add(&format!("acct_{account}"), listed);
    }
    let total = ACCOUNTS * each;
    assert_eq!(missing.len() as u64 * 100, total);
    let server = Server::start(log, &[]);
    deliver(&server, "stripe-connect", &delivered);
    server.stop();
    stripe.script(|script| {
        script.limits = Some(9);
        script.fails = Some(11);
    });

    let fields = format!("requests_per_second = {per_second}");
    let place = Place::new(log, &stripe, &fields, super::SOURCES);
    let options = ["--since", "2d", "--deliver"];
    let start = Instant::now();
    // The platform's own list is empty, and asked for all the same.
    let pages = usize::try_from(ACCOUNTS * each.div_ceil(100)).unwrap() + 1;
    let mut first = place
        .command(&options)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let patience = Duration::from_secs(600);
    until_within(patience, "half of it is asked for", || {
        (stripe.count() > pages / 2).then_some(())
    });
    first.kill().unwrap();
    first.wait().unwrap();
    let before = stripe.count();
    let report = place.report(&options);
    let took = start.elapsed();

    let asked = stripe.asked();
    println!(
        "{total} events, {} missing: {} requests in {took:?} (killed after {before}); report {}",
        missing.len(),
        asked.len(),
        report
    );
    let count = |name: &str| report[name].as_u64().unwrap();
    // The whole round, the part before the kill too.
    assert_eq!(count("seen"), total);
    // But what a page had appended that was not written down any more.
    let unsaid = missing.len() as u64 - count("appended");
    assert!(unsaid <= 1, "{report}");
    assert_eq!(count("missing"), count("appended"));
    assert_eq!(count("present"), total - count("appended"));

    let found = events(log);
    assert_no_gaps(&found);
    let mut origins: BTreeMap<String, &Value> = BTreeMap::new();
    for event in &found {
        let id = event["id"].as_str().unwrap().to_owned();
        assert!(origins.insert(id, &event["origin"]).is_none(), "{event}");
    }
    assert_eq!(origins.len() as u64, total);
    let fetched = origins.iter().filter(|(_, origin)| !origin.is_null());
    let fetched: BTreeSet<String> = fetched.map(|(id, _)| id.clone()).collect();
    assert_eq!(fetched, missing);

    // Within the budget: in no second more, and in all hardly more than pages.
    for process in [&asked[..before], &asked[before..]] {
        assert_within(process, per_second);
    }
    let faults = asked.iter().filter(|it| it.status != 200).count();
    assert!(faults >= 5, "{faults}");
    let lists = asked.iter().filter(|it| it.path == "/v1/accounts").count();
    let most = pages + 1 + faults + lists;
    assert!(
        asked.len() <= most,
        "{} requests, {most} allowed",
        asked.len()
    );
    output(hookgate().args(["verify-log", "--log", log]));
}

/// In no second more requests than the budget; one more for the way of a
/// request to the server, which may take longer than that of the next.
fn assert_within(asked: &[Asked], per_second: usize) {
    for (index, first) in asked.iter().enumerate() {
        let in_a_second = asked.iter().skip(index);
        let in_a_second = in_a_second.take_while(|it| it.at - first.at < Duration::from_secs(1));
        let count = in_a_second.count();
        assert!(count <= per_second + 1, "{count} requests in a second");
    }
}
