//! Changes of what decides about a delivery, each seen by a test, by cargo-mutants.

use anyhow::Result;

use super::subcommand;
use crate::workspace::Workspace;

const CARGO_MUTANTS: &str = "27.1.0";

/// Tells whether every mutant is caught; `.cargo/mutants.toml` says which there are, and
/// why some are left out.
///
/// # Errors
/// If cargo-mutants can't be installed or started.
pub(super) fn hold(workspace: &Workspace) -> Result<bool> {
    subcommand::ensure(workspace, "mutants", CARGO_MUTANTS)?;
    eprintln!("\n== audit: mutants");
    let target = workspace.mutants_target();
    let status = workspace
        .cargo()
        .args(["mutants", "--package", "hookgate-core", "--jobs", "1"])
        .arg("--output")
        .arg(&target)
        .env("CARGO_TARGET_DIR", &target)
        .status()?;
    Ok(status.success())
}
