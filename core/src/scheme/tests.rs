use alloc::{boxed::Box, string::String, vec, vec::Vec};

use super::{
    Scheme, Signed,
    hmac::{self, Part, Place},
};
use crate::{
    event::{Event, PayloadError},
    few::Few,
    request::RequestHead,
    signature::{SignatureError, encoding},
    time::Timestamp,
};

const NAMED: [Scheme; 5] = [
    Scheme::Stripe,
    Scheme::StandardWebhooks,
    Scheme::Github,
    Scheme::Shopify,
    Scheme::Slack,
];
const AT: Timestamp = Timestamp::from_unix_seconds(1_760_000_000);
const SECRET: &[u8] = b"whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";
const JSON: &[u8] = br#"{"id": "evt_1", "object": "event", "type": "a.b", "team_id": "T1"}"#;

fn others() -> Vec<(String, Vec<u8>)> {
    [
        ("webhook-id", "msg_1"),
        ("x-github-event", "push"),
        ("x-github-delivery", "d-1"),
        ("x-shopify-topic", "orders/create"),
        ("x-shopify-shop-domain", "a.myshopify.com"),
        ("x-shopify-event-id", "e-1"),
        ("x-shopify-webhook-id", "w-1"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into()
}

fn signed_head(scheme: &Scheme, payload: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut head = others();
    let secret = scheme.secret("a", SECRET).unwrap();
    let added = scheme.sign(&secret, AT, RequestHead(&head), payload);
    head.extend(added.into_iter().map(|(name, value)| (name, value.into())));
    head
}

fn verify(
    scheme: &Scheme,
    head: &[(String, Vec<u8>)],
    payload: &[u8],
) -> Result<usize, SignatureError> {
    let wrong = scheme.secret("b", b"whsec_b3RoZXI=").unwrap();
    let secret = scheme.secret("a", SECRET).unwrap();
    let signed = scheme.read(RequestHead(head))?;
    let mut verifier = signed.verifier([&wrong, &secret].into_iter());
    payload.chunks(7).for_each(|chunk| verifier.update(chunk));
    verifier.finish()
}

#[test]
fn verifies_what_it_signs_and_nothing_else() {
    for scheme in NAMED {
        let head = signed_head(&scheme, JSON);
        assert_eq!(verify(&scheme, &head, JSON), Ok(1), "{scheme:?}");
        assert_eq!(
            verify(&scheme, &head, b"{}"),
            Err(SignatureError::Mismatch),
            "{scheme:?}"
        );
        let signed = scheme.read(RequestHead(&head)).ok();
        let signed_at = signed.and_then(|signed| signed.signed_at());
        assert_eq!(signed_at, scheme.signs_time().then_some(AT), "{scheme:?}");
    }
}

#[test]
fn verifies_however_the_sender_changes_the_case_of_names() {
    for scheme in NAMED {
        let mut head = signed_head(&scheme, JSON);
        for (name, _) in &mut head {
            *name = name.to_uppercase();
        }
        assert_eq!(verify(&scheme, &head, JSON), Ok(1), "{scheme:?}");
    }
}

#[test]
fn refuses_every_header_that_it_reads_if_it_comes_twice() {
    for scheme in NAMED {
        let head = signed_head(&scheme, JSON);
        for (name, value) in &head {
            // What another scheme reads is nothing to this one.
            let own = match &scheme {
                Scheme::Stripe => name.starts_with("stripe-"),
                Scheme::StandardWebhooks => name.starts_with("webhook-"),
                Scheme::Github => name.starts_with("x-github-") || name.starts_with("x-hub-"),
                Scheme::Shopify => name.starts_with("x-shopify-"),
                Scheme::Slack | Scheme::Hmac(_) => name.starts_with("x-slack-"),
            };
            let mut twice = head.clone();
            twice.push((name.clone(), value.clone()));
            let expected = if own {
                Err(SignatureError::Malformed)
            } else {
                Ok(1)
            };
            assert_eq!(verify(&scheme, &twice, JSON), expected, "{scheme:?} {name}");
        }
    }
}

#[test]
fn survives_headers_that_are_not_utf8() {
    for scheme in NAMED {
        let head = signed_head(&scheme, JSON);
        for index in 0..head.len() {
            let mut damaged = head.clone();
            damaged[index].1 = Vec::from(b"\xff\xfe");
            let Ok(signed) = scheme.read(RequestHead(&damaged)) else {
                continue;
            };
            let verdict = scheme.event(&signed, JSON);
            let name = damaged[index].0.as_str();
            let field = match (&scheme, name) {
                (Scheme::Github, "x-github-event") | (Scheme::Shopify, "x-shopify-topic") => "type",
                (Scheme::Shopify, "x-shopify-shop-domain") => "account",
                (Scheme::StandardWebhooks, "webhook-id") => "id",
                _ => continue,
            };
            assert_eq!(
                verdict,
                Err(PayloadError::Field(field)),
                "{scheme:?} {name}"
            );
        }
    }
}

#[test]
fn a_spoofed_unsigned_header_repeats_an_event_and_suppresses_none() {
    for (scheme, names) in [
        (Scheme::Github, &["x-github-event", "x-github-delivery"][..]),
        (
            Scheme::Shopify,
            &[
                "x-shopify-topic",
                "x-shopify-shop-domain",
                "x-shopify-event-id",
                "x-shopify-webhook-id",
            ],
        ),
    ] {
        let head = signed_head(&scheme, JSON);
        let event = |head: &[(String, Vec<u8>)], payload: &[u8]| {
            let signed = scheme.read(RequestHead(head)).ok().unwrap();
            scheme.event(&signed, payload).unwrap()
        };
        let genuine = event(&head, JSON);
        assert_eq!(event(&head, JSON), genuine);
        assert!(genuine.unsigned_attributes);
        assert_eq!(genuine.id.len(), 64);
        let mut ids = vec![genuine.id];
        ids.push(event(&head, b"{}").id);
        for name in names {
            let mut spoofed = head.clone();
            let (_, value) = spoofed.iter_mut().find(|(other, _)| other == name).unwrap();
            *value = b"spoofed".into();
            ids.push(event(&spoofed, JSON).id);
            if !matches!(*name, "x-github-event" | "x-shopify-topic") {
                spoofed.retain(|(other, _)| other != name);
                ids.push(event(&spoofed, JSON).id);
            }
        }
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count, "{scheme:?}");
    }
}

#[test]
fn no_bytes_move_from_one_part_of_a_digest_to_another() {
    let id = |event: Option<&str>, delivery: Option<&str>, payload: &[u8]| {
        Signed {
            unsigned: vec![event.map(Into::into), delivery.map(Into::into)],
            ..Signed::by(Few::new())
        }
        .digest_id(payload)
    };
    let mut ids = vec![
        id(Some("ab"), Some("c"), b"{}"),
        id(Some("a"), Some("bc"), b"{}"),
        id(Some("abc"), Some(""), b"{}"),
        id(Some("abc"), None, b"{}"),
        id(None, Some("abc"), b"{}"),
        id(Some(""), Some("abc"), b"{}"),
        id(Some("}ab"), Some("c"), b"{"),
        id(Some("a\u{1}b"), Some("c"), b"{}"),
        id(Some("a"), Some("b\u{1}c"), b"{}"),
    ];
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 9);
}

