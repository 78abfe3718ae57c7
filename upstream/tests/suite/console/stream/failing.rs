//! What a destination's page says of failures beside a JetStream log.

use async_nats::HeaderMap;
use futures_util::future::try_join_all;

use super::super::Scene;
use crate::{
    harness::until,
    nats_server::ask,
    receiver::{Reaction, Receiver},
};

/// More than are looked through.
const MANY: u64 = 1_001;

/// Writes what a server would have written of other events.
fn write(scene: &Scene, subject: &str, headers: &[(&str, &str)]) {
    ask(&scene.log, async |context| {
        let mut written = Vec::new();
        for number in 0..MANY {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, *value);
            }
            let sequence = 1_000_000 + number;
            if subject.contains("scheduled") {
                let target = format!("hookgate.retry.ledger.{sequence}");
                map.insert("Nats-Schedule-Target", target);
            }
            let subject = format!("{subject}.{sequence}");
            let published = context.publish_with_headers(subject, map, "".into());
            written.push(published.await.unwrap().into_future());
        }
        try_join_all(written).await.unwrap();
    });
}

#[test]
fn a_destination_on_nats_says_what_fails_and_what_it_waits_for() {
    let ledger = Receiver::start(|_, _| Reaction::Says(500, "the ledger is locked"));
    let more = format!(
        "[[destinations]]\nname = \"ledger\"\nurl = \"{}\"\nconcurrency = 1\n\
         [destinations.retry]\ninitial = \"10m\"\n",
        ledger.url()
    );
    let scene = Scene::on_nats_with(1, &more);
    let client = scene.client();
    let page = |name| client.get(&format!("/destination?name={name}"));
    until("it waits for another attempt", || {
        let page = page("ledger").body;
        page.contains("Waiting for another attempt").then_some(())
    });
    let waits = page("ledger");
    waits.says(200, "href=\"/event?id=evt_n00000&amp;source=stripe\"");
    waits.says(200, "the ledger is locked");
    waits.says(200, "failed 500");
    waits.says(200, "data-label=\"Attempts\">1</td>");
    waits.says(200, "data-label=\"Next\">in ");
    client.get("/").says(200, "the ledger is locked");
    client.get("/").says(200, "unknown currency");

    // What failed is not among the last thousand attempts of all.
    let delivered = [
        ("hookgate-sequence", "1000000"),
        ("hookgate-attempts", "1"),
        ("hookgate-at", "1760000000000"),
        ("hookgate-via", "primary"),
        ("hookgate-outcome", "delivered"),
        ("hookgate-latency-ms", "1"),
    ];
    write(&scene, "hookgate.attempt.others", &delivered);
    page("orders").says(200, "None among the last thousand attempts.");
    // What is parked says it all the same.
    client.get("/").says(200, "unknown currency");

    let scheduled = [("Nats-Schedule", "@at 2100-01-01T00:00:00Z")];
    write(&scene, "hookgate.scheduled.ledger", &scheduled);
    page("ledger").says(
        200,
        "More than a thousand: too many to tell which is due first.",
    );
}
