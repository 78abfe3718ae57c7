//! A keyring as JSON spells it.

use alloc::{borrow::ToOwned, collections::BTreeMap, rc::Rc, string::String, vec::Vec};
use core::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{KeyringError, MAX_KEYRING_BYTES, Problem, Scope, Signer, Validity};
use crate::{
    config::MAX_SECRETS,
    identity::Source,
    object::Objects,
    scheme::{Attribute, Scheme},
    time::Timestamp,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKeyring {
    #[serde(deserialize_with = "unique")]
    endpoints: BTreeMap<String, Vec<RawSecret>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSecret {
    name: String,
    #[serde(deserialize_with = "zeroizing")]
    secret: Zeroizing<String>,
    not_before: Option<String>,
    not_after: Option<String>,
    livemode: Option<bool>,
    connect: Option<bool>,
}

/// The answer of a KV version 2 API; what else is in it doesn't matter.
#[derive(Deserialize)]
struct Kv2<'a> {
    #[serde(borrow)]
    data: Kv2Data<'a>,
}

#[derive(Deserialize)]
struct Kv2Data<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

pub(super) fn parse(text: &[u8]) -> Result<BTreeMap<String, Vec<RawSecret>>, KeyringError> {
    bounded(text)?;
    let mut parser = serde_json::Deserializer::from_slice(text);
    let keyring = RawKeyring::deserialize(Objects(&mut parser)).map_err(|error| form(&error))?;
    parser.end().map_err(|error| form(&error))?;
    Ok(keyring.endpoints)
}

/// Returns the secret in the answer of a KV version 2 API.
pub(crate) fn kv2_data(text: &[u8]) -> Result<&[u8], KeyringError> {
    bounded(text)?;
    let answer: Kv2<'_> = serde_json::from_slice(text).map_err(|error| form(&error))?;
    Ok(answer.data.data.get().as_bytes())
}

/// Checks the secrets of one endpoint.
pub(super) fn check(
    endpoint: &str,
    secrets: Vec<RawSecret>,
    scheme: &Scheme,
) -> Result<Vec<Rc<Signer>>, KeyringError> {
    if secrets.len() > MAX_SECRETS {
        return Err(KeyringError::TooMany {
            endpoint: endpoint.to_owned(),
            found: secrets.len(),
            most: MAX_SECRETS,
        });
    }
    let mut signers: Vec<Rc<Signer>> = Vec::with_capacity(secrets.len());
    for (position, secret) in (1..).zip(secrets) {
        let known = signers
            .iter()
            .any(|earlier| earlier.secret.name() == secret.name);
        let signer = if known {
            Err(Problem::SameName)
        } else {
            secret.check(scheme)
        };
        signers.push(Rc::new(signer.map_err(|problem| KeyringError::Secret {
            endpoint: endpoint.to_owned(),
            position,
            problem,
        })?));
    }
    Ok(signers)
}

impl RawSecret {
    fn check(self, scheme: &Scheme) -> Result<Signer, Problem> {
        Source::new(&self.name).map_err(|_| Problem::Name)?;
        let time = |text: Option<String>| {
            text.map(|text| Timestamp::parse_rfc3339(&text).ok_or(Problem::Time))
                .transpose()
        };
        let (not_before, not_after) = (time(self.not_before)?, time(self.not_after)?);
        let unsigned = |declared: Option<bool>, attribute| {
            declared.is_some() && attribute != Attribute::Signed
        };
        if unsigned(self.livemode, scheme.livemode()) || unsigned(self.connect, scheme.account()) {
            return Err(Problem::Scope);
        }
        Ok(Signer {
            validity: Validity::new(not_before, not_after).ok_or(Problem::Order)?,
            scope: Scope {
                livemode: self.livemode,
                connect: self.connect,
            },
            secret: scheme
                .secret(&self.name, self.secret.as_bytes())
                .map_err(Problem::Secret)?,
        })
    }
}

fn bounded(text: &[u8]) -> Result<(), KeyringError> {
    let bytes = text.len();
    if bytes > MAX_KEYRING_BYTES {
        return Err(KeyringError::TooLong { bytes });
    }
    Ok(())
}

/// Keeps the place and drops the words, which quote the text.
fn form(error: &serde_json::Error) -> KeyringError {
    KeyringError::Form {
        line: error.line(),
        column: error.column(),
    }
}

fn zeroizing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

/// Reads a map in which no key comes twice: which of two lists counts would be
/// anybody's guess.
fn unique<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Vec<RawSecret>>, D::Error> {
    struct Endpoints;

    impl<'de> Visitor<'de> for Endpoints {
        type Value = BTreeMap<String, Vec<RawSecret>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("endpoints")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut endpoints = BTreeMap::new();
            while let Some(name) = entries.next_key::<String>()? {
                if endpoints.contains_key(&name) {
                    _ = entries.next_value::<IgnoredAny>()?;
                    return Err(A::Error::custom("an endpoint comes twice"));
                }
                endpoints.insert(name, entries.next_value()?);
            }
            Ok(endpoints)
        }
    }

    deserializer.deserialize_map(Endpoints)
}
