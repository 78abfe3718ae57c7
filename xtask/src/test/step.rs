//! The steps of `cargo xtask test`.

use std::fmt;
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use super::cargo_test::tests;
use super::count::Count;
use crate::container::Container;
use crate::host::{self, Envoy};
use crate::up::Ports;
use crate::workspace::{EDGE_TARGET, WASM_TARGET, Workspace};
use crate::{build, edge, process, tools};

/// One step; those that a broken build fails fast come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    Format,
    Clippy,
    ClippyWasm,
    Docs,
    DocsWasm,
    Unit,
    Edge,
    Check,
    CheckNats,
    Host,
    Container,
}

impl Step {
    /// Every step, in the order in which they run.
    pub(crate) const ALL: [Self; 11] = [
        Self::Format,
        Self::Clippy,
        Self::ClippyWasm,
        Self::Docs,
        Self::DocsWasm,
        Self::Unit,
        Self::Edge,
        Self::Check,
        Self::CheckNats,
        Self::Host,
        Self::Container,
    ];

    /// Says what the step holds up.
    pub(crate) fn purpose(self) -> &'static str {
        match self {
            Self::Format => "the formatting",
            Self::Clippy => "clippy on everything native",
            Self::ClippyWasm => {
                "clippy on the module, the watch as part of one, and the npm package's Wasm"
            }
            Self::Docs => "rustdoc without warnings",
            Self::DocsWasm => "rustdoc of the module without warnings",
            Self::Unit => {
                "the tests of core, watch, doctor, upstream and xtask, the layer rules among them"
            }
            Self::Edge => "the npm package in Node, Deno, Bun, workerd and Chromium",
            Self::Check => "`up --check` on SQLite",
            Self::CheckNats => "`up --check` on NATS JetStream",
            Self::Host => "the module in a native Envoy",
            Self::Container => "the module in a containerized Envoy",
        }
    }

    /// Runs the step.
    ///
    /// # Errors
    /// If it fails as a whole rather than in single tests.
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Count> {
        match self {
            Self::Format => whole(workspace.cargo().args(["fmt", "--all", "--check"])),
            Self::Clippy => {
                let strict = ["--all-targets", "--", "-D", "warnings"];
                whole(native(workspace.cargo().arg("clippy")).args(strict))?;
                whole(schema(workspace.cargo().arg("clippy")).args(strict))
            }
            Self::ClippyWasm => {
                tools::wasm_target::ensure(WASM_TARGET)?;
                tools::wasm_target::ensure(EDGE_TARGET)?;
                whole(wasm(workspace.cargo().arg("clippy")).args(["--", "-D", "warnings"]))?;
                whole(edge(workspace.cargo().arg("clippy")).args(["--", "-D", "warnings"]))
            }
            Self::Docs => whole(documenting(native(workspace.cargo().arg("doc")))),
            Self::DocsWasm => {
                tools::wasm_target::ensure(WASM_TARGET)?;
                whole(documenting(wasm(workspace.cargo().arg("doc"))))
            }
            Self::Unit => {
                let nats_server = tools::nats_server(workspace)?;
                let tansu = tools::tansu(workspace)?;
                let rabbitmq_server = tools::rabbitmq_server()?;
                let webhooks_node = tools::webhooks_node(workspace)?;
                let stripe_python = tools::stripe_python(workspace)?;
                let chromium = tools::chromium()?;
                let console_node = tools::console_node(workspace)?;
                let doctor_page = edge::doctor_page(workspace)?;
                let all = tests(
                    native(workspace.cargo().arg("test"))
                        .args(["--exclude", "hookgate-host-tests", "--no-fail-fast"])
                        .env("NATS_SERVER_PATH", nats_server)
                        .env("TANSU_PATH", tansu)
                        .env("RABBITMQ_SERVER_PATH", rabbitmq_server)
                        .env("HOOKGATE_WEBHOOKS_NODE", webhooks_node)
                        .env("HOOKGATE_STRIPE_PYTHON", stripe_python)
                        .env("CHROMIUM_PATH", chromium)
                        .env("HOOKGATE_CONSOLE_NODE", console_node)
                        .env("HOOKGATE_DOCTOR_PAGE", doctor_page)
                        .env("HOOKGATE_CORPUS", host::corpus(workspace)?),
                )?;
                let configuration =
                    tests(schema(workspace.cargo().arg("test")).args(["--test", "configuration"]))?;
                Ok(all + configuration)
            }
            Self::Edge => tests(
                Command::new("npm")
                    .arg("test")
                    .current_dir(workspace.path("edge"))
                    .env("CHROMIUM_PATH", tools::chromium()?)
                    .env(
                        "HOOKGATE_FRAMEWORKS_PYTHON",
                        tools::frameworks_python(workspace)?,
                    )
                    .env("REDIS_SERVER_PATH", tools::redis_server()?)
                    .env("HOOKGATE_CORPUS", host::corpus(workspace)?),
            ),
            Self::Check => whole(&mut up_check(workspace, "sqlite")?),
            Self::CheckNats => whole(&mut up_check(workspace, "nats")?),
            Self::Host => {
                let tools = tools::host(workspace)?;
                build::run(workspace)?;
                build::test_module(workspace, build::TRAP)?;
                build::consumer(workspace)?;
                tests(&mut host_tests(workspace, &tools, &Envoy::Native)?)
            }
            Self::Container => {
                let tools = tools::host(workspace)?;
                build::run(workspace)?;
                let container = Container::prepare(workspace, &tools.envoy)?;
                // Load and kill rounds are about the machine, not about where Envoy is packed.
                tests(
                    host_tests(workspace, &tools, &Envoy::Contained(container))?
                        .args(["--", "--skip", "load_", "--skip", "kill_"]),
                )
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("step", |value| value.get_name()))
    }
}

fn native(command: &mut Command) -> &mut Command {
    command.args(["--workspace", "--exclude", "hookgate-plugin"])
}

/// Core with what makes the configuration's schema. A call of its own: the rest
/// is tested with the features that it ships with.
fn schema(command: &mut Command) -> &mut Command {
    command.args(["-p", "hookgate-core", "--features", "schema"])
}

fn wasm(command: &mut Command) -> &mut Command {
    let packages = ["-p", "hookgate-plugin", "-p", "hookgate-watch"];
    command.args(packages).args(["--target", WASM_TARGET])
}

/// The npm package's crate as it ships: with less of core than the rest.
fn edge(command: &mut Command) -> &mut Command {
    command.args(["-p", "hookgate-edge", "--target", EDGE_TARGET])
}

fn documenting(command: &mut Command) -> &mut Command {
    command.arg("--no-deps").env("RUSTDOCFLAGS", "-D warnings")
}

fn host_tests(workspace: &Workspace, tools: &tools::Tools, envoy: &Envoy) -> Result<Command> {
    let mut command = host::cargo(workspace, tools, envoy)?;
    command.args(["test", "-p", "hookgate-host-tests", "--no-fail-fast"]);
    Ok(command)
}

/// Prepares `up --check`, what the README promises first, on ports that nobody uses.
fn up_check(workspace: &Workspace, log: &str) -> Result<Command> {
    let mut command = workspace.cargo();
    command.args(["xtask", "up", "--check", "--log", log]);
    command.args(Ports::unused()?.arguments());
    Ok(command)
}

/// Runs a step that holds or doesn't.
fn whole(command: &mut Command) -> Result<Count> {
    process::run(command, "failed")?;
    Ok(Count::SUCCESS)
}
