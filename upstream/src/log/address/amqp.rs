//! `amqp://USER:PASSWORD@HOST:PORT/VHOST?stream=NAME`.

use std::{fmt, str::FromStr};

use reqwest::Url;

use super::AddressError;

/// The stream of an address that names none.
const DEFAULT_STREAM: &str = "hookgate";

/// Longest name of a queue, by AMQP's short strings.
const MAX_STREAM_BYTES: usize = 255;

/// Names a stream of a RabbitMQ server. `Display` leaves out user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AmqpAddress {
    /// Server, user, password and virtual host.
    server: Url,
    stream: String,
}

#[allow(dead_code, reason = "the log is about to use it")]
impl AmqpAddress {
    /// Returns the server's URL, as the client reads it.
    pub(crate) fn server(&self) -> &str {
        self.server.as_str()
    }

    /// Returns the stream's name.
    pub(crate) fn stream(&self) -> &str {
        &self.stream
    }
}

impl FromStr for AmqpAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut server: Url = text.parse().map_err(|_| AddressError::Amqp)?;
        if server.host_str().is_none_or(str::is_empty) || server.fragment().is_some() {
            return Err(AddressError::Amqp);
        }
        let mut stream = None;
        for (name, value) in server.query_pairs() {
            let fits = (1..=MAX_STREAM_BYTES).contains(&value.len());
            if name != "stream" || !fits || stream.is_some() {
                return Err(AddressError::Amqp);
            }
            stream = Some(value.into_owned());
        }
        server.set_query(None);
        Ok(Self {
            server,
            stream: stream.unwrap_or_else(|| DEFAULT_STREAM.to_owned()),
        })
    }
}

impl fmt::Display for AmqpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.server.clone();
        // Only an address without a host refuses.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        if self.stream != DEFAULT_STREAM {
            shown.query_pairs_mut().append_pair("stream", &self.stream);
        }
        write!(f, "{shown}")
    }
}
