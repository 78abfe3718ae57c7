//! Diagnostics on stderr; stdout belongs to answers.
//!
//! One line per stored event would cost a good part of the throughput, so
//! events are logged at `debug`, refusals at `warn` (behind a gate they should
//! not happen), starts and stops at `info`. `RUST_LOG` changes the level.
//! No line holds a payload, a signature or a secret.

pub(crate) mod otlp;
pub(crate) mod trace;

use std::io;

use anyhow::anyhow;
use tracing_subscriber::EnvFilter;

/// What is logged if `RUST_LOG` doesn't say.
const DEFAULT_FILTER: &str = "warn,hookgate=info,lapin=off";

/// Never logged: the RabbitMQ client repeats whole messages that came back. What
/// becomes of them, and of its connections, we say ourselves.
const NEVER: &str = "lapin::returned_messages=off";

/// Says how log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Sets up logging for the whole process.
///
/// # Errors
/// `RUST_LOG` is malformed.
pub(crate) fn start(format: LogFormat) -> anyhow::Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) if !filter.is_empty() => EnvFilter::try_new(filter)
            .map_err(|error| anyhow!("RUST_LOG: {error}, expected such as `hookgate=debug`"))?,
        _ => EnvFilter::try_new(DEFAULT_FILTER)?,
    };
    let filter = filter.add_directive(NEVER.parse()?);
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A line that can't be written would else be told to the same stderr,
        // and that failure is a panic: nobody's event may end with a full disk
        // of log files.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}
