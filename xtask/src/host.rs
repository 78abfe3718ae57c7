//! The environment of the host tests: what they drive, and where it is.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::build;
use crate::container::Container;
use crate::tools::Tools;
use crate::workspace::Workspace;

/// Where Envoy runs in the host tests.
#[derive(Debug)]
pub(crate) enum Envoy {
    /// As a process of this machine.
    Native,
    /// In a container with the host's network.
    Contained(Container),
}

/// Prepares a cargo call of the host tests, with everything that they look for in the environment.
///
/// # Errors
/// If the corpus's path can't be made absolute.
pub(crate) fn cargo(workspace: &Workspace, tools: &Tools, envoy: &Envoy) -> Result<Command> {
    let mut command = workspace.cargo();
    command
        .env("ENVOY_PATH", &tools.envoy)
        .env("NATS_SERVER_PATH", &tools.nats_server)
        .env("REDIS_SERVER_PATH", &tools.redis_server)
        .env("HOOKGATE_STRIPE_NODE", &tools.stripe_node)
        .env("HOOKGATE_RLS_NODE", &tools.rls_node)
        .env("HOOKGATE_BIN", workspace.hookgate())
        .env("HOOKGATE_CONSUMER_BIN", workspace.consumer())
        .env("HOOKGATE_WASM", workspace.module())
        .env("HOOKGATE_TRAP_WASM", workspace.test_module(build::TRAP))
        .env(
            "HOOKGATE_MEASURE_WASM",
            workspace.test_module(build::MEASURE),
        )
        .env("HOOKGATE_CORPUS", corpus(workspace)?);
    match envoy {
        Envoy::Native => command
            .env_remove("HOOKGATE_ENVOY_IMAGE")
            .env_remove("HOOKGATE_CONTAINER_ENGINE")
            .env_remove("HOOKGATE_CONTAINER_ARGS"),
        Envoy::Contained(container) => command
            .env("HOOKGATE_ENVOY_IMAGE", container.image())
            .env("HOOKGATE_CONTAINER_ENGINE", container.engine())
            .env("HOOKGATE_CONTAINER_ARGS", container.arguments().join(" ")),
    };
    Ok(command)
}

/// Returns the corpus's folder, there or not: `HOOKGATE_CORPUS`, by default `../shared`.
///
/// # Errors
/// If the variable holds no path that can be made absolute.
pub(crate) fn corpus(workspace: &Workspace) -> Result<PathBuf> {
    match env::var_os("HOOKGATE_CORPUS") {
        Some(path) => Ok(std::path::absolute(path)?),
        None => Ok(workspace.path("../shared")),
    }
}
