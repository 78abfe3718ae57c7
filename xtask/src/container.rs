//! Envoy with the module in a container image, and the engine that runs it.

mod base;
mod engine;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use self::engine::Engine;
use crate::process;
use crate::workspace::Workspace;

const IMAGE: &str = "localhost/hookgate-envoy:dev";
/// What `envoy/Containerfile` copies, beside the module.
const SHIPPED: [&str; 1] = ["envoy/envoy.yaml"];
const MODULE: &str = "target/wasm32-wasip1/release/hookgate.wasm";

/// An image of Envoy, module and configuration, and how to run it here.
#[derive(Debug)]
pub(crate) struct Container {
    engine: Engine,
    arguments: Vec<String>,
}

impl Container {
    /// Builds the image and finds out with which arguments the engine runs it.
    ///
    /// # Errors
    /// If no engine is there (the message installs one), or it can't build or run the image.
    pub(crate) fn prepare(workspace: &Workspace, envoy: &Path) -> Result<Self> {
        let engine = Engine::find()?;
        let base = base::image(workspace, &engine, envoy)?;
        build(workspace, &engine, &base)?;
        let arguments = engine.arguments_that_run(IMAGE)?;
        eprintln!(
            "container: {} runs {IMAGE} on {base}, arguments: {}",
            engine.program(),
            if arguments.is_empty() {
                "none".to_owned()
            } else {
                arguments.join(" ")
            }
        );
        Ok(Self { engine, arguments })
    }

    /// Returns the image's name.
    pub(crate) fn image(&self) -> &'static str {
        IMAGE
    }

    /// Returns the engine's program.
    pub(crate) fn engine(&self) -> &str {
        self.engine.program()
    }

    /// Returns what has to stand after the engine's `run` on this machine.
    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

/// Builds from a copy of just the files that go in: the target folder, which the repository
/// as a context would carry along, has gigabytes, and may lie elsewhere.
fn build(workspace: &Workspace, engine: &Engine, base: &str) -> Result<()> {
    let context = tempfile::tempdir()?;
    let place = |relative: &str, from: &Path| -> Result<()> {
        let to = context.path().join(relative);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(from, to).with_context(|| from.display().to_string())?;
        Ok(())
    };
    place(MODULE, &workspace.module())?;
    for file in SHIPPED {
        place(file, &workspace.path(file))?;
    }
    process::output(
        Command::new(engine.program())
            .args(["build", "--tag", IMAGE, "--build-arg"])
            .arg(format!("BASE={base}"))
            .arg("--file")
            .arg(workspace.path("envoy/Containerfile"))
            .arg(context.path()),
        "building the container image",
    )?;
    Ok(())
}
