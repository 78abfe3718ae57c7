//! Follows the topic, over any time that its brokers are away.

use std::{num::NonZeroUsize, time::Duration};

use tokio::time::sleep;

use super::KafkaReader;
use crate::{
    kafka::KafkaAddress,
    log::{
        Entry, ReadError, Start,
        offsets::{self, Offsets as _},
        reader::SCAN_BYTES,
    },
};

/// Time between two looks at the end of the topic.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Events of one look, at most.
const BATCH: NonZeroUsize = NonZeroUsize::MIN.saturating_add(499);

/// Hands out events as they are stored.
#[derive(Debug)]
pub(crate) struct Following {
    reader: KafkaReader,
    /// The first sequence that wasn't handed out.
    next: u64,
}

impl Following {
    /// Follows the topic from a place on.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn open(address: &KafkaAddress, start: Start) -> Result<Self, ReadError> {
        let reader = KafkaReader::open(address).await?;
        let next = offsets::begin(&reader, start).await?;
        Ok(Self { reader, next })
    }

    /// Waits until there are events that weren't handed out, and hands out some.
    ///
    /// # Errors
    /// [`ReadError`], also if any of them is damaged.
    pub(crate) async fn next(&mut self) -> Result<Vec<Entry>, ReadError> {
        loop {
            let found = match self.reader.read(self.next, BATCH, SCAN_BYTES).await {
                // The client connects again by itself.
                Err(ReadError::Kafka(error)) if error.is_away() => Vec::new(),
                found => found?,
            };
            let Some(last) = found.last() else {
                sleep(POLL_INTERVAL).await;
                continue;
            };
            let next = last.sequence.saturating_add(1);
            let entries = found.into_iter().map(|found| Ok(found.event?.0));
            let entries = entries.collect::<Result<_, ReadError>>()?;
            self.next = next;
            return Ok(entries);
        }
    }
}
