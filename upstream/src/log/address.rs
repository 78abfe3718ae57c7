//! Where a log is: `sqlite:PATH` or `nats://HOST:PORT`.

use std::{fmt, path::PathBuf, str::FromStr};

use async_nats::ServerAddr;

/// Names a log. `Display` leaves out user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogAddress {
    /// A file of this machine.
    Sqlite(PathBuf),
    /// A NATS server with JetStream.
    Nats(ServerAddr),
}

/// Says that a text names no log. The text itself may hold a password and is
/// not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// `sqlite:` without a path.
    #[error("found no path after `sqlite:`, expected for example `sqlite:./data/hookgate.db`")]
    NoPath,
    /// A scheme that isn't known.
    #[error("expected `sqlite:PATH` or `nats://HOST:PORT`")]
    Scheme,
    /// Not the address of a NATS server.
    #[error("expected `nats://HOST:PORT`, for example `nats://127.0.0.1:4222`")]
    Server,
}

impl FromStr for LogAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            if path.is_empty() {
                return Err(AddressError::NoPath);
            }
            return Ok(Self::Sqlite(path.into()));
        }
        if !text.starts_with("nats://") && !text.starts_with("tls://") {
            return Err(AddressError::Scheme);
        }
        let server: ServerAddr = text.parse().map_err(|_| AddressError::Server)?;
        if server.host().is_empty() {
            return Err(AddressError::Server);
        }
        Ok(Self::Nats(server))
    }
}

impl LogAddress {
    /// Says where the state of deliveries is, for people.
    pub(crate) fn deliveries(&self) -> Option<String> {
        match self {
            Self::Sqlite(path) => Some(format!("`{}.deliveries`", path.display())),
            Self::Nats(_) => Some("streams beside the log's".to_owned()),
        }
    }
}

impl fmt::Display for LogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Nats(server) => {
                write!(
                    f,
                    "{}://{}:{}",
                    server.scheme(),
                    server.host(),
                    server.port()
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressError, LogAddress};

    #[test]
    fn reads_both_kinds_of_address() {
        for text in [
            "sqlite:/var/lib/hookgate/events.db",
            "sqlite:./data/hookgate.db",
            "nats://127.0.0.1:4222",
            "tls://nats.example.com:4443",
        ] {
            assert_eq!(text.parse::<LogAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn shows_no_password() {
        let address: LogAddress = "nats://gate:hunter2@127.0.0.1:4222".parse().unwrap();
        assert_eq!(address.to_string(), "nats://127.0.0.1:4222");
    }

    #[test]
    fn refuses_what_names_no_log() {
        for (text, error) in [
            ("", AddressError::Scheme),
            ("./data/hookgate.db", AddressError::Scheme),
            ("kafka://127.0.0.1:9092", AddressError::Scheme),
            ("sqlite:", AddressError::NoPath),
            ("nats://", AddressError::Server),
            ("nats://127.0.0.1:port", AddressError::Server),
        ] {
            assert_eq!(text.parse::<LogAddress>().unwrap_err(), error, "{text}");
        }
    }
}
