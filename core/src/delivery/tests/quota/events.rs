//! Quotas for fresh events.

use alloc::{format, string::String, vec::Vec};

use super::{
    NOW, Request, SECRET, code, event, exceeded, forgery, forwarded, fresh, gate, limit, payload,
    store_it,
};
use crate::{
    config::{Config, Exceeded},
    delivery::{Delivery, Origin, Step},
    gate::Gate,
    outcome::{Outcome, QuotaKind},
    reply::Code,
    secret::SigningSecret,
    shared::memory::Memory,
    signature::sign,
    time::Timestamp,
};

fn later(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(NOW.unix_millis() + seconds * 1_000)
}

#[track_caller]
fn limited_by(sent: &(Delivery, Step), quota: QuotaKind) {
    assert_eq!(code(&sent.1), Code::RateLimited);
    assert_eq!(sent.0.outcome(), Some(Outcome::Limited(quota)));
}

#[test]
fn charges_a_fresh_event_to_what_it_is() {
    let one = limit(1);
    let of_types = format!(r#""types": [{{"types": ["invoice.*"], "limit": {one}}}]"#);
    // What is refused after `invoice.paid` of acct_1, and what isn't.
    for (quotas, own, kind, refused, free) in [
        (
            format!(r#""accounts": {one}"#),
            String::new(),
            QuotaKind::Account,
            [event("evt_2", "a.b", "acct_1")],
            Vec::from([event("evt_3", "invoice.paid", "acct_2")]),
        ),
        (
            of_types,
            String::new(),
            QuotaKind::Type,
            [event("evt_2", "invoice.paid", "acct_2")],
            // Each type has its own, and others have none.
            Vec::from([
                event("evt_3", "invoice.sent", "acct_1"),
                event("evt_4", "payout.paid", "acct_1"),
                event("evt_5", "payout.paid", "acct_1"),
            ]),
        ),
        (
            format!(r#""endpoint": {one}"#),
            String::new(),
            QuotaKind::Endpoint,
            [event("evt_2", "a.b", "acct_2")],
            Vec::from([event("evt_3", "a.b", "acct_2").with(":path", b"/hooks/connect")]),
        ),
        (
            String::new(),
            format!(r#""overall": {one}"#),
            QuotaKind::Overall,
            [event("evt_2", "a.b", "acct_2").with(":path", b"/hooks/connect")],
            Vec::new(),
        ),
    ] {
        let (gate, mut memory) = (gate(&quotas, &own), Memory::default());
        store_it(
            &event("evt_1", "invoice.paid", "acct_1"),
            &gate,
            &mut memory,
        );
        for request in refused {
            limited_by(&request.send(&gate, &mut memory, 2), kind);
        }
        for request in free {
            forwarded(request.send(&gate, &mut memory, 3).1);
        }
    }
}

#[test]
fn the_first_quota_of_types_that_matches_counts() {
    let types = format!(
        r#""types": [{{"types": ["invoice.paid"], "limit": {}}}, {{"types": ["*"], "limit": {}}}]"#,
        limit(2),
        limit(1),
    );
    let (gate, mut memory) = (gate(&types, ""), Memory::default());
    for number in 1..=2 {
        forwarded(fresh(number).send(&gate, &mut memory, 1).1);
    }
    limited_by(&fresh(3).send(&gate, &mut memory, 1), QuotaKind::Type);
}

#[test]
fn the_quotas_of_two_endpoints_are_two() {
    let one = limit(1);
    for quotas in [
        format!(r#""accounts": {one}"#),
        format!(r#""types": [{{"types": ["*"], "limit": {one}}}]"#),
        format!(r#""endpoint": {one}"#),
    ] {
        let more = format!(r#""quotas": {{{quotas}}}, "secrets": [{{"name": "x", "env": "X"}}]"#);
        let json = format!(
            r#"{{"endpoints": [
                {{"name": "a", "path": "/hooks", {more}}}, {{"name": "b", "path": "/b", {more}}}
            ]}}"#
        );
        let config = Config::from_json(json.as_bytes()).unwrap();
        let gate = Gate::load(config, |_| Some(SECRET.into())).unwrap();
        let mut memory = Memory::default();
        forwarded(fresh(1).send(&gate, &mut memory, 1).1);
        let other = fresh(2).with(":path", b"/b");
        forwarded(other.send(&gate, &mut memory, 1).1);
    }
}

#[test]
fn a_type_and_an_account_of_the_same_name_are_two() {
    let quotas = format!(
        r#""accounts": {0}, "types": [{{"types": ["*"], "limit": {0}}}]"#,
        limit(1)
    );
    let (gate, mut memory) = (gate(&quotas, ""), Memory::default());
    forwarded(event("evt_1", "a", "a").send(&gate, &mut memory, 1).1);
}

#[test]
fn the_narrowest_quota_is_named() {
    let (gate, mut memory) = (
        gate(
            &format!(r#""accounts": {0}, "endpoint": {0}"#, limit(1)),
            &format!(r#""overall": {}"#, limit(1)),
        ),
        Memory::default(),
    );
    store_it(&fresh(1), &gate, &mut memory);
    limited_by(&fresh(2).send(&gate, &mut memory, 1), QuotaKind::Account);
}

#[test]
fn duplicates_and_those_in_progress_cost_nothing() {
    let (gate, mut memory) = (
        gate(&format!(r#""endpoint": {}"#, limit(2)), ""),
        Memory::default(),
    );
    let (mut first, step) = fresh(1).send(&gate, &mut memory, 1);
    forwarded(step);
    for _ in 0..5 {
        let again = fresh(1).send(&gate, &mut memory, 2).1;
        assert_eq!(code(&again), Code::InProgress);
    }
    first.answered(200, Origin::Upstream, NOW, &mut memory);
    for _ in 0..5 {
        let again = fresh(1).send(&gate, &mut memory, 2).1;
        assert_eq!(code(&again), Code::Duplicate);
    }
    forwarded(fresh(2).send(&gate, &mut memory, 1).1);
    limited_by(&fresh(3).send(&gate, &mut memory, 1), QuotaKind::Endpoint);
}

#[test]
fn a_limited_event_is_forwarded_when_it_comes_again() {
    let (gate, mut memory) = (
        gate(&format!(r#""endpoint": {}"#, limit(1)), ""),
        Memory::default(),
    );
    store_it(&fresh(1), &gate, &mut memory);
    for _ in 0..3 {
        // Neither in progress nor a duplicate.
        limited_by(&fresh(2).send(&gate, &mut memory, 2), QuotaKind::Endpoint);
    }
    let signed = sign(
        &SigningSecret::new("new", SECRET).unwrap(),
        later(3_600),
        &payload("evt_2"),
    );
    let again = fresh(2).with("stripe-signature", signed.as_bytes());
    forwarded(again.send_at(&gate, &mut memory, 3, later(3_600)).1);
}

#[test]
fn a_refusal_gives_back_what_was_charged_before() {
    let (gate, mut memory) = (
        gate(
            &format!(r#""accounts": {}, "endpoint": {}"#, limit(2), limit(3)),
            &format!(r#""overall": {}"#, limit(1)),
        ),
        Memory::default(),
    );
    store_it(&event("evt_1", "a", "acct_1"), &gate, &mut memory);
    for number in 2..9 {
        let request = event(&format!("evt_{number}"), "a", "acct_1");
        let mut sent = request.send(&gate, &mut memory, 2);
        limited_by(&sent, QuotaKind::Overall);
        let by_overall = [(QuotaKind::Overall, Exceeded::Refuse)];
        assert_eq!(exceeded(&mut sent.0), by_overall);
    }
}

#[test]
fn a_quota_that_counts_refuses_nothing() {
    // Accounts count unless told otherwise.
    let accounts = r#""accounts": {"rate": 1, "per_seconds": 3600, "burst": 1}"#;
    let (gate, mut memory) = (gate(accounts, ""), Memory::default());
    store_it(&fresh(1), &gate, &mut memory);
    for number in 2..6 {
        let (mut delivery, step) = fresh(number).send(&gate, &mut memory, 1);
        forwarded(step);
        let counted = [(QuotaKind::Account, Exceeded::Count)];
        assert_eq!(exceeded(&mut delivery), counted);
    }
}

#[test]
fn says_which_quota_and_when_to_come_back() {
    let (gate, mut memory) = (
        gate(&format!(r#""endpoint": {}"#, limit(2)), ""),
        Memory::default(),
    );
    for number in 1..=2 {
        store_it(&fresh(number), &gate, &mut memory);
    }
    let (_, Step::Reply(reply)) = fresh(3).send(&gate, &mut memory, 1) else {
        panic!("not answered");
    };
    let fields = [
        ("retry-after", "3600"),
        ("ratelimit-policy", r#""endpoint";q=2;w=7200"#),
        ("ratelimit", r#""endpoint";r=0;t=3600"#),
    ];
    assert_eq!(
        reply.headers,
        fields.map(|(name, value)| (name, value.into()))
    );
}

#[test]
fn a_store_that_fails_charges_nobody() {
    let all = format!(r#""accounts": {0}, "endpoint": {0}"#, limit(1));
    let own = format!(r#""sources": {0}, "overall": {0}"#, limit(1));
    let gate = gate(&all, &own);
    let mut broken = Memory {
        fails: true,
        ..Memory::default()
    };
    for _ in 0..3 {
        let step = forgery().send(&gate, &mut broken, 1).1;
        assert_eq!(code(&step), Code::SignatureMismatch);
    }
    // A test event needs no room in the dedup table.
    for token in 1..4 {
        let test = Request::new(payload("evt_00000000000000"));
        forwarded(test.send(&gate, &mut broken, token).1);
    }
}
