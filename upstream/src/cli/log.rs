//! `--log`, which every command takes that reads or writes the log.

use clap::Args;

use super::ArgumentError;
use crate::log::LogAddress;

/// Which log.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The durable log: `sqlite:PATH` or `nats://HOST:PORT`
    #[arg(
        long = "log",
        value_name = "URL",
        env = "HOOKGATE_LOG",
        hide_env_values = true
    )]
    address: String,
}

impl LogArgs {
    /// Returns where the log is.
    ///
    /// # Errors
    /// [`ArgumentError::Log`].
    pub(crate) fn address(&self) -> Result<LogAddress, ArgumentError> {
        Ok(self.address.parse()?)
    }
}
