//! A rate-limit service for Envoy's filter, on a real engine and a real Redis.
//!
//! The engine is rate-limiter-flexible under Node (`rls/server.js`): of the
//! engines in Rust, limitador 0.14 can't be built with Redis alone, without
//! RocksDB and OpenSSL.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::Process;
use crate::redis::Redis;
use crate::{artefact, wait};

/// One running service; it ends with its owner.
#[derive(Debug)]
pub struct RateLimitService {
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl RateLimitService {
    /// Starts a service that grants each descriptor so many requests a minute.
    ///
    /// # Errors
    /// No Node, or not the packages that it needs.
    pub async fn start(redis: &Redis, per_minute: u32) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new("node");
        command
            .arg(artefact::root().join("host-tests/rls/server.js"))
            .arg(redis.socket())
            .arg(per_minute.to_string())
            .env("NODE_PATH", artefact::rls_node()?.join("node_modules"));
        let mut process = Process::spawn("rls", command, folder.path())
            .context("the rate-limit service needs Node.js 18 or later")?;
        let address = wait::until("the rate-limit service", wait::PATIENCE, async || {
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
            _folder: folder,
        })
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// It can't be killed.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.kill().await
    }

    /// Returns the values of every descriptor that it was asked about, in order.
    ///
    /// # Errors
    /// Its record can't be read.
    pub fn asked(&self) -> Result<Vec<String>> {
        let output = self.process.stdout()?;
        let mut values = Vec::new();
        for line in output.lines().skip(1) {
            let request: Value = serde_json::from_str(line)?;
            let descriptors = request.pointer("/descriptors").and_then(Value::as_array);
            for descriptor in descriptors.into_iter().flatten() {
                let value = descriptor
                    .pointer("/entries/0/value")
                    .and_then(Value::as_str);
                values.push(value.context("a descriptor without a value")?.to_owned());
            }
        }
        Ok(values)
    }
}
