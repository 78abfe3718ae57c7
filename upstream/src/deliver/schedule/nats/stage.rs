//! What an event waits for at a destination, as far as the streams and the
//! destination's consumer say it.

use async_nats::jetstream::{context::ConsumerInfoErrorKind, message::StreamMessage};
use futures_util::TryStreamExt as _;
use hookgate_core::time::Timestamp;
use tokio::try_join;

use super::{
    beside::{Beside, Parking, refused},
    place, records,
};
use crate::{
    deliver::schedule::ReadError,
    log::{
        Entry,
        nats::{self, timestamp},
    },
};

/// Says where an event is on its way to a destination.
#[derive(Debug, Clone)]
pub(crate) enum Stage {
    /// It waits for a person.
    Parked(Box<Parking>),
    /// It is tried again at this time; or has been due since.
    Due {
        /// When.
        at: Timestamp,
    },
    /// The destination hasn't come to it.
    Ahead {
        /// How many events come first, at most.
        first: u64,
    },
    /// The destination was given it, and hasn't settled everything up to it:
    /// perhaps this one. Which ones it hasn't no server tells.
    Given,
    /// There is nothing that says that it waits.
    Settled,
}

impl Beside {
    /// Says where an event is that the destination's filter chooses. What moves on while this is asked may be missed:
    /// [`Stage::Settled`] is nothing's proof.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn stage(&self, destination: &str, event: &Entry) -> Result<Stage, ReadError> {
        let sequence = event.sequence;
        let newest = async |stream, prefix| {
            let subject = records::subject(prefix, destination, sequence);
            nats::newest(stream, &subject)
                .await
                .map_err(ReadError::Nats)
        };
        let (scheduled, due, parked, turn) = try_join!(
            newest(&self.retry, records::SCHEDULED),
            newest(&self.retry, records::RETRY),
            newest(&self.review, records::REVIEW),
            self.turn(destination, event),
        )?;
        if let Some(message) = parked {
            let parked = records::read_parked(destination, sequence, &message.headers);
            let number = message.sequence;
            return Ok(Stage::Parked(Box::new(Parking { number, parked })));
        }
        if let Some(at) = scheduled.and_then(|it| records::scheduled_for(&it.headers)) {
            return Ok(Stage::Due { at });
        }
        if let Some(message) = due {
            let at = stored_at(&message);
            return Ok(Stage::Due { at });
        }
        Ok(turn)
    }

    /// Returns the destinations where an event is parked.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) async fn parked_at(&self, sequence: u64) -> Result<Vec<String>, ReadError> {
        let subjects = records::subject(records::REVIEW, "*", sequence);
        let found = self.review.info_with_subjects(subjects).await;
        let mut found = found.map_err(refused)?;
        let mut names = Vec::new();
        while let Some((subject, _)) = found.try_next().await.map_err(refused)? {
            names.extend(records::place(&subject).map(|(name, _)| name.to_owned()));
        }
        names.sort();
        Ok(names)
    }

    /// Says what the destination's own consumer of the log tells.
    async fn turn(&self, destination: &str, event: &Entry) -> Result<Stage, ReadError> {
        let name = place::consumer_name(destination);
        let info = match self.log.consumer_info(&name).await {
            Ok(info) => info,
            // Nothing was ever delivered there.
            Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => {
                return Ok(Stage::Settled);
            }
            Err(error) => return Err(refused(error)),
        };
        let (given, settled) = (
            info.delivered.stream_sequence,
            info.ack_floor.stream_sequence,
        );
        // The event was in the log before this was asked.
        if event.sequence > given && info.num_pending > 0 {
            let between = event.sequence.saturating_sub(given);
            let first = between.min(info.num_pending).saturating_sub(1);
            return Ok(Stage::Ahead { first });
        }
        if event.sequence > settled && info.num_ack_pending > 0 {
            return Ok(Stage::Given);
        }
        Ok(Stage::Settled)
    }
}

fn stored_at(message: &StreamMessage) -> Timestamp {
    timestamp(message.time.unix_timestamp_nanos())
}
