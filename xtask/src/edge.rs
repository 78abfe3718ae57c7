//! `cargo xtask edge`: the npm package, built in `edge/dist`; and `cargo xtask doctor`.

mod doctor;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::tools;
use crate::workspace::{EDGE_TARGET, Workspace};

pub(crate) use self::doctor::page as doctor_page;

/// The first version of Node that the package is for, and its tests run in.
const NODE_MAJOR: u32 = 20;

/// Builds the Wasm, what wasm-bindgen makes of it, and the TypeScript around it.
///
/// # Errors
/// If something isn't there that can't be fetched, or something doesn't build.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let folder = workspace.path("edge");
    let dist = folder.join("dist");
    packages(&folder)?;
    if dist.exists() {
        fs::remove_dir_all(&dist)?;
    }
    wasm(workspace, &dist.join("core"))?;
    eprintln!("edge: TypeScript");
    process::run(
        Command::new("npm")
            .args(["exec", "--offline", "--", "tsc", "--project", "lib"])
            .current_dir(&folder),
        "compiling the TypeScript",
    )?;
    // npm packs the licence that lies beside the manifest.
    fs::copy(workspace.path("LICENSE"), folder.join("LICENSE"))?;
    Ok(())
}

/// Builds the package and measures it beside Stripe's own SDK.
///
/// # Errors
/// If it doesn't build or the measurement fails.
pub(crate) fn bench(workspace: &Workspace) -> Result<()> {
    process::run(
        Command::new("npm")
            .args(["run", "bench"])
            .current_dir(workspace.path("edge")),
        "bench",
    )
}

/// Builds the Wasm with its ES module and its types into a folder: `core_bg.wasm`,
/// `core_bg.js` and `core_bg.d.ts`.
///
/// # Errors
/// If it doesn't build.
fn wasm(workspace: &Workspace, folder: &Path) -> Result<()> {
    tools::wasm_target::ensure(EDGE_TARGET)?;
    eprintln!("edge: Wasm ({EDGE_TARGET}, profile edge)");
    process::run(
        workspace
            .cargo()
            .args(["build", "--profile", "edge", "-p", "hookgate-edge"])
            .args(["--target", EDGE_TARGET]),
        "building the Wasm",
    )?;
    process::run(
        workspace
            .cargo()
            .args(["run", "--quiet", "-p", "hookgate-edge-bindgen", "--"])
            .arg(workspace.edge_module())
            .arg(folder),
        "wasm-bindgen",
    )?;
    // How a module is loaded is each runtime's own: `lib/` does it.
    fs::remove_file(folder.join("core.js"))?;
    fs::rename(folder.join("core.d.ts"), folder.join("core_bg.d.ts"))?;
    Ok(())
}

/// Installs what `package-lock.json` pins, unless it is there.
fn packages(folder: &Path) -> Result<()> {
    let install = "apt-get install nodejs npm (or your system's packages, or nodejs.org)";
    let version = |program: &str| {
        process::output(Command::new(program).arg("--version"), program)
            .with_context(|| format!("edge needs {program}: {install}"))
    };
    version("npm")?;
    let node = version("node")?;
    if major(&node).is_none_or(|major| major < NODE_MAJOR) {
        bail!(
            "edge needs Node {NODE_MAJOR} or later and found {}: {install}",
            node.trim()
        );
    }
    let changed = |file: &str| fs::metadata(folder.join(file)).and_then(|it| it.modified());
    let wanted = changed("package-lock.json").context("edge/package-lock.json")?;
    if changed("node_modules/.package-lock.json").is_ok_and(|installed| installed >= wanted) {
        return Ok(());
    }
    eprintln!("edge: npm ci");
    process::run(
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(folder),
        "npm ci",
    )
}

/// Reads the first number of `v20.20.2`.
fn major(version: &str) -> Option<u32> {
    version
        .trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn reads_the_first_number_of_a_version() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("none"), None);
    }
}
