//! Chromium, for the tests of the console.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use super::{binary, say};

/// What it is called, by who packed it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Finds Chromium: `CHROMIUM_PATH`, else PATH; of any version.
///
/// # Errors
/// If there is none, with the line that installs it.
pub(crate) fn ensure() -> Result<PathBuf> {
    let (path, origin) = match env::var_os("CHROMIUM_PATH") {
        Some(path) => (Some(std::path::absolute(path)?), "CHROMIUM_PATH"),
        None => (NAMES.into_iter().find_map(binary::on_path), "PATH"),
    };
    let found = path.and_then(|path| {
        let output = Command::new(&path).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some((path, version_in(&text)?.to_owned()))
    });
    let Some((path, version)) = found else {
        bail!(
            "{origin} has no chromium: apt-get install chromium (or your system's package), or \
             set CHROMIUM_PATH to one"
        );
    };
    say("chromium", &version, origin);
    Ok(path)
}

/// Finds the version in `Chromium 143.0.7499.40 built on …`.
fn version_in(output: &str) -> Option<&str> {
    let mut words = output.split_whitespace();
    words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn reads_the_version_behind_the_name() {
        let debian = "Chromium 143.0.7499.40 built on Debian GNU/Linux 12 (bookworm)\n";
        assert_eq!(version_in(debian), Some("143.0.7499.40"));
        assert_eq!(version_in("no such thing"), None);
    }
}
