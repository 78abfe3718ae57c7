//! The token by which the upstream knows Envoy, made anew with each start.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;
use tempfile::NamedTempFile;

const OWNER_ONLY: u32 = 0o700;

/// The folder with the token in both forms: Envoy's, and the upstream's.
#[derive(Debug)]
pub(crate) struct GateToken {
    folder: PathBuf,
}

impl GateToken {
    /// Writes a new token into `folder`, which only its owner may enter.
    ///
    /// # Errors
    /// If the folder can't be written, or the machine has no random bits.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(OWNER_ONLY)
            .create(folder)
            .and_then(|()| fs::set_permissions(folder, Permissions::from_mode(OWNER_ONLY)))
            .with_context(|| folder.display().to_string())?;
        let token = random_token()?;
        let gate_token = Self {
            folder: folder.to_owned(),
        };
        let resource = json!({"resources": [{
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": "gate-token",
            "generic_secret": {"secret": {"inline_string": format!("Bearer {token}")}},
        }]});
        gate_token.write("token.yaml", &resource.to_string())?;
        gate_token.write("tokens", &token)?;
        Ok(gate_token)
    }

    /// Renamed into place, 0600 from the start.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        let mut file = NamedTempFile::new_in(&self.folder)?;
        writeln!(file, "{text}")?;
        file.persist(self.folder.join(name))
            .with_context(|| name.to_owned())?;
        Ok(())
    }

    /// Returns the folder, which Envoy watches.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the file that the upstream reads.
    pub(crate) fn accepted(&self) -> PathBuf {
        self.folder.join("tokens")
    }
}

/// Makes 256 random bits in hex.
fn random_token() -> Result<String> {
    let mut bits = [0_u8; 32];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bits))
        .context("/dev/urandom")?;
    Ok(bits.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_another_token_each_time_and_writes_it_in_both_forms() {
        let data = tempfile::tempdir().unwrap();
        let mut seen = Vec::new();
        for _ in 0..2 {
            let made = GateToken::create(&data.path().join("gate")).unwrap();
            let token = fs::read_to_string(made.accepted()).unwrap();
            let token = token.trim().to_owned();
            assert_eq!(token.len(), 64);
            let envoys = fs::read_to_string(made.folder().join("token.yaml")).unwrap();
            assert!(envoys.contains(&format!("\"Bearer {token}\"")), "{envoys}");
            for path in [made.accepted(), made.folder().join("token.yaml")] {
                let mode = fs::metadata(path).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600);
            }
            seen.push(token);
        }
        assert_ne!(seen[0], seen[1]);
    }
}
