//! How an Envoy is started.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::process::Command;

use super::{Container, Envoy};
use crate::admin::Admin;
use crate::artefact::{self, Runtime};
use crate::bootstrap::Bootstrap;
use crate::event::{CONNECT, Endpoint, PLATFORM};
use crate::gate_token::GateTokenFile;
use crate::keyring::{self, KeyringFile};
use crate::process::Process;
use crate::wait;

/// How to start an Envoy; what isn't said is as shipped.
#[derive(Debug, Clone)]
pub struct Setup {
    workers: u32,
    log_level: &'static str,
    edits: Vec<(String, String)>,
    endpoints: Vec<Endpoint>,
    gate: Option<serde_json::Value>,
    keyring: Option<String>,
    environment: Vec<(String, String)>,
    blocks: Option<Vec<String>>,
    vault: Vec<(&'static str, String)>,
    module: Option<PathBuf>,
    filters: Option<String>,
    updatable: bool,
    drain_seconds: Option<u32>,
}

impl Setup {
    /// Starts from the shipped configuration, with two workers.
    #[must_use]
    pub fn shipped() -> Self {
        Self {
            workers: 2,
            log_level: "warning",
            edits: Vec::new(),
            endpoints: vec![PLATFORM, CONNECT],
            gate: None,
            keyring: None,
            environment: Vec::new(),
            blocks: None,
            vault: Vec::new(),
            module: None,
            filters: None,
            updatable: false,
            drain_seconds: None,
        }
    }

    /// Starts from the complete configuration, with these of its blocks only.
    #[must_use]
    pub fn complete(blocks: &[&str]) -> Self {
        Self {
            blocks: Some(blocks.iter().map(|&name| name.to_owned()).collect()),
            ..Self::shipped()
        }
    }

    /// Puts `address` in the place of the cluster at `port`.
    #[must_use]
    pub fn cluster(self, port: u16, address: SocketAddr) -> Self {
        self.edit(
            &format!("address: 127.0.0.1, port_value: {port}}}"),
            &socket_address(address),
        )
    }

    /// Gives Envoy Vault's token, and the certificate to know Vault by.
    #[must_use]
    pub fn vault(mut self, token: &str, certificate: String) -> Self {
        let token = serde_json::json!({"resources": [{
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": "vault-token",
            "generic_secret": {"secret": {"inline_string": token}},
        }]});
        self.vault = vec![("token.yaml", token.to_string()), ("ca.crt", certificate)];
        self
    }

    /// Sets the number of worker threads.
    #[must_use]
    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    /// Sets Envoy's log level.
    #[must_use]
    pub fn log_level(mut self, level: &'static str) -> Self {
        self.log_level = level;
        self
    }

    /// Leaves this endpoint's secret out of the keyring.
    #[must_use]
    pub fn without_secret(mut self, endpoint: Endpoint) -> Self {
        self.endpoints.retain(|other| *other != endpoint);
        self
    }

    /// Starts with this text in the keyring file.
    #[must_use]
    pub fn keyring(mut self, text: impl Into<String>) -> Self {
        self.keyring = Some(text.into());
        self
    }

    /// Sets a variable in Envoy's environment; the configuration has to list it
    /// in `host_env_keys`.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs another module than the shipped one; not in a container.
    #[must_use]
    pub fn module(mut self, path: PathBuf) -> Self {
        self.module = Some(path);
        self
    }

    /// Runs these filters in the place of the gate.
    #[must_use]
    pub fn filters(mut self, filters: &str) -> Self {
        self.filters = Some(filters.to_owned());
        self
    }

    /// Replaces the gate's whole configuration, and gives each of its endpoints
    /// a route to the upstream.
    #[must_use]
    pub fn gate(mut self, configuration: serde_json::Value) -> Self {
        self.gate = Some(configuration);
        self
    }

