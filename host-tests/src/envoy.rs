//! One Envoy with the shipped configuration, native or in a container.

mod restart;
mod setup;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::admin::Admin;
use crate::client::{self, Answer, Delivery};
use crate::gate_token::GateTokenFile;
use crate::keyring::KeyringFile;
use crate::process::Process;
use crate::wait;

pub use setup::Setup;

/// A running Envoy; it ends with its owner.
#[derive(Debug)]
pub struct Envoy {
    // Dropped, and so killed, before its folder.
    _container: Option<Container>,
    process: Process,
    admin: Admin,
    plain: SocketAddr,
    tls: SocketAddr,
    certificate: String,
    keyring: KeyringFile,
    gate_token: GateTokenFile,
    setup: Setup,
    /// How many processes there were before.
    epoch: u32,
    folder: TempDir,
}

impl Envoy {
    /// Returns the admin.
    #[must_use]
    pub fn admin(&self) -> Admin {
        self.admin
    }

    /// Returns the address of the plain listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.plain
    }

    /// Returns the address of the TLS listener.
    #[must_use]
    pub fn tls_address(&self) -> SocketAddr {
        self.tls
    }

    /// Returns the file with the TLS listener's certificate, for `localhost`.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Returns the watched file with the signing secrets.
    #[must_use]
    pub fn keyring(&self) -> &KeyringFile {
        &self.keyring
    }

    /// Returns the watched file with the token that it shows the upstream.
    #[must_use]
    pub fn gate_token(&self) -> &GateTokenFile {
        &self.gate_token
    }

    /// Changes the listeners as a control plane would; Envoy takes them or
    /// refuses them later. Only for one that is [`Setup::updatable`].
    ///
    /// # Errors
    /// `from` doesn't stand there, or the file can't be replaced.
    pub fn update_listeners(&self, from: &str, to: &str) -> Result<()> {
        let folder = self.folder.path().join("lds");
        let text = fs::read_to_string(folder.join("lds.yaml"))?;
        ensure!(text.contains(from), "`{from}` does not stand there");
        let next = folder.join("next");
        fs::write(&next, text.replace(from, to))?;
        Ok(fs::rename(next, folder.join("lds.yaml"))?)
    }

    /// Returns the folder of this Envoy's files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends a delivery to the plain listener, over a connection of its own.
    ///
    /// # Errors
    /// No answer.
    pub async fn send(&self, delivery: Delivery) -> Result<Answer> {
        client::send(self.plain, delivery).await
    }

    /// Returns how much memory of the machine Envoy holds; not in a container.
    ///
    /// # Errors
    /// It has ended.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.process.resident_bytes()
    }

    /// Returns its process id; not in a container.
    ///
    /// # Errors
    /// It has ended.
    pub fn process_id(&self) -> Result<u32> {
        self.process.id().context("Envoy has ended")
    }

    /// Prints nothing on drop, see [`Process::discard_output`].
    pub fn discard_output(&mut self) {
        self.process.discard_output();
    }

    /// Returns everything that Envoy has written: log and access log.
    ///
    /// # Errors
    /// The files can't be read.
    pub fn output(&self) -> Result<String> {
        Ok(self.process.stderr()? + &self.process.stdout()?)
    }

    /// Waits for the access log's line about `event_id`.
    ///
    /// # Errors
    /// There is none in time.
    pub async fn access_log(&self, event_id: &str) -> Result<serde_json::Value> {
        self.access_log_where(event_id, |_| true).await
    }

    /// Waits for the access log's line about `event_id` with this outcome.
    ///
    /// # Errors
    /// There is none in time.
    pub async fn access_log_of(&self, event_id: &str, outcome: &str) -> Result<serde_json::Value> {
        let wanted = |line: &serde_json::Value| line.get("outcome").is_some_and(|v| v == outcome);
        self.access_log_where(event_id, wanted).await
    }

    async fn access_log_where(
        &self,
        event_id: &str,
        wanted: impl Fn(&serde_json::Value) -> bool,
    ) -> Result<serde_json::Value> {
        let what = format!("an access log line with `{event_id}`");
        wait::until(&what, wait::PATIENCE, async || {
            let text = self.process.stdout()?;
            let mut lines = text
                .lines()
                .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            Ok(lines
                .find(|line| line.get("event_id").is_some_and(|id| id == event_id) && wanted(line)))
        })
        .await
    }
}

#[derive(Debug)]
struct Container {
    engine: String,
    name: String,
}

impl Drop for Container {
    fn drop(&mut self) {
        // Killing `run` alone would leave the container behind.
        let _ = std::process::Command::new(&self.engine)
            .args(["kill", &self.name])
            .output();
    }
}
