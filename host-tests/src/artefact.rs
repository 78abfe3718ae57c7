//! Finds the built and installed things that the harness runs.
//!
//! Each can be set by an environment variable and otherwise lies where
//! `cargo xtask` puts it. A missing one is an error that names the command.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

const TOOLS: &str = "run `cargo xtask tools`";
const BUILD: &str = "run `cargo xtask build`";

/// Says how Envoy is run.
#[derive(Debug, Clone)]
pub enum Runtime {
    /// A binary on this machine.
    Native(PathBuf),
    /// An image that holds Envoy and the module.
    Container {
        /// The container engine's command, `docker` or `podman`.
        engine: String,
        /// Arguments of this machine's own for `run`.
        arguments: Vec<String>,
        /// The image.
        image: String,
    },
}

/// Returns the repository's root.
#[must_use]
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Finds Envoy: the image of `HOOKGATE_ENVOY_IMAGE` if set, else a binary.
///
/// # Errors
/// No binary at `ENVOY_PATH`, on `PATH` or in `target/tools`.
pub fn envoy() -> Result<Runtime> {
    let Ok(image) = env::var("HOOKGATE_ENVOY_IMAGE") else {
        return Ok(Runtime::Native(tool("ENVOY_PATH", "envoy")?));
    };
    Ok(Runtime::Container {
        engine: env::var("HOOKGATE_CONTAINER_ENGINE").unwrap_or_else(|_| "docker".to_owned()),
        arguments: env::var("HOOKGATE_CONTAINER_ARGS")
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        image,
    })
}

/// Finds nats-server.
///
/// # Errors
/// No binary at `NATS_SERVER_PATH`, on `PATH` or in `target/tools`.
pub fn nats_server() -> Result<PathBuf> {
    tool("NATS_SERVER_PATH", "nats-server")
}

/// Finds redis-server.
///
/// # Errors
/// No binary at `REDIS_SERVER_PATH`, on `PATH` or in `target/tools`.
pub fn redis_server() -> Result<PathBuf> {
    tool("REDIS_SERVER_PATH", "redis-server")
}

/// Finds the module, `hookgate.wasm`.
///
/// # Errors
/// It hasn't been built.
pub fn module() -> Result<PathBuf> {
    built(
        "HOOKGATE_WASM",
        "target/wasm32-wasip1/release/hookgate.wasm",
        BUILD,
    )
}

/// Finds the module that traps on demand.
///
/// # Errors
/// It hasn't been built.
pub fn trap_module() -> Result<PathBuf> {
    built(
        "HOOKGATE_TRAP_WASM",
        "target/trap/wasm32-wasip1/release/hookgate.wasm",
        "run `cargo xtask test --only host`",
    )
}

/// Finds the module that measures itself on demand.
///
/// # Errors
/// It hasn't been built.
pub fn measuring_module() -> Result<PathBuf> {
    built(
        "HOOKGATE_MEASURE_WASM",
        "target/measure/wasm32-wasip1/release/hookgate.wasm",
        "run `cargo xtask bench gate`",
    )
}

/// Finds the upstream's binary, `hookgate`.
///
/// # Errors
/// It hasn't been built.
pub fn hookgate() -> Result<PathBuf> {
    built("HOOKGATE_BIN", "target/quick/hookgate", BUILD)
}

/// Finds the example of a consumer, `hookgate-consumer`.
///
/// # Errors
/// It hasn't been built.
pub fn consumer() -> Result<PathBuf> {
    built(
        "HOOKGATE_CONSUMER_BIN",
        "target/quick/hookgate-consumer",
        "run `cargo xtask test --only host`",
    )
}

/// Finds the folder where the official Node SDK is installed.
///
/// # Errors
/// No `node_modules/stripe` there.
pub fn stripe_node() -> Result<PathBuf> {
    node_packages("HOOKGATE_STRIPE_NODE", "stripe-node", "stripe")
}

/// Finds the folder with the packages of the rate-limit service.
///
/// # Errors
/// No `node_modules/rate-limiter-flexible` there.
pub fn rls_node() -> Result<PathBuf> {
    node_packages("HOOKGATE_RLS_NODE", "rls-node", "rate-limiter-flexible")
}

fn node_packages(variable: &str, default: &str, package: &str) -> Result<PathBuf> {
    let folder = env::var_os(variable)
        .map_or_else(|| root().join("target/tools").join(default), PathBuf::from);
    let manifest = format!("node_modules/{package}/package.json");
    if !folder.join(manifest).is_file() {
        bail!("no package {package} in `{}`: {TOOLS}", folder.display());
    }
    Ok(folder)
}

fn built(variable: &str, default: &str, how: &str) -> Result<PathBuf> {
    let path = env::var_os(variable).map_or_else(|| root().join(default), PathBuf::from);
    if !path.is_file() {
        bail!("no `{}`: {how}, or set {variable}", path.display());
    }
    Ok(path)
}

fn tool(variable: &str, name: &str) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable).map(PathBuf::from) {
        if !path.is_file() {
            bail!("{variable} names `{}`, which is no file", path.display());
        }
        return Ok(path);
    }
    let on_path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&on_path)
        .chain([root().join("target/tools")])
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| anyhow::anyhow!("no `{name}` found: {TOOLS}, or set {variable}"))
}
