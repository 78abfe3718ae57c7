//! `cargo xtask up` and `cargo xtask test`, and what stands behind them.

mod audit;
mod bench;
mod build;
mod container;
mod edge;
mod host;
mod process;
mod soak;
mod test;
mod tools;
mod up;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about, version)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Starts the whole of Hookgate on this machine and sends six deliveries
    Up(up::Options),
    /// Checks and tests everything; ends with the line `N passed, N failed, N skipped`
    Test(test::Options),
    /// Builds the module and the upstream
    Build,
    /// Builds the npm package in edge/
    Edge,
    /// Builds the signature doctor's page, target/doctor/doctor.html
    Doctor,
    /// Fetches what building and testing need: Wasm target, Envoy, brokers, Node packages
    Tools,
    /// Audits what takes long: the dependencies, the fuzz targets, the mutants of core
    Audit(audit::Options),
    /// Runs the load and kill tests, the check of the dedup protocol, the scenarios of the watch and
    /// the million calls of the npm package, in their full form
    Soak,
    /// Measures and prints the figures of the README
    Bench(bench::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    let workspace = Workspace::locate()?;
    match task {
        Task::Up(options) => return up::run(&workspace, &options),
        Task::Test(options) => return test::run(&workspace, &options),
        Task::Build => build::run(&workspace)?,
        Task::Edge => edge::run(&workspace)?,
        Task::Doctor => {
            let page = edge::doctor_page(&workspace)?;
            println!("{}", page.display());
        }
        Task::Tools => tools::all(&workspace)?,
        Task::Audit(options) => return audit::run(&workspace, &options),
        Task::Soak => return soak::run(&workspace),
        Task::Bench(options) => bench::run(&workspace, &options)?,
    }
    Ok(ExitCode::SUCCESS)
}
