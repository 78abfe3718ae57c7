//! The evidence of the stream, in a second stream that only grows.
//!
//! It begins with the log's ID. Checkpoints continue the chain of events, each
//! over a range of sequences, with the link of every one of them; redactions
//! have a chain of their own; cutoffs say what retention removed. Each message
//! expects the one before it, so that of two writers one is refused: whoever
//! they are, they can't make two chains.
//! Source: <https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-5.md>.

mod checkpoint;
mod error;
mod genesis;
mod pair;
mod record;
mod settings;

use std::time::Duration;

use async_nats::{
    HeaderMap, header,
    jetstream::{
        context::{Context, PublishErrorKind},
        message::StreamMessage,
        stream::Stream,
    },
};
use bytes::Bytes;
use tokio::time::sleep;

pub(super) use self::checkpoint::{Checkpoint, Covered};
pub(crate) use self::error::EvidenceError;
use self::genesis::Genesis;
pub(super) use self::{
    record::{CutoffRecord, Recorded},
    settings::NAME,
};
use super::{
    message::EXPECTED_SUBJECT,
    newest::{is_conflict, newest},
    walk::Walk,
};
use crate::evidence::{Chain, Kind, Link, LogId};

/// Where the log's ID is.
const GENESIS: &str = "hookgate.evidence.log";

/// Where checkpoints are.
pub(super) const CHECKPOINT: &str = "hookgate.evidence.checkpoint";

/// Where redactions are, each under its event's sequence.
const REDACTION: &str = "hookgate.evidence.redaction";

/// Where cutoffs are.
const CUTOFF: &str = "hookgate.evidence.cutoff";

/// How often a message is published that no server takes for its stream's.
const TRIES: u32 = 20;

/// Time between two of these.
const AGAIN: Duration = Duration::from_millis(100);

/// Holds the newest of something, and where it is.
#[derive(Debug, Clone)]
pub(super) struct Newest<T> {
    /// What it is.
    pub(super) value: T,
    /// Its sequence in the evidence; 0 if there is none yet.
    pub(super) place: u64,
}

/// Holds how far the log is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sealed {
    /// Speaks for everything up to here.
    pub(super) link: Link,
    /// Who sealed it; empty before the first checkpoint.
    pub(super) by: String,
}

/// Reads and writes the evidence.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    context: Context,
    stream: Stream,
    genesis: Genesis,
}

impl Evidence {
    /// Finds the evidence of the log, or begins it.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub(super) async fn open(context: &Context, log: &Stream) -> Result<Self, EvidenceError> {
        let paired = pair::read(log)?;
        let stream = settings::ensure(context, log).await?;
        let evidence = |genesis| Self {
            context: context.clone(),
            stream: stream.clone(),
            genesis,
        };
        let genesis = match (genesis::read(&stream).await?, paired) {
            (None, Some(log)) => return Err(EvidenceError::Gone { log }),
            (Some(genesis), _) => genesis,
            (None, None) => {
                let new = Genesis::draw(log)?;
                let begun = evidence(new).begin().await;
                match begun {
                    Ok(()) => new,
                    // Another upstream that starts with us.
                    Err(EvidenceError::Conflict) => {
                        let theirs = genesis::read(&stream).await?;
                        theirs.ok_or(EvidenceError::Conflict)?
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        match paired {
            None => pair::write(context, genesis.log).await?,
            Some(log) => pair::compare(log, genesis.log)?,
        }
        Ok(evidence(genesis))
    }

    /// Finds the evidence of the log, and makes none.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub(super) async fn find(context: &Context, log: &Stream) -> Result<Self, EvidenceError> {
        let paired = pair::read(log)?;
        let missing = || paired.map_or(EvidenceError::Missing, |log| EvidenceError::Gone { log });
        let stream = settings::find(context).await?.ok_or_else(missing)?;
        let genesis = genesis::read(&stream).await?.ok_or_else(missing)?;
        if let Some(log) = paired {
            pair::compare(log, genesis.log)?;
        }
        Ok(Self {
            context: context.clone(),
            stream,
            genesis,
        })
    }

    /// Returns the connection.
    pub(super) const fn context(&self) -> &Context {
        &self.context
    }

    /// Returns the name of the log.
    pub(super) const fn log(&self) -> LogId {
        self.genesis.log
    }

    /// Returns how many copies there are of it.
    pub(super) fn copies(&self) -> usize {
        self.stream.cached_info().config.num_replicas
    }

    /// Returns the sequence of the newest message.
    ///
    /// # Errors
    /// [`EvidenceError::Info`].
    pub(super) async fn last(&self) -> Result<u64, EvidenceError> {
        Ok(self.stream.get_info().await?.state.last_sequence)
    }

    /// Walks through every message from a place on.
    pub(super) fn walk(&self, from: u64) -> Walk {
        let largest = self.context.client().server_info().max_payload;
        Walk::start(&self.stream, from, largest)
    }

    /// Returns how far the log is sealed.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub(super) async fn sealed(&self) -> Result<Newest<Sealed>, EvidenceError> {
        let Some(message) = self.newest(CHECKPOINT).await? else {
            return Ok(Newest {
                value: Sealed {
                    link: self.genesis.start(),
                    by: String::new(),
                },
                place: 0,
            });
        };
        let place = message.sequence;
        let checkpoint = self.checkpoint(place, &message.headers, &message.payload);
        let checkpoint = checkpoint.ok_or(EvidenceError::Form { place })?;
        Ok(Newest {
            value: Sealed {
                link: checkpoint.last(),
                by: checkpoint.by,
            },
            place,
        })
    }

    /// Reads a checkpoint of this log; `None` if it is none.
    pub(super) fn checkpoint(
        &self,
        place: u64,
        headers: &HeaderMap,
        links: &[u8],
    ) -> Option<Checkpoint> {
        let checkpoint = Checkpoint::read(headers, links)?;
        (place > 0 && checkpoint.log == self.log()).then_some(checkpoint)
    }

    /// Adds a checkpoint after the one before it.
    ///
    /// # Errors
    /// [`EvidenceError::Conflict`] if there is another, so that the log is
    /// sealed further already.
    pub(super) async fn seal(
        &self,
        after: u64,
        checkpoint: &Checkpoint,
    ) -> Result<u64, EvidenceError> {
        let (headers, links) = checkpoint.write();
        self.add(CHECKPOINT, None, after, headers, links).await
    }

    /// Returns the newest link of the redactions.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub(super) async fn newest_redaction(&self) -> Result<Newest<Option<Recorded>>, EvidenceError> {
        let message = self.newest(&any_redaction()).await?;
        let place = message.as_ref().map_or(0, |message| message.sequence);
        let value = message.map(|message| Recorded::read(place, &message.payload));
        let value = value.transpose()?;
        Ok(Newest { value, place })
    }

