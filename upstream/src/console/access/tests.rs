//! Who may do what, by the table.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use hookgate_core::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{Caller, Hosts, Operators, Person, Policy, Proxy, Refusal, Sessions, Via};
use crate::config::{LocalReading, Role};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_760_000_000);
const ADA: &str = "ada-0123456789abcdef0123456789abcdef";
const EVE: &str = "eve-0123456789abcdef0123456789abcdef";
const SECRET: &str = "proxy-0123456789abcdef0123456789abc";
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn policy() -> Policy {
    Policy {
        hosts: Hosts::new(Vec::new(), HERE),
        is_local: true,
        local_reading: LocalReading::Open,
        operators: Operators::of(&[
            ("ada", Role::Operate, Some(ADA)),
            ("eve", Role::Read, Some(EVE)),
            ("finn", Role::Operate, None),
        ]),
        proxy: None,
    }
}

fn behind_a_proxy() -> Policy {
    let names = ["ada", "eve", "finn"].map(str::to_owned).into_iter();
    let secret = Sha256::digest(SECRET).into();
    let proxy = Proxy::new(&[HERE], "x-forwarded-user", secret, names).unwrap();
    Policy {
        proxy: Some(proxy),
        ..policy()
    }
}

fn headers(values: &[(&'static str, &str)]) -> HeaderMap {
    let values = values.iter().map(|(name, value)| {
        let value = HeaderValue::from_str(value).unwrap();
        (HeaderName::from_static(name), value)
    });
    values.collect()
}

fn asks(policy: &Policy, peer: IpAddr, values: &[(&'static str, &str)]) -> Result<Caller, Refusal> {
    let mut headers = headers(values);
    if !headers.contains_key("host") {
        headers.insert("host", HeaderValue::from_static("localhost:9464"));
    }
    policy.identify(peer, &headers, &Sessions::default(), NOW)
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn name_of(caller: &Caller) -> Option<&str> {
    caller.person().map(|person| person.name.as_str())
}

#[test]
fn who_is_on_this_machine_may_read_and_nobody_else() {
    let open = policy();
    let local = asks(&open, HERE, &[]).unwrap();
    assert_eq!(local, Caller::Local);
    assert_eq!(local.may_act(None), Err(Refusal::Unknown));
    for (policy, peer, values) in [
        (policy(), THERE, &[][..]),
        (policy(), HERE, &[("x-forwarded-for", "192.0.2.1")]),
        (policy(), HERE, &[("forwarded", "for=192.0.2.1")]),
        (policy(), HERE, &[("via", "1.1 proxy")]),
        (policy(), HERE, &[("authorization", "Basic eDp5")]),
        (policy(), HERE, &[("host", "console.example.com")]),
        // Whoever has a name for it has a proxy, which may say nothing of itself.
        (
            Policy {
                hosts: Hosts::new(vec!["console.example.com".to_owned()], HERE),
                ..policy()
            },
            HERE,
            &[],
        ),
        (
            Policy {
                is_local: false,
                ..policy()
            },
            HERE,
            &[],
        ),
        (
            Policy {
                local_reading: LocalReading::WithToken,
                ..policy()
            },
            HERE,
            &[],
        ),
        (behind_a_proxy(), HERE, &[]),
    ] {
        assert_eq!(asks(&policy, peer, values), Err(Refusal::Unknown));
    }
}

#[test]
fn a_token_is_who_has_it_and_its_role() {
    let policy = policy();
    for (token, name, acts) in [(ADA, "ada", Ok("ada")), (EVE, "eve", Err(Refusal::Role))] {
        let shown = bearer(token);
        let caller = asks(&policy, THERE, &[("authorization", &shown)]).unwrap();
        assert_eq!(name_of(&caller), Some(name));
        let acts_as = caller.may_act(None).map(|person| person.name.as_str());
        assert_eq!(acts_as, acts);
    }
    for shown in [
        bearer("").as_str(),
        &bearer(&ADA.to_uppercase()),
        &bearer(&format!("{ADA}x")),
        "Bearer",
        "bearer  ",
    ] {
        let refused = asks(&policy, HERE, &[("authorization", shown)]);
        assert_eq!(refused, Err(Refusal::WrongToken), "{shown}");
    }
    let (ada, eve) = (bearer(ADA), bearer(EVE));
    let both = [("authorization", ada.as_str()), ("authorization", &eve)];
    assert_eq!(asks(&policy, HERE, &both), Err(Refusal::WrongToken));
}

#[test]
fn the_proxy_is_believed_from_its_address_with_its_secret_only() {
    let policy = behind_a_proxy();
    let said = [
        ("x-forwarded-user", "finn"),
        ("x-hookgate-proxy-secret", SECRET),
    ];
    let finn = asks(&policy, HERE, &said).unwrap();
    assert_eq!(name_of(&finn), Some("finn"));
    for (peer, values) in [
        (THERE, &said[..]),
        (HERE, &[said[0]]),
        (HERE, &[said[1]]),
        (HERE, &[said[0], ("x-hookgate-proxy-secret", "x")]),
        (HERE, &[("x-forwarded-user", "mallory"), said[1]]),
        (HERE, &[("x-forwarded-user", "Finn"), said[1]]),
        (HERE, &[("x-forwarded-user", "ada"), said[0], said[1]]),
        (HERE, &[said[0], said[1], said[1]]),
    ] {
        assert_eq!(asks(&policy, peer, values), Err(Refusal::Unknown));
    }
    // What the proxy itself asks for is none of ours, right or wrong.
    for shown in ["Basic eDp5", "Bearer x", &bearer(ADA)] {
        let with = [said[0], said[1], ("authorization", shown)];
        assert_eq!(asks(&policy, HERE, &with).unwrap(), finn, "{shown}");
    }
    // Without a proxy in the configuration nobody is believed.
    assert_eq!(asks(&self::policy(), THERE, &said), Err(Refusal::Unknown));
}

#[test]
fn a_form_is_ours_if_it_carries_the_token_of_who_sends_it() {
    let policy = behind_a_proxy();
    let caller = |name: &str| {
        let values = [
            ("x-forwarded-user", name),
            ("x-hookgate-proxy-secret", SECRET),
        ];
        asks(&policy, HERE, &values).unwrap()
    };
    let (ada, finn) = (caller("ada"), caller("finn"));
    let person = Person {
        name: "ada".to_owned(),
        role: Role::Operate,
    };
    assert_eq!(ada.may_act(ada.form_token()), Ok(&person));
    for token in [None, Some(""), Some("x"), finn.form_token()] {
        assert_eq!(ada.may_act(token), Err(Refusal::Forged), "{token:?}");
    }
    assert!(matches!(
        &ada,
        Caller::Operator {
            via: Via::Browser { .. },
            ..
        }
    ));
}

#[test]
fn only_one_host_that_is_ours_is_admitted() {
    let policy = policy();
    for (values, admitted) in [
        (&[("host", "localhost:9464")][..], Ok(())),
        (&[], Err(Refusal::Host)),
        (&[("host", "evil.example")], Err(Refusal::Host)),
        (
            &[("host", "localhost"), ("host", "evil.example")],
            Err(Refusal::Host),
        ),
    ] {
        assert_eq!(policy.admit_host(&headers(values)), admitted);
    }
}
