//! Pages, decisions and looks beside a JetStream log.

mod failing;
mod life;
mod outage;
mod queue;

use super::{
    ADA, BEN, EVE, Scene,
    decisions::{confirm, preview},
};
use crate::harness::until;

#[test]
fn an_event_on_nats_is_approved_by_whose_session_it_is_and_once() {
    let scene = Scene::on_nats(2);
    let ada = scene.client().log_in(ADA);
    let preview = preview(&ada, "evt_n00001", "approve", "INC-7: mended");
    preview.says(200, "1 goes out again.");
    assert_eq!(scene.parked(), 2);
    scene.mend();
    confirm(&ada, &preview).says(200, "1 goes out again.");
    confirm(&ada, &preview).says(200, "1 was decided before.");
    let got = scene.orders.until_got(3);
    assert_eq!(got[2].id(), "evt_n00001");
    assert_eq!(scene.parked(), 1);
    let trail = scene.trail();
    assert_eq!(trail.len(), 1);
    assert_eq!(trail[0]["by"], "ada");
    ada.get("/audit").says(200, "INC-7: mended");
    let page = ada.get("/event?id=evt_n00001");
    page.says(200, "INC-7: mended");
    until("its life has both attempts", || {
        let life = ada.get("/event?id=evt_n00001").body;
        (life.contains("Attempt 1 at") && life.contains("Attempt 2 at")).then_some(())
    });
}

#[test]
fn many_on_nats_are_discarded_by_a_filter_as_the_preview_named_them() {
    let scene = Scene::on_nats(12);
    let ada = scene.client().log_in(ADA);
    let page = ada.get("/review?type=invoice.*");
    let fields = [
        ("form", &page.field("form")[..]),
        ("type", "invoice.*"),
        ("decision", "discard"),
        ("reason", "tests of ours"),
    ];
    let preview = ada.post("/review/preview", &fields);
    preview.says(200, "12 are discarded.");
    confirm(&ada, &preview).says(200, "12 are discarded.");
    until("nothing is parked", || (scene.parked() == 0).then_some(()));
    assert_eq!(scene.trail().len(), 12);
}

#[test]
fn a_look_on_nats_is_on_record_before_the_payload_is_shown() {
    let scene = Scene::on_nats(1);
    let fields = [
        ("id", "evt_n00000"),
        ("source", "stripe"),
        ("batch", "look_1"),
        ("reason", "INC-8"),
    ];
    let eve = scene.client().bearer(EVE);
    assert_eq!(eve.post("/event/payload", &fields).status, 403);
    assert!(scene.trail().is_empty());
    let ada = scene.client().bearer(ADA);
    for _ in 0..2 {
        ada.post("/event/payload", &fields).says(200, "evt_n00000");
    }
    let trail = scene.trail();
    assert_eq!(trail.len(), 1);
    assert_eq!(trail[0]["action"], "looked");
    // Another's look is another record, and neither is a decision.
    let ben = scene.client().bearer(BEN);
    ben.post("/event/payload", &fields).says(200, "evt_n00000");
    assert_eq!(scene.trail().len(), 2);
    assert_eq!(scene.parked(), 1);
    let page = ada.get("/event?id=evt_n00000");
    page.says(200, "INC-8");
}
