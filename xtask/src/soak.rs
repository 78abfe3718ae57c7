//! `cargo xtask soak`: the load and kill tests in their full form.

use anyhow::Result;

use crate::host::{self, Envoy};
use crate::workspace::Workspace;
use crate::{build, process, tools};

/// Runs them natively; they print what they measured, for `docs/`.
///
/// # Errors
/// If something doesn't build or a test fails.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let tools = tools::all(workspace)?;
    build::run(workspace)?;
    process::run(
        host::cargo(workspace, &tools, &Envoy::Native)?
            .args(["test", "-p", "hookgate-host-tests", "--no-fail-fast"])
            // One at a time: each is about how much the machine can take.
            .args(["--", "--nocapture", "--test-threads", "1", "kill_", "load_"])
            .env("HOOKGATE_SOAK", "1"),
        "soak",
    )
}