    /// Returns the place of the newest redaction; 0 if there is none.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub(super) async fn newest_redaction_place(&self) -> Result<u64, EvidenceError> {
        let newest = self.newest(&any_redaction()).await?;
        Ok(newest.map_or(0, |message| message.sequence))
    }

    /// Returns the link at which the redactions begin.
    pub(super) fn first_redaction(&self) -> Link {
        Chain::start(self.log(), Kind::Redactions).newest()
    }

    /// Returns the redaction of the event at a sequence.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub(super) async fn redaction_of(
        &self,
        sequence: u64,
    ) -> Result<Option<Recorded>, EvidenceError> {
        let message = self.newest(&format!("{REDACTION}.{sequence}")).await?;
        let redaction = message.map(|it| Recorded::read(it.sequence, &it.payload));
        redaction.transpose()
    }

    /// Walks through all redactions.
    pub(super) fn redactions(&self) -> Walk {
        self.walk(1).of(&any_redaction())
    }

    /// Adds the record of a redaction after the one before it.
    ///
    /// # Errors
    /// [`EvidenceError::Conflict`] if there is another.
    pub(super) async fn record(
        &self,
        after: u64,
        recorded: &Recorded,
    ) -> Result<(), EvidenceError> {
        let subject = format!("{REDACTION}.{}", recorded.redaction.sequence);
        let (any, json) = (any_redaction(), recorded.to_json());
        self.add(&subject, Some(&any), after, HeaderMap::new(), json.into())
            .await?;
        Ok(())
    }

    /// Returns what retention removed.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub(super) async fn cutoff(&self) -> Result<Newest<Option<CutoffRecord>>, EvidenceError> {
        let Some(message) = self.newest(CUTOFF).await? else {
            let value = self.genesis.cutoff();
            return Ok(Newest { value, place: 0 });
        };
        let place = message.sequence;
        let value = Some(CutoffRecord::read(place, &message.payload)?);
        Ok(Newest { value, place })
    }

    /// Adds a cutoff after the one before it.
    ///
    /// # Errors
    /// [`EvidenceError::Conflict`] if there is another.
    pub(super) async fn cut(&self, after: u64, record: CutoffRecord) -> Result<(), EvidenceError> {
        let json = record.to_json();
        self.add(CUTOFF, None, after, HeaderMap::new(), json.into())
            .await?;
        Ok(())
    }

    /// Removes the checkpoints before one.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) async fn forget_before(&self, checkpoint: u64) -> Result<(), async_nats::Error> {
        let purge = self.stream.purge().filter(CHECKPOINT).sequence(checkpoint);
        purge.await?;
        Ok(())
    }

    async fn begin(&self) -> Result<(), EvidenceError> {
        let record = self.genesis.to_json();
        self.add(GENESIS, None, 0, HeaderMap::new(), record.into())
            .await?;
        Ok(())
    }

    async fn newest(&self, subject: &str) -> Result<Option<StreamMessage>, EvidenceError> {
        newest(&self.stream, subject)
            .await
            .map_err(EvidenceError::Read)
    }

    /// Adds a message if the newest one of its subject (or of those of `among`)
    /// still is at `after`.
    async fn add(
        &self,
        subject: &str,
        among: Option<&str>,
        after: u64,
        mut headers: HeaderMap,
        payload: Bytes,
    ) -> Result<u64, EvidenceError> {
        headers.insert(header::NATS_EXPECTED_STREAM, NAME);
        headers.insert(
            header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
            after.to_string(),
        );
        if let Some(among) = among {
            headers.insert(EXPECTED_SUBJECT, among);
        }
        let mut tries = TRIES;
        loop {
            let published = self.context.publish_with_headers(
                subject.to_owned(),
                headers.clone(),
                payload.clone(),
            );
            let acknowledged = async { published.await?.await }.await;
            match acknowledged {
                Ok(acknowledged) => return Ok(acknowledged.sequence),
                Err(error) if is_conflict(&error) => return Err(EvidenceError::Conflict),
                // Not every server of a cluster knows a new stream at once.
                Err(error) if tries > 0 && error.kind() == PublishErrorKind::StreamNotFound => {
                    tries -= 1;
                    sleep(AGAIN).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Tells whether the evidence has messages of this subject.
pub(super) fn is_known(subject: &str) -> bool {
    let redaction = subject.strip_prefix(REDACTION);
    matches!(subject, GENESIS | CHECKPOINT | CUTOFF)
        || redaction.is_some_and(|rest| rest.starts_with('.'))
}

fn any_redaction() -> String {
    format!("{REDACTION}.*")
}
