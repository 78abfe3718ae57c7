//! A server that `up` started, and that ends when `up` does, whichever way that is.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use super::interrupt::Interrupt;
use crate::process;

/// How long a server has to become ready.
const START: Duration = Duration::from_secs(60);
/// How long a server has to end by itself once asked; the upstream drains in it.
const GRACE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(25);
const LINES_SHOWN: usize = 20;

/// A running child with its log file; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a server whose output goes to `NAME.log` in `folder`.
    ///
    /// It gets a process group of its own, so that a Ctrl-C reaches only this program,
    /// which then stops the servers in order. With a command from [`bound_to_us`] even a
    /// `kill -9` of this program leaves nothing running.
    ///
    /// # Errors
    /// If it can't be started.
    pub(crate) fn start(name: &'static str, command: &mut Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| log.display().to_string())?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0);
        let child = command
            .spawn()
            .with_context(|| format!("starting {name}: {:?}", command.get_program()))?;
        Ok(Self { name, child, log })
    }

    /// Waits until `probe` says that the server is ready.
    ///
    /// # Errors
    /// If it ends or isn't ready in time (both with the last lines of its log), or on Ctrl-C.
    pub(crate) fn wait_until(
        &mut self,
        probe: impl Fn() -> bool,
        interrupt: &Interrupt,
    ) -> Result<()> {
        let deadline = Instant::now() + START;
        loop {
            self.check_running()?;
            if probe() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!(
                    "{} isn't ready after {START:?}; the end of its log:\n{}",
                    self.name,
                    self.log_tail()
                );
            }
            if interrupt.within(POLL) {
                bail!("interrupted");
            }
        }
    }

    /// Checks that the server has not ended.
    ///
    /// # Errors
    /// If it has, with the last lines of its log.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!(
                "{} ended ({status}); the end of its log:\n{}",
                self.name,
                self.log_tail()
            );
        }
        Ok(())
    }

    fn log_tail(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let shown = lines.len().saturating_sub(LINES_SHOWN);
        lines
            .iter()
            .skip(shown)
            .map(|line| format!("  {line}"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It fails only if the whole group is gone, which is what is wanted.
            let _ = kill_process_group(pid, signal);
        }
    }

    fn wait_for_end(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            thread::sleep(POLL);
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        self.signal(Signal::TERM);
        if self.wait_for_end().is_none() {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// Prepares a call of `program` that the kernel kills when the thread that starts it, our main
/// one, ends.
///
/// util-linux's setpriv asks the kernel for that and becomes the program; asking ourselves between
/// fork and exec would take unsafe code. Where it is missing, a `kill -9` of this program leaves
/// its servers; every other end stops them.
pub(crate) fn bound_to_us(program: &Path) -> Command {
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--pdeathsig", "KILL", "--"]);
    if process::succeeds(Command::new("setpriv").args(["--pdeathsig", "KILL", "--", "true"])) {
        setpriv.arg(program);
        return setpriv;
    }
    Command::new(program)
}