    /// Shortens the lease of a reservation and the upstream's time-out.
    #[must_use]
    pub fn lease_and_timeout(self, lease_seconds: u32, timeout_seconds: u32) -> Self {
        self.edit(
            r#""lease_seconds": 30"#,
            &format!(r#""lease_seconds": {lease_seconds}"#),
        )
        .edit(
            r#""upstream_timeout_seconds": 10"#,
            &format!(r#""upstream_timeout_seconds": {timeout_seconds}"#),
        )
    }

    /// Replaces `from`, which has to stand in the shipped file, by `to`.
    #[must_use]
    pub fn edit(mut self, from: &str, to: &str) -> Self {
        self.edits.push((from.to_owned(), to.to_owned()));
        self
    }

    /// With listeners that [`Envoy::update_listeners`] can change.
    #[must_use]
    pub fn updatable(mut self) -> Self {
        self.updatable = true;
        self
    }

    /// Shortens how long what is replaced or drained goes on with its connections.
    #[must_use]
    pub fn drain_seconds(mut self, seconds: u32) -> Self {
        self.drain_seconds = Some(seconds);
        self
    }

    /// Starts Envoy in front of `upstream` and waits until it takes requests.
    ///
    /// # Errors
    /// Something isn't installed, or Envoy refuses the configuration.
    pub async fn start(self, upstream: SocketAddr) -> Result<Envoy> {
        let runtime = artefact::envoy()?;
        let folder = tempfile::tempdir()?;
        let certificate = write_certificate(folder.path())?;
        let text = self.keyring.clone();
        let text = text.unwrap_or_else(|| keyring::of(&self.endpoints));
        let keyring = KeyringFile::create(folder.path(), &text)?;
        let gate_token = GateTokenFile::create(folder.path())?;
        self.write_vault(&folder.path().join("vault"))?;
        let mut bootstrap = self.render(upstream, &runtime, folder.path(), &keyring)?;
        if self.updatable {
            let watched = folder.path().join("lds");
            fs::create_dir(&watched)?;
            let listeners = bootstrap.take_listeners(&watched)?;
            fs::write(watched.join("lds.yaml"), listeners)?;
        }
        bootstrap.write(&folder.path().join("envoy.yaml"))?;

        let (mut command, container) = self.command(&runtime, folder.path())?;
        command
            .arg("-c")
            .arg(folder.path().join("envoy.yaml"))
            .arg("--use-dynamic-base-id")
            .arg("--base-id-path")
            .arg(folder.path().join("base-id"))
            .arg("--admin-address-path")
            .arg(folder.path().join("admin"));
        let mut process = Process::spawn("envoy", command, folder.path())?;
        let admin = admin(&mut process, &folder.path().join("admin")).await?;
        let (plain, tls) = wait::until("Envoy's listeners", wait::PATIENCE, async || {
            process.ensure_running()?;
            // Bound ports alone don't mean that the workers have their VMs.
            if admin.page("/ready").await.is_err() {
                return Ok(None);
            }
            let listeners = admin.listeners().await?;
            let port_of = |tls: bool| {
                let mut named = listeners.iter();
                named.find(|(name, _)| name.contains("tls") == tls)
            };
            Ok(port_of(false).zip(port_of(true)).map(|(p, t)| (p.1, t.1)))
        })
        .await?;
        Ok(Envoy {
            process,
            _container: container,
            admin,
            plain: loopback(plain),
            tls: loopback(tls),
            certificate,
            keyring,
            gate_token,
            setup: self,
            epoch: 0,
            folder,
        })
    }

    fn write_vault(&self, folder: &Path) -> Result<()> {
        fs::create_dir(folder)?;
        for (name, text) in &self.vault {
            fs::write(folder.join(name), text)?;
        }
        Ok(())
    }

    fn render(
        &self,
        upstream: SocketAddr,
        runtime: &Runtime,
        folder: &Path,
        keyring: &KeyringFile,
    ) -> Result<Bootstrap> {
        let mut bootstrap = match &self.blocks {
            None => Bootstrap::shipped()?,
            Some(names) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                Bootstrap::complete(&names)?
            }
        };
        if let Some(configuration) = &self.gate {
            bootstrap.configure(configuration)?;
        }
        for (from, to) in &self.edits {
            bootstrap.replace(from, to)?;
        }
        for port in [10000, 10443, 9901] {
            bootstrap.replace(&format!("port_value: {port}"), "port_value: 0")?;
        }
        let shipped = "address: 127.0.0.1, port_value: 8080}";
        bootstrap.replace(shipped, &socket_address(upstream))?;
        for file in ["tls.crt", "tls.key"] {
            let here = folder.join(file).display().to_string();
            bootstrap.replace(&format!("/etc/hookgate/tls/{file}"), &here)?;
        }
        let watched = "/etc/hookgate/secrets/keys.json:/etc/hookgate/secrets";
        let here = format!(
            "{}:{}",
            keyring.path().display(),
            keyring.folder().display()
        );
        bootstrap.replace(watched, &here)?;
        let here = folder.join("gate").display().to_string();
        bootstrap.replace("/etc/hookgate/gate", &here)?;
        if !self.vault.is_empty() {
            let here = folder.join("vault").display().to_string();
            bootstrap.replace("/etc/hookgate/vault", &here)?;
        }
        // The image brings its own module, and that one is to be tested.
        if matches!(runtime, Runtime::Native(_)) {
            let module = self.module.clone().map_or_else(artefact::module, Ok)?;
            let module = module.display().to_string();
            bootstrap.replace("/etc/hookgate/hookgate.wasm", &module)?;
        }
        if let Some(filters) = &self.filters {
            bootstrap.replace_filters(filters)?;
        }
        Ok(bootstrap)
    }

    /// Prepares a start with all but what is of one process alone.
    pub(super) fn command(
        &self,
        runtime: &Runtime,
        folder: &Path,
    ) -> Result<(Command, Option<Container>)> {
        let (mut command, container) = match runtime {
            Runtime::Native(path) => (Command::new(path), None),
            Runtime::Container {
                engine,
                arguments,
                image,
            } => {
                // Envoy runs as a user of its own in there.
                for entry in fs::read_dir(folder)? {
                    let path = entry?.path();
                    if path.is_file() {
                        fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
                    }
                }
                fs::set_permissions(folder, fs::Permissions::from_mode(0o777))?;
                let name = folder
                    .file_name()
                    .and_then(|name| name.to_str())
                    .context("a folder without a name")?
                    .trim_start_matches('.');
                let name = format!("hookgate-test-{name}");
                let mount = format!("{0}:{0}", folder.display());
                let mut command = Command::new(engine);
                command
                    .args(["run", "--rm", "--network", "host", "--name", &name])
                    .args(arguments)
                    .args(["-v", &mount]);
                for (name, _) in &self.environment {
                    command.args(["-e", name]);
                }
                command.arg(image);
                let engine = engine.clone();
                (command, Some(Container { engine, name }))
            }
        };
        for endpoint in [PLATFORM, CONNECT] {
            command.env_remove(endpoint.variable);
        }
        command.envs(self.environment.iter().cloned());
        command
            .args(["--concurrency", &self.workers.to_string()])
            .args(["--log-level", self.log_level])
            .args(["--component-log-level", "wasm:info,config:info"])
            // The access log is read by tests; as shipped it waits 10 s.
            .args(["--file-flush-interval-msec", "50"]);
        if let Some(seconds) = self.drain_seconds {
            command.args(["--drain-time-s", &seconds.to_string()]);
            command.args(["--parent-shutdown-time-s", &(seconds + 1).to_string()]);
        }
        Ok((command, container))
    }
}

/// Waits until a process has written where its admin listens.
pub(super) async fn admin(process: &mut Process, file: &Path) -> Result<Admin> {
    wait::until("Envoy's admin", wait::PATIENCE, async || {
        process.ensure_running()?;
        let text = fs::read_to_string(file).unwrap_or_default();
        Ok(text.trim().parse().ok().map(Admin::new))
    })
    .await
}

fn write_certificate(folder: &Path) -> Result<String> {
    let made =
        rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let path = folder.join("tls.crt");
    fs::write(&path, made.cert.pem())?;
    fs::write(folder.join("tls.key"), made.signing_key.serialize_pem())?;
    Ok(path.display().to_string())
}

/// The end of Envoy's way to write an address.
fn socket_address(address: SocketAddr) -> String {
    format!(
        "address: {}, port_value: {}}}",
        address.ip(),
        address.port()
    )
}

fn loopback(address: SocketAddr) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], address.port()))
}
