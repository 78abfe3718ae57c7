//! `hookgate.toml`: what a server is told, beneath its environment and flags.
//!
//! The file is read whole or not at all: a field that isn't known, a value out
//! of its bounds and a secret that stands in it are refused with their place.

mod console;
mod destination;
mod expectations;
mod merged;
mod mistake;
mod place;
mod reconcile;
mod setting;
mod value;

use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de};

pub(crate) use self::{
    console::{Console, Listen, LocalReading, Operator, Proxy, Role},
    destination::{Destination, Url},
    expectations::{Expectations, Reporter},
    merged::Merged,
    mistake::Mistake,
    place::{Place, PlaceError, SecretPlace},
    reconcile::{Of, Reconcile},
    setting::{
        Approvals, BodyTimeout, GiveUpAfter, Keep, MaxBodyBytes, Queue, Replicas, Since,
        ToleranceTime,
    },
};
use crate::{
    log::LogAddress,
    metrics::AccountGroups,
    secrets::Binding,
    telemetry::{LogFormat, otlp::Collector},
    verification::KeyringFile,
};

/// The file that is read without `--config`, if it is there.
pub(crate) const FILE: &str = "hookgate.toml";

/// Most destinations of one server.
const MAX_DESTINATIONS: usize = 256;

/// Holds what a file says; what it doesn't say is `None`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(crate) struct Config {
    /// The durable log.
    #[serde(deserialize_with = "log")]
    pub(crate) log: Option<LogAddress>,
    /// Servers of a NATS cluster that have each event.
    pub(crate) replicas: Option<Replicas>,
    /// Where to listen.
    #[serde(deserialize_with = "listen")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where Prometheus reads.
    #[serde(deserialize_with = "value::text")]
    pub(crate) metrics: Option<Listen>,
    /// The gate's configuration, to verify by.
    pub(crate) gate: Option<PathBuf>,
    /// Files with the gate's keyrings.
    #[serde(deserialize_with = "keyrings")]
    pub(crate) keyrings: Vec<KeyringFile>,
    /// The file with the gate's tokens.
    pub(crate) gate_token_file: Option<PathBuf>,
    /// Sources and the variables with their secrets.
    #[serde(deserialize_with = "secrets")]
    pub(crate) secrets: Vec<Binding>,
    /// Largest payload.
    pub(crate) max_body_bytes: Option<MaxBodyBytes>,
    /// Events that may wait for the log.
    pub(crate) queue: Option<Queue>,
    /// How long a payload may take to arrive.
    pub(crate) body_timeout: Option<BodyTimeout>,
    /// How far a signature's time may lie from its arrival.
    pub(crate) tolerance: Option<ToleranceTime>,
    /// How log lines look.
    pub(crate) log_format: Option<LogFormat>,
    /// What is kept, and how long.
    pub(crate) retention: Retention,
    /// What is told about events, and to whom.
    pub(crate) telemetry: Telemetry,
    /// Who decides about what can't be delivered.
    pub(crate) review: Review,
    /// Where people look, and who they are.
    pub(crate) console: Console,
    /// How events are compared with Stripe's list of them.
    pub(crate) reconcile: Option<Reconcile>,
    /// What becomes of events that are not as expected.
    pub(crate) expectations: Expectations,
    /// Where events go.
    pub(crate) destinations: Vec<Destination>,
}

/// Says what is kept, and how long.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(crate) struct Retention {
    /// How old an event may become.
    pub(crate) keep: Option<Keep>,
}

/// Says who decides about what can't be delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(crate) struct Review {
    /// People who must approve of a redelivery.
    pub(crate) approvals: Approvals,
}

/// Says what is told about events, and to whom.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(crate) struct Telemetry {
    /// Where spans are reported.
    #[serde(deserialize_with = "value::text")]
    pub(crate) otlp: Option<Collector>,
    /// How accounts are grouped in metrics.
    #[serde(deserialize_with = "account_groups")]
    pub(crate) account_groups: AccountGroups,
}

/// Says why a file can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// It can't be read.
    #[error("can't read `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in it is wrong.
    #[error(
        "`{}` line {}, {mistake}. `hookgate check-config {}` explains it",
        path.display(), mistake.at.line, path.display()
    )]
    Mistake {
        /// Which.
        path: PathBuf,
        /// What.
        mistake: Mistake,
    },
}

