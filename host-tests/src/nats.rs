//! A nats-server with JetStream and the shipped configuration.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::process::Command;

use crate::measure::{self, Memory};
use crate::process::Process;
use crate::{artefact, loopback, wait};

/// Name of the log's stream.
const STREAM: &str = "HOOKGATE";

/// Says when a server syncs what it has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syncing {
    /// Before it acknowledges, as shipped.
    Always,
    /// Every two minutes: to fill a store that is measured afterwards.
    Seldom,
}

/// One running nats-server and its store; both end with their owner.
#[derive(Debug)]
pub struct Nats {
    process: Process,
    address: SocketAddr,
    folder: TempDir,
}

impl Nats {
    /// Starts a server with the shipped `envoy/nats.conf`.
    ///
    /// # Errors
    /// No nats-server on this machine, or it doesn't start.
    pub async fn start() -> Result<Self> {
        Self::start_in(tempfile::tempdir()?, Syncing::Always).await
    }

    /// Starts a server on an empty store in `folder`.
    ///
    /// # Errors
    /// No nats-server on this machine, or it doesn't start.
    pub async fn start_in(folder: TempDir, syncing: Syncing) -> Result<Self> {
        let any = SocketAddr::from((loopback::own(), 0));
        let (process, address) = spawn(any, folder.path(), syncing).await?;
        Ok(Self {
            process,
            address,
            folder,
        })
    }

    /// Ends it in order and starts it again, at the same address, on the same
    /// store.
    ///
    /// # Errors
    /// It doesn't start.
    pub async fn restart_syncing(&mut self, syncing: Syncing) -> Result<()> {
        self.process.terminate().await?;
        (self.process, self.address) = spawn(self.address, self.folder.path(), syncing).await?;
        Ok(())
    }

    /// Returns how long it has had a processor.
    ///
    /// # Errors
    /// It has ended.
    pub fn cpu_time(&self) -> Result<Duration> {
        measure::cpu_time(self.process.id().context("nats-server has ended")?)
    }

    /// Returns how much memory it has.
    ///
    /// # Errors
    /// It has ended.
    pub fn memory(&self) -> Result<Memory> {
        measure::memory(self.process.id().context("nats-server has ended")?)
    }

    /// Prints nothing on drop, see [`Process::discard_output`].
    pub fn discard_output(&mut self) {
        self.process.discard_output();
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// It can't be killed.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.kill().await
    }

    /// Starts it again, at the same address, on the same store.
    ///
    /// # Errors
    /// It doesn't start.
    pub async fn restart(&mut self) -> Result<()> {
        let folder = self.folder.path();
        (self.process, self.address) = spawn(self.address, folder, Syncing::Always).await?;
        Ok(())
    }

    /// Returns the log URL of this server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Sets the byte limit of the log's stream.
    ///
    /// # Errors
    /// No server, or no stream.
    pub async fn limit_stream(&mut self, max_bytes: i64) -> Result<()> {
        self.process.ensure_running()?;
        let client = async_nats::connect(self.url()).await?;
        let context = async_nats::jetstream::new(client);
        let mut config = context
            .get_stream(STREAM)
            .await?
            .cached_info()
            .config
            .clone();
        config.max_bytes = max_bytes;
        context.update_stream(config).await?;
        Ok(())
    }
}

async fn spawn(
    listen: SocketAddr,
    folder: &Path,
    syncing: Syncing,
) -> Result<(Process, SocketAddr)> {
    let config = folder.join("nats.conf");
    let mut text = shipped_config(listen, folder)?;
    if syncing == Syncing::Seldom {
        text = text.replace("sync_interval: always", "sync_interval: 2m");
    }
    fs::write(&config, text)?;
    // One that was killed has left its own.
    if let Some(old) = ports_file(folder)? {
        fs::remove_file(old)?;
    }
    let mut command = Command::new(artefact::nats_server()?);
    command.arg("-c").arg(&config);
    let mut process = Process::spawn("nats-server", command, folder)?;
    // It reads its whole store first.
    let address = wait::until("nats-server's port", wait::A_LONG_TIME, async || {
        process.ensure_running()?;
        let Some(path) = ports_file(folder)? else {
            return Ok(None);
        };
        Ok(parse_ports(&fs::read_to_string(path)?))
    })
    .await?;
    Ok((process, address))
}

/// Finds the file in which the server says where it listens.
fn ports_file(folder: &Path) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == "ports") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Reads the shipped file and puts in this address and this folder.
fn shipped_config(listen: SocketAddr, folder: &Path) -> Result<String> {
    let path = artefact::root().join("envoy/nats.conf");
    let mut text =
        fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    // The server's word for "any port" is -1.
    let port = match listen.port() {
        0 => "-1".to_owned(),
        port => port.to_string(),
    };
    for (from, to) in [
        ("127.0.0.1:4222", format!("{}:{port}", listen.ip())),
        ("/var/lib/nats", folder.join("store").display().to_string()),
    ] {
        if !text.contains(from) {
            bail!("`{from}` does not stand in envoy/nats.conf");
        }
        text = text.replace(from, &to);
    }
    Ok(format!("{text}\nports_file_dir: {folder:?}\n"))
}

fn parse_ports(text: &str) -> Option<SocketAddr> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    let url = json.pointer("/nats/0")?.as_str()?;
    url.strip_prefix("nats://")?.parse().ok()
}
