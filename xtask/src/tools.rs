//! `cargo xtask tools`: everything that a fresh machine lacks, fetched once.

mod binary;
mod chromium;
mod envoy;
mod nats_server;
mod node_packages;
mod python_packages;
mod rabbitmq_server;
mod redis_server;
mod tansu;
pub(crate) mod wasm_target;
mod wheel;

use std::path::PathBuf;

use anyhow::Result;

use crate::workspace::{WASM_TARGET, Workspace};

pub(crate) use chromium::ensure as chromium;
pub(crate) use envoy::{ensure as envoy, pinned_version as envoy_version};
pub(crate) use nats_server::ensure as nats_server;
pub(crate) use rabbitmq_server::ensure as rabbitmq_server;
pub(crate) use redis_server::ensure as redis_server;
pub(crate) use tansu::ensure as tansu;

/// What the host tests need beside what is built.
#[derive(Debug)]
pub(crate) struct Tools {
    /// The Envoy binary.
    pub(crate) envoy: PathBuf,
    /// The nats-server binary.
    pub(crate) nats_server: PathBuf,
    /// The redis-server binary.
    pub(crate) redis_server: PathBuf,
    /// The folder whose `node_modules` holds Stripe's official SDK.
    pub(crate) stripe_node: PathBuf,
    /// The folder whose `node_modules` holds what the rate-limit service needs.
    pub(crate) rls_node: PathBuf,
}

/// Sees to it that every tool is there, fetching what is not.
///
/// # Errors
/// Names the first tool that can't be had, and what to install.
pub(crate) fn all(workspace: &Workspace) -> Result<()> {
    host(workspace)?;
    // What only the upstream's own tests need.
    tansu(workspace)?;
    rabbitmq_server()?;
    webhooks_node(workspace)?;
    stripe_python(workspace)?;
    frameworks_python(workspace)?;
    chromium()?;
    console_node(workspace)?;
    Ok(())
}

/// Sees to it that the library of Standard Webhooks is there; returns the folder
/// whose `node_modules` holds it.
///
/// # Errors
/// No node or npm, or npm can't install it.
pub(crate) fn webhooks_node(workspace: &Workspace) -> Result<PathBuf> {
    node_packages::WEBHOOKS.ensure(workspace)
}

/// Sees to it that Stripe's Python SDK is there; returns the folder that
/// `PYTHONPATH` names.
///
/// # Errors
/// No python3 or pip, or pip can't install it.
pub(crate) fn stripe_python(workspace: &Workspace) -> Result<PathBuf> {
    python_packages::STRIPE.ensure(workspace)
}

/// Sees to it that what the doctor's code for frameworks is tried with is there;
/// returns the folder that `PYTHONPATH` names.
///
/// # Errors
/// No python3 or pip, or pip can't install it.
pub(crate) fn frameworks_python(workspace: &Workspace) -> Result<PathBuf> {
    python_packages::FRAMEWORKS.ensure(workspace)
}

/// Sees to it that what drives Chromium is there; returns the folder whose
/// `node_modules` holds it.
///
/// # Errors
/// No node or npm, or npm can't install it.
pub(crate) fn console_node(workspace: &Workspace) -> Result<PathBuf> {
    node_packages::CONSOLE.ensure(workspace)
}

/// Sees to it that what the host tests need is there.
///
/// # Errors
/// As [`all`].
pub(crate) fn host(workspace: &Workspace) -> Result<Tools> {
    wasm_target::ensure(WASM_TARGET)?;
    Ok(Tools {
        envoy: envoy::ensure(workspace)?,
        nats_server: nats_server::ensure(workspace)?,
        redis_server: redis_server()?,
        stripe_node: node_packages::STRIPE.ensure(workspace)?,
        rls_node: node_packages::RATE_LIMIT.ensure(workspace)?,
    })
}

/// Says which tool is used, one line each.
fn say(tool: &str, version: &str, origin: &str) {
    eprintln!("tools: {tool} {version} ({origin})");
}
