//! Subcommands of cargo that are installed on demand.

use std::process::Command;

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// Installs a subcommand unless it is there, in whatever version.
///
/// # Errors
/// If it can't be installed.
pub(super) fn ensure(workspace: &Workspace, name: &str, version: &str) -> Result<()> {
    if process::succeeds(workspace.cargo().args([name, "--version"])) {
        return Ok(());
    }
    let package = format!("cargo-{name}");
    eprintln!("audit: installing {package} {version}, which takes minutes");
    process::run(
        Command::new("cargo").args(["install", "--locked", &package, "--version", version]),
        &format!("installing {package}"),
    )
}
