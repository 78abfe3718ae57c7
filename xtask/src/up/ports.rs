//! The ports of `up`, and whether they are free.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail};
use clap::Args;

const NATS_FLAG: &str = "--nats-port";

/// Where each part listens, on 127.0.0.1.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Ports {
    /// Envoy's plain listener
    #[arg(long = "port", value_name = "PORT", default_value_t = 10000)]
    pub(crate) door: u16,
    /// Envoy's TLS listener
    #[arg(long = "tls-port", value_name = "PORT", default_value_t = 10443)]
    pub(crate) tls: u16,
    /// Envoy's admin interface
    #[arg(long = "admin-port", value_name = "PORT", default_value_t = 9901)]
    pub(crate) admin: u16,
    /// The upstream
    #[arg(long = "upstream-port", value_name = "PORT", default_value_t = 8080)]
    pub(crate) upstream: u16,
    /// The upstream's metrics
    #[arg(long = "metrics-port", value_name = "PORT", default_value_t = 9464)]
    pub(crate) metrics: u16,
    /// nats-server, with `--log nats`
    #[arg(long = "nats-port", value_name = "PORT", default_value_t = 4222)]
    pub(crate) nats: u16,
}

impl Ports {
    /// Picks ports that nothing listens on right now.
    ///
    /// # Errors
    /// If the machine has none left.
    pub(crate) fn unused() -> Result<Self> {
        let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        // All are held until all are known, so that they differ.
        let held = [bind()?, bind()?, bind()?, bind()?, bind()?, bind()?];
        let [door, tls, admin, upstream, metrics, nats] =
            held.each_ref().map(TcpListener::local_addr);
        Ok(Self {
            door: door?.port(),
            tls: tls?.port(),
            admin: admin?.port(),
            upstream: upstream?.port(),
            metrics: metrics?.port(),
            nats: nats?.port(),
        })
    }

    /// Returns the arguments that choose these ports.
    pub(crate) fn arguments(&self) -> Vec<String> {
        self.flags()
            .into_iter()
            .flat_map(|(port, flag)| [flag.to_owned(), port.to_string()])
            .collect()
    }

    /// Checks that every port that is needed can be listened on.
    ///
    /// # Errors
    /// Names every taken port with the flag that changes it, and every port that is named twice.
    pub(crate) fn ensure_free(&self, with_nats: bool) -> Result<()> {
        let needed = self
            .flags()
            .into_iter()
            .filter(|(_, flag)| with_nats || *flag != NATS_FLAG);
        let mut refused = Vec::new();
        // Each stays bound while the others are tried, so that a port named twice is refused too.
        let mut bound = Vec::new();
        for (port, flag) in needed {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                Ok(listener) => bound.push(listener),
                Err(error) if error.kind() == ErrorKind::AddrInUse => {
                    refused.push(format!("port {port} is taken: choose another with {flag}"));
                }
                Err(error) => return Err(error).with_context(|| format!("{flag} {port}")),
            }
        }
        if refused.is_empty() {
            return Ok(());
        }
        bail!("{}", refused.join("\n       "))
    }

    fn flags(&self) -> [(u16, &'static str); 6] {
        [
            (self.door, "--port"),
            (self.tls, "--tls-port"),
            (self.admin, "--admin-port"),
            (self.upstream, "--upstream-port"),
            (self.metrics, "--metrics-port"),
            (self.nats, NATS_FLAG),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_free_ports() {
        Ports::unused().unwrap().ensure_free(true).unwrap();
    }

    #[test]
    fn names_a_taken_port_and_its_flag() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let ports = Ports {
            admin: port,
            ..Ports::unused().unwrap()
        };
        let error = ports.ensure_free(false).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("port {port} is taken: choose another with --admin-port")
        );
    }

    #[test]
    fn refuses_a_port_that_is_named_twice() {
        let ports = Ports::unused().unwrap();
        let twice = Ports {
            tls: ports.door,
            ..ports
        };
        let error = twice.ensure_free(false).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "port {} is taken: choose another with --tls-port",
                ports.door
            )
        );
    }

    #[test]
    fn leaves_the_port_of_nats_alone_where_nats_is_not_used() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let nats = taken.local_addr().unwrap().port();
        Ports {
            nats,
            ..Ports::unused().unwrap()
        }
        .ensure_free(false)
        .unwrap();
    }
}