impl Config {
    /// Reads the file that was named; without one [`FILE`], if it is there.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub(crate) fn find(named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = named.unwrap_or(Path::new(FILE));
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(source) => {
                return Err(ConfigError::Read {
                    path: path.into(),
                    source,
                });
            }
        };
        Self::parse(&text).map_err(|mistake| ConfigError::Mistake {
            path: path.into(),
            mistake,
        })
    }

    /// Returns how log lines look.
    pub(crate) fn log_format(&self) -> LogFormat {
        self.log_format.unwrap_or(merged::DEFAULT_LOG_FORMAT)
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// The first [`Mistake`].
    pub(crate) fn parse(text: &str) -> Result<Self, Mistake> {
        let parser = toml::Deserializer::parse(text)
            .map_err(|error| Mistake::of_parser(text, "", &error))?;
        let config: Self = serde_path_to_error::deserialize(parser)
            .map_err(|error| Mistake::of_parser(text, &error.path().to_string(), error.inner()))?;
        config
            .check()
            .map_err(|(path, problem)| Mistake::of_field(text, &path, problem))?;
        Ok(config)
    }

    /// Checks what is of more than one field.
    fn check(&self) -> Result<(), (String, String)> {
        let with_gate = [
            ("secrets", !self.secrets.is_empty()),
            ("max_body_bytes", self.max_body_bytes.is_some()),
            ("tolerance", self.tolerance.is_some()),
        ];
        for (field, is_set) in with_gate {
            if is_set && self.gate.is_some() {
                let problem = "found it beside `gate`, expected one of them: the gate's \
                               configuration says it for each endpoint";
                return Err((field.to_owned(), problem.to_owned()));
            }
        }
        if !self.keyrings.is_empty() && self.gate.is_none() {
            let problem = "found keyrings and no `gate`, expected both";
            return Err(("keyrings".to_owned(), problem.to_owned()));
        }
        self.console
            .check()
            .map_err(|(field, problem)| (format!("console.{field}"), problem))?;
        if let Some(reconcile) = &self.reconcile {
            reconcile
                .check()
                .map_err(|(field, problem)| (format!("reconcile.{field}"), problem))?;
        }
        self.expectations
            .check()
            .map_err(|(field, problem)| (format!("expectations.{field}"), problem))?;
        let found = self.destinations.len();
        if found > MAX_DESTINATIONS {
            let problem =
                format!("found {found} destinations, expected at most {MAX_DESTINATIONS}");
            return Err(("destinations".to_owned(), problem));
        }
        for (index, destination) in self.destinations.iter().enumerate() {
            destination
                .check()
                .map_err(|(field, problem)| (format!("destinations[{index}].{field}"), problem))?;
        }
        if let Some(index) = destination::repeated(&self.destinations) {
            let problem = "found a name that an earlier destination has, expected another";
            return Err((format!("destinations[{index}].name"), problem.to_owned()));
        }
        Ok(())
    }
}

fn log<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<LogAddress>, D::Error> {
    let text = String::deserialize(deserializer)?;
    // Of several servers each may have a user.
    if !text.starts_with("sqlite:") && text.contains('@') {
        return Err(de::Error::custom(
            "found credentials, expected none in this file: put the whole address into the \
             environment variable HOOKGATE_LOG",
        ));
    }
    value::text(de::value::StringDeserializer::new(text))
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(|_| {
        de::Error::custom("found another text, expected IP:PORT, for example `127.0.0.1:8080`")
    })
}

fn account_groups<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AccountGroups, D::Error> {
    let groups = BTreeMap::<String, Vec<String>>::deserialize(deserializer)?;
    groups.try_into().map_err(de::Error::custom)
}

fn keyrings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<KeyringFile>, D::Error> {
    value::list(deserializer, |text| text.parse().ok(), "[NAME=]FILE")
}

fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Binding>, D::Error> {
    value::list(
        deserializer,
        |text| text.parse().ok(),
        "`SOURCE=VARIABLE`, the name of an environment variable that holds the secret, of A-Z, \
         0-9 and _: never the secret itself",
    )
}

#[cfg(test)]
mod tests;
