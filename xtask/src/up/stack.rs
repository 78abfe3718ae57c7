//! The servers of `up`, started in the order in which they need each other.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ureq::Agent;

use super::certificate::DevCertificate;
use super::gate_token::GateToken;
use super::interrupt::Interrupt;
use super::keyring::Keyring;
use super::ports::Ports;
use super::secrets::Secrets;
use super::server::{Server, bound_to_us};
use super::shipped;
use crate::workspace::Workspace;

/// What the servers are started from.
#[derive(Debug)]
pub(crate) struct Stack<'a> {
    /// Where the shipped files and the built artefacts are.
    pub(crate) workspace: &'a Workspace,
    /// Where the servers listen.
    pub(crate) ports: &'a Ports,
    /// The folder that they write to.
    pub(crate) data: &'a Path,
    /// What the TLS listener shows.
    pub(crate) certificate: &'a DevCertificate,
    /// What the servers are not to find in their environment.
    pub(crate) secrets: &'a Secrets,
    /// Where they find it instead.
    pub(crate) keyring: &'a Keyring,
    /// What the upstream knows Envoy by.
    pub(crate) gate_token: &'a GateToken,
    /// What its console shows at `/doctor`.
    pub(crate) doctor_page: &'a Path,
    /// Ends the start.
    pub(crate) interrupt: &'a Interrupt,
}

/// The running servers; dropped, they end in the order of the fields: first the door, so
/// that nothing new comes in, last the broker.
#[derive(Debug)]
pub(crate) struct Running {
    envoy: Server,
    upstream: Server,
    nats: Option<Server>,
    log_url: String,
}

impl Running {
    /// Returns the URL of the log.
    pub(crate) fn log_url(&self) -> &str {
        &self.log_url
    }

    /// Checks that no server has ended.
    ///
    /// # Errors
    /// Names the first that has, with the last lines of its log.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        self.envoy.check_running()?;
        self.upstream.check_running()?;
        self.nats.as_mut().map_or(Ok(()), Server::check_running)
    }
}

