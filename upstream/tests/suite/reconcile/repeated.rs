//! A server that compares by itself.

use serde_json::json;

use super::{HOUR, Place, SOURCES, ago, deliver, numbered};
use crate::{
    console::Client,
    contract::{Backend as _, Sqlite},
    harness::{events, until},
    receiver::{Reaction, Receiver},
    stripe::{PLATFORM, Script, Stripe, event},
};

on_both_logs! {
    a_server_finds_what_was_never_delivered_and_delivers_it
}

fn a_server_finds_what_was_never_delivered_and_delivers_it(log: &str) {
    let stripe = Stripe::start(Script::default());
    let receiver = Receiver::start(|_, _| Reaction::Status(204));
    stripe.add(PLATFORM, numbered("a", 120));
    let tables = format!(
        "{SOURCES}\n[[destinations]]\nname = \"orders\"\nurl = \"{}\"\n",
        receiver.url()
    );
    let fields = "requests_per_second = 100\nevery = \"1s\"\naccounts = []";
    let place = Place::new(log, &stripe, fields, &tables);
    place.began_before();
    let server = place.serve();
    let got = receiver.until_got(120);
    assert!(
        got.iter()
            .all(|it| it.headers["ce-origin"] == "reconciliation")
    );
    // What happens next comes with a later round, which looks at little.
    stripe.add(PLATFORM, [event("evt_late", "invoice.paid", ago(20 * 60))]);
    until("the next round finds it", || {
        (events(log).len() == 121).then_some(())
    });
    let page = Client::new(server.metrics()).get("/reconciliation");
    page.says(200, "drift");
    page.says(200, "<td data-label=\"Appended\">120</td>");
    page.says(200, "invoice.paid");
    let asked = stripe.asked();
    let window = |index: usize| {
        let bound = |name: &str| asked[index].query[name].parse::<u64>().unwrap();
        bound("created[lte]") - bound("created[gte]")
    };
    assert!(window(0) > 46 * HOUR, "{}", window(0));
    assert!(
        window(asked.len() - 1) < 16 * 60,
        "{}",
        window(asked.len() - 1)
    );

    // And none of it is stored again.
    deliver(
        &server,
        "stripe",
        &["evt_a_1".to_owned(), "evt_late".to_owned()],
    );
    assert_eq!(events(log).len(), 121);
    let value = |series: &str| server.scrape().value(series).unwrap_or_default();
    until("the rounds are counted", || {
        let missing = value("hookgate_reconcile_events_total{outcome=\"missing\"}");
        (missing == 121.0).then_some(())
    });
    let last = value("hookgate_reconcile_last_round_timestamp_seconds");
    assert!(last >= ago(60) as f64, "{last}");
    assert!(value("hookgate_reconcile_requests_total{outcome=\"found\"}") >= 3.0);
    server.stop();
    // Another process shows what this one found.
    let server = place.serve();
    let client = Client::new(server.metrics());
    let page = client.get("/reconciliation");
    page.says(200, "<td data-label=\"Appended\">120</td>");
    // And when, in the picture of the week, which begins with what is delivered.
    deliver(&server, "stripe", &["evt_new".to_owned()]);
    until("the week is marked", || {
        let page = client.get("/").body;
        page.contains("class=\"missing\"").then_some(())
    });
    server.stop();
}

#[test]
fn once_a_day_everything_is_compared_whatever_was_compared_before() {
    for (whole_at, found) in [(ago(25 * HOUR), 1), (ago(23 * HOUR), 0)] {
        let backend = Sqlite::new();
        let log = backend.address();
        let stripe = Stripe::start(Script::default());
        stripe.add(PLATFORM, [event("evt_1", "invoice.paid", ago(10 * HOUR))]);
        let place = Place::new(&log, &stripe, "accounts = []", SOURCES);
        place.with_state(&json!({
            "installed_at": ago(48 * HOUR),
            "marks": {"platform": ago(HOUR)},
            "whole_at": whole_at,
        }));
        let server = place.serve();
        until("a round has ended", || {
            server.stderr().contains("compared the log").then_some(())
        });
        assert_eq!(events(&log).len(), found);
        server.stop();
    }
}

#[test]
fn a_stripe_that_is_away_slows_no_delivery_and_ends_no_server() {
    let backend = Sqlite::new();
    let log = backend.address();
    let stripe = Stripe::start(Script {
        fails: Some(1),
        ..Script::default()
    });
    let place = Place::new(&log, &stripe, "every = \"1s\"\naccounts = []", SOURCES);
    place.began_before();
    let server = place.serve();
    until("Stripe has failed", || (stripe.count() >= 2).then_some(()));
    deliver(&server, "stripe", &["evt_1".to_owned()]);
    until("the failures are counted", || {
        let page = server.scrape();
        let failed = page.value("hookgate_reconcile_requests_total{outcome=\"failed\"}");
        (failed >= Some(2.0)).then_some(())
    });
    // Waiting for Stripe is no reason not to end.
    let start = std::time::Instant::now();
    server.stop();
    assert!(start.elapsed().as_secs() < 20);
}
