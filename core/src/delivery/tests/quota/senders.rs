//! The quota for failures of one sender.

use alloc::format;
use core::net::IpAddr;

use super::{
    NOW, Request, code, event, exceeded, forgery, forwarded, fresh, gate, limit, store_it,
};
use crate::{
    config::{Config, Exceeded},
    delivery::{Arrival, Delivery, Origin, Step},
    gate::Gate,
    outcome::{Outcome, QuotaKind, Stage},
    reply::Code,
    shared::memory::Memory,
};

/// Sends the headers of a request from this address.
fn headers_from(request: &Request, gate: &Gate, from: &str, memory: &mut Memory) -> Step {
    let source: IpAddr = from.parse().unwrap();
    let arrival = Arrival {
        source: Some(source),
        ..request.arrival(NOW)
    };
    Delivery::default().headers(gate, arrival, memory)
}

#[test]
fn failures_are_charged_to_sender_and_endpoint() {
    let (gate, mut memory) = (
        gate("", &format!(r#""sources": {}"#, limit(3))),
        Memory::default(),
    );
    for _ in 0..3 {
        let step = forgery().send(&gate, &mut memory, 1).1;
        assert_eq!(code(&step), Code::SignatureMismatch);
    }
    let by_source = [(QuotaKind::Source, Exceeded::Refuse)];
    let refused = Some(Outcome::Refused(Code::RateLimited));
    // Now the sender is refused before a body is read, and charged no more.
    for request in [forgery(), fresh(1)] {
        let (mut delivery, step) = request.send(&gate, &mut memory, 1);
        assert_eq!(
            (code(&step), delivery.outcome()),
            (Code::RateLimited, refused)
        );
        assert_eq!(exceeded(&mut delivery), by_source);
    }
    let headers = headers_from(&forgery(), &gate, "198.51.100.7", &mut memory);
    assert_eq!(code(&headers), Code::RateLimited);
    // Refusals that need no quota read say so too.
    let unsigned = forgery().without("stripe-signature");
    let (mut delivery, step) = unsigned.send(&gate, &mut memory, 1);
    assert_eq!(code(&step), Code::RateLimited);
    assert_eq!(exceeded(&mut delivery), by_source);

    let elsewhere = fresh(1).with(":path", b"/hooks/connect");
    forwarded(elsewhere.send(&gate, &mut memory, 1).1);
    let other = headers_from(&fresh(2), &gate, "198.51.100.8", &mut memory);
    assert_eq!(other, Step::Hold);
}

#[test]
fn every_kind_of_failure_is_charged() {
    let kinds = [
        forgery(),
        forgery().without("stripe-signature"),
        fresh(1).with(":method", b"GET"),
        fresh(1).with("content-length", b"401"),
        // It says nothing of its length.
        Request::new([b' '; 401].into()).without("content-length"),
    ];
    for failure in kinds {
        let sources = format!(r#""sources": {}"#, limit(1));
        let (gate, mut memory) = (gate("", &sources), Memory::default());
        assert_ne!(
            code(&failure.send(&gate, &mut memory, 1).1),
            Code::RateLimited
        );
        let next = fresh(2).send(&gate, &mut memory, 1).1;
        assert_eq!(code(&next), Code::RateLimited, "{:?}", failure.headers);
    }
}

#[test]
fn paths_of_no_endpoint_have_a_quota_of_their_own() {
    let (gate, mut memory) = (
        gate("", &format!(r#""sources": {}"#, limit(2))),
        Memory::default(),
    );
    for path in [&b"/a"[..], b"/b"] {
        let step = fresh(1).with(":path", path).send(&gate, &mut memory, 1).1;
        assert_eq!(code(&step), Code::EndpointUnknown);
    }
    let step = fresh(1).with(":path", b"/c").send(&gate, &mut memory, 1).1;
    assert_eq!(code(&step), Code::RateLimited);
    forwarded(fresh(1).send(&gate, &mut memory, 1).1);
}

#[test]
fn one_that_never_ends_its_body_is_charged() {
    let (gate, mut memory) = (
        gate("", &format!(r#""sources": {}"#, limit(1))),
        Memory::default(),
    );
    let request = fresh(1);
    let mut held = Delivery::default();
    assert_eq!(
        held.headers(&gate, request.arrival(NOW), &mut memory),
        Step::Hold
    );
    held.closed(NOW, &mut memory);
    assert_eq!(held.outcome(), Some(Outcome::Aborted(Stage::Unverified)));
    let next = request.send(&gate, &mut memory, 1).1;
    assert_eq!(code(&next), Code::RateLimited);
}

#[test]
fn the_genuine_are_never_charged_as_failures() {
    let sources = format!(r#""sources": {}"#, limit(1));
    let (gate, mut memory) = (gate("", &sources), Memory::default());
    store_it(&fresh(1), &gate, &mut memory);
    let (mut refused, step) = fresh(2).send(&gate, &mut memory, 1);
    forwarded(step);
    refused.answered(503, Origin::Upstream, NOW, &mut memory);
    let (mut gone, step) = fresh(2).send(&gate, &mut memory, 1);
    forwarded(step);
    gone.closed(NOW, &mut memory);
    let duplicate = fresh(1).send(&gate, &mut memory, 1).1;
    assert_eq!(code(&duplicate), Code::Duplicate);
    let no_event = Request::new(b"{}".into()).send(&gate, &mut memory, 1).1;
    assert_eq!(code(&no_event), Code::PayloadInvalid);
    // The one failure that is allowed is still there.
    let first = forgery().send(&gate, &mut memory, 1).1;
    assert_eq!(code(&first), Code::SignatureMismatch);
}

// An endpoint without a secret is the operator's mistake.
#[test]
fn what_the_gate_cannot_judge_is_charged_to_nobody() {
    let sources = format!(
        r#"{{"endpoints": [{{"name": "a", "path": "/hooks", "secrets": [{{"name": "x", "env": "X"}}]}}], "quotas": {{"sources": {}}}}}"#,
        limit(1)
    );
    let config = Config::from_json(sources.as_bytes()).unwrap();
    let gate = Gate::load(config, |_| None).unwrap();
    let mut memory = Memory::default();
    for _ in 0..3 {
        let step = fresh(1).send(&gate, &mut memory, 1).1;
        assert_eq!(code(&step), Code::Unavailable);
    }
    assert!(memory.buckets.is_empty());
}

#[test]
fn a_quota_of_sources_that_counts_refuses_nobody() {
    let sources = r#""sources": {"rate": 1, "per_seconds": 3600, "burst": 1, "exceeded": "count"}"#;
    let (gate, mut memory) = (gate("", sources), Memory::default());
    for _ in 0..3 {
        let step = forgery().send(&gate, &mut memory, 1).1;
        assert_eq!(code(&step), Code::SignatureMismatch);
    }
    let (mut delivery, step) = fresh(1).send(&gate, &mut memory, 1);
    forwarded(step);
    let counted = [(QuotaKind::Source, Exceeded::Count)];
    assert_eq!(exceeded(&mut delivery), counted);
}

#[test]
fn an_ipv6_sender_is_its_64() {
    let (gate, mut memory) = (
        gate("", &format!(r#""sources": {}"#, limit(1))),
        Memory::default(),
    );
    let unsigned = forgery().without("stripe-signature");
    let first = headers_from(&unsigned, &gate, "2001:db8:0:1::1", &mut memory);
    assert_eq!(code(&first), Code::SignatureMissing);
    let neighbour = headers_from(&unsigned, &gate, "2001:db8:0:1:ffff::2", &mut memory);
    assert_eq!(code(&neighbour), Code::RateLimited);
    let other = headers_from(&unsigned, &gate, "2001:db8::1", &mut memory);
    assert_eq!(code(&other), Code::SignatureMissing);
}

#[test]
fn an_address_and_an_account_of_the_same_name_are_two() {
    let two = limit(2);
    let (gate, mut memory) = (
        gate(
            &format!(r#""accounts": {two}"#),
            &format!(r#""sources": {two}"#),
        ),
        Memory::default(),
    );
    forgery().send(&gate, &mut memory, 1);
    for id in ["evt_1", "evt_2"] {
        let event = event(id, "a", "198.51.100.7");
        forwarded(event.send(&gate, &mut memory, 1).1);
    }
}

#[test]
fn whoever_has_verified_is_heard_however_much_comes_from_the_same_address() {
    let (gate, mut memory) = (
        gate("", &format!(r#""sources": {}"#, limit(3))),
        Memory::default(),
    );
    store_it(&fresh(1), &gate, &mut memory);
    for number in 0..20 {
        let step = forgery().send(&gate, &mut memory, 1).1;
        let expected = if number < 3 {
            Code::SignatureMismatch
        } else {
            Code::RateLimited
        };
        assert_eq!(code(&step), expected, "{number}");
    }
    store_it(&fresh(2), &gate, &mut memory);
    // At another endpoint nothing is known of it.
    let elsewhere = |request: Request| request.with(":path", b"/hooks/connect");
    for _ in 0..3 {
        elsewhere(forgery()).send(&gate, &mut memory, 1);
    }
    let step = elsewhere(fresh(3)).send(&gate, &mut memory, 1).1;
    assert_eq!(code(&step), Code::RateLimited);
}

#[test]
fn what_the_host_cannot_carry_on_is_charged_to_nobody() {
    let (gate, mut memory) = (
        gate("", &format!(r#""sources": {}"#, limit(1))),
        Memory::default(),
    );
    for _ in 0..3 {
        let mut delivery = Delivery::default();
        let arrival = fresh(1);
        let step = delivery.headers(&gate, arrival.arrival(NOW), &mut memory);
        assert_eq!(step, Step::Hold);
        delivery.fail();
        delivery.closed(NOW, &mut memory);
        let unavailable = Outcome::Refused(Code::Unavailable);
        assert_eq!(delivery.outcome(), Some(unavailable));
    }
}
