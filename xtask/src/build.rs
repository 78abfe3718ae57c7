//! `cargo xtask build`: the module as it ships, the upstream without fat LTO.

use anyhow::Result;

use crate::process;
use crate::tools;
use crate::workspace::{WASM_TARGET, Workspace};

/// Builds the module and the `hookgate` binary.
///
/// # Errors
/// If the Wasm target can't be had or one of the two doesn't build.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    tools::wasm_target::ensure(WASM_TARGET)?;
    eprintln!("build: module ({WASM_TARGET}, release)");
    process::run(
        workspace.cargo().args([
            "build",
            "--release",
            "-p",
            "hookgate-plugin",
            "--target",
            WASM_TARGET,
        ]),
        "building the module",
    )?;
    eprintln!("build: hookgate (profile quick)");
    process::run(
        workspace
            .cargo()
            .args(["build", "--profile", "quick", "-p", "hookgate-upstream"]),
        "building hookgate",
    )
}

/// Builds the example of a consumer.
///
/// # Errors
/// If it doesn't build.
pub(crate) fn consumer(workspace: &Workspace) -> Result<()> {
    eprintln!("build: hookgate-consumer (profile quick)");
    process::run(
        workspace
            .cargo()
            .args(["build", "--profile", "quick", "-p", "hookgate-consumer"]),
        "building hookgate-consumer",
    )
}

/// Makes the module trap on demand.
pub(crate) const TRAP: &str = "trap";

/// Makes the module measure itself on demand.
pub(crate) const MEASURE: &str = "measure";

/// Builds the module with a feature for tests, in a folder of its own: nobody can
/// take it for the one that ships.
///
/// # Errors
/// If it doesn't build.
pub(crate) fn test_module(workspace: &Workspace, feature: &str) -> Result<()> {
    eprintln!("build: module with `{feature}`, for tests");
    process::run(
        workspace
            .cargo()
            .args(["build", "--release", "-p", "hookgate-plugin"])
            .args(["--target", WASM_TARGET, "--features", feature])
            .arg("--target-dir")
            .arg(workspace.test_target(feature)),
        "building the module for tests",
    )
}
