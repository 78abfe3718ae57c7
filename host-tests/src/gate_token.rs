//! The token by which the upstream knows the gate, in both forms.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

/// The token that an Envoy under test shows.
pub const TOKEN: &str = "tests-5Yt8Qw3e7Uk1Zp9Lm2Nb4Vc6Xs0Da";

/// A folder with the token as Envoy reads it, which Envoy watches.
#[derive(Debug, Clone)]
pub struct GateTokenFile {
    folder: PathBuf,
}

impl GateTokenFile {
    /// Makes the folder in `parent`, with [`TOKEN`].
    ///
    /// # Errors
    /// It can't be written.
    pub fn create(parent: &Path) -> Result<Self> {
        let file = Self {
            folder: parent.join("gate"),
        };
        fs::create_dir_all(&file.folder)?;
        // In a container Envoy runs as a user of its own.
        fs::set_permissions(&file.folder, fs::Permissions::from_mode(0o755))?;
        file.replace(TOKEN)?;
        Ok(file)
    }

    /// Puts a file with `token` in the place of the one before.
    ///
    /// # Errors
    /// It can't be written.
    pub fn replace(&self, token: &str) -> Result<()> {
        let resource = json!({"resources": [{
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": "gate-token",
            "generic_secret": {"secret": {"inline_string": format!("Bearer {token}")}},
        }]});
        let next = self.folder.join("next");
        fs::write(&next, resource.to_string())?;
        fs::set_permissions(&next, fs::Permissions::from_mode(0o644))?;
        Ok(fs::rename(next, self.folder.join("token.yaml"))?)
    }

    /// Returns the folder that Envoy watches.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Puts a list of tokens, as the upstream reads it, in the place of `file`.
///
/// # Errors
/// It can't be written.
pub fn accept(file: &Path, tokens: &[&str]) -> Result<()> {
    let next = file.with_extension("next");
    fs::write(&next, tokens.join("\n"))?;
    Ok(fs::rename(next, file)?)
}