#[test]
fn names_events_by_what_is_signed() {
    let read = |scheme: &Scheme, payload: &[u8]| {
        let head = signed_head(scheme, payload);
        let signed = scheme.read(RequestHead(&head)).ok().unwrap();
        scheme.event(&signed, payload).unwrap()
    };
    let event = read(
        &Scheme::StandardWebhooks,
        br#"{"type": "user.created", "timestamp": "2025-10-09T08:53:20Z", "data": {"type": "x"}}"#,
    );
    assert_eq!(
        (event.id.as_str(), event.type_name.as_str()),
        ("msg_1", "user.created")
    );
    assert_eq!(event.created, Some(AT));
    let marked = "\u{feff}{\"type\": \"user.created\"}";
    let marked = read(&Scheme::StandardWebhooks, marked.as_bytes());
    assert_eq!(marked.type_name, "user.created");
    assert_eq!(
        read(&Scheme::StandardWebhooks, b"hello").type_name,
        "webhook"
    );

    let event = read(
        &Scheme::Slack,
        br#"{"type": "event_callback", "event_id": "Ev1", "team_id": "T1",
            "event_time": 1760000000, "event": {"type": "app_mention", "event_id": "decoy"}}"#,
    );
    assert_eq!(
        (event.id.as_str(), event.type_name.as_str()),
        ("Ev1", "app_mention")
    );
    assert_eq!(
        (event.account.as_deref(), event.created),
        (Some("T1"), Some(AT))
    );
    let challenge = read(&Scheme::Slack, br#"{"type": "url_verification"}"#);
    assert_eq!(
        (challenge.id.len(), challenge.type_name.as_str()),
        (64, "url_verification")
    );
    let command = read(
        &Scheme::Slack,
        b"team_id=T1&command=%2Fpay&text=a%26team_id%3DT2",
    );
    assert_eq!(
        (command.id.len(), command.type_name.as_str()),
        (64, "command")
    );
    assert_eq!(command.account.as_deref(), Some("T1"));
    assert_eq!(
        read(&Scheme::Slack, b"payload=%7B%7D").type_name,
        "interaction"
    );

    // A test event and a synchronous type are Stripe's alone.
    let zeros = Event {
        id: "evt_000".into(),
        ..challenge
    };
    assert!(!zeros.is_test_id());
}

