//! What the console works with.

use std::net::{IpAddr, SocketAddr};

use tracing::info;

use super::{
    access::{Hosts, Operators, OperatorsError, Policy, Proxy},
    doctor::{DoctorPage, DoctorPageError},
};
use crate::config::{self, Listen, LocalReading};

/// Sets where the console is, and who may come in.
#[derive(Debug)]
pub(crate) struct Settings {
    listen: SocketAddr,
    hosts: Vec<String>,
    local_reading: LocalReading,
    operators: Operators,
    proxy: Option<Proxy>,
    pub(super) doctor: Option<DoctorPage>,
}

/// Says why there is no console.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// Whoever reaches the port could read events.
    #[error(
        "refusing to show the console on `{listen}` with no operators: whoever reaches that address could read events. Add [[console.operators]] with a token to the configuration, or listen on 127.0.0.1, or say --console off"
    )]
    Open {
        /// The address asked for.
        listen: SocketAddr,
    },
    /// Operators or the proxy can't be used.
    #[error(transparent)]
    Operators(#[from] OperatorsError),
    /// The doctor's page can't be shown.
    #[error(transparent)]
    Doctor(#[from] DoctorPageError),
}

impl Settings {
    /// Reads what stands elsewhere; `None`: there is no console. Without an
    /// address it is beside `metrics`, unless that is beyond loopback and nobody
    /// may come in.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub(crate) fn load(
        console: config::Console,
        metrics: Listen,
    ) -> Result<Option<Self>, SettingsError> {
        let has_operators = !console.operators.is_empty();
        let listen = match (console.listen, metrics) {
            (Some(Listen::Off), _) | (None, Listen::Off) => return Ok(None),
            (Some(Listen::At(listen)), _) => listen,
            (None, Listen::At(listen)) if listen.ip().is_loopback() || has_operators => listen,
            (None, Listen::At(_)) => {
                info!("no console: metrics are beyond loopback, and there are no operators");
                return Ok(None);
            }
        };
        if !listen.ip().is_loopback() && !has_operators {
            return Err(SettingsError::Open { listen });
        }
        let proxy = console.proxy.as_ref();
        let proxy = proxy.map(|proxy| Proxy::load(proxy, &console.operators));
        Ok(Some(Self {
            listen,
            hosts: console.hosts,
            local_reading: console.local_reading,
            operators: Operators::load(&console.operators)?,
            proxy: proxy.transpose()?,
            doctor: console
                .doctor
                .as_deref()
                .map(DoctorPage::load)
                .transpose()?,
        }))
    }

    /// Returns where it is to be served.
    pub(crate) const fn listen(&self) -> SocketAddr {
        self.listen
    }

    pub(super) fn policy(self, address: IpAddr) -> Policy {
        Policy {
            hosts: Hosts::new(self.hosts, address),
            is_local: address.is_loopback(),
            local_reading: self.local_reading,
            operators: self.operators,
            proxy: self.proxy,
        }
    }
}
