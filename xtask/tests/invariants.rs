//! Every invariant of ARCHITECTURE.md and every threat of SECURITY.md names tests,
//! and they exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns each numbered line with the names in backticks behind its dash.
fn invariants(text: &str) -> Vec<(&str, Vec<&str>)> {
    let numbered = |line: &&str| {
        let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
        digits.len() < line.len() && digits.starts_with(". ")
    };
    text.lines()
        .filter(numbered)
        .map(|line| {
            let tests = line.rsplit_once(" — ").map_or("", |(_, tests)| tests);
            (line, tests.split('`').skip(1).step_by(2).collect())
        })
        .collect()
}

/// Adds the names of the functions that follow `#[test]` or `#[tokio::test…]`,
/// and those that a macro `on_…! {` makes tests of.
fn add_tests(source: &str, names: &mut BTreeSet<String>) {
    let (mut marked, mut listed) = (false, false);
    for line in source.lines().map(str::trim_start) {
        if listed {
            listed = line != "}";
            names.extend(listed.then(|| line.to_owned()));
        } else if line.starts_with("on_") && line.ends_with("! {") {
            listed = true;
        } else if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if marked && let Some((_, name)) = line.split_once("fn ") {
            names.extend(name.split_once('(').map(|(name, _)| name.to_owned()));
            marked = false;
        }
    }
}

/// Adds the names of the tests in a file for Node's runner, `test('…'`, as a
/// function would have them: words with `_` between them.
fn add_node_tests(source: &str, names: &mut BTreeSet<String>) {
    for line in source.lines() {
        let Some(name) = line
            .strip_prefix("test('")
            .and_then(|rest| rest.split_once('\''))
        else {
            continue;
        };
        let words = name.0.split(|c: char| !c.is_alphanumeric());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        names.insert(words.join("_").to_lowercase());
    }
}

fn walk(folder: &Path, names: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.ends_with("node_modules") {
            continue;
        }
        if path.is_dir() {
            walk(&path, names)?;
        } else if path.to_string_lossy().ends_with(".test.js") {
            add_node_tests(&fs::read_to_string(&path)?, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            add_tests(&fs::read_to_string(&path)?, names);
        }
    }
    Ok(())
}

/// Returns the rows of the threat model with the names in their last cell.
fn threats(text: &str) -> Vec<(&str, Vec<&str>)> {
    let (_, section) = text.split_once("## Threat model\n").unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    // Below the names of the columns.
    rows.skip(1)
        .map(|row| {
            let cell = row.trim_end_matches([' ', '|']).rsplit_once(" | ");
            let names = cell.map_or("", |(_, cell)| cell);
            (row, names.split('`').skip(1).step_by(2).collect())
        })
        .collect()
}

/// Returns the names of all tests of the workspace.
fn tests() -> Result<BTreeSet<String>> {
    let mut tests = BTreeSet::new();
    for package in [
        "core",
        "watch",
        "doctor",
        "plugin",
        "edge",
        "upstream",
        "examples",
        "host-tests",
        "xtask",
        "fuzz",
    ] {
        walk(&root().join(package), &mut tests).context(package)?;
    }
    Ok(tests)
}

#[test]
fn every_invariant_is_held_by_tests_that_exist() -> Result<()> {
    let tests = tests()?;
    let text = fs::read_to_string(root().join("ARCHITECTURE.md"))?;
    let invariants = invariants(&text);
    assert!(invariants.len() >= 18, "{}", invariants.len());
    for (line, named) in invariants {
        assert!(!named.is_empty(), "no test named: {line}");
        for name in named {
            assert!(tests.contains(name), "`{name}` is no test: {line}");
        }
    }
    Ok(())
}

#[test]
fn every_threat_is_met_by_tests_that_exist() -> Result<()> {
    let tests = tests()?;
    let text = fs::read_to_string(root().join("SECURITY.md"))?;
    let threats = threats(&text);
    assert!(threats.len() >= 15, "{}", threats.len());
    for (row, named) in threats {
        assert!(!named.is_empty(), "no test named: {row}");
        for name in named {
            assert!(tests.contains(name), "`{name}` is no test: {row}");
        }
    }
    Ok(())
}

#[test]
fn the_two_commands_stand_by_line_25_of_the_readme() -> Result<()> {
    let readme = fs::read_to_string(root().join("README.md"))?;
    for command in ["cargo xtask up", "cargo xtask test"] {
        assert!(
            readme
                .lines()
                .take(25)
                .any(|line| line.starts_with(command)),
            "{command}"
        );
    }
    Ok(())
}

#[test]
fn tells_tests_from_other_functions() {
    let mut names = BTreeSet::new();
    add_tests(
        "#[test]\nfn a() {}\nfn b() {}\n#[tokio::test(x)]\nasync fn c() {}",
        &mut names,
    );
    assert_eq!(names, BTreeSet::from(["a".to_owned(), "c".to_owned()]));
    let mut names = BTreeSet::new();
    add_node_tests("test('On KV, a b', async () => {\n  test('c'", &mut names);
    assert_eq!(names, BTreeSet::from(["on_kv_a_b".to_owned()]));
    let table =
        "## Threat model\n\n| a | b |\n|---|---|\n| x `y` | `a`, `b` |\n\n## Other\n| `c` |";
    assert_eq!(threats(table), [("| x `y` | `a`, `b` |", vec!["a", "b"])]);
    assert_eq!(
        invariants("1. One — `a`, `b`.\ntwo\n2. No"),
        [("1. One — `a`, `b`.", vec!["a", "b"]), ("2. No", vec![])]
    );
}