fn described(timestamp: Option<&str>, id: Option<Place>, type_name: Option<Place>) -> Scheme {
    let header = |name: &str| Part::Header(name.into());
    let text = |text: &str| Part::Text(text.into());
    Scheme::Hmac(Box::new(hmac::Description {
        signature_header: "x-sig".into(),
        encoding: hmac::Encoding::Base64,
        prefix: "v9=".into(),
        before: vec![text("a:"), header("x-time"), text(":b;")],
        after: vec![text("+|"), header("x-id")],
        timestamp_header: timestamp.map(Into::into),
        id,
        type_name,
        account: None,
    }))
}

fn in_header(name: &str) -> Option<Place> {
    Some(Place::Header(name.into()))
}

#[test]
fn signs_the_parts_of_a_description_in_their_order() {
    let scheme = described(Some("x-time"), in_header("x-id"), in_header("x-type"));
    let others: Vec<(String, Vec<u8>)> = [("x-id", "7"), ("x-type", "t")]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
    let secret = scheme.secret("a", SECRET).unwrap();
    let added = scheme.sign(&secret, AT, RequestHead(&others), JSON);
    let expected = secret.sign(&[b"a:1760000000:b;", JSON, b"+|7"]);
    assert_eq!(
        added,
        [
            ("x-time".into(), "1760000000".into()),
            (
                "x-sig".into(),
                String::from("v9=") + &encoding::base64(&expected)
            ),
        ]
    );
    let mut head = others;
    head.extend(added.into_iter().map(|(name, value)| (name, value.into())));
    assert_eq!(verify(&scheme, &head, JSON), Ok(1));
    let signed = scheme.read(RequestHead(&head)).ok().unwrap();
    assert_eq!(signed.signed_at(), Some(AT));
    let event = scheme.event(&signed, JSON).unwrap();
    assert_eq!(event.type_name, "t");
    assert!(event.unsigned_attributes);
    // Under another type it is another event, so that it suppresses none.
    let relabelled = head.iter().map(|(name, value)| match name.as_str() {
        "x-type" => (name.clone(), b"u".to_vec()),
        _ => (name.clone(), value.clone()),
    });
    let relabelled: Vec<_> = relabelled.collect();
    let signed = scheme.read(RequestHead(&relabelled)).ok().unwrap();
    assert_ne!(scheme.event(&signed, JSON).unwrap().id, event.id);

    for (name, absent) in [
        ("x-id", SignatureError::Malformed),
        ("x-time", SignatureError::Malformed),
        ("x-sig", SignatureError::Missing),
    ] {
        let mut other = head.clone();
        other.retain(|(header, _)| header != name);
        assert_eq!(verify(&scheme, &other, JSON), Err(absent), "{name}");
    }
    let prefixed_otherwise = String::from("v8=") + &encoding::base64(&expected);
    for (name, value, error) in [
        ("x-id", "8", SignatureError::Mismatch),
        ("x-id", "7|7", SignatureError::Malformed),
        ("x-time", "1760000001", SignatureError::Mismatch),
        ("x-time", "+1760000000", SignatureError::Malformed),
        ("x-sig", &prefixed_otherwise, SignatureError::Malformed),
        ("x-sig", "", SignatureError::Missing),
    ] {
        let mut other = head.clone();
        other.retain(|(header, _)| header != name);
        other.push((name.into(), value.into()));
        assert_eq!(verify(&scheme, &other, JSON), Err(error), "{name}: {value}");
    }
}

#[test]
fn a_header_can_not_hold_the_boundary_to_its_neighbour() {
    let scheme = described(None, None, None);
    let read = |time: &str, id: &str| {
        let head: Vec<(String, Vec<u8>)> = [
            ("x-sig", String::from("v9=") + &encoding::base64(&[0; 32])),
            ("x-time", time.into()),
            ("x-id", id.into()),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
        scheme.read(RequestHead(&head)).map(|_| ())
    };
    // Read from the left, `:` of `:b;` ends the first; from the right, `|` of
    // `+|` begins the last.
    assert_eq!(read("noon;", "7+"), Ok(()));
    assert_eq!(read("noon:", "7+"), Err(SignatureError::Malformed));
    assert_eq!(read("noon;", "7|"), Err(SignatureError::Malformed));
}

#[test]
fn an_unsigned_id_becomes_part_of_a_digest() {
    let scheme = described(
        None,
        in_header("x-delivery"),
        Some(Place::Field("type".into())),
    );
    let id = |delivery: &str| {
        let head: Vec<(String, Vec<u8>)> = [
            ("x-sig", String::from("v9=") + &encoding::base64(&[0; 32])),
            ("x-time", "1".into()),
            ("x-id", "7".into()),
            ("x-delivery", delivery.into()),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
        let signed = scheme.read(RequestHead(&head)).ok().unwrap();
        let event = scheme.event(&signed, JSON).unwrap();
        assert_eq!(event.type_name, "a.b");
        assert!(!event.unsigned_attributes);
        event.id
    };
    assert_eq!(id("one"), id("one"));
    assert_ne!(id("one"), id("two"));
    assert_eq!(id("one").len(), 64);
}
