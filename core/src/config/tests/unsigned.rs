//! What a scheme doesn't sign, or doesn't have, decides nothing.

use alloc::{format, string::String};

use super::{refusal, with_endpoint};
use crate::{config::Config, policy::TypePattern};

/// Signs neither type nor account, which stand in headers.
const BOTH_UNSIGNED: &str = r#"{"hmac": {"signature_header": "x-sig", "encoding": "hex",
    "type": {"header": "x-type"}, "account": {"header": "x-account"}}}"#;
/// Signs the type, and not the account.
const TYPE_SIGNED: &str = r#"{"hmac": {"signature_header": "x-sig", "encoding": "hex",
    "type": {"field": "type"}, "account": {"header": "x-account"}}}"#;
/// Has no type and no account.
const NEITHER: &str = r#"{"hmac": {"signature_header": "x-sig", "encoding": "hex"}}"#;

fn endpoint(scheme: &str, more: &str) -> String {
    with_endpoint(&format!(
        r#"{{"name": "a", "path": "/a", "secrets": [{{"name": "a", "env": "A"}}], "scheme": {scheme}{more}}}"#
    ))
}

fn takes(scheme: &str, more: &str) -> Config {
    let json = endpoint(scheme, more);
    Config::from_json(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn refuses(scheme: &str, more: &str, text: &str) {
    let json = endpoint(scheme, more);
    assert_eq!(refusal(&json), format!("endpoints[0].{text}"), "{json}");
}

#[test]
fn what_is_not_signed_satisfies_no_allow_list() {
    let accounts = r#", "policy": {"accounts": {"known": ["a"], "unknown": "refuse"}}"#;
    let types = r#", "policy": {"types": {"allow": ["push"]}}"#;
    for (scheme, name) in [
        (r#""github""#, "github"),
        (r#""shopify""#, "shopify"),
        (BOTH_UNSIGNED, "hmac"),
    ] {
        refuses(
            scheme,
            types,
            &format!(
                "policy.types.allow: found `1 entries`, expected none: scheme `{name}` doesn't sign the type, so anybody could write one that fits"
            ),
        );
        takes(scheme, r#", "policy": {"types": {"deny": ["ping"]}}"#);
    }
    for (scheme, name) in [
        (r#""shopify""#, "shopify"),
        (BOTH_UNSIGNED, "hmac"),
        (TYPE_SIGNED, "hmac"),
    ] {
        let unsigned = format!(
            "policy.accounts.unknown: found `an allow-list`, expected none: scheme `{name}` doesn't sign the account, so anybody could write one that fits"
        );
        refuses(scheme, accounts, &unsigned);
        refuses(scheme, &accounts.replace("refuse", "ignore"), &unsigned);
        takes(scheme, &accounts.replace("refuse", "count"));
    }
    takes(TYPE_SIGNED, types);
    takes(r#""slack""#, accounts);
    takes(r#""standard_webhooks""#, types);
}

#[test]
fn what_is_not_signed_chooses_no_route_and_awaits_no_decision() {
    let routes = r#", "policy": {"routes": [{"types": ["push"], "route": "pushes"}]}"#;
    let synchronous = r#", "policy": {"synchronous": {"types": ["push"], "route": "decider"}}"#;
    for (policy, found) in [
        (routes, "policy.routes"),
        (synchronous, "policy.synchronous.types"),
    ] {
        for (scheme, name) in [
            (r#""github""#, "github"),
            (r#""shopify""#, "shopify"),
            (BOTH_UNSIGNED, "hmac"),
        ] {
            refuses(
                scheme,
                policy,
                &format!(
                    "{found}: found `1 entries`, expected none: scheme `{name}` doesn't sign the type, so anybody could write one that fits"
                ),
            );
        }
        for scheme in [r#""stripe""#, r#""slack""#, TYPE_SIGNED, NEITHER] {
            takes(scheme, policy);
        }
    }
    takes(
        r#""github""#,
        r#", "policy": {"synchronous": {"types": []}}"#,
    );
}

#[test]
fn what_is_not_signed_refuses_by_no_quota() {
    let types = |more: &str| {
        format!(r#", "quotas": {{"types": [{{"types": ["*"], "limit": {{"rate": 5{more}}}}}]}}"#)
    };
    let accounts =
        |more: &str| format!(r#", "quotas": {{"accounts": {{"rate": 5, "exceeded": "{more}"}}}}"#);
    for scheme in [r#""shopify""#, BOTH_UNSIGNED] {
        let name = if scheme == BOTH_UNSIGNED {
            "hmac"
        } else {
            "shopify"
        };
        let unsigned = |kind: &str| {
            format!(
                "found `refuse`, expected none: scheme `{name}` doesn't sign the {kind}, so anybody could write one that fits"
            )
        };
        let of_types = format!("quotas.types[0].limit.exceeded: {}", unsigned("type"));
        refuses(scheme, &types(""), &of_types);
        refuses(scheme, &types(r#", "exceeded": "refuse""#), &of_types);
        takes(scheme, &types(r#", "exceeded": "count""#));
        let of_accounts = format!("quotas.accounts.exceeded: {}", unsigned("account"));
        refuses(scheme, &accounts("refuse"), &of_accounts);
        takes(scheme, &accounts("count"));
    }
    takes(TYPE_SIGNED, &types(""));
    takes(r#""slack""#, &accounts("refuse"));
    // Nobody can write an endpoint's own name.
    takes(r#""github""#, r#", "quotas": {"endpoint": {"rate": 5}}"#);
}

#[test]
fn what_a_scheme_does_not_have_decides_nothing() {
    for (scheme, name) in [
        (r#""github""#, "github"),
        (r#""shopify""#, "shopify"),
        (r#""slack""#, "slack"),
        (r#""standard_webhooks""#, "standard_webhooks"),
        (NEITHER, "hmac"),
    ] {
        refuses(
            scheme,
            r#", "policy": {"livemode": {"only": true}}"#,
            &format!(
                "policy.livemode: found `live`, expected none: events of the scheme `{name}` have no mode"
            ),
        );
    }
    for (scheme, name) in [
        (r#""github""#, "github"),
        (r#""standard_webhooks""#, "standard_webhooks"),
        (NEITHER, "hmac"),
    ] {
        let absent = format!("expected none: events of the scheme `{name}` have no account");
        refuses(
            scheme,
            r#", "policy": {"accounts": {"known": []}}"#,
            &format!("policy.accounts: found `a policy of accounts`, {absent}"),
        );
        refuses(
            scheme,
            r#", "quotas": {"accounts": {"rate": 5}}"#,
            &format!("quotas.accounts: found `a quota of accounts`, {absent}"),
        );
    }
}

#[test]
fn a_secret_declares_what_its_scheme_signs() {
    let secret = |scheme: &str, declared: &str| {
        with_endpoint(&format!(
            r#"{{"name": "a", "path": "/a", "scheme": {scheme}, "secrets": [{{"name": "a", "env": "A", {declared}}}]}}"#
        ))
    };
    for (scheme, declared, text) in [
        (
            r#""slack""#,
            r#""livemode": true"#,
            "livemode: found `true`, expected none: events of the scheme `slack` have no mode",
        ),
        (
            r#""github""#,
            r#""connect": false"#,
            "connect: found `false`, expected none: events of the scheme `github` have no account",
        ),
        (
            r#""shopify""#,
            r#""connect": true"#,
            "connect: found `true`, expected none: scheme `shopify` doesn't sign the account, so anybody could write one that fits",
        ),
    ] {
        assert_eq!(
            refusal(&secret(scheme, declared)),
            format!("endpoints[0].secrets[0].{text}")
        );
    }
    for (scheme, declared) in [
        (r#""stripe""#, r#""livemode": true, "connect": false"#),
        (r#""slack""#, r#""connect": true"#),
    ] {
        assert!(Config::from_json(secret(scheme, declared).as_bytes()).is_ok());
    }
}

#[test]
fn stripes_synchronous_type_is_stripes_alone() {
    let issuing = TypePattern::new("issuing_authorization.request").unwrap();
    let types = |scheme| {
        takes(scheme, "").endpoints[0]
            .policy
            .synchronous
            .types
            .clone()
    };
    assert_eq!(types(r#""stripe""#), [issuing]);
    for scheme in [
        r#""github""#,
        r#""slack""#,
        r#""standard_webhooks""#,
        NEITHER,
    ] {
        assert_eq!(types(scheme), []);
    }
}
