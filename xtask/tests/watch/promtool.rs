//! promtool, Prometheus's own checker.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// How a Debian machine gets promtool without the server that its package starts.
const INSTALL: &str = "apt-get download prometheus && dpkg-deb --fsys-tarfile prometheus_*.deb \
     | tar -xC /usr/local/bin --strip-components=3 ./usr/bin/promtool";

/// Runs promtool with these arguments.
///
/// # Errors
/// If there is none, or it finds something wrong; then with what it says.
pub(crate) fn run(arguments: &[&str], file: &Path) -> Result<()> {
    let program = env::var_os("PROMTOOL_PATH").unwrap_or_else(|| "promtool".into());
    let output = Command::new(program)
        .args(arguments)
        .arg(file)
        .output()
        .with_context(|| format!("no promtool (or set PROMTOOL_PATH): {INSTALL}"))?;
    if !output.status.success() {
        bail!(
            "promtool {arguments:?} {}\n{}{}",
            file.display(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

#[test]
fn refuses_a_query_that_is_no_promql() -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    let rule =
        |expr: &str| format!("groups: [{{name: g, rules: [{{record: r, expr: '{expr}'}}]}}]");
    std::fs::write(file.path(), rule("rate(up[5m])"))?;
    run(&["check", "rules"], file.path())?;
    std::fs::write(file.path(), rule("rate(up[5m]"))?;
    let error = run(&["check", "rules"], file.path())
        .err()
        .context("accepted")?;
    assert!(error.to_string().contains("unclosed"), "{error}");
    Ok(())
}
