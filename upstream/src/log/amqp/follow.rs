//! Follows the stream with a consumer of its own.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    cursor::{Cursor, Place},
    message,
    reader::{AmqpReader, ReadError},
};
use crate::log::{Entry, Start, address::AmqpAddress, offsets, reader};

/// Time between two attempts to go on.
const PAUSE: Duration = Duration::from_secs(1);

/// Hands out events as they are stored.
#[derive(Debug)]
pub(crate) struct Following {
    address: AmqpAddress,
    /// The first sequence that wasn't handed out.
    next: u64,
    /// The connection and where it reads; `None` while there is none.
    open: Option<(AmqpReader, Cursor)>,
}

impl Following {
    /// Follows the stream from a place on.
    ///
    /// # Errors
    /// [`reader::ReadError`].
    pub(crate) async fn open(
        address: &AmqpAddress,
        start: Start,
    ) -> Result<Self, reader::ReadError> {
        let reader = AmqpReader::open(address).await?;
        let next = offsets::begin(&reader, start).await?;
        let cursor = reader.attach(Place::Sequence(next)).await?;
        Ok(Self {
            address: address.clone(),
            next,
            open: Some((reader, cursor)),
        })
    }

    /// Waits for the next event. While the server is away it is waited for.
    ///
    /// # Errors
    /// [`reader::ReadError`].
    pub(crate) async fn next(&mut self) -> Result<Entry, reader::ReadError> {
        loop {
            let Some((_, cursor)) = &mut self.open else {
                self.go_on().await?;
                continue;
            };
            match cursor.next().await {
                // Where there is nothing yet the server begins with what it has.
                Ok((sequence, _)) if sequence < self.next => {}
                Ok((sequence, delivery)) => {
                    self.next = sequence.saturating_add(1);
                    return Ok(message::entry(sequence, &delivery)?);
                }
                Err(error) if error.is_away() => self.open = None,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn go_on(&mut self) -> Result<(), ReadError> {
        sleep(PAUSE).await;
        match attach(&self.address, self.next).await {
            Ok(open) => self.open = Some(open),
            Err(error) if error.is_away() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

async fn attach(address: &AmqpAddress, next: u64) -> Result<(AmqpReader, Cursor), ReadError> {
    let reader = AmqpReader::open(address).await?;
    let cursor = reader.attach(Place::Sequence(next)).await?;
    Ok((reader, cursor))
}
