//! Approving and discarding, one or many, once.

use std::fs;

use super::{ADA, BEN, Client, Reply, Scene};
use crate::harness::until;

/// Asks what would happen to an event, as its page does.
pub(super) fn preview(client: &Client, id: &str, decision: &str, reason: &str) -> Reply {
    let page = client.get(&format!("/event?id={id}"));
    let fields = [
        ("form", &page.field("form")[..]),
        ("items", &page.field("items")),
        ("decision", decision),
        ("to", ""),
        ("reason", reason),
    ];
    client.post("/review/preview", &fields)
}

/// Sends the form of such a page.
pub(super) fn confirm(client: &Client, preview: &Reply) -> Reply {
    let fields = ["form", "batch", "decision", "reason", "items"];
    let values = fields.map(|name| (name, preview.field(name)));
    let values = values.iter().map(|(name, value)| (*name, &value[..]));
    client.post("/review/decide", &values.collect::<Vec<_>>())
}

#[test]
fn an_event_is_approved_after_its_preview_by_whose_session_it_is() {
    let scene = Scene::start(2);
    let ada = scene.client().log_in(ADA);
    let preview = preview(&ada, "evt_n00001", "approve", "INC-7: mended");
    preview.says(200, "Nothing has been changed yet.");
    preview.says(200, "1 goes out again.");
    preview.says(200, "evt_n00001");
    assert!(!preview.body.contains("evt_n00000"), "{}", preview.body);
    assert_eq!(scene.parked(), 2);
    assert!(scene.trail().is_empty());

    scene.mend();
    confirm(&ada, &preview).says(200, "1 goes out again.");
    let got = scene.orders.until_got(3);
    assert_eq!(got[2].id(), "evt_n00001");
    let trail = scene.trail();
    assert_eq!(trail.len(), 1);
    assert_eq!(trail[0]["by"], "ada");
    assert_eq!(trail[0]["reason"], "INC-7: mended");
    assert_eq!(trail[0]["action"], "released");
    assert_eq!(scene.parked(), 1);
}

#[test]
fn a_form_that_is_sent_twice_is_done_once() {
    let scene = Scene::start(1);
    let ada = scene.client().log_in(ADA);
    let preview = preview(&ada, "evt_n00000", "approve", "mended");
    // It is parked again at once: a second approval would deliver a third time.
    confirm(&ada, &preview).says(200, "1 goes out again.");
    scene.orders.until_got(2);
    until("it is parked again", || (scene.parked() == 1).then_some(()));
    confirm(&ada, &preview).says(200, "1 was decided before.");
    assert_eq!(scene.trail().len(), 1);
    assert_eq!(scene.parked(), 1);
    assert_eq!(scene.orders.got().len(), 2);
}

#[test]
fn many_are_decided_about_by_a_filter_as_the_preview_named_them() {
    let scene = Scene::start(120);
    let ada = scene.client().log_in(ADA);
    let page = ada.get("/review?type=invoice.*&account=acct_1");
    page.says(200, "Decide about all that the filter chooses");
    let fields = [
        ("form", &page.field("form")[..]),
        ("type", "invoice.*"),
        ("account", "acct_1"),
        ("decision", "discard"),
        ("reason", "a test of ours"),
    ];
    let preview = ada.post("/review/preview", &fields);
    preview.says(200, "120 are discarded.");
    preview.says(200, "Discard 120 events");
    assert_eq!(scene.parked(), 120);
    // What is parked since isn't part of it.
    let late = crate::delivery::Delivery::new("evt_late");
    assert_eq!(late.send(&scene.server).outcome().1, "stored");
    until("one more is parked", || {
        (scene.parked() == 121).then_some(())
    });
    confirm(&ada, &preview).says(200, "120 are discarded.");
    assert_eq!(scene.parked(), 1);
    let trail = scene.trail();
    assert_eq!(trail.len(), 120);
    assert!(
        trail
            .iter()
            .all(|it| it["by"] == "ada" && it["batch"] == trail[0]["batch"])
    );
    ada.get("/event?id=evt_late").says(200, "Parked at orders");
}

