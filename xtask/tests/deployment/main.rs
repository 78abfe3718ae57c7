//! The manifests that operators copy give each process what the shipped `envoy.yaml` names.

mod cluster;
mod compose;
mod kubernetes;
mod shipped;
mod yaml;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Reads a file of the repository.
fn read(relative: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(relative);
    fs::read_to_string(path).with_context(|| relative.to_owned())
}
