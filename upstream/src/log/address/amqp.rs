//! `amqp://USER:PASSWORD@HOST:PORT/VHOST?stream=NAME`.

use std::{fmt, str::FromStr};

use lapin::types::ShortString;
use reqwest::Url;

use super::AddressError;
use crate::amqp::Server;

/// The stream of an address that names none.
const DEFAULT_STREAM: &str = "hookgate";

/// Names a stream of a RabbitMQ server. `Display` leaves out user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AmqpAddress {
    server: Server,
    stream: ShortString,
}

impl AmqpAddress {
    /// Returns the server.
    pub(crate) const fn server(&self) -> &Server {
        &self.server
    }

    /// Returns the stream's name.
    pub(crate) const fn stream(&self) -> &ShortString {
        &self.stream
    }
}

impl FromStr for AmqpAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let url: Url = text.parse().map_err(|_| AddressError::Amqp)?;
        let mut stream = None;
        for (name, value) in url.query_pairs() {
            let named = ShortString::try_new(value).ok();
            let named = named.filter(|named| !named.as_str().is_empty());
            if name != "stream" || named.is_none() || stream.is_some() {
                return Err(AddressError::Amqp);
            }
            stream = named;
        }
        Ok(Self {
            server: Server::of(&url).ok_or(AddressError::Amqp)?,
            stream: stream.unwrap_or_else(|| ShortString::from(DEFAULT_STREAM)),
        })
    }
}

impl fmt::Display for AmqpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.server)?;
        match self.stream.as_str() {
            DEFAULT_STREAM => Ok(()),
            stream => write!(f, "?stream={stream}"),
        }
    }
}
