//! Running other programs to their end.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs a command whose output goes to the terminal.
///
/// # Errors
/// If it can't be started or doesn't succeed; `what` opens the message.
pub(crate) fn run(command: &mut Command, what: &str) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("{what}: can't start {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{what}: {status}");
    }
    Ok(())
}

/// Runs a command and returns its standard output.
///
/// # Errors
/// If it can't be started or doesn't succeed; the message ends with its error output.
pub(crate) fn output(command: &mut Command, what: &str) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{what}: can't start {:?}", command.get_program()))?;
    if !output.status.success() {
        bail!(
            "{what}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Tells whether a command can be started and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
