//! Measures the upstream: what an append costs, beside the disk and beside
//! NATS's own client, whether it costs the same with a million events, and how
//! long a page of the console takes then.
//!
//! `cargo xtask bench upstream` builds what this needs and runs it; it prints
//! Markdown for `docs/performance.md`. Arguments, any of them: `append`,
//! `publish`, `growth`, `console`, `broker`; without any it is all. `search` is a part of `growth`.

mod append;
mod broker;
mod console;
mod growth;
mod publish;
mod search;
mod store;

use std::env;

use anyhow::{Result, bail};
use hookgate_host_tests::measure;

/// The parts, in their order.
const PARTS: [&str; 5] = ["append", "publish", "growth", "console", "broker"];
/// A part of one of them.
const SEARCH: &str = "search";

// One thread: what the sender takes, the servers don't have.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut parts: Vec<String> = env::args().skip(1).collect();
    if let Some(unknown) = parts
        .iter()
        .find(|part| part.as_str() != SEARCH && !PARTS.contains(&part.as_str()))
    {
        bail!(
            "no part `{unknown}`: expected any of {}, {SEARCH}",
            PARTS.join(", ")
        );
    }
    if parts.is_empty() {
        parts = PARTS.map(str::to_owned).into();
    }
    println!("{}", measure::machine()?);
    for part in parts {
        match part.as_str() {
            "append" => append::measure().await?,
            "publish" => publish::measure().await?,
            "growth" => growth::measure().await?,
            "console" => console::measure().await?,
            SEARCH => search::measure().await?,
            _ => broker::measure().await?,
        }
    }
    Ok(())
}

/// Prints the head of a table.
fn table(title: &str) {
    println!("\n{title}\n\n| what | figure |\n|---|---|");
}

/// Prints a row of it.
fn row(what: &str, figure: &str) {
    println!("| {what} | {figure} |");
}

/// Shows what each round gave, for the doubtful.
fn rounds(what: &str, values: &[f64]) {
    eprintln!("{what}, by round: {values:.2?}");
}
