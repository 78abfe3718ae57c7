//! What watches the door: alert rules, dashboard and the page that says what to do.

mod dashboard;
mod promtool;
mod rules;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Returns the path of a file of the repository.
fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(relative)
}

/// Reads a file of the repository.
fn read(relative: &str) -> Result<String> {
    fs::read_to_string(path(relative)).with_context(|| relative.to_owned())
}
