//! The review queue beside a JetStream log, a page at a time.

use std::collections::BTreeSet;

use super::super::{ADA, Client, Scene, decisions::confirm};
use crate::{delivery::Delivery, harness::until};

/// More than are looked up for one page.
const PARKED: usize = 330;

/// The events of a page, and where the next one is.
fn page(client: &Client, address: &str) -> (Vec<String>, Option<String>) {
    let page = client.get(address);
    assert_eq!(page.status, 200, "{}", page.body);
    let shown = page.body.split("href=\"/event?id=").skip(1);
    let ids = shown.map(|rest| rest.split('&').next().unwrap().to_owned());
    let links = page.body.split("href=\"").skip(1);
    let mut links = links.map(|rest| rest.split('"').next().unwrap());
    let next = links.find(|link| link.contains("after="));
    (ids.collect(), next.map(|link| link.replace("&amp;", "&")))
}

/// Every event from a page on.
fn walk(client: &Client, address: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut next = Some(address.to_owned());
    while let Some(address) = next {
        let (some, after) = page(client, &address);
        assert!(some.len() <= 50, "{}", some.len());
        ids.extend(some);
        next = after;
    }
    ids
}

fn id(number: usize) -> String {
    format!("evt_n{number:05}")
}

#[test]
fn the_queue_on_nats_is_walked_once_while_events_are_parked_and_decided() {
    let scene = Scene::on_nats(PARKED);
    let ada = scene.client().bearer(ADA);
    let (first, next) = page(&ada, "/review");
    assert_eq!(first.len(), 50);

    // Some that were shown and some that weren't, before any server carries it out.
    let shown: BTreeSet<&String> = first.iter().collect();
    let hidden = (0..PARKED).filter(|number| !shown.contains(&id(*number)));
    let hidden: Vec<usize> = hidden.step_by(40).collect();
    let seen = (0..PARKED).filter(|number| shown.contains(&id(*number)));
    let decided: Vec<usize> = hidden.iter().copied().chain(seen.take(3)).collect();
    let items: Vec<String> = (decided
        .iter()
        .map(|number| format!("orders:{}", number + 1)))
    .collect();
    let fields = [
        ("items", &items.join(",")[..]),
        ("decision", "discard"),
        ("reason", "tests of ours"),
        ("batch", "batch_1"),
    ];
    ada.post("/review/decide", &fields)
        .says(200, "are discarded.");
    let rest = walk(&ada, &next.clone().unwrap());
    for number in &hidden {
        assert!(!rest.contains(&id(*number)), "{number} was decided");
    }

    let late = Delivery::saying("evt_late", "charge.failed", Some("acct_2"), None);
    assert_eq!(late.send(&scene.server).outcome().1, "stored");
    let left = PARKED - decided.len() + 1;
    until("it is parked", || (scene.parked() == left).then_some(()));
    let rest = walk(&ada, &next.unwrap());
    assert_eq!(rest.last().unwrap(), "evt_late");
    let all: Vec<&String> = first.iter().chain(&rest).collect();
    let each: BTreeSet<String> = all.iter().map(|id| (*id).clone()).collect();
    assert_eq!(all.len(), each.len(), "one was shown twice");
    let mut expected: BTreeSet<String> = (0..PARKED).map(id).collect();
    expected.insert("evt_late".to_owned());
    expected.retain(|it| !hidden.iter().any(|number| id(*number) == *it));
    assert_eq!(each, expected);

    // A bulk takes from every page what its filter chooses.
    let ada = scene.client().log_in(ADA);
    let form = ada.get("/review?type=invoice.*").field("form");
    let fields = [
        ("form", &form[..]),
        ("type", "invoice.*"),
        ("decision", "discard"),
        ("reason", "tests of ours"),
    ];
    let preview = ada.post("/review/preview", &fields);
    let count = left - 1;
    preview.says(200, &format!("{count} are discarded."));
    confirm(&ada, &preview).says(200, &format!("{count} are discarded."));
    assert_eq!(walk(&ada, "/review"), ["evt_late"]);
}

#[test]
fn a_filter_of_the_queue_on_nats_looks_through_some_events_a_page() {
    let scene = Scene::on_nats(PARKED);
    let other = Delivery::saying("evt_other", "charge.failed", Some("acct_2"), None);
    assert_eq!(other.send(&scene.server).outcome().1, "stored");
    until("all are parked", || {
        (scene.parked() == PARKED + 1).then_some(())
    });
    let client = scene.client();
    let nothing = "/review?type=nothing.*";
    client
        .get(nothing)
        .says(200, "None here: there may be some later on.");
    let (none, next) = page(&client, nothing);
    assert_eq!(none, <[String; 0]>::default());
    let next = next.unwrap();
    assert!(next.contains("type=nothing"), "{next}");
    client
        .get(&next)
        .says(200, "Nothing is parked that this filter chooses.");
    assert_eq!(page(&client, &next).1, None);
    for filter in ["type=charge.*", "account=acct_2", "id=evt_other"] {
        assert_eq!(walk(&client, &format!("/review?{filter}")), ["evt_other"]);
    }
    let filter = "/review?destination=orders&parked_for=refused";
    let (some, next) = page(&client, filter);
    assert_eq!(some.len(), 50);
    assert!(next.unwrap().contains("parked_for=refused"));
    let all = walk(&client, filter);
    assert_eq!(all.len(), PARKED + 1);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), PARKED + 1);
    // What the stays themselves say needs no events.
    for filter in ["destination=nowhere", "parked_for=exhausted"] {
        let found = page(&client, &format!("/review?{filter}"));
        assert_eq!(found, (Vec::new(), None), "{filter}");
    }
    for after in ["x", "-1", "1.2.orders"] {
        client
            .get(&format!("/review?after={after}"))
            .says(400, "no page of the queue");
    }
}