impl Stack<'_> {
    /// Checks Envoy's configuration, then starts the log's server, if it has one, then the
    /// upstream, then Envoy, each when the one before is ready.
    ///
    /// # Errors
    /// If the check finds an error, or one of them can't be started or doesn't become ready.
    pub(crate) fn start(&self, envoy: &Path, nats_server: Option<&Path>) -> Result<Running> {
        fs::create_dir_all(self.run_folder())
            .with_context(|| self.run_folder().display().to_string())?;
        let nats = nats_server.map(|path| self.start_nats(path)).transpose()?;
        let log_url = if nats.is_some() {
            format!("nats://127.0.0.1:{}", self.ports.nats)
        } else {
            format!("sqlite:{}", self.data.join("hookgate.db").display())
        };
        let gate = self.render_envoy()?;
        self.check(&gate)?;
        let upstream = self.start_upstream(&log_url, &gate)?;
        let envoy = self.start_envoy(envoy, &gate)?;
        Ok(Running {
            envoy,
            upstream,
            nats,
            log_url,
        })
    }

    fn start_nats(&self, program: &Path) -> Result<Server> {
        let store = self.data.join("nats");
        let config = self.render(
            "envoy/nats.conf",
            "nats.conf",
            &[
                ("127.0.0.1:4222", format!("127.0.0.1:{}", self.ports.nats)),
                ("/var/lib/nats", store.display().to_string()),
            ],
        )?;
        let mut server = Server::start(
            "nats-server",
            bound_to_us(program).arg("-c").arg(config),
            &self.run_folder(),
        )?;
        let port = self.ports.nats;
        server.wait_until(
            || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok(),
            self.interrupt,
        )?;
        Ok(server)
    }

    fn start_upstream(&self, log_url: &str, gate: &Path) -> Result<Server> {
        let port = self.ports.upstream;
        let mut command = bound_to_us(&self.workspace.hookgate());
        command
            .args(["serve", "--log", log_url])
            .arg("--listen")
            .arg(format!("127.0.0.1:{port}"))
            .arg("--metrics")
            .arg(format!("127.0.0.1:{}", self.ports.metrics))
            .arg("--gate")
            .arg(gate)
            .arg("--keyring")
            .arg(self.keyring.file())
            .arg("--gate-token-file")
            .arg(self.gate_token.accepted())
            .arg("--doctor-page")
            .arg(self.doctor_page);
        let mut server = Server::start(
            "upstream",
            self.secrets.withhold(&mut command),
            &self.run_folder(),
        )?;
        server.wait_until(|| answers_ok(port, "/readyz"), self.interrupt)?;
        Ok(server)
    }

    fn render_envoy(&self) -> Result<PathBuf> {
        let port = |port: u16| format!("port_value: {port}");
        let path = |path: &Path| path.display().to_string();
        let ports = self.ports;
        let (keys, watched) = (self.keyring.file(), self.keyring.folder());
        self.render(
            "envoy/envoy.yaml",
            "envoy.yaml",
            &[
                ("port_value: 10000", port(ports.door)),
                ("port_value: 10443", port(ports.tls)),
                ("port_value: 9901", port(ports.admin)),
                ("port_value: 8080", port(ports.upstream)),
                (
                    "/etc/hookgate/hookgate.wasm",
                    path(&self.workspace.module()),
                ),
                (
                    "/etc/hookgate/tls/tls.crt",
                    path(&self.certificate.certificate),
                ),
                ("/etc/hookgate/tls/tls.key", path(&self.certificate.key)),
                (
                    "/etc/hookgate/secrets/keys.json:/etc/hookgate/secrets",
                    format!("{}:{}", keys.display(), watched.display()),
                ),
                ("/etc/hookgate/gate", path(self.gate_token.folder())),
            ],
        )
    }

    /// Lets `hookgate check-config` read what Envoy will.
    fn check(&self, config: &Path) -> Result<()> {
        let output = Command::new(self.workspace.hookgate())
            .arg("check-config")
            .arg(config)
            .output()
            .context("starting hookgate check-config")?;
        if output.status.success() {
            return Ok(());
        }
        let findings = [output.stdout, output.stderr].concat();
        bail!(
            "check-config:\n{}",
            String::from_utf8_lossy(&findings).trim()
        )
    }

    fn start_envoy(&self, program: &Path, config: &Path) -> Result<Server> {
        let admin = self.ports.admin;
        let mut command = bound_to_us(program);
        command
            .arg("-c")
            .arg(config)
            // Several run side by side; two workers show what more would, and start sooner.
            .args(["--use-dynamic-base-id", "--concurrency", "2"])
            // At debug this logger prints the keyring.
            .args(["--component-log-level", "config:info"]);
        let mut server = Server::start(
            "envoy",
            self.secrets.withhold(&mut command),
            &self.run_folder(),
        )?;
        server.wait_until(|| answers_ok(admin, "/ready"), self.interrupt)?;
        Ok(server)
    }

    /// Writes a shipped file with its replacements into the run folder.
    fn render(
        &self,
        shipped: &str,
        name: &str,
        replacements: &[(&str, String)],
    ) -> Result<PathBuf> {
        let text =
            fs::read_to_string(self.workspace.path(shipped)).with_context(|| shipped.to_owned())?;
        let rendered = self.run_folder().join(name);
        fs::write(&rendered, shipped::render(shipped, &text, replacements)?)?;
        Ok(rendered)
    }

    fn run_folder(&self) -> PathBuf {
        self.data.join("run")
    }
}

/// Tells whether a GET on this machine answers 2xx.
fn answers_ok(port: u16, path: &str) -> bool {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(1)))
        .proxy(None)
        .build()
        .into();
    agent
        .get(format!("http://127.0.0.1:{port}{path}"))
        .call()
        .is_ok()
}
