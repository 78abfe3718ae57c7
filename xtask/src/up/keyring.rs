//! The keyring file that Envoy and the upstream watch.

use std::fs::{self, DirBuilder, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;

use super::secrets::Secrets;

const OWNER_ONLY: u32 = 0o700;

/// A keyring file in a folder of its own, which is what Envoy watches.
#[derive(Debug)]
pub(crate) struct Keyring {
    folder: PathBuf,
    file: PathBuf,
}

/// A secret that joins an endpoint's own while it is rotated.
#[derive(Debug)]
pub(crate) struct Successor {
    /// The endpoint's name.
    pub(crate) endpoint: &'static str,
    /// The secret, which is public.
    pub(crate) value: &'static str,
}

impl Keyring {
    /// Writes a keyring with each endpoint's secret into `folder`, which only its owner may enter.
    ///
    /// # Errors
    /// If the folder can't be written, or its path can't stand in Envoy's `%FILE_CONTENT()%`.
    pub(crate) fn create(folder: &Path, secrets: &Secrets) -> Result<Self> {
        let shown = folder.display().to_string();
        // They end an argument there, or the quoted YAML around it.
        if shown.contains([':', ')', '%', '"', '\\']) {
            bail!(
                "{shown}: the data folder's path holds one of : ) % \" \\, choose another with --data"
            );
        }
        DirBuilder::new()
            .recursive(true)
            .mode(OWNER_ONLY)
            .create(folder)
            .with_context(|| shown.clone())?;
        fs::set_permissions(folder, Permissions::from_mode(OWNER_ONLY)).context(shown)?;
        let keyring = Self {
            file: folder.join("keys.json"),
            folder: folder.to_owned(),
        };
        keyring.write(secrets, None)?;
        Ok(keyring)
    }

    /// Replaces the file by one with a second secret for one endpoint, or with none.
    ///
    /// # Errors
    /// If the folder can't be written.
    pub(crate) fn write(&self, secrets: &Secrets, successor: Option<&Successor>) -> Result<()> {
        let endpoints: Map<String, Value> = secrets
            .all()
            .iter()
            .map(|secret| {
                let next = successor.filter(|next| next.endpoint == secret.endpoint);
                let ring: Vec<Value> = [("primary", secret.value.as_str())]
                    .into_iter()
                    .chain(next.map(|next| ("next", next.value)))
                    .map(|(name, secret)| json!({"name": name, "secret": secret}))
                    .collect();
                (secret.endpoint.to_owned(), Value::from(ring))
            })
            .collect();
        // Renamed into place, so that nobody reads half of it; it is 0600 from the start.
        let mut file = NamedTempFile::new_in(&self.folder)?;
        writeln!(file, "{:#}", json!({"endpoints": endpoints}))?;
        file.persist(&self.file)
            .with_context(|| self.file.display().to_string())?;
        Ok(())
    }

    /// Returns the file's path.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Returns the folder's path.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(keyring: &Keyring) -> Value {
        serde_json::from_str(&fs::read_to_string(keyring.file()).unwrap()).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn lets_only_its_owner_in() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("secrets");
        // As an earlier, careless hand may have left it.
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let keyring = Keyring::create(&folder, &Secrets::own("whsec_own")).unwrap();
        assert_eq!(mode(keyring.folder()), 0o700);
        assert_eq!(mode(keyring.file()), 0o600);
    }

    #[test]
    fn adds_a_second_secret_and_takes_it_away() {
        let data = tempfile::tempdir().unwrap();
        let secrets = Secrets::own("whsec_own");
        let keyring = Keyring::create(&data.path().join("secrets"), &secrets).unwrap();
        let primary = json!({"name": "primary", "secret": "whsec_own"});
        let before = json!({"endpoints": {"stripe": [primary]}});
        assert_eq!(content(&keyring), before);
        let next = Successor {
            endpoint: "stripe",
            value: "whsec_next",
        };
        keyring.write(&secrets, Some(&next)).unwrap();
        let both = json!([primary, {"name": "next", "secret": "whsec_next"}]);
        assert_eq!(content(&keyring), json!({"endpoints": {"stripe": both}}));
        assert_eq!(mode(keyring.file()), 0o600);
        keyring.write(&secrets, None).unwrap();
        assert_eq!(content(&keyring), before);
        assert_eq!(fs::read_dir(keyring.folder()).unwrap().count(), 1);
    }

    #[test]
    fn refuses_a_folder_that_envoy_would_read_as_two() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("a:b");
        let error = Keyring::create(&folder, &Secrets::own("whsec_own")).unwrap_err();
        assert!(error.to_string().contains("--data"), "{error}");
    }
}
