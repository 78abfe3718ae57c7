//! A server, a virtual host of it, and who logs in.

use std::{fmt, sync::Arc, time::Duration};

use lapin::{
    Connection, ConnectionProperties, Error, ErrorKind,
    tcp::{AMQPUriTcpExt as _, OwnedTLSConfig},
    types::{LongString, ReplyCode},
    uri::AMQPUri,
};
use reqwest::Url;
use tokio::time::timeout;

/// How long the server may take until it has taken the login.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Seconds between heartbeats: a server that went silent is noticed after two.
const HEARTBEAT_SECONDS: u16 = 5;

/// The virtual host of an address that names none, as of every new server.
const DEFAULT_VHOST: &str = "/";

/// `access-refused`: the login, or what it may do.
const ACCESS_REFUSED: ReplyCode = 403;

/// `not-allowed`: the virtual host isn't there, or isn't open to the login.
const NOT_ALLOWED: ReplyCode = 530;

/// Names a server. `Display` and `Debug` leave out user and password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Shared: errors name the server too.
    uri: Arc<AMQPUri>,
}

/// Says that there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The server can't be reached, or isn't ready yet.
    #[error(
        "can't connect to RabbitMQ at {server}: {reason}. Is it running, and is the address right?"
    )]
    Away {
        /// Which.
        server: Server,
        /// Why.
        reason: String,
    },
    /// The server takes no such login.
    #[error(
        "RabbitMQ at {server} refuses the login: {reason}. Check user and password (`rabbitmqctl authenticate_user USER PASSWORD`); the user `guest` may only come from the server's own machine"
    )]
    Login {
        /// Which.
        server: Server,
        /// Why.
        reason: String,
    },
    /// The virtual host is not there, or not for this user.
    #[error(
        "RabbitMQ at {server} doesn't open its virtual host `{vhost}`: {reason}. `rabbitmqctl add_vhost {vhost}` makes it, `rabbitmqctl set_permissions -p {vhost} USER '.*' '.*' '.*'` opens it"
    )]
    VirtualHost {
        /// Which.
        server: Server,
        /// Its name.
        vhost: String,
        /// Why.
        reason: String,
    },
}

impl Server {
    /// Reads `amqp://USER:PASSWORD@HOST:PORT/VHOST`, whatever its query says;
    /// `None` if it is something else.
    pub(crate) fn of(url: &Url) -> Option<Self> {
        let host = url.host_str().filter(|host| !host.is_empty())?;
        // As sockets have it; the client's own parser knows no such hosts.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if url.scheme() != "amqp" || url.fragment().is_some() {
            return None;
        }
        let mut server = url.clone();
        server.set_query(None);
        let mut uri: AMQPUri = server.as_str().parse().ok()?;
        host.clone_into(&mut uri.authority.host);
        if uri.vhost.is_empty() {
            DEFAULT_VHOST.clone_into(&mut uri.vhost);
        }
        uri.query.heartbeat = Some(HEARTBEAT_SECONDS);
        Some(Self { uri: Arc::new(uri) })
    }

    /// Connects now or not at all. `name` is what the server lists it as.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub(crate) async fn connect(&self, name: &str) -> Result<Connection, ConnectError> {
        let runtime = lapin::runtime::default_runtime().map_err(|error| self.refusal(&error))?;
        let properties =
            ConnectionProperties::default().with_connection_name(LongString::from(name));
        let connected = Connection::connector(
            AMQPUri::clone(&self.uri),
            runtime,
            // On a thread of its own, which must not hang with an address that
            // swallows everything.
            async |uri, runtime| {
                let tls = OwnedTLSConfig::default();
                let stream = uri.connect_with_config_async(tls.as_ref(), &runtime);
                match timeout(CONNECT_TIMEOUT, stream).await {
                    Ok(stream) => Ok(stream?),
                    Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
                }
            },
            properties,
        );
        match timeout(CONNECT_TIMEOUT, connected).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(self.refusal(&error)),
            Err(_) => Err(ConnectError::Away {
                server: self.clone(),
                reason: "it does not answer".to_owned(),
            }),
        }
    }

    fn refusal(&self, error: &Error) -> ConnectError {
        let (server, reason) = (self.clone(), reply_text(error));
        match reply_code(error) {
            Some(ACCESS_REFUSED) => ConnectError::Login { server, reason },
            Some(NOT_ALLOWED) => ConnectError::VirtualHost {
                vhost: self.uri.vhost.clone(),
                server,
                reason,
            },
            _ => ConnectError::Away { server, reason },
        }
    }
}

impl ConnectError {
    /// Tells whether it may pass by itself.
    pub(crate) const fn is_away(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}

/// Returns the code with which the server closed a connection or channel.
pub(crate) fn reply_code(error: &Error) -> Option<ReplyCode> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

/// Returns what the server said, or what the client did.
pub(crate) fn reply_text(error: &Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        ErrorKind::IOError(error) => error.to_string(),
        _ => error.to_string(),
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = &self.uri.authority;
        if authority.host.contains(':') {
            write!(f, "amqp://[{}]:{}", authority.host, authority.port)?;
        } else {
            write!(f, "amqp://{}:{}", authority.host, authority.port)?;
        }
        match self.uri.vhost.as_str() {
            DEFAULT_VHOST => f.write_str("/"),
            vhost => write!(f, "/{}", vhost.replace('%', "%25").replace('/', "%2F")),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Server;

    #[test]
    fn shows_where_it_is_and_no_password() {
        for (url, shown) in [
            ("amqp://127.0.0.1", "amqp://127.0.0.1:5672/"),
            ("amqp://rabbit:5673/", "amqp://rabbit:5673/"),
            ("amqp://rabbit/%2F", "amqp://rabbit:5672/"),
            ("amqp://gate:hunter2@rabbit/shop", "amqp://rabbit:5672/shop"),
            ("amqp://rabbit/a%2Fb?exchange=x", "amqp://rabbit:5672/a%2Fb"),
            ("amqp://[::1]:5672/", "amqp://[::1]:5672/"),
        ] {
            let server = Server::of(&url.parse().unwrap()).unwrap();
            assert_eq!(server.to_string(), shown);
            assert_eq!(format!("{server:?}"), shown);
        }
    }

    #[test]
    fn refuses_other_schemes() {
        for url in ["amqps://rabbit/", "http://rabbit/", "amqp:///shop"] {
            assert_eq!(Server::of(&url.parse().unwrap()), None, "{url}");
        }
    }
}
