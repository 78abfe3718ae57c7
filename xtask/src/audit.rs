//! `cargo xtask audit`: what the dependencies bring along.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

const CARGO_DENY: &str = "0.20.2";

/// Checks licences, sources, bans and advisories with cargo-deny, installing it if need be.
///
/// # Errors
/// If cargo-deny can't be installed; what it finds is an outcome, not an error.
pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let installed = process::succeeds(workspace.cargo().args(["deny", "--version"]));
    if !installed {
        eprintln!("audit: installing cargo-deny {CARGO_DENY}, which takes minutes");
        process::run(
            Command::new("cargo").args([
                "install",
                "--locked",
                "cargo-deny",
                "--version",
                CARGO_DENY,
            ]),
            "installing cargo-deny",
        )?;
    }
    let mut green = true;
    for check in ["licenses", "sources", "bans"] {
        eprintln!("\n== audit: {check}");
        green &= holds(workspace, &["check", "--hide-inclusion-graph", check])?;
    }
    eprintln!("\n== audit: advisories");
    if process::run(workspace.cargo().args(["deny", "fetch", "db"]), "fetching").is_err() {
        // Neither green nor red: a run without them must not be taken for one with them.
        eprintln!("audit: advisories NOT CHECKED: their database could not be fetched");
        green = false;
    } else {
        green &= holds(workspace, &["check", "--disable-fetch", "advisories"])?;
    }
    eprintln!(
        "\naudit: {}",
        if green {
            "all checked and held"
        } else {
            "NOT GREEN"
        }
    );
    Ok(ExitCode::from(u8::from(!green)))
}

fn holds(workspace: &Workspace, arguments: &[&str]) -> Result<bool> {
    let status = workspace.cargo().arg("deny").args(arguments).status()?;
    Ok(status.success())
}
