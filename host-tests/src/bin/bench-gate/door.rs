//! The doors that are compared.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::measure;

use crate::authz::{self, Service};
use crate::request::Kind;

/// The shipped quota of failures: forged deliveries would use it up, and
/// then be refused before they cost anything.
const SHIPPED_QUOTA: &str = r#""rate": 60, "per_seconds": 60, "burst": 100"#;

/// One that is charged as well, and never used up.
const QUOTA: &str = r#""rate": 1000000, "per_seconds": 1, "burst": 1000000"#;

/// The last line of the gate's configuration, and one with the watch behind it.
const TIMEOUT: &str = r#""upstream_timeout_seconds": 10"#;
const WATCH: &str = r#""upstream_timeout_seconds": 10, "watch": {}"#;

/// The route of the deliveries, and one that takes them before.
const ROUTE: &str = "              - match: {path: /webhooks/stripe}\n";
const REFUSAL: &str = "              - match: {path: /webhooks/stripe}
                direct_response: {status: 400}
";

/// What a door is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Door {
    /// The shipped Envoy without the gate: what Envoy itself costs.
    Floor,
    /// The shipped Envoy answering 400 by its routes: what a refusal costs where
    /// nothing is checked.
    Refusing,
    /// The shipped Envoy, or with another build of the module.
    Gate(Option<PathBuf>),
    /// The shipped Envoy, watched for anomalies.
    Watched,
    /// Envoy asking a service that decides as the gate does.
    ExtAuthz,
}

impl Door {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Floor => "Envoy alone".to_owned(),
            Self::Refusing => "Envoy refusing".to_owned(),
            Self::Gate(None) => "with Hookgate".to_owned(),
            Self::Gate(Some(module)) => {
                module.file_stem().unwrap_or_default().display().to_string()
            }
            Self::Watched => "and the watch".to_owned(),
            Self::ExtAuthz => "with ext_authz".to_owned(),
        }
    }

    /// Tells whether it is compared by deliveries of this kind.
    pub(crate) fn takes(&self, kind: Kind) -> bool {
        *self != Self::Refusing || kind.is_refused()
    }

    /// Returns the status that a delivery of this kind has to get.
    pub(crate) fn status(&self, kind: Kind) -> u16 {
        match (self, kind) {
            (Self::Refusing, _) => 400,
            (Self::Floor, _) | (_, Kind::Accepted) => 200,
            (Self::Gate(_) | Self::Watched, Kind::Duplicate) => 200,
            (Self::ExtAuthz, Kind::Duplicate) => authz::NOT_AGAIN,
            (_, Kind::Forged | Kind::Stale | Kind::Missing) => 400,
        }
    }
}

/// CPU time: of a door so far, or in microseconds for each request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) envoy: f64,
    pub(crate) service: f64,
}

impl Cost {
    pub(crate) fn total(&self) -> f64 {
        self.envoy + self.service
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            envoy: self.envoy - before.envoy,
            service: self.service - before.service,
        }
    }

    pub(crate) fn each_of(self, count: u32) -> Self {
        Self {
            envoy: self.envoy / f64::from(count),
            service: self.service / f64::from(count),
        }
    }
}

/// A running door; it ends with its owner.
#[derive(Debug)]
pub(crate) struct Running {
    envoy: Envoy,
    service: Option<Service>,
}

impl Running {
    /// Starts a door in front of `upstream`.
    pub(crate) async fn start(door: &Door, upstream: SocketAddr) -> Result<Self> {
        let shipped = Setup::shipped().workers(1);
        let service = match door {
            Door::ExtAuthz => Some(Service::start().await?),
            _ => None,
        };
        let setup = match (door, &service) {
            (Door::Gate(Some(module)), _) => {
                shipped.edit(SHIPPED_QUOTA, QUOTA).module(module.clone())
            }
            (Door::Watched, _) => shipped.edit(SHIPPED_QUOTA, QUOTA).edit(TIMEOUT, WATCH),
            (Door::Gate(None), _) => shipped.edit(SHIPPED_QUOTA, QUOTA),
            (_, Some(service)) => service.put_into(shipped),
            (Door::Refusing, _) => shipped
                .filters("")
                .edit(ROUTE, &format!("{REFUSAL}{ROUTE}")),
            (_, None) => shipped.filters(""),
        };
        let envoy = setup.start(upstream).await?;
        eprintln!("{}: Envoy is process {}", door.name(), envoy.process_id()?);
        Ok(Self { envoy, service })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.envoy.address()
    }

    /// Returns the CPU time so far, in microseconds.
    pub(crate) fn cpu_time(&self) -> Result<Cost> {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let service = self.service.as_ref().map(Service::cpu_time).transpose()?;
        Ok(Cost {
            envoy: micros(measure::cpu_time_of_threads(self.envoy.process_id()?)?),
            service: micros(service.unwrap_or_default()),
        })
    }

    /// Prints nothing on drop: all went well.
    pub(crate) fn discard_output(&mut self) {
        self.envoy.discard_output();
    }
}
