use alloc::{format, vec, vec::Vec};

use super::{
    Accounts, Livemode, Otherwise, Policy, Synchronous, TypePattern, TypeRoute, Types, Unknown,
    Unwanted,
};
use crate::{event::Event, outcome::Ignored, reply::Code, scheme::Scheme};

fn event(type_name: &str, more: &str) -> Event {
    let payload = format!(r#"{{"id": "evt_1", "object": "event", "type": "{type_name}"{more}}}"#);
    Event::from_payload(payload.as_bytes()).unwrap()
}

fn patterns(texts: &[&str]) -> Vec<TypePattern> {
    let pattern = |text: &&str| TypePattern::new(text).unwrap();
    texts.iter().map(pattern).collect()
}

#[test]
fn wants_everything_unless_told_otherwise() {
    assert_eq!(Policy::default().judge(&event("a.b", "")), Ok(()));
    assert!(Policy::default().admits_source(None));
}

#[test]
fn wants_what_is_allowed_and_not_denied() {
    let policy = |otherwise| Policy {
        types: Types {
            allow: patterns(&["invoice.*"]),
            deny: patterns(&["*.deleted"]),
            otherwise,
        },
        ..Policy::default()
    };
    let ignored = Err(Unwanted::Ignored(Ignored::Type));
    for (type_name, verdict) in [
        ("invoice.paid", Ok(())),
        ("invoice.deleted", ignored),
        ("payout.paid", ignored),
    ] {
        let event = event(type_name, "");
        assert_eq!(policy(Otherwise::Ignore).judge(&event), verdict);
        let refused = verdict.map_err(|_| Unwanted::Refused(Code::DeniedType));
        assert_eq!(policy(Otherwise::Refuse).judge(&event), refused);
    }
}

#[test]
fn an_event_that_does_not_say_its_mode_has_not_the_wanted_one() {
    let policy = Policy {
        livemode: Some(Livemode {
            only: true,
            otherwise: Otherwise::Refuse,
        }),
        ..Policy::default()
    };
    let refused = Err(Unwanted::Refused(Code::DeniedLivemode));
    assert_eq!(policy.judge(&event("a", r#", "livemode": true"#)), Ok(()));
    assert_eq!(policy.judge(&event("a", r#", "livemode": false"#)), refused);
    assert_eq!(policy.judge(&event("a", "")), refused);
}

#[test]
fn treats_unknown_accounts_as_told() {
    let known = event("a", r#", "account": "acct_1""#);
    let unknown = event("a", r#", "account": "acct_2""#);
    let of_none = event("a", "");
    for (treatment, verdict) in [
        (Unknown::Count, Ok(())),
        (
            Unknown::Otherwise(Otherwise::Ignore),
            Err(Unwanted::Ignored(Ignored::Account)),
        ),
        (
            Unknown::Otherwise(Otherwise::Refuse),
            Err(Unwanted::Refused(Code::DeniedAccount)),
        ),
    ] {
        let policy = Policy {
            accounts: Some(Accounts {
                known: ["acct_1".into()].into(),
                unknown: treatment,
            }),
            ..Policy::default()
        };
        assert_eq!(policy.judge(&known), Ok(()));
        assert_eq!(policy.judge(&of_none), Ok(()));
        assert_eq!(policy.judge(&unknown), verdict);
        assert!(policy.is_unknown_account(&unknown));
        assert!(!policy.is_unknown_account(&known) && !policy.is_unknown_account(&of_none));
    }
}

#[test]
fn never_ignores_what_awaits_a_decision() {
    let policy = Policy {
        livemode: Some(Livemode {
            only: true,
            otherwise: Otherwise::Ignore,
        }),
        types: Types {
            allow: patterns(&["invoice.*"]),
            ..Types::default()
        },
        synchronous: Synchronous::of(&Scheme::Stripe),
        ..Policy::default()
    };
    let live = event("issuing_authorization.request", r#", "livemode": true"#);
    assert_eq!(policy.judge(&live), Ok(()));
    let test = event("issuing_authorization.request", r#", "livemode": false"#);
    let refused = Err(Unwanted::Refused(Code::DeniedLivemode));
    assert_eq!(policy.judge(&test), refused);
}

#[test]
fn the_first_route_that_matches_counts() {
    let route = |types: &[&str], route: &str| TypeRoute {
        types: patterns(types),
        route: route.into(),
    };
    let policy = Policy {
        routes: vec![route(&["payout.*"], "payouts"), route(&["*.paid"], "paid")],
        ..Policy::default()
    };
    assert_eq!(policy.route(&event("payout.paid", "")), Some("payouts"));
    assert_eq!(policy.route(&event("invoice.paid", "")), Some("paid"));
    assert_eq!(policy.route(&event("invoice.void", "")), None);
}

#[test]
fn an_unknown_address_is_in_no_range() {
    let policy = Policy {
        source_ranges: vec!["198.51.100.0/24".parse().unwrap()],
        ..Policy::default()
    };
    assert!(policy.admits_source(Some([198, 51, 100, 7].into())));
    assert!(!policy.admits_source(Some([198, 51, 101, 7].into())));
    assert!(!policy.admits_source(None));
}
