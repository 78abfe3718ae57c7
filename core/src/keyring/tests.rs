use alloc::{format, string::ToString};

use super::{Keyring, KeyringError, MAX_KEYRING_BYTES, Problem, Scope, Validity};
use crate::{event::Event, scheme::Scheme, secret::SecretError, time::Timestamp};

fn parse(text: &str) -> Result<Keyring, KeyringError> {
    let scheme_of = |name: &str| (name == "stripe").then_some(&Scheme::Stripe);
    Keyring::parse(text.as_bytes(), scheme_of)
}

fn with_secret(fields: &str) -> Result<Keyring, KeyringError> {
    parse(&format!(r#"{{"endpoints": {{"stripe": [{{{fields}}}]}}}}"#))
}

const fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

#[test]
fn takes_each_endpoints_secrets_in_their_order() {
    let keyring = parse(
        r#"{"endpoints": {
            "stripe": [{"name": "old", "secret": "whsec_1", "not_after": "2026-12-01T00:00:00Z"},
                       {"name": "new", "secret": "whsec_2", "livemode": true, "connect": false}],
            "of-another-gate": [{"name": "UNREAD", "secret": ""}]}}"#,
    )
    .unwrap();
    let signers = keyring.signers("stripe");
    let names = signers.iter().map(|signer| signer.secret.name());
    assert!(names.eq(["old", "new"]));
    assert_eq!(signers[1].scope.livemode, Some(true));
    assert_eq!(signers[1].scope.connect, Some(false));
    assert!(keyring.signers("of-another-gate").is_empty());
}

