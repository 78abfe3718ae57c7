//! A redis-server of a test's own, on a Unix socket.

use std::path::PathBuf;

use anyhow::Result;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command;

use crate::process::Process;
use crate::{artefact, wait};

/// One running redis-server that writes nothing to disk; it ends with its owner.
#[derive(Debug)]
pub struct Redis {
    // Dropped, and so killed, before its folder.
    process: Process,
    folder: TempDir,
}

impl Redis {
    /// Starts a server.
    ///
    /// # Errors
    /// No redis-server on this machine, or it doesn't start.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(artefact::redis_server()?);
        command
            .args(["--port", "0", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(folder.path())
            .arg("--unixsocket")
            .arg(folder.path().join("redis.sock"));
        let process = Process::spawn("redis-server", command, folder.path())?;
        let mut redis = Self { process, folder };
        wait::until("redis-server", wait::PATIENCE, async || {
            redis.process.ensure_running()?;
            Ok(redis
                .ask("PING")
                .await
                .ok()
                .filter(|answer| answer == "+PONG"))
        })
        .await?;
        Ok(redis)
    }

    /// Returns its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Forgets every key, as if all windows were over.
    ///
    /// # Errors
    /// The server doesn't answer.
    pub async fn forget(&self) -> Result<()> {
        let answer = self.ask("FLUSHALL").await?;
        anyhow::ensure!(answer == "+OK", "redis-server: {answer}");
        Ok(())
    }

    async fn ask(&self, command: &str) -> Result<String> {
        let mut stream = UnixStream::connect(self.socket()).await?;
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n") {
            if stream.read_buf(&mut answer).await? == 0 {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
    }
}
