//! What a page asks of the trail in a stream.

use tokio::time::sleep;

use super::{PAUSE, StreamDesk, TRIES};
use crate::{
    clock,
    review::{
        QueuePage, Selection,
        audit::{Record, Row},
        desk::{ReviewError, seen::Look},
        ledger::LedgerError,
        outcome::Item,
    },
};

impl StreamDesk {
    /// See [`super::super::Desk::items`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review::desk) async fn items(
        &self,
        places: &[(String, u64)],
    ) -> Result<Vec<Item>, ReviewError> {
        let sequences = places.iter().map(|(_, sequence)| *sequence).collect();
        let found = self.events(sequences).await?;
        let items = places.iter().zip(found);
        let item =
            |((destination, _), (sequence, event)): (&(String, u64), (u64, Option<_>))| Item {
                destination: destination.clone(),
                sequence,
                entry: event.map(|(entry, _)| entry),
            };
        Ok(items.map(item).collect())
    }

    /// See [`super::super::Desk::look`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review::desk) async fn note(&self, look: Look<'_>) -> Result<(), ReviewError> {
        let mut tries = TRIES;
        loop {
            let last = self.ledger.last().await?;
            let about = self.ledger.about(look.entry.sequence, last).await?;
            let mut records = about.iter().map(|(record, _)| record);
            if records.any(|record| look.is(record, clock::now())) {
                return Ok(());
            }
            let is_taken = about.iter().any(|(it, _)| it.batch == look.batch.as_str());
            let newest = match last {
                0 => None,
                last => Some(self.ledger.at(last).await?.1),
            };
            let written = look.record(self.id, newest, is_taken);
            match self.ledger.append(last, &[written]).await {
                Err(LedgerError::Conflict) if tries > 0 => {
                    tries -= 1;
                    sleep(PAUSE.mul_f64(fastrand::f64())).await;
                }
                appended => return Ok(appended?),
            }
        }
    }

    /// See [`super::super::Desk::stays`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review::desk) async fn stays(
        &self,
        selection: &Selection,
        after: u64,
        most: usize,
    ) -> Result<QueuePage, ReviewError> {
        let page = self.beside.queue(&self.ledger, selection, after, most);
        Ok(page.await?)
    }

    /// See [`super::super::Desk::about`].
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review::desk) async fn about(
        &self,
        id: &str,
    ) -> Result<Vec<Record>, ReviewError> {
        let last = self.ledger.last().await?;
        let mut records = Vec::new();
        for (event, _) in self.reader.event(id, None).await? {
            let about = self.ledger.about(event.sequence, last).await?;
            let of_log = |record: &Record| record.log == self.id;
            records.extend(about.into_iter().map(|(record, _)| record).filter(of_log));
        }
        records.sort_by_key(|record| record.number);
        Ok(records)
    }

    /// Returns the newest rows before a number, the newest first.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(in crate::review::desk) async fn rows_before(
        &self,
        before: u64,
        most: usize,
    ) -> Result<Vec<Row>, ReviewError> {
        let last = self.ledger.last().await?;
        let end = before.saturating_sub(1).min(last);
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        let start = end.saturating_sub(most).saturating_add(1);
        let mut rows = match end {
            0 => Vec::new(),
            end => self.ledger.read(start, end).await?,
        };
        rows.reverse();
        Ok(rows)
    }
}
