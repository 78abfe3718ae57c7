//! The example of a consumer, as a destination.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tempfile::TempDir;
use tokio::process::Command;

use crate::event::Event;
use crate::process::Process;
use crate::{artefact, loopback, wait};

const SECRET: &str = "whsec_aG9va2dhdGUtZWZmZWN0cw==";

/// One running `hookgate-consumer`; it ends with its owner.
#[derive(Debug)]
pub struct Consumer {
    process: Process,
    address: SocketAddr,
    folder: TempDir,
}

impl Consumer {
    /// Starts a consumer with an empty ledger.
    ///
    /// # Errors
    /// No binary, or it doesn't start.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("secret"), SECRET)?;
        // It keeps its port over a restart, so the port is chosen here.
        let address = SocketAddr::from((loopback::own(), 9_000));
        let process = spawn(address, &folder).await?;
        Ok(Self {
            process,
            address,
            folder,
        })
    }

    /// Returns where it takes deliveries.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Returns the file with the secret that it verifies by.
    #[must_use]
    pub fn secret_file(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    /// Kills it with SIGKILL, and starts it again on the same ledger.
    ///
    /// # Errors
    /// It can't be killed, or doesn't start.
    pub async fn kill_and_restart(&mut self) -> Result<()> {
        self.process.kill().await?;
        self.process = spawn(self.address, &self.folder).await?;
        Ok(())
    }

    /// Returns what was credited to all accounts together.
    ///
    /// # Errors
    /// It doesn't answer.
    pub async fn credited(&self) -> Result<i64> {
        Ok(self.accounts().await?.values().sum())
    }

    /// Waits until this many events more have had their effect.
    ///
    /// # Errors
    /// They don't within a long time.
    pub async fn more_effects(&self, events: i64) -> Result<()> {
        let wanted = self.credited().await? + events * amount()?;
        self.until_credited(wanted).await
    }

    /// Waits until so much is credited.
    ///
    /// # Errors
    /// It isn't within a long time.
    pub async fn until_credited(&self, amount: i64) -> Result<()> {
        wait::until("effects", wait::A_LONG_TIME, async || {
            Ok((self.credited().await? >= amount).then_some(()))
        })
        .await
    }

    /// Returns what each account has.
    ///
    /// # Errors
    /// It doesn't answer.
    pub async fn accounts(&self) -> Result<BTreeMap<String, i64>> {
        accounts(self.address).await
    }
}

/// Returns what one event of [`Event::fresh`] credits.
///
/// # Errors
/// The sample has no amount.
pub fn amount() -> Result<i64> {
    let event: serde_json::Value = serde_json::from_slice(&Event::fresh()?.payload)?;
    let amount = event.pointer("/data/object/amount");
    amount
        .and_then(serde_json::Value::as_i64)
        .context("the sample has no amount")
}

async fn spawn(address: SocketAddr, folder: &TempDir) -> Result<Process> {
    let mut command = Command::new(artefact::consumer()?);
    command
        .args(["--listen", &address.to_string(), "--ledger"])
        .arg(folder.path().join("ledger.db"))
        .env("HOOKGATE_DESTINATION_SECRET", SECRET);
    let mut process = Process::spawn("hookgate-consumer", command, folder.path())?;
    wait::until("hookgate-consumer", wait::PATIENCE, async || {
        process.ensure_running()?;
        Ok(accounts(address).await.ok())
    })
    .await?;
    Ok(process)
}

async fn accounts(address: SocketAddr) -> Result<BTreeMap<String, i64>> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client
        .get(format!("http://{address}/accounts").parse()?)
        .await?;
    let body = answer.into_body().collect().await?.to_bytes();
    serde_json::from_slice(&body).context("not what accounts have")
}
