//! The fields beside the first ones: keyrings, policy, quotas.

use alloc::{format, string::String};

use super::{refusal, with, with_endpoint};
use crate::config::{Config, Exceeded, KeyringSource};

fn endpoint(more: &str) -> String {
    with_endpoint(&format!(
        r#"{{"name": "a", "path": "/a", "secrets": [{{"name": "a", "env": "A"}}]{more}}}"#
    ))
}

fn keyrings(keyrings: &str, endpoint: &str) -> String {
    format!(
        r#"{{"keyrings": [{keyrings}], "endpoints": [{{"name": "a", "path": "/a"{endpoint}}}]}}"#
    )
}

const FILE: &str = r#"{"name": "file", "filter_state": "hookgate.secrets"}"#;

#[test]
fn an_endpoint_names_its_keyring() {
    let json = keyrings(FILE, r#", "keyring": "file""#);
    let config = Config::from_json(json.as_bytes()).unwrap();
    assert_eq!(config.endpoints[0].keyring, Some(0));
    let source = KeyringSource::FilterState("hookgate.secrets".into());
    assert_eq!(config.keyrings[0].source, source);
    for (json, text) in [
        (
            keyrings(FILE, r#", "keyring": "files""#),
            "endpoints[0].keyring: found `…`, expected the name of one of `keyrings`",
        ),
        (
            keyrings(
                &format!(r#"{FILE}, {{"name": "b", "filter_state": "b"}}"#),
                r#", "keyring": "file""#,
            ),
            "keyrings[1].name: found `…`, expected a keyring that an endpoint names in its `keyring`",
        ),
        (
            keyrings(&format!("{FILE}, {FILE}"), r#", "keyring": "file""#),
            "keyrings[1].name: found `…`, expected one that no other has",
        ),
        (
            keyrings(r#"{"name": "file"}"#, r#", "keyring": "file""#),
            "keyrings[0]: found `neither`, expected `filter_state` or `http`",
        ),
        (
            keyrings(
                r#"{"name": "v", "http": {"cluster": "vault", "authority": "vault", "path": "v1"}}"#,
                r#", "keyring": "v""#,
            ),
            "keyrings[0].http.path: found `…`, expected an absolute path such as `/v1/secret/data/hookgate`",
        ),
        (
            keyrings(
                r#"{"name": "v", "http": {"cluster": "vault", "authority": "vault", "path": "/v1", "refresh_seconds": 0}}"#,
                r#", "keyring": "v""#,
            ),
            "keyrings[0].http.refresh_seconds: found `0`, expected 1 to 3600",
        ),
    ] {
        assert_eq!(refusal(&json), text);
    }
}

#[test]
fn accounts_count_by_default_and_everything_else_refuses() {
    let limit = r#"{"rate": 5}"#;
    let json = format!(
        r#"{{"quotas": {{"sources": {limit}, "overall": {limit}}}, "endpoints": [
            {{"name": "a", "path": "/a", "secrets": [{{"name": "a", "env": "A"}}],
              "quotas": {{"endpoint": {limit}, "accounts": {limit},
                          "types": [{{"types": ["*"], "limit": {limit}}}]}}}}]}}"#
    );
    let config = Config::from_json(json.as_bytes()).unwrap();
    let quotas = &config.endpoints[0].quotas;
    let exceeded = [
        quotas.accounts.unwrap(),
        quotas.endpoint.unwrap(),
        quotas.types[0].quota,
        config.quotas.sources.unwrap(),
        config.quotas.overall.unwrap(),
    ]
    .map(|quota| quota.exceeded);
    let [accounts, others @ ..] = exceeded;
    assert_eq!(accounts, Exceeded::Count);
    assert_eq!(others, [Exceeded::Refuse; 4]);
}

#[test]
fn refuses_what_no_quota_and_no_policy_can_be() {
    for (json, text) in [
        (
            with(r#", "quotas": {"overall": {"rate": 0}}"#),
            "quotas.overall.rate: found `0`, expected 1 to 1000000",
        ),
        (
            with(r#", "quotas": {"overall": {"rate": 1, "per_seconds": 86401}}"#),
            "quotas.overall.per_seconds: found `86401`, expected 1 to 86400",
        ),
        (
            with(r#", "quotas": {"overall": {"rate": 1, "per_seconds": 86400, "burst": 1000}}"#),
            "quotas.overall.burst: found `1000`, expected a burst that is full again within 366 days",
        ),
        (
            with(r#", "quotas": {"overall": {"rate": 1000000, "burst": 999}}"#),
            "quotas.overall.burst: found `999`, expected at least 1000: the clock counts milliseconds, and less would miss the rate",
        ),
        (
            with(r#", "quotas": {"overall": {"rate": 3000, "burst": 2}}"#),
            "quotas.overall.burst: found `2`, expected at least 4: the clock counts milliseconds, and less would miss the rate",
        ),
        (
            with(r#", "quotas": {"max_keys": 1}"#),
            "quotas.max_keys: found `1`, expected 64 to 10000000",
        ),
        (
            endpoint(r#", "policy": {"types": {"allow": ["a b"]}}"#),
            "endpoints[0].policy.types.allow[0]: found `a b`, expected an event type, `*` for any characters, such as `invoice.*`",
        ),
        (
            endpoint(r#", "policy": {"source_ranges": ["10.0.0.0/33"]}"#),
            "endpoints[0].policy.source_ranges[0]: found `10.0.0.0/33`, expected an address or a range such as `198.51.100.0/24` or `2001:db8::/32`",
        ),
        (
            endpoint(r#", "policy": {"routes": [{"types": [], "route": "a"}]}"#),
            "endpoints[0].policy.routes[0].types: found `0 entries`, expected 1 to 256",
        ),
        (
            endpoint(r#", "policy": {"synchronous": {"types": ["a"], "route": "A"}}"#),
            "endpoints[0].policy.synchronous.route: found `A`, expected 1 to 64 of the characters a-z, 0-9 and -",
        ),
        (
            endpoint(r#", "policy": {"accounts": {"known": ["a b"]}}"#),
            "endpoints[0].policy.accounts.known[0]: found `a b`, expected an account ID, [A-Za-z0-9_.:/-]{1,255}",
        ),
    ] {
        assert_eq!(refusal(&json), text);
    }
    for taken in [
        r#"{"rate": 1000000, "burst": 1000}"#,
        r#"{"rate": 1000000, "per_seconds": 60, "burst": 18}"#,
        r#"{"rate": 60, "per_seconds": 60, "burst": 1}"#,
        r#"{"rate": 500, "burst": 1}"#,
        r#"{"rate": 1000, "burst": 1}"#,
        r#"{"rate": 1000000}"#,
    ] {
        let json = with(&format!(r#", "quotas": {{"overall": {taken}}}"#));
        assert!(Config::from_json(json.as_bytes()).is_ok(), "{taken}");
    }
}

#[test]
fn two_secrets_of_an_endpoint_have_two_names_and_two_variables() {
    let two = |name: &str, env: &str| {
        with_endpoint(&format!(
            r#"{{"name": "a", "path": "/a", "secrets": [{{"name": "a", "env": "A"}}, {{"name": "{name}", "env": "{env}"}}]}}"#
        ))
    };
    assert!(Config::from_json(two("b", "B").as_bytes()).is_ok());
    for (json, field) in [(two("a", "B"), "name"), (two("b", "A"), "env")] {
        assert_eq!(
            refusal(&json),
            format!("endpoints[0].secrets[1].{field}: found `…`, expected one that no other has")
        );
    }
}

#[test]
fn two_schemes_share_no_source() {
    let one = |name: &str, scheme: &str| {
        format!(
            r#"{{"name": "{name}", "path": "/{name}", "source": "s", "scheme": "{scheme}", "secrets": [{{"name": "a", "env": "A"}}]}}"#
        )
    };
    let two = |scheme| with_endpoint(&format!("{}, {}", one("a", "stripe"), one("b", scheme)));
    assert!(Config::from_json(two("stripe").as_bytes()).is_ok());
    assert_eq!(
        refusal(&two("slack")),
        "endpoints[1].source: found `s`, expected a source of its own, or both endpoints to name the shared one and to have one scheme"
    );
}

#[test]
fn a_secrets_times_are_in_order_and_never_quoted() {
    let secret = |more: &str| {
        with_endpoint(&format!(
            r#"{{"name": "a", "path": "/a", "secrets": [{{"name": "a", "env": "A"{more}}}]}}"#
        ))
    };
    assert_eq!(
        refusal(&secret(r#", "not_before": "soon""#)),
        "endpoints[0].secrets[0].not_before: found `…`, expected an RFC 3339 time such as `2026-11-01T00:00:00Z`"
    );
    assert_eq!(
        refusal(&secret(
            r#", "not_before": "2026-11-02T00:00:00Z", "not_after": "2026-11-01T00:00:00Z""#
        )),
        "endpoints[0].secrets[0].not_after: found `…`, expected a time after not_before"
    );
}

#[cfg(feature = "watch")]
#[test]
fn a_quota_is_tightened_only_where_there_is_one_that_refuses() {
    let with = |quotas: &str, protect: &str| {
        let endpoints = r#"[{"name": "a", "path": "/a", "secrets": [{"name": "a", "env": "A"}]}]"#;
        format!(
            r#"{{"endpoints": {endpoints}, "quotas": {{{quotas}}}, "watch": {{"protect": {{{protect}}}}}}}"#
        )
    };
    let sources = |exceeded: &str| {
        format!(r#""sources": {{"rate": 1, "burst": 10, "exceeded": "{exceeded}"}}"#)
    };
    let forged = r#""forged_signatures": true"#;
    for quotas in [String::new(), sources("count")] {
        assert_eq!(
            refusal(&with(&quotas, forged)),
            "watch.protect.forged_signatures: found `true`, expected `false`, or a quota in `quotas.sources` with `exceeded` `refuse`, which is what is tightened"
        );
    }
    let protect = |json: &str| {
        let watch = Config::from_json(json.as_bytes()).unwrap().watch.unwrap();
        (watch.protect.forged_signatures, watch.protect.cascade)
    };
    assert_eq!(protect(&with(&sources("refuse"), forged)), (true, false));
    assert_eq!(protect(&with("", r#""cascade": true"#)), (false, true));
    assert_eq!(protect(&with("", "")), (false, false));
    let holds = |json: &str| {
        let watch = Config::from_json(json.as_bytes()).unwrap().watch.unwrap();
        watch.protect.secret_suspect
    };
    assert!(holds(&with("", r#""secret_suspect": true"#)));
    assert!(!holds(&with("", r#""cascade": true"#)));
    refusal(&with("", r#""slow_loris": true"#));
}
