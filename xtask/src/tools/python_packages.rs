//! What tests run under Python.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use super::say;
use crate::process;
use crate::workspace::Workspace;

/// Stripe's official SDK: a second client of the scripted Stripe that
/// reconciliation is tested with.
pub(super) const STRIPE: PythonPackages = PythonPackages {
    purpose: "Stripe's Python SDK",
    folder: "stripe-python",
    packages: &[("stripe", "16.1.0")],
};

/// What the doctor's code for frameworks is tried with: Django, and parsers of the
/// languages that a machine seldom has.
pub(super) const FRAMEWORKS: PythonPackages = PythonPackages {
    purpose: "the tests of the doctor's code",
    folder: "frameworks-python",
    packages: &[
        ("stripe", "16.1.0"),
        ("django", "5.2.19"),
        ("tree_sitter", "0.26.1"),
        ("tree_sitter_c_sharp", "0.23.5"),
        ("tree_sitter_java", "0.23.5"),
        ("tree_sitter_php", "0.25.1"),
        ("tree_sitter_ruby", "0.23.1"),
    ],
};

/// Packages of pinned versions in a folder of their own.
#[derive(Debug)]
pub(super) struct PythonPackages {
    purpose: &'static str,
    folder: &'static str,
    /// By the names of their folders, with versions.
    packages: &'static [(&'static str, &'static str)],
}

impl PythonPackages {
    /// Sees to it that the packages are in their folder and returns it: `PYTHONPATH`
    /// names it.
    ///
    /// # Errors
    /// If python3 or its pip is missing, or pip can't install them.
    pub(super) fn ensure(&self, workspace: &Workspace) -> Result<PathBuf> {
        let Self {
            purpose, packages, ..
        } = self;
        if !process::succeeds(Command::new("python3").args(["-m", "pip", "--version"])) {
            bail!(
                "{purpose} needs python3 with pip: apt-get install python3 python3-pip (or your system's packages)"
            );
        }
        let folder = workspace.tools().join(self.folder);
        let is_installed = |(name, version): &(&str, &str)| {
            folder.join(format!("{name}-{version}.dist-info")).is_dir()
        };
        if !packages.iter().all(is_installed) {
            eprintln!("tools: packages of {purpose}: fetching");
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            let pinned = packages
                .iter()
                .map(|(name, version)| format!("{name}=={version}"));
            process::run(
                Command::new("python3")
                    .args(["-m", "pip", "install", "--quiet", "--target"])
                    .arg(&folder)
                    .args(pinned),
                &format!("installing {purpose}"),
            )?;
        }
        for (name, version) in *packages {
            say(name, version, "pip");
        }
        Ok(folder)
    }
}
