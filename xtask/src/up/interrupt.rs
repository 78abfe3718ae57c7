//! Ctrl-C, a request to end, or a terminal that went away.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result};

/// Hears SIGINT, SIGTERM and SIGHUP from the moment it is made.
#[derive(Debug)]
pub(crate) struct Interrupt(Receiver<()>);

impl Interrupt {
    /// Takes the three signals over from the default handlers, once a process.
    ///
    /// # Errors
    /// If they were taken over before.
    pub(crate) fn listen() -> Result<Self> {
        let (sender, receiver) = channel();
        ctrlc::set_handler(move || {
            // The receiver is gone only when we are ending anyway.
            let _ = sender.send(());
        })
        .context("listening for Ctrl-C")?;
        Ok(Self(receiver))
    }

    /// Waits for a signal, at most that long; tells whether one came.
    pub(crate) fn within(&self, patience: Duration) -> bool {
        !matches!(
            self.0.recv_timeout(patience),
            Err(RecvTimeoutError::Timeout)
        )
    }
}
