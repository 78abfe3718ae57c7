//! Reads a log as an operator does: with `hookgate events`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;

use crate::artefact;

/// One entry of the log, as `hookgate events --json` shows it.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "the fields are the command's own")]
pub struct Entry {
    pub sequence: u64,
    pub source: String,
    pub id: String,
    pub r#type: String,
    pub account: Option<String>,
    pub livemode: Option<bool>,
    pub time: Option<String>,
    pub endpoint: String,
    pub secretname: String,
    pub unsigned: Option<String>,
    pub signedat: Option<String>,
    pub receivedat: String,
    pub storedat: String,
    pub sha256: String,
    pub size: u64,
    pub traceparent: Option<String>,
    pub signature: String,
}

/// A log, by its URL.
#[derive(Debug, Clone)]
pub struct Log {
    url: String,
    hookgate: PathBuf,
}

impl Log {
    /// Makes the reader of the log at `url`.
    ///
    /// # Errors
    /// The binary hasn't been built.
    pub fn new(url: String) -> Result<Self> {
        Ok(Self {
            url,
            hookgate: artefact::hookgate()?,
        })
    }

    /// Returns the log's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Reads every entry, in order of sequence.
    ///
    /// Fails where an identity is there twice: no test may see that.
    ///
    /// # Errors
    /// The command fails, or the log breaks its promise.
    pub async fn entries(&self) -> Result<Vec<Entry>> {
        let output = self
            .run(&["events", "--json", "--limit", "1000000"])
            .await?;
        let mut entries: Vec<Entry> = output
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).context("not an entry"))
            .collect::<Result<_>>()?;
        entries.sort_by_key(|entry| entry.sequence);
        let mut seen = BTreeSet::new();
        for entry in &entries {
            if !seen.insert((&entry.source, &entry.id)) {
                bail!("`{}` of `{}` is in the log twice", entry.id, entry.source);
            }
        }
        Ok(entries)
    }

    /// Reads the payload of one event.
    ///
    /// # Errors
    /// The command fails.
    pub async fn payload(&self, id: &str, source: &str) -> Result<Vec<u8>> {
        self.run(&["event", id, "--source", source, "--payload"])
            .await
    }

    /// Runs a command beside the log; returns what it printed.
    ///
    /// # Errors
    /// The command fails.
    pub async fn run(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let output = Command::new(&self.hookgate)
            .args(arguments)
            .args(["--log", &self.url])
            .kill_on_drop(true)
            .output()
            .await?;
        if !output.status.success() {
            bail!(
                "hookgate {arguments:?}: {}\n{}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(output.stdout)
    }
}
