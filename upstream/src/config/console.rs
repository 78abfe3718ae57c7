//! The console as the file spells it.

use std::{fmt, net::IpAddr, net::SocketAddr, path::PathBuf, str::FromStr};

use serde::{Deserialize, Deserializer, de};

use super::{place::SecretPlace, value};

/// Most operators of one console.
const MAX_OPERATORS: usize = 256;

/// Longest name of an operator, in characters; the audit trail's bound.
const MAX_NAME: usize = 100;

/// Says where people look, and who they are.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(crate) struct Console {
    /// Where it listens.
    #[serde(deserialize_with = "value::text")]
    pub(crate) listen: Option<Listen>,
    /// Names that it may be asked for by, beside those of this machine.
    #[serde(deserialize_with = "hosts")]
    pub(crate) hosts: Vec<String>,
    /// The signature doctor's page, which is shown at `/doctor`.
    pub(crate) doctor: Option<PathBuf>,
    /// Whether who is on this machine may read without a token.
    pub(crate) local_reading: LocalReading,
    /// Who may come in.
    pub(crate) operators: Vec<Operator>,
    /// Who says who somebody is.
    pub(crate) proxy: Option<Proxy>,
}

/// Says where pages are: the console, or what Prometheus reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listen {
    /// Nowhere.
    Off,
    /// On this address; port 0 lets the system choose.
    At(SocketAddr),
}

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let address = text.parse().map(Self::At);
        address.map_err(|_| "expected IP:PORT, for example 127.0.0.1:9464, or `off`")
    }
}

/// Says whether who is on this machine may read without a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LocalReading {
    /// On a listener of loopback, from loopback, and through no proxy.
    #[default]
    Open,
    /// Never.
    WithToken,
}

/// Says what somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Read, with personal data masked.
    Read,
    /// Decide about events, and see payloads whole, on record.
    Operate,
}

/// Describes somebody who may come in.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct Operator {
    /// What the audit trail calls them.
    #[serde(deserialize_with = "name")]
    pub(crate) name: String,
    /// What they may do.
    pub(crate) role: Role,
    /// Where their token is.
    pub(crate) token: Option<SecretPlace>,
}

/// Describes a proxy that says who somebody is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct Proxy {
    /// Where it connects from.
    #[serde(deserialize_with = "addresses")]
    pub(crate) addresses: Vec<IpAddr>,
    /// The header in which it names them.
    #[serde(deserialize_with = "header")]
    pub(crate) header: String,
    /// What it shows to be believed.
    pub(crate) secret: SecretPlace,
}

impl Console {
    /// Checks what is of more than one field.
    ///
    /// # Errors
    /// The field and what is wrong with it.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        let found = self.operators.len();
        if found > MAX_OPERATORS {
            let problem = format!("found {found} operators, expected at most {MAX_OPERATORS}");
            return Err(("operators".to_owned(), problem));
        }
        for (index, operator) in self.operators.iter().enumerate() {
            let same = |other: &Operator| other.name.to_lowercase() == operator.name.to_lowercase();
            if self.operators.iter().take(index).any(same) {
                let problem = "found a name that an earlier operator has, expected another";
                return Err((format!("operators[{index}].name"), problem.to_owned()));
            }
            if operator.token.is_none() && self.proxy.is_none() {
                let problem = "found neither `token` nor `[console.proxy]`, expected one of them: \
                               nobody could come in under this name";
                return Err((format!("operators[{index}].name"), problem.to_owned()));
            }
        }
        if self.proxy.is_some() && self.operators.is_empty() {
            let problem = "found a proxy and no operators, expected a `[[console.operators]]` for \
                           each name that it may say";
            return Err(("proxy.header".to_owned(), problem.to_owned()));
        }
        Ok(())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Operate => "operate",
        })
    }
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let fits = (1..=MAX_NAME).contains(&text.chars().count()) && text.trim() == text;
    if fits && !text.contains(char::is_control) {
        return Ok(text);
    }
    Err(de::Error::custom(
        "found another text, expected 1 to 100 characters, without blanks around them and without \
         control characters",
    ))
}

fn hosts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    value::list(
        deserializer,
        |text| {
            let is_of_name = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte)
            };
            let is_name = (1..=253).contains(&text.len()) && text.bytes().all(is_of_name);
            is_name.then(|| text.to_owned())
        },
        "names of hosts in lower case, without scheme and port, such as `console.example.com`",
    )
}

fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpAddr>, D::Error> {
    value::list(
        deserializer,
        |text| text.parse().ok(),
        "the IP addresses that the proxy connects from, such as `127.0.0.1`",
    )
}

fn header<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    // What carries something else already can't carry a name as well.
    let is_taken = ["authorization", "cookie", "host", "origin"].contains(&text.as_str());
    if (1..=64).contains(&text.len()) && text.bytes().all(is_of_name) && !is_taken {
        return Ok(text);
    }
    Err(de::Error::custom(
        "found another text, expected the name of a header in lower case, such as \
         `x-forwarded-user`",
    ))
}
