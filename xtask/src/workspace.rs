//! Where things are: the workspace, its target folder, and what is built into it.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;

/// The target of the proxy-wasm module.
pub(crate) const WASM_TARGET: &str = "wasm32-wasip1";

/// The target of the npm package's Wasm.
pub(crate) const EDGE_TARGET: &str = "wasm32-unknown-unknown";

/// The workspace that this program was started in.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Asks cargo where the workspace and its target folder are.
    ///
    /// # Errors
    /// If `cargo metadata` fails, as it does outside the workspace.
    pub(crate) fn locate() -> Result<Self> {
        let metadata = MetadataCommand::new()
            .no_deps()
            .exec()
            .context("cargo metadata failed: start this inside the workspace")?;
        Ok(Self {
            root: metadata.workspace_root.into(),
            target: metadata.target_directory.into(),
        })
    }

    /// Joins a path to the workspace's root.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Returns the folder that fetched tools are kept in.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// Returns where `cargo xtask build` leaves the module.
    pub(crate) fn module(&self) -> PathBuf {
        self.target
            .join(WASM_TARGET)
            .join("release")
            .join("hookgate.wasm")
    }

    /// Returns where the Wasm of the doctor's page is left, before what wasm-bindgen
    /// makes of it.
    pub(crate) fn doctor_module(&self) -> PathBuf {
        self.target
            .join(EDGE_TARGET)
            .join("edge")
            .join("hookgate_doctor_page.wasm")
    }

    /// Returns where the doctor's page is left.
    pub(crate) fn doctor_page(&self) -> PathBuf {
        self.target.join("doctor").join("doctor.html")
    }

    /// Returns the folder in which the module with a feature for tests is built.
    pub(crate) fn test_target(&self, feature: &str) -> PathBuf {
        self.target.join(feature)
    }

    /// Returns where the module with a feature for tests is left.
    pub(crate) fn test_module(&self, feature: &str) -> PathBuf {
        self.test_target(feature)
            .join(WASM_TARGET)
            .join("release")
            .join("hookgate.wasm")
    }

    /// Returns the folder in which the fuzz targets are built, and keep their corpus.
    pub(crate) fn fuzz_target(&self) -> PathBuf {
        self.target.join("fuzz")
    }

    /// Returns the folder in which mutants are built, and listed.
    pub(crate) fn mutants_target(&self) -> PathBuf {
        self.target.join("mutants")
    }

    /// Returns where the npm package's Wasm is left, before what wasm-bindgen
    /// makes of it.
    pub(crate) fn edge_module(&self) -> PathBuf {
        self.target
            .join(EDGE_TARGET)
            .join("edge")
            .join("hookgate_edge.wasm")
    }

    /// Returns where `cargo xtask build` leaves the upstream's binary.
    pub(crate) fn hookgate(&self) -> PathBuf {
        self.target.join("quick").join("hookgate")
    }

    /// Returns where the example of a consumer is left.
    pub(crate) fn consumer(&self) -> PathBuf {
        self.target.join("quick").join("hookgate-consumer")
    }

    /// Prepares a cargo call that builds in this workspace as a call by hand would.
    ///
    /// `cargo run` hands its package's variables to us, and build scripts (ring's
    /// is one) watch them: passed on, they would rebuild half the tree each time
    /// one changes between this program and a shell.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        for (name, _) in env::vars_os() {
            let leaked = name.to_str().is_some_and(|name| {
                name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
            });
            if leaked {
                command.env_remove(name);
            }
        }
        command
            .current_dir(&self.root)
            // Cargo reads a relative one from its own folder, which is now the root.
            .env("CARGO_TARGET_DIR", &self.target);
        command
    }
}
