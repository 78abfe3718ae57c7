//! A log that is read again and again by one process.

use std::sync::Arc;

use super::{
    LogAddress, ReadError, Reader,
    nats::{self, NatsReader},
};

/// Is a log together with what its readers share: for NATS one connection, which
/// is made when it is first needed.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    address: LogAddress,
    connection: Option<Arc<nats::Kept>>,
}

impl Kept {
    /// Prepares one; nothing is opened yet.
    pub(crate) fn new(address: LogAddress) -> Self {
        let connection = match &address {
            LogAddress::Nats(server) => Some(Arc::new(nats::Kept::new(server))),
            _ => None,
        };
        Self {
            address,
            connection,
        }
    }

    /// Returns where the log is.
    pub(crate) const fn address(&self) -> &LogAddress {
        &self.address
    }

    /// Returns the connection of a log on NATS.
    pub(crate) fn connection(&self) -> Option<&nats::Kept> {
        self.connection.as_deref()
    }

    /// Opens the log for reading.
    ///
    /// # Errors
    /// [`ReadError`], at once where the connection broke.
    pub(crate) async fn reader(&self) -> Result<Reader, ReadError> {
        match self.connection() {
            Some(connection) => Ok(Reader::Nats(Box::new(NatsReader::kept(connection).await?))),
            None => Reader::open(&self.address).await,
        }
    }
}
