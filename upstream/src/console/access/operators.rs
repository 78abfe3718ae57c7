//! Who may come in, by name and by token.
//!
//! Tokens are kept as digests, which are compared in constant time; their text
//! is forgotten. (RFC 6750, bearer tokens.)

use std::fmt;

use axum::http::{HeaderMap, header::AUTHORIZATION};
use sha2::{Digest as _, Sha256};

use crate::{
    bearer,
    config::{self, PlaceError, Role, SecretPlace},
};

/// Shortest and longest token, in bytes. One that can be guessed is none.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 32..=512;

/// Names an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::console) struct Person {
    /// As the configuration calls them.
    pub(in crate::console) name: String,
    /// What they may do.
    pub(in crate::console) role: Role,
}

/// Holds who may come in.
#[derive(Default)]
pub(in crate::console) struct Operators(Vec<Operator>);

struct Operator {
    person: Person,
    token: Option<[u8; 32]>,
}

/// Says why operators can't be used; shows nothing of a token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperatorsError {
    /// A secret isn't where it should be.
    #[error("{field}: {source}")]
    Place {
        /// Of what.
        field: String,
        /// Why.
        source: PlaceError,
    },
    /// A secret can be none.
    #[error(
        "{field}: {place} holds no token: expected 32 to 512 of the characters A-Z a-z 0-9 - . _ ~ + / =, for example from `openssl rand -hex 32`"
    )]
    Form {
        /// Of what.
        field: String,
        /// Where.
        place: String,
    },
    /// A token would lead to two people.
    #[error("console.operators: `{name}` has the token of an earlier operator, expected another")]
    Shared {
        /// Whose.
        name: String,
    },
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

impl fmt::Debug for Operators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let people = self.0.iter().map(|operator| &operator.person);
        f.debug_list().entries(people).finish()
    }
}

impl Operators {
    /// Reads the tokens.
    ///
    /// # Errors
    /// [`OperatorsError`].
    pub(in crate::console) fn load(operators: &[config::Operator]) -> Result<Self, OperatorsError> {
        let mut loaded: Vec<Operator> = Vec::new();
        for (index, operator) in operators.iter().enumerate() {
            let token = match &operator.token {
                Some(place) => Some(read(&format!("console.operators[{index}].token"), place)?),
                None => None,
            };
            let is_shared = |other: &Operator| token.is_some() && other.token == token;
            if loaded.iter().any(is_shared) {
                let name = operator.name.clone();
                return Err(OperatorsError::Shared { name });
            }
            let person = Person {
                name: operator.name.clone(),
                role: operator.role,
            };
            loaded.push(Operator { person, token });
        }
        Ok(Self(loaded))
    }

    /// Tells whether there are none, so that nobody can log in.
    pub(in crate::console) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Finds who has a token. Takes as long whoever has it, and if nobody does.
    pub(in crate::console) fn with_token(&self, token: &[u8]) -> Option<Person> {
        let at = bearer::find(token, self.0.iter().map(|operator| operator.token))?;
        Some(self.0.get(at)?.person.clone())
    }

    /// Finds who a request's bearer token is of, if it shows exactly one.
    pub(super) fn bearer(&self, headers: &HeaderMap) -> Option<Person> {
        self.with_token(bearer::shown(headers)?)
    }

    /// Finds who is called so, exactly.
    pub(super) fn named(&self, name: &str) -> Option<Person> {
        let mut people = self.0.iter().map(|operator| &operator.person);
        people.find(|person| person.name == name).cloned()
    }
}

/// Tells whether a request shows a token, whether it is one or not. Other schemes
/// are for somebody in front of us.
pub(super) fn shows_token(headers: &HeaderMap) -> bool {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    shown.any(|value| {
        let scheme = value.as_bytes().split(|byte| *byte == b' ').next();
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Bearer"))
    })
}

/// Reads a token; returns its digest.
///
/// # Errors
/// [`OperatorsError::Place`], [`OperatorsError::Form`].
pub(crate) fn read(field: &str, place: &SecretPlace) -> Result<[u8; 32], OperatorsError> {
    let SecretPlace(place) = place;
    let token = place.read().map_err(|source| OperatorsError::Place {
        field: field.to_owned(),
        source,
    })?;
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if !TOKEN_BYTES.contains(&token.len()) || !token.bytes().all(is_of_token) {
        return Err(OperatorsError::Form {
            field: field.to_owned(),
            place: place.to_string(),
        });
    }
    Ok(Sha256::digest(token.as_bytes()).into())
}

#[cfg(test)]
impl Operators {
    /// Makes some, for tests.
    pub(super) fn of(people: &[(&str, Role, Option<&str>)]) -> Self {
        let operator = |&(name, role, token): &(&str, Role, Option<&str>)| Operator {
            person: Person {
                name: name.to_owned(),
                role,
            },
            token: token.map(|token| Sha256::digest(token).into()),
        };
        Self(people.iter().map(operator).collect())
    }
}
