//! `hookgate`: the broker-backed upstream of Hookgate.
//!
//! `serve` takes verified events from the gate, appends them to a durable log
//! and acknowledges only what the log confirmed; `send` signs and sends events
//! as Stripe does; `check-config` reads a gate's configuration before Envoy does;
//! `doctor` says why a signature doesn't verify;
//! `events` and `event` show what the log holds; `review` and `redeliver` decide
//! about what can't be delivered, `audit` says who did;
//! `head` and `verify-log` prove it; `redact` removes a payload;
//! `watch replay` says what was unusual;
//! `backup`, `export` and `import` take events elsewhere.

mod amqp;
mod bearer;
mod check;
mod cli;
mod clock;
mod config;
mod console;
mod decide;
mod deliver;
mod doctor;
mod evidence;
mod expect;
mod gate_token;
mod gate_watch;
mod hold;
mod http_client;
mod kafka;
mod keep;
mod log;
mod metrics;
mod progress;
mod reconcile;
mod replay;
mod review;
mod secrets;
mod send;
mod server;
mod show;
mod telemetry;
mod verification;

use std::{
    fmt,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::anyhow;
use clap::FromArgMatches as _;
use hookgate_core::signature::Tolerance;
use tracing::warn;

use crate::{
    check::CheckError,
    cli::{Cli, Command, ReviewCommand, WatchCommand},
    config::{Keep, Merged},
    doctor::DoctorError,
    gate_token::GateTokens,
    keep::VerifyLogError,
    log::Limits,
    secrets::Secrets,
    server::{Acceptance, Settings},
    verification::{Gate, Verification},
};

/// The exit code of a check that could not read what it should check.
const NOT_READ: u8 = 2;

fn main() -> ExitCode {
    match run(parse().command) {
        Ok(code) => code,
        // Whoever reads us has read enough: `hookgate events | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Our errors name their causes themselves.
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Says why a command failed. Whoever closed stderr doesn't want to know.
fn complain(error: &impl fmt::Display) {
    let _ = writeln!(io::stderr(), "hookgate: {error}");
}

fn parse() -> Cli {
    let matches = cli::command().get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => {
            let merged = Merged::new(&args, args.log.config()?)?;
            telemetry::start(merged.log_format)?;
            install_tls();
            let settings = settings(merged, args.ready_file)?;
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
                complain(&error);
                ExitCode::from(NOT_READ)
            }
            Err(error) => return Err(error.into()),
        }),
        Command::Doctor(args) => Ok(match doctor::doctor(&args) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            // Whoever reads us has read enough.
            Err(DoctorError::Print(error)) => return Err(error.into()),
            Err(error) => {
                complain(&error);
                ExitCode::from(NOT_READ)
            }
        }),
        Command::Events(args) => {
            runtime()?.block_on(show::events(&args))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Event(args) => {
            runtime()?.block_on(show::event(&args))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Tail(args) => {
            runtime()?.block_on(show::tail(&args))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Parked(args) => run_review(ReviewCommand::List(args)),
        Command::Review(command) => run_review(command),
        Command::Redeliver(args) => {
            decide::redeliver(&args)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Audit(args) => {
            show::audit(&args)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Reconcile(args) => {
            telemetry::start(args.log.config()?.log_format())?;
            install_tls();
            runtime()?.block_on(reconcile::reconcile(&args))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Watch(WatchCommand::Replay(args)) => {
            runtime()?.block_on(replay::replay(&args))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Watch(WatchCommand::Flags(args)) => {
            show::flags(&args)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions(args) => {
            args.print()?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Man(args) => {
            args.print()?;
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
        Command::Backup(args) => Ok(if keep::backup(&args)? {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }),
        Command::Export(args) => {
            runtime()?.block_on(keep::export(&args))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Import(args) => {
            runtime()?.block_on(keep::import(&args))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::VerifyLog(args) => Ok(match runtime()?.block_on(keep::verify_log(&args)) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            // Whoever reads us has read enough.
            Err(error @ VerifyLogError::Print(_)) => return Err(error.into()),
            Err(error) => {
                complain(&error);
                ExitCode::from(NOT_READ)
            }
        }),
    }
}

fn run_review(command: ReviewCommand) -> anyhow::Result<ExitCode> {
    match command {
        ReviewCommand::List(args) => runtime()?.block_on(show::parked(&args))?,
        ReviewCommand::Show(args) => show::case(&args)?,
        ReviewCommand::Approve(args) => decide::approve(&args)?,
        ReviewCommand::Discard(args) => decide::discard(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref());
    causes.any(|cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe)
}

fn install_tls() {
    // Fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| anyhow!("can't start the runtime: {error}"))
}

fn settings(merged: Merged, ready_file: Option<PathBuf>) -> anyhow::Result<Settings> {
    let verification = verification(&merged)?;
    let max_body_bytes = usize::try_from(match &verification {
        Verification::Gate(gate) => gate.max_body_bytes(),
        _ => merged.max_body_bytes.value(),
    })?;
    let gate_tokens = merged.gate_token_file.as_deref();
    let gate_tokens = gate_tokens.map(GateTokens::watch).transpose()?;
    let destinations = merged.destinations.iter().map(config::Destination::load);
    let destinations = destinations.collect::<Result<_, _>>()?;
    let reconcile = match &merged.reconcile {
        Some(table) => Some(reconcile::Settings::load(
            table,
            &merged.log,
            merged.gate.as_deref(),
        )?),
        None => None,
    };
    let expectations = expect::Settings::load(&merged.expectations, &merged.log)?;
    let console = console::Settings::load(merged.console, merged.metrics)?;
    Ok(Settings {
        listen: merged.listen,
        log: merged.log,
        limits: Limits {
            queue: usize::try_from(merged.queue.value())?,
            max_payload_bytes: max_body_bytes,
            keep: merged.keep.map(Keep::value),
            replicas: merged.replicas.as_size(),
        },
        acceptance: Acceptance {
            gate_tokens,
            verification,
            max_body_bytes,
            body_timeout: merged.body_timeout.value(),
        },
        metrics: merged.metrics,
        console,
        account_groups: merged.account_groups,
        otlp: merged.otlp,
        destinations,
        approvals: merged.approvals.as_count(),
        reconcile,
        expectations,
        ready_file,
    })
}

fn verification(merged: &Merged) -> anyhow::Result<Verification> {
    if let Some(file) = &merged.gate {
        let gate = check::gate(file)?;
        if let Err(unheld) = hold::check(&gate, Some(&merged.log), merged.destinations.len()) {
            warn!("{unheld}");
        }
        return Ok(Verification::Gate(Gate::load(gate, &merged.keyrings)?));
    }
    let secrets = Secrets::load(&merged.secrets)?;
    if secrets.is_empty() {
        return Ok(Verification::Nothing);
    }
    let tolerance = merged.tolerance.value();
    Ok(Verification::Sources {
        secrets,
        tolerance: Tolerance {
            past: tolerance,
            future: tolerance,
        },
    })
}
