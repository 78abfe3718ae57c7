//! `--log` and `--config`, which every command takes that reads or writes the log.

use std::path::PathBuf;

use clap::Args;

use super::ArgumentError;
use crate::{
    config::{Config, ConfigError},
    log::LogAddress,
};

/// Which log, and the file that may name it.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The durable log: `sqlite:PATH`, `nats://HOST:PORT[,…]`, `amqp://HOST:PORT/VHOST` or
    /// `kafka://HOST:PORT/TOPIC` [default: `log` of the configuration]
    #[arg(
        long = "log",
        value_name = "URL",
        env = "HOOKGATE_LOG",
        hide_env_values = true
    )]
    address: Option<String>,
    /// The configuration [default: ./hookgate.toml, if it is there]
    #[arg(long, value_name = "FILE", env = "HOOKGATE_CONFIG")]
    config: Option<PathBuf>,
}

impl LogArgs {
    /// Reads the configuration; an empty one if there is none.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        Config::find(self.config.as_deref())
    }

    /// Returns where the log is: as flag or environment say, or else the
    /// configuration, which is read only then.
    ///
    /// # Errors
    /// [`ArgumentError::Log`], [`ArgumentError::Config`], [`ArgumentError::NoLog`].
    pub(crate) fn address(&self) -> Result<LogAddress, ArgumentError> {
        match &self.address {
            Some(address) => Ok(address.parse()?),
            None => self.address_in(&self.config()?),
        }
    }

    /// Returns where the log is, with a configuration that was read before.
    ///
    /// # Errors
    /// [`ArgumentError::Log`], [`ArgumentError::NoLog`].
    pub(crate) fn address_in(&self, config: &Config) -> Result<LogAddress, ArgumentError> {
        match &self.address {
            Some(address) => Ok(address.parse()?),
            None => config.log.clone().ok_or(ArgumentError::NoLog),
        }
    }
}
