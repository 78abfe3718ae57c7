//! The running service, and the Envoy that asks it.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::PLATFORM;
use hookgate_host_tests::process::Process;
use hookgate_host_tests::{keyring, measure, wait};
use tempfile::TempDir;
use tokio::process::Command;

/// Buffers as much as the gate, and hands it over as it is.
const FILTER: &str = r#"          - name: envoy.filters.http.ext_authz
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              transport_api_version: V3
              allowed_headers: {patterns: [{exact: stripe-signature}]}
              with_request_body: {max_request_bytes: 2162688, pack_as_bytes: true}
              http_service:
                server_uri: {uri: "http://authz", cluster: authz, timeout: 5s}
                authorization_response:
                  allowed_upstream_headers: {patterns: [{prefix: ce-}, {exact: traceparent}]}
"#;

/// The service as a process of its own; it ends with its owner.
#[derive(Debug)]
pub(crate) struct Service {
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Service {
    pub(crate) async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let keys = folder.path().join("keys.json");
        fs::write(&keys, keyring::of(&[PLATFORM]))?;
        let ready = folder.path().join("ready");
        let mut command = Command::new(env::current_exe()?);
        command.arg(super::ARGUMENT).arg(&keys).arg(&ready);
        let mut process = Process::spawn("authz", command, folder.path())?;
        let address = wait::until("the service", wait::PATIENCE, async || {
            process.ensure_running()?;
            let text = fs::read_to_string(&ready).unwrap_or_default();
            Ok(text.strip_suffix('\n').and_then(|line| line.parse().ok()))
        })
        .await?;
        Ok(Self {
            process,
            address,
            _folder: folder,
        })
    }

    /// Puts the service in the place of the gate.
    pub(crate) fn put_into(&self, setup: Setup) -> Setup {
        let clusters = "\n  clusters:\n";
        let (ip, port) = (self.address.ip(), self.address.port());
        let cluster = format!(
            "  - name: authz
    connect_timeout: 1s
    type: STATIC
    load_assignment:
      cluster_name: authz
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: {ip}, port_value: {port}}}}}}}
"
        );
        setup
            .edit(clusters, &format!("{clusters}{cluster}"))
            .filters(FILTER)
    }

    /// Returns the CPU time that it has taken so far.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        measure::cpu_time_of_threads(self.process.id().context("the service has ended")?)
    }
}
