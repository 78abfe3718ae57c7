//! The real upstream: `hookgate serve`.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::admin::Admin;
use crate::event::{CONNECT, PLATFORM};
use crate::log::Log;
use crate::measure::{self, Memory};
use crate::nats::Nats;
use crate::process::Process;
use crate::prometheus::Exposition;
use crate::{artefact, loopback, wait};

/// One running `hookgate serve`; it ends with its owner.
#[derive(Debug)]
pub struct Upstream {
    process: Process,
    address: SocketAddr,
    log: Log,
    /// What it is told beside its log and its address.
    arguments: Vec<OsString>,
    folder: TempDir,
}

impl Upstream {
    /// Starts an upstream on an empty SQLite file.
    ///
    /// # Errors
    /// No binary, or it doesn't start.
    pub async fn sqlite() -> Result<Self> {
        Self::sqlite_in(tempfile::tempdir()?).await
    }

    /// Starts an upstream on an empty SQLite file in `folder`.
    ///
    /// # Errors
    /// No binary, or it doesn't start.
    pub async fn sqlite_in(folder: TempDir) -> Result<Self> {
        Self::start(sqlite_url(&folder), Vec::new(), folder).await
    }

    /// Starts an upstream on an empty SQLite file that verifies as this gate
    /// does, with this keyring.
    ///
    /// # Errors
    /// No binary, or it doesn't start.
    pub async fn sqlite_behind(gate: &Value, keyring: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (gate_file, keys) = (
            folder.path().join("gate.json"),
            folder.path().join("keys.json"),
        );
        fs::write(&gate_file, gate.to_string())?;
        fs::write(&keys, keyring)?;
        let arguments = vec![
            "--gate".into(),
            gate_file.into(),
            "--keyring".into(),
            keys.into(),
        ];
        Self::start(sqlite_url(&folder), arguments, folder).await
    }

    /// Starts an upstream on an empty SQLite file, or on `nats`, that delivers
    /// everything to one destination.
    ///
    /// # Errors
    /// No binary, or it doesn't start.
    pub async fn delivering(nats: Option<&Nats>, url: &str, secret_file: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let configuration = folder.path().join("hookgate.toml");
        let secret_file = secret_file.display();
        fs::write(
            &configuration,
            format!(
                "[[destinations]]\nname = \"consumer\"\nurl = \"{url}\"\n\
                 secrets = [{{ file = \"{secret_file}\" }}]\nfrom = \"beginning\"\ntimeout = \"2s\"\n\
                 [destinations.retry]\ninitial = \"200ms\"\n"
            ),
        )?;
        let log = nats.map_or_else(|| sqlite_url(&folder), Nats::url);
        let arguments = vec!["--config".into(), configuration.into()];
        Self::start(log, arguments, folder).await
    }

    /// Starts an upstream on an empty SQLite file that takes events only from
    /// who shows a token of this file.
    ///
    /// # Errors
    /// No binary, or it doesn't start.
    pub async fn sqlite_for(tokens: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let arguments = vec!["--gate-token-file".into(), tokens.into()];
        Self::start(sqlite_url(&folder), arguments, folder).await
    }

    /// Starts an upstream on the SQLite file in `folder`, or on `nats`, with
    /// this configuration.
    ///
    /// # Errors
    /// No binary, or it doesn't start.
    pub async fn configured(
        nats: Option<&Nats>,
        folder: TempDir,
        configuration: &str,
    ) -> Result<Self> {
        let log = nats.map_or_else(|| sqlite_url(&folder), Nats::url);
        let file = folder.path().join("hookgate.toml");
        fs::write(&file, configuration)?;
        Self::start(log, vec!["--config".into(), file.into()], folder).await
    }

    /// Ends it in order and starts it again with another configuration.
    ///
    /// # Errors
    /// It was not [`Self::configured`], or doesn't start.
    pub async fn reconfigure(&mut self, configuration: &str) -> Result<()> {
        self.process.terminate().await?;
        fs::write(self.folder.path().join("hookgate.toml"), configuration)?;
        self.restart().await
    }

    /// Returns how long it has had a processor.
    ///
    /// # Errors
    /// It has ended.
    pub fn cpu_time(&self) -> Result<Duration> {
        measure::cpu_time(self.process.id().context("hookgate has ended")?)
    }

