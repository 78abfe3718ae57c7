//! A child process whose output is kept and which never outlives its owner.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

/// How much of a child's output a failing test shows.
const TAIL_BYTES: usize = 6_000;

/// A running child; killed with SIGKILL, by its process id, on drop.
///
/// Its output goes to two files. On drop their ends are printed, which the
/// test runner shows only if the test failed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    shows_output: bool,
}

impl Process {
    /// Starts `command`, with its output in `<folder>/<name>.out` and `.err`.
    ///
    /// A restart under the same name appends.
    ///
    /// # Errors
    /// The files can't be made or the command can't be run.
    pub fn spawn(name: &str, mut command: Command, folder: &Path) -> Result<Self> {
        let stdout = folder.join(format!("{name}.out"));
        let stderr = folder.join(format!("{name}.err"));
        let child = command
            .stdin(Stdio::null())
            .stdout(append(&stdout)?)
            .stderr(append(&stderr)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            stdout,
            stderr,
            shows_output: true,
        })
    }

    /// Returns the child's process id; `None` if it has ended.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks the child to end, with SIGTERM, and waits until it has.
    ///
    /// # Errors
    /// It has ended already, or can't be asked.
    pub async fn terminate(&mut self) -> Result<()> {
        let id = self.id().context("it has ended")?.to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().await?;
        if !asked.success() {
            bail!("cannot end {}", self.name);
        }
        self.child.wait().await?;
        Ok(())
    }

    /// Fails, with the end of its output, if the child has ended.
    ///
    /// # Errors
    /// The child has ended.
    pub fn ensure_running(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended: {status}\n{}", self.name, tail(&self.stderr));
        }
        Ok(())
    }

    /// Waits until the child has ended by itself.
    ///
    /// # Errors
    /// It can't be waited for.
    pub async fn ended(&mut self) -> Result<()> {
        self.child.wait().await?;
        Ok(())
    }

    /// Kills the child with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// The child can't be killed.
    pub async fn kill(&mut self) -> Result<()> {
        self.child.kill().await?;
        Ok(())
    }

    /// Returns how much memory of the machine the child holds.
    ///
    /// # Errors
    /// It has ended.
    pub fn resident_bytes(&self) -> Result<u64> {
        let id = self.child.id().context("it has ended")?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        Ok(1024 * kib.context("no VmRSS")?.trim().parse::<u64>()?)
    }

    /// Prints nothing on drop: all went well, and no test runner keeps it.
    pub fn discard_output(&mut self) {
        self.shows_output = false;
    }

    /// Returns what the child wrote to its standard output so far.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn stdout(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.stdout)?).into_owned())
    }

    /// Returns what the child wrote to its standard error so far.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn stderr(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.stderr)?).into_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.shows_output {
            return;
        }
        for path in [&self.stdout, &self.stderr] {
            let text = tail(path);
            if !text.is_empty() {
                println!("--- {} ---\n{text}", path.display());
            }
        }
    }
}

fn append(path: &Path) -> Result<File> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot write `{}`", path.display()))
}

fn tail(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let from = bytes.len().saturating_sub(TAIL_BYTES);
    String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
}
