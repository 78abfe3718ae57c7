//! The standard library for a Wasm target.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::say;
use crate::process;

/// Installs a Wasm target through rustup unless the compiler has it.
///
/// # Errors
/// If it is missing and rustup is not there or can't add it.
pub(crate) fn ensure(target: &str) -> Result<()> {
    if installed(target) {
        say(target, "target", "installed");
        return Ok(());
    }
    if !process::succeeds(Command::new("rustup").arg("--version")) {
        bail!(
            "the Rust target {target} is missing: install rustup (rustup.rs), or your system's package of that target"
        );
    }
    say(target, "target", "rustup target add");
    process::run(
        Command::new("rustup").args(["target", "add", target]),
        "adding the Wasm target",
    )
}

/// Asks the compiler rather than rustup: a system's own Rust package has no rustup.
fn installed(target: &str) -> bool {
    process::output(
        Command::new("rustc").args(["--print", "target-libdir", "--target", target]),
        "rustc",
    )
    .is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}
