//! What waits for a person, a page at a time: the stays in review by their numbers.
//!
//! A page begins behind a number and reads the stream from there, so that it costs
//! the same wherever it is. What is parked meanwhile comes at the end; what is
//! decided meanwhile is gone, or its record in the trail says so.

use std::collections::HashSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::try_join;

use super::{
    beside::{AT_ONCE, Beside, Parking, refused},
    records,
    streams::OpenError,
};
use crate::{
    deliver::schedule::{Parked, ReadError},
    log::nats::Walk,
    review::{Cursor, Ledger, QueuePage, Selection},
};

/// Events that are looked up for one page.
const MOST_SEEN: usize = 300;

/// Stays that are read for one page: of those that a filter passes by without
/// their events it takes more.
const MOST_READ: usize = 2_000;

/// Stays that are asked for at a time.
const STRIDE: std::num::NonZeroUsize = std::num::NonZeroUsize::MIN.saturating_add(127);

/// Reads stays in their order.
struct Stays<'a> {
    walk: Walk,
    selection: &'a Selection,
    /// The last one of the stream.
    last: u64,
    /// Up to where they were read.
    until: u64,
    read: usize,
    is_over: bool,
}

impl Beside {
    /// Returns what is parked and chosen behind a stay's number, at most `most`;
    /// the one first that was parked first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn queue(
        &self,
        ledger: &Ledger,
        selection: &Selection,
        after: u64,
        most: usize,
    ) -> Result<QueuePage, ReadError> {
        // In this order: what was carried out is not there any more.
        let carried = self.carried().await?.map_or(0, |link| link.sequence);
        let newest = async { Ok(ledger.last().await.map_err(OpenError::from)?) };
        let info = async { self.review.get_info().await.map_err(refused) };
        let (newest, info) = try_join!(newest, info)?;
        let mut stays = self.stays(selection, after, info.state.last_sequence);
        let (mut page, mut seen) = (QueuePage::default(), 0);
        while !stays.is_over {
            let mut until = stays.until;
            // One more than there is room for says that there is a next page.
            let room = most.saturating_sub(page.parked.len()).saturating_add(1);
            let some = stays.some(room.min(MOST_SEEN)).await?;
            seen += some.len();
            let ended = match newest > carried {
                true => self.ended(ledger, &some, carried).await?,
                false => HashSet::new(),
            };
            let some: Vec<_> = some.into_iter().map(|it| self.looked_up(it)).collect();
            let mut some = stream::iter(some).buffered(AT_ONCE);
            while let Some((number, parked)) = some.try_next().await? {
                if ended.contains(&number) || !selection.chooses_parked(&parked) {
                    until = number;
                    continue;
                }
                if page.parked.len() == most {
                    page.next = Some(Cursor::Stay(until));
                    return Ok(page);
                }
                until = number;
                page.parked.push(parked);
            }
            if !stays.is_over && (seen >= MOST_SEEN || stays.read >= MOST_READ) {
                page.next = Some(Cursor::Stay(stays.until));
                break;
            }
        }
        Ok(page)
    }

    fn stays<'a>(&self, selection: &'a Selection, after: u64, last: u64) -> Stays<'a> {
        let destination = selection.destination.as_deref().unwrap_or("*");
        let subjects = format!("{}.{destination}.*", records::REVIEW);
        let largest = self.context.client().server_info().max_payload;
        let walk = Walk::start(&self.review, after.saturating_add(1), largest);
        Stays {
            walk: walk.of(&subjects).headers_only().at_most(STRIDE),
            selection,
            last,
            until: after,
            read: 0,
            is_over: after >= last,
        }
    }

    async fn looked_up(&self, parking: Parking) -> Result<(u64, Parked), ReadError> {
        let number = parking.number;
        Ok((number, self.look_up(parking).await?))
    }

    /// Returns which stays have ended by records that aren't carried out: however
    /// many of these there are, only what was said last of each event is read.
    async fn ended(
        &self,
        ledger: &Ledger,
        some: &[Parking],
        carried: u64,
    ) -> Result<HashSet<u64>, ReadError> {
        let asked = some.iter().map(async |parking| {
            let Parked {
                destination,
                sequence,
                ..
            } = &parking.parked;
            let ended = ledger.has_ended(destination, *sequence, parking.number, carried);
            let ended = ended.await.map_err(OpenError::from)?;
            Ok::<_, ReadError>(ended.then_some(parking.number))
        });
        let asked: Vec<_> = asked.collect();
        let ended = stream::iter(asked).buffered(AT_ONCE);
        ended
            .try_filter_map(async |number| Ok(number))
            .try_collect()
            .await
    }
}

impl Stays<'_> {
    /// Returns the next ones that may be chosen, as far as that is known without
    /// their events.
    async fn some(&mut self, most: usize) -> Result<Vec<Parking>, ReadError> {
        let mut some = Vec::new();
        while some.len() < most && self.read < MOST_READ && !self.is_over {
            let next = self.walk.next(self.last).await.map_err(ReadError::Nats)?;
            let Some((number, message)) = next.filter(|(number, _)| *number <= self.last) else {
                self.is_over = true;
                break;
            };
            self.until = number;
            self.read += 1;
            self.is_over = number == self.last;
            let Some((destination, sequence)) = records::place(&message.subject) else {
                continue;
            };
            let headers = message.headers.clone().unwrap_or_default();
            let parked = records::read_parked(destination, sequence, &headers);
            if self.selection.may_choose(&parked) {
                some.push(Parking { number, parked });
            }
        }
        Ok(some)
    }
}
