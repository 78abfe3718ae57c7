//! rabbitmq-server, for the upstream's tests.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::say;

/// Where Debian's package has the script that starts a server. The one on PATH
/// would start it as another user, who may not write where a test says.
const PLACE: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// Finds rabbitmq-server: `RABBITMQ_SERVER_PATH`, else where Debian has it; of
/// any version that has streams.
///
/// # Errors
/// If there is none, with the line that installs it.
pub(crate) fn ensure() -> Result<PathBuf> {
    let (path, origin) = match env::var_os("RABBITMQ_SERVER_PATH") {
        Some(path) => (std::path::absolute(path)?, "RABBITMQ_SERVER_PATH"),
        None => (PathBuf::from(PLACE), PLACE),
    };
    if !path.is_file() {
        bail!(
            "{origin}: there is no rabbitmq-server: apt-get install rabbitmq-server (or your \
             system's package; 3.9 or later), or set RABBITMQ_SERVER_PATH to its script"
        );
    }
    let version = version_beside(&path);
    say(
        "rabbitmq-server",
        version.as_deref().unwrap_or("of some version"),
        origin,
    );
    Ok(path)
}

/// Finds the version in the name of the folder beside the script's: asking the
/// server itself takes seconds.
fn version_beside(script: &Path) -> Option<String> {
    let folder = script.parent()?.parent()?.join("lib");
    folder.read_dir().ok()?.find_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.strip_prefix("rabbitmq_server-").map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::version_beside;

    #[test]
    fn reads_the_version_beside_the_script() {
        let folder = std::env::temp_dir().join(format!("hookgate-rabbit-{}", std::process::id()));
        let script = folder.join("bin/rabbitmq-server");
        std::fs::create_dir_all(folder.join("lib/rabbitmq_server-3.10.8")).unwrap();
        let version = version_beside(&script);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(version.as_deref(), Some("3.10.8"));
        assert_eq!(version_beside(&script), None);
    }
}
