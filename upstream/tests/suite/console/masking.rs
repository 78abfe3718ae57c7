//! Payloads: text, whatever stands in them, and masked until somebody looks.

use serde_json::json;

use super::{ADA, EVE, Scene};
use crate::{
    contract::{Backend as _, Sqlite},
    delivery::Delivery,
    destinations::{Place, append, destination},
    harness::{Server, failure, hookgate, until},
    receiver::{Reaction, Receiver},
};

const SCRIPT: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

/// An event with script in every field.
fn hostile() -> Delivery {
    let event = json!({"id": "evt_x", "object": "event", "type": "invoice.paid",
        "created": 1_760_000_000, "livemode": false, "account": "acct_1",
        "data": {"object": {"id": SCRIPT, "status": SCRIPT, SCRIPT: SCRIPT,
            "customer_email": "pii@example.com", "customer": "cus_1",
            "metadata": {"status": "pii"}}}});
    Delivery::with_payload("evt_x", event.to_string().into_bytes())
}

#[test]
fn script_in_every_field_is_shown_as_text() {
    let scene = Scene::start(0);
    assert_eq!(hostile().send(&scene.server).outcome().1, "stored");
    until("it is parked", || (scene.parked() == 1).then_some(()));
    let ada = scene.client().log_in(ADA);
    let page = ada.get("/event?id=evt_x");
    page.says(200, "cus_1");
    let fields = [
        ("form", &page.field("form")[..]),
        ("items", "orders:1"),
        ("decision", "approve"),
        ("reason", SCRIPT),
    ];
    let preview = ada.post("/review/preview", &fields);
    let look = [
        ("form", &page.field("form")[..]),
        ("id", "evt_x"),
        ("source", "stripe"),
        ("batch", "look_1"),
        ("reason", SCRIPT),
    ];
    let whole = ada.post("/event/payload", &look);
    whole.says(200, "&lt;script&gt;alert(1)&lt;/script&gt;");
    whole.says(200, "pii@example.com");
    let query = form_urlencoded::byte_serialize(SCRIPT.as_bytes()).collect::<String>();
    let replies = [
        page,
        preview,
        whole,
        ada.get("/audit"),
        ada.get("/review"),
        ada.get(&format!("/search?source={query}")),
        ada.get(&format!("/search?q={query}")),
        ada.get(&format!("/event?id={query}")),
        ada.get(&format!("/review?destination={query}")),
        ada.get(&format!("/destination?name={query}")),
        ada.get(&format!("/{query}")),
    ];
    for reply in replies {
        assert!(!reply.body.contains("<script>alert"), "{}", reply.body);
        assert!(!reply.body.contains("<img"), "{}", reply.body);
        assert!(!reply.header("location").unwrap_or_default().contains('<'));
    }
}

#[test]
fn a_payload_is_masked_until_somebody_looks_which_is_on_record() {
    let scene = Scene::start(0);
    assert_eq!(hostile().send(&scene.server).outcome().1, "stored");
    let ada = scene.client().log_in(ADA);
    for client in [scene.client(), scene.client().bearer(EVE), ada.clone()] {
        let page = client.get("/event?id=evt_x");
        page.says(200, "•••");
        assert!(!page.body.contains("pii"), "{}", page.body);
    }
    let page = ada.get("/event?id=evt_x");
    let (form, batch) = (page.field("form"), page.field("batch"));
    let look = |reason: &str| {
        let fields = [
            ("form", &form[..]),
            ("id", "evt_x"),
            ("source", "stripe"),
            ("batch", &batch),
            ("reason", reason),
        ];
        ada.post("/event/payload", &fields)
    };
    let refused = look("");
    refused.says(400, "expected a reason");
    assert!(!refused.body.contains("pii"), "{}", refused.body);
    assert!(scene.trail().is_empty());
    look("INC-7").says(200, "pii@example.com");
    look("INC-7").says(200, "pii@example.com");
    let trail = scene.trail();
    assert_eq!(trail.len(), 1, "{trail:?}");
    for (field, value) in [
        ("action", "looked"),
        ("by", "ada"),
        ("reason", "INC-7"),
        ("id", "evt_x"),
        ("source", "stripe"),
    ] {
        assert_eq!(trail[0][field], value, "{field}");
    }
    // The name of a look is the browser's to choose; it hides no other look.
    look("INC-8").says(200, "pii@example.com");
    let ben = scene.client().bearer(super::BEN);
    let fields = [
        ("id", "evt_x"),
        ("source", "stripe"),
        ("batch", &batch),
        ("reason", "INC-7"),
    ];
    ben.post("/event/payload", &fields)
        .says(200, "pii@example.com");
    assert_eq!(scene.trail().len(), 3);
    ada.get("/audit").says(200, "looked");
    ada.get("/event?id=evt_x")
        .says(200, "looked at the payload");
}

/// Also where nothing was ever delivered, and so no trail was begun.
#[test]
fn a_look_is_on_record_on_a_log_without_destinations() {
    let backend = Sqlite::new();
    let log = backend.address();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hookgate.toml");
    std::fs::write(&config, super::OPERATORS).unwrap();
    let mut command = super::serve(&log);
    command.arg("--config").arg(config);
    let server = Server::spawn(command);
    assert_eq!(hostile().send(&server).outcome().1, "stored");
    let ada = super::Client::new(server.metrics()).bearer(ADA);
    ada.get("/audit").says(200, "Nobody has decided anything");
    let fields = [
        ("id", "evt_x"),
        ("source", "stripe"),
        ("batch", "look_1"),
        ("reason", "INC-7"),
    ];
    ada.post("/event/payload", &fields)
        .says(200, "pii@example.com");
    ada.get("/audit").says(200, "INC-7");
    // Nor is a look a place where the event could be parked.
    let mut approve = hookgate();
    approve.args(["review", "approve", "evt_x", "--log", &log]);
    approve.args(["--by", "ben", "--reason", "mended"]);
    let message = failure(&mut approve);
    assert!(message.contains("`evt_x` is not parked there"), "{message}");
}

#[test]
fn answers_say_what_is_wrong_and_nothing_about_a_person() {
    let said = r#"{"message": "unknown plan of pii@example.com", "name": "John Pii"}"#;
    let orders = Receiver::start(move |_, _| Reaction::Says(400, said));
    let log = Sqlite::new();
    let place = Place::new(&log.address(), &destination("orders", &orders.url(), ""));
    let server = place.start();
    append(&server, 1);
    let client = super::Client::new(server.metrics());
    until("it is parked", || {
        client
            .get("/review")
            .body
            .contains("evt_n00000")
            .then_some(())
    });
    for path in [
        "/",
        "/review",
        "/destination?name=orders",
        "/event?id=evt_n00000",
    ] {
        let page = client.get(path);
        page.says(200, "unknown plan of •••");
        let body = page.body.to_lowercase();
        assert!(!body.contains("pii"), "{path}: {body}");
    }
}