#[test]
fn what_somebody_else_decided_meanwhile_is_not_called_done() {
    let scene = Scene::start(1);
    let (ada, ben) = (scene.client().log_in(ADA), scene.client().log_in(BEN));
    let page = preview(&ada, "evt_n00000", "discard", "mended");
    let other = preview(&ben, "evt_n00000", "discard", "a test of ours");
    confirm(&ben, &other).says(200, "Done. ");
    let reply = confirm(&ada, &page);
    reply.says(200, "<strong>Nothing was done. </strong>1 is refused.");
    for word in ["Done.", "On record"] {
        assert!(!reply.body.contains(word), "{word}: {}", reply.body);
    }
}

#[test]
fn a_second_pair_of_eyes_is_another_operator() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x"), "").unwrap();
    let scene = Scene::with(1, &format!("[review]\napprovals = 2\n{}", super::OPERATORS));
    let (ada, ben) = (scene.client().log_in(ADA), scene.client().log_in(BEN));
    let first = preview(&ada, "evt_n00000", "approve", "mended");
    first.says(200, "1 is approved and waits for others.");
    first.says(200, ">Approve 1 event</button>");
    confirm(&ada, &first).says(200, "approved by 1, waits until 2 have");
    ben.get("/event?id=evt_n00000")
        .says(200, "1 of 2 people have approved: ada.");
    preview(&ada, "evt_n00000", "approve", "again").says(200, "somebody else has to");
    assert_eq!(scene.parked(), 1);
    scene.mend();
    let second = preview(&ben, "evt_n00000", "approve", "seen");
    second.says(200, ">Deliver 1 event again</button>");
    confirm(&ben, &second).says(200, "1 goes out again.");
    scene.orders.until_got(2);
    let by: Vec<_> = scene.trail().iter().map(|it| it["by"].clone()).collect();
    assert_eq!(by, ["ada", "ben"]);
}

#[test]
fn a_name_that_a_form_or_a_header_says_counts_for_nothing() {
    let scene = Scene::start(1);
    let ada = scene
        .client()
        .log_in(ADA)
        .with("x-forwarded-user", "mallory")
        .with("x-remote-user", "mallory");
    let page = ada.get("/event?id=evt_n00000");
    let fields = [
        ("form", &page.field("form")[..]),
        ("items", "orders:1"),
        ("decision", "discard"),
        ("reason", "mended"),
        ("batch", "batch_1"),
        ("by", "mallory"),
        ("name", "mallory"),
        ("operator", "mallory"),
    ];
    ada.post("/review/decide", &fields)
        .says(200, "1 is discarded.");
    assert_eq!(scene.trail()[0]["by"], "ada");
}

#[test]
fn what_is_not_of_its_form_is_said_precisely() {
    let scene = Scene::start(1);
    let ada = scene.client().bearer(ADA);
    let good = [
        ("items", "orders:1"),
        ("decision", "approve"),
        ("reason", "mended"),
        ("batch", "batch_1"),
    ];
    for (name, value, says) in [
        ("items", "orders", "the field `items`"),
        ("items", "orders:x", "the field `items`"),
        ("items", "", "the field `items`"),
        ("decision", "pay", "the field `decision`"),
        ("reason", "", "expected a reason of 1 to 1000 characters"),
        (
            "reason",
            "a\u{7}b",
            "expected a reason of 1 to 1000 characters",
        ),
        ("batch", "", "the field `batch`"),
        ("batch", "Batch 1", "the field `batch`"),
    ] {
        let fields = good.map(|(field, given)| (field, if field == name { value } else { given }));
        let reply = ada.post("/review/decide", &fields);
        reply.says(400, "Nothing was done");
        reply.says(400, says);
    }
    let nowhere = [good[0], good[1], good[2], good[3], ("to", "nowhere")];
    ada.post("/review/decide", &nowhere).says(400, "nowhere");
    let all = [good[1], good[2]];
    ada.post("/review/preview", &all)
        .says(400, "choose events by a filter");
    let huge = "x".repeat(200_000);
    ada.post("/review/preview", &[("reason", &huge)])
        .says(400, "too long");
    assert_eq!(scene.parked(), 1);
    assert!(scene.trail().is_empty());
}
