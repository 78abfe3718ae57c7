//! The shipped Envoy configuration with this run's addresses and paths in it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::artefact;

/// The text of `envoy/envoy.yaml`, edited by exact replacement only.
///
/// An edit whose text isn't there fails: what runs is always the shipped file.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    text: String,
}

impl Bootstrap {
    /// Reads the shipped file.
    ///
    /// # Errors
    /// It can't be read.
    pub fn shipped() -> Result<Self> {
        let path = artefact::root().join("envoy/envoy.yaml");
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(Self { text })
    }

    /// Replaces `from` by `to` wherever it stands.
    ///
    /// # Errors
    /// `from` doesn't stand in the file.
    pub fn replace(&mut self, from: &str, to: &str) -> Result<()> {
        if !self.text.contains(from) {
            bail!("`{from}` does not stand in envoy/envoy.yaml");
        }
        self.text = self.text.replace(from, to);
        Ok(())
    }

    /// Writes the result to `path`.
    ///
    /// # Errors
    /// It can't be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, &self.text).with_context(|| format!("cannot write `{}`", path.display()))
    }
}
