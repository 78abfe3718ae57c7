//! Stripe's official Python SDK: a second client of the scripted Stripe that
//! reconciliation is tested with.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use super::say;
use crate::process;
use crate::workspace::Workspace;

/// The exact version.
const VERSION: &str = "16.1.0";

/// Sees to it that the SDK is there; returns the folder that `PYTHONPATH` names.
///
/// # Errors
/// If python3 or its pip is missing, or pip can't install it.
pub(crate) fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    if !process::succeeds(Command::new("python3").args(["-m", "pip", "--version"])) {
        bail!(
            "Stripe's Python SDK needs python3 with pip: apt-get install python3 python3-pip (or your system's packages)"
        );
    }
    let folder = workspace.tools().join("stripe-python");
    if !folder.join(format!("stripe-{VERSION}.dist-info")).is_dir() {
        eprintln!("tools: Stripe's Python SDK: fetching");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        process::run(
            Command::new("python3")
                .args(["-m", "pip", "install", "--quiet", "--target"])
                .arg(&folder)
                .arg(format!("stripe=={VERSION}")),
            "installing Stripe's Python SDK",
        )?;
    }
    say("stripe", VERSION, "pip");
    Ok(folder)
}
