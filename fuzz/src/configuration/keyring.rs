//! A keyring, field by field.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hookgate_core::config::MAX_SECRETS;
use hookgate_core::keyring::{Keyring, KeyringError, Validity};
use hookgate_core::scheme::Scheme;
use hookgate_core::secret::MAX_SECRET_BYTES;
use hookgate_core::time::Timestamp;
use serde_json::{Map, Value};

use crate::signature;

/// The endpoints that use the keyring; others in it are not read further.
const USERS: [(&str, Scheme); 3] = [
    ("stripe", Scheme::Stripe),
    ("standard", Scheme::StandardWebhooks),
    ("github", Scheme::Github),
];

const AT: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

/// Parses a keyring in both ways, bare and in the answer of a KV version 2 API.
///
/// # Panics
/// If they differ.
pub(super) fn check(text: &[u8], value: Option<&Value>) -> Option<&'static str> {
    let scheme_of = |name: &str| {
        let user = USERS.iter().find(|(user, _)| *user == name);
        user.map(|(_, scheme)| scheme)
    };
    let found = Keyring::parse(text, scheme_of);
    let expected = value.and_then(expected);
    if let Some(value) = value {
        let answer = format!(r#"{{"data":{{"metadata":{{}},"data":{value}}},"lease":0}}"#);
        let answered = Keyring::parse_kv2(answer.as_bytes(), scheme_of);
        assert_eq!(answered.is_ok(), found.is_ok(), "{answered:?} {found:?}");
    }
    let found = match (found, &expected) {
        (Ok(found), Some(_)) => found,
        (Err(error), None) => {
            if let KeyringError::Secret { endpoint, .. } | KeyringError::TooMany { endpoint, .. } =
                &error
            {
                assert!(scheme_of(endpoint).is_some(), "an error shows `{endpoint}`");
            }
            return matches!(error, KeyringError::Secret { .. }).then_some("secret refused");
        }
        (found, expected) => panic!("{found:?}, expected {expected:?}"),
    };
    for (user, _) in USERS {
        let none = Vec::new();
        let secrets = expected.as_ref().and_then(|all| all.get(user));
        let secrets = secrets.unwrap_or(&none);
        let signers = found.signers(user);
        assert_eq!(signers.len(), secrets.len(), "{user}");
        for (signer, secret) in signers.iter().zip(secrets) {
            assert_eq!(signer.secret.name(), secret.name);
            assert_eq!(signer.scope.livemode, secret.livemode);
            assert_eq!(signer.scope.connect, secret.connect);
            assert_eq!(signer.validity, secret.validity);
            let signed = hookgate_core::signature::sign(&signer.secret, AT, b"payload");
            let parts = [&b"1800000000"[..], b".", b"payload"];
            let digest = hex::encode(signature::mac(&secret.key, &parts));
            assert_eq!(signed, format!("t=1800000000,v1={digest}"));
        }
    }
    let is_used = USERS
        .iter()
        .any(|(user, _)| !found.signers(user).is_empty());
    Some(if is_used {
        "keyring"
    } else {
        "keyring of none"
    })
}

#[derive(Debug)]
struct Secret {
    name: String,
    key: Vec<u8>,
    validity: Validity,
    livemode: Option<bool>,
    connect: Option<bool>,
}

fn expected(value: &Value) -> Option<BTreeMap<String, Vec<Secret>>> {
    let keyring = value.as_object()?;
    let endpoints = keyring.get("endpoints")?.as_object()?;
    if keyring.len() > 1 {
        return None;
    }
    let mut all = BTreeMap::new();
    for (name, secrets) in endpoints {
        let secrets: Option<Vec<&Map<String, Value>>> =
            secrets.as_array()?.iter().map(of_form).collect();
        let secrets = secrets?;
        let user = USERS.iter().find(|(user, _)| user == name);
        if let Some((_, scheme)) = user {
            let secrets: Option<Vec<Secret>> =
                secrets.iter().map(|secret| read(secret, scheme)).collect();
            let secrets = secrets?;
            let mut names: Vec<&str> = secrets.iter().map(|one| one.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            if secrets.len() > MAX_SECRETS || names.len() < secrets.len() {
                return None;
            }
            all.insert(name.clone(), secrets);
        }
    }
    Some(all)
}

/// Returns a secret's fields, if they are those of one and of their kinds.
fn of_form(secret: &Value) -> Option<&Map<String, Value>> {
    let secret = secret.as_object()?;
    let is_of_kind = |(name, value): (&String, &Value)| match name.as_str() {
        "name" | "secret" => value.is_string(),
        "not_before" | "not_after" => value.is_string() || value.is_null(),
        "livemode" | "connect" => value.is_boolean() || value.is_null(),
        _ => false,
    };
    let is_whole = secret.contains_key("name") && secret.contains_key("secret");
    (is_whole && secret.iter().all(is_of_kind)).then_some(secret)
}

fn read(secret: &Map<String, Value>, scheme: &Scheme) -> Option<Secret> {
    let name = secret["name"].as_str()?;
    let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !(1..=64).contains(&name.len()) || !name.chars().all(is_of_name) {
        return None;
    }
    let time = |field: &str| match secret.get(field).and_then(Value::as_str) {
        Some(text) => Timestamp::parse_rfc3339(text).map(Some),
        None => Some(None),
    };
    let (not_before, not_after) = (time("not_before")?, time("not_after")?);
    if not_before
        .zip(not_after)
        .is_some_and(|(from, to)| from >= to)
    {
        return None;
    }
    let flag = |field: &str| secret.get(field).and_then(Value::as_bool);
    let (livemode, connect) = (flag("livemode"), flag("connect"));
    let is_stripe = *scheme == Scheme::Stripe;
    if !is_stripe && (livemode.is_some() || connect.is_some()) {
        return None;
    }
    Some(Secret {
        name: name.to_owned(),
        key: key(secret["secret"].as_str()?, scheme)?,
        validity: Validity::new(not_before, not_after)?,
        livemode,
        connect,
    })
}

fn key(text: &str, scheme: &Scheme) -> Option<Vec<u8>> {
    let is_odd = text.trim_matches([' ', '\t', '\n', '\r', '\x0c']) != text
        || text.contains("...")
        || text.contains('…');
    if text.is_empty() || text.len() > MAX_SECRET_BYTES || is_odd {
        return None;
    }
    if *scheme != Scheme::StandardWebhooks {
        return Some(text.into());
    }
    let encoded = text.strip_prefix("whsec_").unwrap_or(text);
    BASE64_STANDARD
        .decode(encoded)
        .ok()
        .filter(|key| !key.is_empty())
}
