//! One connection to the server, which the client keeps up by itself.

use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, Event, connection::State};
use tokio::sync::Mutex;
use tracing::{info, warn};

use super::{REQUEST_TIMEOUT, Servers};
use crate::log::LogAddress;

/// How long the server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How soon a server that went silent is noticed: after two of these.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// The longest wait between two attempts to connect again. The client's own, 4 s
/// for each server, are as long as a cluster takes to choose a leader.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// Says that the server can't be reached.
#[derive(Debug, thiserror::Error)]
#[error("can't connect to the NATS server at {address}: {source}. {}", self.advice())]
pub(crate) struct ConnectError {
    address: LogAddress,
    source: async_nats::ConnectError,
}

impl ConnectError {
    /// Says what to do.
    fn advice(&self) -> &'static str {
        use async_nats::ConnectErrorKind::{Authentication, AuthorizationViolation, Tls};
        match self.source.kind() {
            Authentication | AuthorizationViolation => {
                "Put the user and the password that it knows into the address, and that into the \
                 environment: HOOKGATE_LOG=nats://USER:PASSWORD@HOST:PORT"
            }
            Tls => {
                "Does it speak TLS, and is its certificate of an authority that this machine trusts?"
            }
            _ => "Is it running (`nats-server -c nats.conf`), and is the address right?",
        }
    }

    /// Tells whether it may pass by itself.
    pub(crate) fn is_away(&self) -> bool {
        use async_nats::ConnectErrorKind::{Dns, Io, TimedOut};
        matches!(self.source.kind(), Dns | Io | TimedOut)
    }
}

/// Connects now or not at all; lost connections are renewed later on.
///
/// # Errors
/// [`ConnectError`].
pub(crate) async fn connect(server: &Servers) -> Result<Client, ConnectError> {
    server
        .options()
        .name("hookgate")
        .connection_timeout(CONNECT_TIMEOUT)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .ping_interval(PING_INTERVAL)
        .reconnect_delay_callback(reconnect_delay)
        .event_callback(report)
        .connect(server.addresses())
        .await
        .map_err(|source| ConnectError {
            address: LogAddress::Nats(server.clone()),
            source,
        })
}

/// Keeps a connection for whoever reads again and again: it is made when it is
/// first asked for, and the client renews it.
#[derive(Debug)]
pub(crate) struct Kept {
    server: Servers,
    client: Mutex<Option<Client>>,
}

impl Kept {
    /// Prepares one; nothing is connected yet.
    pub(crate) fn new(server: &Servers) -> Self {
        Self {
            server: server.clone(),
            client: Mutex::new(None),
        }
    }

    /// Returns the servers that it leads to.
    pub(crate) const fn server(&self) -> &Servers {
        &self.server
    }

    /// Returns the connection.
    ///
    /// # Errors
    /// [`ConnectError`], at once where it broke: what is asked of a client in that
    /// state waits for as long as a request may take.
    pub(crate) async fn client(&self) -> Result<Client, ConnectError> {
        let mut kept = self.client.lock().await;
        let client = match &*kept {
            Some(client) => client.clone(),
            None => kept.insert(connect(&self.server).await?).clone(),
        };
        if client.connection_state() == State::Connected {
            return Ok(client);
        }
        let lost = "the connection was lost and is being renewed";
        Err(ConnectError {
            address: LogAddress::Nats(self.server.clone()),
            source: async_nats::ConnectError::with_source(ConnectErrorKind::Io, lost),
        })
    }
}

/// At once, and then after longer and longer.
fn reconnect_delay(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    let millis = 2_u64.saturating_pow(doublings).saturating_sub(1);
    Duration::from_millis(millis).min(RECONNECT_DELAY)
}

async fn report(event: Event) {
    match event {
        Event::Connected => info!("connected to the NATS server"),
        event => warn!(%event, "the NATS connection changed"),
    }
}

#[cfg(test)]
mod tests {
    use super::reconnect_delay;

    #[test]
    fn connects_again_at_once_and_then_every_second() {
        let millis = [0, 1, 2, 5, 20, 1_000].map(|it| reconnect_delay(it).as_millis());
        assert_eq!(millis, [0, 0, 1, 15, 1_000, 1_000]);
    }
}
