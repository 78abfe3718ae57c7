//! What the client library tells: connections lost, and what became of records.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rdkafka::{
    ClientContext, Message as _,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{DeliveryResult, ProducerContext},
};
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};
use tracing::{debug, warn};

/// Says what became of a record: its offset if the broker named it.
pub(super) type Report = Result<Option<u64>, KafkaError>;

/// Listens to the client of one producer.
#[derive(Debug)]
pub(super) struct Listener {
    /// Whether no broker is connected, as far as we know.
    away: watch::Sender<bool>,
    offsets: Mutex<Offsets>,
}

impl Listener {
    pub(super) fn new() -> Self {
        Self {
            away: watch::Sender::new(false),
            offsets: Mutex::default(),
        }
    }

    /// Waits until no broker has been connected for a while.
    pub(super) async fn away_for(&self, grace: Duration) {
        let mut away = self.away.subscribe();
        // The sender is ours, so neither wait fails.
        while away.wait_for(|away| *away).await.is_ok() {
            if timeout(grace, away.wait_for(|away| !away)).await.is_err() {
                return;
            }
        }
    }

    /// Takes note that a broker has answered.
    pub(super) fn answered(&self) {
        self.away.send_if_modified(std::mem::take);
    }
}

impl ClientContext for Listener {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        debug!(facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            debug!(%error, reason, "the Kafka client reports");
        } else if !self.away.send_replace(true) {
            warn!(reason, "no Kafka broker is connected");
        }
    }
}

impl ProducerContext for Listener {
    type DeliveryOpaque = Box<oneshot::Sender<Report>>;

    fn delivery(&self, result: &DeliveryResult<'_>, report: Self::DeliveryOpaque) {
        let outcome = match result {
            Ok(message) => {
                self.answered();
                let mut offsets = self.offsets.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(offsets.read(message.offset()))
            }
            Err((error, _)) => Err(error.clone()),
        };
        // Nobody waits any more for what was given up.
        let _ = report.send(outcome);
    }
}

/// Tells offsets that the broker named from those that the client made up.
///
/// A broker that gets a batch a second time, because its first answer was lost,
/// may say that it has it and not where. The client counts on from -1 then: the
/// batch's records seem to be at -1, 0, 1 and so on. Reports come in the order
/// of the records, so that such a row is recognised from its beginning, and no
/// true offset continues it.
#[derive(Debug, Default)]
struct Offsets {
    /// What comes next in a row that was made up.
    made_up: Option<u64>,
}

impl Offsets {
    fn read(&mut self, reported: i64) -> Option<u64> {
        let Ok(offset) = u64::try_from(reported) else {
            self.made_up = Some(0);
            return None;
        };
        if self.made_up == Some(offset) {
            self.made_up = Some(offset.saturating_add(1));
            return None;
        }
        self.made_up = None;
        Some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::Offsets;

    #[test]
    fn takes_no_offset_that_the_client_made_up() {
        let mut offsets = Offsets::default();
        for (reported, read) in [
            (0, Some(0)),
            (1, Some(1)),
            // Three records of a batch that came twice.
            (-1, None),
            (0, None),
            (1, None),
            (5, Some(5)),
            (6, Some(6)),
            // Two such batches, of one record and of two.
            (-1, None),
            (-1, None),
            (0, None),
            (10, Some(10)),
        ] {
            assert_eq!(offsets.read(reported), read, "{reported}");
        }
    }

    #[test]
    fn takes_the_offset_that_follows_a_batch_that_came_twice_at_the_beginning() {
        let mut offsets = Offsets::default();
        for (reported, read) in [(-1, None), (0, None), (2, Some(2)), (3, Some(3))] {
            assert_eq!(offsets.read(reported), read, "{reported}");
        }
    }
}
