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

/// Builds the module that traps on demand, in a folder of its own: nobody can
/// take it for the one that ships.
///
/// # Errors
/// If it doesn't build.
pub(crate) fn trap_module(workspace: &Workspace) -> Result<()> {
    eprintln!("build: module that traps on demand, for tests");
    process::run(
        workspace
            .cargo()
            .args(["build", "--release", "-p", "hookgate-plugin"])
            .args(["--target", WASM_TARGET, "--features", "trap"])
            .arg("--target-dir")
            .arg(workspace.trap_target()),
        "building the module that traps on demand",
    )
}
