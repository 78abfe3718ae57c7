//! What waits beside a log, asked where the servers keep it.

use async_nats::jetstream::{
    self,
    consumer::PullConsumer,
    stream::{LastRawMessageErrorKind, Stream},
};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::schedule;
use crate::nats_server;

/// Counts what waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    /// For its next attempt, or the end of one; and decisions that lead to one.
    pub(super) deliveries: usize,
    /// For a person.
    pub(super) people: usize,
}

impl Waiting {
    /// Counts it; `None` if nobody says now.
    pub(super) fn at(log: &str) -> Option<Self> {
        if log.starts_with("sqlite:") {
            Self::in_file(log).ok()
        } else {
            nats_server::ask(log, async |context| Self::in_streams(&context).await.ok())
        }
    }

    /// Tells whether nothing is on its way.
    pub(super) fn is_quiet(log: &str) -> bool {
        Self::at(log).is_some_and(|waiting| waiting.deliveries == 0)
    }

    fn in_file(log: &str) -> rusqlite::Result<Self> {
        let state = rusqlite::Connection::open(schedule(log))?;
        let count = |condition: &str| -> rusqlite::Result<usize> {
            let sql = format!("SELECT count(*) FROM job WHERE {condition}");
            let count: i64 = state.query_row(&sql, [], |row| row.get(0))?;
            Ok(usize::try_from(count).unwrap())
        };
        Ok(Self {
            deliveries: count("state <> 3")?,
            people: count("state = 3")?,
        })
    }

    async fn in_streams(context: &jetstream::Context) -> Result<Self, async_nats::Error> {
        let trail = context.get_stream("HOOKGATE_AUDIT").await?;
        let decided = usize::try_from(trail.cached_info().state.last_sequence)?;
        let retry = context.get_stream("HOOKGATE_RETRY").await?;
        let carried = retry.get_last_raw_message_by_subject("hookgate.retry.carried");
        let carried: usize = match carried.await {
            Ok(message) => {
                let link = String::from_utf8(message.payload.to_vec())?;
                link.split_once(':').unwrap().0.parse()?
            }
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => 0,
            Err(error) => return Err(error.into()),
        };
        let log = context.get_stream("HOOKGATE").await?;
        let mut fresh = 0;
        let mut names = log.consumer_names();
        while let Some(name) = names.next().await {
            let name = name?;
            if name.starts_with("hookgate-") {
                let mut consumer: PullConsumer = log.get_consumer(&name).await?;
                let info = consumer.info().await?;
                fresh += info.num_ack_pending + usize::try_from(info.num_pending)?;
            }
        }
        let again = subjects(&retry, "hookgate.*.*.*").await?;
        let review = context.get_stream("HOOKGATE_REVIEW").await?;
        Ok(Self {
            deliveries: fresh + again + decided.saturating_sub(carried),
            people: subjects(&review, "hookgate.review.*.*").await?,
        })
    }
}

async fn subjects(stream: &Stream, filter: &str) -> Result<usize, async_nats::Error> {
    let found = stream.info_with_subjects(filter).await?;
    Ok(found.try_fold(0, async |count, _| Ok(count + 1)).await?)
}
