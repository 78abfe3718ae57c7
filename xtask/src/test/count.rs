//! How many checks passed, failed and were skipped.

use std::fmt;
use std::ops::Add;

/// The counts of a step, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Checks that hold.
    pub(crate) passed: u64,
    /// Checks that don't.
    pub(crate) failed: u64,
    /// Checks that were not run though they belong to the run (`#[ignore]`).
    pub(crate) skipped: u64,
    /// Checks that don't belong to this run by their name; another step runs them, so
    /// they aren't in the total.
    pub(crate) left_out: u64,
}

impl Count {
    /// One check that holds.
    pub(crate) const SUCCESS: Self = Self {
        passed: 1,
        failed: 0,
        skipped: 0,
        left_out: 0,
    };
    /// One check that doesn't.
    pub(crate) const FAILURE: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
        left_out: 0,
    };

    /// Reads a line as Node's test runner closes a run with, `ℹ pass 3`: one for each
    /// number.
    pub(crate) fn from_node_line(line: &str) -> Option<Self> {
        let (name, number) = line.strip_prefix("ℹ ")?.split_once(' ')?;
        let number = number.parse().ok()?;
        let mut count = Self::default();
        match name {
            "pass" => count.passed = number,
            "fail" | "cancelled" => count.failed = number,
            "skipped" | "todo" => count.skipped = number,
            _ => return None,
        }
        Some(count)
    }

    /// Reads a line as cargo test closes each test binary with:
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in …`.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let results = line.trim().strip_prefix("test result: ")?;
        let number = |word: &str| {
            results
                .split([';', '.'])
                .find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
        };
        Some(Self {
            passed: number("passed")?,
            failed: number("failed")?,
            skipped: number("ignored")?,
            left_out: number("filtered out")?,
        })
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
            left_out: self.left_out + other.left_out,
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
            ..
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::{Add, Count};

    #[test]
    fn reads_the_closing_line_of_a_test_binary() {
        let line = "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.52s";
        let expected = Count {
            passed: 12,
            failed: 2,
            skipped: 1,
            left_out: 3,
        };
        assert_eq!(Count::from_line(line), Some(expected));
    }

    #[test]
    fn reads_the_closing_lines_of_nodes_test_runner() {
        let lines = [
            "ℹ tests 8",
            "ℹ pass 5",
            "ℹ fail 1",
            "ℹ cancelled 1",
            "ℹ skipped 1",
        ];
        let total = lines
            .iter()
            .filter_map(|line| Count::from_node_line(line))
            .fold(Count::default(), Add::add);
        assert_eq!(total.to_string(), "5 passed, 2 failed, 1 skipped");
        assert_eq!(Count::from_node_line("✔ pass 5"), None);
    }

    #[test]
    fn passes_over_every_other_line() {
        for line in ["running 3 tests", "test a ... ok", "3 passed; 0 failed", ""] {
            assert_eq!(Count::from_line(line), None, "{line}");
        }
    }

    #[test]
    fn adds_up_and_prints_the_closing_line() {
        let total = Count::SUCCESS
            + Count::FAILURE
            + Count {
                left_out: 5,
                ..Count::SUCCESS
            };
        assert_eq!(total.to_string(), "2 passed, 1 failed, 0 skipped");
    }
}
