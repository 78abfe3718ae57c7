//! `cargo xtask bench`: the figures of the README's "Performance".

use anyhow::Result;
use clap::Args;

use crate::host::{self, Envoy};
use crate::workspace::Workspace;
use crate::{build, process, tools};

/// How `bench` is called.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Passed on to the bench program
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds everything as the host tests use it and measures.
///
/// # Errors
/// If something doesn't build or the measurement fails.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let tools = tools::host(workspace)?;
    build::run(workspace)?;
    process::run(
        host::cargo(workspace, &tools, &Envoy::Native)?
            .args(["run", "--profile", "quick", "-p", "hookgate-host-tests"])
            .args(["--bin", "bench", "--"])
            .args(&options.arguments),
        "bench",
    )
}
