//! Another wall clock for one process: shifted, or standing still.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::artefact;
use crate::envoy::Setup;

/// A clock that an Envoy can be given; it outlives that Envoy.
#[derive(Debug)]
pub struct Clock {
    folder: TempDir,
    settings: File,
}

impl Clock {
    /// Makes one that runs as the machine's.
    ///
    /// # Errors
    /// No C compiler.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let output = Command::new("cc")
            .args(["-O2", "-Wall", "-shared", "-fPIC", "-o"])
            .arg(folder.path().join("shift.so"))
            .arg(artefact::root().join("host-tests/clock/shift.c"))
            .output()
            .context("cannot run `cc`: apt-get install gcc libc6-dev")?;
        if !output.status.success() {
            bail!("cc: {}", String::from_utf8_lossy(&output.stderr));
        }
        let path = folder.path().join("clock");
        fs::write(&path, [0; 16])?;
        let settings = File::options().write(true).open(path)?;
        Ok(Self { folder, settings })
    }

    /// Gives it to an Envoy; not in a container.
    #[must_use]
    pub fn of(&self, setup: Setup) -> Setup {
        let path = |name: &str| -> PathBuf { self.folder.path().join(name) };
        setup
            .variable("LD_PRELOAD", &path("shift.so").display().to_string())
            .variable("HOOKGATE_TEST_CLOCK", &path("clock").display().to_string())
    }

    /// Runs so many seconds before or behind the machine's.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn shift(&self, seconds: i64) -> Result<()> {
        self.set(seconds.saturating_mul(1_000_000_000), 0)
    }

    /// Stands still now.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn freeze(&self) -> Result<()> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        self.set(0, i64::try_from(now.as_nanos())?)
    }

    // In place: the process has mapped the file.
    fn set(&self, shift: i64, stands_at: i64) -> Result<()> {
        let both = [shift.to_ne_bytes(), stands_at.to_ne_bytes()].concat();
        Ok(self.settings.write_all_at(&both, 0)?)
    }
}
