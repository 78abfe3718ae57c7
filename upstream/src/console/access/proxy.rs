//! A proxy that says who somebody is.
//!
//! Believed only if it connects from a configured address and shows a secret: an
//! address of loopback or of a cluster is also that of every other process
//! there, and would alone let each of them be anybody.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use axum::http::{HeaderMap, HeaderValue};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{OperatorsError, Person, operators, random_text};
use crate::config;

/// In which header the proxy shows its secret.
const SECRET_HEADER: &str = "x-hookgate-proxy-secret";

/// Believes a proxy.
pub(in crate::console) struct Proxy {
    addresses: Vec<IpAddr>,
    header: String,
    secret: [u8; 32],
    /// What the forms of each operator carry, for as long as the server runs.
    form_tokens: BTreeMap<String, String>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("addresses", &self.addresses)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl Proxy {
    /// Reads the secret.
    ///
    /// # Errors
    /// [`OperatorsError`].
    pub(in crate::console) fn load(
        proxy: &config::Proxy,
        operators: &[config::Operator],
    ) -> Result<Self, OperatorsError> {
        let secret = operators::read("console.proxy.secret", &proxy.secret)?;
        let names = operators.iter().map(|operator| operator.name.clone());
        Self::new(&proxy.addresses, &proxy.header, secret, names)
    }

    pub(super) fn new(
        addresses: &[IpAddr],
        header: &str,
        secret: [u8; 32],
        names: impl Iterator<Item = String>,
    ) -> Result<Self, OperatorsError> {
        let form_token = |name| Ok((name, random_text().map_err(OperatorsError::Random)?));
        Ok(Self {
            addresses: addresses.iter().map(IpAddr::to_canonical).collect(),
            header: header.to_owned(),
            secret,
            form_tokens: names.map(form_token).collect::<Result<_, _>>()?,
        })
    }

    /// Returns the name that the proxy says; `None` if it isn't the proxy, or
    /// doesn't say exactly one.
    pub(super) fn says<'a>(&self, peer: IpAddr, headers: &'a HeaderMap) -> Option<&'a str> {
        if !self.addresses.contains(&peer.to_canonical()) {
            return None;
        }
        let secret = only(headers, SECRET_HEADER)?;
        let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        if !bool::from(digest.ct_eq(&self.secret)) {
            return None;
        }
        // One of two may be the client's own.
        std::str::from_utf8(only(headers, &self.header)?.as_bytes()).ok()
    }

    /// Returns what the forms of an operator carry.
    pub(super) fn form_token(&self, person: &Person) -> String {
        // Each has one.
        let form_token = self.form_tokens.get(&person.name);
        form_token.cloned().unwrap_or_default()
    }
}

fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}
