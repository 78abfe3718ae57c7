//! Keyrings: signing secrets that change while the gate runs.
//!
//! ```json
//! {"endpoints": {"stripe": [
//!   {"name": "2026-11", "secret": "whsec_…", "not_after": "2026-12-01T00:00:00Z"},
//!   {"name": "2026-12", "secret": "whsec_…", "livemode": true, "connect": false}
//! ]}}
//! ```
//! Strict and refused whole: whoever serves a keyring that doesn't parse keeps
//! the last good one. No error shows anything of the text.

mod raw;

use alloc::{collections::BTreeMap, rc::Rc, string::String, vec::Vec};

pub(crate) use raw::kv2_data;

use crate::{
    event::Event,
    scheme::Scheme,
    secret::{SecretError, SigningSecret},
    time::Timestamp,
};

/// Longest accepted keyring, in bytes.
pub const MAX_KEYRING_BYTES: usize = 1_048_576;

/// Says when a secret may verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Validity {
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
}

impl Validity {
    /// Takes the bounds; `None` if the second is not after the first.
    #[must_use]
    pub fn new(not_before: Option<Timestamp>, not_after: Option<Timestamp>) -> Option<Self> {
        let empty = not_before
            .zip(not_after)
            .is_some_and(|(before, after)| after <= before);
        (!empty).then_some(Self {
            not_before,
            not_after,
        })
    }

    /// Tells whether `now` lies within, the end excluded.
    #[must_use]
    pub fn contains(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|start| start <= now)
            && self.not_after.is_none_or(|end| now < end)
    }
}

/// Says what a secret may sign; what isn't said is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scope {
    /// Live or test mode.
    pub livemode: Option<bool>,
    /// Events of connected accounts, or of the platform itself.
    pub connect: Option<bool>,
}

impl Scope {
    /// Tells whether an event contradicts the scope. An event that doesn't say
    /// its mode contradicts none.
    #[must_use]
    pub fn contradicts(&self, event: &Event) -> bool {
        let differs = |declared: Option<bool>, found: Option<bool>| {
            declared
                .zip(found)
                .is_some_and(|(declared, found)| declared != found)
        };
        differs(self.livemode, event.livemode)
            || differs(self.connect, Some(event.account.is_some()))
    }
}

/// Holds a signing secret with its validity and its scope.
#[derive(Debug, Clone)]
pub struct Signer {
    /// The secret.
    pub secret: SigningSecret,
    /// When it may verify.
    pub validity: Validity,
    /// What it may sign.
    pub scope: Scope,
}

/// Holds the signing secrets of some endpoints.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    endpoints: BTreeMap<String, Vec<Rc<Signer>>>,
}

/// Says why a keyring was refused; shows nothing of its text but names that
/// the gate's own configuration has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// Longer than [`MAX_KEYRING_BYTES`].
    #[error("found {bytes} bytes, expected at most {MAX_KEYRING_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not JSON of a keyring's form, at this place.
    #[error(
        "line {line}, column {column}: expected {{\"endpoints\": {{NAME: [{{\"name\": …, \"secret\": …}}]}}}} and no other fields"
    )]
    Form {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A secret that can't be used.
    #[error("endpoint `{endpoint}`, secret {position}: {problem}")]
    Secret {
        /// The endpoint.
        endpoint: String,
        /// Position in the endpoint's list, from 1.
        position: usize,
        /// What is wrong with it.
        problem: Problem,
    },
    /// More secrets than an endpoint can have.
    #[error("endpoint `{endpoint}`: found {found} secrets, expected at most {most}")]
    TooMany {
        /// The endpoint.
        endpoint: String,
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
}

/// Says what is wrong with one secret of a keyring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The name isn't of the form of a name.
    #[error("its name must be 1 to 64 of the characters a-z, 0-9 and -")]
    Name,
    /// An earlier secret of the endpoint has the same name.
    #[error("its name is that of an earlier one")]
    SameName,
    /// `not_before` or `not_after` isn't a time.
    #[error("not_before and not_after must be RFC 3339 times, such as 2026-11-01T00:00:00Z")]
    Time,
    /// `not_after` is not after `not_before`.
    #[error("not_after must be after not_before")]
    Order,
    /// It declares what the endpoint's scheme doesn't sign.
    #[error("livemode is for Stripe only, and connect for schemes that sign the account")]
    Scope,
    /// The secret itself can't be used.
    #[error("{0}")]
    Secret(SecretError),
}

impl Keyring {
    /// Parses and checks a keyring.
    ///
    /// `scheme_of` returns the scheme of an endpoint that uses this keyring;
    /// others in it are not read further, so that several gates can share it.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn parse<'a>(
        text: &[u8],
        scheme_of: impl Fn(&str) -> Option<&'a Scheme>,
    ) -> Result<Self, KeyringError> {
        let mut endpoints = BTreeMap::new();
        for (name, secrets) in raw::parse(text)? {
            if let Some(scheme) = scheme_of(&name) {
                let signers = raw::check(&name, secrets, scheme)?;
                endpoints.insert(name, signers);
            }
        }
        Ok(Self { endpoints })
    }

    /// Parses the answer of an API of the form of Vault's KV version 2: the
    /// keyring is its `data.data`.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn parse_kv2<'a>(
        text: &[u8],
        scheme_of: impl Fn(&str) -> Option<&'a Scheme>,
    ) -> Result<Self, KeyringError> {
        Self::parse(kv2_data(text)?, scheme_of)
    }

    /// Returns the secrets of an endpoint.
    #[must_use]
    pub fn signers(&self, endpoint: &str) -> &[Rc<Signer>] {
        self.endpoints.get(endpoint).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests;
