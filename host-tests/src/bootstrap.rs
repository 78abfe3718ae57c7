//! The shipped Envoy configuration with this run's addresses and paths in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::{artefact, blocks};

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
        let text = read("envoy/envoy.yaml")?;
        Ok(Self { text })
    }

    /// Reads the complete file, with these of its blocks only.
    ///
    /// # Errors
    /// It can't be read, or has no such block.
    pub fn complete(wanted: &[&str]) -> Result<Self> {
        let text = blocks::keep(&read("envoy/complete.yaml")?, wanted)?;
        Ok(Self { text })
    }

    /// Returns the names of the complete file's blocks.
    ///
    /// # Errors
    /// It can't be read.
    pub fn block_names() -> Result<BTreeSet<String>> {
        blocks::names(&read("envoy/complete.yaml")?)
    }

    /// Returns the text as it stands.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Replaces `from` by `to` wherever it stands.
    ///
    /// # Errors
    /// `from` doesn't stand in the file.
    pub fn replace(&mut self, from: &str, to: &str) -> Result<()> {
        if !self.text.contains(from) {
            bail!("`{from}` does not stand in the configuration");
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

fn read(relative: &str) -> Result<String> {
    let path = artefact::root().join(relative);
    fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))
}
