//! What the dependencies bring along, by cargo-deny.

use anyhow::Result;

use super::subcommand;
use crate::process;
use crate::workspace::Workspace;

const CARGO_DENY: &str = "0.20.2";

/// Tells whether licences, sources, bans and advisories hold.
///
/// # Errors
/// If cargo-deny can't be installed or started.
pub(super) fn hold(workspace: &Workspace) -> Result<bool> {
    subcommand::ensure(workspace, "deny", CARGO_DENY)?;
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
    Ok(green)
}

fn holds(workspace: &Workspace, arguments: &[&str]) -> Result<bool> {
    let status = workspace.cargo().arg("deny").args(arguments).status()?;
    Ok(status.success())
}
