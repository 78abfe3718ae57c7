//! `cargo xtask up`: the whole of Hookgate on this machine, in one command.

mod certificate;
mod delivery;
mod doctor;
mod gate_token;
mod interrupt;
mod keyring;
mod ports;
mod report;
mod secrets;
mod server;
mod shipped;
mod stack;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::{Args, ValueEnum};
use tempfile::TempDir;

use self::certificate::DevCertificate;
use self::delivery::Way;
use self::gate_token::GateToken;
use self::interrupt::Interrupt;
use self::keyring::Keyring;
pub(crate) use self::ports::Ports;
use self::secrets::Secrets;
use self::stack::Stack;
use crate::build;
use crate::edge;
use crate::tools;
use crate::workspace::Workspace;

const WATCH: Duration = Duration::from_millis(250);

/// How `up` is called.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The durable log
    #[arg(long, value_enum, default_value_t = Log::Sqlite)]
    log: Log,
    /// Check the outcome of every delivery, stop everything, and exit with 0 or 1
    #[arg(long)]
    check: bool,
    /// The folder of log, keyring, gate token, certificate and server logs [default: `data` in the workspace, or a
    /// temporary one with --check]
    #[arg(long)]
    data: Option<PathBuf>,
    #[command(flatten)]
    ports: Ports,
}

/// The logs that `up` can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Log {
    /// A SQLite file in the data folder
    Sqlite,
    /// A nats-server with JetStream, its store in the data folder
    Nats,
}

/// The data folder; a temporary one goes when this is dropped.
enum Data {
    Kept(PathBuf),
    Temporary(TempDir),
}

/// Starts everything, sends six deliveries, and stays until Ctrl-C.
///
/// # Errors
/// If a port is taken, something doesn't build, or a server doesn't start or ends by itself.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let ports = &options.ports;
    ports.ensure_free(options.log == Log::Nats)?;
    let envoy = tools::envoy(workspace)?;
    let nats_server = match options.log {
        Log::Sqlite => None,
        Log::Nats => Some(tools::nats_server(workspace)?),
    };
    build::run(workspace)?;
    let doctor_page = edge::doctor_page(workspace)?;

    let started = Instant::now();
    let interrupt = Interrupt::listen()?;
    let data = Data::open(workspace, options)?;
    let certificate = DevCertificate::in_folder(&data.folder().join("tls"))?;
    let secrets = Secrets::from_environment()?;
    for secret in secrets.development() {
        eprintln!(
            "up: {} is unset: using the development secret {}",
            secret.variable, secret.value
        );
    }
    let keyring = Keyring::create(&data.folder().join("secrets"), &secrets)?;
    let gate_token = GateToken::create(&data.folder().join("gate"))?;
    let mut stack = Stack {
        workspace,
        ports,
        data: data.folder(),
        certificate: &certificate,
        secrets: &secrets,
        keyring: &keyring,
        gate_token: &gate_token,
        doctor_page: &doctor_page,
        interrupt: &interrupt,
    }
    .start(&envoy, nats_server.as_deref())?;
    eprintln!("up: ready after {:.1?}", started.elapsed());

    let door = format!("http://127.0.0.1:{}/webhooks/stripe", ports.door);
    let door_tls = format!("https://127.0.0.1:{}/webhooks/stripe", ports.tls);
    let past_the_door = format!("http://127.0.0.1:{}/v1/events", ports.upstream);
    let log = stack.log_url().to_owned();
    let way = Way {
        hookgate: &workspace.hookgate(),
        door: &door,
        door_tls: &door_tls,
        past_the_door: &past_the_door,
        authority: &certificate.authority,
        log: &log,
        secrets: &secrets,
        keyring: &keyring,
    };
    let rows = way.send_all()?;
    report::deliveries(&rows)?;
    let mut problems: Vec<String> = rows.iter().filter_map(delivery::Row::problem).collect();
    problems.extend(doctor::problem(ports.metrics, &doctor_page)?);
    for problem in &problems {
        eprintln!("up: {problem}");
    }
    if options.check {
        eprintln!(
            "up: check {} in {:.1?}",
            if problems.is_empty() {
                "passed"
            } else {
                "failed"
            },
            started.elapsed()
        );
        return Ok(ExitCode::from(u8::from(!problems.is_empty())));
    }
    report::addresses(&way, ports, data.folder())?;
    eprintln!("\nup: running; Ctrl-C stops it");
    while !interrupt.within(WATCH) {
        stack.check_running()?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Data {
    fn open(workspace: &Workspace, options: &Options) -> Result<Self> {
        match &options.data {
            Some(folder) => Ok(Self::Kept(std::path::absolute(folder)?)),
            None if options.check => Ok(Self::Temporary(
                tempfile::Builder::new()
                    .prefix("hookgate-check-")
                    .tempdir()?,
            )),
            None => Ok(Self::Kept(workspace.path("data"))),
        }
    }

    fn folder(&self) -> &std::path::Path {
        match self {
            Self::Kept(folder) => folder,
            Self::Temporary(folder) => folder.path(),
        }
    }
}
