//! `cargo xtask test`: everything that has to hold, counted.

mod cargo_test;
mod count;
mod step;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;

pub(crate) use self::cargo_test::tests;
use self::count::Count;
use self::step::Step;
use crate::host;
use crate::workspace::Workspace;

/// How `test` is called.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Run only this step; may be repeated
    #[arg(long, value_enum, value_name = "STEP")]
    only: Vec<Step>,
}

struct Outcome {
    step: Step,
    count: Count,
    took: Duration,
}

/// Runs every step, goes on after a failure, and prints the closing line last.
///
/// # Errors
/// If the corpus's path is unusable; a failing step is an outcome, not an error.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    eprintln!("corpus: {}", corpus_notice(workspace)?);
    let mut outcomes = Vec::new();
    for step in Step::ALL {
        if !options.only.is_empty() && !options.only.contains(&step) {
            continue;
        }
        eprintln!("\n== {step}: {}", step.purpose());
        let started = Instant::now();
        let count = step.run(workspace).unwrap_or_else(|error| {
            eprintln!("{step}: {error:#}");
            Count::FAILURE
        });
        let outcome = Outcome {
            step,
            count,
            took: started.elapsed(),
        };
        eprintln!("== {outcome}");
        outcomes.push(outcome);
    }
    eprintln!();
    for outcome in &outcomes {
        eprintln!("{outcome}");
    }
    let total = outcomes
        .iter()
        .fold(Count::default(), |total, outcome| total + outcome.count);
    println!("{total}");
    Ok(ExitCode::from(u8::from(total.failed > 0)))
}

fn corpus_notice(workspace: &Workspace) -> Result<String> {
    let corpus = host::corpus(workspace)?;
    if !corpus.join("corpus").is_dir() {
        return Ok("not there, own fixtures only".to_owned());
    }
    Ok(match std::env::var("HOOKGATE_CORPUS") {
        Ok(named) => named,
        Err(_) => "../shared".to_owned(),
    })
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { step, count, took } = self;
        let verdict = if count.failed == 0 { "ok" } else { "FAILED" };
        write!(
            f,
            "{step}: {verdict} in {:.1} s ({count}",
            took.as_secs_f64()
        )?;
        if count.left_out > 0 {
            write!(f, "; {} left out by name", count.left_out)?;
        }
        f.write_str(")")
    }
}