#[test]
fn refuses_whole_and_shows_nothing_of_the_text() {
    const SECRET: &str = "whsec_hidden";
    let secret = |problem| KeyringError::Secret {
        endpoint: "stripe".into(),
        position: 1,
        problem,
    };
    for (fields, problem) in [
        (r#""name": "whsec_hidden!", "secret": "a""#, Problem::Name),
        (
            r#""name": "a", "secret": """#,
            Problem::Secret(SecretError::Empty),
        ),
        (
            r#""name": "a", "secret": "whsec_hidden ""#,
            Problem::Secret(SecretError::SurroundedByWhiteSpace),
        ),
        (
            r#""name": "a", "secret": "b", "not_after": "whsec_hidden""#,
            Problem::Time,
        ),
        (
            r#""name": "a", "secret": "b", "not_before": "2026-01-02T00:00:00Z", "not_after": "2026-01-02T00:00:00Z""#,
            Problem::Order,
        ),
    ] {
        let error = with_secret(fields).unwrap_err();
        assert_eq!(error, secret(problem));
        assert!(!error.to_string().contains(SECRET), "{error}");
    }
    for text in [
        "",
        "whsec_hidden",
        "{}",
        r#"{"endpoints": "whsec_hidden"}"#,
        r#"{"endpoints": {"stripe": [{"name": "a", "secret": 1}]}}"#,
        r#"{"endpoints": {"stripe": [["a", "whsec_hidden"]]}}"#,
        r#"[{"stripe": []}]"#,
        r#"{"endpoints": {"stripe": [{"name": "a", "secret": "whsec_hidden", "whsec_hidden": 1}]}}"#,
        r#"{"endpoints": {"stripe": [], "stripe": []}}"#,
        r#"{"endpoints": {}, "more": 1}"#,
        r#"{"endpoints": {}} x"#,
    ] {
        let error = parse(text).unwrap_err();
        assert!(
            matches!(error, KeyringError::Form { .. }),
            "{text}: {error}"
        );
        assert!(!error.to_string().contains(SECRET), "{error}");
    }
}

#[test]
fn bounds_text_and_number_of_secrets() {
    let bytes = MAX_KEYRING_BYTES + 1;
    let long = " ".repeat(bytes);
    assert_eq!(parse(&long).unwrap_err(), KeyringError::TooLong { bytes });

    let secrets: alloc::vec::Vec<_> = (0..9)
        .map(|n| format!(r#"{{"name": "n{n}", "secret": "whsec_{n}"}}"#))
        .collect();
    let text = format!(r#"{{"endpoints": {{"stripe": [{}]}}}}"#, secrets.join(","));
    let too_many = KeyringError::TooMany {
        endpoint: "stripe".into(),
        found: 9,
        most: 8,
    };
    assert_eq!(parse(&text).unwrap_err(), too_many);
}

#[test]
fn a_secret_declares_what_its_scheme_signs() {
    for (scheme, declared, is_taken) in [
        (Scheme::Stripe, r#""livemode": true, "connect": true"#, true),
        (Scheme::Slack, r#""connect": true"#, true),
        (Scheme::Slack, r#""livemode": true"#, false),
        (Scheme::Github, r#""connect": false"#, false),
        (Scheme::Shopify, r#""connect": true"#, false),
    ] {
        let text =
            format!(r#"{{"endpoints": {{"a": [{{"name": "a", "secret": "b", {declared}}}]}}}}"#);
        let parsed = Keyring::parse(text.as_bytes(), |_| Some(&scheme)).map(drop);
        let refused = KeyringError::Secret {
            endpoint: "a".into(),
            position: 1,
            problem: Problem::Scope,
        };
        let expected = if is_taken { Ok(()) } else { Err(refused) };
        assert_eq!(parsed, expected, "{scheme:?} {declared}");
    }
}

#[test]
fn two_secrets_of_an_endpoint_have_two_names() {
    let text = r#"{"endpoints": {"stripe": [{"name": "a", "secret": "b"}, {"name": "a", "secret": "c"}]}}"#;
    let expected = KeyringError::Secret {
        endpoint: "stripe".into(),
        position: 2,
        problem: Problem::SameName,
    };
    assert_eq!(parse(text).unwrap_err(), expected);
}

#[test]
fn reads_the_keyring_in_an_answer_of_kv_version_2() {
    let scheme_of = |_: &str| Some(&Scheme::Stripe);
    let answer = br#"{"request_id": "x", "data": {"data": {"endpoints": {"stripe": [
        {"name": "a", "secret": "whsec_1"}]}}, "metadata": {"version": 3}}}"#;
    let keyring = Keyring::parse_kv2(answer, scheme_of).unwrap();
    assert_eq!(keyring.signers("stripe").len(), 1);
    for nonsense in [
        &b"{}"[..],
        br#"{"data": {}}"#,
        br#"{"data": {"data": null}}"#,
        b"\xff",
    ] {
        let refused = Keyring::parse_kv2(nonsense, scheme_of).unwrap_err();
        assert!(matches!(refused, KeyringError::Form { .. }));
    }
}

#[test]
fn is_valid_from_the_first_instant_until_before_the_last() {
    let validity = Validity::new(Some(at(10)), Some(at(20))).unwrap();
    for (now, valid) in [(9, false), (10, true), (19, true), (20, false)] {
        assert_eq!(validity.contains(at(now)), valid, "{now}");
    }
    assert!(Validity::default().contains(at(0)));
}

#[test]
fn a_scope_is_contradicted_by_what_an_event_says_only() {
    let event = |more: &str| {
        let json = format!(r#"{{"id": "evt_1", "object": "event", "type": "a"{more}}}"#);
        Event::from_payload(json.as_bytes()).unwrap()
    };
    let live = Scope {
        livemode: Some(true),
        connect: None,
    };
    let connect = |connect| Scope {
        livemode: None,
        connect: Some(connect),
    };
    for (scope, more, contradicts) in [
        (live, r#", "livemode": true"#, false),
        (live, r#", "livemode": false"#, true),
        (live, "", false),
        (connect(true), r#", "account": "acct_1""#, false),
        (connect(true), "", true),
        (connect(false), r#", "account": "acct_1""#, true),
        (connect(false), "", false),
        (Scope::default(), r#", "account": "acct_1""#, false),
    ] {
        assert_eq!(
            scope.contradicts(&event(more)),
            contradicts,
            "{scope:?} {more}"
        );
    }
}