    /// Returns how much memory it has.
    ///
    /// # Errors
    /// It has ended.
    pub fn memory(&self) -> Result<Memory> {
        measure::memory(self.process.id().context("hookgate has ended")?)
    }

    /// Starts an upstream on `nats`.
    ///
    /// # Errors
    /// No binary, or it doesn't start.
    pub async fn nats(nats: &Nats) -> Result<Self> {
        Self::start(nats.url(), Vec::new(), tempfile::tempdir()?).await
    }

    async fn start(log_url: String, arguments: Vec<OsString>, folder: TempDir) -> Result<Self> {
        let any = SocketAddr::from((loopback::own(), 0));
        let (process, address) = spawn(&log_url, any, &arguments, &folder).await?;
        Ok(Self {
            process,
            address,
            log: Log::new(log_url)?,
            arguments,
            folder,
        })
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its log, to be read.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Returns the folder of its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Prints nothing on drop, see [`Process::discard_output`].
    pub fn discard_output(&mut self) {
        self.process.discard_output();
    }

    /// Returns everything that it has written: log and standard output.
    ///
    /// # Errors
    /// The files can't be read.
    pub fn output(&self) -> Result<String> {
        Ok(self.process.stderr()? + &self.process.stdout()?)
    }

    /// Returns how many events its destinations have to get or to confirm, as
    /// it shows to Prometheus; `None` if it shows nothing yet.
    ///
    /// # Errors
    /// It serves no metrics.
    pub async fn undelivered(&self) -> Result<Option<u64>> {
        let page = Admin::new(self.pages()?).page("/metrics").await?;
        let samples = Exposition::parse(&page)?.samples;
        let shown = samples
            .iter()
            .find(|sample| sample.name == "hookgate_undelivered");
        Ok(shown.and_then(|sample| sample.value.parse().ok()))
    }

    /// Returns where it serves metrics, and the console.
    ///
    /// # Errors
    /// It serves none.
    pub fn pages(&self) -> Result<SocketAddr> {
        let stderr = self.process.stderr()?;
        let mut lines = stderr.lines().rev();
        let line = lines.find(|line| line.contains("metrics are at /metrics"));
        let address = line.and_then(|line| line.rsplit_once("address="));
        let (_, address) = address.context("no metrics")?;
        Ok(address.trim().parse()?)
    }

    /// Waits until its destinations have confirmed everything: nothing that was
    /// handed out before a crash can come again.
    ///
    /// # Errors
    /// They don't within a long time.
    pub async fn until_delivered(&self) -> Result<()> {
        wait::until("nothing undelivered", wait::A_LONG_TIME, async || {
            Ok((self.undelivered().await? == Some(0)).then_some(()))
        })
        .await
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// It can't be killed.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.kill().await
    }

    /// Starts it again, at the same address, on the same log.
    ///
    /// # Errors
    /// It doesn't start.
    pub async fn restart(&mut self) -> Result<()> {
        let started = spawn(self.log.url(), self.address, &self.arguments, &self.folder).await?;
        (self.process, self.address) = started;
        Ok(())
    }
}

fn sqlite_url(folder: &TempDir) -> String {
    format!("sqlite:{}", folder.path().join("log.db").display())
}

async fn spawn(
    log_url: &str,
    listen: SocketAddr,
    arguments: &[OsString],
    folder: &TempDir,
) -> Result<(Process, SocketAddr)> {
    let ready = folder.path().join("ready");
    // One that was killed has left its own.
    if ready.exists() {
        fs::remove_file(&ready)?;
    }
    let mut command = Command::new(artefact::hookgate()?);
    command
        .args(["serve", "--log", log_url, "--listen", &listen.to_string()])
        .args(["--metrics", "127.0.0.1:0", "--ready-file"])
        .arg(&ready)
        .args(arguments)
        .env(PLATFORM.variable, PLATFORM.secret)
        .env(CONNECT.variable, CONNECT.secret);
    let mut process = Process::spawn("hookgate", command, folder.path())?;
    let address = wait::until("hookgate serve", wait::PATIENCE, async || {
        process.ensure_running()?;
        let text = fs::read_to_string(&ready).unwrap_or_default();
        Ok(text.strip_suffix('\n').and_then(|line| line.parse().ok()))
    })
    .await?;
    Ok((process, address))
}
