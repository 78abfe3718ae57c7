//! A nats-server with JetStream and the shipped configuration.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::Process;
use crate::{artefact, wait};

/// One running nats-server and its store; both end with their owner.
#[derive(Debug)]
pub struct Nats {
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Nats {
    /// Starts a server with the shipped `envoy/nats.conf`.
    ///
    /// # Errors
    /// No nats-server on this machine, or it doesn't start.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("nats.conf");
        fs::write(&config, shipped_config(folder.path())?)?;
        let mut command = Command::new(artefact::nats_server()?);
        command.arg("-c").arg(&config);
        let mut process = Process::spawn("nats-server", command, folder.path())?;
        let address = wait::until("nats-server's port", wait::PATIENCE, async || {
            process.ensure_running()?;
            for entry in fs::read_dir(folder.path())? {
                let path = entry?.path();
                if path.extension().is_some_and(|ext| ext == "ports") {
                    return Ok(parse_ports(&fs::read_to_string(path)?));
                }
            }
            Ok(None)
        })
        .await?;
        Ok(Self {
            process,
            address,
            _folder: folder,
        })
    }

    /// Returns the log URL of this server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Sets the byte limit of the one stream that the upstream has made.
    ///
    /// # Errors
    /// No server, no stream, or more than one.
    pub async fn limit_stream(&mut self, max_bytes: i64) -> Result<()> {
        self.process.ensure_running()?;
        let client = async_nats::connect(self.url()).await?;
        let context = async_nats::jetstream::new(client);
        let stream = self.only_stream(&context).await?;
        let mut config = context
            .get_stream(stream)
            .await?
            .cached_info()
            .config
            .clone();
        config.max_bytes = max_bytes;
        context.update_stream(config).await?;
        Ok(())
    }

    async fn only_stream(&self, context: &async_nats::jetstream::Context) -> Result<String> {
        let client = context.client();
        let answer = client.request("$JS.API.STREAM.NAMES", "".into()).await?;
        let json: serde_json::Value = serde_json::from_slice(&answer.payload)?;
        let names = json.pointer("/streams").and_then(|v| v.as_array());
        match names.map(Vec::as_slice) {
            Some([name]) => Ok(name.as_str().context("a stream without a name")?.to_owned()),
            other => bail!("expected one stream, found {other:?}"),
        }
    }
}

/// Reads the shipped file and puts in a port that is free and this folder.
fn shipped_config(folder: &Path) -> Result<String> {
    let path = artefact::root().join("envoy/nats.conf");
    let mut text =
        fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    for (from, to) in [
        ("127.0.0.1:4222", "127.0.0.1:-1"),
        ("/var/lib/nats", &folder.join("store").display().to_string()),
    ] {
        if !text.contains(from) {
            bail!("`{from}` does not stand in envoy/nats.conf");
        }
        text = text.replace(from, to);
    }
    Ok(format!("{text}\nports_file_dir: {folder:?}\n"))
}

fn parse_ports(text: &str) -> Option<SocketAddr> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    let url = json.pointer("/nats/0")?.as_str()?;
    url.strip_prefix("nats://")?.parse().ok()
}
