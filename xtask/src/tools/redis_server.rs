//! redis-server, for the host test of the global quota.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use super::{binary, say};

/// Finds redis-server: `REDIS_SERVER_PATH`, else PATH; of any version.
///
/// # Errors
/// If there is none, with the line that installs it.
pub(crate) fn ensure() -> Result<PathBuf> {
    let (path, origin) = match env::var_os("REDIS_SERVER_PATH") {
        Some(path) => (Some(std::path::absolute(path)?), "REDIS_SERVER_PATH"),
        None => (binary::on_path("redis-server"), "PATH"),
    };
    let found = path.and_then(|path| {
        let output = Command::new(&path).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some((path, version_in(&text)?.to_owned()))
    });
    let Some((path, version)) = found else {
        bail!(
            "{origin} has no redis-server: apt-get install redis-server (or your system's \
             package), or set REDIS_SERVER_PATH to one"
        );
    };
    say("redis-server", &version, origin);
    Ok(path)
}

/// Finds the version in `Redis server v=7.0.15 sha=…`.
fn version_in(output: &str) -> Option<&str> {
    let (_, rest) = output.split_once("server v=")?;
    rest.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn reads_the_version_after_the_name() {
        let redis = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64\n";
        assert_eq!(version_in(redis), Some("7.0.15"));
        assert_eq!(version_in("nats-server: v2.15.1"), None);
    }
}
