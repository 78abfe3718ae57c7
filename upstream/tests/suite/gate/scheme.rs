//! Every scheme: verified again, and sent by hand.

use std::fs;

use hookgate_core::{
    config::Config, request::RequestHead, scheme::Scheme, secret::SigningSecret, time::Timestamp,
};
use serde_json::Value;

use super::{Door, GATE, KEYRING_SECRET, log};
use crate::{
    delivery::{Delivery, seconds_from_now},
    harness::{events, hookgate},
};

/// A delivery of any endpoint, with the headers that the gate makes of it.
pub(super) fn of(endpoint: &str, head: &[(&str, &str)], payload: &str) -> Delivery {
    let config = Config::from_json(GATE.as_bytes()).unwrap();
    let mut endpoints = config.endpoints.into_iter();
    let endpoint = endpoints.find(|found| found.name == endpoint).unwrap();
    let scheme: &Scheme = &endpoint.scheme;
    let now = seconds_from_now(0);
    let mut head: Vec<(String, Vec<u8>)> = head
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    let secret = scheme.secret("2026-11", KEYRING_SECRET.as_bytes()).unwrap();
    let signed = scheme.sign(&secret, now, RequestHead(&head), payload.as_bytes());
    head.extend(
        signed
            .into_iter()
            .map(|(name, value)| (name, value.into_bytes())),
    );
    let read = scheme.read(RequestHead(&head)).unwrap();
    let event = scheme.event(&read, payload.as_bytes()).unwrap();

    let mut delivery = Delivery::with_payload(&event.id, payload.as_bytes().to_vec());
    delivery.headers.clear();
    let mut delivery = delivery
        .with("ce-specversion", "1.0")
        .with("ce-id", &event.id)
        .with("ce-type", &event.type_name)
        .with("ce-source", &format!("/hookgate/{}", endpoint.source))
        .with("ce-endpoint", &endpoint.name)
        .with("ce-secretname", "2026-11")
        .with("ce-receivedat", &now.to_string());
    let signed_at = read.signed_at().map(|at: Timestamp| at.to_string());
    for (name, value) in [("ce-account", event.account), ("ce-signedat", signed_at)] {
        if let Some(value) = value {
            delivery = delivery.with(name, &value);
        }
    }
    if event.unsigned_attributes {
        delivery = delivery.with("ce-unsigned", "type account");
    }
    for (name, value) in &head {
        delivery = delivery.with(name, str::from_utf8(value).unwrap());
    }
    delivery
}

