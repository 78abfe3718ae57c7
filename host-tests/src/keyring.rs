//! The watched file with the signing secrets of one Envoy.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use crate::event::Endpoint;

/// A keyring file in a folder of its own.
#[derive(Debug, Clone)]
pub struct KeyringFile {
    folder: PathBuf,
}

impl KeyringFile {
    /// Makes the folder in `parent` and writes `text` to the file.
    ///
    /// # Errors
    /// It can't be written.
    pub fn create(parent: &Path, text: &str) -> Result<Self> {
        let keyring = Self {
            folder: parent.join("secrets"),
        };
        fs::create_dir_all(&keyring.folder)?;
        // In a container Envoy runs as a user of its own.
        fs::set_permissions(&keyring.folder, fs::Permissions::from_mode(0o755))?;
        keyring.replace(text)?;
        Ok(keyring)
    }

    /// Puts a file with `text` in the place of the one before, as an agent
    /// that renders secrets does.
    ///
    /// # Errors
    /// It can't be written.
    pub fn replace(&self, text: &str) -> Result<()> {
        let next = self.folder.join("next");
        fs::write(&next, text)?;
        fs::set_permissions(&next, fs::Permissions::from_mode(0o644))?;
        Ok(fs::rename(next, self.path())?)
    }

    /// Returns the file's path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join("keys.json")
    }

    /// Returns the folder that Envoy watches.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Returns a keyring with the one secret of each of these endpoints.
#[must_use]
pub fn of(endpoints: &[Endpoint]) -> String {
    let secrets: serde_json::Map<String, Value> = endpoints
        .iter()
        .map(|endpoint| {
            let secret = json!({"name": "primary", "secret": endpoint.secret});
            (endpoint.name.to_owned(), json!([secret]))
        })
        .collect();
    json!({ "endpoints": secrets }).to_string()
}
