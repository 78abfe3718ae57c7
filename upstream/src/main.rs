//! `hookgate`: the broker-backed upstream of Hookgate.
//!
//! `serve` takes verified events from the gate, appends them to a durable log
//! and acknowledges only what the log confirmed; `send` signs and sends events
//! as Stripe does; `check-config` reads a gate's configuration before Envoy does;
//! `events` and `event` show what the log holds;
//! `head` and `verify-log` prove it; `redact` removes a payload.

mod check;
mod cli;
mod clock;
mod deliver;
#[allow(dead_code, unused_imports, reason = "the logs are about to use it")]
mod evidence;
mod keep;
mod log;
mod metrics;
mod secrets;
mod send;
mod server;
mod show;
mod telemetry;
mod verification;

use std::{io, process::ExitCode};

use anyhow::anyhow;
use clap::Parser as _;
use hookgate_core::signature::Tolerance;

use crate::{
    check::CheckError,
    cli::{Cli, Command, ServeArgs},
    keep::VerifyLogError,
    log::Limits,
    metrics::AccountGroups,
    secrets::Secrets,
    server::{Acceptance, Settings},
    verification::{Gate, Verification},
};

/// The exit code of a check that could not read what it should check.
const NOT_READ: u8 = 2;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        // Whoever reads us has read enough: `hookgate events | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Our errors name their causes themselves.
            eprintln!("hookgate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => {
            telemetry::start(args.log_format)?;
            // Fails only where one is installed already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let settings = settings(args)?;
            runtime()?.block_on(server::serve(settings))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Send(args) => {
            let answer = send::send(&args)?;
            answer.print(args.json)?;
            Ok(if answer.is_success() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Command::CheckConfig(args) => Ok(match check::check(&args) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error @ CheckError::Read { .. }) => {
                eprintln!("hookgate: {error}");
                ExitCode::from(NOT_READ)
            }
            Err(error) => return Err(error.into()),
        }),
        Command::Events(args) => {
            runtime()?.block_on(show::events(&args))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Event(args) => {
            runtime()?.block_on(show::event(&args))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Head(args) => {
            runtime()?.block_on(keep::head(&args))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Redact(args) => {
            runtime()?.block_on(keep::redact(&args))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::VerifyLog(args) => Ok(match runtime()?.block_on(keep::verify_log(&args)) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            // Whoever reads us has read enough.
            Err(error @ VerifyLogError::Print(_)) => return Err(error.into()),
            Err(error) => {
                eprintln!("hookgate: {error}");
                ExitCode::from(NOT_READ)
            }
        }),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref());
    causes.any(|cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| anyhow!("can't start the runtime: {error}"))
}

fn settings(args: ServeArgs) -> anyhow::Result<Settings> {
    let verification = verification(&args)?;
    let max_body_bytes = usize::try_from(match &verification {
        Verification::Gate(gate) => gate.max_body_bytes(),
        _ => args.max_body_bytes.into(),
    })?;
    Ok(Settings {
        listen: args.listen,
        log: args.log.address()?,
        limits: Limits {
            queue: usize::try_from(args.queue)?,
            max_payload_bytes: max_body_bytes,
            keep: args.keep,
        },
        acceptance: Acceptance {
            verification,
            max_body_bytes,
            body_timeout: args.body_timeout,
        },
        metrics: args.metrics,
        account_groups: AccountGroups::default(),
        otlp: args.otlp()?,
        destinations: Vec::new(),
        ready_file: args.ready_file,
    })
}

fn verification(args: &ServeArgs) -> anyhow::Result<Verification> {
    if let Some(file) = &args.gate {
        return Ok(Verification::Gate(Gate::load(
            check::gate(file)?,
            &args.keyrings,
        )?));
    }
    let secrets = Secrets::load(&args.secrets()?)?;
    if secrets.is_empty() {
        return Ok(Verification::Nothing);
    }
    Ok(Verification::Sources {
        secrets,
        tolerance: Tolerance {
            past: args.tolerance,
            future: args.tolerance,
        },
    })
}
