//! `cargo xtask soak`: the load and kill tests, the check of the dedup protocol
//! and the scenarios of the watch, in their full form.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::host::{self, Envoy};
use crate::workspace::Workspace;
use crate::{build, test, tools};

/// Runs them natively; they print what they measured, for `docs/`.
///
/// # Errors
/// If something doesn't build; a failing test is an outcome, not an error.
pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let tools = tools::host(workspace)?;
    build::run(workspace)?;
    build::test_module(workspace, build::TRAP)?;
    build::consumer(workspace)?;
    let protocol = test::tests(
        workspace
            .cargo()
            .args(["test", "--profile", "quick", "-p", "hookgate-core"])
            .args(["--test", "protocol", "--", "--nocapture"])
            .env("HOOKGATE_SOAK", "1"),
    )?;
    let watch = test::tests(
        workspace
            .cargo()
            .args(["test", "--profile", "quick", "-p", "hookgate-watch"])
            .args([
                "--test",
                "scenarios",
                "--test",
                "expect",
                "--",
                "--nocapture",
            ])
            .env("HOOKGATE_SOAK", "1"),
    )?;
    let upstream = test::tests(
        workspace
            .cargo()
            .args(["test", "--profile", "quick", "-p", "hookgate-upstream"])
            .args([
                "--test",
                "suite",
                "--",
                "--nocapture",
                "--test-threads",
                "1",
            ])
            .args([
                "every_delivery_is_resumed_after_kill_9",
                "a_reconciliation_that_is_killed_half_way",
                "in_a_long_log_what_nothing_followed_is_told",
            ])
            .env("NATS_SERVER_PATH", &tools.nats_server)
            .env("HOOKGATE_SOAK", "1"),
    )?;
    crate::edge::run(workspace)?;
    let edge = test::tests(
        Command::new("node")
            .args(["--test", "--test-reporter=spec", "tests/memory.test.js"])
            .current_dir(workspace.path("edge"))
            .env("HOOKGATE_SOAK", "1"),
    )?;
    let doors = test::tests(
        host::cargo(workspace, &tools, &Envoy::Native)?
            .args(["test", "-p", "hookgate-host-tests", "--no-fail-fast"])
            // One at a time: each is about how much the machine can take.
            .args(["--", "--nocapture", "--test-threads", "1", "kill_", "load_"])
            .env("HOOKGATE_SOAK", "1"),
    )?;
    let count = protocol + watch + upstream + edge + doors;
    println!("{count}");
    Ok(ExitCode::from(u8::from(count.failed > 0)))
}
