//! What waits for a person, read from the stream.

use std::num::NonZeroUsize;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::beside::{AT_ONCE, Beside, Parking};
use crate::{
    deliver::schedule::{Parked, ReadError},
    log::{
        self,
        nats::{NatsReader, Servers},
    },
};

/// Returns what is parked and wanted, the oldest event first.
///
/// # Errors
/// [`ReadError`].
pub(crate) async fn parked(
    server: &Servers,
    destination: Option<&str>,
    limit: NonZeroUsize,
    wanted: impl Fn(&Parked) -> bool,
) -> Result<Vec<Parked>, ReadError> {
    // Says what to do if there is no log at all.
    let reader = NatsReader::open(server).await;
    let reader = reader.map_err(log::ReadError::from)?;
    let Some(beside) = Beside::find(&reader).await? else {
        return Ok(Vec::new());
    };
    beside.parked(destination, limit, wanted).await
}

impl Beside {
    /// Returns what is parked and wanted, with its events, the oldest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn parked(
        &self,
        destination: Option<&str>,
        limit: NonZeroUsize,
        wanted: impl Fn(&Parked) -> bool,
    ) -> Result<Vec<Parked>, ReadError> {
        let parkings = self.parkings(destination).await?;
        let looked_up = stream::iter(parkings)
            .map(|parking| self.look_up(parking))
            .buffered(AT_ONCE);
        let chosen = looked_up.try_filter(|parked| std::future::ready(wanted(parked)));
        chosen.take(limit.get()).try_collect().await
    }

    pub(super) async fn look_up(&self, parking: Parking) -> Result<Parked, ReadError> {
        let mut parked = parking.parked;
        let event = self.event(parked.sequence).await?;
        parked.entry = event.map(|(entry, _)| entry);
        Ok(parked)
    }
}
