//! Stripe's official Node SDK: the host tests let it sign, so that our reading of
//! Stripe's scheme is held against Stripe's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use serde_json::Value;

use super::say;
use crate::process;
use crate::workspace::Workspace;

const VERSION: &str = "23.1.0";

/// Sees to it that the SDK is in `target/tools/stripe-node` and returns that folder.
///
/// # Errors
/// If node or npm is missing, or npm can't install it.
pub(super) fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    for program in ["node", "npm"] {
        if !process::succeeds(Command::new(program).arg("--version")) {
            bail!(
                "Stripe's SDK needs {program}: apt-get install nodejs npm (or your system's packages)"
            );
        }
    }
    let folder = workspace.tools().join("stripe-node");
    if installed_version(&folder).as_deref() != Some(VERSION) {
        eprintln!("tools: Stripe Node SDK {VERSION}: fetching");
        fs::create_dir_all(&folder)?;
        process::run(
            Command::new("npm")
                .args(["install", "--silent", "--no-audit", "--no-fund"])
                .arg("--prefix")
                .arg(&folder)
                .arg(format!("stripe@{VERSION}")),
            "installing Stripe's Node SDK",
        )?;
    }
    say("Stripe Node SDK", VERSION, "npm");
    Ok(folder)
}

fn installed_version(folder: &Path) -> Option<String> {
    let manifest = fs::read(folder.join("node_modules/stripe/package.json")).ok()?;
    let manifest: Value = serde_json::from_slice(&manifest).ok()?;
    Some(manifest.get("version")?.as_str()?.to_owned())
}
