//! What tests run under Node.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use serde_json::Value;

use super::say;
use crate::process;
use crate::workspace::Workspace;

/// Stripe's official SDK: the host tests let it sign, so that our reading of
/// Stripe's scheme is held against Stripe's own.
pub(super) const STRIPE: NodePackages = NodePackages {
    purpose: "Stripe's Node SDK",
    folder: "stripe-node",
    packages: &[("stripe", "23.1.0")],
};

/// The library of those who wrote Standard Webhooks: a receiver verifies by it
/// what destinations get.
pub(super) const WEBHOOKS: NodePackages = NodePackages {
    purpose: "the library of Standard Webhooks",
    folder: "webhooks-node",
    packages: &[("standardwebhooks", "1.1.1")],
};

/// What drives Chromium through the console, and axe, which looks at each page
/// for those who can't see it.
pub(super) const CONSOLE: NodePackages = NodePackages {
    purpose: "the tests of the console",
    folder: "console-node",
    packages: &[("puppeteer-core", "24.40.0"), ("axe-core", "4.14.1")],
};

/// The rate-limit service behind Envoy's filter: an engine on Redis, and gRPC.
pub(super) const RATE_LIMIT: NodePackages = NodePackages {
    purpose: "the rate-limit service",
    folder: "rls-node",
    packages: &[
        ("rate-limiter-flexible", "11.4.0"),
        ("ioredis", "6.0.0"),
        ("@grpc/grpc-js", "1.14.7"),
        ("@grpc/proto-loader", "0.8.1"),
    ],
};

/// Packages of pinned versions in a folder of their own.
#[derive(Debug)]
pub(super) struct NodePackages {
    purpose: &'static str,
    folder: &'static str,
    packages: &'static [(&'static str, &'static str)],
}

impl NodePackages {
    /// Sees to it that the packages are in their folder and returns it.
    ///
    /// # Errors
    /// If node or npm is missing, or npm can't install them.
    pub(super) fn ensure(&self, workspace: &Workspace) -> Result<PathBuf> {
        let Self {
            purpose, packages, ..
        } = self;
        for program in ["node", "npm"] {
            if !process::succeeds(Command::new(program).arg("--version")) {
                bail!(
                    "{purpose} needs {program}: apt-get install nodejs npm (or your system's packages)"
                );
            }
        }
        let folder = workspace.tools().join(self.folder);
        let installed = |(name, version): &(&str, &str)| {
            installed_version(&folder, name).as_deref() == Some(*version)
        };
        if !packages.iter().all(installed) {
            eprintln!("tools: packages of {purpose}: fetching");
            fs::create_dir_all(&folder)?;
            let pinned = packages
                .iter()
                .map(|(name, version)| format!("{name}@{version}"));
            process::run(
                Command::new("npm")
                    .args(["install", "--silent", "--no-audit", "--no-fund"])
                    .arg("--prefix")
                    .arg(&folder)
                    .args(pinned),
                &format!("installing {purpose}"),
            )?;
        }
        for (name, version) in *packages {
            say(name, version, "npm");
        }
        Ok(folder)
    }
}

fn installed_version(folder: &Path, package: &str) -> Option<String> {
    let manifest = folder
        .join("node_modules")
        .join(package)
        .join("package.json");
    let manifest: Value = serde_json::from_slice(&fs::read(manifest).ok()?).ok()?;
    Some(manifest.get("version")?.as_str()?.to_owned())
}
