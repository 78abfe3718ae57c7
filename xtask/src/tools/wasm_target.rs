//! The standard library for the module's target.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::say;
use crate::process;
use crate::workspace::WASM_TARGET;

/// Installs the Wasm target through rustup unless the compiler has it.
///
/// # Errors
/// If it is missing and rustup is not there or can't add it.
pub(crate) fn ensure() -> Result<()> {
    if installed() {
        say(WASM_TARGET, "target", "installed");
        return Ok(());
    }
    if !process::succeeds(Command::new("rustup").arg("--version")) {
        bail!(
            "the Rust target {WASM_TARGET} is missing: install rustup (rustup.rs), or your system's package of that target"
        );
    }
    say(WASM_TARGET, "target", "rustup target add");
    process::run(
        Command::new("rustup").args(["target", "add", WASM_TARGET]),
        "adding the Wasm target",
    )
}

/// Asks the compiler rather than rustup: a system's own Rust package has no rustup.
fn installed() -> bool {
    process::output(
        Command::new("rustc").args(["--print", "target-libdir", "--target", WASM_TARGET]),
        "rustc",
    )
    .is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}
