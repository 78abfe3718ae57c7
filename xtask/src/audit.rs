//! `cargo xtask audit`: what takes too long for every change.

mod dependencies;
mod fuzz;
mod mutants;
mod subcommand;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::workspace::Workspace;

/// How `audit` is called.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Run only this part; may be repeated
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
    #[command(flatten)]
    fuzz: fuzz::Fuzzing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Licences, sources, bans and advisories of what is linked in
    Dependencies,
    /// Each fuzz target with libFuzzer
    Fuzz,
    /// Whether a test of core sees each change of what decides about a delivery
    Mutants,
}

/// Runs every part, and goes on after one that doesn't hold.
///
/// # Errors
/// If a part can't be run, for want of a tool for one; what it finds is an outcome.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let mut green = true;
    for part in Part::value_variants() {
        if !options.only.is_empty() && !options.only.contains(part) {
            continue;
        }
        green &= match part {
            Part::Dependencies => dependencies::hold(workspace)?,
            Part::Fuzz => fuzz::holds(workspace, &options.fuzz)?,
            Part::Mutants => mutants::hold(workspace)?,
        };
    }
    eprintln!(
        "\naudit: {}",
        if green {
            "all checked and held"
        } else {
            "NOT GREEN"
        }
    );
    Ok(ExitCode::from(u8::from(!green)))
}
