//! A stand-in for Vault: its KV version 2 API, over TLS, behind a token.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::Process;
use crate::{artefact, wait};

/// One running stand-in; it ends with its owner.
#[derive(Debug)]
pub struct Vault {
    process: Process,
    address: SocketAddr,
    folder: TempDir,
}

impl Vault {
    /// Starts one that shows `keyring` to whoever has `token`.
    ///
    /// # Errors
    /// No Node, or it doesn't start.
    pub async fn start(token: &str, keyring: &Value) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let made = rcgen::generate_simple_self_signed(["vault".to_owned()])?;
        fs::write(folder.path().join("vault.crt"), made.cert.pem())?;
        fs::write(
            folder.path().join("vault.key"),
            made.signing_key.serialize_pem(),
        )?;
        fs::write(folder.path().join("keyring.json"), keyring.to_string())?;
        let mut command = Command::new("node");
        command
            .arg(artefact::root().join("host-tests/vault/server.js"))
            .arg(folder.path())
            .arg(token);
        let mut process = Process::spawn("vault", command, folder.path())
            .context("the stand-in for Vault needs Node.js 18 or later")?;
        let address = wait::until("the stand-in for Vault", wait::PATIENCE, async || {
            process.ensure_running()?;
            let output = process.stdout()?;
            let port = output.split_once('\n').map(|(first, _)| first.parse());
            Ok(port
                .transpose()?
                .map(|port| SocketAddr::from(([127, 0, 0, 1], port))))
        })
        .await?;
        Ok(Self {
            process,
            address,
            folder,
        })
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its certificate, for `vault`.
    ///
    /// # Errors
    /// It can't be read.
    pub fn certificate(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder.path().join("vault.crt"))?)
    }

    /// Shows another keyring from now on.
    ///
    /// # Errors
    /// It can't be written.
    pub fn put(&self, keyring: &Value) -> Result<()> {
        let new = self.folder.path().join("keyring.new");
        fs::write(&new, keyring.to_string())?;
        fs::rename(new, self.folder.path().join("keyring.json"))?;
        Ok(())
    }

    /// Returns the statuses of its answers so far.
    ///
    /// # Errors
    /// Its record can't be read.
    pub fn answers(&self) -> Result<Vec<u16>> {
        let output = self.process.stdout()?;
        let statuses = output.lines().skip(1).map(str::parse);
        Ok(statuses.collect::<Result<_, _>>()?)
    }
}
