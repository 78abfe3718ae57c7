//! `cargo xtask bench`: the figures of the README's "Performance" and of
//! `docs/performance.md`.

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::host::{self, Envoy};
use crate::workspace::Workspace;
use crate::{build, process, tools};

/// How `bench` is called.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What is measured
    #[arg(value_enum, default_value_t = Bench::Readme)]
    what: Bench,
    /// Passed on to the bench program
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// One bench program.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Bench {
    /// The figures of the README
    Readme,
    /// Core, natively: verification, extraction, dedup
    Core,
    /// The gate: CPU time a request, beside Envoy alone and beside ext_authz
    Gate,
    /// The upstream: appends, brokers, a million events
    Upstream,
    /// The npm package in Node, beside Stripe's own SDK
    Edge,
    /// The watch, natively: what a tick of a series costs
    Watch,
    /// The watch on the Numenta Anomaly Benchmark: --data DIR --out DIR, for its score.py
    Nab,
}

/// Builds everything as the host tests use it and measures.
///
/// # Errors
/// If something doesn't build or the measurement fails.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let program = match options.what {
        Bench::Readme => "bench",
        Bench::Gate => "bench-gate",
        Bench::Upstream => "bench-upstream",
        Bench::Edge => return crate::edge::bench(workspace),
        Bench::Core => return native(workspace, "hookgate-core", "cost", &options.arguments),
        Bench::Watch => return native(workspace, "hookgate-watch", "cost", &options.arguments),
        Bench::Nab => {
            let arguments = options.arguments.iter().map(|one| whole_path(one));
            let arguments = arguments.collect::<Result<Vec<_>>>()?;
            return native(workspace, "hookgate-watch", "nab", &arguments);
        }
    };
    let tools = tools::host(workspace)?;
    build::run(workspace)?;
    if matches!(options.what, Bench::Gate) {
        build::test_module(workspace, build::MEASURE)?;
    }
    process::run(
        host::cargo(workspace, &tools, &Envoy::Native)?
            .args(["run", "--profile", "quick", "-p", "hookgate-host-tests"])
            .args(["--bin", program, "--"])
            .args(&options.arguments),
        "bench",
    )
}

/// Makes a folder absolute, since a bench runs in the folder of its package.
fn whole_path(argument: &str) -> Result<String> {
    if argument.starts_with('-') {
        return Ok(argument.to_owned());
    }
    Ok(std::path::absolute(argument)?.display().to_string())
}

/// Core and the watch alone need nothing but a compiler.
fn native(workspace: &Workspace, package: &str, bench: &str, arguments: &[String]) -> Result<()> {
    let mut command = workspace.cargo();
    command
        .args(["bench", "-p", package, "--bench", bench, "--"])
        .args(arguments);
    process::run(&mut command, "bench")
}
