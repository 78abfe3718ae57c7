//! Where a text is that must not stand in a configuration file.

use std::{env, fmt, fs, io, marker::PhantomData, path::PathBuf};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, value::MapAccessDeserializer},
};
use zeroize::Zeroizing;

use crate::secrets::{VariableError, variable_name};

/// Longest text that is read.
const MAX_BYTES: u64 = 65_536;

/// Says where a text is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// In an environment variable.
    Env(Variable),
    /// In a file; white space around it is not of it.
    File(PathBuf),
}

/// Names an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable(String);

/// Says why a text isn't where it should be; shows nothing of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    /// The variable isn't set, or isn't text.
    #[error("found no text in the environment variable `{0}`: set it")]
    Unset(String),
    /// The file can't be read.
    #[error("can't read `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file can't be what is meant.
    #[error("`{}` is larger than {MAX_BYTES} bytes, expected the one text alone", .0.display())]
    Size(PathBuf),
}

impl Place {
    /// Reads the text.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub(crate) fn read(&self) -> Result<Zeroizing<String>, PlaceError> {
        match self {
            Self::Env(Variable(name)) => env::var(name)
                .map(Zeroizing::new)
                .map_err(|_| PlaceError::Unset(name.clone())),
            Self::File(path) => {
                let unreadable = |source| PlaceError::Read {
                    path: path.clone(),
                    source,
                };
                if fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
                    return Err(PlaceError::Size(path.clone()));
                }
                let text = Zeroizing::new(fs::read_to_string(path).map_err(unreadable)?);
                Ok(Zeroizing::new(text.trim().to_owned()))
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(Variable(name)) => write!(f, "the environment variable `{name}`"),
            Self::File(path) => write!(f, "`{}`", path.display()),
        }
    }
}

impl Variable {
    fn new(text: &str) -> Result<Self, VariableError> {
        variable_name(text).map(|name| Self(name.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Variable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(de::Error::custom)
    }
}

/// Tells whether an address holds a user or a password.
pub(super) fn holds_credentials(address: &str) -> bool {
    let (_, rest) = address.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next();
    authority.is_some_and(|authority| authority.contains('@'))
}

/// Says what a plain text means where a [`Place`] may stand too.
pub(super) trait Plain: Sized {
    /// What is expected.
    const EXPECTED: &str;

    /// Takes a plain text.
    ///
    /// # Errors
    /// What is wrong with it; never the text.
    fn from_text(text: &str) -> Result<Self, String>;

    /// Takes a place.
    fn from_place(place: Place) -> Self;
}

/// Names the environment variable, or the place, of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretPlace(pub(crate) Place);

impl Plain for SecretPlace {
    const EXPECTED: &str = "the name of an environment variable, or `{ file = \"…\" }`";

    fn from_text(text: &str) -> Result<Self, String> {
        match Variable::new(text) {
            Ok(variable) => Ok(Self(Place::Env(variable))),
            Err(_) => Err(format!(
                "found another text, expected {} (of A-Z, 0-9 and _): never the secret itself",
                Self::EXPECTED
            )),
        }
    }

    fn from_place(place: Place) -> Self {
        Self(place)
    }
}

impl<'de> Deserialize<'de> for SecretPlace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_place(deserializer)
    }
}

/// Reads a plain text, or a table with a place.
///
/// # Errors
/// Those of the file's parser.
pub(super) fn text_or_place<'de, P: Plain, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<P, D::Error> {
    struct Visitor<P>(PhantomData<P>);

    impl<'de, P: Plain> de::Visitor<'de> for Visitor<P> {
        type Value = P;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(P::EXPECTED)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<P, E> {
            P::from_text(text).map_err(E::custom)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<P, A::Error> {
            Place::deserialize(MapAccessDeserializer::new(map)).map(P::from_place)
        }
    }

    deserializer.deserialize_any(Visitor(PhantomData))
}
