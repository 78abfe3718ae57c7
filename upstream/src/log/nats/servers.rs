//! The servers of a log: one, or those of a cluster.

use std::{fmt, str::FromStr};

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

/// Says that a text names no servers. The text may hold a password and is not
/// repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ServersError {
    /// Not the address of a NATS server.
    #[error(
        "expected `nats://HOST:PORT`, for example `nats://127.0.0.1:4222`, or several servers of a cluster with commas between them"
    )]
    Form,
    /// A client has one user for all servers.
    #[error("found servers with different users or passwords, expected one for all of them")]
    Credentials,
    /// A client that may fall back to a server without TLS has none.
    #[error("found `nats://` beside `tls://`, expected one of them for all servers")]
    Schemes,
}

/// Names the servers, at least one. Neither `Display` nor `Debug` shows users
/// and passwords.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Servers(Vec<ServerAddr>);

impl FromStr for Servers {
    type Err = ServersError;

    /// Reads `nats://a:4222,nats://b:4222`; the scheme may stand once.
    fn from_str(text: &str) -> Result<Self, ServersError> {
        let (scheme, _) = text.split_once("://").ok_or(ServersError::Form)?;
        if !matches!(scheme, "nats" | "tls") {
            return Err(ServersError::Form);
        }
        let servers: Vec<ServerAddr> = text
            .split(',')
            .map(|text| server(scheme, text))
            .collect::<Result<_, _>>()?;
        if servers.iter().any(|server| server.scheme() != scheme) {
            return Err(ServersError::Schemes);
        }
        let mut users = servers.iter().filter(|server| server.has_user_pass());
        if let Some(first) = users.next()
            && users.any(|other| {
                (other.username(), other.password()) != (first.username(), first.password())
            })
        {
            return Err(ServersError::Credentials);
        }
        Ok(Self(servers))
    }
}

fn server(scheme: &str, text: &str) -> Result<ServerAddr, ServersError> {
    let server = if text.contains("://") {
        text.parse()
    } else {
        format!("{scheme}://{text}").parse()
    };
    let server: ServerAddr = server.map_err(|_| ServersError::Form)?;
    if server.host().is_empty() {
        return Err(ServersError::Form);
    }
    Ok(server)
}

impl Servers {
    /// Prepares a connection with the user and the encryption that the
    /// addresses name: the client takes neither from them by itself, nor for
    /// the servers that it hears of from a cluster.
    pub(crate) fn options(&self) -> ConnectOptions {
        let tls = self.0.iter().any(ServerAddr::tls_required);
        let options = ConnectOptions::new().require_tls(tls);
        let with_user = self.0.iter().find(|server| server.has_user_pass());
        let Some(user) = with_user.and_then(ServerAddr::username) else {
            return options;
        };
        let user = decoded(user);
        match with_user.and_then(ServerAddr::password) {
            Some(password) => options.user_and_password(user, decoded(password)),
            None => options.token(user),
        }
    }

    /// Returns the addresses.
    pub(crate) fn addresses(&self) -> &[ServerAddr] {
        &self.0
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl From<ServerAddr> for Servers {
    fn from(server: ServerAddr) -> Self {
        Self(vec![server])
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, server) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let (scheme, host, port) = (server.scheme(), server.host(), server.port());
            match host.contains(':') {
                true => write!(f, "{comma}{scheme}://[{host}]:{port}")?,
                false => write!(f, "{comma}{scheme}://{host}:{port}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Servers({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::{Servers, ServersError};

    #[test]
    fn reads_the_servers_of_a_cluster() {
        for (text, shown) in [
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
            ("nats://a:4222,nats://b:4223", "nats://a:4222,nats://b:4223"),
            ("tls://a:1,b:2,c", "tls://a:1,tls://b:2,tls://c:4222"),
            ("nats://u:p@a:1,b:2", "nats://a:1,nats://b:2"),
            ("nats://[::1]:4222", "nats://[::1]:4222"),
        ] {
            let servers: Servers = text.parse().unwrap();
            assert_eq!(servers.to_string(), shown);
            assert_eq!(format!("{servers:?}"), format!("Servers({shown})"));
        }
    }

    #[test]
    fn refuses_what_names_no_servers() {
        for (text, error) in [
            ("", ServersError::Form),
            ("a:4222", ServersError::Form),
            ("nats://a:4222,", ServersError::Form),
            ("nats://a:4222,,nats://b", ServersError::Form),
            ("nats://a,tls://b", ServersError::Schemes),
            ("tls://a,nats://b", ServersError::Schemes),
            ("nats://u:p@a,nats://u:other@b", ServersError::Credentials),
            ("nats://u:p@a,nats://other:p@b", ServersError::Credentials),
        ] {
            assert_eq!(text.parse::<Servers>().unwrap_err(), error, "{text}");
        }
    }
}
