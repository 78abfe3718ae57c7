//! A call of cargo test, or of Node's test runner, counted.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::count::Count;

/// Runs a call that tests, passing its output on and counting its results.
///
/// # Errors
/// If it can't be started or its output can't be read.
pub(crate) fn tests(command: &mut Command) -> Result<Count> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("can't start {:?}", command.get_program()))?;
    let output = child.stdout.take().context("standard output is piped")?;
    let mut count = Count::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        let counted = Count::from_line(&line).or_else(|| Count::from_node_line(&line));
        count = count + counted.unwrap_or_default();
    }
    let status = child.wait()?;
    Ok(settle(count, status.success()))
}

/// Adds the failure that no test reported: a build that broke, a test binary that crashed,
/// a call that ran nothing.
fn settle(count: Count, succeeded: bool) -> Count {
    let unreported = if succeeded {
        count.passed + count.failed == 0
    } else {
        count.failed == 0
    };
    if unreported {
        count + Count::FAILURE
    } else {
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_a_build_that_broke_as_a_failure() {
        assert_eq!(settle(Count::default(), false), Count::FAILURE);
        assert_eq!(settle(Count::SUCCESS, false).failed, 1);
    }

    #[test]
    fn counts_a_call_that_ran_no_test_as_a_failure() {
        let filtered = Count {
            left_out: 9,
            ..Count::default()
        };
        assert_eq!(settle(filtered, true).failed, 1);
    }

    #[test]
    fn leaves_reported_results_alone() {
        assert_eq!(settle(Count::SUCCESS, true), Count::SUCCESS);
        let both = Count::SUCCESS + Count::FAILURE;
        assert_eq!(settle(both, false), both);
    }
}
