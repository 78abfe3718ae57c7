//! The log as the one partition of a Kafka topic.

use std::num::NonZeroUsize;

use hookgate_core::time::Timestamp;

use super::{
    Appended, Limits, LogError, Record,
    address::KafkaAddress,
    offsets::{Found, Offsets},
    reader::{self, Span},
};

/// Says why it can't be used as the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Not made yet.
    #[error("this hookgate can't append to `{address}` yet")]
    Missing {
        /// Where.
        address: KafkaAddress,
    },
}

/// Says why it can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// Not made yet.
    #[error("this hookgate can't read `{address}` yet")]
    Missing {
        /// Where.
        address: KafkaAddress,
    },
}

/// Appends to it.
#[derive(Debug)]
pub(crate) enum KafkaLog {}

impl KafkaLog {
    /// Connects, and makes or checks it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) async fn open(address: &KafkaAddress, _: Limits) -> Result<Self, OpenError> {
        Err(OpenError::Missing {
            address: address.clone(),
        })
    }

    /// Appends a record and waits until it is durable.
    ///
    /// # Errors
    /// [`LogError`].
    pub(crate) async fn append(&self, _: Record) -> Result<Appended, LogError> {
        match *self {}
    }

    /// Tells whether an append could be confirmed now.
    pub(crate) async fn is_ready(&self) -> bool {
        match *self {}
    }
}

/// Reads it, and never writes it.
#[derive(Debug)]
pub(crate) enum KafkaReader {}

impl KafkaReader {
    /// Connects and finds it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn open(address: &KafkaAddress) -> Result<Self, ReadError> {
        Err(ReadError::Missing {
            address: address.clone(),
        })
    }
}

impl Offsets for KafkaReader {
    async fn span(&self) -> Result<Option<Span>, reader::ReadError> {
        match *self {}
    }

    async fn read(
        &self,
        _: u64,
        _: NonZeroUsize,
        _: usize,
    ) -> Result<Vec<Found>, reader::ReadError> {
        match *self {}
    }

    async fn near(&self, _: Timestamp) -> Result<Option<u64>, reader::ReadError> {
        match *self {}
    }
}