/// One delivery of each scheme, and the header that carries its signature.
fn of_every_scheme() -> Vec<(Delivery, &'static str)> {
    let shop = [
        ("x-shopify-topic", "orders/create"),
        ("x-shopify-shop-domain", "a.myshopify.com"),
        ("x-shopify-event-id", "e-1"),
    ];
    vec![
        (
            of(
                "stripe",
                &[],
                r#"{"id": "evt_1", "object": "event", "type": "a.b"}"#,
            ),
            "stripe-signature",
        ),
        (
            of(
                "github",
                &[("x-github-event", "push"), ("x-github-delivery", "d-1")],
                "{}",
            ),
            "x-hub-signature-256",
        ),
        (
            of("shopify", &shop, r#"{"id": 1}"#),
            "x-shopify-hmac-sha256",
        ),
        (
            of(
                "slack",
                &[],
                r#"{"event_id": "Ev1", "type": "event_callback", "team_id": "T1", "event": {"type": "message"}}"#,
            ),
            "x-slack-signature",
        ),
        (
            of(
                "standard",
                &[("webhook-id", "msg_1")],
                r#"{"type": "user.created"}"#,
            ),
            "webhook-signature",
        ),
        (
            of("own", &[], r#"{"id": "o-1", "type": "order"}"#),
            "x-signature",
        ),
    ]
}

#[test]
fn stores_events_of_every_scheme_once() {
    let door = Door::open();
    for (delivery, _) in of_every_scheme() {
        door.stores(&delivery);
        assert_eq!(door.outcome(&delivery), (200, "duplicate".to_owned()));
        let mut forged = delivery.clone();
        forged.payload.push(b' ');
        door.refuses(&forged, 400, "signature_mismatch");
    }
    let listed = events(&log(door.folder.path()));
    for ((delivery, header), event) in of_every_scheme().iter().zip(&listed) {
        let claimed = |name| delivery.headers.iter().find(|(other, _)| other == name);
        let claimed = |name| claimed(name).map(|(_, value)| value.as_str());
        assert_eq!(event["id"].as_str(), claimed("ce-id"));
        assert_eq!(event["type"].as_str(), claimed("ce-type"));
        assert_eq!(event["account"].as_str(), claimed("ce-account"));
        assert_eq!(event["unsigned"].as_str(), claimed("ce-unsigned"));
        assert_eq!(
            event["signedat"].is_null(),
            claimed("ce-signedat").is_none()
        );
        assert!(
            claimed(header).is_some() && !event["signature"].is_null(),
            "{event}"
        );
    }
    // Without a signed time the same delivery has the same signature.
    assert_eq!(
        listed[1]["signature"].as_str(),
        Some(of_every_scheme()[1].0.header("x-hub-signature-256"))
    );
}

#[test]
fn refuses_headers_that_the_signature_does_not_bear_out() {
    let door = Door::open();
    for (delivery, header) in of_every_scheme() {
        door.refuses(&delivery.clone().without(header), 400, "signature_missing");
        let twice = delivery.header(header).to_owned();
        door.refuses(
            &delivery.clone().and(header, &twice),
            400,
            "signature_malformed",
        );
        for (name, value) in [
            ("ce-id", "evt_2"),
            ("ce-type", "c.d"),
            ("ce-account", "acct_9"),
        ] {
            door.refuses(
                &delivery.clone().with(name, value),
                400,
                "attributes_invalid",
            );
        }
        let unsigned = delivery
            .headers
            .iter()
            .any(|(name, _)| name == "ce-unsigned");
        let other = if unsigned {
            delivery.clone().without("ce-unsigned")
        } else {
            delivery.clone().with("ce-unsigned", "type account")
        };
        door.refuses(&other, 400, "attributes_invalid");
        door.refuses(
            &delivery.clone().with("ce-unsigned", "nothing"),
            400,
            "attributes_invalid",
        );
        let timed = delivery
            .headers
            .iter()
            .any(|(name, _)| name == "ce-signedat");
        let other = if timed {
            delivery.clone().without("ce-signedat")
        } else {
            delivery.clone().with("ce-signedat", "2026-11-01T00:00:00Z")
        };
        door.refuses(&other, 400, "attributes_invalid");
        door.stores(&delivery);
    }
}

#[test]
fn sends_as_every_scheme_wants_it() {
    let secret = |scheme: &Scheme| -> SigningSecret {
        scheme.secret("a", KEYRING_SECRET.as_bytes()).unwrap()
    };
    let config = Config::from_json(GATE.as_bytes()).unwrap();
    for endpoint in config
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.keyring.is_some())
    {
        let scheme = &endpoint.scheme;
        let folder = tempfile::tempdir().unwrap();
        let gate = folder.path().join("gate.json");
        fs::write(&gate, GATE).unwrap();
        let named = scheme.as_str();
        let by_name = ["--scheme", named];
        let by_gate = ["--gate", gate.to_str().unwrap()];
        let ways: &[&[&str]] = if named == "hmac" {
            &[&by_gate]
        } else {
            &[&by_name, &by_gate]
        };
        for way in ways {
            let (url, request) = crate::cli::gate(crate::cli::STORED);
            let url = format!("{url}{}", endpoint.path);
            let mut command = hookgate();
            command
                .args([
                    "send",
                    &url,
                    "--secret-env",
                    "MINE",
                    "--id",
                    "evt_1",
                    "--json",
                ])
                .args(*way);
            let answer = crate::harness::output(command.env("MINE", KEYRING_SECRET));
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            let (head, payload) = request.join().unwrap();
            let head: Vec<(String, Vec<u8>)> = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.as_bytes().to_vec()))
                .collect();
            let signed = scheme.read(RequestHead(&head)).unwrap();
            let mut verifier = signed.verifier([&secret(scheme)].into_iter());
            verifier.update(&payload);
            assert_eq!(verifier.finish(), Ok(0), "{named}");
            let event = scheme.event(&signed, &payload).unwrap();
            assert_eq!(answer["event_id"], event.id, "{named}");
        }
    }
}
